"""Daily bars of others, as CSV, into the raw zone: bars that a session can have, and the rest.

Each file is kept as one object, its bars in ascending order; where two objects have a session,
the higher number wins. Prices are taken as the file has them: what it calls adjusted close, or
its close where it has no such column, is `adjusted_close`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from cashtag import sessions
from cashtag.exchange import cells, columns, reading
from cashtag.exchange.columns import PRICES, Header, Row
from cashtag.exchange.quarantine import Refused
from cashtag.lake import layout, lines, numbered
from cashtag.ports import Store

SOURCE = "csv"
SUFFIXES = (".csv", ".tsv", ".txt")
_ROUNDING = 0.001  # share of the price; sources round highs and lows after adjusting them
_OUTSIDE = 0.01  # an open or close further outside low to high is an error, or another scale
_MOST_SHARES = 2**53  # beyond it a JSON number is no count but damage
_INTRADAY = 3  # moments a day, on average; a newest row with its own clock is far from it
_PRICES = (*PRICES, "adjusted_close")
_NUMBERS = (*_PRICES, "volume", "dividend")

Bar = dict[str, Any]
"""session, open, high, low, close, adjusted_close (dollars), volume (shares), dividend, split."""


@dataclass
class Gathered:
    """Bars of one file by session, and what became of its other rows.

    `seen` counts the rows below the header that are not blank, 1 for a file that is refused as a
    whole; `repeated` those that an identical row, or the header, says already.
    """

    bars: dict[date, Bar] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    seen: int = 0
    repeated: int = 0


def gather(ticker: str, name: str, data: bytes) -> Gathered:
    """Read one file of daily bars.

    Args:
        ticker: whose bars they are; columns and rows of others are refused.
        name: the file's name, for the quarantine.
        data: its bytes, gzipped or not, in any state.

    Rows are refused as `no-date`, `no-session`, `outside-calendar`, `no-price` (one is missing),
    `no-volume`, `bad-price` (not above zero), `bad-number`, `high-below-low`, `outside-range`,
    `too-many-cells`, `other-ticker`, `duplicate-date` (a later row differs), `encoding`,
    `too-long`; whole files as
    `empty`, `error-body` (a page or message in place of data), `no-header`, `no-column`,
    `ambiguous-columns`, `other-ticker`, `intraday`; the rest of a damaged file as `gzip`.
    """
    found = Gathered()
    unpacked = reading.unpacked(data)
    texts = [line.decode("utf-8", "replace") for _, line in unpacked.lines]
    delimiter = columns.delimiter(texts)
    rows = _rows(found, name, unpacked.lines, texts, delimiter)
    head = columns.header(rows, ticker) if rows else "empty"
    fault = head if isinstance(head, str) else _read(found, ticker, name, rows, head, delimiter)
    if fault and (unpacked.lines or unpacked.damage is None):
        whole = b"\n".join(line for _, line in unpacked.lines)
        if fault == "no-header" and _is_error_body(whole):
            fault = "error-body"
        reason, _, detail = fault.partition(": ")
        found = Gathered(refused=[Refused(name, 0, reason, whole, detail)], seen=1)
    if unpacked.damage is not None:
        found.seen += 1
        found.refused.append(Refused(name, 0, "gzip", unpacked.remainder, unpacked.damage))
    return found


def keep(raw: Store, ticker: str, bars: Mapping[date, Bar]) -> bool:
    """Keep a file's bars as one object; say whether the lake did not have exactly these yet."""
    if not bars:
        return False
    data = lines.pack(
        orjson.dumps({"source": SOURCE, "scraped_at": None, "query": ticker, "data": bars[day]})
        for day in sorted(bars)
    )
    prefix = layout.bars(SOURCE, ticker).removesuffix("1.jsonl.gz")
    if any(raw.get(info.key) == data for info in raw.list(prefix) if info.size == len(data)):
        return False
    numbered.add(raw, lambda n: layout.bars(SOURCE, ticker, n), data)
    return True


# ---------------------------------------------------------------- rows


def _rows(
    found: Gathered,
    name: str,
    numbered_lines: Sequence[tuple[int, bytes]],
    texts: Sequence[str],
    delimiter: str,
) -> list[Row]:
    """The lines as cells; those that are none are refused."""
    rows: list[Row] = []
    for (number, line), text in zip(numbered_lines, texts, strict=True):
        fault = "" if reading.is_utf8(line) else "encoding"
        split: list[str] = []
        try:
            split = columns.split(text, delimiter)
        except csv.Error:
            fault = "too-long"
        if fault:
            found.seen += 1
            found.refused.append(Refused(name, number, fault, line))
        elif not columns.blank(split):
            rows.append((number, line, split))
    return rows


