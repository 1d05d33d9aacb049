"""SIGKILL at every Store call, two runs at once, any date again: the lake ends the same."""

from __future__ import annotations

import hashlib
import os
import runpy
import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kill_points.py")
# A Friday, its weekend and a Monday: a plan, a refreshed session, a settlement.
FIRST, LAST = date(2026, 3, 26), date(2026, 3, 30)
ZONES = ("raw", "enriched", "signals", "ledger")


def lake_hashes(folder: Path) -> dict[str, str]:
    """sha256 of every object of the four zones; temporary files are no objects."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for zone in ZONES
        for path in sorted((folder / zone).rglob("*"))
        if path.is_file() and ".tmp" not in path.parts
    }


def forked(folder: Path, kill_at: int | None, when: str, module: dict) -> int:  # type: ignore[type-arg]
    """Run the days in a child of this process; return its wait status.

    A fork has its own memory and dies alone by a real SIGKILL, and it need not import again:
    hundreds of kill points stay affordable.
    """
    pid = os.fork()
    if pid == 0:
        try:
            module["Counting"].kill_at = kill_at
            module["Counting"].kill_after = when == "after"
            module["run"](str(folder), FIRST, LAST)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return status


@pytest.fixture(scope="module")
def module() -> dict:  # type: ignore[type-arg]
    # Engines are imported before the forks, but no connection is open and no thread runs.
    import duckdb  # noqa: F401
    import pandas  # noqa: F401
    import sqlglot  # noqa: F401

    return runpy.run_path(str(SCRIPT), run_name="kill_points")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("whole") / "lake"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(FIRST), str(LAST)],
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, int(done.stdout)


def test_the_reference_run_is_worth_killing(whole: tuple[Path, int]) -> None:
    folder, calls = whole
    found = lake_hashes(folder)
    assert calls > 100
    for zone in ZONES:
        assert any(name.startswith(f"{zone}/") for name in found), zone


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_every_store_call_and_run_again_the_lake_is_the_same(
    whole: tuple[Path, int],
    tmp_path: Path,
    module: dict,  # type: ignore[type-arg]
) -> None:
    folder, calls = whole
    expected = lake_hashes(folder)
    every = os.environ.get("CASHTAG_KILL_EVERY")  # a person in a hurry may take each n-th
    wrong = []
    for n in range(1, calls + 1, int(every) if every else 1):
        # Before and after the call differ only for calls that write; odd and even points share
        # the two, and neighbouring points make sure that each write is hit on both sides.
        for when in ("before", "after") if n % 2 else ("after",):
            lake = tmp_path / "lake"
            status = forked(lake, n, when, module)
            assert os.WIFSIGNALED(status), f"call {n} {when}: the child was not killed"
            assert os.WTERMSIG(status) == signal.SIGKILL
            assert forked(lake, None, when, module) == 0, f"call {n} {when}: the rerun failed"
            if lake_hashes(lake) != expected:
                wrong.append((n, when))
            shutil.rmtree(lake)
    assert wrong == []


def test_a_real_process_killed_in_the_middle_heals(whole: tuple[Path, int], tmp_path: Path) -> None:
    folder, calls = whole
    lake = tmp_path / "lake"
    command = [sys.executable, str(SCRIPT), str(lake), str(FIRST), str(LAST)]
    killed = subprocess.run([*command, str(calls // 2), "after"], check=False)
    assert killed.returncode == -signal.SIGKILL
    subprocess.run(command, check=True, capture_output=True)
    assert lake_hashes(lake) == lake_hashes(folder)


def test_any_date_again_changes_nothing(whole: tuple[Path, int], tmp_path: Path) -> None:
    folder, _ = whole
    lake = tmp_path / "lake"
    shutil.copytree(folder, lake)
    for day in (FIRST, date(2026, 3, 28), LAST, FIRST):
        subprocess.run(
            [sys.executable, str(SCRIPT), str(lake), str(day), str(day)],
            check=True,
            capture_output=True,
        )
        assert lake_hashes(lake) == lake_hashes(folder), day


def test_two_runs_at_once_end_like_one(whole: tuple[Path, int], tmp_path: Path) -> None:
    folder, _ = whole
    lake = tmp_path / "lake"
    command = [sys.executable, str(SCRIPT), str(lake), str(FIRST), str(LAST)]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert lake_hashes(lake) == lake_hashes(folder)
