"""One ticker's session as a story: tweet, score, weight, signal, gates, order, outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from cashtag import sessions
from cashtag.errors import InputError
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import partitions, read
from cashtag.ports import Env
from cashtag.settings import Settings

TWEETS_SHOWN = 8


@dataclass(frozen=True)
class Story:
    """Everything that led from tweets to a decision, for one ticker and session.

    `tweets` hold each tweet's weight and share of it, largest first; the rest are rows of the
    tables of the same names.
    """

    ticker: str
    session: date
    settings: Settings
    tweets: tuple[dict[str, Any], ...]
    sentiment: dict[str, Any] | None
    features: dict[str, Any] | None
    signals: tuple[dict[str, Any], ...]
    decisions: tuple[dict[str, Any], ...]
    trades: tuple[dict[str, Any], ...]
    positions: tuple[dict[str, Any], ...]

    def row(self) -> dict[str, Any]:
        """The story as one nested row, for programs."""
        return {
            "ticker": self.ticker,
            "session": self.session,
            "tweets": list(self.tweets),
            "sentiment": self.sentiment,
            "features": self.features,
            "signals": list(self.signals),
            "decisions": list(self.decisions),
            "trades": list(self.trades),
            "positions": list(self.positions),
        }


def explain(env: Env, ticker: str, session: date | None) -> Story:
    """Gather a ticker's session from the lake.

    Args:
        env: its lake, warehouse and settings.
        ticker: symbol, with or without the dollar sign, any case.
        session: the session; the newest with signals when None.

    Raises:
        InputError: the lake knows no such ticker or session; names those near.
    """
    symbol = ticker.upper().lstrip("$")
    found = list(partitions(env.lake, contract("daily_signals")))
    if not found:
        raise InputError("the lake has no signals; make some with `cashtag run --source sample`")
    chosen = session or found[-1]
    if chosen not in found:
        near = [d for d in found if abs((d - chosen).days) <= 7] or [found[0], found[-1]]
        raise InputError(
            f"SESSION {chosen} has no signals in the lake; near are {', '.join(map(str, near[:5]))}"
        )
    signals = _rows(env, "daily_signals", chosen, ticker=symbol)
    if not signals:
        known = sorted({row["ticker"] for row in _rows(env, "daily_signals", chosen)})
        raise InputError(f"TICKER {symbol} has no signal in {chosen}; there is {', '.join(known)}")
    sentiment = _rows(env, "daily_sentiment", chosen, ticker=symbol)
    features = _rows(env, "daily_features", chosen, ticker=symbol)
    return Story(
        symbol,
        chosen,
        env.settings,
        _weighed(env, symbol, chosen),
        sentiment[0] if sentiment else None,
        features[0] if features else None,
        tuple(signals),
        tuple(_rows(env, "decisions", chosen, ticker=symbol)),
        tuple(_rows(env, "trades", chosen, ticker=symbol)),
        tuple(_rows(env, "positions", chosen, ticker=symbol)),
    )


def _rows(env: Env, table: str, session: date, ticker: str | None = None) -> list[dict[str, Any]]:
    found = read(env.lake, contract(table), session)
    if found is None:
        return []
    rows: list[dict[str, Any]] = found.to_pylist()
    return [row for row in rows if ticker is None or row["ticker"] == ticker]


def _weighed(env: Env, ticker: str, session: date) -> tuple[dict[str, Any], ...]:
    """The session's tweets with their weights: the very CTE that daily_sentiment sums up."""
    from cashtag.signals import models
    from cashtag.warehouse import inside, sql

    at = env.settings.scrape.cutoff_utc
    window = sessions.window(session, at)
    collected = set(partitions(env.lake, contract("tweets"), window[0], window[-1]))
    runs = [dt for dt in window if dt in collected]
    if not runs:
        return ()
    params = models.parameters(env, session, runs[-1], coverage=None, partial=False)
    select = inside.of_cte(sql.load("sql", "daily_sentiment").text, "weighed")
    weights = env.warehouse.query(
        select, {name: params[name] for name in sql.parameters(select)}
    ).to_pylist()
    own = {row["tweet_id"]: row for row in weights if row["ticker"] == ticker}
    total = sum(row["w"] for row in own.values())
    posts: dict[str, dict[str, Any]] = {}
    for dt in runs:
        for post in read(env.lake, contract("tweets"), dt).to_pylist():  # type: ignore[union-attr]
            if post["ticker"] == ticker and post["tweet_id"] in own:
                posts.setdefault(post["tweet_id"], post)
    told = [
        {
            **{name: post[name] for name in (
                "tweet_id", "created_at", "author", "author_followers", "text", "sentiment",
                "sentiment_score", "polarity", "influence", "authenticity", "engagement_factor",
                "cashtags", "flags", "url", "source",
            )},
            "repeat": own[tweet_id]["is_repeat"],
            "weight": own[tweet_id]["w"],
            "weight_share": own[tweet_id]["w"] / total if total else None,
        }
        for tweet_id, post in posts.items()
    ]  # fmt: skip
    told.sort(key=lambda post: (-post["weight"], post["tweet_id"]))
    return tuple(told)


def reasons(signal: dict[str, Any]) -> list[str]:
    """The sentences behind a signal."""
    found: list[str] = json.loads(signal["reasons"])
    return found
