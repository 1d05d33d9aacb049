"""What follows a day's enrichment: signals, their events, the plan, what is announced, discovery.

The laptop calls these in a row; in the cloud two functions do, the second started by what the
first published. Nothing of a day is lost because an announcement did not go out: why it did not
is told, and the same step again announces it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from cashtag import alerts, sessions, steps
from cashtag.errors import CloudError
from cashtag.lake import layout
from cashtag.ports import Env
from cashtag.scrape import standing

if TYPE_CHECKING:
    from cashtag.trade.plan import Plan
    from cashtag.trade.settle import Settled

Why = Literal["complete", "deadline", "asked"]
"""A marker says that the day is complete; its deadline has come; a person wants it made again."""

Nothing = Literal["published before", "not complete"]

TRADING_SIGNAL = "TradingSignal"
# Attribute of the event <- column of daily_signals.
_EVENT = {
    "stock_symbol": "ticker",
    "current_sentiment": "polarity",
    "previous_sentiment": "previous_polarity",
    "sentiment_change": "polarity_change",
    "direction": "direction",
    "tweet_volume": "n_tweets",
    "confidence": "confidence",
    "timestamp": "as_of",
    "partial": "partial",
    "run_id": "run_id",
}


@dataclass(frozen=True)
class Concluded:
    """A day's signals, and how many events of them went out just now.

    `failed` says which announcements did not go out, and why; `notes` what discovery did.
    """

    done: steps.Signalled
    events: int
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    """A session's plan, its digest, and why that was not announced, where it was not."""

    plan: Plan
    digest: str
    failed: tuple[str, ...] = ()


def announcer(env: Env) -> alerts.Alerts:
    """Return where a day's announcements go, marked with the mode of trading."""
    from cashtag.trade import digest

    mode = digest.prefix(env.settings.trade.mode)
    return alerts.Alerts(env.notifiers, mode, env.settings.alerts.per_hour)


def signals(env: Env, dt: date, out: alerts.Alerts) -> Concluded:
    """Make the day's signals; announce fills and crosses, send the signals' events.

    Raises what `steps.signals` raises.
    """
    from cashtag.trade import digest

    done = steps.signals(env, dt)
    if env.settings.alerts.trades and done.settled is not None and done.settled.new:
        for trade in done.settled.trades:
            out.alert(*digest.trade_alert(trade))
    if env.settings.alerts.crosses and dt == done.session:
        for subject, text in _crosses(env, done.session):
            out.alert(subject, text)
    return Concluded(done, _send(env, done, out))


def _crosses(env: Env, session: date) -> Iterator[tuple[str, str]]:
    """Subject and text of each ticker whose short average crossed its long one with the last bar."""
    for row in _published(env, "daily_features", session, ["ticker", "cross", "cross_text"]):
        if row["cross"] is not None:
            yield f"{row['ticker']}: {row['cross']} cross before {session}", row["cross_text"]


def _published(env: Env, table: str, session: date, columns: list[str]) -> list[dict[str, Any]]:
    from cashtag.lake.contracts import contract
    from cashtag.lake.partitions import read

    rows = read(env.lake, contract(table), session)
    assert rows is not None, "it was published a moment ago"
    found: list[dict[str, Any]] = rows.select(columns).to_pylist()
    return found


def plan(env: Env, session: date, out: alerts.Alerts, settled: Settled | None = None) -> Planned:
    """Plan the session and announce the digest; `settled` is read where it is not given.

    Raises what `steps.plan` raises.
    """
    from cashtag.trade import settle

    made = steps.plan(env, session)
    subject, text = _digest(env, made, settled or settle.recorded(env, session))
    out.digest(subject, text)
    return Planned(made, f"{subject}\n\n{text}")


def discovered(env: Env, dt: date, out: alerts.Alerts) -> tuple[str, ...]:
    """Let a model name tickers for the next run; say what came of it, and alert when it failed."""
    found = steps.discover(env, dt)
    if found is None:
        return ()
    if found.asked and found.failure is not None and env.settings.alerts.failures:
        out.alert(f"Ticker discovery failed on {dt}", found.note())
    return (found.note(),)


# ---------------------------------------------------------------- as functions do it


