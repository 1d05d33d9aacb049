"""The privileged rewrite: raw objects, and the answers recorded for them, without the forgotten.

A raw object keeps its key and its other lines, byte for byte and in their places; a blank line
stands where a forgotten post was. So everything that counts lines still fits, and what a source
answers a second time is the same object again. In a bucket every earlier version goes with it.
Each step may be repeated, or done by two at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from cashtag.enrich import forgotten
from cashtag.enrich import tweets as posts
from cashtag.enrich.clean import clean
from cashtag.enrich.envelopes import RawLines
from cashtag.enrich.redact import Wanted
from cashtag.errors import KeyMissing
from cashtag.exchange import quarantine
from cashtag.exchange.forget_search import Mirrors, quarantined
from cashtag.lake import layout, lines
from cashtag.ports import Lake, Store
from cashtag.scrape import discovery, manifest
from cashtag.sentiment import store as recorded

if TYPE_CHECKING:
    from cashtag.lake.tombstones import Tombstones
    from cashtag.settings import Settings

_WORD = re.compile(r"\w+")
_RUN = 6  # words in a row that make a quotation; shorter runs are how people talk


def rewrite(settings: Settings, lake: Lake, key: str, stones: Tombstones, made: Mirrors) -> None:
    """Rewrite one raw object of tweets, first what is recorded of it, then itself.

    It is cleaned by the tombstones, as a scrape would do it: they also know the ids of an author
    whose posts an earlier call, which was stopped, has removed already. In this order whoever
    enriches the object meanwhile finds answers that fit, whichever of the two is there: see
    `enrich.staging`.

    Raises:
        StoreError: a zone cannot be read, written, or purged.
    """
    try:
        data = lake.raw.get(key)
    except KeyMissing:
        lake.raw.purge(key)
        return
    left = forgotten.of_object(data, stones)
    parsed = layout.parse_raw(key)
    if parsed is not None:
        hashes = posts.parse(settings, parsed, left).input_hashes
        for record in made.scores.get(key, {}):
            if record.endswith(".parquet") and lake.enriched.exists(record):
                recorded.forget(lake.enriched, record, hashes)
            lake.enriched.purge(record, keep_current=True)
    if left != data:
        lake.raw.put(key, left)
    lake.raw.purge(key, keep_current=True)


def rewrite_quarantine(raw: Store, key: str, stones: Tombstones) -> None:
    """Move the lines that an import refused, but for the forgotten, to the key of what is left."""
    try:
        rows = list(RawLines(raw.get(key)))
    except KeyMissing:
        rows = []
    left = [
        row
        for row in rows
        if (wanted := forgotten.wanted_in(row, stones)) is None or quarantined(row, wanted)
    ]
    if left and left == rows:
        return
    if left:
        quarantine.put(raw, key.removeprefix("quarantine/import/").rpartition("/")[0], left)
    raw.purge(key)


def supersede(raw: Store, dt: date, keys: Iterable[str]) -> None:
    """Write the manifest that tells which bytes of a run are gone, and what is there now.

    A run that no manifest tells of has nothing to supersede; what is told already is not told
    again.
    """
    held = manifest.of_day(raw, dt)
    if not held:
        return
    now, gone = [], []
    for key in sorted(keys):
        shas = {obj.sha256 for one in held for obj in one.objects if obj.key == key}
        if not shas:
            continue
        entry = manifest.entry(key, raw.get(key))
        now.append(entry)
        gone += [manifest.Gone(key, sha) for sha in sorted(shas - {entry.sha256})]
    told = {one for each in held for one in each.gone}
    if set(gone) <= told and set(now) <= set(manifest.expected(held)):
        return
    manifest.write(
        raw,
        manifest.Manifest(
            dt, held[0].cutoff, manifest.TAKEDOWN, (), tuple(now), number=0, gone=tuple(gone)
        ),
    )


# ---------------------------------------------------------------- what models wrote of a day


def discovered(raw: Store, wanted: Wanted, texts: Iterable[str]) -> dict[str, bytes]:
    """Answers of ticker discovery that quote or name the forgotten: what is left of each, by key."""
    quotes = _quotations(texts)
    found = {}
    for info in raw.list(f"{discovery.KIND}/"):
        data = raw.get(info.key)
        before = list(RawLines(data))
        after = [_without_quotes(line, wanted, quotes) for line in before]
        if after != before:
            found[info.key] = lines.pack(after)
    return found


def announced(store: Store, wanted: Wanted, texts: Iterable[str]) -> list[str]:
    """Announcements kept as text files that quote or name the forgotten."""
    quotes = _quotations(texts)
    return [
        info.key
        for info in store.list("alerts/")
        if _names(store.get(info.key).decode("utf-8", "replace"), wanted, quotes)
    ]


def _without_quotes(line: bytes, wanted: Wanted, quotes: frozenset[str]) -> bytes:
    """An answer in which no text quotes or names them: such a text becomes null."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return b"" if _names(line.decode("utf-8", "replace"), wanted, quotes) else line
    left = _nulled(value, wanted, quotes)
    return line if left == value else orjson.dumps(left)


def _nulled(value: Any, wanted: Wanted, quotes: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _nulled(item, wanted, quotes) for key, item in value.items()}
    if isinstance(value, list):
        return [_nulled(item, wanted, quotes) for item in value]
    if isinstance(value, str) and _names(value, wanted, quotes):
        return None
    return value


def _names(text: str, wanted: Wanted, quotes: frozenset[str]) -> bool:
    return wanted.is_named_in(text) or not quotes.isdisjoint(_runs(text))


def _quotations(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(run for text in texts for run in _runs(text))


def _runs(text: str) -> Sequence[str]:
    """Every run of six words of a text, in small letters; a shorter text as a whole."""
    words = _WORD.findall(clean(text).casefold())
    if len(words) <= _RUN:
        return [" ".join(words)] if words else []
    return [" ".join(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1)]
