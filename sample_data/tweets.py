"""Posts about one symbol over the whole sample, as the search client returns them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from companies import BY_TICKER, Company
from days import (
    BROKEN_DAY,
    FEW_DAY,
    FEW_SHARE,
    FIRST_RUN,
    LAST_RUN,
    REFUSED,
    cutoff,
    days_between,
    from_new_york,
    is_session,
    run_of,
)
from figures import Figures, Tape
from hostile import HOSTILE
from market import Bar
from mood import Crowd
from posts import official, with_facts, write
from tweet_json import Post, tweet
from voices import Account, Voices

WEEKDAYS = (0.97, 1.06, 1.08, 1.03, 0.92)  # Monday to Friday
WEEKEND, HOLIDAY = 0.6, 0.8
BEFORE_OPEN, AFTER_CLOSE = 0.300, 0.290  # of a weekday's posts
ECHO = 1.15  # further posts per post while a story is hot
COPIES = {"promo": 0.8, "stuffer": 0.75, "newsbot": 0.75, "lister": 0.25, "foreign": 0.05}
USUAL_COPIES = 0.155
COPIED_BY = {name: (name,) for name in ("promo", "stuffer", "newsbot", "lister", "foreign")}
OFFICIAL_EVERY = 9.0  # days between posts of a watchlist account


def _poisson(rng: Random, mean: float) -> int:
    """Return a Poisson draw (Knuth's product of uniforms)."""
    n, product, limit = 0, rng.random(), math.exp(-mean)
    while product > limit:
        n, product = n + 1, product * rng.random()
    return n


def _minutes(rng: Random, day: date) -> float:
    """Return minutes after midnight in New York at which somebody posts."""
    if not is_session(day):
        return rng.triangular(390, 1439.9, 960)
    draw = rng.random()
    if draw < BEFORE_OPEN:
        return rng.triangular(0, 570, 545) if rng.random() < 0.3 else rng.triangular(300, 570, 520)
    if draw < 1 - AFTER_CLOSE:
        early = rng.random() < 0.55
        return rng.triangular(570, 960, 590) if early else rng.triangular(570, 960, 945)
    return rng.triangular(960, 1439.9, 975)


def _moments(rng: Random, company: Company, crowd: Crowd, tape: Tape) -> list[datetime]:
    """Return when people post about a symbol, UTC, whole seconds, ascending."""
    first, last = cutoff(FIRST_RUN) - timedelta(days=1), cutoff(LAST_RUN)
    moments = []
    for day in days_between(FIRST_RUN - timedelta(days=2), LAST_RUN):
        usual = WEEKDAYS[day.weekday()] if day.weekday() < 5 else WEEKEND
        usual = usual if is_session(day) or day.weekday() > 4 else HOLIDAY
        mean = company.tweets * usual * math.exp(rng.gauss(-0.02, 0.2))
        for _ in range(_poisson(rng, mean)):
            at = from_new_york(day, _minutes(rng, day))
            moments.append(at)
            echoes = _poisson(rng, ECHO * crowd.at(tape.at(at)).heat)
            moments += [at + timedelta(minutes=rng.expovariate(1 / 35)) for _ in range(echoes)]
    moments = [at.replace(microsecond=0) for at in moments]
    # The second before a cutoff is the run's last; the cutoff itself belongs to the next run.
    for n in range(2):
        dt = FIRST_RUN + timedelta(days=rng.randrange(3, (LAST_RUN - FIRST_RUN).days - 3))
        moments += [cutoff(dt) - timedelta(seconds=1), cutoff(dt)][n:]
    return sorted(at for at in moments if first <= at < last)


def _kept(rng: Random, ticker: str, moments: list[datetime]) -> list[datetime]:
    """Return the moments without those that a refused or poor search did not bring."""
    kept = []
    for at in moments:
        dt = run_of(at)
        refused = dt == BROKEN_DAY and ticker in REFUSED
        missed = dt == FEW_DAY and rng.random() >= FEW_SHARE
        if not refused and not missed:
            kept.append(at)
    return kept


class Stream:
    """Writes the posts of one symbol in the order of time."""

    def __init__(self, ticker: str, bars: list[Bar], fear: Tape, voices: Voices) -> None:
        self.company = BY_TICKER[ticker]
        self.rng = Random(f"cashtag sample: tweets of {ticker}")
        self.tape, self.crowd, self.fear, self.voices = Tape(bars), Crowd(ticker), fear, voices
        self.seen: set[str] = set()
        self.day: list[Post] = []  # posts of the run at hand, to be copied and answered
        self.dt = FIRST_RUN
        self.hostile = {at: text for symbol, at, text in HOSTILE if symbol == ticker}

    def posts(self) -> Iterator[Post]:
        """Yield the symbol's posts, ascending in time."""
        rng = self.rng
        moments = _kept(
            rng, self.company.ticker, _moments(rng, self.company, self.crowd, self.tape)
        )
        notices = self._notices()
        for at in sorted([*moments, *notices, *self.hostile]):
            if run_of(at) != self.dt:
                self.dt, self.day = run_of(at), []
            post = self._notice(at) if at in notices else self._post(at)
            self.day.append(post)
            yield post

    def _notices(self) -> set[datetime]:
        """Return when the watchlist's own account posts."""
        if not self.company.official:
            return set()
        at, notices = cutoff(FIRST_RUN), set()
        while True:
            at += timedelta(days=self.rng.uniform(0.4, 1.6) * OFFICIAL_EVERY)
            at = at.replace(hour=15, minute=self.rng.randrange(60), second=0, microsecond=0)
            if at >= cutoff(LAST_RUN):
                return notices
            if run_of(at) != BROKEN_DAY:
                notices.add(at)

    def _figures(self, at: datetime) -> Figures:
        return Figures(self.rng, self.company, at, self.tape, self.fear)

    def _notice(self, at: datetime) -> Post:
        account = self.voices.official[self.company.ticker]
        text = official(self.rng, self.company, self._figures(at))
        return tweet(self.rng, at, account, text, self.company.ticker)

    def _post(self, at: datetime) -> Post:
        rng, ticker = self.rng, self.company.ticker
        persona = self.voices.persona(rng)
        if at in self.hostile:
            persona = self.voices.personas["retail"]
            account = self.voices.account(rng, "retail", ticker, at)
            return tweet(rng, at, account, self.hostile[at], ticker, escape=at.minute % 2 == 0)
        account = self.voices.account(rng, persona.name, ticker, at)
        if rng.random() < COPIES.get(persona.name, USUAL_COPIES):
            models = COPIED_BY.get(persona.name)
            others = [
                p
                for p in self.day
                if (p.persona in models if models else p.persona not in COPIED_BY)
                and p.data["user"]["username"] != account.username
            ]
            if others:
                return self._copy(at, account, rng.choice(others), models is None)
        mood = self.crowd.at(self.tape.at(at))
        for _ in range(12):
            figures = self._figures(at)
            with_facts(figures, mood, self.tape)
            text = write(rng, self.company, account, persona, mood, figures)
            key = " ".join(text.lower().split("https://")[0].split())
            if len(key) < 26:
                key = f"{self.dt} {key}"
            if key not in self.seen:
                break
        self.seen.add(key)
        if self.company.words and rng.random() < 0.035 and text.count("$") == 1:
            text = text.replace(f"${ticker}", rng.choice(self.company.words))
        return self._addressed(at, account, text)

    def _copy(self, at: datetime, account: Account, model: Post, human: bool) -> Post:
        """Return a repeat: a retweet, or the same words again under another name."""
        if human and self.rng.random() < 0.3:
            name = model.data["user"]["username"]
            text = f"RT @{name}: {model.text}"
            return tweet(self.rng, at, account, text, self.company.ticker, retweeted=model.data)
        return tweet(self.rng, at, account, model.text, self.company.ticker)

    def _addressed(self, at: datetime, account: Account, text: str) -> Post:
        """Return the post as a plain one, an answer or a quotation."""
        rng, ticker = self.rng, self.company.ticker
        if self.day and account.persona not in COPIED_BY:
            draw, other = rng.random(), rng.choice(self.day)
            if draw < 0.085:
                text = f"@{other.data['user']['username']} {text}"
                return tweet(rng, at, account, text, ticker, answered=other.data)
            if draw < 0.14:
                return tweet(rng, at, account, text, ticker, quoted=other.data)
        return tweet(rng, at, account, text, ticker)


def make_tweets(ticker: str, bars: list[Bar], fear: Tape, voices: Voices) -> list[dict[str, Any]]:
    """Return the posts of one symbol, ascending in time, as the search client's JSON objects."""
    return [post.data for post in Stream(ticker, bars, fear, voices).posts()]
