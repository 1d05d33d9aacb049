"""Tweets of a run: breadth first over all tickers, then depth while the budget lasts."""

from __future__ import annotations

from collections.abc import Iterator

from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held
from cashtag.settings import Settings


class X:
    """Searches X for every ticker of a run."""

    name = "x"

    def __init__(self, settings: Settings, accounts: tuple[XAccount, ...]) -> None:
        self._settings = settings

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield what is missing of the day."""
        yield from ()

    def health(self) -> tuple[SourceHealth, ...]:
        """How it came through."""
        return ()
