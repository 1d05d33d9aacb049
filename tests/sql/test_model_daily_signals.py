"""daily_signals: what sentiment and price say, alone and together, in both profiles."""

# ruff: noqa: DTZ001  the lake's timestamps are UTC without a zone
from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services, settings
from cashtag.lake.contracts import contract
from cashtag.signals import models
from cashtag.warehouse import sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

SESSION = date(2026, 3, 4)
BEFORE = date(2026, 3, 3)
QUERY = sql.load("sql", "daily_signals")


def params(profile: str, environment: str = "dev", **overrides: Any) -> dict[str, Any]:
    """Parameters as settings give them; `overrides` are dotted settings."""
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    chosen = settings.load(
        environ={}, profile=profile, overrides={"environment": environment, **dotted}
    )
    env = SimpleNamespace(settings=chosen, scorer=SimpleNamespace(version="lexicon-1"))
    given = models.parameters(env, SESSION, SESSION, coverage=0.9, partial=False)  # type: ignore[arg-type]
    return {name: given[name] for name in QUERY.parameters}


def mood(ticker: str = "XYZ", **changes: Any) -> dict[str, Any]:
    """Sentiment that says BUY in dev: from 0.10 to 0.40, three standard errors."""
    row = {
        "session": SESSION,
        "ticker": ticker,
        "n_tweets": 12,
        "n_effective": 9.0,
        "polarity": 0.4,
        "previous_polarity": 0.1,
        "previous_n_effective": 8.0,
        "polarity_change": 0.3,
        "change_se": 0.1,
        "confidence_reference": 0.2,
        "z": 1.5,
        "top_tweet_ids": '["7","8"]',
        "model": "lexicon",
        "model_version": "lexicon-1",
    }
    return {**row, **changes}


def price(ticker: str = "XYZ", **changes: Any) -> dict[str, Any]:
    """Bullish, with confidence 0.35 x 1 + 0 + 0.20 x 0.5 + 0.20 x 1 = 0.65."""
    row = {
        "session": SESSION,
        "ticker": ticker,
        "last_session": BEFORE,
        "close": 220.0,  # as traded, before a split: not to be compared with the mean
        "adjusted_close": 110.0,
        "sma20": 100.0,
        "atr14": 4.0,  # 10 away of 2 x 4: one, at most
        "volume_ratio": 1.5,
        "trend_state": 1,
        "breakout": False,
        "cross": None,
        "regime_multiplier": 1.0,
    }
    return {**row, **changes}


BEARISH = {"adjusted_close": 90.0, "trend_state": -1}
SOUR = {"polarity": -0.2, "previous_polarity": 0.1, "polarity_change": -0.3}


def rows(table: str, given: list[dict[str, Any]]) -> pa.Table:
    own = contract(table)
    schema = own.arrow_schema().append(pa.field(own.partition, pa.date32()))
    return pa.Table.from_pylist(given, schema=pa.schema([f.with_nullable(True) for f in schema]))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    return DuckDBWarehouse(services.folder_lake(tmp_path_factory.mktemp("lake")))


Signals = Callable[..., dict[tuple[str, str], dict[str, Any]]]


@pytest.fixture
def signals(warehouse: DuckDBWarehouse) -> Signals:
    def run(
        sentiment: list[dict[str, Any]],
        features: list[dict[str, Any]],
        news: list[dict[str, Any]] | None = None,
        **given: Any,
    ) -> dict[tuple[str, str], dict[str, Any]]:
        made = warehouse.query(
            QUERY.text,
            given.pop("params", None) or {**params("sound"), **given},
            table="daily_signals",
            tables={
                "daily_sentiment": rows("daily_sentiment", sentiment),
                "daily_features": rows("daily_features", features),
                "daily_news": rows("daily_news", news or []),
            },
        )
        return {(row["ticker"], row["kind"]): row for row in made.to_pylist()}

    return run


# ---------------------------------------------------------------- sentiment alone


def confidence(change: float, error: float) -> float:
    return 2 * NormalDist().cdf(abs(change) / error) - 1


