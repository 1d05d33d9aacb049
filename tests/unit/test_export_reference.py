"""The reference export: keys, types, emoji, files, and the way back in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cashtag.enrich import tweets
from cashtag.errors import InputError, StoreError
from cashtag.exchange import exporting, importing
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.disk import FolderStore
from cashtag.ports import Lake
from cashtag.settings import load

SETTINGS = load(environ={})
DT = date(2025, 8, 29)  # the run that collects what was posted after 12:00 UTC of the 28th
KEYS = [
    "id", "ticker", "username", "display_name", "content", "created_at", "likes", "retweets",
    "replies", "hashtags", "url", "sentiment", "sentiment_score",
]  # fmt: skip


def lake(folder: Path) -> Lake:
    return Lake(*(FolderStore(folder / z) for z in ("raw", "enriched", "signals", "ledger", "r")))


def post(number: int | str, content: str = "$NVDA up", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "ticker": "$NVDA",
        "username": "someone",
        "display_name": "Some One",
        "content": content,
        "created_at": "2025-08-28 12:38:29+00:00",
        "likes": 7,
        "retweets": 1,
        "replies": 2,
        "hashtags": [],
        "url": f"https://x.com/someone/status/{number}",
        **more,
    }


def answered(parsed: tweets.Parsed) -> np.ndarray:
    return np.tile([0.1, 0.2, 0.7], (len(parsed.texts), 1))


def unanswered(parsed: tweets.Parsed) -> np.ndarray:
    return np.full((len(parsed.texts), 3), np.nan)


def enriched(
    folder: Path,
    *posts: dict[str, Any],
    score: Callable[[tweets.Parsed], np.ndarray] = answered,
    name: str = "NVDA",
) -> Lake:
    """A lake with these posts, imported and enriched."""
    zones = lake(folder / "lake")
    source = folder / "in" / f"{name}.json"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(json.dumps(posts))
    importing.bring(zones, SETTINGS, "reference", [source])
    enrich(zones, score)
    return zones


def enrich(zones: Lake, score: Callable[[tweets.Parsed], np.ndarray] = answered) -> None:
    tables: dict[date, list[Any]] = {}
    for info in zones.raw.list("tweets/"):
        key = layout.parse_raw(info.key)
        assert key is not None
        data = zones.raw.get(info.key)
        found = tweets.enrich_object(SETTINGS, key, data, score, "stub", "1")
        assert not found.rejected
        tables.setdefault(key.dt, []).extend(found.table.to_pylist())
    import pyarrow as pa

    table = contract("tweets")
    for dt, rows in tables.items():
        data = parquet.write(table, pa.Table.from_pylist(rows, schema=table.arrow_schema()))
        zones.enriched.put(layout.enriched("tweets", dt), data)


def only(folder: Path, *posts: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The elements of the one file that these posts give."""
    zones = enriched(folder, *posts, **more)
    ((path, n),) = exporting.reference(zones, folder / "out")
    elements: list[dict[str, Any]] = json.loads(path.read_bytes())
    assert len(elements) == n
    return elements


def test_an_element_has_the_keys_of_the_reference_in_its_order_and_types(tmp_path: Path) -> None:
    (element,) = only(tmp_path, post(1961045723190907181, "$NVDA to the #Moon &amp; back"))
    assert list(element) == KEYS == list(exporting.KEYS)
    assert element == {
        "id": 1961045723190907181,  # an integer, exact beyond 2^53
        "ticker": "$NVDA",
        "username": "someone",
        "display_name": "Some One",
        "content": "$NVDA to the #Moon &amp; back",
        "created_at": "2025-08-28 12:38:29+00:00",
        "likes": 7,
        "retweets": 1,
        "replies": 2,
        "hashtags": ["Moon"],  # as its author wrote it
        "url": "https://x.com/someone/status/1961045723190907181",
        "sentiment": "positive",
        "sentiment_score": 0.7,
    }


def test_a_file_is_an_array_on_one_line_in_utf8(tmp_path: Path) -> None:
    zones = enriched(tmp_path, post(1, "$NVDA 漲 “up” → “more”"))
    ((path, _),) = exporting.reference(zones, tmp_path / "out")
    data = path.read_bytes()
    assert data.startswith(b'[{"id":1,"ticker":"$NVDA","username":"someone",')
    assert data.endswith(b"}]")
    assert "漲 “up” →".encode() in data


def test_the_most_liked_come_first(tmp_path: Path) -> None:
    posts = [post(1, likes=5), post(2, likes=None), post(3, likes=90), post(4, likes=5)]
    assert [e["id"] for e in only(tmp_path, *posts)] == [3, 1, 4, 2]


