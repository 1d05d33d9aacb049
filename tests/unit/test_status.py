"""`cashtag status`: which days are there, how whole they are, what they led to, what is kept aside."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services, sessions
from cashtag.lake import layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import key_of, zone_of
from cashtag.operate import status
from cashtag.ports import Lake, Status
from cashtag.scrape import manifest
from cashtag.scrape.manifest import Manifest, ObjectEntry, TickerEntry
from cashtag.settings import Settings, load

FRIDAY, SATURDAY, MONDAY = date(2026, 5, 8), date(2026, 5, 9), date(2026, 5, 11)
SETTINGS = load(environ={})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return services.folder_lake(tmp_path / "lake")


def filled(kind: str, name: str) -> Any:
    """A value that a column without nulls takes."""
    return {
        "string": name,
        "date": FRIDAY,
        "boolean": False,
        "array<string>": [],
        "timestamp": sessions.cutoff(FRIDAY).replace(tzinfo=None),
    }.get(kind, 1)


def put(lake: Lake, table: str, partition: date, *rows: dict[str, Any]) -> str:
    own = contract(table)
    whole = [
        {c.name: None if c.nullable else filled(c.type, c.name) for c in own.columns} | row
        for row in rows
    ]
    data = parquet.write(own, pa.Table.from_pylist(whole, schema=own.arrow_schema()))
    zone_of(lake, own).put(key_of(own, partition), data)
    return zone_of(lake, own).uri(key_of(own, partition))


def scrape(lake: Lake, dt: date, tweets: int, **answers: Status) -> None:
    rows = tuple(
        TickerEntry(ticker, state, "rate limit" if state == "refused" else None, 0)
        for ticker, state in sorted(answers.items())
    )
    objects = (ObjectEntry(layout.raw("tweets", dt, "x", "NVDA"), "", tweets, 1),)
    manifest.write(lake.raw, Manifest(dt, sessions.cutoff(dt), "x", rows, objects))


def only(found: list[status.RunStatus]) -> dict[str, Any]:
    (run,) = found
    return run.row()


# ---------------------------------------------------------------- runs


def test_an_empty_lake_has_no_runs_and_says_so(lake: Lake) -> None:
    assert status.runs(lake, SETTINGS) == []
    assert status.gaps(lake) == []
    assert status.quarantined(lake) == []
    assert list(status.table_hashes(lake)) == []
    summary = status.summary(lake, SETTINGS)
    assert (summary["runs"], summary["last_run"], summary["sessions"]) == (0, None, 0)
    assert (summary["positions"], summary["equity"]) == (0, 0)


def test_a_run_that_was_only_scraped_has_no_rows_and_no_signals(lake: Lake) -> None:
    scrape(lake, FRIDAY, 7, NVDA="ok", TSLA="empty")
    assert only(status.runs(lake, SETTINGS)) == {
        "dt": FRIDAY,
        "session": FRIDAY,
        "tweets": 7,
        "tickers": "2/2",
        "coverage": 1.0,
        "newest_h": None,
        "accounts": None,
        "partial": False,
        "rows": None,
        "published": False,
        "signals": None,
        "reason": "",
    }


def test_a_run_tells_what_it_led_to(lake: Lake) -> None:
    scrape(lake, FRIDAY, 2, NVDA="ok")
    put(lake, "tweets", FRIDAY, {"tweet_id": "1"}, {"tweet_id": "2"})
    put(
        lake,
        "daily_signals",
        FRIDAY,
        {"ticker": "NVDA", "kind": "STOCK", "direction": "BUY"},
        {"ticker": "NVDA", "kind": "OPTION", "direction": "HOLD"},
        {"ticker": "TSLA", "kind": "STOCK", "direction": "SELL"},
    )
    lake.signals.put(layout.published(FRIDAY, "abc"), b"{}")
    row = only(status.runs(lake, SETTINGS))
    assert (row["rows"], row["published"]) == (2, True)
    assert row["signals"] == 2  # to hold is no signal


def test_a_weekends_run_belongs_to_mondays_session(lake: Lake) -> None:
    scrape(lake, SATURDAY, 1, NVDA="ok")
    lake.signals.put(layout.published(MONDAY, "abc"), b"{}")
    row = only(status.runs(lake, SETTINGS))
    assert (row["session"], row["published"]) == (MONDAY, True)


def test_a_broken_run_says_why(lake: Lake) -> None:
    scrape(lake, FRIDAY, 0, AAPL="ok", NVDA="refused", TSLA="refused")
    row = only(status.runs(lake, SETTINGS))
    assert (row["partial"], row["tickers"], row["coverage"]) == (True, "1/3", 0.333)
    assert row["reason"] == "1 of 3 tickers answered on 2026-05-08 (refused: NVDA, TSLA)"


def test_a_damaged_table_is_named_and_the_other_days_are_told(lake: Lake) -> None:
    scrape(lake, FRIDAY, 1, NVDA="ok")
    scrape(lake, SATURDAY, 1, NVDA="ok")
    where = put(lake, "tweets", FRIDAY, {"tweet_id": "1"})
    put(lake, "tweets", SATURDAY, {"tweet_id": "2"})
    lake.enriched.put(layout.enriched("tweets", FRIDAY), b"PAR1 and no more")
    friday, saturday = status.runs(lake, SETTINGS)
    assert (friday.rows, saturday.rows) == (None, 1)
    assert where in friday.reason
    assert "cashtag rebuild --from 2026-05-08" in friday.reason
    assert saturday.reason == ""


def test_only_the_newest_runs_are_told_on_request(lake: Lake) -> None:
    for day in (1, 2, 4, 5):
        scrape(lake, date(2026, 5, day), 1, NVDA="ok")
    assert [run.dt.day for run in status.runs(lake, SETTINGS, 2)] == [4, 5]
    assert [run.dt.day for run in status.runs(lake, SETTINGS, 99)] == [1, 2, 4, 5]


def test_days_without_a_run_between_others_are_gaps(lake: Lake) -> None:
    for day in (4, 5, 8):
        scrape(lake, date(2026, 5, day), 1, NVDA="ok")
    assert status.gaps(lake) == [date(2026, 5, 6), date(2026, 5, 7)]


# ---------------------------------------------------------------- summary and hashes


def test_the_summary_counts_positions_and_adds_up_equity(lake: Lake) -> None:
    scrape(lake, FRIDAY, 1, NVDA="ok")
    scrape(lake, MONDAY, 1, NVDA="ok")
    put(lake, "daily_signals", FRIDAY, {"ticker": "NVDA"})
    put(lake, "positions", date(2026, 5, 7), {"instrument": "CASH", "equity": 5.0})
    held = {"equity": 900.0, "account": "a"}
    put(
        lake,
        "positions",
        FRIDAY,
        held | {"symbol": "CASH", "instrument": "CASH"},
        held | {"symbol": "NVDA", "instrument": "STOCK"},
        {"symbol": "CASH", "instrument": "CASH", "account": "b", "equity": 100.0},
    )
    summary = status.summary(lake, SETTINGS)
    # Each account's equity stands in all of its rows, and counts once.
    assert (summary["positions"], summary["equity"]) == (1, 1000.0)
    assert summary["settled_to"] == FRIDAY
    assert (summary["runs"], summary["missing_runs"]) == (2, 2)
    assert summary["last_session"] == FRIDAY
    assert summary["lake"].endswith("/lake")
    assert summary["config"] == SETTINGS.config_hash()


def test_a_tables_hash_changes_with_any_row_and_any_date(lake: Lake, tmp_path: Path) -> None:
    def hashes(other: Lake) -> dict[str, str]:
        return {row["table"]: row["hash"] for row in status.table_hashes(other)}

    def new(name: str) -> Lake:
        return services.folder_lake(tmp_path / name)

    put(lake, "ranking", FRIDAY, {"ticker": "NVDA"}, {"ticker": "TSLA"})
    put(lake, "ranking", MONDAY, {"ticker": "NVDA"})
    put(same := new("same"), "ranking", FRIDAY, {"ticker": "TSLA"}, {"ticker": "NVDA"})
    put(same, "ranking", MONDAY, {"ticker": "NVDA"})
    put(moved := new("moved"), "ranking", FRIDAY, {"ticker": "NVDA"}, {"ticker": "TSLA"})
    put(moved, "ranking", date(2026, 5, 12), {"ticker": "NVDA"})
    assert list(status.table_hashes(lake)) == [
        {
            "table": "ranking",
            "version": 1,
            "partitions": 2,
            "rows": 3,
            "hash": hashes(lake)["ranking"],
        }
    ]
    assert hashes(lake) == hashes(same)
    assert hashes(lake) != hashes(moved)


# ---------------------------------------------------------------- quarantine


def keep(lake: Lake, key: str, *rows: dict[str, Any], zone: str = "enriched") -> None:
    getattr(lake, zone).put(key, lines.pack(json.dumps(row).encode() for row in rows))


def test_quarantine_is_counted_by_origin_and_reason_with_the_first_object(lake: Lake) -> None:
    nvda, tsla = (layout.raw("tweets", FRIDAY, "x", ticker) for ticker in ("NVDA", "TSLA"))
    keep(
        lake,
        layout.rejected("b1", nvda),
        {"line": 1, "reason": "json"},
        {"line": 4, "reason": "json"},
    )
    keep(
        lake,
        layout.rejected("b1", tsla),
        {"line": 1, "reason": "json"},
        {"line": 2, "reason": "no-id"},
    )
    keep(lake, layout.rejected("b1", layout.bars("csv", "NVDA")), {"line": 1, "reason": "no-price"})
    imported = layout.quarantine("import/twitter-v1", "abc")
    # Lines of two files, of which each has a line 1.
    keep(
        lake,
        imported,
        {"line": 1, "reason": "json", "file": "a"},
        {"line": 1, "reason": "json", "file": "b"},
        zone="raw",
    )
    assert status.quarantined(lake) == [
        {
            "origin": "enrich/bars",
            "reason": "no-price",
            "lines": 1,
            "first_in": layout.bars("csv", "NVDA"),
        },
        {"origin": "enrich/tweets", "reason": "json", "lines": 3, "first_in": nvda},
        {"origin": "enrich/tweets", "reason": "no-id", "lines": 1, "first_in": tsla},
        {"origin": "import/twitter-v1", "reason": "json", "lines": 2, "first_in": imported},
    ]


def test_a_line_that_two_builds_could_not_read_is_one_line(lake: Lake) -> None:
    key = layout.raw("tweets", FRIDAY, "x", "NVDA")
    for build in ("b1", "b2"):
        keep(lake, layout.rejected(build, key), {"line": 1, "reason": "json"})
    assert [row["lines"] for row in status.quarantined(lake)] == [1]


def test_settings_decide_what_is_partial(lake: Lake) -> None:
    scrape(lake, FRIDAY, 0, AAPL="ok", NVDA="refused", TSLA="refused")
    lenient: Settings = load(environ={}, overrides={"scrape.coverage.partial_below": 0.2})
    assert not status.runs(lake, lenient)[0].partial
