"""Tweets of others in the raw zone: which run, which bytes, and what cannot be taken."""

from __future__ import annotations

import base64
import gzip
import json
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cashtag.enrich import envelopes, tweets
from cashtag.enrich.readers import READERS
from cashtag.errors import StoreError
from cashtag.exchange import importing
from cashtag.exchange.importing import FileReport, Imported
from cashtag.lake import layout, lines
from cashtag.lake.disk import FolderStore
from cashtag.operate.status import quarantined
from cashtag.ports import Lake, Store
from cashtag.settings import load

SETTINGS = load(environ={})
ZONES = ("raw", "enriched", "signals", "ledger", "report")
BIG = 9007199254740993  # 2^53 + 1: a float would make 9007199254740992 of it


def lake(folder: Path, wrap: Callable[[Store], Any] = lambda store: store) -> Lake:
    return Lake(*(wrap(FolderStore(folder / zone)) for zone in ZONES))


def v1(number: int, created: str = "Mon Jun 02 11:00:00 +0000 2014", **more: Any) -> dict[str, Any]:
    return {
        "created_at": created,
        "id": number,
        "id_str": str(number),
        "text": f"$AAPL {number}",
        "user": {"screen_name": "someone"},
        **more,
    }


def line(value: Any) -> bytes:
    return json.dumps(value).encode()


def reference(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "ticker": "$NVDA",
        "username": "someone",
        "display_name": "Some One",
        "content": f"$NVDA {number}",
        "created_at": "2025-08-28 12:38:29+00:00",
        "likes": 7,
        "retweets": 1,
        "replies": 2,
        "hashtags": [],
        "url": f"https://x.com/someone/status/{number}",
        **more,
    }


def bring(tmp_path: Path, format_name: str, *paths: Path, ticker: str | None = None) -> Imported:
    return importing.bring(lake(tmp_path / "lake"), SETTINGS, format_name, paths, ticker=ticker)


def write(path: Path, *rows: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\n".join(rows) + b"\n")
    return path


def imported(
    tmp_path: Path, *rows: bytes, format_name: str = "twitter-v1", name: str = "AAPL.jsonl"
) -> FileReport:
    """Import one file of these lines; every line must be accounted for."""
    (report,) = bring(tmp_path, format_name, write(tmp_path / "in" / name, *rows)).files
    balanced(report)
    return report


def balanced(report: FileReport) -> None:
    fates = report.accepted + report.already + report.repeated + report.rejected
    assert report.lines == fates


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".tmp" not in path.parts
    }


def stored(tmp_path: Path) -> dict[str, list[bytes]]:
    """Lines of each raw object of tweets, by key."""
    found = snapshot(tmp_path / "lake" / "raw")
    return {k: lines.read(v, k) for k, v in found.items() if k.startswith("tweets/")}


def stored_ids(tmp_path: Path) -> list[str]:
    found = []
    for rows in stored(tmp_path).values():
        for row in rows:
            source, _, data = envelopes.opened(row)
            found.append(READERS[source](data).tweet_id)
    return sorted(found)


def kept_back(tmp_path: Path) -> list[dict[str, Any]]:
    found = snapshot(tmp_path / "lake" / "raw")
    return [
        json.loads(row)
        for key, data in found.items()
        if key.startswith("quarantine/")
        for row in lines.read(data, key)
    ]


# ---------------------------------------------------------------- which run


@pytest.mark.parametrize(
    ("created", "run"),
    [
        # Collected by the first run whose cutoff, 12:00 UTC, comes strictly after it.
        ("Mon Jun 02 11:59:59 +0000 2014", "2014-06-02"),
        ("Mon Jun 02 12:00:00 +0000 2014", "2014-06-03"),
        ("Sat Jun 07 13:00:00 +0000 2014", "2014-06-08"),  # runs are on Sundays too
        ("Wed Dec 31 23:59:59 +0000 2014", "2015-01-01"),
        ("Mon Jun 02 20:00:00 +0900 2014", "2014-06-02"),  # 11:00 UTC
    ],
)
def test_a_line_goes_to_the_run_that_would_have_collected_it(
    tmp_path: Path, created: str, run: str
) -> None:
    imported(tmp_path, line(v1(1, created)))
    assert list(stored(tmp_path)) == [f"tweets/dt={run}/source=twitter-v1/AAPL-1.jsonl.gz"]


