"""What starts what: notifications, schedules, permissions, and where failures of each go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from stack_template import ACCOUNT, REGION, Stack

from cashtag.lake import layout

FILE = Path(__file__).parents[2] / "cloudformation" / "cashtag.yaml"
STEPS = ("scrape", "enrich", "signals", "trade", "health")
NAME = "cashtag-dev"
GIVEN = {"CodeKey": "functions/0a1b.zip"}
# The events of the architecture, by hand: bucket, first segment of the key, function.
STARTS = {
    ("raw", "tweets/", "enrich"),
    ("raw", "news/", "enrich"),
    ("raw", "prices/", "enrich"),
    ("raw", "options/", "enrich"),
    ("raw", "manifests/", "enrich"),
    ("enriched", "_SUCCESS/", "signals"),
    ("signals", "_PUBLISHED/", "trade"),
}
# The schedules, by hand: name, function, action, when, where the clock hangs.
SCHEDULES = {
    ("scrape", "scrape", "scrape", "cron(0 12 * * ? *)", "UTC"),
    ("resume", "scrape", "resume", "cron(20 12 * * ? *)", "UTC"),
    ("deadline", "signals", "deadline", "cron(45 12 * * ? *)", "UTC"),
    ("health", "health", "check", "cron(0 13 * * ? *)", "UTC"),
    ("execute", "trade", "execute", "cron(35 9 ? * MON-FRI *)", "America/New_York"),
    ("manage-open", "trade", "manage", "cron(40/5 9 ? * MON-FRI *)", "America/New_York"),
    ("manage", "trade", "manage", "cron(0/5 10-15 ? * MON-FRI *)", "America/New_York"),
}


@pytest.fixture(scope="module")
def stack(whole: dict[str, Any]) -> Stack:
    return Stack(whole, NAME, GIVEN)


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


# ---------------------------------------------------------------- no circle


def mentioned(node: Any) -> Iterator[str]:
    """Resources and parameters that a piece of the template refers to."""
    if isinstance(node, list):
        for item in node:
            yield from mentioned(item)
    elif isinstance(node, dict):
        for key, item in node.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item[0]
            elif key == "Fn::Sub":
                text, names = item if isinstance(item, list) else (item, {})
                for name in re.findall(r"\$\{([A-Za-z0-9:.]+)\}", text):
                    if name not in names:
                        yield name.split(".")[0]
                yield from mentioned(list(names.values()))
            else:
                yield from mentioned(item)


def waits_for(whole: dict[str, Any]) -> dict[str, set[str]]:
    graph = {}
    for name, resource in whole["Resources"].items():
        after = resource.get("DependsOn", [])
        found = {*mentioned(resource), *([after] if isinstance(after, str) else after)}
        graph[name] = found & set(whole["Resources"])
    return graph


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Resources that wait for each other; none when they can be made one after the other."""
    left = dict(graph)
    while ready := [name for name, after in left.items() if not after & set(left)]:
        for name in ready:
            del left[name]
    return sorted(left)


def test_no_resource_waits_for_itself(whole: dict[str, Any]) -> None:
    assert circle(waits_for(whole)) == []


def test_a_bucket_named_by_ref_in_a_role_would_be_a_circle(whole: dict[str, Any]) -> None:
    graph = waits_for(whole)
    graph["EnrichRole"] = graph["EnrichRole"] | {"RawBucket"}
    assert {"RawBucket", "EnrichOnRaw", "EnrichFunction", "EnrichRole"} <= set(circle(graph))


def test_every_name_that_is_referred_to_is_there(whole: dict[str, Any]) -> None:
    known = {*whole["Resources"], *whole["Parameters"]}
    names = set(mentioned(whole["Resources"])) | set(mentioned(whole["Outputs"]))
    assert {name for name in names if not name.startswith("AWS::")} <= known


# ---------------------------------------------------------------- objects


