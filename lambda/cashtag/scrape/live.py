"""The live source: all sources of a run at once, each on an errand of its own, until a deadline.

What an errand fetched is handed on as it comes, so that it is stored before anything else can go
wrong. What raw holds already is not fetched again: a second call brings what the first left out.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import partial
from typing import Protocol

from cashtag.errors import SourceRefused
from cashtag.ports import Day, Fetched, Lake, SourceHealth
from cashtag.redaction import redacted
from cashtag.scrape import trending, universe, waiting
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held, held
from cashtag.settings import Settings
from cashtag.tickers import canonical

TWEETS = "x"


class Errand(Protocol):
    """One source of a live run. It bounds its own waiting by the deadline it is given."""

    name: str

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield what is missing of the day. Raises SourceRefused when the source is down."""
        ...

    def health(self) -> tuple[SourceHealth, ...]:
        """How the source, and each account of it, came through."""
        ...


class LiveSource:
    """Trending tickers, watchlist and yesterday's universe, asked of every source at once."""

    name = "live"

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        errands: Sequence[Errand],
        trending_tickers: trending.Trending,
        deadline: Callable[[], Deadline] | None = None,
    ) -> None:
        self._settings = settings
        self._lake = lake
        self._errands = tuple(errands)
        self._trending = trending_tickers
        self._deadline = deadline or (lambda: Deadline(settings.live.step_seconds))
        self._until: Deadline | None = None
        self._lists: tuple[Fetched, ...] = ()
        self._asked_sites = False
        self._health: tuple[SourceHealth, ...] = ()

    def dates(self) -> None:
        """A live source holds no dates."""

    def asked(self, dt: date) -> tuple[str, ...]:
        """Trending tickers (as recorded, else fetched now), watchlist, universe of the day before.

        A resumed run is asked for what its first call was asked for, and for a trending list
        where that call had none.
        """
        self._until = self._deadline()
        self._lists = ()
        self._asked_sites = False
        known = held(self._lake.raw, dt)
        listed = trending.recorded(known)
        if not listed:
            self._asked_sites = True
            self._lists = self._trending.fetch(dt, known, self._until)
            listed = trending.tickers_of(self._lists)
        found = [*known.answers, *listed, *self._settings.watchlist.stocks]
        found += universe.discovered(self._lake, dt, self._settings)
        return tuple(sorted({canonical(self._settings, ticker) for ticker in found}))

    def fetch(self, day: Day) -> Iterator[Fetched]:
        """Yield what raw holds already, then each errand's answers as they come."""
        until = self._until or self._deadline()
        self._until = None
        known = held(self._lake.raw, day.dt)
        yield from _kept(known)
        yield from self._lists
        # A list that raw already held was judged by the scrape that fetched it.
        asked_now = self._trending.health() if self._asked_sites else ()
        answered = {
            ticker
            for ticker in day.tickers
            if (answer := known.answer(ticker)) is not None and answer.status != "refused"
        }
        outcomes = [_Outcome(errand, day, known, until) for errand in self._errands]
        yield from _arriving(outcomes, until, answered)
        self._health = tuple(
            sorted(
                [*asked_now, *(row for out in outcomes for row in out.health())],
                key=lambda row: row.name,
            )
        )
        for ticker in day.tickers:
            if ticker not in answered:
                yield Fetched("tweets", ticker, "refused", _why(outcomes), source=TWEETS)
        for outcome in outcomes:
            if outcome.error is not None and not isinstance(outcome.error, SourceRefused):
                raise outcome.error  # a defect of ours: told, after everything else was stored

    def health(self) -> tuple[SourceHealth, ...]:
        """Every source's and account's health in the last fetch, sorted by name."""
        return self._health


def _kept(known: Held) -> Iterator[Fetched]:
    """What raw holds already, as if it had just come: the manifest then tells of it whole."""
    for key in known.keys:
        answer = known.answer(key.name) if key.kind == "tweets" else None
        yield Fetched(
            key.kind,
            key.name if key.kind in ("tweets", "options") else None,
            "ok",
            key=str(key),
            source=key.source,
            newest=datetime.fromisoformat(answer.newest) if answer and answer.newest else None,
            more=answer.more if answer else False,
            cursor=answer.cursor if answer else None,
        )
    for ticker, answer in sorted(known.answers.items()):
        if answer.status == "empty":
            yield Fetched("tweets", ticker, "empty", source=TWEETS)


class _Outcome(waiting.Outcome):
    """One errand under way: what it fetched arrives in a queue, what it raised is kept."""

    def __init__(self, errand: Errand, day: Day, known: Held, until: Deadline) -> None:
        self.errand = errand
        self.ended = False
        self._work = (day, known, until)

    def fetch(self, arrivals: queue.SimpleQueue[Fetched | _Outcome]) -> None:
        """Put what is fetched into the queue, and this outcome after it."""
        with self:
            for fetched in self.errand.fetch(*self._work):
                arrivals.put(fetched)
        arrivals.put(self)

    def health(self) -> tuple[SourceHealth, ...]:
        """What the errand says of itself, and why it ended, if it did not end well."""
        told = self.errand.health()
        why = self.why()
        if why is None or any(row.name == self.errand.name for row in told):
            return told
        return (SourceHealth(self.errand.name, "refused", why), *told)

    def why(self) -> str | None:
        """Why the errand did not end well; None when it did."""
        if self.error is not None:
            return redacted(str(self.error)) or type(self.error).__name__
        return None if self.ended else "the deadline came first (live.step_seconds)"


def _arriving(
    outcomes: Sequence[_Outcome], until: Deadline, answered: set[str]
) -> Iterator[Fetched]:
    """Start all errands; yield what arrives until all have ended or the deadline has passed."""
    arrivals: queue.SimpleQueue[Fetched | _Outcome] = queue.SimpleQueue()
    for outcome in outcomes:
        waiting.start(partial(outcome.fetch, arrivals), f"fetch-{outcome.errand.name}")
    while not all(outcome.ended for outcome in outcomes):
        try:
            arrived = arrivals.get(timeout=until.left)
        except queue.Empty:
            return
        if isinstance(arrived, _Outcome):
            arrived.ended = True
            continue
        if arrived.kind == "tweets" and arrived.ticker is not None:
            answered.add(arrived.ticker)
        yield arrived


def _why(outcomes: Sequence[_Outcome]) -> str:
    """Why tweets of a ticker never came."""
    for outcome in outcomes:
        if outcome.errand.name == TWEETS:
            return outcome.why() or "X did not answer for it"
    return "no source of tweets is set up; name accounts in live.secrets_file"
