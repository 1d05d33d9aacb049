"""One request at a time to each host, and to the SEC no faster than it allows."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import host_of
from cashtag.scrape.deadline import Deadline

SEC = "sec.gov"


def is_sec(url: str) -> bool:
    """Whether an address is the SEC's, on whichever of its hosts."""
    return _door(url) == SEC


def _door(url: str) -> str:
    """The host of an address; all hosts of the SEC are one, for it counts their requests as one."""
    host = host_of(url).lower()
    return SEC if host == SEC or host.endswith(f".{SEC}") else host


class Doors:
    """Where the feeds of a run queue up, each at its host."""

    def __init__(self, sec_requests_per_second: float) -> None:
        self._pause = 1.0 / sec_requests_per_second
        self._next = 0.0
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def entered(self, url: str, until: Deadline) -> Iterator[None]:
        """Wait until a request for `url` may start; the next one waits until this one has ended.

        Raises:
            SourceRefused: the deadline came first.
        """
        door = _door(url)
        with self._guard:
            lock = self._locks[door]
        if not lock.acquire(timeout=until.left):
            raise SourceRefused(f"the deadline came while another feed of {door} was fetched")
        try:
            if door == SEC:
                self._keep_pace(until)
            yield
        finally:
            lock.release()

    def _keep_pace(self, until: Deadline) -> None:
        wait = self._next - time.monotonic()
        if wait > 0:
            time.sleep(until.within(wait))
        self._next = time.monotonic() + self._pause
