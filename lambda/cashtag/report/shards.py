"""The shapes in which facts travel to the page: compact columns, as scripts that `file://` can load.

A page opened from disk may not fetch, but it may run scripts beside it. So each shard is one call
`cashtag.load("days/2026-03-02", {…})`, loaded when it is needed. What the page reads of a shard is
said in the functions here; the page's own modules are in `page/`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cashtag.report.data import Row

if TYPE_CHECKING:
    import pyarrow as pa

Payload = dict[str, Any]

DIGITS = 4  # decimals shipped: finer than any pixel or printed figure
_DIRECTIONS = {"BUY": 1, "SELL": -1, "HOLD": 0}
_CROSSES = {"golden": 1, "death": -1}
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]")
# Harmless in a file of its own, and safe if the text is ever pasted into a page.
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def script(name: str, payload: Payload) -> bytes:
    """Return one shard as JavaScript, pure ASCII: no text in it can end a script or a line."""
    text = json.dumps(payload, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    call = f"cashtag.load({json.dumps(name)},{text});\n"
    for character, escape in _ESCAPES.items():
        call = call.replace(character, escape)
    return call.encode("ascii")


def fingerprint(*parts: bytes) -> str:
    """Return 12 hexadecimal digits that name some content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:12]


def file_stem(ticker: str) -> str:
    """Return a ticker as a name that any file system and address takes: `^VIX` is `_5eVIX`."""
    return _UNSAFE.sub(lambda m: f"_{ord(m[0]):x}", ticker)


def short(value: float | None) -> float | None:
    """Round for shipping; whole numbers lose their `.0`."""
    if value is None:
        return None
    rounded = round(value, DIGITS)
    return int(rounded) if rounded == int(rounded) else rounded


def cells(found: Sequence[Row], signals: Iterable[Row], days: Sequence[date]) -> Payload:
    """Return the ticker × session facts as columns of equal length, ordered by session and ticker.

    `t` and `s` are indexes into `tickers` and the page's sessions. Signals are those of kind STOCK:
    1 buy, -1 sell, 0 hold, null none.
    """
    tickers = sorted({row["ticker"] for row in found})
    of_ticker = {ticker: i for i, ticker in enumerate(tickers)}
    of_day = {day: i for i, day in enumerate(days)}
    said = {(r["session"], r["ticker"]): r for r in signals if r["kind"] == "STOCK"}
    told = [said.get((r["session"], r["ticker"]), {}) for r in found]
    columns: Payload = {
        "t": [of_ticker[r["ticker"]] for r in found],
        "s": [of_day[r["session"]] for r in found],
        "partial": [None if r["partial"] is None else int(r["partial"]) for r in found],
        "cross": [_CROSSES.get(r["cross"]) for r in found],
        "signal": [_DIRECTIONS.get(r.get("direction", "")) for r in told],
        "confidence": [short(r.get("confidence")) for r in told],
    }
    for name, source in _CELL_NUMBERS.items():
        columns[name] = [short(r[source]) for r in found]
    return {"tickers": tickers, "columns": columns}


_CELL_NUMBERS = {
    "n": "n_tweets",
    "effective": "n_effective",
    "authors": "n_authors",
    "polarity": "polarity",
    "change": "polarity_change",
    "se": "change_se",
    "z": "z",
    "positive": "share_positive",
    "negative": "share_negative",
    "duplicates": "duplicate_share",
    "flagged": "flagged_share",
    "engagement": "engagement",
    "coverage": "coverage",
    "price": "change_percent",
    "volume": "volume_ratio",
    "score": "score",
    "rank": "rank",
    "news": "n_news",
    "newsPolarity": "news_polarity",
}


def day(
    session: date,
    signals: Sequence[Row],
    decisions: Sequence[Row],
    positions: Sequence[Row],
    news: Sequence[Row],
) -> Payload:
    """Return a session's signals with reasons, what the gates said, what was held, and headlines."""
    return {
        "session": str(session),
        "signals": [
            {
                **{k: r[k] for k in ("ticker", "kind", "direction", "instrument")},
                "confidence": short(r["confidence"]),
                "polarity": short(r["polarity"]),
                "change": short(r["polarity_change"]),
                "threshold": short(r["change_threshold"]),
                "sentiment": r["sentiment_signal"],
                "trend": r["trend_signal"],
                "reasons": reasons(r["reasons"]),
            }
            for r in signals
        ],
        "decisions": _decisions(decisions),
        "positions": [
            {
                **{k: r[k] for k in ("account", "symbol", "ticker", "instrument", "mode")},
                **{k: short(r[k]) for k in _POSITION_NUMBERS},
                "opened": str(r["opened"]) if r["opened"] else None,
            }
            for r in positions
        ],
        "news": {
            r["ticker"]: {
                "n": r["n_news"],
                "polarity": short(r["polarity"]),
                "title": r["top_title"],
            }
            for r in news
        },
    }


