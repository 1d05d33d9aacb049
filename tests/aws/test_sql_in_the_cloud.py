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
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.operate import account, explained, stack
from cashtag.settings import Settings, load
from cashtag.warehouse import sql
from cashtag.warehouse.athena import AthenaWarehouse

MONDAY = date(2026, 1, 5)


@pytest.fixture(scope="module")
def site() -> Iterator[athena_site.Site]:
    """Athena beside a deployed stack, whose database holds the contracts' tables."""
    moto, told = LoopbackAws(), deployed_stack.outputs()
    output = f"s3://{told['ResultsBucket']}/athena"
    with pytest.MonkeyPatch.context() as patch:
        moto.enter(patch)
        deployed_stack.make()
        with athena_site.Site(moto.url, output=output, region=REGION) as running:
            patch.setenv("AWS_ENDPOINT_URL_ATHENA", running.url)
            patch.setenv("CASHTAG_AWS__ATHENA__POLL_SECONDS", "0.02")
            names = ("enriched", "signals", "ledger")
            zones = {zone: f"s3://{told[f'{zone.capitalize()}Bucket']}" for zone in names}
            athena_site.create_tables(boto3.client("glue"), told["Database"], zones)
            yield running
    moto.stop()


@pytest.fixture(scope="module")
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
    asked = site.executions[-sum(counts) :]
    assert all(e.kind == "UTILITY" and e.scanned == 0 for e in asked)
    assert len({e.text for e in asked}) == sum(counts)


def test_a_file_that_athena_refuses_is_named_with_its_reason(
    settings: Settings, site: athena_site.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {"sql": ("daily_news", "ranking"), "checks": ("ranking_order",), "queries": ()}
    monkeypatch.setattr(explained.sql, "names", lambda kind: some[kind])
    site.fail(
        "COLUMN_NOT_FOUND: line 9:3: Column 'nope' cannot be resolved",
        match="-- The watchlist score",
        category=2,
    )
    found = explained.examine(settings)
    assert [(one.what, one.verdict) for one in found] == [
        ("glue/sql", "fail"),
        ("glue/sql/ranking.sql", "fail"),
        ("glue/checks", "ok"),
        ("glue/queries", "ok"),
    ]
    assert found[0].found == "1 of 2 files planned by Athena"
    assert found[1].found.startswith("COLUMN_NOT_FOUND: line 9:3: Column 'nope'")


def test_examples_are_the_settings_own_where_they_have_one(settings: Settings) -> None:
    found = explained.examples("sql", "daily_sentiment", settings)
    assert found["half_life_hours"] == settings.signals.half_life_hours
    assert found["session"] == MONDAY
    assert found["coverage"] == 0.5
