"""The manifest of a scrape: which raw objects it left, and what each ticker answered.

A manifest is written last, create-only, under the sha256 of its own text; a resumed scrape
adds one. What a day expects is the union of its manifests. A manifest holds only what its own
scrape saw: nothing in it depends on other days.

A takedown, which alone may change a raw object, adds a manifest that supersedes: it names the
bytes that are gone, and describes those that are there now.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from cashtag.errors import StoreError
from cashtag.lake import layout, lines
from cashtag.ports import SourceHealth, Status, Store

VERSION = 2
SUPERSEDING = 3  # who does not know what is gone must not read on
_READ = (1, VERSION, SUPERSEDING)  # version 1 has neither health nor what is still to be had
TAKEDOWN = "takedown"  # the source of a manifest that supersedes
_BETTER: dict[Status, int] = {"refused": 0, "empty": 1, "ok": 2}


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """One raw object: key, sha256 of its bytes, lines and bytes in it."""

    key: str
    sha256: str
    lines: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TickerEntry:
    """What the source answered for one ticker's tweets.

    `newest` is when the newest of them was created, ISO, UTC. With `more` the source holds more
    than was taken, from `cursor` on where it gave one: a resuming scrape goes on there.
    """

    ticker: str
    status: Status
    reason: str | None
    tweets: int
    newest: str | None = None
    more: bool = False
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The bytes of a raw object that a takedown removed, by the sha256 that manifests know."""

    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One scrape of one run; tickers, objects and health are sorted by their names.

    `number` counts the run's scrapes from 1: which of two manifests is the later one. `gone` is
    what a takedown removed; such a manifest is no scrape, and has the number 0.
    """

    dt: date
    cutoff: datetime
    source: str
    tickers: tuple[TickerEntry, ...]
    objects: tuple[ObjectEntry, ...]
    health: tuple[SourceHealth, ...] = ()
    number: int = 1
    gone: tuple[Gone, ...] = ()

    def to_json(self) -> bytes:
        """Canonical JSON: sorted keys, no spaces, times as ISO text."""
        whole: dict[str, Any] = {"version": SUPERSEDING if self.gone else VERSION, **asdict(self)}
        if not self.gone:
            del whole["gone"]
        whole["dt"] = self.dt.isoformat()
        whole["cutoff"] = self.cutoff.isoformat()
        return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def sha(self) -> str:
        """sha256 of the canonical JSON, hex."""
        return hashlib.sha256(self.to_json()).hexdigest()


# Lines by content: bars of years are in every day's manifest, and are counted once a process.
_counted: dict[str, int] = {}


def entry(key: str, data: bytes) -> ObjectEntry:
    """Describe a raw object."""
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 not in _counted:
        _counted[sha256] = lines.count(data)
    return ObjectEntry(key, sha256, _counted[sha256], len(data))


def write(raw: Store, manifest: Manifest) -> str:
    """Write the manifest unless it is there already; return its key."""
    key = layout.manifest(manifest.dt, manifest.sha())
    raw.put_if_absent(key, manifest.to_json())
    return key


def parse(key: str, data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        StoreError: the text under `key` is no manifest of a version this code knows.
    """
    try:
        whole = json.loads(data)
        if whole["version"] not in _READ:
            raise ValueError(f"version {whole['version']}, expected {VERSION}")
        return Manifest(
            date.fromisoformat(whole["dt"]),
            datetime.fromisoformat(whole["cutoff"]),
            whole["source"],
            tuple(TickerEntry(**row) for row in whole["tickers"]),
            tuple(ObjectEntry(**row) for row in whole["objects"]),
            tuple(SourceHealth(**row) for row in whole.get("health", ())),
            whole.get("number", 1),
            tuple(Gone(**row) for row in whole.get("gone", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"raw/{key} is no manifest ({error}); remove it and scrape the day again"
        ) from error


def of_day(raw: Store, dt: date) -> tuple[Manifest, ...]:
    """All manifests of a run, in the order of their keys; empty before the first scrape."""
    return tuple(parse(info.key, raw.get(info.key)) for info in raw.list(layout.manifests(dt)))


def expected(manifests: Iterable[Manifest]) -> tuple[ObjectEntry, ...]:
    """The union of the manifests' objects without what takedowns removed, sorted by key."""
    held = tuple(manifests)
    return _union(held, _gone(held))


def scraped(manifests: Iterable[Manifest]) -> tuple[ObjectEntry, ...]:
    """The objects as they were scraped, whatever was removed from them since, sorted by key."""
    return _union(manifests, frozenset())


def _union(
    manifests: Iterable[Manifest], gone: frozenset[tuple[str, str]]
) -> tuple[ObjectEntry, ...]:
    """Each object once. Nothing else than a takedown changes one.

    Where manifests differ about one, a later scrape found it damaged: what the fuller entry says
    was scraped.
    """
    union: dict[str, ObjectEntry] = {}
    for manifest in manifests:
        for obj in manifest.objects:
            known = union.get(obj.key)
            if (obj.key, obj.sha256) not in gone and (
                known is None or (obj.lines, obj.bytes) > (known.lines, known.bytes)
            ):
                union[obj.key] = obj
    return tuple(union[key] for key in sorted(union))


def _gone(manifests: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
    return frozenset((one.key, one.sha256) for manifest in manifests for one in manifest.gone)


def tickers(manifests: Iterable[Manifest]) -> tuple[TickerEntry, ...]:
    """Each asked ticker's best answer: ok over empty over refused, more tweets over fewer.

    Of two that are as good the later scrape's counts: it knows whether there is more to be had.
    Tweets that a takedown removed do not count, so that scraping again tells nothing new.
    """
    best: dict[str, TickerEntry] = {}
    held = tuple(manifests)
    gone = _gone(held)
    left = {obj.key: obj.lines for obj in expected(held)} if gone else {}
    for one in _in_order(held):
        lost: Counter[str] = Counter()
        for obj in one.objects:
            key = layout.parse_raw(obj.key) if (obj.key, obj.sha256) in gone else None
            if key is not None and key.kind == "tweets":
                lost[key.name] += max(0, obj.lines - left.get(obj.key, 0))
        for row in one.tickers:
            if lost[row.ticker]:
                row = replace(row, tweets=max(0, row.tweets - lost[row.ticker]))
            known = best.get(row.ticker)
            if known is None or _rank(row) >= _rank(known):
                best[row.ticker] = row
    return tuple(best[ticker] for ticker in sorted(best))


def health(manifests: Iterable[Manifest]) -> tuple[SourceHealth, ...]:
    """Each source's and account's health by the latest manifest that tells of it, sorted by name."""
    latest: dict[str, SourceHealth] = {}
    for one in _in_order(manifests):
        latest |= {row.name: row for row in one.health}
    return tuple(latest[name] for name in sorted(latest))


def _in_order(manifests: Iterable[Manifest]) -> list[Manifest]:
    return sorted(manifests, key=lambda manifest: (manifest.number, manifest.sha()))


def _rank(row: TickerEntry) -> tuple[int, int]:
    return _BETTER[row.status], row.tweets
