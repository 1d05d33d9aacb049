"""A child process per Store call, killed there by SIGKILL, then the run again: the lake must not differ.

Run as a program by `test_killed_anywhere.py`: `kill_points.py LAKE FIRST LAST [N WHEN]`. With N,
the process kills itself at its N-th Store call, before or after it took effect (WHEN). Without
N it runs to the end and prints how many calls it made. The sample is cut to a few tickers by a
source that filters what it is asked for, so that a run is short.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

from cashtag import services
from cashtag.operate import days
from cashtag.ports import Day, Env, Fetched, Lake, Store
from cashtag.settings import load

TICKERS = ("GOOG", "TSLA")
SYMBOLS = {*TICKERS, "SPY", "^VIX"}


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


class Counting:
    """A store that counts its calls and kills the process at one of them."""

    calls = 0
    kill_at: int | None = None
    kill_after = False

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, name)
        if name not in {"get", "put", "put_if_absent", "list", "exists", "delete"}:
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


def main() -> None:
    folder, first, last = sys.argv[1], *map(date.fromisoformat, sys.argv[2:4])
    if len(sys.argv) > 4:
        Counting.kill_at, Counting.kill_after = int(sys.argv[4]), sys.argv[5] == "after"
    print(run(folder, first, last))


if __name__ == "__main__":
    main()
