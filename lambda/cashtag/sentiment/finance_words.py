"""The lexicon's data: what `words/*.tsv` say, built into one dictionary per register of speech.

A *register* is how a post speaks: `market` when it is about prices, `everyday` otherwise. In
each, a word has a valence (-4 to 4, VADER's scale), marks, and the phrases that start with it.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cashtag.errors import CashtagError
from cashtag.sentiment.tokens import name, raw_tokens

FOLDER = Path(__file__).with_name("words")
FILES = ("finance.tsv", "phrases.tsv", "general.tsv", "emoji.tsv", "rules.toml")
END, FILLERS, ANY = "", "~", "..."
GAPS = (FILLERS, ANY)

# A phrase tree: token -> subtree; END -> (valence, marks); FILLERS and ANY -> the tree after a gap.
Tree = dict[str, Any]


# What one token means: its valence, its marks, and the phrase trees that it enters.
Word = tuple[float, str, tuple[Tree, ...]]
Entry = tuple[str, float, str]


@dataclass(frozen=True)
class Register:
    """The words of one register; `classes` gives a word's names in phrases, itself the first."""

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
            member[word] = (*member.get(word, (word,)), f"<{key}>")

    base = {w: v for w, v in vader.lexicon.items() if w[0].isalpha() and len(w) > 1}
    for booster in BOOSTER_DICT:
        base.pop(booster, None)
    market: list[Entry] = []
    both: list[Entry] = []
    for file in ("finance.tsv", "phrases.tsv"):
        for entry in _entries(file, data[file]):
            (both if "a" in entry[2] else market).append(entry)
    shared, own, everyday = (
        _grow(both),
        _grow(market),
        _grow(_entries("general.tsv", data["general.tsv"])),
    )
    faces = {w: v for w, v in vader.lexicon.items() if not w[0].isalpha()}
    pictures = list(_pictures(data["emoji.tsv"]))
    described = _described(vader.emojis, vader.lexicon, {p[0] for p in pictures})
    weight = float(rules["weights"]["everyday"])
    digest = hashlib.sha256(version("vaderSentiment").encode())
    for file in FILES:
        digest.update(file.encode() + b"\0" + data[file] + b"\0")
    return Lexicon(
        market=_register(
            (shared, own), base, weight, member, {**described, **{p: m for p, m, _ in pictures}}
        ),
        everyday=_register(
            (shared, everyday), base, 1.0, member, {**described, **{p: e for p, _, e in pictures}}
        ),
        strong=strong,
        weak=weak,
        rules=rules,
        emoticons=faces,
        fingerprint=digest.hexdigest(),
    )


def _lines(data: bytes) -> list[str]:
    return [line for line in data.decode().splitlines() if line.strip() and line[0] != "#"]


def _entries(file: str, data: bytes) -> Iterator[Entry]:
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


def _grow(entries: Iterable[Entry]) -> tuple[list[Entry], Tree]:
    """Return the single words among the entries, and one tree of all their phrases."""
    single: list[Entry] = []
    root: Tree = {}
    for pattern, valence, marks in entries:
        leaves = [root]
        for item in pattern.split(" "):
            grown = []
            for word in item.split("|"):
                tokens = _tokens(word)
                if " " not in pattern and len(tokens) == 1:
                    single.append((tokens[0], valence, marks))
                    continue
                for leaf in leaves:
                    for token in tokens:
                        leaf = leaf.setdefault(token, {})
                    grown.append(leaf)
            leaves = grown
        for leaf in leaves:
            leaf[END] = (valence, marks)
    return single, root


def spellings(pattern: str) -> set[tuple[str, ...]]:
    """Return every sequence of tokens that a pattern stands for; classes and gaps stay symbols.

    >>> sorted(spellings("sell-off|rout ~ <est>"))
    [('rout', '~', '<est>'), ('sell', 'off', '~', '<est>')]
    """
    single, root = _grow([(pattern, 0.0, "")])
    found: set[tuple[str, ...]] = {(token,) for token, *_ in single}
    todo: list[tuple[tuple[str, ...], Tree]] = [((), root)]
    while todo:
        path, tree = todo.pop()
        for token, below in tree.items():
            if token == END:
                found.add(path)
            else:
                todo.append(((*path, token), below))
    return found


def _tokens(word: str) -> tuple[str, ...]:
    if word.isalpha() or word in GAPS or word[:1] == "<":
        return (word,)
    if "_" in word:
        return tuple(token for part in word.split("_") for token in _tokens(part))
    if word[0] in "#$":
        parts = word.split("-") if word[1:2] == "-" and word[-1] != "%" else [word]
        return tuple(p if p[0] in "#$" else name(p) for p in parts)
    return tuple(name(token) for token in raw_tokens(word))


def _register(
    layers: Sequence[tuple[list[Entry], Tree]],
    base: Mapping[str, float],
    weight: float,
    member: Mapping[str, tuple[str, ...]],
    pictures: Mapping[str, float],
) -> Register:
    """Lay VADER's words, the emoji, the single words and the phrase trees over each other."""
    words: dict[str, Word] = {w: (v * weight, "v", ()) for w, v in base.items()}
    for picture, valence in pictures.items():
        words[picture] = (valence, "e", ())
    for single, _ in layers:
        for word, valence, marks in single:
            if "x" in marks:
                if word in base:
                    words[word] = (base[word] * valence, "v", ())
            elif valence or marks:
                words[word] = (valence, marks, ())
            else:
                words.pop(word, None)
    starts: dict[str, tuple[Tree, ...]] = {}
    for _, root in layers:
        for token, tree in root.items():
            if token[0] != "<":
                starts[token] = (*starts.get(token, ()), tree)
        for word, keys in member.items():
            for key in keys[1:]:
                if key in root:
                    starts[word] = (*starts.get(word, ()), root[key])
    for word, trees in starts.items():
        valence, marks, _ = words.get(word, (0.0, "", ()))
        words[word] = (valence, marks, trees)
    return Register(words, member)
