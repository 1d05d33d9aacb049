"""Look-ahead figures: the arithmetic by hand, and two generated markets with a planted relation.

In one market the posts of a day describe that day's return: a signal must not know it. In the
other they foretell the next: a signal must. Both run through the models, from enriched rows.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from cashtag import services, sessions, settings
from cashtag.errors import InputError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Env
from cashtag.research import lookahead
from cashtag.signals import publish
from cashtag.warehouse.duckdb import DuckDBWarehouse

# ---------------------------------------------------------------- the arithmetic


@pytest.mark.parametrize(
    ("x", "y", "expected", "reason"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 99], 1.0, "only ranks count"),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0, "reversed"),
        # Ranks of x 1, 2.5, 2.5, 4 and y 1, 3, 2, 4: 4.5 / sqrt(4.5 x 5)
        ([1, 2, 2, 3], [1, 3, 2, 4], 4.5 / (4.5 * 5) ** 0.5, "ties share their mean rank"),
        ([1, 1, 1], [1, 2, 3], None, "a constant has no ranks"),
    ],
)
def test_spearman(x: list[float], y: list[float], expected: float | None, reason: str) -> None:
    got = lookahead.spearman(pd.Series(x), pd.Series(y))
    assert got == (None if expected is None else pytest.approx(expected)), reason


def frame(bars: list[tuple[str, date, float, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(bars, columns=["ticker", "session", "open", "close", "adjusted_close"])


def test_returns_are_adjusted_close_to_close_and_need_the_session_before() -> None:
    wednesday, thursday, monday = date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 9)
    got = lookahead.returns(
        frame(
            [
                ("A", wednesday, 100.0, 100.0, 50.0),
                ("A", thursday, 50.0, 55.0, 55.0),  # a split: 50 to 55 is 10 %
                ("A", monday, 55.0, 44.0, 44.0),  # Friday is missing
                ("B", thursday, 10.0, 11.0, 11.0),
            ]
        )
    ).set_index(["ticker", "session"])
    previous, own, day = (got[name] for name in lookahead.RETURNS)
    assert own["A", thursday] == pytest.approx(0.1)
    assert day["A", thursday] == pytest.approx(0.1)  # within a day prices need no adjusting
    assert day["A", monday] == pytest.approx(-0.2)
    assert pd.isna(own["A", monday])
    assert pd.isna(own["A", wednesday])
    assert pd.isna(own["B", thursday])  # another ticker's bar is not the one before
    assert previous.isna().all()  # three bars in a row are needed


def test_a_figure_is_the_mean_of_daily_correlations_and_its_t() -> None:
    # Two names a day are enough here. Day 1: agree (+1); day 2: disagree (-1); day 3: agree.
    days = [date(2026, 3, d) for d in (3, 4, 5)]
    scores = pd.DataFrame(
        [(day, t, 3, p) for day in days for t, p in (("A", 0.1), ("B", 0.9))],
        columns=["session", "ticker", "n_tweets", "polarity"],
    )
    own = {("A", 0): 0.0, ("B", 0): 0.1, ("A", 1): 0.1, ("B", 1): 0.0, ("A", 2): 0.0, ("B", 2): 0.1}
    bars = pd.DataFrame(
        [(t, days[i], None, value, None) for (t, i), value in own.items()],
        columns=["ticker", "session", *lookahead.RETURNS],
    )
    got = {f.against: f for f in lookahead.compare("session", scores, bars, 3, 2)}
    figure = got["own close-to-close"]
    assert figure.n_sessions == 3
    assert figure.mean == pytest.approx(1 / 3)
    # sample deviation of 1, -1, 1 is sqrt(4/3); t = (1/3) / (sqrt(4/3) / sqrt(3)) = 1/2
    assert figure.t == pytest.approx(0.5)
    assert got["previous close-to-close"] == lookahead.Figure(
        "session", "previous close-to-close", None, None, 0
    )


def test_names_with_few_tweets_and_sessions_with_few_names_are_left_out() -> None:
    day = date(2026, 3, 3)
    names = [f"T{i}" for i in range(9)]
    bars = pd.DataFrame(
        [(t, day, i / 100, i / 100, i / 100) for i, t in enumerate(names)],
        columns=["ticker", "session", *lookahead.RETURNS],
    )

    def scored(tweets: list[int]) -> int:
        scores = pd.DataFrame(
            [(day, t, n, i / 10) for i, (t, n) in enumerate(zip(names, tweets, strict=True))],
            columns=["session", "ticker", "n_tweets", "polarity"],
        )
        return lookahead.compare("session", scores, bars, 3, 8)[0].n_sessions

    assert scored([3] * 9) == 1
    assert scored([3] * 8 + [2]) == 1  # eight names remain
    assert scored([3] * 7 + [2] * 2) == 0  # seven do not count


# ---------------------------------------------------------------- two markets

NAMES = tuple(f"{a}{b}" for a in "ABCD" for b in "XYZ")  # twelve
DAYS = sessions.sessions_between(date(2026, 3, 2), date(2026, 3, 20))  # 15
TWEETS = 6


def market(folder: Path, planted: str) -> Env:
    """Twelve names, 15 sessions. Independent returns; the posts about them are planted.

    `same day`: posted at 18:00 UTC of a session, in the order of that session's own returns.
    `next day`: posted at 06:00 UTC of a session, before its cutoff, in the order of its returns.
    """
    chance = random.Random(20260217)
    known = (*sessions.sessions_before(DAYS[0], 3), *DAYS)
    returns = {(day, name): chance.gauss(0, 0.02) for day in known for name in NAMES}
    closes: dict[tuple[date, str], float] = {}
    for name in NAMES:
        level = 100.0
        for day in known:
            level *= 1 + returns[day, name]
            closes[day, name] = level
    lake = services.folder_lake(folder)
    tweets: dict[date, list[dict[str, Any]]] = {}
    for day in known:
        order = sorted(NAMES, key=lambda name: returns[day, name])
        hour = 18 if planted == "same day" else 6
        moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
        for place, name in enumerate(order):
            mood = (place - (len(NAMES) - 1) / 2) / len(NAMES)  # -0.46 to 0.46
            for i in range(TWEETS):
                polarity = mood + (0.05 if i % 2 else -0.05)
                row = tweet(f"{day}{name}{i}", name, moment, polarity)
                tweets.setdefault(sessions.run_of(moment), []).append(row)
    for day in (*DAYS, sessions.next_session(DAYS[-1])):
        for dt in sessions.window(day):
            put(lake, "tweets", dt, tweets.get(dt, []))
            bars = [
                bar(name, past, closes[past, name] / (1 + returns[past, name]), closes[past, name])
                for name in NAMES
                for past in known
                if past < day
            ]
            put(lake, "prices", dt, bars)
    parts: Any = {
        "settings": settings.load(environ={}),
        "lake": lake,
        "warehouse": DuckDBWarehouse(lake),
        "source": None,
        "scorer": SimpleNamespace(version="lexicon-1"),
    }
    env = Env(**parts)
    for day in DAYS:
        publish.publish(env, day, day, coverage=1.0, partial=False, state="s")
    return env


def tweet(key: str, name: str, moment: datetime, polarity: float) -> dict[str, Any]:
    return {
        "tweet_id": key,
        "ticker": name,
        "created_at": moment.replace(tzinfo=None),
        "session": sessions.session_of(moment),
        "hour_ny": sessions.hour_ny(moment),
        "source": "synthetic",
        "author": key,
        "text": "text",
        "cashtags": [name],
        "hashtags": [],
        "is_retweet": False,
        "is_reply": False,
        "is_quote": False,
        "influence": 0.5,
        "is_key_influencer": False,
        "engagement_factor": 1.0,
        "authenticity": 1.0,
        "flags": [],
        "text_key": key,
        "sentiment": "positive" if polarity > 0 else "negative",
        "sentiment_score": 0.5,
        "polarity": polarity,
        "model": "lexicon",
        "model_version": "lexicon-1",
        "run_id": "r",
    }


def bar(name: str, day: date, opened: float, closed: float) -> dict[str, Any]:
    return {
        "ticker": name,
        "session": day,
        "open": opened,
        "high": max(opened, closed),
        "low": min(opened, closed),
        "close": closed,
        "adjusted_close": closed,
        "volume": 1000,
        "source": "synthetic",
    }


def put(lake: Any, table: str, dt: date, given: list[dict[str, Any]]) -> None:
    own = contract(table)
    rows = pa.Table.from_pylist(given, schema=own.arrow_schema())
    lake.enriched.put(layout.enriched(table, dt), parquet.write(own, rows))


def figures(env: Env) -> dict[tuple[str, str], lookahead.Figure]:
    return {(f.assignment, f.against): f for f in lookahead.figures(env, DAYS[0], DAYS[-1])}


def edge(env: Env) -> float:
    """Mean own close-to-close of the sessions' BUY rows less that of their SELL rows."""
    signals = env.warehouse.query(
        "SELECT session, ticker, direction FROM daily_signals "
        "WHERE session BETWEEN :first AND :last AND kind = 'STOCK' AND direction <> 'HOLD'",
        {"first": DAYS[0], "last": DAYS[-1]},
    ).to_pandas()
    bars = env.warehouse.query(
        "SELECT session, ticker, open, close, adjusted_close FROM prices WHERE dt = :dt",
        {"dt": sessions.next_session(DAYS[-1])},
    ).to_pandas()
    joined = signals.merge(lookahead.returns(bars), on=["session", "ticker"])
    means = joined.groupby("direction")["own close-to-close"].mean()
    assert len(joined) > 30
    return float(means["BUY"] - means["SELL"])


