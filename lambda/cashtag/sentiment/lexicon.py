"""The embedded sentiment model: VADER's lexicon and rules, read by somebody who knows the market.

A post that speaks of prices (a cashtag, "earnings", "premarket" …) is read with the market
register: our words and phrases first, VADER's everyday words at a reduced weight. Any other post
is read in the everyday register: VADER's words, with our corrections for how people write.
Negation, boosters, capitals, "but" and punctuation follow VADER (Hutto and Gilbert 2014, "VADER:
A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text"); what turns a
direction ("costs fall", "bears crushed") and what numbers say is ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from cashtag.sentiment.calibration import calibration
from cashtag.sentiment.finance_words import FOLDER, load
from cashtag.sentiment.reading import Reader
from cashtag.sentiment.weighing import Scale

if TYPE_CHECKING:
    import numpy as np

_CODE = (
    "calibration.py",
    "figures.py",
    "finance_words.py",
    "lexicon.py",
    "reading.py",
    "tokens.py",
    "weighing.py",
)


class LexiconScorer:
    """Scores texts without a network or a model file; tens of microseconds a post.

    `version` hashes the lexicon's data, the rules and their code (preprocessing and calibration
    among them) and the version of vaderSentiment: any change makes a new model beside the old.
    """

    name = "lexicon"

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read the lexicon. Raises CashtagError when its data is malformed."""
        lexicon = load(folder)
        digest = hashlib.sha256(lexicon.fingerprint.encode())
        for file in _CODE:
            digest.update(Path(__file__).with_name(file).read_bytes().replace(b"\r\n", b"\n"))
        self.version = f"lexicon-{digest.hexdigest()[:12]}"
        self._reader = Reader(lexicon)
        self._scale = Scale(lexicon.rules)
        self._normalise: float = lexicon.rules["weights"]["normalise"]
        self._calibration: Mapping[str, float] = lexicon.rules["calibration"]

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3): negative, neutral, positive.

        An empty text, or one without a word that the lexicon knows, has compound 0: neutral.
        """
        import numpy as np

        compound = np.fromiter(map(self.compound, texts), np.float64, len(texts))
        return calibration(compound, **self._calibration)

    def compound(self, text: str | None) -> float:
        """Return the sentiment of one text in (-1, 1), before calibration."""
        post = self._reader.read(text or "")
        hits = self._reader.hits(post)
        if not hits:
            return 0.0
        total = self._scale.total(post, self._scale.weighed(post, hits))
        return total / sqrt(total * total + self._normalise)

    def explain(self, text: str | None) -> list[tuple[str, float]]:
        """Return the words and phrases that counted, with their weighed valences, in text order."""
        post = self._reader.read(text or "")
        return [
            (" ".join(post.raw[h.start : h.end]), round(h.valence, 4))
            for h in self._scale.weighed(post, self._reader.hits(post))
            if h.valence
        ]
