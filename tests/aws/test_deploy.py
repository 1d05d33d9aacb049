"""`cashtag deploy`: what it shows, asks and makes, and what it ends with."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pytest
from deploy_world import BUCKET, TEMPLATE, World
from loopback_aws import NUMBER, REGION

from cashtag.operate.deploying import artifacts

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