@pytest.mark.parametrize(
    ("changes", "signal", "reason"),
    [
        ({}, "BUY", "far, significant, and positive"),
        (SOUR, "SELL", "far, significant, and negative"),
        ({"polarity_change": 0.15, "change_se": 0.05}, "BUY", "exactly the threshold is enough"),
        ({"polarity_change": 0.1499, "change_se": 0.05}, "HOLD", "not far enough"),
        ({"change_se": 0.16}, "HOLD", "1.875 standard errors: chance moves it so far"),
        ({"polarity_change": 0.196, "change_se": 0.1}, "BUY", "exactly 1.96 standard errors"),
        ({"polarity": -0.01}, "HOLD", "it rose, but the mood is still bad"),
        ({**SOUR, "polarity": 0.05}, "HOLD", "it fell, but the mood is still good"),
        ({"polarity": 0.0}, "HOLD", "a level of 0 has no sign"),
        ({"polarity_change": None, "change_se": None}, "HOLD", "unknown is no change"),
        ({"change_se": None}, "HOLD", "an unknown error blocks"),
        ({"change_se": 0.0}, "HOLD", "no spread at all is too good to be known"),
    ],
)
def test_sentiment_fires_on_a_far_significant_move_to_where_it_points(
    signals: Signals, changes: dict[str, Any], signal: str, reason: str
) -> None:
    got = signals([mood(**changes)], [])["XYZ", "STOCK"]
    assert got["sentiment_signal"] == signal, reason
    assert got["direction"] == signal
    assert got["instrument"] == ("NONE" if signal == "HOLD" else "STOCK")


def test_prod_asks_for_a_larger_move(signals: Signals) -> None:
    given = mood(polarity_change=0.19, change_se=0.05)
    assert signals([given], [])["XYZ", "STOCK"]["direction"] == "BUY"
    got = signals([given], [], params=params("sound", "prod"))["XYZ", "STOCK"]
    assert (got["direction"], got["change_threshold"]) == ("HOLD", 0.2)


def test_confidence_is_the_normal_probability_of_so_large_a_move(signals: Signals) -> None:
    got = signals([mood()], [])["XYZ", "STOCK"]
    assert got["sentiment_confidence"] == pytest.approx(0.9973002039, abs=1e-9)  # three sigmas
    assert got["confidence"] == got["sentiment_confidence"]
    # Where it fires it is at least 0.95, because 1.96 standard errors are.
    edge = signals([mood(polarity_change=0.196)], [])["XYZ", "STOCK"]
    assert edge["sentiment_confidence"] == pytest.approx(confidence(0.196, 0.1), abs=1e-9)
    assert edge["sentiment_confidence"] >= 0.95
    # And it is known where the signal does not fire.
    weak = signals([mood(polarity_change=0.1)], [])["XYZ", "STOCK"]
    assert weak["direction"] == "HOLD"
    assert weak["confidence"] == pytest.approx(confidence(0.1, 0.1), abs=1e-9)


def test_a_symbol_may_only_raise_the_confidence_needed(signals: Signals) -> None:
    given = [mood("NVDA", polarity_change=0.2), mood("AMD", polarity_change=0.2)]  # 0.9545
    raised = params("sound", watchlist__stocks__NVDA__sentiment_threshold=0.99)
    got = signals(given, [], params=raised)
    assert got["NVDA", "STOCK"]["direction"] == "HOLD"
    assert got["AMD", "STOCK"]["direction"] == "BUY"
    lowered = params("sound", watchlist__stocks__NVDA__sentiment_threshold=0.01)
    weak = [mood("NVDA", change_se=0.2)]  # 1.5 standard errors: 0.866
    assert signals(weak, [], params=lowered)["NVDA", "STOCK"]["direction"] == "HOLD"


