"""A few days of the sample with planted posts: what one person wrote, and what others made of it.

Load it by path (`runpy.run_path`), or run it: `forget_world.py LAKE TARGET` forgets, and
`forget_world.py LAKE TARGET everywhere SCRATCH` kills that after every write, each time on a copy of
LAKE, goes on, and prints what went wrong.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
import runpy
import shutil
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cashtag import services, sessions
from cashtag.exchange.forget_target import target
from cashtag.operate import days
from cashtag.operate import forget as work
from cashtag.ports import Day, Env, Fetched, Lake, SourceHealth
from cashtag.settings import load

KILLING = runpy.run_path(str(Path(__file__).with_name("kill_points.py")), run_name="kill_points")
FIRST, DAY, LAST = date(2026, 5, 28), date(2026, 6, 1), date(2026, 6, 3)  # DAY is a Monday
TICKERS = ("GOOG", "TSLA")
AT = datetime(2026, 7, 1, 9, tzinfo=UTC)

POST, OTHER_POST, RENAMED_POST = "2061234567890123456", "2061234567890199999", "2061900000000000001"
HANDLE, AUTHOR_ID, NEW_HANDLE = "Zedd_Quill", "1777000111222333444", "Quiet_Renamed"
TEXT = "$TSLA $GOOG planted words that nobody else would ever write down, bullish"
OTHER_TEXT = "$TSLA another planted sentence of the same careful writer, strong buy"
RENAMED_TEXT = "$GOOG a third planted thought, under the name that came later, terrible"


def user(handle: str = HANDLE, identity: str = AUTHOR_ID) -> dict[str, Any]:
    """A user as twscrape has it."""
    return {
        "id": int(identity),
        "id_str": identity,
        "username": handle,
        "displayname": handle.replace("_", " "),
        "created": "2015-05-02 08:38:12+00:00",
        "followersCount": 4000,
    }


def post(identity: str, text: str, dt: date, by: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A post of the night before the run, as twscrape has it."""
    moment = sessions.cutoff(dt) - timedelta(hours=3)
    return {
        "id": int(identity),
        "id_str": identity,
        "url": f"https://x.com/{by['username']}/status/{identity}",
        "date": moment.isoformat(sep=" "),
        "user": by,
        "lang": "en",
        "rawContent": text,
        "likeCount": 7,
        "retweetCount": 1,
        "replyCount": 2,
        "quoteCount": 0,
        "conversationId": int(identity),
        "conversationIdStr": identity,
        "retweetedTweet": None,
        "quotedTweet": None,
        "inReplyToTweetId": None,
    } | more


def line(dt: date, data: dict[str, Any]) -> bytes:
    """Its envelope."""
    head = {"source": "synthetic", "scraped_at": sessions.cutoff(dt).isoformat(), "query": "$"}
    return json.dumps(head | {"data": data}, separators=(",", ":")).encode()


def planted() -> dict[tuple[date, str], list[bytes]]:
    """Lines by run and ticker: the posts, a quotation, a retweet, replies, a link, a new name."""
    whole = post(POST, TEXT, DAY, user())
    other = user("Some_Reader", "1888000111222333555")
    nested = {key: whole[key] for key in ("id", "id_str", "url", "user", "rawContent")}
    quoting = post(
        "2061234567890200001", "$TSLA agreed, great call", DAY, other, quotedTweet=nested
    )
    retweet = post(
        "2061234567890200002", f"RT @{HANDLE}: {TEXT[:30]}…", DAY, other, retweetedTweet=nested
    )
    reply = post(
        "2061234567890200003",
        f"@{HANDLE.lower()} no way, $TSLA is weak",
        DAY,
        other,
        inReplyToTweetId=int(POST),
        inReplyToTweetIdStr=POST,
        inReplyToUser={"id": int(AUTHOR_ID), "id_str": AUTHOR_ID, "username": HANDLE},
        conversationId=int(POST),
        conversationIdStr=POST,
        mentionedUsers=[{"id": int(AUTHOR_ID), "id_str": AUTHOR_ID, "username": HANDLE}],
    )
    link = post(
        "2061234567890200004",
        f"$TSLA read this https://x.com/{HANDLE}/status/{POST}",
        DAY,
        other,
        links=[{"url": f"https://twitter.com/{HANDLE.upper()}/status/{POST}?s=20", "text": "x"}],
    )
    again = DAY + timedelta(days=1)
    return {
        (DAY, "TSLA"): [
            line(DAY, data)
            for data in (
                whole,
                quoting,
                retweet,
                reply,
                link,
                post(OTHER_POST, OTHER_TEXT, DAY, user()),
            )
        ],
        (DAY, "GOOG"): [line(DAY, whole)],
        (again, "GOOG"): [line(again, post(RENAMED_POST, RENAMED_TEXT, again, user(NEW_HANDLE)))],
    }


