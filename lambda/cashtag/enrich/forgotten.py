"""What a scrape, an import and enrichment ask of the tombstones: lines without whom the lake forgot.

Tombstones are hashes, so a line is asked word by word: the hash of each word is looked up, and
only a line with a hit is taken apart (`redact`). Without tombstones nothing is read or hashed.
"""

from __future__ import annotations

import re
from dataclasses import replace

from cashtag.enrich import redact
from cashtag.enrich.envelopes import RawLines
from cashtag.lake import lines
from cashtag.lake.tombstones import Tombstones
from cashtag.ports import Fetched

REASON = "forgotten"  # why an import does not take a line
# Ids and handles are words; an id of other formats may also hold dashes, as a string of its own.
_WORDS = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_DASHED = re.compile(r'"([A-Za-z0-9_-]{1,64})"', re.ASCII)


def without(line: bytes, stones: Tombstones) -> bytes:
    """Return a line without the forgotten: b"" for nothing, the same bytes where it names none."""
    if not stones:
        return line
    wanted = wanted_in(line, stones)
    return line if wanted is None else redact.without(line, wanted)


def of_answer(fetched: Fetched, stones: Tombstones) -> Fetched:
    """Return what a source answered without the forgotten; the same where it names none.

    A blank line stands where such a post was, so that what is fetched again is, byte for byte,
    what a takedown left.
    """
    if not stones or fetched.kind != "tweets" or not fetched.lines:
        return fetched
    left = tuple(without(line, stones) for line in fetched.lines)
    return replace(fetched, lines=left if any(left) else ())


def of_object(data: bytes, stones: Tombstones) -> bytes:
    """Return a raw object without the forgotten, a blank line in place of each of their posts.

    The same bytes where it names none. Of a damaged object its readable lines are left.
    """
    if not stones:
        return data
    before = list(RawLines(data))
    wanted = wanted_in(b"\n".join(before), stones)
    if wanted is None:
        return data
    after = [redact.without(line, wanted) if line else line for line in before]
    return data if after == before else lines.pack(after)


def wanted_in(text: bytes, stones: Tombstones) -> redact.Wanted | None:
    """Whom of the forgotten a text may name, by their names in it; None for nobody."""
    words = redact.unescaped(text)
    tweets, authors = stones.hits([*_WORDS.findall(words), *_DASHED.findall(words)])
    if not tweets and not authors:
        return None
    ids = frozenset(name for name in authors if name.isdecimal())
    return redact.Wanted(tweets, authors, ids)
