"""How many shares an entry takes: the rule's wish, then every limit on it, in whole shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cashtag.errors import TradeError

if TYPE_CHECKING:
    from cashtag.settings.trading import Sizing
    from cashtag.trade.books import Statistics
    from cashtag.trade.market import Signal


@dataclass(frozen=True, slots=True)
class Size:
    """Whole shares, what they were limited by, and the wish and every limit in shares."""

    shares: int
    limited_by: str
    limits: Mapping[str, float]


def strength(signal: Signal, sizing: Sizing) -> float:
    """Return clip((|change| - threshold) / threshold, floor, cap).

    Raises:
        TradeError: the change or its threshold is unknown.
    """
    change, threshold = _change(signal), signal.change_threshold
    if threshold is None:
        raise TradeError(f"{signal.ticker}: change_threshold is unknown, so is the strength")
    if threshold == 0:
        return sizing.strength_cap
    raw = (change - threshold) / threshold
    return min(max(raw, sizing.strength_floor), sizing.strength_cap)


def half_kelly(statistics: Statistics, sizing: Sizing) -> float | None:
    """Return the share of equity that half-Kelly allows; None while too few trades have closed.

    Kelly's share is p - (1 - p) / b with p the share of winners and b the mean win over the mean
    loss (J. L. Kelly, "A New Interpretation of Information Rate", 1956); below zero it is zero.
    """
    if statistics.trades < sizing.kelly_min_trades:
        return None
    if statistics.wins == 0:
        return 0.0
    p = statistics.wins / statistics.trades
    losers = statistics.trades - statistics.wins
    if losers == 0 or statistics.lost == 0:
        return sizing.kelly_fraction * p
    b = (statistics.won / statistics.wins) / (statistics.lost / losers)
    return max(0.0, sizing.kelly_fraction * (p - (1 - p) / b))


def size(
    signal: Signal,
    sizing: Sizing,
    *,
    price: float,
    r: float | None,
    equity: float,
    max_position: float,
    statistics: Statistics,
    rooms: Mapping[str, float],
) -> Size:
    """Return the shares of an entry.

    Sound rule: max_position x strength, limited by the risk of one R and by half-Kelly; what
    remains is multiplied by the regime; then no more than every room. Reference rule: strength
    is |change| x confidence, and of int(10000 x strength / price) shares 30 % are taken, ten at
    least, all at most; then the rooms.

    Args:
        price: dollars a share that the entry is expected to cost.
        r: one R a share in dollars as traded.
        equity: dollars.
        max_position: dollars of this stock.
        rooms: dollars that the gates leave, by gate.

    Raises:
        TradeError: an input is unknown. An entry without its R would have no stop.
    """
    if r is None:
        raise TradeError(
            f"{signal.ticker}: ATR or the last bar's adjustment is unknown, so are R and the stop"
        )
    if price <= 0:
        raise TradeError(f"{signal.ticker}: price {price:g} must be above 0")
    limits: dict[str, float]
    if sizing.rule == "reference":
        limits = {"reference": float(_reference_shares(signal, sizing, price))}
    else:
        if signal.regime_multiplier is None:
            raise TradeError(f"{signal.ticker}: the market's regime is unknown")
        limits = {
            "signal": max_position * strength(signal, sizing) / price,
            "risk": sizing.risk_per_trade * equity / r,
        }
        kelly = half_kelly(statistics, sizing)
        if kelly is not None:
            limits["half-Kelly"] = kelly * equity / price
        limits = {name: s * signal.regime_multiplier for name, s in limits.items()}
    for name, room in rooms.items():
        limits[name] = max(0.0, room) / price
    limited_by = min(limits, key=lambda name: (limits[name], name))
    # 99.99999999 shares is a hundred with the rounding of a division, not ninety-nine
    return Size(math.floor(limits[limited_by] + 1e-9), limited_by, limits)


def fitting(quantity: float, price: float, rooms: Mapping[str, float]) -> Size:
    """Cut a planned `quantity` to what the rooms hold at `price`, when its moment has come."""
    limits = {"plan": quantity, **{name: max(0.0, r) / price for name, r in rooms.items()}}
    limited_by = min(limits, key=lambda name: (limits[name], name != "plan", name))
    return Size(math.floor(limits[limited_by] + 1e-9), limited_by, limits)


def _reference_shares(signal: Signal, sizing: Sizing, price: float) -> int:
    if signal.confidence is None:
        raise TradeError(f"{signal.ticker}: the signal has no confidence")
    power = _change(signal) * abs(signal.confidence)
    shares = int(sizing.reference_dollars * power / price)
    return min(max(sizing.reference_min_shares, int(sizing.reference_share * shares)), shares)


def _change(signal: Signal) -> float:
    if signal.polarity_change is None:
        raise TradeError(f"{signal.ticker}: polarity_change is unknown, so is the strength")
    return abs(signal.polarity_change)
