"""Where a lake holds a post or an author: raw is read once, and what mirrors it is listed.

Whatever was derived from a raw object has a key that follows from the raw one, so only raw is
read. An author's numeric ids are learned first, from a few runs that the `tweets` tables point to;
only where the reading finds an id that these did not have is raw read again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import orjson

from cashtag.enrich import redact
from cashtag.enrich.envelopes import RawLines
from cashtag.errors import ContractError, KeyMissing
from cashtag.exchange import forget_reposts
from cashtag.exchange.forget_target import Target
from cashtag.lake import layout, parquet, partitions
from cashtag.lake.contracts import contract
from cashtag.ports import Lake, Progress, Store

PREFIXES = ("tweets/", "quarantine/")
_READERS = 10  # a bucket answers after a while; as many connections as boto3 keeps
_SAMPLES = 2  # runs that an author's ids are learned from
_WINDOW = 16 + zlib.MAX_WBITS  # a gzip header and trailer, zlib manual


@dataclass(frozen=True, slots=True)
class Hit:
    """A raw object that names the target: lines that change, those that go, versions there are."""

    key: str
    lines: int
    gone: int
    versions: int


@dataclass(frozen=True)
class Found:
    """What raw holds of a target: objects by key, texts of the posts that go, and keys read."""

    target: Target
    hits: Mapping[str, Hit] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()

    def joined(self, later: Found) -> Found:
        """Both; `later` knows the target at least as well."""
        return Found(
            later.target,
            {**self.hits, **later.hits},
            self.texts | later.texts,
            self.read | later.read,
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    key: str
    lines: int
    gone: int
    texts: frozenset[str]
    authors: frozenset[str]


def search(
    lake: Lake, target: Target, progress: Progress, known: frozenset[str] = frozenset()
) -> Found:
    """Read raw for a target, but for objects that are `known`.

    Args:
        lake: its raw zone is read; of an author, some of its tables too.
        target: whom to look for.
        progress: called with the objects read, and all of them.
        known: raw keys that were read before: raw objects do not change.

    Raises:
        StoreError: a zone cannot be read.
    """
    there = {
        one.key: one.count
        for prefix in PREFIXES
        for one in lake.raw.versions(prefix)
        if one.current and one.key not in known
    }
    if target.kind == "author" and not known:
        target = target.known_as(_learned(lake, target))
    while True:
        seen = _read_all(lake.raw, target.wanted, list(there), progress)
        wider = target.known_as(frozenset().union(*(one.authors for one in seen)))
        if wider == target:
            break
        target = wider
    found = Found(target, _hits(seen, there), _texts(seen), frozenset(there))
    return _with_reposts(lake, found, there) if target.kind == "tweet" else found


def _hits(seen: Iterable[_Seen], versions: Mapping[str, int]) -> dict[str, Hit]:
    return {s.key: Hit(s.key, s.lines, s.gone, versions.get(s.key, 1)) for s in seen if s.lines}


def _texts(seen: Iterable[_Seen]) -> frozenset[str]:
    return frozenset().union(*(one.texts for one in seen))


def _with_reposts(lake: Lake, found: Found, versions: Mapping[str, int]) -> Found:
    """Also retweets in formats that say of what they are one only by `RT @somebody: ` and its text."""
    posts, prefixes = forget_reposts.reposts(lake, found.texts)
    if not posts:
        return found
    target = found.target.together_with(posts)
    keys = [info.key for prefix in prefixes for info in lake.raw.list(prefix)]
    seen = _read_all(lake.raw, target.wanted, keys, silent)
    hits = {**found.hits, **_hits(seen, versions)}
    return replace(found, target=target, hits=hits, texts=found.texts | _texts(seen))


def still_there(lake: Lake, found: Found, keys: frozenset[str]) -> Found:
    """What was found, but for objects among `keys` that have lost the target since."""
    held = [key for key in found.hits if key in keys]
    there = {one.key for one in _read_all(lake.raw, found.target.wanted, held, silent) if one.lines}
    hits = {key: hit for key, hit in found.hits.items() if key not in keys or key in there}
    return replace(found, hits=hits)


def _read_all(
    raw: Store, wanted: redact.Wanted, keys: list[str], progress: Progress
) -> list[_Seen]:
    found = []
    with ThreadPoolExecutor(_READERS, thread_name_prefix="forget") as pool:
        for done, seen in enumerate(pool.map(lambda key: _look(raw, wanted, key), keys)):
            progress(done, len(keys), "reading raw")
            if seen is not None:
                found.append(seen)
    progress(len(keys), len(keys), "")
    return found


def _look(raw: Store, wanted: redact.Wanted, key: str) -> _Seen | None:
    """What one object says of the target; None where it does not name it."""
    try:
        data = raw.get(key)
    except KeyMissing:  # removed since it was listed
        return None
    if not wanted.may_be_in(_inflated(data)):
        return None
    named = [line for line in RawLines(data) if wanted.may_be_in(line)]
    if key.startswith("quarantine/"):
        changed = [line for line in named if quarantined(line, wanted) != line]
        return _Seen(key, len(changed), len(changed), frozenset(), frozenset())
    after = [(line, redact.without(line, wanted)) for line in named]
    return _Seen(
        key,
        sum(left != line for line, left in after),
        sum(not left for _, left in after),
        frozenset(text for line in named for text in redact.posts(line, wanted)),
        frozenset().union(*(redact.author_ids(line, wanted) for line in named)),
    )


def quarantined(row: bytes, wanted: redact.Wanted) -> bytes:
    """A row of raw's quarantine without the target: b"" when the line it keeps names it."""
    try:
        held = orjson.loads(row)
        line = held["raw"].encode("utf-8", "surrogatepass")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return redact.without(row, wanted)
    left = redact.without(line, wanted)
    # A line that cannot be read is not taken apart; it goes when it names them in any way.
    return row if left == line and not wanted.is_named_in(held["raw"]) else b""