def test_what_a_day_says_of_itself_does_not_reach_its_signal(tmp_path: Path) -> None:
    env = market(tmp_path, "same day")
    got = figures(env)
    own = got["session", "own close-to-close"]
    assert own.mean is not None
    assert own.t is not None
    # 15 sessions of 12 independent names: the mean's deviation is 1 / sqrt(11 x 15) = 0.08.
    assert abs(own.mean) < 0.24
    assert abs(own.t) < 3
    # It describes the session before, perfectly by construction.
    described = got["session", "previous close-to-close"]
    assert described.mean == pytest.approx(1.0)
    # By calendar date the same posts seem to know the day: that is the leak.
    leaked = got["calendar date", "own close-to-close"]
    assert leaked.mean == pytest.approx(1.0)
    # Twelve names of 2 % a day, over some hundred signals: chance stays below 1 %.
    assert abs(edge(env)) < 0.01


def test_what_a_morning_knows_of_its_day_reaches_the_signal(tmp_path: Path) -> None:
    env = market(tmp_path, "next day")
    got = figures(env)
    assert got["session", "own close-to-close"].mean == pytest.approx(1.0)
    assert got["session", "own open-to-close"].mean == pytest.approx(1.0)
    described = got["session", "previous close-to-close"]
    assert described.mean is not None
    assert abs(described.mean) < 0.24
    assert edge(env) > 0.02  # BUY and SELL are a standard deviation of the returns apart, and more


def test_dates_without_a_session_are_refused(tmp_path: Path) -> None:
    env: Any = SimpleNamespace(settings=settings.load(environ={}))
    with pytest.raises(InputError, match="no session between 2026-03-07 and 2026-03-08"):
        lookahead.figures(env, date(2026, 3, 7), date(2026, 3, 8))


def test_an_empty_lake_has_figures_of_no_session(tmp_path: Path) -> None:
    lake = services.folder_lake(tmp_path)
    parts: Any = {
        "settings": settings.load(environ={}),
        "lake": lake,
        "warehouse": DuckDBWarehouse(lake),
        "source": None,
        "scorer": None,
    }
    got = lookahead.figures(Env(**parts), DAYS[0], DAYS[-1])
    assert [f.n_sessions for f in got] == [0] * 6
