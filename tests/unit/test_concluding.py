"""What follows a day's enrichment: events once for each state, announcements that cost no step."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cashtag import resources, services, steps
from cashtag.alerts import Once
from cashtag.errors import CloudError
from cashtag.lake import layout
from cashtag.operate import concluding, days
from cashtag.ports import Env
from cashtag.scrape.sample import SampleSource
from cashtag.settings import load

SAT, SUN, MON, TUE = date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)


class Bus:
    """A bus that is down for its first so many calls."""

    def __init__(self, down: int = 0) -> None:
        self.down = down
        self.heard: list[dict[str, Any]] = []

    def publish(self, detail_type: str, details: Sequence[Mapping[str, Any]]) -> None:
        assert detail_type == "TradingSignal"
        if self.down:
            self.down -= 1
            raise CloudError("cannot send events to the bus default (Throttling)")
        self.heard += [dict(detail) for detail in details]


class Mail:
    """Where announcements go; down for the first so many."""

    def __init__(self, down: int = 0) -> None:
        self.down = down
        self.subjects: list[str] = []
        self.texts: list[str] = []

    def announce(self, subject: str, text: str) -> None:
        if self.down:
            self.down -= 1
            raise CloudError("cannot announce to the topic (InternalError)")
        self.subjects.append(subject)
        self.texts.append(text)


def environment(folder: Path, bus: Bus | None = None, mail: Mail | None = None) -> Env:
    env = services.embedded(load(environ={}, overrides={"lake": str(folder)}))
    return dataclasses.replace(
        env,
        source=SampleSource(resources.path("sample_data", "raw")),
        notifiers=() if mail is None else (Once(mail, env.lake.signals),),
        bus=bus,
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Saturday to Monday are done, Tuesday is enriched."""
    folder = tmp_path_factory.mktemp("prepared")
    env = environment(folder)
    list(days.days(env, SAT, MON))
    days.prepare(env, TUE)
    return folder


@pytest.fixture
def lake(prepared: Path, tmp_path: Path) -> Path:
    shutil.copytree(prepared, tmp_path / "lake")
    return tmp_path / "lake"


def made(env: Env, dt: date, why: concluding.Why = "complete") -> concluding.Concluded:
    done = concluding.conclude(env, dt, why)
    assert isinstance(done, concluding.Concluded)
    return done


def test_events_tell_what_was_signalled_and_from_what(lake: Path) -> None:
    bus = Bus()
    done = made(environment(lake, bus), TUE)
    assert done.events == 3
    assert {one["stock_symbol"]: one["direction"] for one in bus.heard} == {
        "GME": "BUY",
        "GOOG": "SELL",
        "PLTR": "BUY",
    }
    one = next(one for one in bus.heard if one["stock_symbol"] == "GME")
    assert one["session"] == "2026-03-03"
    assert one["timestamp"] == "2026-03-03T12:00:00Z"  # the cutoff: nothing later was read
    assert one["current_sentiment"] - one["previous_sentiment"] == pytest.approx(
        one["sentiment_change"]
    )
    assert isinstance(one["tweet_volume"], int)
    assert 0.95 <= one["confidence"] <= 1
    assert one["partial"] is False


def test_events_of_a_state_are_sent_once_however_often_it_is_made(lake: Path) -> None:
    bus = Bus()
    env = environment(lake, bus)
    assert made(env, TUE).events == 3
    assert concluding.conclude(env, TUE, "complete") == "published before"
    assert concluding.conclude(env, TUE, "deadline") == "published before"
    assert made(env, TUE, "asked").events == 0
    assert len(bus.heard) == 3


def test_a_bus_that_is_down_costs_no_day_and_is_told_later(lake: Path) -> None:
    bus = Bus(down=1)
    env = environment(lake, bus)
    done = made(env, TUE)
    assert done.events == 0
    assert done.failed == ("cannot send events to the bus default (Throttling)",)
    assert steps.plan(env, TUE).status == "planned"  # the day is published all the same
    # Published, but not sent: the deadline, or the marker told again, makes up for it.
    assert made(env, TUE, "deadline").events == 3
    assert len(bus.heard) == 3


def test_a_digest_that_did_not_go_out_does_with_the_next_plan(lake: Path) -> None:
    mail = Mail()
    env = environment(lake, None, mail)
    made(env, TUE)
    mail.subjects.clear()
    mail.down = 1
    first = concluding.plan_again(env, TUE)
    assert (first.plan.status, first.failed) == (
        "planned",
        ("cannot announce to the topic (InternalError)",),
    )
    second = concluding.plan_again(env, TUE)
    assert (second.plan.status, second.failed) == ("unchanged", ())
    third = concluding.plan_again(env, TUE)
    assert third.digest == second.digest == first.digest
    assert mail.subjects == ["[SIMULATED] Digest 2026-03-03: 2 to buy, 0 to sell, 1 blocked"]


def test_of_a_frozen_session_nothing_is_announced_again(lake: Path) -> None:
    mail = Mail()
    env = environment(lake, None, mail)
    made(env, TUE)
    concluding.plan_again(env, TUE)
    steps.execute(env, TUE)
    mail.subjects.clear()
    assert concluding.plan_again(env, TUE).plan.status == "frozen"
    assert mail.subjects == []


def test_only_a_sessions_own_run_is_planned(lake: Path) -> None:
    env = environment(lake)
    made(env, TUE)
    found = {}
    for info in env.lake.signals.list("_PUBLISHED/"):
        planned = concluding.plan_published(env, info.key)
        found[info.key] = None if planned is None else planned.plan.session
    assert len(found) == 4  # three runs of Monday's session, and Tuesday's
    assert sorted(filter(None, found.values())) == [MON, TUE]
    assert concluding.plan_published(env, layout.findings(TUE)) is None


def test_crosses_are_announced_by_the_sessions_own_run(lake: Path) -> None:
    mail = Mail()
    env = environment(lake, None, mail)
    made(env, TUE)
    crosses = [subject for subject in mail.subjects if " cross before " in subject]
    assert sorted(crosses) == [
        "[SIMULATED] BA: golden cross before 2026-03-03",
        "[SIMULATED] JPM: golden cross before 2026-03-03",
        "[SIMULATED] META: death cross before 2026-03-03",
        "[SIMULATED] ZVZZT: death cross before 2026-03-03",
    ]
    text = mail.texts[mail.subjects.index("[SIMULATED] BA: golden cross before 2026-03-03")]
    assert text == "[SIMULATED] BA is in an Uptrend. Consider a buy opportunity."
    mail.subjects.clear()
    made(env, SUN, "asked")  # whose signals are Monday's
    assert mail.subjects == []


def test_crosses_can_be_left_alone(lake: Path) -> None:
    mail = Mail()
    env = environment(lake, None, mail)
    alerts = env.settings.alerts.model_copy(update={"crosses": False})
    env = dataclasses.replace(env, settings=env.settings.model_copy(update={"alerts": alerts}))
    made(env, TUE)
    assert [subject for subject in mail.subjects if " cross before " in subject] == []
