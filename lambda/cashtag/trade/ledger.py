"""The ledger's events: create-only facts of a session, and the one order in which they count.

    intent-<order id>-<content>   an order that some plan wanted
    plan-0001, plan-0002 …        plans in the order they were made; the last one stands
    cancel-<intent>-<number>      an intent that plan <number> no longer holds
    veto-<intent>                 a person said no
    freeze                        what execute goes by: plan, vetoes, and the session before
    settled                       how the session ended: orders, fills, books, outcomes, decisions

`freeze` and `settled` are the arbiters: whoever creates them first has decided, everyone else
reads what they say. Tables are rebuilt from these events (`cashtag.trade.tables`). A day reads
the events of one or two sessions, never the history; only a gap or a new ledger looks further.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from cashtag import sessions
from cashtag.errors import KeyMissing, LedgerMismatch, TradeError
from cashtag.lake import layout
from cashtag.ports import Store
from cashtag.trade.intents import Intent, canonical

FREEZE, SETTLED = "freeze", "settled"
_PLAN = re.compile(r"^plan-(\d{4,})$")
_SESSION = re.compile(r"[=/](\d{4}-\d\d-\d\d)/")


@dataclass(frozen=True)
class Recorded:
    """A plan event: its number within the session, and its body."""

    number: int
    body: dict[str, Any]

    @property
    def id(self) -> str:
        """The plan's id: a hash of its body."""
        return str(self.body["plan"])

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What the plan wants, exits first, then entries in the order they were sized."""
        return tuple(Intent.of(body) for body in self.body["intents"])


@dataclass(frozen=True)
class Frozen:
    """What a session's execute goes by. `number` is 0 where no plan had been made."""

    number: int
    plan: str | None
    vetoes: tuple[str, ...]
    base: date | None


@dataclass(frozen=True)
class Chain:
    """`base`: the newest settled session (None: no books yet); `sessions`: those to settle after it."""

    base: date | None
    sessions: tuple[date, ...]


# ---------------------------------------------------------------- events


def write(store: Store, session: date, event_id: str, body: dict[str, Any]) -> bool:
    """Record an event; False when it was there before, whatever it says."""
    return store.put_if_absent(layout.event(session, event_id), canonical(body) + b"\n")


def read(store: Store, session: date, event_id: str) -> dict[str, Any] | None:
    """Return an event's body, or None."""
    key = layout.event(session, event_id)
    try:
        body: dict[str, Any] = json.loads(store.get(key))
    except KeyMissing:
        return None
    except ValueError as error:
        raise TradeError(
            f"{store.uri(key)} is damaged ({error}); events are made once: bring it back from a copy"
        ) from error
    return body


def event_ids(store: Store, session: date) -> tuple[str, ...]:
    """Return the ids of all events of one session, sorted."""
    marker = layout.event(session, "*")
    prefix, suffix = marker.split("*")
    return tuple(i.key.removeprefix(prefix).removesuffix(suffix) for i in store.list(prefix))


def plans(store: Store, session: date) -> tuple[Recorded, ...]:
    """Return the session's plans in the order they were made.

    Once the session is frozen, a plan that came too late is none.
    """
    held = frozen(store, session)
    found = []
    for event_id in event_ids(store, session):
        match = _PLAN.match(event_id)
        if match and (held is None or int(match[1]) <= held.number):
            body = read(store, session, event_id)
            if body is not None:
                found.append(Recorded(int(match[1]), body))
    return tuple(sorted(found, key=lambda p: p.number))


def record_plan(store: Store, session: date, body: dict[str, Any]) -> tuple[Recorded | None, bool]:
    """Make `body` the session's last plan; say whether this call wrote it.

    Returns (None, False) when the session was frozen with another plan: it is too late.

    Intents first, then the plan, then the cancellations of what the plan before it wanted and
    this one does not: each is repeated harmlessly, so a call that died is completed by the next.
    The plan's number orders plans without a clock.
    """
    new = {i.id: i for i in (Intent.of(b) for b in body["intents"])}
    written = False
    while True:
        before = plans(store, session)
        if before and before[-1].id == body["plan"]:
            last, earlier = before[-1], before[:-1]
            break
        number = before[-1].number + 1 if before else 1
        if frozen(store, session) is not None:
            return None, False
        for key, intent in sorted(new.items()):
            write(store, session, f"intent-{key}", {"kind": "intent", **intent.body()})
        if write(store, session, f"plan-{number:04d}", body):
            held = frozen(store, session)
            if held is not None and held.number < number:
                return None, False  # execute began while this plan was being written
            last, earlier, written = Recorded(number, body), before, True
            break
    for intent in earlier[-1].intents if earlier else ():
        if intent.id not in new:
            write(
                store,
                session,
                f"cancel-{intent.id}-{last.number:04d}",
                {"kind": "cancel", "intent": intent.id, "by": last.id},
            )
    return last, written


