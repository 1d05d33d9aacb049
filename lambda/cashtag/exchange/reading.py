"""The lines of an imported file, whatever packed it, encoded it or ended its lines."""

from __future__ import annotations

import gzip
import zlib

from cashtag.lake import lines

_GZIP = b"\x1f\x8b"
_MARKS = (b"\xff\xfe", b"\xfe\xff")
_TELLING = 4  # bytes: two ASCII characters


def unpacked(data: bytes) -> lines.Unpacked:
    """Return the lines of a file, plain or gzipped, in UTF-8 where it says that it is UTF-16.

    Other encodings are left as they are: to guess one would invent words. Never raises.
    """
    found = lines.unpack(_utf8(data))
    if len(found.lines) == 1 and b"\r" in found.lines[0][1]:
        # Line ends of classic Mac OS, which spreadsheets still offer.
        pieces = enumerate(found.lines[0][1].split(b"\r"), start=1)
        split = tuple((number, line) for number, line in pieces if line.strip())
        return lines.Unpacked(split, found.damage, found.remainder)
    return found


def is_utf8(line: bytes) -> bool:
    """Say whether a line is UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _utf8(data: bytes) -> bytes:
    """UTF-16, as Windows tools write it, to UTF-8; anything else as it is."""
    plain = data
    if data.startswith(_GZIP):
        if _encoding(_head(data)) is None:
            return data
        try:
            plain = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return data  # its lines are refused one by one, with their bytes
    encoding = _encoding(plain[:_TELLING])
    if encoding is None:
        return data
    # What is no UTF-16 becomes `\xNN`: it stays visible, and no JSON string can hold it.
    return plain.decode(encoding, "backslashreplace").encode()


def _head(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, _TELLING)
    except zlib.error:
        return b""


def _encoding(head: bytes) -> str | None:
    """UTF-16 by its byte order mark, or by the zero bytes of two ASCII characters."""
    if head.startswith(_MARKS):
        return "utf-16"
    if len(head) == _TELLING and (head[0] == head[2] == 0) != (head[1] == head[3] == 0):
        zeros = sum(byte == 0 for byte in head)
        return None if zeros != 2 else "utf-16-be" if head[0] == 0 else "utf-16-le"
    return None