def test_what_the_source_did_not_state_is_null_or_empty(tmp_path: Path) -> None:
    bare = {k: v for k, v in post(1).items() if k in {"id", "content", "created_at", "ticker"}}
    (element,) = only(tmp_path, bare)
    assert (element["likes"], element["retweets"], element["replies"]) == (None, None, None)
    assert element["display_name"] == ""


def test_a_tweet_without_an_answer_has_no_sentiment(tmp_path: Path) -> None:
    (element,) = only(tmp_path, post(1), score=unanswered)
    assert (element["sentiment"], element["sentiment_score"]) == (None, None)


@pytest.mark.parametrize(
    ("stored", "exported"),
    [
        ("9223372036854775807", 9223372036854775807),  # 2^63 - 1
        ("9223372036854775808", "9223372036854775808"),  # no reader's integer
        ("0042", "0042"),  # 42 would be another post
        ("abc-1", "abc-1"),
    ],
)
def test_an_id_that_is_no_integer_stays_text(
    tmp_path: Path, stored: str, exported: int | str
) -> None:
    (element,) = only(tmp_path, post(stored))
    assert element["id"] == exported


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("$NVDA 🚀🚀🚀", "$NVDA"),
        ("🚀 $NVDA", "$NVDA"),
        ("to the 🌕 now", "to the now"),
        ("🚀$NVDA🚀$AMD", "$NVDA $AMD"),  # still two cashtags
        ("up🚀.", "up."),
        ("❤️ it ☀", "it"),
        ("👩‍💻 codes 👨‍👩‍👧‍👦", "codes"),  # joined
        ("👍🏽 ok", "ok"),  # skin tone
        ("🇺🇸 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "and"),  # flags
        ("1️⃣ first #️⃣", "first"),  # keys
        ("™️ ↗️ ℹ️ ‼️", ""),  # symbols made pictures by U+FE0F
        ("", ""),
        # Text stays: the reference's own days hold all of these.
        (
            "• point → next – done… ₿ “漲” 1 # * ™ ✓ ↗ é",
            "• point → next – done… ₿ “漲” 1 # * ™ ✓ ↗ é",
        ),
        ("क्‍ष", "क्‍ष"),  # a joiner within a script is a letter's
    ],
)
def test_emoji_are_stripped_and_text_is_not(text: str, bare: str) -> None:
    assert exporting.without_emoji(text) == bare


def test_emoji_of_content_and_name_are_stripped_and_the_table_keeps_them(tmp_path: Path) -> None:
    (element,) = only(tmp_path, post(1, "$NVDA 🚀 up", display_name="Kris 🐂"))
    assert (element["content"], element["display_name"]) == ("$NVDA up", "Kris")
    zones = lake(tmp_path / "lake")
    data = zones.enriched.get(layout.enriched("tweets", DT))
    assert parquet.read(contract("tweets"), data).column("text").to_pylist() == ["$NVDA 🚀 up"]


# ---------------------------------------------------------------- files


def two_days_two_tickers(folder: Path) -> Lake:
    late = {"created_at": "2025-08-29 12:00:00+00:00"}  # at the cutoff: the run of the 30th
    enriched(folder, post(1), post(2, **late))
    return enriched(folder, post(3, "$BRK.B", ticker="$BRK.B"), name="BRK.B")


def names(written: list[tuple[Path, int]]) -> list[str]:
    return [path.name for path, _ in written]


def test_there_is_one_file_per_ticker_and_run(tmp_path: Path) -> None:
    zones = two_days_two_tickers(tmp_path)
    written = exporting.reference(zones, tmp_path / "out")
    expected = ["BRK.B-2025-08-29.json", "NVDA-2025-08-29.json", "NVDA-2025-08-30.json"]
    assert names(written) == expected
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == expected
    assert [n for _, n in written] == [1, 1, 1]


def test_ticker_and_dates_choose(tmp_path: Path) -> None:
    zones = two_days_two_tickers(tmp_path)
    out = tmp_path / "out"
    assert names(exporting.reference(zones, out, ticker="$brk-b")) == ["BRK.B-2025-08-29.json"]
    assert names(exporting.reference(zones, out, first=date(2025, 8, 30))) == [
        "NVDA-2025-08-30.json"
    ]
    assert len(exporting.reference(zones, out, last=DT)) == 2


