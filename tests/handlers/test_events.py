"""What starts a function, as AWS sends it: every trigger's recorded event, and what is none."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cashtag.errors import InputError
from cashtag.handlers import events

EVENTS = Path(__file__).parent / "events"
RAW = "cashtag-dev-raw-123456789012-us-east-1"
NVDA = "tweets/dt=2026-03-03/source=x/NVDA-1.jsonl.gz"


def recorded(name: str) -> dict[str, Any]:
    return json.loads((EVENTS / f"{name}.json").read_text())  # type: ignore[no-any-return]


def test_every_recorded_event_is_used_here() -> None:
    text = Path(__file__).read_text()
    assert [path.stem for path in EVENTS.glob("*.json") if f'"{path.stem}"' not in text] == []


# ---------------------------------------------------------------- objects


def test_a_put_names_its_key_decoded() -> None:
    assert events.objects_put(recorded("raw_put"), RAW) == (NVDA,)


def test_of_several_records_those_count_that_were_put_into_the_zone_each_once() -> None:
    # NVDA twice, an object of another bucket, and a deletion.
    assert events.objects_put(recorded("raw_put_several"), RAW) == (
        NVDA,
        "news/dt=2026-03-03/source=cnbc/news-1.jsonl.gz",
        "manifests/dt=2026-03-03/5e0f6a1c.json",
    )


def test_plus_is_a_space_and_percent_is_decoded_once() -> None:
    assert events.objects_put(recorded("raw_put_encoded"), RAW) == (
        "tweets/dt=2026-03-03/source=x/BRK.B-1.jsonl.gz",
        "tweets/dt=2026-03-03/source=x/a b+c%d-1.jsonl.gz",
        "tweets/dt=2026-03-03/source=x/Ä €-1.jsonl.gz",
    )


def test_a_zone_below_a_prefix_sees_its_own_keys_only() -> None:
    event = recorded("raw_put")
    assert events.objects_put(event, f"{RAW}/tweets") == ("dt=2026-03-03/source=x/NVDA-1.jsonl.gz",)
    assert events.objects_put(event, f"{RAW}/tweet") == ()
    assert events.objects_put(event, f"{RAW}/lake/raw") == ()


def test_the_test_event_of_s3_names_nothing() -> None:
    event = recorded("s3_test")
    assert events.is_of_objects(event)
    assert events.objects_put(event, RAW) == ()


def test_eventbridge_names_the_key_as_it_is() -> None:
    event = recorded("eventbridge_object")
    assert events.is_of_objects(event)
    assert events.objects_put(event, RAW) == (NVDA,)
    event["detail"]["object"]["key"] = "tweets/100%25+x"
    assert events.objects_put(event, RAW) == ("tweets/100%25+x",)
    event["detail-type"] = "Object Deleted"
    assert events.objects_put(event, RAW) == ()


@pytest.mark.parametrize("name", ["success_put", "published_put"])
def test_markers_lie_in_their_own_buckets(name: str) -> None:
    zone = {"success_put": "enriched", "published_put": "signals"}[name]
    (key,) = events.objects_put(recorded(name), RAW.replace("raw", zone))
    assert key.startswith(("_SUCCESS/dt=2026-03-03/", "_PUBLISHED/session=2026-03-03/"))
    assert events.objects_put(recorded(name), RAW) == ()


def test_records_of_another_service_are_refused() -> None:
    with pytest.raises(InputError, match="'aws:sqs', which is not S3"):
        events.objects_put(recorded("sqs_records"), RAW)


def test_a_record_without_a_key_is_refused_by_what_it_lacks() -> None:
    event = recorded("raw_put")
    del event["Records"][0]["s3"]["object"]["key"]
    with pytest.raises(InputError, match="without 'key'"):
        events.objects_put(event, RAW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["s3", "bucket", "object", "key", "name", "eventSource", "detail"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["Records", "Event", "source", "detail"]), JSON))
def test_whatever_comes_is_keys_or_refused(event: dict[str, Any]) -> None:
    said = ""
    if events.is_of_objects(event):
        try:
            assert all(isinstance(key, str) for key in events.objects_put(event, RAW))
        except InputError as error:
            said = str(error)
    assert len(said) < 400  # an event may be large, and hold a tweet


# ---------------------------------------------------------------- schedules and people


@pytest.mark.parametrize(
    ("name", "action", "run", "session"),
    [
        ("schedule_scrape", "scrape", date(2026, 3, 3), date(2026, 3, 3)),
        ("schedule_resume", "resume", date(2026, 3, 3), date(2026, 3, 3)),
        ("schedule_deadline", "deadline", date(2026, 3, 3), date(2026, 3, 3)),
        ("schedule_execute", "execute", date(2026, 3, 3), date(2026, 3, 3)),
        ("schedule_manage", "manage", date(2026, 3, 3), date(2026, 3, 3)),
        ("schedule_check", "check", date(2026, 3, 3), date(2026, 3, 3)),
    ],
)
def test_a_schedule_names_action_run_and_session(
    name: str, action: str, run: date, session: date
) -> None:
    event = recorded(name)
    assert not events.is_of_objects(event)
    assert events.action(event, action, "other") == action
    assert events.run_of(event) == run
    assert events.session_of(event) == session


@pytest.mark.parametrize(
    ("scheduled", "run", "session"),
    [
        # 02:30 UTC is the evening before in New York, in winter and in summer.
        ("2026-01-06T02:30:00Z", date(2026, 1, 6), date(2026, 1, 5)),
        ("2026-07-07T03:59:00+00:00", date(2026, 7, 7), date(2026, 7, 6)),
        ("2026-07-07T04:00:00Z", date(2026, 7, 7), date(2026, 7, 7)),
        # A zone that somebody else wrote.
        ("2026-07-06T22:00:00-04:00", date(2026, 7, 7), date(2026, 7, 6)),
        ("2026-07-07T12:00:00", date(2026, 7, 7), date(2026, 7, 7)),
    ],
)
def test_a_run_is_of_utc_and_a_session_of_new_york(
    scheduled: str, run: date, session: date
) -> None:
    assert events.run_of({"scheduled": scheduled}) == run
    assert events.session_of({"scheduled": scheduled}) == session


def test_a_date_that_is_given_counts_before_the_schedule() -> None:
    event = {"dt": "2026-02-27", "session": "2026-02-26", "scheduled": "2026-03-03T12:00:00Z"}
    assert events.run_of(event) == date(2026, 2, 27)
    assert events.session_of(event) == date(2026, 2, 26)
    assert events.scheduled(event) == datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert events.scheduled({}) is None


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({}, "scheduled = 'None' is no moment; give dt"),
        ({"scheduled": "<aws.scheduler.scheduled-time>"}, "is no moment"),
        ({"scheduled": 7}, "scheduled = '7'"),
        ({"dt": "2026-02-30"}, "dt = '2026-02-30' is no date"),
        ({"dt": None}, "dt = 'None' is no date"),
    ],
)
def test_what_is_no_date_is_refused(event: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        events.run_of(event)


def test_an_unknown_action_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match="action = 'sell' is none of: plan, execute, manage"):
        events.action({"action": "sell"}, "plan", "execute", "manage")
    with pytest.raises(InputError, match="action = 'None' is none of: check"):
        events.action({}, "check")
    with pytest.raises(InputError) as told:
        events.action({"action": "x" * 10_000}, "check")
    assert len(str(told.value)) < 400