def test_another_cutoff_makes_other_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "AAPL.jsonl", line(v1(1, "Mon Jun 02 12:00:00 +0000 2014")))
    late = load(environ={}, overrides={"scrape.cutoff_utc": "12:30"})
    importing.bring(lake(tmp_path / "lake"), late, "twitter-v1", [path])
    assert list(stored(tmp_path)) == ["tweets/dt=2014-06-02/source=twitter-v1/AAPL-1.jsonl.gz"]


def test_a_run_has_one_object_of_a_ticker_however_files_are_cut(tmp_path: Path) -> None:
    write(tmp_path / "in" / "AAPL-2014-06-02.jsonl", line(v1(3)), line(v1(1)))
    write(tmp_path / "in" / "AAPL-2014-06-01.jsonl", line(v1(2)))
    bring(tmp_path, "twitter-v1", tmp_path / "in")
    in_two = stored(tmp_path)
    assert list(in_two) == ["tweets/dt=2014-06-02/source=twitter-v1/AAPL-1.jsonl.gz"]
    # In the order of time, and of ids within a second.
    assert [json.loads(row)["data"]["id"] for row in in_two[next(iter(in_two))]] == [1, 2, 3]

    one = tmp_path / "other"
    imported(one, line(v1(1)), line(v1(2)), line(v1(3)))
    assert stored(one) == in_two


def test_two_tickers_are_two_objects(tmp_path: Path) -> None:
    write(tmp_path / "in" / "AAPL.jsonl", line(v1(1)))
    write(tmp_path / "in" / "C.jsonl", line(v1(1)))
    done = bring(tmp_path, "twitter-v1", tmp_path / "in")
    assert [f.accepted for f in done.files] == [1, 1]  # one post may be about both
    assert len(stored(tmp_path)) == 2


# ---------------------------------------------------------------- which bytes


def test_a_line_stands_in_its_envelope_byte_for_byte(tmp_path: Path) -> None:
    # Escapes, spaces, the order of keys and a number's zeros are as the source wrote them.
    raw = (
        b'{ "text":"\\u00e9 \\/ $AAPL", "id_str":"1","created_at":"Mon Jun 02 11:00:00 +0000 2014",'
        b' "geo":[1.10,-0.0,1e5], "id" : 1 }'
    )
    imported(tmp_path, raw)
    ((kept,),) = stored(tmp_path).values()
    assert kept == (b'{"source":"twitter-v1","scraped_at":null,"query":"AAPL","data":' + raw + b"}")


def test_ids_of_64_bits_are_exact(tmp_path: Path) -> None:
    without_text = {k: v for k, v in v1(BIG).items() if k != "id_str"}
    assert imported(tmp_path, line(without_text), line(v1(BIG - 1))).accepted == 2
    assert stored_ids(tmp_path) == [str(BIG - 1), str(BIG)]


def test_an_id_that_was_a_float_is_no_id(tmp_path: Path) -> None:
    broken = {k: v for k, v in v1(1).items() if k != "id_str"} | {"id": 4.730538720096543e17}
    assert imported(tmp_path, line(broken)).reasons == "no-id 1"


def test_half_an_emoji_and_a_number_that_is_none_are_taken_as_they_are(tmp_path: Path) -> None:
    cut = line(v1(1)).replace(b'"$AAPL 1"', b'"$AAPL \\ud83d"')
    nan = line(v1(2)).replace(b'{"screen', b'{"followers_count":NaN,"screen')
    assert imported(tmp_path, cut, nan).accepted == 2
    ((first, second),) = stored(tmp_path).values()
    assert cut in first
    assert nan in second


