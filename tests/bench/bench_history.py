"""The cost of a day must not grow with history: one day with 1 M and with 10 M tweets before it.

Run `python tests/bench/bench_history.py`. Both lakes hold the same newest weeks of the synthetic
sample; before them lie 100 or 1,000 days of 10,000 tweets each in every zone that a day could be
tempted to list or scan. Days are timed alternately; the median ratio is printed, the limit is 1.3.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from cashtag import services, sessions
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract, contracts
from cashtag.operate import days
from cashtag.settings import load

WARM_FROM, WARM_TO, DAY = date(2026, 5, 22), date(2026, 6, 3), date(2026, 6, 4)
ROWS_A_DAY, ROUNDS, LIMIT = 10_000, 5, 1.3


def make(folder: Path, base: Path, history_days: int) -> None:
    """Copy the warm lake and put history before it, one object linked into every partition."""
    shutil.copytree(base, folder)
    big = folder / "big.parquet"
    tweets = contract("tweets")
    some = parquet.read(
        tweets, (base / "enriched" / layout.enriched("tweets", WARM_TO)).read_bytes()
    )
    copies = -(-ROWS_A_DAY // some.num_rows)
    whole = pa.concat_tables(
        some.set_column(
            0, "tweet_id", pa.array([f"{n}{value}" for value in some["tweet_id"].to_pylist()])
        )
        for n in range(copies)
    ).slice(0, ROWS_A_DAY)
    big.write_bytes(parquet.write(tweets, whole))
    newest = WARM_FROM - timedelta(days=1)
    manifest = next((base / "raw" / "manifests" / f"dt={WARM_TO}").glob("*.json"))
    for n in range(history_days):
        dt = newest - timedelta(days=n)
        link(big, folder / "enriched" / layout.enriched("tweets", dt))
        link(manifest, folder / "raw" / "manifests" / f"dt={dt}" / manifest.name)
        if not sessions.is_session(dt):
            continue
        for name, table in contracts().items():
            if table.partition == "session":
                source = base / table.zone / f"{name}/session={WARM_TO}/part-0.parquet"
                if source.exists() and name not in ("positions", "trades", "decisions", "outcomes"):
                    link(source, folder / table.zone / f"{name}/session={dt}/part-0.parquet")


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, target)


def timed(folder: Path) -> float:
    """Seconds for one whole day in a fresh Env (imports and SQL translation are warm)."""
    env = services.embedded(load(environ={}, overrides={"lake": str(folder)}), source_name="sample")
    began = time.perf_counter()
    days.day(env, DAY)
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "base"
        env = services.embedded(
            load(environ={}, overrides={"lake": str(base)}), source_name="sample"
        )
        for _ in days.days(env, WARM_FROM, WARM_TO):
            pass
        lakes = {}
        for millions, history_days in ((1, 100), (10, 1000)):
            lakes[millions] = Path(scratch) / f"{millions}m"
            make(lakes[millions], base, history_days)
            timed(lakes[millions])
        seconds: dict[int, list[float]] = {millions: [] for millions in lakes}
        for _ in range(ROUNDS):
            for millions, folder in lakes.items():
                seconds[millions].append(timed(folder))
        one, ten = (statistics.median(seconds[millions]) for millions in (1, 10))
        ratio = statistics.median(b / a for a, b in zip(seconds[1], seconds[10], strict=True))
        print(f"one day, 1 M tweets of history:  {one:.2f} s (median of {ROUNDS})")
        print(f"one day, 10 M tweets of history: {ten:.2f} s")
        print(f"ratio {ratio:.2f} (limit {LIMIT})")


if __name__ == "__main__":
    main()
