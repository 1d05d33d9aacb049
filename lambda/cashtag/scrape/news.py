"""News feeds of a run: all at once, one request at a time to each host, each answer as it comes.

A feed that raw holds already is not asked again; one that an earlier run kept is asked whether
it has changed since. The filings of a day at the SEC are several pages of one feed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from cashtag.errors import SourceRefused
from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.redaction import redacted
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.envelope import fitted
from cashtag.scrape.feed_doors import Doors, is_sec
from cashtag.scrape.feed_items import Read
from cashtag.scrape.feed_versions import Version, validators, versions
from cashtag.scrape.feeds import read_apart
from cashtag.scrape.fetch import Page, fetch
from cashtag.scrape.held import Held
from cashtag.settings import Settings
from cashtag.settings.live import Feed

_NOT_MODIFIED = 304
_LATE = "the deadline came first (live.step_seconds)"


class News:
    """Every feed of `live.news.feeds`."""

    name = "news"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rows: dict[str, SourceHealth] = {}
        self._requests: dict[str, int] = {}
        self._held = 0

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield one answer a feed, as they come: ok with its items, empty, or refused."""
        there = held.sources(self.name)
        feeds = [feed for feed in self._settings.live.news.feeds if feed.name not in there]
        self._held = len(self._settings.live.news.feeds) - len(feeds)
        self._rows = {feed.name: SourceHealth(feed.name, "refused", _LATE) for feed in feeds}
        self._requests = dict.fromkeys(self._rows, 0)
        if not feeds:
            return
        paged = [feed for feed in feeds if _filings(feed.url)]
        known = versions(
            held.raw, day.dt, [feed for feed in feeds if feed not in paged], self._settings
        )
        visit = _Visit(day, until, Doors(self._settings.live.news.sec_requests_per_second))
        pool = ThreadPoolExecutor(len(feeds), thread_name_prefix="feed")
        asked = {
            pool.submit(self._ask, feed, visit, known.get(feed.name)): feed.name for feed in feeds
        }
        defects: list[BaseException] = []
        try:
            for done in _ended(asked, until):
                error = done.exception()
                if error is not None and not isinstance(error, SourceRefused):
                    defects.append(error)
                yield self._noted(asked[done], done.result() if error is None else error)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if defects:
            raise defects[0]  # of ours: told after everything else was handed on

    def health(self) -> tuple[SourceHealth, ...]:
        """One row a feed that was asked, and `news`, which is refused when every feed is."""
        rows = tuple(self._rows[name] for name in sorted(self._rows))
        if not rows:
            return ()
        requests = sum(row.requests for row in rows)
        refused = [row for row in rows if row.status == "refused"]
        if len(refused) == len(rows) and not self._held:
            why = "; ".join(f"{row.name}: {row.reason}" for row in rows)
            return (*rows, SourceHealth(self.name, "refused", why, requests))
        some = self._held or any(row.status == "ok" for row in rows)
        told = f"refused: {', '.join(row.name for row in refused)}" if refused else None
        return (*rows, SourceHealth(self.name, "ok" if some else "empty", told, requests))

    def _noted(self, name: str, answer: Fetched | BaseException) -> Fetched:
        if isinstance(answer, BaseException):
            why = redacted(str(answer)) or type(answer).__name__
            answer = Fetched("news", None, "refused", why, source=name)
        self._rows[name] = SourceHealth(name, answer.status, answer.reason, self._requests[name])
        return answer

    def _ask(self, feed: Feed, visit: _Visit, known: Version | None) -> Fetched:
        if is_sec(feed.url) and not self._settings.live.contact.strip():
            raise SourceRefused(
                "the SEC answers nobody who does not say who asks: set live.contact to an e-mail "
                "address"
            )
        page = self._page(feed, feed.url, visit, known.headers if known else {})
        if page.status == _NOT_MODIFIED:
            if known is None:
                raise SourceRefused("it answered 304 to a request that names no version")
            since = f"not modified since the run of {known.dt}"
            return Fetched("news", None, "empty", since, source=feed.name)
        first = self._document(feed, page, visit)
        older, note = self._older(feed, first, visit)
        documents = [first, *older]
        found = _lines(feed, visit.day, documents)
        why = _reason([one.read for one in documents], note)
        return Fetched("news", None, "ok" if found else "empty", why, lines=found, source=feed.name)

    def _page(
        self, feed: Feed, url: str, visit: _Visit, headers: Mapping[str, str] | None = None
    ) -> Page:
        with visit.doors.entered(url, visit.until):
            self._requests[feed.name] += 1
            return fetch(url, self._settings, visit.until, headers=headers)

    def _document(self, feed: Feed, page: Page, visit: _Visit, url: str | None = None) -> _Document:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        read = read_apart(page, feed.name, self._settings, visit.until)
        # Of a document that is cut off or broken, the rest is to be had by asking again.
        version = validators(page.headers) if read.fault is None and url is None else {}
        return _Document(url or feed.url, at, read, version)

    def _older(
        self, feed: Feed, first: _Document, visit: _Visit
    ) -> tuple[list[_Document], str | None]:
        """Pages of filings after the first, back to the lookback, and why they end before it."""
        a_page = _filings(feed.url)
        if a_page is None:
            return [], None
        since = visit.day.cutoff - timedelta(hours=self._settings.scrape.lookback_hours)
        older: list[_Document] = []
        known = first.read
        seen = {item["id"] for item in known.items}
        for number in range(1, self._settings.live.news.sec_pages):
            if len(known.items) < a_page or _oldest(known, since) < since:
                return older, None
            url = f"{feed.url}&start={number * a_page}"
            try:
                one = self._document(feed, self._page(feed, url, visit), visit, url)
            except SourceRefused as refusal:
                return older, f"older filings than those of {number} pages were refused: {refusal}"
            known = one.read
            new = {item["id"] for item in known.items} - seen
            if not new:
                return older, None
            seen |= new
            older.append(one)
        if len(known.items) < a_page or _oldest(known, since) < since:
            return older, None
        return older, "older filings were left (live.news.sec_pages)"


