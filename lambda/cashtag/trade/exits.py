"""When a stock position is closed: stop, target, trailing stop and the longest holding time.

R is the risk taken at entry, 2 ATR a share. On a daily bar nothing tells which of two touched
levels came first, so the worse one did: stop before target. A bar that opens beyond a level
fills at its open, because the level itself was never traded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cashtag.settings.trading import Exits, Sizing
    from cashtag.trade.books import Book, Holding
    from cashtag.trade.market import Bar, Signal

Reason = Literal["stop", "target", "trailing", "max-hold", "day-end"]


@dataclass(frozen=True, slots=True)
class Exit:
    """Close the position at `price` (before slippage), at the open, within the day or at the close."""

    reason: Reason
    price: float
    moment: Literal["open", "intraday", "close"]
    text: str


def r_dollars(signal: Signal, sizing: Sizing) -> float | None:
    """Return one R a share in dollars as traded, or None when the ATR is unknown.

    The ATR of the features is in adjusted dollars; close / adjusted close of the last bar turns
    it into the dollars that orders are filled in.
    """
    atr = signal.traded_atr
    return sizing.r_atr * atr if atr is not None and atr > 0 else None


def arm(book: Book, symbol: str, r: float | None, settings: Exits) -> Book:
    """Return the book with stop and target of a new holding, measured from its average price."""
    h = book.holdings[symbol]
    if r is None:
        return book
    armed = replace(
        h,
        r=r,
        stop=h.average_price + settings.stop_r * r,
        target=h.average_price + settings.target_r * r,
    )
    return replace(book, holdings={**book.holdings, symbol: armed})


def decide(
    holding: Holding, bar: Bar, *, entered_today: bool, max_sessions: int, day: bool = False
) -> Exit | None:
    """Return the exit that a daily bar brings, or None.

    Args:
        holding: with the levels in force *before* this bar: a stop trails by earlier closes only.
        bar: dollars as traded.
        entered_today: filled at this bar's open, so the open itself cannot stop it out.
        max_sessions: close at the end of this many sessions, that of the entry included.
        day: a day account: its longest holding time is called `day-end`.
    """
    stop, target = holding.stop, holding.target
    stopped: Reason = "trailing" if holding.trailing else "stop"
    if not entered_today:
        if stop is not None and bar.open <= stop:
            return Exit(
                stopped, bar.open, "open", f"opened at {bar.open:g}, below the stop {stop:.4g}"
            )
        if target is not None and bar.open >= target:
            text = f"opened at {bar.open:g}, above the target {target:.4g}"
            return Exit("target", bar.open, "open", text)
    if stop is not None and bar.low <= stop:
        # The entry's own fill lies above the open; a stop between the two fills at the open.
        text = f"low {bar.low:g} touched the stop {stop:.4g}"
        return Exit(stopped, min(stop, bar.open), "intraday", text)
    if target is not None and bar.high >= target:
        text = f"high {bar.high:g} touched the target {target:.4g}"
        return Exit("target", target, "intraday", text)
    if holding.held >= max_sessions:
        text = f"held {holding.held} of at most {max_sessions} sessions"
        return Exit("day-end" if day else "max-hold", bar.close, "close", text)
    return None


def trail(book: Book, closes: Mapping[str, float], settings: Exits) -> Book:
    """Return the book after a close: peaks raised, and stops that trail them.

    A trailing stop keeps `trailing_keep` of the peak gain, once that gain has reached
    `trailing_from_r` R or the share `trailing_from_gain` of the price paid. A stop never falls.
    """
    holdings = {
        symbol: _trailed(h, closes[symbol], settings) if symbol in closes else h
        for symbol, h in book.holdings.items()
    }
    return replace(book, holdings=holdings)


def _trailed(h: Holding, close: float, settings: Exits) -> Holding:
    peak = max(h.peak, close)
    gain = peak - h.average_price
    far_enough = gain > 0 and (
        (h.r is not None and gain >= settings.trailing_from_r * h.r)
        or gain >= settings.trailing_from_gain * h.average_price
    )
    level = h.average_price + settings.trailing_keep * gain
    if far_enough and (h.stop is None or level > h.stop):
        return replace(h, peak=peak, stop=level, trailing=True)
    return replace(h, peak=peak)


def longest(strategy: str, settings: Exits) -> int:
    """Return the most sessions that an account of this strategy holds a position."""
    return 1 if strategy == "day" else settings.swing_max_sessions
