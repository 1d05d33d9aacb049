"""`cashtag deploy` from credentials to smoke test: CloudFormation's rules on loopback, S3 and STS of moto."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from cloudformation_site import Refused, Site
from loopback_aws import NUMBER, REGION, SECRET, LoopbackAws

from cashtag import resources
from cashtag.cli import main
from cashtag.operate.cloud import template as reading
from cashtag.operate.deploying import artifacts, checks, deployment, parameters
from cashtag.operate.deploying.changes import ChangeSet
from cashtag.settings import load

BUCKET = f"cashtag-artifacts-{NUMBER}-{REGION}"
KEY = "functions/0123456789abcdef.zip"
LAYER = f"arn:aws:lambda:{REGION}:336392948345:layer:AWSSDKPandas-Python312:26"
# Of the shape of ours, as small as can be.
TEMPLATE = """
Parameters:
  Environment: {Type: String, Default: dev, AllowedValues: [dev, staging, prod]}
  CodeBucket: {Type: String, Default: ''}
  CodeKey: {Type: String}
  AlertEmail: {Type: String, Default: '', AllowedPattern: '^$|^[^@]+@[^@]+$'}
  AlertPhone: {Type: String, Default: '', NoEcho: true, AllowedPattern: '^$|^[+][0-9]{7,}$'}
  CoverageBelow: {Type: Number, Default: 0.6, MinValue: 0, MaxValue: 1}
  ReserveConcurrency: {Type: String, Default: 'false', AllowedValues: ['true', 'false']}
Conditions:
  Reserves: !Equals [!Ref ReserveConcurrency, 'true']
Mappings:
  Layers: {eu-west-1: {Pandas: '26'}, eu-south-1: {Pandas: '0'}}
Resources:
  RawBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {BucketName: raw-1}
  ResultsBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties: {BucketName: results-1}
  HealthFunction:
    Type: AWS::Lambda::Function
    Properties:
      Code: {S3Bucket: !Ref CodeBucket, S3Key: !Ref CodeKey}
      ReservedConcurrentExecutions: !If [Reserves, 7, !Ref 'AWS::NoValue']
      Layers:
        - !Sub
          - arn:${AWS::Partition}:lambda:${AWS::Region}:336392948345:layer:AWSSDKPandas-Python312:${Version}
          - {Version: !FindInMap [Layers, !Ref 'AWS::Region', Pandas]}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties: {Threshold: !Ref CoverageBelow}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {Subscription: !Ref AlertEmail, Phone: !Ref AlertPhone}
Outputs:
  ResultsBucket: {Value: results-1}
  HealthFunction: {Value: cashtag-dev-health}
  Workgroup: {Value: cashtag-dev}
  DashboardUrl: {Value: 'https://eu-west-1.console.aws.amazon.com/cloudwatch/home#cashtag-dev'}