def _inflated(data: bytes) -> bytes:
    try:
        stream = zlib.decompressobj(_WINDOW)
        text = stream.decompress(data)
        if stream.eof and not stream.unused_data:
            return text
    except zlib.error:
        pass
    return b"\n".join(RawLines(data))  # several members, plain text, or damaged


def _learned(lake: Lake, target: Target) -> frozenset[str]:
    """Numeric ids of an author, from the newest runs in which the tables have posts of them."""
    table, found, runs = contract("tweets"), frozenset[str](), 0
    for dt in sorted(partitions.partitions(lake, table), reverse=True):
        try:
            data = lake.enriched.get(layout.enriched("tweets", dt))
            authors = parquet.read(table, data, ["author"]).column("author").to_pylist()
        except (KeyMissing, ContractError):  # raw tells anyway, only later
            continue
        if any(target.wanted.is_handle(author) for author in authors):
            found |= _ids_in(lake.raw, layout.raw_prefix("tweets", dt), target)
            runs += 1
        if runs == _SAMPLES:
            break
    return found


def _ids_in(raw: Store, prefix: str, target: Target) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for info in raw.list(prefix):
        for line in RawLines(raw.get(info.key)):
            if target.wanted.may_be_in(line):
                found |= redact.author_ids(line, target.wanted)
    return found


@dataclass(frozen=True)
class Mirrors:
    """Objects of the enriched zone that were made of some raw objects: key to versions, by raw key."""

    scores: Mapping[str, dict[str, int]]
    stage: Mapping[str, dict[str, int]]
    rejected: Mapping[str, dict[str, int]]


def mirrors(enriched: Store, raw_keys: Iterable[str]) -> Mirrors:
    """List what was made of raw objects, by every model and build, also what was deleted since."""
    wanted = set(raw_keys)
    found: dict[str, dict[str, dict[str, int]]] = {"scores": {}, "stage": {}, "quarantine": {}}
    if wanted:
        for kind, of in found.items():
            for one in enriched.versions(f"{kind}/"):
                raw_key = _mirrored(kind, one.key)
                if raw_key in wanted:
                    of.setdefault(raw_key, {})[one.key] = one.count
    return Mirrors(found["scores"], found["stage"], found["quarantine"])


def _mirrored(kind: str, key: str) -> str:
    if kind == "scores":
        parsed = layout.parse_scores(key)
        return parsed[1] if parsed else ""
    rest = key.split("/", 2)[-1]
    return f"{rest.removesuffix('.parquet')}.jsonl.gz" if kind == "stage" else rest


def silent(_done: int, _of: int, _what: str) -> None:
    """Progress that nobody watches."""