def test_marks_blank_lines_and_windows_line_ends_are_no_content(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + line(v1(1)) + b"\r\n\r\n  \r\n" + line(v1(2)) + b"\r\n"
    (tmp_path / "AAPL.jsonl").write_bytes(data)
    (report,) = bring(tmp_path, "twitter-v1", tmp_path / "AAPL.jsonl").files
    assert (report.lines, report.accepted) == (2, 2)
    ((first, _),) = stored(tmp_path).values()
    assert first.endswith(b'"data":' + line(v1(1)) + b"}")


def test_utf16_is_read(tmp_path: Path) -> None:
    text = json.dumps(v1(1, text="$AAPL café 漢"), ensure_ascii=False) + "\n"
    (tmp_path / "AAPL.jsonl").write_bytes(text.encode("utf-16"))
    assert bring(tmp_path, "twitter-v1", tmp_path / "AAPL.jsonl").accepted == 1
    ((kept,),) = stored(tmp_path).values()
    assert json.loads(kept)["data"]["text"] == "$AAPL café 漢"


# ---------------------------------------------------------------- what cannot be taken


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"id": 1, "text": "cut o', "json"),
        (b"Rate limit exceeded", "json"),
        (b"[" * 100_000, "json"),
        (b'"a string"', "not-object"),
        (b"42", "not-object"),
        (b"null", "not-object"),
        (line({k: v for k, v in v1(1).items() if not k.startswith("id")}), "no-id"),
        (line({k: v for k, v in v1(1).items() if k != "text"}), "no-text"),
        (line(v1(1, text=" \u200b\n")), "no-text"),  # nothing that one could see
        (line({k: v for k, v in v1(1).items() if k != "created_at"}), "no-date"),
        (line(v1(1, "yesterday")), "no-date"),
        (line(v1(1, "Thu Jan 01 00:00:00 +0000 1970")), "outside-calendar"),
        (line(v1(1, "Mon Jun 02 11:00:00 +0000 2314")), "outside-calendar"),
        (line(v1(1, text="x" * (1 << 20))), "too-long"),
        # Within an envelope this would seem to be JSON that names its own source.
        (line(v1(1)) + b',"source":"x"', "json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_line_that_cannot_be_taken_is_counted_and_kept(
    tmp_path: Path, bad: bytes, reason: str
) -> None:
    report = imported(tmp_path, line(v1(7)), bad, line(v1(8)))
    assert (report.lines, report.accepted, report.rejected) == (3, 2, 1)
    assert report.reasons == f"{reason} 1"
    assert kept_back(tmp_path) == [
        {"reason": reason, "file": "AAPL.jsonl", "line": 2, "raw": bad.decode()}
    ]
    (counted,) = quarantined(lake(tmp_path / "lake"))
    assert (counted["origin"], counted["reason"]) == ("import/twitter-v1", reason)
    assert counted["lines"] == 1


def test_bytes_of_another_encoding_are_kept_exactly(tmp_path: Path) -> None:
    latin = json.dumps(v1(1, text="café $AAPL"), ensure_ascii=False).encode("latin-1")
    assert imported(tmp_path, line(v1(2)), latin).reasons == "encoding 1"
    (row,) = kept_back(tmp_path)
    assert base64.b64decode(row["base64"]) == latin
    assert "caf\\xe9" in row["raw"]  # for people


def test_a_cut_off_last_line_is_refused_and_the_rest_is_taken(tmp_path: Path) -> None:
    whole = line(v1(1)) + b"\n" + line(v1(2))
    (tmp_path / "AAPL.jsonl").write_bytes(whole[:-5])
    (report,) = bring(tmp_path, "twitter-v1", tmp_path / "AAPL.jsonl").files
    assert (report.lines, report.accepted, report.reasons) == (2, 1, "json 1")


def test_a_cut_off_gzip_gives_its_whole_lines_and_counts_the_damage(tmp_path: Path) -> None:
    # Random text does not compress, so half of the bytes are about half of the lines.
    rows = [line(v1(n, text=os.urandom(99).hex())) for n in range(1, 101)]
    packed = lines.pack(rows)
    path = tmp_path / "AAPL.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    readable = len(lines.unpack(path.read_bytes()).lines)
    assert 40 < readable < 60
    (report,) = bring(tmp_path, "twitter-v1", path).files
    assert (report.lines, report.accepted, report.reasons) == (readable + 1, readable, "gzip 1")
    (row,) = kept_back(tmp_path)
    assert row["line"] == 0
    assert "before it is complete" in row["detail"]
    assert row["raw"].startswith('{"created_at"')  # the piece of a line at the cut


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "AAPL.jsonl").write_bytes(b"")
    done = bring(tmp_path, "twitter-v1", tmp_path / "AAPL.jsonl")
    assert done.files == (FileReport("AAPL.jsonl", "AAPL", 0, 0, 0, 0, 0, ""),)
    assert done.accepted == 0
    assert snapshot(tmp_path / "lake") == {}