@pytest.mark.parametrize(
    ("ticker", "value", "environment", "signal", "reason"),
    [
        ("XYZ", 0.75, "dev", "BUY", "the threshold of dev; the symbol's 0.70 is lower"),
        ("XYZ", 0.7499, "dev", "HOLD", "below 0.75"),
        ("META", 0.70, "dev", "HOLD", "a symbol's 0.68 does not lower 0.75"),
        ("XYZ", 0.81, "prod", "HOLD", "prod asks for 0.82"),
        ("XYZ", 0.82, "prod", "BUY", "and gets it"),
        ("XYZ", 0.27, "dev", "HOLD", "the largest on real data"),
        ("XYZ", None, "dev", "HOLD", "unknown"),
    ],
)
def test_the_reference_asks_for_its_own_confidence(
    signals: Signals, ticker: str, value: float | None, environment: str, signal: str, reason: str
) -> None:
    # A huge error and a level of the other sign do not matter to it.
    given = mood(ticker, confidence_reference=value, change_se=0.9, polarity=-0.1)
    got = signals([given], [], params=params("reference", environment))[ticker, "STOCK"]
    assert got["sentiment_signal"] == signal, reason
    assert got["sentiment_confidence"] == value


def test_the_reference_still_asks_for_a_change(signals: Signals) -> None:
    given = [
        mood("A", confidence_reference=0.9, polarity_change=0.14),
        mood("B", confidence_reference=0.9, polarity_change=None, change_se=None),
        mood("C", confidence_reference=0.9, polarity_change=-0.15),
    ]
    got = signals(given, [], params=params("reference"))
    assert [got[t, "STOCK"]["sentiment_signal"] for t in "ABC"] == ["HOLD", "HOLD", "SELL"]


# ---------------------------------------------------------------- price alone


@pytest.mark.parametrize(
    ("changes", "signal", "value", "reason"),
    [
        # .35 x min(1, 10 / 8) + .25 x 0 + .20 x 0.5 + .20 x 1
        ({}, "BUY", 0.65, "above its mean, rising, busy"),
        (BEARISH, "SELL", 0.65, "the mirror image"),
        ({"adjusted_close": 104.0}, "BUY", 0.475, ".35 x 4/8 = .175 for the distance"),
        ({"adjusted_close": 102.0}, "HOLD", 0.3875, ".35 x 2/8: conditions met, not fired"),
        ({"breakout": True}, "BUY", 0.90, "a breakout adds .25"),
        ({"cross": "golden"}, "BUY", 0.90, "so does a cross in that direction"),
        ({"cross": "death"}, "BUY", 0.65, "one in the other does not"),
        ({**BEARISH, "cross": "death"}, "SELL", 0.90, "a death cross is bearish"),
        ({**BEARISH, "cross": "golden"}, "SELL", 0.65, "a golden one is not"),
        ({"breakout": True, "cross": "golden"}, "BUY", 0.90, "both count once"),
        # .35 + .20 x clip(1.1) + .20 = .75, x 1.15
        ({"volume_ratio": 2.1}, "BUY", 0.8625, "more than twice the volume"),
        ({"volume_ratio": 2.0}, "BUY", 0.75, "exactly twice is not more"),
        ({"volume_ratio": 2.1, "breakout": True}, "BUY", 1.0, "1.15 x 1.00 is clipped"),
        ({"regime_multiplier": 0.5}, "BUY", 0.55, "a wild market takes .10"),
        ({"regime_multiplier": 0.0}, "HOLD", 0.45, "exactly .45 does not fire"),
        ({"regime_multiplier": None}, "HOLD", None, "an unknown regime blocks"),
        ({"volume_ratio": 1.2}, "HOLD", None, "volume must be more than 1.2 times"),
        ({"trend_state": 0}, "HOLD", None, "no trend"),
        ({"trend_state": -1}, "HOLD", None, "price above, trend below"),
        ({"adjusted_close": 100.0}, "HOLD", None, "on the mean"),
        ({"trend_state": None}, "HOLD", None, "unknown trend"),
        ({"sma20": None}, "HOLD", None, "unknown mean"),
        ({"atr14": None}, "HOLD", None, "unknown range"),
        ({"atr14": 0.0}, "HOLD", None, "a range of 0 measures nothing"),
    ],
)
def test_the_trend_signal(
    signals: Signals, changes: dict[str, Any], signal: str, value: float | None, reason: str
) -> None:
    got = signals([], [price(**changes)])["XYZ", "OPTION"]
    assert got["trend_signal"] == signal, reason
    assert got["trend_confidence"] == (None if value is None else pytest.approx(value)), reason
    assert got["confidence"] == got["trend_confidence"]
    assert got["direction"] == signal
    assert got["instrument"] == {"BUY": "CALL", "SELL": "PUT", "HOLD": "NONE"}[signal]


