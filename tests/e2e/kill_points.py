"""A child process per Store call, killed there by SIGKILL, then the run again: the lake must not differ.

Run as a program by `test_killed_anywhere.py`: `kill_points.py LAKE FIRST LAST [N WHEN]`. With N,
the process kills itself at its N-th Store call, before or after it took effect (WHEN). Without
N it runs to the end and prints how many calls it made. `LAKE FIRST DAY everywhere SCRATCH` kills
DAY at every call, each time on a copy of LAKE, and prints what went wrong. The sample is cut to a few tickers by a
source that filters what it is asked for, so that a run is short.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from cashtag import services
from cashtag.operate import days
from cashtag.ports import Day, Env, Fetched, Lake, SourceHealth, Store
from cashtag.settings import load

TICKERS = ("GOOG", "TSLA")
SYMBOLS = {*TICKERS, "SPY", "^VIX"}
ZONES = ("raw", "enriched", "signals", "ledger")


class FewTickers:
    """The sample source, asked for a few tickers only."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self.name = source.name

    def dates(self) -> tuple[date, date]:
        return self._source.dates()

    def asked(self, dt: date) -> tuple[str, ...]:
        return TICKERS

    def fetch(self, day: Day) -> Iterator[Fetched]:
        for fetched in self._source.fetch(day):
            if fetched.kind != "bars" or fetched.ticker in SYMBOLS:
                yield fetched

    def health(self) -> tuple[SourceHealth, ...]:
        return self._source.health()


class Counting:
    """A store that counts its calls and kills the process at one of them."""

    calls = 0
    kill_at: int | None = None
    kill_after = False
    counted: frozenset[str] = frozenset(
        ("get", "put", "put_if_absent", "list", "exists", "delete", "purge", "versions")
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, name)
        if name not in self.counted:
            return member

        def call(*args: Any, **kwargs: Any) -> Any:
            Counting.calls += 1
            if Counting.calls == Counting.kill_at and not Counting.kill_after:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return member(*args, **kwargs)
            finally:  # a call that raises, such as a get of what is not there, is a boundary too
                if Counting.calls == Counting.kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        return call


def environment(folder: str) -> Env:
    env = services.embedded(load(environ={}, overrides={"lake": folder}), source_name="sample")
    zones = {
        field.name: Counting(getattr(env.lake, field.name)) for field in dataclasses.fields(Lake)
    }
    return dataclasses.replace(env, lake=Lake(**zones), source=FewTickers(env.source))


def run(folder: str, first: date, last: date) -> int:
    """Run the days; return how many Store calls that took."""
    Counting.calls = 0
    for _ in days.days(environment(folder), first, last):
        pass
    return Counting.calls


def rebuild(folder: str, first: date, last: date) -> None:
    """Make everything after raw again."""
    for _ in days.days(environment(folder), first, last, rebuild=True):
        pass


def hashes(folder: Path) -> dict[str, str]:
    """sha256 of every object of the four zones; temporary files are no objects."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for zone in ZONES
        for path in sorted((folder / zone).rglob("*"))
        if path.is_file() and ".tmp" not in path.parts
    }


def forked(folder: Path, day: date, kill_at: int | None, when: str) -> int:
    """Run one day in a child of this process; return its wait status.

    A fork has its own memory and dies alone by a real SIGKILL, and it need not import again:
    hundreds of kill points stay affordable. This process must have no other threads.
    """
    pid = os.fork()
    if pid == 0:
        try:
            Counting.kill_at, Counting.kill_after = kill_at, when == "after"
            run(str(folder), day, day)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return status


def everywhere(before: Path, scratch: Path, day: date) -> list[str]:
    """Kill the day at every Store call, run it again each time; return what went wrong."""
    whole, lake = scratch / "whole", scratch / "lake"
    shutil.copytree(before, whole)
    calls = run(str(whole), day, day)  # the forks inherit this run's imports and translated SQL
    gc.collect()
    expected, wrong = hashes(whole), []
    for n in range(1, calls + 1):
        # Death after call n and death before call n + 1 differ in nothing that a disk could
        # hold, so one of the two is enough; the first call is killed on both sides.
        for when in ("before", "after") if n == 1 else ("after",):
            shutil.copytree(before, lake)
            status = forked(lake, day, n, when)
            if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
                wrong.append(f"call {n} {when}: the child was not killed (status {status})")
            elif (status := forked(lake, day, None, when)) != 0:
                wrong.append(f"call {n} {when}: the run after it failed (status {status})")
            elif hashes(lake) != expected:
                wrong.append(f"call {n} {when}: the lake differs")
            shutil.rmtree(lake)
    return [*wrong, f"{calls} calls"]


def main() -> None:
    folder, first, last = sys.argv[1], *map(date.fromisoformat, sys.argv[2:4])
    if len(sys.argv) > 4 and sys.argv[4] == "everywhere":
        print("\n".join(everywhere(Path(folder), Path(sys.argv[5]), last)))
        return
    if len(sys.argv) > 4:
        Counting.kill_at, Counting.kill_after = int(sys.argv[4]), sys.argv[5] == "after"
    print(run(folder, first, last))


if __name__ == "__main__":
    main()
