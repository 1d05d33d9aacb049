"""The keys of every object in the lake: the one place where a path is spelled.

Zones are separate stores, so keys carry no zone. Partitions are `dt=YYYY-MM-DD` in raw and
enriched (UTC date of the run) and `session=YYYY-MM-DD` in signals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import cast

from cashtag.ports import Kind

PART = "part-0.parquet"
_RAW = re.compile(
    r"^(?P<kind>tweets|news|prices|options|trending|assets|discovery)/dt=(?P<dt>\d{4}-\d\d-\d\d)/"
    r"source=(?P<source>[a-z0-9_-]+)/(?P<name>[^/]+?)-(?P<number>\d+)\.jsonl\.gz$"
)
_MANIFEST = re.compile(r"^manifests/dt=(\d{4}-\d\d-\d\d)/[^/]+\.json$")
_SUCCESS = re.compile(r"^_SUCCESS/dt=(\d{4}-\d\d-\d\d)/[^/]+$")
_PUBLISHED = re.compile(r"^_PUBLISHED/session=(\d{4}-\d\d-\d\d)/[^/]+$")

_SCORES = re.compile(
    r"^scores/(?P<version>[^/]+)/(?P<kind>[a-z]+/)?(?P<stem>dt=[^/]+/source=[^/]+/[^/]+)"
    r"\.(?:parquet|json)$"
)


@dataclass(frozen=True, slots=True)
class RawKey:
    """A raw object's key, taken apart. `name` is the ticker for tweets and options, else the kind."""

    kind: Kind
    dt: date
    source: str
    name: str
    number: int

    def __str__(self) -> str:
        return raw(self.kind, self.dt, self.source, self.name, self.number)


def raw(kind: str, dt: date, source: str, name: str, number: int = 1) -> str:
    """`tweets/dt=2026-01-05/source=sample/NVDA-1.jsonl.gz`."""
    return f"{kind}/dt={dt}/source={source}/{name}-{number}.jsonl.gz"


def raw_prefix(kind: str, dt: date) -> str:
    """Prefix of all raw objects of one kind and run."""
    return f"{kind}/dt={dt}/"


def parse_raw(key: str) -> RawKey | None:
    """Take a raw key apart; None for manifests, bars, quarantine and anything else."""
    m = _RAW.match(key)
    dt = _day(m["dt"]) if m else None
    if m is None or dt is None:
        return None
    return RawKey(cast(Kind, m["kind"]), dt, m["source"], m["name"], int(m["number"]))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:  # 2026-02-30: somebody else's object
        return None


def document(kind: str, dt: date, name: str, number: int = 1) -> str:
    """A page kept whole: `trending/dt=2026-01-05/finder.html.gz`; another version of it is `-2`."""
    stem, dot, suffix = name.partition(".")
    return f"{kind}/dt={dt}/{stem}{'' if number == 1 else f'-{number}'}{dot}{suffix}.gz"


def bars(source: str, ticker: str, number: int = 1) -> str:
    """Daily bars that sample and archive keep once; a later import adds a higher number."""
    return f"bars/source={source}/{ticker}-{number}.jsonl.gz"


def manifest(dt: date, sha: str) -> str:
    """What a scrape of `dt` obtained, written last."""
    return f"manifests/dt={dt}/{sha}.json"


def parse_manifest(key: str) -> date | None:
    """The run that a manifest's key is of; None for any other key."""
    m = _MANIFEST.match(key)
    return None if m is None else _day(m[1])


def manifests(dt: date) -> str:
    """Prefix of the day's manifests."""
    return f"manifests/dt={dt}/"


def quarantine(origin: str, sha: str) -> str:
    """Lines that could not be read, with their reasons; `origin` is like `import/twitter-v1`."""
    return f"quarantine/{origin}/{sha}.jsonl.gz"


def salt() -> str:
    """What makes the hashes of this lake's tombstones its own."""
    return "tombstones/salt"


