"""Execute freezes what stands, once; manage finds every way in which books and events may differ."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cashtag import resources, services, steps
from cashtag.errors import LedgerMismatch, SettingsError, TradeError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.operate import days
from cashtag.ports import Env
from cashtag.scrape.sample import SampleSource
from cashtag.settings import load
from cashtag.trade import books, ledger, reconcile, rows, tables
from cashtag.trade.books import Book

MON, TUE, WED, THU = (date(2026, 3, day) for day in (2, 3, 4, 5))
SUNDAY = date(2026, 3, 8)


def environment(folder: Path, **overrides: Any) -> Env:
    settings = load(environ={}, overrides={"lake": str(folder), **overrides})
    source = SampleSource(resources.path("sample_data", "raw"))
    return dataclasses.replace(services.embedded(settings), source=source)


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Monday to Wednesday of the sample: Tuesday's two buys are filled, Wednesday's are planned."""
    folder = tmp_path_factory.mktemp("three-days")
    list(days.days(environment(folder), MON, WED))
    return folder


@pytest.fixture
def env(three_days: Path, tmp_path: Path) -> Env:
    shutil.copytree(three_days, tmp_path / "lake")
    return environment(tmp_path / "lake")


def whole_ledger(env: Env) -> dict[str, bytes]:
    return {info.key: env.lake.ledger.get(info.key) for info in env.lake.ledger.list()}


# ---------------------------------------------------------------- execute


def test_execute_freezes_the_standing_plan_once(env: Env) -> None:
    (standing,) = ledger.plans(env.lake.ledger, WED)
    done = steps.execute(env, WED)
    assert (done.status, done.plan, done.orders, done.vetoed) == ("frozen", standing.id, 2, 0)
    before = whole_ledger(env)
    again = steps.execute(env, WED)
    assert (again.status, again.plan, again.orders) == ("unchanged", standing.id, 2)
    assert whole_ledger(env) == before


def test_a_ledger_that_execute_froze_ends_as_one_that_settling_froze(
    env: Env, three_days: Path, tmp_path: Path
) -> None:
    shutil.copytree(three_days, tmp_path / "laptop")
    laptop = environment(tmp_path / "laptop")
    steps.execute(env, WED)
    steps.manage(env, WED)
    for each in (env, laptop):
        days.day(each, THU)
    assert whole_ledger(env) == whole_ledger(laptop)


def test_a_veto_before_execute_counts_and_one_after_it_is_refused(env: Env) -> None:
    (standing,) = ledger.plans(env.lake.ledger, WED)
    first, second = (intent.client_order_id for intent in standing.intents)
    ledger.veto(env.lake.ledger, WED, first)
    done = steps.execute(env, WED)
    assert (done.orders, done.vetoed) == (2, 1)
    with pytest.raises(TradeError, match="already executing"):
        ledger.veto(env.lake.ledger, WED, second)
    assert steps.execute(env, WED).vetoed == 1


def test_a_plan_that_comes_after_execute_is_refused(env: Env, tmp_path: Path) -> None:
    (standing,) = ledger.plans(env.lake.ledger, WED)
    steps.execute(env, WED)
    other = environment(tmp_path / "lake", **{"trade.kill_switch": True})
    late = steps.plan(other, WED)
    assert (late.status, late.id) == ("frozen", standing.id)
    assert [plan.id for plan in ledger.plans(env.lake.ledger, WED)] == [standing.id]


@pytest.mark.parametrize(
    ("day", "status"), [(SUNDAY, "no session"), (THU, "no plan"), (date(2026, 2, 27), "no plan")]
)
def test_without_a_session_or_a_plan_execute_writes_nothing(
    env: Env, day: date, status: str
) -> None:
    before = whole_ledger(env)
    assert steps.execute(env, day).status == status
    assert whole_ledger(env) == before


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_orders_of_another_mode_need_a_broker(tmp_path: Path, mode: str) -> None:
    env = environment(tmp_path / "lake", **{"trade.mode": mode})
    for step in (steps.execute, steps.manage):
        with pytest.raises(SettingsError, match=f"trade.mode = '{mode}'"):
            step(env, WED)


# ---------------------------------------------------------------- manage


def test_manage_tells_what_is_held(env: Env) -> None:
    done = steps.manage(env, WED)
    assert (done.status, done.settled) == ("reconciled", TUE)
    assert done.held == {"large-100k": 2}
    assert steps.manage(env, SUNDAY).status == "no session"


def test_manage_after_a_gap_looks_at_the_newest_settled_session(env: Env) -> None:
    assert steps.manage(env, date(2026, 4, 1)).settled == TUE


def test_before_anything_is_settled_nothing_is_held(tmp_path: Path) -> None:
    assert steps.manage(environment(tmp_path / "lake"), WED).status == "no books"


