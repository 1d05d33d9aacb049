"""The lexicon's data: what `words/*.tsv` say, built into one dictionary per register of speech.

A *register* is how a post speaks: `market` when it is about prices, `everyday` otherwise. In
each, a word has a valence (-4 to 4, VADER's scale), marks, and the phrases that start with it.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from cashtag.errors import CashtagError
from cashtag.sentiment.tokens import name, raw_tokens

FOLDER = Path(__file__).with_name("words")
FILES = ("finance.tsv", "phrases.tsv", "general.tsv", "emoji.tsv", "rules.toml")
END, FILLERS, ANY = "", "~", "..."

# A phrase tree: token -> subtree; END -> (valence, marks); FILLERS and ANY -> the tree after a gap.
Tree = dict[str, Any]


class Word(NamedTuple):
    """What one token means: its valence, its marks, and the phrase trees that it enters."""

    valence: float
    marks: str
    trees: tuple[Tree, ...]


@dataclass(frozen=True)
class Register:
    """The words of one register and, for each, the classes it belongs to inside phrases."""

    words: Mapping[str, Word]
    classes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Lexicon:
    """Everything the model knows. `fingerprint` changes with any of its data or with VADER's."""

    market: Register
    everyday: Register
    strong: frozenset[str]
    weak: frozenset[str]
    rules: Mapping[str, Any]
    emoticons: Mapping[str, float]
    fingerprint: str


def load(folder: Path = FOLDER) -> Lexicon:
    """Read the data files and VADER's lexicon. About 40 ms.

    Raises:
        CashtagError: a line is malformed; the message names file and line.
    """
    from vaderSentiment.vaderSentiment import BOOSTER_DICT, SentimentIntensityAnalyzer

    data = {file: (folder / file).read_bytes() for file in FILES}
    rules = tomllib.loads(data["rules.toml"].decode())
    vader = SentimentIntensityAnalyzer()
    classes: dict[str, tuple[str, ...]] = {}
    for line in _lines(data["finance.tsv"]):
        if line.startswith("@"):
            key, words = line[1:].split("\t")
            classes[key] = tuple(words.split())
    strong, weak = frozenset(classes.pop("strong")), frozenset(classes.pop("weak"))
    member: dict[str, tuple[str, ...]] = {}
    for key, words_of_class in classes.items():
        for word in words_of_class:
            member[word] = (*member.get(word, ()), f"<{key}>")

    base = {w: v for w, v in vader.lexicon.items() if w[0].isalpha() and " " not in w}
    for booster in BOOSTER_DICT:
        base.pop(booster, None)
    everywhere: list[tuple[str, float, str]] = []
    market: list[tuple[str, float, str]] = []
    for file in ("finance.tsv", "phrases.tsv"):
        for pattern, valence, marks in _entries(file, data[file]):
            market.append((pattern, valence, marks))
            if "a" in marks:
                everywhere.append((pattern, valence, marks))
    everyday = [*everywhere, *_entries("general.tsv", data["general.tsv"])]
    faces = {w: v for w, v in vader.lexicon.items() if not w[0].isalpha()}
    pictures = list(_pictures(data["emoji.tsv"]))
    weight = float(rules["weights"]["everyday"])
    described = _described(vader.emojis, vader.lexicon, {p[0] for p in pictures})
    digest = hashlib.sha256(version("vaderSentiment").encode())
    for file in FILES:
        digest.update(file.encode() + b"\0" + data[file] + b"\0")
    return Lexicon(
        market=_register(
            market, base, member, weight, {**described, **{p: m for p, m, _ in pictures}}
        ),
        everyday=_register(
            everyday, base, member, 1.0, {**described, **{p: e for p, _, e in pictures}}
        ),
        strong=strong,
        weak=weak,
        rules=rules,
        emoticons=faces,
        fingerprint=digest.hexdigest(),
    )


def _lines(data: bytes) -> list[str]:
    return [line for line in data.decode().splitlines() if line.strip() and line[0] != "#"]


def _entries(file: str, data: bytes) -> Iterator[tuple[str, float, str]]:
    for number, line in enumerate(data.decode().splitlines(), 1):
        if not line.strip() or line[0] in "@" or line.startswith("# "):
            continue
        try:
            pattern, valence, *marks = line.split("\t")
            yield pattern, float(valence), marks[0] if marks else ""
        except ValueError as error:
            raise CashtagError(
                f"{file}, line {number}: expected pattern<TAB>valence[<TAB>marks], found {line!r}"
            ) from error


def _pictures(data: bytes) -> Iterator[tuple[str, float, float]]:
    for line in _lines(data):
        picture, market, everyday = line.split("\t")
        if len(picture) == 1:
            yield picture, float(market), float(everyday)


def _described(
    emojis: Mapping[str, str], lexicon: Mapping[str, float], known: set[str]
) -> dict[str, float]:
    """Valence of the emoji that we do not list: that of the words that describe them in VADER."""
    found = {}
    for picture, words in emojis.items():
        if len(picture) == 1 and picture not in known:
            valence = sum(lexicon.get(word, 0.0) for word in words.split())
            if valence:
                found[picture] = valence
    return found


def spellings(pattern: str) -> Iterator[tuple[str, ...]]:
    """Yield every sequence of tokens that a pattern stands for; classes and gaps stay symbols.

    >>> list(spellings("sell-off|rout ~ <est>"))
    [('sell', 'off', '~', '<est>'), ('rout', '~', '<est>')]
    """
    choices: list[list[tuple[str, ...]]] = []
    for item in pattern.split():
        choices.append([_tokens(word) for word in item.split("|")])
    for combination in product(*choices):
        yield tuple(token for part in combination for token in part)


def _tokens(word: str) -> tuple[str, ...]:
    if word.isalpha() or word in (FILLERS, ANY) or word[:1] == "<":
        return (word,)
    if word[0] in "#$":
        parts = word.split("-") if word[1:2] == "-" and word[-1] != "%" else [word]
        return tuple(p if p[0] in "#$" else name(p) for p in parts)
    return tuple(name(token) for token in raw_tokens(word))


def _register(
    entries: Iterable[tuple[str, float, str]],
    base: Mapping[str, float],
    member: Mapping[str, tuple[str, ...]],
    weight: float,
    pictures: Mapping[str, float],
) -> Register:
    single: dict[str, tuple[float, str]] = {w: (v * weight, "v") for w, v in base.items()}
    for picture, valence in pictures.items():
        single[picture] = (valence, "e")
    root: Tree = {}
    for pattern, valence, marks in entries:
        for tokens in spellings(pattern) if " " in pattern or "|" in pattern else [_tokens(pattern)]:
            if len(tokens) == 1:
                word = tokens[0]
                if "x" in marks:
                    if word in base:
                        single[word] = (base[word] * valence, "v")
                else:
                    single[word] = (valence, marks)
                continue
            tree = root
            for token in tokens:
                tree = tree.setdefault(token, {})
            tree[END] = (valence, marks)
    starts: dict[str, list[Tree]] = {}
    for token, tree in root.items():
        if token[0] == "<":
            for word, keys in member.items():
                if token in keys:
                    starts.setdefault(word, []).append(tree)
        else:
            starts.setdefault(token, []).append(tree)
    words = {}
    for word in single.keys() | starts.keys():
        valence, marks = single.get(word, (0.0, ""))
        trees = tuple(starts.get(word, ()))
        if valence or trees or marks:
            words[word] = Word(valence, marks, trees)
    return Register(words, member)