def tombstone(kind: str, digest: str) -> str:
    """`tombstones/tweet/<hash>.json`: a post or an author that this lake has forgotten (raw zone)."""
    return f"tombstones/{kind}/{digest}.json"


def tombstones() -> str:
    """Prefix of the tombstones and their salt."""
    return "tombstones/"


def forgotten(kind: str, digest: str, sha: str = "") -> str:
    """What a takedown removed, without what it was; without `sha` the prefix (raw zone)."""
    return f"forgotten/{kind}/{digest}/{f'{sha}.json' if sha else ''}"


def forgotten_done(record_key: str) -> str:
    """Marker that all of a takedown's record has been carried out."""
    return record_key.removesuffix(".json") + ".done"


def config(config_hash: str) -> str:
    """The settings behind a `config_hash`, in the enriched zone."""
    return f"config/{config_hash}.json"


def scores(model_version: str, raw_key: str) -> str:
    """Recorded model answers for one raw object; mirrors its whole key."""
    return f"scores/{model_version}/{_without_kind(raw_key)}.parquet"


def roster(ensemble_version: str, raw_key: str) -> str:
    """Which models an ensemble had for one raw object, and which were absent; create-only."""
    return f"scores/{ensemble_version}/{_without_kind(raw_key)}.json"


def parse_scores(key: str) -> tuple[str, str] | None:
    """Model version and raw key behind a record or a roster; None for any other key."""
    m = _SCORES.match(key)
    return None if m is None else (m["version"], f"{m['kind'] or 'tweets/'}{m['stem']}.jsonl.gz")


def stage(build: str, raw_key: str) -> str:
    """Enriched rows of one raw object; mirrors its whole key below `tweets/`, `news/` …"""
    return f"stage/{build}/{raw_key.removesuffix('.jsonl.gz')}.parquet"


def _without_kind(raw_key: str) -> str:
    stem = raw_key.removesuffix(".jsonl.gz")
    kind, rest = stem.split("/", 1)
    return rest if kind == "tweets" else f"{kind}/{rest}"


def enriched(table: str, dt: date) -> str:
    """One object per table and run in the enriched zone."""
    return f"{table}/dt={dt}/{PART}"


def signals(table: str, session: date) -> str:
    """One object per table and session in the signals zone."""
    return f"{table}/session={session}/{PART}"


def success(dt: date, sha: str) -> str:
    """Marker that a day's stage is complete for these manifests and this build (enriched zone)."""
    return f"_SUCCESS/dt={dt}/{sha}"


def parse_success(key: str) -> date | None:
    """The run that a marker of completeness is of; None for any other key."""
    m = _SUCCESS.match(key)
    return None if m is None else _day(m[1])


def parse_published(key: str) -> date | None:
    """The session that a marker of publication is of; None for any other key."""
    m = _PUBLISHED.match(key)
    return None if m is None else _day(m[1])


def published(session: date, sha: str) -> str:
    """Marker that a session's tables are published for this state of the day (signals zone)."""
    return f"_PUBLISHED/session={session}/{sha}"


def findings(session: date) -> str:
    """What the warning checks said of a session as it stands, and why it is partial (signals zone)."""
    return f"_FINDINGS/session={session}/findings.json"


def sent(session: date, sha: str) -> str:
    """Marker that a session's signals in this state went to the event bus (signals zone)."""
    return f"_SENT/session={session}/{sha}"


def announced(sha: str) -> str:
    """Marker that a text was announced (signals zone)."""
    return f"_ANNOUNCED/{sha}"


def event(session: date, event_id: str) -> str:
    """One create-only ledger event."""
    return f"events/dt={session}/{event_id}.json"


def ledger(table: str, session: date) -> str:
    """One object per ledger table and session."""
    return f"{table}/session={session}/{PART}"


def rejected(build: str, raw_key: str) -> str:
    """Lines of one raw object that could not become rows, in the enriched zone."""
    return f"quarantine/{build}/{raw_key}"
