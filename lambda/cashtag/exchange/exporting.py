"""`cashtag export reference`: enriched tweets as the JSON arrays of the reference pipeline.

One file per ticker and run, `{TICKER}-{YYYY-MM-DD}.json`: an array on one line, most liked
first, of objects with the keys of KEYS. As that pipeline does, the export strips emoji from
content and display name, and writes `&amp;` in content as the site does. Where the lake knows less than the format has room for:

- an id that is no integer stays text, so that no post is lost or renamed;
- a tweet that no model has answered has null for sentiment and sentiment_score, because a score
  of 0 would be an answer;
- a count that the source did not state is null; a display name that it did not state is empty;
- created_at has whole seconds, UTC.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cashtag.errors import InputError, StoreError
from cashtag.exchange import files
from cashtag.lake import partitions
from cashtag.lake.contracts import contract

if TYPE_CHECKING:
    from cashtag.ports import Lake

KEYS = (
    "id",
    "ticker",
    "username",
    "display_name",
    "content",
    "created_at",
    "likes",
    "retweets",
    "replies",
    "hashtags",
    "url",
    "sentiment",
    "sentiment_score",
)
_TABLE = "tweets"
_LONGEST_ID = 19  # digits of 2^63 - 1, the largest integer that readers of JSON columns hold
# Unicode's emoji-data.txt, Extended_Pictographic from U+2600 and Emoji_Presentation below it; any
# other symbol is a picture only with the selector U+FE0F behind it, so →, ✓, ₿ and ™ stay.
_PICTURES = (
    "\U0001f000-\U0001faff"  # pictographs, flags, skin tones
    "\u2600-\u2605\u2607-\u2612\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2714\u2716\u271d\u2721"
    "\u2728\u2733\u2734\u2744\u2747\u274c\u274e\u2753-\u2755\u2757\u2763-\u2767\u2795-\u2797"
    "\u27a1\u27b0\u27bf\u231a\u231b\u23e9-\u23f3\u23f8-\u23fa\u25fd\u25fe\u2b1b\u2b1c\u2b50\u2b55"
)
_EMOJI = (
    f"(?:(?:[{_PICTURES}]|[^\\s\\w]\ufe0f|\u2139\ufe0f|[0-9#*]\ufe0f?\u20e3)"
    "[\ufe0f\u200d\u20e3\U000e0020-\U000e007f]*)+"  # joiners, keys, the tags of regional flags
)
_EMOJI_AS_SPACE = re.compile(rf"(?<=\S){_EMOJI}(?=[\w$#@])")  # `$NVDA🚀$AMD` names two
_EMOJI_RUN = re.compile(_EMOJI)


def reference(
    zones: Lake,
    folder: Path,
    *,
    ticker: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> list[tuple[Path, int]]:
    """Write the files; each appears whole, and replaces what was there.

    Args:
        zones: the lake; its enriched zone is read.
        folder: where the files go; created when needed.
        ticker: only this symbol.
        first: first run, included; the lake's first by default.
        last: last run, included; the lake's last by default.

    Returns:
        (path, tweets) of each file, by run and ticker.

    Raises:
        InputError: `ticker` is no symbol, or the lake has no such tweets.
        StoreError: the folder cannot be written.
    """
    symbol = None
    if ticker is not None and (symbol := files.normalised(ticker)) is None:
        raise InputError(f"--ticker {ticker!r} is no symbol; write it like NVDA, BRK.B or ^VIX")
    written = []
    table = contract(_TABLE)
    for dt in partitions.partitions(zones, table, first, last):
        found = partitions.read(zones, table, dt)
        assert found is not None
        by_ticker: dict[str, list[dict[str, Any]]] = {}
        for row in found.to_pylist():
            if symbol in {None, row["ticker"]}:
                by_ticker.setdefault(row["ticker"], []).append(row)
        for name in sorted(by_ticker):
            path = folder / f"{name}-{dt}.json"
            _write(path, array(by_ticker[name]))
            written.append((path, len(by_ticker[name])))
    if not written:
        raise InputError(
            f"no enriched tweets of {symbol or 'any ticker'} from {first or 'the first run'} to "
            f"{last or 'the last'} in {zones.enriched.uri()}; see `cashtag status` for its runs"
        )
    return written


def array(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows of the `tweets` table, of one ticker and run, as the bytes of one file."""
    ordered = sorted(rows, key=lambda row: (-(row["likes"] or 0), row["tweet_id"]))
    return orjson.dumps([element(row) for row in ordered])


def element(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the `tweets` table as an element of the array."""
    created: datetime = row["created_at"]
    values = (
        _identity(row["tweet_id"]),
        f"${row['ticker']}",
        row["author"],
        without_emoji(row["author_name"] or ""),
        escaped(without_emoji(row["text"])),
        f"{created:%Y-%m-%d %H:%M:%S}+00:00",
        row["likes"],
        row["retweets"],
        row["replies"],
        [_as_written(tag, row["text"]) for tag in row["hashtags"]],
        row["url"],
        row["sentiment"],
        row["sentiment_score"],
    )
    return dict(zip(KEYS, values, strict=True))


def without_emoji(text: str) -> str:
    """`text` without emoji, and without the spaces that they leave doubled or at an end."""
    bare = _EMOJI_RUN.sub("", _EMOJI_AS_SPACE.sub(" ", text))
    return text if bare == text else " ".join(bare.split())


def escaped(text: str) -> str:
    """`text` with the three entities that the site writes, and that cleaning takes out again."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _identity(tweet_id: str) -> int | str:
    plain = tweet_id.isascii() and tweet_id.isdecimal() and not tweet_id.startswith("0")
    if plain and len(tweet_id) <= _LONGEST_ID and int(tweet_id) < 2**63:
        return int(tweet_id)
    return tweet_id


def _as_written(tag: str, text: str) -> str:
    """A hashtag in its author's letters; the table has it in small ones."""
    found = re.search(rf"[#＃]({re.escape(tag)})(?!\w)", text, re.IGNORECASE)
    return found[1] if found else tag


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"DIR {path.parent}: {path.name} cannot be written ({error.strerror or error}); free "
            "space, or choose a folder that you may write"
        ) from None
