"""Days of the desk, worked out by hand: plan, freeze, fill, exit, books, and doing it all again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import orjson
import pyarrow as pa
import pytest

from cashtag import sessions
from cashtag.errors import LedgerMismatch, SettingsError, StoreError, TradeError
from cashtag.lake import contracts, layout, lines, parquet
from cashtag.lake.disk import FolderStore
from cashtag.ports import Env, Lake, ObjectInfo, Store
from cashtag.settings import Settings, load
from cashtag.trade import ledger
from cashtag.trade.digest import digest, trade_alert
from cashtag.trade.plan import Plan, plan
from cashtag.trade.settle import Settled, settle

FRI, MON, TUE, WED, THU, NEXT_FRI, NEXT_MON = (
    date(2026, 2, 27), date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 5),
    date(2026, 3, 6), date(2026, 3, 9),
)  # fmt: skip
SIMPLE = {  # 121,000 dollars, 10,000 of them investable: 2,000 a stock; 5 bps; R = 2 ATR = 4
    "trade.accounts": ["large-100k"],
}
ACCOUNT = "large-100k"


class Catalog:
    """A warehouse that only remembers what was registered."""

    def __init__(self) -> None:
        self.registered: set[tuple[str, date]] = set()

    def query(self, *_: object, **__: object) -> pa.Table:
        raise AssertionError("the desk asks no SQL")

    def register(self, table: str, partition: date) -> None:
        self.registered.add((table, partition))


class Forbidden:
    """A zone that the desk has no business with."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the desk touched a zone it must not: {name}")


class Readable:
    """A zone that may be read only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: str) -> bytes:
        return self._store.get(key)

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the desk may only read this zone, not {name}")


class OfTheBroker(Readable):
    """Raw: the desk looks up the broker's assets there, and nothing else."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        assert prefix.startswith("assets/"), f"the desk has no business with raw/{prefix}"
        return self._store.list(prefix)


def settings(**dotted: Any) -> Settings:
    overrides = {**SIMPLE, **{k.replace("__", "."): v for k, v in dotted.items()}}
    return load(environ={}, overrides=overrides)


def environment(root: Path, ledger_store: Store | None = None, **dotted: Any) -> Env:
    forbidden = cast("Store", Forbidden())
    lake = Lake(
        raw=cast("Store", OfTheBroker(FolderStore(root / "raw"))),
        enriched=cast("Store", Readable(FolderStore(root / "enriched"))),
        signals=cast("Store", Readable(FolderStore(root / "signals"))),
        ledger=ledger_store or FolderStore(root / "ledger"),
        report=forbidden,
    )
    return Env(settings(**dotted), lake, Catalog(), cast("Any", None), cast("Any", None))


def signal(ticker: str, direction: str = "BUY", **changed: Any) -> dict[str, Any]:
    row = dict.fromkeys(contracts.contract("daily_signals").names)
    return {
        **row,
        "ticker": ticker,
        "kind": "STOCK",
        "direction": direction,
        "instrument": "STOCK",
        "confidence": 0.97,
        "reasons": "[]",
        "sentiment_signal": direction,
        "trend_signal": "HOLD",
        "polarity_change": 0.3 if direction == "BUY" else -0.3,
        "change_threshold": 0.15,
        "partial": False,
        "close": 100.0,
        "atr14": 1.0,  # adjusted dollars; the bars' adjusted close is half the close
        "regime_multiplier": 1.0,
        "tweet_ids": "[]",
        "config_hash": "c",
        "run_id": "r",
        **changed,
    }


def publish(root: Path, session: date, *rows: dict[str, Any]) -> None:
    contract = contracts.contract("daily_signals")
    stamped = [
        {
            "as_of": datetime(session.year, session.month, session.day, 12),  # noqa: DTZ001  as stored
            "last_session": sessions.previous_session(session),
            **{k: v for k, v in row.items() if v is not None or k not in ("as_of", "last_session")},
        }
        for row in rows
    ]
    table = pa.Table.from_pylist(stamped, schema=contract.arrow_schema())
    FolderStore(root / "signals").put(
        layout.signals("daily_signals", session), parquet.write(contract, table)
    )


Bars = dict[tuple[date, str], tuple[float, ...]]


