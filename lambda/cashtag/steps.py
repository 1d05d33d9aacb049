"""The steps of a day, which handlers and command line share: scrape, enrich, signals, plan.

Each takes an Env and one date (or one raw object), replaces what it derives, and may be killed
at any moment, run again, or run twice at once: the lake ends the same. A laptop calls them in a
row (`operate.days`); in the cloud events start them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from cashtag import sessions
from cashtag.errors import SourceRefused
from cashtag.lake import completion, layout, tombstones
from cashtag.ports import Day, Env, Progress
from cashtag.scrape import coverage, keeping, manifest, standing

if TYPE_CHECKING:
    import pyarrow as pa

    from cashtag.enrich.universe import Universe
    from cashtag.trade.executing import Executed, Managed
    from cashtag.trade.plan import Plan
    from cashtag.trade.settle import Settled

LIVE = "live"  # the one source that asks anybody anything


# ---------------------------------------------------------------- scrape


def scrape(env: Env, dt: date, progress: Progress | None = None) -> manifest.Manifest:
    """Fetch the day's raw data, keep it, and write the manifest last.

    `progress` is called with the tickers that have answered, and those asked.

    A source that refuses as a whole leaves a manifest in which every ticker is refused: the day
    is known to be broken, and is not taken for a quiet one. A scrape that found nothing new to
    tell of leaves the manifests as they are.
    """
    from cashtag.enrich import forgotten

    at = env.settings.scrape.cutoff_utc
    day = Day(dt, sessions.cutoff(dt, at), env.source.asked(dt))
    tickers: dict[str, manifest.TickerEntry] = {}
    objects: dict[str, manifest.ObjectEntry] = {}
    stones = tombstones.read(env.lake.raw)
    try:
        for fetched in env.source.fetch(day):
            left = forgotten.of_answer(fetched, stones)
            kept = keeping.keep(env.lake.raw, env.source.name, dt, left)
            if kept is not None:
                objects[kept.key] = kept
            if fetched.kind == "tweets" and fetched.ticker is not None:
                keeping.note(tickers, fetched, kept.lines if kept else 0)
                if progress is not None:
                    progress(len(tickers), len(day.tickers), f"{dt} {fetched.ticker}")
    except SourceRefused as refusal:
        for ticker in day.tickers:
            tickers.setdefault(ticker, manifest.TickerEntry(ticker, "refused", str(refusal), 0))
    whole = manifest.Manifest(
        dt,
        day.cutoff,
        env.source.name,
        tuple(tickers[ticker] for ticker in sorted(tickers)),
        tuple(objects[key] for key in sorted(objects)),
        env.source.health(),
        number=len(known := manifest.of_day(env.lake.raw, dt)) + 1,
    )
    if not keeping.told(known, whole):
        manifest.write(env.lake.raw, whole)
    return whole


# ---------------------------------------------------------------- enrich


@dataclass(frozen=True, slots=True)
class Enriched:
    """What became of one raw object: lines by fate (rows, off_topic, repeated, rejected, …)."""

    key: str
    counts: dict[str, int] = field(default_factory=dict)
    polarity: float | None = None
    """Mean over its rows, -1 to 1; None where no row has one."""


def enrich(env: Env, key: str) -> Enriched | None:
    """One raw object to staged rows of its own ticker; None for an object that leaves none.

    Lines that cannot become rows are kept beside the stage, with their reasons.

    Raises:
        StoreError: the object or the lake cannot be read or written.
    """
    parsed = layout.parse_raw(key)
    if parsed is None or parsed.kind not in completion.STAGED:
        return None
    from cashtag.enrich import staging

    staged = staging.stage(
        env.settings, env.lake, env.scorer, build_of(env), parsed, _universe(env, parsed.dt)
    )
    return Enriched(key, staged.counts, staged.polarity)


def _universe(env: Env, dt: date) -> Callable[[], tuple[str, ...]]:
    """Tickers that the day was asked for: what news may be about. Read only where it is needed."""
    return lambda: tuple(row.ticker for row in manifest.tickers(manifest.of_day(env.lake.raw, dt)))


def _renew(env: Env, dt: date, expected: list[str]) -> None:
    """Stage news again that was staged when the manifests told other tickers, or none yet.

    Objects are enriched as they come, and manifests come last. The answers are recorded: no model
    is asked again.
    """
    from cashtag.enrich import staging

    tickers = _universe(env, dt)
    for key in expected:
        if key.startswith("news/") and staging.outdated(env.lake, build_of(env), key, tickers):
            enrich(env, key)


def build_of(env: Env) -> str:
    """Name of the build that this Env makes."""
    return completion.build(env.settings.config_hash(), env.scorer.version)


# ---------------------------------------------------------------- completion


def state_of(env: Env, dt: date) -> str | None:
    """Name of the day's state when everything its manifests expect is staged, else None."""
    keys = [info.key for info in env.lake.raw.list(layout.manifests(dt))]
    if not keys:
        return None
    expected = manifest.expected(manifest.of_day(env.lake.raw, dt))
    build = build_of(env)
    if completion.missing(env.lake, build, (obj.key for obj in expected)):
        return None
    return completion.state(keys, build)


