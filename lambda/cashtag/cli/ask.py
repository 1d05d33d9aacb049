"""Commands that ask the lake and its models: sql, status, explain, evaluate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cashtag.cli.options import (
    EnvOption,
    Format,
    FormatOption,
    LakeOption,
    ModelOption,
    ProfileOption,
    day,
    deployed,
    settings,
)
from cashtag.errors import InputError

if TYPE_CHECKING:
    from cashtag.ports import Lake
    from cashtag.settings import Settings


class Engine(StrEnum):
    """What runs a SELECT."""

    duckdb = "duckdb"
    athena = "athena"


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SELECT in Athena's dialect, or - to read it.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="Read the SELECT from here.")
    ] = None,
    named: Annotated[
        str | None, typer.Option("--named", metavar="NAME", help="Run a query of glue/queries.")
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the named queries.")] = False,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Bind :NAME; may be repeated."),
    ] = None,
    engine: Annotated[
        Engine | None, typer.Option("--engine", help="duckdb (default), or athena in the cloud.")
    ] = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    env: EnvOption = None,
) -> None:
    """Run one SELECT over the lake's tables. :first and :last default to the whole lake.

    With --engine athena (or --env) it runs on the deployed stack, and what it scanned and cost is
    told beside the rows.
    """
    from cashtag.cli import output
    from cashtag.operate import questions

    if listing:
        output.show(questions.named_queries(), form)
        return
    text = questions.text(query, file, named)
    if engine is Engine.athena or (engine is None and env is not None):
        _sql_in_the_cloud(text, param or [], form, lake, env)
        return
    if env is not None:
        raise InputError("--env asks the deployed stack, which has no DuckDB: leave --engine out")
    rows = questions.answer(settings(lake), text, param or [])
    output.show(output.rows_of(rows), form, columns=rows.column_names)


def _sql_in_the_cloud(
    text: str, given: list[str], form: Format, lake: str | None, env: str | None
) -> None:
    import sys

    from cashtag.cli import output
    from cashtag.operate import questions

    if lake is not None:
        raise InputError("--lake names a folder; --engine athena asks the stack's own lake (--env)")
    own, _, _ = deployed(env)
    found = questions.answer_in_the_cloud(own, text, given)
    output.show(output.rows_of(found.rows), form, columns=found.rows.column_names)
    megabytes = (found.scanned or 0) / 1e6
    print(f"Athena scanned {megabytes:,.2f} MB: {found.cents:.4f} cents", file=sys.stderr)


def status(
    hashes: Annotated[
        bool, typer.Option("--hashes", help="Print each table's canonical content hash.")
    ] = False,
    days: Annotated[int, typer.Option("--days", min=1, help="How many of the newest runs.")] = 14,
    dt: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="One run: its sources, tickers.")
    ] = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
    env: EnvOption = None,
) -> None:
    """Say which days are in the lake, how whole they are, and what they led to.

    With --env the lake of the deployed stack, and what waits or rings there.
    """
    from cashtag import services
    from cashtag.cli import output
    from cashtag.operate import status as look
    from cashtag.operate.scheduled_run import last_failure

    troubles: list[dict[str, Any]] = []
    if env is None:
        chosen = settings(lake, profile)
        zones = services.folder_lake(chosen.lake)
    else:
        chosen, zones, troubles = _deployed(env)
    if hashes:
        output.show(list(look.table_hashes(zones)), form)
        return
    if (one := day(dt, "--date")) is not None:
        _run(zones, one, form)
        return
    runs = [run.row() for run in look.runs(zones, chosen, days)]
    if form is not Format.table:
        output.show(runs, form)
        return
    if env is None and (failure := last_failure(chosen.lake)) is not None:
        print(f"{failure.text()}\n")
    if troubles:
        output.show(troubles, form, title="Wants a look")
    summary = look.summary(zones, chosen)
    output.show([{"": key, "is": value} for key, value in summary.items()], form)
    told = [name for name in (runs[0] if runs else ()) if name not in ("newest_h", "accounts")]
    if any(run["accounts"] is not None for run in runs):
        told = list(runs[0])
    output.show(runs, form, title=f"The newest {len(runs)} runs", columns=told)
    if kept := look.quarantined(zones):
        output.show(kept, form, title="In quarantine")


def _deployed(env: str) -> tuple[Settings, Lake, list[dict[str, Any]]]:
    """Settings and lake of a stack, and what waits in its queues, rings, or is switched off."""
    from cashtag import services
    from cashtag.cli.options import deployed
    from cashtag.operate.cloud import doctor

    chosen, stack, session = deployed(env)
    found = doctor.troubles(chosen, stack, session)
    return chosen, services.s3_lake(chosen), [one.row() for one in found]


def _run(lake: Lake, dt: date, form: Format) -> None:
    from cashtag.cli import output
    from cashtag.errors import InputError
    from cashtag.operate import status as look

    asked, found = look.tickers(lake, dt), look.sources(lake, dt)
    if not asked and not found:
        raise InputError(f"--date {dt}: the lake holds no run of that day; see `cashtag status`")
    if form is not Format.table:
        output.show([{"dt": dt, "sources": found, "tickers": asked}], form)
        return
    if found:
        output.show(found, form, title=f"Sources of {dt}")
    output.show(asked, form, title=f"Tickers of {dt}")


def explain(
    ticker: Annotated[str, typer.Argument(help="Symbol, e.g. NVDA.")],
    session: Annotated[
        str | None, typer.Argument(help="Session, YYYY-MM-DD (default: the newest).")
    ] = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
) -> None:
    """Tell one ticker's session: tweet, score, weights, signal, gates, order."""
    from cashtag import services
    from cashtag.cli import output
    from cashtag.operate import explain as tell
    from cashtag.operate import telling

    env = services.embedded(settings(lake, profile))
    story = tell.explain(env, ticker, day(session, "SESSION"))
    if form is Format.table:
        telling.show(story, output.console())
    else:
        output.show([story.row()], Format.json)


