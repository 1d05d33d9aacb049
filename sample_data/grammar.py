"""Phrases in plain text files, and their expansion: `[a|b]` chooses, `{name}` is a rule or a figure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from random import Random

FOLDER = Path(__file__).parent / "phrases"
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")


def blocks(name: str) -> dict[str, tuple[str, ...]]:
    """Return the blocks of phrases/`name`.txt by their `##` header; one phrase a line.

    In a phrase `\\n` is a line break of the post. Lines that begin with `# ` are remarks.
    """
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            current = found.setdefault(line[3:], [])
        elif line and not line.startswith("# "):
            current.append(line.replace("\\n", "\n"))
    return {header: tuple(lines) for header, lines in found.items()}


RULES = blocks("rules")


def expand(rng: Random, phrase: str, figures: Mapping[str, str]) -> str:
    """Return the phrase with every choice made and every slot filled, rules before figures."""
    while match := _CHOICE.search(phrase):
        chosen = rng.choice(match.group(1).split("|"))
        phrase = phrase[: match.start()] + chosen + phrase[match.end() :]
    while match := _SLOT.search(phrase):
        name = match.group(1)
        text = expand(rng, rng.choice(RULES[name]), figures) if name in RULES else figures[name]
        phrase = phrase[: match.start()] + text + phrase[match.end() :]
    return phrase


def capitalised(text: str) -> str:
    """Return the text with a capital first letter, unless it starts with a symbol."""
    return text[:1].upper() + text[1:]
