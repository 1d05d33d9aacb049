"""The canonical form of a table: the contract enforced, rows in order, doubles rounded, a hash.

Two engines or two machines that computed the same rows hold the same canonical table, and so the
same content hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cashtag.errors import ContractError
from cashtag.lake.contracts import Column, Contract

_UTC = ("UTC", "Etc/UTC", "+00:00", "Z")


def conform(contract: Contract, rows: pa.Table) -> pa.Table:
    """Return the rows in the contract's canonical form, one chunk a column.

    Columns stand in the contract's order with its types; rows are sorted by its key (text by
    its UTF-8 bytes); doubles are rounded to 10 significant digits, with no negative zero; NaN
    becomes null. Accepted, because nothing is lost: any width of integer that holds the values,
    integers that a double holds exactly, float32, dictionary and large strings, timestamps of
    any unit in UTC that fall on a millisecond, and an all-null column where null is allowed.

    Raises:
        ContractError: a column is missing, unknown, of another type or would lose values; a
            null or NaN where none may be; an infinity; two rows with one key. The message names
            table, column, types and the row's key.
    """
    check_columns(contract, rows.schema.names)
    schema = contract.arrow_schema()
    arrays = [
        _cast(contract, column, _one_chunk(rows.column(column.name)), schema.field(number).type)
        for number, column in enumerate(contract.columns)
    ]
    if rows.num_rows:
        _round_doubles(contract, arrays)
        _check_nulls(contract, arrays)
    table = pa.Table.from_arrays(arrays, schema=schema)
    if _first_out_of_order(contract, table) is None:
        return table
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in contract.key])
    table = table.take(order)
    # take() may answer in several chunks when text is long
    table = table.combine_chunks()
    twice = _first_out_of_order(contract, table)
    if twice is not None:
        raise ContractError(
            f"table {contract.name}: two rows with {_row(contract, table, twice)}; "
            f"({', '.join(contract.key)}) is unique within a partition"
        )
    return table


def round_significant(values: np.ndarray) -> np.ndarray:
    """Round float64 of any shape to 10 significant digits, as `float(f"{x:.9e}")` does for each.

    Zero comes back without its sign; NaN and infinities come back as they are.
    """
    flat = np.ravel(values).astype(np.float64)
    size = np.abs(flat)
    # x = n / 10**k with a whole n < 10**10: both are exact doubles for |k| <= 22, so the one
    # division (or product) is rounded correctly, and equals reading the ten digits back.
    usual = (size >= 1e-13) & (size < 1e22)
    tame = np.where(usual, flat, 1.0)
    k = (9 - np.floor(np.log10(np.abs(tame)))).astype(np.int64)
    power = _POWERS[np.abs(k)]
    scaled = np.where(k >= 0, tame * power, tame / power)
    whole = np.rint(scaled)
    rounded = np.where(k >= 0, whole / power, whole * power)
    # Scaling errs by less than 1e-5 of a unit, which decides only beside a half.
    tie = np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5) < 1e-5
    for i in np.flatnonzero((tie | ~usual) & np.isfinite(flat)):
        rounded[i] = float(f"{flat[i]:.9e}")
    rounded = np.where(np.isfinite(flat), rounded, flat) + 0.0  # -0.0 + 0.0 is 0.0
    return rounded.reshape(np.shape(values))


_POWERS = np.array([float(f"1e{k}") for k in range(23)])


def content_hash(contract: Contract, rows: pa.Table) -> str:
    """Return the canonical SHA-256 of a table's content, 64 hexadecimal digits.

    Equal for equal rows whatever their order, chunks, encodings, engine or machine. What is
    hashed, all integers little-endian: the table's name, `\\n`, the number of rows (int64), then
    for each column in order

    - `name`, space, `type`, `\\n` in UTF-8;
    - one byte a row, 1 for a value and 0 for null;
    - the values, null as zero or as empty: int32 for integer and date (days of 1970-01-01),
      int64 for bigint and timestamp (milliseconds), IEEE 754 binary64 for double, one byte for
      boolean; string as all lengths in bytes (int64), then all bytes; array<string> as all
      lengths in items (int64), then the items as a string column.

    A column of a later version (`since` above 1) without any value is left out, so that adding
    one does not change the hashes of what was there.

    Raises:
        ContractError: the rows do not fit, as in `conform`.
    """
    table = conform(contract, rows)
    digest = hashlib.sha256(contract.name.encode() + b"\n")
    digest.update(_int64([table.num_rows]))
    for column in contract.columns:
        array = _one_chunk(table.column(column.name))
        if column.since > 1 and array.null_count == len(array):
            continue
        digest.update(f"{column.name} {column.type}\n".encode())
        digest.update(np.asarray(array.is_valid()).astype(np.uint8).tobytes())
        for part in _canonical(column.type, array):
            digest.update(part)
    return digest.hexdigest()


def _canonical(kind: str, array: pa.Array) -> list[bytes]:
    if kind == "array<string>":
        lengths = _int64(pc.fill_null(pc.list_value_length(array), 0))
        return [lengths, *_canonical("string", array.flatten())]
    if kind == "string":
        array = pc.fill_null(array, "")
        return [_int64(pc.binary_length(array)), _text(array)]
    if kind == "boolean":
        return [np.asarray(pc.fill_null(array, False)).astype(np.uint8).tobytes()]
    if kind == "double":
        return [np.asarray(pc.fill_null(array, 0.0)).astype("<f8").tobytes()]
    if kind in {"integer", "date"}:
        return [np.asarray(pc.fill_null(array.cast(pa.int32()), 0)).astype("<i4").tobytes()]
    return [_int64(pc.fill_null(array.cast(pa.int64()), 0))]


def _text(array: pa.Array) -> bytes:
    """Return the bytes of all strings, one after the other; the array holds no null."""
    if not len(array):
        return b""
    _, ends, text = array.buffers()
    at = np.frombuffer(ends, np.int32, len(array) + 1, array.offset * 4)
    return bytes(memoryview(text)[at[0] : at[-1]]) if text is not None else b""


def _int64(values: Any) -> bytes:
    return np.asarray(values).astype("<i8").tobytes()


# ---------------------------------------------------------------- refusals


def check_columns(
    contract: Contract, found: Sequence[str], *, newer_may_miss: bool = False
) -> None:
    """Refuse missing, unknown and repeated columns; `newer_may_miss` excuses later additions.

    Raises:
        ContractError: naming the table and the columns.
    """
    if tuple(found) == contract.names:
        return
    there = set(found)
    missing = [
        c.name
        for c in contract.columns
        if c.name not in there and not (newer_may_miss and c.since > 1)
    ]
    extra = [name for name in found if name not in contract.names]
    twice = sorted({name for name in found if list(found).count(name) > 1})
    faults = [
        f"{what} {', '.join(names)}"
        for what, names in (("lacks", missing), ("has unknown", extra), ("repeats", twice))
        if names
    ]
    if faults:
        raise ContractError(
            f"table {contract.name}, columns: it {' and '.join(faults)}; "
            f"glue/tables/{contract.name}.yaml (version {contract.version}) says "
            f"{', '.join(contract.names)}"
        )


def _cast(contract: Contract, column: Column, array: pa.Array, to: pa.DataType) -> pa.Array:
    given = array.type
    if given != to:
        if not _convertible(given, column.type):
            raise wrong_type(contract, column, given, to)
        try:
            array = array.cast(to, safe=True)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ContractError(
                f"table {contract.name}, column {column.name}: values of type {given} do not fit "
                f"{column.type} ({to}) without loss ({error}); cast them where they are made"
            ) from error
    if column.type == "array<string>" and array.flatten().null_count:
        raise ContractError(
            f"table {contract.name}, column {column.name}: a null inside an {column.type}; "
            "leave the item out"
        )
    return array


def _convertible(given: pa.DataType, kind: str) -> bool:
    types = pa.types
    if types.is_dictionary(given):
        return _convertible(given.value_type, kind)
    if types.is_null(given):
        return True
    if kind == "string":
        return bool(
            types.is_string(given) or types.is_large_string(given) or types.is_string_view(given)
        )
    if kind in {"integer", "bigint"}:
        return bool(types.is_integer(given))
    if kind == "double":
        return bool(types.is_integer(given) or types.is_floating(given))
    if kind == "date":
        return bool(types.is_date(given))
    if kind == "timestamp":
        return bool(types.is_timestamp(given) and (given.tz is None or given.tz in _UTC))
    if kind == "array<string>":
        return bool(
            (types.is_list(given) or types.is_large_list(given))
            and _convertible(given.value_type, "string")
        )
    return False


def wrong_type(
    contract: Contract, column: Column, given: pa.DataType, to: pa.DataType
) -> ContractError:
    """Return the refusal of a column's type."""
    return ContractError(
        f"table {contract.name}, column {column.name}: type {given} where the contract says "
        f"{column.type} ({to}); cast it where it is made"
    )


