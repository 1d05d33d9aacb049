"""What Athena gives back: every value exactly, rows in their order, columns of their types."""

from __future__ import annotations

import math
from datetime import date, datetime
from pathlib import Path
from typing import Any

import athena_lake
import pyarrow as pa
import pytest
from athena_bars import HOSTILE, MONDAY, at

from cashtag.errors import ContractError, InputError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.services import folder_lake
from cashtag.warehouse.athena import AthenaWarehouse
from cashtag.warehouse.duckdb import DuckDBWarehouse

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
