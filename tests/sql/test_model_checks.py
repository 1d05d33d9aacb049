"""Each check lets a sound session pass, and finds each way in which one can be wrong."""

# ruff: noqa: DTZ001  the lake's timestamps are UTC without a zone
from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services, settings
from cashtag.lake.contracts import contract
from cashtag.signals import checks, models
from cashtag.warehouse import sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

SESSION, BEFORE = date(2026, 3, 4), date(2026, 3, 3)
CUTOFF = datetime(2026, 3, 4, 12)

# One sound ticker-session, all columns that any check looks at.
SENTIMENT: dict[str, Any] = {
    "session": SESSION,
    "ticker": "NVDA",
    "n_tweets": 60,
    "n_effective": 40.0,
    "n_authors": 50,
    "hhi_author": 0.03,
    "share_positive": 0.5,
    "share_neutral": 0.3,
    "share_negative": 0.2,
    "duplicate_share": 0.1,
    "flagged_share": 0.2,
    "polarity": 0.3,
    "polarity_plain": 0.2,
    "polarity_shrunk": 0.25,
    "polarity_reference": 0.2,
    "confidence_reference": 0.1,
    "variance": 0.1,
    "se": 0.05,
    "previous_session": BEFORE,
    "previous_polarity": 0.1,
    "previous_n_effective": 30.0,
    "polarity_change": 0.2,
    "change_se": 0.07,
    "coverage": 1.0,
    "partial": False,
    "top_tweet_ids": '["11","12"]',
    "model_version": "lexicon-1",
    "confidence": 0.7,
    "unread_share": 0.4,
}
FEATURES: dict[str, Any] = {
    "session": SESSION,
    "ticker": "NVDA",
    "last_session": BEFORE,
    "open": 10.0,
    "high": 12.0,
    "low": 9.0,
    "close": 11.0,
    "adjusted_close": 11.0,
    "volume": 1000,
    "volume_ratio": 1.5,
    "trend_state": 1,
    "weekly_trend": -1,
    "cross": "golden",
    "cross_text": "NVDA is in an Uptrend. Consider a buy opportunity.",
    "atr14": 1.0,
    "volatility20": 0.3,
    "regime_multiplier": 1.0,
    "n_bars": 300,
}
STOCK: dict[str, Any] = {
    "session": SESSION,
    "ticker": "NVDA",
    "kind": "STOCK",
    "as_of": CUTOFF,
    "direction": "BUY",
    "instrument": "STOCK",
    "confidence": 0.99,
    "sentiment_signal": "BUY",
    "sentiment_confidence": 0.99,
    "trend_signal": "BUY",
    "trend_confidence": 0.6,
    "polarity_change": 0.2,
    "regime_multiplier": 1.0,
}
OPTION: dict[str, Any] = {**STOCK, "kind": "OPTION", "instrument": "CALL", "confidence": 0.6}
RANK: dict[str, Any] = {"session": SESSION, "ticker": "NVDA", "score": 0.4, "rank": 1}
TWEET: dict[str, Any] = {
    "dt": SESSION,
    "session": SESSION,
    "ticker": "NVDA",
    "tweet_id": "11",
    "created_at": datetime(2026, 3, 4, 11, 59, 59),
    "polarity": 0.3,
    "lang": "en",
    "models": None,
}

Run = Callable[..., dict[str, checks.Finding]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    warehouse = DuckDBWarehouse(services.folder_lake(tmp_path_factory.mktemp("lake")))
    env: Any = SimpleNamespace(
        settings=settings.load(environ={}), scorer=SimpleNamespace(version="lexicon-1")
    )
    params = models.parameters(env, SESSION, SESSION, coverage=1.0, partial=False)

    def rows(table: str, given: list[dict[str, Any]]) -> pa.Table:
        own = contract(table)
        schema = own.arrow_schema().append(pa.field(own.partition, pa.date32()))
        return pa.Table.from_pylist(
            given, schema=pa.schema([f.with_nullable(True) for f in schema])
        )

    def go(
        sentiment: list[dict[str, Any]] | None = None,
        features: list[dict[str, Any]] | None = None,
        signals: list[dict[str, Any]] | None = None,
        ranking: list[dict[str, Any]] | None = None,
        tweets: list[dict[str, Any]] | None = None,
    ) -> dict[str, checks.Finding]:
        def chosen(given: list[dict[str, Any]] | None, sound: list[dict[str, Any]]) -> Any:
            return sound if given is None else given

        tables = {
            "daily_sentiment": rows("daily_sentiment", chosen(sentiment, [SENTIMENT])),
            "daily_features": rows("daily_features", chosen(features, [FEATURES])),
            "daily_signals": rows("daily_signals", chosen(signals, [STOCK, OPTION])),
            "ranking": rows("ranking", chosen(ranking, [RANK])),
            "daily_news": rows("daily_news", []),
            "tweets": rows("tweets", chosen(tweets, [TWEET])),
        }
        return {finding.check: finding for finding in checks.run(warehouse, params, tables)}

    return go


def test_a_sound_session_passes_every_check(run: Run) -> None:
    assert run() == {}


def test_an_empty_session_passes_every_check(run: Run) -> None:
    assert run([], [], [], [], []) == {}


def test_every_check_says_whether_it_fails_or_warns() -> None:
    levels = {name: sql.load("checks", name).level for name in sql.names("checks")}
    assert None not in levels.values()
    assert {name for name, level in levels.items() if level == "warn"} == {
        "answers_drift",
        "features_stale",
        "labels_varied",
        "models_absent",
        "regime_known",
        "tweets_answered",
        "tweets_foreign",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_authors": 61},
        {"n_effective": 60.1},
        {"n_effective": 0.9},
        {"hhi_author": 1.1},
        {"share_positive": 0.6},  # the three sum to 1.1
        {"duplicate_share": -0.1},
        {"flagged_share": 1.1},
        {"polarity_plain": -1.1},
        {"polarity": 1.2, "polarity_change": 1.1},
        {"polarity_reference": -1.1},
        {"confidence_reference": 1.1},
        {"se": -0.1},
        {"coverage": 1.1},
        {"previous_session": SESSION},
        {"n_effective": 4.0},  # a change although this side does not pass
        {"previous_n_effective": None},  # or the other is unknown
        {"polarity_change": None, "change_se": None},  # none although both pass
        {"previous_n_effective": 1.0, "polarity_change": None},  # an error of no change
        {"polarity_change": 0.0},  # 0 for 0.2
    ],
    ids=str,
)
def test_sentiment_that_cannot_be(run: Run, wrong: dict[str, Any]) -> None:
    found = run(sentiment=[{**SENTIMENT, **wrong}])
    assert set(found) == {"sentiment_ranges"}
    assert found["sentiment_ranges"].level == "fail"


