"""Tweets of others as raw objects: each line to the run that would have collected it.

Formats: Twitter API v1.1 and twscrape as JSON lines, the reference pipeline as JSON arrays; a
file in either shape is read in any of them. The line itself goes into the envelope byte for
byte, its line breaks apart; nothing of it is written anew.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import orjson

from cashtag import sessions
from cashtag.enrich import envelopes, forgotten, moments
from cashtag.enrich.clean import clean
from cashtag.enrich.facts import calendar_ms
from cashtag.enrich.readers import READERS, Post
from cashtag.exchange import reading
from cashtag.exchange.quarantine import Refused
from cashtag.lake import layout, lines, numbered
from cashtag.ports import Store

if TYPE_CHECKING:
    from cashtag.lake.tombstones import Tombstones
    from cashtag.settings import Settings

FORMATS = ("twitter-v1", "twscrape", "reference")
SUFFIXES = (".jsonl", ".json", ".ndjson")
_LONGEST_LINE = 1 << 20  # bytes; a post of 25,000 characters with all its entities is a tenth
_SEPARATORS = re.compile(r"[\s,\[\]]*")  # always matches
_NEXT_OBJECT = re.compile(r"(?:\}\s*,|\n)\s*(?=\{)")
_INDENTATION = re.compile(r"\s*\n\s*")  # a JSON string cannot hold a line break


class Located(NamedTuple):
    """A post to keep: its moment (ms since 1970, UTC), the index of its file, its envelope."""

    created: int
    file: int
    envelope: bytes


@dataclass
class Gathered:
    """Posts of one ticker by run and id, and what became of the other lines of its files.

    `seen` and `repeated` count non-blank lines by the index of their file; `refused` holds the
    lines that cannot be taken, with that index.
    """

    posts: dict[date, dict[str, Located]] = field(default_factory=dict)
    seen: Counter[int] = field(default_factory=Counter)
    repeated: Counter[int] = field(default_factory=Counter)
    refused: list[tuple[int, Refused]] = field(default_factory=list)


@dataclass(frozen=True)
class Kept:
    """Posts of one (run, ticker) by the index of their file: added, and there already."""

    added: Counter[int]
    already: Counter[int]


class _Line(NamedTuple):
    number: int
    text: bytes
    fault: str | None = None
    detail: str = ""


def gather(
    format_name: str,
    ticker: str,
    contents: Iterable[tuple[str, bytes]],
    settings: Settings,
    stones: Tombstones | None = None,
) -> Gathered:
    """Sort the lines of one ticker's files by the run that would have collected them.

    Args:
        format_name: one of FORMATS.
        ticker: the envelopes' query.
        contents: (name, bytes) of each file, gzipped or not, in any state.
        settings: `scrape.cutoff_utc`.
        stones: whom the lake has forgotten: lines of theirs are refused as `forgotten`, without
            their bytes, and what others say of them is left out.

    A post that several lines hold is taken from the first.
    """
    found = Gathered()
    for index, (name, data) in enumerate(contents):
        for line in _lines(data):
            found.seen[index] += 1
            text = forgotten.without(line.text, stones) if stones else line.text
            if line.text and not text:
                fault: str | None = forgotten.REASON
            else:
                fault = line.fault or _take(found, format_name, ticker, index, text, settings)
            if fault:
                refused = Refused(name, line.number, fault, text, line.detail)
                found.refused.append((index, refused))
    return found


def _take(
    found: Gathered, format_name: str, ticker: str, index: int, line: bytes, settings: Settings
) -> str | None:
    """Put one line where it belongs; return why it cannot be taken, or None."""
    if len(line) > _LONGEST_LINE:
        return "too-long"
    line = line.rstrip(b" \t\r,")  # the comma of an array that was taken apart
    if fault := _not_json(line):
        return fault
    # Only what enrichment will be able to read is taken: its reader judges.
    envelope = line
    opened = envelopes.opened(envelope)
    if isinstance(opened, str) or opened[0] not in READERS:
        head = orjson.dumps({"source": format_name, "scraped_at": None, "query": ticker})
        envelope = head[:-1] + b',"data":' + line + b"}"
        opened = envelopes.opened(envelope)
    if isinstance(opened, str):
        return "not-object" if opened == "no-envelope" else opened
    post = READERS[opened[0]](opened[2])
    if not isinstance(post, Post):
        return post
    if not clean(post.text):
        return "no-text"
    created = moments.milliseconds(post.created_at)
    if created is None:
        return "no-date"
    first, last = calendar_ms(settings)
    if not first <= created < last:
        return "outside-calendar"
    dt = sessions.run_of(moments.moment(created), settings.scrape.cutoff_utc)
    run = found.posts.setdefault(dt, {})
    if post.tweet_id in run:
        found.repeated[index] += 1
    else:
        run[post.tweet_id] = Located(created, index, envelope)
    return None


def _not_json(line: bytes) -> str | None:
    """Say why a line is no JSON by itself: within an envelope it could seem to be some."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            json.loads(line.decode())  # takes NaN and half surrogates, which others write
        except UnicodeDecodeError:
            return "encoding"
        except (ValueError, RecursionError):
            return "json"
    return None


