"""What queries scanned, one small object each, and the budget of a day.

The size is part of the key, so that one listing adds up a day. Objects lie below `athena/` of the
results zone and expire with it; they are accounts, not data: nothing derived depends on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

from cashtag.errors import CloudError
from cashtag.ports import Store
from cashtag.settings.cloud import Athena

FOLDER = "athena/scanned"
MEGABYTE = 1_000_000
_SIZE = re.compile(r"/(\d+)-[^/]+\.json$")


@dataclass(frozen=True, slots=True)
class Scan:
    """One query as Athena accounts for it: whether it succeeded, bytes read, milliseconds run."""

    day: date
    query: str
    query_id: str
    state: str
    scanned: int
    milliseconds: int

    @property
    def key(self) -> str:
        """Where it is recorded, in the results zone."""
        return f"{FOLDER}/dt={self.day}/{self.scanned:013d}-{self.query_id}.json"


def record(store: Store, scan: Scan) -> None:
    """Keep what a query scanned; again, it is the same object."""
    text = json.dumps(asdict(scan) | {"day": scan.day.isoformat()}, sort_keys=True)
    store.put(scan.key, text.encode())


def scanned(store: Store, day: date) -> int:
    """Bytes that all recorded queries of a UTC day have scanned."""
    found = (_SIZE.search(info.key) for info in store.list(f"{FOLDER}/dt={day}/"))
    return sum(int(m[1]) for m in found if m)


def refuse_above(store: Store, day: date, settings: Athena) -> None:
    """Refuse to query when the day's scans have used up `aws.athena.scan_megabytes_per_day`.

    Raises:
        CloudError: they have; the message says how much, and what to do.
    """
    used, most = scanned(store, day), settings.scan_megabytes_per_day * MEGABYTE
    if used >= most:
        raise CloudError(
            f"queries of {day} have scanned {used / MEGABYTE:,.0f} MB, and "
            f"aws.athena.scan_megabytes_per_day is {settings.scan_megabytes_per_day:,}: no query is "
            f"sent before the next day (UTC); look for what scans so much in {FOLDER}/, or raise "
            "the setting"
        )


def cents(scanned: Iterable[int], settings: Athena) -> float:
    """What queries that scanned so many bytes each cost, in cents.

    Each is billed by whole megabytes, and by `billed_megabytes` at least (Athena's price list).
    """
    billed = sum(max(settings.billed_megabytes, -(-size // MEGABYTE)) for size in scanned)
    return billed * MEGABYTE / 1e12 * settings.dollars_per_terabyte * 100
