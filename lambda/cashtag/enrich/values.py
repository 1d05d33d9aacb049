"""Columns from whatever a source's fields hold: what fits is kept, the rest reads as null.

Each function tries the whole column at once and goes value by value only where one is misshapen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LARGEST_COUNT = 2**53  # beyond it JSON numbers are no counts but damage
_DIGITS = 16  # of that number
_UNFIT = (pa.ArrowInvalid, TypeError, OverflowError)


def texts(values: Sequence[object]) -> pa.Array:
    """Strings; null for anything else."""
    try:
        return pa.array(values, pa.string())
    except _UNFIT:
        return pa.array([v if type(v) is str else None for v in values], pa.string())


def booleans(values: Sequence[object]) -> pa.Array:
    """true and false; null for anything else."""
    try:
        return pa.array(values, pa.bool_())
    except _UNFIT:
        return pa.array([v if v is True or v is False else None for v in values], pa.bool_())


def counts(values: Sequence[object]) -> pa.Array:
    """int64 from 0 to 2^53; null for anything else. Digits in text count, fractions are cut off."""
    try:
        array = pa.array(values, pa.int64())
    except _UNFIT:
        return pa.array([_count(v) for v in values], pa.int64())
    known = filled(array, 0)
    if array.null_count == len(array) or (known.min() >= 0 and known.max() <= LARGEST_COUNT):
        return array
    return pa.array([_count(v) for v in values], pa.int64())


def _count(value: object) -> int | None:
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    if type(value) is int or type(value) is float:
        return int(value) if 0 <= value <= LARGEST_COUNT else None
    return None


def filled(array: pa.Array, value: int | bool) -> np.ndarray:
    """The values as numpy, `value` for null."""
    if array.null_count:
        array = pc.fill_null(array, value)
    return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
