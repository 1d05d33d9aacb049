"""`cashtag.open(lake)`: tables and SQL as pandas data frames, and errors that say what there is."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import cashtag
from cashtag import services
from cashtag.errors import InputError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract, contracts

FRIDAY, MONDAY = date(2026, 5, 8), date(2026, 5, 11)
PRICES = contract("prices")
ID = 1_920_000_000_000_000_001  # beyond 2^53


def bar(session: date, volume: int = ID) -> dict[str, Any]:
    known = {"ticker": "NVDA", "session": session, "source": "csv", "volume": volume}
    prices = dict.fromkeys(("open", "high", "low", "close", "adjusted_close"), 100.5)
    return {column.name: (known | prices).get(column.name) for column in PRICES.columns}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of prices, and nothing else."""
    where = tmp_path_factory.mktemp("notebook") / "lake"
    lake = services.folder_lake(where)
    for dt, days in ((FRIDAY, [date(2026, 5, 7)]), (MONDAY, [date(2026, 5, 7), FRIDAY])):
        rows = pa.Table.from_pylist([bar(day) for day in days], schema=PRICES.arrow_schema())
        lake.enriched.put(layout.enriched("prices", dt), parquet.write(PRICES, rows))
    return where


def test_a_table_is_a_frame_with_its_partition_in_front(folder: Path) -> None:
    frame = cashtag.open(str(folder)).table("prices")
    assert list(frame.columns) == ["dt", *PRICES.names]
    assert list(frame.dt) == [FRIDAY, MONDAY, MONDAY]
    assert all(type(day) is date for day in frame.session)
    assert list(frame.volume) == [ID] * 3  # no double has touched it


@pytest.mark.parametrize("as_text", [False, True])
def test_start_and_end_are_included_and_may_be_text(folder: Path, as_text: bool) -> None:
    lake = cashtag.open(str(folder))

    def given(day: date) -> date | str:
        return day.isoformat() if as_text else day

    assert set(lake.table("prices", start=given(MONDAY)).dt) == {MONDAY}
    assert set(lake.table("prices", end=given(FRIDAY)).dt) == {FRIDAY}
    assert len(lake.table("prices", given(FRIDAY), given(MONDAY))) == 3
    assert len(lake.table("prices", start=given(date(2030, 1, 2)))) == 0


def test_a_table_without_partitions_is_an_empty_frame_with_its_columns(folder: Path) -> None:
    frame = cashtag.open(str(folder)).table("ranking")
    assert frame.empty
    assert list(frame.columns) == ["session", *contract("ranking").names]


def test_sql_is_a_frame(folder: Path) -> None:
    lake = cashtag.open(str(folder))
    frame = lake.sql(
        "SELECT dt, count(*) AS n, max(volume) AS v FROM prices WHERE dt >= :first GROUP BY dt ORDER BY dt",
        {"first": MONDAY},
    )
    assert isinstance(frame, pd.DataFrame)
    assert frame.to_dict("records") == [{"dt": MONDAY, "n": 2, "v": ID}]


def test_times_are_utc_without_a_zone(folder: Path) -> None:
    frame = cashtag.open(str(folder)).sql("SELECT TIMESTAMP '2026-05-08 12:00:00' AS at")
    assert frame["at"].dt.tz is None
    assert frame["at"][0] == datetime(2026, 5, 8, 12)  # noqa: DTZ001  naive, as the lake has it


def test_the_list_of_tables_says_what_a_row_is(folder: Path) -> None:
    tables = cashtag.open(str(folder)).tables().set_index("table")
    assert set(tables.index) == set(contracts())
    assert tables.loc["prices", "partition"] == "dt"
    assert tables.loc["tweets", "grain"].startswith("One row per (tweet_id, ticker)")
    assert "polarity" in tables.loc["daily_sentiment", "columns"].split(", ")


def test_named_queries_are_asked_by_name(folder: Path) -> None:
    frame = cashtag.open(str(folder)).named("top_price_moves", first=FRIDAY, last=MONDAY)
    assert isinstance(frame, pd.DataFrame)


def test_it_says_which_lake_it_is(folder: Path) -> None:
    assert repr(cashtag.open(str(folder))) == f"cashtag.open('{folder}')"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lake: lake.table("tweet"), r"no table 'tweet'; there is .*tweets"),
        (lambda lake: lake.table("tweets", start="yesterday"), r"start = 'yesterday' is no date"),
        (lambda lake: lake.table("tweets", end="2026-13-01"), r"end = '2026-13-01' is no date"),
        (lambda lake: lake.sql("SELECT 1; SELECT 2"), r"."),
        (lambda lake: lake.sql("DROP TABLE tweets"), r"."),
        (lambda lake: lake.sql("SELECT nothing FROM prices"), r"nothing"),
        (lambda lake: lake.named("nonesuch"), r"nonesuch"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(call: Any, message: str, folder: Path) -> None:
    with pytest.raises(InputError, match=message):
        call(cashtag.open(str(folder)))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://", r"names no bucket; write s3://BUCKET/PREFIX"),
        ("{folder}/nowhere", r"holds no lake; make one with `cashtag run --source sample`"),
        ("{folder}/enriched", r"holds no lake"),  # a zone is not the lake
    ],
)
def test_an_address_that_is_no_lake_is_refused(address: str, message: str, folder: Path) -> None:
    with pytest.raises(InputError, match=message):
        cashtag.open(address.replace("{folder}", str(folder)))
    assert not (folder / "nowhere").exists()  # to look is not to make
