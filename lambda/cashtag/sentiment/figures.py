"""Numbers that carry a verdict: a target moved from one price to another, a result against an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from cashtag.sentiment.tokens import amount

_FROM, _TO = frozenset({"from"}), frozenset({"to"})
_LOSS = frozenset({"loss", "losses"})
_VERSUS = frozenset({"vs", "versus", "v"})


class Figures(NamedTuple):
    """The words around which numbers are compared, how far to look, and what a verdict weighs."""

    move: frozenset[str]
    compare: frozenset[str]
    window: int
    weight: float

    @classmethod
    def of(cls, rules: Mapping[str, Any]) -> Figures:
        """Read them from the lexicon's rules."""
        return cls(
            frozenset(rules["words"]["move"]),
            frozenset(rules["words"]["compare"]),
            int(rules["windows"]["figures"]),
            float(rules["weights"]["figures"]),
        )


def verdicts(
    names: Sequence[str], raw: Sequence[str], figures: Figures
) -> list[tuple[int, int, float]]:
    """Return (start, end, valence) of every comparison of two numbers.

    "PT to $80 from $75" is good, "price target $12 from $15" bad; "EPS $1.20 vs $1.10 est" good,
    "revenue $4.9B, estimate $5.1B" bad; equal numbers say nothing (valence 0). A smaller loss
    is the better one, and "($0.20)" is one, as accountants write.
    """
    numbers = [i for i, n in enumerate(names) if n[0] == "#"]
    if len(numbers) < 2:
        return []
    found = []
    for a, b in pairwise(numbers):
        if b - a > figures.window // 2:
            continue
        between = names[a + 1 : b]
        before = names[max(0, a - figures.window) : a]
        verdict = _moved(before, between, figures) or _compared(names, between, a, b, figures)
        if not verdict:
            continue
        first, second = amount(raw[a]), amount(raw[b])
        if first is None or second is None or names[a] == "#%" != names[b]:
            continue
        if verdict == "from first":
            first, second = second, first
        change = first - second
        if not _LOSS.isdisjoint(names[max(0, a - 3) : b]):
            change = -change  # "a loss of $0.20 against an estimated $0.30"
        found.append((a, b + 1, figures.weight * ((change > 0) - (change < 0))))
    return found


def _moved(before: Sequence[str], between: Sequence[str], figures: Figures) -> str | None:
    if figures.move.isdisjoint(before) and figures.move.isdisjoint(between):
        return None
    if not _FROM.isdisjoint(between):
        return "to first"
    if not _TO.isdisjoint(between) and before and "from" in before[-2:]:
        return "from first"
    return None


def _compared(
    names: Sequence[str], between: Sequence[str], a: int, b: int, figures: Figures
) -> str | None:
    """Say whether the second number is an estimate of the first: "vs", "est" between or behind."""
    if not between or figures.compare.isdisjoint(between):
        return None
    versus = not _VERSUS.isdisjoint(between)
    around = names[a + 1 : b + 4]  # "$1.20 vs $1.10 analyst est"
    estimate = not (figures.compare - _VERSUS).isdisjoint(around)
    if versus and not estimate:
        return None  # against last year or another company: not an estimate
    return "against estimate"
