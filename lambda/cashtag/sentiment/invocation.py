"""What goes to a packaged model and what comes back: texts to JSON, JSON to checked answers.

The model's own code answers the same in process and behind an endpoint, so both callers check it
here. An answer is taken whole or not at all: one row for every text, in order, each of three
probabilities or null, and the version of the model that gave them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cashtag.sentiment.answered import LABELS
from cashtag.sentiment.packaged import VERSION

NOTHING_SAID = "the model has no answer to this text"
_SUM_TOLERANCE = 1e-3  # three roundings to six decimals, and fp32 before them
_REASON = 200  # characters of a reason that are kept
_HEAD, _SEPARATOR, _TAIL = b'{"inputs": [', b", ", b"]}"


class BrokenAnswer(ValueError):
    """An answer that is not whole: cut short, or of another number of texts. Ask again."""


class ForeignAnswer(ValueError):
    """A whole answer that is none of a packaged model. Asking again would not help."""


@dataclass(frozen=True)
class Answer:
    """What a model said to one request: its version and its rows."""

    version: str
    rows: np.ndarray
    """float64 of shape (n, 3): negative, neutral, positive; NaN where it said null."""


def spelled(text: str | None) -> bytes:
    """A text as JSON in UTF-8; half a character (a lone surrogate) travels as an escape."""
    try:
        return json.dumps(text, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(text).encode()


def payload(spelt: Sequence[bytes]) -> bytes:
    """The body of a request."""
    return _HEAD + _SEPARATOR.join(spelt) + _TAIL


def batches(spelt: Sequence[bytes], size: int, most_bytes: int) -> Iterator[range]:
    """Yield ranges of positions: at most `size` texts, and at most `most_bytes` of body.

    A text that is larger alone has a request of its own: whether it is refused is the model's
    to say.
    """
    start, filled = 0, len(_HEAD) + len(_TAIL)
    for i, text in enumerate(spelt):
        more = len(text) + len(_SEPARATOR)
        if i > start and (i - start == size or filled + more > most_bytes):
            yield range(start, i)
            start, filled = i, len(_HEAD) + len(_TAIL)
        filled += more
    if start < len(spelt):
        yield range(start, len(spelt))


def read(body: bytes, n: int) -> Answer:
    """Return a model's answer to n texts.

    Raises:
        BrokenAnswer: no JSON, or rows for another number of texts.
        ForeignAnswer: JSON of another kind: no version, other labels, no probabilities.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BrokenAnswer(f"an answer of {len(body)} bytes is no JSON") from error
    return checked(told, n)


def checked(told: Any, n: int) -> Answer:
    """Return a prediction as an answer to n texts; errors as for `read`."""
    if not isinstance(told, Mapping):
        raise ForeignAnswer(f"it answers a JSON {type(told).__name__}, not an object")
    version = told.get("version")
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise ForeignAnswer("its answer names no model version")
    if told.get("labels") != list(LABELS):
        raise ForeignAnswer(f"its labels are not {', '.join(LABELS)}")
    rows = told.get("probabilities")
    if not isinstance(rows, list):
        raise ForeignAnswer("its answer holds no probabilities")
    if len(rows) != n:
        raise BrokenAnswer(f"{len(rows)} answers to {n} texts")
    return Answer(version, np.array([_row(row) for row in rows], dtype=np.float64).reshape(-1, 3))


def _row(row: Any) -> tuple[float, float, float]:
    if row is None:
        return math.nan, math.nan, math.nan
    if not isinstance(row, list) or len(row) != len(LABELS):
        raise ForeignAnswer("a row of its answer has not three numbers")
    if not all(type(p) in (float, int) and 0 <= p <= 1 for p in row):
        raise ForeignAnswer("a row of its answer holds what is no probability")
    if abs(sum(row) - 1) > _SUM_TOLERANCE:
        raise ForeignAnswer(f"the probabilities of a row add up to {sum(row):.3f}")
    return row[0], row[1], row[2]


# ---------------------------------------------------------------- refusals


def told_by(message: str) -> tuple[str, int | None]:
    """What a model's refusal says, and its status if it has one.

    The code raises JSON (`error`, `status`); containers wrap it into their own (`message`).
    """
    reason: Any = message
    status = None
    while isinstance(reason, str):
        try:
            inner = json.loads(reason)
        except (ValueError, RecursionError):
            break
        if not isinstance(inner, dict):
            break
        found = inner.get("status")
        status = found if type(found) is int else status
        reason = inner.get("error", inner.get("message", ""))
    return plain(reason if isinstance(reason, str) else ""), status


def plain(text: str) -> str:
    """A reason fit to be recorded: one line, printable, and whose text it is does not count."""
    line = " ".join(re.sub(r"\btext \d+\b", "the text", text).split())
    return "".join(c for c in line if c.isprintable())[:_REASON]