"""


@pytest.fixture(scope="module")
def loopback() -> Iterator[LoopbackAws]:
    running = LoopbackAws()
    with pytest.MonkeyPatch.context() as patch:
        running.enter(patch)
        artifacts.ensure(boto3.Session(), BUCKET, NUMBER)
        boto3.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=b"zip")
    yield running
    running.stop()


class World:
    """An account, CloudFormation in it, and a folder of templates; `deploy` runs the command."""

    def __init__(self, site: Site, folder: Path, patch: pytest.MonkeyPatch, capture: Any) -> None:
        self.site, self.folder, self.patch, self.capture = site, folder, patch, capture
        self.out = self.err = ""

    def template(self, text: str, name: str = "cashtag.yaml") -> None:
        """Put a template into the checkout."""
        (self.folder / name).write_text(text)
        reading.load.cache_clear()

    def run(self, *words: str, typed: str | None = None) -> int:
        """Run a command; keep what it printed; return its exit code."""
        keys = io.StringIO(typed or "")
        keys.isatty = lambda: typed is not None  # type: ignore[method-assign]
        self.patch.setattr(sys, "stdin", keys)
        self.patch.setattr(sys, "argv", ["cashtag", *words])
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        self.out, self.err = self.capture.readouterr()
        return int(code or 0)

    def deploy(self, *words: str, typed: str | None = None) -> int:
        """Deploy a zip that is in the bucket already."""
        return self.run("deploy", "--parameter", f"CodeKey={KEY}", *words, typed=typed)

    @property
    def stack(self) -> Any:
        """The main stack."""
        return self.site.stacks["cashtag-dev"]


@pytest.fixture
def world(
    loopback: LoopbackAws,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[World]:
    loopback.lead(monkeypatch)
    site = Site(lambda: boto3.client("s3", endpoint_url=loopback.url))
    site.layers.add(LAYER)
    for service in ("CLOUDFORMATION", "LAMBDA"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", site.url)
    monkeypatch.setenv("CASHTAG_AWS__DEPLOY__POLL_SECONDS", "0.01")
    monkeypatch.chdir(tmp_path)
    found = resources.path
    folder = tmp_path / "cloudformation"
    folder.mkdir()
    monkeypatch.setattr(
        resources,
        "path",
        lambda *parts: folder / parts[1] if parts[0] == "cloudformation" else found(*parts),
    )
    made = World(site, folder, monkeypatch, capsys)
    made.template(TEMPLATE)
    yield made
    site.stop()
    reading.load.cache_clear()


# ---------------------------------------------------------------- up, and up to date


def test_a_first_deployment_shows_its_changes_then_makes_them_and_ends_with_the_addresses(
    world: World,
) -> None:
    assert world.deploy("--yes") == 0
    assert world.stack.status == "CREATE_COMPLETE"
    assert set(world.stack.resources) == {
        "RawBucket", "ResultsBucket", "HealthFunction", "Alarm", "Topic",
    }  # fmt: skip
    assert "stack cashtag-dev is created: 5 changes" in world.out
    shown = world.out.index("CloudWatch::Alarm")
    assert shown < world.out.index("smoke test")
    assert "CREATE_COMPLETE" in world.err
    assert "stack cashtag-dev in eu-west-1 is created" in world.err
    assert world.site.asked == [("cashtag-dev-health", {"action": "smoke"})]
    for where in (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home#cashtag-dev",
        "https://eu-west-1.console.aws.amazon.com/athena/home?region=eu-west-1#/workgroups/details/cashtag-dev",
        "https://eu-west-1.console.aws.amazon.com/s3/buckets/results-1?region=eu-west-1&prefix=report/",
    ):
        assert where in world.out
    assert "left to do: X accounts: aws secretsmanager put-secret-value" in world.err


def test_a_second_deployment_finds_nothing_to_do(world: World) -> None:
    world.deploy("--yes")
    executed = list(world.site.executed)
    assert world.deploy() == 0  # nothing is asked where nothing is to change
    assert world.site.executed == executed
    assert "is as it should be already" in world.err
    assert world.stack.sets == {}


def test_the_functions_zip_is_built_and_named_by_its_content(world: World) -> None:
    # Wheels of earlier builds, so that only the first test of a checkout fetches them.
    kept = Path(__file__).parents[2] / "build" / "wheels"
    kept.mkdir(parents=True, exist_ok=True)
    (world.folder.parent / "build").mkdir()
    (world.folder.parent / "build" / "wheels").symlink_to(kept)
    assert world.run("deploy", "--yes") == 0
    said = re.search(
        r"([\d.]+) MB zipped, ([\d.]+) MB unzipped, \d+ libraries, content (\w{12})", world.err
    )
    assert said
    assert float(said[2]) <= 40
    key = world.stack.parameters["CodeKey"]
    assert key.startswith(f"functions/{said[3]}")
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert body == Path("build/function.zip").read_bytes()
    assert world.run("deploy") == 0
    assert "is as it should be already" in world.err


def test_the_artefacts_bucket_is_private_encrypted_versioned_and_tls_only(world: World) -> None:
    s3 = boto3.client("s3")
    closed = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert closed == dict.fromkeys(closed, True)
    assert len(closed) == 4
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert artifacts.ensure(boto3.Session(), BUCKET, NUMBER) is False


def test_of_several_that_make_the_bucket_at_once_all_find_it_ready(world: World) -> None:
    name = "cashtag-artifacts-at-once"
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: artifacts.ensure(boto3.Session(), name, NUMBER), range(4)))
    assert any(made)
    assert boto3.client("s3").get_bucket_versioning(Bucket=name)["Status"] == "Enabled"


class Closed(BaseHTTPRequestHandler):
    """S3 as it answers about a bucket of somebody else."""

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.end_headers()


def test_another_accounts_bucket_is_not_written_to(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = HTTPServer(("127.0.0.1", 0), Closed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_address[1]}")
    assert world.deploy("--yes") == 7
    server.shutdown()
    server.server_close()
    assert f"bucket {BUCKET} is another account's, or closed to these credentials" in world.err
    assert world.site.executed == []


# ---------------------------------------------------------------- leave


@pytest.mark.parametrize(("typed", "code", "runs"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0)])
def test_a_person_is_asked_before_changes_are_executed(
    world: World, typed: str, code: int, runs: int
) -> None:
    assert world.deploy(typed=typed) == code
    assert "Execute these changes of stack cashtag-dev?" in world.err
    assert len(world.site.executed) == runs
    if not runs:
        assert "cashtag-dev" not in world.site.stacks  # nor is an empty stack left behind


def test_where_nobody_is_to_be_asked_nothing_is_executed(world: World) -> None:
    assert world.deploy() == 2
    assert "add --yes to go on" in world.err
    assert world.site.executed == []


def test_what_takes_the_raw_bucket_is_not_executed_unless_told(world: World) -> None:
    world.deploy("--yes")
    world.template(TEMPLATE.replace("raw-1", "raw-2"))
    assert world.deploy("--yes") == 2
    assert "this takes RawBucket from stack cashtag-dev" in world.err
    assert re.search(
        r"Modify +RawBucket +S3::Bucket +yes +leaves the old one, with objects", world.out
    )
    assert len(world.site.executed) == 1
    assert world.deploy("--yes", "--replace-data") == 0
    assert len(world.site.executed) == 2


def test_what_removes_the_raw_bucket_is_not_executed_unless_told(world: World) -> None:
    world.deploy("--yes")
    without = re.sub(r"  RawBucket:\n(    .*\n)+", "", TEMPLATE)
    world.template(without)
    assert world.deploy("--yes") == 2
    assert "this takes RawBucket" in world.err


def test_what_loses_something_else_stands_first_and_is_told(world: World) -> None:
    world.deploy("--yes")
    world.template(
        TEMPLATE.replace("results-1", "results-2").replace("Default: 0.6", "Default: 0.5")
    )
    assert world.deploy("--yes") == 0
    rows = [line for line in world.out.splitlines() if "Modify" in line]
    assert [row.split()[1] for row in rows] == ["ResultsBucket", "Alarm"]
    assert rows[0].rstrip().endswith("LOSES objects")


# ---------------------------------------------------------------- dry runs


def test_a_dry_run_shows_the_changes_and_leaves_nothing(world: World) -> None:
    assert world.deploy("--dry-run") == 0
    assert "stack cashtag-dev would be created: 5 changes" in world.out
    assert world.site.executed == []
    assert "cashtag-dev" not in world.site.stacks
    assert "cashtag cost --stack" in world.err


def test_a_dry_run_leaves_a_deployed_stack_as_it_is(world: World) -> None:
    world.deploy("--yes")
    assert world.deploy("--dry-run", "--parameter", "CoverageBelow=0.4") == 0
    assert re.search(r"Modify +Alarm", world.out)
    assert len(world.site.executed) == 1
    assert world.stack.sets == {}
    assert world.stack.parameters["CoverageBelow"] == "0.6"


def test_a_dry_run_needs_no_account(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert world.deploy("--dry-run") == 0
    assert world.site.calls == []
    assert "there are no AWS credentials here" in world.err
    assert "cashtag.yaml: 5 resources" in world.err
    assert re.search(r"Add +cashtag.yaml +S3::Bucket +2", world.out)
    assert world.deploy() == 7  # without --dry-run it does


def test_a_template_whose_names_lead_nowhere_is_refused_without_an_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    world.template(TEMPLATE.replace("!Ref CoverageBelow", "!Ref CoverageBelo"))
    assert world.deploy("--dry-run") == 2
    assert "nothing is called CoverageBelo" in world.err


# ---------------------------------------------------------------- what goes wrong


def test_a_failure_is_told_by_its_first_reason(world: World) -> None:
    world.site.fail = {"Topic": "Invalid parameter: Endpoint"}
    assert world.deploy("--yes") == 7
    assert (
        "stack cashtag-dev ends in state ROLLBACK_COMPLETE: Topic (AWS::SNS::Topic): Invalid "
        "parameter: Endpoint; the next `cashtag deploy` clears what is left" in world.err
    )
    assert world.site.asked == []


def test_the_next_deployment_clears_what_a_failed_creation_left(world: World) -> None:
    world.site.fail = {"Topic": "Invalid parameter: Endpoint"}
    world.deploy("--yes")
    world.site.fail = {}
    assert world.deploy(typed="n\n") == 7
    assert "it was left as it is" in world.err
    assert world.deploy("--yes") == 0
    assert world.stack.status == "CREATE_COMPLETE"
    assert len(world.site.deleted) == 1


def test_a_failed_update_leaves_what_ran_before(world: World) -> None:
    world.deploy("--yes")
    world.site.fail = {"Alarm": "Threshold is no number"}
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 7
    assert "Threshold is no number; what ran before runs on" in world.err
    assert world.stack.parameters["CoverageBelow"] == "0.6"
    world.site.fail = {}
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 0
    assert world.stack.parameters["CoverageBelow"] == "0.5"


def test_an_update_that_could_not_be_taken_back_is_taken_back_first(world: World) -> None:
    world.deploy("--yes")
    world.site.fail, world.site.keep = {"Alarm": "no"}, {"Alarm": "Role is gone"}
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 7
    assert world.stack.status == "UPDATE_ROLLBACK_FAILED"
    assert world.deploy("--yes") == 7
    assert "continue-update-rollback" in world.err
    assert "Role is gone" in world.err
    world.site.fail, world.site.keep = {}, {}
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 0
    assert world.stack.status == "UPDATE_COMPLETE"


def test_what_cloudformation_refuses_is_told(world: World) -> None:
    world.site.refuse["CreateChangeSet"] = Refused(
        "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_AUTO_EXPAND]"
    )
    assert world.deploy("--yes") == 7
    assert "the change of stack cashtag-dev is refused" in world.err
    assert "Requires capabilities" in world.err


def test_a_stack_half_deleted_is_destroyed_first(world: World) -> None:
    world.deploy("--yes")
    world.stack.status = "DELETE_FAILED"
    assert world.deploy("--yes") == 7
    assert "`cashtag destroy --env dev`, then deploy again" in world.err


# ---------------------------------------------------------------- by another implementation


@pytest.mark.filterwarnings("ignore:Tried to parse")  # kinds that moto passes over
def test_our_own_template_goes_through_motos_change_sets(
    loopback: LoopbackAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto makes of it what it can, at once, and works out no outputs: so no smoke test here.
    loopback.lead(monkeypatch)
    monkeypatch.setenv("CASHTAG_AWS__DEPLOY__POLL_SECONDS", "0.01")
    reading.load.cache_clear()
    seen: list[ChangeSet] = []
    said: list[str] = []
    target = deployment.Target(
        load(),
        "staging",
        boto3.Session(),
        following=lambda _: nullcontext((lambda event: said.append(event.status), lambda *_: None)),
    )
    values = {"Environment": "staging", "CodeBucket": BUCKET, "CodeKey": KEY}
    done = deployment.bring_up(target, BUCKET, values, lambda planned: not seen.append(planned))
    assert done is not None
    assert done.created
    assert done.stack.status == "CREATE_COMPLETE"
    assert done.stack.parameters["Environment"] == "staging"
    assert said == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    resources_of_ours = reading.active(reading.load(), values)
    assert set(resources_of_ours) <= {change.resource for change in seen[0].changes}
    code = boto3.client("lambda").get_function(FunctionName="cashtag-staging-health")
    assert code["Configuration"]["Handler"] == "cashtag.handlers.health.handler"
    names = {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}
    assert f"cashtag-staging-raw-{NUMBER}-{REGION}" in names


# ---------------------------------------------------------------- killed, and two at once


def test_a_deployment_killed_in_the_middle_is_resumed_by_the_next(world: World) -> None:
    child = os.fork()
    if not child:  # pragma: no cover  the child is killed
        try:
            world.patch.setattr(
                sys, "argv", ["cashtag", "deploy", "--yes", "--parameter", f"CodeKey={KEY}"]
            )
            main()
        finally:
            os._exit(0)
    until = time.monotonic() + 20
    world.site.held = False
    while not world.site.executed and time.monotonic() < until:
        time.sleep(0.005)
    world.site.held = True
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert world.stack.status == "CREATE_IN_PROGRESS"
    threading.Timer(0.3, lambda: setattr(world.site, "held", False)).start()
    assert world.deploy("--yes") == 0
    assert "is being changed (CREATE_IN_PROGRESS): waiting for its end" in world.err
    assert world.stack.status == "CREATE_COMPLETE"
    assert len(world.site.executed) == 1
    assert "is as it should be already" in world.err


def test_a_deployment_killed_before_it_was_executed_leaves_a_plan_that_the_next_finds(
    world: World,
) -> None:
    world.site.refuse["ExecuteChangeSet"] = Refused("InternalFailure", "killed here")
    assert world.deploy("--yes") == 7
    assert world.stack.status == "REVIEW_IN_PROGRESS"
    del world.site.refuse["ExecuteChangeSet"]
    assert world.deploy("--yes") == 0
    assert world.stack.status == "CREATE_COMPLETE"
    assert world.site.calls.count("CreateChangeSet") == 2


def test_of_two_at_once_one_changes_the_stack_and_the_other_finds_it_done(world: World) -> None:
    def other() -> None:
        (one,) = world.stack.sets.values()
        world.site.executed.append("the other's")
        world.stack.sets = {}
        world.site._begin(world.stack, one)

    world.site.sibling = other
    assert world.deploy("--yes") == 0
    assert world.site.executed == ["the other's"]
    assert "is being changed by somebody else: waiting, then planning anew" in world.err
    assert "is as it should be already" in world.err
    assert world.stack.status == "CREATE_COMPLETE"


def test_a_change_set_made_useless_by_another_change_is_made_again(world: World) -> None:
    world.deploy("--yes")
    world.deploy("--yes", "--parameter", "CoverageBelow=0.5", typed="")
    words = ("--parameter", "CoverageBelow=0.4")
    world.site.refuse["ExecuteChangeSet"] = Refused("InternalFailure", "killed here")
    world.deploy("--yes", *words)
    del world.site.refuse["ExecuteChangeSet"]
    (stale,) = world.stack.sets.values()
    stale["execution"] = "OBSOLETE"
    assert world.deploy("--yes", *words) == 0
    assert world.stack.parameters["CoverageBelow"] == "0.4"


# ---------------------------------------------------------------- parameters


def test_a_choice_stays_until_another_is_made(world: World) -> None:
    world.deploy(
        "--yes",
        "--parameter",
        "AlertEmail=me@example.com",
        "--parameter",
        "AlertPhone=+15551234567",
    )
    assert world.deploy("--yes", "--parameter", "CoverageBelow=0.5") == 0
    assert world.stack.parameters["AlertEmail"] == "me@example.com"
    assert world.stack.parameters["AlertPhone"] == "+15551234567"
    assert world.deploy("--yes", "--parameter", "AlertEmail=") == 0
    assert world.stack.parameters["AlertEmail"] == ""


def test_what_nobody_chose_follows_the_templates_default(world: World) -> None:
    world.deploy("--yes")
    world.template(TEMPLATE.replace("Default: 0.6", "Default: 0.7"))
    assert world.deploy("--yes") == 0
    assert world.stack.parameters["CoverageBelow"] == "0.7"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "AlertMail=me@example.com",
            "AlertMail is none of the template's; did you mean AlertEmail?",
        ),
        ("AlertEmail=nobody", "AlertEmail='nobody' is refused: must match"),
        ("CoverageBelow=2", "CoverageBelow='2' is refused: must be at most 1"),
        ("CoverageBelow=much", "is refused: it is no number"),
        ("Environment=test", "allowed are dev, staging, prod"),
        ("Environment=prod", "is another than the stack's, dev: choose the stack by --env"),
        ("AlertEmail", "'AlertEmail' is no choice; write it as"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_before_anything(
    world: World, text: str, said: str
) -> None:
    assert world.deploy("--yes", "--parameter", text) == 2
    assert said in world.err
    assert world.site.calls == []


def test_a_hidden_parameter_is_in_no_message(world: World) -> None:
    assert world.deploy("--yes", "--parameter", "AlertPhone=0155PLANTED") == 2
    assert "AlertPhone=*** is refused" in world.err


def test_a_parameter_given_twice_must_agree(world: World) -> None:
    words = ("--parameter", "AlertPhone=+1555PLANTED", "--parameter", "AlertPhone=+1666PLANTED")
    assert world.deploy(*words) == 2
    assert "AlertPhone is given twice" in world.err


def test_a_parameter_without_a_default_must_be_given() -> None:
    template = {"Parameters": {"Principal": {"Type": "String", "Description": "Who sees it"}}}
    with pytest.raises(Exception, match=r"Principal has no default \(Who sees it\)"):
        parameters.choices(template, {})


# ---------------------------------------------------------------- the account


def test_concurrency_is_reserved_where_the_account_has_room(world: World) -> None:
    # 1000 executions less 100 that Lambda keeps hold the template's seven.
    world.deploy("--yes")
    assert world.stack.parameters["ReserveConcurrency"] == "true"
    # They are ours already: what is free now, 100, and ours are just enough.
    world.site.account = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 100}
    world.deploy("--yes")
    assert world.stack.parameters["ReserveConcurrency"] == "true"


def test_a_new_account_with_ten_executions_is_deployed_to_without_reserving(world: World) -> None:
    world.site.account = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    assert world.deploy("--yes") == 0
    assert world.stack.parameters["ReserveConcurrency"] == "false"
    assert "10 executions at once, 10 free: 7 cannot be reserved beside the 100" in world.out
    assert world.deploy("--yes", "--parameter", "ReserveConcurrency=true") == 2
    assert "ReserveConcurrency=true is refused" in world.err


def test_one_execution_too_few_is_too_few(world: World) -> None:
    world.site.account = {"ConcurrentExecutions": 106, "UnreservedConcurrentExecutions": 106}
    world.deploy("--yes")
    assert world.stack.parameters["ReserveConcurrency"] == "false"
    world.site.account = {"ConcurrentExecutions": 107, "UnreservedConcurrentExecutions": 107}
    world.deploy("--yes")
    assert world.stack.parameters["ReserveConcurrency"] == "true"


def test_a_layer_that_is_not_there_stops_everything(world: World) -> None:
    world.site.layers.clear()
    assert world.deploy("--yes") == 7
    assert f"{LAYER} is not there; give --parameter PandasLayerArn=" in world.err
    assert world.site.executed == []
    assert "cashtag-dev" not in world.site.stacks


def test_a_region_without_a_known_layer_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for region in ("eu-south-1", "xx-east-9"):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        assert world.deploy("--yes") == 7
        assert f"no AWSSDKPandas layer is known in {region}" in world.err


def test_layers_of_our_own_template_are_known_by_region() -> None:
    reading.load.cache_clear()
    whole = reading.load()
    values = reading.parameters(whole)
    found = checks.layer_arns(whole, values, "eu-west-1")
    assert [str(arn).split(":layer:")[1].split(":")[0] for arn in found] == [
        "AWSLambdaPowertoolsPythonV3-python312-x86_64",
        "AWSSDKPandas-Python312",
    ]
    assert checks.template(whole, 250_000).verdict == "ok"
    assert checks.reserved(whole, {**values, "ReserveConcurrency": "true"}) == 7
    assert checks.reserved(whole, values) == 0


def test_credentials_that_are_not_accepted_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert world.deploy("--yes") == 7
    assert "the AWS credentials are not accepted" in world.err
    assert SECRET not in world.out + world.err


def test_a_zip_that_is_not_in_the_bucket_is_refused(world: World) -> None:
    words = ("deploy", "--yes", "--parameter", "CodeKey=functions/none.zip")
    assert world.run(*words) == 2
    assert f"CodeKey=functions/none.zip is no object of s3://{BUCKET}" in world.err


# ---------------------------------------------------------------- the end


def finding(name: str, status: str, found: str = "found", remedy: str = "") -> dict[str, str]:
    return {"name": name, "status": status, "found": found, "remedy": remedy}


def test_a_smoke_test_that_fails_is_told_and_ends_with_1(world: World) -> None:
    world.deploy("--yes")
    world.site.health = {
        "status": "fail",
        "checks": [finding("zone raw", "fail", "no access", "allow it")],
    }
    assert world.deploy("--yes") == 1
    assert re.search(r"zone raw +fail +no access +allow it", world.out)
    assert "deployed, but the smoke test failed: zone raw" in world.err


def test_a_new_stack_waits_for_its_model(world: World) -> None:
    world.site.health = {
        "status": "fail",
        "checks": [finding("endpoint", "fail"), finding("model", "fail")],
    }
    assert world.deploy("--yes") == 0
    assert "left to do: the model: python sagemaker/deploy_model.py" in world.err
    assert world.deploy("--yes") == 1  # later it is no news


def test_a_health_function_that_fails_is_told(world: World) -> None:
    world.site.health = {
        "errorMessage": "Unable to import module",
        "errorType": "Runtime.ImportModuleError",
    }
    assert world.deploy("--yes") == 7
    assert (
        "function cashtag-dev-health fails: Unable to import module; see `cashtag logs health"
        in world.err
    )


def test_for_a_program_all_is_one_json_object(world: World) -> None:
    assert world.deploy("--yes", "--format", "json") == 0
    told = json.loads(world.out)
    assert {(row["stack"], row["action"]) for row in told["changes"]} == {("cashtag-dev", "Add")}
    assert len(told["changes"]) == 5
    assert [row["verdict"] for row in told["smoke"]] == ["ok"]
    assert len(told["addresses"]) == 3
    assert told["now"] == "created"
    world.deploy("--dry-run", "--format", "json", "--parameter", "CoverageBelow=0.5")
    assert [row["resource"] for row in json.loads(world.out)["changes"]] == ["Alarm"]
    world.deploy("--dry-run", "--format", "csv", "--parameter", "CoverageBelow=0.5")
    assert world.out.splitlines() == [
        "stack,action,resource,type,replacement,mind",
        "cashtag-dev,Modify,Alarm,CloudWatch::Alarm,no,",
    ]


QUICKSIGHT = """
Parameters:
  Stack: {Type: String, Default: cashtag-dev}
  Principal: {Type: String, Description: Who owns it}
  KeyArn: {Type: String, Default: ''}
