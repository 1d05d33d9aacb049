"""What a template's wiring delivers and what its permissions hold back, on a small stack."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from permissions import Permissions
from stack_template import Stack, parse
from stack_wiring import Put, Wiring, WiringError

TEXT = (Path(__file__).parent / "small_stack.yaml").read_text()
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
ENRICH = "arn:aws:lambda:us-east-1:123456789012:function:s-enrich"


def template() -> dict[str, Any]:
    return parse(TEXT)


def wiring(told: dict[str, Any] | None = None) -> Wiring:
    stack = Stack(told or template(), name="s")
    return Wiring(stack, Permissions(stack))


def test_a_put_below_a_prefix_starts_the_function_and_its_key_is_encoded() -> None:
    (found,) = wiring().on_put(Put("s-raw", "tweets/dt=2026-11-27/source=x/BRK B-1.jsonl.gz"), NOON)
    assert found.target == ENRICH
    assert found.by == "Raw/tweets/"
    record = found.event["Records"][0]
    assert record["s3"]["object"]["key"] == "tweets/dt%3D2026-11-27/source%3Dx/BRK+B-1.jsonl.gz"
    assert record["eventTime"] == "2026-11-27T12:00:00.000Z"


def test_a_put_elsewhere_starts_nothing() -> None:
    assert wiring().on_put(Put("s-raw", "bars/x"), NOON) == []
    assert wiring().on_put(Put("other", "tweets/x"), NOON) == []


def test_a_rule_delivers_what_fits_its_pattern() -> None:
    found = wiring().on_put(Put("s-raw", "news/a b"), NOON)
    assert [(one.by, one.target.rpartition(":")[2]) for one in found] == [
        ("Raw/news/", "s-enrich"),
        ("NewNews/queue", "s-failures"),
    ]
    assert found[1].event["detail"]["object"]["key"] == "news/a b"  # not encoded there


def test_a_schedule_is_delivered_by_its_role_with_its_time() -> None:
    made = wiring()
    assert made.scheduled(datetime(2026, 11, 27, tzinfo=UTC), NOON) == [(NOON, "Daily")]
    (found,) = made.on_schedule("Daily", NOON)
    assert found.event == {"action": "scrape", "scheduled": "2026-11-27T12:00:00Z"}


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        ("MayNotify", "s3.amazonaws.com may not lambda:InvokeFunction"),
        ("MayQueue", "events.amazonaws.com may not sqs:SendMessage"),
    ],
)
def test_without_its_permission_nothing_is_delivered(without: str, reason: str) -> None:
    told = template()
    del told["Resources"][without]
    made = wiring(told)
    assert len(made.on_put(Put("s-raw", "news/a"), NOON)) == 1
    assert [one.reason for one in made.refused] == [reason]


def test_a_permission_for_another_bucket_is_none() -> None:
    told = template()
    told["Resources"]["MayNotify"]["Properties"]["SourceArn"] = "arn:aws:s3:::other"
    made = wiring(told)
    assert made.on_put(Put("s-raw", "tweets/a"), NOON) == []


def test_a_role_that_nobody_may_take_on_delivers_nothing() -> None:
    told = template()
    trust = told["Resources"]["SchedulerRole"]["Properties"]["AssumeRolePolicyDocument"]
    trust["Statement"][0]["Principal"]["Service"] = "lambda.amazonaws.com"
    made = wiring(told)
    assert made.on_schedule("Daily", NOON) == []
    assert "may not assume" in made.refused[0].reason


def test_prefixes_that_overlap_are_refused_as_s3_refuses_them() -> None:
    told = template()
    rows = told["Resources"]["Raw"]["Properties"]["NotificationConfiguration"]
    del rows["LambdaConfigurations"][1]["Filter"]
    with pytest.raises(WiringError, match="overlap"):
        wiring(told)