def test_reasons_are_listed_most_frequent_first(tmp_path: Path) -> None:
    report = imported(tmp_path, b"a", b"b", b"{}", line(v1(1)))
    assert report.reasons == "json 2, no-id 1"


# ---------------------------------------------------------------- twscrape


def twscrape(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "id_str": str(number),
        "url": f"https://x.com/a/status/{number}",
        "date": "2026-03-02 11:00:00+00:00",
        "user": {"username": "a", "displayname": "A"},
        "rawContent": f"$NVDA {number}",
        "source": "Web",
        "likeCount": 3,
    }


def test_tweets_as_twscrape_prints_them_are_wrapped(tmp_path: Path) -> None:
    raw = line(twscrape(BIG))
    assert imported(tmp_path, raw, format_name="twscrape", name="NVDA.jsonl").accepted == 1
    assert stored(tmp_path) == {
        "tweets/dt=2026-03-02/source=twscrape/NVDA-1.jsonl.gz": [
            b'{"source":"twscrape","scraped_at":null,"query":"NVDA","data":' + raw + b"}"
        ]
    }


def test_our_own_envelopes_come_back_as_they_went_out(tmp_path: Path) -> None:
    # What is synthetic stays so, and what says when it was collected goes on saying it.
    envelope = line(
        {
            "source": "synthetic",
            "scraped_at": "2026-03-02T12:00:05+00:00",
            "query": "$NVDA",
            "data": twscrape(1),
        }
    )
    report = imported(tmp_path, envelope, envelope, format_name="twscrape", name="NVDA.jsonl")
    assert (report.accepted, report.repeated) == (1, 1)
    assert list(stored(tmp_path).values()) == [[envelope]]
    again = bring(tmp_path, "twscrape", tmp_path / "in")
    assert (again.files[0].already, again.files[0].repeated) == (1, 1)


def test_a_tweet_of_another_format_is_refused(tmp_path: Path) -> None:
    report = imported(tmp_path, line(v1(1)), format_name="twscrape", name="AAPL.jsonl")
    assert report.reasons == "no-text 1"


# ---------------------------------------------------------------- arrays


def as_array(rows: list[dict[str, Any]], indent: int | None) -> bytes:
    return json.dumps(rows, indent=indent).encode()


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read_element_by_element(tmp_path: Path, indent: int | None) -> None:
    rows = [reference(BIG), reference(BIG + 1, content='$NVDA café {"x": [1]}\nsecond line')]
    report = imported(
        tmp_path,
        as_array(rows, indent),
        format_name="reference",
        name="NVDA-2025-08-29.json",
    )
    assert (report.lines, report.accepted) == (2, 2)
    # 12:38 comes after the cutoff of the 28th; the name's date does not decide.
    ((key, kept),) = stored(tmp_path).items()
    assert key == "tweets/dt=2025-08-29/source=reference/NVDA-1.jsonl.gz"
    opened = [json.loads(row) for row in kept]
    assert [row["data"] for row in opened] == rows
    assert {row["scraped_at"] for row in opened} == {None}


def test_enriched_elements_keep_their_sentiment(tmp_path: Path) -> None:
    row = reference(1, sentiment="neutral", sentiment_score=0.7066949605941772)
    data = as_array([row], None)
    imported(tmp_path, data, format_name="reference", name="enriched-NVDA-2025-08-29.json")
    ((kept,),) = stored(tmp_path).values()
    assert b'"sentiment": "neutral", "sentiment_score": 0.7066949605941772}' in kept


@pytest.mark.parametrize("indent", [None, 2])
def test_a_cut_off_array_gives_its_whole_elements(tmp_path: Path, indent: int | None) -> None:
    data = as_array([reference(1), reference(2), reference(3)], indent)[:-20]
    report = imported(tmp_path, data, format_name="reference", name="NVDA.json")
    assert (report.lines, report.accepted, report.reasons) == (3, 2, "json 1")


