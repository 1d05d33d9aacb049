"""Three sessions in a row on which moods turn, so that signals fire and the desk trades.

The world of a live run, small: five tickers, of which one is praised on the first day and cursed
on the second, and another the other way round. Every day has its own news; bars are one history.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import alpaca_options_site as options_site
from endpoint_site import POISON
from feeds_site import filing, item, rss
from internet import Site
from live_world import World
from x_site import XSite

from cashtag import sessions
from cashtag.lake import layout, lines
from cashtag.scrape.envelope import line

DAYS = (date(2025, 6, 10), date(2025, 6, 11), date(2025, 6, 12))  # Tuesday to Thursday
TICKERS = ("AAPL", "GOOG", "META", "NVDA", "TSLA")
POSTS = 24  # of a ticker and run
_GOOD = (
    "${t} beats on revenue and raised guidance, strong buy",
    "Record quarter for ${t}, upgraded, new highs ahead",
    "${t} breaking out, very bullish here",
)
_BAD = (
    "${t} misses estimates and cut guidance, terrible",
    "Downgraded: ${t} faces a lawsuit, bearish",
    "${t} plunges after weak results, selling everything",
)
_WORDS = {"good": ("beats", "Record", "bullish"), "bad": ("misses", "Downgraded", "plunges")}
# Shares of good tweets of a ticker's day, in sixths; anything else has three of six.
GOOD_SIXTHS = {"NVDA": (1, 5, 5), "TSLA": (5, 1, 2), "AAPL": (1, 5, 0)}
LABELS = ("negative", "neutral", "positive")


def says(query: str, number: int) -> str:
    """The text of a query's tweet; which day it is follows from what the query asks for."""
    ticker = query.split(" ")[0].strip("($")
    until = re.search(r"until_time:(\d+)", query)
    day = datetime.fromtimestamp(int(until[1]), UTC).date() if until else DAYS[0]
    at = DAYS.index(day) if day in DAYS else 0
    sixths = GOOD_SIXTHS.get(ticker, (3, 3, 3))[at]
    said = _GOOD if number % 6 < sixths else _BAD
    return f"{said[number % 3].replace('{t}', ticker)} #{day:%d%m} {number}"


def score(text: str | None) -> list[float] | None:
    """What the endpoint's model thinks of a text, a little different for each."""
    if text is None or not text.strip():
        return None
    shade = zlib.crc32(text.encode("utf-8", "surrogatepass")) % 100 / 1000
    if any(word in text for word in _WORDS["good"]):
        row = [0.05, 0.15 + shade, 0.80 - shade]
    elif any(word in text for word in _WORDS["bad"]):
        row = [0.80 - shade, 0.15 + shade, 0.05]
    else:
        row = [0.2, 0.6, 0.2]
    return [round(value, 6) for value in row]


def prediction(texts: Sequence[str | None]) -> dict[str, Any]:
    """What a packaged model's code answers."""
    return {
        "model": "double",
        "version": "double-int8-0123456789ab",
        "precision": "int8",
        "labels": list(LABELS),
        "probabilities": [score(text) for text in texts],
    }


def chain(ticker: str, day: date) -> tuple[str, bytes]:
    """Key and body of a raw object with a chain as it was on the morning of a day.

    A live run fetches chains until the session opens, which here is years ago: it finds this one
    in raw, as a run that is resumed does.
    """
    before = sessions.previous_session(day)
    expiry = day + timedelta(days=16)
    quote = {**options_site.snapshot()["latestQuote"], "t": f"{before}T19:59:59.731674112Z"}
    at = f"{day}T11:50:00+00:00"
    rows = [
        line(
            "alpaca",
            at,
            {"underlying": ticker},
            {
                "symbol": options_site.symbol(ticker, expiry, right, strike),
                "snapshot": {**options_site.snapshot(), "latestQuote": quote},
                "contract": {"open_interest": "237", "size": "100"},
                "underlying": {"p": 65.0, "t": f"{before}T19:59:58Z"},
            },
        )
        for right in ("C", "P")
        for strike in (60.0, 65.0, 70.0)
    ]
    return layout.raw("options", day, "alpaca", ticker), lines.pack(rows)


class MoodyWorld(World):
    """The world of all three days; `turn_to` a day for its news.

    What is said about the tickers in `poisoned` no model takes.
    """

    def __init__(
        self, tickers: tuple[str, ...] = TICKERS, poisoned: frozenset[str] = frozenset()
    ) -> None:
        def written(query: str, number: int) -> str:
            text = says(query, number)
            return f"{text} {POISON}" if query.split(" ")[0].strip("($") in poisoned else text

        super().__init__(DAYS[-1], tickers, XSite(default=POSTS, says=written))
        self.turn_to(DAYS[0])

    def turn_to(self, day: date) -> Mapping[str, Site]:
        """Let it be the morning of a day."""
        eight = datetime.combine(day, time(8), UTC)
        number = DAYS.index(day) + 1
        story = item(
            f"n-{number}",
            "NVIDIA raises its forecast",
            eight,
            link=f"https://news.example/n-{number}",
        )
        self._story = rss(story)
        self._filing = filing(
            "NVIDIA CORP", 1045810, f"0001045810-25-{number:06d}", eight.isoformat()
        )
        return self.sites()