def test_sentiment_that_agrees_adds_a_bonus(signals: Signals) -> None:
    assert signals([mood()], [price()])["XYZ", "OPTION"]["trend_confidence"] == pytest.approx(
        0.65 * 1.15
    )
    # Agreement is a signal that fired, not a good mood.
    calm = mood(polarity_change=0.1)
    assert signals([calm], [price()])["XYZ", "OPTION"]["trend_confidence"] == pytest.approx(0.65)
    both = signals([mood(**SOUR)], [price(**BEARISH, volume_ratio=2.5)])["XYZ", "OPTION"]
    assert both["trend_confidence"] == pytest.approx(0.75 * 1.15 * 1.15)


# ---------------------------------------------------------------- both


@pytest.mark.parametrize(
    ("sentiment", "features", "stock", "option", "reason"),
    [
        (mood(), price(), ("BUY", "STOCK"), ("BUY", "CALL"), "they agree"),
        (mood(**SOUR), price(**BEARISH), ("SELL", "STOCK"), ("SELL", "PUT"), "they agree"),
        (mood(), price(**BEARISH), ("HOLD", "NONE"), ("HOLD", "NONE"), "opposite signs"),
        (mood(**SOUR), price(), ("HOLD", "NONE"), ("HOLD", "NONE"), "opposite signs"),
        (mood(), price(trend_state=0), ("BUY", "STOCK"), ("HOLD", "NONE"), "price is silent"),
        (
            mood(polarity_change=0.0),
            price(),
            ("HOLD", "NONE"),
            ("BUY", "CALL"),
            "sentiment is silent",
        ),
    ],
)
def test_stocks_follow_sentiment_and_options_the_trend(
    signals: Signals,
    sentiment: dict[str, Any],
    features: dict[str, Any],
    stock: tuple[str, str],
    option: tuple[str, str],
    reason: str,
) -> None:
    got = signals([sentiment], [features])
    for kind, wanted in (("STOCK", stock), ("OPTION", option)):
        row = got["XYZ", kind]
        assert (row["direction"], row["instrument"]) == wanted, reason


def test_which_signal_a_row_follows_is_a_setting(signals: Signals) -> None:
    swapped = params("sound", signals__stock_rule="trend", signals__option_rule="sentiment")
    got = signals([mood(polarity_change=0.0)], [price(**BEARISH)], params=swapped)
    assert (got["XYZ", "STOCK"]["direction"], got["XYZ", "STOCK"]["instrument"]) == (
        "SELL",
        "STOCK",
    )
    assert got["XYZ", "STOCK"]["confidence"] == pytest.approx(0.65)
    assert got["XYZ", "OPTION"]["direction"] == "HOLD"


def test_every_ticker_of_either_side_has_two_rows(signals: Signals) -> None:
    got = signals([mood("TALK"), mood("BOTH")], [price("PRICE"), price("BOTH")])
    assert sorted(got) == [
        (ticker, kind) for ticker in ("BOTH", "PRICE", "TALK") for kind in ("OPTION", "STOCK")
    ]
    silent, unpriced = got["PRICE", "STOCK"], got["TALK", "STOCK"]
    unknown = ["n_tweets", "polarity", "polarity_change", "sentiment_confidence", "model", "z"]
    assert [silent[name] for name in unknown] == [None] * 6  # never 0
    assert silent["tweet_ids"] == "[]"
    assert (silent["coverage"], silent["partial"]) == (0.9, False)
    unknown = ["close", "sma20", "atr14", "last_session", "regime_multiplier", "trend_confidence"]
    assert [unpriced[name] for name in unknown] == [None] * 6


