"""Every fact of trino_semantics.yaml holds on DuckDB through the warehouse."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
import yaml

from cashtag.errors import InputError
from cashtag.lake.disk import FolderStore
from cashtag.ports import Lake
from cashtag.warehouse import dialect, lint, refusals
from cashtag.warehouse.duckdb import DuckDBWarehouse

PAGES = yaml.safe_load(Path(__file__).with_name("trino_semantics.yaml").read_text("utf-8"))
FACTS = [fact for page in PAGES for fact in page["facts"]]
ARROW = {
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
}


def query_of(fact: dict[str, Any]) -> str:
    text: str = fact["sql"]
    return text if text.startswith("SELECT") else f"SELECT {text} AS v"


def only_value(rows: pa.Table) -> Any:
    """The value of the one row; `none` for no row at all."""
    return rows.column(0)[0].as_py() if rows.num_rows else "none"


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    return type(a) is type(b) and bool(a == b)


@pytest.fixture(scope="module")
def warehouse() -> Iterator[DuckDBWarehouse]:
    zones = (FolderStore(Path("nowhere", zone)) for zone in ("a", "b", "c", "d", "e"))
    with DuckDBWarehouse(Lake(*zones)) as opened:
        yield opened


@pytest.mark.parametrize("fact", [f for f in FACTS if "gives" in f], ids=lambda f: f["sql"])
def test_duckdb_gives_what_trino_gives(warehouse: DuckDBWarehouse, fact: dict[str, Any]) -> None:
    rows = warehouse.query(query_of(fact))
    assert same(only_value(rows), fact["gives"])
    if "type" in fact:
        assert rows.schema.types[0] == ARROW[fact["type"]]


@pytest.mark.parametrize("fact", [f for f in FACTS if "refused" in f], ids=lambda f: f["sql"])
def test_what_cannot_be_equal_is_refused(warehouse: DuckDBWarehouse, fact: dict[str, Any]) -> None:
    with pytest.raises(InputError) as raised:
        warehouse.query(query_of(fact))
    assert fact["refused"] in str(raised.value)


@pytest.mark.parametrize("fact", [f for f in FACTS if "fails" in f], ids=lambda f: f["sql"])
def test_what_fails_in_trino_fails_here(warehouse: DuckDBWarehouse, fact: dict[str, Any]) -> None:
    with pytest.raises(InputError) as raised:
        warehouse.query(query_of(fact))
    assert fact["fails"] in str(raised.value)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


@pytest.mark.filterwarnings("ignore:Arrow output:UserWarning")
@pytest.mark.parametrize("fact", [f for f in FACTS if "gives" in f], ids=lambda f: f["sql"])
def test_rewrites_are_those_that_are_needed(
    engine: duckdb.DuckDBPyConnection, fact: dict[str, Any]
) -> None:
    """Without types and rewrites the marked expressions differ, and only they."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    plain = sqlglot.transpile(query_of(fact), read="athena", write="duckdb")[0]
    try:
        left_alone = only_value(engine.execute(plain).to_arrow_table())
    except duckdb.Error:
        left_alone = duckdb.Error
    assert same(left_alone, fact["gives"]) is not fact.get("rewritten", False)


def test_every_known_function_has_a_fact() -> None:
    covered: set[str] = set()
    for fact in FACTS:
        if "refused" not in fact:
            covered |= set(dialect.functions(query_of(fact)))
    assert sorted(lint.KNOWN - covered) == []


def test_every_refused_function_has_a_fact() -> None:
    refused = " ".join(query_of(fact) for fact in FACTS if "refused" in fact)
    exempt = {"kurtosis", "json_query", "with_timezone", "map"}  # as their neighbours in the table
    assert [name for name in refusals.FUNCTIONS if name not in exempt and name not in refused] == []


def test_there_are_enough_facts() -> None:
    assert len(FACTS) >= 250
    assert len({fact["sql"] for fact in FACTS}) == len(FACTS)
