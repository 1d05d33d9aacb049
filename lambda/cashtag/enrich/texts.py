"""Raw objects that hold texts to score: which there are, and what one of them says."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cashtag.enrich import news, tweets
from cashtag.errors import InputError
from cashtag.lake import layout

if TYPE_CHECKING:
    from cashtag.enrich.parsed import Parsed
    from cashtag.ports import Store
    from cashtag.settings import Settings

KINDS = ("tweets", "news")


def by_run(
    raw: Store, first: date | None = None, last: date | None = None
) -> dict[date, list[str]]:
    """Raw keys with texts by run, within the dates given; runs and keys ascending."""
    found: dict[date, list[str]] = {}
    for kind in KINDS:
        for info in raw.list(f"{kind}/dt="):
            key = layout.parse_raw(info.key)
            if (
                key is not None
                and (first is None or key.dt >= first)
                and (last is None or key.dt <= last)
            ):
                found.setdefault(key.dt, []).append(info.key)
    return {dt: sorted(found[dt]) for dt in sorted(found)}


def of_run(raw: Store, dt: date) -> list[str]:
    """Raw keys of one run with texts, tweets before news, each ascending."""
    return [
        info.key
        for kind in KINDS
        for info in raw.list(layout.raw_prefix(kind, dt))
        if layout.parse_raw(info.key) is not None
    ]


def parsed(settings: Settings, raw: Store, raw_key: str) -> Parsed:
    """Read a raw object.

    Raises:
        InputError: it is of a kind that holds no texts.
        StoreError: it cannot be read.
    """
    key = layout.parse_raw(raw_key)
    if key is None or key.kind not in KINDS:
        raise InputError(f"{raw_key} is no key of a raw object with texts")
    parse = tweets.parse if key.kind == "tweets" else news.parse
    return parse(settings, key, raw.get(raw_key))


def is_damaged(found: Parsed) -> bool:
    """Whether the object as a whole could not be read to its end; it may come back whole."""
    return any(line.line == 0 for line in found.rejected)
