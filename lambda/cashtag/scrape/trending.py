"""Trending tickers from a chain of sites, the first that answers; what each said is kept in raw.

A site that lists coins or funds beside stocks (StockTwits: `BTC.X`) is taken at its word: such a
symbol is scraped like any other, and `tickers.tradability` keeps the desk off it.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from cashtag import tickers
from cashtag.errors import SourceRefused
from cashtag.lake import layout
from cashtag.lake.lines import LEVEL
from cashtag.ports import Fetched, Kind, SourceHealth, Store
from cashtag.redaction import redacted
from cashtag.scrape import broker, finder, listing
from cashtag.scrape.addresses import host_of
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.envelope import line
from cashtag.scrape.fetch import fetch, fetch_json
from cashtag.scrape.held import Held
from cashtag.settings import Settings

KIND: Kind = "trending"
PAGE = "finder.html"
YESTERDAY = "yesterday"
# Best first: which list counts where two scrapes of a run, at once, left one each.
SITES = ("finder", "apewisdom", "stocktwits", "alpaca", YESTERDAY)
# In the manifest `alpaca` is a source of prices.
_TOLD_AS = {"alpaca": "most-actives"}
_DAY = timedelta(days=1)

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class _List:
    """What one site lists, best first, and from where; `note` is worth knowing about it."""

    query: str
    rows: tuple[Mapping[str, Any], ...]
    note: str | None = None


class Trending:
    """The chain of `scrape.trending.chain`: the first site that lists enough symbols wins."""

    def __init__(self, settings: Settings, raw: Store, keys: AlpacaKeys | None) -> None:
        self._settings, self._raw, self._keys = settings, raw, keys
        self._rules = settings.scrape.trending
        self._health: tuple[SourceHealth, ...] = ()

    def fetch(self, dt: date, known: Held, until: Deadline) -> tuple[Fetched, ...]:
        """Ask one site after the other until one answers; return what is to be kept of each.

        A site that refuses leaves its reason, and Finder its page whatever it holds. When all
        refuse nothing is raised: no list is among what is returned, and `health` says why.
        """
        kept: list[Fetched] = []
        health: list[SourceHealth] = []
        for source in self._rules.chain:
            name, requests = _TOLD_AS.get(source, source), self._requests(source)
            try:
                found = self._ask(source, dt, until, kept)
            except SourceRefused as refusal:
                reason = redacted(str(refusal))
                kept.append(Fetched(KIND, None, "refused", reason, source=source))
                health.append(SourceHealth(name, "refused", reason, requests))
                continue
            at = datetime.now(UTC).isoformat(timespec="seconds")
            told = tuple(line(source, at, found.query, row) for row in found.rows)
            kept.append(Fetched(KIND, None, "ok", found.note, lines=told, source=source))
            note = f"{len(found.rows)} symbols{f', {found.note}' if found.note else ''}"
            health.append(SourceHealth(name, "ok", note, requests))
            break
        self._health = (*health, _whole(health))
        return tuple(kept)

    def health(self) -> tuple[SourceHealth, ...]:
        """How each site that was asked came through, and `trending` as a whole."""
        return self._health

    def _requests(self, source: str) -> int:
        return int(source != YESTERDAY and (source != "alpaca" or self._keys is not None))

    def _ask(self, source: str, dt: date, until: Deadline, kept: list[Fetched]) -> _List:
        if source == "finder":
            return self._finder(until, kept)
        if source == "apewisdom":
            return self._apewisdom(until)
        if source == "stocktwits":
            return self._stocktwits(until)
        if source == "alpaca":
            return self._most_actives(until)
        return self._earlier(dt)

    def _finder(self, until: Deadline, kept: list[Fetched]) -> _List:
        page = fetch(self._rules.url, self._settings, until)
        packed = gzip.compress(page.body, LEVEL, mtime=0)
        kept.append(Fetched(KIND, None, "ok", source="finder", document=PAGE, packed=packed))
        # Old and new name of a company may both be listed: they are one.
        enough = max(self._rules.top, self._rules.minimum) + len(self._settings.tickers.aliases)
        rows, words = finder.rows(
            page.body,
            page.headers.get("content-type", ""),
            enough=enough,
            most_tags=self._settings.live.trending.max_tags,
        )
        return self._best(self._rules.url, rows, words)

    def _apewisdom(self, until: Deadline) -> _List:
        url = self._settings.live.trending.apewisdom_url
        rows = _list_in(fetch_json(url, self._settings, until), "results", url)
        return self._best(url, sorted(rows, key=_rank))

    def _stocktwits(self, until: Deadline) -> _List:
        url = self._settings.live.trending.stocktwits_url
        return self._best(url, _list_in(fetch_json(url, self._settings, until), "symbols", url))

    def _most_actives(self, until: Deadline) -> _List:
        if self._keys is None:
            raise SourceRefused(
                "no Alpaca keys are set up (live.alpaca.credentials_secret or live.secrets_file)"
            )
        found = broker.most_actives(self._settings, self._keys, self._rules.top, until)
        return self._best(found.url, found.rows)

    def _earlier(self, dt: date) -> _List:
        """The newest list of the days before, but for one that was itself taken from before."""
        days = self._settings.live.trending.yesterday_days
        for age in range(1, days + 1):
            for key, rows in _recorded(_lists(self._raw, dt - age * _DAY)):
                if key.source != YESTERDAY:
                    old = f"the list of {key.dt} from {key.source}, {age} day{'s'[: age > 1]} old"
                    return replace(self._best(str(key), rows), note=old)
        raise SourceRefused(
            f"raw holds no list of the {days} days before {dt} (live.trending.yesterday_days)"
        )

    def _best(self, query: str, rows: Rows, instead: str = "") -> _List:
        found = listing.best(
            rows,
            lambda symbol: tickers.canonical(self._settings, symbol),
            top=self._rules.top,
            minimum=self._rules.minimum,
            where=host_of(query),
            instead=instead,
        )
        return _List(query, found)


def recorded(known: Held) -> tuple[str, ...]:
    """The run's trending tickers as its first scrape kept them, best first; empty if it had none.

    In upper case, with dots; aliases are the caller's to follow, who has the settings.
    """
    for _, rows in _recorded(known):
        return _symbols(rows)
    return ()


def tickers_of(fetched: Iterable[Fetched]) -> tuple[str, ...]:
    """The trending tickers in what `Trending.fetch` returned, best first, as `recorded` has them."""
    return _symbols(
        orjson.loads(told)["data"] for one in fetched if one.kind == KIND for told in one.lines
    )


def _recorded(known: Held) -> Iterator[tuple[layout.RawKey, tuple[Mapping[str, Any], ...]]]:
    """Each list of a run that holds a symbol, the one that counts first."""
    best_first = {source: at for at, source in enumerate(SITES)}
    for key in sorted(
        known.of(KIND), key=lambda key: (best_first.get(key.source, len(SITES)), key.number)
    ):
        rows = tuple(envelope["data"] for envelope in replace(known, keys=(key,)).envelopes(KIND))
        if _symbols(rows):
            yield key, rows


def _lists(raw: Store, dt: date) -> Held:
    """A run as `Held`, of its lists alone."""
    found = (layout.parse_raw(info.key) for info in raw.list(layout.raw_prefix(KIND, dt)))
    return Held(raw, dt, tuple(key for key in found if key is not None), {})


def _symbols(rows: Rows) -> tuple[str, ...]:
    found = (listing.symbol_of(row) for row in rows)
    return tuple(dict.fromkeys(symbol for symbol in found if symbol is not None))


def _list_in(answer: Any, field: str, url: str) -> list[Mapping[str, Any]]:
    rows = answer.get(field) if isinstance(answer, dict) else None
    if not isinstance(rows, list):
        raise SourceRefused(f"{host_of(url)} answered JSON without a list `{field}`")
    return [row for row in rows if isinstance(row, dict)]


def _rank(row: Mapping[str, Any]) -> float:
    """Place in the list, from a number or its text; last where there is none."""
    text = str(row.get("rank", "")).strip()
    return float(text) if text.isdecimal() else math.inf


def _whole(health: list[SourceHealth]) -> SourceHealth:
    """The chain as one source: who gave the list, and what was wrong with those before."""
    refused = [f"{row.name}: {row.reason}" for row in health if row.status == "refused"]
    given = [f"{row.name}: {row.reason}" for row in health if row.status == "ok"]
    return SourceHealth(
        KIND,
        "ok" if given else "refused",
        "; ".join([*given, *refused]),
        sum(row.requests for row in health),
    )
