"""Daily bars as known at a run: Alpaca first, Yahoo for what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held
from cashtag.settings import Settings


class Prices:
    """The trailing bars of every ticker of a run."""

    name = "prices"

    def __init__(self, settings: Settings, keys: AlpacaKeys | None) -> None:
        self._settings = settings

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield what is missing of the day."""
        yield from ()

    def health(self) -> tuple[SourceHealth, ...]:
        """How it came through."""
        return ()
