"""X as it answers a browser: home page with its signing keys, search pages, budgets, refusals.

Everything in it is made up; only the shape is X's, so that the client library reads it.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from internet import Answer, Request, Site

_KEY = base64.b64encode(bytes((i * 37 + 11) % 256 for i in range(48))).decode()
_ROW = " 155,239 132,232 62,226 h 184 s 201,128 186,123"  # eleven numbers, as a curve has
_PATH = "M 10,30 C" + " C".join([_ROW] * 17)
_MARKS = "".join(
    f'<svg id="loading-x-anim-{i}"><g><path d="M0"/><path d="{_PATH}"/></g></svg>' for i in range(4)
)
_SCRIPT = "https://abs.twimg.com/x-web/x-web/assets/{}.js"
_HOME = (
    '<!doctype html><html><head><meta name="twitter-site-verification" content="{key}">'
    '<link rel="modulepreload" href="{script}"></head><body>{marks}</body></html>'
)
_INDICES = b"x=(n[12], 16),(n[33], 16),(n[7], 16),(n[22], 16)"
_HTML = {"content-type": "text/html; charset=utf-8"}

# X's own words for its refusals.
ERRORS: dict[str, tuple[int, int, str]] = {
    "expired": (401, 32, "Could not authenticate you"),
    "suspended": (403, 64, "Your account is suspended and is not permitted to access this."),
    "suspended-user": (403, 141, "The user has been suspended"),
    "locked": (403, 326, "Authorization: Denied by access control: to protect our users …"),
    "csrf": (403, 353, "This request requires a matching csrf cookie and header."),
    "internal": (200, 131, "Internal error"),
    "features": (400, 336, "The following features cannot be null: something_enabled"),
    "ban": (200, 88, "Rate limit exceeded."),
}
STARTS = ("logged-out", "changed-home", "keyless-home", "home-cloudflare", "home-failing")
"""Faults that come with the home page, before the first search."""


@dataclass
class XSite:
    """Sites `x.com` and `abs.twimg.com`; accounts are told apart by their auth_token.

    `tweets` is how many there are of a query by its first word (`$NVDA`), `default` of any other.
    `faults` is what an account is refused with, `from_search` after how many good searches, and
    `recovers` after how many bad ones it is over. A cursor in `dead_cursors` leads nowhere, once.
    `renews`: a good answer hands out another ct0. `says` writes a tweet's text: by default all say
    the same.
    """

    tweets: Mapping[str, int] = field(default_factory=dict)
    default: int = 200
    budget: int = 50
    window: float = 900.0
    faults: dict[str, str] = field(default_factory=dict)
    from_search: dict[str, int] = field(default_factory=dict)
    recovers: dict[str, int] = field(default_factory=dict)
    everybody: str | None = None
    dead_cursors: set[str] = field(default_factory=set)
    renews: bool = True
    says: Callable[[str, int], str] | None = None
    used: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    log: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reset: dict[str, int] = field(default_factory=dict)
    _pages: dict[tuple[str, int, int], bytes] = field(default_factory=dict)

    def sites(self) -> dict[str, Site]:
        """What an Internet needs to play X."""
        return {"x.com": self.x, "abs.twimg.com": self.assets}

    # ------------------------------------------------------------ what signing needs

    def assets(self, request: Request) -> Answer:
        """Scripts: one that loads another, which holds the indices of the key."""
        assert "cookie" not in request.headers, "cookies of x.com went to another site"
        if "sign.o" in request.path:
            return Answer(body=_INDICES, headers={"content-type": "application/javascript"})
        body = b'const e=()=>import("./sign.o-deadbeef.js");'
        return Answer(body=body, headers={"content-type": "application/javascript"})

    def x(self, request: Request) -> Answer:
        """The home page, or a page of a search."""
        token = request.cookies.get("auth_token", "")
        fault = self.everybody or self.faults.get(token)
        if "/SearchTimeline" in request.path:
            return self._search(request, token, fault)
        if fault == "home-cloudflare":
            return Answer(403, b"<html>Just a moment...</html>", {**_HTML, "cf-ray": "8a1b-AMS"})
        if fault == "home-failing":
            return Answer(503, b"<html>over capacity</html>", _HTML)
        name = "entry-client-logged-out-1f2e" if fault == "logged-out" else "sentry-filter-abc"
        script = "" if fault == "changed-home" else _SCRIPT.format(name)
        key = "" if fault == "keyless-home" else _KEY
        return Answer(
            body=_HOME.format(key=key, script=script, marks=_MARKS).encode(), headers=_HTML
        )

    # ------------------------------------------------------------ searches

    def _search(self, request: Request, token: str, fault: str | None) -> Answer:
        variables = json.loads(request.query["variables"])
        assert request.headers["x-csrf-token"] == request.cookies["ct0"]
        assert request.headers["authorization"].startswith("Bearer ")
        assert len(request.headers["x-client-transaction-id"]) > 60
        with self._lock:
            bad = self.used[token] - self.answered[token]
            if self.answered[token] < self.from_search.get(token, 0):
                fault = self.everybody
            if token in self.recovers and bad >= self.recovers[token]:
                fault = None
            remaining, headers = self._count(token)
            self.log.append(
                {
                    "token": token,
                    "query": variables["rawQuery"],
                    "product": variables["product"],
                    "cursor": variables.get("cursor"),
                }
            )
            if remaining < 0:
                return Answer(
                    429, b"Rate limit exceeded\n", {"content-type": "text/plain"} | headers
                )
            # X renews ct0 in a good answer now and then; the next request must not mix the two.
            another = {"set-cookie": "ct0=PLANTED-renewed; Domain=.x.com; Path=/; Secure"}
            renewed = headers | (another if self.renews else {})
            answer = self._fault(fault, headers) or self._page(variables, fault, renewed)
            self.answered[token] += fault is None
            return answer

    def _count(self, token: str) -> tuple[int, dict[str, str]]:
        now = time.time()
        if self._reset.get(token, 0) <= now:
            self._reset[token] = int(now + self.window)
            self.used[token] = 0
        self.used[token] += 1
        remaining = self.budget - self.used[token]
        return remaining, {
            "content-type": "application/json; charset=utf-8",
            "x-rate-limit-limit": str(self.budget),
            "x-rate-limit-remaining": str(max(0, remaining)),
            "x-rate-limit-reset": str(self._reset[token]),
        }

    def _fault(self, fault: str | None, headers: dict[str, str]) -> Answer | None:
        if fault in ERRORS:
            status, code, message = ERRORS[fault]
            return _json({"errors": [{"code": code, "message": message}]}, headers, status)
        match fault:
            case "loadshed":
                return _json({"errors": [{"message": "LoadShed: dropping"}], "data": {}}, headers)
            case "spent88":
                said = {"errors": [{"code": 88, "message": "Rate limit exceeded."}]}
                return _json(said, headers | {"x-rate-limit-remaining": "0"}, 429)
            case "limited":
                text = {"content-type": "text/plain", "x-rate-limit-remaining": "0"}
                return Answer(429, b"Rate limit exceeded\n", headers | text)
            case "bare":
                return _json({}, headers, 403)
            case "failing":
                return _json({}, headers, 500)
            case "stale":
                return Answer(404, b"", headers)
            case "cloudflare":
                said = {**_HTML, "cf-ray": "8a1b-AMS"}
                return Answer(403, b"<html>Just a moment...</html>", said)
            case "webpage":
                return Answer(200, b"<html>Something went wrong</html>", _HTML)
            case "nojson":
                return Answer(200, b"{", headers)
            case "notimeline":
                return _json({"data": {"search_by_raw_query": {}}}, headers)
            case "cut":
                return Answer(200, b"{" * 1000, headers, cut=10)
            case "hang":
                return Answer(hang=True)
        return None

    def _page(
        self, variables: dict[str, Any], fault: str | None, headers: dict[str, str]
    ) -> Answer:
        query, size = variables["rawQuery"], variables["count"]
        first = query.split(" lang:")[0]
        total = 0 if fault == "blind" else self.tweets.get(first, self.default)
        start = 0
        if cursor := variables.get("cursor"):
            start = int(re.fullmatch(r"behind-(\d+)", cursor)[1])  # type: ignore[index]
            if cursor in self.dead_cursors:
                self.dead_cursors.remove(cursor)
                total = 0
        key = (query, start, total)
        if fault == "unreadable":
            page = search_page(query, start, total, size, self.says or _fine)
            return Answer(200, page.replace(b'"screen_name"', b'"handle"'), headers)
        if fault == "warning":  # a field that one tweet lacks, beside all the data
            page = search_page(query, start, total, size, self.says or _fine)
            return Answer(200, page[:-1] + b',"errors":[{"code":29,"message":"Timeout"}]}', headers)
        if key not in self._pages:
            self._pages[key] = search_page(query, start, total, size, self.says or _fine)
        return Answer(200, self._pages[key], headers)


def _json(value: Any, headers: dict[str, str], status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode(), headers)


# ---------------------------------------------------------------- a page, in X's shape

QUOTED_EVERY = 10
"""One tweet in so many quotes another one, which is not about the query."""


def _fine(query: str, number: int) -> str:
    return f"{query.split(' ')[0].strip('(')} looks fine to me, no. {number}"


def search_page(
    query: str, start: int, total: int, size: int, says: Callable[[str, int], str] = _fine
) -> bytes:
    """Tweets `start` … of the `total` that a query has, and the cursors around them."""
    numbers = range(start, min(start + size, total))
    entries = [_entry(query, number, says) for number in numbers]
    behind = f"behind-{start + len(entries)}"
    cursors = [_cursor("Top", "before"), _cursor("Bottom", behind)]
    if start == 0:
        told = [{"type": "TimelineAddEntries", "entries": [*entries, *cursors]}]
    else:  # later pages replace the cursors of the first one
        told = [{"type": "TimelineAddEntries", "entries": entries}]
        told += [
            {"type": "TimelineReplaceEntry", "entry_id_to_replace": one["entryId"], "entry": one}
            for one in cursors
        ]
    timeline = {"timeline": {"instructions": told}}
    return json.dumps({"data": {"search_by_raw_query": {"search_timeline": timeline}}}).encode()


def tweet_id(query: str, number: int) -> int:
    """The id of a query's tweet: the same in every run."""
    return 1_900_000_000_000_000_000 + zlib.crc32(query.encode()) * 100_000 + number


