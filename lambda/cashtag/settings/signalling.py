"""Settings of the signal models: weights, changes, features, trend, regime, ranking."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cashtag.settings.base import (
    Count,
    Hours,
    NonNegative,
    PerEnvironment,
    Positive,
    Section,
    Share,
)


class Features(Section):
    """Windows and bounds of the price features, in sessions unless said."""

    anomaly_percent: Positive
    sma_short: Annotated[int, Field(ge=2, le=50)]
    sma_long: Annotated[int, Field(ge=3, le=200)]
    sma_slow: Annotated[int, Field(ge=3, le=250)]
    volume_sessions: Annotated[int, Field(ge=2, le=250)]
    trend_closes: Annotated[int, Field(ge=1, le=20)]
    trend_slope_sessions: Annotated[int, Field(ge=1, le=20)]
    trend_needs_slope: bool
    breakout: Share
    atr_sessions: Annotated[int, Field(ge=2, le=100)]
    volatility_sessions: Annotated[int, Field(ge=5, le=250)]
    trading_days: Annotated[int, Field(ge=200, le=366)]


class Trend(Section):
    """The trend signal's conditions and confidence."""

    volume_ratio: Positive
    atr_scale: Positive
    weight_distance: Share
    weight_event: Share
    weight_volume: Share
    weight_regime: Share
    sentiment_bonus: Annotated[float, Field(ge=1.0, le=3.0)]
    volume_bonus: Annotated[float, Field(ge=1.0, le=3.0)]
    volume_bonus_ratio: Positive
    fire_above: Share


class Ranking(Section):
    """Weights of the watchlist score."""

    setup: Share
    volume: Share
    sentiment: Share
    return5: Share


class Regime(Section):
    """How calm or wild the market is, and how much of a position that allows."""

    source: Literal["SPY", "VIX"]
    history: Annotated[int, Field(ge=20, le=2000)]
    minimum: Annotated[int, Field(ge=2, le=2000)]
    bounds: Annotated[list[NonNegative], Field(min_length=4, max_length=4)]
    multipliers: Annotated[list[Share], Field(min_length=5, max_length=5)]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.bounds != sorted(self.bounds):
            raise ValueError("bounds must ascend")
        return self


class Checks(Section):
    """Bounds of the checks that warn."""

    max_share_one_label: Share
    min_labelled_tweets: Count
    max_share_foreign: Share
    drift_sessions: Annotated[int, Field(ge=2, le=250)]
    drift_sigmas: Positive
    drift_share: Share
    drift_confidence: Share


class Signals(Section):
    """From tweets and bars to a direction."""

    min_tweets: PerEnvironment[NonNegative]
    change_threshold: PerEnvironment[Annotated[float, Field(ge=0.0, le=2.0)]]
    change_sigmas: NonNegative
    sentiment_rule: Literal["change", "confidence"]
    confidence_threshold: PerEnvironment[Share]
    half_life_hours: Hours
    shrinkage: NonNegative
    variance_shrinkage: NonNegative
    reference_floor: Share
    z_sessions: Annotated[int, Field(ge=2, le=250)]
    z_minimum: Annotated[int, Field(ge=2, le=250)]
    repeat_factor: Share
    author_share: Share
    author_share_min_tweets: Count
    liquidity_ratio: Annotated[float, Field(gt=1.0)]
    liquidity_factor: Share
    top_tweets: Annotated[int, Field(ge=1, le=100)]
    stock_rule: Literal["sentiment", "trend"]
    option_rule: Literal["sentiment", "trend"]
    fresh_hours: Hours
    features: Features
    trend: Trend
    ranking: Ranking
    regime: Regime
    checks: Checks
