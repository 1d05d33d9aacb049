"""One reader per source format: what the source returned -> the fields of a post.

Three formats: twscrape's tweet JSON (live and sample), Twitter API v1.1, and an element of the
reference pipeline's arrays. A reader names fields and judges none but id and text, so that whole
columns can be checked at once later; it returns, whatever the fields hold, and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Data = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.A)
_CUT = "…"
_NOBODY: Data = {}


class Post(NamedTuple):
    """One post as its source states it: fields of type Any hold any JSON value, or None."""

    tweet_id: str
    created_at: Any
    """A moment as text, in one of the shapes of `moments`."""
    text: str
    """Not yet cleaned."""
    author: Any
    author_name: Any
    author_followers: Any
    author_created_at: Any
    author_verified: Any
    lang: Any
    url: Any
    likes: Any
    retweets: Any
    replies: Any
    quotes: Any
    views: Any
    is_retweet: bool
    is_reply: bool
    is_quote: bool


def twscrape(data: Data) -> Post | str:
    """Read a tweet as twscrape writes it (`Tweet.json()`), or say `no-id`, `no-text`."""
    tweet_id = data.get("id_str")
    if type(tweet_id) is not str or not (tweet_id.isdecimal() and tweet_id.isascii()):
        tweet_id = _identity(tweet_id, data.get("id"))
    text = data.get("rawContent")
    if tweet_id is None or type(text) is not str:
        return "no-id" if tweet_id is None else "no-text"
    user = data.get("user")
    if type(user) is not dict:
        user = _NOBODY
    original = data.get("retweetedTweet")
    if original is not None and text.endswith(_CUT):
        text = _restored(text, original, "username", lambda tweet: tweet.get("rawContent"))
    return Post(
        tweet_id,
        data.get("date"),
        text,
        user.get("username"),
        user.get("displayname"),
        user.get("followersCount"),
        user.get("created"),
        # Verified by the old rule, or paying: both are people who gave a name.
        True if user.get("blue") is True else user.get("verified"),
        data.get("lang"),
        data.get("url"),
        data.get("likeCount"),
        data.get("retweetCount"),
        data.get("replyCount"),
        data.get("quoteCount"),
        data.get("viewCount"),
        original is not None or text.startswith("RT @"),
        data.get("inReplyToTweetId") is not None,
        data.get("quotedTweet") is not None or data.get("isQuoteStatus") is True,
    )


def twitter_v1(data: Data) -> Post | str:
    """Read a status of Twitter's API v1.1 (compatible, extended or streaming), or say why not."""
    tweet_id = data.get("id_str")
    if type(tweet_id) is not str or not (tweet_id.isdecimal() and tweet_id.isascii()):
        tweet_id = _identity(tweet_id, data.get("id"))
    text = data.get("text")
    if type(text) is not str or "full_text" in data or "extended_tweet" in data:
        text = _v1_text(data)
    if tweet_id is None or type(text) is not str:
        return "no-id" if tweet_id is None else "no-text"
    user = data.get("user")
    if type(user) is not dict:
        user = _NOBODY
    original = data.get("retweeted_status")
    if original is not None and text.endswith(_CUT):
        text = _restored(text, original, "screen_name", _v1_text)
    return Post(
        tweet_id,
        data.get("created_at"),
        text,
        user.get("screen_name"),
        user.get("name"),
        user.get("followers_count"),
        user.get("created_at"),
        user.get("verified"),
        data.get("lang"),
        None,
        data.get("favorite_count"),
        data.get("retweet_count"),
        data.get("reply_count"),
        data.get("quote_count"),
        None,
        original is not None or text.startswith("RT @"),
        data.get("in_reply_to_status_id") is not None,
        data.get("quoted_status") is not None or data.get("is_quote_status") is True,
    )


def reference(data: Data) -> Post | str:
    """Read an element of the reference pipeline's JSON arrays, raw or enriched, or say why not."""
    tweet_id = _identity(data.get("id_str"), data.get("id"))
    text = data.get("content")
    if tweet_id is None or type(text) is not str:
        return "no-id" if tweet_id is None else "no-text"
    return Post(
        tweet_id,
        data.get("created_at"),
        text,
        data.get("username"),
        data.get("display_name"),
        None,
        None,
        None,
        None,
        data.get("url"),
        data.get("likes"),
        data.get("retweets"),
        data.get("replies"),
        None,
        None,
        text.startswith("RT @"),
        False,
        False,
    )


READERS: Mapping[str, Callable[[Data], Post | str]] = {
    "synthetic": twscrape,
    "x": twscrape,
    "twscrape": twscrape,
    "twitter-v1": twitter_v1,
    "reference": reference,
}
"""Envelope source -> reader."""


def stated_symbols(data: Data) -> list[str]:
    """Return the symbols that the source itself states, as written, in any of the formats.

    A post may be cut before its cashtag; the source's own entities come from the whole post.
    """
    entities = data.get("entities")
    found = [data.get("ticker")]
    for listed in (
        data.get("cashtags"),
        entities.get("symbols") if type(entities) is dict else None,
    ):
        if type(listed) is list:
            found += [item.get("text") if type(item) is dict else item for item in listed]
    return [symbol.lstrip("$") for symbol in found if type(symbol) is str]


def _v1_text(status: Data) -> object:
    extended = status.get("extended_tweet")
    texts = (
        extended.get("full_text") if type(extended) is dict else None,
        status.get("full_text"),
        status.get("text"),
    )
    return next((text for text in texts if type(text) is str), None)


def _restored(cut: str, original: object, name: str, text_of: Callable[[Data], object]) -> str:
    """The text of a retweet that the source cut off: `RT @author: ` and the whole original."""
    whole = text_of(original) if type(original) is dict else None
    author = original.get("user") if type(original) is dict else None
    if type(whole) is not str or type(author) is not dict or type(author.get(name)) is not str:
        return cut
    return f"RT @{author[name]}: {whole}"


def _identity(text: object, number: object) -> str | None:
    """The id as text. A float has lost its last digits beyond 2^53, so it is no id."""
    if type(text) is str and _ID.fullmatch(text):
        return text
    if type(number) is int and number > 0:
        return str(number)
    return number if type(number) is str and _ID.fullmatch(number) else None
