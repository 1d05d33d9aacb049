"""How often each threshold and gate fires on the lake: a threshold is believed when it was counted.

The counts come from `glue/queries/review_*.sql` over published tables, with today's settings, so
that a changed threshold can be judged before anything is rebuilt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from cashtag.errors import InputError
from cashtag.ports import Env, SqlValue
from cashtag.signals import models
from cashtag.warehouse import sql

if TYPE_CHECKING:
    import pyarrow as pa

_CONDITIONS = (
    ("sentiment", "review_sentiment"),
    ("trend", "review_trend"),
    ("signals", "review_signals"),
)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one condition held.

    `n` of `n_of` ticker-sessions (sessions for the topic `regime`, decisions for the gates);
    `share` is None when nothing was there to judge. `largest` is the greatest value seen, for
    the topic `confidence` only.
    """

    topic: str
    condition: str
    n: int
    n_of: int
    share: float | None
    largest: float | None = None


def review(env: Env, first: date, last: date) -> tuple[Rate, ...]:
    """Count every condition of the signals and every gate over sessions `first` to `last`.

    Returns:
        Rates by topic: sentiment, trend, signals, regime, confidence, then the gates of each
        phase (`gates: plan`, `gates: execute`), whose rate is that of blocking.

    Raises:
        InputError: `first` is after `last`.
    """
    if first > last:
        raise InputError(f"first session {first} is after the last, {last}; swap them")
    params: dict[str, SqlValue] = {"first": first, "last": last}
    params.update(models.thresholds(env.settings))
    rates = [
        _rate(topic, row["condition"], row["n"], row["n_of"])
        for topic, name in _CONDITIONS
        for row in _ask(env, name, params).to_pylist()
    ]
    rates += [
        _rate(
            "regime",
            "unknown" if row["multiplier"] is None else f"multiplier {row['multiplier']:g}",
            row["n"],
            row["n_of"],
        )
        for row in _ask(env, "review_regime", params).to_pylist()
    ]
    rates += [
        Rate("confidence", row["confidence"], row["n"], row["n"], row["mean"], row["largest"])
        for row in _ask(env, "review_confidence", params).to_pylist()
    ]
    rates += [
        _rate(f"gates: {row['phase']}", row["gate"], row["n_block"] + row["n_error"], row["n_of"])
        for row in _ask(env, "review_gates", params).to_pylist()
    ]
    return tuple(rates)


def _ask(env: Env, name: str, params: dict[str, SqlValue]) -> pa.Table:
    query = sql.load("queries", name)
    return env.warehouse.query(query.text, {key: params[key] for key in query.parameters})


def _rate(topic: str, condition: str, n: int, n_of: int) -> Rate:
    return Rate(topic, condition, n, n_of, n / n_of if n_of else None)
