"""Whose rows Athena reads: partitions that are registered, and rows that nobody has published."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import athena_lake
import pyarrow as pa
import pytest
from athena_bars import MONDAY, bar, bars, closes, put_bars

from cashtag.errors import InputError, StoreError
from cashtag.lake.contracts import contract
from cashtag.warehouse import scratch
from cashtag.warehouse.athena import AthenaWarehouse

# ---------------------------------------------------------------- partitions


def test_a_partition_that_was_not_registered_is_not_there(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    first, second = date(2025, 6, 2), date(2025, 6, 3)
    put_bars(cloud.lake, first, bar("NVDA", 1.0))
    put_bars(cloud.lake, second, bar("NVDA", 2.0))
    warehouse.register("prices", first)
    assert closes(warehouse, first, second) == [("NVDA", 1.0)]
    warehouse.register("prices", second)
    assert closes(warehouse, first, second) == [("NVDA", 1.0), ("NVDA", 2.0)]
    # Written again, it is the same place: nothing has to be registered for its new rows.
    put_bars(cloud.lake, first, bar("NVDA", 1.0), bar("TSLA", 1.5))
    warehouse.register("prices", first)
    assert closes(warehouse, first, first) == [("NVDA", 1.0), ("TSLA", 1.5)]


def test_a_lake_that_moved_is_read_where_it_is_now(cloud: athena_lake.Cloud) -> None:
    from cashtag.lake.s3 import S3Store

    day = date(2025, 7, 1)
    moved = replace(cloud.lake, enriched=S3Store(cloud.bucket("enriched"), "moved/here", cloud.s3))
    put_bars(cloud.lake, day, bar("NVDA", 1.0))
    put_bars(moved, day, bar("NVDA", 2.0))
    old, new = cloud.warehouse(), AthenaWarehouse(cloud.settings, moved)
    old.register("prices", day)
    assert closes(new, day, day) == [("NVDA", 1.0)]
    new.register("prices", day)
    assert closes(new, day, day) == [("NVDA", 2.0)]


def test_a_table_that_nobody_deployed_is_named(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    kept = cloud.glue.get_table(DatabaseName=cloud.database, Name="outcomes")["Table"]
    cloud.glue.delete_table(DatabaseName=cloud.database, Name="outcomes")
    try:
        with pytest.raises(InputError, match=r"TABLE_NOT_FOUND.*cashtag_\d+\.outcomes"):
            warehouse.query("SELECT count(*) AS n FROM outcomes WHERE session = :s", {"s": MONDAY})
        with pytest.raises(StoreError, match=r"cashtag_\d+\.outcomes.*cashtag deploy"):
            warehouse.register("outcomes", MONDAY)
    finally:
        fields = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
        cloud.glue.create_table(
            DatabaseName=cloud.database, TableInput={name: kept[name] for name in fields}
        )


# ---------------------------------------------------------------- rows not published


def seen(*rows: dict[str, Any], day: date = MONDAY) -> pa.Table:
    table = bars(*rows)
    return table.append_column("dt", pa.array([day] * table.num_rows, pa.date32()))


def test_rows_not_published_stand_in_for_the_table(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    day = date(2025, 8, 1)
    put_bars(cloud.lake, day, bar("OLD", 1.0))
    warehouse.register("prices", day)
    text = "WITH p AS (SELECT ticker, dt FROM prices WHERE dt = :d) SELECT ticker FROM p"
    given = {"prices": seen(bar("NEW", 2.0), day=day), "news": None}
    found = warehouse.query(text, {"d": day}, tables=given)  # type: ignore[arg-type]
    assert found.to_pylist() == [{"ticker": "NEW"}]
    assert warehouse.query(text, {"d": day}).to_pylist() == [{"ticker": "OLD"}]
    assert cloud.tables("scratch_") == []
    assert cloud.results("scratch/") == []


def test_an_empty_table_may_stand_in(warehouse: AthenaWarehouse) -> None:
    text = "SELECT CAST(count(*) AS bigint) AS n FROM prices WHERE dt = :d"
    found = warehouse.query(text, {"d": MONDAY}, tables={"prices": seen()})
    assert found.to_pylist() == [{"n": 0}]


def test_within_shared_rows_are_brought_once(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    text = "SELECT ticker FROM prices WHERE dt = :d"
    with warehouse.shared():
        for _ in range(3):
            warehouse.query(text, {"d": MONDAY}, tables={"prices": seen(bar("NEW"))})
            assert len(cloud.tables("scratch_")) == 1
        warehouse.query(text, {"d": MONDAY}, tables={"prices": seen(bar("OTHER"))})
        assert len(cloud.tables("scratch_")) == 2
    assert cloud.tables("scratch_") == []
    assert cloud.results("scratch/") == []


def test_two_that_bring_the_same_rows_do_not_remove_each_others(
    cloud: athena_lake.Cloud,
) -> None:
    text = "SELECT ticker FROM prices WHERE dt = :d"
    rows = {"prices": seen(bar("NEW"))}
    mine, theirs = cloud.warehouse(), cloud.warehouse()
    with mine.shared():
        mine.query(text, {"d": MONDAY}, tables=rows)
        theirs.query(text, {"d": MONDAY}, tables=rows)  # and removes what it brought
        assert mine.query(text, {"d": MONDAY}, tables=rows).to_pylist() == [{"ticker": "NEW"}]


def test_brought_rows_are_removed_after_a_failure(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    with pytest.raises(InputError, match="no column 'nope'"):
        warehouse.query("SELECT nope FROM prices", tables={"prices": seen(bar("NEW"))})
    assert cloud.tables("scratch_") == []
    assert cloud.results("scratch/") == []


def test_tables_that_a_killed_process_left_are_swept_after_a_day(
    cloud: athena_lake.Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = cloud.warehouse()._results()
    data = scratch.packed(contract("prices"), seen(bar("LEFT")))
    left = scratch.lend(cloud.glue, cloud.database, store, contract("prices"), data)
    assert scratch.sweep(cloud.glue, cloud.database) == []  # of today: somebody's
    monkeypatch.setattr(scratch, "_LEFT_BEHIND", timedelta(seconds=-1))
    cloud.warehouse().query("SELECT ticker FROM prices", tables={"prices": seen(bar("NEW"))})
    assert left.table not in cloud.tables()
    assert "tweets" in cloud.tables()
    store.delete(left.key)


def test_a_sweep_that_is_refused_stops_no_query(
    warehouse: AthenaWarehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object) -> list[str]:
        raise StoreError("cannot sweep the temporary tables: Glue answers AccessDeniedException")

    monkeypatch.setattr(scratch, "sweep", refused)
    text = "SELECT ticker FROM prices WHERE dt = :d"
    found = warehouse.query(text, {"d": MONDAY}, tables={"prices": seen(bar("NEW"))})
    assert found.to_pylist() == [{"ticker": "NEW"}]
    assert "AccessDeniedException" in caplog.text
