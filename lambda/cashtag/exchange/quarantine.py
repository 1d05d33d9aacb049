"""Lines of imported files that could not be read: counted by reason and kept, never dropped."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from cashtag.enrich.forgotten import REASON
from cashtag.lake import layout, lines
from cashtag.ports import Store


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that was not taken: its file's name, its number from 1, why, and its bytes.

    Number 0 stands for the file as a whole. `detail` says more than the reason can.
    """

    file: str
    line: int
    reason: str
    raw: bytes
    detail: str = ""


def keep(raw: Store, origin: str, refused: Iterable[Refused]) -> str | None:
    """Keep refused lines under the hash of their content; the same ones are kept once.

    Args:
        raw: the zone.
        origin: the format that was imported.
        refused: the lines, in any order.

    Returns:
        The key, or None when there is nothing to keep.
    """
    packed = sorted(
        orjson.dumps(_row(row), option=orjson.OPT_SORT_KEYS)
        for row in refused
        if row.reason != REASON  # kept nowhere: that is what it was refused for
    )
    return put(raw, origin, packed) if packed else None


def put(raw: Store, origin: str, packed: Iterable[bytes]) -> str:
    """Keep rows, sorted, as one object under the hash of its content; return its key."""
    data = lines.pack(packed)
    key = layout.quarantine(f"import/{origin}", hashlib.sha256(data).hexdigest())
    raw.put_if_absent(key, data)
    return key


def reasons(refused: Iterable[Refused]) -> str:
    """`json 3, no-date 1`: why lines were refused, most frequent first."""
    counts = Counter(row.reason for row in refused)
    return ", ".join(
        f"{reason} {n}" for reason, n in sorted(counts.items(), key=lambda item: (-item[1], item))
    )


def _row(refused: Refused) -> dict[str, Any]:
    row: dict[str, Any] = {
        "reason": refused.reason,
        "file": refused.file,
        "line": refused.line,
        # For people; bytes that are no UTF-8 appear as `\xNN`.
        "raw": refused.raw.decode("utf-8", "backslashreplace"),
    }
    if refused.detail:
        row["detail"] = refused.detail
    try:
        refused.raw.decode()
    except UnicodeDecodeError:
        row["base64"] = b64encode(refused.raw).decode()  # the bytes themselves
    return row
