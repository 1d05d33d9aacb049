"""Coverage of a run and of a session: a broken scraper must not look like silence.

Two shares are judged: tickers that answered (with tweets, or truly with none) to tickers asked,
and tweets to the median of the same weekday over the weeks before. The smaller one is the
coverage; below the limit the session is partial, and a partial session never trades. So is one
whose run found no list of trending tickers at all. The age of the newest tweet and the accounts
left are told, not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from cashtag.ports import SourceHealth, Store
from cashtag.scrape import manifest
from cashtag.settings import Settings

_WEEK = timedelta(days=7)
_ACCOUNT = "/"  # in a name: `x/main` is an account of the source `x`
TRENDING = "trending"


@dataclass(frozen=True, slots=True)
class RunCoverage:
    """Coverage of one run. `usual` is None while there is too little history to say."""

    dt: date
    asked: int
    answered: int
    tweets: int
    usual: float | None
    refused: tuple[manifest.TickerEntry, ...]
    scraped: bool
    cutoff: datetime | None = None
    newest: datetime | None = None
    health: tuple[SourceHealth, ...] = ()

    @property
    def of_tickers(self) -> float:
        """Answered / asked, 0 to 1; nothing asked or never scraped is 0."""
        return self.answered / self.asked if self.asked else 0.0

    @property
    def of_tweets(self) -> float | None:
        """Tweets / usual, capped at 1; None without history, or when none is usual."""
        return None if not self.usual else min(1.0, self.tweets / self.usual)

    @property
    def share(self) -> float:
        """The smaller of the two, 0 to 1."""
        tweets = self.of_tweets
        return self.of_tickers if tweets is None else min(self.of_tickers, tweets)

    @property
    def age(self) -> timedelta | None:
        """How old the newest tweet was at the cutoff; None when no source dated its tweets."""
        if self.newest is None or self.cutoff is None:
            return None
        return self.cutoff - self.newest

    @property
    def accounts(self) -> tuple[int, int] | None:
        """Accounts left and accounts there were; None for a source that has none."""
        found = [row for row in self.health if _ACCOUNT in row.name]
        if not found:
            return None
        return sum(row.status != "refused" for row in found), len(found)

    @property
    def broken(self) -> tuple[SourceHealth, ...]:
        """Sources (not accounts) that refused."""
        return tuple(
            row for row in self.health if row.status == "refused" and _ACCOUNT not in row.name
        )

    def reason(self, limit: float) -> str | None:
        """Why this run makes its session partial, in words; None when it does not."""
        if not self.scraped:
            return f"the run of {self.dt} is missing"
        for row in self.broken:
            if row.name == TRENDING:
                return f"no list of trending tickers on {self.dt} ({row.reason})"
        if self.of_tickers < limit:
            refused = ", ".join(row.ticker for row in self.refused)
            return (
                f"{self.answered} of {self.asked} tickers answered on {self.dt}"
                f" (refused: {refused or 'none was asked'})"
            )
        if (tweets := self.of_tweets) is not None and tweets < limit:
            return f"{self.tweets} tweets on {self.dt}, {self.usual:g} are usual that weekday"
        return None


@dataclass(frozen=True, slots=True)
class SessionCoverage:
    """Coverage of a session: the smallest of its runs."""

    session: date
    runs: tuple[RunCoverage, ...]
    limit: float

    @property
    def share(self) -> float:
        """The smallest coverage of the session's runs, 0 to 1."""
        return min(run.share for run in self.runs)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the session is partial, one sentence a run."""
        return tuple(reason for run in self.runs if (reason := run.reason(self.limit)))

    @property
    def partial(self) -> bool:
        """Whether a run of the session is missing or incomplete."""
        return bool(self.reasons)


def of_run(raw: Store, dt: date, settings: Settings) -> RunCoverage:
    """Compare one run with what was asked and with the same weekday of the weeks before."""
    manifests = manifest.of_day(raw, dt)
    rows = manifest.tickers(manifests)
    answered = [row for row in rows if row.status != "refused"]
    rules = settings.scrape.coverage
    history = [_tweets(raw, dt - weeks * _WEEK) for weeks in range(1, rules.median_weeks + 1)]
    known = [tweets for tweets in history if tweets is not None]
    return RunCoverage(
        dt=dt,
        asked=len(rows),
        answered=len(answered),
        tweets=_lines(manifests),
        usual=float(median(known)) if len(known) >= rules.minimum_history else None,
        refused=tuple(row for row in rows if row.status == "refused"),
        scraped=bool(manifests),
        cutoff=manifests[0].cutoff if manifests else None,
        newest=max((_moment(row.newest) for row in rows if row.newest), default=None),
        health=manifest.health(manifests),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def of_session(
    raw: Store,
    session: date,
    runs: tuple[date, ...],
    settings: Settings,
    known: tuple[date, ...] | None = None,
) -> SessionCoverage:
    """Coverage of a session whose window is `runs` (all of them, also those not yet due).

    Runs that are not among `known` count as missing, whatever raw holds of them: the signals
    cannot have read them. None knows all.
    """
    return SessionCoverage(
        session,
        tuple(
            of_run(raw, dt, settings) if known is None or dt in known else _missing(dt)
            for dt in runs
        ),
        settings.scrape.coverage.partial_below,
    )


def _missing(dt: date) -> RunCoverage:
    return RunCoverage(dt, 0, 0, 0, None, (), scraped=False)


def _tweets(raw: Store, dt: date) -> int | None:
    manifests = manifest.of_day(raw, dt)
    return _lines(manifests) if manifests else None


def _lines(manifests: tuple[manifest.Manifest, ...]) -> int:
    # As they were scraped: a takedown is no fault of the scraper.
    return sum(obj.lines for obj in manifest.scraped(manifests) if obj.key.startswith("tweets/"))
