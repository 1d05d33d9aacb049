"""How often conditions and gates fire: counted over published tables, unknown kept apart."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services, settings
from cashtag.errors import InputError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Env, Lake
from cashtag.signals import thresholds
from cashtag.warehouse.duckdb import DuckDBWarehouse

ONE, TWO = date(2026, 3, 9), date(2026, 3, 10)


def mood(ticker: str, **changes: Any) -> dict[str, Any]:
    row = {
        "ticker": ticker,
        "n_tweets": 9,
        "n_effective": 8.0,
        "previous_n_effective": 8.0,
        "n_authors": 5,
        "polarity": 0.4,
        "polarity_change": 0.3,
        "change_se": 0.1,
        "confidence_reference": 0.2,
        "partial": False,
        "top_tweet_ids": "[]",
        "model": "m",
        "model_version": "v",
        "config_hash": "c",
        "run_id": "r",
    }
    return {**row, **changes}


def price(ticker: str, **changes: Any) -> dict[str, Any]:
    row = {
        "ticker": ticker,
        "last_session": ONE,
        "adjusted_close": 110.0,
        "sma20": 100.0,
        "trend_state": 1,
        "volume_ratio": 1.5,
        "breakout": True,
        "anomaly": False,
        "regime_multiplier": 0.5,
        "n_bars": 100,
        "config_hash": "c",
        "run_id": "r",
    }
    return {**row, **changes}


def decision(sequence: int, gate: str, verdict: str, **changes: Any) -> dict[str, Any]:
    row = {
        "plan": "p",
        "phase": "plan",
        "account": "a",
        "ticker": "NVDA",
        "instrument": "STOCK",
        "leg": "entry",
        "sequence": sequence,
        "gate": gate,
        "verdict": verdict,
        "reason": "because",
        "mode": "simulated",
    }
    return {**row, **changes}


def put(lake: Lake, table: str, session: date, given: list[dict[str, Any]]) -> None:
    own = contract(table)
    rows = pa.Table.from_pylist(given, schema=own.arrow_schema())
    zone = lake.ledger if own.zone == "ledger" else lake.signals
    key = layout.ledger if own.zone == "ledger" else layout.signals
    zone.put(key(table, session), parquet.write(own, rows))


@pytest.fixture
def env(tmp_path: Path) -> Env:
    lake = services.folder_lake(tmp_path)
    parts: Any = {
        "settings": settings.load(environ={}),
        "lake": lake,
        "warehouse": DuckDBWarehouse(lake),
        "source": None,
        "scorer": SimpleNamespace(version="v"),
    }
    return Env(**parts)


def by_condition(rates: tuple[thresholds.Rate, ...], topic: str) -> dict[str, tuple[int, int]]:
    return {rate.condition: (rate.n, rate.n_of) for rate in rates if rate.topic == topic}


def test_each_condition_of_sentiment_is_counted_alone_and_together(env: Env) -> None:
    put(
        env.lake,
        "daily_sentiment",
        ONE,
        [
            mood("A"),  # all three
            mood("B", polarity_change=0.1, change_se=0.01),  # significant, not far
            mood("C", change_se=0.2),  # far, not significant
            mood("D", polarity=-0.1),  # far and significant, of the wrong sign
            mood("E", previous_n_effective=1.0, polarity_change=None, change_se=None),
        ],
    )
    put(env.lake, "daily_sentiment", TWO, [mood("A", n_effective=None, polarity_change=None)])
    got = by_condition(thresholds.review(env, ONE, TWO), "sentiment")
    assert got == {
        "enough tweets in this session": (5, 6),
        "enough tweets in both sessions": (4, 6),
        "change reaches the threshold": (3, 4),
        "change reaches its standard errors": (3, 4),
        "level has the sign of the change": (3, 4),
        "all three": (1, 4),
        "z is known": (0, 6),
        "z is 2 or more either way": (0, 0),
    }


def test_conditions_of_price_and_regimes_are_counted(env: Env) -> None:
    put(
        env.lake,
        "daily_features",
        ONE,
        [
            price("A", cross="golden", cross_text="up"),
            price("B", adjusted_close=90.0, trend_state=-1, volume_ratio=2.5),
            price("C", volume_ratio=1.0, breakout=False, anomaly=True),
            price("D", sma20=None, trend_state=None, breakout=None),
        ],
    )
    put(env.lake, "daily_features", TWO, [price("A", regime_multiplier=None)])
    rates = thresholds.review(env, ONE, TWO)
    got = by_condition(rates, "trend")
    assert got["mean, trend and volume are known"] == (4, 5)
    assert got["price above its long mean"] == (3, 4)
    assert got["volume above its threshold"] == (3, 4)
    assert got["volume above the bonus threshold"] == (1, 4)
    assert got["all three, bullish"] == (2, 4)
    assert got["all three, bearish"] == (1, 4)
    assert got["breakout"] == (3, 5)
    assert got["anomaly"] == (1, 5)
    assert got["golden cross"] == (1, 5)
    assert got["death cross"] == (0, 5)
    assert by_condition(rates, "regime") == {"multiplier 0.5": (1, 2), "unknown": (1, 2)}


def test_gates_are_counted_by_phase_in_the_order_in_which_they_speak(env: Env) -> None:
    put(
        env.lake,
        "decisions",
        ONE,
        [
            decision(1, "kill switch", "pass"),
            decision(2, "coverage", "block"),
            decision(1, "kill switch", "pass", ticker="AMD"),
            decision(2, "coverage", "pass", ticker="AMD"),
            decision(3, "regime", "error", ticker="AMD"),
            decision(1, "kill switch", "block", phase="execute"),
        ],
    )
    rates = thresholds.review(env, ONE, TWO)
    gates = [(r.topic, r.condition, r.n, r.n_of) for r in rates if r.topic.startswith("gates")]
    assert gates == [
        ("gates: execute", "kill switch", 1, 1),
        ("gates: plan", "kill switch", 0, 2),
        ("gates: plan", "coverage", 1, 2),
        ("gates: plan", "regime", 1, 1),  # a gate that fails has blocked
    ]


def test_the_largest_confidence_is_shown(env: Env) -> None:
    put(
        env.lake,
        "daily_sentiment",
        ONE,
        [mood("A", confidence_reference=0.27), mood("B", confidence_reference=0.01)],
    )
    found = {r.condition: r for r in thresholds.review(env, ONE, ONE) if r.topic == "confidence"}
    assert found["of the reference"].largest == 0.27
    assert found["of the reference"].share == pytest.approx(0.14)
    assert found["of the trend"].largest is None


def test_todays_settings_judge_yesterdays_tables(env: Env) -> None:
    put(env.lake, "daily_sentiment", ONE, [mood("A")])
    strict = settings.load(environ={}, overrides={"signals.change_sigmas": 5.0})
    other = Env(strict, env.lake, env.warehouse, env.source, env.scorer)
    assert by_condition(thresholds.review(env, ONE, ONE), "sentiment")["all three"] == (1, 1)
    assert by_condition(thresholds.review(other, ONE, ONE), "sentiment")["all three"] == (0, 1)


def test_an_empty_lake_has_no_rates_but_says_so(env: Env) -> None:
    rates = thresholds.review(env, ONE, TWO)
    assert {rate.share for rate in rates} == {None}
    assert {rate.n for rate in rates} == {0}


def test_dates_in_the_wrong_order_are_refused(env: Env) -> None:
    with pytest.raises(InputError, match="2026-03-10 is after the last, 2026-03-09"):
        thresholds.review(env, TWO, ONE)
