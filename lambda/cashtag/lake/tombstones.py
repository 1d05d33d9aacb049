"""Tombstones: which posts and authors this lake has forgotten, as hashes that only this lake can make.

A tombstone is a create-only object of the raw zone, named by the HMAC-SHA256 (RFC 2104) of an id
or handle under a random salt that lies beside it. So the list of tombstones, a report, or a log
line names nobody, cannot be compared with another lake's, and says nothing to whoever sees keys
alone. It does not protect from somebody who may read the raw zone: with the salt, guessed ids and
handles can be tried. Nobody can do without it either: a scrape must recognise what it must not
keep.

Handles count without their case. A tombstone stays for good; to take one back, remove its object.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cashtag.errors import KeyMissing, StoreError
from cashtag.lake import layout
from cashtag.ports import Store

Kind = Literal["tweet", "author"]
_SALT_BYTES = 32  # as many as the hash has: RFC 2104, section 3
_SALT = re.compile(rb"[0-9a-f]{64}\n?")
_KEY = re.compile(r"^tombstones/(?P<kind>tweet|author)/(?P<digest>[0-9a-f]{64})\.json$")
_MOST_KNOWN = 200_000  # tokens without a tombstone that are remembered; some 20 MB


@dataclass(frozen=True)
class Tombstones:
    """All tombstones of a lake, as they were when they were read."""

    salt: bytes = b""
    tweets: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    _innocent: set[str] = field(default_factory=set, compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.tweets or self.authors)

    def hits(self, tokens: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Which of some words are the id of a forgotten post, and which name a forgotten author."""
        tweets, authors = set(), set()
        for token in set(tokens) - self._innocent:
            hashed = digest(self.salt, token)
            if hashed in self.tweets:
                tweets.add(token)
            if hashed in self.authors:
                authors.add(token)
            if token not in tweets and token not in authors:
                self._innocent.add(token)
        if len(self._innocent) > _MOST_KNOWN:
            self._innocent.clear()
        return frozenset(tweets), frozenset(authors)


def digest(salt: bytes, name: str) -> str:
    """Return the 64 hex digits that stand for an id or a handle in the lake of this salt."""
    return hmac.digest(salt, name.casefold().encode("utf-8", "surrogatepass"), "sha256").hex()


def read(raw: Store) -> Tombstones:
    """Return the lake's tombstones: one listing, and one more read where there are any.

    Raises:
        StoreError: there are tombstones and their salt is gone or damaged, so that nobody can
            tell whom they forget; or the zone cannot be read.
    """
    found: dict[str, set[str]] = {"tweet": set(), "author": set()}
    for info in raw.list(layout.tombstones()):
        if match := _KEY.match(info.key):
            found[match["kind"]].add(match["digest"])
    if not any(found.values()):
        return Tombstones()
    return Tombstones(_salt(raw), frozenset(found["tweet"]), frozenset(found["author"]))


def salt(raw: Store) -> bytes:
    """Return the lake's salt, made now unless it is there; of two that make one, one counts."""
    if not raw.exists(layout.salt()):
        raw.put_if_absent(layout.salt(), secrets.token_hex(_SALT_BYTES).encode() + b"\n")
    return _salt(raw)


def add(raw: Store, kind: Kind, name: str, at: datetime, reason: str) -> tuple[str, bool]:
    """Set a tombstone, before anything is removed; return its hash, and whether it is new.

    Args:
        raw: the zone.
        kind: what `name` names.
        name: an id, or a handle without its `@`.
        at: the moment of the request, UTC.
        reason: a person's words; they must not hold the name.
    """
    hashed = digest(salt(raw), name)
    body = {"kind": kind, "at": at.isoformat(timespec="seconds"), "reason": reason}
    text = json.dumps(body, sort_keys=True, ensure_ascii=False).encode()
    return hashed, raw.put_if_absent(layout.tombstone(kind, hashed), text)


def _salt(raw: Store) -> bytes:
    key = layout.salt()
    try:
        text = raw.get(key)
    except KeyMissing as error:
        raise StoreError(
            f"{raw.uri(key)} is gone, and without it nobody can tell whom the tombstones forget; "
            "bring it back from a copy"
        ) from error
    if not _SALT.fullmatch(text):
        raise StoreError(f"{raw.uri(key)} is damaged; bring it back from a copy")
    return bytes.fromhex(text.decode())
