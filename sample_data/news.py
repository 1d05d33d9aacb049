"""Invented headlines: two to four a day, some naming a company by cashtag, name or keyword."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import Any

from companies import BY_TICKER, TWEETED, Company
from days import FIRST_RUN, LAST_RUN, RUNS, cutoff, is_session
from events import EVENTS, MARKET_DAYS, Event
from figures import Figures, Tape
from grammar import blocks, expand
from market import Bar

FEEDS = ("Synthetic Wire", "Synthetic Markets Daily", "Synthetic Filings")
FILLERS = {
    "DRIFTED": (
        "rise",
        "slip",
        "are little changed",
        "drift",
        "edge higher",
        "edge lower",
        "pause",
    ),
    "DRIFTS": ("rises", "slips", "is little changed", "drifts", "edges higher", "edges lower"),
    "BUSY": ("quiet", "busy", "thin", "choppy", "average"),
    "GOODBAD": ("strong", "mixed", "soft", "steady", "healthy"),
    "ABOVE": ("above", "below", "in line with"),
    "SHIFT": ("raise", "trim", "keep"),
}
PHRASES = blocks("news")
ABOUT = dict(phrase.split(": ", 1) for phrase in PHRASES["event"])


def _item(rng: Random, at: datetime, phrase: str, figures: Figures) -> dict[str, Any]:
    """Return one feed entry. `published` is ISO, UTC; the link leads nowhere (reserved domain)."""
    figures.drawn.update({name: rng.choice(words) for name, words in FILLERS.items()})
    title, summary = expand(rng, phrase, figures).split(" | ")
    feed = rng.choices(FEEDS, (5, 4, 1))[0]
    digest = sha256(f"{at.isoformat()} {title}".encode()).hexdigest()[:16]
    return {
        "id": f"synthetic-{digest}",
        "published": at.isoformat(),
        "title": title[:1].upper() + title[1:],
        "summary": summary[:1].upper() + summary[1:],
        "link": f"https://news.example/{at:%Y/%m/%d}/{digest}",
        "feed": feed,
    }


def _company_figures(
    rng: Random, company: Company, tape: Tape, at: datetime, facts: dict[str, str], fear: Tape
) -> Figures:
    figures = Figures(rng, company, at, tape, fear)
    figures.drawn.update({k: v for k, v in facts.items() if "TARGET" not in k})
    if rng.random() < 0.25:  # by cashtag instead of by name
        figures.drawn["N"] = f"{company.name} (${company.ticker})"
    return figures


def make_news(bars: dict[str, list[Bar]]) -> list[dict[str, Any]]:
    """Return all items, ascending in time of publication, none outside the sample's runs."""
    rng = Random("cashtag sample: news")
    tapes, fear = {ticker: Tape(bars[ticker]) for ticker in TWEETED}, Tape(bars["^VIX"])
    items = []
    for story in sorted([*EVENTS, *MARKET_DAYS], key=lambda s: (s.start, s.kind)):
        ticker = story.ticker if isinstance(story, Event) else "SPY"
        facts = story.facts if isinstance(story, Event) else {}
        at = story.start + timedelta(seconds=rng.randrange(40, 1500))
        figures = _company_figures(rng, BY_TICKER[ticker], tapes[ticker], at, facts, fear)
        items.append(_item(rng, at, ABOUT[story.kind], figures))
    for dt in RUNS:
        quiet = not is_session(dt - timedelta(days=1))
        for _ in range(rng.choice((1, 2, 2) if quiet else (2, 2, 3))):
            at = cutoff(dt) - timedelta(seconds=rng.randrange(1, 86_000))
            ticker = rng.choice([t for t in TWEETED if BY_TICKER[t].kind == "company"])
            block = "company" if rng.random() < 0.55 else "generic"
            figures = _company_figures(rng, BY_TICKER[ticker], tapes[ticker], at, {}, fear)
            items.append(_item(rng, at, rng.choice(PHRASES[block]), figures))
    first, last = cutoff(FIRST_RUN) - timedelta(days=1), cutoff(LAST_RUN)
    unique = {item["id"]: item for item in items}
    kept = [i for i in unique.values() if first <= datetime.fromisoformat(i["published"]) < last]
    return sorted(kept, key=lambda item: (item["published"], item["id"]))