@pytest.mark.parametrize("indent", [None, 2])
def test_a_broken_element_costs_only_itself(tmp_path: Path, indent: int | None) -> None:
    data = as_array([reference(1), reference(2), reference(3)], indent)
    data = data.replace(b'"$NVDA 2"', b'"$NVDA 2')  # its string does not end
    report = imported(tmp_path, data, format_name="reference", name="NVDA.json")
    assert (report.lines, report.accepted, report.reasons) == (3, 2, "json 1")
    assert stored_ids(tmp_path) == ["1", "3"]


@pytest.mark.parametrize("indent", [None, 2])
def test_an_element_in_another_encoding_costs_only_itself(
    tmp_path: Path, indent: int | None
) -> None:
    data = as_array([reference(1), reference(2), reference(3)], indent)
    data = data.replace(b"$NVDA 2", b"$NVDA caf\xe9")
    report = imported(tmp_path, data, format_name="reference", name="NVDA.json")
    assert (report.lines, report.accepted, report.reasons) == (3, 2, "encoding 1")
    assert b"caf\xe9" in base64.b64decode(kept_back(tmp_path)[0]["base64"])


@pytest.mark.parametrize(
    "data",
    [
        b"[" + line(v1(1)) + b",\n" + line(v1(2)) + b"\n]\n",
        b"[\n" + line(v1(1)) + b",\n" + line(v1(2)) + b"\n]",
        line(v1(1)) + b",\n" + line(v1(2)) + b",\n",
        b"[" + line(v1(1)) + b"]\n[" + line(v1(2)) + b"]\n",
        json.dumps(v1(1), indent=1).encode() + b"\n" + json.dumps(v1(2), indent=1).encode(),
    ],
    ids=["array", "array by lines", "lines with commas", "an array a line", "indented objects"],
)
def test_arrays_and_indented_objects_are_read_in_every_format(tmp_path: Path, data: bytes) -> None:
    report = imported(tmp_path, data, name="AAPL.json")
    assert (report.lines, report.accepted) == (2, 2)
    assert stored_ids(tmp_path) == ["1", "2"]


def test_good_lines_survive_a_first_line_that_looks_like_an_array(tmp_path: Path) -> None:
    report = imported(tmp_path, b"[broken", line(v1(1)), line(v1(2)))
    assert (report.lines, report.accepted, report.reasons) == (3, 2, "json 1")


def test_an_empty_array_has_no_lines(tmp_path: Path) -> None:
    assert imported(tmp_path, b"[]", format_name="reference", name="NVDA.json").lines == 0


# ---------------------------------------------------------------- again, and at once


def some_files(folder: Path) -> Path:
    """Two tickers in three files: repeats, bad lines, a boundary between runs."""
    write(folder / "AAPL-1.jsonl".replace("-1", ""), *(line(v1(n)) for n in (1, 2, 3)), b"bad")
    write(
        folder / "AAPL-2014-06-03.jsonl",
        line(v1(3)),
        line(v1(4, "Mon Jun 02 12:00:00 +0000 2014")),
        b"\xff",
    )
    write(folder / "C.jsonl", line(v1(1)), line(v1(9, "Tue Jun 03 12:00:00 +0000 2014")))
    return folder


def test_an_import_that_runs_again_changes_nothing(tmp_path: Path) -> None:
    folder = some_files(tmp_path / "in")
    first = bring(tmp_path, "twitter-v1", folder)
    before = snapshot(tmp_path / "lake")
    again = bring(tmp_path, "twitter-v1", folder)
    assert snapshot(tmp_path / "lake") == before
    # AAPL-2014-06-03 comes before AAPL in the order of paths, so it is the one that has post 3.
    assert [(f.file, f.accepted, f.repeated, f.rejected) for f in first.files] == [
        ("AAPL-2014-06-03.jsonl", 2, 0, 1),
        ("AAPL.jsonl", 2, 1, 1),
        ("C.jsonl", 2, 0, 0),
    ]
    assert [(f.accepted, f.already, f.repeated, f.rejected) for f in again.files] == [
        (0, 2, 0, 1),
        (0, 2, 1, 1),
        (0, 2, 0, 0),
    ]
    assert again.accepted == first.accepted == 6  # an import that ran again is no failure


