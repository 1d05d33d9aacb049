"""Raw objects taken apart: lines, envelopes. A line that cannot be read says why.

An envelope is `{"source", "scraped_at", "query", "data"}` on one line; `data` is what the source
returned, untouched. One bad line never costs its neighbours.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from cashtag.lake import lines

_SURROGATE = re.compile("[\ud800-\udfff]")
_WINDOW = 16 + zlib.MAX_WBITS  # a gzip header and trailer, zlib manual
_STEP = 1 << 15  # packed bytes at a time: what comes out stays in a processor's cache


@dataclass(frozen=True, slots=True)
class Rejected:
    """A raw line that became no row: its number from 1, why, and its bytes, for quarantine.

    Line 0 stands for the object itself, damaged beyond its last readable line.
    """

    line: int
    reason: str
    raw: bytes


class RawLines:
    """The lines of a raw object in order, blank ones as `b""`, so that positions are the file's.

    A damaged gzip yields its readable lines. Once all are read, `damage` says what is wrong, if
    anything, and `remainder` holds the piece of a line that the damage cut off.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.damage: str | None = None
        self.remainder = b""

    def __iter__(self) -> Iterator[bytes]:
        """Yield each line; blocks are unpacked as they are needed."""
        given = 0
        try:
            for block in _blocks(self._data):
                given += len(block)
                yield from block
        except zlib.error:
            found = lines.unpack(self._data)
            self.damage, self.remainder = found.damage, found.remainder
            for number, line in found.lines:
                if number > given:
                    yield from [b""] * (number - given - 1)
                    yield line
                    given = number


def _blocks(data: bytes) -> Iterator[list[bytes]]:
    """Lines by the block; raises zlib.error for whatever is not one whole gzip member."""
    stream = zlib.decompressobj(_WINDOW)
    view = memoryview(data)
    rest = b""
    for start in range(0, len(data), _STEP):
        block = stream.decompress(view[start : start + _STEP]).split(b"\n")
        block[0] = rest + block[0]
        rest = block.pop()
        yield block
    if not stream.eof or stream.unused_data:
        raise zlib.error("the data does not end with its gzip member")
    if rest:
        yield [rest]


def opened(line: bytes) -> tuple[str, str | None, dict[str, Any]] | str:
    """Return an envelope's source, its `scraped_at` and its data, or why it has none.

    Lone surrogates, which a post cut inside an emoji leaves behind as `\\ud83d`, become U+FFFD;
    a line in another encoding than UTF-8 is refused, because guessing would invent words.
    """
    try:
        envelope = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            envelope = _loaded_slowly(line)
        except UnicodeDecodeError:
            return "encoding"
        except (ValueError, RecursionError):
            return "json"
    if type(envelope) is not dict:
        return "not-object"
    data = envelope.get("data")
    source = envelope.get("source")
    scraped_at = envelope.get("scraped_at")
    if type(data) is not dict or type(source) is not str:
        return "no-envelope"
    return source, scraped_at if type(scraped_at) is str else None, data


def _loaded_slowly(line: bytes) -> Any:
    """Read what orjson refuses and others write: lone surrogates, NaN, a byte order mark."""
    value = json.loads(line.decode("utf-8-sig"), parse_constant=_no_number)
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(_SURROGATE.sub("\ufffd", text))


def _no_number(_name: str) -> None:
    """`NaN` and `Infinity` are no JSON, but some writers leave them where a number is missing."""
