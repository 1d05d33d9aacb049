"""Snapshots of option chains with greeks and implied volatility, from Alpaca."""

from __future__ import annotations

from collections.abc import Iterator

from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held
from cashtag.settings import Settings


class Options:
    """The chains of the optionable stocks of the watchlist."""

    name = "options"

    def __init__(self, settings: Settings, keys: AlpacaKeys) -> None:
        self._settings = settings

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield what is missing of the day."""
        yield from ()

    def health(self) -> tuple[SourceHealth, ...]:
        """How it came through."""
        return ()
