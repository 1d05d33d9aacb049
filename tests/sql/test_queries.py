"""The named queries over a small lake: each row is there for a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.disk import FolderStore
from cashtag.ports import Lake
from cashtag.warehouse import sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)
at = datetime.fromisoformat  # UTC, naive as stored
Ask = Callable[..., list[dict[str, Any]]]

FILLING = {"string": "", "double": 0.0, "bigint": 0, "integer": 0, "boolean": False}
FILLING |= {"date": MONDAY, "timestamp": at("2026-01-05 12:00"), "array<string>": []}


def rows(table: str, *given: dict[str, Any]) -> pa.Table:
    """Rows with the given values; what may be null is null, the rest is empty or zero."""
    made = contract(table)
    empty = {c.name: None if c.nullable else FILLING[c.type] for c in made.columns}
    assert all(set(row) <= set(made.names) for row in given)
    return pa.Table.from_pylist([{**empty, **row} for row in given], schema=made.arrow_schema())


def put(lake: Lake, table: str, day: date, *given: dict[str, Any]) -> None:
    made = contract(table)
    keys = {"enriched": layout.enriched, "signals": layout.signals, "ledger": layout.ledger}
    store = getattr(lake, made.zone)
    store.put(keys[made.zone](table, day), parquet.write(made, rows(table, *given)))


def tweet(tweet_id: str, ticker: str, author: str, **more: Any) -> dict[str, Any]:
    """A neutral tweet with as many likes as engagement."""
    likes = more.get("engagement")
    base = {"likes": likes, "sentiment": "neutral", "polarity": 0.0, "sentiment_score": 0.5}
    return {"tweet_id": tweet_id, "ticker": ticker, "author": author, **base, **more}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root = tmp_path_factory.mktemp("lake")
    zones = ("raw", "enriched", "signals", "ledger", "report")
    lake = Lake(*(FolderStore(root / zone) for zone in zones))
    put(
        lake,
        "tweets",
        MONDAY,
        tweet("1", "NVDA", "ann", engagement=10, hour_ny=8, sentiment="positive", polarity=0.6),
        tweet("2", "NVDA", "bob", engagement=10, hour_ny=8, created_at=at("2026-01-05 11:00")),
        # names two tickers: two rows, one post
        tweet("3", "NVDA", "ann", engagement=5, hour_ny=22, sentiment="negative", polarity=-0.6),
        tweet("3", "TSLA", "ann", engagement=5, hour_ny=22, sentiment="negative", polarity=-0.6),
    )
    put(
        lake,
        "tweets",
        TUESDAY,
        # seen again a day later, with more likes
        tweet("1", "NVDA", "ann", engagement=12, hour_ny=8, sentiment="positive", polarity=0.6),
        # no counts known, and no answer of the model yet
        tweet("4", "TSLA", "cat", engagement=None, sentiment=None, polarity=None),
    )
    put(lake, "tweets", date(2025, 12, 31), tweet("0", "NVDA", "before", engagement=999))
    bars = {"adjusted_close": 10.0, "close": 10.0, "config_hash": "c", "run_id": "r"}
    put(
        lake,
        "daily_features",
        TUESDAY,
        {
            **bars,
            "ticker": "NVDA",
            "last_session": MONDAY,
            "change_percent": -6.5,
            "volume": 100,
            "anomaly": True,
        },
        {
            **bars,
            "ticker": "TSLA",
            "last_session": MONDAY,
            "change_percent": 2.0,
            "volume": 50,
            "anomaly": False,
        },
    )
    put(
        lake,
        "daily_features",
        WEDNESDAY,
        {
            **bars,
            "ticker": "NVDA",
            "last_session": TUESDAY,
            "change_percent": 5.5,
            "volume": 300,
            "anomaly": True,
        },
        # no new bar: Monday's once more
        {
            **bars,
            "ticker": "TSLA",
            "last_session": MONDAY,
            "change_percent": 2.0,
            "volume": 50,
            "anomaly": False,
        },
        # first bar of a ticker: no change known
        {**bars, "ticker": "XYZ", "last_session": TUESDAY, "change_percent": None, "volume": 7},
    )
    said = {
        "top_tweet_ids": "[]",
        "model": "m",
        "model_version": "v",
        "config_hash": "c",
        "run_id": "r",
    }
    put(
        lake,
        "daily_sentiment",
        MONDAY,
        {
            **said,
            "ticker": "NVDA",
            "n_tweets": 3,
            "polarity": 0.5,
            "coverage": 1.0,
            "duplicate_share": 0.2,
        },
        {
            **said,
            "ticker": "TSLA",
            "n_tweets": 1,
            "polarity": -0.6,
            "coverage": 0.9,
            "partial": True,
            "duplicate_share": 0.4,
        },
    )
    put(
        lake,
        "daily_sentiment",
        TUESDAY,
        {**said, "ticker": "NVDA", "n_tweets": 2, "polarity": 0.1, "polarity_change": -0.4},
    )
    order = {"account": "a", "symbol": "NVDA", "mode": "simulated", "simulated": True}
    put(
        lake,
        "trades",
        TUESDAY,
        {**order, "trade_id": "a-2", "timestamp": at("2026-01-06 14:35"), "status": "filled"},
        {**order, "trade_id": "a-1", "timestamp": at("2026-01-06 14:35"), "status": "canceled"},
    )
    put(
        lake,
        "trades",
        WEDNESDAY,
        {**order, "trade_id": "a-3", "timestamp": at("2026-01-07 14:35"), "status": "filled"},
    )
    held = {"equity": 1000.0, "previous_equity": 990.0, "instrument": "STOCK", "mode": "simulated"}
    put(
        lake,
        "positions",
        MONDAY,
        {**held, "account": "a", "symbol": "NVDA", "market_value": 400.0},
        {**held, "account": "b", "symbol": "CASH", "market_value": 1000.0},
    )
    put(
        lake,
        "positions",
        TUESDAY,
        {**held, "account": "a", "symbol": "TSLA", "market_value": 250.0},
        {**held, "account": "a", "symbol": "CASH", "market_value": 750.0},
    )
    return lake


@pytest.fixture(scope="module")
def ask(lake: Lake) -> Iterator[Ask]:
    with DuckDBWarehouse(lake) as warehouse:

        def answer(name: str, *columns: str, first: date = MONDAY, last: date = WEDNESDAY) -> Any:
            query = sql.load("queries", name)
            found = warehouse.query(query.text, {"first": first, "last": last})
            assert "first" in query.parameters
            return [tuple(row[c] for c in columns) for row in found.to_pylist()]

        yield answer


NAMES = [
    "ten_rows",
    "top_price_moves",
    "average_volume",
    "large_moves",
    "tweets_per_ticker",
    "sentiment_mix",
    "ticker_hours",
    "top_user_per_ticker",
    "top_users",
    "totals",
    "trades",
    "positions",
    "sentiment_against_price",
    "coverage",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_named_query_needs_a_first_and_a_last_day_only(name: str) -> None:
    assert set(sql.load("queries", name).parameters) == {"first", "last"}


def test_ten_rows_are_the_newest(ask: Ask) -> None:
    # Five of them at 12:00, by ticker, id and run; Bob's of 11:00 is the oldest.
    assert ask("ten_rows", "tweet_id", "ticker", "dt") == [
        ("1", "NVDA", MONDAY),
        ("1", "NVDA", TUESDAY),
        ("3", "NVDA", MONDAY),
        ("3", "TSLA", MONDAY),
        ("4", "TSLA", TUESDAY),
        ("2", "NVDA", MONDAY),
    ]


def test_the_largest_moves_count_each_bar_once(ask: Ask) -> None:
    assert ask("top_price_moves", "ticker", "last_session", "change_percent") == [
        ("NVDA", MONDAY, -6.5),  # the size counts, not the sign
        ("NVDA", TUESDAY, 5.5),
        ("TSLA", MONDAY, 2.0),  # stands in two sessions' features
    ]


def test_average_volume_counts_each_bar_once(ask: Ask) -> None:
    assert ask(
        "average_volume", "ticker", "n_sessions", "average_volume", "average_dollar_volume"
    ) == [
        ("NVDA", 2, 200.0, 2000.0),  # (100 + 300) / 2 shares at 10 dollars
        ("TSLA", 1, 50.0, 500.0),
        ("XYZ", 1, 7.0, 70.0),
    ]


def test_large_moves_show_what_was_said_on_the_day(ask: Ask) -> None:
    assert ask(
        "large_moves", "ticker", "last_session", "change_percent", "n_tweets", "polarity"
    ) == [
        ("NVDA", MONDAY, -6.5, 3, 0.5),
        ("NVDA", TUESDAY, 5.5, 2, 0.1),
    ]


def test_tweets_and_engagement_of_each_ticker(ask: Ask) -> None:
    assert ask("tweets_per_ticker", "ticker", "n_tweets", "n_authors", "likes", "engagement") == [
        # tweet 1 is one tweet with two sightings, whose counts both add: 10 + 10 + 5 + 12
        ("NVDA", 3, 2, 37, 37),
        ("TSLA", 2, 2, 5, 5),  # tweet 4 has no counts
    ]


def test_sentiment_mix_shares_add_up_within_a_ticker(ask: Ask) -> None:
    assert ask("sentiment_mix", "ticker", "sentiment", "n_tweets", "share") == [
        ("NVDA", "negative", 1, 0.25),
        ("NVDA", "neutral", 1, 0.25),
        ("NVDA", "positive", 2, 0.5),
        ("TSLA", "negative", 1, 1.0),  # tweet 4 waits for the model
    ]


def test_hours_of_each_ticker(ask: Ask) -> None:
    assert ask("ticker_hours", "ticker", "hour_ny", "n_tweets") == [
        ("NVDA", 8, 3),
        ("NVDA", 22, 1),
        ("TSLA", 0, 1),
        ("TSLA", 22, 1),
    ]


def test_the_top_user_of_each_ticker(ask: Ask) -> None:
    assert ask("top_user_per_ticker", "ticker", "author", "engagement", "n_tweets") == [
        ("NVDA", "ann", 27, 3),  # 10 + 5 + 12
        ("TSLA", "ann", 5, 1),  # cat's tweet has no counts
    ]


def test_top_users_count_a_post_once(ask: Ask) -> None:
    assert ask("top_users", "author", "n_tweets", "engagement", "most_tickers_in_a_tweet") == [
        ("ann", 2, 17, 2),  # tweet 1 with the larger of its counts, tweet 3 once
        ("bob", 1, 10, 1),
        ("cat", 1, 0, 1),
    ]


def test_totals_count_posts(ask: Ask) -> None:
    assert ask("totals", "n_tweets", "n_rows", "n_authors", "n_days", "likes") == [
        (4, 5, 3, 2, 27)  # ids 1 to 4; likes 12 + 10 + 5
    ]


def test_trades_are_newest_first(ask: Ask) -> None:
    assert ask("trades", "session", "trade_id") == [
        (WEDNESDAY, "a-3"),
        (TUESDAY, "a-1"),
        (TUESDAY, "a-2"),
    ]


def test_positions_are_those_of_each_accounts_last_session(ask: Ask) -> None:
    assert ask("positions", "account", "symbol", "session", "share_of_equity") == [
        ("a", "CASH", TUESDAY, 0.75),
        ("a", "TSLA", TUESDAY, 0.25),
        ("b", "CASH", MONDAY, 1.0),  # b was not settled on Tuesday
    ]


def test_sentiment_stands_beside_the_move_before_and_of_the_session(ask: Ask) -> None:
    columns = (
        "session",
        "ticker",
        "polarity",
        "change_percent_before",
        "change_percent_of_session",
    )
    assert ask("sentiment_against_price", *columns) == [
        (MONDAY, "NVDA", 0.5, None, -6.5),
        (MONDAY, "TSLA", -0.6, None, 2.0),
        (TUESDAY, "NVDA", 0.1, -6.5, 5.5),
    ]
    # Known on Tuesday: nothing yet of Tuesday's own bar.
    known = ask("sentiment_against_price", *columns, first=TUESDAY, last=TUESDAY)
    assert known == [(TUESDAY, "NVDA", 0.1, -6.5, None)]


def test_coverage_of_a_session_is_its_smallest(ask: Ask) -> None:
    columns = ("session", "n_tickers", "n_tweets", "coverage", "partial", "duplicate_share")
    found = ask("coverage", *columns)
    assert found[0][:5] == (MONDAY, 2, 4, 0.9, True)
    assert found[0][5] == pytest.approx(0.3)  # (0.2 + 0.4) / 2
    assert found[1] == (TUESDAY, 1, 2, None, False, None)


def test_posts_of_the_reference_dashboard_are_first_sightings(lake: Lake) -> None:
    query = sql.load("queries", "reference_posts")
    days = {"first_dt": MONDAY, "last_dt": WEDNESDAY, "first": MONDAY, "last": WEDNESDAY}
    with DuckDBWarehouse(lake) as warehouse:
        found = warehouse.query(query.text, days).to_pylist()

    assert set(query.parameters) == set(days)
    columns = ("tweet_id", "ticker", "author", "engagement", "sentiment", "hour_ny")
    assert [tuple(row[c] for c in columns) for row in found] == [
        ("1", "NVDA", "ann", 10, "positive", 8),  # Tuesday saw it again, with 12
        ("2", "NVDA", "bob", 10, "neutral", 8),
        ("3", "NVDA", "ann", 5, "negative", 22),
        ("3", "TSLA", "ann", 5, "negative", 22),
        ("4", "TSLA", "cat", None, "unscored", 0),  # waits for the model
    ]


def test_every_named_query_answers_on_an_empty_lake(tmp_path: Path) -> None:
    zones = (
        FolderStore(tmp_path / zone) for zone in ("raw", "enriched", "signals", "ledger", "report")
    )
    with DuckDBWarehouse(Lake(*zones)) as warehouse:
        for name in NAMES:
            found = warehouse.query(
                sql.load("queries", name).text, {"first": MONDAY, "last": MONDAY}
            )
            assert found.num_rows == (1 if name == "totals" else 0)
