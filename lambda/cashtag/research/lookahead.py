"""Whether the signals look ahead: rank correlations of polarity with returns before and after.

For each session, Spearman's correlation over the names between mean polarity and a return; then
the mean over the sessions and its t value. A correct pipeline describes the session before, and
says about nothing of its own; assigning posts by calendar date instead shows what leakage looks
like. Over about a hundred variants t near 2 is noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from cashtag import sessions
from cashtag.errors import InputError
from cashtag.lake import layout
from cashtag.ports import Env, SqlValue
from cashtag.warehouse import sql

if TYPE_CHECKING:
    import pandas as pd

# The test's own definition, not choices: fewer tweets are one person's mood, and a rank
# correlation over fewer names is nearly any number.

NOTE = "Over about a hundred variants, t near 2 is noise."

Assignment = Literal["session", "calendar date"]
RETURNS = ("previous close-to-close", "own close-to-close", "own open-to-close")
_DAY = timedelta(days=1)
_LOOK_BACK = 10  # days without a run before the lake counts as not holding the bars


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: mean daily rank correlation, its t value, and the number of sessions.

    `assignment` says how posts were given to sessions, `against` which return they were compared
    with. Mean and t are None without sessions, and t with one.
    """

    assignment: Assignment
    against: str
    mean: float | None
    t: float | None
    n_sessions: int


def figures(env: Env, first: date, last: date) -> tuple[Figure, ...]:
    """Return the look-ahead figures of the lake's sessions from `first` to `last`.

    Three returns by session, then the same three by UTC calendar date (the leak), six in all.

    Raises:
        InputError: no session lies between the dates.
    """
    days = sessions.sessions_between(first, last)
    if not days:
        raise InputError(f"no session between {first} and {last}; give dates that span one")
    at = env.settings.scrape.cutoff_utc
    by_session = _frame(env, "lookahead_sessions", {"first": days[0], "last": days[-1]})
    runs = {"first_dt": sessions.window(days[0], at)[0], "last_dt": days[-1] + _DAY}
    by_date = _frame(env, "lookahead_calendar", runs)
    bars = _returns(env, days)
    rules = env.settings.research
    return (
        *compare("session", by_session, bars, rules.minimum_tweets, rules.minimum_names),
        *compare("calendar date", by_date, bars, rules.minimum_tweets, rules.minimum_names),
    )


def returns(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the three returns of each bar, as ratios minus 1.

    Args:
        bars: columns ticker, session (dates), open, close (as traded), adjusted_close.

    Returns:
        Columns ticker, session and RETURNS. A close-to-close needs bars of both XNYS sessions
        and is adjusted; NaN where one is missing.
    """
    import pandas as pd

    bars = bars.sort_values(["ticker", "session"], ignore_index=True)
    before = bars.groupby("ticker")[["session", "adjusted_close"]].shift(1)
    known = {day: sessions.previous_session(day) for day in bars["session"].unique()}
    adjacent = before["session"] == bars["session"].map(known)
    own = (bars["adjusted_close"] / before["adjusted_close"] - 1.0).where(adjacent)
    previous = own.groupby(bars["ticker"]).shift(1).where(adjacent)
    return pd.DataFrame(
        {
            "ticker": bars["ticker"],
            "session": bars["session"],
            RETURNS[0]: previous,
            RETURNS[1]: own,
            RETURNS[2]: bars["close"] / bars["open"] - 1.0,
        }
    )


def compare(
    assignment: Assignment,
    scores: pd.DataFrame,
    bars: pd.DataFrame,
    minimum_tweets: int,
    minimum_names: int,
) -> tuple[Figure, ...]:
    """Return one figure for each of RETURNS.

    Args:
        assignment: how the scores were given to their sessions; a label.
        scores: columns session, ticker, n_tweets, polarity.
        bars: as `returns` gives them.
        minimum_tweets: names with fewer are left out.
        minimum_names: sessions with fewer names are left out.
    """
    enough = scores[(scores["n_tweets"] >= minimum_tweets) & scores["polarity"].notna()]
    joined = enough.merge(bars, on=["session", "ticker"], how="inner")
    return tuple(
        _figure(assignment, against, list(_correlations(joined, against, minimum_names)))
        for against in RETURNS
    )


def spearman(x: pd.Series, y: pd.Series) -> float | None:
    """Return Spearman's rank correlation (ties share their mean rank); None when one is constant."""
    a, b = x.rank() - (len(x) + 1) / 2, y.rank() - (len(y) + 1) / 2
    size = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else None


def _correlations(joined: pd.DataFrame, against: str, minimum_names: int) -> Iterator[float]:
    for _, names in joined[joined[against].notna()].groupby("session", sort=True):
        if len(names) >= minimum_names:
            value = spearman(names["polarity"], names[against])
            if value is not None:
                yield value


def _figure(assignment: Assignment, against: str, values: list[float]) -> Figure:
    n = len(values)
    if not n:
        return Figure(assignment, against, None, None, 0)
    mean = math.fsum(values) / n
    t = None
    if n > 1:
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
        t = mean / (deviation / math.sqrt(n)) if deviation > 0 else None
    return Figure(assignment, against, mean, t, n)


def _frame(env: Env, name: str, params: Mapping[str, SqlValue]) -> pd.DataFrame:
    query = sql.load("queries", name)
    return env.warehouse.query(query.text, params).to_pandas()


def _returns(env: Env, days: tuple[date, ...]) -> pd.DataFrame:
    """Returns of the sessions, from bars as the run after each stretch knew them.

    A run knows its trailing bars only, so a long period is put together from several runs, each
    with its own adjustment; stretches overlap by the two sessions that a return looks back.
    """
    import pandas as pd

    needed = (*sessions.sessions_before(days[0], 2), *days)
    stretch = env.settings.scrape.bars_per_run - 2
    parts = []
    for start in range(0, len(needed), stretch):
        part = needed[max(0, start - 2) : start + stretch]
        window: dict[str, SqlValue] = {"first": part[0], "last": part[-1]}
        window["dt"] = _run_after(env, part[-1]) or part[-1]
        parts.append(returns(_frame(env, "lookahead_bars", window)))
    return pd.concat(parts).drop_duplicates(["session", "ticker"], keep="first")


def _run_after(env: Env, session: date) -> date | None:
    """The run of the session after, which knows this one's bar; near the lake's end, the newest."""
    newest = sessions.next_session(session)
    for back in range(_LOOK_BACK):
        dt = newest - back * _DAY
        if env.lake.enriched.exists(layout.enriched("prices", dt)):
            return dt
    return None
