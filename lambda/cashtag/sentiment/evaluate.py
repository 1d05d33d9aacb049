"""How well a model agrees with labelled texts: recall, F1, ranking, confidence and speed."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from cashtag.errors import InputError
from cashtag.sentiment import reliability
from cashtag.sentiment.answered import LABELS, Answered, answer

if TYPE_CHECKING:
    import numpy as np

    from cashtag.ports import Scorer

_NAMES = {**{label: i for i, label in enumerate(LABELS)}, "bearish": 0, "bullish": 2}


def read_labelled(path: Path) -> tuple[list[str], list[str]]:
    """Read a CSV with the columns `text` and `label`; return texts and labels.

    UTF-8, with or without a byte order mark. Labels are negative, neutral, positive, or bearish
    and bullish, in any case. Numbers are refused: published sets number their classes
    differently (0, 1, 2 is negative, neutral, positive in one, bearish, bullish, neutral in
    another).

    Raises:
        InputError: the file, its encoding, its header or a line is not like that.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as "
            "UTF-8 (for one in Latin-1: iconv -f latin1 -t utf-8)"
        ) from error
    rows = csv.reader(io.StringIO(content, newline=""), strict=True)
    texts: list[str] = []
    labels: list[str] = []
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        if "text" not in header or "label" not in header:
            raise InputError(
                f"{path}, line 1: the header must name the columns text and label, found "
                f"{', '.join(header) or 'nothing'}"
            )
        text_at, label_at = header.index("text"), header.index("label")
        line = rows.line_num + 1
        for row in rows:
            if row:
                labels.append(_label(path, line, row, label_at, len(header)))
                texts.append(row[text_at])
            line = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num}: not valid CSV: {error}") from error
    if not texts:
        raise InputError(f"{path}: no rows below the header; expected text,label")
    return texts, labels


def _label(path: Path, line: int, row: Sequence[str], at: int, width: int) -> str:
    if len(row) != width:
        raise InputError(
            f"{path}, line {line}: {len(row)} fields where the header has {width}; "
            "quote texts that hold a comma"
        )
    given = row[at].strip().lower()
    if given not in _NAMES:
        number = given.lstrip("+-").replace(".", "", 1).isdigit()
        why = "; numbers mean different classes in different sets" if number else ""
        raise InputError(
            f"{path}, line {line}: label {row[at]!r} is none of "
            f"negative, neutral, positive, bearish, bullish{why}"
        )
    return LABELS[_NAMES[given]]


def evaluate(
    scorer: Scorer, texts: Sequence[str], labels: Sequence[str]
) -> dict[str, float | None]:
    """Score the texts and return n, accuracy, macro_recall, macro_f1, auc and texts_per_s.

    The predicted label is the model's own where it names one, else the most probable one; a text
    without an answer counts as wrong.
    macro_recall and macro_f1 are plain means over the classes that occur in `labels`. auc is the
    probability that a positive text has a higher polarity (p_positive - p_negative) than a
    negative one, ties counting half (Hanley and McNeil 1982); None when either class is missing.

    Raises:
        InputError: no texts, or a label that is none of the three.
    """
    truth = _truth(texts, labels)
    start = perf_counter()
    answered = answer(scorer, texts)
    elapsed = perf_counter() - start
    return {**_figures(answered, truth), "texts_per_s": len(texts) / max(elapsed, 1e-9)}


def judge(
    scorer: Scorer, texts: Sequence[str], labels: Sequence[str], *, bins: int
) -> dict[str, Any]:
    """Return all that labelled texts say of a model, fit for JSON.

    Beside what `evaluate` returns: model and version; how many texts have no answer; `confusion`,
    a row of counts for each true label; `reliability`, accuracy against confidence in so many
    bins; their expected calibration error; of an ensemble the same of each of its `members`, None
    for one that is absent.

    Raises:
        InputError: no texts, or a label that is none of the three.
        ScorerUnavailable: the model cannot answer now.
    """
    from cashtag.sentiment.ensemble import Ensemble

    truth = _truth(texts, labels)
    start = perf_counter()
    members: Mapping[str, Answered | None] | None = None
    if isinstance(scorer, Ensemble):
        members = scorer.opinions(texts)
        answered = scorer.combined(members)
    else:
        answered = answer(scorer, texts)
    elapsed = perf_counter() - start
    found: dict[str, Any] = {"model": scorer.name, "version": scorer.version}
    found |= _figures(answered, truth)
    found["texts_per_s"] = len(texts) / max(elapsed, 1e-9)
    found |= _beliefs(answered, truth, bins)
    if members is not None:
        found["members"] = {
            name: None if one is None else {**_figures(one, truth), **_beliefs(one, truth, bins)}
            for name, one in members.items()
        }
    return found


def _truth(texts: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    import numpy as np

    if not texts or len(texts) != len(labels):
        raise InputError(
            f"{len(texts)} texts and {len(labels)} labels: one label per text, at least one"
        )
    unknown = sorted(set(labels) - set(LABELS))
    if unknown:
        raise InputError(f"labels {', '.join(unknown)}: only {', '.join(LABELS)} are known")
    return np.array([_NAMES[label] for label in labels])


def _figures(answered: Answered, truth: np.ndarray) -> dict[str, float | None]:
    import numpy as np

    predicted = answered.labels
    polarity = np.nan_to_num(answered.polarity)
    recalls, f1s = [], []
    for c in np.unique(truth):
        hit = int(np.sum((truth == c) & (predicted == c)))
        actual, claimed = int(np.sum(truth == c)), int(np.sum(predicted == c))
        recalls.append(hit / actual)
        f1s.append(2 * hit / (actual + claimed))
    return {
        "n": len(truth),
        "accuracy": float(np.mean(truth == predicted)),
        "macro_recall": float(np.mean(recalls)),
        "macro_f1": float(np.mean(f1s)),
        "auc": auc(polarity[truth == 2], polarity[truth == 0]),
    }


def _beliefs(answered: Answered, truth: np.ndarray, bins: int) -> dict[str, Any]:
    """What a model claims, against what is so."""
    claimed, known = answered.labels, answered.answered
    right = (claimed == truth)[known]
    points = reliability.bins(answered.confidence[known], right, bins)
    counts = reliability.confusion(truth, claimed, len(LABELS))
    return {
        "unanswered": int((~known).sum()),
        "confusion": {
            label: dict(zip((*LABELS, "unanswered"), row, strict=True))
            for label, row in zip(LABELS, counts, strict=True)
        },
        "reliability": [asdict(point) for point in points],
        "calibration_error": reliability.expected_calibration_error(points),
    }


def auc(positive: np.ndarray, negative: np.ndarray) -> float | None:
    """Return the share of (positive, negative) pairs in the right order, ties half; None if none.

    Mann-Whitney U from mid-ranks, O(n log n). Both arrays are float64 of one dimension.
    """
    import numpy as np

    n, m = len(positive), len(negative)
    if not n or not m:
        return None
    _, place, counts = np.unique(
        np.concatenate([positive, negative]), return_inverse=True, return_counts=True
    )
    last = np.cumsum(counts)
    mid_ranks = last - (counts - 1) / 2
    u = mid_ranks[place[:n]].sum() - n * (n + 1) / 2
    return float(u / (n * m))