def _round_doubles(contract: Contract, arrays: list[pa.Array]) -> None:
    """Round all double columns in place, in one sweep: 100 rows cost little more than one."""
    places = [i for i, c in enumerate(contract.columns) if c.type == "double"]
    if not places:
        return
    block = np.stack([arrays[i].to_numpy(zero_copy_only=False) for i in places])
    block = round_significant(block)
    if np.isinf(block).any():
        which, row = (int(x) for x in np.argwhere(np.isinf(block))[0])
        raise ContractError(
            f"table {contract.name}, column {contract.columns[places[which]].name}: infinite at "
            f"{_row(contract, arrays, row)}; write null where there is no number"
        )
    for i, values in zip(places, block, strict=True):
        arrays[i] = pa.array(values, from_pandas=True)


def _check_nulls(contract: Contract, arrays: list[pa.Array]) -> None:
    for column, array in zip(contract.columns, arrays, strict=True):
        if array.null_count and not column.nullable:
            row = int(np.flatnonzero(np.asarray(array.is_null()))[0])
            what = "null or NaN" if column.type == "double" else "null"
            raise ContractError(
                f"table {contract.name}, column {column.name}: {what} in {array.null_count} of "
                f"{len(array)} rows, first at {_row(contract, arrays, row)}; "
                "the contract allows none"
            )


def _first_out_of_order(contract: Contract, table: pa.Table) -> int | None:
    """Return the first row whose key does not lie above the row's before it; None if all do."""
    if table.num_rows < 2:
        return None
    above = np.zeros(table.num_rows - 1, dtype=bool)
    equal = ~above
    for name in contract.key:
        array = _one_chunk(table.column(name))
        after, before = array[1:], array[:-1]
        above |= equal & np.asarray(pc.greater(after, before))
        equal &= np.asarray(pc.equal(after, before))
    faults = np.flatnonzero(~above)
    return int(faults[0]) + 1 if len(faults) else None


def _row(contract: Contract, rows: pa.Table | list[pa.Array], index: int) -> str:
    """Return the key of one row, as in `ticker='NVDA', tweet_id='17'`."""
    values = []
    for name in contract.key:
        column = (
            rows.column(name) if isinstance(rows, pa.Table) else rows[contract.names.index(name)]
        )
        values.append(f"{name}={column[index].as_py()!r}")
    return ", ".join(values)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
