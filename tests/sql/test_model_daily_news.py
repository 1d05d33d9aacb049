"""daily_news: what the feeds wrote, once each, before the cutoff."""

# ruff: noqa: DTZ001  the lake's timestamps are UTC without a zone
from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services
from cashtag.lake.contracts import contract
from cashtag.warehouse import sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

SESSION = date(2026, 3, 3)
CUTOFF = datetime(2026, 3, 3, 12)
PARAMS = {
    "session": SESSION,
    "first_dt": SESSION,
    "last_dt": SESSION,
    "cutoff": CUTOFF,
    "config_hash": "c0ffee",
    "run_id": "beef",
}


def item(news_id: str, polarity: float | None, **changes: Any) -> dict[str, Any]:
    row = {
        "dt": SESSION,
        "news_id": news_id,
        "ticker": "NVDA",
        "published_at": CUTOFF - timedelta(hours=2),
        "session": SESSION,
        "source": "wire",
        "title": f"Title {news_id}",
        "polarity": polarity,
        "sentiment": None
        if polarity is None
        else "positive"
        if polarity > 0.2
        else "negative"
        if polarity < -0.2
        else "neutral",
    }
    return {**row, **changes}


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, dict[str, Any]]]:
    warehouse = DuckDBWarehouse(services.folder_lake(tmp_path_factory.mktemp("lake")))
    own = contract("news").arrow_schema().append(pa.field("dt", pa.date32()))
    schema = pa.schema([field.with_nullable(True) for field in own])

    def run(given: list[dict[str, Any]], **params: Any) -> dict[str, dict[str, Any]]:
        made = warehouse.query(
            sql.load("sql", "daily_news").text,
            {**PARAMS, **params},
            table="daily_news",
            tables={"news": pa.Table.from_pylist(given, schema=schema)},
        )
        return {row["ticker"]: row for row in made.to_pylist()}

    return run


News = Callable[..., dict[str, dict[str, Any]]]


def test_items_are_counted_and_averaged_and_the_newest_leads(news: News) -> None:
    given = [
        item("a", 0.9, source="wire"),
        item("b", -0.3, source="paper", published_at=CUTOFF - timedelta(hours=1)),
        item("c", 0.0, source="wire", published_at=CUTOFF - timedelta(hours=1)),
        item("d", 0.4, ticker="AMD"),
    ]
    got = news(given)
    assert got.keys() == {"NVDA", "AMD"}
    nvda = got["NVDA"]
    assert (nvda["n_news"], nvda["n_sources"]) == (3, 2)
    assert nvda["polarity"] == pytest.approx(0.2)  # (0.9 - 0.3 + 0) / 3
    assert nvda["share_positive"] == pytest.approx(1 / 3)
    assert nvda["share_negative"] == pytest.approx(1 / 3)
    assert nvda["latest_at"] == CUTOFF - timedelta(hours=1)
    assert nvda["top_title"] == "Title b"  # b and c came at the same moment: by id
    assert json.loads(nvda["news_ids"]) == ["b", "c", "a"]


def test_unanswered_items_count_but_have_no_polarity(news: News) -> None:
    got = news([item("a", None), item("b", 0.5)])["NVDA"]
    assert (got["n_news"], got["polarity"], got["share_positive"]) == (2, 0.5, 1.0)
    alone = news([item("a", None)])["NVDA"]
    assert alone["n_news"] == 1
    assert [alone[c] for c in ("polarity", "share_positive", "share_negative")] == [None] * 3


def test_an_item_that_two_runs_collected_counts_once(news: News) -> None:
    given = [item("a", 0.5), item("a", 0.9, dt=date(2026, 3, 2))]
    got = news(given, first_dt=date(2026, 3, 2))["NVDA"]
    assert (got["n_news"], got["polarity"]) == (1, 0.9)  # as the first run saw it


def test_a_poisoned_future_changes_nothing(news: News) -> None:
    given = [item("a", 0.5)]
    poison = [
        item("p1", -1.0, published_at=CUTOFF),
        item("p2", -1.0, dt=date(2026, 3, 4)),
        item("p3", -1.0, session=date(2026, 3, 4)),
    ]
    assert news(given + poison) == news(given)


def test_hostile_titles_stay_text(news: News) -> None:
    title = '\'; DROP TABLE x; -- "quoted" </script> \U0001f680'
    got = news([item("a'\"\\", 0.5, title=title)])["NVDA"]
    assert got["top_title"] == title
    assert json.loads(got["news_ids"]) == ["a'\"\\"]
