"""Scraping X: 30 tickers of 125 tweets, five accounts, against twscrape's own search, one at a time.

X is played on the loopback, in a process of its own, with 300 ms before each answer and a budget
of 50 searches per account. The peer is what its user would write: `api.search(query, limit=125)`
for one ticker after the other, with one account whose budget is large enough. Both run in fresh
processes, in turns; the median of the ratios counts. Limit: 1/4 of the peer's time, no account
beyond its budget, peak memory under 300 MB. Run `python tests/bench/bench_scrape.py`.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "doubles"))

from internet import Internet
from x_site import XSite

ROUNDS, TICKERS, TWEETS, LATENCY, ACCOUNTS, BUDGET = 3, 30, 125, 0.3, 5, 50
LIMIT, MEMORY = 0.25, 300.0
DT = date(2026, 5, 8)
NAMES = tuple(f"T{chr(65 + number // 26)}{chr(65 + number % 26)}" for number in range(TICKERS))


def serve(pipe: Connection, folder: str) -> None:
    """Play X; each message is a budget to begin anew with, answered by the searches so far."""
    site = XSite(default=1000, renews=False)  # which twscrape's own client would not survive
    with Internet(site.sites(), Path(folder), LATENCY) as net:
        pipe.send(net.environ())
        while (budget := pipe.recv()) is not None:
            used = dict(site.used)
            site.used.clear()
            site._reset.clear()
            site.budget = budget
            pipe.send(used)


def cashtag() -> int:
    """Scrape by cashtag; return the number of tweets."""
    from cashtag import sessions
    from cashtag.ports import Day
    from cashtag.scrape.credentials import XAccount
    from cashtag.scrape.deadline import Deadline
    from cashtag.scrape.held import held
    from cashtag.scrape.x.errand import X
    from cashtag.services import folder_lake
    from cashtag.settings import load

    accounts = tuple(
        XAccount(f"acc{number}", f"PLANTED-token-{number}", f"PLANTED-csrf-{number}")
        for number in range(ACCOUNTS)
    )
    errand = X(load(environ={}), accounts)
    nothing = held(folder_lake("lake").raw, DT)
    parts = errand.fetch(Day(DT, sessions.cutoff(DT), NAMES), nothing, Deadline(600))
    return sum(len(part.lines) for part in parts)


def peer() -> int:
    """Scrape by twscrape's own search, one ticker at a time; return the number of tweets."""
    from twscrape import API, gather

    from cashtag import sessions
    from cashtag.scrape.x import queries
    from cashtag.settings import load

    async def search() -> int:
        api = API("accounts.db")
        await api.pool.add_account_cookies("peer", "auth_token=PLANTED-peer; ct0=PLANTED-csrf")
        settings, cutoff, found = load(environ={}), sessions.cutoff(DT), 0
        for name in NAMES:
            query = queries.cashtag(settings, name, cutoff)
            tweets = await gather(api.search(query, limit=TWEETS, kv={"product": "Top"}))
            found += len([json.loads(tweet.json()) for tweet in tweets])
        return found

    return asyncio.run(search())


def measure(which: str, environ: dict[str, str], folder: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), which],
        env=os.environ | environ | {"TWS_LOG_LEVEL": "ERROR"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def child(which: str) -> None:
    """Do the work in this process and say what it took."""
    began = time.perf_counter()
    tweets = cashtag() if which == "cashtag" else peer()
    told = {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # kB on Linux
        "tweets": tweets,
    }
    print(json.dumps(told))


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    most, runs = 0, []
    with tempfile.TemporaryDirectory() as folder:
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(theirs, folder), daemon=True
        )
        server.start()
        environ = ours.recv()
        for _ in range(ROUNDS):
            ours.send(BUDGET)
            ours.recv()
            mine = measure("cashtag", environ, folder)
            ours.send(10_000)
            used = ours.recv()
            most = max(most, *used.values())
            one = measure("peer", environ, folder)
            runs.append((mine, one))
            print(
                f"cashtag {mine['seconds']:6.1f} s ({mine['processor']:.1f} s of a processor,"
                f" {mine['tweets']:.0f} tweets, searches {sorted(used.values())});"
                f" twscrape one at a time {one['seconds']:6.1f} s"
                f" ({one['processor']:.1f} s, {one['tweets']:.0f} tweets)",
                flush=True,
            )
        ours.send(None)
    ratio = statistics.median(mine["seconds"] / one["seconds"] for mine, one in runs)
    peak = max(mine["peak"] for mine, _ in runs)
    print(f"median ratio {ratio:.3f} (limit {LIMIT:g}); peak memory {peak:.0f} MB")
    print(f"most searches of one account {most} of its {BUDGET}; peak memory limit {MEMORY:g} MB")
    if ratio > LIMIT or most > BUDGET or peak > MEMORY:
        sys.exit("beyond a limit")


if __name__ == "__main__":
    child(sys.argv[1]) if sys.argv[1:] else main()
