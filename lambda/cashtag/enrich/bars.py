"""Daily bars as sources keep them: read, validated, and joined into one series a ticker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any

import numpy as np

from cashtag import sessions
from cashtag.enrich.envelopes import RawLines, Rejected, opened
from cashtag.enrich.moments import epoch_day

_INDEX = "^"  # an index has levels, and no volume
PRICES = ("open", "high", "low", "close", "adjusted_close")
NUMBERS = (*PRICES, "dividend", "split")


@dataclass(frozen=True, slots=True)
class Series:
    """The bars of one ticker, ascending and unique by session; arrays of shape (n,)."""

    ticker: str
    session: np.ndarray
    """int32, days since 1970."""
    volume: np.ndarray
    """int64, shares."""
    source: np.ndarray
    """Object array of text."""
    numbers: dict[str, np.ndarray]
    """float64 by name: `NUMBERS`, in dollars; NaN where there is no dividend or split."""


def read(data: bytes, ticker: str | None = None) -> tuple[dict[str, Series], tuple[Rejected, ...]]:
    """Read one raw object of bars.

    A line is rejected as `json`, `encoding`, `not-object`, `no-envelope`, `no-ticker`, `no-date`,
    `not-a-session`, `outside-calendar`, `no-price` (missing, not finite, not positive),
    `high-below-low`, `no-volume` or `duplicate-date` (the first bar of a session stays).

    Args:
        data: JSON lines in envelopes, gzip or plain.
        ticker: whose bars these are; None when each line names its own.

    Returns:
        The series by ticker, and the rejected lines.
    """
    rows: dict[str, dict[int, tuple[Any, ...]]] = {}
    rejected: list[Rejected] = []
    raw = RawLines(data)
    for number, line in enumerate(raw, start=1):
        if not line.strip():
            continue
        envelope = opened(line)
        if isinstance(envelope, str):
            rejected.append(Rejected(number, envelope, line))
            continue
        source, _, bar = envelope
        name = ticker or bar.get("ticker")
        if not isinstance(name, str) or not name:
            rejected.append(Rejected(number, "no-ticker", line))
            continue
        row = _row(bar, source, name.startswith(_INDEX))
        if isinstance(row, str):
            rejected.append(Rejected(number, row, line))
            continue
        known = rows.setdefault(name, {})
        if row[0] in known:
            rejected.append(Rejected(number, "duplicate-date", line))
            continue
        known[row[0]] = row
    if raw.damage:
        rejected.append(Rejected(0, f"gzip: {raw.damage}", raw.remainder))
    return {name: _series(name, list(found.values())) for name, found in rows.items()}, tuple(
        rejected
    )


def joined(parts: Sequence[Series]) -> Series:
    """Return one series of several of a ticker, in the order in which they came to be known.

    Where two hold the same session the later part wins. A later part was adjusted for what had
    happened since, so the earlier one's adjusted closes are brought to its scale by their ratio
    in the first session that both hold; without one they stay.
    """
    whole = parts[0]
    for part in parts[1:]:
        both, mine, theirs = np.intersect1d(whole.session, part.session, return_indices=True)
        numbers = dict(whole.numbers)
        if len(both):
            scale = part.numbers["adjusted_close"][theirs[0]] / numbers["adjusted_close"][mine[0]]
            numbers["adjusted_close"] = numbers["adjusted_close"] * scale
        rest = ~np.isin(whole.session, part.session)
        session = np.concatenate([whole.session[rest], part.session])
        order = np.argsort(session, kind="stable")
        whole = Series(
            whole.ticker,
            session[order],
            np.concatenate([whole.volume[rest], part.volume])[order],
            np.concatenate([whole.source[rest], part.source])[order],
            {
                name: np.concatenate([numbers[name][rest], part.numbers[name]])[order]
                for name in NUMBERS
            },
        )
    return whole


def _row(bar: dict[str, Any], source: str, index: bool) -> tuple[Any, ...] | str:
    """Session, prices, dividend, split, volume and source of a bar, or why it is none."""
    session = bar.get("session")
    try:
        day = date.fromisoformat(session[:10]) if isinstance(session, str) else None
    except ValueError:
        day = None
    if day is None:
        return "no-date"
    if not sessions.is_session(day):
        inside = sessions.first_session() <= day <= sessions.last_session()
        return "not-a-session" if inside else "outside-calendar"
    close = _number(bar.get("close"))
    adjusted = bar.get("adjusted_close")
    prices = [
        _number(bar.get("open")),
        _number(bar.get("high")),
        _number(bar.get("low")),
        close,
        close if adjusted is None else _number(adjusted),
    ]
    if any(price is None or price <= 0 for price in prices):
        return "no-price"
    if prices[1] < prices[2]:  # type: ignore[operator]  # none is None here
        return "high-below-low"
    volume = _number(bar.get("volume"))
    if volume is None and index:
        volume = 0.0
    if volume is None or not 0 <= volume < 2**53:
        return "no-volume"
    dividend, split = _number(bar.get("dividend")), _number(bar.get("split"))
    return (epoch_day(day), *prices, dividend, split, int(volume), source)


def _number(value: object) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _series(ticker: str, rows: list[tuple[Any, ...]]) -> Series:
    rows.sort(key=lambda row: row[0])
    columns = list(zip(*rows, strict=True))
    return Series(
        ticker,
        np.array(columns[0], dtype=np.int32),
        np.array(columns[-2], dtype=np.int64),
        np.array(columns[-1], dtype=object),
        {
            name: np.array(column, dtype=np.float64)  # None becomes NaN
            for name, column in zip(NUMBERS, columns[1:-2], strict=True)
        },
    )
