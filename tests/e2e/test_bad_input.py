"""Bad input and bad disks: a clear error or a quarantine, nothing lost, and the next run heals."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import itertools
import json
import os
import resource
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from cashtag import services
from cashtag.cli import main
from cashtag.errors import CashtagError, KeyMissing, StoreError
from cashtag.exchange import importing
from cashtag.lake import lines
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import read
from cashtag.operate import days, explain, status, telling
from cashtag.ports import Env
from cashtag.settings import load

ARCHIVE = runpy.run_path(str(Path(__file__).with_name("small_archive.py")))
# A Monday without its weekend, so without trades; a Tuesday that buys; a Wednesday that settles.
FIRST, LAST = date(2026, 5, 4), date(2026, 5, 6)
TUESDAY = date(2026, 5, 5)
ZONES = ("raw", "enriched", "signals", "ledger")
NVDA = "tweets/dt=2026-05-05/source=twitter-v1/NVDA-1.jsonl.gz"
POSTS = ARCHIVE["POSTS"]


def environment(lake: Path) -> Env:
    """What `cashtag --lake` composes, without the surroundings' settings."""
    settings = load(environ={}, overrides={"lake": str(lake)})
    return services.embedded(settings, source_name="archive")


def bring(lake: Path, format_name: str, *paths: Path) -> importing.Imported:
    env = environment(lake)
    return importing.bring(
        env.lake, env.settings, format_name, paths, ticker=None, progress=lambda *_: None
    )


def run(lake: Path, first: date = FIRST, last: date = LAST) -> list[days.DayResult]:
    return list(days.days(environment(lake), first, last))