@dataclass(frozen=True)
class _Visit:
    """What all feeds of a fetch share."""

    day: Day
    until: Deadline
    doors: Doors


@dataclass(frozen=True)
class _Document:
    """One answer of a feed, read."""

    url: str
    at: str
    read: Read
    version: Mapping[str, str]


def _lines(feed: Feed, day: Day, documents: list[_Document]) -> tuple[bytes, ...]:
    """The items as envelopes; what moved on to the next page meanwhile is there once.

    What the run looks for is part of the query: enrichment finds those tickers by this object
    alone, whatever else raw holds by then.
    """
    found: list[bytes] = []
    seen: set[bytes] = set()
    for one in documents:
        query = {"url": one.url, "tickers": list(day.tickers), **one.version}
        for item in one.read.items:
            said = orjson.dumps(item)
            if said not in seen:
                seen.add(said)
                head = {"source": feed.name, "scraped_at": one.at, "query": query}
                found.append(fitted(orjson.dumps({**head, "data": orjson.Fragment(said)})))
    return tuple(found)


def _ended(asked: Mapping[Future[Fetched], str], until: Deadline) -> Iterator[Future[Fetched]]:
    """Feeds as they end, until the deadline; the others end by themselves, it bounds them too."""
    try:
        yield from as_completed(asked, timeout=until.left)
    except TimeoutError:
        return


def _filings(url: str) -> int | None:
    """How many filings a page of EDGAR's latest ones holds; None for any other address."""
    if not is_sec(url):
        return None
    query = parse_qs(urlsplit(url).query)
    if query.get("action") != ["getcurrent"] or "start" in query:
        return None
    count = query.get("count", [""])[0]
    return int(count) if count.isdecimal() and int(count) else None


def _oldest(read: Read, otherwise: datetime) -> datetime:
    """When the oldest item was published; `otherwise` where no item is dated."""
    dates = [item["published"] for item in read.items if item["published"] is not None]
    return min(map(datetime.fromisoformat, dates), default=otherwise)


def _reason(reads: list[Read], note: str | None) -> str | None:
    """What a reader of the run's health should know of a feed that answered; None for nothing."""
    counted: list[tuple[int, str]] = [
        (sum(read.sponsored for read in reads), "sponsored left out"),
        (sum(read.undated for read in reads), "without a date"),
        (sum(read.cut_off for read in reads), "cut off in the middle and left out"),
    ]
    said: list[Any] = [f"{n} {what}" for n, what in counted if n]
    said += [f"not well-formed ({read.fault})" for read in reads if read.fault]
    return "; ".join([*said, *filter(None, [note])]) or None
