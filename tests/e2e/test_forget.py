"""A takedown on a folder: nothing of it is left but in the ledger, which never had it; all else stays."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cashtag.exchange.forget_target import target
from cashtag.lake import layout, lines
from cashtag.report import build
from cashtag.scrape import manifest

SCRIPT = Path(__file__).with_name("forget_world.py")
WORLD: Any = type("World", (), runpy.run_path(str(SCRIPT), run_name="forget_world"))
OF_THE_POST = (WORLD.POST, WORLD.TEXT[:40])
OF_THE_AUTHOR = (
    WORLD.HANDLE, WORLD.AUTHOR_ID, WORLD.POST, WORLD.OTHER_POST, WORLD.RENAMED_POST,
    WORLD.TEXT[:40], WORLD.OTHER_TEXT[:40], WORLD.RENAMED_TEXT[:40],
)  # fmt: skip
# What a takedown adds, and names of states, which change with the manifests.
ADDED = ("raw/tombstones/", "raw/forgotten/", "raw/manifests/", "enriched/_SUCCESS/", "signals/_PUBLISHED/")  # fmt: skip


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of a week, with its page and its salt."""
    folder = tmp_path_factory.mktemp("before") / "lake"
    env = WORLD.environment(folder)
    WORLD.run(env)
    build.build(env)
    WORLD.forget(env, "99")  # makes the salt
    return folder


