"""Text as rows carry it, and the key that repeats of a text share.

A cleaned text is one line in Unicode's NFC form: entities unescaped once (X escapes `&<>` once,
so `&amp;amp;` is an author's `&amp;`), every run of white space one space. What would be invisible
or reach beyond the text is dropped: C0 and C1 controls, zero-width spaces, soft hyphens, and the
bidirectional embeddings, overrides and isolates. Emoji stay, with their joiners and variation
selectors; so do the direction marks (U+200E, U+200F, U+061C), which are letters' neighbours in
right-to-left writing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from html import unescape
from unicodedata import normalize

_UNSEEN = dict.fromkeys(
    [
        *range(0x20),
        *range(0x7F, 0xA0),
        0x00AD,  # soft hyphen
        0x200B,  # zero-width space
        *range(0x202A, 0x202F),  # embeddings and overrides
        *range(0x2060, 0x206A),  # word joiner, invisible operators, isolates
        *range(0x206A, 0x2070),  # deprecated format characters
        0xFEFF,  # byte order mark
        *range(0xFFF0, 0xFFFC),  # annotation marks
    ]
)
_REFERENCE = re.compile(r"https?://\S*|www\.\S+|@\w+")
_CASHTAG = re.compile(rb"\$[a-z]{1,6}(?:[._][a-z]{1,2})?")
# Punctuation and space of ASCII, Latin-1, CJK and the general block; not emoji, not currencies.
_ASCII_MARKS = bytes(set(range(0x21)) - {0x0A}) + b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\x7f"
_OTHER_MARKS = re.compile(
    "[\u00a1\u00ab\u00b4\u00b7\u00b8\u00bb\u00bf\u2000-\u206f\u3000-\u3003\u3008-\u3011\ufe0e\ufe0f]+"
)
_DIGEST_BYTES = 8  # 16 hex digits: a clash among a million texts of one day has odds of 3e-8


def clean(text: str) -> str:
    """Return `text` as one line, by the rules above; empty when nothing visible is left."""
    if "&" in text:
        text = unescape(text)
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    text = " ".join(text.split())
    if not text.isprintable():
        text = " ".join(text.translate(_UNSEEN).split())
    return normalize("NFC", text)


def text_key(text: str) -> str:
    """Return 16 hex digits that repeats of a cleaned text share.

    Left out are case, a leading `RT @somebody:`, addresses, mentions, white space and
    punctuation; words, numbers, cashtags and emoji count. Where nothing but cashtags is left
    (a chart's link and its symbols) the whole text counts, address included, because two such
    posts repeat each other only if they link to the same thing.
    """
    return text_keys([text.casefold()])[0]


def text_keys(folded: Sequence[str]) -> list[str]:
    """Return `text_key` of cleaned texts that have been case-folded already, in one sweep."""
    if not folded:
        return []
    bodies = []
    for text in folded:
        body = text
        while body.startswith("rt @"):
            _, _, body = body[len("rt @") :].partition(" ")
        bodies.append(body if body.isascii() else _OTHER_MARKS.sub("", body))
    whole = _REFERENCE.sub("", "\n".join(bodies)).encode()
    stripped = whole.translate(None, _ASCII_MARKS)
    keys = []
    for marked, words, text in zip(whole.split(b"\n"), stripped.split(b"\n"), folded, strict=True):
        few = len(words) <= _CASHTAG_LETTERS * marked.count(b"$")
        if few and not _CASHTAG.sub(b"", marked).translate(None, _ASCII_MARKS):
            words = text.encode()
        keys.append(_digest(words))
    return keys


_CASHTAG_LETTERS = 8  # the most that a cashtag leaves without its marks: ABCDEF.GH


def input_hash(text: str) -> str:
    """Return 16 hex digits that name a text given to a model."""
    return _digest(text.encode())


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()
