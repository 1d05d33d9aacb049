"""Which ticker a text names: cashtags, keywords, aliases, and what may be traded.

A cashtag is what twitter-text extracts: `$`, one to six Latin letters and optionally `.` or `_`
with one or two more, after the start or white space, before the end, white space or ASCII
punctuation. A symbol is a cashtag in upper case with `_` as `.`, after the settings' aliases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cashtag.errors import SettingsError

if TYPE_CHECKING:
    from cashtag.settings import Settings, Stock

# twitter-text 3.1 (validCashtag, spaces, directional markers, punct). The check of what stands
# before `$` comes after it, so that the search can jump from `$` to `$`.
_SPACES = "\\s\u180e\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
_PUNCT = r"!'#%&()*+,\\\-./:;<=>?@\[\]^_{|}~$"
_SYMBOL = r"[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?"
_CASHTAG = re.compile(rf"\$(?<![^{_SPACES}]\$)({_SYMBOL})(?=\Z|\s|[{_PUNCT}])")
_CASHTAG_OR_BREAK = re.compile(rf"\n|{_CASHTAG.pattern}")
_WHOLE_SYMBOL = re.compile(rf"{_SYMBOL}\Z")

# A keyword of capitals this short is an acronym: "AI" must not match "ai" in another language,
# nor "VR" a licence plate in lower case.
_ACRONYM_LETTERS = 3
# A bare symbol shorter than this is an ordinary word or unit: PM, MA, GE in "GE 5", a lone T.
_BARE_LETTERS = 3
# What makes a word go on. Scripts that put no space beside a name do not: kana, Chinese
# characters, Thai, and Hangul with its particles.
_LETTER = "[^\\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]"
_BEFORE = rf"(?<!{_LETTER})(?<!\$)"
_AFTER = rf"(?!{_LETTER})"
# The longest symbol wins: `$BRK.B` does not name BRK, `$AAPL.Next sentence` does name AAPL.
_LONGEST = rf"(?![._][A-Za-z]{{1,2}}{_AFTER})"
_URL = re.compile(r"(?:https?://|www\.)\S+", re.I)
_LEGAL_FORM = re.compile(
    r"[\s,]+(?:inc|corp|corporation|co|company|ltd|limited|plc|llc|lp|nv|sa|ag|se)\.?\s*\Z", re.I
)
_MAX_ALIASES = 8  # a longer chain is a circle


def cashtags(text: str) -> list[str]:
    """Return the cashtags of `text` as written, without `$`, in order, repeats included."""
    return _CASHTAG.findall(text) if "$" in text else []


def is_symbol(text: str) -> bool:
    """Say whether `text` is a whole symbol by the cashtag grammar: `NVDA`, `BRK.B`, not `^VIX`."""
    return _WHOLE_SYMBOL.match(text) is not None


@dataclass(frozen=True)
class Vocabulary:
    """The settings' view of names, with its patterns compiled once. Get one by `vocabulary`."""

    canonical: Callable[[str], str]
    """Symbol as written (any case, `_` or `.`) -> the symbol that rows carry."""
    _names: Callable[[str], re.Pattern[str] | None]
    _companies: Callable[[str], re.Pattern[str] | None]
    watched: tuple[str, ...]
    """Tickers of the watchlist, sorted."""

    def cashtags(self, text: str) -> list[str]:
        """Return the distinct symbols of the text's cashtags, in order, after aliases."""
        return list(dict.fromkeys(map(self.canonical, cashtags(text))))

    def cashtags_of(self, texts: Sequence[str]) -> list[list[str]]:
        """Return `cashtags` of each of many texts without line breaks, in one search."""
        found: list[list[str]] = []
        row: dict[str, None] = {}  # an ordered set
        for symbol in _CASHTAG_OR_BREAK.findall("\n".join(texts)) if texts else ():
            if symbol:
                row[self.canonical(symbol)] = None
            else:
                found.append(list(row))
                row = {}
        return [*found, list(row)] if texts else []

    def names(self, ticker: str, text: str) -> bool:
        """Say whether `text` names `ticker` other than by a cashtag.

        That is by one of its keywords; by its symbol after `$` where punctuation stands before
        (`($NVDA)`), which is no cashtag to Twitter but one to a reader; or by its bare symbol
        in capitals, unless that is short or a common word. Words are bounded on both sides;
        addresses are skipped, for their parts are no words.
        """
        pattern = self._names(ticker)
        return pattern is not None and pattern.search(_without_urls(text)) is not None

    def names_company(self, ticker: str, text: str) -> bool:
        """Say whether `text` names `ticker` as `names` does, or by its company's name."""
        if self.names(ticker, text):
            return True
        pattern = self._companies(ticker)
        return pattern is not None and pattern.search(_without_urls(text)) is not None

    def mentioned(self, text: str, tickers: Iterable[str]) -> list[str]:
        """Return all cashtags of `text` and those of `tickers` that it names, sorted."""
        found = set(self.cashtags(text))
        found.update(t for t in tickers if t not in found and self.names_company(t, text))
        return sorted(found)


