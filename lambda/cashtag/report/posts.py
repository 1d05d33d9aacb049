"""What the page's second tab counts: every post of a month as numbers, without its text.

The figures there follow filters of days, ticker and sentiment, so no sum made beforehand would do.
A month of 30 tickers and 125 posts a ticker and session is 80,000 rows, 2 MB.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SHAPE = "1"  # of the shards; another one makes them again
SENTIMENTS = ("positive", "neutral", "negative", "unscored")
_COUNTS = ("likes", "retweets", "replies", "engagement")


def months(days: Sequence[date]) -> dict[str, list[date]]:
    """Return sessions (ascending) by their month, `2026-06`."""
    return {name: list(part) for name, part in groupby(days, key=lambda day: f"{day:%Y-%m}")}


def columns(found: pa.Table) -> dict[str, Any]:
    """Return rows of `reference_posts.sql` as columns of equal length, in the order of the query.

    `sessions` and `sizes` tell how many rows each session has; `t`, `a` and `l` are indexes into
    `tickers`, `authors` and `SENTIMENTS`, `h` is the hour in New York. `again` lists the rows that
    show the same post as the row before, about another ticker. A count that the source never gives
    is null instead of a column.
    """
    runs = [(str(day), len(list(part))) for day, part in groupby(found["session"].to_pylist())]
    tickers, t = _encoded(found["ticker"])
    authors, a = _encoded(found["author"])
    place = {name: at for at, name in enumerate(SENTIMENTS)}
    ids = found["tweet_id"].to_pylist()
    return {
        "sessions": [day for day, _ in runs],
        "sizes": [size for _, size in runs],
        "tickers": tickers,
        "authors": authors,
        "t": t,
        "a": a,
        "h": found["hour_ny"].to_pylist(),
        "l": [place[label] for label in found["sentiment"].to_pylist()],
        "again": [row for row in range(1, len(ids)) if ids[row] == ids[row - 1]],
        **{name: _counted(found[name]) for name in _COUNTS},
    }


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], list[int]]:
    """Return the distinct texts in the order in which they occur, and the place of each row's."""
    parts = column.combine_chunks().dictionary_encode()
    return parts.dictionary.to_pylist(), parts.indices.to_pylist()


def _counted(column: pa.ChunkedArray) -> list[int | None] | None:
    return None if column.null_count == len(column) else column.to_pylist()
