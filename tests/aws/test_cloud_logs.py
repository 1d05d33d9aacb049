"""What a stack's functions say, read from CloudWatch's log groups on loopback."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from cashtag.errors import InputError
from cashtag.operate.cloud import logs, steps
from cashtag.operate.stack import Stack

NOON = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)  # a Friday


def say(step: str, at: datetime, *messages: str) -> None:
    client = boto3.client("logs")
    group = f"/aws/lambda/cashtag-dev-{step}"
    if not client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="one")
    events = [
        {"timestamp": int((at + timedelta(seconds=n)).timestamp() * 1000), "message": text}
        for n, text in enumerate(messages)
    ]
    client.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)


def test_lines_of_all_functions_come_in_the_order_of_time(session: Any, found: Stack) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    line = '{"level": "INFO", "message": "enriched", "service": "cashtag", "rows": 12}'
    say("scrape", now - timedelta(minutes=9), "first")
    say("enrich", now - timedelta(minutes=8), line)
    say("scrape", now - timedelta(minutes=7), "third")
    since = now - timedelta(hours=1)
    lines = list(logs.read(found, session, steps(None), since))
    assert [(one.step, one.text) for one in lines] == [
        ("scrape", "first"),
        ("enrich", "enriched"),
        ("scrape", "third"),
    ]
    assert lines[1].row()["text"] == "enriched rows=12"
    assert lines[1].level == "INFO"


def test_lines_from_before_are_not_read_and_a_silent_function_is_no_error(
    session: Any, found: Stack
) -> None:
    now = datetime.now(UTC)
    say("trade", now - timedelta(hours=3), "old")
    assert list(logs.read(found, session, ("trade",), now - timedelta(hours=2))) == []
    assert list(logs.read(found, session, ("health",), now - timedelta(hours=2))) == []


def test_lines_of_the_platform_and_metrics_are_shown_only_on_request() -> None:
    at = int(NOON.timestamp() * 1000)
    platform = {"timestamp": at, "message": "REPORT RequestId: 1 Duration: 12 ms", "eventId": "1"}
    metric = {"timestamp": at, "message": '{"_aws": {}, "Coverage": 0.9}', "eventId": "2"}
    assert logs.parse("enrich", platform) is None
    assert logs.parse("enrich", metric) is None
    assert logs.parse("enrich", platform, True).level == "PLATFORM"  # type: ignore[union-attr]
    assert logs.parse("enrich", metric, True).fields == {"Coverage": 0.9}  # type: ignore[union-attr]


def test_a_post_in_a_log_cannot_steer_the_terminal() -> None:
    at = int(NOON.timestamp() * 1000)
    event = {"timestamp": at, "message": json.dumps({"message": "a\x1b[2Jb\u202ec", "why": "\x07"})}
    line = logs.parse("enrich", event)
    assert line is not None
    assert line.row()["text"] == "a[2Jbc why="


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", datetime(2026, 5, 8, 10, 30, tzinfo=UTC)),
        ("2d", datetime(2026, 5, 6, 12, 0, tzinfo=UTC)),
        ("2026-05-08T09:00", datetime(2026, 5, 8, 9, 0, tzinfo=UTC)),
    ],
)
def test_a_span_or_a_moment_says_since_when(text: str, expected: datetime) -> None:
    assert logs.moment(text, NOON) == expected


@pytest.mark.parametrize("text", ["yesterday", "5", "99999999999w", ""])
def test_any_other_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match="--since"):
        logs.moment(text, NOON)


def test_following_yields_each_line_once(session: Any, found: Stack) -> None:
    now = datetime.now(UTC)
    say("scrape", now - timedelta(seconds=30), "one", "two")
    stream = logs.follow(found, session, ("scrape",), now - timedelta(minutes=1), every=0.01)
    assert [next(stream).text, next(stream).text] == ["one", "two"]
    say("scrape", datetime.now(UTC), "three")
    assert next(stream).text == "three"


def test_a_step_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="STEP 'scrap' is none of: scrape, enrich"):
        steps("scrap")
