"""`cashtag rescore`: a second model beside the first, its price told before anything is paid."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cashtag.cli.options import (
    Format,
    FormatOption,
    FromOption,
    LakeOption,
    ProfileOption,
    ToOption,
    day,
    settings,
)

if TYPE_CHECKING:
    from cashtag.operate.rescore import Outlook


def rescore(
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="Model to ask; see `cashtag model list`.")
    ],
    first: FromOption = None,
    last: ToOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Pay without being asked.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what waits, and what it would cost.")
    ] = False,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
) -> None:
    """Record what another model says of the lake's tweets and news; tables stay as they are.

    What is recorded already is not asked again: a run that was stopped goes on where it was. Then
    compare the models with `cashtag review models`, or make the tables by the new one with
    `cashtag rebuild --model NAME`.
    """
    from cashtag import services
    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.operate import rescore as work
    from cashtag.sentiment import registry

    start, end = day(first, "--from"), day(last, "--to")
    own = settings(lake, profile, model)
    zones = services.folder_lake(own.lake)
    scorer = registry.scorer(own)
    with progress("reading texts") as tick:
        ahead = work.outlook(own, zones, scorer, start, end, tick)
    if dry_run:
        row = {
            "model": scorer.name,
            "version": scorer.version,
            "objects": ahead.objects,
            "waiting": len(ahead.waiting),
            "texts": ahead.texts if ahead.of else None,
            "dollars": round(ahead.dollars, 4),
        }
        output.show([row], form)
        return
    if ahead.dollars:
        _agree(ahead, yes)
    rows = []
    try:
        with progress(f"asking {scorer.name}") as tick:
            for one in work.rescore(own, zones, scorer, start, end, tick):
                rows.append(one.row())
    finally:
        # Also when the model went down: what is recorded is told before the error is.
        if rows:
            output.show(rows, form)


def _agree(ahead: Outlook, yes: bool) -> None:
    """Tell the price, and ask for leave where nobody gave it."""
    from cashtag.errors import InputError

    parts = ", ".join(f"{name} ${dollars:,.2f}" for name, dollars in ahead.of.items() if dollars)
    told = f"{ahead.texts:,} texts of {len(ahead.waiting):,} raw objects, about {parts}"
    print(f"{told} (list prices and assumptions: models.cost)", file=sys.stderr)
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(f"this costs about ${ahead.dollars:,.2f}; add --yes to pay it")
    typer.confirm("Go on?", abort=True, err=True)
