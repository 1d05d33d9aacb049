"""Splits and dividends: told by a source, or recognised from the ratio of raw to adjusted closes.

A bar is kept as it was traded. Where a source gives prices that are already divided by later
splits, they are multiplied back; where it gives raw and adjusted closes, what happened between
two sessions is the step of their ratio. A split that a source tells of and has not applied would
be a crash in the features: it is found, and the ticker refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from math import log, prod

from cashtag.errors import SourceRefused
from cashtag.scrape.bars import Bar

_LARGEST_OLD_RATE = 10  # shares given up in a split: 2 in three for two, 4 in five for four
_DECIMALS = 4  # of a dollar: the most that a price or a dividend is told in
_DIGITS = 7  # what a price of 32 bits, as Yahoo keeps them, is exact to


@dataclass(frozen=True, slots=True)
class Action:
    """What happened to a share on an ex-date: dollars paid, new shares for an old one."""

    dividend: float | None = None
    split: float | None = None


def exact(value: float) -> float:
    """A price of 32 bits as it was told: 120.87999725341797 is 120.88."""
    return float(f"{value:.{_DIGITS}g}")


def as_traded(
    bars: Sequence[Bar], splits: Mapping[date, float], split_from: float
) -> tuple[Bar, ...]:
    """Undo what later splits did to a source's prices, volumes and dividends.

    Args:
        bars: ascending, prices and dividends divided by all later splits, volumes multiplied;
            adjusted closes stay as they are.
        splits: new shares for an old one by ex-date, also those after the last bar.
        split_from: see `check_applied`.

    Raises:
        SourceRefused: a split was not applied to the bars before it.
    """
    check_applied([(bar.session, bar.close) for bar in bars], splits, split_from)
    found = []
    for bar in bars:
        later = (ratio for ex_date, ratio in splits.items() if ex_date > bar.session)
        factor = prod(later, start=1.0)
        found.append(
            replace(
                bar,
                open=_times(bar.open, factor),
                high=_times(bar.high, factor),
                low=_times(bar.low, factor),
                close=_times(bar.close, factor),
                dividend=_times(bar.dividend, factor),
                volume=None if bar.volume is None else bar.volume / factor,
                split_factor=factor,
            )
        )
    return tuple(found)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else exact(value * factor)


def check_applied(
    closes: Sequence[tuple[date, float | None]], splits: Mapping[date, float], split_from: float
) -> None:
    """Refuse closes that are said to be adjusted and still fall, or rise, by a split.

    That is where the move over the ex-date is nearer to the split's than to none. A split of less
    than `split_from` (its ratio, or one over it) moves a price less than a bad day may.

    Raises:
        SourceRefused: naming the split.
    """
    known = [(session, close) for session, close in closes if close is not None and close > 0]
    for (_, before), (session, after) in pairwise(known):
        split = splits.get(session)
        if split is None or max(split, 1 / split) < split_from:
            continue
        if _nearer(after / before, 1 / split):
            raise SourceRefused(f"the split of {split:g} for 1 on {session} is not in its prices")


def _nearer(move: float, split: float) -> bool:
    """Whether a ratio of prices is nearer to a split's than to 1."""
    return abs(log(move / split)) < abs(log(move))


def recognised(
    bars: Sequence[Bar], actions: Mapping[date, Action] | None, split_from: float
) -> tuple[Bar, ...]:
    """Fill in the splits and dividends of bars that have raw and adjusted closes.

    Where corporate actions are known they tell the dividends, and those splits that the ratio of
    the closes confirms. The ratio alone tells splits of `split_from` or more that no action
    tells, and, where no actions are known at all (None), the dividends: to about a cent, for
    adjusted closes are rounded.

    Raises:
        SourceRefused: a split is in the raw closes, and not in the adjusted ones.
    """
    told = {} if actions is None else _on_bars(bars, actions)
    check_applied(
        [(bar.session, bar.adjusted_close) for bar in bars],
        {session: action.split for session, action in told.items() if action.split is not None},
        split_from,
    )
    half = _half_a_digit(bars)
    found: list[Bar] = []
    before: Bar | None = None
    for bar in bars:
        if not (bar.close and bar.adjusted_close and min(bar.close, bar.adjusted_close) > 0):
            found.append(bar)
            continue
        filled = bar
        if before is not None and before.close and before.adjusted_close:
            step = (before.close / before.adjusted_close) / (bar.close / bar.adjusted_close)
            noise = half * (1 / before.adjusted_close + 1 / bar.adjusted_close) * max(step, 1.0)
            action = told.get(bar.session, Action())
            split, by = action.split, "actions"
            if split is not None and not _nearer(step, split):
                split = None  # of another day: the ratio tells which
            if split is None and max(step, 1 / step) >= split_from:
                split, by = _simple(step), "ratio"
            dividend = action.dividend
            rest = step / (split or 1.0)
            if actions is None and rest - 1 > noise:
                # An adjusted close is the close times 1 - dividend / close before.
                dividend = round(before.close / (split or 1.0) * (1 - 1 / rest), _DECIMALS)
                by = "ratio"
            if split is not None or dividend is not None:
                filled = replace(bar, split=split, dividend=dividend, recognised=by)
        found.append(filled)
        before = bar
    return tuple(found)


def _on_bars(bars: Sequence[Bar], actions: Mapping[date, Action]) -> dict[date, Action]:
    """The actions by the first bar on or after their ex-date; those outside the bars left out."""
    found: dict[date, Action] = {}
    for ex_date in sorted(actions):
        session = next((bar.session for bar in bars if bar.session >= ex_date), None)
        if session is None or ex_date < bars[0].session:
            continue
        known, action = found.get(session, Action()), actions[ex_date]
        paid = [each.dividend for each in (known, action) if each.dividend is not None]
        ratios = [each.split for each in (known, action) if each.split is not None]
        found[session] = Action(sum(paid) if paid else None, prod(ratios) if ratios else None)
    return found


def _half_a_digit(bars: Sequence[Bar]) -> float:
    """Half of the last decimal place that any of the adjusted closes uses, in dollars."""
    places = max((_places(bar.adjusted_close) for bar in bars), default=0)
    return 0.5 * 10.0**-places


def _places(value: float | None) -> int:
    if value is None:
        return 0
    text = f"{value:.{_DECIMALS}f}".rstrip("0")
    return len(text.partition(".")[2])


def _simple(step: float) -> float:
    """The simple ratio nearest to a step: 10 for 9.9997, 3/2 for 1.5004, 1/8 for 0.12499."""
    if step < 1:
        return 1 / _simple(1 / step)
    return float(Fraction(step).limit_denominator(_LARGEST_OLD_RATE))
