"""Trending tickers from a chain of sites, the first that answers; what each said is kept in raw."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from cashtag.ports import Fetched, SourceHealth, Store
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held
from cashtag.settings import Settings


class Trending:
    """The chain of `scrape.trending.chain`."""

    def __init__(self, settings: Settings, raw: Store, keys: AlpacaKeys | None) -> None:
        self._settings = settings

    def fetch(self, dt: date, known: Held, until: Deadline) -> tuple[Fetched, ...]:
        """Ask one site after the other until one answers; return what is to be kept of each."""
        return ()

    def health(self) -> tuple[SourceHealth, ...]:
        """How each site that was asked came through, and `trending` as a whole."""
        return ()


def recorded(known: Held) -> tuple[str, ...]:
    """The run's trending tickers as its first scrape kept them, best first; empty if it had none."""
    return ()


def tickers_of(fetched: Iterable[Fetched]) -> tuple[str, ...]:
    """The trending tickers in what `Trending.fetch` returned, best first."""
    return ()
