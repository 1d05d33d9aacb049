"""Rows in the order that a SELECT asked for, after they came back in several files.

As Trino sorts: text by its UTF-8 bytes, nulls last unless asked for first, NaN above all numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cashtag.errors import InputError
from cashtag.warehouse.clauses import Key, Ordered

if TYPE_CHECKING:
    import pyarrow as pa


def in_order(rows: pa.Table, query: Ordered) -> pa.Table:
    """Return the rows sorted by the query's keys, without the columns carried for that.

    Without an ORDER BY they are sorted by all columns in turn, lists aside, so that a repeated
    query gives its rows in the same order again.

    Raises:
        InputError: a key is no column of the rows.
    """
    if not rows.num_columns:
        return rows  # no rows came, and so no columns
    keys = query.keys
    if keys is None:
        keys = tuple(Key(n + 1) for n, field in enumerate(rows.schema) if not _nested(field.type))
    if rows.num_rows > 1 and keys:
        rows = rows.take(_order(rows, keys))
    return rows.drop_columns(list(query.carried)) if query.carried else rows


def _order(rows: pa.Table, keys: Sequence[Key]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns: dict[str, pa.ChunkedArray] = {}
    directions: list[tuple[str, str]] = []

    def by(values: pa.ChunkedArray, descending: bool) -> None:
        name = f"{len(directions)}"
        columns[name] = values
        directions.append((name, "descending" if descending else "ascending"))

    for key in keys:
        values = rows.column(_place(rows, key.column))
        by(pc.is_null(values).cast(pa.int8()), key.nulls_first)
        if pa.types.is_floating(values.type):
            nan = pc.fill_null(pc.is_nan(values), False)
            by(nan.cast(pa.int8()), key.descending)
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.int8())
        by(values, key.descending)
    # Equal rows stay in the order in which they were read: the sort is stable.
    return pc.sort_indices(pa.table(columns), sort_keys=directions)


def _place(rows: pa.Table, column: str | int) -> int:
    if isinstance(column, int):
        if 1 <= column <= rows.num_columns:
            return column - 1
        raise InputError(f"ORDER BY {column}: the SELECT has {rows.num_columns} columns")
    found = [name.lower() for name in rows.column_names]
    if column not in found:
        raise InputError(f"ORDER BY {column} is no column of the rows: {', '.join(found)}")
    return found.index(column)


def _nested(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_nested(kind))
