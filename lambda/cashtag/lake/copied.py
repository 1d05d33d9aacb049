"""A zone that lies elsewhere, read through copies on this machine: for research, never for a step.

An object is fetched when it is first read and kept until the store is gone. So whoever looks at a
lake sees each object as it was at the first look; opening it again sees what is new.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import NoReturn

from cashtag.errors import StoreError
from cashtag.lake.disk import FolderStore
from cashtag.ports import ObjectInfo, Store, Versions


class CopiedStore:
    """Reads another store; `uri` of an object is the path of its copy. Nothing can be written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = tempfile.TemporaryDirectory(prefix="cashtag-copies-")
        self._copies = FolderStore(self._folder.name, durable=False)

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises KeyMissing, StoreError."""
        if self._copies.exists(key):
            return self._copies.get(key)
        data = self._store.get(key)
        self._copies.put(key, data)
        return data

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects that are there now."""
        return self._store.list(prefix)

    def exists(self, key: str) -> bool:
        """Say whether the object is there."""
        return self._copies.exists(key) or self._store.exists(key)

    def uri(self, key: str = "") -> str:
        """Return the path of the object's copy, which is made first; without a key, of all copies."""
        if key and not self._copies.exists(key):
            self.get(key)
        return self._copies.uri(key)

    def put(self, key: str, data: bytes) -> None:
        """Refuse."""
        self._refuse(key, data)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Refuse."""
        self._refuse(key, data)

    def delete(self, key: str) -> None:
        """Refuse."""
        self._refuse(key)

    def versions(self, prefix: str = "") -> Iterator[Versions]:
        """Yield what the zone itself has."""
        return self._store.versions(prefix)

    def purge(self, key: str, *, keep_current: bool = False) -> int:
        """Refuse."""
        self._refuse(key, keep_current)

    def _refuse(self, key: str, _more: object = None) -> NoReturn:
        raise StoreError(
            f"{key!r} in {self._store.uri()}: this lake is open for reading; use the command line, "
            "or the functions of its stack, to change it"
        )
