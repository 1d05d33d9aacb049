"""What the dashboard reads from the lake: which sessions, and the rows of the named report queries.

Everything goes through `glue/queries/report_*.sql` with the partitions bound, so that a page of a
year costs the same whatever lies before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cashtag import sessions as calendar
from cashtag.errors import InputError
from cashtag.ports import Env, SqlValue
from cashtag.warehouse import sql

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]

_SESSION = re.compile(r"/session=(\d{4}-\d\d-\d\d)/")


@dataclass(frozen=True)
class Span:
    """Consecutive sessions, ascending, and the first and last run (UTC date) that feed them."""

    sessions: tuple[date, ...]
    first_dt: date
    last_dt: date

    @property
    def first(self) -> date:
        """The first session."""
        return self.sessions[0]

    @property
    def last(self) -> date:
        """The last session."""
        return self.sessions[-1]


def span_of(env: Env, found: Sequence[date]) -> Span:
    """Return the span of some sessions (at least one, ascending)."""
    at = env.settings.scrape.cutoff_utc
    first, last = calendar.window(found[0], at), calendar.window(found[-1], at)
    return Span(tuple(found), first[0], last[-1])


def choose_span(env: Env, first: date | None, last: date | None) -> Span | None:
    """Return the sessions that the page shows; None when the lake has signals for none of them.

    They run without gaps, so that a day nobody collected is seen as missing. Without `last` they
    end with the newest session of the lake; without `first` there are at most `report.sessions`.

    Raises:
        InputError: `first` lies after `last`.
    """
    if first is not None and last is not None and first > last:
        raise InputError(f"first {first} lies after last {last}; give the earlier date first")
    held = [
        day
        for day in published_sessions(env)
        if (first is None or day >= first) and (last is None or day <= last)
    ]
    if not held:
        return None
    if first is None:
        start = calendar.sessions_between(held[0], held[-1])[-env.settings.report.sessions :][0]
        held = [day for day in held if day >= start]
    found = calendar.sessions_between(held[0], held[-1])
    return span_of(env, found)


def published_sessions(env: Env) -> list[date]:
    """Sessions that have a daily_sentiment or daily_features partition, ascending."""
    found = set()
    for table in ("daily_sentiment", "daily_features"):
        for item in env.lake.signals.list(f"{table}/session="):
            if m := _SESSION.search(item.key):
                found.add(date.fromisoformat(m[1]))
    return sorted(found)


def query(env: Env, name: str, span: Span, **more: SqlValue) -> pa.Table:
    """Run `glue/queries/<name>.sql` over a span; the file says which of its bounds it takes."""
    found = sql.load("queries", name)
    given: dict[str, SqlValue] = {
        "first": span.first,
        "last": span.last,
        "first_dt": span.first_dt,
        "last_dt": span.last_dt,
        **more,
    }
    return env.warehouse.query(found.text, {k: given[k] for k in found.parameters})


def rows(env: Env, name: str, span: Span, **more: SqlValue) -> list[Row]:
    """Run a named query and return its rows as dicts, in the query's order."""
    return query(env, name, span, **more).to_pylist()  # type: ignore[no-any-return]


def by_session(found: list[Row]) -> dict[date, list[Row]]:
    """Group rows that come in the order of their session."""
    return {day: list(part) for day, part in groupby(found, key=lambda row: row["session"])}


def bars(env: Env, span: Span) -> dict[str, list[Row]]:
    """Return each ticker's closes and averages, on the scale of the newest run's bars."""
    newest = span_of(env, span.sessions[-1:])
    found = rows(env, "report_bars", span, first_dt=newest.first_dt, last_dt=newest.last_dt)
    return {ticker: list(part) for ticker, part in groupby(found, key=lambda row: row["ticker"])}


def tweet_objects(env: Env) -> dict[date, list[tuple[str, int]]]:
    """Return key and size of the objects of the table `tweets`, by run."""
    found: dict[date, list[tuple[str, int]]] = {}
    for item in env.lake.enriched.list("tweets/dt="):
        run = date.fromisoformat(item.key.removeprefix("tweets/dt=")[:10])
        found.setdefault(run, []).append((item.key, item.size))
    return found


def tweets(env: Env, wanted: Sequence[date]) -> Iterator[tuple[date, pa.Table]]:
    """Yield (session, its tweets, at most `report.tweets_per_cell` a ticker), a month at a time.

    A month's rows are held at once: 30 tickers of 50 tweets are 30,000 rows.
    """
    import pyarrow.compute as pc

    for _, month in groupby(wanted, key=lambda day: (day.year, day.month)):
        days = list(month)
        table = query(
            env, "report_tweets", span_of(env, days), per_cell=env.settings.report.tweets_per_cell
        )
        for day in days:
            yield day, table.filter(pc.equal(table.column("session"), day))
