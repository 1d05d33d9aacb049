"""Sample and archive as sources: what they are asked, and what they answer on a day."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest

from cashtag import sessions
from cashtag.errors import InputError, StoreError
from cashtag.lake import layout, lines
from cashtag.lake.disk import FolderStore
from cashtag.ports import Day, Fetched, Source
from cashtag.scrape.archive import ArchiveSource
from cashtag.scrape.sample import SampleSource

MONDAY, TUESDAY = date(2026, 5, 4), date(2026, 5, 5)


def envelope(scraped_at: str | None, text: str, source: str = "synthetic") -> bytes:
    return json.dumps(
        {"source": source, "scraped_at": scraped_at, "query": "q", "data": {"rawContent": text}}
    ).encode()


def fetch(source: Source, dt: date, *tickers: str) -> list[Fetched]:
    return list(source.fetch(Day(dt, sessions.cutoff(dt), tickers or source.asked(dt))))


# ---------------------------------------------------------------- sample

NVDA_MONDAY = [envelope("2026-05-04T11:58:00Z", "one"), envelope("2026-05-04T11:59:00Z", "two")]
NVDA_TUESDAY = [envelope("2026-05-05T00:00:00Z", "three")]
NEWS = [envelope("2026-05-05T12:00:00Z", "headline")]
BARS = lines.pack([b'{"bar": 1}'])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two tickers over two days; on Tuesday one of them is refused."""
    (tmp_path / "tweets").mkdir()
    (tmp_path / "bars").mkdir()
    days = {
        "tickers": ["TSLA", "NVDA"],
        "first": "2026-05-04",
        "last": "2026-05-05",
        "refused": {"2026-05-05": {"TSLA": "rate limit"}},
    }
    (tmp_path / "days.json").write_text(json.dumps(days))
    (tmp_path / "tweets" / "NVDA.jsonl.gz").write_bytes(lines.pack(NVDA_MONDAY + NVDA_TUESDAY))
    (tmp_path / "tweets" / "TSLA.jsonl.gz").write_bytes(lines.pack([]))
    for symbol in ("SPY", "NVDA"):
        (tmp_path / "bars" / f"{symbol}.jsonl.gz").write_bytes(BARS)
    (tmp_path / "news.jsonl.gz").write_bytes(lines.pack(NEWS))
    return tmp_path


def test_the_sample_says_which_days_and_tickers_it_holds(folder: Path) -> None:
    source = SampleSource(folder)
    assert source.name == "synthetic"
    assert source.dates() == (MONDAY, TUESDAY)
    assert source.asked(MONDAY) == ("NVDA", "TSLA")


def test_a_line_belongs_to_the_day_that_scraped_it(folder: Path) -> None:
    monday, tuesday = (fetch(SampleSource(folder), dt) for dt in (MONDAY, TUESDAY))
    assert monday[0] == Fetched("tweets", "NVDA", "ok", lines=tuple(NVDA_MONDAY))
    # Midnight is the first moment of its day.
    assert tuesday[0] == Fetched("tweets", "NVDA", "ok", lines=tuple(NVDA_TUESDAY))


def test_the_sample_tells_nothing_from_a_refusal(folder: Path) -> None:
    monday, tuesday = (fetch(SampleSource(folder), dt) for dt in (MONDAY, TUESDAY))
    assert monday[1] == Fetched("tweets", "TSLA", "empty")
    assert tuesday[1] == Fetched("tweets", "TSLA", "refused", reason="rate limit")


def test_bars_of_all_symbols_come_every_day_and_news_when_there_are_some(folder: Path) -> None:
    monday, tuesday = (fetch(SampleSource(folder), dt) for dt in (MONDAY, TUESDAY))
    bars = [Fetched("bars", symbol, "ok", packed=BARS) for symbol in ("NVDA", "SPY")]
    assert monday[2:] == bars
    assert tuesday[2:] == [*bars, Fetched("news", None, "ok", lines=tuple(NEWS))]


def test_a_day_outside_the_sample_is_empty(folder: Path) -> None:
    found = fetch(SampleSource(folder), date(2027, 1, 4))
    assert [row.status for row in found if row.kind == "tweets"] == ["empty", "empty"]


def test_only_what_is_asked_for_is_answered(folder: Path) -> None:
    found = fetch(SampleSource(folder), MONDAY, "NVDA", "AMD")
    assert [(row.ticker, row.status) for row in found if row.kind == "tweets"] == [
        ("NVDA", "ok"),
        ("AMD", "empty"),
    ]


