"""AthenaWarehouse over loopback: every value exactly, partitions, limits, failures, leftovers."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import athena_lake
import pyarrow as pa
import pytest

from cashtag.errors import CloudError, ContractError, InputError, SettingsError, StoreError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Lake
from cashtag.services import folder_lake
from cashtag.settings import load
from cashtag.warehouse import scans, scratch
from cashtag.warehouse.athena import AthenaWarehouse
from cashtag.warehouse.duckdb import DuckDBWarehouse

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)
at = datetime.fromisoformat  # UTC, naive as stored

HOSTILE = [
    "it's '' ''' $NVDA; DROP TABLE tweets; --",
    "?? :first /* */ -- \" ` \\ \\' %s {x}",
    "line\r\nbreak\ttab\u2028separator\u00a0space",
    "😀👩‍👩‍👧 é e\u0301 \u202eright to left עברית 日本語",
    "' OR 1 = 1) TO 's3://elsewhere' WITH (format = 'JSON') --",
    "",
    " ",
    "NULL",
    "\\N",
    "x" * 5000 + "'" * 700,
]


@pytest.fixture(scope="module")
def cloud() -> Iterator[athena_lake.Cloud]:
    with athena_lake.running() as running:
        yield running


@pytest.fixture
def warehouse(cloud: athena_lake.Cloud) -> AthenaWarehouse:
    return cloud.warehouse()


def bar(ticker: str, close: float = 10.0, **more: Any) -> dict[str, Any]:
    base = {"ticker": ticker, "session": date(2026, 1, 2), "close": close, "volume": 100}
    prices = dict.fromkeys(("open", "high", "low", "adjusted_close"), close)
    rest = {"dividend": None, "split": None, "source": "synthetic"}
    return base | prices | rest | more


def bars(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=contract("prices").arrow_schema())


def put_bars(lake: Lake, dt: date, *rows: dict[str, Any]) -> None:
    data = parquet.write(contract("prices"), bars(*rows))
    lake.enriched.put(layout.enriched("prices", dt), data)


def closes(warehouse: Any, first: date, last: date) -> list[tuple[str, float]]:
    found = warehouse.query(
        "SELECT ticker, close FROM prices WHERE dt BETWEEN :a AND :b ORDER BY close, ticker",
        {"a": first, "b": last},
    )
    return [tuple(row.values()) for row in found.to_pylist()]


# ---------------------------------------------------------------- values


VALUES: dict[str, list[Any]] = {
    "bigint": [2**63 - 1, -(2**63), 0, None],
    "integer": [-(2**31), 2**31 - 1],
    "double": [
        5e-324,  # the least denormal
        -2.2250738585072014e-308,
        1.7976931348623157e308,
        1e-7,
        0.1,
        -0.0,
        float("inf"),
        None,
    ],
    "boolean": [False, True, None],
    "date": [date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), None],
    "timestamp": [
        at("0001-01-01 00:00:00.001"),
        at("9999-12-31 23:59:59.999"),
        at("1969-12-31 23:59:59.999"),
        at("1582-10-10 12:00"),  # no such day in the Gregorian calendar of 1582
        None,
    ],
    "varchar": [*HOSTILE, None],
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_come_back_exactly(warehouse: AthenaWarehouse, kind: str) -> None:
    values = VALUES[kind]
    # Each as a column, where its literal stands in the text, and compared where it is bound.
    columns = ", ".join(f"CAST(:v{n} AS {kind}) AS v{n}" for n in range(len(values)))
    equal = " AND ".join(
        f"(x.v{n} = :v{n} OR x.v{n} IS NULL AND CAST(:v{n} AS {kind}) IS NULL)"
        for n in range(len(values))
    )
    found = warehouse.query(
        f"WITH x AS (SELECT {columns}) SELECT * FROM x WHERE {equal}",
        {f"v{n}": value for n, value in enumerate(values)},
    )
    (row,) = found.to_pylist()
    for back, value in zip(row.values(), values, strict=True):
        assert back == value
        assert type(back) is type(value)
        if isinstance(value, float):
            assert math.copysign(1.0, back) == math.copysign(1.0, value)


def test_nan_is_not_null(warehouse: AthenaWarehouse) -> None:
    found = warehouse.query("SELECT CAST(:x AS double) AS x", {"x": float("nan")})
    (back,) = found.column("x").to_pylist()
    assert back is not None
    assert math.isnan(back)


def test_an_aware_moment_is_bound_in_utc(warehouse: AthenaWarehouse) -> None:
    there = datetime.fromisoformat("2026-01-05T07:00:00-05:00")
    found = warehouse.query("SELECT CAST(:at AS timestamp) AS at", {"at": there})
    assert found.column("at").to_pylist() == [at("2026-01-05 12:00")]


def test_values_of_a_stored_table_come_back_as_the_laptop_has_them(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse, tmp_path: Path
) -> None:
    made = contract("tweets")
    filling = {"string": "", "double": 0.0, "bigint": 0, "integer": 0, "boolean": False}
    filling |= {"date": date(1969, 12, 31), "timestamp": at("0001-01-01"), "array<string>": ["a"]}
    empty = {c.name: None if c.nullable else filling[c.type] for c in made.columns}
    lists = [["NVDA"], ["it's", "😀", ""], ["a" * 300]]
    rows = [
        {**empty, "tweet_id": str(2**63 + n), "ticker": "NVDA", "text": text}
        | {"likes": (2**63 - 1, -(2**63), None)[n % 3], "cashtags": lists[n % 3]}
        | {"polarity": (5e-320, None, -1.5e300)[n % 3], "scraped_at": at("9999-12-31 23:59:59.999")}
        for n, text in enumerate(HOSTILE)
    ]
    data = parquet.write(made, pa.Table.from_pylist(rows, schema=made.arrow_schema()))
    folder = folder_lake(tmp_path)
    for lake in (folder, cloud.lake):
        lake.enriched.put(layout.enriched("tweets", MONDAY), data)
    warehouse.register("tweets", MONDAY)
    columns = ", ".join(made.names)
    text = f"SELECT {columns} FROM tweets WHERE dt = :dt"
    with DuckDBWarehouse(folder) as duckdb:
        mine = duckdb.query(text, {"dt": MONDAY}, table="tweets")
    theirs = warehouse.query(text, {"dt": MONDAY}, table="tweets")
    assert theirs.num_rows == len(HOSTILE)
    assert theirs.equals(mine)
    assert sorted(theirs.column("text").to_pylist()) == sorted(HOSTILE)


def test_a_hostile_text_is_bound_and_nothing_else(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    names = [f"t{n}" for n in range(len(HOSTILE))]
    stored = ", ".join(f"(CAST(:{name} AS varchar))" for name in names)
    wanted = " OR ".join(f"x = :{name}" for name in names)
    given = dict(zip(names, HOSTILE, strict=True))
    found = warehouse.query(f"SELECT x FROM (VALUES {stored}) AS t (x) WHERE {wanted}", given)
    assert sorted(found.column("x").to_pylist()) == sorted(HOSTILE)
    sent = cloud.site.executions[-1]
    condition = sent.text.partition("WHERE x = ")[2]
    assert not [text for text in HOSTILE if len(text) > 4 and text in condition]
    assert all(len(literal) <= 1024 for literal in sent.parameters)
    assert len(sent.parameters) == len(HOSTILE) + 6  # 6,400 units of the longest are seven parts


# ---------------------------------------------------------------- order and shape


def test_rows_come_in_the_order_asked_for_though_files_have_none(
    warehouse: AthenaWarehouse,
) -> None:
    found = warehouse.query(
        "SELECT x FROM (VALUES (CAST(2 AS double)), (CAST(:nan AS double)), (NULL), "
        "(CAST(1 AS double)), (CAST(3 AS double))) AS t (x) ORDER BY x DESC",
        {"nan": float("nan")},
    )
    # As Trino: NaN is the largest number, nulls come last.
    assert [str(x) for x in found.column("x").to_pylist()] == ["nan", "3.0", "2.0", "1.0", "None"]


def test_an_order_by_what_is_no_column_leaves_no_column_behind(
    warehouse: AthenaWarehouse,
) -> None:
    found = warehouse.query(
        "SELECT name FROM (VALUES ('b', 1), ('a', -3), ('c', 2)) AS t (name, n) "
        "ORDER BY abs(n) DESC NULLS FIRST, name"
    )
    assert found.to_pylist() == [{"name": "a"}, {"name": "c"}, {"name": "b"}]


def test_no_rows_are_the_contracts_empty_table(warehouse: AthenaWarehouse) -> None:
    made = contract("prices")
    text = f"SELECT {', '.join(made.names)} FROM prices WHERE dt = :dt"
    found = warehouse.query(text, {"dt": date(1999, 1, 1)}, table="prices")
    assert found.equals(made.empty())


def test_no_rows_have_the_columns_that_the_text_tells_of(warehouse: AthenaWarehouse) -> None:
    found = warehouse.query(
        "SELECT CAST(ticker AS varchar) AS ticker, close, CAST(dt AS date) AS dt "
        "FROM prices WHERE dt = :dt ORDER BY abs(close), dt",
        {"dt": date(1999, 1, 1)},
    )
    assert found.num_rows == 0
    assert [(f.name, str(f.type)) for f in found.schema] == [
        ("ticker", "string"),
        ("close", "null"),
        ("dt", "date32[day]"),
    ]
    # A star does not tell.
    found = warehouse.query("SELECT * FROM prices WHERE dt = :dt", {"dt": date(1999, 1, 1)})
    assert (found.num_rows, found.num_columns) == (0, 0)


def test_rows_that_do_not_fit_their_contract_are_refused(warehouse: AthenaWarehouse) -> None:
    with pytest.raises(ContractError, match="table ranking, columns"):
        warehouse.query("SELECT 1 AS x", table="ranking")


def test_the_text_may_end_in_a_comment_or_a_semicolon(warehouse: AthenaWarehouse) -> None:
    assert warehouse.query("SELECT 1 AS x; -- done").to_pylist() == [{"x": 1}]
    assert warehouse.query("-- What.\nSELECT 1 AS x -- done").to_pylist() == [{"x": 1}]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("SELECT 1 AS x, 2 AS x", "give each column a name of its own"),
        ("SELECT 1 + 1", r"name every column, as in count\(\*\) AS n"),
        ("SELECT NULL AS x", r"cast it, as in CAST\(NULL AS double\)"),
        ("SELECT ARRAY[] AS x", "."),
        ("SELECT filter(ARRAY['a'], i -> i = 'b') AS x", "array_join"),
        ("SELECT nope FROM tweets", "no column 'nope'"),
        ("SELECT 1 AS x FROM nowhere", "no table"),
        ("SELECT :x AS x", "parameter :x has no value"),
        ("DELETE FROM tweets", "DELETE is not allowed"),
    ],
)
def test_a_query_that_cannot_be_unloaded_names_the_remedy(
    warehouse: AthenaWarehouse, text: str, remedy: str
) -> None:
    with pytest.raises(InputError, match=remedy):
        warehouse.query(text)


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


# ---------------------------------------------------------------- time, money, failures


def test_a_query_that_takes_too_long_is_stopped(cloud: athena_lake.Cloud) -> None:
    cloud.site.slow(30.0)
    with pytest.raises(CloudError, match=r"^Slow one: it was stopped after 0\.3 s \(aws\.athena"):
        cloud.warehouse(query_seconds=0.3).query("-- Slow one\nSELECT 1 AS x")
    assert cloud.site.executions[-1].state == "CANCELLED"
    assert cloud.site.executions[-1].stop.is_set()


def test_a_failure_names_the_query_and_the_reason_but_no_value(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    tweet = "what a stranger wrote about $NVDA"
    cloud.site.fail(
        f"INVALID_CAST_ARGUMENT: line 3:8: Cannot cast '{tweet}' to INT, nor 'a row''s text' "
        "of column 'likes'",
        category=2,
    )
    with pytest.raises(InputError) as caught:
        warehouse.query("-- Posts by age.\n-- More.\nSELECT CAST(:t AS varchar) AS t", {"t": tweet})
    said = str(caught.value)
    assert said.startswith("Posts by age.: Athena refuses it: INVALID_CAST_ARGUMENT: line 3:8")
    assert cloud.site.executions[-1].id in said
    assert "'likes'" in said  # a name
    assert "stranger" not in said
    assert "row" not in said


def test_what_athena_itself_failed_at_is_tried_again_in_a_fresh_place(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    before = len(cloud.site.executions)
    cloud.site.fail("GENERIC_INTERNAL_ERROR: a node was lost", retryable=True, after_writing=True)
    found = warehouse.query("SELECT x FROM (VALUES 1, 2, 3) AS t (x) ORDER BY x")
    assert found.column("x").to_pylist() == [1, 2, 3]  # not twice, though the first one wrote too
    places = [e.text.partition(" TO ")[2] for e in cloud.site.executions[before:]]
    assert len(set(places)) == 2


def test_a_killed_querys_files_are_read_by_no_other(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    cloud.site.fail("GENERIC_INTERNAL_ERROR: gone", after_writing=True)
    with pytest.raises(CloudError, match="Athena failed at it"):
        warehouse.query("SELECT 7 AS x")
    orphans = cloud.results("athena/unloaded/")
    assert warehouse.query("SELECT 7 AS x").to_pylist() == [{"x": 7}]
    assert set(orphans) < set(cloud.results("athena/unloaded/"))  # they expire


def test_attempts_are_bounded(cloud: athena_lake.Cloud) -> None:
    before = len(cloud.site.executions)
    cloud.site.fail("GENERIC_INTERNAL_ERROR: again", times=2, retryable=True)
    with pytest.raises(CloudError, match="again"):
        cloud.warehouse(attempts=2).query("SELECT 1 AS x")
    assert len(cloud.site.executions) == before + 2


def test_a_busy_athena_is_asked_again(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "0")  # the client's own
    cloud.site.throttle(2)
    assert warehouse.query("SELECT 1 AS x").num_rows == 1
    cloud.site.throttle(1)
    with pytest.raises(CloudError, match="TooManyRequestsException; run again later, or lower"):
        cloud.warehouse(attempts=1).query("SELECT 1 AS x")


@pytest.mark.parametrize(
    ("reason", "kind", "said"),
    [
        ("HIVE_BAD_DATA: malformed Parquet file", StoreError, "build it again"),
        ("HIVE_CANNOT_OPEN_SPLIT: Access Denied (S3)", CloudError, "allow it in the role"),
        ("DIVISION_BY_ZERO: / by zero", InputError, "DIVISION_BY_ZERO"),
    ],
)
def test_a_reason_says_whose_fault_it_is(
    cloud: athena_lake.Cloud,
    warehouse: AthenaWarehouse,
    reason: str,
    kind: type[Exception],
    said: str,
) -> None:
    cloud.site.fail(reason, category=2)
    with pytest.raises(kind, match=said):
        warehouse.query("SELECT 1 AS x")


def test_what_was_scanned_is_recorded_and_adds_up(cloud: athena_lake.Cloud) -> None:
    day = date(2025, 9, 1)
    put_bars(cloud.lake, day, bar("NVDA"))
    warehouse = cloud.warehouse()
    warehouse.register("prices", day)
    today = datetime.now(UTC).date()
    before = scans.scanned(warehouse._results(), today)
    warehouse.query("-- Bars.\nSELECT ticker FROM prices WHERE dt = :d", {"d": day})
    (scan,) = warehouse.scans
    assert scan.query == "Bars."
    assert scan.state == "SUCCEEDED"
    key = f"enriched/{layout.enriched('prices', day)}".partition("/")[2]
    assert scan.scanned == len(cloud.lake.enriched.get(key))
    assert scans.scanned(warehouse._results(), today) == before + scan.scanned
    kept = json.loads(warehouse._results().get(scan.key))
    assert kept["query_id"] == cloud.site.executions[-1].id


def test_a_day_that_used_up_its_budget_sends_no_query(cloud: athena_lake.Cloud) -> None:
    warehouse = cloud.warehouse(scan_megabytes_per_day=1000)
    large = scans.Scan(datetime.now(UTC).date(), "Large.", "q-1", "SUCCEEDED", 10**9, 1)
    scans.record(warehouse._results(), large)
    before = len(cloud.site.executions)
    try:
        with pytest.raises(CloudError, match=r"1,000 MB.*aws\.athena\.scan_megabytes_per_day"):
            warehouse.query("SELECT 1 AS x")
    finally:
        warehouse._results().delete(large.key)
    assert len(cloud.site.executions) == before


def test_cents_count_ten_megabytes_at_least() -> None:
    athena = load().aws.athena
    # 10 MB and 250 MB (a byte more than 249) at 5 dollars a terabyte: 260e6 / 1e12 * 500 cents.
    assert scans.cents([0, 249_000_001], athena) == pytest.approx(0.13)


def test_a_query_over_the_workgroups_limit_names_the_setting(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2025, 9, 2)
    put_bars(cloud.lake, day, bar("NVDA"))
    warehouse.register("prices", day)
    monkeypatch.setattr(cloud.site, "scan_limit", 10)
    with pytest.raises(CloudError, match=r"aws\.athena\.scan_megabytes_per_query \(now 1,024\)"):
        warehouse.query("SELECT ticker FROM prices WHERE dt = :d", {"d": day})


def test_queries_may_run_at_once(cloud: athena_lake.Cloud, warehouse: AthenaWarehouse) -> None:
    cloud.site.slow(0.3, match="AS both_at_once", times=4)
    assert warehouse.concurrency == 4
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(
            lambda n: warehouse.query(
                "SELECT CAST(:n AS bigint) AS both_at_once", {"n": n}
            ).to_pylist(),
            range(4),
        )
        assert list(found) == [[{"both_at_once": n}] for n in range(4)]
    last = cloud.site.executions[-4:]
    assert max(e.submitted for e in last) < min(e.ended or 0 for e in last)


def test_without_a_stack_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"aws\.database, aws\.workgroup, aws\.results"):
        AthenaWarehouse(load(), folder_lake(tmp_path))


def test_no_credentials_are_a_refusal_with_a_remedy(
    cloud: athena_lake.Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises((CloudError, StoreError), match="set credentials, or a role"):
        cloud.warehouse().query("SELECT 1 AS x")


def test_the_clouds_path_needs_neither_duckdb_nor_sqlglot() -> None:
    import subprocess

    code = (
        "import sys\n"
        "sys.modules['duckdb'] = sys.modules['sqlglot'] = None\n"
        "from cashtag.warehouse import athena, catalog, scans, scratch, sql\n"
        "from cashtag.signals import checks, models, publish\n"
        "heavy = {'awswrangler', 'boto3', 'pandas'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "HEAVY []"


def test_a_query_is_logged_with_its_bytes_and_without_its_values(
    warehouse: AthenaWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cashtag"):
        warehouse.query("-- Once.\nSELECT CAST(:t AS varchar) AS t", {"t": "a stranger's words"})
    said = " ".join(r.getMessage() for r in caplog.records if r.name.startswith("cashtag"))
    assert "SUCCEEDED: 0 bytes" in said
    assert "Once." in said
    assert "stranger" not in said
