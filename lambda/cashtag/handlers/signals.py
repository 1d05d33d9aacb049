"""Lambda: make a complete day's signals (S3 PUT of its marker), or a day's at its deadline."""

from __future__ import annotations

from datetime import date
from typing import Any

from cashtag import services
from cashtag.handlers import events, metrics, running
from cashtag.lake import layout
from cashtag.operate import concluding
from cashtag.ports import Env


@running.step
def handler(event: running.Event, _context: Any) -> dict[str, Any]:
    """Take the S3 event of `_SUCCESS/`, or `{"action": "deadline"|"run", "scheduled"|"dt": …}`.

    But for `run`, nothing is done for a day that is published as it is. Raises what should be
    retried.
    """
    env = services.from_environment()
    if events.is_of_objects(event):
        keys = events.objects_put(event, env.settings.aws.enriched)
        days = sorted({dt for key in keys if (dt := layout.parse_success(key)) is not None})
        why: concluding.Why = "complete"
    else:
        asked = events.action(event, "deadline", "run") == "run"
        why = "asked" if asked else "deadline"
        days = [events.run_of(event)]
    return {dt.isoformat(): _conclude(env, dt, why) for dt in days}


def _conclude(env: Env, dt: date, why: concluding.Why) -> dict[str, Any]:
    done = concluding.conclude(env, dt, why)
    if isinstance(done, str):
        return {"status": done}
    metrics.emit(env.settings, _figures(done))
    return {
        "status": "published",
        "session": done.done.session.isoformat(),
        "directions": done.done.directions,
        "coverage": round(done.done.coverage.share, 3),
        "partial": done.done.partial,
        "warnings": len(done.done.warnings),
        "events": done.events,
        "notes": list(done.notes),
        "unannounced": list(done.failed),
    }


def _figures(done: concluding.Concluded) -> metrics.Values:
    yield metrics.SIGNALS, len(done.done.directions)
    yield from (
        (metrics.COVERAGE, run.share) for run in done.done.coverage.runs if run.dt == done.done.dt
    )
    settled = done.done.settled
    if settled is None or not settled.accounts:
        return
    equity = sum(row["equity"] for row in settled.accounts)
    before = sum(row["previous_equity"] for row in settled.accounts)
    yield metrics.PORTFOLIO, equity
    if before > 0:
        yield metrics.PERFORMANCE, 100.0 * (equity / before - 1.0)
    if settled.new:
        yield metrics.TRADES, sum(row["filled_quantity"] > 0 for row in settled.trades)
