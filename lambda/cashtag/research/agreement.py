"""How far two models agree on the same texts: shares, kappa, correlations, and how sure they are.

Texts of one day resemble each other, so an interval that takes each for a draw of its own is too
narrow. With enough days the intervals are of the jackknife that leaves out one day after another
(Efron and Stein 1981); with fewer they are Wilson's or Fisher's, over texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cashtag.sentiment.reliability import SIGMAS, Interval, fisher, wilson

if TYPE_CHECKING:
    import numpy as np

Statistic = Callable[["np.ndarray", "np.ndarray"], "float | None"]
By = Literal["days", "each"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number about two models, with its 95 % interval; None where it is not defined.

    `by` says what the interval takes to be independent: days, or each of the n.
    """

    figure: str
    value: float | None
    low: float | None
    high: float | None
    by: By | None
    n: int
    of: str
    """What `n` counts: texts, or ticker-sessions."""


def figure(
    name: str,
    statistic: Statistic,
    x: np.ndarray,
    y: np.ndarray,
    days: np.ndarray,
    *,
    least_days: int,
    of: str,
    alone: Callable[[float, int], Interval | None] | None = None,
) -> Figure:
    """Return a statistic of pairs with its interval.

    Args:
        name: of the figure.
        statistic: of two arrays of the same length; None where it is not defined.
        x: one model's values, shape (n,).
        y: the other's.
        days: int64 of shape (n,): which day each pair is of.
        least_days: fewer days tell nothing of how much they differ.
        of: what the pairs are.
        alone: interval of value and n where there are fewer days.
    """
    value = statistic(x, y) if len(x) else None
    if value is None:
        return Figure(name, None, None, None, None, len(x), of)
    interval = jackknife(statistic, x, y, days, value, least_days)
    by: By = "days"
    if interval is None and alone is not None:
        by = "each"
        interval = alone(value, len(x))
    low, high = interval or (None, None)
    return Figure(name, value, low, high, by if interval else None, len(x), of)


def jackknife(
    statistic: Statistic,
    x: np.ndarray,
    y: np.ndarray,
    days: np.ndarray,
    value: float,
    least_days: int,
) -> Interval | None:
    """Return the 95 % interval of a statistic, leaving out one day after another; None if too few."""
    import numpy as np

    distinct = np.unique(days)
    if len(distinct) < least_days:
        return None
    without = [statistic(x[days != day], y[days != day]) for day in distinct]
    known = [one for one in without if one is not None]
    if len(known) < len(without):
        return None
    mean, g = math.fsum(known) / len(known), len(known)
    half = SIGMAS * math.sqrt((g - 1) / g * math.fsum((one - mean) ** 2 for one in known))
    return max(-1.0, value - half), min(1.0, value + half)


def same(x: np.ndarray, y: np.ndarray) -> float | None:
    """Share of pairs that are equal."""
    return float((x == y).mean()) if len(x) else None


def share_interval(value: float, n: int) -> Interval | None:
    """Wilson's interval of a share of n."""
    return wilson(round(value * n), n)


def kappa(x: np.ndarray, y: np.ndarray) -> float | None:
    """Cohen's kappa (1960): agreement beyond that of two who label at random as often as these."""
    import numpy as np

    labels = np.union1d(x, y)
    chance = sum(float((x == label).mean() * (y == label).mean()) for label in labels)
    return (float((x == y).mean()) - chance) / (1 - chance) if chance < 1 else None


def pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    """Pearson's correlation; None when one is constant."""
    a, b = x - x.mean(), y - y.mean()
    size = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else None


def spearman(x: np.ndarray, y: np.ndarray) -> float | None:
    """Spearman's rank correlation, ties sharing their mean rank; None when one is constant."""
    import pandas as pd

    from cashtag.research import lookahead

    return lookahead.spearman(pd.Series(x), pd.Series(y))


def correlation_interval(value: float, n: int) -> Interval | None:
    """Fisher's interval of a correlation of n pairs; for ranks it is an approximation."""
    return fisher(value, n)


def distribution(
    polarity: np.ndarray, labels: np.ndarray, confidence: np.ndarray
) -> dict[str, Any]:
    """How one model's answers are spread; NaN polarity is no answer. Empty without any answer."""
    import numpy as np

    known = ~np.isnan(polarity)
    found: dict[str, Any] = {"n": int(known.sum()), "unanswered": int((~known).sum())}
    if not known.any():
        return found
    values = polarity[known]
    found |= {"mean": float(values.mean()), "deviation": float(values.std())}
    for percent in (5, 25, 50, 75, 95):
        found[f"p{percent:02d}"] = float(np.percentile(values, percent))
    for i, label in enumerate(("negative", "neutral", "positive")):
        found[f"share_{label}"] = float((labels[known] == i).mean())
    found["confidence"] = float(confidence[known].mean())
    return found
