"""The template created: moto's CloudFormation over HTTP, from S3, as `cashtag deploy` sends it.

moto carries out some kinds and ignores others, which then have no physical id; none may be
ignored that is not listed here with where it is looked at instead.
"""

from __future__ import annotations

import ast
import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from loopback_aws import NUMBER, REGION, LoopbackAws
from stack_template import Stack, parse

FILE = Path(__file__).parents[2] / "cloudformation" / "cashtag.yaml"
NAME = "cashtag-dev"
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")  # the kinds that moto ignores
# moto makes a role, a rule or a bucket; of these it takes note and does nothing.
IGNORED = {
    "AWS::Athena::NamedQuery": "test_template_watching",
    "AWS::Athena::WorkGroup": "test_template_watching",
    "AWS::Budgets::Budget": "test_template_watching",
    "AWS::CloudTrail::Trail": "test_template_storage",
    "AWS::CloudWatch::Alarm": "test_template_watching",
    "AWS::Glue::Crawler": "test_template_watching",
    "AWS::Glue::Database": "test_template_watching",
    "AWS::Glue::Table": "test_template_watching",
    "AWS::KMS::Alias": "test_template_storage",
    "AWS::Lambda::EventInvokeConfig": "test_template_wiring",
    "AWS::Lambda::Permission": "test_template_wiring; moto makes it, and gives it no id",
    "AWS::S3::BucketPolicy": "test_template_storage",
    "AWS::SNS::Subscription": "test_template_storage",
    "AWS::SNS::TopicPolicy": "test_template_storage",
    "AWS::SQS::QueuePolicy": "test_template_storage",
    "AWS::Scheduler::Schedule": "test_template_wiring",
    "AWS::Scheduler::ScheduleGroup": "test_template_wiring",
    "AWS::SecretsManager::Secret": "test_template_storage",
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LoopbackAws]:
    server = LoopbackAws()
    yield server
    server.stop()


def client(aws: LoopbackAws, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws.url,
        region_name=REGION,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="PLANTED-aws-secret-key-template",  # noqa: S106
    )


def created(aws: LoopbackAws, **given: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Create the stack from S3; return logical id to physical id, and the stack as described."""
    aws.reset()
    code = f"cashtag-artifacts-{NUMBER}-{REGION}"
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket=code, CreateBucketConfiguration={"LocationConstraint": REGION})
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("cashtag/__init__.py", "")
    s3.put_object(Bucket=code, Key="functions/0a1b.zip", Body=zipped.getvalue())
    s3.put_object(Bucket=code, Key="template.yaml", Body=FILE.read_bytes())
    given = {"CodeKey": "functions/0a1b.zip", **given}
    formation = client(aws, "cloudformation")
    formation.create_stack(
        StackName=NAME,
        TemplateURL=f"https://s3.amazonaws.com/{code}/template.yaml",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    ((stack),) = formation.describe_stacks(StackName=NAME)["Stacks"]
    resources = formation.describe_stack_resources(StackName=NAME)["StackResources"]
    made = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in resources
        if one.get("PhysicalResourceId")
    }
    return made, stack


@pytest.fixture(scope="module")
def dev(aws: LoopbackAws) -> tuple[dict[str, str], dict[str, Any]]:
    return created(aws, AlertEmail="a@example.com")


@pytest.fixture(scope="module")
def expected() -> Stack:
    given = {"CodeKey": "functions/0a1b.zip", "AlertEmail": "a@example.com"}
    return Stack(parse(FILE.read_text(encoding="utf-8")), NAME, given, region=REGION)


def test_everything_is_made_but_what_moto_is_known_to_ignore(
    dev: tuple[dict[str, str], dict[str, Any]], expected: Stack
) -> None:
    made, stack = dev
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    ignored = Counter(
        expected.kind(logical) for logical, _ in expected.resources() if logical not in made
    )
    assert set(ignored) <= set(IGNORED)
    kinds = Counter(expected.kind(logical) for logical in made)
    assert kinds["AWS::S3::Bucket"] == kinds["AWS::Lambda::Function"] == 5
    assert kinds["AWS::IAM::Role"] == 10
    assert kinds["AWS::SQS::Queue"] == 6


def test_outputs_are_those_that_commands_read(
    dev: tuple[dict[str, str], dict[str, Any]], expected: Stack
) -> None:
    outputs = {one["OutputKey"]: one["OutputValue"] for one in dev[1]["Outputs"]}
    assert outputs == expected.outputs()
    assert {
        *(f"{zone}Bucket" for zone in ("Raw", "Enriched", "Signals", "Ledger", "Results")),
        *(f"{step}Function" for step in ("Scrape", "Enrich", "Signals", "Trade", "Health")),
        *("Database", "Workgroup", "Topic", "Parameter", "EventBus", "EndpointName"),
        *("DashboardUrl", "XAccountsSecret", "AlpacaSecret", "ScheduleGroup"),
    } == set(outputs)


def without_none(node: Any) -> Any:
    if isinstance(node, list):
        return [without_none(item) for item in node if item is not None]
    if isinstance(node, dict):
        return {key: without_none(item) for key, item in node.items()}
    return node


def test_functions_roles_and_dashboard_are_as_the_template_says(
    aws: LoopbackAws, dev: tuple[dict[str, str], dict[str, Any]], expected: Stack
) -> None:
    """What moto resolves by itself agrees with what these tests take the template to mean."""
    made, _ = dev
    expected.physical.update({k: v for k, v in made.items() if k.endswith("Role")})  # type: ignore[attr-defined]
    lambdas, iam = client(aws, "lambda"), client(aws, "iam")
    for step in ("Scrape", "Enrich", "Signals", "Trade", "Health"):
        found = lambdas.get_function_configuration(FunctionName=made[f"{step}Function"])
        wanted = expected.properties(f"{step}Function")
        variables = {key: str(value) for key, value in wanted["Environment"]["Variables"].items()}
        assert found["Environment"]["Variables"] == variables
        assert (found["Handler"], found["MemorySize"]) == (
            wanted["Handler"],
            int(wanted["MemorySize"]),
        )
        policy = iam.get_role_policy(RoleName=made[f"{step}Role"], PolicyName="step")
        ((stated),) = expected.properties(f"{step}Role")["Policies"]
        # moto keeps the text that Python gives a dict, with None for what AWS::NoValue leaves out.
        assert without_none(ast.literal_eval(policy["PolicyDocument"])) == stated["PolicyDocument"]
    body = client(aws, "cloudwatch").get_dashboard(DashboardName=NAME)["DashboardBody"]
    assert json.loads(body) == json.loads(expected.properties("Dashboard")["DashboardBody"])


def test_it_is_created_with_everything_that_is_optional(aws: LoopbackAws) -> None:
    made, stack = created(
        aws,
        Environment="prod",
        AlertEmail="a@example.com",
        AlertPhone="+15551234567",
        KmsKey="create",
        LedgerLockDays="365",
        RawRetentionDays="400",
        ReserveConcurrency="true",
        SentimentModel="ensemble",
        TrailDataEvents="true",
        BudgetScope="stack",
        CrawlerSchedule="",
    )
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {"Key", "TrailBucket"} <= set(made)