# ---------------------------------------------------------------- files as lines


def _lines(data: bytes) -> Iterator[_Line]:
    """The lines of a file of JSON lines; the elements of an array or of indented JSON."""
    found = reading.unpacked(data)
    first = found.lines[0][1].strip() if found.lines else b""
    if first.startswith(b"[") or first == b"{":
        yield from _elements(found.lines)
    else:
        for number, line in found.lines:
            if text := line.strip(b" \t\r\v\f"):
                yield _Line(number, text)
    if found.damage is not None:
        yield _Line(0, found.remainder, "gzip", found.damage)


def _elements(numbered_lines: Iterable[tuple[int, bytes]]) -> Iterator[_Line]:
    """JSON values one after the other, numbered from 1, whatever brackets hold them.

    A value that cannot be read costs itself: reading goes on at the next object.
    """
    # Bytes that are no UTF-8 survive as half surrogates, which UTF-8 itself cannot hold.
    whole = b"\n".join(line for _, line in numbered_lines).decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder()
    at = number = 0
    while (at := _SEPARATORS.match(whole, at).end()) < len(whole):  # type: ignore[union-attr]
        number += 1
        fault = None
        try:
            _, end = decoder.raw_decode(whole, at)
        except (ValueError, RecursionError):
            resumed = _NEXT_OBJECT.search(whole, at + 1)
            end = resumed.end() if resumed else len(whole)
            fault = "json"
        text = _INDENTATION.sub("", whole[at:end]).encode("utf-8", "surrogateescape")
        yield _Line(number, text, fault if reading.is_utf8(text) else "encoding")
        at = end


# ---------------------------------------------------------------- into the lake


def keep(raw: Store, dt: date, source: str, ticker: str, posts: dict[str, Located]) -> Kept:
    """Add the posts of one (run, source, ticker) that the lake does not hold yet, as one object.

    Run again, or twice at once, it adds nothing more: the same posts make the same bytes, and
    what an existing object holds is left out.
    """
    prefix = f"{layout.raw_prefix('tweets', dt)}source={source}/{ticker}-"
    held = {
        tweet_id for info in raw.list(prefix) for tweet_id in _ids(raw.get(info.key))
    }  # fmt: skip
    fresh = sorted(
        (post.created, tweet_id) for tweet_id, post in posts.items() if tweet_id not in held
    )
    if fresh:
        data = lines.pack(posts[tweet_id].envelope for _, tweet_id in fresh)
        numbered.add(raw, lambda n: layout.raw("tweets", dt, source, ticker, n), data)
    return Kept(
        Counter(posts[tweet_id].file for _, tweet_id in fresh),
        Counter(post.file for tweet_id, post in posts.items() if tweet_id in held),
    )


def _ids(data: bytes) -> Iterator[str]:
    for _, line in lines.unpack(data).lines:
        opened = envelopes.opened(line)
        if not isinstance(opened, str) and opened[0] in READERS:
            post = READERS[opened[0]](opened[2])
            if isinstance(post, Post):
                yield post.tweet_id