def notifications(stack: Stack) -> set[tuple[str, str, str]]:
    found = set()
    for _, bucket in stack.resources("AWS::S3::Bucket"):
        zone = bucket["BucketName"].removeprefix(f"{NAME}-").split("-")[0]
        told = bucket.get("NotificationConfiguration", {})
        for one in told.get("LambdaConfigurations", []):
            ((rule),) = one["Filter"]["S3Key"]["Rules"]
            assert rule["Name"] == "prefix"
            assert one["Event"] == "s3:ObjectCreated:*"
            found.add((zone, rule["Value"], one["Function"].rpartition(f"{NAME}-")[2]))
    return found


def test_objects_start_what_the_architecture_says_and_nothing_else(stack: Stack) -> None:
    assert notifications(stack) == STARTS


def test_every_prefix_is_one_that_the_lake_writes() -> None:
    dt = date(2026, 1, 5)
    written = {
        ("raw", layout.raw("tweets", dt, "x", "NVDA")),
        ("raw", layout.raw("news", dt, "feeds", "news")),
        ("raw", layout.raw("prices", dt, "alpaca", "prices")),
        ("raw", layout.raw("options", dt, "alpaca", "NVDA")),
        ("raw", layout.manifest(dt, "ab")),
        ("enriched", layout.success(dt, "ab")),
        ("signals", layout.published(dt, "ab")),
    }
    for zone, prefix, _ in STARTS:
        assert any(z == zone and key.startswith(prefix) for z, key in written), prefix


def test_everything_else_starts_nothing() -> None:
    dt = date(2026, 1, 5)
    silent = {
        ("raw", layout.document("trending", dt, "finder.html")),
        ("raw", layout.raw("assets", dt, "alpaca", "assets")),
        ("raw", layout.raw("discovery", dt, "bedrock", "discovery")),
        ("raw", layout.bars("sample", "NVDA")),
        ("raw", layout.quarantine("import/twitter-v1", "ab")),
        ("enriched", layout.scores("m1", layout.raw("tweets", dt, "x", "NVDA"))),
        ("enriched", layout.stage("b1", layout.raw("tweets", dt, "x", "NVDA"))),
        ("enriched", layout.enriched("tweets", dt)),
        ("enriched", layout.config("ab")),
        ("enriched", layout.rejected("b1", layout.raw("tweets", dt, "x", "NVDA"))),
        ("signals", layout.signals("daily_signals", dt)),
        ("signals", layout.findings(dt)),
        ("signals", layout.sent(dt, "ab")),
        ("signals", layout.announced("ab")),
        ("ledger", layout.event(dt, "ab")),
        ("ledger", layout.ledger("trades", dt)),
    }
    for zone, key in silent:
        assert not any(z == zone and key.startswith(p) for z, p, _ in STARTS), key


def test_no_two_filters_of_a_bucket_overlap() -> None:
    """S3 refuses a configuration in which one object would match two of them."""
    for zone, prefix, _ in STARTS:
        others = {p for z, p, _ in STARTS if z == zone and p != prefix}
        assert not any(other.startswith(prefix) for other in others)


def test_buckets_tell_eventbridge_too(stack: Stack) -> None:
    for name, bucket in stack.resources("AWS::S3::Bucket"):
        told = bucket["NotificationConfiguration"]["EventBridgeConfiguration"]
        assert told == {"EventBridgeEnabled": True}, name


def test_each_notification_has_its_permission_and_no_permission_is_left_over(stack: Stack) -> None:
    allowed = set()
    for _, permission in stack.resources("AWS::Lambda::Permission"):
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["Principal"] == "s3.amazonaws.com"
        assert permission["SourceAccount"] == ACCOUNT
        allowed.add((permission["SourceArn"], permission["FunctionName"]))
    assert allowed == {
        (
            f"arn:aws:s3:::{NAME}-{zone}-{ACCOUNT}-{REGION}",
            arn("lambda", f"function:{NAME}-{step}"),
        )
        for zone, _, step in STARTS
    }


def test_a_bucket_is_made_after_the_permission_that_s3_tries(whole: dict[str, Any]) -> None:
    made = whole["Resources"]
    after = {name: made[name].get("DependsOn") for name in made if name.endswith("Bucket")}
    assert after == {
        "RawBucket": "EnrichOnRaw",
        "EnrichedBucket": "SignalsOnEnriched",
        "SignalsBucket": "TradeOnSignals",
        "LedgerBucket": None,
        "ResultsBucket": None,
        "TrailBucket": None,
    }


