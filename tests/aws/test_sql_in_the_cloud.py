"""`cashtag sql --engine athena` and EXPLAIN of every SQL file, against a stack on loopback."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from typing import Any, get_args

import athena_site
import boto3
import deployed_stack
import pyarrow as pa
import pytest
from loopback_aws import REGION, LoopbackAws
from typer.testing import CliRunner

from cashtag import services
from cashtag.cli.app import app
from cashtag.errors import CloudError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.operate import account, explained, stack
from cashtag.settings import Settings, load
from cashtag.warehouse import sql
from cashtag.warehouse.athena import AthenaWarehouse

MONDAY = date(2026, 1, 5)


@pytest.fixture(scope="module")
def moto() -> Iterator[LoopbackAws]:
    running = LoopbackAws()
    yield running
    running.stop()


@pytest.fixture
def site(moto: LoopbackAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[athena_site.Site]:
    moto.enter(monkeypatch)
    deployed_stack.make()
    told = deployed_stack.outputs()
    output = f"s3://{told['ResultsBucket']}/athena"
    with athena_site.Site(moto.url, output=output, region=REGION) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", running.url)
        monkeypatch.setenv("CASHTAG_AWS__ATHENA__POLL_SECONDS", "0.02")
        zones = {
            z: f"s3://{told[f'{z.capitalize()}Bucket']}" for z in ("enriched", "signals", "ledger")
        }
        athena_site.create_tables(boto3.client("glue"), told["Database"], zones)
        yield running


@pytest.fixture
def settings(site: athena_site.Site) -> Settings:
    return stack.find(load(), "dev").settings(load())


def put_news(settings: Settings, dt: date, *titles: str) -> None:
    made = contract("news")
    filling = {"string": "", "double": 0.0, "date": MONDAY, "array<string>": [], "boolean": False}
    empty = {c.name: None if c.nullable else filling.get(c.type, 0) for c in made.columns}
    rows = [{**empty, "news_id": title, "ticker": "NVDA", "title": title} for title in titles]
    lake = services.s3_lake(settings)
    table = pa.Table.from_pylist(rows, schema=made.arrow_schema())
    lake.enriched.put(layout.enriched("news", dt), parquet.write(made, table))
    AthenaWarehouse(settings, lake).register("news", dt)


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["sql", *words])


TITLES = "SELECT title FROM news WHERE dt BETWEEN :a AND :a ORDER BY title DESC"


def test_a_select_runs_on_the_stack_and_says_what_it_cost(settings: Settings) -> None:
    put_news(settings, MONDAY, "it's up", "down\x1b[2J")
    done = run(TITLES, "-p", "a=2026-01-05", "--engine", "athena", "--env", "dev")
    assert done.exit_code == 0, done.output
    assert "it's up" in done.stdout
    assert "\x1b" not in done.stdout
    # Ten megabytes at least, at five dollars a terabyte: 0.005 cents.
    assert done.stderr == "Athena scanned 0.00 MB: 0.0050 cents\n"


def test_rows_for_programs_stand_alone(settings: Settings) -> None:
    put_news(settings, MONDAY, "b", "a")
    words = (TITLES, "-p", "a=2026-01-05", "--env", "dev")  # naming the stack is enough
    as_json = run(*words, "--format", "json")
    assert json.loads(as_json.stdout) == [{"title": "b"}, {"title": "a"}]
    as_csv = run(*words, "--format", "csv")
    assert list(csv.reader(io.StringIO(as_csv.stdout))) == [["title"], ["b"], ["a"]]


def test_named_queries_span_the_stacks_lake(settings: Settings, site: athena_site.Site) -> None:
    done = run("--named", "totals", "--engine", "athena", "--format", "json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["n_rows"] is None  # no runs yet: an empty span
    assert "DATE '1970-01-01'" in site.executions[-1].parameters
    listed = run("--list", "--engine", "athena", "--format", "json")
    assert "totals" in {row["name"] for row in json.loads(listed.stdout)}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--engine", "duckdb", "--env", "dev"), "leave --engine out"),
        (("--engine", "athena", "--lake", "here"), "--lake names a folder"),
    ],
)
def test_what_contradicts_itself_is_refused(
    settings: Settings, words: tuple[str, ...], why: str
) -> None:
    done = run("SELECT 1 AS x", *words)
    assert why in str(done.exception)


def test_a_stack_that_is_not_there_is_named(settings: Settings) -> None:
    done = run("SELECT 1 AS x", "--engine", "athena", "--env", "prod")
    assert "cashtag-prod is not deployed" in str(done.exception)


# ---------------------------------------------------------------- every file, explained


def test_every_file_is_planned(settings: Settings, site: athena_site.Site) -> None:
    seen: list[int] = []
    found = explained.examine(
        settings, account.session(settings), lambda done, _of, _what: seen.append(done)
    )
    kinds = get_args(sql.Kind)
    counts = [len(sql.names(kind)) for kind in kinds]
    assert [(one.what, one.verdict, one.found) for one in found] == [
        (f"glue/{kind}", "ok", f"{n} of {n} files planned by Athena")
        for kind, n in zip(kinds, counts, strict=True)
    ]
    assert seen == list(range(1, sum(counts) + 1))
    assert len(site.executions) == sum(counts)
    assert all(e.kind == "UTILITY" and e.scanned == 0 for e in site.executions)


def test_a_file_that_athena_refuses_is_named_with_its_reason(
    settings: Settings, site: athena_site.Site
) -> None:
    site.fail(
        "COLUMN_NOT_FOUND: line 9:3: Column 'nope' cannot be resolved",
        match="-- The watchlist score",
        category=2,
    )
    found = {one.what: one for one in explained.examine(settings)}
    number = len(sql.names("sql"))
    assert found["glue/sql"].verdict == "fail"
    assert found["glue/sql"].found == f"{number - 1} of {number} files planned by Athena"
    refused = found["glue/sql/ranking.sql"]
    assert refused.found.startswith("COLUMN_NOT_FOUND: line 9:3: Column 'nope'")
    assert found["glue/checks"].verdict == "ok"


def test_an_athena_that_takes_no_query_is_one_refusal(
    settings: Settings, site: athena_site.Site
) -> None:
    site.throttle(1000)
    with pytest.raises(CloudError, match="a query cannot be explained: StartQueryExecution"):
        list(explained.explain(settings, boto3.Session()))


def test_examples_are_the_settings_own_where_they_have_one(settings: Settings) -> None:
    found = explained.examples("sql", "daily_sentiment", settings)
    assert found["half_life_hours"] == settings.signals.half_life_hours
    assert found["session"] == MONDAY
    assert found["coverage"] == 0.5
