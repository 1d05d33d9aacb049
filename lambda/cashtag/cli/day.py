"""`cashtag run`, `rebuild` and `report`: whole days, with progress and one line a session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cashtag.cli.options import (
    EnvOption,
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
    from cashtag.operate.days import DayResult
    from cashtag.ports import Env


LIVE = SourceName.live.value


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
    catch_up: Annotated[
        bool, typer.Option("--catch-up", help="Live: also the days that were missed lately.")
    ] = False,
    page: Annotated[bool, typer.Option("--report/--no-report", help="Build the page too.")] = True,
) -> None:
    """Run days: raw, enriched, signals, plan, trades, dashboard.

    Without dates: all of the sample or archive; of live the newest day whose cutoff has passed.
    Any date may be run again: a live one fetches only what is missing.
    """
    env = _env(source.value, lake, profile, model)
    start, end = _span(env, day(dt, "--date"), day(first, "--from"), day(last, "--to"), catch_up)
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
    env_name: EnvOption = None,
) -> None:
    """Make everything after raw again from what the lake holds; nothing is fetched.

    The ledger is a record: plans that were frozen stay as they were. With --env the functions of
    the deployed stack do it, several runs at once; the dates must be given.
    """
    if env_name is not None:
        _rebuild_there(env_name, day(first, "--from"), day(last, "--to"), form)
        return
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
    env_name: EnvOption = None,
    as_it_is: Annotated[
        bool, typer.Option("--as-it-is", help="With --env: fetch the page, do not make it again.")
    ] = False,
) -> None:
    """Build the dashboard from what the lake holds, and say where it is.

    With --env it is made from the stack's tables (some twenty queries of Athena), kept in its
    private bucket, and a copy of it on this machine is what opens.
    """
    from cashtag.cli import output
    from cashtag.report import build

    start, end = day(first, "--from"), day(last, "--to")
    if env_name is not None:
        where = _page_there(env_name, start, end, as_it_is)
    else:
        where = build.build(_env("archive", lake, profile, None), start, end)
    output.show([{"page": where}], form)
    if show:
        import webbrowser

        webbrowser.open(f"file://{where}")


def _rebuild_there(env_name: str, first: date | None, last: date | None, form: Format) -> None:
    from cashtag import services
    from cashtag.cli import output
    from cashtag.cli.options import deployed
    from cashtag.cli.progress import progress
    from cashtag.errors import CheckFailed, InputError
    from cashtag.operate.cloud import rebuilding
    from cashtag.operate.status import run_dates

    if first is None or last is None:
        raise InputError("--env needs --from and --to: every run of the span calls two functions")
    if first > last:
        raise InputError(f"--from {first} lies after --to {last}")
    own, stack, session = deployed(env_name)
    days = [dt for dt in run_dates(services.s3_lake(own)) if first <= dt <= last]
    if not days:
        raise InputError(f"{stack.name} holds no run from {first} to {last}; see `cashtag status`")
    with progress("rebuilding") as tick:
        rows = list(rebuilding.rebuild(stack, session, days, own.aws.rebuild_at_once, tick))
    output.show([row.row() for row in rows], form)
    if failed := [str(row.dt) for row in rows if not (row.enriched and row.signals)]:
        raise CheckFailed(
            f"{len(failed)} of {len(rows)} runs were not made again: {', '.join(failed)}; "
            f"`cashtag logs --since 1h --env {stack.environment}` says more"
        )


def _page_there(env_name: str, first: date | None, last: date | None, as_it_is: bool) -> str:
    from cashtag import services
    from cashtag.cli.options import deployed
    from cashtag.cli.progress import progress
    from cashtag.operate.cloud import page
    from cashtag.report import build

    own, stack, _ = deployed(env_name)
    env = services.cloud(own, source_name="archive")
    if not as_it_is:
        with progress("dashboard"):
            build.build(env, first, last)
    with progress("fetching") as tick:
        index, _count = page.sync(env.lake, page.folder(stack), tick)
    return str(index)


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


def _span(
    env: Env, dt: date | None, first: date | None, last: date | None, catch_up: bool
) -> tuple[date, date]:
    from cashtag.errors import InputError

    if dt is not None and (first is not None or last is not None):
        raise InputError("--date stands alone; use --from and --to for a range")
    if env.source.name == LIVE:
        return _due(env, dt or first, dt or last, catch_up)
    if catch_up:
        raise InputError("--catch-up is for --source live; sample and archive miss no day")
    if dt is not None:
        return dt, dt
    held = env.source.dates()
    if held is None and (first is None or last is None):
        raise _nothing(env)
    start = first or (held[0] if held else None)
    end = last or (held[1] if held else None)
    if start is None or end is None:
        raise _nothing(env)
    if start > end:
        raise InputError(f"--from {start} lies after --to {end}")
    return start, end


def _due(env: Env, first: date | None, last: date | None, catch_up: bool) -> tuple[date, date]:
    """The days of a live run: none before its cutoff, for its day is not over."""
    from cashtag.errors import InputError, SettingsError
    from cashtag.operate import missed
    from cashtag.scrape import credentials

    if not credentials.x_accounts(env.settings):  # told before anyone is asked for anything
        raise SettingsError(f"no X accounts are set up; {credentials.how_to_set_up(env.settings)}")
    now = datetime.now(UTC)  # which day a live run is for is the operator's clock
    due = missed.due(env.settings, now)
    start, end = first or last or due, last or due
    if start > end:
        raise InputError(f"--from {start} lies after --to {end}")
    if end > due:
        raise InputError(
            f"the run of {end} is not due before its cutoff at {env.settings.scrape.cutoff_utc} "
            f"UTC of that day; the newest that is due is {due}"
        )
    if catch_up and first is None:
        start = missed.first(env.lake, env.settings, end)
    return start, end


def _days(env: Env, start: date, end: date, form: Format, *, page: bool, rebuild: bool) -> None:
    import time

    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.operate import days

    began = time.perf_counter()
    with progress("rebuilding" if rebuild else "running") as tick:
        results = list(
            days.days(
                env,
                start,
                end,
                rebuild=rebuild,
                # Yesterday's results name tickers for today's scrape.
                one_by_one=env.source.name == LIVE,
                progress=tick,
            )
        )
    where = None
    if page:
        from cashtag.report import build

        with progress("dashboard"):
            where = build.build(env, None, None)
    rows = [
        result.row()
        for result in results
        if result.is_session or len(results) == 1 or form is not Format.table
    ]
    output.show(rows, form, columns=list(days.DayResult.COLUMNS))
    if form is Format.table:
        _tell(env, results, where, time.perf_counter() - began)
    if any(result.refused for result in results[-1:]):
        from cashtag.errors import SourceRefused

        raise SourceRefused(
            f"no ticker was answered in the run of {results[-1].dt}: "
            f"{'; '.join(results[-1].reasons)}; see `cashtag status --date {results[-1].dt}`"
        )


def _tell(env: Env, results: Sequence[DayResult], where: str | None, seconds: float) -> None:
    from cashtag.cli import output

    tweets = sum(result.tweets for result in results)
    print(
        f"{len(results)} runs, {sum(r.is_session for r in results)} sessions, {tweets:,} tweets "
        f"in {seconds:.1f} s; model {env.scorer.name}, "
        f"profile {env.settings.profile}, [{env.settings.trade.mode.upper()}]"
    )
    if env.source.name == "synthetic":
        print(
            "The sample is SYNTHETIC: invented tweets and prices, no relation to any real market."
        )
    if env.source.name == LIVE:
        from cashtag.operate import status

        found = status.sources(env.lake, results[-1].dt)
        output.show(found, Format.table, title=f"Sources of {results[-1].dt}")
        for reason in results[-1].reasons:
            print(f"partial, so nothing is traded: {reason}")
        for note in results[-1].notes:
            print(note)
    digest = next((r.digest for r in reversed(results) if r.digest), None)
    if digest and not env.notifiers:
        print(f"\n{digest}")
    if where:
        print(f"\nLook: {where}")
    print("Ask:  cashtag status · cashtag explain NVDA · cashtag sql --list")
