"""News feeds of a run, fetched within bounds and parsed from bytes."""

from __future__ import annotations

from collections.abc import Iterator

from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held
from cashtag.settings import Settings


class News:
    """Every feed of `live.news.feeds`."""

    name = "news"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield what is missing of the day."""
        yield from ()

    def health(self) -> tuple[SourceHealth, ...]:
        """How it came through."""
        return ()
