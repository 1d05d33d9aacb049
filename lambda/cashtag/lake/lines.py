"""Raw objects: JSON lines in gzip, packed to the same bytes always, and read as far as they go.

A damaged object keeps its readable lines: `unpack` hands them over and names what is wrong with
the rest, for the caller to quarantine.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from cashtag.errors import InputError, StoreError

LEVEL = 6  # gzip's own default; fixed, because it shapes the bytes
_GZIP = b"\x1f\x8b"
_HEADER = _GZIP + b"\x08\0\0\0\0\0\0\xff"  # deflate, no time, unknown system: RFC 1952
_WINDOW = 16 + zlib.MAX_WBITS  # "gzip header and trailer", zlib manual
_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The readable lines of one object, and what is wrong with it, if anything.

    `lines` holds (number from 1, bytes without the line break); blank lines are counted and left
    out. `damage` is None, or a sentence; then `remainder` holds the piece of a line that the
    damage cut off, empty when it fell between two lines.
    """

    lines: tuple[tuple[int, bytes], ...]
    damage: str | None = None
    remainder: bytes = b""


def pack(lines: Iterable[bytes]) -> bytes:
    """Return one `.jsonl.gz`: each line and a line feed, gzip without a time stamp or a name.

    Raises:
        InputError: a line holds a line feed, so that reading would tear it in two.
    """
    body = bytearray()
    for number, line in enumerate(lines, start=1):
        if b"\n" in line:
            raise InputError(f"line {number} holds a line break: write the JSON on one line")
        body += line + b"\n"
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(body) + deflate.flush()
    return _HEADER + packed + struct.pack("<2I", zlib.crc32(body), len(body) & 0xFFFFFFFF)


def unpack(data: bytes) -> Unpacked:
    """Return the lines of an object, gzipped (in any number of members) or plain.

    Never raises for damage: a truncated or corrupt gzip gives all lines before the damage. Lines
    after it can appear as well, because most damage is only found by the checksum at the end: when
    `damage` is set, a line is good only if it parses. Line feeds end a line; a carriage return
    before one and a byte order mark at the start are removed.
    """
    text, damage = _inflate(data) if data.startswith(_GZIP) else (data, None)
    text = text.removeprefix(b"\xef\xbb\xbf")
    *whole, last = text.split(b"\n")
    remainder = b""
    if damage is None:
        whole.append(last)  # a last line without its line feed is whole
    else:
        remainder = last
    lines = tuple(
        (number, line.removesuffix(b"\r"))
        for number, line in enumerate(whole, start=1)
        if line.strip()
    )
    return Unpacked(lines, damage, remainder)


def _inflate(data: bytes) -> tuple[bytes, str | None]:
    """Return what can be decompressed, and what stopped it."""
    out = bytearray()
    rest = data
    while rest:
        at = len(data) - len(rest)
        if not rest.startswith(_GZIP):
            if not rest.strip(b"\0"):  # padding of tapes and blocks, which gzip allows
                break
            return bytes(out), f"{len(rest)} bytes at byte {at}, after the gzip data, are no gzip"
        stream = zlib.decompressobj(_WINDOW)
        step = _STEP
        while rest and not stream.eof:
            piece = rest[:step]
            before = stream.copy()
            try:
                out += stream.decompress(piece)
            except zlib.error as error:
                if step == 1:
                    return bytes(
                        out
                    ), f"the gzip data is corrupt at byte {len(data) - len(rest)}: {error}"
                # A faulty step gives nothing back, so halve it until only the fault is left.
                stream, step = before, max(1, min(step, len(rest)) // 2)
                continue
            rest = rest[len(piece) :]
        if not stream.eof:
            return bytes(out), f"the gzip data ends at byte {len(data)}, before it is complete"
        rest = stream.unused_data + rest
    return bytes(out), None


def read(data: bytes, name: str) -> list[bytes]:
    """Return the lines of an object that must be whole, such as one we wrote ourselves.

    Raises:
        StoreError: the object is damaged; `name` tells which.
    """
    found = unpack(data)
    if found.damage is not None:
        raise StoreError(f"{name}: {found.damage}; bring the object back from a copy")
    return [line for _, line in found.lines]


def count(data: bytes) -> int:
    """How many readable lines an object has; a line that damage cut off is none."""
    return len(unpack(data).lines)
