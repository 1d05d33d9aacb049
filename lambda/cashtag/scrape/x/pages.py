"""One page of a search: its tweets as the client library gives them, and the cursor of the next."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from cashtag.scrape.envelope import fitted
from cashtag.scrape.x.refusals import Refusal, instructions

_HIT = re.compile(r"tweet-(\d+)", re.A)
# What reading raises when X's shape has changed.
_MISSHAPEN = (LookupError, TypeError, ValueError, AttributeError, AssertionError, RecursionError)
_AS_TWSCRAPE = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


@dataclass(frozen=True, slots=True)
class Found:
    """One tweet: its raw line, when it was written (UTC), and the tweet that it quotes."""

    tweet_id: str
    line: bytes
    created_at: datetime
    quoted: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """What one request found, in X's order.

    `hits` answer the search; `beside` came with them, quoted in them as a rule, and need not be
    about the ticker at all. `unread` counts hits that the client library could not read.
    """

    hits: tuple[Found, ...]
    beside: tuple[Found, ...]
    cursor: str | None
    unread: int = 0


def read(body: Any, query: str, at: datetime) -> Page:
    """Take a page apart; `at` (UTC) is when it came.

    Raises:
        Refusal: there are tweets, and none of them can be read.
    """
    listed = instructions(body) or []
    entries = [entry for told in listed for entry in _entries(told)]
    ids = [found[1] for entry in entries if (found := _HIT.fullmatch(str(entry.get("entryId"))))]
    tweets = {tweet.id_str: _found(tweet, query, at) for tweet in _parsed(body)}
    hits = [tweets[one] for one in ids if one in tweets]
    if ids and not hits:
        raise _unreadable(len(ids))
    if not ids:  # threads and the like come as modules, without entries of their own
        return Page(tuple(tweets.values()), (), _cursor(entries))
    beside = [tweet for one, tweet in tweets.items() if one not in ids]
    return Page(tuple(hits), tuple(beside), _cursor(entries), len(ids) - len(hits))


def _parsed(body: Any) -> Iterator[Any]:
    """Yield what twscrape's `parse_tweets` yields: it reads all tweets, those within others too.

    The same two calls, but a tweet that cannot be read is not dumped to a file in /tmp, with the
    whole page: nobody would ever find and delete the posts there.
    """
    from twscrape.models import Tweet
    from twscrape.utils import to_old_rep

    try:
        page = to_old_rep(body)
    except _MISSHAPEN:
        return
    for number, tweet in page["tweets"].items():
        if number in page["retweeted_ids"]:
            continue  # stands in the one that repeats it
        try:
            yield Tweet.parse(tweet, page)
        except _MISSHAPEN:
            continue  # counted by the caller


def _unreadable(hits: int) -> Refusal:
    return Refusal(f"none of {hits} tweets has the shape that is known; upgrade twscrape", "source")


def _entries(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Entries of one instruction: those it adds, and the one that replaces another."""
    entries = told.get("entries")
    listed = [*(entries if isinstance(entries, list) else []), told.get("entry")]
    return [entry for entry in listed if isinstance(entry, dict)]


def _cursor(entries: list[dict[str, Any]]) -> str | None:
    for entry in entries:
        content = entry.get("content")
        if isinstance(content, dict) and content.get("cursorType") == "Bottom":
            value = content.get("value")
            return value if isinstance(value, str) else None
    return None


def _found(tweet: Any, query: str, at: datetime) -> Found:
    quoted = tweet.quotedTweet
    return Found(
        tweet.id_str,
        line(tweet, query, at),
        tweet.date.astimezone(UTC),
        str(quoted.id) if quoted else None,
    )


def line(tweet: Any, query: str, at: datetime) -> bytes:
    """The raw line of one tweet: `data` is `json.loads(tweet.json())`, at a twentieth of its cost."""
    envelope = {"source": "x", "scraped_at": at.isoformat(), "query": query, "data": tweet}
    try:
        return fitted(orjson.dumps(envelope, default=_plain, option=_AS_TWSCRAPE))
    except orjson.JSONEncodeError:
        # Half a character, as when a name was cut in the middle of an emoji: no UTF-8 holds it.
        whole = json.dumps(envelope, default=_plain, ensure_ascii=False, separators=(",", ":"))
        return whole.encode("utf-8", "replace")


def _plain(value: object) -> Any:
    """What `Tweet.json` makes of a value: fields of a dataclass, and str() of everything else."""
    return vars(value) if dataclasses.is_dataclass(value) else str(value)