def quoted_id(query: str, number: int) -> int:
    """The id of what it quotes, if it does."""
    return tweet_id(query, number) + 50_000


def _cursor(kind: str, value: str) -> dict[str, Any]:
    content = {
        "entryType": "TimelineTimelineCursor",
        "__typename": "TimelineTimelineCursor",
        "value": value,
        "cursorType": kind,
    }
    return {"entryId": f"cursor-{kind.lower()}-0", "sortIndex": "0", "content": content}


def _entry(query: str, number: int, says: Callable[[str, int], str]) -> dict[str, Any]:
    one = tweet_id(query, number)
    tweet = _tweet(query, number, one, says(query, number))
    if number % QUOTED_EVERY == 0:
        other = quoted_id(query, number)
        tweet["legacy"] |= {"is_quote_status": True, "quoted_status_id_str": str(other)}
        tweet["quoted_status_result"] = {
            "result": _tweet(query, number, other, "Something else 🙂")
        }
    content = {
        "entryType": "TimelineTimelineItem",
        "__typename": "TimelineTimelineItem",
        "itemContent": {
            "itemType": "TimelineTweet",
            "__typename": "TimelineTweet",
            "tweet_results": {"result": tweet},
            "tweetDisplayType": "Tweet",
        },
    }
    return {"entryId": f"tweet-{one}", "sortIndex": str(one), "content": content}


