"""An archive as a source: raw objects that `cashtag import` has already put into the lake.

It yields the keys of what is there for the day, and the bars of every symbol. An archive is
complete by definition: a ticker without tweets on a day is truly empty, not refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from cashtag.lake import layout
from cashtag.ports import Day, Fetched, SourceHealth, Store

_BARS = re.compile(r"^bars/source=[^/]+/(?P<ticker>[^/]+)-\d+\.jsonl\.gz$")


class ArchiveSource:
    """Reads imported raw objects of a lake; its universe is every ticker with bars or tweets."""

    name = "archive"

    def __init__(self, raw: Store, always_bars: tuple[str, ...] = ()) -> None:
        self._raw = raw
        self._always_bars = frozenset(always_bars)

    def dates(self) -> tuple[date, date] | None:
        """First and last run with imported tweets; None for an empty archive."""
        found = [
            parsed.dt
            for info in self._raw.list("tweets/")
            if (parsed := layout.parse_raw(info.key)) is not None
        ]
        return (min(found), max(found)) if found else None

    def asked(self, dt: date) -> tuple[str, ...]:
        """Tickers with bars in the archive, or with tweets on `dt`; market symbols only if tweeted."""
        with_bars = {ticker for _, ticker in self._bars()}
        with_tweets = {name for _, name in self._objects("tweets", dt)}
        return tuple(sorted((with_bars - self._always_bars) | with_tweets))

    def fetch(self, day: Day) -> Iterator[Fetched]:
        """Yield the keys of the day's tweets, news, prices and chains, and of all bars."""
        tweets: dict[str, list[str]] = {}
        for key, name in self._objects("tweets", day.dt):
            tweets.setdefault(name, []).append(key)
        for ticker in day.tickers:
            if ticker not in tweets:
                yield Fetched("tweets", ticker, "empty")
            for key in tweets.get(ticker, ()):
                yield Fetched("tweets", ticker, "ok", key=key)
        for key, ticker in self._bars():
            yield Fetched("bars", ticker, "ok", key=key)
        for key, _ in self._objects("news", day.dt):
            yield Fetched("news", None, "ok", key=key)
        for key, _ in self._objects("prices", day.dt):
            yield Fetched("prices", None, "ok", key=key)
        for key, ticker in self._objects("options", day.dt):
            yield Fetched("options", ticker, "ok", key=key)

    def health(self) -> tuple[SourceHealth, ...]:
        """What lies in a folder has no parts that could fail."""
        return ()

    def _objects(self, kind: str, dt: date) -> list[tuple[str, str]]:
        return [
            (info.key, parsed.name)
            for info in self._raw.list(layout.raw_prefix(kind, dt))
            if (parsed := layout.parse_raw(info.key)) is not None
        ]

    def _bars(self) -> list[tuple[str, str]]:
        """Keys of bars and their tickers; what else lies in a folder, such as `.DS_Store`, is not ours."""
        return [
            (info.key, found["ticker"])
            for info in self._raw.list("bars/")
            if (found := _BARS.match(info.key))
        ]
