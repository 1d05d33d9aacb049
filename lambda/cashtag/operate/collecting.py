"""A run's scrape as a function does it: not before its cutoff, and told in figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cashtag import sessions, steps
from cashtag.errors import InputError
from cashtag.ports import Env
from cashtag.scrape import manifest


@dataclass(frozen=True)
class Collected:
    """What a scrape obtained: tickers that answered and refused, tweets that it brought."""

    dt: date
    answered: int
    asked: int
    new_tweets: int
    objects: int
    refused: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "dt": self.dt.isoformat(),
            "answered": self.answered,
            "asked": self.asked,
            "tweets": self.new_tweets,
            "objects": self.objects,
            "refused": list(self.refused),
        }


def collect(env: Env, dt: date, now: datetime) -> Collected:
    """Scrape the run of `dt`, or what an earlier scrape of it left.

    Raises:
        InputError: the run's cutoff lies after `now`: its day is not over.
    """
    at = env.settings.scrape.cutoff_utc
    if now < sessions.cutoff(dt, at):
        raise InputError(
            f"dt = {dt}: the run is not due before its cutoff at {at} UTC of that day "
            "(scrape.cutoff_utc); schedule it at that time"
        )
    before = {obj.key for obj in manifest.expected(manifest.of_day(env.lake.raw, dt))}
    whole = steps.scrape(env, dt)
    tweets = sum(
        obj.lines
        for obj in whole.objects
        if obj.key.startswith("tweets/") and obj.key not in before
    )
    refused = tuple(row.ticker for row in whole.tickers if row.status == "refused")
    asked = len(whole.tickers)
    return Collected(dt, asked - len(refused), asked, tweets, len(whole.objects), refused)