# ---------------------------------------------------------------- schedules


def test_schedules_start_what_the_architecture_says(stack: Stack) -> None:
    found = set()
    for _, one in stack.resources("AWS::Scheduler::Schedule"):
        target = one["Target"]
        asked = json.loads(target["Input"])
        assert asked.pop("scheduled") == "<aws.scheduler.scheduled-time>"
        step = target["Arn"].rpartition(f"{NAME}-")[2]
        name = one["Name"].removeprefix(f"{NAME}-")
        zone = one["ScheduleExpressionTimezone"]
        found.add((name, step, asked.pop("action"), one["ScheduleExpression"], zone))
        assert asked == {}
        assert one["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert one["State"] == "ENABLED"
        assert one["GroupName"] == NAME
    assert found == SCHEDULES


def test_a_schedule_may_start_its_own_function_and_no_other(stack: Stack) -> None:
    for name, one in stack.resources("AWS::Scheduler::Schedule"):
        target = one["Target"]
        role = next(
            properties
            for logical, properties in stack.resources("AWS::IAM::Role")
            if stack.arn(logical) == target["RoleArn"]
        )
        ((trust),) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
        # "The ARN you specify must be a schedule group", EventBridge Scheduler user guide
        assert trust["Condition"]["StringEquals"] == {
            "aws:SourceAccount": ACCOUNT,
            "aws:SourceArn": arn("scheduler", f"schedule-group/{NAME}"),
        }
        ((policy),) = role["Policies"]
        granted = {
            (statement["Action"], statement["Resource"])
            for statement in policy["PolicyDocument"]["Statement"]
        }
        assert granted == {
            ("lambda:InvokeFunction", target["Arn"]),
            ("sqs:SendMessage", target["DeadLetterConfig"]["Arn"]),
        }, name


def test_what_a_schedule_cannot_deliver_lies_in_its_steps_queue(stack: Stack) -> None:
    for _, one in stack.resources("AWS::Scheduler::Schedule"):
        target = one["Target"]
        step = target["Arn"].rpartition(f"{NAME}-")[2]
        assert target["DeadLetterConfig"] == {"Arn": arn("sqs", f"{NAME}-{step}-failures")}
        assert 60 <= target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 86_400


def test_a_manage_that_comes_too_late_is_left_to_the_next_one(stack: Stack) -> None:
    ages = {
        one["Name"]: one["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"]
        for _, one in stack.resources("AWS::Scheduler::Schedule")
    }
    assert ages[f"{NAME}-manage"] == ages[f"{NAME}-manage-open"] == 240  # the next: 300 s later


def test_stopped_schedules_stop_all(whole: dict[str, Any]) -> None:
    stack = Stack(whole, NAME, {**GIVEN, "Schedules": "DISABLED"})
    states = [one["State"] for _, one in stack.resources("AWS::Scheduler::Schedule")]
    assert states == ["DISABLED"] * 7


# ---------------------------------------------------------------- failures


def test_every_function_is_retried_twice_and_then_leaves_its_event_in_its_queue(
    stack: Stack,
) -> None:
    found = {}
    for _, one in stack.resources("AWS::Lambda::EventInvokeConfig"):
        assert one["Qualifier"] == "$LATEST"
        assert one["MaximumRetryAttempts"] == 2
        found[one["FunctionName"]] = one["DestinationConfig"]["OnFailure"]["Destination"]
    assert found == {f"{NAME}-{step}": arn("sqs", f"{NAME}-{step}-failures") for step in STEPS}


def test_a_function_may_write_to_its_own_queue(stack: Stack) -> None:
    for step in STEPS:
        role = stack.properties(f"{step.capitalize()}Role")
        sent = [
            statement["Resource"]
            for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
            if statement["Action"] == "sqs:SendMessage"
        ]
        assert sent == [arn("sqs", f"{NAME}-{step}-failures")]


def test_every_rule_has_a_queue_for_what_it_cannot_deliver_and_may_write_to_it(
    stack: Stack,
) -> None:
    queue = arn("sqs", f"{NAME}-alert-failures")
    rules = list(stack.resources("AWS::Events::Rule"))
    assert {rule["Name"] for _, rule in rules} == {
        f"{NAME}-crawler-failed",
        f"{NAME}-schema-drifted",
    }
    for name, rule in rules:
        for target in rule["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": queue}, name
    allowed = [
        statement
        for _, policy in stack.resources("AWS::SQS::QueuePolicy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert allowed == [
        {
            "Sid": "Rules",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnLike": {"aws:SourceArn": arn("events", f"rule/{NAME}-*")}},
        }
    ]


def test_queues_keep_failures_as_long_as_sqs_can(stack: Stack) -> None:
    names = set()
    for _, queue in stack.resources("AWS::SQS::Queue"):
        names.add(queue["QueueName"])
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert queue["SqsManagedSseEnabled"] is True
    assert names == {f"{NAME}-{step}-failures" for step in (*STEPS, "alert")}


# ---------------------------------------------------------------- functions


def test_functions_run_the_handlers_in_one_zip_beside_two_layers(stack: Stack) -> None:
    for step in STEPS:
        function = stack.properties(f"{step.capitalize()}Function")
        assert function["FunctionName"] == f"{NAME}-{step}"
        assert function["Handler"] == f"cashtag.handlers.{step}.handler"
        assert (function["Runtime"], function["Architectures"]) == ("python3.12", ["x86_64"])
        assert function["Code"] == {
            "S3Bucket": f"cashtag-artifacts-{ACCOUNT}-{REGION}",
            "S3Key": "functions/0a1b.zip",
        }
        pandas, powertools = function["Layers"]
        assert re.fullmatch(
            rf"arn:aws:lambda:{REGION}:336392948345:layer:AWSSDKPandas-Python312:[1-9]\d*", pandas
        )
        assert re.fullmatch(
            rf"arn:aws:lambda:{REGION}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python312-x86_64:[1-9]\d*",
            powertools,
        )


def test_a_region_without_a_known_layer_says_so(whole: dict[str, Any]) -> None:
    """`0` is no version, so that a deployment without PandasLayerArn is refused before it begins."""
    versions = {region: told["Pandas"] for region, told in whole["Mappings"]["Layers"].items()}
    assert set(versions.values()) == {"0", "26"}
    assert versions["us-east-1"] == versions["eu-west-1"] == versions["sa-east-1"] == "26"
    assert versions["me-south-1"] == "0"


def test_layers_and_code_can_be_ones_own(whole: dict[str, Any]) -> None:
    mine = [f"arn:aws:lambda:me-south-1:{ACCOUNT}:layer:{name}:1" for name in ("p", "t")]
    given = {
        **GIVEN,
        "CodeBucket": "mine",
        "PandasLayerArn": mine[0],
        "PowertoolsLayerArn": mine[1],
    }
    stack = Stack(whole, NAME, given, region="me-south-1")
    function = stack.properties("TradeFunction")
    assert (function["Layers"], function["Code"]["S3Bucket"]) == (mine, "mine")


def test_functions_leave_room_for_what_they_wait_for(stack: Stack) -> None:
    """Lambda ends a function at its timeout: 900 s at most."""
    timeouts = {step: stack.properties(f"{step.capitalize()}Function")["Timeout"] for step in STEPS}
    assert timeouts == {"scrape": 900, "enrich": 900, "signals": 900, "trade": 300, "health": 300}


def test_concurrency_is_reserved_on_request_alone(whole: dict[str, Any]) -> None:
    def reserved(**given: str) -> dict[str, Any]:
        stack = Stack(whole, NAME, {**GIVEN, **given})
        return {
            step: stack.properties(f"{step.capitalize()}Function").get(
                "ReservedConcurrentExecutions"
            )
            for step in STEPS
        }

    assert set(reserved().values()) == {None}  # a new account has none to reserve
    assert reserved(ReserveConcurrency="true", EndpointConcurrency="7") == {
        "scrape": 1,
        "enrich": "7",
        "signals": 1,
        "trade": 1,
        "health": None,
    }