def test_an_overlapping_import_adds_the_new_posts_only(tmp_path: Path) -> None:
    imported(tmp_path, line(v1(1)), line(v1(2)))
    report = imported(tmp_path, line(v1(2, text="$AAPL edited")), line(v1(3)))
    assert (report.accepted, report.already) == (1, 1)
    found = stored(tmp_path)
    assert list(found) == [
        "tweets/dt=2014-06-02/source=twitter-v1/AAPL-1.jsonl.gz",
        "tweets/dt=2014-06-02/source=twitter-v1/AAPL-2.jsonl.gz",
    ]
    assert [len(rows) for rows in found.values()] == [2, 1]
    assert stored_ids(tmp_path) == ["1", "2", "3"]


def test_a_damaged_object_of_the_lake_gets_its_lost_posts_again(tmp_path: Path) -> None:
    rows = [line(v1(n, text=os.urandom(99).hex())) for n in range(1, 51)]
    imported(tmp_path, *rows)
    (path,) = (tmp_path / "lake" / "raw" / "tweets").rglob("*.gz")
    path.write_bytes(path.read_bytes()[:2000])
    left = len(lines.unpack(path.read_bytes()).lines)
    again = bring(tmp_path, "twitter-v1", tmp_path / "in").files[0]
    assert 0 < left < 50
    assert (again.accepted, again.already) == (50 - left, left)


def test_threads_that_import_the_same_leave_the_same(tmp_path: Path) -> None:
    folder = some_files(tmp_path / "in")
    bring(tmp_path / "alone", "twitter-v1", folder)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: bring(tmp_path, "twitter-v1", folder), range(4)))
    assert snapshot(tmp_path / "lake") == snapshot(tmp_path / "alone" / "lake")
    for each in done:
        for report in each.files:
            balanced(report)


def test_processes_that_import_the_same_leave_the_same(tmp_path: Path) -> None:
    folder = some_files(tmp_path / "in")
    bring(tmp_path / "alone", "twitter-v1", folder)
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=bring, args=(tmp_path, "twitter-v1", folder)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert snapshot(tmp_path / "lake") == snapshot(tmp_path / "alone" / "lake")


class Failing:
    """A store that fails, or ends its process, at one of its calls, before or after it worked."""

    def __init__(self, store: Store, at: int, after: bool, deadly: bool = False) -> None:
        self._store, self._at, self._after, self._deadly = store, at, after, deadly
        self._lock = Lock()
        self.calls = 0

    def _fail(self) -> None:
        if self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        raise StoreError("cannot write: the disk is full: free space, then run again")

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, name)
        if name == "uri":
            return member

        def call(*args: Any) -> Any:
            with self._lock:
                self.calls += 1
                now = self.calls == self._at
            if now and not self._after:
                self._fail()
            result = member(*args)
            if now:
                self._fail()
            return result

        return call


@contextmanager
def failing_at(folder: Path, at: int, after: bool, deadly: bool = False) -> Iterator[Lake]:
    zones = lake(folder)
    raw = Failing(zones.raw, at, after, deadly)
    yield Lake(raw, *(getattr(zones, zone) for zone in ZONES[1:]))  # type: ignore[arg-type]


def calls_of(folder: Path, source: Path) -> int:
    with failing_at(folder, -1, False) as zones:
        importing.bring(zones, SETTINGS, "twitter-v1", [source])
        return zones.raw.calls  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("after", [False, True])
def test_an_import_that_failed_at_any_call_is_completed_by_the_next(
    tmp_path: Path, after: bool
) -> None:
    source = some_files(tmp_path / "in")
    calls = calls_of(tmp_path / "alone", source)
    assert calls > 10
    for at in range(1, calls + 1):
        with (
            failing_at(tmp_path / str(at), at, after) as zones,
            pytest.raises(StoreError, match="disk is full"),
        ):
            importing.bring(zones, SETTINGS, "twitter-v1", [source])
        importing.bring(lake(tmp_path / str(at)), SETTINGS, "twitter-v1", [source])
        assert snapshot(tmp_path / str(at)) == snapshot(tmp_path / "alone"), at


