"""The SQL models of a session: their order, and their parameters out of the settings.

Each model is a file of `glue/sql` whose stem is the table it makes, and reads only tables that
stand before it here, besides the enriched ones and the history of its own.
"""

from __future__ import annotations

from datetime import date, timedelta

from cashtag import sessions
from cashtag.errors import InputError
from cashtag.lake import completion
from cashtag.ports import Env, SqlValue
from cashtag.settings import Settings

MODELS = ("daily_features", "daily_sentiment", "daily_news", "daily_signals", "ranking")

_WEEK = timedelta(days=7)


def run_id(env: Env, dt: date) -> str:
    """Name of the run that makes the rows: a hash of its date, the settings and the model."""
    return completion.run_id(dt, env.settings.config_hash(), env.scorer.version)


def parameters(
    env: Env, session: date, dt: date, *, coverage: float | None, partial: bool
) -> dict[str, SqlValue]:
    """Return the value of every `:name` that models and checks may use.

    Args:
        env: its settings, and the version of its scorer.
        session: the session that the tables are for.
        dt: newest run of the session's window that has been collected; nothing at or after its
            cutoff is read, and prices are those it knew.
        coverage: smallest coverage of the window's runs, 0 to 1; None when unknown.
        partial: a run of the window is missing or incomplete.

    Raises:
        InputError: `dt` is no run of the session.
        CalendarError: `session` is no session.
    """
    settings = env.settings
    at = settings.scrape.cutoff_utc
    window = sessions.window(session, at)
    if dt not in window:
        raise InputError(
            f"dt = {dt} is no run of session {session}; its runs are {', '.join(map(str, window))}"
        )
    history = sessions.sessions_before(session, settings.signals.z_sessions)
    monday = session - timedelta(days=session.weekday())
    return {
        "session": session,
        "dt": dt,
        "first_dt": window[0],
        "last_dt": dt,
        "cutoff": sessions.cutoff(dt, at),
        "session_cutoff": sessions.cutoff(window[-1], at),
        "window_hours": 24.0 * len(window),
        "previous_session": history[-1],
        "history_first": history[0],
        "history_last": history[-1],
        "this_week": monday,
        "last_week": monday - _WEEK,
        "week_before": monday - 2 * _WEEK,
        "coverage": coverage,
        "partial": partial,
        "config_hash": settings.config_hash(),
        "run_id": run_id(env, dt),
        **thresholds(settings),
    }


def thresholds(settings: Settings) -> dict[str, SqlValue]:
    """Return the parameters that depend on the settings alone: windows, bounds and weights."""
    signals = settings.signals
    features, trend, ranking, regime = (
        signals.features,
        signals.trend,
        signals.ranking,
        signals.regime,
    )
    return {
        # daily_sentiment
        "half_life_hours": signals.half_life_hours,
        "influencer_multiplier": settings.enrich.influence.multiplier,
        "repeat_factor": signals.repeat_factor,
        "author_share": signals.author_share,
        "author_share_min_tweets": signals.author_share_min_tweets,
        "liquidity_ratio": signals.liquidity_ratio,
        "liquidity_factor": signals.liquidity_factor,
        "reference_floor": signals.reference_floor,
        "shrinkage": signals.shrinkage,
        "variance_shrinkage": signals.variance_shrinkage,
        "min_tweets": settings.for_environment(signals.min_tweets),
        "z_minimum": signals.z_minimum,
        "top_tweets": signals.top_tweets,
        # daily_features
        "sma_short": features.sma_short,
        "sma_long": features.sma_long,
        "sma_slow": features.sma_slow,
        "means_reach": max(features.sma_short, features.sma_long),
        # As many bars back as a cross (2), the closes or the slope of a trend look.
        "means_needed": max(2, features.trend_closes, features.trend_slope_sessions + 1),
        "volume_sessions": features.volume_sessions,
        "atr_sessions": features.atr_sessions,
        "volatility_sessions": features.volatility_sessions,
        "trading_days": features.trading_days,
        "trend_closes": features.trend_closes,
        "trend_slope_sessions": features.trend_slope_sessions,
        "trend_needs_slope": features.trend_needs_slope,
        "anomaly_percent": features.anomaly_percent,
        "breakout": features.breakout,
        "regime_ticker": _index(settings),
        "regime_by_level": regime.source == "VIX",
        "regime_history": regime.history,
        "regime_minimum": regime.minimum,
        "regime_buckets": _buckets(regime.bounds, regime.multipliers),
        # daily_signals
        "sentiment_rule": signals.sentiment_rule,
        "change_threshold": settings.for_environment(signals.change_threshold),
        "change_sigmas": signals.change_sigmas,
        "confidence_threshold": settings.for_environment(signals.confidence_threshold),
        "default_threshold": settings.watchlist.defaults.sentiment_threshold,
        "symbol_thresholds": ",".join(
            f"{ticker}={stock.sentiment_threshold!r}"
            for ticker, stock in sorted(settings.watchlist.stocks.items())
        ),
        "stock_rule": signals.stock_rule,
        "option_rule": signals.option_rule,
        "trend_volume_ratio": trend.volume_ratio,
        "atr_scale": trend.atr_scale,
        "trend_weight_distance": trend.weight_distance,
        "trend_weight_event": trend.weight_event,
        "trend_weight_volume": trend.weight_volume,
        "trend_weight_regime": trend.weight_regime,
        "sentiment_bonus": trend.sentiment_bonus,
        "volume_bonus": trend.volume_bonus,
        "volume_bonus_ratio": trend.volume_bonus_ratio,
        "fire_above": trend.fire_above,
        # ranking
        "ranking_setup": ranking.setup,
        "ranking_volume": ranking.volume,
        "ranking_sentiment": ranking.sentiment,
        "ranking_return5": ranking.return5,
        # checks
        "max_share_one_label": signals.checks.max_share_one_label,
        "min_labelled_tweets": signals.checks.min_labelled_tweets,
        "language": settings.scrape.language,
        "max_share_foreign": signals.checks.max_share_foreign,
        "drift_sessions": signals.checks.drift_sessions,
        "drift_sigmas": signals.checks.drift_sigmas,
        "drift_share": signals.checks.drift_share,
        "drift_confidence": signals.checks.drift_confidence,
    }


def _index(settings: Settings) -> str:
    """The symbol of the regime's index among the bars that every run collects (VIX is `^VIX`)."""
    source = settings.signals.regime.source
    symbols = settings.scrape.always_bars
    return next((symbol for symbol in symbols if symbol.lstrip("^") == source), source)


def _buckets(bounds: list[float], multipliers: list[float]) -> str:
    """`from;below;multiplier` for each bucket, the last without an upper end."""
    edges = ["-Infinity", *map(repr, bounds), "Infinity"]
    return ",".join(
        f"{low};{high};{multiplier!r}"
        for low, high, multiplier in zip(edges, edges[1:], multipliers, strict=False)
    )
