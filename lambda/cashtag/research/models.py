"""Two sentiment models side by side, on what the lake has recorded of both; nobody is asked.

Texts are compared one by one. What it would mean for the signals is found by the live code path:
rows are made of each model's answers, and the SQL models run over them session by session, each
with a history of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cashtag import sessions
from cashtag.enrich import tweets as posts
from cashtag.enrich.compact import compact, natural_order
from cashtag.errors import InputError
from cashtag.lake import layout
from cashtag.lake.contracts import contract
from cashtag.ports import Env, Lake, Progress
from cashtag.research import agreement
from cashtag.research.agreement import Figure
from cashtag.sentiment.answered import LABELS, Answered
from cashtag.sentiment.ensemble import read_record
from cashtag.sentiment.reliability import confusion
from cashtag.signals import models as signal_models
from cashtag.warehouse import sql

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS, CELLS = "texts", "ticker-sessions"


def _silent(_done: int, _of: int, _what: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Comparison:
    """What two models say of the same tweets, `a` and `b` being their versions."""

    a: str
    b: str
    first: date
    last: date
    objects: int
    """Raw objects that both have answered."""
    figures: tuple[Figure, ...]
    confusion: Mapping[str, Mapping[str, int]]
    """Counts of texts: rows are a's labels, columns b's and `unanswered`."""
    distributions: Mapping[str, Mapping[str, Any]]
    """Spread of polarity, labels and confidence, by version."""
    signals: Mapping[str, int]
    """Sentiment signals of ticker-sessions: how many fire by a, by b, and where they differ."""


@dataclass
class _Pairs:
    """Answers of both models to the same texts, and the same ticker-sessions by both."""

    days: list[int] = field(default_factory=list)
    a: list[Answered] = field(default_factory=list)
    b: list[Answered] = field(default_factory=list)
    cells: list[tuple[int, float, float]] = field(default_factory=list)
    """Session, polarity by a and by b, of those with enough tweets."""
    fired: list[tuple[str | None, str | None]] = field(default_factory=list)
    objects: int = 0


def recorded(lake: Lake, first: date, last: date) -> dict[str, set[str]]:
    """Raw keys of tweets that each version has answered, over the runs of the sessions given."""
    found: dict[str, set[str]] = {}
    for info in lake.enriched.list("scores/"):
        parsed = layout.parse_scores(info.key)
        key = None if parsed is None else layout.parse_raw(parsed[1])
        if parsed is None or key is None or key.kind != "tweets":
            continue
        if first <= key.dt <= last:
            found.setdefault(parsed[0], set()).add(parsed[1])
    return found


def version_named(versions: Sequence[str], text: str, option: str) -> str:
    """Return the one version that a person means: by its name, or by its beginning.

    Raises:
        InputError: none or several begin so.
    """
    if text in versions:
        return text
    meant = [version for version in versions if version.startswith(text)]
    if len(meant) == 1:
        return meant[0]
    what = f"{len(meant)} of" if meant else "none of"
    raise InputError(
        f"{option} {text!r} begins {what} the recorded model versions: "
        f"{', '.join(versions) or 'there are none'}; name one of them, or record another with "
        "`cashtag rescore --model`"
    )


def compare(
    env: Env, a: str, b: str, first: date, last: date, progress: Progress = _silent
) -> Comparison:
    """Compare two recorded model versions over the sessions from `first` to `last`.

    Raises:
        InputError: no session lies between the dates, or there is no text that both answered.
        StoreError: the lake cannot be read.
    """
    days = sessions.sessions_between(first, last)
    if not days:
        raise InputError(f"no session between {first} and {last}; give dates that span one")
    at = env.settings.scrape.cutoff_utc
    start = sessions.window(days[0], at)[0]
    held = recorded(env.lake, start, last)
    both = held.get(a, set()) & held.get(b, set())
    pairs = _Pairs()
    past: dict[str, list[pa.Table]] = {a: [], b: []}
    for number, session in enumerate(days):
        progress(number, len(days), str(session))
        rows = _session(env, session, both, (a, b), pairs)
        if rows is not None:
            _effect(env, session, rows, past, (a, b), pairs)
    progress(len(days), len(days), "")
    if not pairs.objects:
        raise InputError(
            f"no raw object from {start} to {last} was answered by both {a} and {b}; record the "
            "missing answers with `cashtag rescore --model`"
        )
    return _told(env, a, b, first, last, pairs)


def _session(
    env: Env, session: date, both: set[str], versions: tuple[str, str], pairs: _Pairs
) -> tuple[date, list[pa.Table]] | None:
    """The newest run of a session's window, and its rows by each model; notes texts on the way."""
    import pyarrow as pa

    table = contract("tweets")
    by_model: list[list[pa.Table]] = [[], []]
    newest = None
    for dt in sessions.window(session, env.settings.scrape.cutoff_utc):
        prefix = layout.raw_prefix("tweets", dt)
        keys = natural_order(
            key for k in both if k.startswith(prefix) and (key := layout.parse_raw(k)) is not None
        )
        staged: list[list[pa.Table]] = [[], []]
        for key in keys:
            parsed = posts.parse(env.settings, key, env.lake.raw.get(str(key)))
            answers = [
                read_record(env.lake.enriched, version, str(key), parsed.input_hashes)
                for version in versions
            ]
            if answers[0] is None or answers[1] is None:
                continue
            pairs.objects += 1
            held = np.flatnonzero([text is not None for text in parsed.texts])
            pairs.days += [dt.toordinal()] * len(held)
            for side, given, kept in zip(staged, answers, (pairs.a, pairs.b), strict=True):
                assert given is not None
                kept.append(_only(given, held))
                version = versions[kept is pairs.b]
                side.append(posts.assemble(env.settings, parsed, given, version, version))
        for side, tables in zip(by_model, staged, strict=True):
            if tables:
                newest = dt
                rows = compact(table, tables)
                column = pa.array([dt] * rows.num_rows, pa.date32())
                side.append(rows.append_column("dt", column))
    return None if newest is None else (newest, [pa.concat_tables(side) for side in by_model])


