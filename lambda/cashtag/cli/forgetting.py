"""`cashtag forget`: a post or an author out of the lake for good, after a person has confirmed it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cashtag.cli.options import (
    EnvOption,
    Format,
    FormatOption,
    LakeOption,
    ModelOption,
    ProfileOption,
    deployed,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cashtag.cli.options import Profile
    from cashtag.exchange.forget_record import Item
    from cashtag.exchange.forget_target import Target
    from cashtag.operate.forget import Outlook
    from cashtag.ports import Env


def forget(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TWEET_ID|@AUTHOR", help="A post's id or address, or an author's handle."
        ),
    ],
    is_id: Annotated[
        bool, typer.Option("--id", help="It is a post's id although it is no number.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; kept with the tombstone. Name nobody in it.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go; nothing is changed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Forget without being asked.")] = False,
    form: FormatOption = Format.table,
    model: ModelOption = None,
    profile: ProfileOption = None,
    lake: LakeOption = None,
    env: EnvOption = None,
) -> None:
    """Remove a post or an author from every zone, for good, and keep them out.

    Raw objects are rewritten without them, in a bucket with all earlier versions; tables and page
    are made again; the ledger holds none of it and stays. What was removed is recorded in the
    lake, without what it was. With --env the deployed stack's lake, by your credentials.
    """
    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.exchange.forget_target import target as read
    from cashtag.operate import forget as work

    whom = read(target, is_id=is_id)
    place = _env(lake, env, profile, model)
    with progress("looking") as tick:
        seen = work.look(place, whom, tick)
    if dry_run:
        output.show(_rows(seen.items, form), form, title="What would go")
        _say(_outlook(seen))
        return
    if not yes:
        _agree(whom, seen)
    with progress("forgetting") as tick:
        done = work.forget(place, seen, reason=reason, at=datetime.now(UTC), progress=tick)
    output.show(_rows(done.items, form), form, title="What went")
    if not done.records:
        _say(f"The lake {place.lake.raw.uri()} holds nothing of {whom}.")
    since = "is set" if done.new else "was set before"
    _say(f"The tombstone {done.tombstone[:12]}… {since}: it stays out from now on.")
    if env is not None:
        _say(
            "Answers of earlier queries lie in the results bucket below athena/ until they expire "
            "there (the stack's QueryRetentionDays)."
        )


def _env(lake: str | None, env: str | None, profile: Profile | None, model: str | None) -> Env:
    from cashtag import services
    from cashtag.errors import InputError

    if env is None:
        return services.embedded(settings(lake, profile, model), source_name="archive")
    if lake is not None or model is not None or profile is not None:
        raise InputError(
            "--env is a deployed stack with its own lake and settings; give it without --lake, "
            "--model and --profile"
        )
    return services.cloud(deployed(env)[0], source_name="archive")


def _agree(whom: Target, seen: Outlook) -> None:
    """Ask for the target once more, typed; what is removed cannot be brought back."""
    from cashtag.errors import InputError

    _say(_outlook(seen))
    if not sys.stdin.isatty():
        raise InputError("what is forgotten cannot be brought back; add --yes to forget it")
    wanted = f"@{whom.name}" if whom.kind == "author" else whom.name
    typed = typer.prompt(f"This cannot be undone. Type {wanted} to go on", err=True, default="")
    if typed.strip().casefold() != wanted.casefold():
        raise InputError("that was something else; nothing was changed")


def _outlook(seen: Outlook) -> str:
    return (
        f"{seen.target}: {seen.posts:,} lines of raw go, {seen.mentions:,} lines of others lose a "
        f"quotation, mention or id; {len(seen.runs)} runs change, {len(seen.sessions)} sessions "
        "are made again."
    )


def _say(text: str) -> None:
    """Say something beside the data, so that JSON and CSV stay what they are."""
    print(text, file=sys.stderr)


def _rows(items: Iterable[Item], form: Format) -> list[dict[str, Any]]:
    """One row an object for programs; for a person one row a kind of object."""
    if form is not Format.table:
        return [item.row() for item in items]
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for item in items:
        kind = item.key.partition("/")[0]
        row = found.setdefault(
            (item.zone, kind, item.what),
            {
                "zone": item.zone,
                "kind": kind,
                "what": item.what,
                "objects": 0,
                "lines": None,
                "versions": 0,
            },
        )
        row["objects"] += 1
        row["versions"] += item.versions
        if item.lines is not None:
            row["lines"] = (row["lines"] or 0) + item.lines
    return list(found.values())
