"""Reading a post: its register, and the words and phrases that the lexicon finds in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cashtag.sentiment import tokens
from cashtag.sentiment.figures import Figures, verdicts
from cashtag.sentiment.finance_words import END, FILLERS, GAPS, Lexicon, Register, Tree


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


class Reader:
    """Reads posts with one lexicon; holds nothing that depends on the posts it has read."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Prepare the word sets of the lexicon's rules."""
        words, self._gap = lexicon.rules["words"], int(lexicon.rules["windows"]["gap"])
        self._lexicon = lexicon
        self._figures = Figures.of(lexicon.rules)
        self._numeric = self._figures.compare | {"from"}
        self._breaks = frozenset(words["breaks"])
        self._fillers = frozenset(words["fillers"])
        self._abbreviations = frozenset(words["abbreviations"])
        # Filled as words are met: what may follow each, by register (False everyday, True market).
        self._seconds: tuple[dict[str, frozenset[str]], ...] = ({}, {})

    def read(self, text: str) -> Post:
        """Take a text apart and decide in which register it speaks."""
        clean = tokens.plain(text)
        raw = tokens.raw_tokens(clean)
        names = list(map(tokens.name, raw))
        if names and names[-1] is tokens.DROPPED:  # most addresses stand at the end
            raw.pop()
            names.pop()
        if tokens.DROPPED in names:
            raw = [r for r, n in zip(raw, names, strict=True) if n]
            names = [n for n in names if n]
        if "." in names and not self._abbreviations.isdisjoint(names):
            keep = [
                i
                for i, n in enumerate(names)
                if n != "." or not i or names[i - 1] not in self._abbreviations
            ]
            raw, names = [raw[i] for i in keep], [names[i] for i in keep]
        lexicon = self._lexicon
        market = not lexicon.strong.isdisjoint(names) or len(lexicon.weak.intersection(names)) > 1
        register = lexicon.market if market else lexicon.everyday
        if tokens.is_stretched(clean):
            names = [tokens.relaxed(n, register.words) for n in names]
        return Post(raw, names, market, register, clean)

    def hits(self, post: Post) -> list[Hit]:
        """Words and phrases that the register knows, longest match first, left to right."""
        names, words, hits = post.names, post.register.words, []
        seconds = self._seconds[post.market]
        faces = self._lexicon.emoticons
        skip, gap = 0, self._gap
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
                may_follow = seconds.get(word) or self._may_follow(post, word)
                near = names[i + 1 : i + 2 + gap]
                best = None if may_follow.isdisjoint(near) else self._match(post, trees, i)
                if best:
                    skip, valence, marks = best
                    hits.append(Hit(i, skip, valence, marks))
                    continue
            if valence or marks:
                hits.append(Hit(i, i + 1, valence, marks))
        if post.market and not self._numeric.isdisjoint(names):
            hits = self._with_figures(post, hits)
        return hits

    def _may_follow(self, post: Post, word: str) -> frozenset[str]:
        """Return the words that may come next, gaps skipped, in some phrase that `word` starts."""
        keys: set[str] = set()
        for tree in post.register.words[word][2]:
            keys |= tree.keys()
            for gap in GAPS:
                keys |= tree.get(gap, {}).keys()
        for other, names in post.register.classes.items():
            if not keys.isdisjoint(names):
                keys.add(other)
        self._seconds[post.market][word] = found = frozenset(keys)
        return found

    def _match(
        self, post: Post, trees: Sequence[Tree], start: int
    ) -> tuple[int, float, str] | None:
        """Return (end, valence, marks) of the best phrase that starts here: most words, fewest gaps."""
        best: tuple[int, int, int, float, str] | None = None
        names, classes, gap = post.names, post.register.classes, self._gap
        n = len(names)
        todo = [(tree, start + 1, 1, 0) for tree in trees]
        while todo:
            tree, i, words, skipped = todo.pop()
            end = tree.get(END)
            if end is not None and words > 1 and (best is None or (words, -skipped) > best[:2]):
                best = (words, -skipped, i, *end)
            if i == n:
                continue
            for key in classes.get(names[i]) or (names[i],):
                if key in tree:
                    todo.append((tree[key], i + 1, words + 1, skipped))
            for symbol in GAPS:
                if symbol not in tree:
                    continue
                after = tree[symbol]
                for j in range(i, min(n, i + gap + 1)):
                    word = names[j]
                    for key in classes.get(word) or (word,):
                        if key in after:
                            todo.append((after[key], j + 1, words + 1, skipped + j - i))
                    if word in self._breaks or (symbol is FILLERS and word not in self._fillers):
                        break
        return best[2:] if best else None

    def _with_figures(self, post: Post, hits: list[Hit]) -> list[Hit]:
        """Add what numbers say; about a target they overrule the words in front of them."""
        found = verdicts(post.names, post.raw, self._figures)
        if not found:
            return hits
        near = {i for start, end, _ in found for i in range(start - self._figures.window, end)}
        about_target = self._figures.move
        hits = [
            h
            for h in hits
            if h.start not in near or about_target.isdisjoint(post.names[h.start : h.end])
        ]
        hits += [Hit(start, end, valence, "f") for start, end, valence in found]
        return sorted(hits, key=lambda h: h.start)
