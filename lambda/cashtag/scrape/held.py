"""What raw holds of a run already: why a second call fetches only what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from cashtag.lake import layout, lines
from cashtag.ports import Store
from cashtag.scrape import manifest

KINDS = ("tweets", "news", "prices", "options", "trending", "assets")


@dataclass(frozen=True)
class Held:
    """Raw objects of one run, ascending by key, and the tickers' best answers by its manifests.

    An object that no manifest names was left by a scrape that was killed: it counts as well.
    """

    raw: Store
    dt: date
    keys: tuple[layout.RawKey, ...]
    answers: Mapping[str, manifest.TickerEntry]

    def answer(self, ticker: str) -> manifest.TickerEntry | None:
        """The best answer for a ticker's tweets; None if there is none yet.

        Tweets that no manifest tells of come from a scrape that was killed: there may be more.
        """
        known = self.answers.get(ticker)
        if (known is None or known.status == "refused") and ticker in self.names("tweets"):
            return manifest.TickerEntry(ticker, "ok", None, len(self.tweet_ids(ticker)), more=True)
        return known

    def names(self, kind: str) -> frozenset[str]:
        """Names (tickers, for tweets and options) of the objects of a kind."""
        return frozenset(key.name for key in self.keys if key.kind == kind)

    def sources(self, kind: str) -> frozenset[str]:
        """Sources that left an object of a kind."""
        return frozenset(key.source for key in self.keys if key.kind == kind)

    def of(self, kind: str, name: str | None = None) -> tuple[layout.RawKey, ...]:
        """Keys of a kind, and of a name where one is given."""
        return tuple(key for key in self.keys if key.kind == kind and name in (None, key.name))

    def envelopes(self, kind: str, name: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the envelopes of those objects; lines that are none are left to enrichment."""
        for key in self.of(kind, name):
            for _, line in lines.unpack(self.raw.get(str(key))).lines:
                try:
                    envelope = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
                if isinstance(envelope, dict) and isinstance(envelope.get("data"), dict):
                    yield envelope

    def tweet_ids(self, ticker: str) -> frozenset[str]:
        """Ids of the tweets held of a ticker, as text."""
        return frozenset(
            str(envelope["data"].get("id_str")) for envelope in self.envelopes("tweets", ticker)
        )


def held(raw: Store, dt: date) -> Held:
    """Look up what raw holds of a run."""
    keys = tuple(
        parsed
        for kind in KINDS
        for info in raw.list(layout.raw_prefix(kind, dt))
        if (parsed := layout.parse_raw(info.key)) is not None
    )
    answers = manifest.tickers(manifest.of_day(raw, dt))
    return Held(raw, dt, keys, {row.ticker: row for row in answers})