COMMAND = [sys.executable, "-c", "from cashtag.cli import main; main()"]
RUN = ("run", "--source", "archive", "--from", str(FIRST), "--to", str(LAST), "--no-report")


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def command(*words: str, lake: Path) -> Said:
    """The command line as a person has it, but in this process, which has imported everything."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["cashtag", *words, "--lake", str(lake)]),
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return Said(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def process(*words: str, lake: Path, before: Sequence[str] = ()) -> Said:
    """The same in a process of its own."""
    done = subprocess.run(
        [*before, *COMMAND, *words, "--lake", str(lake)],
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def objects(lake: Path, *zones: str) -> dict[str, str]:
    """sha256 of every object of the zones, all four of them by default."""
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest()
        for zone in zones or ZONES
        for path in sorted((lake / zone).rglob("*"))
        if path.is_file() and ".tmp" not in path.parts
    }


def tables(lake: Path) -> dict[str, str]:
    """The tables among the objects; they do not depend on how raw data came in pieces."""
    return {k: v for k, v in objects(lake, "enriched", "signals").items() if "part-0" in k}


def table_rows(lake: Path, name: str, dt: date) -> list[dict[str, Any]]:
    found = read(environment(lake).lake, contract(name), dt)
    assert found is not None
    return found.to_pylist()  # type: ignore[no-any-return]


def posts_of(lake: Path, ticker: str, dt: date) -> list[dict[str, Any]]:
    return [row for row in table_rows(lake, "tweets", dt) if row["ticker"] == ticker]


def quarantined(lake: Path) -> list[dict[str, Any]]:
    return status.quarantined(environment(lake).lake)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive's files as somebody collected them; read only."""
    return ARCHIVE["write"](tmp_path_factory.mktemp("files"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def imported(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of raw data alone; copy it."""
    lake = tmp_path_factory.mktemp("imported") / "lake"
    for format_name in ("twitter-v1", "twscrape", "bars"):
        bring(lake, format_name, files / format_name)
    return lake


@pytest.fixture(scope="module")
def whole(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of an undisturbed run; copy it."""
    lake = tmp_path_factory.mktemp("whole") / "lake"
    shutil.copytree(imported, lake)
    results = run(lake)
    # Worth disturbing: a signal, an order, and its fill.
    assert results[1].directions == {"NVDA": "BUY"}
    assert (results[1].orders, results[2].fills) == (1, 1)
    return lake


@pytest.fixture
def lake(imported: Path, tmp_path: Path) -> Path:
    """A lake of raw data to disturb."""
    return shutil.copytree(imported, tmp_path / "lake")


@pytest.fixture
def made(whole: Path, tmp_path: Path) -> Path:
    """A lake that was run, to disturb."""
    return shutil.copytree(whole, tmp_path / "lake")


# ---------------------------------------------------------------- files to import


def test_a_cut_gzip_gives_its_readable_lines_and_a_good_copy_brings_the_rest(
    files: Path, whole: Path, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    good = (files / "twitter-v1" / "NVDA.jsonl.gz").read_bytes()
    (tmp_path / "NVDA.jsonl.gz").write_bytes(good[: len(good) // 3])
    done = command(
        "import", "twitter-v1", str(tmp_path / "NVDA.jsonl.gz"), "--format", "json", lake=lake
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)[0]
    assert report["reasons"] == "gzip 1"  # what was cut off is one line, and kept
    assert 0 < report["accepted"] < 16 * POSTS
    assert report["lines"] == report["accepted"] + report["rejected"]

    bring(lake, "twitter-v1", files / "twitter-v1" / "AAPL.jsonl.gz")
    bring(lake, "twscrape", files / "twscrape")
    bring(lake, "bars", files / "bars")
    run(lake)
    ledger = objects(lake, "ledger")
    assert [row["reason"] for row in quarantined(lake)] == ["gzip"]

    again = bring(lake, "twitter-v1", files / "twitter-v1" / "NVDA.jsonl.gz").files[0]
    assert again.already == report["accepted"]
    assert again.accepted == 16 * POSTS - report["accepted"]
    run(lake)
    assert tables(lake) == tables(whole)
    # What the desk did on the day it knew less is history.
    events = {key: value for key, value in ledger.items() if "/events/" in key}
    assert events.items() <= objects(lake, "ledger").items()


def test_every_line_of_a_hostile_file_becomes_a_row_or_is_kept_with_its_reason(
    files: Path, tmp_path: Path
) -> None:
    """Each line of the file is either a row with its exact id, or in quarantine byte for byte."""
    lake = tmp_path / "lake"

    def post(**changes: Any) -> dict[str, Any]:
        whole = ARCHIVE["twitter_v1"]("NVDA", TUESDAY, 0) | changes
        return {key: value for key, value in whole.items() if value is not None}

    largest = 2**63 - 1
    good = [
        json.dumps(post()).encode(),
        # A 64-bit id as a number alone, and the largest that there can be.
        json.dumps(post(id=ARCHIVE["FIRST_ID"] + 10_001, id_str=None)).encode(),
        json.dumps(post(id=largest, id_str=str(largest))).encode(),
        # Fields that may be missing: author, language, counts.
        json.dumps(
            post(id=7, id_str="7", user=None, lang=None, favorite_count=None, retweet_count=None)
        ).encode(),
        # Half of an emoji, as a cut post leaves it behind.
        json.dumps(post(id=8, id_str="8", text="$NVDA to the moon \ud83d")).encode(),
    ]
    bad = {
        json.dumps(post()).encode()[:-30]: "json",  # the process that wrote it was killed
        b'{"id_str": "9", "text": "$NVDA caf\xe9", "created_at": ""}': "encoding",  # Latin-1
        json.dumps(post(id=None, id_str=None)).encode(): "no-id",
        json.dumps(post(id=1.92e18, id_str=None)).encode(): "no-id",  # its last digits are lost
        json.dumps(post(text=None)).encode(): "no-text",
        json.dumps(post(created_at=None)).encode(): "no-date",
        json.dumps(post(created_at="yesterday")).encode(): "no-date",
        json.dumps(post(created_at="Tue Mar 21 20:50:14 +0000 2006")).encode(): "outside-calendar",
        b'"rate limit exceeded"': "not-object",
        b"<html><body>503 Service Unavailable</body></html>": "json",
    }
    path = tmp_path / "NVDA.jsonl"
    path.write_bytes(b"\n".join([*good, b"", *bad]) + b"\n")
    windows = tmp_path / "NVDA_2026-05-05.jsonl"
    told = json.dumps(post(id=10, id_str="10", text="$NVDA – schön"), ensure_ascii=False)
    windows.write_text(told, encoding="utf-16")

    done = command("import", "twitter-v1", str(path), "--format", "json", lake=lake)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)[0]
    assert (report["accepted"], report["rejected"]) == (len(good), len(bad))
    assert bring(lake, "twitter-v1", windows).accepted == 1

    kept = {
        base64.b64decode(row["base64"]) if "base64" in row else row["raw"].encode(): row["reason"]
        for key in (lake / "raw" / "quarantine").rglob("*.jsonl.gz")
        for row in map(json.loads, lines.read(key.read_bytes(), str(key)))
    }
    assert kept == bad

    bring(lake, "bars", files / "bars")
    run(lake, TUESDAY, TUESDAY)
    expected = {str(ARCHIVE["post"]("NVDA", TUESDAY, 0)[0]), str(ARCHIVE["FIRST_ID"] + 10_001)}
    expected |= {str(largest), "7", "8", "10"}
    asked = command("sql", "SELECT tweet_id FROM tweets", "--format", "json", lake=lake)
    assert asked.returncode == 0, asked.stderr
    assert {row["tweet_id"] for row in json.loads(asked.stdout)} == expected
    nobody = next(row for row in posts_of(lake, "NVDA", TUESDAY) if row["tweet_id"] == "7")
    assert nobody["author_followers"] is None
    assert nobody["engagement_factor"] == 1.0  # unknown counts weigh nothing


def test_lines_that_a_source_left_in_raw_are_kept_with_their_reasons(lake: Path) -> None:
    good = lines.unpack((lake / "raw" / NVDA).read_bytes()).lines
    bad = [b'{"source": "twitter-v1", "scraped_at": null, "query": "NVDA", "da', b"[]", b"\xff"]
    store = environment(lake).lake.raw
    store.put(NVDA, lines.pack([good[0][1], *bad, *(line for _, line in good[1:])]))
    run(lake)
    assert len(posts_of(lake, "NVDA", TUESDAY)) == POSTS
    assert quarantined(lake) == [
        {"origin": "enrich/tweets", "reason": reason, "lines": 1, "first_in": NVDA}
        for reason in ("encoding", "json", "not-object")
    ]


def test_a_file_with_nothing_readable_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "NVDA.jsonl.gz").write_bytes(gzip.compress(b"nothing here is JSON\n"))
    done = command("import", "twitter-v1", str(tmp_path / "NVDA.jsonl.gz"), lake=tmp_path / "lake")
    assert done.returncode == 2
    assert "json 1" in done.stdout
    assert quarantined(tmp_path / "lake")[0]["reason"] == "json"


# ---------------------------------------------------------------- days with little in them


def test_an_empty_day_a_lone_ticker_and_no_bars_are_no_errors(files: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    folder = tmp_path / "files"
    folder.mkdir()
    wednesday = [*ARCHIVE["lines"]("NVDA", [LAST])]
    (folder / "NVDA.jsonl").write_bytes(b"\n".join(wednesday))
    bring(lake, "twitter-v1", folder)
    monday, tuesday, wednesday_run = run(lake)  # no bars, and nothing at all before Wednesday
    assert (monday.tweets, tuesday.tweets, wednesday_run.rows) == (0, 0, POSTS)
    # Nobody was asked on the first days: that is no answer, and no silence either.
    assert (tuesday.asked, tuesday.partial, wednesday_run.partial) == (0, True, False)
    assert wednesday_run.orders == 0
    for name in ("tweets", "news", "prices"):
        assert table_rows(lake, name, TUESDAY) == []

    bring(lake, "bars", files / "bars")
    (tuesday,) = run(lake, TUESDAY, TUESDAY)
    # Now three tickers are known; an archive is complete, so that none said a thing is true.
    assert (tuesday.tweets, tuesday.answered, tuesday.asked) == (0, 3, 3)
    assert not tuesday.partial
    assert {row["direction"] for row in table_rows(lake, "daily_signals", TUESDAY)} <= {"HOLD"}
    env = environment(lake)
    assert [row.rows for row in status.runs(env.lake, env.settings)] == [0, 0, POSTS]
    story = explain.explain(env, "NVDA", TUESDAY)
    assert story.tweets == ()
    screen = Console(file=io.StringIO(), width=120)
    telling.show(story, screen)
    assert "no scored tweets" in screen.file.getvalue()  # type: ignore[attr-defined]


# ---------------------------------------------------------------- folders and disks

# Root writes where the mode forbids it, unless it gives that power away.
POWERLESS = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
)


@pytest.mark.skipif(
    bool(POWERLESS) and shutil.which("setpriv") is None, reason="root, and no setpriv to be less"
)
def test_an_unwritable_lake_is_named_and_a_later_run_is_as_if_nothing_had_been(
    lake: Path, whole: Path
) -> None:
    before = objects(lake)
    lake.chmod(0o555)
    refused = process(*RUN, lake=lake, before=POWERLESS)
    lake.chmod(0o755)
    assert refused.returncode == 3, refused.stderr
    assert refused.stderr.startswith("error: cannot write 'scores/")
    assert f"{lake}/enriched: permission denied: give this user the right" in refused.stderr
    # The raw zone's own folder could be written: nothing that was there has changed.
    assert before.items() <= objects(lake).items()

    run(lake)
    assert objects(lake) == objects(whole)


# Run as a program in a name space whose mounts go with it: on a small disk that is full at first,
# an import and a run, each again once there is space. Prints what each said.
FULL_DISK = """
import contextlib, io, json, os, shutil, subprocess, sys
disk, out, imported, *words = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], check=True)
shutil.copytree(imported, disk + "/lake")
from cashtag.cli import main

def cashtag(lake, *words, free=None):
    if free is not None:
        held = shutil.disk_usage(disk).free - free
        with open(disk + "/ballast", "wb") as ballast:
            ballast.write(bytes(held))
    printed, error = io.StringIO(), io.StringIO()
    sys.argv = ["cashtag", *words, "--lake", disk + "/" + lake]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(error):
            main()
    except SystemExit as end:
        said.append((end.code or 0, error.getvalue()))
    if free is not None:
        os.unlink(disk + "/ballast")

said = []
at = words.index("run")
for lake, line, free in (("new", words[:at], 24 << 10), ("lake", words[at:], 300 << 10)):
    cashtag(lake, *line, free=free)
    cashtag(lake, *line)
    shutil.copytree(disk + "/" + lake, out + "/" + lake)
print(json.dumps(said))
"""


def own_disk() -> bool:
    """Whether this user may mount a disk in a name space of its own."""
    if shutil.which("unshare") is None:
        return False
    mount = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not own_disk(), reason="no right to mount a small disk")
def test_a_full_disk_is_named_and_once_there_is_space_the_lake_is_as_if_nothing_had_been(
    files: Path, imported: Path, whole: Path, tmp_path: Path
) -> None:
    (disk := tmp_path / "disk").mkdir()
    (out := tmp_path / "out").mkdir()
    words = ("import", "twitter-v1", str(files / "twitter-v1"), *RUN)
    done = subprocess.run(
        [
            *("unshare", "--map-root-user", "--mount", sys.executable, "-c", FULL_DISK),
            *(str(disk), str(out), str(imported), *words),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    import_full, import_again, run_full, run_again = json.loads(done.stdout)
    for code, error in (import_full, run_full):
        assert code == 3
        assert error.startswith("error: cannot write '")
        assert error.endswith("the disk is full: free space, then run again\n")
        assert error.count("\n") == 1  # one line, no traceback
    assert import_again == run_again == [0, ""]
    twitter = {k: v for k, v in objects(imported, "raw").items() if "source=twitter-v1" in k}
    assert objects(out / "new") == twitter
    assert objects(out / "lake") == objects(whole)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Let this process write no file larger than `size` bytes; the system then says EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("stopped_at", ["enriched/stage", "enriched/tweets"])
def test_a_write_that_breaks_off_leaves_no_piece_of_an_object(
    stopped_at: str, lake: Path, whole: Path
) -> None:
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN  # as Python starts
    sizes = [path.stat().st_size for path in (whole / stopped_at).rglob("*") if path.is_file()]
    key = stopped_at.partition("/")[2]
    said = rf"^cannot write '{key}/.* larger than allowed: .* run again$"
    with no_file_above(min(sizes) - 1), pytest.raises(StoreError, match=said):
        run(lake)
    intact = objects(whole)
    left = objects(lake, "raw", "enriched", "signals")
    assert left.items() <= intact.items()
    assert not any(path.is_file() for zone in ZONES for path in (lake / zone / ".tmp").rglob("*"))
    run(lake)
    assert objects(lake) == intact


# ---------------------------------------------------------------- damaged and lost objects

SCORES = "enriched/scores/*/dt=2026-05-05/source=twitter-v1/NVDA-1.parquet"


def flip(path: Path, at: float = 0.5) -> None:
    """Turn eight bytes over, as a failing disk does, `at` this share of the file."""
    data = bytearray(path.read_bytes())
    start = int(at * len(data))
    data[start : start + 8] = bytes(byte ^ 0xFF for byte in data[start : start + 8])
    path.write_bytes(bytes(data))


def empty(path: Path) -> None:
    """What a power cut leaves of a file whose name the disk knew before its content."""
    path.write_bytes(b"")


def one(lake: Path, pattern: str) -> Path:
    (found,) = lake.glob(pattern)
    return found


def healed(lake: Path) -> dict[str, str]:
    """All objects but those that tell of each state of a day: manifests, markers, open plans."""
    states = ("raw/manifests", "enriched/_SUCCESS", "signals/_PUBLISHED")
    return {
        key: value
        for key, value in objects(lake).items()
        if not key.startswith(states) and not (key.startswith("ledger/") and f"={LAST}/" in key)
    }


def test_a_damaged_raw_object_gives_its_readable_lines_until_it_is_brought_back(
    made: Path, whole: Path
) -> None:
    path = made / "raw" / NVDA
    flip(path, at=0.6)
    run(made, TUESDAY, TUESDAY)
    left = {row["tweet_id"] for row in posts_of(made, "NVDA", TUESDAY)}
    before = {row["tweet_id"] for row in posts_of(whole, "NVDA", TUESDAY)}
    assert left
    assert left < before
    told = quarantined(made)
    assert {row["origin"] for row in told} == {"enrich/tweets"}
    assert {row["first_in"] for row in told} == {NVDA}
    assert any("gzip data is corrupt" in row["reason"] for row in told)
    # The other objects of that day, and what the desk has done, are as they were.
    assert posts_of(made, "AAPL", TUESDAY) == posts_of(whole, "AAPL", TUESDAY)
    assert objects(made, "ledger") == objects(whole, "ledger")

    shutil.copyfile(whole / "raw" / NVDA, path)
    run(made)
    assert healed(made) == healed(whole)
    assert quarantined(made) == []
    env = environment(made)
    tuesday = status.runs(env.lake, env.settings)[1]
    assert tuesday.tweets == 3 * POSTS  # the scrape that saw less does not count


def test_damaged_bars_are_kept_with_their_reason(made: Path, whole: Path) -> None:
    path = made / "raw" / "bars" / "source=csv" / "NVDA-1.jsonl.gz"
    flip(path, at=0.9)
    run(made, TUESDAY, TUESDAY)
    known = [row for row in table_rows(made, "prices", TUESDAY) if row["ticker"] == "NVDA"]
    before = [row for row in table_rows(whole, "prices", TUESDAY) if row["ticker"] == "NVDA"]
    assert 0 < len(known) < len(before)
    assert any("gzip" in row["reason"] for row in quarantined(made))
    assert {row["origin"] for row in quarantined(made)} == {"enrich/bars"}

    shutil.copyfile(whole / "raw" / "bars" / "source=csv" / "NVDA-1.jsonl.gz", path)
    run(made)
    assert healed(made) == healed(whole)


def test_a_lost_raw_object_is_named_and_not_taken_for_silence(made: Path, whole: Path) -> None:
    (made / "raw" / NVDA).unlink()
    with pytest.raises(KeyMissing, match="was scraped and is gone; bring it back") as caught:
        run(made, TUESDAY, TUESDAY)
    assert str(made / "raw" / NVDA) in str(caught.value)
    shutil.copyfile(whole / "raw" / NVDA, made / "raw" / NVDA)
    run(made)
    assert healed(made) == healed(whole)


def test_a_damaged_score_is_named_with_what_to_do(made: Path, whole: Path) -> None:
    path = one(made, SCORES)
    empty(path)
    with pytest.raises(StoreError, match=r"^recorded scores .* cannot be read"):
        run(made, TUESDAY, TUESDAY)
    shutil.copyfile(one(whole, SCORES), path)
    flip(path)
    done = process("run", "--source", "archive", "--date", str(TUESDAY), lake=made)
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: recorded scores {path} cannot be read")
    assert "delete the object, and the next run scores its texts again" in done.stderr
    assert done.stderr.count("\n") == 1
    path.unlink()
    run(made)
    assert objects(made) == objects(whole)


DERIVED = (
    "enriched/stage/*/tweets/dt=2026-05-05/source=twitter-v1/NVDA-1.parquet",
    "enriched/tweets/dt=2026-05-05/part-0.parquet",
    "enriched/news/dt=2026-05-05/part-0.parquet",
    "enriched/prices/dt=2026-05-06/part-0.parquet",
    "signals/daily_features/session=2026-05-05/part-0.parquet",
    "signals/daily_sentiment/session=2026-05-04/part-0.parquet",
    "signals/daily_sentiment/session=2026-05-06/part-0.parquet",
    "signals/daily_signals/session=2026-05-05/part-0.parquet",
    "signals/ranking/session=2026-05-05/part-0.parquet",
    "ledger/decisions/session=2026-05-05/part-0.parquet",
    "ledger/trades/session=2026-05-05/part-0.parquet",
    "ledger/positions/session=2026-05-05/part-0.parquet",
    "enriched/config/*.json",
)


def test_what_is_derived_is_made_again_whatever_happened_to_it(made: Path, whole: Path) -> None:
    for pattern, damage in zip(DERIVED, itertools.cycle([flip, empty, Path.unlink])):
        damage(one(made, pattern))
    run(made)
    assert objects(made) == objects(whole)


def test_status_tells_which_table_is_damaged_and_how_to_heal_it(made: Path) -> None:
    path = made / "enriched" / "tweets" / "dt=2026-05-05" / "part-0.parquet"
    flip(path, at=0.95)
    env = environment(made)
    monday, tuesday, _ = status.runs(env.lake, env.settings)
    assert (monday.rows, tuesday.rows) == (3 * POSTS, None)
    assert str(path) in tuesday.reason
    assert "cashtag rebuild --from 2026-05-05" in tuesday.reason


def test_a_day_that_needs_a_damaged_one_names_it(made: Path, whole: Path) -> None:
    path = made / "signals" / "daily_sentiment" / "session=2026-05-05" / "part-0.parquet"
    empty(path)
    words = ("run", "--source", "archive", "--date", str(LAST), "--no-report")
    done = command(*words, lake=made)
    assert done.returncode == 3, done.stderr
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr
    run(made, TUESDAY, LAST)
    assert objects(made) == objects(whole)


def test_a_damaged_manifest_is_named_with_what_to_do(made: Path, whole: Path) -> None:
    path = one(made, "raw/manifests/dt=2026-05-05/*.json")
    flip(path)
    with pytest.raises(StoreError, match=r"is no manifest .*; remove it and scrape the day again"):
        run(made)
    path.unlink()
    run(made)
    assert objects(made) == objects(whole)


def test_a_damaged_ledger_event_is_named(made: Path) -> None:
    path = made / "ledger" / "events" / "dt=2026-05-05" / "settled.json"
    flip(path)
    with pytest.raises(CashtagError, match="settled"):
        run(made)


def test_what_others_leave_in_folders_is_not_ours(made: Path, whole: Path) -> None:
    for folder in (
        "raw/bars",
        "raw/bars/source=csv",
        "raw/tweets/dt=2026-05-05",
        "enriched/tweets/dt=2026-05-05",
        "signals/daily_signals",
        "ledger",
    ):
        (made / folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    run(made)
    ours = {k: v for k, v in objects(made).items() if not k.endswith(".DS_Store")}
    assert ours == objects(whole)
