"""Settings of the desk: modes, gates, sizing, exits, options, simulation, tiers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cashtag.settings.base import (
    ClockTime,
    Count,
    CountOrNone,
    Dollars,
    NonNegative,
    PerEnvironment,
    Positive,
    Section,
    Share,
)

Loss = Annotated[float, Field(ge=-1.0, le=0.0)]


class Entry(Section):
    """Limits of the entry gates."""

    max_positions: CountOrNone
    trades_per_stock_day: CountOrNone
    option_trades_per_stock_day: CountOrNone
    cooldown_minutes: CountOrNone
    daily_loss_dollars: Dollars
    daily_loss_share: Share
    options_exposure: Dollars
    correlation_sessions: Count
    correlation_above: Share
    correlation_cluster: Count
    sector_cap: Share
    day_trade_rule: Literal["broker", "legacy", "off"]
    short_selling: Literal[False]  # a sell needs a position: short selling is not built
    pause_after_losses: Count
    pause_sessions: CountOrNone
    drawdown_pause: Share
    drawdown_sessions: Count
    low_profit_pause: float
    low_profit_trades: Count


class Sizing(Section):
    """How much of a stock an entry takes."""

    rule: Literal["sound", "reference"]
    strength_floor: Share
    strength_cap: Share
    risk_per_trade: Share
    r_atr: Positive
    kelly_min_trades: Count
    kelly_fraction: Share
    reference_dollars: Dollars
    reference_share: Share
    reference_min_shares: CountOrNone


class Exits(Section):
    """When a position is closed."""

    stop_r: Annotated[float, Field(ge=-100.0, lt=0.0)]
    target_r: Positive
    trailing_keep: Share
    trailing_from_r: NonNegative
    trailing_from_gain: NonNegative
    swing_max_sessions: Count
    day_exit_minutes_before_close: CountOrNone
    option_stop: Loss
    option_partials: list[tuple[Positive, Share]]
    option_single_target: Positive
    option_close_dte: CountOrNone
    option_roll_dte: CountOrNone
    option_roll: bool
    underlying_move: Share
    day_loss_cuts: list[tuple[Count, Loss]]


class OptionQuality(Section):
    """Weights of an option contract's quality, together 100."""

    spread: NonNegative
    volume: NonNegative
    delta: NonNegative
    strike: NonNegative


class Options(Section):
    """Which contracts may be bought."""

    swing_dte: tuple[CountOrNone, Count]
    day_dte: tuple[CountOrNone, Count]
    otm: Share
    max_spread: Share
    min_volume: CountOrNone
    min_premium: Dollars
    quality: OptionQuality
    min_quality: Annotated[float, Field(ge=0.0, le=100.0)]
    iv_rank_days: Count
    iv_rank_minimum: Count
    iv_rank_above: Share
    max_delta: NonNegative
    max_vega: NonNegative


class Simulation(Section):
    """What a simulated fill costs."""

    slippage_bps: Annotated[float, Field(ge=0.0, le=1000.0)]
    option_half_spread: Annotated[float, Field(ge=0.0, le=2.0)]
    fee_per_order: Dollars
    fee_per_contract: Dollars
    max_volume_share: Share


class Tiers(Section):
    """Risk and contracts by size of account; `up_to` bounds all tiers but the last."""

    names: list[str]
    up_to: list[Positive]
    risk: list[Share]
    contracts: list[Count]
    monotone: bool

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        n = len(self.names)
        if not (len(self.up_to) == n - 1 and len(self.risk) == n and len(self.contracts) == n):
            raise ValueError("names, risk and contracts need one entry a tier, up_to one fewer")
        if self.up_to != sorted(self.up_to):
            raise ValueError("up_to must ascend")
        return self


class Trade(Section):
    """The desk."""

    mode: Literal["simulated", "paper", "live"]
    desk: Literal["stocks", "options-only", "hybrid"]
    kill_switch: bool
    accounts: list[str]
    max_portfolio: PerEnvironment[Dollars]
    allocation: Share
    market_hours_only: PerEnvironment[bool]
    pre_market_enabled: bool
    after_hours_enabled: bool
    execute_ny: ClockTime
    manage_from_ny: ClockTime
    manage_every_minutes: Count
    manage_until_minutes_before_close: CountOrNone
    entry: Entry
    sizing: Sizing
    exits: Exits
    options: Options
    simulation: Simulation
    tiers: Tiers
