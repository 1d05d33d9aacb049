"""News: a row for each ticker that an item names, as plain text."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cashtag import settings
from cashtag.enrich import news
from cashtag.enrich.parsed import Enriched, Parsed
from cashtag.lake import lines, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.layout import RawKey

SOUND = settings.load(environ={})
NEWS = contract("news")
KEY = RawKey("news", date(2026, 3, 3), "rss", "news", 1)


def item(**fields: Any) -> dict[str, Any]:
    return {
        "id": "n-1",
        "published": "2026-03-02T15:00:00Z",
        "title": "Nvidia rises",
        "summary": "<p>Shares of <b>Nvidia</b> rose.</p>",
        "link": "https://e.org/a?utm_source=rss",
        "feed": "CNBC",
        **fields,
    }


def packed(*items: dict[str, Any], source: str = "rss") -> bytes:
    return lines.pack(
        json.dumps(
            {"source": source, "scraped_at": "2026-03-03T12:00:10Z", "query": None, "data": one}
        ).encode()
        for one in items
    )


def positive(parsed: Parsed) -> np.ndarray:
    return np.tile([0.1, 0.2, 0.7], (len(parsed.texts), 1))


def enriched(*items: dict[str, Any], asked: tuple[str, ...] = (), source: str = "rss") -> Enriched:
    return news.enrich_object(SOUND, KEY, packed(*items, source=source), asked, positive, "m", "1")


def rows(*items: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    table = enriched(*items, **more).table
    return list(parquet.read(NEWS, parquet.write(NEWS, table)).to_pylist())


def tickers(title: str, asked: tuple[str, ...] = ()) -> list[str]:
    return [row["ticker"] for row in rows(item(title=title, summary=""), asked=asked)]


def test_an_item_becomes_a_row_of_the_contract() -> None:
    (row,) = rows(item())
    assert row == {
        "news_id": "n-1",
        "ticker": "NVDA",
        "published_at": datetime(2026, 3, 2, 15, 0),  # noqa: DTZ001  UTC, as stored
        "scraped_at": datetime(2026, 3, 3, 12, 0, 10),  # noqa: DTZ001
        "session": date(2026, 3, 3),
        "source": "CNBC",
        "title": "Nvidia rises",
        "content": "Shares of Nvidia rose.",
        "url": "https://e.org/a",
        "p_negative": 0.1,
        "p_neutral": 0.2,
        "p_positive": 0.7,
        "sentiment": "positive",
        "sentiment_score": 0.7,
        "polarity": 0.6,
        "model": "m",
        "model_version": "1",
        "run_id": row["run_id"],
    }


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Tesla and Apple gain", ["AAPL", "TSLA"]),
        ("Alphabet reports", ["GOOG"]),  # the company's name without its legal form
        ("$PLTR jumps", ["PLTR"]),  # any cashtag, watched or not
        ("Markets close mixed", []),
        ("He said so", []),
    ],
)
def test_an_item_is_about_the_tickers_that_it_names(title: str, found: list[str]) -> None:
    assert tickers(title) == found


def test_tickers_that_were_asked_for_are_found_by_their_symbol() -> None:
    assert tickers("Palantir (NYSE: PLTR) wins") == []
    assert tickers("Palantir (NYSE: PLTR) wins", asked=("PLTR", "ALL")) == ["PLTR"]
    assert tickers("ALL IN", asked=("ALL",)) == []  # a common word
    assert tickers("($FB) falls", asked=("FB",)) == ["META"]


@pytest.mark.parametrize(
    ("published", "session"),
    [
        ("2026-03-03T11:59:59Z", date(2026, 3, 3)),
        ("2026-03-03T12:00:00Z", date(2026, 3, 4)),  # at the cutoff: nobody could act on it
        ("2026-03-06T20:00:00-05:00", date(2026, 3, 9)),
    ],
)
def test_news_belongs_to_the_first_session_that_may_act_on_it(
    published: str, session: date
) -> None:
    assert rows(item(published=published))[0]["session"] == session


@pytest.mark.parametrize(
    ("title", "summary", "text"),
    [
        ("Nvidia rises", "More <i>to</i> come", "Nvidia rises. More to come"),
        ("Is it over?", "No.", "Is it over? No."),
        ("Nvidia rises", "Nvidia rises", "Nvidia rises"),
        ("Nvidia rises", "Nvidia rises after the bell", "Nvidia rises after the bell"),
        ("Nvidia rises", "", "Nvidia rises"),
        ("", "Nvidia", "Nvidia"),
        ("A &amp; B", "<script>x</script>C", "A & B. C"),
    ],
)
def test_a_model_is_asked_title_and_content_once(title: str, summary: str, text: str) -> None:
    assert news.parse(SOUND, KEY, packed(item(title=title, summary=summary))).texts == (text,)


def test_invented_news_is_labelled_so() -> None:
    assert rows(item(), source="synthetic")[0]["source"] == "synthetic"
    assert rows(item(feed=None))[0]["source"] == "rss"


def test_an_item_without_a_usable_id_gets_a_stable_one() -> None:
    first, again, other = (
        rows(item(id=given, title=title))[0]["news_id"]
        for given, title in ((None, "Nvidia"), (None, "Nvidia"), (None, "Nvidia!"))
    )
    assert first == again != other
    assert len(rows(item(id="x" * 300))[0]["news_id"]) == 16


def test_every_line_has_its_fate() -> None:
    found = enriched(
        item(),
        item(),  # the same id
        item(id="n-2", title="Markets mixed", summary=""),
        item(id="n-3", title="", summary="<p></p>"),
        item(id="n-4", published="today"),
        item(id="n-5", published="1999-01-04T00:00:00Z"),
        item(id="n-6", title="Tesla and Apple"),
    )
    assert [(r.line, r.reason) for r in found.rejected] == [
        (4, "no-text"),
        (5, "no-date"),
        (6, "outside-calendar"),
    ]
    assert found.counts == {
        "lines": 7,
        "rows": 4,  # one of Nvidia, and of Nvidia (its summary), Tesla and Apple
        "off_topic": 1,
        "repeated": 1,
        "rejected": 3,
        "unanswered": 0,
    }


def test_an_empty_object_is_a_table_of_no_rows() -> None:
    found = enriched()
    assert found.table.schema == NEWS.arrow_schema()
    assert found.table.num_rows == 0


@given(st.dictionaries(st.sampled_from(sorted(item())), st.none() | st.integers() | st.text()))
def test_no_field_makes_news_raise_or_break_the_contract(fields: dict[str, Any]) -> None:
    found = enriched(item(id="good"), item() | fields)
    parquet.write(NEWS, found.table)
    assert "good" in found.table.column("news_id").to_pylist()


@given(st.binary(max_size=80))
def test_no_line_makes_news_raise(line: bytes) -> None:
    good = gzip.decompress(packed(item())).strip()
    parsed = news.parse(SOUND, KEY, gzip.compress(line + b"\n" + good))
    assert len(parsed.rows) == 1
