"""One post as the search client's JSON object: ids, counts that fit the author, entities escaped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from voices import TWITTER_EPOCH_MS, Account

_CASHTAG = re.compile(r"(?:^|(?<=[\s(|/]))\$([A-Za-z]{1,6})(?=$|[\s.,:;!?|/)'])")
_HASHTAG = re.compile(r"(?:^|(?<=\s))#(\w*[A-Za-z]\w*)")
SITE = "https://x.example"  # a reserved domain: no link leads to anybody's post


@dataclass(frozen=True)
class Post:
    """The object, the persona behind it, and its text before entities were escaped."""

    data: dict[str, Any]
    persona: str
    text: str


def stamp(moment: datetime) -> str:
    """Return a moment as the client prints it: `2026-03-02 11:58:07+00:00`."""
    return moment.strftime("%Y-%m-%d %H:%M:%S+00:00")


def escaped(text: str) -> str:
    """Return the text with the three entities that the site writes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post_id(rng: Random, at: datetime) -> int:
    milliseconds = int(at.timestamp()) * 1000 + rng.randrange(1000)
    return ((milliseconds - TWITTER_EPOCH_MS) << 22) | rng.getrandbits(22)


def _counts(rng: Random, account: Account, copied: bool) -> dict[str, int]:
    """Return heavy-tailed counts: many posts have none, a few have thousands."""
    reach = 0.035 * (account.followers + 12) ** 0.72
    reach *= 0.15 if copied or account.persona in ("stuffer", "promo", "newsbot") else 1.0
    likes = int(reach * rng.lognormvariate(0, 1.35))
    return {
        "replyCount": int(likes * rng.uniform(0.02, 0.24) + rng.random() ** 6 * 3),
        "retweetCount": int(likes * rng.uniform(0.03, 0.22)),
        "likeCount": likes,
        "quoteCount": int(likes * rng.uniform(0, 0.04)),
        "bookmarkedCount": int(likes * rng.uniform(0, 0.12)),
        "viewCount": int((likes + 1) * rng.uniform(22, 90) + account.followers * 0.02),
    }


def _user(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "id_str": str(account.id),
        "username": account.username,
        "displayname": account.displayname,
        "created": stamp(account.created),
        "followersCount": account.followers,
        "friendsCount": account.friends,
        "statusesCount": account.statuses,
        "verified": False,
        "blue": account.verified,
    }


def _small(data: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what is kept of a post inside another one."""
    if data is None:
        return None
    user = {key: data["user"][key] for key in ("id_str", "username", "displayname")}
    kept = {key: data[key] for key in ("id", "id_str", "url", "date")}
    return {**kept, "user": user, "lang": data["lang"], "rawContent": data["rawContent"]}


def tweet(
    rng: Random,
    at: datetime,
    account: Account,
    text: str,
    ticker: str,
    *,
    retweeted: dict[str, Any] | None = None,
    quoted: dict[str, Any] | None = None,
    answered: dict[str, Any] | None = None,
    escape: bool = True,
) -> Post:
    """Return one post. `at` is UTC, whole seconds; the key order is the client's."""
    number = _post_id(rng, at)
    counts = _counts(rng, account, retweeted is not None)
    conversation = answered["conversationIdStr"] if answered else str(number)
    official = account.persona == "official"
    data = {
        "id": number,
        "id_str": str(number),
        "url": f"{SITE}/{account.username}/status/{number}",
        "date": stamp(at),
        "user": _user(account) | ({"verified": True} if official else {}),
        "lang": account.lang,
        "rawContent": escaped(text) if escape else text,
        **counts,
        "conversationIdStr": conversation,
        "hashtags": _HASHTAG.findall(text),
        "cashtags": [tag.upper() for tag in _CASHTAG.findall(text)],
        "retweetedTweet": _small(retweeted),
        "quotedTweet": _small(quoted),
        "inReplyToTweetId": answered["id"] if answered else None,
        "inReplyToTweetIdStr": answered["id_str"] if answered else None,
    }
    return Post(data, account.persona, text)
