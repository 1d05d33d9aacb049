"""Create-only objects with a running number: the same content is found again, never added twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from cashtag.ports import Store


def add(store: Store, key_of: Callable[[int], str], data: bytes) -> str:
    """Keep `data` under the first free number from 1, or find it where it is; return its key.

    Of two that add at once, the one that loses a number compares and, if need be, takes the next.
    """
    for number in count(1):
        key = key_of(number)
        if not store.exists(key) and store.put_if_absent(key, data):
            return key
        if store.get(key) == data:
            return key
    raise AssertionError("count() does not end")
