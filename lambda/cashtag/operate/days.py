"""A laptop's days: scrape, enrich each object, signals, plan, one day after the other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from cashtag import steps
from cashtag.lake import layout
from cashtag.operate import concluding
from cashtag.ports import Env, Progress
from cashtag.scrape import manifest

if TYPE_CHECKING:
    from cashtag.trade.settle import Settled


def _silent(_done: int, _of: int, _what: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class DayResult:
    """What one run led to; `row()` is the line that `cashtag run` prints."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "dt", "session", "tweets", "rows", "tickers", "coverage", "partial",
        "signals", "orders", "fills", "equity",
    )  # fmt: skip

    dt: date
    session: date
    tweets: int
    rows: int
    answered: int
    asked: int
    coverage: float
    partial: bool
    directions: dict[str, str]
    orders: int
    fills: int
    equity: float | None
    refused: bool
    reasons: tuple[str, ...] = ()
    digest: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_session(self) -> bool:
        """Whether the run's date is itself a session."""
        return self.dt == self.session

    def row(self) -> dict[str, Any]:
        """The run as a row to print."""
        return {
            "dt": self.dt,
            "session": self.session,
            "tweets": self.tweets,
            "rows": self.rows,
            "tickers": f"{self.answered}/{self.asked}",
            "coverage": round(self.coverage, 3),
            "partial": self.partial,
            "signals": " ".join(
                f"{'+' if way == 'BUY' else '-'}{ticker}"
                for ticker, way in sorted(self.directions.items())
            ),
            "orders": self.orders,
            "fills": self.fills,
            "equity": None if self.equity is None else round(self.equity, 2),
        }


@dataclass(frozen=True)
class Prepared:
    """A run whose raw objects are all staged: its manifests, and rows and tweets in them."""

    dt: date
    manifests: tuple[manifest.Manifest, ...]
    rows: int
    tweets: int


def days(
    env: Env,
    first: date,
    last: date,
    *,
    rebuild: bool = False,
    one_by_one: bool = False,
    progress: Progress = _silent,
) -> Iterator[DayResult]:
    """Run every day from `first` to `last`; `rebuild` takes raw as it is and fetches nothing.

    With `one_by_one` a day is fetched only after the one before is done, and progress counts the
    tickers of a day.

    While a day's signals are made, the next day is scraped and enriched beside them: enrichment
    is row-local and reads nothing but raw, so the order between the two cannot matter.
    """
    total = (last - first).days + 1
    dates = [first + timedelta(days=n) for n in range(total)]
    if rebuild:
        dates = [dt for dt in dates if any(True for _ in env.lake.raw.list(layout.manifests(dt)))]
    if one_by_one or len(dates) < 2:
        for dt in dates:
            progress(0, 1, str(dt))
            yield day(env, dt, rebuild=rebuild, progress=progress)
        progress(total, total, "")
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="enrich") as ahead:
        upcoming = [ahead.submit(prepare, env, dates[0], rebuild=rebuild)]
        for n, dt in enumerate(dates):
            progress(n, len(dates), str(dt))
            prepared = upcoming.pop().result()
            upcoming += [
                ahead.submit(prepare, env, following, rebuild=rebuild)
                for following in dates[n + 1 : n + 2]
            ]
            yield conclude(env, prepared)
    progress(total, total, "")


def day(env: Env, dt: date, *, rebuild: bool = False, progress: Progress = _silent) -> DayResult:
    """One laptop day: scrape, enrich each object, signals, and on a session its plan."""
    return conclude(env, prepare(env, dt, rebuild=rebuild, progress=progress))


def prepare(env: Env, dt: date, *, rebuild: bool = False, progress: Progress = _silent) -> Prepared:
    """Scrape a day (unless rebuilding) and enrich each of its raw objects."""
    if not rebuild:
        steps.scrape(env, dt, progress)
    manifests = manifest.of_day(env.lake.raw, dt)
    rows = tweets = 0
    for obj in manifest.expected(manifests):
        enriched = steps.enrich(env, obj.key)
        if enriched is not None and obj.key.startswith("tweets/"):
            rows += enriched.counts.get("rows", 0)
            tweets += obj.lines
    steps.complete(env, dt)
    return Prepared(dt, manifests, rows, tweets)


def conclude(env: Env, prepared: Prepared) -> DayResult:
    """Make a prepared day's signals, and on a session settle the one before and plan this one."""
    dt = prepared.dt
    out = concluding.announcer(env)
    done = concluding.signals(env, dt, out).done
    planned = None
    if dt == done.session:
        planned = concluding.plan(env, done.session, out, done.settled)
    answers = manifest.tickers(prepared.manifests)
    return DayResult(
        dt=dt,
        session=done.session,
        tweets=prepared.tweets,
        rows=prepared.rows,
        answered=sum(row.status != "refused" for row in answers),
        asked=len(answers),
        coverage=done.coverage.share,
        partial=done.coverage.partial,
        directions=done.directions,
        orders=len(planned.plan.intents) if planned else 0,
        fills=sum(row["filled_quantity"] > 0 for row in done.settled.trades) if done.settled else 0,
        equity=_equity(done.settled),
        refused=bool(answers) and all(row.status == "refused" for row in answers),
        reasons=done.coverage.reasons,
        digest=planned.digest if planned else None,
        # Discovery comes last: it may take minutes, and nothing here waits for it.
        notes=(*concluding.discovered(env, dt, out), *out.failed),
    )


def _equity(settled: Settled | None) -> float | None:
    if settled is None or not settled.accounts:
        return None
    return float(sum(row["equity"] for row in settled.accounts))
