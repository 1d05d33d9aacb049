"""Which keys a store takes: one rule for folders and buckets, so that a lake can move.

Any text of one or more segments between `/` is a key, spaces, quotes, `%`, `?`, `#`, `+`, `:`,
backslashes and every script included, except for what one of the two could not hold or would
read as something else:

- no segment is empty, `.` or `..`, so no key begins or ends with `/`;
- no control characters (Unicode category Cc) and no half surrogates;
- at most 1,024 bytes of UTF-8 (S3's limit), at most 255 a segment (that of file systems);
- the first segment is not `.tmp`, where a folder keeps what is being written.
"""

from __future__ import annotations

import re

from cashtag.errors import StoreError

TEMPORARY = ".tmp"
LONGEST_KEY = 1024  # bytes; "Object key names", Amazon S3 user guide
LONGEST_SEGMENT = 255  # bytes; NAME_MAX of ext4, XFS, APFS
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def check_key(key: str) -> str:
    """Return the key.

    Raises:
        StoreError: no store can hold it; the message says which rule it breaks.
    """
    fault = _fault(key, key.split("/"))
    if fault:
        raise StoreError(f"key {key!r} {fault}")
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix, which may be empty, end in `/`, or end within a segment.

    Raises:
        StoreError: no key can begin with it.
    """
    *whole, last = prefix.split("/")
    # An unfinished '.' or '.tmp' may go on as '.well-known' or '.tmpfiles', which are keys.
    unfinished = last in {"", ".", "..", TEMPORARY}
    fault = _fault(prefix, whole if unfinished else [*whole, last]) if prefix else None
    if fault:
        raise StoreError(f"prefix {prefix!r} {fault}")
    return prefix


def is_key(key: str) -> bool:
    """Say whether `check_key` would pass; foreign objects in a zone may have other names."""
    return _fault(key, key.split("/")) is None


def _fault(key: str, segments: list[str]) -> str | None:
    if not key:
        return "is empty: name an object, such as 'tweets/dt=2026-01-05/NVDA-1.jsonl.gz'"
    if _CONTROL.search(key):
        return "holds a control character: remove it"
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "holds half of a surrogate pair: write it as valid Unicode"
    if size > LONGEST_KEY:
        return f"has {size} bytes of UTF-8: shorten it to {LONGEST_KEY}"
    for segment in segments:
        if not segment:
            return "has an empty segment: write no '/' at its start, at its end or twice in a row"
        if segment in {".", ".."}:
            return f"has a segment {segment!r}: write the path without it"
        if len(segment) > LONGEST_SEGMENT // 4 and len(segment.encode()) > LONGEST_SEGMENT:
            return (
                f"has a segment of {len(segment.encode())} bytes: shorten it to {LONGEST_SEGMENT}"
            )
    if segments and segments[0] == TEMPORARY:
        return (
            f"begins with {TEMPORARY!r}, which is kept for unfinished writes: choose another name"
        )
    return None