def tampered(env: Env, change: Any) -> None:
    """Rewrite Tuesday's settled event, which no code of ours would."""
    key = layout.event(TUE, ledger.SETTLED)
    body = json.loads(env.lake.ledger.get(key))
    change(body)
    env.lake.ledger.put(key, json.dumps(body).encode())


def first_holding(body: dict[str, Any]) -> dict[str, Any]:
    holdings = body["books"]["large-100k"]["holdings"]
    return holdings[min(holdings)]  # type: ignore[no-any-return]


def test_a_book_with_another_quantity_than_its_position_halts(env: Env) -> None:
    tampered(env, lambda body: first_holding(body).update(quantity=1.0))
    with pytest.raises(LedgerMismatch, match="the book has 1, the recorded position is"):
        steps.manage(env, WED)


def test_cash_that_differs_halts(env: Env) -> None:
    tampered(env, lambda body: body["books"]["large-100k"].update(cash=1.0))
    with pytest.raises(LedgerMismatch, match="large-100k CASH: the book has 1"):
        steps.manage(env, WED)


def test_a_fill_that_nobody_holds_halts(env: Env) -> None:
    tampered(env, lambda body: body["trades"][0].update(filled_quantity=1.0))
    with pytest.raises(LedgerMismatch, match=r"held 0 \w+, filled \+1, and holds"):
        steps.manage(env, WED)


def test_a_table_that_was_changed_halts(env: Env) -> None:
    shape, key = contract("positions"), layout.ledger("positions", TUE)
    kept = parquet.read(shape, env.lake.ledger.get(key)).slice(0, 1)
    env.lake.ledger.put(key, parquet.write(shape, kept))
    with pytest.raises(LedgerMismatch, match="the table positions says none"):
        steps.manage(env, WED)


# ---------------------------------------------------------------- fills between two sessions


ACCOUNT = books.opened("a", 1000.0, "STOCK", "swing")


def settled(env: Env, session: date, book: Book, base: date | None, *trades: Any) -> None:
    """Record how a session ended, and make its tables."""
    body = {
        "kind": ledger.SETTLED,
        "session": session.isoformat(),
        "base": base.isoformat() if base else None,
        "plan": None,
        "books": {"a": tables.book_body(book)},
        "trades": [],
        "outcomes": [],
        "positions": rows.position_rows(book),
        "decisions": [],
    }
    ledger.write(env.lake.ledger, session, ledger.SETTLED, body)
    tables.project(env, session)
    if trades:  # the table of trades takes whole rows; reconciling reads the event
        key = layout.event(session, ledger.SETTLED)
        told = [
            {"account": "a", "symbol": s, "direction": way, "filled_quantity": float(n)}
            for s, way, n in trades
        ]
        env.lake.ledger.put(key, json.dumps(body | {"trades": told}).encode())


HELD = books.buy(ACCOUNT, "NVDA", 10.0, 10.0, 0.0, MON)
LESS, _, _ = books.sell(HELD, "NVDA", 4.0, 11.0, 0.0, TUE, "stop")
NONE, _, _ = books.sell(HELD, "NVDA", 10.0, 11.0, 0.0, TUE, "stop")
MORE = books.buy(HELD, "NVDA", 5.0, 13.0, 0.0, TUE)
SPLIT = books.apply_split(HELD, "NVDA", 10.0)
SPLIT_AND_SOLD, _, _ = books.sell(SPLIT, "NVDA", 40.0, 1.1, 0.0, TUE, "stop")


@pytest.mark.parametrize(
    ("after", "trades", "differ"),
    [
        (HELD, (), False),
        (LESS, (("NVDA", "SELL", 4),), False),
        (NONE, (("NVDA", "SELL", 10),), False),
        (MORE, (("NVDA", "BUY", 5),), False),
        (SPLIT, (), False),  # a hundred at 1 instead of ten at 10
        (SPLIT_AND_SOLD, (("NVDA", "SELL", 40),), False),
        (LESS, (), True),  # four are gone, and nobody sold them
        (NONE, (), True),
        (HELD, (("NVDA", "SELL", 4),), True),
        (MORE, (("NVDA", "BUY", 4),), True),
        (LESS, (("NVDA", "SELL", 3),), True),
    ],
)
def test_holdings_follow_from_those_before_fills_and_splits(
    tmp_path: Path, after: Book, trades: tuple[Any, ...], differ: bool
) -> None:
    env = environment(tmp_path / "lake")
    settled(env, MON, HELD, None, ("NVDA", "BUY", 10))
    settled(env, TUE, after, MON, *trades)
    found = reconcile.newest(env.lake.ledger, WED)
    assert found is not None
    assert bool(found.differences) is differ, found.differences


def test_a_lost_event_is_a_mismatch_too(env: Env) -> None:
    env.lake.ledger.delete(layout.event(TUE, ledger.SETTLED))
    with pytest.raises(LedgerMismatch, match="is missing although later events build on it"):
        steps.manage(env, WED)
