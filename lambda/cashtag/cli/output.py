"""Printing rows for a person (a table) or a program (JSON, CSV); never interpreting their text.

JSON is exact and, as it is printed, harmless on a terminal: what could steer one is escaped. CSV
keeps numbers exact; text in it has no control characters, and a quote before what a spreadsheet
would run as a formula.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cashtag.cli.options import Format

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

Row = Mapping[str, Any]

# Controls of a terminal (C0, C1), and marks that turn the direction of what stands around a text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_STEERING = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_JOINERS = "\u200c\u200d"  # not printable alone, but an emoji of a family falls apart without
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_PIPE_WIDTH = 120  # characters: what a page holds; rich would take 80
_UNBOUNDED = 1 << 20  # characters; what a table is measured within
_WHOLE_ABOVE, _SCIENTIFIC_FROM = 1e4, 1e15  # dollars stay readable; nothing fills the screen


def console(*, stderr: bool = False) -> Console:
    """A console that takes all text as text: tweets hold brackets that rich would read as markup."""
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPE_WIDTH
    return made


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of an Arrow table as dicts."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def show(
    rows: Sequence[Row], how: Format, *, title: str | None = None, columns: Sequence[str] = ()
) -> None:
    """Print rows; JSON is a list of row objects, CSV has a header line."""
    names = list(columns) or (list(rows[0]) if rows else [])
    if how is Format.json:
        print(as_json([{name: row.get(name) for name in names} for row in rows]))
    elif how is Format.csv:
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([cell(row.get(name), exact=True) for name in names] for row in rows)
    elif not rows:
        print(f"{title}: no rows" if title else "no rows")
    else:
        _table(rows, names, title)


def _table(rows: Sequence[Row], names: Sequence[str], title: str | None) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in names:
        numeric = all(isinstance(row.get(name), int | float | None) for row in rows)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(name))) for name in names))
    target = console()
    if not target.is_terminal:  # a file or a pipe has no width: let no cell be folded
        target.width = _UNBOUNDED
        target.width = target.measure(table).maximum
    target.print(table)


def cell(value: Any, *, exact: bool = False) -> str:
    """One value as text: for a table numbers are short, for CSV (`exact`) they are whole."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower() if exact else "yes" if value else "no"
    if isinstance(value, float) and not exact:
        size = abs(value)
        return f"{value:,.0f}" if _WHOLE_ABOVE <= size < _SCIENTIFIC_FROM else f"{value:,.4g}"
    if isinstance(value, list | dict | tuple | bytes):
        value = plain(value)
        return value if isinstance(value, str) else as_json(value, indent=None)
    text = str(value)
    if not exact:
        return "".join(c if c.isprintable() or c in _JOINERS else " " for c in text)
    if isinstance(value, str):
        text = _CONTROL.sub(" ", text)
        if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
            text = f"'{text}"
    return text


def as_json(value: Any, *, indent: int | None = 1) -> str:
    """A value as JSON text that reads back exactly; UTF-8, but what steers terminals is escaped."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent)
    # All of these can only stand inside strings, where JSON lets any character be escaped.
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain(value: Any) -> Any:
    """A value as JSON has it: moments as ISO text, NaN as null, bytes in hex, decimals exact."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else str(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "nanoseconds"):  # Arrow's INTERVAL
        return {name: getattr(value, name) for name in ("months", "days", "nanoseconds")}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
