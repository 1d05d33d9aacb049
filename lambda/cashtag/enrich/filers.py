"""Whose filing it is: a company's name at the SEC against the names of the watchlist.

A filing is about the company that files, and that name is all it says in words. It counts when it
is the whole name of a watched one; neither keywords nor a part of it do: "MODEL N, INC." has
nothing to do with Tesla's models, nor "APPLE HOSPITALITY REIT, INC." with Apple.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cashtag.settings import Settings

# What EDGAR appends to tell companies of one name apart: "ALPHA CORP /DE/".
_STATE = re.compile(r"\s*[/\\]\s*\w{2,3}\s*[/\\]?\s*\Z")
_LEGAL_FORM = re.compile(
    r"(?<=\w)\W+(?:inc|incorporated|corp|corporation|co|company|ltd|limited|plc|llc|lp|"
    r"n\W?v|s\W?a|a\W?g|s\W?e)\W*\Z"
)
_NO_LETTER = re.compile(r"[\W_]+")


def company_key(name: str) -> str:
    """Return what spellings of one company's name share; empty for what is no name.

    Left out are case, spaces, punctuation, a state, legal forms at the end, `The` at the start.
    """
    bare = _STATE.sub("", name.casefold().strip())
    while (shorter := _LEGAL_FORM.sub("", bare)) != bare:
        bare = shorter
    return _NO_LETTER.sub("", bare.removeprefix("the "))


def filers(settings: Settings) -> Mapping[str, str]:
    """Return the watchlist's tickers by their companies' keys."""
    found = {
        company_key(stock.name): ticker
        for ticker, stock in sorted(settings.watchlist.stocks.items())
    }
    found.pop("", None)
    return found
