"""Schedules that are stopped and started, and failures that are handed on, on loopback."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import deployed_stack
import pytest

from cashtag.cli import running
from cashtag.errors import CloudError, InputError
from cashtag.operate.cloud import redrive, schedules, template
from cashtag.operate.stack import Stack

NOON = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)  # a Friday
OPEN = datetime(2026, 5, 8, 13, 40, tzinfo=UTC)  # 09:40 in New York


# ---------------------------------------------------------------- schedules


def test_a_schedule_that_is_stopped_keeps_its_definition(session: Any, found: Stack) -> None:
    deployed_stack.schedule("daily", "scrape", "cron(0 12 * * ? *)")
    deployed_stack.schedule(
        "trade-execute", "trade", "cron(35 9 ? * MON-FRI *)", "America/New_York"
    )
    client = boto3.client("scheduler")
    before = client.get_schedule(Name="cashtag-dev-trade-execute")
    after = schedules.switch(found, session, ["trade-execute"], on=False)
    assert [(one.name, one.enabled) for one in after] == [("daily", True), ("trade-execute", False)]
    now = client.get_schedule(Name="cashtag-dev-trade-execute")
    for key in ("ScheduleExpression", "ScheduleExpressionTimezone", "Target", "FlexibleTimeWindow"):
        assert now[key] == before[key]
    assert all(one.enabled for one in schedules.switch(found, session, [], on=True))


def test_an_unknown_service_is_refused_and_nothing_changes(session: Any, found: Stack) -> None:
    deployed_stack.schedule("daily", "scrape", "cron(0 12 * * ? *)")
    with pytest.raises(InputError, match="SERVICE dayly is none of: daily"):
        schedules.switch(found, session, ["daily", "dayly"], on=False)
    assert schedules.found(found, session)[0].enabled


def test_schedules_of_another_environment_are_not_ours(session: Any, found: Stack) -> None:
    deployed_stack.schedule("daily", "scrape", "cron(0 12 * * ? *)")
    boto3.client("scheduler").create_schedule(
        Name="cashtag-prod-daily",
        ScheduleExpression="cron(0 12 * * ? *)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:lambda:eu-west-1:1:function:x", "RoleArn": "arn:aws:iam::1:role/x"},
    )
    assert [one.name for one in schedules.found(found, session)] == ["daily"]


# ---------------------------------------------------------------- failures


def s3_event(*keys: str) -> dict[str, Any]:
    return {"Records": [{"s3": {"object": {"key": key}}} for key in keys]}


def test_a_failure_is_looked_at_without_being_taken(session: Any, found: Stack) -> None:
    deployed_stack.fail("enrich", s3_event("tweets/dt%3D2026-05-08/source%3Dx/NVDA-1.jsonl.gz"))
    for _ in range(2):
        (seen,) = redrive.redrive(found, session, ("enrich",), NOON, look_only=True)
        assert seen.outcome == "waits"
        assert seen.reason == "StoreError: S3 answers SlowDown"
        assert seen.attempts == 3
        assert "NVDA-1" in seen.asked
    assert redrive.depths(found, session)["enrich"] == 1


def test_failures_are_handed_on_and_leave_the_queue(session: Any, found: Stack) -> None:
    for n in range(23):  # SQS hands out ten at once
        deployed_stack.fail("enrich", s3_event(f"tweets/dt=2026-05-08/source=x/T{n}-1.jsonl.gz"))
    deployed_stack.send(boto3.client("sqs"), "signals", '{"action": "deadline", "scheduled": "x"}')
    done = list(redrive.redrive(found, session, ("enrich", "signals"), NOON))
    assert [one.outcome for one in done] == ["handed on"] * 24
    assert len({one.asked for one in done}) == 24
    assert set(redrive.depths(found, session).values()) == {0}


def test_an_order_of_an_earlier_day_is_never_repeated(session: Any, found: Stack) -> None:
    yesterday = {"action": "execute", "scheduled": "2026-05-07T13:35:00Z"}
    today = {"action": "execute", "scheduled": "2026-05-08T13:35:00Z"}
    unknown = {"action": "execute"}
    for event in (yesterday, today, unknown):
        deployed_stack.fail("trade", event)
    outcomes = {one.asked: one.outcome for one in redrive.redrive(found, session, ("trade",), OPEN)}
    assert outcomes == {
        "execute 2026-05-07T13:35:00Z": (
            "removed: execute of 2026-05-07 is late, and orders are never late"
        ),
        "execute 2026-05-08T13:35:00Z": "handed on",
        "execute": "removed: execute of no known session is late, and orders are never late",
    }
    assert redrive.depths(found, session)["trade"] == 0


def test_late_in_the_evening_of_new_york_it_is_still_that_day() -> None:
    # 03:00 UTC on the 9th is 23:00 on the 8th in New York.
    late = datetime(2026, 5, 9, 3, 0, tzinfo=UTC)
    event = {"action": "manage", "scheduled": "2026-05-08T19:55:00Z"}
    assert redrive._late(event, late) is None
    assert redrive._late(event, late + timedelta(hours=2)) is not None


def test_what_is_no_event_is_told_and_left_to_a_person(session: Any, found: Stack) -> None:
    deployed_stack.send(boto3.client("sqs"), "scrape", "not JSON")
    deployed_stack.fail("scrape", {"action": "resume", "dt": "2026-05-08"})
    done = {one.asked: one.outcome for one in redrive.redrive(found, session, ("scrape",), NOON)}
    assert done == {
        "unreadable": "no event of ours: left there",
        "resume 2026-05-08": "handed on",
    }


def test_what_fails_again_meanwhile_is_left_for_the_next_call(session: Any, found: Stack) -> None:
    deployed_stack.fail("enrich", s3_event("tweets/dt=2026-05-08/source=x/NVDA-1.jsonl.gz"))
    handled = 0
    for _ in redrive.redrive(found, session, ("enrich",), NOON):
        handled += 1
        time.sleep(0.01)  # SQS counts whole milliseconds
        deployed_stack.fail("enrich", s3_event("tweets/dt=2026-05-08/source=x/NVDA-1.jsonl.gz"))
        assert handled < 5
    assert handled == 1


def test_a_schedule_that_was_not_delivered_is_handed_on_with_its_reason(
    session: Any, found: Stack
) -> None:
    body = '{"action":"scrape","scheduled":"2026-05-08T12:00:00Z"}'
    sqs = boto3.client("sqs")
    deployed_stack.send(sqs, "scrape", body, ERROR_CODE="AWS.Scheduler.Throttled")
    (row,) = redrive.redrive(found, session, ("scrape",), NOON)
    assert (row.asked, row.reason, row.outcome) == (
        "scrape 2026-05-08T12:00:00Z",
        "AWS.Scheduler.Throttled",
        "handed on",
    )


def test_help_names_a_service_of_the_template() -> None:
    named = {
        told["Properties"]["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        for told in template.load()["Resources"].values()
        if told["Type"] == "AWS::Scheduler::Schedule"
    }
    example = str(running.services.info.epilog).rsplit(" ", 1)[1]
    assert example in named


def test_the_queues_are_those_of_the_template() -> None:
    names = {
        told["Properties"]["QueueName"]["Fn::Sub"]
        for told in template.load()["Resources"].values()
        if told["Type"] == "AWS::SQS::Queue"
    }
    assert names == {f"${{AWS::StackName}}-{name}-failures" for name in redrive.QUEUES}


def test_a_function_that_cannot_be_called_leaves_its_failures_in_the_queue(
    session: Any, found: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed_stack.fail("enrich", s3_event("tweets/dt=2026-05-08/source=x/NVDA-1.jsonl.gz"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9")  # nobody answers there
    with pytest.raises(CloudError, match="function cashtag-dev-enrich cannot be called"):
        list(redrive.redrive(found, session, ("enrich",), NOON))
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="cashtag-dev-enrich-failures")["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert told["ApproximateNumberOfMessagesNotVisible"] == "1"
