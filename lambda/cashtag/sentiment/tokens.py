"""Words of a post as the lexicon model sees them: what is dropped, split and given a common name.

Addresses and @mentions are dropped. A cashtag becomes `$`, so that $LOW, $FAST or $HOPE is never
read as a word. Numbers become what they say to a reader of prices: `#` plain, `#$` money, `#%` a
percentage, `#+%` and `#-%` one with a sign. Hyphens split ("sell-off" is "sell off"), dots in
"U.S." vanish, three or more equal letters shrink to one or two ("sooooo good").
Entities are expected to be unescaped already.
"""

from __future__ import annotations

import re
from collections.abc import Container
from functools import lru_cache

CASHTAG = "$"
NUMBER, MONEY, PERCENT, GAIN, LOSS = "#", "#$", "#%", "#+%", "#-%"

DROPPED = ""

_TOKEN = re.compile(
    r"(?:[Hh][Tt][Tt][Pp][Ss]?://|[Ww][Ww][Ww]\.|pic\.twitter)\S*|@\w+"  # addresses and mentions
    r"|(?:[A-Za-z]\.){2,}"  # U.S.
    r"|[A-Za-z][A-Za-z0-9]*(?:['’&][A-Za-z]+)*"  # word, don't, s&p, q3
    r"|\$[A-Za-z][\w.]*"  # cashtag
    r"|\(\$\d[\d.,]*\)"  # a loss, as accountants write it
    r"|(?:(?<![\w.])[+\-−–]\s?)?[$€£]?\.?\d[\d,]*(?:\.\d+)?(?:%|\s%|[A-Za-z]+)?"  # number
    r"|[:;=][-'^o]?[)(\]\[DPp/\\|*3]+(?!\w)|<3+|</3"  # emoticons
    r"|[.!?;|]+|:(?=\s)|&(?=\s)"  # what ends or joins clauses
    r"|[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f300-\U0001f3fa\U0001f400-\U0001faff]"
)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")  # left in texts by some exports
_HASHTAG_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])")
_HASHTAG = re.compile(r"#([A-Za-z]\w*)")
_STRETCHED = re.compile(r"([a-z])\1\1+")


def plain(text: str) -> str:
    """Return `text` with its hashtags spelled as words ("#BuyTheDip" is "Buy The Dip")."""
    if "\\u" in text:
        text = _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text)
    if "#" in text:
        text = _HASHTAG.sub(lambda m: _HASHTAG_SEAM.sub(" ", m[1]), text)
    return text


def raw_tokens(text: str) -> list[str]:
    """Split plain text into tokens with their original spelling."""
    found: list[str] = _TOKEN.findall(text)
    return found


@lru_cache(maxsize=1 << 16)
def name(token: str) -> str:
    """Return the token's common name: lower case for words, a class for cashtags and numbers.

    Addresses and mentions have the name DROPPED.
    """
    first = token[0]
    if first.isalpha():
        lower = token.lower().replace("’", "'")
        if "." in lower:
            return DROPPED if lower.startswith(("www.", "pic.", "http")) else lower.replace(".", "")
        return DROPPED if "://" in lower else lower
    if first == "@":
        return DROPPED
    if first == "(" and token[1:2] == "$":
        return MONEY
    if first == "$" and token[1].isalpha():
        return CASHTAG
    if (
        first in "+-−–$€£"
        or first.isdigit()
        or (first == "." and len(token) > 1 and token[1].isdigit())
    ):
        if token[-1] == "%":
            return GAIN if first == "+" else LOSS if first in "-−–" else PERCENT
        return MONEY if "$" in token or "€" in token or "£" in token else NUMBER
    if first == "&":
        return "and"
    if first in ".!?;|":
        return "!" if "!" in token else "?" if "?" in token else first
    return token


def relaxed(word: str, known: Container[str]) -> str:
    """Return the spelling of a stretched word that `known` holds: "sooo" is "so", "goood" "good"."""
    twice = _STRETCHED.sub(r"\1\1", word)
    if twice in known:
        return twice
    once = _STRETCHED.sub(r"\1", word)
    return once if once in known else word


def is_stretched(text: str) -> bool:
    """Say whether some letter stands three times in a row."""
    return _STRETCHED.search(text) is not None


def amount(token: str) -> float | None:
    """Return the number that a token spells, in units: "$1.2B" is 1.2e9; None when it spells none."""
    if token[0] == "(":
        loss = amount(token.strip("()"))
        return None if loss is None else -loss
    m = re.fullmatch(r"[+\-−–]?\s?[$€£]?(\.?\d[\d,]*(?:\.\d+)?)\s?(%|[A-Za-z]*)", token)
    if not m:
        return None
    unit = _UNITS.get(m[2].lower())
    if unit is None:
        return None
    sign = -1.0 if token[0] in "-−–" else 1.0
    return sign * float(m[1].replace(",", "")) * unit


_UNITS = {
    "": 1.0,
    "%": 1.0,
    "k": 1e3,
    "m": 1e6,
    "mm": 1e6,
    "mln": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "bln": 1e9,
    "t": 1e12,
    "tn": 1e12,
    "c": 0.01,
}
