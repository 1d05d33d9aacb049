"""Days by the functions, told of by S3, against the same days on a laptop: the same content."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from typing import Any

import pytest
from functions_on_loopback import Functions, Told

from cashtag import resources, services
from cashtag.lake.contracts import contracts
from cashtag.lake.partitions import hashes
from cashtag.operate import days
from cashtag.ports import Env, Lake
from cashtag.scrape.sample import SampleSource
from cashtag.settings import load

pytestmark = pytest.mark.slow
FIRST, LAST = date(2026, 3, 2), date(2026, 3, 4)  # Monday to Wednesday: two buys, two fills
DATES = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]


def sample() -> SampleSource:
    return SampleSource(resources.path("sample_data", "raw"))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Env:
    """The lake that a laptop makes of these days."""
    settings = load(environ={}, overrides={"lake": str(tmp_path_factory.mktemp("laptop"))})
    env = services.embedded(settings, source_name="sample")
    list(days.days(env, FIRST, LAST))
    return env


@pytest.fixture
def sampled(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Functions whose sites are the synthetic sample."""
    monkeypatch.setattr(services, "source", lambda *_: sample())
    return functions


def content(lake: Lake) -> dict[tuple[str, date], str]:
    """Canonical hash of every partition of every table."""
    return {
        (name, partition): digest
        for name, contract in contracts().items()
        for partition, _, digest in hashes(lake, contract)
    }


def ledger_events(lake: Lake) -> dict[str, Any]:
    return {info.key: json.loads(lake.ledger.get(info.key)) for info in lake.ledger.list("events/")}


def day(stack: Functions, dt: date, **how: Any) -> None:
    """A day of the cloud as the schedules and S3 start it."""
    stack.invoke("scrape", {"action": "scrape", "scheduled": f"{dt}T12:00:00Z"})
    stack.deliver(**how)
    stack.invoke("scrape", {"action": "resume", "scheduled": f"{dt}T12:20:00Z"})
    stack.deliver(**how)
    stack.invoke("signals", {"action": "deadline", "scheduled": f"{dt}T12:45:00Z"})
    stack.deliver(**how)
    stack.invoke("trade", {"action": "execute", "scheduled": f"{dt}T14:35:00Z"})
    stack.invoke("trade", {"action": "manage", "scheduled": f"{dt}T14:40:00Z"})


def test_the_cloud_makes_what_the_laptop_makes_and_says_it_once(
    sampled: Functions, laptop: Env
) -> None:
    for dt in DATES:
        day(sampled, dt)
    assert sampled.failures == []
    lake = sampled.env.lake
    assert content(lake) == content(laptop.lake)
    # The newest session is frozen here: execute has begun, which a laptop does when it settles.
    known, mine = ledger_events(laptop.lake), ledger_events(lake)
    frozen = f"events/dt={LAST}/freeze.json"
    assert mine.pop(frozen)["plan"] is not None
    assert mine == known

    figures = sampled.figures()
    assert figures["TweetIngestionRate"] == [206, 0, 279, 0, 318, 0]  # a resume adds none
    assert figures["Coverage"] == [1.0] * 3
    assert figures["TradesExecuted"] == [0, 2]  # of Monday and Tuesday, settled a day later
    assert all(-1 <= mean <= 1 for mean in figures["SentimentScoreDistribution"])
    assert len(figures["SentimentScoreDistribution"]) >= 3 * 17

    directions = {
        (row["detail"]["session"], row["detail"]["stock_symbol"]): row["detail"]["direction"]
        for row in sampled.heard()
    }
    assert {k: v for k, v in directions.items() if k[0] == "2026-03-03"} == {
        ("2026-03-03", "GME"): "BUY",
        ("2026-03-03", "PLTR"): "BUY",
    }
    subjects = [subject for subject, _ in sampled.mails()]
    assert sum("Digest" in subject for subject in subjects) == len(DATES)
    assert sum("Trade Alert" in subject for subject in subjects) >= 2


def shuffled(seed: int) -> Any:
    def order(told: list[Told]) -> list[Told]:
        mixed = list(told)
        random.Random(seed).shuffle(mixed)
        return mixed

    return order


def test_events_that_come_twice_and_in_any_order_make_the_same_day(
    sampled: Functions, laptop: Env
) -> None:
    seed = 1
    for dt in DATES[:2]:
        day(sampled, dt, order=shuffled(seed), times=2, together=3)
    assert sampled.failures == []
    lake = sampled.env.lake
    mine, known = content(lake), content(laptop.lake)
    frozen = mine.pop(("decisions", DATES[1])), known.pop(("decisions", DATES[1]))
    assert mine == {where: known[where] for where in mine}
    assert frozen[0] != frozen[1]  # those of execute come with the settling
    # Tuesday is settled by Wednesday's run, which has not come here.
    assert {where for where in known if where[1] in DATES[:2]} - {*mine} == {
        (name, DATES[1]) for name in ("trades", "outcomes", "positions")
    }
    assert len(sampled.heard()) == 2  # GME and PLTR of the second day, once each
    assert sum("Digest" in subject for subject, _ in sampled.mails()) == 2

    # A week later S3 tells of everything again.
    before = content(lake), ledger_events(lake)
    sampled.forget_deliveries()
    sampled.deliver(order=shuffled(seed + 10))
    assert sampled.failures == []
    assert (content(lake), ledger_events(lake)) == before
    assert sampled.heard() == []
    assert sampled.mails() == []