def test_a_row_carries_its_inputs(signals: Signals) -> None:
    news = [
        {"session": SESSION, "ticker": "XYZ", "n_news": 3, "polarity": 0.25},
        {"session": BEFORE, "ticker": "XYZ", "n_news": 9, "polarity": 0.9},
    ]
    got = signals([mood()], [price(breakout=True, cross="golden")], news)["XYZ", "STOCK"]
    carried = {
        "as_of": datetime(2026, 3, 4, 12),
        "n_tweets": 12,
        "n_effective": 9.0,
        "polarity": 0.4,
        "previous_polarity": 0.1,
        "polarity_change": 0.3,
        "change_se": 0.1,
        "change_threshold": 0.15,
        "z": 1.5,
        "last_session": BEFORE,
        "close": 220.0,
        "sma20": 100.0,
        "atr14": 4.0,
        "volume_ratio": 1.5,
        "trend_state": 1,
        "breakout": True,
        "cross": "golden",
        "regime_multiplier": 1.0,
        "n_news": 3,
        "news_polarity": 0.25,
        "tweet_ids": '["7","8"]',
        "model": "lexicon",
        "model_version": "lexicon-1",
    }
    assert {name: got[name] for name in carried} == carried


def test_other_sessions_are_not_read(signals: Signals) -> None:
    other = date(2026, 3, 5)
    got = signals(
        [mood(), mood("LATER", session=other)],
        [price("LATER", session=other), price(session=other)],
    )
    assert set(got) == {("XYZ", "STOCK"), ("XYZ", "OPTION")}
    assert got["XYZ", "STOCK"]["close"] is None


# ---------------------------------------------------------------- reasons


def test_reasons_say_in_words_what_was_compared(signals: Signals) -> None:
    got = signals([mood()], [price()])
    assert json.loads(got["XYZ", "STOCK"]["reasons"]) == [
        "Follows sentiment: BUY.",
        "Sentiment went from 0.10 to 0.40, a change of 0.30; 0.15 is needed.",
        "The change is 3.00 standard errors; 1.96 are needed.",
        "Confidence of sentiment 1.00; 0.70 is needed.",
        "Price is above its long mean, trend state 1, volume 1.50 times its mean; "
        "more than 1.20 is needed.",
        "Confidence of the trend 0.75; more than 0.45 is needed.",
    ]
    assert json.loads(got["XYZ", "OPTION"]["reasons"])[0] == "Follows price: BUY."


@pytest.mark.parametrize(
    ("sentiment", "features", "sentence"),
    [
        ([], [price()], "Nobody wrote about it in this session."),
        (
            [mood(polarity_change=None, change_se=None, previous_n_effective=3.04)],
            [],
            "Sentiment has no change: 9.0 effective tweets now, 3.0 in the session before; "
            "5.0 are needed in both.",
        ),
        (
            [mood(polarity_change=None, change_se=None, previous_n_effective=None)],
            [],
            "Sentiment has no change: 9.0 effective tweets now, none in the session before; "
            "5.0 are needed in both.",
        ),
        (
            [mood(polarity=-0.01)],
            [],
            "The level of sentiment does not have the sign of its change.",
        ),
        ([mood()], [], "Price gives no signal: too few bars are known."),
        (
            [],
            [price(regime_multiplier=None)],
            "The regime of the market is unknown, so price gives no signal.",
        ),
        (
            [mood()],
            [price(**BEARISH)],
            "Sentiment says BUY and price says SELL, so nothing is done.",
        ),
    ],
)
def test_reasons_name_what_is_missing(
    signals: Signals,
    sentiment: list[dict[str, Any]],
    features: list[dict[str, Any]],
    sentence: str,
) -> None:
    assert sentence in json.loads(signals(sentiment, features)["XYZ", "STOCK"]["reasons"])


def test_an_empty_session_gives_no_rows(signals: Signals) -> None:
    assert signals([], []) == {}
