"""Which column of a price file holds what: headers of one row or several, in any order and case.

Yahoo, Nasdaq, Stooq, Alpha Vantage, Tiingo, quantmod and pandas name the same columns in their
own ways; yfinance puts the field and the ticker on two rows, with a third for the date.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cashtag.exchange import cells, files

DELIMITERS = (",", ";", "\t", "|")
PRICES = ("open", "high", "low", "close")
INDEX = "^"  # before the name of an index, which has no volume
_FIELDS: Mapping[str, tuple[str, ...]] = {
    # Field -> labels in letters and digits, the most telling first.
    "session": ("date", "tradedate", "tradingdate", "exchangedate", "datetime", "timestamp",
                "session", "day", "t"),
    "clock": ("time",),
    "open": ("open", "openprice", "opening", "o"),
    "high": ("high", "highprice", "highest", "h"),
    "low": ("low", "lowprice", "lowest", "l"),
    "close": ("close", "closelast", "closeprice", "closing", "last", "lastprice", "price", "c"),
    "adjusted_close": ("adjclose", "adjustedclose", "adjusted", "closeadjusted", "adjcloseprice",
                       "adjustedcloseprice"),
    "volume": ("volume", "vol", "sharevolume", "totalvolume", "tradedvolume", "v"),
    "dividend": ("dividends", "dividend", "dividendamount", "divcash"),
    "split": ("stocksplits", "stocksplit", "splits", "split", "splitcoefficient", "splitfactor",
              "splitratio"),
    "symbol": ("symbol", "ticker", "tickers"),
    "name": ("name", "stock"),
}  # fmt: skip
_RANKS = {
    label: (field, rank) for field, labels in _FIELDS.items() for rank, label in enumerate(labels)
}
_SYMBOL_LABELS = frozenset(_FIELDS["symbol"])
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_NUMBERED = re.compile(r"^\s*\d+\.\s*")  # Alpha Vantage: `1. open`
_LONGEST_HEADER = 12  # rows; titles, notes and three rows of labels are fewer

Row = tuple[int, bytes, list[str]]
"""Line number from 1, the line, its cells."""


@dataclass(frozen=True, slots=True)
class Header:
    """Where a file's columns are: field -> index. `rows` are the header's own."""

    column: Mapping[str, int]
    rows: tuple[list[str], ...]

    @property
    def width(self) -> int:
        """How many cells a row may have."""
        return max(map(len, self.rows))

    def cell(self, row: Sequence[str], field: str) -> str:
        """The cell of a field; empty where the file has no such column or the row ends before."""
        at = self.column.get(field, len(row))
        return row[at].strip() if at < len(row) else ""

    def repeats(self, row: list[str]) -> bool:
        """Say whether a row is the header again, as where files were joined."""
        return row in self.rows


def split(text: str, delimiter: str) -> list[str]:
    """The cells of one line; a stray quote spoils its own line only. Raises csv.Error."""
    return next(csv.reader([text], delimiter=delimiter), [])


def delimiter(texts: Sequence[str]) -> str:
    """The delimiter under which the first lines hold the most labels of ours; comma for none."""

    def labels(candidate: str) -> int:
        found = 0
        for text in texts[:_LONGEST_HEADER]:
            try:
                named = {_field(label, "")[0] for label in split(text, candidate)}
            except csv.Error:
                continue
            found = max(found, len(named - {""}))
        return found

    return max(DELIMITERS, key=labels)


def header(rows: Sequence[Row], ticker: str) -> Header | str:
    """Find the header of a file's first rows.

    Args:
        rows: the non-blank rows of the file.
        ticker: the one whose columns are wanted, where the header names several.

    Returns:
        The header; or why the file has none: `no-header`, `other-ticker`, `ambiguous-columns`, or
        `no-column: open, high`.
    """
    top: list[list[str]] = []
    for _, _, row in rows[:_LONGEST_HEADER]:
        if _is_data(row):
            break
        top.append(row)
    symbols = next((row for row in top if _names_symbols(row, ticker)), None)
    found: dict[str, tuple[int, int]] = {}  # field -> (rank of its label, column)
    twice: set[str] = set()
    others = False
    for at in range(max(map(len, top), default=0)):
        column = [row[at] for row in top if at < len(row) and row is not symbols]
        field, rank = min(
            (_field(label, ticker) for label in column), key=_priority, default=("", 0)
        )
        if not field:
            continue
        if symbols is not None and field != "session":
            named = symbols[at] if at < len(symbols) else ""
            if named.strip() and not same(named, ticker):
                others = True
                continue
        known = found.get(field)
        if known is not None and known[0] == rank:
            twice.add(field)
        if known is None or rank < known[0]:
            found[field] = (rank, at)
            twice.discard(field)
    if "session" not in found and "clock" in found:
        found["session"] = found.pop("clock")  # a column `Time` by itself holds dates
    if "session" not in found and (index := _unnamed_day(rows, len(top), found)) is not None:
        found["session"] = (0, index)
    wanted = ("session", *PRICES, *(() if ticker.startswith(INDEX) else ("volume",)))
    missing = [name for name in wanted if name not in found]
    if missing:
        if others:
            return "other-ticker"
        few = len(missing) > len(PRICES) / 2
        return "no-header" if few else f"no-column: {', '.join(missing)}"
    if twice & {*PRICES, "adjusted_close"}:
        return "ambiguous-columns"
    return Header({field: at for field, (_, at) in found.items()}, tuple(top))


def same(symbol: str, ticker: str) -> bool:
    """Say whether a file's symbol is the ticker: `aapl.us`, `NASDAQ:AAPL`, `BRK-B`, `$AAPL`."""
    bare = symbol.strip().rpartition(":")[2]
    return ticker in {files.normalised(bare), files.normalised(re.sub(r"(?i)\.us$", "", bare))}