@pytest.mark.parametrize("text", [None, "{", "\xff"])
def test_a_folder_that_is_no_sample_says_how_to_make_one(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "days.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"no readable days\.json .*sample_data/generate\.py"):
        SampleSource(tmp_path).dates()


def test_a_damaged_sample_file_is_named(folder: Path) -> None:
    path = folder / "tweets" / "NVDA.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StoreError, match=r"NVDA\.jsonl\.gz: the gzip data ends"):
        fetch(SampleSource(folder), MONDAY)


# ---------------------------------------------------------------- archive


@pytest.fixture
def raw(tmp_path: Path) -> FolderStore:
    """Tweets of two sources on Tuesday, a day later news, and bars of three symbols."""
    store = FolderStore(tmp_path / "raw")
    for key in (
        layout.raw("tweets", TUESDAY, "twitter-v1", "NVDA"),
        layout.raw("tweets", TUESDAY, "twitter-v1", "NVDA", 2),
        layout.raw("tweets", TUESDAY, "twscrape", "NVDA"),
        layout.raw("tweets", TUESDAY, "twscrape", "BRK-B"),
        layout.raw("tweets", date(2026, 5, 9), "twscrape", "SPY"),
        layout.raw("news", date(2026, 5, 6), "rss", "news"),
        layout.bars("csv", "TSLA"),
        layout.bars("csv", "BRK-B"),
        layout.bars("csv", "SPY"),
        layout.bars("csv", "SPY", 2),
    ):
        store.put(key, b"")
    # What others leave behind is no raw data.
    for key in (
        "bars/.DS_Store",
        "bars/source=csv/.DS_Store",
        "bars/source=csv/notes-1.txt",
        "tweets/dt=2026-05-05/source=twscrape/.DS_Store",
        "tweets/dt=2026-05-05/README.md",
    ):
        store.put(key, b"")
    return store


def test_an_archive_spans_the_days_with_tweets(raw: FolderStore) -> None:
    assert ArchiveSource(raw).dates() == (TUESDAY, date(2026, 5, 9))


def test_an_empty_archive_spans_nothing(tmp_path: Path) -> None:
    source = ArchiveSource(FolderStore(tmp_path / "none"))
    assert source.dates() is None
    assert source.asked(TUESDAY) == ()
    assert fetch(source, TUESDAY) == []


def test_an_archive_is_asked_for_what_has_bars_or_tweets(raw: FolderStore) -> None:
    source = ArchiveSource(raw, ("SPY", "^VIX"))
    # The market's own symbols are asked for only where somebody wrote about them.
    assert source.asked(TUESDAY) == ("BRK-B", "NVDA", "TSLA")
    assert source.asked(date(2026, 5, 9)) == ("BRK-B", "SPY", "TSLA")
    assert source.asked(date(2030, 1, 2)) == ("BRK-B", "TSLA")


def test_an_archive_yields_the_keys_of_the_day_and_all_bars(raw: FolderStore) -> None:
    found = fetch(ArchiveSource(raw, ("SPY",)), TUESDAY)
    tweets = [(row.ticker, row.status, row.key) for row in found if row.kind == "tweets"]
    place = "tweets/dt=2026-05-05/source="
    assert tweets == [
        ("BRK-B", "ok", f"{place}twscrape/BRK-B-1.jsonl.gz"),
        ("NVDA", "ok", f"{place}twitter-v1/NVDA-1.jsonl.gz"),
        ("NVDA", "ok", f"{place}twitter-v1/NVDA-2.jsonl.gz"),
        ("NVDA", "ok", f"{place}twscrape/NVDA-1.jsonl.gz"),
        ("TSLA", "empty", None),  # an archive is complete: nothing is nothing
    ]
    assert [(row.ticker, row.key) for row in found if row.kind == "bars"] == [
        ("BRK-B", "bars/source=csv/BRK-B-1.jsonl.gz"),
        ("SPY", "bars/source=csv/SPY-1.jsonl.gz"),
        ("SPY", "bars/source=csv/SPY-2.jsonl.gz"),
        ("TSLA", "bars/source=csv/TSLA-1.jsonl.gz"),
    ]
    assert not any(row.kind == "news" for row in found)


def test_news_come_with_their_own_day(raw: FolderStore) -> None:
    found = fetch(ArchiveSource(raw), date(2026, 5, 6))
    assert [row.key for row in found if row.kind == "news"] == [
        "news/dt=2026-05-06/source=rss/news-1.jsonl.gz"
    ]
    assert all(row.status == "empty" for row in found if row.kind == "tweets")


def test_the_days_of_tweets_are_dates(raw: FolderStore) -> None:
    first, last = ArchiveSource(raw).dates() or (None, None)
    assert type(first) is date
    assert not isinstance(last, datetime)
