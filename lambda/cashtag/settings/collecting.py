"""Settings of what is collected and how a raw object becomes rows: scrape, tickers, enrich."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from cashtag.settings.base import (
    Count,
    CountOrNone,
    NonNegative,
    Positive,
    Section,
    Share,
    Ticker,
)


class Trending(Section):
    """Where trending tickers come from."""

    url: Annotated[str, Field(pattern=r"^https://")]
    top: Annotated[int, Field(ge=1, le=200)]
    minimum: Count
    chain: Annotated[
        list[Literal["finder", "apewisdom", "stocktwits", "alpaca", "yesterday"]],
        Field(min_length=1),
    ]


class Coverage(Section):
    """When a day counts as partial."""

    partial_below: Share
    median_weeks: Annotated[int, Field(ge=1, le=52)]
    minimum_history: Count


class Discovery(Section):
    """Ticker discovery by a language model."""

    enabled: bool
    model_id: str
    ask_for: Annotated[int, Field(ge=1, le=100)]
    keep: Annotated[int, Field(ge=0, le=100)]
    minimum_confidence: Share
    volume_surge: Positive
    cluster_size: Count
    clusters: CountOrNone
    headlines: Count
    mentions: CountOrNone
    term_letters: Count
    common_term_share: Share
    text_characters: Annotated[int, Field(ge=20, le=2000)]
    fallback: list[Ticker]


class Scrape(Section):
    """What a run asks its sources for."""

    # Before 13:30 UTC, the earliest opening bell: a later cutoff would let a session read posts
    # written after its own open.
    cutoff_utc: Annotated[str, Field(pattern=r"^(0\d|1[0-3]):[0-5]\d$")]
    schedule: str
    resume_after_minutes: Count
    deadline_minutes: Count
    tweets_per_ticker: Annotated[int, Field(ge=1, le=5000)]
    product: Literal["Top", "Latest"]
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    lookback_hours: Annotated[int, Field(ge=1, le=168)]
    tweets_per_page: Count
    first_pages: Count
    searches_per_account: Count
    search_window_minutes: Count
    accounts: Count
    watchlist_keyword_searches: CountOrNone
    min_likes_flag: CountOrNone
    always_bars: list[Ticker]
    bars_per_run: Annotated[int, Field(ge=60, le=2000)]
    trending: Trending
    coverage: Coverage
    discovery: Discovery

    @field_validator("cutoff_utc")
    @classmethod
    def _before_every_open(cls, value: str) -> str:
        if value >= "13:30":
            raise ValueError("must be before 13:30, the earliest opening bell in UTC")
        return value


class Tickers(Section):
    """Aliases, and what can never be traded."""

    aliases: dict[Ticker, Ticker]
    not_tradable: dict[Ticker, str]
    etfs: list[Ticker]
    common_words: list[Ticker]


class Influence(Section):
    """How much an author weighs."""

    base: Share
    followers: list[tuple[Count, Share]]
    verified: Share
    key_influencer: Share
    cap: Share
    multiplier: Annotated[float, Field(gt=0.0, le=100.0)]


class Engagement(Section):
    """How much a tweet's echo weighs."""

    log_divisor: Positive
    scraped_within_hours: NonNegative


class Authenticity(Section):
    """Row-local signs of manipulation."""

    stuffing_cashtags: Annotated[int, Field(ge=2, le=100)]
    stuffing_factor: Share
    half_stuffing_factor: Share
    young_account_days: CountOrNone
    young_account_factor: Share
    promo_factor: Share
    promo_phrases: list[Annotated[str, Field(min_length=2)]]


class Ensemble(Section):
    """How the answers of several models become one."""

    models: Annotated[list[str], Field(min_length=1)]
    weights: dict[str, Share]
    other_weight: Share
    positive_above: Share
    negative_below: Annotated[float, Field(ge=-1.0, le=0.0)]
    versions: dict[str, str]
    rest_seconds: NonNegative

    @field_validator("models")
    @classmethod
    def _each_once(cls, models: list[str]) -> list[str]:
        if len(set(models)) < len(models):
            raise ValueError("a model is named twice; name each once")
        return models


class OptionQuotes(Section):
    """Which implied volatilities are none: up to the placeholder, and above the highest."""

    placeholder_iv: NonNegative
    highest_iv: Positive


class Enrich(Section):
    """How a raw object becomes rows."""

    model: str
    batch_size: Annotated[int, Field(ge=1, le=512)]
    batch_limit: Annotated[int, Field(ge=1, le=512)]
    max_tokens: Annotated[int, Field(ge=8, le=512)]
    score_deadline_seconds: Annotated[int, Field(ge=1, le=3600)]
    influence: Influence
    engagement: Engagement
    authenticity: Authenticity
    ensemble: Ensemble
    options: OptionQuotes
