"""How the crowd of each symbol feels: slow drift, the moves it has seen, and the news of the day.

A mood looks backwards only: at returns that have happened by then and at events that have begun.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from companies import BY_TICKER
from days import RUNS, is_session, run_of, session_before
from events import EVENTS, MARKET_DAYS, Event, MarketDay
from figures import Moment

PERSISTENCE = 0.55
NOISE = 0.11
USUAL = 0.05  # people own what they talk about
USUAL_MARKET = 0.0075  # SPY's daily volatility in ordinary weeks
FADE_DAYS = 0.35


@dataclass(frozen=True)
class Mood:
    """`level` from -1 (everybody negative) to 1; `story` is the event they talk about, if any."""

    level: float
    story: Event | MarketDay | None
    heat: float  # 0 to 1: how much more than usual is said


class Crowd:
    """The mood of one symbol at any moment of the sample."""

    def __init__(self, ticker: str) -> None:
        company = BY_TICKER[ticker]
        rng = Random(f"cashtag sample: mood of {ticker}")
        self.sigma = math.hypot(company.volatility, company.beta * USUAL_MARKET)
        self.drift, level = {}, 0.0
        for dt in RUNS:
            level = PERSISTENCE * level + rng.gauss(0, NOISE)
            self.drift[dt] = level
        self.stories: list[Event | MarketDay] = [e for e in EVENTS if e.ticker == ticker]
        self.stories += [d for d in MARKET_DAYS if ticker == "SPY" or rng.random() < d.share]

    def at(self, moment: Moment) -> Mood:
        """Return the mood at a moment, given the price as it stood then."""
        drift = self.drift.get(run_of(moment.at), 0.0)
        z = moment.move / self.sigma
        strength = 0.13 * min(abs(z), 2.5) + 0.32 * min(max(0.0, abs(z) - 1.7), 1.0)
        seen = math.copysign(strength, z) * moment.elapsed * self._freshness(moment)
        story, weight = self._story(moment.at)
        if story is None:
            level = USUAL + drift + seen
            heat = min(1.0, 1.6 * max(0.0, abs(seen) - 0.2))
        else:
            level = weight * story.mood + 0.25 * drift + (1 - weight) * seen
            heat = weight * abs(story.mood)
        return Mood(max(-0.97, min(0.97, level)), story, heat)

    def _story(self, at: datetime) -> tuple[Event | MarketDay | None, float]:
        """Return what people talk about at `at`, and how much: 1 while fresh, then fading."""
        best: tuple[Event | MarketDay | None, float] = (None, 0.0)
        for story in self.stories:
            age = (at - story.start) / timedelta(days=1)
            if age < 0:
                continue
            weight = 1.0 if age <= story.days else max(0.0, 1 - (age - story.days) / FADE_DAYS)
            if weight * abs(story.mood) > best[1] * abs(best[0].mood if best[0] else 0.0):
                best = (story, weight)
        return best

    def _freshness(self, moment: Moment) -> float:
        """Return how much people still care about the last session's move."""
        day = moment.at.date()
        if moment.part == "weekend":
            last = session_before(day) if not is_session(day) else day
            return max(0.25, 0.75 - 0.25 * (day - last).days)
        return 0.7 if moment.part == "pre" else 1.0