def test_an_export_of_nothing_says_what_there_is_not(tmp_path: Path) -> None:
    zones = enriched(tmp_path, post(1))
    with pytest.raises(InputError, match=r"no enriched tweets of AMD from the first run to the la"):
        exporting.reference(zones, tmp_path / "out", ticker="AMD")
    with pytest.raises(InputError, match=r"any ticker from 2025-09-01 .* see `cashtag status`"):
        exporting.reference(zones, tmp_path / "out", first=date(2025, 9, 1))
    with pytest.raises(InputError, match=r"--ticker 'not one' is no symbol"):
        exporting.reference(zones, tmp_path / "out", ticker="not one")
    assert not (tmp_path / "out").exists()


def test_an_export_again_writes_the_same_bytes(tmp_path: Path) -> None:
    zones = enriched(tmp_path, post(1), post(2, likes=9))
    ((path, _),) = exporting.reference(zones, tmp_path / "out")
    before = path.read_bytes()
    exporting.reference(zones, tmp_path / "out")
    assert path.read_bytes() == before


def test_exports_at_once_leave_whole_files_and_nothing_else(tmp_path: Path) -> None:
    zones = enriched(tmp_path, *(post(n) for n in range(1, 200)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: exporting.reference(zones, tmp_path / "out"), range(8)))
    (path,) = (tmp_path / "out").iterdir()
    assert len(json.loads(path.read_bytes())) == 199


def test_a_failed_write_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zones = enriched(tmp_path, post(1))
    ((path, _),) = exporting.reference(zones, tmp_path / "out")
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match=re.escape("No space left on device); free space")):
        exporting.reference(zones, tmp_path / "out")
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list((tmp_path / "out").iterdir()) == [path]


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    zones = enriched(tmp_path, post(1))
    (tmp_path / "out").write_text("")
    with pytest.raises(StoreError, match="choose a folder that you may write"):
        exporting.reference(zones, tmp_path / "out")


# ---------------------------------------------------------------- and back


def test_an_export_comes_back_as_it_went_out(tmp_path: Path) -> None:
    posts = [
        post(1961045723190907181, "$NVDA to the #Moon 🚀", likes=5),
        post(2, "$NVDA &lt;b&gt; &amp;amp; “quoted”\nline", username="Other_1", likes=3),
        post("x-7", "nothing but $NVDA 🚀🚀", likes=2),
        post(4, "$NVDA", created_at="2025-08-28 11:59:59+00:00"),
    ]
    zones = enriched(tmp_path, *posts)
    written = exporting.reference(zones, tmp_path / "out")
    assert names(written) == ["NVDA-2025-08-28.json", "NVDA-2025-08-29.json"]

    back = lake(tmp_path / "back")
    done = importing.bring(back, SETTINGS, "reference", [tmp_path / "out"])
    assert [(f.lines, f.accepted) for f in done.files] == [(1, 1), (3, 3)]
    enrich(back)
    again = exporting.reference(back, tmp_path / "again")
    assert [path.read_bytes() for path, _ in again] == [path.read_bytes() for path, _ in written]


def test_a_moment_has_whole_seconds(tmp_path: Path) -> None:
    (element,) = only(tmp_path, post(1, created_at="2025-08-28T12:38:29.999Z"))
    assert element["created_at"] == "2025-08-28 12:38:29+00:00"
    assert datetime.fromisoformat(element["created_at"]).tzinfo == UTC


@pytest.mark.shared
def test_the_real_reference_day_comes_out_in_its_own_shape(tmp_path: Path) -> None:
    shared = Path(os.environ.get("CASHTAG_SHARED", Path(__file__).parents[2].parent / "shared"))
    folder = shared.expanduser() / "data" / "reference-day"
    if not folder.is_dir():
        pytest.skip("no real data beside the checkout")
    zones = lake(tmp_path / "lake")
    source = folder / "enriched-NVDA-2025-08-29.json"
    importing.bring(zones, SETTINGS, "reference", [source])
    enrich(zones)
    theirs = {e["id"]: e for e in json.loads(source.read_bytes())}
    ours: dict[int, dict[str, Any]] = {}
    for path, _ in exporting.reference(zones, tmp_path / "out"):
        ours |= {e["id"]: e for e in json.loads(path.read_bytes())}
    assert set(ours) == set(theirs)
    for number, element in ours.items():
        # The site left an `&` of a long post bare; spaces at the end of a name are not ours.
        assert unescape(element["content"]) == unescape(theirs[number]["content"])
        assert element["display_name"] == theirs[number]["display_name"].strip()
        for key in ("ticker", "username", "created_at", "likes", "retweets", "replies", "url"):
            assert element[key] == theirs[number][key]
        assert list(element) == list(theirs[number])
