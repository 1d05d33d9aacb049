"""What the page's second tab is given: months of posts as columns, made again only when they change."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from cashtag.report import posts

MONDAY, TUESDAY = date(2026, 6, 29), date(2026, 6, 30)


def table(*rows: tuple[date, str, str, str, int, str, int | None]) -> pa.Table:
    """Rows of (session, tweet_id, ticker, author, hour, sentiment, likes); likes are all counts."""
    names = ("session", "tweet_id", "ticker", "author", "hour_ny", "sentiment", "likes")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    for name in ("retweets", "replies", "engagement"):
        columns[name] = columns["likes"]
    given = {name: list(values) for name, values in columns.items()}
    for name in ("likes", "retweets", "replies", "engagement"):
        given[name] = pa.array(given[name], pa.int64())
    return pa.table(given)


def test_rows_travel_as_columns_of_indexes() -> None:
    found = posts.columns(
        table(
            (MONDAY, "7", "NVDA", "ann", 8, "positive", 3),
            (MONDAY, "7", "TSLA", "ann", 8, "negative", 3),
            (MONDAY, "8", "TSLA", "bob", 23, "unscored", None),
            (TUESDAY, "9", "NVDA", "ann", 0, "neutral", 0),
        )
    )

    assert found["sessions"] == ["2026-06-29", "2026-06-30"]
    assert found["sizes"] == [3, 1]
    assert (found["tickers"], found["t"]) == (["NVDA", "TSLA"], [0, 1, 1, 0])
    assert (found["authors"], found["a"]) == (["ann", "bob"], [0, 0, 1, 0])
    assert found["h"] == [8, 8, 23, 0]
    assert found["l"] == [0, 2, 3, 1]
    assert found["again"] == [1]  # the post 7 once more, about another ticker
    assert found["likes"] == [3, 3, None, 0]


def test_counts_that_the_source_never_gives_are_no_column() -> None:
    found = posts.columns(table((MONDAY, "7", "NVDA", "ann", 8, "positive", None)))

    assert found["engagement"] is None


def test_sessions_are_grouped_by_their_month() -> None:
    july = date(2026, 7, 1)

    assert posts.months([MONDAY, TUESDAY, july]) == {
        "2026-06": [MONDAY, TUESDAY],
        "2026-07": [july],
    }
