"""Start-up: `cashtag --help` in at most 0.4 s, beside a bare interpreter in the same run.

Run `python tests/bench/bench_start.py`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

LIMIT, ROUNDS = 0.4, 9
MAIN = "from cashtag.cli import main; main()"


def seconds(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    commands = {
        "python -c pass": ("-c", "pass"),
        "import typer": ("-c", "import typer"),
        "cashtag --help": ("-c", MAIN, "--help"),
        "cashtag run --help": ("-c", MAIN, "run", "--help"),
        "cashtag config show": ("-c", MAIN, "config", "show", "trade.mode"),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, words in commands.items():
            times[name].append(seconds(*words))
    bare = statistics.median(times["python -c pass"])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:22} {median:.3f} s  {median / bare:5.1f} x bare python")
    whole = statistics.median(times["cashtag --help"])
    print(f"cashtag --help: {whole / LIMIT:.2f} of the limit of {LIMIT:g} s")


if __name__ == "__main__":
    main()
