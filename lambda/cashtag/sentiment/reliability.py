"""Whether a model's confidence is to be believed, which labels it mixes up, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SIGMAS = 1.959963984540054  # two-sided 95 % of the normal distribution
_LEAST_PAIRS = 4  # Fisher's error is 1 / sqrt(n - 3)

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose confidence lies above `low` and at most at `high` (from 0 in the first).

    `confidence` is their mean, `accuracy` the share of right labels, with its 95 % interval; all
    None in an empty bin.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None
    interval: Interval | None


def bins(confidence: np.ndarray, right: np.ndarray, number: int) -> tuple[Bin, ...]:
    """Return `number` bins of equal width over 0 to 1 (a reliability diagram's points).

    Args:
        confidence: float64 of shape (n,), 0 to 1.
        right: bool of shape (n,).
        number: how many bins.
    """
    import numpy as np

    edges = np.arange(number + 1) / number
    place = np.clip(np.ceil(np.asarray(confidence) * number).astype(int) - 1, 0, number - 1)
    found = []
    for i in range(number):
        inside = place == i
        n, hits = int(inside.sum()), int(right[inside].sum())
        found.append(
            Bin(
                float(edges[i]),
                float(edges[i + 1]),
                n,
                float(confidence[inside].mean()) if n else None,
                hits / n if n else None,
                wilson(hits, n),
            )
        )
    return tuple(found)


def expected_calibration_error(found: Sequence[Bin]) -> float | None:
    """Return the mean of |accuracy - confidence| over the bins, weighted by n; None without answers.

    Naeini, Cooper and Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning"; Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    n = sum(one.n for one in found)
    gaps = (
        one.n * abs(one.accuracy - one.confidence)
        for one in found
        if one.accuracy is not None and one.confidence is not None
    )
    return math.fsum(gaps) / n if n else None


def confusion(truth: np.ndarray, claimed: np.ndarray, classes: int) -> list[list[int]]:
    """Return counts: a row per true class, a column per claimed one, and a last one for no claim.

    Both are integers of shape (n,); a claim of -1 is none.
    """
    import numpy as np

    column = np.where(claimed < 0, classes, claimed)
    counts = np.bincount(truth * (classes + 1) + column, minlength=classes * (classes + 1))
    return [list(map(int, row)) for row in counts.reshape(classes, classes + 1)]


def wilson(hits: int, n: int) -> Interval | None:
    """Return Wilson's 95 % interval of a share (Wilson 1927); None without trials."""
    if not n:
        return None
    share, z2 = hits / n, SIGMAS * SIGMAS
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = SIGMAS / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def fisher(correlation: float | None, n: int) -> Interval | None:
    """Return Fisher's 95 % interval of a correlation of n pairs (Fisher 1921); None below 4 pairs."""
    if correlation is None or n < _LEAST_PAIRS:
        return None
    if abs(correlation) >= 1.0:
        return correlation, correlation
    z, half = math.atanh(correlation), SIGMAS / math.sqrt(n - _LEAST_PAIRS + 1)
    return math.tanh(z - half), math.tanh(z + half)
