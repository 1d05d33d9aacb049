"""Builds the dashboard: facts in shards, the page's files beside them, `index.html` last.

Shards carry the fingerprint of their content in their name, so a reader never mixes two builds,
two builders at once do each other no harm, and what is there already is not written again. The
posts of a session are named by what they are made from; a session whose tables did not change is
not even read. Derived data only: no wall clock, no host, no random number.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from cashtag import sessions as calendar
from cashtag.errors import KeyMissing
from cashtag.ports import Env, Store
from cashtag.report import assets, data, posts, shards
from cashtag.report.data import Row, Span
from cashtag.report.shards import Payload

SHAPE = "1"  # of the posts' shards; another one makes them again
INDEX = "index.html"


def build(env: Env, first: date | None = None, last: date | None = None) -> str:
    """Write the dashboard into the report zone; return the address of its `index.html`.

    Args:
        first: first session shown; without it `report.sessions` of them at most.
        last: last session shown; without it the newest that has signals.

    An empty lake gives a page that says so. Objects whose content is already there are left
    alone, those of earlier pages are removed, so that a forgotten post is gone from the page too.

    Raises:
        InputError: `first` lies after `last`; plotly is not installed.
    """
    writer = _Writer(env.lake.report)
    span = data.choose_span(env, first, last)
    summary = _summary(env, span)
    if span is not None:
        _fill(env, span, summary, writer)
    name = writer.add("summary", "data/summary", summary)
    for key, content in assets.files().items():
        writer.replace(key, content)
    writer.replace(INDEX, assets.index(name))
    writer.remove_others()
    return env.lake.report.uri(INDEX)


def _summary(env: Env, span: Span | None) -> Payload:
    """Return what the page needs first; an empty lake has only settings to show."""
    settings = env.settings
    return {
        "sessions": [str(day) for day in span.sessions] if span else [],
        "ranges": env.settings.report.ranges,
        "theme": settings.report.theme,
        "environment": settings.environment,
        "profile": settings.profile,
        "mode": settings.trade.mode,
        "models": [],
        "synthetic": False,
        "tickers": [],
        "names": {},
        "cells": {},
        "runs": [],
        "trades": [],
        "equity": {},
        "files": {"days": [], "tweets": [], "tickers": {}, "posts": {}},
        "limits": {
            "partialBelow": settings.scrape.coverage.partial_below,
            "tweetsPerCell": settings.report.tweets_per_cell,
            "topUsers": settings.report.top_users,
            "changeThreshold": settings.for_environment(settings.signals.change_threshold),
            "cutoff": settings.scrape.cutoff_utc,
        },
    }


def _fill(env: Env, span: Span, summary: Payload, writer: _Writer) -> None:
    cells = data.rows(env, "report_cells", span)
    signals = data.rows(env, "report_signals", span)
    positions = data.rows(env, "report_positions", span)
    counts = data.rows(env, "report_counts", span)
    table = shards.cells(cells, signals, span.sessions)
    summary["tickers"], summary["cells"] = table["tickers"], table["columns"]
    summary["names"] = {t: name for t in table["tickers"] if (name := env.settings.stock(t).name)}
    summary["models"] = sorted({r["model"] for r in cells if r["model"]})
    summary["synthetic"] = any(r["n_synthetic"] for r in counts)
    summary["runs"] = _runs(counts)
    summary["trades"] = shards.trades(data.rows(env, "report_trades", span))
    summary["equity"] = shards.equity(positions, span.sessions)
    files = summary["files"]
    files["days"] = _days(env, span, signals, positions, writer)
    files["tweets"] = _tweets(env, span, cells, writer)
    files["posts"] = _posts(env, span, cells, writer)
    files["tickers"] = {
        ticker: writer.add(
            f"tickers/{ticker}",
            f"data/tickers/{shards.file_stem(ticker)}",
            shards.ticker(ticker, found),
        )
        for ticker, found in data.bars(env, span).items()
    }


def _runs(counts: Sequence[Row]) -> list[list[Any]]:
    """Return [run, its session, posts, tickers] for every run with posts, ascending."""
    found: dict[tuple[date, date], list[int]] = {}
    for row in counts:
        entry = found.setdefault((row["dt"], row["session"]), [0, 0])
        entry[0] += row["n_tweets"]
        entry[1] += 1
    return [[str(dt), str(session), *entry] for (dt, session), entry in sorted(found.items())]


def _days(
    env: Env, span: Span, signals: list[Row], positions: list[Row], writer: _Writer
) -> list[str]:
    """Write one shard per session with its signals, decisions, positions and headlines."""
    said = data.by_session(signals)
    held = data.by_session(positions)
    gates = data.by_session(data.rows(env, "report_decisions", span))
    news = data.by_session(data.rows(env, "report_news", span))
    return [
        writer.add(
            f"days/{day}",
            f"data/days/{day}",
            shards.day(
                day, said.get(day, []), gates.get(day, []), held.get(day, []), news.get(day, [])
            ),
        )
        for day in span.sessions
    ]


def _tweets(env: Env, span: Span, cells: list[Row], writer: _Writer) -> list[str | None]:
    """Write one shard of posts per session, unless it is there, made from the same tables."""
    at = env.settings.scrape.cutoff_utc
    objects = data.tweet_objects(env)
    scored = data.by_session(cells)
    keys: dict[date, str | None] = {}
    for day in span.sessions:
        parts = [item for run in calendar.window(day, at) for item in objects.get(run, [])]
        made_from = json.dumps(
            [SHAPE, env.settings.report.tweets_per_cell, parts, scored.get(day, [])], default=str
        )
        mark = shards.fingerprint(made_from.encode())
        keys[day] = f"data/tweets/{day}.{mark}.js" if parts else None
    missing = [day for day, key in keys.items() if key and not writer.keep(key)]
    for day, table in data.tweets(env, missing):
        key = keys[day]
        if key is not None:
            writer.put(key, shards.script(f"tweets/{day}", shards.tweets(day, table)))
    return [keys[day] for day in span.sessions]


def _posts(env: Env, span: Span, cells: list[Row], writer: _Writer) -> dict[str, str]:
    """Write one shard per month of what its posts count, unless it is there, made from the same."""
    at = env.settings.scrape.cutoff_utc
    objects = data.tweet_objects(env)
    scored = data.by_session(cells)
    keys: dict[str, str] = {}
    for month, days in posts.months(span.sessions).items():
        runs = [run for day in days for run in calendar.window(day, at)]
        parts = [item for run in runs for item in objects.get(run, [])]
        if not parts:
            continue
        said = [[r["ticker"], r["run_id"]] for day in days for r in scored.get(day, [])]
        made_from = json.dumps([posts.SHAPE, [str(day) for day in days], parts, said])
        key = f"data/posts/{month}.{shards.fingerprint(made_from.encode())}.js"
        if not writer.keep(key):
            found = data.query(env, "reference_posts", data.span_of(env, days))
            writer.put(key, shards.script(f"posts/{month}", posts.columns(found)))
        keys[month] = key
    return keys


class _Writer:
    """Puts what changed, and remembers every key of this page."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.there = {item.key: item.size for item in store.list()}
        self.used: set[str] = set()

    def add(self, name: str, stem: str, payload: Payload) -> str:
        """Write a shard under a key that names its content; return the key."""
        content = shards.script(name, payload)
        key = f"{stem}.{shards.fingerprint(content)}.js"
        if not self.keep(key):
            self.put(key, content)
        return key

    def keep(self, key: str) -> bool:
        """Say whether the object is there already; it is part of this page either way."""
        self.used.add(key)
        return key in self.there

    def put(self, key: str, content: bytes) -> None:
        """Write an object of this page."""
        self.used.add(key)
        self.store.put(key, content)

    def replace(self, key: str, content: bytes) -> None:
        """Write an object whose name does not tell its content, unless it holds just that."""
        if self.there.get(key) == len(content) and self._get(key) == content:
            self.used.add(key)
        else:
            self.put(key, content)

    def remove_others(self) -> None:
        """Delete the shards and files of earlier pages; what is not the page's own stays."""
        for key in sorted(self.there.keys() - self.used):
            if key.startswith(("data/", "assets/")):
                self.store.delete(key)

    def _get(self, key: str) -> bytes | None:
        try:
            return self.store.get(key)
        except KeyMissing:  # removed since the listing
            return None
