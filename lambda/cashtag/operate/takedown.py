"""A takedown carried out: what its records name is rewritten, removed, or made again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from cashtag import sessions, steps
from cashtag.errors import CheckFailed
from cashtag.exchange import forget_rewrite, forget_search
from cashtag.exchange.forget_record import Record
from cashtag.exchange.forget_search import Found, Mirrors
from cashtag.lake import completion, layout, tombstones
from cashtag.ports import Env, Progress, Store
from cashtag.scrape import manifest
from cashtag.signals.models import MODELS

PAGE_DATA = "data/"  # where the page keeps what it shows; made again as a whole
REWRITTEN, REMOVED, MADE_AGAIN = "rewritten", "removed", "made again"


def tables(
    env: Env, runs: Iterable[date], again: Iterable[date]
) -> Iterable[tuple[Store, str, list[str]]]:
    """Yield the tables that are made again: their store, the name of their zone, their keys."""
    yield env.lake.enriched, "enriched", [layout.enriched("tweets", dt) for dt in runs]
    keys = [
        key
        for session in again
        for key in (*(layout.signals(name, session) for name in MODELS), layout.findings(session))
    ]
    yield env.lake.signals, "signals", keys


def carry_out(env: Env, found: Found, records: Sequence[Record], progress: Progress) -> None:
    """Do all that the records say, whatever of it was done before.

    Args:
        env: as for `forget`.
        found: what the search found; texts are known only as long as they are there.
        records: what is to be done.
        progress: called with steps done, steps there are, and what is done now.

    Raises:
        CheckFailed: the checks refuse what is left of a session; its tables are gone.
        StoreError: a zone cannot be read, written or purged.
    """
    lake = env.lake
    items = {(item.zone, item.key): item for record in records for item in record.items}
    keys = sorted(key for zone, key in items if zone == "raw")
    tweets = [key for key in keys if key.startswith("tweets/")]
    runs = sorted({dt for record in records for dt in record.runs})
    again = sorted({session for record in records for session in record.sessions})
    todo = len(keys) + len(runs) + len(again) + 1

    # First what only the texts tell: while they can still be read.
    _take_back_quotations(env, found, keys)
    for (zone, key), item in items.items():
        if zone == "report" and item.what == REMOVED:
            lake.report.purge(key)
    made = forget_search.mirrors(lake.enriched, tweets)
    while True:
        stones = tombstones.read(lake.raw)
        for done, key in enumerate(keys):
            progress(done, todo, key)
            if key.startswith("tweets/"):
                forget_rewrite.rewrite(env.settings, lake, key, stones, made)
                _restage(env, key, made)
            elif key.startswith("quarantine/"):
                forget_rewrite.rewrite_quarantine(lake.raw, key, stones)
        # Of two takedowns that rewrote one object at once, one has put back what the other took
        # out; each has set its tombstones first, so that the last one sees them.
        if tombstones.read(lake.raw) == stones:
            break
    for dt in runs:
        forget_rewrite.supersede(lake.raw, dt, [key for key in tweets if f"/dt={dt}/" in key])
    refused = _make_again(env, runs, again, lambda n, what: progress(len(keys) + n, todo, what))
    progress(todo - 1, todo, "dashboard")
    _page(env)
    progress(todo, todo, "")
    if refused:
        raise CheckFailed(
            "forgotten, but these sessions have no tables now, because what is left of them fails "
            f"a check: {'; '.join(refused)}; see `cashtag rebuild`"
        )


def _take_back_quotations(env: Env, found: Found, keys: Iterable[str]) -> None:
    """Take quotations out of what a model said of a day, and make `ticker_universe` again."""
    raw = env.lake.raw
    left = forget_rewrite.discovered(raw, found.target.wanted, found.texts)
    for key, data in left.items():
        raw.put(key, data)
    for key in sorted({*left, *(key for key in keys if key.startswith("discovery/"))}):
        raw.purge(key, keep_current=True)
        parsed = layout.parse_raw(key)
        if parsed is not None:
            steps.discover(env, parsed.dt)
            table = layout.enriched("ticker_universe", parsed.dt)
            env.lake.enriched.purge(table, keep_current=True)


def _restage(env: Env, key: str, made: Mirrors) -> None:
    """Make the object's stage of this build again; remove that of others, which nobody reads."""
    build = steps.build_of(env)
    kept: Mapping[str, int] = made.stage.get(key, {})
    if layout.stage(build, key) in kept:
        steps.enrich(env, key)
    for each in {*kept, *made.rejected.get(key, {})}:
        env.lake.enriched.purge(each, keep_current=each.split("/")[1] == build)


def _make_again(
    env: Env,
    runs: Iterable[date],
    again: Iterable[date],
    tick: Callable[[int, str], None],
) -> list[str]:
    """Make the tables of the changed runs and sessions again; return what the checks refused."""
    lake, at = env.lake, env.settings.scrape.cutoff_utc
    days = {dt for dt in runs if lake.enriched.exists(layout.enriched("tweets", dt))}
    for session in again:
        # A session is made from the newest of its runs.
        collected = [
            dt
            for dt in sessions.window(session, at)
            if lake.enriched.exists(layout.enriched("prices", dt))
        ]
        days |= set(collected[-1:])
    refused: dict[date, str] = {}
    for n, dt in enumerate(sorted(days)):
        tick(n, str(dt))
        expected = manifest.expected(manifest.of_day(lake.raw, dt))
        for key in completion.missing(lake, steps.build_of(env), (obj.key for obj in expected)):
            steps.enrich(env, key)
        steps.complete(env, dt)
        session = sessions.session_of_run(dt, at)
        try:
            steps.signals(env, dt, settling=False)
            refused.pop(session, None)
        except CheckFailed as error:
            refused[session] = str(error)
    for store, _, keys in tables(env, runs, again):
        for key in keys:
            store.purge(key, keep_current=True)
    for session in refused:
        for name in MODELS:
            lake.signals.purge(layout.signals(name, session))
    return [refused[session] for session in sorted(refused)]


def _page(env: Env) -> None:
    """Build the dashboard again where there is one, and remove what earlier ones left."""
    from cashtag.report import build

    report = env.lake.report
    if report.exists(build.INDEX):
        build.build(env)
    for one in list(report.versions(PAGE_DATA)):
        if one.count > one.current:
            report.purge(one.key, keep_current=True)
