"""One line of raw data: what a source returned, to which question, and when."""

from __future__ import annotations

from typing import Any

import orjson


def line(source: str, scraped_at: str, query: str, data: Any) -> bytes:
    """Return the envelope of one thing as JSON; `scraped_at` is ISO 8601 with `+00:00`."""
    return fitted(
        orjson.dumps({"source": source, "scraped_at": scraped_at, "query": query, "data": data})
    )


def fitted(written: bytes) -> bytes:
    """Return a copy of the length that the bytes have.

    orjson gives away the buffer that it wrote into, of kilobytes for a line of three hundred
    bytes, and thousands of lines are kept until they are packed.
    """
    return bytes(memoryview(written))
