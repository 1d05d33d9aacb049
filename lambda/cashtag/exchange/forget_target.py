"""Whom to forget, as a person writes it: the id of a post, its address, or `@author`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from cashtag.enrich.redact import Wanted
from cashtag.errors import InputError
from cashtag.lake.tombstones import Kind

_POST = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)  # as `enrich.readers` takes ids
_HANDLE = re.compile(r"[@＠]?([A-Za-z0-9_]{1,50})", re.ASCII)  # X allows 15; old ones are longer
_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.|mobile\.)?(?:x|twitter)\.com/(?:i/web|i|\w+)/status(?:es)?/(\d{1,20})"
    r"(?:[/?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_TOLD = 60  # characters of a wrong target in a message


@dataclass(frozen=True)
class Target:
    """A post or an author; `wanted` grows with what the lake knows of an author."""

    kind: Kind
    name: str
    wanted: Wanted

    def known_as(self, author_ids: frozenset[str]) -> Target:
        """The same author, whose numeric ids are known: a new name does not hide them."""
        return replace(self, wanted=replace(self.wanted, authors=self.wanted.authors | author_ids))

    def together_with(self, posts: frozenset[str]) -> Target:
        """The same post, with others that are nothing but it once more."""
        return replace(self, wanted=replace(self.wanted, tweets=self.wanted.tweets | posts))

    def __str__(self) -> str:
        return f"@{self.name}" if self.kind == "author" else f"post {self.name}"


def target(text: str, *, is_id: bool = False) -> Target:
    """Read a target: digits or an address are a post's, anything else an author's handle.

    Args:
        text: `2027358381416006828`, `https://x.com/somebody/status/…`, `@somebody`, `somebody`.
        is_id: the text is a post's id although it is no number, as other formats have them.

    Raises:
        InputError: it is none of these.
    """
    given = text.strip()
    address = _ADDRESS.fullmatch(given)
    if address is not None:
        return _post(address[1])
    if is_id or (given.isascii() and given.isdecimal()):
        if not _POST.fullmatch(given):
            raise InputError(
                f"TARGET {_told(given)} is no id of a post; ids have up to 64 letters, digits, "
                "dashes and underscores"
            )
        return _post(given)
    handle = _HANDLE.fullmatch(given)
    if handle is None:
        raise InputError(
            f"TARGET {_told(given)} is neither the id of a post (2027358381416006828, or its "
            "address on x.com) nor an author (@handle: letters, digits, underscores)"
        )
    return Target("author", handle[1], Wanted(handles=frozenset({handle[1]})))


def _post(name: str) -> Target:
    return Target("tweet", name, Wanted(tweets=frozenset({name})))


def _told(text: str) -> str:
    return ascii(text[:_TOLD])
