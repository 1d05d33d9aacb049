"""`cashtag logs` and `redrive`: what the stack's functions say, and what failed in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cashtag.cli.options import EnvOption, Format, FormatOption, deployed

StepArgument = Annotated[
    str | None,
    typer.Argument(metavar="[STEP]", help="scrape, enrich, signals, trade or health; default all."),
]


def logs(
    step: StepArgument = None,
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help="90m, 2h, 3d, or a UTC time.")
    ] = "1h",
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until Ctrl-C, with each new line.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the platform's own lines, and metrics.")
    ] = False,
    form: FormatOption = Format.table,
    env: EnvOption = None,
) -> None:
    """Print what the deployed functions said, by time: one line each, JSON lines with --format json."""
    from cashtag.cli import output
    from cashtag.errors import InputError
    from cashtag.operate.cloud import logs as said
    from cashtag.operate.cloud import steps

    chosen, now = steps(step), datetime.now(UTC)
    start = said.moment(since, now)
    _, stack, session = deployed(env)
    read = said.follow if follow else said.read
    lines = read(stack, session, chosen, start, everything=everything)
    if form is Format.csv:
        if follow:
            raise InputError("--follow prints a table or JSON lines; take --format json")
        output.show([line.row() for line in lines], form, columns=("at", "step", "level", "text"))
        return
    count = 0
    for line in lines:
        count += 1
        row = line.row()
        if form is Format.json:
            print(output.as_json({**row, "fields": line.fields}, indent=None), flush=follow)
        else:
            shown = f"{line.at:%Y-%m-%d %H:%M:%S}  {line.step:<8}{line.level:<9}"
            print(f"{shown}{output.cell(row['text'])}", flush=follow)
    if not count and form is Format.table:
        typer.echo(f"nothing was said since {start:%Y-%m-%d %H:%M} UTC", err=True)


def redrive(
    step: StepArgument = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look at what waits; change nothing.")
    ] = False,
    form: FormatOption = Format.table,
    env: EnvOption = None,
) -> None:
    """Hand what failed for the last time to its function again; orders of earlier days are dropped.

    What fails again comes back: read `cashtag logs STEP` first.
    """
    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.operate.cloud import redrive as failures
    from cashtag.operate.cloud import steps

    chosen = steps(step)
    _, stack, session = deployed(env)
    with progress("failures") as tick:
        found = list(
            failures.redrive(
                stack, session, chosen, datetime.now(UTC), look_only=dry_run, progress=tick
            )
        )
    output.show(
        [one.row() for one in found],
        form,
        columns=["step", "asked", "reason", "attempts", "outcome"],
    )
    if form is Format.table and not found:
        print(f"nothing waits in the queues of {stack.name}")
