"""Enrichment through a loopback endpoint: how much of the processor time is the model's own.

Raw objects of 125 tweets (what a run asks of a ticker) are enriched by one process, whose model is
`cashtag model serve`'s server in another. Processor time of both processes counts, threads
included; the model's is what passes inside predict_fn. A whole 100,000 tweets through a model of
RoBERTa-base size take twenty minutes on two cores, so the two parts are measured where each can be:

- a thousand tweets through the real model: its processor time a tweet, and the share as it was;
- all 100,000 through a server whose model answers at once and costs nothing: everything else that
  enrichment, boto3, HTTP and JSON cost, and whether memory grows.

    python tests/bench/bench_endpoint.py [--model FOLDER] [--tweets N] [--all N]

Without --model the tiny test model answers, which is a hundred times cheaper than a real one: its
share is no measure of anything. `python tests/bench/model_speed.py --keep FOLDER` makes a model of
RoBERTa-base size at FOLDER/packed/model. Target: 0.90 of the processor time with that one.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import orjson

from cashtag import settings
from cashtag.enrich import staging
from cashtag.lake import lines
from cashtag.lake.layout import RawKey
from cashtag.operate.serving import ModelServer
from cashtag.sentiment import packaged
from cashtag.sentiment.sagemaker import EndpointScorer
from cashtag.services import folder_lake

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "tiny_model"
TICKER, DT, PER_OBJECT = "AAPL", date(2026, 3, 3), 125
FEW = {True: 1_000, False: 20_000}  # tweets through the model: a real one, the tiny one
ALL = 100_000
TARGET = 0.90
LOCAL = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def megabytes() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(folder: str, free: bool) -> None:
    """Serve until SIGTERM; print the address first, and what it cost last."""
    loaded = packaged.load(packaged.read(folder))
    spent = [0.0]

    def timed(data: Any, model: Any) -> dict[str, Any]:
        started = process_time()
        told = loaded.predict_fn({"inputs": []} if free else data, model)
        if free:
            told["probabilities"] = [[0.25, 0.25, 0.5]] * len(data["inputs"])
        spent[0] += process_time() - started
        return told

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    rules, started = settings.load(environ={}).models.serve, process_time()
    with ModelServer(dataclasses.replace(loaded, predict_fn=timed), "bench", rules, 0) as server:
        print(server.url, flush=True)
        stop.wait()
    print(json.dumps({"model": spent[0], "all": process_time() - started, "peak": peak()}))


def objects(n: int) -> Iterator[bytes]:
    """Raw objects of n tweets in all: the bundled sample's, round after round, with other ids."""
    file = ROOT / "sample_data" / "raw" / "tweets" / f"{TICKER}.jsonl.gz"
    found = [orjson.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    held: list[bytes] = []
    for number in range(n):
        envelope = found[number % len(found)]
        data = envelope["data"] | {"id": number + 1, "id_str": str(number + 1)}
        held.append(orjson.dumps(envelope | {"data": data}))
        if len(held) == PER_OBJECT or number == n - 1:
            yield lines.pack(held)
            held.clear()


def client(url: str, n: int) -> None:
    """Enrich n tweets; print what it cost, and memory on the way."""
    os.environ |= {**LOCAL, "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": url}
    chosen = settings.load(environ={}, overrides={"models.sagemaker.name": "bench"})
    scorer = EndpointScorer(chosen, chosen.models.sagemaker)
    rows = unanswered = 0
    memory: list[float] = []
    spent = wall = 0.0
    with tempfile.TemporaryDirectory() as folder:
        lake = folder_lake(folder)
        quarters = max(1, n // PER_OBJECT // 4)
        for number, data in enumerate(objects(n)):
            key = RawKey("tweets", DT, "bench", TICKER, number + 1)
            lake.raw.put(str(key), data)
            began, before = perf_counter(), process_time()
            counts = staging.stage(chosen, lake, scorer, "bench", key, lambda: ()).counts
            spent, wall = spent + process_time() - before, wall + perf_counter() - began
            rows, unanswered = rows + counts["rows"], unanswered + counts["unanswered"]
            if number % quarters == quarters - 1:
                memory.append(round(megabytes(), 1))
    told = {"spent": spent, "wall": wall, "rows": rows, "unanswered": unanswered}
    print(json.dumps(told | {"memory": memory}))


def measured(folder: Path, n: int, *, free: bool) -> dict[str, Any]:
    """Run server and client, each in a process of its own."""
    me = [sys.executable, str(Path(__file__).resolve())]
    server = subprocess.Popen(
        [*me, "--serve", str(folder), *(["--free"] if free else [])],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        asked = subprocess.run(
            [*me, "--client", url, "--tweets", str(n)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        server.send_signal(signal.SIGTERM)
        told: dict[str, Any] = json.loads(server.communicate()[0])
    finally:
        server.kill()
        server.wait()
    return {"server": told, "client": json.loads(asked.stdout), "n": n}


def main() -> None:
    args = _parser().parse_args()
    if args.serve:
        serve(args.serve, args.free)
        return
    if args.client:
        client(args.client, args.tweets)
        return
    folder = Path(args.model) if args.model else TINY
    real = args.model is not None
    few = args.tweets or FEW[real]
    print(f"model {packaged.read(folder).version}; load {os.getloadavg()[0]:.1f}")
    with_model = measured(folder, few, free=False)
    without = measured(TINY, args.all, free=True)
    a_model = with_model["server"]["model"] / few
    others = with_model["server"]["all"] - with_model["server"]["model"] + with_model["client"]["spent"]  # fmt: skip
    share = with_model["server"]["model"] / (with_model["server"]["model"] + others)
    print(
        f"{few} tweets through the model: {few / with_model['client']['wall']:.0f} tweets/s, "
        f"processor ms a tweet: model {1e3 * a_model:.3f}, all else {1e3 * others / few:.3f}; "
        f"share of the model {share:.3f}"
    )
    free = without["server"]
    rest = free["all"] - free["model"] + without["client"]["spent"]
    print(
        f"{args.all} tweets, the model free: {args.all / without['client']['wall']:.0f} tweets/s, "
        f"processor ms a tweet: client {1e3 * without['client']['spent'] / args.all:.3f}, server "
        f"{1e3 * (free['all'] - free['model']) / args.all:.3f}"
    )
    print(
        f"memory of the client by quarters, MB: {without['client']['memory']}; "
        f"peak of the server with the model: {with_model['server']['peak']:.0f}"
    )
    whole = a_model * args.all / (a_model * args.all + rest)
    verdict = ("met" if whole >= TARGET else "MISSED") if real else "no target for the tiny model"
    print(f"share of the model in {args.all} tweets: {whole:.3f} (target {TARGET}: {verdict})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--model", help="packaged folder (default: the tiny test model)")
    add("--tweets", type=int, default=0, help="how many go through the model")
    add("--all", type=int, default=ALL, help="how many go through everything but the model")
    add("--serve", help=argparse.SUPPRESS)
    add("--free", action="store_true", help=argparse.SUPPRESS)
    add("--client", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