def know(root: Path, dt: date, bars: Bars, **more: dict[tuple[date, str], float]) -> None:
    """Store the bars that run `dt` knows; adjusted close = close / 2, volume a million."""
    contract = contracts.contract("prices")
    rows = [
        {
            "ticker": ticker,
            "session": session,
            "open": bar[0],
            "high": bar[1],
            "low": bar[2],
            "close": bar[3],
            "adjusted_close": bar[3] / 2,
            "volume": int(bar[4]) if len(bar) > 4 else 1_000_000,
            "dividend": more.get("dividends", {}).get((session, ticker)),
            "split": more.get("splits", {}).get((session, ticker)),
            "source": "synthetic",
        }
        for (session, ticker), bar in bars.items()
        if session < dt
    ]
    table = pa.Table.from_pylist(rows, schema=contract.arrow_schema())
    FolderStore(root / "enriched").put(
        layout.enriched("prices", dt), parquet.write(contract, table)
    )


FLAT = (100.0, 101.0, 99.0, 100.0)
THREE_DAYS: Bars = {
    (FRI, "NVDA"): FLAT,
    (MON, "NVDA"): FLAT,
    (TUE, "NVDA"): (100.0, 103.0, 99.0, 102.0),
    (WED, "NVDA"): (101.0, 104.0, 97.0, 103.0),
    (THU, "NVDA"): (104.0, 109.0, 103.0, 107.0),
}


def run(env: Env, session: date) -> tuple[Settled, Plan]:
    return settle(env, session), plan(env, session)


def rows(env: Env, table: str, session: date) -> list[dict[str, Any]]:
    contract = contracts.contract(table)
    data = env.lake.ledger.get(layout.ledger(table, session))
    return cast("list[dict[str, Any]]", parquet.read(contract, data).to_pylist())


def objects(root: Path) -> dict[str, bytes]:
    store = FolderStore(root / "ledger")
    return {info.key: store.get(info.key) for info in store.list()}


def equity(env: Env, session: date) -> float:
    return next(r["equity"] for r in rows(env, "positions", session) if r["symbol"] == "CASH")


def market(root: Path, bars: Bars, days: tuple[date, ...], **more: Any) -> None:
    for day in days:
        know(root, day, bars, **more)


def three_days(root: Path) -> Env:
    """NVDA is bought on Tuesday, held on Wednesday, and reaches its target on Thursday."""
    market(root, THREE_DAYS, (TUE, WED, THU, NEXT_FRI))
    publish(root, TUE, signal("NVDA"), signal("AAPL", "HOLD"))
    publish(root, WED, signal("NVDA", "HOLD"))
    publish(root, THU, signal("NVDA", "HOLD"))
    publish(root, NEXT_FRI, signal("NVDA", "HOLD"))
    return environment(root)


DAYS = (TUE, WED, THU, NEXT_FRI)


# ---------------------------------------------------------------- by hand