def conclude(env: Env, dt: date, why: Why) -> Concluded | Nothing:
    """Make a day's signals and let a model name tickers; the plan is another function's.

    What is published already, and sent, is not made again, but where a person asks for it. A
    marker of completeness that comes late, when another scrape has added objects that are not
    enriched yet, waits for the marker of the whole. Where no signals were made, why is returned.

    Raises what `steps.signals` raises; StoreError for a day without a manifest.
    """
    out = announcer(env)
    made: Concluded | Nothing
    stands = standing.of_run(env.lake, steps.build_of(env), dt)
    if why != "asked" and _done(env, dt, stands.state):
        made = "published before"
    elif why == "complete" and not stands.complete:
        return "not complete"
    else:
        made = signals(env, dt, out)
    notes = discovered(env, dt, out)
    if isinstance(made, str):
        return made
    return replace(made, notes=notes, failed=tuple(out.failed))


def _done(env: Env, dt: date, state: str) -> bool:
    """Whether a day is published in this state, and its events were sent."""
    session = sessions.session_of_run(dt, env.settings.scrape.cutoff_utc)
    marks = [layout.published(session, state)]
    if env.bus is not None:
        marks.append(layout.sent(session, state))
    return all(env.lake.signals.exists(mark) for mark in marks)


def plan_published(env: Env, key: str) -> Planned | None:
    """Plan the session that a marker of publication is of; None where there is nothing to plan.

    A run on a day without a session refreshes the signals of the next one; only the session's own
    run is planned. Raises what `steps.plan` raises.
    """
    if layout.parse_published(key) is None:
        return None
    marker = json.loads(env.lake.signals.get(key))
    if marker["dt"] != marker["session"]:
        return None
    return plan_again(env, date.fromisoformat(marker["session"]))


def plan_again(env: Env, session: date) -> Planned:
    """Plan a session as often as it is asked for, and announce the same plan in the same words.

    Of a session that was frozen before nothing is announced: what stands was announced then.
    Raises what `steps.plan` raises.
    """
    from cashtag.trade import settle

    made = steps.plan(env, session)
    told = replace(made, status="planned") if made.status == "unchanged" else made
    subject, text = _digest(env, told, settle.recorded(env, session))
    out = announcer(env)
    if made.status != "frozen":
        out.digest(subject, text)
    return Planned(made, f"{subject}\n\n{text}", tuple(out.failed))


def _digest(env: Env, made: Plan, settled: Settled) -> tuple[str, str]:
    from cashtag.trade import digest

    subject, text = digest.digest(made, settled)
    told = _findings(env, made.session)
    if told["warnings"]:
        text += "\n\nChecks that warn:\n" + "\n".join(f"  {line}" for line in told["warnings"])
    for reason in told["reasons"]:
        text += f"\n  partial: {reason}"
    return subject, text


# ---------------------------------------------------------------- events


def _send(env: Env, done: steps.Signalled, out: alerts.Alerts) -> int:
    """Send one event for each signal with a direction, once for each state that is published."""
    if env.bus is None:
        return 0
    marker = layout.sent(done.session, done.state)
    if env.lake.signals.exists(marker):
        return 0
    details = _details(env, done.session)
    try:
        env.bus.publish(TRADING_SIGNAL, details)
    except CloudError as error:
        out.failed.append(str(error))
        return 0
    env.lake.signals.put_if_absent(marker, b"")
    return len(details)


def _details(env: Env, session: date) -> list[dict[str, Any]]:
    rows = _published(env, "daily_signals", session, ["kind", *_EVENT.values()])
    return [
        {"session": session.isoformat()}
        | {name: _plain(row[column]) for name, column in _EVENT.items()}
        for row in rows
        if row["kind"] == "STOCK" and row["direction"] != "HOLD"
    ]


def _plain(value: Any) -> Any:
    return f"{value.isoformat()}Z" if hasattr(value, "isoformat") else value


def _findings(env: Env, session: date) -> dict[str, list[str]]:
    """What was kept with the session's tables; nothing of one that an earlier version published."""
    key, store = layout.findings(session), env.lake.signals
    if not store.exists(key):
        return {"warnings": [], "reasons": []}
    found: dict[str, list[str]] = json.loads(store.get(key))
    return found
