"""Tickers that discovery named: read from yesterday's `ticker_universe` for the next run's scrape."""

from __future__ import annotations

from datetime import date

from cashtag.ports import Lake
from cashtag.settings import Settings


def discovered(lake: Lake, dt: date, settings: Settings) -> tuple[str, ...]:
    """Tickers for the run of `dt` from the universe of the day before, best first; may be empty."""
    return ()
