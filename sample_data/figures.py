"""The numbers and names inside a post: prices as they stood, levels around them, dates ahead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from companies import CROWD, Company
from days import is_session, session_before, to_new_york
from events import BROKERS
from market import Bar

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CROWD_NAMES, _CROWD_WEIGHTS = tuple(CROWD), tuple(CROWD.values())


@dataclass(frozen=True)
class Moment:
    """What one symbol looked like at one moment: price, move of the day so far, part of the day."""

    at: datetime
    price: float
    move: float  # simple return against the close before
    elapsed: float  # share of the session that has passed, 1 when the exchange is closed
    part: str  # pre | open | after | weekend


class Tape:
    """Prices of one symbol at any moment of the sample, from its bars and the open between them."""

    def __init__(self, bars: list[Bar]) -> None:
        self.bars = {bar.session: bar for bar in bars}
        self.lows, self.highs = min(b.low for b in bars), max(b.high for b in bars)

    def _bar_before(self, day: date) -> Bar:
        day = session_before(day)
        while day not in self.bars:
            day = session_before(day)
        return self.bars[day]

    def at(self, moment: datetime) -> Moment:
        """Return the symbol at `moment` (UTC); nothing later than `moment` is looked at."""
        clock = to_new_york(moment)
        day, minutes = clock.date(), clock.hour * 60 + clock.minute
        if not is_session(day):
            last = self._bar_before(day)
            before = self._bar_before(last.session)
            return Moment(moment, last.close, _move(last, before), 1.0, "weekend")
        before = self._bar_before(day)
        if minutes < 570 or day not in self.bars:
            earlier = self._bar_before(before.session)
            part = "pre" if minutes < 570 else "after" if minutes >= 960 else "open"
            return Moment(moment, before.close, _move(before, earlier), 1.0, part)
        bar = self.bars[day]
        share = min(1.0, (minutes - 570) / 390)
        price = bar.open + (bar.close - bar.open) * share
        move = price * (bar.split or 1.0) / before.close - 1
        return Moment(moment, round(price, 2), move, share, "open" if share < 1 else "after")


def _move(bar: Bar, before: Bar) -> float:
    return bar.close * (bar.split or 1.0) / before.close - 1


def plain(value: float) -> str:
    """Return a price as people write it: no needless zeros, thousands as k above 10,000."""
    if value >= 10_000:
        return f"{value / 1000:.1f}k".replace(".0k", "k")
    if value >= 200 or value == int(value):
        return f"{value:.0f}"
    return (
        f"{value:.2f}".rstrip("0").rstrip(".")
        if value < 20
        else f"{value:.1f}".rstrip("0").rstrip(".")
    )


def level(price: float, factor: float) -> str:
    """Return a round level near price x factor."""
    raw = price * factor
    step = 10 ** math.floor(math.log10(price)) / 20
    step = step if price / 10 ** math.floor(math.log10(price)) < 5 else 2 * step
    return plain(round(round(raw / step) * step, 2))


def expiries(day: date) -> list[str]:
    """Return names of option expiries after `day`, nearest first."""
    friday = day + timedelta(days=(4 - day.weekday()) % 7 or 7)
    nearest = friday if is_session(friday) else friday - timedelta(days=1)
    names = [
        "this week" if day.weekday() < 4 else "next week",
        f"{_MONTHS[nearest.month - 1]} {nearest.day}",
    ]
    for weeks in (1, 2, 3, 5, 8):
        later = friday + timedelta(weeks=weeks)
        names.append(f"{_MONTHS[later.month - 1]} {later.day}")
    return [*names, "June", "July", "September"]


class Figures(Mapping[str, str]):
    """Slots of one post. Each is drawn once, so that a level named twice is the same level."""

    def __init__(self, rng: Random, company: Company, at: datetime, tape: Tape, fear: Tape) -> None:
        self.rng, self.company, self.tape, self.fear = rng, company, tape, fear
        self.moment = tape.at(at)
        self.drawn: dict[str, str] = {}
        self.size = rng.choices((4, 5, 6, 7, 8), (38, 26, 18, 10, 8))[0]  # cashtags of a list

    def __getitem__(self, name: str) -> str:
        if name not in self.drawn:
            self.drawn[name] = self._draw(name)
        return self.drawn[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.drawn)

    def __len__(self) -> int:
        return len(self.drawn)

    def crowd(self, n: int, near: bool = False) -> list[str]:
        """Return n cashtags, the post's own among them; `near` ones are mostly its rivals."""
        names = {self.company.ticker: None}
        while len(names) < n:
            if near and self.rng.random() < 0.6:
                names[self.rng.choice((*self.company.rivals, "SPY", "QQQ"))] = None
            else:
                names[self.rng.choices(_CROWD_NAMES, _CROWD_WEIGHTS)[0]] = None
        tags = [f"${name}" for name in names]
        if self.rng.random() < 0.55:
            self.rng.shuffle(tags)
        return tags

    def _draw(self, name: str) -> str:
        rng, price = self.rng, self.moment.price
        match name:
            case "T":
                return f"${self.company.ticker}"
            case "N":
                return self.company.name
            case "P":
                return plain(price) if rng.random() < 0.4 or price > 10_000 else f"{price:.2f}"
            case "UP" | "K":
                return level(price, rng.uniform(1.012, 1.04))
            case "UP2":
                return level(price, rng.uniform(1.06, 1.22))
            case "DN" | "KP":
                return level(price, rng.uniform(0.96, 0.988))
            case "DN2" | "LO":
                return level(price, rng.uniform(0.82, 0.94))
            case "K0":
                return level(price, 1.0)
            case "LO52":
                return plain(round(self.tape.lows, 2))
            case "HI52":
                return plain(round(max(self.tape.highs, price * 1.02), 2))
            case "COST":
                return plain(round(price * rng.uniform(0.62, 1.2), 2 if price < 20 else 0))
            case "PCT":
                return f"{abs(self.moment.move) * 100:.{rng.choice((0, 1, 1, 2))}f}"
            case "PCTS":
                return f"{self.moment.move * 100:+.2f}"
            case "ATR":
                return plain(round(price * rng.uniform(0.018, 0.035), 2))
            case "PREM":
                return f"{price * rng.uniform(0.006, 0.02):.2f}"
            case "PREM2":
                return f"{price * rng.uniform(0.022, 0.06):.2f}"
            case "EXP":
                names = expiries(self.moment.at.date())
                return rng.choices(names, range(len(names) + 2, 2, -1))[0]
            case "PROD":
                return rng.choice(self.company.products)
            case "METRIC":
                return rng.choice(self.company.metrics)
            case "THEME":
                return rng.choice(self.company.themes)
            case "R":
                return f"${rng.choice(self.company.rivals)}"
            case "BROKER":
                return rng.choice(BROKERS)
            case "VIX":
                return plain(self.fear.at(self.moment.at).price)
            case "LINK":
                letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
                return "https://t.example/" + "".join(rng.choices(letters, k=7))
            case "CODE":
                return rng.choice(("ALPHA", "BULL", "EARLY", "RUNNER", "GREEN")) + str(
                    rng.randrange(10, 60)
                )
            case "L" | "L1" | "L2":
                return self._lists(name)
            case _:
                return self._number(name)

    def _lists(self, name: str) -> str:
        rng = self.rng
        tags = self.crowd(self.size)
        glue = rng.choices((" ", ", ", " | ", "\n", " / "), (60, 18, 6, 9, 7))[0]
        half = len(tags) // 2
        self.drawn.update(L=glue.join(tags), L1=" ".join(tags[:half]), L2=" ".join(tags[half:]))
        return self.drawn[name]

    def _number(self, name: str) -> str:
        rng = self.rng
        coin = self.company.kind == "coin"
        draws = {
            "X": lambda: f"{rng.uniform(1.2, 3.9):.1f}",
            "SH": lambda: f"{rng.uniform(0.01, 2):.2f}" if coin else str(rng.choice((3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 400))),
            "SH2": lambda: str(rng.randrange(3, 19)),
            "GAIN": lambda: str(rng.choice((12, 18, 22, 27, 35, 41, 48, 56, 64, 73, 85, 96, 110, 130, 145, 180, 210))),
            "LOSS": lambda: str(rng.randrange(4, 48)),
            "CT": lambda: f"{rng.randrange(6, 190) * 100 + rng.randrange(100):,}",
            "CT2": lambda: str(rng.randrange(60, 980)),
            "Z": lambda: f"{rng.uniform(1.1, 2.9):.1f}",
            "HIT": lambda: str(rng.randrange(31, 72)),
            "HIT2": lambda: str(rng.randrange(33, 80)),
            "SI": lambda: f"{rng.uniform(1, 9):.1f}",
            "DTC": lambda: f"{rng.uniform(0.8, 6):.1f}",
            "BETA": lambda: f"{self.company.beta + rng.uniform(-0.15, 0.15):.2f}",
            "PE": lambda: str(rng.randrange(12, 64)),
            "PC": lambda: f"{rng.uniform(0.45, 1.4):.2f}",
            "PCTM": lambda: f"{rng.uniform(1.4, 8.8):.1f}",
            "VOLM": lambda: plain(round(self.company.volume * rng.uniform(0.6, 1.6) / 1e6, 1)),
            "DAYS": lambda: str(rng.randrange(3, 60)),
        }  # fmt: skip
        return draws[name]()