Resources:
  Dashboard: {Type: AWS::QuickSight::Dashboard, Properties: {Of: !Ref Stack, Who: !Ref Principal, Key: !Ref KeyArn}}
Outputs:
  DashboardUrl: {Value: 'https://eu-west-1.quicksight.aws.amazon.com/sn/dashboards/cashtag-dev'}
"""


def test_quicksight_is_a_stack_beside_with_what_the_main_one_gives_out(world: World) -> None:
    world.template(QUICKSIGHT, "quicksight.yaml")
    arn = "arn:aws:quicksight:eu-west-1:123456789012:user/default/me"
    assert world.deploy("--yes", "--quicksight", "--parameter", f"Principal={arn}") == 0
    beside = world.site.stacks["cashtag-dev-quicksight"]
    assert beside.status == "CREATE_COMPLETE"
    assert beside.parameters == {"Stack": "cashtag-dev", "Principal": arn, "KeyArn": ""}
    assert "https://eu-west-1.quicksight.aws.amazon.com/sn/dashboards/cashtag-dev" in world.out
    assert world.deploy("--yes", "--quicksight") == 0
    assert beside.parameters["Principal"] == arn
    assert len(world.site.executed) == 2


def test_what_quicksight_lacks_is_told_before_anything_is_changed(world: World) -> None:
    world.template(QUICKSIGHT, "quicksight.yaml")
    assert world.deploy("--yes", "--quicksight") == 2
    assert (
        "parameter Principal has no default (Who owns it); give --parameter Principal=" in world.err
    )
    assert world.site.executed == []
    assert "CreateChangeSet" not in world.site.calls


def test_a_key_that_the_stack_made_is_told_to_quicksight(world: World) -> None:
    key = "  KmsKey: {Type: String, Default: ''}\nConditions:"
    world.template(TEMPLATE.replace("Conditions:", key, 1))
    world.template(QUICKSIGHT, "quicksight.yaml")
    words = ("--parameter", "Principal=me", "--parameter", "KmsKey=create")
    assert world.deploy("--yes", "--quicksight", *words) == 0
    beside = world.site.stacks["cashtag-dev-quicksight"]
    assert beside.parameters["KeyArn"] == f"arn:aws:kms:{REGION}:{NUMBER}:key/made-Key"