def complete(env: Env, dt: date) -> bool:
    """Make the comparison; True when this call was the one that found the day complete."""
    state = state_of(env, dt)
    return state is not None and completion.mark(env.lake, dt, state)


# ---------------------------------------------------------------- signals


@dataclass(frozen=True)
class Signalled:
    """What a run's signals step did."""

    dt: date
    session: date
    settled: Settled | None
    coverage: coverage.SessionCoverage
    directions: dict[str, str]
    warnings: tuple[str, ...]
    state: str = ""
    """Name of the state of the day that was published."""
    unstaged: tuple[str, ...] = ()
    """Raw objects that were expected and could not be enriched in time."""

    @property
    def partial(self) -> bool:
        """Whether the session was published as partial: its signals are not traded."""
        return self.coverage.partial or bool(self.unstaged)


def signals(env: Env, dt: date, *, settling: bool = True) -> Signalled:
    """Compact the day, settle the session before, run the models and checks, publish.

    Without `settling` the ledger is not touched, as when past sessions are made again.

    Raises:
        CheckFailed: a check marked `fail` found rows; the session's tables stay as they were.
        StoreError: the day has no manifest, or the lake cannot be read or written.
    """
    from cashtag.enrich import staging
    from cashtag.signals import publish
    from cashtag.trade import settle

    at = env.settings.scrape.cutoff_utc
    session = sessions.session_of_run(dt, at)
    build = build_of(env)
    stands = standing.of_run(env.lake, build, dt)
    _renew(env, dt, stands.expected)
    staging.compact(env.settings, env.lake, build, dt, stands.expected)
    for table in ("tweets", "news", "options", "prices"):
        env.warehouse.register(table, dt)
    settled = settle.settle(env, session) if settling and dt == session else None
    window = sessions.window(session, at)
    while True:
        compacted = _compacted(env, window)
        covered = coverage.of_session(env.lake.raw, session, window, env.settings, compacted)
        published = publish.publish(
            env,
            session,
            compacted[-1],
            run=dt,
            coverage=covered.share,
            partial=covered.partial or not stands.complete,
            reasons=(*covered.reasons, *stands.reasons),
            state=stands.state,
        )
        # A run of the same session that came in meanwhile must not be overwritten by this one.
        if _compacted(env, window) == compacted:
            break
    _keep_config(env)
    return Signalled(
        dt,
        session,
        settled,
        covered,
        _directions(published.tables["daily_signals"]),
        tuple(str(finding) for finding in published.findings),
        stands.state,
        tuple(stands.unstaged),
    )


def _compacted(env: Env, window: tuple[date, ...]) -> tuple[date, ...]:
    """Runs of a session's window whose tables are there, ascending.

    A session's signals are made from the newest of them, whichever run is made again.
    """
    return tuple(run for run in window if env.lake.enriched.exists(layout.enriched("prices", run)))


def _directions(table: pa.Table) -> dict[str, str]:
    """Directions other than HOLD of the STOCK rows of daily_signals, by ticker."""
    columns = table.select(["ticker", "kind", "direction"]).to_pydict()
    return {
        ticker: direction
        for ticker, kind, direction in zip(*columns.values(), strict=True)
        if kind == "STOCK" and direction != "HOLD"
    }


def _keep_config(env: Env) -> None:
    """Keep the settings behind the rows' config_hash, so that anyone can make them again."""
    key, text = layout.config(env.settings.config_hash()), env.settings.config_text().encode()
    store = env.lake.enriched
    if not store.exists(key) or store.get(key) != text:  # or a power cut left it empty
        store.put(key, text)


# ---------------------------------------------------------------- discovery


def discover(env: Env, dt: date) -> Universe | None:
    """Ask a model for tickers of the next run, and make `ticker_universe`; None where nobody did.

    Only a live run asks, and only until there is an answer: it is recorded in raw, so that this
    may be called again, and a rebuild reads what was said then. Signals never read it.
    """
    from cashtag.enrich import leads, universe
    from cashtag.scrape import credentials, discovery
    from cashtag.scrape.deadline import Deadline

    settings, raw = env.settings, env.lake.raw
    answers = discovery.recorded(raw, dt)
    asked = env.source.name == LIVE and discovery.is_due(settings, answers)
    if asked:
        until = Deadline(settings.live.discovery.seconds)
        document = leads.leads(settings, env.lake, dt)
        keys = credentials.alpaca_keys(settings)
        discovery.keep(raw, dt, discovery.ask(settings, document, until, keys))
        answers = discovery.recorded(raw, dt)  # of two that asked at once, the first one counts
    if not answers:
        return None
    made = universe.make(settings, env.lake, build_of(env), dt, answers)
    env.warehouse.register(universe.TABLE, dt)
    return replace(made, asked=asked)


# ---------------------------------------------------------------- trade


def plan(env: Env, session: date) -> Plan:
    """Signals and gates to order intents for the session, recorded in the ledger."""
    from cashtag.trade import plan as desk

    return desk.plan(env, session)


def execute(env: Env, session: date) -> Executed:
    """Freeze the session's standing plan: what is decided later, or vetoed, comes too late."""
    from cashtag.trade import executing

    return executing.execute(env, session)


def manage(env: Env, session: date) -> Managed:
    """Compare the books with the events that they are derived from, and tell what is held."""
    from cashtag.trade import executing

    return executing.manage(env, session)