def _only(given: Answered, lines: np.ndarray) -> Answered:
    """The answers to some of the lines, with label and confidence as the model has them."""
    labels = given.labels[lines]
    return Answered(
        given.probabilities[lines],
        given.confidence[lines],
        [LABELS[i] if i >= 0 else None for i in labels],
    )


def _effect(
    env: Env,
    session: date,
    rows: tuple[date, list[pa.Table]],
    past: dict[str, list[pa.Table]],
    versions: tuple[str, str],
    pairs: _Pairs,
) -> None:
    """Note what the session's sentiment and signals are by each model."""
    import pyarrow as pa

    dt, tables = rows
    params = signal_models.parameters(env, session, dt, coverage=None, partial=False)
    daily = contract("daily_sentiment")
    found = []
    for version, tweets in zip(versions, tables, strict=True):
        history = past[version][-env.settings.signals.z_sessions :]
        known = pa.concat_tables(history) if history else _dated(daily.empty(), session)
        made = _run(env, "daily_sentiment", params, {"tweets": tweets, "daily_sentiment": known})
        dated = _dated(made, session)
        past[version] = [*history, dated]
        signals = _run(env, "daily_signals", params, {"daily_sentiment": dated})
        stock = [row for row in signals.to_pylist() if row["kind"] == "STOCK"]
        found.append(
            (
                {row["ticker"]: row for row in made.to_pylist()},
                {row["ticker"]: row["sentiment_signal"] for row in stock},
            )
        )
    (rows_a, signals_a), (rows_b, signals_b) = found
    least = env.settings.research.minimum_tweets
    for ticker in sorted(rows_a.keys() & rows_b.keys()):
        one, other = rows_a[ticker], rows_b[ticker]
        pairs.fired.append((signals_a.get(ticker), signals_b.get(ticker)))
        if min(one["n_tweets"], other["n_tweets"]) >= least:
            pairs.cells.append((session.toordinal(), one["polarity"], other["polarity"]))


def _run(env: Env, name: str, params: Mapping[str, Any], tables: dict[str, pa.Table]) -> pa.Table:
    query = sql.load("sql", name)
    wanted = {key: params[key] for key in query.parameters if key in params}
    return env.warehouse.query(query.text, wanted, table=name, tables=tables)


def _dated(table: pa.Table, session: date) -> pa.Table:
    import pyarrow as pa

    return table.append_column("session", pa.array([session] * table.num_rows, pa.date32()))


def _told(env: Env, a: str, b: str, first: date, last: date, pairs: _Pairs) -> Comparison:
    rules = env.settings.research
    one, other = _joined(pairs.a), _joined(pairs.b)
    answered = one.answered & other.answered
    days = np.array(pairs.days)[answered]
    labels = one.labels[answered], other.labels[answered]
    polarity = one.polarity[answered], other.polarity[answered]
    cells = np.array(pairs.cells, dtype=np.float64).reshape(-1, 3)
    shares, correlations = agreement.share_interval, agreement.correlation_interval
    asked: list[tuple[str, agreement.Statistic, Any, np.ndarray, str, Any]] = [
        ("same label", agreement.same, labels, days, TEXTS, shares),
        ("kappa of labels", agreement.kappa, labels, days, TEXTS, None),
        ("correlation of polarity", agreement.pearson, polarity, days, TEXTS, correlations),
        ("rank correlation of polarity", agreement.spearman, polarity, days, TEXTS, correlations),
        (
            "rank correlation of daily polarity",
            agreement.spearman,
            (cells[:, 1], cells[:, 2]),
            cells[:, 0],
            CELLS,
            correlations,
        ),
    ]
    figures = tuple(
        agreement.figure(
            name, statistic, x, y, when, least_days=rules.jackknife_days, of=of, alone=alone
        )
        for name, statistic, (x, y), when, of, alone in asked
    )
    fired = [tuple(said or "HOLD" for said in pair) for pair in pairs.fired]
    differ = sum(x != y for x, y in fired)
    interval = agreement.share_interval(differ / len(fired), len(fired)) if fired else None
    low, high = interval or (None, None)
    changed = Figure(
        "sentiment signals that differ",
        differ / len(fired) if fired else None,
        low,
        high,
        "each" if fired else None,
        len(fired),
        CELLS,
    )
    counts = confusion(one.labels[one.answered], other.labels[one.answered], len(LABELS))
    return Comparison(
        a,
        b,
        first,
        last,
        pairs.objects,
        (*figures, changed),
        {
            label: dict(zip((*LABELS, "unanswered"), row, strict=True))
            for label, row in zip(LABELS, counts, strict=True)
        },
        {
            version: agreement.distribution(said.polarity, said.labels, said.confidence)
            for version, said in ((a, one), (b, other))
        },
        dict(_counted(fired)),
    )


def _counted(fired: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, int]]:
    yield "ticker_sessions", len(fired)
    yield "fire_by_a", sum(x != "HOLD" for x, _ in fired)
    yield "fire_by_b", sum(y != "HOLD" for _, y in fired)
    yield "fire_alike", sum(x == y != "HOLD" for x, y in fired)
    yield "differ", sum(x != y for x, y in fired)
    yield "opposite", sum({x, y} == {"BUY", "SELL"} for x, y in fired)


def _joined(parts: Sequence[Answered]) -> Answered:
    return Answered(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        [name for part in parts for name in part.named],
    )
