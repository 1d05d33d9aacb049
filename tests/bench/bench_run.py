"""The whole job on real tweets: 213 runs over 23,000 posts of 2014 in at most 90 s.

Run `python tests/bench/bench_run.py`. Needs the data beside the checkout (or $CASHTAG_SHARED);
without it only the synthetic sample is timed. Times are of whole processes, dashboard included;
beside them stands the time of reading the same tweets with json alone, in the same run.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 90.0
COMMAND = [sys.executable, "-c", "from cashtag.cli import main; main()"]


def shared() -> Path:
    """Where data for measurement lies."""
    return Path(os.environ.get("CASHTAG_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def cashtag(*words: str) -> float:
    """Seconds of one command."""
    began = time.perf_counter()
    subprocess.run([*COMMAND, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        seconds = cashtag("run", "--source", "sample", "--lake", f"{scratch}/sample")
        print(f"sample, 98 runs: {seconds:.1f} s")
        data = shared()
        if not (data / "stocknet").is_dir():
            print("the real tweets are not here: the run over them was NOT timed")
            return
        began = time.perf_counter()
        n = 0
        for path in sorted((data / "stocknet" / "tweets").glob("*.jsonl.gz")):
            with gzip.open(path) as file:
                n += sum(1 for line in file if json.loads(line))
        plain = time.perf_counter() - began
        lake = f"{scratch}/real"
        brought = cashtag("import", "twitter-v1", str(data / "stocknet" / "tweets"), "--lake", lake)
        for bars in (data / "stocknet" / "prices", data / "ohlcv" / "SPY.csv"):
            brought += cashtag("import", "bars", str(bars), "--lake", lake)
        ran = cashtag(
            "run", "--source", "archive", "--from", "2014-06-02", "--to", "2014-12-31",
            "--lake", lake,
        )  # fmt: skip
        print(f"reading {n:,} tweets with json alone: {plain:.1f} s")
        print(f"importing them and the bars: {brought:.1f} s ({brought / plain:.1f} x)")
        print(f"the run over them: {ran:.1f} s = {ran / LIMIT:.2f} of the limit of {LIMIT:g} s")
        print(f"load of the machine now: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