def _field(label: str, ticker: str) -> tuple[str, int]:
    """The field that a label names, and how telling it is; ("", 0) for none of ours."""
    word = _NOT_WORD.sub("", _NUMBERED.sub("", label.lower()))
    own = _NOT_WORD.sub("", ticker.lower())
    # quantmod's `AAPL.Open`, pandas' `('Open', 'AAPL')` and `Open_AAPL`.
    for spelling in (word, word.removeprefix(own), word.removesuffix(own)):
        if spelling in _RANKS and (len(spelling) > 1 or spelling == word):
            return _RANKS[spelling]
    return "", 0


def _priority(named: tuple[str, int]) -> tuple[bool, bool, int]:
    """Of a column's labels, a date first (`Price`, `Ticker`, `Date` head yfinance's), none last."""
    field, rank = named
    return not field, field != "session", rank


def _names_symbols(row: Sequence[str], ticker: str) -> bool:
    """Say whether a header row names the ticker of each column, as yfinance's does."""
    first, rest = (row[0] if row else "").strip(), [cell for cell in row[1:] if cell.strip()]
    if not rest or any(_field(cell, "")[0] for cell in rest):
        return False
    word = _NOT_WORD.sub("", first.lower())
    return word in _SYMBOL_LABELS or (not word and any(same(cell, ticker) for cell in rest))


def _is_data(row: Sequence[str]) -> bool:
    """Say whether a row holds a date or two numbers, which no header does."""
    return any(map(cells.session_day, row)) or sum(map(_is_number, row)) > 1


def _is_number(cell: str) -> bool:
    try:
        return cells.number(cell) is not None
    except ValueError:
        return False


def _unnamed_day(rows: Sequence[Row], top: int, found: Mapping[str, tuple[int, int]]) -> int | None:
    """The first column without a name of ours that holds dates, as an index that was saved."""
    taken = {at for _, at in found.values()}
    for at, cell in enumerate(rows[top][2] if top < len(rows) else ()):
        if at not in taken and cells.session_day(cell) is not None:
            return at
    return None


def blank(row: Iterable[str]) -> bool:
    """Say whether all cells of a row are empty, as below a spreadsheet's table."""
    return not any(cell.strip() for cell in row)
