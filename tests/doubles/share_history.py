"""What truly happened to invented shares: bars as traded, dividends as paid, splits; for sites to tell.

Each site tells it in its own way, computed here from the truth by the definitions that Alpaca and
Yahoo publish, not by the code under test.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from math import prod


@dataclass(frozen=True)
class Traded:
    """One bar as traded: dollars, shares."""

    open: float
    high: float
    low: float
    close: float
    volume: int


@dataclass(frozen=True)
class History:
    """One share: bars by session, ascending; dividends and splits by ex-date."""

    bars: Mapping[date, Traded]
    dividends: Mapping[date, float] = field(default_factory=dict)
    splits: Mapping[date, float] = field(default_factory=dict)

    def later_splits(self, session: date) -> float:
        """Shares that one share of `session` has become."""
        return prod(ratio for ex_date, ratio in self.splits.items() if ex_date > session)

    def adjusted_close(self, session: date) -> float:
        """Close over later splits, less every later dividend as a share of the close before it."""
        paid = prod(
            1 - amount / self._close_before(ex_date)
            for ex_date, amount in self.dividends.items()
            if ex_date > session
        )
        return self.bars[session].close / self.later_splits(session) * paid

    def _close_before(self, ex_date: date) -> float:
        before = max(session for session in self.bars if session < ex_date)
        return self.bars[before].close / self.splits.get(ex_date, 1.0)


def steady(sessions: tuple[date, ...], start: float = 100.0, volume: int = 1_000_000) -> History:
    """A share that rises by ten cents a session and falls back by fifty every tenth."""
    bars, close = {}, start
    for number, session in enumerate(sessions):
        close = round(close + (0.1 if number % 10 else -0.5), 2)
        bars[session] = Traded(
            round(close - 0.05, 2), round(close + 0.4, 2), round(close - 0.3, 2), close, volume
        )
    return History(bars)


def splitting(
    sessions: tuple[date, ...],
    ex_date: date,
    ratio: float,
    dividend: tuple[date, float] | None = None,
    start: float = 1000.0,
) -> History:
    """A steady share of which one becomes `ratio` on `ex_date`."""
    whole = steady(sessions, start)
    bars = {
        session: bar
        if session < ex_date
        else Traded(
            round(bar.open / ratio, 2),
            round(bar.high / ratio, 2),
            round(bar.low / ratio, 2),
            round(bar.close / ratio, 2),
            round(bar.volume * ratio),
        )
        for session, bar in whole.bars.items()
    }
    return History(bars, dict([dividend]) if dividend else {}, {ex_date: ratio})


def single(value: float) -> float:
    """A number as 32 bits keep it."""
    return float(struct.unpack("f", struct.pack("f", value))[0])
