"""`cashtag schedule`: the live day by a timer of this machine."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cashtag.cli.options import Format, FormatOption, LakeOption, settings

if TYPE_CHECKING:
    from datetime import datetime

    from cashtag.operate.schedule import Changed

scheduling = typer.Typer(
    help="Run the live day every day by a timer of this machine: systemd's, or cron.",
    no_args_is_help=True,
    epilog="Example: cashtag schedule install",
)


class Kind(StrEnum):
    """What starts the runs."""

    auto = "auto"
    systemd = "systemd"
    cron = "cron"


KindOption = Annotated[
    Kind, typer.Option("--kind", help="systemd, cron, or auto: systemd where it answers.")
]


@scheduling.command("install", epilog="Example: cashtag schedule install --dry-run")
def install(
    kind: KindOption = Kind.auto,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be written; write nothing.")
    ] = False,
    lake: LakeOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Run the live day at its cutoff (12:00 UTC) from now on, and make up for missed ones.

    Started from the folder with cashtag.toml; interpreter, lake and settings file are kept as
    absolute paths. Installing again brings the timer up to date.
    """
    from cashtag.cli import output
    from cashtag.operate import schedule

    chosen, now = settings(lake), _now()
    if not dry_run:
        _tell(schedule.install(chosen, schedule.Kind(kind.value), now), form, "already installed")
        return
    texts = schedule.planned(chosen, schedule.Kind(kind.value), now)
    if form is not Format.table:
        output.show([{"file": file, "text": text} for file, text in texts.items()], form)
        return
    for file, text in texts.items():
        print(f"--- {file}\n{text}")


@scheduling.command("remove", epilog="Example: cashtag schedule remove")
def remove(lake: LakeOption = None, form: FormatOption = Format.table) -> None:
    """Take the timer away. Logs stay in the lake's folder `schedule`; what is not ours stays."""
    from cashtag.operate import schedule

    settings(lake)  # a setting that does not fit is told here as everywhere
    _tell(schedule.remove(), form, "there is no timer of ours")


@scheduling.command("show", epilog="Example: cashtag schedule show")
def show(lake: LakeOption = None, form: FormatOption = Format.table) -> None:
    """Say whether a timer is installed, when it runs next, how the last run ended, and its log."""
    from cashtag.cli import output
    from cashtag.operate import schedule

    row = schedule.show(settings(lake), _now())
    if form is not Format.table:
        output.show([row], form)
        return
    lines = row.pop("tail")
    _down(row)
    if lines:
        print("The log ends:")
    for line in lines:
        print(f"  {output.cell(line)}")


@scheduling.command("run", epilog="Example: cashtag schedule run")
def run(
    cron: Annotated[
        bool,
        typer.Option(
            "--cron", help="As cron calls it: only when a run is due; a failure is notified."
        ),
    ] = False,
    lake: LakeOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Run the live day now, as the timer does: one at a time, into the log, its end recorded."""
    from cashtag.operate import schedule, scheduled_run

    chosen = settings(lake)
    record = scheduled_run.run(chosen, chosen.lake, only_when_due=cron)
    if record is None:
        if not cron:
            _down({"result": "a run is under way already; nothing was started"}, form)
        return
    failure = schedule.notify(chosen.lake) if cron and record.code else None
    if not cron or failure:
        _down(
            {
                "started": record.started,
                "ended": record.ended,
                "code": record.code,
                "reason": record.reason,
                "log": str(scheduled_run.folder(chosen.lake) / scheduled_run.LOG),
            },
            form,
        )
    raise typer.Exit(record.code or 0)


@scheduling.command("notify", epilog="Example: cashtag schedule notify")
def notify(lake: LakeOption = None, form: FormatOption = Format.table) -> None:
    """Put the last failure on the desktop, if there is one; systemd calls this after a failure."""
    from cashtag.operate import schedule

    failure = schedule.notify(settings(lake).lake)
    _down({"result": "the last run did not fail" if failure is None else failure.text()}, form)


def _tell(changed: Changed, form: Format, nothing: str) -> None:
    from cashtag.cli import output

    if form is not Format.table:
        row = {"kind": changed.kind, "done": changed.done, "hints": changed.hints}
        output.show([row], form)
        return
    for line in changed.done or [nothing]:
        print(output.cell(line))
    for hint in changed.hints:
        print(f"note: {output.cell(hint)}")


def _down(row: dict[str, Any], form: Format = Format.table) -> None:
    """One row; for a person with its names at the left, for it is too wide otherwise."""
    from cashtag.cli import output

    if form is not Format.table:
        output.show([row], form)
        return
    width = max(map(len, row))
    for name, value in row.items():
        print(f"{name.ljust(width)}  {output.cell(value)}")


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)
