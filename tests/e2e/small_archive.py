"""A small archive to import: three tickers, twelve sessions, posts of the night before each run.

Load it by path (`runpy.run_path`). Everything is worked out from dates and numbers, so two calls
write the same bytes. NVDA and AAPL come as Twitter API v1.1, TSLA as twscrape writes it, bars as
CSV. Moods turn from session to session, so that signals fire and the desk has something to do.
"""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from cashtag import sessions

FIRST, LAST = date(2026, 5, 4), date(2026, 5, 19)  # a Monday, and the Tuesday two weeks later
TWITTER_V1, TWSCRAPE = ("AAPL", "NVDA"), ("TSLA",)
TICKERS = ("AAPL", "NVDA", "TSLA")
POSTS = 8  # per ticker and run
FIRST_ID = 1_920_000_000_000_000_001  # beyond 2^53, and odd: a double would round it to …000

_GOOD = (
    "${t} beat on revenue and raised guidance, strong buy",
    "Record quarter for ${t}, upgraded to outperform, new highs ahead",
    "${t} breaking out on huge volume, very bullish here",
    "Great results, ${t} margins are excellent and demand is strong",
)
_BAD = (
    "${t} missed estimates and cut guidance, this is terrible",
    "Downgraded: ${t} faces a lawsuit and falling demand, bearish",
    "${t} plunges after weak results, selling everything",
    "Awful quarter, ${t} is losing money and margins collapse",
)


def runs() -> list[date]:
    """Every day from FIRST to LAST: runs do not rest at weekends."""
    return [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]


def texts(ticker: str, dt: date) -> list[str]:
    """POSTS different posts; good and bad moods take turns, each ticker at its own pace."""
    turn = (sessions.session_of_run(dt).toordinal() + TICKERS.index(ticker)) // 2 % 2
    mood, other = (_GOOD, _BAD) if turn else (_BAD, _GOOD)
    said = [mood[n % len(mood)] for n in range(POSTS - 1)] + [other[0]]
    return [f"{text.replace('{t}', ticker)} #{dt:%d%m} {n}" for n, text in enumerate(said)]


def post(ticker: str, dt: date, n: int) -> tuple[int, datetime, str, str]:
    """Id, moment (UTC, before the run's cutoff), author and text of one post."""
    moment = datetime.combine(dt, time(2), UTC) + timedelta(minutes=47 * n)
    identity = FIRST_ID + ((dt - FIRST).days * len(TICKERS) + TICKERS.index(ticker)) * 2 * POSTS
    return identity + 2 * n, moment, f"{ticker.lower()}_fan_{n}", texts(ticker, dt)[n]


def twitter_v1(ticker: str, dt: date, n: int) -> dict[str, Any]:
    """One post as Twitter's API v1.1 states it."""
    identity, moment, author, text = post(ticker, dt, n)
    return {
        "created_at": f"{moment:%a %b %d %H:%M:%S} +0000 {moment:%Y}",
        "id": identity,
        "id_str": str(identity),
        "text": text,
        "user": {
            "screen_name": author,
            "name": author.title(),
            "followers_count": 1000 * (n + 1),
            "created_at": "Tue Mar 10 12:00:00 +0000 2015",
            "verified": n == 0,
        },
        "lang": "en",
        "favorite_count": 0,
        "retweet_count": 0,
    }


def twscrape(ticker: str, dt: date, n: int) -> dict[str, Any]:
    """One post as twscrape prints it."""
    identity, moment, author, text = post(ticker, dt, n)
    return {
        "id": identity,
        "id_str": str(identity),
        "date": moment.isoformat(sep=" "),
        "rawContent": text,
        "user": {
            "username": author,
            "displayname": author.title(),
            "followersCount": 1000 * (n + 1),
            "created": "2015-03-10 12:00:00+00:00",
            "verified": False,
        },
        "lang": "en",
        "likeCount": 3 * n,
        "retweetCount": n,
        "replyCount": 0,
        "quoteCount": 0,
    }


def lines(ticker: str, days: list[date] | None = None) -> list[bytes]:
    """The JSON lines of one ticker, in the order of time."""
    make = twscrape if ticker in TWSCRAPE else twitter_v1
    return [
        json.dumps(make(ticker, dt, n)).encode()
        for dt in (runs() if days is None else days)
        for n in range(POSTS)
    ]


def bars(ticker: str) -> str:
    """CSV of 120 sessions that end with LAST: a slow wave, each ticker on its own level."""
    level = 50.0 + 40 * sum(map(ord, ticker)) % 300
    rows = ["Date,Open,High,Low,Close,Adj Close,Volume"]
    for n, day in enumerate((*sessions.sessions_before(LAST, 119), LAST)):
        close = level * (1 + 0.05 * math.sin(n / 5) + 0.01 * math.cos(2.1 * n))
        opened = close * (1 + 0.004 * math.sin(3.3 * n))
        high, low = max(opened, close) * 1.006, min(opened, close) * 0.994
        prices = ",".join(f"{price:.2f}" for price in (opened, high, low, close, close))
        rows.append(f"{day},{prices},{2_000_000 + 10_000 * (n * 37 % 50)}")
    return "\n".join(rows) + "\n"


def write(folder: Path) -> Path:
    """Write `twitter-v1/`, `twscrape/` and `bars/` below `folder`; return it."""
    for source, tickers in (("twitter-v1", TWITTER_V1), ("twscrape", TWSCRAPE)):
        (folder / source).mkdir(parents=True)
        for ticker in tickers:
            body = b"".join(line + b"\n" for line in lines(ticker))
            (folder / source / f"{ticker}.jsonl.gz").write_bytes(gzip.compress(body, mtime=0))
    (folder / "bars").mkdir()
    for ticker in (*TICKERS, "SPY"):
        (folder / "bars" / f"{ticker}.csv").write_text(bars(ticker))
    return folder
