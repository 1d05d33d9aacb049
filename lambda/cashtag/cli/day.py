"""`cashtag run`, `rebuild` and `report`: whole days, with progress and one line a session."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cashtag.cli.options import (
    Format,
    FormatOption,
    FromOption,
    LakeOption,
    ModelOption,
    Profile,
    ProfileOption,
    SourceName,
    ToOption,
    day,
    settings,
)

if TYPE_CHECKING:
    from cashtag.ports import Env


def run(
    dt: Annotated[str | None, typer.Option("--date", metavar="DATE", help="One run.")] = None,
    first: FromOption = None,
    last: ToOption = None,
    source: Annotated[SourceName, typer.Option("--source", help="Where raw data is from.")] = (
        SourceName.sample
    ),
    model: ModelOption = None,
    profile: ProfileOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    page: Annotated[bool, typer.Option("--report/--no-report", help="Build the page too.")] = True,
) -> None:
    """Run days: raw, enriched, signals, plan, trades, dashboard.

    Without dates: all of the sample or archive, today for live. Any date may be run again.
    """
    env = _env(source.value, lake, profile, model)
    start, end = _span(env, day(dt, "--date"), day(first, "--from"), day(last, "--to"))
    if start == end and form is Format.table:
        # One day announces its fills; a range would announce those of months ago.
        env = _with_console(env)
    _days(env, start, end, form, page=page, rebuild=False)


def rebuild(
    first: FromOption = None,
    last: ToOption = None,
    model: ModelOption = None,
    profile: ProfileOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    page: Annotated[bool, typer.Option("--report/--no-report", help="Build the page too.")] = True,
) -> None:
    """Make everything after raw again from what the lake holds; nothing is fetched.

    The ledger is a record: plans that were frozen stay as they were.
    """
    from cashtag.operate.status import run_dates

    env = _env("archive", lake, profile, model)
    found = run_dates(env.lake)
    start, end = day(first, "--from"), day(last, "--to")
    if not found and not (start and end):
        raise _nothing(env)
    _days(env, start or found[0], end or found[-1], form, page=page, rebuild=True)


def report(
    first: FromOption = None,
    last: ToOption = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
) -> None:
    """Build the dashboard from what the lake holds, and say where it is."""
    from cashtag.cli import output
    from cashtag.report import build

    env = _env("archive", lake, profile, None)
    where = build.build(env, day(first, "--from"), day(last, "--to"))
    output.show([{"page": where}], form)
    if show:
        import webbrowser

        webbrowser.open(f"file://{where}")


def _env(source: str, lake: str | None, profile: Profile | None, model: str | None) -> Env:
    from cashtag import services

    return services.embedded(settings(lake, profile, model), source_name=source)


def _with_console(env: Env) -> Env:
    from dataclasses import replace

    from cashtag.alerts import ConsoleNotifier

    return replace(env, notifiers=(ConsoleNotifier(),))


def _nothing(env: Env) -> Exception:
    from cashtag.errors import InputError

    return InputError(
        f"the lake {env.settings.lake} holds no runs of source {env.source.name}; bring raw data "
        "in with `cashtag import`, or use --source sample"
    )


def _span(env: Env, dt: date | None, first: date | None, last: date | None) -> tuple[date, date]:
    from cashtag.errors import InputError

    if dt is not None:
        if first is not None or last is not None:
            raise InputError("--date stands alone; use --from and --to for a range")
        return dt, dt
    held = env.source.dates()
    if held is None and (first is None or last is None):
        if env.source.name in ("archive", "sample"):
            raise _nothing(env)
        today = datetime.now(UTC).date()  # which day a live run is for is the operator's clock
        held = (today, today)
    start = first or (held[0] if held else None)
    end = last or (held[1] if held else None)
    if start is None or end is None:
        raise _nothing(env)
    if start > end:
        raise InputError(f"--from {start} lies after --to {end}")
    return start, end


def _days(env: Env, start: date, end: date, form: Format, *, page: bool, rebuild: bool) -> None:
    import time

    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.operate import days

    began = time.perf_counter()
    with progress("rebuilding" if rebuild else "running") as tick:
        results = list(days.days(env, start, end, rebuild=rebuild, progress=tick))
    where = None
    if page:
        from cashtag.report import build

        with progress("dashboard"):
            where = build.build(env, None, None)
    rows = [result.row() for result in results if result.is_session or form is not Format.table]
    output.show(rows, form, columns=list(days.DayResult.COLUMNS))
    if form is not Format.table:
        return
    tweets = sum(result.tweets for result in results)
    print(
        f"{len(results)} runs, {sum(r.is_session for r in results)} sessions, {tweets:,} tweets "
        f"in {time.perf_counter() - began:.1f} s; model {env.scorer.name}, "
        f"profile {env.settings.profile}, [{env.settings.trade.mode.upper()}]"
    )
    if env.source.name == "synthetic":
        print(
            "The sample is SYNTHETIC: invented tweets and prices, no relation to any real market."
        )
    digest = next((r.digest for r in reversed(results) if r.digest), None)
    if digest and not env.notifiers:
        print(f"\n{digest}")
    if where:
        print(f"\nLook: {where}")
    print("Ask:  cashtag status · cashtag explain NVDA · cashtag sql --list")
    if any(result.refused for result in results[-1:]):
        from cashtag.errors import SourceRefused

        raise SourceRefused(f"the source refused the run of {results[-1].dt}; see `cashtag status`")