class Planting(KILLING["FewTickers"]):  # type: ignore[misc]
    """The sample of two tickers, with the planted lines in the middle of what it answers."""

    def __init__(self, source: Any) -> None:
        super().__init__(source)
        self._planted = planted()

    def fetch(self, day: Day) -> Iterator[Fetched]:
        for fetched in super().fetch(day):
            more = self._planted.get((day.dt, str(fetched.ticker)), [])
            if fetched.kind == "tweets" and more:
                half = len(fetched.lines) // 2
                whole = (*fetched.lines[:half], *more, *fetched.lines[half:])
                fetched = dataclasses.replace(fetched, status="ok", lines=whole)
            yield fetched

    def health(self) -> tuple[SourceHealth, ...]:
        return ()


def environment(folder: str | Path, lake: Lake | None = None) -> Env:
    """The planted sample over a folder, or over another lake."""
    settings = load(environ={}, overrides={"lake": str(folder)})
    env = services.embedded(settings, source_name="sample")
    env = dataclasses.replace(env, source=Planting(env.source))
    return env if lake is None else dataclasses.replace(env, lake=lake)


def run(env: Env, first: date = FIRST, last: date = LAST) -> None:
    """Run the days."""
    for _ in days.days(env, first, last):
        pass


def forget(env: Env, whom: str, reason: str = "request 17") -> work.Forgotten:
    """Look, and forget, as the command does."""
    return work.forget(env, work.look(env, target(whom)), reason=reason, at=AT)


# ---------------------------------------------------------------- looking into a lake


def holding(objects: dict[str, bytes], needle: str) -> list[str]:
    """Names of objects that hold a text in any case: as they are, unzipped, or as Parquet's values."""
    small = needle.lower()
    return [
        name for name, data in sorted(objects.items()) if small in name.lower() or _in(data, small)
    ]


def _in(data: bytes, small: str) -> bool:
    texts = [data]
    if data.startswith(b"\x1f\x8b"):
        texts.append(gzip.decompress(data))
    if data.startswith(b"PAR1"):
        texts.append(str(pq.read_table(io.BytesIO(data)).to_pylist()).encode())
    return any(small.encode() in text.lower() for text in texts)


def files(folder: Path) -> dict[str, bytes]:
    """All objects of a lake in a folder, by zone and key; temporary files are no objects."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".tmp" not in path.parts
    }


# ---------------------------------------------------------------- killed anywhere


def counted(folder: Path, whom: str) -> int:
    """Forget over stores that count, and may kill, as `kill_points.Counting` does."""
    env, counting = environment(folder), KILLING["Counting"]
    zones = [counting(getattr(env.lake, field.name)) for field in dataclasses.fields(Lake)]
    counting.calls = 0
    forget(dataclasses.replace(env, lake=Lake(*zones)), whom)
    return int(counting.calls)


def everywhere(before: Path, scratch: Path, whom: str) -> list[str]:
    """Kill a takedown after every Store call that writes, go on; return what went wrong.

    Whoever dies while reading leaves what the last write left.
    """
    whole, lake, counting = scratch / "whole", scratch / "lake", KILLING["Counting"]
    counting.counted = frozenset(("put", "put_if_absent", "delete", "purge"))
    shutil.copytree(before, whole)
    calls = counted(whole, whom)
    expected, wrong = files(whole), []
    for n in range(1, calls + 1):
        shutil.copytree(before, lake)
        status = _forked(lake, whom, n)
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            wrong.append(f"call {n}: the child was not killed (status {status})")
        elif (status := _forked(lake, whom, None)) != 0:
            wrong.append(f"call {n}: going on failed (status {status})")
        elif (found := files(lake)) != expected:
            names = {name for name in {*found, *expected} if found.get(name) != expected.get(name)}
            wrong.append(f"call {n}: the lake differs in {sorted(names)[:3]}")
        shutil.rmtree(lake)
    counting.kill_at = None
    return [*wrong, f"{calls} calls"]


def _forked(folder: Path, whom: str, kill_at: int | None) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            KILLING["Counting"].kill_at, KILLING["Counting"].kill_after = kill_at, True
            counted(folder, whom)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1]


def main() -> None:
    folder, whom = Path(sys.argv[1]), sys.argv[2]
    if len(sys.argv) > 3:
        print("\n".join(everywhere(folder, Path(sys.argv[4]), whom)))
    else:
        print(forget(environment(folder), whom).new)


if __name__ == "__main__":
    main()
