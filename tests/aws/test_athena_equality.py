"""The same SQL gives the same rows on Athena's path as on DuckDB's, over the same small lake.

boto3 and awswrangler are real and speak HTTP; Athena is played by DuckDB behind its API, so this
proves parameters, types, UNLOAD, partitions and order, not Trino's semantics.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import athena_lake
import pyarrow as pa
import pytest

from cashtag import services
from cashtag.lake import parquet, partitions
from cashtag.lake.contracts import contract
from cashtag.ports import Env, Lake, SqlValue
from cashtag.signals import checks, models, publish
from cashtag.warehouse import clauses, sql
from cashtag.warehouse.athena import AthenaWarehouse
from cashtag.warehouse.duckdb import DuckDBWarehouse

FIRST, LAST = date(2026, 4, 7), date(2026, 4, 10)  # a Tuesday to a Friday, with large moves
SESSIONS = (date(2026, 4, 9), LAST)
at = datetime.fromisoformat  # UTC, naive as stored
FILLING = {"string": "", "double": 0.0, "bigint": 0, "integer": 0, "boolean": False}
FILLING |= {"date": LAST, "timestamp": at("2026-04-09 12:00"), "array<string>": []}


@dataclass
class Both:
    """One lake twice: in a folder, and on S3 with its partitions registered."""

    folder: Lake
    cloud: athena_lake.Cloud
    duckdb: DuckDBWarehouse
    athena: AthenaWarehouse

    def env(self, warehouse: Any) -> Env:
        lake = self.folder if warehouse is self.duckdb else self.cloud.lake
        scorer: Any = SimpleNamespace(version="lexicon-1")
        source: Any = None
        return Env(self.cloud.settings, lake, warehouse, source, scorer)

    def parameters(self, session: date) -> dict[str, SqlValue]:
        env = self.env(self.duckdb)
        return models.parameters(env, session, session, coverage=1.0, partial=False)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("lake")
    words = ["run", "--source", "sample", "--from", str(FIRST), "--to", str(LAST)]
    script = "from cashtag.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--lake", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lake = services.folder_lake(folder)
    # What so few days have none of: two orders of one moment, and a chain.
    order = {"account": "a", "symbol": "NVDA", "timestamp": at("2026-04-09 13:35")}
    put(lake, "trades", SESSIONS[0], {**order, "trade_id": "2"}, {**order, "trade_id": "1"})
    option = {"ticker": "NVDA", "expiry": date(2026, 5, 15), "option_right": "CALL"}
    option |= {"iv": 0.5, "bid": 1.0, "ask": 1.2, "mid": 1.1, "underlying_price": 99.0}
    put(
        lake,
        "options",
        SESSIONS[0],
        {**option, "contract": "NVDA260515C00100000", "strike": 100.0},
        {**option, "contract": "NVDA260515C00098000", "strike": 98.0, "flags": ["no-quote"]},
        {**option, "contract": "NVDA260515P00098000", "strike": 98.0, "option_right": "PUT"},
    )
    with athena_lake.running() as cloud, DuckDBWarehouse(lake) as duckdb:
        assert len(athena_lake.copy(lake, cloud)) > 40
        yield Both(lake, cloud, duckdb, cloud.warehouse())


def put(lake: Lake, name: str, day: date, *given: dict[str, Any]) -> None:
    """Write rows; what is not given is null where it may be, else empty or zero."""
    made = contract(name)
    empty = {c.name: None if c.nullable else FILLING[c.type] for c in made.columns}
    assert all(set(row) <= set(made.names) for row in given)
    rows = [{**empty, **row} for row in given]
    table = pa.Table.from_pylist(rows, schema=made.arrow_schema())
    partitions.zone_of(lake, made).put(partitions.key_of(made, day), parquet.write(made, table))


def values(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as Python values; NaN, which equals nothing, by name."""
    return [
        {k: "NaN" if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in table.to_pylist()
    ]


def same(text: str, mine: pa.Table, theirs: pa.Table) -> None:
    """Equal rows of equal columns, in equal order where the query asks for one."""
    assert theirs.column_names == mine.column_names
    a, b = values(mine), values(theirs)
    if clauses.ordered(clauses.statement(text)).keys is None:
        a, b = sorted(a, key=repr), sorted(b, key=repr)
    assert b == a


@pytest.mark.parametrize("session", SESSIONS, ids=str)
@pytest.mark.parametrize("name", sql.names("sql"))
def test_a_model_has_the_same_canonical_content(both: Both, name: str, session: date) -> None:
    query, params = sql.load("sql", name), both.parameters(session)
    wanted = {key: params[key] for key in query.parameters}
    mine = both.duckdb.query(query.text, wanted, table=name)
    theirs = both.athena.query(query.text, wanted, table=name)
    assert mine.num_rows > 10 or name == "daily_news"
    assert theirs.schema.equals(contract(name).arrow_schema())
    assert theirs.equals(mine)
    assert parquet.content_hash(contract(name), theirs) == parquet.content_hash(
        contract(name), mine
    )


@pytest.mark.parametrize("name", sql.names("checks"))
def test_a_check_finds_the_same_rows(both: Both, name: str) -> None:
    query, params = sql.load("checks", name), both.parameters(SESSIONS[0])
    # Bounds that nothing satisfies, so that checks have something to say.
    params |= {"max_share_one_label": 0.0, "min_labelled_tweets": 1, "max_share_foreign": 0.0}
    params |= {"drift_sessions": 1, "drift_sigmas": 0.0, "drift_share": 0.0}
    params |= {"drift_confidence": 0.0, "cutoff": at("2026-04-08")}
    wanted = {key: params[key] for key in query.parameters}
    mine = both.duckdb.query(query.text, wanted)
    same(query.text, mine, both.athena.query(query.text, wanted))


def test_some_checks_had_something_to_say(both: Both) -> None:
    params = both.parameters(SESSIONS[0]) | {"max_share_one_label": 0.0}
    found = checks.run(both.athena, params | {"min_labelled_tweets": 1})
    assert "labels_varied" in {finding.check for finding in found}
    # Four at once, and the order of the findings is their own.
    assert found == checks.run(both.athena, params | {"min_labelled_tweets": 1})


EXAMPLES: dict[str, SqlValue] = {
    "first": date(2026, 4, 8),
    "last": LAST,
    "first_dt": FIRST,
    "last_dt": LAST,
    "dt": LAST,
    "ticker": "NVDA",
    "top": 5,
    "per_cell": 3,
    "min_tweets": 5.0,
    "change_threshold": 0.15,
    "change_sigmas": 1.96,
    "trend_volume_ratio": 1.0,
    "volume_bonus_ratio": 1.5,
}


@pytest.mark.parametrize("name", sql.names("queries"))
def test_a_query_answers_the_same_in_the_same_order(both: Both, name: str) -> None:
    query = sql.load("queries", name)
    wanted = {key: EXAMPLES[key] for key in query.parameters}
    mine = both.duckdb.query(query.text, wanted)
    theirs = both.athena.query(query.text, wanted)
    assert mine.num_rows
    same(query.text, mine, theirs)


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_a_session_is_made_the_same_from_rows_not_yet_published(both: Both, session: date) -> None:
    made, findings = publish.make(
        both.env(both.duckdb), session, session, coverage=1.0, partial=False
    )
    theirs, found = publish.make(
        both.env(both.athena), session, session, coverage=1.0, partial=False
    )
    assert list(theirs) == list(made) == list(models.MODELS)
    for name, rows in made.items():
        assert theirs[name].equals(rows), name
    assert found == findings
    # Nothing of it stays behind.
    assert both.cloud.tables("scratch_") == []
    assert both.cloud.results("scratch/") == []


def test_what_was_published_is_what_athena_makes_again(both: Both) -> None:
    session = SESSIONS[-1]
    rows = both.athena.query(
        "SELECT * FROM daily_features WHERE session = :session", {"session": session}
    )
    there = partitions.read(both.folder, contract("daily_features"), session)
    assert there is not None
    names = list(contract("daily_features").names)
    assert parquet.content_hash(contract("daily_features"), rows.select(names)) == (
        parquet.content_hash(contract("daily_features"), there)
    )


def test_a_check_of_one_session_reads_megabytes_not_history(both: Both) -> None:
    session = SESSIONS[0]
    both.athena.query("SELECT count(*) AS n FROM tweets WHERE dt BETWEEN :a AND :a", {"a": session})
    read = both.cloud.site.executions[-1].partitions
    assert read == {"tweets": ["2026-04-09"]}
