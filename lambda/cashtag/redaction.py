"""Secrets that this process holds, and text in which they are blotted out before anyone sees it."""

from __future__ import annotations

MARK = "[secret]"
_SHORTEST = 6  # anything shorter would blot out ordinary words
_held: set[str] = set()


def remember(*values: str | None) -> None:
    """Keep secrets, so that `redacted` finds them; None and very short ones are passed over."""
    _held.update(value for value in values if value and len(value) >= _SHORTEST)


def redacted(text: str) -> str:
    """Return `text` without any secret that this process has loaded."""
    for secret in sorted(_held, key=len, reverse=True):
        text = text.replace(secret, MARK)
    return text