_POSITION_NUMBERS = (
    "quantity",
    "average_price",
    "mark",
    "market_value",
    "unrealised",
    "equity",
    "stop",
    "target",
)


def reasons(text: str | None) -> list[str]:
    """Return the sentences of a signal; text that is no JSON list stands as one sentence."""
    if not text:
        return []
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return [text]
    return [str(item) for item in found] if isinstance(found, list) else [str(found)]


def _decisions(found: Sequence[Row]) -> list[Payload]:
    """Group gates by what they decided about; rows come in the order of their gates."""
    subject = ("account", "ticker", "instrument", "leg", "phase", "plan", "direction")
    return [
        {
            **{k: v for k, v in zip(subject, key, strict=True) if k != "plan"},
            "gates": [
                [r[k] for k in ("gate", "value", "limit", "verdict", "reason")] for r in part
            ],
        }
        for key, part in groupby(found, key=lambda r: tuple(r[k] for k in subject))
    ]


def ticker(name: str, bars: Sequence[Row]) -> Payload:
    """Return a ticker's adjusted closes, closes as traded where they differ, averages and crosses."""
    return {
        "ticker": name,
        "session": [str(r["bar_session"]) for r in bars],
        "close": [short(r["adjusted_close"]) for r in bars],
        "traded": [short(r["close"]) for r in bars],
        "sma5": [short(r["sma5"]) for r in bars],
        "sma20": [short(r["sma20"]) for r in bars],
        "volume": [r["volume"] for r in bars],
        "cross": [_CROSSES.get(r["cross"]) for r in bars],
    }


def tweets(session: date, found: pa.Table) -> Payload:
    """Return a session's posts by ticker, each a set of columns in the order of the query.

    `at` is seconds since 1970 UTC; `flags` is one text, `heavy` marks what weighed most.
    """
    columns = {name: found.column(name).to_pylist() for name in found.column_names}
    columns["polarity"] = [short(p) for p in columns["polarity"]]
    columns["at"] = [_seconds(moment) for moment in columns["created_at"]]
    columns["heavy"] = [int(bool(x)) for x in columns["heavy"]]
    columns["key"] = [int(bool(x)) for x in columns["is_key_influencer"]]
    parts: Payload = {}
    start = 0
    for name, part in groupby(columns["ticker"]):
        end = start + len(list(part))
        parts[name] = {brief: columns[source][start:end] for brief, source in _POST.items()}
        start = end
    return {"session": str(session), "cells": parts}


_POST = {
    "id": "tweet_id",
    "at": "at",
    "author": "author",
    "name": "author_name",
    "followers": "author_followers",
    "lang": "lang",
    "text": "text",
    "url": "url",
    "likes": "likes",
    "retweets": "retweets",
    "replies": "replies",
    "label": "sentiment",
    "polarity": "polarity",
    "flags": "flags",
    "heavy": "heavy",
    "key": "key",
}


def _seconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())


def trades(found: Sequence[Row]) -> list[Payload]:
    """Return all orders of the page's sessions, oldest first."""
    return [
        {
            "session": str(r["session"]),
            **{k: r[k] for k in _TRADE_TEXTS},
            **{k: short(r[k]) for k in _TRADE_NUMBERS},
        }
        for r in found
    ]


_TRADE_TEXTS = ("account", "mode", "symbol", "ticker", "leg", "direction", "status", "reason")
_TRADE_NUMBERS = (
    "quantity",
    "filled_quantity",
    "price",
    "filled_price",
    "fees",
    "confidence",
    "realised",
)


def equity(positions: Sequence[Row], days: Sequence[date]) -> dict[str, list[list[Any]]]:
    """Return per account [index of session, equity after the close, equity before], ascending."""
    of_day = {day: i for i, day in enumerate(days)}
    found: dict[str, dict[int, list[Any]]] = {}
    for r in positions:
        at = of_day[r["session"]]
        found.setdefault(r["account"], {})[at] = [
            at,
            short(r["equity"]),
            short(r["previous_equity"]),
        ]
    return {account: [line[at] for at in sorted(line)] for account, line in sorted(found.items())}
