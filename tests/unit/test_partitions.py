"""Reading tables by partition: which there are, their rows, their hashes, and damage by name."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services
from cashtag.errors import ContractError
from cashtag.lake import parquet, partitions
from cashtag.lake.contracts import contract
from cashtag.ports import Lake

RANKING = contract("ranking")
PRICES = contract("prices")
FRIDAY, MONDAY = date(2026, 5, 1), date(2026, 5, 4)


def row(ticker: str, rank: int = 1) -> dict[str, Any]:
    """A row of `ranking` with only what must not be null."""
    values = {"ticker": ticker, "rank": rank, "config_hash": "c", "run_id": "r"}
    return {column.name: values.get(column.name) for column in RANKING.columns}


def put(lake: Lake, session: date, *rows: dict[str, Any]) -> None:
    table = pa.Table.from_pylist(list(rows), schema=RANKING.arrow_schema())
    lake.signals.put(partitions.key_of(RANKING, session), parquet.write(RANKING, table))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    zones = services.folder_lake(tmp_path)
    put(zones, MONDAY, row("NVDA", 1), row("AAPL", 2))
    put(zones, FRIDAY, row("TSLA"))
    return zones


def test_a_table_lives_in_its_contracts_zone_under_its_partition(lake: Lake) -> None:
    assert partitions.zone_of(lake, RANKING) is lake.signals
    assert partitions.zone_of(lake, PRICES) is lake.enriched
    assert partitions.key_of(RANKING, MONDAY) == "ranking/session=2026-05-04/part-0.parquet"
    assert partitions.key_of(PRICES, MONDAY) == "prices/dt=2026-05-04/part-0.parquet"


def test_partitions_are_listed_in_order_within_bounds_that_are_included(lake: Lake) -> None:
    assert list(partitions.partitions(lake, RANKING)) == [FRIDAY, MONDAY]
    assert list(partitions.partitions(lake, RANKING, first=MONDAY)) == [MONDAY]
    assert list(partitions.partitions(lake, RANKING, last=FRIDAY)) == [FRIDAY]
    assert list(partitions.partitions(lake, RANKING, date(2026, 5, 2), date(2026, 5, 3))) == []
    assert list(partitions.partitions(lake, PRICES)) == []


def test_only_the_partitions_object_counts(lake: Lake) -> None:
    lake.signals.put("ranking/session=2026-05-05/.DS_Store", b"")
    lake.signals.put("ranking/session=2026-05-06/part-1.parquet", b"")
    lake.signals.put("ranking_notes/session=2026-05-07/part-0.parquet", b"")
    assert list(partitions.partitions(lake, RANKING)) == [FRIDAY, MONDAY]


def test_rows_come_without_their_partition_and_none_where_there_is_none(lake: Lake) -> None:
    table = partitions.read(lake, RANKING, MONDAY)
    assert table is not None
    assert table.column_names == list(RANKING.names)
    assert table.column("ticker").to_pylist() == ["AAPL", "NVDA"]  # in the contract's order
    assert partitions.read(lake, RANKING, date(2026, 5, 5)) is None


def test_a_range_carries_the_partition_in_front(lake: Lake) -> None:
    table = partitions.read_range(lake, RANKING)
    assert table.column_names[0] == "session"
    assert table.column("session").type == pa.date32()
    assert table.select(["session", "ticker"]).to_pylist() == [
        {"session": FRIDAY, "ticker": "TSLA"},
        {"session": MONDAY, "ticker": "AAPL"},
        {"session": MONDAY, "ticker": "NVDA"},
    ]


def test_a_range_without_partitions_has_the_same_columns_and_no_rows(lake: Lake) -> None:
    table = partitions.read_range(lake, RANKING, date(2030, 1, 2))
    assert table.num_rows == 0
    assert table.schema == partitions.read_range(lake, RANKING).schema


def test_hashes_name_content_and_not_bytes_or_order(lake: Lake, tmp_path: Path) -> None:
    other = services.folder_lake(tmp_path / "other")
    put(other, MONDAY, row("AAPL", 2), row("NVDA", 1))
    ours = {day: (rows, name) for day, rows, name in partitions.hashes(lake, RANKING)}
    theirs = {day: (rows, name) for day, rows, name in partitions.hashes(other, RANKING)}
    assert ours[MONDAY] == theirs[MONDAY]
    assert ours[MONDAY][0] == 2
    put(other, MONDAY, row("AAPL", 1), row("NVDA", 1))
    changed = {day: (rows, name) for day, rows, name in partitions.hashes(other, RANKING)}
    assert changed[MONDAY] != ours[MONDAY]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"<html>"])
def test_a_damaged_partition_is_named_with_what_to_do(data: bytes, lake: Lake) -> None:
    lake.signals.put(partitions.key_of(RANKING, MONDAY), data)
    with pytest.raises(ContractError) as caught:
        partitions.read(lake, RANKING, MONDAY)
    said = str(caught.value)
    assert lake.signals.uri("ranking/session=2026-05-04/part-0.parquet") in said
    assert "cashtag rebuild --from 2026-05-04" in said
