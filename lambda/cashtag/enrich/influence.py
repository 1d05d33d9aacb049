"""How much an author and an echo weigh: influence and the engagement factor, for whole columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cashtag.settings import Settings


def influence(
    settings: Settings, followers: np.ndarray, verified: np.ndarray, key: np.ndarray
) -> np.ndarray:
    """Return the influence of n posts' authors, float64 of shape (n,), 0 to the cap.

    The base, plus the bonus of the first follower bound that is exceeded, plus one for
    verification, plus one for a key influencer of a stock that the post mentions.
    `enrich.influence.multiplier` is not in here: it multiplies the weight, in SQL.

    Args:
        settings: reads `enrich.influence`.
        followers: int64 of shape (n,); below 0 when unknown, which earns nothing.
        verified: bool of shape (n,); False when unknown.
        key: bool of shape (n,).
    """
    rules = settings.enrich.influence
    bonus = np.zeros(len(followers))
    for bound, adds in reversed(rules.followers):
        bonus[followers > bound] = adds
    total = rules.base + bonus + rules.verified * verified + rules.key_influencer * key
    return np.minimum(total, rules.cap)


def engagement_factor(settings: Settings, engagement: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return 1 + ln(1 + engagement) / divisor, float64 of shape (n,); exactly 1 without counts.

    Args:
        settings: reads `enrich.engagement.log_divisor`.
        engagement: int64 of shape (n,), the sum of a post's counts.
        counts: bool of shape (n,): there are counts, and they were collected in time.
    """
    factor = 1.0 + np.log1p(np.maximum(engagement, 0)) / settings.enrich.engagement.log_divisor
    return np.where(counts, factor, 1.0)
