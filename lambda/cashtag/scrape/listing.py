"""Symbols as sites write them, and when a list of them is long enough to be believed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cashtag.errors import SourceRefused
from cashtag.tickers import is_symbol

NAMES = ("code", "ticker", "symbol")
"""What sites call the column or field that holds the symbol, in lower case."""
_WORD = re.compile(r"[a-z]+")
# One class of share, as banks write it: BRK-B is BRK.B. Some write BRK/B, but N/A is no symbol.
_CLASS = re.compile(r"(?<=[A-Z])[-_](?=[A-Z]{1,2}$)")


def names_symbols(label: str) -> int:
    """How surely a column or field of this name holds symbols: 2 exactly, 1 among words, 0 not."""
    low = "".join(visible(label)).strip().lower()
    if low in NAMES:
        return 2
    return int(any(word in NAMES for word in _WORD.findall(low)))


def visible(text: str) -> str:
    """`text` without marks that only steer its direction, joining or hyphenation."""
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def symbol(text: str) -> str | None:
    """A symbol as rows carry it but for aliases, from `$tsla`, `BRK-B`; None when it is none."""
    bare = visible(text).strip().removeprefix("$").upper()
    bare = _CLASS.sub(".", bare)
    return bare if is_symbol(bare) else None


def symbol_of(data: Mapping[str, Any]) -> str | None:
    """The symbol in one row of a site: of the field that is named most like one."""
    label = max(data, key=names_symbols, default="")
    found = data.get(label)
    return symbol(found) if names_symbols(label) and isinstance(found, str) else None


def best(
    rows: Iterable[Mapping[str, Any]],
    canonical: Callable[[str], str],
    *,
    top: int,
    minimum: int,
    where: str,
    instead: str = "",
) -> tuple[Mapping[str, Any], ...]:
    """The first `top` rows, in order, that name a symbol which no row before them names.

    Args:
        where: What was read, for the reason: `www.finder.com, column "Code"`.
        instead: What was found in its place, if that is known.

    Raises:
        SourceRefused: fewer than `minimum` rows name a symbol of their own.
    """
    found: dict[str, Mapping[str, Any]] = {}
    cells = 0
    for row in rows:
        cells += 1
        if (written := symbol_of(row)) is not None:
            found.setdefault(canonical(written), row)
    if len(found) < minimum:
        raise SourceRefused(
            f"{where}: {len(found)} different symbols in {cells} cells, {minimum} are needed "
            f"(scrape.trending.minimum){f'; {instead}' if instead else ''}"
        )
    return tuple(found.values())[:top]
