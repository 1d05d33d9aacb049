"""Settings of the live sources: where they are, how long to wait, whose credentials.

Nothing here changes what a derived row means, so none of it is part of `config_hash`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from cashtag.settings.base import Count, CountOrNone, NonNegative, Positive, Section, Share

Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


class X(Section):
    """X through twscrape."""

    accounts_secret: str
    backend: Literal["httpx", "curl"]
    canary: Annotated[str, Field(min_length=1)]
    attempts: Count
    rest_seconds: NonNegative
    empty_pages: Count
    handover_share: Annotated[float, Field(gt=0.0, le=0.5)]


class Alpaca(Section):
    """Alpaca's market data."""

    credentials_secret: str
    data_url: Url
    trading_url: Url
    feed: Literal["iex", "sip", "delayed_sip"]
    options_feed: Literal["indicative", "opra"]
    attempts: Count
    pause_seconds: NonNegative
    most_pages: Count


class TrendingSites(Section):
    """Sites of trending tickers besides Finder's page, which is `scrape.trending.url`."""

    apewisdom_url: Url
    stocktwits_url: Url
    yesterday_days: Annotated[int, Field(ge=1, le=60)]
    max_tags: Annotated[int, Field(ge=1000, le=2_000_000)]


class Prices(Section):
    """Daily bars."""

    chain: Annotated[list[Literal["alpaca", "yahoo"]], Field(min_length=1)]
    feed: Literal["iex", "sip"]
    stale_sessions: CountOrNone
    most_gaps: Share
    split_from: Annotated[float, Field(gt=1.0, le=2.0)]
    symbols_per_request: Annotated[int, Field(ge=1, le=1000)]
    yahoo_threads: Annotated[int, Field(ge=1, le=32)]
    give_up_after: Count
    cookie_share: Annotated[float, Field(gt=0.0, le=1.0)]
    time_share: Annotated[float, Field(gt=0.0, le=1.0)]
    named_tickers: Count
    backfill_days: Count


# What a run's health tells of beside the feeds: one of them by such a name would pass for it.
_OTHER_SOURCES = frozenset(
    {"x", "trending", "finder", "apewisdom", "stocktwits", "yesterday", "alpaca", "yahoo"}
    | {"news", "prices", "options", "assets", "discovery"}
)


class Feed(Section):
    """One RSS or Atom feed."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
    url: Url


class News(Section):
    """News feeds."""

    feeds: list[Feed]
    sec_requests_per_second: Annotated[float, Field(gt=0.0, le=10.0)]
    sec_pages: Count
    remember_days: CountOrNone
    parse_seconds: Positive
    parse_megabytes: Annotated[int, Field(ge=64, le=4096)]
    sponsored: list[str]

    @field_validator("feeds")
    @classmethod
    def _names_differ(cls, feeds: list[Feed]) -> list[Feed]:
        names = [feed.name for feed in feeds]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"several feeds are called {', '.join(twice)}; name each one apart")
        taken = sorted(_OTHER_SOURCES.intersection(names))
        if taken:
            raise ValueError(
                f"{', '.join(taken)} names another source of a run; name the feed apart"
            )
        return feeds


class Options(Section):
    """Daily snapshots of option chains."""

    enabled: bool
    days: Count
    strikes: Share
    threads: Annotated[int, Field(ge=1, le=16)]


class DiscoveryCall(Section):
    """The call behind ticker discovery."""

    seconds: Positive
    attempts: Annotated[int, Field(ge=1, le=10)]
    answers_per_run: Count
    max_tokens: Count
    dollars_per_1000_input_tokens: NonNegative
    dollars_per_1000_output_tokens: NonNegative


class Check(Section):
    """Asking the sources whether they work."""

    seconds: Positive
    error_days: Count
    clock_skew_seconds: Positive


class Schedule(Section):
    """The timer of a laptop."""

    retries: Annotated[int, Field(ge=0, le=10)]
    limit_minutes: Positive
    log_bytes: Annotated[int, Field(ge=1000)]
    logs: Annotated[int, Field(ge=1, le=100)]
    tail_lines: CountOrNone


class Live(Section):
    """How the live sources are reached."""

    secrets_file: str
    step_seconds: Annotated[int, Field(ge=10, le=3600)]
    request_seconds: Positive
    max_bytes: Annotated[int, Field(ge=10_000, le=100_000_000)]
    contact: str
    catch_up_days: CountOrNone
    x: X
    alpaca: Alpaca
    trending: TrendingSites
    prices: Prices
    news: News
    options: Options
    discovery: DiscoveryCall
    check: Check
    schedule: Schedule
