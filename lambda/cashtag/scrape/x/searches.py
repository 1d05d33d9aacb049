"""What is still to be asked of each ticker, and what was found and not yet handed over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import orjson

from cashtag.ports import Day, Fetched, Status
from cashtag.scrape.held import Held
from cashtag.scrape.x import queries
from cashtag.scrape.x.pages import Found, Page
from cashtag.scrape.x.refusals import Refusal
from cashtag.settings import Settings

Name = Literal["cashtag", "keywords"]


@dataclass(eq=False)
class Search:
    """One query, page by page, until it has enough or X has no more.

    `most_hits` and `most_pages` are enough; 0 means no limit. A search goes on at `cursor`; one
    from an earlier call may have gone stale, and the search then begins again, once.
    """

    name: Name
    query: str
    most_hits: int
    most_pages: int
    empty_pages: int
    cursor: str | None = None
    pages: int = 0
    hits: int = 0
    answered: bool = False
    done: bool = False
    refusal: Refusal | None = None
    resumed: bool = False
    attempts: int = 0
    tried: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _empty: int = 0

    @property
    def open(self) -> bool:
        """Whether a page is still to be asked for."""
        return not self.done and self.refusal is None

    def leaves_nothing(self, page: Page) -> bool:
        """Whether the search would end with this page without having found anything."""
        return not page.hits and not self.hits and not self.resumed and self._ends_empty(page)

    def take(self, page: Page, known: set[str]) -> tuple[Found, ...]:
        """Move on behind `page`; return what of it is new, and add that to `known` ids."""
        self.attempts, self.tried = 0, set()
        self.answered = True
        if not page.hits:
            self._take_nothing(page)
            return ()
        stale = all(hit.tweet_id in self._seen for hit in page.hits)
        ended = page.cursor is None or page.cursor == self.cursor or stale
        self._seen |= {hit.tweet_id for hit in page.hits}
        self.cursor, self.resumed = page.cursor, False
        self.pages += 1
        hits = [hit for hit in page.hits if hit.tweet_id not in known]
        left_out: Sequence[Found] = ()
        if self.most_hits:
            room = self.most_hits - self.hits
            hits, left_out = hits[:room], hits[room:]
        self.hits += len(hits)
        enough = (self.most_hits and self.hits >= self.most_hits) or (
            self.most_pages and self.pages >= self.most_pages
        )
        self.done = bool(ended or enough)
        with_others = {hit.quoted for hit in left_out} - {hit.quoted for hit in hits}
        beside = [
            one
            for one in page.beside
            if one.tweet_id not in known and one.tweet_id not in with_others
        ]
        kept = (*hits, *beside)
        known |= {one.tweet_id for one in kept}
        return kept

    def _ends_empty(self, page: Page) -> bool:
        # X fills a first page with suggestions now and then; what it found stands behind those.
        more = page.cursor is not None and page.cursor != self.cursor
        return not more or self.hits > 0 or self._empty + 1 >= self.empty_pages

    def _take_nothing(self, page: Page) -> None:
        if self.resumed:
            self.begin_again()
        elif self._ends_empty(page):
            self.done = True
        else:
            self._empty += 1
            self.cursor = page.cursor

    def begin_again(self) -> None:
        """Forget a cursor of an earlier call: nothing stands behind it any more, or it is refused."""
        self.cursor, self.resumed, self.pages = None, False, 0
        self.attempts, self.tried = 0, set()

    def refused(self, refusal: Refusal, account: str, attempts: int) -> None:
        """Take note of a refusal: the page goes to another account, so many times."""
        self.tried.add(account)
        if refusal.scope in ("page", "source", "outdated"):
            self.attempts += 1
        if self.attempts < attempts:
            return
        if self.resumed and refusal.scope == "page":
            self.begin_again()
        else:
            self.refusal = refusal

    def state(self) -> list[object]:
        """Where it stands, for `resume`."""
        return [self.cursor, self.pages, self.hits]

    def resume(self, state: object) -> None:
        """Go on where an earlier call stood."""
        match state:
            case [str() | None as cursor, int() as pages, int() as hits]:
                self.cursor, self.pages, self.hits = cursor, pages, hits
                self.resumed = cursor is not None
                self.answered = pages > 0
            case _:
                self.done = True  # it had ended


@dataclass(eq=False)
class Harvest:
    """The searches of one ticker, and its tweets that wait to be handed over.

    `known` are ids that raw or this harvest holds; `per_part` pages make a part.
    """

    ticker: str
    searches: tuple[Search, ...]
    known: set[str]
    per_part: int
    kept_before: bool = False
    """Whether an earlier call found something."""
    unread: int = 0
    _lines: list[bytes] = field(default_factory=list)
    _newest: datetime | None = None
    _pages: int = 0
    _told: tuple[object, ...] | None = None

    def __post_init__(self) -> None:
        if self.kept_before:
            self._told = ("ok", None, self._cursor())

    @property
    def open(self) -> bool:
        """Whether anything is still to be asked for."""
        return any(search.open for search in self.searches)

    def take(self, search: Search, page: Page) -> None:
        """Add a page."""
        found = search.take(page, self.known)
        self._lines += [one.line for one in found]
        moments = [one.created_at for one in found]
        self._newest = max([*moments, *([self._newest] if self._newest else [])], default=None)
        self._pages += 1
        self.unread += page.unread

    def due(self) -> Fetched | None:
        """A part that is ready: so many pages, or the end of all searches."""
        if not self.open:
            return self.last(None)
        if self._lines and self._pages >= self.per_part and self._cashtag.answered:
            return self._part()
        return None

    def last(self, reason: str | None) -> Fetched | None:
        """Whatever was not handed over; `reason` is why the searches that are open stay so."""
        cashtag = self._cashtag
        why = str(cashtag.refusal) if cashtag.refusal else reason
        if not cashtag.answered and not self.kept_before:
            return self._say("refused", why)
        if self._lines or self.kept_before or any(search.hits for search in self.searches):
            return self._part()
        return self._say("refused", why) if not cashtag.done else self._say("empty", None)

    @property
    def _cashtag(self) -> Search:
        return self.searches[0]

    def _part(self) -> Fetched | None:
        return self._say("ok", None)

    def _cursor(self) -> str | None:
        """Where its unfinished searches stand, for a later call; None when all have ended."""
        unfinished = {one.name: one.state() for one in self.searches if not one.done}
        return orjson.dumps(unfinished).decode() if unfinished else None

    def _say(self, status: Status, reason: str | None) -> Fetched | None:
        cursor = self._cursor() if status == "ok" else None
        told = (status, reason, cursor)
        if told == self._told and not self._lines:
            return None
        lines, self._lines, self._pages, self._told = tuple(self._lines), [], 0, told
        newest, self._newest = self._newest, None
        return Fetched(
            "tweets",
            self.ticker,
            status,
            reason,
            lines,
            source="x",
            newest=newest,
            more=cursor is not None,
            cursor=cursor,
        )


def missing(settings: Settings, day: Day, held: Held) -> tuple[Harvest, ...]:
    """What raw does not hold of a day yet, in the order of its tickers."""
    wanted = (_of(settings, day, held, ticker) for ticker in day.tickers)
    return tuple(harvest for harvest in wanted if harvest is not None)


def _of(settings: Settings, day: Day, held: Held, ticker: str) -> Harvest | None:
    """A ticker's searches; None when it was answered whole."""
    answer = held.answer(ticker)
    if answer is not None and (
        answer.status == "empty" or (answer.status == "ok" and not answer.more)
    ):
        return None
    asked, empty_pages = settings.scrape, settings.live.x.empty_pages
    query = queries.cashtag(settings, ticker, day.cutoff)
    searches = [Search("cashtag", query, asked.tweets_per_ticker, 0, empty_pages)]
    if words := queries.keywords(settings, ticker, day.cutoff):
        most = asked.watchlist_keyword_searches
        searches.append(Search("keywords", words, 0, most, empty_pages))
    before = answer is not None and answer.status == "ok"
    if answer is not None and before:
        _resume(searches, answer.cursor, held, ticker)
    known = set(held.tweet_ids(ticker)) if before else set()
    return Harvest(ticker, tuple(searches), known, asked.first_pages, before)


def _resume(searches: Iterable[Search], cursor: str | None, held: Held, ticker: str) -> None:
    """Let searches go on where an earlier call left them; after a kill nobody knows where."""
    if cursor is None:
        queried = [envelope.get("query") for envelope in held.envelopes("tweets", ticker)]
        for search in searches:
            search.hits = queried.count(search.query) if search.most_hits else 0
            search.done = bool(search.most_hits) and search.hits >= search.most_hits
        return
    try:
        states = orjson.loads(cursor)
    except orjson.JSONDecodeError:
        states = None
    for search in searches:
        # A cursor that is none of ours says nothing: from the start.
        if isinstance(states, dict):
            search.resume(states.get(search.name))