def _tweet(query: str, number: int, one: int, text: str) -> dict[str, Any]:
    until = re.search(r"until_time:(\d+)", query)
    end = int(until[1]) if until else 1_800_000_000
    # The newest is a minute old at the cutoff, and each older by a minute more.
    written = datetime.fromtimestamp(end - 60 * (number + 1), UTC)
    return {
        "__typename": "Tweet",
        "rest_id": str(one),
        "core": {"user_results": {"result": _user(number)}},
        "source": '<a href="https://example.org/app" rel="nofollow">An app</a>',
        "views": {"count": str(1000 + number), "state": "EnabledWithCount"},
        "legacy": {
            "created_at": format_datetime(written).replace(",", ""),
            "conversation_id_str": str(one),
            "entities": {
                "hashtags": [],
                "symbols": [{"text": word[1:]} for word in text.split() if word.startswith("$")],
                "urls": [],
                "user_mentions": [],
            },
            "favorite_count": number,
            "full_text": text,
            "id_str": str(one),
            "is_quote_status": False,
            "lang": "en",
            "quote_count": 0,
            "reply_count": 1,
            "retweet_count": 2,
            "user_id_str": str(7000 + number),
        },
    }


def _user(number: int) -> dict[str, Any]:
    return {
        "__typename": "User",
        "rest_id": str(7000 + number),
        "is_blue_verified": number % 3 == 0,
        "avatar": {"image_url": "https://example.org/face.jpg"},
        "core": {
            "created_at": "Mon Feb 09 22:11:12 +0000 2009",
            "name": f"Made up {number}",
            "screen_name": f"made_up_{number}",
        },
        "location": {"location": "Nowhere"},
        "privacy": {"protected": False},
        "profile_bio": {"description": "Not a person."},
        "relationship_counts": {"followers": 100 + number, "following": 10},
        "tweet_counts": {"media_tweets": 1, "tweets": 200},
        "verification": {"verified": False},
    }
