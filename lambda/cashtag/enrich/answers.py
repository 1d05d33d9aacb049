"""A model's answers as columns: probabilities to label, score and polarity. No answer is null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cashtag.errors import ContractError

LABELS = ("negative", "neutral", "positive")
_TOLERANCE = 1e-6  # float32 models leave sums and bounds this far off


@dataclass(frozen=True, slots=True)
class Answers:
    """Columns of n rows. Null wherever the model has not answered: such a row waits."""

    p_negative: pa.Array
    p_neutral: pa.Array
    p_positive: pa.Array
    sentiment: pa.Array
    sentiment_score: pa.Array
    polarity: pa.Array
    answered: np.ndarray
    """bool of shape (n,)."""


def answers(probabilities: np.ndarray, rows: np.ndarray) -> Answers:
    """Return the columns of `rows`.

    The label is the one of the highest probability; where negative and positive share it, or
    neutral is as high, the text is neutral.

    Args:
        probabilities: float64 of shape (lines, 3), negative, neutral, positive; NaN rows mean
            that the model gave no answer.
        rows: int64 of shape (n,): which line each row comes from.

    Raises:
        ContractError: another shape, or a number outside 0 to 1.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != len(LABELS):
        raise ContractError(
            f"probabilities have shape {probabilities.shape}; a scorer returns (texts, 3): "
            "negative, neutral, positive"
        )
    p = np.asarray(probabilities[rows], dtype=np.float64)
    answered = np.asarray(~np.isnan(p).any(axis=1))
    outside = (p < -_TOLERANCE) | (p > 1 + _TOLERANCE)
    wrong = answered & np.asarray(outside.any(axis=1))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ContractError(
            f"probabilities of line {int(rows[first]) + 1} are {p[first].tolist()}; each lies "
            "between 0 and 1, or all are NaN when the model gave no answer"
        )
    known = np.where(answered[:, None], p, 0.0)
    negative, neutral, positive = known[:, 0], known[:, 1], known[:, 2]
    label = np.where(
        (positive > negative) & (positive > neutral),
        2,
        np.where((negative > positive) & (negative > neutral), 0, 1),
    )
    missing = ~answered
    names = pa.DictionaryArray.from_arrays(
        pa.array(label, mask=missing, type=pa.int8()), pa.array(LABELS)
    )
    return Answers(
        pa.array(negative, mask=missing),
        pa.array(neutral, mask=missing),
        pa.array(positive, mask=missing),
        names.cast(pa.string()),
        pa.array(known[np.arange(len(known)), label], mask=missing),
        pa.array(positive - negative, mask=missing),
        answered,
    )
