"""ranking: percentile ranks, their weights, and what is unknown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services
from cashtag.lake.contracts import contract
from cashtag.warehouse import sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

SESSION = date(2026, 3, 3)
PARAMS = {
    "session": SESSION,
    "ranking_setup": 0.4,
    "ranking_volume": 0.3,
    "ranking_sentiment": 0.2,
    "ranking_return5": 0.1,
    "config_hash": "c0ffee",
    "run_id": "beef",
}


def rows(table: str, given: list[dict[str, Any]]) -> pa.Table:
    own = contract(table).arrow_schema().append(pa.field("session", pa.date32()))
    return pa.Table.from_pylist(given, schema=pa.schema([f.with_nullable(True) for f in own]))


def price(ticker: str, close: float | None, volume: float | None, return5: float | None) -> Any:
    """A ticker whose long mean is 100."""
    return {
        "session": SESSION,
        "ticker": ticker,
        "adjusted_close": close,
        "sma20": 100.0,
        "volume_ratio": volume,
        "return5": return5,
    }


def mood(ticker: str, polarity: float | None) -> Any:
    return {"session": SESSION, "ticker": ticker, "polarity": polarity}


Ranking = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Ranking:
    warehouse = DuckDBWarehouse(services.folder_lake(tmp_path_factory.mktemp("lake")))

    def run(prices: list[Any], moods: list[Any]) -> dict[str, dict[str, Any]]:
        made = warehouse.query(
            sql.load("sql", "ranking").text,
            PARAMS,
            table="ranking",
            tables={
                "daily_features": rows("daily_features", prices),
                "daily_sentiment": rows("daily_sentiment", moods),
            },
        )
        return {row["ticker"]: row for row in made.to_pylist()}

    return run


def test_the_score_is_the_weighted_sum_of_percentile_ranks(ranking: Ranking) -> None:
    got = ranking(
        [
            price("A", 110.0, 1.0, 0.00),  # 10 % from the mean: rank 1.0
            price("B", 92.0, 3.0, 0.05),  # 8 % below counts as 8 %: rank 0.5
            price("C", 101.0, 2.0, -0.05),  # 1 %: rank 0
        ],
        [mood("A", -0.5), mood("B", 0.1), mood("C", 0.9)],
    )
    parts = {t: [r[c] for c in ("setup", "volume", "sentiment", "return5")] for t, r in got.items()}
    assert parts == {
        "A": [1.0, 0.0, 0.0, 0.5],
        "B": [0.5, 1.0, 0.5, 1.0],
        "C": [0.0, 0.5, 1.0, 0.0],
    }
    assert {t: r["score"] for t, r in got.items()} == {
        "A": 0.45,  # 0.4 + 0 + 0 + 0.05
        "B": 0.7,  # 0.2 + 0.3 + 0.1 + 0.1
        "C": 0.35,  # 0 + 0.15 + 0.2 + 0
    }
    assert {t: r["rank"] for t, r in got.items()} == {"B": 1, "A": 2, "C": 3}


def test_equal_values_share_their_rank_and_ties_go_by_ticker(ranking: Ranking) -> None:
    got = ranking([price(t, 105.0, 1.5, 0.01) for t in "BAC"], [mood(t, 0.2) for t in "ABC"])
    assert {t: (r["score"], r["rank"]) for t, r in got.items()} == {
        "A": (0.0, 1),
        "B": (0.0, 2),
        "C": (0.0, 3),
    }


def test_an_unknown_part_leaves_no_score_and_takes_no_place(ranking: Ranking) -> None:
    got = ranking(
        [price("A", 110.0, 1.0, 0.1), price("B", 120.0, 2.0, 0.2), price("Q", 130.0, None, 0.3)],
        [mood("A", 0.1), mood("B", 0.2), mood("T", 0.3), mood("Q", 0.4)],
    )
    # Volume is ranked among A and B only.
    assert (got["A"]["volume"], got["B"]["volume"], got["Q"]["volume"]) == (0.0, 1.0, None)
    assert got["Q"]["score"] is None
    assert got["T"]["setup"] is None  # written about, without prices
    assert [t for t, _ in sorted(got.items(), key=lambda i: i[1]["rank"])] == ["B", "A", "Q", "T"]


def test_one_ticker_alone_has_rank_one_and_score_zero(ranking: Ranking) -> None:
    got = ranking([price("A", 110.0, 1.0, 0.1)], [mood("A", 0.1)])
    assert (got["A"]["score"], got["A"]["rank"]) == (0.0, 1)


def test_other_sessions_are_not_read(ranking: Ranking) -> None:
    other = {"session": date(2026, 3, 4)}
    got = ranking(
        [price("A", 110.0, 1.0, 0.1), {**price("B", 190.0, 9.0, 0.9), **other}],
        [mood("A", 0.1), {**mood("C", 0.1), **other}],
    )
    assert got.keys() == {"A"}