def _read(
    found: Gathered, ticker: str, name: str, rows: list[Row], head: Header, delimiter: str
) -> str:
    """Sort the rows below the header; return why the whole file is none of daily bars, or ""."""
    below = rows[len(head.rows) :]
    if not below:
        return "empty"
    symbol = _symbol_field(below, head, ticker)
    own = [row for _, _, row in below if not symbol or columns.same(head.cell(row, symbol), ticker)]
    if _are_intraday(own, head):
        return "intraday"
    day_first = cells.day_comes_first(head.cell(row, "session") for row in own)
    decimal_comma = cells.comma_is_decimal(
        (head.cell(row, price) for row in own for price in PRICES), delimiter
    )
    said: dict[date, tuple[int, bytes]] = {}
    for number, line, row in below:
        found.seen += 1
        if head.repeats(row):
            found.repeated += 1
            continue
        if symbol and not columns.same(head.cell(row, symbol), ticker):
            bar: Bar | str = "other-ticker"
        else:
            bar = _bar(head, row, day_first, decimal_comma, ticker.startswith(columns.INDEX))
        if isinstance(bar, str):
            found.refused.append(Refused(name, number, bar, line))
            continue
        session = date.fromisoformat(bar["session"])
        if found.bars.get(session) == bar:
            found.repeated += 1
        elif session in said:
            found.refused.append(
                Refused(name, said[session][0], "duplicate-date", said[session][1])
            )
        found.bars[session] = bar
        said[session] = number, line
    return ""


def _symbol_field(rows: Iterable[Row], head: Header, ticker: str) -> str | None:
    """The column that says whose row it is. One called `Name` may hold a company's: not then."""
    if "symbol" in head.column:
        return "symbol"
    if "name" not in head.column:
        return None
    mine = any(columns.same(head.cell(row, "name"), ticker) for _, _, row in rows)
    return "name" if mine else None


def _bar(
    head: Header, row: list[str], day_first: bool, decimal_comma: bool, index: bool
) -> Bar | str:
    """The row as a bar, or why it is none. An index has levels, and no volume."""
    day = cells.session_day(head.cell(row, "session"), day_first)
    if day is None:
        return "no-date"
    if not sessions.first_session() <= day <= sessions.last_session():
        return "outside-calendar"
    if not sessions.is_session(day):
        return "no-session"
    if not columns.blank(row[head.width :]):
        return "too-many-cells"
    try:
        value = {name: cells.number(head.cell(row, name), decimal_comma) for name in _NUMBERS}
        split = cells.ratio(head.cell(row, "split"), decimal_comma)
    except ValueError:
        return "bad-number"
    if "adjusted_close" not in head.column:
        value["adjusted_close"] = value["close"]
    opened, high, low, close, adjusted = prices = [value[name] for name in _PRICES]
    if opened is None or high is None or low is None or close is None or adjusted is None:
        return "no-price"
    if min(opened, high, low, close, adjusted) <= 0:
        return "bad-price"
    if any(number is not None and number < 0 for number in (*value.values(), split)):
        return "bad-number"
    if low > high * (1 + _ROUNDING):
        return "high-below-low"
    if max(opened, close) > high * (1 + _OUTSIDE) or min(opened, close) < low * (1 - _OUTSIDE):
        return "outside-range"
    volume = value["volume"]
    if volume is None and not index:
        return "no-volume"
    if volume is not None and volume >= _MOST_SHARES:
        return "bad-number"
    return {
        "session": day.isoformat(),
        **dict(zip(_PRICES, prices, strict=True)),
        # Where rounding has crossed them, each of the two prices takes the other's name.
        "high": max(high, low),
        "low": min(high, low),
        "volume": None if volume is None else round(volume),
        "dividend": value["dividend"] or None,
        # Some sources write 0 for no split, some a factor of 1.
        "split": None if split in {None, 0, 1} else split,
    }


def _are_intraday(rows: Iterable[list[str]], head: Header) -> bool:
    stated = {(head.cell(row, "session"), head.cell(row, "clock")) for row in rows}
    days = {cells.session_day(cell) for cell, _ in stated} - {None}
    return len(stated) >= _INTRADAY * max(len(days), 1)


def _is_error_body(text: bytes) -> bool:
    """A page, a JSON message or a sentence, such as `Too Many Requests`, is not even a table."""
    begins = text.lstrip()[:1] in {b"<", b"{", b"["}
    return begins or not any(mark.encode() in text for mark in columns.DELIMITERS)