@pytest.fixture
def lake(before: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    shutil.copytree(before, folder)
    return folder


def derived(folder: Path) -> dict[str, bytes]:
    """Objects but for the report's, what a takedown adds, and the desk's."""
    return {
        name: data
        for name, data in WORLD.files(folder).items()
        if not name.startswith((*ADDED, "report/", "ledger/"))
    }


def test_the_lake_is_worth_forgetting_in(before: Path) -> None:
    held = WORLD.files(before)
    for needle in (*OF_THE_POST, *OF_THE_AUTHOR):
        found = WORLD.holding(held, needle)
        assert any(name.startswith("raw/tweets/") for name in found), needle
    for needle in (WORLD.POST, WORLD.HANDLE, WORLD.TEXT[:40]):
        zones = {name.split("/")[0] for name in WORLD.holding(held, needle)}
        assert {"raw", "enriched"} <= zones, needle
    assert any(name.startswith("report/") for name in WORLD.holding(held, WORLD.HANDLE))
    assert (
        WORLD.holding({n: d for n, d in held.items() if n.startswith("ledger/")}, WORLD.POST) == []
    )


def test_nothing_of_a_forgotten_post_is_left(lake: Path, before: Path) -> None:
    done = WORLD.forget(WORLD.environment(lake), WORLD.POST)
    assert done.new
    for needle in OF_THE_POST:
        assert WORLD.holding(WORLD.files(lake), needle) == []
    # The author's other post stays, and so do the others who quoted and answered it.
    held = WORLD.files(lake)
    for needle in (
        WORLD.OTHER_POST,
        WORLD.RENAMED_POST,
        "agreed, great call",
        "no way, $TSLA is weak",
    ):
        assert any(name.startswith("raw/") for name in WORLD.holding(held, needle)), needle
        assert any(name.startswith("enriched/tweets/") for name in WORLD.holding(held, needle))


def test_nothing_of_a_forgotten_author_is_left_under_any_name(lake: Path) -> None:
    WORLD.forget(WORLD.environment(lake), f"@{WORLD.HANDLE.upper()}")
    held = WORLD.files(lake)
    for needle in OF_THE_AUTHOR:
        assert WORLD.holding(held, needle) == [], needle
    # Somebody else's answer stays, without the name.
    assert any("enriched/tweets" in name for name in WORLD.holding(held, "@user no way, $TSLA"))


def test_the_ledger_is_not_touched(lake: Path, before: Path) -> None:
    WORLD.forget(WORLD.environment(lake), f"@{WORLD.HANDLE}")
    ledgers = [
        {n: d for n, d in WORLD.files(folder).items() if n.startswith("ledger/")}
        for folder in (before, lake)
    ]
    assert ledgers[0] == ledgers[1]
    assert ledgers[0]


@pytest.mark.parametrize("whom", [WORLD.POST, f"@{WORLD.HANDLE}"])
def test_the_lake_is_as_if_it_had_never_been_told(whom: str, lake: Path, tmp_path: Path) -> None:
    WORLD.forget(WORLD.environment(lake), whom)
    never = tmp_path / "never"
    (never / "raw").mkdir(parents=True)
    shutil.copytree(lake / "raw" / "tombstones", never / "raw" / "tombstones")
    WORLD.run(WORLD.environment(never))
    assert derived(lake) == derived(never)


def test_nothing_else_changes(lake: Path, before: Path) -> None:
    WORLD.forget(WORLD.environment(lake), WORLD.RENAMED_POST)
    was, now = derived(before), derived(lake)
    assert set(was) == set(now)
    changed = {name for name in was if was[name] != now[name]}
    # One object of raw with what mirrors it, the run's tweets, and the session's tables: the day
    # is Tuesday 2 June, and GOOG of Wednesday compares itself with it.
    assert {name for name in changed if not name.startswith("signals/")} == {
        f"{start}/dt=2026-06-02/source=synthetic/GOOG-1.{end}"
        for start, end in (
            ("raw/tweets", "jsonl.gz"),
            (next(n for n in changed if "/scores/" in n).split("/dt=")[0], "parquet"),
            (next(n for n in changed if "/stage/" in n).split("/dt=")[0], "parquet"),
        )
    } | {"enriched/tweets/dt=2026-06-02/part-0.parquet"}
    signals = {name.split("/")[2] for name in changed if name.startswith("signals/")}
    assert "session=2026-06-02" in signals
    assert signals <= {"session=2026-06-02", "session=2026-06-03"}
    kinds = {name.split("/")[1] for name in changed if name.startswith("signals/")}
    assert kinds <= {"daily_sentiment", "daily_signals", "ranking", "_FINDINGS"}


def test_a_scrape_again_brings_nothing_back_and_changes_nothing(lake: Path) -> None:
    WORLD.forget(WORLD.environment(lake), f"@{WORLD.HANDLE}")
    was = {n: d for n, d in WORLD.files(lake).items() if not n.startswith(("report/", "ledger/"))}
    WORLD.run(WORLD.environment(lake))
    now = {n: d for n, d in WORLD.files(lake).items() if not n.startswith(("report/", "ledger/"))}
    assert now == was


def test_other_lines_stay_byte_for_byte_and_in_their_places(lake: Path, before: Path) -> None:
    WORLD.forget(WORLD.environment(lake), WORLD.POST)
    key = layout.raw("tweets", WORLD.DAY, "synthetic", "TSLA")
    was, now = (
        lines.read((folder / "raw" / key).read_bytes(), "").copy() for folder in (before, lake)
    )
    gone = [
        line
        for line in was
        if json.loads(line)["data"]["id_str"] in (WORLD.POST, "2061234567890200002")
    ]
    touched = [line for line in was if WORLD.POST.encode() in line and line not in gone]
    assert len(gone) == 2  # the post, and its retweet
    assert len(touched) == 3  # a quotation, an answer, a link
    assert [line for line in was if line not in gone + touched] == [
        line for line in now if line in was
    ]
    assert len(now) == len(was) - 2


def test_a_manifest_supersedes_and_the_coverage_stays(lake: Path) -> None:
    env = WORLD.environment(lake)
    key = layout.raw("tweets", WORLD.DAY, "synthetic", "TSLA")
    was = {o.key: o for o in manifest.expected(manifest.of_day(env.lake.raw, WORLD.DAY))}
    WORLD.forget(env, WORLD.POST)
    held = manifest.of_day(env.lake.raw, WORLD.DAY)
    now = {o.key: o for o in manifest.expected(held)}
    assert now[key] == manifest.entry(key, env.lake.raw.get(key))
    assert now[key].lines == was[key].lines - 2
    assert {o.key: o for o in manifest.scraped(held)} == was
    (superseding,) = (one for one in held if one.gone)
    assert manifest.Gone(key, was[key].sha256) in superseding.gone
    row = next(row for row in manifest.tickers(held) if row.ticker == "TSLA")
    assert row.tweets == now[key].lines


def test_what_was_removed_is_recorded_without_what_it_was(lake: Path) -> None:
    env = WORLD.environment(lake)
    done = WORLD.forget(env, WORLD.POST)
    (record,) = done.records
    rows = {(item.zone, item.key): item for item in record.items}
    raw = rows["raw", layout.raw("tweets", WORLD.DAY, "synthetic", "TSLA")]
    assert (raw.what, raw.lines, raw.versions) == ("rewritten", 5, 1)
    assert rows["raw", layout.raw("tweets", WORLD.DAY, "synthetic", "GOOG")].lines == 1
    assert ("enriched", layout.enriched("tweets", WORLD.DAY)) in rows
    assert rows["report", "data/"].what == "made again"
    kept = env.lake.raw.get(record.key)
    assert WORLD.POST.encode() not in kept
    assert record.to_json() == kept
    assert env.lake.raw.exists(layout.forgotten_done(record.key))


def test_an_unknown_post_leaves_a_tombstone_and_nothing_else(lake: Path, before: Path) -> None:
    done = WORLD.forget(WORLD.environment(lake), "2061111111111111111")
    assert (done.new, done.records) == (True, ())
    was, now = WORLD.files(before), WORLD.files(lake)
    (name,) = set(now) - set(was)
    assert name == f"raw/tombstones/tweet/{done.tombstone}.json"
    assert json.loads(now[name]) == {
        "kind": "tweet", "at": "2026-07-01T09:00:00+00:00", "reason": "request 17",
    }  # fmt: skip


def test_forgetting_again_changes_nothing(lake: Path) -> None:
    WORLD.forget(WORLD.environment(lake), WORLD.POST)
    once = WORLD.files(lake)
    again = WORLD.forget(WORLD.environment(lake), WORLD.POST)
    assert (again.new, again.records) == (False, ())
    assert WORLD.files(lake) == once


def test_two_at_once_end_like_one(lake: Path, before: Path, tmp_path: Path) -> None:
    one = tmp_path / "one"
    shutil.copytree(before, one)
    WORLD.forget(WORLD.environment(one), f"@{WORLD.HANDLE}")
    program = [sys.executable, str(SCRIPT), str(lake), f"@{WORLD.HANDLE}"]
    both = [subprocess.Popen(program, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert WORLD.files(lake) == WORLD.files(one)


def test_two_takedowns_of_one_object_at_once_take_out_both(lake: Path) -> None:
    both = [
        subprocess.Popen([sys.executable, str(SCRIPT), str(lake), whom], stdout=subprocess.DEVNULL)
        for whom in (WORLD.POST, WORLD.OTHER_POST)
    ]
    assert [process.wait() for process in both] == [0, 0]
    for needle in (*OF_THE_POST, WORLD.OTHER_POST, WORLD.OTHER_TEXT[:40]):
        assert WORLD.holding(WORLD.files(lake), needle) == [], needle


def test_a_reason_that_names_them_is_refused(lake: Path) -> None:
    from cashtag.errors import InputError

    for whom, reason in (
        (WORLD.POST, f"post {WORLD.POST}"),
        ("@Zedd_Quill", "zedd_quill asks"),
    ):
        with pytest.raises(InputError, match="--reason names whom to forget"):
            WORLD.forget(WORLD.environment(lake), whom, reason)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("whom", [f"@{WORLD.HANDLE}"])
def test_killed_after_every_write_and_gone_on_the_lake_is_the_same(
    whom: str, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    env = WORLD.environment(small)
    WORLD.run(env, WORLD.DAY, WORLD.DAY)
    WORLD.forget(env, "99")
    (tmp_path / "scratch").mkdir()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(small), whom, "everywhere", str(tmp_path / "scratch")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1, done.stdout
    assert int(done.stdout.split()[0]) > 30


def test_a_target_is_read_as_people_write_it() -> None:
    assert target("@A_b1").wanted.handles == {"A_b1"}
    assert target(" https://x.com/a_b/status/20?s=1 ").wanted.tweets == {"20"}
