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
from typing import TYPE_CHECKING, NamedTuple

from cashtag.sentiment import tokens
from cashtag.sentiment.calibration import calibration
from cashtag.sentiment.figures import Figures, verdicts
from cashtag.sentiment.finance_words import ANY, END, FILLERS, FOLDER, Register, Tree, load

if TYPE_CHECKING:
    import numpy as np


class Hit(NamedTuple):
    """A known word or phrase: tokens [start, end), its valence and marks (see words/README.md)."""

    start: int
    end: int
    valence: float
    marks: str


class Post(NamedTuple):
    """A text taken apart: tokens as spelled, their common names, and the register they are read in."""

    raw: list[str]
    names: list[str]
    market: bool
    register: Register
    text: str


_CODE = ("tokens.py", "figures.py", "lexicon.py", "finance_words.py", "calibration.py")


class LexiconScorer:
    """Scores texts without a network or a model file; about 30 µs a post.

    `version` hashes the lexicon's data, the rules' code, the calibration and VADER's version.
    """

    name = "lexicon"

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read the lexicon. Raises CashtagError when its data is malformed."""
        from vaderSentiment.vaderSentiment import BOOSTER_DICT

        lexicon = load(folder)
        rules = lexicon.rules
        digest = hashlib.sha256(lexicon.fingerprint.encode())
        for file in _CODE:
            digest.update(Path(__file__).with_name(file).read_bytes().replace(b"\r\n", b"\n"))
        self.version = f"lexicon-{digest.hexdigest()[:12]}"
        self._lexicon = lexicon
        self._weights: Mapping[str, float] = rules["weights"]
        self._windows: Mapping[str, int] = rules["windows"]
        self._calibration: Mapping[str, float] = rules["calibration"]
        self._figures = Figures.of(rules)
        words = rules["words"]
        self._breaks = frozenset(words["breaks"])
        self._fillers = frozenset(words["fillers"])
        self._suppose = frozenset(words["suppose"])
        self._after_verb = frozenset(words["between"])
        self._before_verb = self._after_verb | frozenset(words["between_back"])
        self._numeric = self._figures.compare | {"from"}
        self._abbreviations = frozenset(words["abbreviations"])
        # How a word in front changes a valence: None negates, a number strengthens or weakens.
        self._modifiers: dict[str, float | None] = {
            **{w: s for w, s in BOOSTER_DICT.items() if w.isalpha()},
            **rules["boosters"],
            **dict.fromkeys(words["negators"]),
        }
        w = self._weights
        self._distance = (0.0, w["one_back"], w["two_back"], w["three_back"])

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3): negative, neutral, positive.

        An empty text, or one without a word that the lexicon knows, is neutral.
        """
        import numpy as np

        compound = np.fromiter((self.compound(t) for t in texts), np.float64, len(texts))
        return calibration(compound, **self._calibration)

    def compound(self, text: str | None) -> float:
        """Return the sentiment of one text in [-1, 1], before calibration."""
        post = self._post(text or "")
        hits = self._hits(post)
        if not hits:
            return 0.0
        total = self._total(post, self._weighed(post, hits))
        return total / sqrt(total * total + self._weights["normalise"])

    def explain(self, text: str | None) -> list[tuple[str, float]]:
        """Return the words and phrases that counted, with their weighed valences, in text order."""
        post = self._post(text or "")
        return [
            (" ".join(post.raw[h.start : h.end]), round(h.valence, 4))
            for h in self._weighed(post, self._hits(post))
            if h.valence
        ]

    # ------------------------------------------------------------ reading

    def _post(self, text: str) -> Post:
        clean = tokens.plain(text)
        raw = tokens.raw_tokens(clean)
        names = [tokens.name(t) for t in raw]
        if "." in names:
            keep = [
                i for i, n in enumerate(names) if n != "." or not i or names[i - 1] not in self._abbreviations
            ]
            if len(keep) < len(names):
                raw, names = [raw[i] for i in keep], [names[i] for i in keep]
        lexicon = self._lexicon
        market = not lexicon.strong.isdisjoint(names) or len(lexicon.weak.intersection(names)) > 1
        register = lexicon.market if market else lexicon.everyday
        if tokens.is_stretched(clean):
            names = [tokens.relaxed(n, register.words) for n in names]
        return Post(raw, names, market, register, clean)

    def _hits(self, post: Post) -> list[Hit]:
        """Words and phrases that the register knows, longest match first, left to right."""
        names, words, hits = post.names, post.register.words, []
        faces = self._lexicon.emoticons
        skip = 0
        for i, word in enumerate(names):
            if i < skip:
                continue
            known = words.get(word)
            if known is None:
                if not word[0].isalnum() and word in faces:
                    hits.append(Hit(i, i + 1, faces[word], "e"))
                continue
            valence, marks, trees = known
            if trees:
                best = self._match(post, trees, i)
                if best:
                    skip, valence, marks = best
                    hits.append(Hit(i, skip, valence, marks))
                    continue
            if valence or marks:
                hits.append(Hit(i, i + 1, valence, marks))
        if post.market and not self._numeric.isdisjoint(names):
            hits = self._with_figures(post, hits)
        return hits

    def _match(
        self, post: Post, trees: Sequence[Tree], start: int
    ) -> tuple[int, float, str] | None:
        """Return (end, valence, marks) of the best phrase that starts here: most words, fewest gaps."""
        best: tuple[int, int, int, float, str] | None = None
        names, classes, gap = post.names, post.register.classes, self._windows["gap"]
        n = len(names)
        todo = [(tree, start + 1, 1, 0) for tree in trees]
        while todo:
            tree, i, words, skipped = todo.pop()
            end = tree.get(END)
            if end is not None and words > 1 and (best is None or (words, -skipped) > best[:2]):
                best = (words, -skipped, i, *end)
            if i == n:
                continue
            word = names[i]
            step = tree.get(word)
            if step is not None:
                todo.append((step, i + 1, words + 1, skipped))
            for key in classes.get(word, ()):
                step = tree.get(key)
                if step is not None:
                    todo.append((step, i + 1, words + 1, skipped))
            for symbol in (FILLERS, ANY):
                after = tree.get(symbol)
                if after is None:
                    continue
                for j in range(i, min(n, i + gap + 1)):
                    for key in (names[j], *classes.get(names[j], ())):
                        step = after.get(key)
                        if step is not None:
                            todo.append((step, j + 1, words + 1, skipped + j - i))
                    if names[j] in self._breaks or (
                        symbol is FILLERS and names[j] not in self._fillers
                    ):
                        break
        return best[2:] if best else None

    def _with_figures(self, post: Post, hits: list[Hit]) -> list[Hit]:
        """Add what numbers say; about a target they overrule the words in front of them."""
        for start, end, valence in verdicts(post.names, post.raw, self._figures):
            near = range(start - self._figures.window, end)
            hits = [
                h
                for h in hits
                if h.start not in near
                or self._figures.move.isdisjoint(post.names[h.start : h.end])
            ]
            hits.append(Hit(start, end, valence, "f"))
        return sorted(hits, key=lambda h: h.start)

    # ------------------------------------------------------------ weighing

    def _weighed(self, post: Post, hits: Sequence[Hit]) -> list[Hit]:
        """Apply negation, boosters, capitals, costs, bears, "if", "but" and repetition."""
        names, w = post.names, self._weights
        quiet = {i for h in hits if "q" in h.marks for i in range(h.start, h.end)}
        turners = [h for h in hits if "c" in h.marks or "p" in h.marks] if post.market else []
        mixed_case = not post.text.isupper()
        but = names.index("but") if "but" in names else None
        supposed = self._supposed(names) if post.market else ()
        seen: dict[str, int] = {}
        weighed = []
        silenced = set()
        for h in hits:
            v = h.valence
            if not v:
                weighed.append(h)
                continue
            if "e" in h.marks:
                seen[names[h.start]] = count = seen.get(names[h.start], 0) + 1
                if count > 1:
                    v = v * w["repeated"] if count <= self._windows["repeats"] else 0.0
            elif h.marks != "f":
                if turners:
                    turner = self._turner(names, h, turners)
                    if turner:
                        v *= w["turned"]
                        silenced.add(turner)
                if mixed_case and h.end - h.start == 1 and post.raw[h.start].isupper():
                    v += w["capitals"] if v > 0 else -w["capitals"]
                v = self._modified(names, h.start, v, quiet, post.market)
            if but is not None:
                v *= w["before_but"] if h.start < but else w["after_but"]
            if h.start in supposed:
                v *= w["supposed"]
            weighed.append(h._replace(valence=v))
        if silenced:
            weighed = [
                r._replace(valence=0.0) if h in silenced else r
                for h, r in zip(hits, weighed, strict=True)
            ]
        return weighed

    def _modified(
        self, names: Sequence[str], start: int, valence: float, quiet: set[int], market: bool
    ) -> float:
        window = self._windows["market_negation" if market else "everyday_negation"]
        for back in range(1, window + 1):
            i = start - back
            if i < 0 or names[i] in self._breaks:
                break
            if i in quiet:
                continue
            word = names[i]
            change = self._modifiers.get(word, 0.0)
            if change is None or word.endswith("n't"):
                valence *= self._weights["negation"]
            elif change and back < len(self._distance):
                change *= self._distance[back]
                valence += change if valence > 0 else -change
        return valence

    def _turner(self, names: Sequence[str], hit: Hit, turners: Sequence[Hit]) -> Hit | None:
        """Return the cost or party that turns this hit, if one stands close enough."""
        for t in turners:
            party = "p" in t.marks
            if t is hit or not (party or "d" in hit.marks):
                continue
            behind = t.start >= hit.end
            between = names[hit.end : t.start] if behind else names[t.end : hit.start]
            limit = self._windows["turn_after" if behind else "turn_before"]
            if len(between) >= limit + (not behind):
                continue
            allowed = self._after_verb if behind else self._before_verb
            if party:
                if self._breaks.isdisjoint(between):
                    return t
            elif all(word in allowed for word in between):
                return t
        return None

    def _supposed(self, names: Sequence[str]) -> set[int]:
        positions: set[int] = set()
        if self._suppose.isdisjoint(names):
            return positions
        reach = -1
        for i, word in enumerate(names):
            if word in self._breaks:
                reach = -1
            elif word in self._suppose:
                reach = i + 2 * self._windows["gap"]
            elif i <= reach:
                positions.add(i)
        return positions

    def _total(self, post: Post, hits: Sequence[Hit]) -> float:
        """Sum the valences; exclamation marks strengthen the sum, a question weakens it."""
        w = self._weights
        total = sum(h.valence for h in hits)
        if not total:
            return 0.0
        emphasis = min(post.text.count("!"), 4) * w["exclamation"]
        asked = post.text.count("?")
        if asked > 1 and not post.market:
            emphasis += asked * w["question"] if asked < 4 else w["questions"]
        total += emphasis if total > 0 else -emphasis
        return total * w["asked"] if asked and post.market else total
