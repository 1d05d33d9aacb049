"""What a month of the stack costs: sums worked out by hand, and the limit that it must hold."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import deployed_stack
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner

from cashtag.cli.app import app
from cashtag.errors import CloudError
from cashtag.operate import account, stack
from cashtag.operate.cloud import bill, estimate, template
from cashtag.settings import Settings, load

TEMPLATE = {
    "Parameters": {
        "Memory": {"Type": "Number", "Default": 2048},
        "Weekly": {"Type": "String", "Default": "cron(30 13 ? * SUN *)"},
        "Keyed": {"Type": "String", "Default": "false"},
    },
    "Conditions": {
        "Crawls": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Weekly"}, ""]}]},
        "Keyed": {"Fn::Equals": [{"Ref": "Keyed"}, "true"]},
    },
    "Resources": {
        **{
            f"{step.capitalize()}Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"MemorySize": {"Ref": "Memory"} if step == "enrich" else 1024},
            }
            for step in deployed_stack.STEPS
        },
        **{
            f"Alarm{n}": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {"Namespace": "Cashtag", "MetricName": f"M{n % 3}"},
            }
            for n in range(12)
        },
        "Board": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {}},
        "Key": {"Type": "AWS::KMS::Key", "Condition": "Keyed", "Properties": {}},
        "Crawler": {
            "Type": "AWS::Glue::Crawler",
            "Properties": {
                "Schedule": {
                    "Fn::If": [
                        "Crawls",
                        {"ScheduleExpression": {"Ref": "Weekly"}},
                        {"Ref": "AWS::NoValue"},
                    ]
                }
            },
        },
    },
}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    return load(environ={})


def lines(settings: Settings, given: dict[str, str] | None = None) -> dict[str, estimate.Line]:
    found = estimate.estimate(settings, TEMPLATE, given)
    return {line.what: line for line in found}


def test_a_month_of_the_stack_as_it_ships_costs_at_most_five_dollars(settings: Settings) -> None:
    found = estimate.estimate(settings)
    assert estimate.total(found).after_free <= 5.0
    # What bills while nothing runs is secrets and what watches; no instance, no gateway.
    assert {line.what for line in found} == {
        "alarms", "buckets", "crawlers", "dashboards", "functions, calls", "functions, computing",
        "logs", "metrics", "queries", "schedules", "secrets", "sentiment endpoint, serverless",
    }  # fmt: skip


def test_nothing_in_the_stack_bills_by_the_hour_while_idle() -> None:
    by_the_hour = (
        "EC2",
        "RDS",
        "ElastiCache",
        "Redshift",
        "OpenSearch",
        "ECS",
        "EKS",
        "MSK",
        "MWAA",
    )
    kinds = {told["Type"] for told in template.load()["Resources"].values()}
    assert [k for k in kinds if k.split("::")[1] in by_the_hour] == []
    assert not kinds & {"AWS::SageMaker::Endpoint", "AWS::Glue::Job", "AWS::Kinesis::Stream"}


def test_alarms_above_the_free_ones_cost_a_dime_each(settings: Settings) -> None:
    line = lines(settings)["alarms"]
    assert (line.listed, line.after_free) == (pytest.approx(1.2), pytest.approx(0.2))


def test_a_metric_costs_only_in_the_hours_in_which_it_is_sent(settings: Settings) -> None:
    # Three metrics x $0.30 x 180 of 730.5 hours.
    assert lines(settings)["metrics"].listed == pytest.approx(0.22177, abs=1e-5)


def test_computing_counts_the_memory_of_each_function(settings: Settings) -> None:
    # enrich: 40 objects a day x 30.4375 days x 6 s x 2 GB = 14,610 GB-s; scrape (300 + 60) s and
    # signals 120 s a day at 1 GB: 14,610; trade (30.4375 + 77 x 21) x 2 s = 3,294.875;
    # health 30.4375 x 3 s = 91.3125.
    line = lines(settings)["functions, computing"]
    assert line.listed == pytest.approx(32_606.1875 * 0.0000166667)
    assert line.after_free == 0.0


def test_a_weekly_crawler_bills_ten_minutes_of_two_dpu_a_week(settings: Settings) -> None:
    # 30.4375 / 7 runs x 2 DPU x 1/6 hour x $0.44.
    assert lines(settings)["crawlers"].listed == pytest.approx(0.637738, abs=1e-6)
    assert lines(settings, {"Weekly": ""})["crawlers"].listed == 0.0
    daily = lines(settings, {"Weekly": "cron(30 13 * * ? *)"})["crawlers"]
    assert daily.listed == pytest.approx(4.46417, abs=1e-5)


def test_the_endpoint_bills_only_the_time_it_answers(settings: Settings) -> None:
    # 3,750 tweets x 30.4375 days x 0.0105 s x 4 GB x $0.00002.
    line = lines(settings)["sentiment endpoint, serverless"]
    assert line.listed == pytest.approx(0.095878, abs=1e-6)


def test_a_key_costs_only_where_the_parameter_makes_one(settings: Settings) -> None:
    assert "keys" not in lines(settings)
    assert lines(settings, {"Keyed": "true"})["keys"].listed == 1.0


def test_the_command_prints_the_sum_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(app, ["cost", "--stack", "--format", "json"])
    assert done.exit_code == 0
    told = json.loads(done.output)
    assert told["estimate"][-1]["what"] == "total"
    parts = sum(row["after_free"] for row in told["estimate"][:-1])
    assert told["estimate"][-1]["after_free"] == pytest.approx(parts, abs=1e-3)
    assert told["billed"] is None


# ---------------------------------------------------------------- a deployed stack


def test_calls_and_seconds_of_a_stack_are_those_of_the_last_thirty_days(
    found: stack.Stack,
) -> None:
    now = datetime.now(UTC)
    client = boto3.client("cloudwatch")
    for age, value in ((1, 1500.0), (10, 500.0), (40, 9e9)):
        client.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "FunctionName", "Value": "cashtag-dev-enrich"}],
                    "Timestamp": now - timedelta(days=age),
                    "Value": value,
                }
                for name in ("Invocations", "Duration")
            ],
        )
    calls = bill.calls(found, account.session(load(environ={})), now)
    assert calls.count["enrich"] == 2000.0
    assert calls.seconds["enrich"] == 2.0  # Lambda counts milliseconds
    assert calls.count["scrape"] == 0.0


class Session:
    """Hands out one stubbed client of Cost Explorer, which no server on loopback plays."""

    def __init__(self) -> None:
        self.client_made = boto3.client("ce", region_name="us-east-1")
        self.stub = Stubber(self.client_made)

    def client(self, _service: str, **_config: Any) -> Any:
        return self.client_made


def test_the_bill_is_asked_by_the_tag_of_the_stack(found: stack.Stack) -> None:
    session = Session()
    asked = {
        "TimePeriod": {"Start": "2026-04-01", "End": "2026-05-09"},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost"],
        "Filter": {
            "Tags": {
                "Key": "aws:cloudformation:stack-name",
                "Values": ["cashtag-dev", "cashtag-dev-quicksight"],
            }
        },
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
    }

    def period(start: str, end: str, **amounts: str) -> dict[str, Any]:
        groups = [
            {"Keys": [key], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}
            for key, amount in amounts.items()
        ]
        return {"TimePeriod": {"Start": start, "End": end}, "Groups": groups, "Estimated": True}

    first = {"ResultsByTime": [period("2026-04-01", "2026-05-01", S3="0.12")], "NextPageToken": "2"}
    second = {"ResultsByTime": [period("2026-05-01", "2026-05-09", S3="0.02", Lambda="0.3")]}
    session.stub.add_response("get_cost_and_usage", first, asked)
    session.stub.add_response("get_cost_and_usage", second, {**asked, "NextPageToken": "2"})
    with session.stub:
        rows = bill.bill(found, session, date(2026, 5, 8))
    assert [(row.month, row.service, row.dollars) for row in rows] == [
        (date(2026, 4, 1), "S3", 0.12),
        (date(2026, 5, 1), "Lambda", 0.3),
        (date(2026, 5, 1), "S3", 0.02),
    ]


def test_a_bill_that_may_not_be_read_says_what_to_allow(found: stack.Stack) -> None:
    session = Session()
    session.stub.add_client_error("get_cost_and_usage", "AccessDeniedException", "no ce for you")
    with session.stub, pytest.raises(CloudError, match=r"bill of cashtag-dev.*allow it"):
        bill.bill(found, session, date(2026, 5, 8))
