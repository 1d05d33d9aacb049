"""Plan a session: signals and books in, order intents and every gate's word out, into the ledger.

The plan's id is a hash of its content, so planning twice is planning once. Until the session is
frozen a plan with other inputs replaces the former; afterwards it is refused, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from cashtag import sessions
from cashtag.errors import SettingsError
from cashtag.scrape import assets
from cashtag.trade import ledger, settle, tables
from cashtag.trade.books import Book
from cashtag.trade.candidates import Desk
from cashtag.trade.intents import Decision, Intent, digest12
from cashtag.trade.market import Signal, read_signals

if TYPE_CHECKING:
    from cashtag.ports import Env
    from cashtag.settings import Settings

Status = Literal["planned", "unchanged", "frozen", "refused"]


@dataclass(frozen=True)
class Plan:
    """A session's plan as it stands.

    `status`: `planned` (this call wrote it), `unchanged` (it was there), `frozen` (the session is
    being or was executed; what stands is what was frozen), `refused` (nothing can be planned).
    `note` says in words what is unusual. `signals` are those with a direction.
    """

    session: date
    mode: str
    status: Status
    id: str | None = None
    intents: tuple[Intent, ...] = ()
    decisions: tuple[Decision, ...] = ()
    signals: tuple[Signal, ...] = ()
    n_signals: int = 0
    partial: bool = False
    books: Mapping[str, Book] | None = None
    note: str | None = None

    @property
    def blocked(self) -> tuple[tuple[str, str, tuple[Decision, ...]], ...]:
        """(account, ticker, the rows that blocked it) of every candidate without an intent."""
        found: dict[tuple[str, str], list[Decision]] = {}
        for row in self.decisions:
            if row.verdict != "pass":
                found.setdefault((row.account, row.ticker), []).append(row)
        return tuple((account, ticker, tuple(rows)) for (account, ticker), rows in found.items())


def accounts(settings: Settings) -> tuple[str, ...]:
    """Return the accounts that trade, sorted.

    Raises:
        SettingsError: one of them, or `trade.desk`, needs the options desk, which is not here.
    """
    if settings.trade.desk != "stocks":
        raise SettingsError(
            f"trade.desk = {settings.trade.desk!r}: the options desk is not available in this "
            "version; set trade.desk to 'stocks'"
        )
    for name in settings.trade.accounts:
        if settings.accounts[name].kind != "STOCK":
            raise SettingsError(
                f"trade.accounts names {name!r}, whose kind is {settings.accounts[name].kind}: the "
                "options desk is not available in this version; take it out of trade.accounts"
            )
    return tuple(sorted(set(settings.trade.accounts)))


def plan(env: Env, session: date) -> Plan:
    """Plan `session` from its signals and the books after the session before it.

    To be called on the session's own run, after `settle`.

    Raises:
        SettingsError: an account that this desk cannot trade for.
        TradeError: the session has no signals.
    """
    store, mode = env.lake.ledger, env.settings.trade.mode
    names = accounts(env.settings)
    frozen = ledger.frozen(store, session)
    if frozen is not None:
        base = frozen.base
    else:
        before = sessions.previous_session(session)
        chain = ledger.chain(store, before)
        base = chain.base
        if chain.sessions:
            note = f"the books end before {before}; settle it first"
            return Plan(session, mode, "refused", note=note)
        if base is None and (later := [s for s in ledger.settled_sessions(store) if s > session]):
            note = (
                f"the ledger begins after {session} (first settled session {later[0]}) and only "
                "grows forward; take a new lake to trade earlier sessions"
            )
            return Plan(session, mode, "refused", note=note)
    made = _make(env, session, names, base)
    recorded, written = ledger.record_plan(store, session, made.body)
    tables.project(env, session)
    if recorded is None:
        return _late(env, session, made)
    status: Status = "planned" if written else "unchanged" if frozen is None else "frozen"
    return made.standing(status)


@dataclass(frozen=True)
class _Made:
    """A plan as computed, before the ledger has said whether it stands."""

    body: dict[str, Any]
    signals: tuple[Signal, ...]
    books: Mapping[str, Book]

    def standing(self, status: Status) -> Plan:
        return _plan_of(self.body, self, status)


def _plan_of(body: dict[str, Any], made: _Made, status: Status, note: str | None = None) -> Plan:
    return Plan(
        session=date.fromisoformat(body["session"]),
        mode=body["mode"],
        status=status,
        id=body["plan"],
        intents=tuple(Intent.of(i) for i in body["intents"]),
        decisions=tuple(Decision(**d) for d in body["decisions"]),
        signals=tuple(s for s in made.signals if s.direction != "HOLD"),
        n_signals=len(made.signals),
        partial=body["partial"],
        books=made.books,
        note=note,
    )


def _late(env: Env, session: date, made: _Made) -> Plan:
    """What stands is what was frozen; the late plan leaves no trace but this note."""
    stands = ledger.plans(env.lake.ledger, session)
    note = f"session {session} was executed before this plan; its inputs have changed since"
    if not stands:
        note = f"session {session} was settled without a plan; a late one is refused"
        return Plan(session, env.settings.trade.mode, "refused", books=made.books, note=note)
    return _plan_of(stands[-1].body, made, "frozen", note)


def _make(env: Env, session: date, names: tuple[str, ...], base: date | None) -> _Made:
    settings = env.settings
    signals, state = read_signals(env, session)
    stock = tuple(s for s in signals if s.kind == "STOCK")
    held = settle.books_after(env, base)
    opened = settle.opening_books(settings, held)
    books = {**held, **opened}
    partial = any(s.partial for s in signals)
    inputs = {
        "kind": "plan",
        "session": session.isoformat(),
        "mode": settings.trade.mode,
        "config_hash": settings.config_hash(),
        "signals": state,
        "base": base.isoformat() if base else None,
        "partial": partial,
        "opened": {name: tables.book_body(book) for name, book in sorted(opened.items())},
    }
    desk = Desk(settings, session, books, partial, assets.recorded(env.lake.raw, session))
    for name in names:
        desk.plan_account(books[name], stock)
    intents = [i.body() for i in desk.intents]
    rows = [d.body() for d in desk.decisions]
    plan_id = digest12({**inputs, "intents": intents, "decisions": rows})
    decisions = [{**row, "plan": plan_id} for row in rows]
    body = {**inputs, "plan": plan_id, "intents": intents, "decisions": decisions}
    return _Made(body, stock, books)
