"""What a model says of texts: probabilities, and what some models say beside them.

Most models give three probabilities, and all else follows from them: the label is the one of the
highest, which is also the confidence. A model that states its own (Comprehend has a fourth class,
a language model a confidence of its own) has a method `answer` beside `score`; one that wants to
know who wrote a text, and about what, has `answer_about`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from cashtag.ports import Scorer

LABELS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Answered:
    """A model's answers to n texts. NaN rows: the model is up and gave no answer for that text.

    `refusals` says why, by position, where the model refused a text for good (too long, no text
    in its language); it stays empty where a model had nothing to say and no reason.
    """

    probabilities: np.ndarray
    """float64 of shape (n, 3): negative, neutral, positive."""
    stated: np.ndarray | None = None
    """float64 of shape (n,): the model's own confidence, 0 to 1; NaN or None: it states none."""
    named: Sequence[str | None] = ()
    """The model's own label of each text, one of LABELS; None, or nothing at all: it names none."""
    said: Sequence[str | None] = ()
    """JSON of what else it said of each text; nothing at all: nothing else."""
    refusals: Mapping[int, str] = field(default_factory=dict)
    agreement: np.ndarray | None = None
    """float64 of shape (n,): share of several models with the modal label; None: there is one."""

    @property
    def answered(self) -> np.ndarray:
        """bool of shape (n,)."""
        import numpy as np

        found: np.ndarray = ~np.isnan(self.probabilities).any(axis=1)
        return found

    @property
    def polarity(self) -> np.ndarray:
        """p_positive - p_negative, float64 of shape (n,); NaN without an answer."""
        found: np.ndarray = self.probabilities[:, 2] - self.probabilities[:, 0]
        return found

    @property
    def confidence(self) -> np.ndarray:
        """What the model states, else its highest probability; float64 of (n,), NaN without answer."""
        import numpy as np

        highest: np.ndarray = self.probabilities.max(axis=1, initial=0.0)
        if self.stated is None:
            return highest
        return np.where(np.isnan(self.stated), highest, self.stated)

    @property
    def labels(self) -> np.ndarray:
        """Index into LABELS of each answer, int8 of shape (n,); -1 without one."""
        import numpy as np

        found = np.where(self.answered, label_of(np.nan_to_num(self.probabilities)), -1)
        for i, name in enumerate(self.named):
            if name is not None and found[i] >= 0:
                found[i] = LABELS.index(name)
        return found.astype(np.int8)


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a text beside its words; the author's influence is 0 to 1."""

    author: str | None
    influence: float | None
    stocks: tuple[str, ...]


@runtime_checkable
class Speaker(Protocol):
    """A Scorer that says more than three probabilities, or why it says nothing."""

    def answer(self, texts: Sequence[str]) -> Answered:
        """Return all that the model says of the texts. Raises ScorerUnavailable, as score does."""
        ...


@runtime_checkable
class Informed(Protocol):
    """A Scorer that reads a text with what is known of it."""

    def answer_about(self, texts: Sequence[str], about: Sequence[About | None]) -> Answered:
        """Return all that the model says; `about` has one item a text, None where nothing is known."""
        ...


def answer(
    scorer: Scorer, texts: Sequence[str], about: Sequence[About | None] | None = None
) -> Answered:
    """Ask a model, whether or not it says more than probabilities, or wants to know more."""
    if about is not None and isinstance(scorer, Informed):
        return scorer.answer_about(texts, about)
    if isinstance(scorer, Speaker):
        return scorer.answer(texts)
    return Answered(scorer.score(texts))


def label_of(probabilities: np.ndarray) -> np.ndarray:
    """Return the index into LABELS of the highest probability, of float64 (n, 3); int64 of (n,).

    Where negative and positive share it, or neutral is as high, the text is neutral.
    """
    import numpy as np

    negative, neutral, positive = (probabilities[:, i] for i in range(3))
    return np.where(
        (positive > negative) & (positive > neutral),
        2,
        np.where((negative > positive) & (negative > neutral), 0, 1),
    )
