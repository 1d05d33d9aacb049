"""Row-local facts of posts as Arrow columns: session, hour, weights, flags, keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from cashtag import sessions
from cashtag.enrich import authenticity as signs
from cashtag.enrich import values
from cashtag.enrich.clean import clean, text_keys
from cashtag.enrich.influence import engagement_factor, influence
from cashtag.enrich.moments import (
    DAY_MS,
    HOUR_MS,
    day_of,
    epoch_day,
    milliseconds,
    milliseconds_of,
    moment,
)
from cashtag.enrich.readers import Post
from cashtag.enrich.values import filled
from cashtag.tickers import Vocabulary

if TYPE_CHECKING:
    from cashtag.settings import Settings

# twitter-text's hashtag without its list of scripts: `#`, also full-width, not inside a word or
# an address. As with cashtags, what stands before is checked after the jump to `#`.
_HASHTAG = re.compile(r"#(?<![\w&/]#)(\w+)")
_NO_LETTER = "0123456789_"
_ADDRESS = re.compile(r"https://[!-~]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_UNDETERMINED = "und"


@dataclass(frozen=True, slots=True)
class Posts:
    """n posts that become rows, with what their lines and texts say beyond them."""

    posts: Sequence[Post]
    created_at: Sequence[int]
    """In ms of 1970, UTC."""
    texts: Sequence[str]
    """Cleaned."""
    cashtags: Sequence[list[str]]
    """Distinct symbols after aliases, in order."""
    sources: Sequence[str]
    scraped_at: Sequence[str | None]


def columns(settings: Settings, words: Vocabulary, ticker: str, rows: Posts) -> dict[str, pa.Array]:
    """Return the columns of the `tweets` contract that need no model, n values each.

    Engagement counts only where it was collected no later than `scraped_within_hours` after the
    cutoff of the run that the post belongs to: later counts say nothing about what was known.
    """
    n = len(rows.posts)
    if not n:
        return _columns_of_nothing()
    post = Post._make(zip(*rows.posts, strict=True))  # a Post of columns
    texts, cashtags = rows.texts, rows.cashtags
    created = np.array(rows.created_at, dtype=np.int64)
    run = runs(settings, created)
    authors = list(map(_author, post.author, post.tweet_id))
    scraped, in_time = _collected(settings, rows.scraped_at, run)

    counts = {
        name: values.counts(getattr(post, name))
        for name in ("likes", "retweets", "replies", "quotes", "views")
    }
    engagement = np.zeros(n, dtype=np.int64)
    any_count = np.zeros(n, dtype=bool)
    for name in ("likes", "retweets", "replies", "quotes"):
        if counts[name].null_count < n:
            engagement += filled(counts[name], 0)
            any_count |= np.asarray(counts[name].is_valid())
    counted = any_count & in_time

    followers = values.counts(post.author_followers)
    account = pa.array(map(milliseconds, post.author_created_at), pa.int64())
    verified = values.booleans(post.author_verified)
    key = _key_influencers(settings, words, ticker, authors, cashtags, texts)

    folded = [text.casefold() for text in texts]
    n_cashtags = np.fromiter(map(len, cashtags), dtype=np.int64, count=n)
    marks = {
        signs.STUFFING: signs.stuffed(settings, n_cashtags),
        signs.HALF_STUFFING: signs.half_stuffed(settings, n_cashtags),
        signs.YOUNG_ACCOUNT: signs.young(settings, created, filled(account, 0)),
        signs.PROMO: signs.promotional(settings, folded),
        signs.FEW_LIKES: in_time
        & (
            filled(counts["likes"], settings.scrape.min_likes_flag) < settings.scrape.min_likes_flag
        ),
    }
    return {
        "tweet_id": pa.array(post.tweet_id, pa.string()),
        "ticker": pa.repeat(pa.scalar(ticker), n),
        "created_at": pa.array(created).view(pa.timestamp("ms")),
        "scraped_at": scraped.view(pa.timestamp("ms")),
        "session": sessions_of(settings, run),
        "hour_ny": _hours(created),
        "source": pa.array(rows.sources, pa.string()),
        "author": pa.array(authors, pa.string()),
        "author_name": pa.array(map(_line, post.author_name), pa.string()),
        "author_followers": followers,
        "author_created_at": account.view(pa.timestamp("ms")),
        "author_verified": verified,
        "lang": pa.array(map(_language, post.lang), pa.string()),
        "text": pa.array(texts, pa.string()),
        "url": pa.array(map(_address, post.url, authors, post.tweet_id), pa.string()),
        **counts,
        "cashtags": pa.array(cashtags, pa.list_(pa.string())),
        "hashtags": pa.array(map(hashtags, texts), pa.list_(pa.string())),
        "is_retweet": pa.array(post.is_retweet, pa.bool_()),
        "is_reply": pa.array(post.is_reply, pa.bool_()),
        "is_quote": pa.array(post.is_quote, pa.bool_()),
        "influence": pa.array(
            influence(settings, filled(followers, -1), filled(verified, False), key)
        ),
        "is_key_influencer": pa.array(key),
        "engagement": pa.array(engagement, mask=~any_count),
        "engagement_factor": pa.array(engagement_factor(settings, engagement, counted)),
        "authenticity": pa.array(signs.authenticity(settings, marks)),
        "flags": pa.array(signs.flags(marks), pa.list_(pa.string())),
        "text_key": pa.array(text_keys(folded), pa.string()),
    }


def calendar_ms(settings: Settings) -> tuple[int, int]:
    """Return the first moment that has a session, and the first that has none any more, in ms."""
    return _calendar_ms(settings.scrape.cutoff_utc)


@lru_cache(maxsize=8)
def _calendar_ms(cutoff: str) -> tuple[int, int]:
    first, last = sessions.first_session(), sessions.last_session()
    first_ms, last_ms = (milliseconds_of(sessions.cutoff(day, cutoff)) for day in (first, last))
    return first_ms, last_ms


def runs(settings: Settings, created: np.ndarray) -> np.ndarray:
    """Return the day since 1970 of the run with the first cutoff strictly after each moment."""
    return (created - _cutoff_ms(settings.scrape.cutoff_utc)) // DAY_MS + 1


@lru_cache(maxsize=8)
def _cutoff_ms(cutoff: str) -> int:
    day = sessions.first_session()
    return milliseconds_of(sessions.cutoff(day, cutoff)) - epoch_day(day) * DAY_MS


def sessions_of(settings: Settings, run: np.ndarray) -> pa.Array:
    """Return the session that each run, a day since 1970, serves; date32."""
    at = settings.scrape.cutoff_utc
    return pa.array([_session_of(day, at) for day in run.tolist()], pa.int32()).view(pa.date32())


@lru_cache(maxsize=16384)
def _session_of(run: int, cutoff: str) -> int:
    return epoch_day(sessions.session_of_run(day_of(run), cutoff))


def _hours(created: np.ndarray) -> pa.Array:
    return pa.array(list(map(_hour_ny, (created // HOUR_MS).tolist())), pa.int32())


@lru_cache(maxsize=65536)  # seven years of hours
def _hour_ny(hour: int) -> int:
    return sessions.hour_ny(moment(hour * HOUR_MS))


def _collected(
    settings: Settings, stamps: Sequence[str | None], run: np.ndarray
) -> tuple[pa.Array, np.ndarray]:
    """When each post was collected, in ms, and whether that was in time for its counts."""
    read = {stamp: milliseconds(stamp) for stamp in set(stamps)}
    scraped = [read[stamp] for stamp in stamps]
    allowed = round(settings.enrich.engagement.scraped_within_hours * HOUR_MS)
    latest = (run * DAY_MS + _cutoff_ms(settings.scrape.cutoff_utc) + allowed).tolist()
    in_time = [at is not None and at <= by for at, by in zip(scraped, latest, strict=True)]
    return pa.array(scraped, pa.int64()), np.array(in_time, dtype=bool)


def _key_influencers(
    settings: Settings,
    words: Vocabulary,
    ticker: str,
    authors: Sequence[str],
    cashtags: Sequence[list[str]],
    texts: Sequence[str],
) -> np.ndarray:
    """Whose author is a key influencer of a stock that the post mentions: its own, or another."""
    stocks: dict[str, list[str]] = {}
    for stock in words.watched:
        for name in settings.watchlist.stocks[stock].key_influencers:
            stocks.setdefault(name.casefold(), []).append(stock)
    key = np.zeros(len(authors), dtype=bool)
    for i, author in enumerate(authors):
        for stock in stocks.get(author.casefold(), ()):
            if stock == ticker or stock in cashtags[i] or words.names(stock, texts[i]):
                key[i] = True
    return key


def hashtags(text: str) -> Sequence[str]:
    """Return the distinct hashtags of a cleaned text, in order, in lower case, without `#`."""
    if "＃" in text:
        text = text.replace("＃", "#")
    if "#" not in text:
        return ()
    found = _HASHTAG.findall(text.lower())
    return [tag for tag in dict.fromkeys(found) if tag.strip(_NO_LETTER)]


def _author(name: object, tweet_id: str) -> str:
    """The screen name; where the source has none, a name that no two posts share."""
    if type(name) is not str:
        return f"unknown-{tweet_id}"
    if name.isascii() and name.isidentifier():
        return name
    return clean(name).lstrip("@").replace(" ", "") or f"unknown-{tweet_id}"


def _line(text: object) -> str | None:
    return clean(text) or None if type(text) is str else None


def _language(lang: object) -> str | None:
    if type(lang) is not str or lang == "en":
        return lang if lang == "en" else None
    code = lang.lower().split("-")[0]
    return code if _LANGUAGE.fullmatch(code) and code != _UNDETERMINED else None


def _address(url: object, author: str, tweet_id: str) -> str:
    """The source's address if it is one, else where X shows the post."""
    if type(url) is str and _ADDRESS.fullmatch(url):
        return url
    return f"https://x.com/{author}/status/{tweet_id}"


def _columns_of_nothing() -> dict[str, pa.Array]:
    from cashtag.lake.contracts import contract

    schema = contract("tweets").arrow_schema()
    return {field.name: pa.array([], field.type) for field in schema}
