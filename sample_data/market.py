"""Invented daily bars: SPY through calm, normal and turbulent weeks, and what moves with it.

Returns are drawn without looking at any tweet; tweets may talk about returns that have happened.
An event of `events.py` moves its stock within the session it happens in, so that nothing about a
later session can be learned from the talk that follows it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from random import Random

from companies import BY_TICKER, COMPANIES, Company
from days import SESSIONS
from events import EVENTS, MARKET_MOVES

ANCHOR = date(2026, 2, 27)  # where the price levels of companies.py hold
SPLITS = {("META", date(2026, 5, 11)): 4.0}  # new shares per old one
NO_BAR = {
    ("GME", date(2026, 5, 6)),  # halted all day
    ("XOM", date(2026, 5, 29)),  # lost by the feed
}

# SPY's daily volatility from this date on. Calm weeks before the sample starts, a turbulent week
# after Good Friday: each regime is met, and the blocked one lasts about a fortnight.
WEATHER = (
    (date(2024, 11, 1), 0.0070), (date(2024, 12, 16), 0.0100), (date(2025, 1, 13), 0.0075),
    (date(2025, 3, 3), 0.0120), (date(2025, 3, 24), 0.0090), (date(2025, 5, 5), 0.0065),
    (date(2025, 7, 7), 0.0055), (date(2025, 8, 4), 0.0125), (date(2025, 8, 18), 0.0085),
    (date(2025, 9, 15), 0.0060), (date(2025, 10, 27), 0.0100), (date(2025, 11, 17), 0.0115),
    (date(2025, 12, 1), 0.0065), (date(2026, 1, 12), 0.0060), (date(2026, 2, 2), 0.0042),
    (date(2026, 3, 16), 0.0108), (date(2026, 4, 6), 0.0200), (date(2026, 4, 10), 0.0052),
    (date(2026, 5, 4), 0.0086), (date(2026, 5, 18), 0.0062),
)  # fmt: skip
DRIFT = 0.0004
BLOCK = 10  # sessions over which the drawn shocks are scaled to a variance of one


@dataclass(frozen=True)
class Bar:
    """One session of one symbol, dollars as traded; `adjusted_close` as known at the last run."""

    session: date
    open: float
    high: float
    low: float
    close: float
    adjusted_close: float
    volume: int
    dividend: float | None
    split: float | None


def _weather(session: date) -> float:
    return next(sigma for start, sigma in reversed(WEATHER) if session >= start)


def _shocks(rng: Random, n: int) -> list[float]:
    """Return n draws with fat tails, mean zero and variance one in every block of ten."""
    shocks: list[float] = []
    while len(shocks) < n:
        block = [rng.gauss(0, 1) * (1.7 if rng.random() < 0.12 else 0.9) for _ in range(BLOCK)]
        mean = sum(block) / BLOCK
        scale = math.sqrt(sum((x - mean) ** 2 for x in block) / BLOCK)
        shocks.extend((x - mean) / scale for x in block)
    return shocks[:n]


def _returns() -> dict[str, list[tuple[float, float]]]:
    """Return (overnight, intraday) log returns per symbol, in the order of SESSIONS."""
    jumps: dict[tuple[str, date], float] = {}
    for event in EVENTS:
        key = (event.ticker, event.session)
        jumps[key] = jumps.get(key, 0.0) + event.jump
    market_rng = Random("cashtag sample: market")
    market = [
        DRIFT + _weather(session) * shock
        for session, shock in zip(SESSIONS, _shocks(market_rng, len(SESSIONS)), strict=True)
    ]
    market = [
        MARKET_MOVES.get(session, move) for session, move in zip(SESSIONS, market, strict=True)
    ]
    returns: dict[str, list[tuple[float, float]]] = {}
    for company in COMPANIES:
        if company.kind == "level":
            continue
        rng = Random(f"cashtag sample: {company.ticker}")
        own = _shocks(rng, len(SESSIONS))
        path = []
        for session, shock, move in zip(SESSIONS, own, market, strict=True):
            total = company.beta * move + company.volatility * shock
            sigma = math.hypot(company.beta * _weather(session), company.volatility)
            jump = jumps.get((company.ticker, session), 0.0)
            night = 0.4 * total + 0.25 * sigma * rng.gauss(0, 1) + 0.8 * jump
            path.append((night, total + jump - night))
        returns[company.ticker] = path
    return returns


def _dividends(company: Company) -> dict[date, float]:
    """Return the ex-dates among SESSIONS: the first session on or after the day of the month."""
    paid: dict[date, float] = {}
    if not company.dividend:
        return paid
    for session in SESSIONS:
        if (session.month - 1) % 3 + 1 != company.dividend_month:
            continue
        if session.day >= company.dividend_day and not any(
            (d.year, d.month) == (session.year, session.month) for d in paid
        ):
            paid[session] = company.dividend
    return paid


def _bars(company: Company, path: list[tuple[float, float]], rng: Random) -> list[Bar]:
    """Return the bars of one symbol: prices as traded, splits and dividends where they fall."""
    # Levels from the anchor in both directions, in shares of before any split.
    logs = [0.0]
    for night, day in path:
        logs.append(logs[-1] + night + day)
    base = math.log(company.price) - logs[SESSIONS.index(ANCHOR) + 1]
    paid, shares, crowd = _dividends(company), 1.0, 0.0
    rows = []
    for i, (session, (night, day)) in enumerate(zip(SESSIONS, path, strict=True)):
        split = SPLITS.get((company.ticker, session))
        shares *= split or 1.0
        opened = math.exp(base + logs[i] + night) / shares
        closed = math.exp(base + logs[i + 1]) / shares
        sigma = math.hypot(company.beta * _weather(session), company.volatility)
        high = max(opened, closed) * (1 + abs(rng.gauss(0, 0.45)) * sigma)
        low = min(opened, closed) * (1 - abs(rng.gauss(0, 0.45)) * sigma)
        crowd = 0.6 * crowd + rng.gauss(0, 0.16)
        busy = 0.16 * min(abs(night + day) / sigma, 6.0) - 0.13
        volume = int(company.volume * shares * math.exp(crowd + busy))
        dividend = round(paid[session] / shares, 4) if session in paid else None
        rows.append([session, opened, high, low, closed, volume, dividend, split])
    factor, bars = 1.0, []
    for i in range(len(rows) - 1, -1, -1):
        session, opened, high, low, closed, volume, dividend, split = rows[i]
        opened, high, low, closed = (round(x, 2) for x in (opened, high, low, closed))
        if (company.ticker, session) not in NO_BAR:
            adjusted = round(closed * factor, 4)
            bars.append(Bar(session, opened, high, low, closed, adjusted, volume, dividend, split))
        if i and split:
            factor /= split
        if i and dividend:  # CRSP: the day before's close loses what the holder was paid
            factor *= 1 - dividend / round(rows[i - 1][4] / (split or 1.0), 2)
    return bars[::-1]


def _vix(market: list[tuple[float, float]], rng: Random) -> list[Bar]:
    """Return an index that follows SPY's recent volatility, about as far above it as people fear."""
    variance, level, bars = 0.0070**2, 15.0, []
    for session, (night, day) in zip(SESSIONS, market, strict=True):
        move = night + day
        variance = 0.84 * variance + 0.16 * move * move
        recent = math.sqrt(252 * variance)
        target = 5.2 + 104 * recent + 90 * max(0.0, recent - 0.2) - 140 * move
        opened = level * math.exp(rng.gauss(0, 0.015) - 2.5 * night)
        level = max(9.8, 0.35 * level + 0.65 * target) * math.exp(rng.gauss(0, 0.012))
        high = max(opened, level) * (1 + abs(rng.gauss(0, 0.02)))
        low = min(opened, level) * (1 - abs(rng.gauss(0, 0.02)))
        prices = [round(x, 2) for x in (opened, high, low, level)]
        bars.append(Bar(session, *prices, prices[3], 0, None, None))
    return bars


def make_market() -> dict[str, list[Bar]]:
    """Return the bars of every symbol of companies.py, by symbol, in the order of sessions."""
    returns = _returns()
    bars = {}
    for ticker in sorted(BY_TICKER):
        rng = Random(f"cashtag sample: bars of {ticker}")
        if BY_TICKER[ticker].kind == "level":
            bars[ticker] = _vix(returns["SPY"], rng)
        else:
            bars[ticker] = _bars(BY_TICKER[ticker], returns[ticker], rng)
    return bars
