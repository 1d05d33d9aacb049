"""Daily bars on their way into raw: which are wanted, what one is, what makes a ticker's unfit.

A source may give bars with any fault. They are kept as they came, for enrichment to refuse one by
one; but a ticker is taken from a source only when enough of its bars are whole, the newest among
them. Otherwise the next source is asked for all of that ticker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol

from cashtag import sessions
from cashtag.errors import InputError, SourceRefused
from cashtag.scrape.deadline import Deadline
from cashtag.settings import Settings
from cashtag.settings.live import Prices as Rules

INDEX = "^"  # an index has levels, and no volume


@dataclass(frozen=True, slots=True)
class Span:
    """The sessions whose bars are wanted, ascending, at least one; all of them have ended."""

    sessions: tuple[date, ...]

    @property
    def first(self) -> date:
        """The first session wanted."""
        return self.sessions[0]

    @property
    def last(self) -> date:
        """The newest session wanted."""
        return self.sessions[-1]


def span_of_run(dt: date, settings: Settings, now: datetime) -> Span:
    """The trailing `scrape.bars_per_run` sessions before the session that run `dt` serves.

    A session that has not ended by `now` (UTC) has half a bar, and is left out.
    """
    session = sessions.session_of_run(dt, settings.scrape.cutoff_utc)
    before = sessions.sessions_before(session, settings.scrape.bars_per_run)
    return _ended(before, now, f"before the run of {dt}")


def span_between(first: date, last: date | None, now: datetime) -> Span:
    """The sessions from `first` to `last`, or to the newest that has ended by `now` (UTC).

    Raises:
        InputError: no session lies between them.
    """
    end = last or min(now.date(), sessions.last_session())
    return _ended(sessions.sessions_between(first, end), now, f"from {first} to {end}")


def _ended(found: Sequence[date], now: datetime, where: str) -> Span:
    ended = tuple(session for session in found if sessions.closes(session) <= now)
    if not ended:
        raise InputError(f"no session has ended {where}; choose an earlier --from")
    return Span(ended)


@dataclass(frozen=True, slots=True)
class Bar:
    """One daily bar: dollars and shares as traded, None where the source gave no number.

    `adjusted_close` is the close adjusted for the splits and dividends after it, as known to the
    source. `dividend` (dollars a share) and `split` (new shares for an old one) are those of this
    ex-date; `recognised` says by what they were known: `events`, `actions` or `ratio`.
    `split_factor` is what the source's own numbers were multiplied by to be as traded.
    """

    session: date
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    adjusted_close: float | None
    volume: float | None
    dividend: float | None = None
    split: float | None = None
    recognised: str | None = None
    split_factor: float = 1.0

    def fault(self, *, index: bool) -> str | None:
        """What is wrong with it, as enrichment will find; None for a whole bar."""
        if not sessions.is_session(self.session):
            return "not-a-session"
        prices = (self.open, self.high, self.low, self.close, self.adjusted_close)
        if any(price is None for price in prices):
            return "no-price"
        if any(price is not None and price <= 0 for price in prices):
            return "zero-or-negative"
        if self.high is not None and self.low is not None and self.high < self.low:
            return "high-below-low"
        if self.volume is None and not index:
            return "no-volume"
        if self.volume is not None and self.volume < 0:
            return "no-volume"
        return None

    def data(self, ticker: str) -> dict[str, Any]:
        """The bar as a raw line holds it."""
        whole: dict[str, Any] = {
            "ticker": ticker,
            "session": self.session.isoformat(),
            "open": self.open,
            "high": self.high,
            "low": self.low,
            "close": self.close,
            "adjusted_close": self.adjusted_close,
            "volume": None if self.volume is None else round(self.volume),
            "dividend": self.dividend,
            "split": self.split,
        }
        if self.recognised is not None:
            whole["recognised"] = self.recognised
        if self.split_factor != 1.0:
            whole["split_factor"] = self.split_factor
        return whole


@dataclass(frozen=True, slots=True)
class Answer:
    """What one source gave of one ticker: its bars within the span, or why it has none."""

    ticker: str
    bars: tuple[Bar, ...] = ()
    refused: str | None = None
    query: str = ""


class BarSource(Protocol):
    """A source of daily bars. `requests` and `left` tell of its budget after a call."""

    name: str
    requests: int
    left: int | None

    def serves(self, ticker: str) -> bool:
        """Whether it has bars of such a symbol at all."""
        ...

    def bars(self, tickers: Sequence[str], span: Span, until: Deadline) -> Iterator[Answer]:
        """Yield one answer a ticker, in any order. Raises SourceRefused when it is down."""
        ...


def within(bars: Sequence[Bar], span: Span) -> tuple[Bar, ...]:
    """The bars from the span's first session to its last, ascending; what is said twice, once."""
    unique = dict.fromkeys(bar for bar in bars if span.first <= bar.session <= span.last)
    return tuple(sorted(unique, key=lambda bar: bar.session))


def unfit(ticker: str, bars: Sequence[Bar], span: Span, rules: Rules) -> str | None:
    """Why a ticker's bars cannot be taken as they are, in words; None when they can.

    Named are: no bars, NaN columns, bars of which none is whole, a stale last bar, and gaps.
    """
    if not bars:
        return "no bars"
    if all(bar.close is None for bar in bars):
        return f"NaN columns: no price in any of {len(bars)} bars"
    found = faults(ticker, bars)
    whole = [bar.session for bar in bars if bar.session not in found]
    what = ", ".join(f"{name} {n}" for name, n in sorted(Counter(found.values()).items()))
    if not whole:
        return f"none of {len(bars)} bars is whole ({what})"
    newest = whole[-1]
    behind = sum(session > newest for session in span.sessions)
    if behind > rules.stale_sessions:
        why = f", {found[span.last]} on {span.last}" if span.last in found else ""
        return f"stale: the last whole bar is of {newest}, the newest session is {span.last}{why}"
    expected = [session for session in span.sessions if whole[0] <= session <= newest]
    missing = len(set(expected) - set(whole))
    if missing > rules.most_gaps * len(expected):
        return f"gaps: {missing} of {len(expected)} sessions have no whole bar ({what or 'absent'})"
    return None


def faults(ticker: str, bars: Sequence[Bar]) -> dict[date, str]:
    """Sessions without a whole bar and what is wrong with theirs; the first whole one counts."""
    index = ticker.startswith(INDEX)
    found: dict[date, str] = {}
    whole: set[date] = set()
    for bar in bars:
        fault = bar.fault(index=index)
        if fault is None:
            whole.add(bar.session)
        else:
            found.setdefault(bar.session, fault)
    return {session: fault for session, fault in found.items() if session not in whole}


def repeated(bars: Sequence[Bar]) -> int:
    """How many bars are of a session that an earlier, different bar is of already."""
    return len(bars) - len({bar.session for bar in bars})


def judged(answer: Answer, span: Span, rules: Rules) -> Answer:
    """The answer with its bars cut to the span, refused where they are unfit."""
    if answer.refused is not None:
        return replace(answer, bars=())
    bars = within(answer.bars, span)
    why = unfit(answer.ticker, bars, span, rules)
    return replace(answer, bars=() if why else bars, refused=why)


class Unavailable(SourceRefused):
    """The source as a whole does not answer as it should; another ticker would fare no better."""
