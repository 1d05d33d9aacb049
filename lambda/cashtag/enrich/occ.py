"""Symbols of option contracts as the Options Clearing Corporation writes them, taken apart.

`TSLA260821C00250000` is the root, the expiry as YYMMDD, C or P, and the strike in thousandths of
a dollar (OCC, Options Symbology Initiative); blanks may pad the root to six characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

_SYMBOL = re.compile(
    r"(?P<root>[A-Z]{1,6})(?P<mark>\d?) *(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d)(?P<right>[CP])"
    r"(?P<strike>\d{8})",
    re.A,
)
_LONGEST_ROOT = 6
_CENTURY = 2000  # the OCC began with this form in 2010
_THOUSANDTHS = 1000
RIGHTS = {"C": "CALL", "P": "PUT"}


@dataclass(frozen=True, slots=True)
class OptionContract:
    """What a symbol says: `symbol` without blanks, `right` CALL or PUT, `strike` in dollars.

    The digit behind the root of an `adjusted` contract (`TSLA1`) marks one that delivers
    something other than 100 shares, as after a merger or an odd split.
    """

    symbol: str
    root: str
    expiry: date
    right: str
    strike: float
    adjusted: bool


@lru_cache(maxsize=65536)  # a chain names the same contracts every day
def parsed(symbol: str) -> OptionContract | None:
    """Take a symbol apart; None for what is none."""
    found = _SYMBOL.fullmatch(symbol.strip())
    if found is None or len(found["root"] + found["mark"]) > _LONGEST_ROOT:
        return None
    try:
        expiry = date(_CENTURY + int(found["y"]), int(found["m"]), int(found["d"]))
    except ValueError:
        return None
    strike = int(found["strike"]) / _THOUSANDTHS
    if strike == 0:
        return None
    return OptionContract(
        "".join(symbol.split()),
        found["root"],
        expiry,
        RIGHTS[found["right"]],
        strike,
        bool(found["mark"]),
    )


def root_of(ticker: str) -> str:
    """The root of a ticker's contracts: `BRKB` for `BRK.B`."""
    return ticker.replace(".", "").upper()
