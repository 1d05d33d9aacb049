"""Make the synthetic sample market: `python sample_data/generate.py [--check]`.

Everything under sample_data/raw is written by this program and by nothing else: fixed seeds, the
standard library only, the same bytes on every machine. `--check` writes nothing and says what
differs. All prices, posts, accounts and news are invented; see README.md.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from companies import BY_TICKER, TWEETED
from days import BROKEN_DAY, FIRST_RUN, LAST_RUN, REFUSED, cutoff, run_of
from figures import Tape
from market import make_market
from news import make_news
from tweets import make_tweets
from voices import Voices

HOME = Path(__file__).parent
SOURCE = "synthetic"
NOTE = "SYNTHETIC: invented by sample_data/generate.py; no real post, person, price or event"
REFERENCE_DAY = ("NVDA", "2026-05-20")
SECONDS_PER_TICKER = 9  # one search after the other
TABLE = re.compile(r"(?<=<!-- hashes -->\n).*?(?=<!-- /hashes -->)", re.DOTALL)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _envelope(scraped_at: datetime, query: str, data: dict[str, Any]) -> str:
    return _json(
        {"source": SOURCE, "scraped_at": scraped_at.isoformat(), "query": query, "data": data}
    )


def _packed(lines: Iterable[str]) -> bytes:
    """Return the lines as gzip without a name, a time or the machine's mark."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as packed:
        packed.write("".join(f"{line}\n" for line in lines).encode())
    return buffer.getvalue()


def _tweet_lines(ticker: str, posts: list[dict[str, Any]]) -> list[str]:
    """Return one envelope per post; a search runs some seconds after its run's cutoff."""
    lines = []
    wait = timedelta(seconds=4 + SECONDS_PER_TICKER * TWEETED.index(ticker))
    for post in posts:
        at = datetime.fromisoformat(post["date"])
        end = cutoff(run_of(at))
        since, until = int((end - timedelta(days=1)).timestamp()), int(end.timestamp())
        query = f"${ticker} since_time:{since} until_time:{until}"
        lines.append(_envelope(end + wait, query, post))
    return lines


def _reference_day(posts: list[dict[str, Any]]) -> bytes:
    """Return the posts of one run in the reference format: a JSON array, white space collapsed."""
    ticker, day = REFERENCE_DAY
    rows = [
        {
            "id": post["id"],
            "ticker": f"${ticker}",
            "username": post["user"]["username"],
            "display_name": post["user"]["displayname"],
            "content": " ".join(post["rawContent"].split()),
            "created_at": post["date"],
            "likes": post["likeCount"],
            "retweets": post["retweetCount"],
            "replies": post["replyCount"],
            "hashtags": post["hashtags"],
            "url": post["url"],
        }
        for post in posts
        if run_of(datetime.fromisoformat(post["date"])).isoformat() == day
    ]
    return (json.dumps(rows, indent=2) + "\n").encode()


def make_files() -> dict[str, bytes]:
    """Return every file of the sample by its path below sample_data/raw."""
    market = make_market()
    fear = Tape(market["^VIX"])
    voices = Voices()
    files: dict[str, bytes] = {}
    for ticker in sorted(BY_TICKER):
        lines = []
        for bar in market[ticker]:
            data = {
                "session": bar.session.isoformat(), "open": bar.open, "high": bar.high,
                "low": bar.low, "close": bar.close, "adjusted_close": bar.adjusted_close,
                "volume": bar.volume, "dividend": bar.dividend, "split": bar.split,
            }  # fmt: skip
            known = cutoff(bar.session + timedelta(days=1))
            lines.append(_envelope(known, f"{ticker} daily bars", data))
        files[f"bars/{ticker}.jsonl.gz"] = _packed(lines)
    for ticker in TWEETED:
        posts = make_tweets(ticker, market[ticker], fear, voices)
        files[f"tweets/{ticker}.jsonl.gz"] = _packed(_tweet_lines(ticker, posts))
        if ticker == REFERENCE_DAY[0]:
            files[f"{ticker}-{REFERENCE_DAY[1]}.json"] = _reference_day(posts)
    news = []
    for item in make_news(market):
        end = cutoff(run_of(datetime.fromisoformat(item["published"])))
        news.append(_envelope(end + timedelta(seconds=2), item["feed"], item))
    files["news.jsonl.gz"] = _packed(news)
    days = {
        "note": NOTE,
        "tickers": list(TWEETED),
        "first": FIRST_RUN.isoformat(),
        "last": LAST_RUN.isoformat(),
        "refused": {BROKEN_DAY.isoformat(): REFUSED},
    }
    files["days.json"] = (json.dumps(days, indent=2) + "\n").encode()
    return files


def content(name: str, data: bytes) -> bytes:
    """Return what a file says: compressors differ between machines, their input does not."""
    return gzip.decompress(data) if name.endswith(".gz") else data


def hash_table(files: dict[str, bytes]) -> str:
    """Return the README's table: of each file its size, its SHA-256 and that of its content."""
    rows = ["| file | bytes | sha256 | sha256 of the content |\n", "|---|---|---|---|\n"]
    for name, data in sorted(files.items()):
        inner = sha256(content(name, data)).hexdigest()
        rows.append(f"| `{name}` | {len(data)} | `{sha256(data).hexdigest()}` | `{inner}` |\n")
    return "".join(rows)


def differences(files: dict[str, bytes], root: Path) -> list[str]:
    """Return the names of files that are missing, too many, or say something else."""
    there = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    wrong = {
        name
        for name, data in files.items()
        if name not in there or content(name, (root / name).read_bytes()) != content(name, data)
    }
    return sorted(wrong | (there - files.keys()))


def main(arguments: list[str] | None = None) -> int:
    """Write the sample, or compare it with what is there. Return 1 when `--check` finds a difference."""
    parser = argparse.ArgumentParser(description="Make the synthetic sample market.")
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    parser.add_argument("--into", type=Path, default=HOME, help="folder to write to (this one)")
    options = parser.parse_args(arguments)
    started = datetime.now(UTC)
    files, root = make_files(), options.into / "raw"
    different = differences(files, root)
    if options.check:
        print("\n".join(f"differs: raw/{name}" for name in different) or "the sample is as written")
        return 1 if different else 0
    for name in different:
        path = root / name
        if name not in files:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    readme = options.into / "README.md"
    if readme.exists():
        # The enriched example is exported from a run over the rest; it is listed, not made, here.
        there = sorted(p for zone in ("raw", "enriched") for p in (options.into / zone).rglob("*"))
        written = {
            p.relative_to(options.into).as_posix(): p.read_bytes() for p in there if p.is_file()
        }
        text = TABLE.sub(lambda _: hash_table(written), readme.read_text(encoding="utf-8"))
        readme.write_text(text, encoding="utf-8")
    size = sum(len(data) for data in files.values())
    seconds = (datetime.now(UTC) - started).total_seconds()
    print(f"{len(different)} of {len(files)} files written, {size / 1e6:.2f} MB, {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
