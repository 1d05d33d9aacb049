"""The whole of the settings as one frozen value, and the questions asked of it."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from cashtag.settings.base import (
    Count,
    Dollars,
    Environment,
    PerEnvironment,
    Section,
    Share,
    Ticker,
)
from cashtag.settings.cloud import Aws
from cashtag.settings.collecting import Enrich, Scrape, Tickers
from cashtag.settings.live import Live
from cashtag.settings.scoring import Models
from cashtag.settings.signalling import Signals
from cashtag.settings.trading import Trade

T = TypeVar("T")

# What derived rows depend on: a change here makes new rows; a change of the desk does not.
HASHED = ("environment", "profile", "scrape", "tickers", "watchlist", "enrich", "signals")


class Stock(Section):
    """What is known of one stock, or the defaults of every other."""

    name: str
    sector: str
    sentiment_threshold: Share
    max_position: Dollars
    key_influencers: list[str]
    keywords: list[str]
    trading_enabled: bool


class Watchlist(Section):
    """Stocks followed always, and what holds for all others."""

    defaults: Stock
    stocks: dict[Ticker, Stock]

    @model_validator(mode="before")
    @classmethod
    def _fill_from_defaults(cls, value: object) -> object:
        # cashtag.toml may name a stock with one key; the rest comes from the defaults.
        if isinstance(value, dict) and isinstance(value.get("defaults"), dict):
            stocks = value.get("stocks", {})
            if isinstance(stocks, dict):
                return {
                    **value,
                    "stocks": {
                        ticker: {**value["defaults"], **entry} if isinstance(entry, dict) else entry
                        for ticker, entry in stocks.items()
                    },
                }
        return value


class AccountSettings(Section):
    """One trading account."""

    equity: Dollars
    strategy: Literal["swing", "day"]
    kind: Literal["STOCK", "OPTION"]
    simulated: bool


class Alerts(Section):
    """What is announced at once."""

    per_hour: Count
    crosses: bool
    trades: bool
    failures: bool


class Report(Section):
    """The dashboard."""

    sessions: Annotated[int, Field(ge=1, le=5000)]
    tweets_per_cell: Annotated[int, Field(ge=1, le=1000)]
    theme: Literal["auto", "light", "dark"]
    ranges: Annotated[list[Count], Field(min_length=1)]
    top_users: Count


class Research(Section):
    """What counts in the figures about the lake."""

    minimum_tweets: Count
    minimum_names: Annotated[int, Field(ge=3, le=1000)]
    reliability_bins: Annotated[int, Field(ge=2, le=100)]
    jackknife_days: Annotated[int, Field(ge=2, le=1000)]


class Settings(Section):
    """Every setting, validated. Attribute paths are those of `defaults.toml`."""

    environment: Environment
    profile: Literal["sound", "reference"]
    lake: Annotated[str, Field(min_length=1)]
    scrape: Scrape
    live: Live
    models: Models
    tickers: Tickers
    watchlist: Watchlist
    enrich: Enrich
    signals: Signals
    trade: Trade
    accounts: dict[str, AccountSettings]
    alerts: Alerts
    report: Report
    research: Research
    aws: Aws

    @model_validator(mode="after")
    def _accounts_exist(self) -> Self:
        for name in self.trade.accounts:
            if name not in self.accounts:
                raise ValueError(
                    f"trade.accounts names {name!r}, which is none of [accounts]: "
                    f"{', '.join(sorted(self.accounts))}"
                )
        return self

    def stock(self, ticker: str) -> Stock:
        """The watchlist's entry for `ticker`, or the defaults."""
        return self.watchlist.stocks.get(ticker, self.watchlist.defaults)

    def for_environment(self, values: PerEnvironment[T]) -> T:
        """This environment's value."""
        chosen: T = getattr(values, self.environment)
        return chosen

    @cached_property
    def _config_hash(self) -> str:
        return hashlib.sha256(self.config_text().encode()).hexdigest()[:12]

    def config_hash(self) -> str:
        """12 hex digits of sha256 over the sections that derived rows depend on."""
        return self._config_hash

    def config_text(self) -> str:
        """Those sections as canonical JSON: what `config/<hash>.json` holds."""
        whole = self.model_dump(mode="json", include=set(HASHED))
        return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
