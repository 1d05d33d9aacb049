"""A model's answers as columns: probabilities to label, score and polarity. No answer is null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from cashtag.errors import ContractError
from cashtag.sentiment.answered import LABELS, Answered

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
    agreement: pa.Array
    """Share of models with the modal label; 1 with one model."""
    models: pa.Array
    """JSON of what the models said beside probabilities; null where there is no more."""


def answers(answered: Answered, rows: np.ndarray) -> Answers:
    """Return the columns of `rows`.

    The label is the model's own where it names one, else the one of the highest probability:
    where negative and positive share it, or neutral is as high, the text is neutral. The score is
    the confidence that the model states, else the probability of the label.

    Args:
        answered: what the model says of every line; NaN rows mean that it gave no answer.
        rows: int64 of shape (n,): which line each row comes from.

    Raises:
        ContractError: another shape, or a number outside 0 to 1.
    """
    probabilities = answered.probabilities
    if probabilities.ndim != 2 or probabilities.shape[1] != len(LABELS):
        raise ContractError(
            f"probabilities have shape {probabilities.shape}; a scorer returns (texts, 3): "
            "negative, neutral, positive"
        )
    p = np.asarray(probabilities[rows], dtype=np.float64)
    known = np.asarray(~np.isnan(p).any(axis=1))
    outside = (p < -_TOLERANCE) | (p > 1 + _TOLERANCE)
    wrong = known & np.asarray(outside.any(axis=1))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ContractError(
            f"probabilities of line {int(rows[first]) + 1} are {p[first].tolist()}; each lies "
            "between 0 and 1, or all are NaN when the model gave no answer"
        )
    missing = ~known
    filled = np.where(known[:, None], p, 0.0)
    label = np.where(known, answered.labels[rows], 1)
    score = filled[np.arange(len(filled)), label]
    if answered.stated is not None:
        stated = answered.stated[rows]
        score = np.where(np.isnan(stated), score, stated)
    names = pa.DictionaryArray.from_arrays(
        pa.array(label, mask=missing, type=pa.int8()), pa.array(LABELS)
    )
    shares = np.ones(len(rows)) if answered.agreement is None else answered.agreement[rows]
    return Answers(
        pa.array(filled[:, 0], mask=missing),
        pa.array(filled[:, 1], mask=missing),
        pa.array(filled[:, 2], mask=missing),
        names.cast(pa.string()),
        pa.array(score, mask=missing),
        pa.array(filled[:, 2] - filled[:, 0], mask=missing),
        pa.array(np.where(missing, 0.0, shares), mask=missing),
        (
            pa.array([answered.said[line] for line in rows], pa.string())
            if answered.said
            else pa.nulls(len(rows), pa.string())
        ),
    )
