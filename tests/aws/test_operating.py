"""Commands of an operator against a stack on loopback: logs, schedules, failures, rebuilds."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import deployed_stack
import pytest
from loopback_aws import LoopbackAws

from cashtag.errors import CloudError, InputError
from cashtag.operate import account, stack
from cashtag.operate.cloud import logs, rebuilding, redrive, schedules, template
from cashtag.operate.stack import Stack
from cashtag.settings import load

NOON = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)  # a Friday
OPEN = datetime(2026, 5, 8, 13, 40, tzinfo=UTC)  # 09:40 in New York


@pytest.fixture(scope="module")
def moto() -> Iterator[LoopbackAws]:
    running = LoopbackAws()
    yield running
    running.stop()


@pytest.fixture
def aws(moto: LoopbackAws, monkeypatch: pytest.MonkeyPatch) -> LoopbackAws:
    moto.enter(monkeypatch)
    _post(moto, "config", {"lambda": {"use_docker": False}})
    deployed_stack.make()
    return moto


@pytest.fixture
def session(aws: LoopbackAws) -> Any:
    return account.session(load(environ={}))


@pytest.fixture
def found(session: Any) -> Stack:
    return stack.find(load(environ={}), "dev", session)


def _post(moto: LoopbackAws, what: str, body: Any) -> None:
    request = urllib.request.Request(  # noqa: S310  loopback
        f"{moto.url}/moto-api/{what}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method="POST",
    )
    urllib.request.urlopen(request).read()  # noqa: S310


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


# ---------------------------------------------------------------- logs


def test_lines_of_all_functions_come_in_the_order_of_time(session: Any, found: Stack) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    line = '{"level": "INFO", "message": "enriched", "service": "cashtag", "rows": 12}'
    say("scrape", now - timedelta(minutes=9), "first")
    say("enrich", now - timedelta(minutes=8), line)
    say("scrape", now - timedelta(minutes=7), "third")
    since = now - timedelta(hours=1)
    lines = list(logs.read(found, session, logs.steps(None), since))
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
        logs.steps("scrap")


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


# ---------------------------------------------------------------- rebuild


class Lambdas:
    """Invoke as boto3's client has it; `failing` maps (function, dt) to an errorMessage."""

    def __init__(
        self,
        failing: dict[tuple[str, str], str] | None = None,
        busy: int = 0,
        left: Sequence[list[str]] = (),
    ) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.left = list(left)
        self.failing = failing or {}
        self.busy = busy

    def invoke(self, **request: Any) -> dict[str, Any]:
        import io

        from botocore.exceptions import ClientError

        if self.busy:
            self.busy -= 1
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        event = json.loads(request["Payload"])
        dt = event.get("dt", ",".join(event.get("keys", ())))
        self.calls.append((request["FunctionName"], event.get("action", "keys"), dt))
        why = self.failing.get((request["FunctionName"], dt))
        if why is None:
            left = self.left.pop(0) if self.left else []
            return {"Payload": io.BytesIO(json.dumps({"left": left}).encode())}
        body = json.dumps({"errorType": "CheckFailed", "errorMessage": why}).encode()
        return {"FunctionError": "Unhandled", "Payload": io.BytesIO(body)}


def silent(_done: int, _of: int, _what: str) -> None: ...


def test_runs_are_enriched_side_by_side_and_signals_follow_in_order(
    monkeypatch: pytest.MonkeyPatch, found: Stack
) -> None:
    lambdas = Lambdas({("cashtag-dev-enrich", "2026-05-06"): "3 tweets without an answer"})
    monkeypatch.setattr(rebuilding.account, "client", lambda *_a, **_k: lambdas)
    days = [date(2026, 5, 5), date(2026, 5, 6), date(2026, 5, 7)]
    rows = list(rebuilding.rebuild(found, None, days, 2, silent))
    assert [(row.dt.day, row.enriched, row.signals) for row in rows] == [
        (5, True, True),
        (6, False, False),
        (7, True, True),
    ]
    assert rows[1].told == "CheckFailed: 3 tweets without an answer"
    assert [call for call in lambdas.calls if call[0].endswith("signals")] == [
        ("cashtag-dev-signals", "run", "2026-05-05"),
        ("cashtag-dev-signals", "run", "2026-05-07"),
    ]
    assert sum(call[:2] == ("cashtag-dev-enrich", "rebuild") for call in lambdas.calls) == 3


def test_what_a_call_had_no_time_for_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, found: Stack
) -> None:
    lambdas = Lambdas(left=[["tweets/b", "tweets/c"], ["tweets/c"]])
    monkeypatch.setattr(rebuilding.account, "client", lambda *_a, **_k: lambdas)
    (row,) = rebuilding.rebuild(found, None, [date(2026, 5, 5)], 1, silent)
    assert (row.enriched, row.signals) == (True, True)
    assert [call[1:] for call in lambdas.calls] == [
        ("rebuild", "2026-05-05"),
        ("keys", "tweets/b,tweets/c"),
        ("keys", "tweets/c"),
        ("run", "2026-05-05"),
    ]


def test_an_object_that_never_fits_into_the_time_is_named(
    monkeypatch: pytest.MonkeyPatch, found: Stack
) -> None:
    lambdas = Lambdas(left=[["tweets/b"], ["tweets/b"]])
    monkeypatch.setattr(rebuilding.account, "client", lambda *_a, **_k: lambdas)
    (row,) = rebuilding.rebuild(found, None, [date(2026, 5, 5)], 1, silent)
    assert row.told == "1 objects do not fit into the function's time, as tweets/b"


def test_a_busy_function_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding.time, "sleep", lambda _seconds: None)
    lambdas = Lambdas(busy=3)
    answer = rebuilding.call(lambdas, "cashtag-dev-signals", {"action": "run", "dt": "x"})
    assert answer.failure is None
    assert len(lambdas.calls) == 1


def test_a_function_that_stays_busy_is_an_error_that_names_it() -> None:
    with pytest.raises(CloudError, match="cashtag-dev-signals cannot be called"):
        rebuilding.call(Lambdas(busy=99), "cashtag-dev-signals", {}, patience=0.0)