@pytest.mark.parametrize(
    "wrong",
    [
        {"last_session": SESSION},  # the future
        {"n_bars": 0},
        {"close": 0.0},
        {"low": 13.0},
        {"volume": -1},
        {"atr14": -1.0},
        {"trend_state": 2},
        {"cross": "silver"},
        {"cross_text": None},
        {"regime_multiplier": 1.5},
    ],
    ids=str,
)
def test_features_that_cannot_be(run: Run, wrong: dict[str, Any]) -> None:
    found = run(features=[{**FEATURES, **wrong}])
    assert set(found) == {"features_ranges"}
    assert found["features_ranges"].level == "fail"


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (STOCK, {"direction": "LONG"}),
        (STOCK, {"direction": "HOLD"}),  # with an instrument
        (STOCK, {"instrument": "NONE"}),
        (STOCK, {"instrument": "CALL"}),
        (OPTION, {"instrument": "PUT"}),
        (OPTION, {"direction": "SELL", "sentiment_signal": "SELL", "trend_signal": "SELL"}),
        (STOCK, {"direction": "SELL", "instrument": "STOCK"}),  # neither signal says so
        (STOCK, {"trend_signal": "SELL"}),  # contradicted, and yet it fires
        (STOCK, {"confidence": None}),
        (STOCK, {"confidence": 1.1}),
        (STOCK, {"confidence": -0.1}),
        (STOCK, {"polarity_change": None}),
        (STOCK, {"regime_multiplier": None}),
        (STOCK, {"sentiment_confidence": 1.2}),
        (STOCK, {"trend_confidence": -0.2}),
        (STOCK, {"as_of": datetime(2026, 3, 4, 12, 0, 1)}),
    ],
    ids=str,
)
def test_signals_that_cannot_be(run: Run, row: dict[str, Any], wrong: dict[str, Any]) -> None:
    other = OPTION if row is STOCK else STOCK
    found = run(signals=[{**row, **wrong}, other])
    assert set(found) == {"signals_rules"}
    assert found["signals_rules"].level == "fail"


@pytest.mark.parametrize(
    "tables",
    [
        {"signals": [STOCK]},  # no OPTION row
        {"signals": []},
        {"ranking": []},
        {"sentiment": [], "features": []},  # signals of a ticker that nobody knows
        {"features": [FEATURES, {**FEATURES, "ticker": "AMD"}]},
    ],
    ids=lambda tables: ", ".join(tables),
)
def test_every_known_ticker_has_its_rows(run: Run, tables: dict[str, Any]) -> None:
    found = run(**tables)
    assert found["signals_complete"].level == "fail"


@pytest.mark.parametrize("wrong", [{"rank": 2}, {"score": 1.1}, {"score": -0.1}], ids=str)
def test_ranks_follow_the_score(run: Run, wrong: dict[str, Any]) -> None:
    assert set(run(ranking=[{**RANK, **wrong}])) == {"ranking_order"}


def test_a_tweet_from_the_cutoff_on_is_found_behind_a_signal(run: Run) -> None:
    late = {**TWEET, "created_at": CUTOFF}
    assert run(tweets=[late])["nothing_after_cutoff"].rows == (
        {"ticker": "NVDA", "tweet_id": "11", "created_at": CUTOFF},
    )
    # One that is behind no signal may lie there; 1 is no part of 11.
    assert run(tweets=[{**late, "tweet_id": "99"}, {**late, "tweet_id": "1"}]) == {}


def test_warnings_do_not_fail(run: Run) -> None:
    found = run(
        sentiment=[
            {**SENTIMENT, "share_positive": 0.98, "share_neutral": 0.01, "share_negative": 0.01}
        ],
        features=[{**FEATURES, "last_session": date(2026, 3, 2), "regime_multiplier": None}],
        tweets=[TWEET, {**TWEET, "tweet_id": "12", "polarity": None}],
    )
    assert set(found) == {"features_stale", "labels_varied", "regime_known", "tweets_answered"}
    assert {finding.level for finding in found.values()} == {"warn"}
    checks.refuse(tuple(found.values()), "session")  # raises nothing


def test_few_tweets_of_one_label_are_no_warning(run: Run) -> None:
    one_sided = {"share_positive": 1.0, "share_neutral": 0.0, "share_negative": 0.0}
    assert run(sentiment=[{**SENTIMENT, **one_sided, "n_tweets": 49, "n_authors": 40}]) == {}
