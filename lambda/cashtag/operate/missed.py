"""Which runs are due, and which were missed: what a live run of today should make up for."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from cashtag import sessions
from cashtag.ports import Lake
from cashtag.scrape import coverage
from cashtag.settings import Settings

_DAY = timedelta(days=1)


def due(settings: Settings, now: datetime) -> date:
    """The newest run whose cutoff has passed at `now` (UTC): before it, its day is not over."""
    today = now.date()
    return today if sessions.cutoff(today, settings.scrape.cutoff_utc) <= now else today - _DAY


def first(lake: Lake, settings: Settings, last: date) -> date:
    """The oldest of the last `live.catch_up_days` runs before `last` that is missing or partial.

    Days before the lake's first run are not missed: nobody had begun. Without any, `last`.
    """
    begun = False
    oldest = last
    for back in range(settings.live.catch_up_days, 0, -1):
        dt = last - back * _DAY
        run = coverage.of_run(lake.raw, dt, settings)
        begun = begun or run.scraped or _any_before(lake, dt)
        if begun and run.reason(settings.scrape.coverage.partial_below) is not None:
            oldest = min(oldest, dt)
    return oldest


def _any_before(lake: Lake, dt: date) -> bool:
    oldest = next(iter(lake.raw.list("manifests/dt=")), None)
    return oldest is not None and oldest.key < f"manifests/dt={dt}"
