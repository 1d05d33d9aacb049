"""From a compound score in [-1, 1] to three probabilities.

Ordered logit with two cut points and one scale, S the logistic function:

    p_negative = S(scale * (-negative_cut - compound))
    p_positive = S(scale * (compound - positive_cut))
    p_neutral  = 1 - p_negative - p_positive

Both tails are monotone in the compound, so polarity (p_positive - p_negative) ranks texts exactly
as the compound does; p_neutral > 0 because -negative_cut < positive_cut.

How the parameters were chosen: round numbers from the scale of the lexicon, not fitted weights.
One ordinary market word ("falls", valence 1.5) has compound .36 and should count; half of one
(.19, a hedged or asked word) should not: the cuts lie between. The positive cut is higher because
everyday English leans positive (the Pollyanna effect, Boucher and Osgood 1969): a mild kind word
is often only politeness. The scale makes a compound of .75 (two or three strong words) about 95 %
certain. See McCullagh 1980, "Regression Models for Ordinal Data", for the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def calibration(
    compound: np.ndarray, *, scale: float, negative_cut: float, positive_cut: float
) -> np.ndarray:
    """Return probabilities, float64 of shape (n, 3): negative, neutral, positive; rows sum to 1.

    `compound` is float64 of shape (n,) in [-1, 1].
    """
    import numpy as np

    negative = 1.0 / (1.0 + np.exp(scale * (compound + negative_cut)))
    positive = 1.0 / (1.0 + np.exp(-scale * (compound - positive_cut)))
    return np.column_stack([negative, 1.0 - negative - positive, positive])
