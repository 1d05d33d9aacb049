"""SIGKILL at every Store call, two runs at once, any date again: the lake ends the same."""

from __future__ import annotations

import hashlib
import os
import runpy
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("kill_points.py")
# Wednesday 3 June settles Tuesday's session, in which TSLA was bought, and plans to buy GOOG.
FIRST, BEFORE, DAY = date(2026, 5, 28), date(2026, 6, 2), date(2026, 6, 3)
ZONES = ("raw", "enriched", "signals", "ledger")


@dataclass(frozen=True)
class Undisturbed:
    """A lake up to the day before, the same with the day, and how many Store calls that took."""

    before: Path
    after: dict[str, str]
    calls: int
    module: dict[str, Any]


def lake_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every object of the four zones; temporary files are no objects."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for zone in ZONES
        for path in sorted((folder / zone).rglob("*"))
        if path.is_file() and ".tmp" not in path.parts
    }


def forked(folder: Path, kill_at: int | None, when: str, module: dict[str, Any]) -> int:
    """Run the day in a child of this process; return its wait status.

    A fork has its own memory and dies alone by a real SIGKILL, and it need not import again:
    hundreds of kill points stay affordable.
    """
    pid = os.fork()
    if pid == 0:
        try:
            module["Counting"].kill_at = kill_at
            module["Counting"].kill_after = when == "after"
            module["run"](str(folder), DAY, DAY)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return status


def program(folder: Path, first: date, last: date, *more: str) -> list[str]:
    return [sys.executable, str(SCRIPT), str(folder), str(first), str(last), *more]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Run in this process: the forks inherit its imports and its translated SQL."""
    module = runpy.run_path(str(SCRIPT), run_name="kill_points")
    before, after = (tmp_path_factory.mktemp(name) / "lake" for name in ("before", "after"))
    module["run"](str(before), FIRST, BEFORE)
    shutil.copytree(before, after)
    calls = module["run"](str(after), DAY, DAY)
    return Undisturbed(before, lake_hashes(after), calls, module)


def test_the_day_is_worth_killing(undisturbed: Undisturbed) -> None:
    new = set(undisturbed.after) - set(lake_hashes(undisturbed.before))
    assert undisturbed.calls > 100
    for zone in ZONES:
        assert any(name.startswith(f"{zone}/") for name in new), zone
    assert any("/trades/" in name for name in new)  # a fill was settled
    assert any("plan" in name for name in new)  # and another order planned


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_every_store_call_and_run_again_the_lake_is_the_same(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    wrong = []
    for n in range(1, undisturbed.calls + 1):
        # Death after call n and death before call n + 1 differ in nothing that a disk could
        # hold, so one of the two is enough; the first call is killed on both sides.
        for when in ("before", "after") if n == 1 else ("after",):
            lake = tmp_path / "lake"
            shutil.copytree(undisturbed.before, lake)
            status = forked(lake, n, when, undisturbed.module)
            assert os.WIFSIGNALED(status), f"call {n} {when}: the child was not killed"
            assert os.WTERMSIG(status) == signal.SIGKILL
            again = forked(lake, None, when, undisturbed.module)
            assert again == 0, f"call {n} {when}: the rerun failed"
            if lake_hashes(lake) != undisturbed.after:
                wrong.append((n, when))
            shutil.rmtree(lake)
    assert wrong == []


def test_a_real_process_killed_in_the_middle_heals(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(undisturbed.before, lake)
    middle = str(undisturbed.calls // 2)
    killed = subprocess.run(program(lake, DAY, DAY, middle, "after"), check=False)
    assert killed.returncode == -signal.SIGKILL
    subprocess.run(program(lake, DAY, DAY), check=True, capture_output=True)
    assert lake_hashes(lake) == undisturbed.after


def test_any_date_again_changes_nothing(undisturbed: Undisturbed, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(undisturbed.before, lake)
    module = undisturbed.module
    module["run"](str(lake), DAY, DAY)
    # A session, a weekend's run, the newest day, all of them, and backwards.
    for first, last in [
        (FIRST, FIRST),
        (date(2026, 5, 30), date(2026, 5, 30)),
        (DAY, DAY),
        (FIRST, DAY),
        (BEFORE, BEFORE),
    ]:
        module["run"](str(lake), first, last)
        assert lake_hashes(lake) == undisturbed.after, (first, last)


def test_a_rebuild_makes_the_same_lake_from_raw_scores_and_ledger(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(undisturbed.before, lake)
    module = undisturbed.module
    module["run"](str(lake), DAY, DAY)
    shutil.rmtree(lake / "signals")
    for name in ("stage", "tweets", "news", "prices", "_SUCCESS"):
        shutil.rmtree(lake / "enriched" / name)
    module["rebuild"](str(lake), FIRST, DAY)
    assert lake_hashes(lake) == undisturbed.after


def test_two_runs_at_once_end_like_one(undisturbed: Undisturbed, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(undisturbed.before, lake)
    both = [subprocess.Popen(program(lake, DAY, DAY), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert lake_hashes(lake) == undisturbed.after
