"""SIGKILL at every Store call, two runs at once, any date again: the lake ends the same."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Undisturbed:
    """A lake up to the day before, the same with the day, and how many Store calls that took."""

    before: Path
    after: dict[str, str]
    calls: int
    module: dict[str, Any]

    def hashes(self, folder: Path) -> dict[str, str]:
        """sha256 of every object of a lake."""
        found: dict[str, str] = self.module["hashes"](folder)
        return found


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
    return Undisturbed(before, module["hashes"](after), calls, module)


def test_the_day_is_worth_killing(undisturbed: Undisturbed) -> None:
    new = set(undisturbed.after) - set(undisturbed.hashes(undisturbed.before))
    assert undisturbed.calls > 100
    for zone in undisturbed.module["ZONES"]:
        assert any(name.startswith(f"{zone}/") for name in new), zone
    assert any("/trades/" in name for name in new)  # a fill was settled
    assert any("plan" in name for name in new)  # and another order planned


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_at_every_store_call_and_run_again_the_lake_is_the_same(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    # In a process of its own: one that has threads must not fork.
    done = subprocess.run(
        program(undisturbed.before, FIRST, DAY, "everywhere", str(tmp_path)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"{undisturbed.calls} calls"]


def test_a_real_process_killed_in_the_middle_heals(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(undisturbed.before, lake)
    middle = str(undisturbed.calls // 2)
    killed = subprocess.run(program(lake, DAY, DAY, middle, "after"), check=False)
    assert killed.returncode == -signal.SIGKILL
    subprocess.run(program(lake, DAY, DAY), check=True, capture_output=True)
    assert undisturbed.hashes(lake) == undisturbed.after


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
        assert undisturbed.hashes(lake) == undisturbed.after, (first, last)


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
    assert undisturbed.hashes(lake) == undisturbed.after


def test_two_runs_at_once_end_like_one(undisturbed: Undisturbed, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(undisturbed.before, lake)
    both = [subprocess.Popen(program(lake, DAY, DAY), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert undisturbed.hashes(lake) == undisturbed.after