def test_three_days_of_an_account(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    settled, planned = run(env, TUE)
    assert settled.new == ()  # nothing was planned before
    (intent,) = planned.intents
    # allocation: 20 % of 10000 at 100 dollars. R = 2 x ATR 1 x (100 / 50) = 4 as traded
    assert (intent.quantity, intent.price, intent.r) == (20, 100, 4)
    assert intent.client_order_id == "large-100k-2026-03-03-NVDA-entry-1"

    settled, _ = run(env, WED)
    assert settled.new == (TUE,)
    (trade,) = rows(env, "trades", TUE)
    # 100 plus 5 bps is 100.05, of which 2000 dollars hold 19.99: nineteen
    assert (trade["quantity"], trade["filled_quantity"]) == (19, 19)
    assert trade["filled_price"] == pytest.approx(100.05)
    assert trade["slippage"] == pytest.approx(0.05)
    assert (trade["status"], trade["leg"], trade["simulated"]) == ("filled", "entry", True)
    assert trade["timestamp"] == datetime(2026, 3, 3, 14, 30)  # noqa: DTZ001  the open, UTC
    # 121000 - 19 x 100.05 + 19 x 102
    assert equity(env, TUE) == pytest.approx(121_037.05)
    held = next(r for r in rows(env, "positions", TUE) if r["symbol"] == "NVDA")
    assert (held["stop"], held["target"]) == (pytest.approx(96.05), pytest.approx(108.05))
    assert held["unrealised"] == pytest.approx(19 * 1.95)

    run(env, THU)
    # Wednesday's low of 97 stays above the stop, its high of 104 below the target
    assert equity(env, WED) == pytest.approx(121_056.05)  # 19 x 103 instead of 19 x 102
    assert rows(env, "trades", WED) == []

    run(env, NEXT_FRI)
    (sale,) = rows(env, "trades", THU)
    # the target 108.05 less 5 bps
    assert sale["filled_price"] == pytest.approx(107.995975)
    assert sale["reason"] == "target"
    assert sale["realised"] == pytest.approx(150.973525)  # 19 x 7.945975
    assert equity(env, THU) == pytest.approx(121_150.973525)
    (outcome,) = rows(env, "outcomes", THU)
    assert outcome["opened"] == TUE
    assert outcome["held_sessions"] == 3
    assert outcome["r_multiple"] == pytest.approx(7.945975 / 4)
    assert {r["symbol"] for r in rows(env, "positions", THU)} == {"CASH"}
    cash = rows(env, "positions", THU)[0]
    assert cash["previous_equity"] == pytest.approx(121_056.05)
    assert ("positions", THU) in cast("Catalog", env.warehouse).registered


def test_every_gate_is_recorded_in_both_phases(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    run(env, TUE)
    run(env, WED)
    found = rows(env, "decisions", TUE)
    assert {r["phase"] for r in found} == {"plan", "execute"}
    plans = [r["gate"] for r in found if r["phase"] == "plan"]
    assert plans[0] == "kill_switch"
    assert plans[-1] == "size"
    assert len(plans) == 18  # 17 gates speak in the plan phase, and the size
    assert {r["verdict"] for r in found} == {"pass"}
    assert {r["ticker"] for r in found} == {"NVDA"}  # a HOLD is no candidate


def test_a_sell_signal_closes_the_position_past_every_gate(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    run(env, TUE)
    run(env, WED)
    publish(tmp_path, THU, signal("NVDA", "SELL", confidence=0.1, last_session=FRI))
    closed = replace(env, settings=settings(trade__kill_switch=True))
    _, planned = run(closed, THU)
    assert [(i.side, i.leg, i.quantity) for i in planned.intents] == [("SELL", "exit", 19)]
    run(closed, NEXT_FRI)
    (sale,) = rows(env, "trades", THU)
    # Thursday's open of 104 less 5 bps; the order was in before the high of 109
    assert sale["filled_price"] == pytest.approx(103.948)
    assert sale["reason"] == "signal"
    assert rows(env, "outcomes", THU)[0]["exit_reason"] == "signal"


def test_a_sell_signal_without_a_position_is_blocked(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    publish(tmp_path, TUE, signal("NVDA", "SELL"))
    _, planned = run(env, TUE)
    assert planned.intents == ()  # of AMD and INTC there are no bars
    ((_, ticker, blocking),) = planned.blocked
    assert ticker == "NVDA"
    assert [r.gate for r in blocking] == ["position"]


def test_entries_share_the_rooms_in_the_order_of_their_confidence(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    names = ["NVDA", "AAPL", "TSLA", "GOOG", "META", "ZZZ"]
    market(tmp_path, {(MON, n): FLAT for n in names}, (TUE,))
    publish(tmp_path, TUE, *(signal(n, confidence=0.90 + i / 100) for i, n in enumerate(names)))
    _, planned = run(env, TUE)
    # 2000 each; ZZZ is the surest. NVDA, the least sure, finds no room: 5 x 2000 = 10000
    assert [i.symbol for i in planned.intents] == ["ZZZ", "META", "GOOG", "TSLA", "AAPL"]
    ((_, ticker, blocking),) = planned.blocked
    assert ticker == "NVDA"
    assert [r.gate for r in blocking] == ["max_positions", "max_portfolio", "size"]


def test_accounts_share_what_the_environment_allows(tmp_path: Path) -> None:
    three_days(tmp_path)
    second = {"equity": 50_000.0, "strategy": "swing", "kind": "STOCK", "simulated": True}
    env = environment(tmp_path, accounts__second=second, trade__accounts=["second", "large-100k"])
    names = ["NVDA", "TSLA", "ZZZ"]
    market(tmp_path, {(d, n): FLAT for n in names for d in (MON, TUE)}, (TUE, WED))
    publish(tmp_path, TUE, *(signal(n) for n in names))
    _, planned = run(env, TUE)
    # 3 x 2000 for the first account leave 4000 of 10000 for the second: two of its three
    assert [(i.account, i.symbol) for i in planned.intents] == [
        ("large-100k", "NVDA"), ("large-100k", "TSLA"), ("large-100k", "ZZZ"),
        ("second", "NVDA"), ("second", "TSLA"),
    ]  # fmt: skip
    run(env, WED)
    # at the open 100.05 buys 19 of 20: 3 x 1900.95, marked at 100, and 19 + 19 more fit
    bought = {(t["account"], t["symbol"]): t["filled_quantity"] for t in rows(env, "trades", TUE)}
    assert bought == {(i.account, i.symbol): 19 for i in planned.intents}
    accounts = {r["account"] for r in rows(env, "positions", TUE)}
    assert accounts == {"large-100k", "second"}


def test_a_split_on_a_held_position(tmp_path: Path) -> None:
    bars = {**THREE_DAYS, (WED, "NVDA"): (25.25, 26.0, 24.25, 25.75)}
    env = three_days(tmp_path)
    market(tmp_path, bars, (THU,), splits={(WED, "NVDA"): 4.0})
    for day in (TUE, WED, THU):
        run(env, day)
    held = next(r for r in rows(env, "positions", WED) if r["symbol"] == "NVDA")
    assert held["quantity"] == 76  # 19 x 4
    assert held["average_price"] == pytest.approx(25.0125)  # 100.05 / 4
    assert held["stop"] == pytest.approx(24.0125)  # 96.05 / 4; the low of 24.25 stays above
    assert equity(env, WED) == pytest.approx(119_099.05 + 76 * 25.75)


def test_a_split_on_the_day_of_the_entry_shrinks_its_r(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    bars = {**THREE_DAYS, (TUE, "NVDA"): (25.0, 25.5, 24.5, 25.25)}
    market(tmp_path, bars, (WED,), splits={(TUE, "NVDA"): 4.0})
    run(env, TUE)
    run(env, WED)
    held = next(r for r in rows(env, "positions", TUE) if r["symbol"] == "NVDA")
    assert (held["quantity"], held["r"]) == (20, 1)  # planned in old dollars: 4 / 4


def test_a_dividend_on_a_held_position(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    market(tmp_path, THREE_DAYS, (THU,), dividends={(WED, "NVDA"): 0.25, (TUE, "NVDA"): 9.0})
    for day in (TUE, WED, THU):
        run(env, day)
    # Wednesday pays 19 x .25; Tuesday's ex-date is no business of one who bought that morning
    assert equity(env, WED) == pytest.approx(121_056.05 + 4.75)
    held = next(r for r in rows(env, "positions", WED) if r["symbol"] == "NVDA")
    assert held["realised_today"] == pytest.approx(4.75)


def test_a_thin_bar_fills_partly_and_the_rest_lapses(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    bars = {**THREE_DAYS, (TUE, "NVDA"): (100.0, 103.0, 99.0, 102.0, 799)}
    market(tmp_path, bars, (WED,))
    run(env, TUE)
    run(env, WED)
    (trade,) = rows(env, "trades", TUE)
    # one percent of 799 shares: seven
    assert (trade["status"], trade["filled_quantity"]) == ("partially_filled", 7)
    held = next(r for r in rows(env, "positions", TUE) if r["symbol"] == "NVDA")
    assert held["quantity"] == 7


def test_an_entry_can_be_stopped_on_its_own_day(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    bars = {**THREE_DAYS, (TUE, "NVDA"): (100.0, 109.0, 95.0, 108.0)}
    market(tmp_path, bars, (WED,))
    run(env, TUE)
    run(env, WED)
    entry, sale = rows(env, "trades", TUE)
    assert (entry["leg"], sale["leg"]) == ("entry", "exit")
    # target 108.05 and stop 96.05 both lie within the bar: the stop, less 5 bps
    assert sale["filled_price"] == pytest.approx(96.05 * 0.9995)
    assert sale["trade_id"] == "large-100k-2026-03-03-NVDA-exit-1"


def test_the_tenth_session_ends_a_swing_at_its_close(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    days = sessions.sessions_between(TUE, date(2026, 3, 20))
    bars: Bars = {(d, "NVDA"): FLAT for d in (FRI, MON, *days)}
    for day in days:
        know(tmp_path, day, bars)
        publish(tmp_path, day, signal("NVDA", "BUY" if day == TUE else "HOLD"))
        run(env, day)
    tenth = days[9]
    (sale,) = rows(env, "trades", tenth)
    assert (tenth, sale["reason"]) == (date(2026, 3, 16), "max-hold")
    assert sale["filled_price"] == pytest.approx(99.95)
    assert rows(env, "outcomes", tenth)[0]["held_sessions"] == 10


# ---------------------------------------------------------------- nothing is invented


def test_without_a_bar_the_order_lapses_and_the_mark_stays(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    without_tuesday = {k: v for k, v in THREE_DAYS.items() if k[0] != TUE}
    market(tmp_path, {**without_tuesday, (TUE, "SPY"): FLAT}, (WED,))
    run(env, TUE)
    run(env, WED)
    (trade,) = rows(env, "trades", TUE)
    assert (trade["status"], trade["filled_quantity"], trade["filled_price"]) == (
        "expired",
        0,
        None,
    )
    assert "no bar of 2026-03-03" in trade["reason"]
    assert equity(env, TUE) == 121_000


def test_a_held_position_without_a_bar_keeps_its_mark_and_its_stop(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    halted = {k: v for k, v in THREE_DAYS.items() if k[0] != WED}
    market(tmp_path, {**halted, (WED, "SPY"): FLAT}, (THU,))
    for day in (TUE, WED, THU):
        run(env, day)
    held = next(r for r in rows(env, "positions", WED) if r["symbol"] == "NVDA")
    assert (held["mark"], held["stop"]) == (102, pytest.approx(96.05))
    assert equity(env, WED) == equity(env, TUE)


def test_while_the_feed_is_late_nothing_is_settled_and_nothing_planned(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    run(env, TUE)
    before = objects(tmp_path)
    market(tmp_path, {k: v for k, v in THREE_DAYS.items() if k[0] < TUE}, (WED,))
    settled, planned = run(env, WED)
    assert "knows no bars of 2026-03-03 (newest: 2026-03-02)" in str(settled.postponed)
    assert planned.status == "refused"
    assert objects(tmp_path) == before
    settled, planned = run(env, THU)  # Thursday's run knows both
    assert settled.new == (TUE, WED)
    assert planned.status == "planned"
    assert equity(env, WED) == pytest.approx(121_056.05)


def test_a_partial_day_plans_no_trade_and_says_so(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    publish(tmp_path, TUE, signal("NVDA", partial=True))
    _, planned = run(env, TUE)
    assert planned.partial
    assert planned.intents == ()  # of AMD and INTC there are no bars
    assert [r["gate"] for r in rows(env, "decisions", TUE) if r["verdict"] != "pass"] == [
        "day_complete"
    ]


def test_a_partial_day_closes_nothing_by_signal_but_stops_work(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    run(env, TUE)
    publish(tmp_path, WED, signal("NVDA", "SELL", partial=True))
    bars = {**THREE_DAYS, (WED, "NVDA"): (101.0, 102.0, 90.0, 91.0)}
    market(tmp_path, bars, (THU,))
    _, planned = run(env, WED)
    assert planned.intents == ()  # of AMD and INTC there are no bars
    run(env, THU)
    (sale,) = rows(env, "trades", WED)
    assert sale["reason"] == "stop"


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_without_a_broker_a_real_mode_trades_nothing(tmp_path: Path, mode: str) -> None:
    env = replace(three_days(tmp_path), settings=settings(trade__mode=mode))
    _, planned = run(env, TUE)
    assert planned.intents == ()  # of AMD and INTC there are no bars
    ((_, _, blocking),) = planned.blocked
    assert [(r.gate, r.reason) for r in blocking] == [
        ("mode", f"mode {mode} needs the broker, see cashtag mode")
    ]


def test_a_mode_changed_after_the_plan_stops_it_at_the_open(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    run(env, TUE)
    run(replace(env, settings=settings(trade__mode="live")), WED)
    assert rows(env, "trades", TUE) == []
    blocking = [r for r in rows(env, "decisions", TUE) if r["verdict"] != "pass"]
    assert [(r["phase"], r["gate"]) for r in blocking] == [("execute", "mode")]


def test_an_account_that_needs_the_options_desk_is_refused(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    wrong = settings(trade__accounts=["large-100k", "tiny-1k"])
    with pytest.raises(SettingsError, match=r"'tiny-1k'.*options desk is not available"):
        plan(replace(env, settings=wrong), TUE)
    with pytest.raises(SettingsError, match=r"trade\.desk = 'hybrid'"):
        plan(replace(env, settings=settings(trade__desk="hybrid")), TUE)
    assert objects(tmp_path) == {}


def test_a_loss_at_the_open_blocks_entries(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    # 19 NVDA fall from 102 to 75 at Wednesday's open: 513 dollars, more than 500
    bars = {
        **THREE_DAYS,
        (WED, "NVDA"): (75.0, 76.0, 74.0, 75.0),
        (TUE, "TSLA"): FLAT,
        (WED, "TSLA"): FLAT,
    }
    market(tmp_path, bars, (WED, THU))
    publish(tmp_path, WED, signal("TSLA"))
    for day in (TUE, WED, THU):
        run(env, day)
    assert [t["symbol"] for t in rows(env, "trades", WED)] == ["NVDA"]  # only the stop's sale
    blocking = [r for r in rows(env, "decisions", WED) if r["verdict"] != "pass"]
    assert [(r["ticker"], r["phase"], r["gate"]) for r in blocking] == [
        ("TSLA", "execute", "daily_loss")
    ]


def test_missing_atr_is_an_error_that_blocks(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    publish(tmp_path, TUE, signal("NVDA", atr14=None))
    _, planned = run(env, TUE)
    assert planned.intents == ()  # of AMD and INTC there are no bars
    assert [(r.gate, r.verdict) for r in planned.decisions if r.verdict != "pass"] == [
        ("size", "error")
    ]


def test_a_session_without_signals_cannot_be_planned(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    with pytest.raises(TradeError, match="2026-03-09 has no daily_signals"):
        plan(env, NEXT_MON)


# ---------------------------------------------------------------- plans replace, freezing ends it


def describe(root: Path, dt: date, *assets: dict[str, Any]) -> None:
    """Record what the broker said of its assets at run `dt`."""
    told = (
        {"source": "alpaca", "scraped_at": "x", "query": "x", "data": {"tradable": True, **asset}}
        for asset in assets
    )
    packed = lines.pack(orjson.dumps(line) for line in told)
    FolderStore(root / "raw").put(layout.raw("assets", dt, "alpaca", "assets"), packed)


def test_what_the_broker_would_not_trade_is_not_planned(tmp_path: Path) -> None:
    market(tmp_path, THREE_DAYS, (TUE,))
    publish(tmp_path, TUE, signal("NVDA"), signal("AMD"), signal("INTC"))
    describe(
        tmp_path,
        TUE,
        {"symbol": "NVDA", "status": "active", "tradable": False},
        {"symbol": "AMD", "status": "active"},
    )
    # Yesterday's word is not that of this run; of INTC the broker said nothing.
    describe(tmp_path, MON, {"symbol": "AMD", "status": "inactive"})
    planned = plan(environment(tmp_path), TUE)
    said = {d.ticker: (d.verdict, d.reason) for d in planned.decisions if d.gate == "tradable"}
    assert said == {
        "NVDA": ("block", "at the broker NVDA is active and not tradable"),
        "AMD": ("pass", "a listed stock"),
        "INTC": ("pass", "a listed stock"),
    }
    assert planned.intents == ()  # of AMD and INTC there are no bars


def test_another_plan_replaces_the_former_and_cancels_what_it_drops(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    _, first = run(env, TUE)
    market(tmp_path, {(MON, "TSLA"): FLAT, (MON, "NVDA"): FLAT}, (TUE,))
    publish(tmp_path, TUE, signal("TSLA"))
    _, second = run(env, TUE)
    assert second.status == "planned"
    dropped = first.intents[0].id
    assert f"cancel-{dropped}-0002" in ledger.event_ids(env.lake.ledger, TUE)
    assert {r["plan"] for r in rows(env, "decisions", TUE)} == {first.id, second.id}
    bars = {**THREE_DAYS, (TUE, "TSLA"): FLAT}
    market(tmp_path, bars, (WED,))
    run(env, WED)
    assert [t["symbol"] for t in rows(env, "trades", TUE)] == ["TSLA"]


def test_the_same_plan_again_changes_nothing(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    _, first = run(env, TUE)
    before = objects(tmp_path)
    _, again = run(env, TUE)
    assert (first.status, again.status) == ("planned", "unchanged")
    assert (again.id, again.intents) == (first.id, first.intents)
    assert objects(tmp_path) == before


def test_a_plan_after_the_freeze_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    _, first = run(env, TUE)
    run(env, WED)
    before = objects(tmp_path)
    assert plan(env, TUE).status == "frozen"
    publish(tmp_path, TUE, signal("NVDA", "HOLD"))
    late = plan(env, TUE)
    assert (late.status, late.id, late.intents) == ("frozen", first.id, first.intents)
    assert "inputs have changed since" in str(late.note)
    assert objects(tmp_path) == before


def test_a_veto_counts_until_the_freeze(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    _, planned = run(env, TUE)
    order = planned.intents[0].client_order_id
    ledger.veto(env.lake.ledger, TUE, order)
    with pytest.raises(TradeError, match="nothing to veto"):
        ledger.veto(env.lake.ledger, TUE, "another")
    run(env, WED)
    assert rows(env, "trades", TUE) == []
    blocking = [r for r in rows(env, "decisions", TUE) if r["verdict"] != "pass"]
    assert [(r["phase"], r["gate"]) for r in blocking] == [("execute", "veto")]


def test_a_veto_after_the_freeze_is_too_late(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    _, planned = run(env, TUE)
    run(env, WED)
    with pytest.raises(TradeError, match="too late"):
        ledger.veto(env.lake.ledger, TUE, planned.intents[0].client_order_id)
    assert len(rows(env, "trades", TUE)) == 1


def test_a_session_that_no_run_planned_is_settled_without_a_plan(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    run(env, TUE)
    settled, _ = run(env, THU)  # Wednesday's run never happened
    assert settled.new == (TUE, WED)
    assert equity(env, WED) == pytest.approx(121_056.05)
    late = plan(env, WED)
    assert late.status == "refused"
    assert "settled without a plan" in str(late.note)


def test_a_ledger_only_grows_forward(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    run(env, WED)
    run(env, THU)
    before = objects(tmp_path)
    _, planned = run(env, TUE)
    assert planned.status == "refused"
    assert "the ledger begins after 2026-03-03" in str(planned.note)
    assert objects(tmp_path) == before


def test_a_lost_settlement_halts_the_desk(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    for day in (TUE, WED):
        run(env, day)
    env.lake.ledger.delete(layout.event(TUE, ledger.SETTLED))
    with pytest.raises(LedgerMismatch, match="restore it from a backup"):
        settle(env, THU)


# ---------------------------------------------------------------- again, at once, and after a crash


class Flaky:
    """A store whose process dies just before its n-th call."""

    def __init__(self, store: Store, at: int) -> None:
        self._store, self._left = store, at

    def _call(self, do: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left == 0:
            raise StoreError("the power went")
        return do()

    def get(self, key: str) -> bytes:
        return cast("bytes", self._call(lambda: self._store.get(key)))

    def put(self, key: str, data: bytes) -> None:
        self._call(lambda: self._store.put(key, data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return cast("bool", self._call(lambda: self._store.put_if_absent(key, data)))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return iter(cast("list[ObjectInfo]", self._call(lambda: [*self._store.list(prefix)])))

    def exists(self, key: str) -> bool:
        return cast("bool", self._call(lambda: self._store.exists(key)))

    def delete(self, key: str) -> None:
        self._call(lambda: self._store.delete(key))

    def uri(self, key: str = "") -> str:
        return self._store.uri(key)


def all_days(env: Env) -> None:
    for day in DAYS:
        run(env, day)


def test_running_any_day_again_leaves_an_identical_ledger(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    all_days(env)
    before = objects(tmp_path)
    for day in (THU, TUE, WED, NEXT_FRI, TUE):
        run(env, day)
    assert objects(tmp_path) == before


def test_two_lakes_end_identical(tmp_path: Path) -> None:
    for name in ("a", "b"):
        all_days(three_days(tmp_path / name))
    assert objects(tmp_path / "a") == objects(tmp_path / "b")
    assert len(objects(tmp_path / "a")) == len(set(objects(tmp_path / "a")))


@pytest.mark.parametrize("day", [TUE, WED, NEXT_FRI])  # the first plan, a fill, an exit
def test_a_crash_at_any_call_of_the_store_is_healed_by_running_again(
    tmp_path: Path, day: date
) -> None:
    env = three_days(tmp_path)
    for earlier in DAYS[: DAYS.index(day)]:
        run(env, earlier)
    before = objects(tmp_path)
    run(env, day)
    expected = objects(tmp_path)
    at, crashed = 0, True
    while crashed:
        at += 1
        whole = FolderStore(tmp_path / str(at) / "ledger")
        for key, data in before.items():
            whole.put(key, data)
        flaky = cast("Store", Flaky(whole, at))
        try:
            run(replace(env, lake=replace(env.lake, ledger=flaky)), day)
        except StoreError:
            run(replace(env, lake=replace(env.lake, ledger=whole)), day)
        else:
            crashed = False
        assert objects(tmp_path / str(at)) == expected, f"crashed at call {at}"
    assert at > 20  # every boundary was tried


def test_two_runs_at_once_leave_an_identical_ledger_and_no_order_twice(tmp_path: Path) -> None:
    clean = three_days(tmp_path / "clean")
    all_days(clean)
    for attempt in range(5):
        root = tmp_path / str(attempt)
        three_days(root)
        gate = threading.Barrier(2)
        faults: list[BaseException] = []

        def both(
            root: Path = root,
            gate: threading.Barrier = gate,
            faults: list[BaseException] = faults,
        ) -> None:
            env = environment(root)
            try:
                for day in DAYS:
                    gate.wait()
                    run(env, day)
            except BaseException as error:
                faults.append(error)
                gate.abort()

        threads = [threading.Thread(target=both) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert objects(root) == objects(tmp_path / "clean")
        assert len(rows(environment(root), "trades", TUE)) == 1


def test_a_slow_writer_does_not_undo_what_a_faster_run_has_settled(tmp_path: Path) -> None:
    """The slow run stands before writing Tuesday's decisions while the other settles Tuesday."""

    class Slow(Flaky):
        def put(self, key: str, data: bytes) -> None:
            if self._left < 0 and key == layout.ledger("decisions", TUE):
                self._left = 1_000_000
                run(fast, TUE)
                run(fast, WED)
            super().put(key, data)

    fast = three_days(tmp_path)
    slow = cast("Store", Slow(FolderStore(tmp_path / "ledger"), -1))
    run(replace(fast, lake=replace(fast.lake, ledger=slow)), TUE)
    assert {r["phase"] for r in rows(fast, "decisions", TUE)} == {"plan", "execute"}
    all_days(three_days(tmp_path / "clean"))
    for day in (THU, NEXT_FRI):
        run(fast, day)
    assert objects(tmp_path) == objects(tmp_path / "clean")


def test_a_day_reads_two_sessions_however_long_the_history(tmp_path: Path) -> None:
    class Watching(Flaky):
        seen: set[str] = set()  # noqa: RUF012  one test, one object

        def __init__(self, store: Store) -> None:
            super().__init__(store, -1)

        def get(self, key: str) -> bytes:
            self.seen.add(key.split("=")[1][:10])
            return super().get(key)

        def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
            self.seen.add(prefix.split("=")[1][:10] if "=" in prefix else "everything")
            return super().list(prefix)

    env = three_days(tmp_path)
    days = sessions.sessions_between(TUE, date(2026, 3, 20))
    bars: Bars = {(d, "NVDA"): FLAT for d in (FRI, MON, *days)}
    for day in days:
        know(tmp_path, day, bars)
        publish(tmp_path, day, signal("NVDA", "HOLD"))
        if day == days[-1]:
            watching = Watching(env.lake.ledger)
            env = replace(env, lake=replace(env.lake, ledger=cast("Store", watching)))
        run(env, day)
    assert Watching.seen == {str(d) for d in days[-3:]}


# ---------------------------------------------------------------- words


def test_the_digest_tells_signals_orders_reasons_and_portfolio(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    publish(tmp_path, TUE, signal("NVDA"), signal("AAPL", confidence=0.5), signal("T", "HOLD"))
    market(tmp_path, {**THREE_DAYS, (MON, "AAPL"): FLAT}, (TUE,))
    settled, planned = run(env, TUE)
    subject, text = digest(planned, settled)
    assert subject == "[SIMULATED] Digest 2026-03-03: 1 to buy, 0 to sell, 1 blocked"
    assert text.startswith("[SIMULATED] ")
    assert "Signals (2 of 3 tickers)" in text
    assert "BUY  NVDA   20 at about $100.00 = $2,000, risk $4.00 a share" in text
    assert "AAPL   confidence: confidence 0.500 against 0.700" in text
    assert "equity $121,000.00" in text
    settled, planned = run(env, WED)
    _, text = digest(planned, settled)
    assert "BUY  NVDA   19 at $100.05 (signal)" in text
    assert "NVDA   19 at 100.05, now 102.00 (+$37.05), 1 sessions, stop 96.05" in text


def test_a_trade_alert_names_side_and_symbol(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    all_days(env)
    subject, text = trade_alert(rows(env, "trades", TUE)[0])
    assert subject == "[SIMULATED] Trade Alert: BUY NVDA"
    assert text == "[SIMULATED] large-100k: BUY NVDA, 19 of 19 at $100.05 (signal)\n"
    _, text = trade_alert(rows(env, "trades", THU)[0])
    assert text.endswith("(target), realised +$150.97\n")


def test_an_order_that_found_no_price_is_announced_as_such(tmp_path: Path) -> None:
    env = three_days(tmp_path)
    without_tuesday = {k: v for k, v in THREE_DAYS.items() if k[0] != TUE}
    market(tmp_path, {**without_tuesday, (TUE, "SPY"): FLAT}, (WED,))
    run(env, TUE)
    settled, planned = run(env, WED)
    _, text = trade_alert(settled.trades[0])
    assert "BUY NVDA, expired, nothing filled (signal; no bar of 2026-03-03" in text
    assert "BUY  NVDA   expired: signal; no bar" in digest(planned, settled)[1]