def vocabulary(settings: Settings) -> Vocabulary:
    """Return the vocabulary of these settings, compiled at the first call.

    Raises:
        SettingsError: `tickers.aliases` runs in a circle.
    """
    # Settings are frozen but hold dicts, so they have no hash; the cache keeps the settings
    # themselves beside the result, so that an id is never somebody else's.
    held = _VOCABULARIES.get(id(settings))
    if held is not None and held[0] is settings:
        return held[1]
    made = _compile(settings)
    if len(_VOCABULARIES) >= _KEPT:
        _VOCABULARIES.clear()
    _VOCABULARIES[id(settings)] = (settings, made)
    return made


_VOCABULARIES: dict[int, tuple[Settings, Vocabulary]] = {}
_KEPT = 16


def canonical(settings: Settings, symbol: str) -> str:
    """Return the symbol that rows carry for `symbol`: upper case, `.` for `_`, after aliases."""
    return vocabulary(settings).canonical(symbol)


def tradability(settings: Settings, ticker: str) -> tuple[bool, str]:
    """Say whether the desk may trade `ticker`, and why. Everything may be scraped.

    Returns:
        (False, why) for what the settings call not tradable, for funds, and for what is no
        stock's symbol (an index as `^VIX`, a coin as `BTC.X`); else (True, why).
    """
    symbol = canonical(settings, ticker)
    because = f" (as {symbol})" if symbol != ticker else ""
    coin = symbol.removesuffix(".X")
    for name in (symbol, coin):
        if name in settings.tickers.not_tradable:
            return False, f"{settings.tickers.not_tradable[name]}{because}"
    if symbol in settings.tickers.etfs:
        return False, f"an exchange-traded fund: followed, not traded{because}"
    if coin != symbol:
        return False, f"a crypto pair{because}"
    if not is_symbol(symbol):
        return False, f"{symbol} is no stock symbol"
    return True, f"a listed stock{because}"


def _compile(settings: Settings) -> Vocabulary:
    aliases = {old: _follow(settings.tickers.aliases, old) for old in settings.tickers.aliases}
    common = frozenset(word.upper() for word in settings.tickers.common_words)

    @lru_cache(maxsize=65536)
    def canonical(symbol: str) -> str:
        upper = symbol.upper().replace("_", ".")
        return aliases.get(upper, upper)

    def stock_of(ticker: str) -> Stock | None:
        return settings.watchlist.stocks.get(ticker)

    @lru_cache(maxsize=4096)
    def names(ticker: str) -> re.Pattern[str] | None:
        if not is_symbol(ticker):
            return None
        spellings = [ticker, *sorted(old for old, new in aliases.items() if new == ticker)]
        stock = stock_of(ticker)
        return _pattern(spellings, stock.keywords if stock else [], common)

    @lru_cache(maxsize=4096)
    def companies(ticker: str) -> re.Pattern[str] | None:
        stock = stock_of(ticker)
        short = _without_legal_form(stock.name) if stock else ""
        return re.compile(rf"{_BEFORE}(?i:{_spaced(short)}){_AFTER}") if short else None

    return Vocabulary(canonical, names, companies, tuple(sorted(settings.watchlist.stocks)))


def _follow(aliases: dict[str, str], old: str) -> str:
    new = old
    for _ in range(_MAX_ALIASES):
        following = aliases.get(new, new)
        if following == new:
            return new
        new = following
    raise SettingsError(
        f"tickers.aliases: {old!r} never ends at a symbol ({old} -> {aliases[old]} -> …); "
        "let each alias point to the symbol that is traded today"
    )


def _pattern(
    spellings: list[str], keywords: list[str], common: frozenset[str]
) -> re.Pattern[str] | None:
    """One search for all names of a ticker but its cashtags."""
    any_case: list[str] = []
    exact: list[str] = []
    for word in keywords:
        if word.upper() in common:
            continue
        acronym = len(word) <= _ACRONYM_LETTERS and word.isupper()
        (exact if acronym else any_case).append(_spaced(word))
    after_dollar = "|".join(_dotted(s) for s in spellings)
    exact += [
        _dotted(s) + _LONGEST for s in spellings if len(s) >= _BARE_LETTERS and s not in common
    ]
    words = [f"(?i:{'|'.join(any_case)})"] * bool(any_case) + exact
    dollar = rf"{_BEFORE}\$(?i:{after_dollar}){_AFTER}{_LONGEST}"
    bare = [rf"{_BEFORE}(?:{'|'.join(words)}){_AFTER}"] if words else []
    return re.compile("|".join([dollar, *bare]))


def _spaced(words: str) -> str:
    """Pattern of a name of several words: `AI chip` is also `AI-chip` and `AI  chip`."""
    return r"[\s\-]+".join(re.escape(word) for word in words.split())


def _dotted(symbol: str) -> str:
    return re.escape(symbol).replace(r"\.", "[._]")


def _without_urls(text: str) -> str:
    return _URL.sub(" ", text) if "." in text else text


def _without_legal_form(name: str) -> str:
    while (shorter := _LEGAL_FORM.sub("", name)) != name:
        name = shorter
    return name.strip()
