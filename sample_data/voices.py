"""Who posts: some four thousand invented accounts in personas, a few of which post very often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from random import Random

from companies import BY_TICKER, TWEETED
from days import FIRST_RUN, LAST_RUN
from names import display_name, handle

TWITTER_EPOCH_MS = 1288834974657
SNOWFLAKE_SINCE = datetime(2015, 12, 1, tzinfo=UTC)  # ids of accounts before it are counted
YOUNG_DAYS = 24  # how long a throw-away account lives
FAVOURITE = 7.0  # how much more often an account posts about its favourites


@dataclass(frozen=True)
class Persona:
    """A kind of poster. `share` of all posts; `tail` is Zipf's exponent of its accounts' activity."""

    name: str
    share: float
    accounts: int
    tail: float
    followers: tuple[float, float]  # log-normal: median, sigma
    verified: float
    emoji: float
    typos: float
    styles: dict[str, float]
    bias: float = 0.0  # added to the mood
    young: float = 0.0  # share of throw-away accounts


PERSONAS = (
    Persona("retail", 0.225, 1500, 0.60, (190, 1.3), 0.06, 0.28, 0.10,
            {"retail": 40, "position": 18, "pithy": 16, "meme": 10, "thesis": 9, "question": 12, "chart": 5}, 0.04, 0.03),
    Persona("trader", 0.165, 420, 0.66, (2_600, 1.5), 0.22, 0.10, 0.04,
            {"chart": 45, "options": 16, "position": 20, "pithy": 14, "data": 6}),
    Persona("investor", 0.075, 330, 0.6, (900, 1.4), 0.18, 0.05, 0.02,
            {"thesis": 60, "position": 14, "question": 12, "news": 8, "retail": 8}, 0.03),
    Persona("options", 0.065, 170, 0.66, (3_800, 1.5), 0.28, 0.08, 0.03,
            {"options": 78, "chart": 10, "position": 8, "pithy": 4}),
    Persona("quant", 0.035, 70, 0.8, (1_500, 1.3), 0.25, 0.01, 0.01, {"quant": 60, "data": 40}),
    Persona("newbie", 0.035, 420, 0.5, (40, 1.2), 0.01, 0.18, 0.16,
            {"newbie": 55, "question": 20, "retail": 30}, 0.02, 0.30),
    Persona("meme", 0.070, 380, 0.6, (260, 1.6), 0.05, 0.62, 0.10, {"meme": 70, "retail": 18, "pithy": 14}, 0.08, 0.03),
    Persona("permabull", 0.035, 80, 0.8, (700, 1.5), 0.15, 0.40, 0.05, {"retail": 50, "thesis": 25, "meme": 25}, 0.55),
    Persona("permabear", 0.030, 60, 0.8, (800, 1.5), 0.15, 0.16, 0.04, {"retail": 35, "thesis": 40, "chart": 25}, -0.60),
    Persona("newsbot", 0.055, 16, 0.6, (14_000, 1.1), 0.40, 0.0, 0.0, {"newsbot": 60, "news": 40}),
    Persona("lister", 0.110, 190, 0.7, (4_200, 1.6), 0.20, 0.14, 0.02, {"lists": 100}),
    Persona("stuffer", 0.055, 14, 0.6, (1_100, 1.0), 0.02, 0.10, 0.0, {"stuff": 100}),
    Persona("promo", 0.045, 70, 0.3, (130, 1.3), 0.04, 0.30, 0.02, {"promo": 100}, 0.0, 0.75),
    Persona("foreign", 0.062, 260, 0.75, (420, 1.5), 0.06, 0.10, 0.0, {"foreign": 100}),
    Persona("influencer", 0.040, 60, 0.7, (230_000, 1.0), 0.92, 0.12, 0.0,
            {"thesis": 34, "chart": 26, "pithy": 18, "question": 10, "position": 12}),
)  # fmt: skip
OFFICIAL_FOLLOWERS = {
    "nvidia": 2_400_000,
    "teslarati": 420_000,
    "Apple": 9_600_000,
    "Meta": 14_000_000,
    "Google": 34_000_000,
}
LANGUAGES = {"es": 30, "pt": 16, "de": 18, "ja": 22, "fr": 14}


@dataclass(frozen=True)
class Account:
    """One poster, as a search result describes it."""

    persona: str
    id: int
    username: str
    displayname: str
    created: datetime
    followers: int
    friends: int
    statuses: int
    verified: bool
    lang: str
    favourites: tuple[str, ...]
    last_day: date  # a throw-away account posts until then


def _moment(rng: Random, first: datetime, last: datetime) -> datetime:
    return first + timedelta(seconds=rng.randrange(int((last - first).total_seconds())))


def _user_id(rng: Random, created: datetime) -> int:
    if created < SNOWFLAKE_SINCE:
        return rng.randrange(12_000_000, 4_200_000_000)
    milliseconds = int(created.timestamp()) * 1000 + rng.randrange(1000)
    return ((milliseconds - TWITTER_EPOCH_MS) << 22) | rng.getrandbits(22)


def _account(rng: Random, persona: Persona, taken: set[str]) -> Account:
    screen = handle(rng, taken, bot=persona.name in ("newsbot", "stuffer"))
    young = rng.random() < persona.young
    first = datetime(FIRST_RUN.year, FIRST_RUN.month, FIRST_RUN.day, tzinfo=UTC)
    last = datetime(LAST_RUN.year, LAST_RUN.month, LAST_RUN.day, tzinfo=UTC)
    if young:
        created = _moment(rng, first - timedelta(days=16), last - timedelta(days=2))
    else:
        created = _moment(rng, datetime(2008, 6, 1, tzinfo=UTC), datetime(2025, 9, 1, tzinfo=UTC))
    median, sigma = persona.followers
    followers = int(median * (0.1 if young else 1.0) * rng.lognormvariate(0, sigma))
    days = max(3, (last - created).days)
    return Account(
        persona=persona.name,
        id=_user_id(rng, created),
        username=screen,
        displayname=display_name(rng, screen, persona.name),
        created=created,
        followers=followers,
        friends=int(rng.lognormvariate(5.4, 1.0)),
        statuses=int(days * rng.lognormvariate(0.6, 1.0)) + 1,
        verified=rng.random() < persona.verified,
        lang=rng.choices(list(LANGUAGES), list(LANGUAGES.values()))[0] if persona.name == "foreign" else "en",
        favourites=tuple(rng.sample(TWEETED, rng.choice((1, 1, 2, 3)))),
        last_day=(created + timedelta(days=YOUNG_DAYS)).date() if young else LAST_RUN + timedelta(days=9),
    )  # fmt: skip


class Voices:
    """All accounts, and the choice of one for a post."""

    def __init__(self) -> None:
        rng = Random("cashtag sample: voices")
        taken: set[str] = set()
        self.personas = {persona.name: persona for persona in PERSONAS}
        self.accounts = {
            p.name: [_account(rng, p, taken) for _ in range(p.accounts)] for p in PERSONAS
        }
        self.official = {
            ticker: self._official(rng, BY_TICKER[ticker].official or "")
            for ticker in TWEETED
            if BY_TICKER[ticker].official
        }
        self.names = list(self.personas)
        self.shares = [p.share for p in PERSONAS]
        self.weights: dict[tuple[str, str], list[float]] = {}
        for p in PERSONAS:
            activity = [1 / (n + 1) ** p.tail for n in range(p.accounts)]
            for ticker in TWEETED:
                self.weights[p.name, ticker] = list(
                    accumulate(
                        w * (FAVOURITE if ticker in a.favourites else 1.0)
                        for w, a in zip(activity, self.accounts[p.name], strict=True)
                    )
                )

    def _official(self, rng: Random, screen: str) -> Account:
        created = datetime(2009, 3, 1, 9, 30, tzinfo=UTC)
        return Account(
            "official", _user_id(rng, created), screen, f"{screen} (synthetic)", created,
            OFFICIAL_FOLLOWERS[screen], 150, 21_000, True, "en", (), LAST_RUN + timedelta(days=9),
        )  # fmt: skip

    def persona(self, rng: Random) -> Persona:
        """Return the kind of the next poster."""
        return self.personas[rng.choices(self.names, self.shares)[0]]

    def account(self, rng: Random, persona: str, ticker: str, at: datetime) -> Account:
        """Return a poster of a persona that exists at `at`."""
        crowd, weights = self.accounts[persona], self.weights[persona, ticker]
        while True:
            account = rng.choices(crowd, cum_weights=weights)[0]
            if account.created < at and at.date() <= account.last_day:
                return account