def veto(store: Store, session: date, order_id: str) -> tuple[str, ...]:
    """Record a person's no to the order `order_id` of the standing plan; return the intents' ids.

    Raises:
        TradeError: no such order is planned, or the session was frozen without this veto.
    """
    standing = plans(store, session)
    hit = [
        i.id for i in (standing[-1].intents if standing else ()) if i.client_order_id == order_id
    ]
    if not hit:
        raise TradeError(f"no order {order_id!r} is planned for {session}; nothing to veto")
    for intent in hit:
        write(store, session, f"veto-{intent}", {"kind": "veto", "intent": intent})
    held = frozen(store, session)
    if held is not None and not set(hit) <= set(held.vetoes):
        raise TradeError(
            f"session {session} is already executing; the veto of {order_id} is too late"
        )
    return tuple(hit)


def freeze(store: Store, session: date, base: date | None) -> Frozen:
    """Fix what execute goes by, unless that was done before; return what is fixed.

    `base` is the settled session whose books it starts from; None for the first.
    """
    held = frozen(store, session)
    if held is not None:
        return held
    made = plans(store, session)
    last = made[-1] if made else None
    vetoes = [i.removeprefix("veto-") for i in event_ids(store, session) if i.startswith("veto-")]
    body = {
        "kind": FREEZE,
        "number": last.number if last else 0,
        "plan": last.id if last else None,
        "vetoes": sorted(vetoes),
        "base": base.isoformat() if base else None,
    }
    write(store, session, FREEZE, body)
    held = frozen(store, session)
    assert held is not None
    return held


def frozen(store: Store, session: date) -> Frozen | None:
    """Return what the session is frozen with, or None while it is not."""
    body = read(store, session, FREEZE)
    if body is None:
        return None
    base = body["base"]
    return Frozen(
        body["number"],
        body["plan"],
        tuple(body["vetoes"]),
        date.fromisoformat(base) if base else None,
    )


# ---------------------------------------------------------------- which sessions are settled


def chain(store: Store, last: date) -> Chain:
    """Return from where and over which sessions the books reach the close of `last`.

    Usually the session before `last` is settled, and two look-ups tell. After a gap (a laptop
    that was off) the settled sessions are listed; a ledger without any begins with its first plan.
    """
    before = sessions.previous_session(last)
    if _is_settled(store, last):
        return Chain(last, ())
    if _is_settled(store, before):
        return Chain(before, (last,))
    done = [s for s in settled_sessions(store) if s < last]
    if done:
        base = max(done)
        return Chain(base, sessions.sessions_between(sessions.next_session(base), last))
    planned = [s for s in _dates(store, "events/") if s <= last]
    if not planned:
        return Chain(None, ())
    return Chain(None, sessions.sessions_between(min(planned), last))


def settled_sessions(store: Store) -> list[date]:
    """Return all sessions with a `positions` table, ascending."""
    return _dates(store, "positions/")


def require_settled(store: Store, session: date) -> dict[str, Any]:
    """Return the `settled` event of a session that must have one.

    Raises:
        LedgerMismatch: the event is gone, so the books cannot be known.
    """
    body = read(store, session, SETTLED)
    if body is None:
        raise LedgerMismatch(
            f"{store.uri(layout.event(session, SETTLED))} is missing although later events build "
            "on it; restore it from a backup: trading halts until then"
        )
    return body


def _is_settled(store: Store, session: date) -> bool:
    # positions is the last object that settling writes
    return store.exists(layout.ledger("positions", session))


def _dates(store: Store, prefix: str) -> list[date]:
    found = {m[1] for info in store.list(prefix) if (m := _SESSION.search(info.key))}
    return sorted(date.fromisoformat(text) for text in found)
