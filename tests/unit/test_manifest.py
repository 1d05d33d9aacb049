"""The manifest of a scrape: its name is its content, and a day expects the union of its manifests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from cashtag.errors import StoreError
from cashtag.lake import layout, lines
from cashtag.lake.disk import FolderStore
from cashtag.scrape import manifest
from cashtag.scrape.manifest import Manifest, ObjectEntry, TickerEntry

DT = date(2026, 5, 5)
CUTOFF = datetime(2026, 5, 5, 12, tzinfo=UTC)


def made(*objects: ObjectEntry, tickers: tuple[TickerEntry, ...] = (), dt: date = DT) -> Manifest:
    return Manifest(dt, CUTOFF, "synthetic", tickers, objects)


def obj(key: str, n: int = 3, sha256: str = "0" * 64) -> ObjectEntry:
    return ObjectEntry(key, sha256, n, 100 * n)


def test_an_entry_describes_bytes_and_readable_lines() -> None:
    data = lines.pack([b"{}", b"{}"])
    entry = manifest.entry("tweets/a", data)
    assert entry == ObjectEntry("tweets/a", hashlib.sha256(data).hexdigest(), 2, len(data))
    # A damaged object is another content with fewer lines, although one was counted before.
    assert manifest.entry("tweets/a", data[:-12]).lines < 2


def test_a_manifest_reads_back_as_it_was(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    whole = made(
        obj("tweets/a"),
        tickers=(
            TickerEntry("NVDA", "ok", None, 3),
            TickerEntry("TSLA", "refused", "429 – später", 0),
        ),
    )
    key = manifest.write(raw, whole)
    assert key == f"manifests/dt=2026-05-05/{whole.sha()}.json"
    assert manifest.of_day(raw, DT) == (whole,)


def test_the_name_is_the_hash_of_the_text(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    key = manifest.write(raw, made(obj("tweets/a")))
    name = key.rsplit("/", 1)[1].removesuffix(".json")
    assert hashlib.sha256(raw.get(key)).hexdigest() == name
    # One text for one content: sorted names, no spaces.
    assert raw.get(key).startswith(b'{"cutoff":"2026-05-05T12:00:00+00:00","dt":"2026-05-05",')


def test_the_same_scrape_twice_leaves_one_manifest(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    assert manifest.write(raw, made(obj("tweets/a"))) == manifest.write(raw, made(obj("tweets/a")))
    assert len(manifest.of_day(raw, DT)) == 1


def test_a_resumed_scrape_adds_a_manifest_and_the_day_expects_both(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    manifest.write(raw, made(obj("tweets/b"), obj("news/x")))
    manifest.write(raw, made(obj("tweets/a"), obj("news/x")))
    manifest.write(raw, made(obj("tweets/other"), dt=date(2026, 5, 6)))
    expected = manifest.expected(manifest.of_day(raw, DT))
    assert [entry.key for entry in expected] == ["news/x", "tweets/a", "tweets/b"]


def test_a_day_without_a_scrape_has_no_manifest_and_expects_nothing(tmp_path: Path) -> None:
    assert manifest.of_day(FolderStore(tmp_path / "nowhere"), DT) == ()
    assert manifest.expected(()) == ()
    assert manifest.tickers(()) == ()


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_entries_for_one_object_the_fuller_is_what_was_scraped(turned: bool) -> None:
    whole, damaged = obj("tweets/a", 8, "a" * 64), obj("tweets/a", 3, "b" * 64)
    order = (made(damaged), made(whole)) if turned else (made(whole), made(damaged))
    assert manifest.expected(order) == (whole,)


def test_a_tickers_best_answer_counts_whichever_scrape_gave_it() -> None:
    first = made(
        tickers=(
            TickerEntry("AAPL", "ok", None, 5),
            TickerEntry("MSFT", "refused", "rate limit", 0),
            TickerEntry("NVDA", "refused", "rate limit", 0),
            TickerEntry("TSLA", "empty", None, 0),
        )
    )
    resumed = made(
        tickers=(
            TickerEntry("AAPL", "ok", None, 9),  # five and four more
            TickerEntry("MSFT", "empty", None, 0),
            TickerEntry("NVDA", "refused", "ban", 0),
            TickerEntry("TSLA", "refused", "rate limit", 0),
        )
    )
    best = {row.ticker: (row.status, row.tweets) for row in manifest.tickers((first, resumed))}
    assert best == {
        "AAPL": ("ok", 9),
        "MSFT": ("empty", 0),  # truly nothing is an answer, a refusal is none
        "NVDA": ("refused", 0),
        "TSLA": ("empty", 0),
    }
    turned = manifest.tickers((resumed, first))
    assert {row.ticker: (row.status, row.tweets) for row in turned} == best


def test_of_two_answers_that_are_as_good_the_later_scrape_knows_better() -> None:
    first = made(tickers=(TickerEntry("NVDA", "ok", None, 60, more=True, cursor="page-4"),))
    # The second call asked for more and was told that there is none.
    second = replace(made(tickers=(TickerEntry("NVDA", "ok", None, 60),)), number=2)
    for order in ((first, second), (second, first)):
        (row,) = manifest.tickers(order)
        assert not row.more


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"version": 1}',
        b'{"version": 1, "dt": "2026-05-05", "cutoff": "noon", "source": "x", "tickers": [], "objects": []}',
        b'{"version": 1, "dt": "2026-05-05", "cutoff": "2026-05-05T12:00:00+00:00", "source": "x", "tickers": null, "objects": []}',
        b'{"version": 1, "dt": "2026-05-05", "cutoff": "2026-05-05T12:00:00+00:00", "source": "x", "tickers": [], "objects": [{"key": "a"}]}',
    ],
)
def test_a_text_that_is_no_manifest_is_named_with_what_to_do(text: bytes, tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    raw.put(layout.manifest(DT, "abc"), text)
    with pytest.raises(
        StoreError,
        match=r"manifests/dt=2026-05-05/abc\.json is no manifest .*; remove it and scrape the day",
    ):
        manifest.of_day(raw, DT)


def test_a_manifest_of_a_later_version_is_refused(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    later = json.loads(made().to_json()) | {"version": 4}
    raw.put(layout.manifest(DT, "abc"), json.dumps(later).encode())
    with pytest.raises(StoreError, match="version 4, expected 2"):
        manifest.of_day(raw, DT)


# ---------------------------------------------------------------- takedowns


def superseding(now: ObjectEntry, *was: ObjectEntry) -> Manifest:
    gone = tuple(manifest.Gone(one.key, one.sha256) for one in was)
    return Manifest(DT, CUTOFF, manifest.TAKEDOWN, (), (now,), number=0, gone=gone)


def test_a_takedown_supersedes_what_was_scraped(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    key = "tweets/dt=2026-05-05/source=x/NVDA-1.jsonl.gz"
    was, now, other = obj(key, 3, "a" * 64), obj(key, 2, "b" * 64), obj("news/x")
    manifest.write(raw, made(was, other, tickers=(TickerEntry("NVDA", "ok", None, 3),)))
    manifest.write(raw, superseding(now, was))
    held = manifest.of_day(raw, DT)
    assert manifest.expected(held) == (other, now)
    assert manifest.scraped(held) == (other, was)  # for the coverage: the scraper did its work
    assert manifest.tickers(held) == (TickerEntry("NVDA", "ok", None, 2),)
    # A second takedown of the same object, and a scrape that had not heard of the first.
    last = obj(key, 1, "c" * 64)
    manifest.write(raw, superseding(last, was, now))
    manifest.write(raw, replace(made(was), number=9))
    assert manifest.expected(manifest.of_day(raw, DT)) == (other, last)
    assert manifest.tickers(manifest.of_day(raw, DT)) == (TickerEntry("NVDA", "ok", None, 1),)


def test_only_a_takedown_writes_another_version() -> None:
    assert json.loads(made().to_json())["version"] == 2
    assert "gone" not in json.loads(made().to_json())
    whole = superseding(obj("tweets/a"), obj("tweets/a", 4, "1" * 64))
    assert json.loads(whole.to_json())["version"] == 3
    assert manifest.parse("k", whole.to_json()) == whole
