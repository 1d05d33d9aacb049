"""The record of a takedown: what it removed, by zone and key, and never what that was.

It is written before anything is removed, create-only and under the hash of its own text, so that a
takedown that was stopped is known, and finished by the next call; `.done` beside it says that all
of it has been carried out. It names the forgotten only by the tombstone's hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from cashtag.errors import StoreError
from cashtag.lake import layout
from cashtag.lake.tombstones import Kind
from cashtag.ports import Store

VERSION = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One object that a takedown touches; of the page all that its data hold, as one.

    `what` becomes of it: `rewritten` (its other lines stay), `removed`, `made again`. `lines` are
    those that hold the forgotten, None where that is not counted; `versions` those that go.
    """

    zone: str
    key: str
    what: str
    lines: int | None
    versions: int

    def row(self) -> dict[str, Any]:
        """The item as a row to print."""
        return asdict(self)


@dataclass(frozen=True)
class Record:
    """What one takedown removes; `runs` are those whose raw data change, `sessions` those made again."""

    kind: Kind
    tombstone: str
    items: tuple[Item, ...]
    runs: tuple[date, ...]
    sessions: tuple[date, ...]

    def to_json(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces."""
        whole = {
            "version": VERSION,
            "kind": self.kind,
            "tombstone": self.tombstone,
            "items": [asdict(item) for item in self.items],
            "runs": [dt.isoformat() for dt in self.runs],
            "sessions": [session.isoformat() for session in self.sessions],
        }
        return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()

    @property
    def key(self) -> str:
        """Its key in the raw zone."""
        sha = hashlib.sha256(self.to_json()).hexdigest()
        return layout.forgotten(self.kind, self.tombstone, sha)

    @property
    def raw_keys(self) -> frozenset[str]:
        """Raw objects that it touches."""
        return frozenset(item.key for item in self.items if item.zone == "raw")


def write(raw: Store, record: Record) -> None:
    """Keep a record; the same one is kept once."""
    raw.put_if_absent(record.key, record.to_json())


def records(raw: Store, kind: Kind, tombstone: str) -> tuple[list[Record], list[Record]]:
    """Records of earlier calls: those that were stopped before all was done, and the others.

    Raises:
        StoreError: one of them is damaged.
    """
    keys = {info.key for info in raw.list(layout.forgotten(kind, tombstone))}
    found: tuple[list[Record], list[Record]] = [], []
    for key in sorted(keys):
        if key.endswith(".json"):
            found[layout.forgotten_done(key) in keys].append(_parse(raw, key))
    return found


def finish(raw: Store, records: Iterable[Record]) -> None:
    """Say of each record that all of it has been carried out."""
    for record in records:
        raw.put_if_absent(layout.forgotten_done(record.key), b"")


def _parse(raw: Store, key: str) -> Record:
    try:
        whole = json.loads(raw.get(key))
        if whole["version"] != VERSION:
            raise ValueError(f"version {whole['version']}, expected {VERSION}")
        return Record(
            whole["kind"],
            whole["tombstone"],
            tuple(Item(**item) for item in whole["items"]),
            tuple(map(date.fromisoformat, whole["runs"])),
            tuple(map(date.fromisoformat, whole["sessions"])),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{raw.uri(key)} is no record of a takedown ({error}); bring it back from a copy, or "
            "remove it and forget again"
        ) from error
