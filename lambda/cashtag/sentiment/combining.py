"""Several models' answers to the same texts as one: a pure function of what they answered.

Of each text, over the models i that answered it, with weight w, polarity s and confidence c:

    score      = sum(s w c) / sum(w c)
    label      = positive above `positive_above`, negative below `negative_below`, else neutral
    agreement  = share of the models with the modal label
    confidence = agreement x mean(c)

Probabilities are the models', weighted in the same way: p = sum(p_i w c) / sum(w c). Because each
model's polarity is its p_positive - p_negative, that of the ensemble is the score, exactly.

A model without an answer is absent from that text. A text that nobody answered has no answer, and
neither has one where every w c is 0: nobody who counts is sure of anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from cashtag.sentiment.answered import LABELS, Answered

_DIGITS = 10
NOBODY_SURE = "no model of the ensemble that counts has any confidence"


def combine(
    answers: Mapping[str, Answered | None],
    versions: Mapping[str, str],
    weights: Mapping[str, float],
    *,
    positive_above: float,
    negative_below: float,
) -> Answered:
    """Return one answer to each text; `said` tells in JSON what every model said.

    Args:
        answers: by name of the model; None for one that is absent from all texts.
        versions: of the models, by name.
        weights: of the models, by name, 0 to 1.
        positive_above: score above which a text is positive.
        negative_below: score below which it is negative.
    """
    there = {name: given for name in sorted(answers) if (given := answers[name]) is not None}
    if not there:
        raise ValueError("none of the models answered; the texts wait")
    shape = next(iter(there.values())).probabilities.shape
    total, product = np.zeros(shape[0]), np.zeros(shape)
    votes, confidence, n = np.zeros(shape), np.zeros(shape[0]), np.zeros(shape[0])
    for name, given in there.items():
        known, labels = given.answered, given.labels
        sure = np.where(known, given.confidence, 0.0)
        product += np.nan_to_num(given.probabilities) * (weights[name] * sure)[:, None]
        total += weights[name] * sure
        confidence += sure
        n += known
        votes[np.flatnonzero(known), labels[known]] += 1
    counted = total > 0
    p = np.full(shape, np.nan)
    p[counted] = np.round(product[counted] / total[counted, None], _DIGITS) + 0.0
    score = np.round(p[:, 2] - p[:, 0], _DIGITS)
    with np.errstate(invalid="ignore"):
        label = np.where(score > positive_above, 2, np.where(score < negative_below, 0, 1))
    agreement = np.full(shape[0], np.nan)
    agreement[counted] = votes[counted].max(axis=1) / n[counted]
    stated = np.full(shape[0], np.nan)
    stated[counted] = agreement[counted] * confidence[counted] / n[counted]
    return Answered(
        p,
        np.round(stated, _DIGITS),
        [LABELS[at] if known else None for at, known in zip(label, counted, strict=True)],
        _words(answers, there, versions, shape[0]),
        {i: _why(there, i) for i in np.flatnonzero(~counted).tolist() if _why(there, i)},
        np.round(agreement, _DIGITS),
    )


def _words(
    answers: Mapping[str, Answered | None],
    there: Mapping[str, Answered],
    versions: Mapping[str, str],
    n: int,
) -> list[str | None]:
    """Per text the JSON of the column `models`: absent models first, then what each other said."""
    columns = {
        name: (
            given.answered.tolist(),
            given.labels.tolist(),
            np.round(np.nan_to_num(given.polarity) + 0.0, _DIGITS).tolist(),
            np.round(np.nan_to_num(given.confidence), _DIGITS).tolist(),
            given.said,
        )
        for name, given in there.items()
    }
    found: list[str | None] = []
    for i in range(n):
        told: dict[str, Any] = {}
        for name, (known, labels, polarity, confidence, said) in columns.items():
            if known[i]:
                told[name] = {
                    "version": versions[name],
                    "label": LABELS[labels[i]],
                    "polarity": polarity[i],
                    "confidence": confidence[i],
                }
                words = said[i] if said else None
                if words is not None:
                    told[name]["said"] = json.loads(words)
        absent = sorted(answers.keys() - told.keys())
        whole = {"absent": absent, **told} if absent else told
        found.append(json.dumps(whole, ensure_ascii=False, separators=(",", ":")) if told else None)
    return found


def _why(there: Mapping[str, Answered], i: int) -> str:
    """Why no model of an ensemble answers a text; empty where it has none of the reasons."""
    reasons = [
        f"{name}: {given.refusals[i]}" for name, given in there.items() if i in given.refusals
    ]
    if any(given.answered[i] for given in there.values()):
        reasons.append(NOBODY_SURE)
    return "; ".join(reasons)