@pytest.mark.parametrize("after", [False, True])
def test_an_import_that_was_killed_at_any_call_is_completed_by_the_next(
    tmp_path: Path, after: bool
) -> None:
    source = some_files(tmp_path / "in")
    calls = calls_of(tmp_path / "alone", source)
    for at in range(1, calls + 1):
        child = os.fork()
        if child == 0:
            try:
                with failing_at(tmp_path / str(at), at, after, deadly=True) as zones:
                    importing.bring(zones, SETTINGS, "twitter-v1", [source])
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        importing.bring(lake(tmp_path / str(at)), SETTINGS, "twitter-v1", [source])
        assert snapshot(tmp_path / str(at)) == snapshot(tmp_path / "alone"), at


# ---------------------------------------------------------------- any mixture

GOOD = st.builds(
    lambda number, hour: line(v1(number, f"Mon Jun 02 {hour:02d}:00:00 +0000 2014")),
    st.integers(1, 12),
    st.sampled_from([10, 14]),
)
BAD = st.sampled_from(
    [
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe\x00",
        b'{"id_str":"5"}',
        b'{"id_str":"5","text":"t"}',
        line(v1(5, text="\u200b")),
        line(v1(5, "Thu Jan 01 00:00:00 +0000 1970")),
        b"\x00",
        b",",
    ]
)
BLANK = st.sampled_from([b"", b"  ", b"\t\r"])


@given(
    files=st.lists(st.lists(st.one_of(GOOD, GOOD, BAD, BLANK), max_size=12), max_size=3),
    packed=st.booleans(),
    cut=st.one_of(st.just(0), st.integers(0, 60)),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_line_of_any_mixture_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[bytes]], packed: bool, cut: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("mixture")
    for n, rows in enumerate(files):
        data = b"\n".join(rows)
        data = gzip.compress(data, mtime=0) if packed else data
        path = tmp_path / "in" / f"AAPL-2014-06-0{n + 1}.jsonl{'.gz' * packed}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data[: len(data) - cut] if n == 0 else data)
    if not files:
        return
    first = bring(tmp_path, "twitter-v1", tmp_path / "in")
    for report in first.files:
        balanced(report)
    assert sum(f.accepted for f in first.files) == len(stored_ids(tmp_path))
    assert sum(f.rejected for f in first.files) == len(kept_back(tmp_path))
    assert Counter(f.already for f in first.files) == {0: len(files)}
    # What the import takes, enrichment can read.
    for key, data in snapshot(tmp_path / "lake" / "raw").items():
        if (parsed := layout.parse_raw(key)) is not None:
            assert tweets.parse(SETTINGS, parsed, data).rejected == ()
    before = snapshot(tmp_path / "lake")
    again = bring(tmp_path, "twitter-v1", tmp_path / "in")
    assert snapshot(tmp_path / "lake") == before
    for report, repeated in zip(first.files, again.files, strict=True):
        assert repeated.already == report.accepted
        assert (repeated.accepted, repeated.repeated) == (0, report.repeated)
        assert (repeated.lines, repeated.reasons) == (report.lines, report.reasons)


# ---------------------------------------------------------------- real posts


def shared() -> Path:
    folder = Path(
        os.environ.get("CASHTAG_SHARED", Path(__file__).parents[2].parent / "shared")
    ).expanduser()
    if not (folder / "data" / "stocknet" / "tweets").is_dir():
        pytest.skip("no real data beside the checkout")
    return folder / "data"


@pytest.mark.shared
def test_every_real_post_of_a_stock_is_in_the_lake_once(tmp_path: Path) -> None:
    path = shared() / "stocknet" / "tweets" / "CELG.jsonl.gz"
    raw = gzip.decompress(path.read_bytes()).splitlines()
    done = bring(tmp_path, "twitter-v1", path)
    assert done.files[0].lines == len(raw)
    assert done.files[0].rejected == 0
    kept = b"\n".join(row for rows in stored(tmp_path).values() for row in rows)
    assert all(row in kept for row in raw)


@pytest.mark.shared
def test_the_reference_day_raw_and_enriched_is_one_set_of_posts(tmp_path: Path) -> None:
    folder = shared() / "reference-day"
    done = bring(tmp_path, "reference", folder)
    # 142 posts in each file; the enriched one comes first in the order of names.
    assert [(f.lines, f.accepted, f.repeated) for f in done.files] == [(142, 142, 0), (142, 0, 142)]
    assert len(stored_ids(tmp_path)) == 142
