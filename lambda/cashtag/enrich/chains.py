"""One reader per source of option chains: what the source returned -> the fields of a quote.

Two sources: Alpaca's snapshot beside its list of contracts, and Yahoo's chain as yfinance writes
it, which holds text where it came as CSV. A reader names fields and never raises; a field that
holds no number reads as None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import MINYEAR, date
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

from cashtag import sessions
from cashtag.enrich.moments import milliseconds, milliseconds_of, moment

Data = dict[str, Any]
ALPACA = "alpaca"
YAHOO = "yahoo"
_REGULAR = "regular"
_SHARES = 100.0  # what a standard contract delivers
_LARGEST_COUNT = 2**53  # beyond it JSON numbers are no counts but damage
_NOTHING: Data = {}


class Quote(NamedTuple):
    """One contract as its source states it, dollars per share; None where it says nothing."""

    symbol: Any
    expiry: Any
    right: Any
    strike: float | None
    underlying: Any
    """The underlying's symbol, as the source states it beside the contract's."""
    standard: bool
    """Whether it delivers 100 shares, as far as the source says."""
    bid: float | None
    ask: float | None
    iv: float | None
    delta: float | None
    gamma: float | None
    theta: float | None
    vega: float | None
    open_interest: int | None
    volumes: tuple[tuple[date, int], ...]
    """Contracts traded by New York date, the latest first; that of the last trade is among them."""
    underlying_price: float | None
    underlying_at: int | None
    """When the underlying cost that, in ms of 1970, UTC."""


def alpaca(data: Data) -> Quote:
    """Read `{"symbol", "snapshot", "contract", "underlying"}`, each part as Alpaca's API sent it.

    A contract that one of the two answers does not hold has null there.
    """
    snapshot, contract = _part(data, "snapshot"), _part(data, "contract")
    quoted, greeks = _part(snapshot, "latestQuote"), _part(snapshot, "greeks")
    underlying = _part(data, "underlying")
    size = number(contract.get("size"))
    return Quote(
        data.get("symbol"),
        contract.get("expiration_date"),
        contract.get("type"),
        number(contract.get("strike_price")),
        contract.get("underlying_symbol"),
        size is None or size == _SHARES,
        number(quoted.get("bp")),
        number(quoted.get("ap")),
        number(snapshot.get("impliedVolatility")),
        number(greeks.get("delta")),
        number(greeks.get("gamma")),
        number(greeks.get("theta")),
        number(greeks.get("vega")),
        count(contract.get("open_interest")),
        tuple(
            (day, traded)
            for name in ("dailyBar", "prevDailyBar")
            if (day := _day(milliseconds(_part(snapshot, name).get("t")))) is not None
            and (traded := count(_part(snapshot, name).get("v"))) is not None
        ),
        number(underlying.get("p")),
        milliseconds(underlying.get("t")),
    )


def yahoo(data: Data) -> Quote:
    """Read a row of `Ticker.option_chain`, with `expiry`, `type`, `spot`, `session` where it has them.

    `spot` is the underlying's close of `session`; the volume is that of the day of the last
    trade, and a missing one beside a trade says nothing.
    """
    traded, volume = _day(milliseconds(data.get("lastTradeDate"))), count(data.get("volume"))
    size = data.get("contractSize")
    session = _session(data.get("session"))
    return Quote(
        data.get("contractSymbol"),
        data.get("expiry"),
        data.get("type"),
        number(data.get("strike")),
        None,
        not isinstance(size, str) or not size.strip() or size.strip().lower() == _REGULAR,
        number(data.get("bid")),
        number(data.get("ask")),
        number(data.get("impliedVolatility")),
        None,
        None,
        None,
        None,
        count(data.get("openInterest")),
        () if traded is None or volume is None else ((traded, volume),),
        number(data.get("spot")),
        None if session is None else milliseconds_of(sessions.closes(session)),
    )


READERS: Mapping[str, Callable[[Data], Quote]] = {ALPACA: alpaca, YAHOO: yahoo}
"""Envelope source -> reader."""


def number(value: object) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def count(value: object) -> int | None:
    """A whole number from 0, also one written as `398.0`; None for anything else."""
    found = number(value)
    return int(found) if found is not None and 0 <= found < _LARGEST_COUNT else None


def _part(data: Data, name: str) -> Data:
    found = data.get(name)
    return found if isinstance(found, dict) else _NOTHING


@lru_cache(maxsize=65536)
def _day(ms: int | None) -> date | None:
    """The date in New York; None for the year 1, by which some programs say "never"."""
    if ms is None:
        return None
    at = moment(ms)
    return at.astimezone(sessions.NEW_YORK).date() if at.year > MINYEAR else None


def _session(value: object) -> date | None:
    try:
        day = date.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None
    return day if day is not None and sessions.is_session(day) else None
