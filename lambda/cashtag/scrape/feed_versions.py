"""What raw remembers of a feed: the version that an earlier run was given, to ask for a newer one.

The headers `ETag` and `Last-Modified` of an answer lie in the `query` of its items. A feed that
answers 304 then says: what there is, that run has. That is nothing new only if that run's session
could count it all. An item published after its cutoff was not for that session, and the next one
reads the items of its own runs: a feed with such an item is asked for everything again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from cashtag import sessions
from cashtag.lake import layout, lines
from cashtag.ports import Store
from cashtag.settings import Settings
from cashtag.settings.live import Feed

_DAY = timedelta(days=1)
# An answer's header, and how the next request says it (RFC 9110, section 13.1).
_ASKED_BY = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


@dataclass(frozen=True)
class Version:
    """What the run of `dt` was given of a feed, as the headers that ask for a newer version."""

    dt: date
    headers: Mapping[str, str]


def validators(headers: Mapping[str, str]) -> dict[str, str]:
    """Of an answer's headers (names in lower case) those that name its version."""
    return {name: headers[name] for name in _ASKED_BY if headers.get(name)}


def versions(raw: Store, dt: date, feeds: Sequence[Feed], settings: Settings) -> dict[str, Version]:
    """Return the newest version of each feed in raw, by name; none of a feed to be read whole.

    The runs of `live.news.remember_days` before `dt` are looked at.
    """
    wanted = {feed.name: feed.url for feed in feeds}
    found: dict[str, Version] = {}
    for back in range(1, settings.live.news.remember_days + 1):
        if not wanted:
            break
        earlier = dt - back * _DAY
        newest: dict[str, layout.RawKey] = {}
        for info in raw.list(layout.raw_prefix("news", earlier)):
            key = layout.parse_raw(info.key)
            if key is not None and key.source in wanted:
                known = newest.get(key.source, key)
                newest[key.source] = max(known, key, key=lambda one: one.number)
        cutoff = sessions.cutoff(earlier, settings.scrape.cutoff_utc)
        for source, key in newest.items():
            headers = _headers(raw.get(str(key)), wanted.pop(source), cutoff)
            if headers:
                found[source] = Version(earlier, headers)
    return found


def _headers(data: bytes, url: str, cutoff: datetime) -> dict[str, str]:
    """What asks for a newer version; nothing where the address or an item forbids it."""
    headers: dict[str, str] = {}
    for _, line in lines.unpack(data).lines:
        envelope = _loaded(line)
        query, item = envelope.get("query"), envelope.get("data")
        if not isinstance(query, dict) or not isinstance(item, dict) or query.get("url") != url:
            return {}
        published = item.get("published")
        if isinstance(published, str) and datetime.fromisoformat(published) >= cutoff:
            return {}
        for name, asked_by in _ASKED_BY.items():
            if isinstance(query.get(name), str):
                headers[asked_by] = query[name]
    return headers


def _loaded(line: bytes) -> dict[str, Any]:
    """An envelope; empty for a line that damage has spoilt, which enrichment tells of."""
    try:
        envelope = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return envelope if isinstance(envelope, dict) else {}
