"""Printing rows for a person (a table) or a program (JSON, CSV); never interpreting their text."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from cashtag.cli.options import Format

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

Row = Mapping[str, Any]


def console(*, stderr: bool = False) -> Console:
    """A console that takes all text as text: tweets hold brackets that rich would read as markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)


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
        print(
            json.dumps(
                [{name: plain(row.get(name)) for name in names} for row in rows],
                ensure_ascii=False,
                indent=1,
            )
        )
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
    if not target.is_terminal:  # a file or a pipe has no width: let no cell be cut
        target.width = max(120, target.measure(table).maximum)
    target.print(table)


def cell(value: Any, *, exact: bool = False) -> str:
    """One value as text: numbers short unless `exact`, no control characters."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value and not exact else "no" if not exact else str(value).lower()
    if isinstance(value, float) and not exact:
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    if isinstance(value, list | dict):
        return json.dumps(plain(value), ensure_ascii=False)
    text = str(value)
    return "".join(c if c.isprintable() or c in " \t" else " " for c in text)


def plain(value: Any) -> Any:
    """A value as JSON has it: dates as ISO text, NaN as null."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
