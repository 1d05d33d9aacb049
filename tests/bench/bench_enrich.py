"""Enrichment without its model: raw gzip JSON lines to the bytes of a stage object, on one core.

For each set, objects of 5,000 and of 100 tweets: tweets per second, where the time goes, and the
ratio to two peers in the same run: gunzip and orjson.loads of every line (what any reader of
these bytes pays), and pandas.read_json with five plain columns written as Parquet. Rounds
alternate; processor time; the median of the ratios. Target: 20,000 tweets/s on objects of 5,000.
"""

from __future__ import annotations

import gzip
import io
import os
import statistics
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from cashtag import settings
from cashtag.enrich import tweets
from cashtag.enrich.parsed import Parsed
from cashtag.lake import lines, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.layout import RawKey

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("CASHTAG_SHARED", ROOT.parent / "shared"))
SIZES, ROUNDS = (5000, 100), {5000: 7, 100: 41}
TICKER = "AAPL"
SOUND = settings.load(environ={})
TWEETS = contract("tweets")


def sample() -> Iterator[bytes]:
    """Yield lines of the bundled sample, round after round, each post with an id of its own."""
    file = ROOT / "sample_data" / "raw" / "tweets" / f"{TICKER}.jsonl.gz"
    found = gzip.decompress(file.read_bytes()).splitlines() if file.exists() else []
    for number in range(100 if found else 0):
        for place, line in enumerate(found):
            envelope = orjson.loads(line)
            new_id = number * len(found) + place + 1
            envelope["data"] |= {"id": new_id, "id_str": str(new_id)}
            yield orjson.dumps(envelope)


def stocknet() -> Iterator[bytes]:
    """Yield real lines of Twitter's API v1.1, of one ticker, then again with other ids."""
    file = SHARED / "data" / "stocknet" / "tweets" / f"{TICKER}.jsonl.gz"
    found = gzip.decompress(file.read_bytes()).splitlines() if file.exists() else []
    for number in range(2 if found else 0):
        for line in found:
            data = line.replace(b'"id_str":"', b'"id_str":"' + b"9" * number, 1)
            yield b'{"source":"twitter-v1","scraped_at":null,"query":"AAPL","data":%b}' % data


def third(parsed: Parsed) -> np.ndarray:
    """Answer every text at no cost, but for the hashes that a recorded answer is found by."""
    assert len(parsed.input_hashes) == len(parsed.texts)
    return np.full((len(parsed.texts), 3), 1 / 3)


def ours(data: bytes) -> bytes:
    """Raw bytes to stage bytes."""
    key = RawKey("tweets", date(2026, 3, 3), "bench", TICKER, 1)
    found = tweets.enrich_object(SOUND, key, data, third, "none", "none-1")
    return parquet.write_stage(TWEETS, found.table)


def json_alone(data: bytes) -> None:
    """Peer: unpack, and parse every line."""
    for line in gzip.decompress(data).split(b"\n"):
        if line:
            orjson.loads(line)


def with_pandas(data: bytes) -> bytes:
    """Peer: pandas reads the lines; five plain columns of them become Parquet."""
    raw = pd.read_json(io.BytesIO(gzip.decompress(data)), lines=True, dtype=False)["data"]
    users = raw.map(lambda post: post["user"])
    frame = pd.DataFrame(
        {
            "id": raw.map(lambda post: post["id_str"]),
            "at": pd.to_datetime(
                raw.map(lambda post: post.get("date") or post["created_at"]),
                format="mixed",
                utc=True,
            ),
            "text": raw.map(lambda post: post.get("rawContent") or post["text"]),
            "author": users.map(lambda user: user.get("username") or user["screen_name"]),
            "followers": users.map(
                lambda user: user.get("followersCount", user.get("followers_count"))
            ),
        }
    )
    return bytes(frame.to_parquet(index=False))


def seconds(work: Callable[[bytes], Any], data: bytes) -> float:
    """Return the processor time of one call."""
    start = process_time()
    work(data)
    return process_time() - start


def parts(data: bytes) -> str:
    """Say how many microseconds a tweet each part takes, the best of some rounds."""
    key = RawKey("tweets", date(2026, 3, 3), "bench", TICKER, 1)
    best = [float("inf")] * 4
    rows = 0
    for _ in range(7):
        marks = [process_time()]
        parsed = tweets.parse(SOUND, key, data)
        marks.append(process_time())
        answers = third(parsed)
        marks.append(process_time())
        table = tweets.assemble(SOUND, parsed, answers, "none", "none-1")
        marks.append(process_time())
        parquet.write_stage(TWEETS, table)
        marks.append(process_time())
        best = [min(old, b - a) for old, a, b in zip(best, marks, marks[1:], strict=False)]
        rows = table.num_rows
    names = ("parse", "hash", "assemble", "write")
    took = ", ".join(f"{n} {t * 1e6 / rows:.1f}" for n, t in zip(names, best, strict=True))
    return f"{rows:,} rows; µs a row: {took}"


def main() -> None:
    """Print two lines a set and size."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    for name, source in (("StockNet, API v1.1", stocknet), ("sample, twscrape", sample)):
        found = list(islice(source(), max(SIZES)))
        if not found:
            print(f"{name}: not here, skipped")
            continue
        for size in SIZES:
            data = lines.pack(found[:size])
            mine, alone, pandas = [], [], []
            for _ in range(ROUNDS[size]):
                mine.append(seconds(ours, data))
                alone.append(seconds(json_alone, data))
                pandas.append(seconds(with_pandas, data))
            ratio = statistics.median(a / b for a, b in zip(mine, alone, strict=True))
            against = statistics.median(a / b for a, b in zip(mine, pandas, strict=True))
            print(
                f"{name:19s} {size:5,} tweets: {size / min(mine):7,.0f} tweets/s best, "
                f"{size / statistics.median(mine):7,.0f} median; {ratio:.2f} of gunzip + orjson "
                f"alone, {against:.2f} of pandas with five columns"
            )
            print(f"{'':19s} {parts(data)}")


if __name__ == "__main__":
    main()