def evaluate(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns text,label.")],
    model: ModelOption = None,
    form: FormatOption = Format.json,
    lake: LakeOption = None,
) -> None:
    """Measure a model, or the ensemble and its models, on labelled texts; one JSON object.

    With figures of agreement: which labels it mixes up, and how far its confidence is right.
    """
    import json

    from cashtag.cli import output
    from cashtag.sentiment import evaluate as measure
    from cashtag.sentiment import registry

    texts, labels = measure.read_labelled(file)
    own = settings(lake, model=model)
    bins = own.research.reliability_bins
    result = measure.judge(registry.scorer(own), texts, labels, bins=bins)
    if form is Format.json:
        print(json.dumps(output.plain(result)))
        return
    members = result.pop("members", {})
    judged = {result["model"]: result, **members}
    rows = [{"model": name, **_scalars(one or {})} for name, one in judged.items()]
    output.show(rows, form, columns=list(_scalars(result)))
    if form is Format.table:
        for name, one in judged.items():
            if one is not None:
                _beliefs(name, one)


def _scalars(judged: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in judged.items() if not isinstance(value, dict | list)}


def _beliefs(name: str, judged: Mapping[str, Any]) -> None:
    from cashtag.cli import output

    counts = [{"labelled": label, **row} for label, row in judged["confusion"].items()]
    output.show(counts, Format.table, title=f"{name}: labelled so, and what it said")
    points = [
        {
            "confidence": f"{one['low']:g} to {one['high']:g}",
            "n": one["n"],
            "mean": one["confidence"],
            "right": one["accuracy"],
            "from": one["interval"][0],
            "to": one["interval"][1],
        }
        for one in judged["reliability"]
        if one["n"]
    ]
    output.show(points, Format.table, title=f"{name}: how often it is right when so confident")
