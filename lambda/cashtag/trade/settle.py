"""Settle a session: replay what execute and manage did, once its bars are known.

A session is settled from the first run that knows its bars, and once: the `settled` event says
how it ended, and every later call only rebuilds the tables from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from cashtag import sessions
from cashtag.trade import books, ledger, replay, rows, tables
from cashtag.trade.books import Book
from cashtag.trade.intents import Intent
from cashtag.trade.market import Bar, read_bars

if TYPE_CHECKING:
    from cashtag.ports import Env
    from cashtag.settings import Settings


@dataclass(frozen=True)
class Settled:
    """How the session before a run ended.

    Rows are those of the tables of the same names, as JSON values. `new` tells the sessions that
    this call settled, usually one; `postponed` says why the session could not be settled yet.
    """

    session: date
    new: tuple[date, ...] = ()
    trades: tuple[dict[str, Any], ...] = ()
    outcomes: tuple[dict[str, Any], ...] = ()
    positions: tuple[dict[str, Any], ...] = ()
    decisions: tuple[dict[str, Any], ...] = ()
    postponed: str | None = None

    @property
    def accounts(self) -> tuple[dict[str, Any], ...]:
        """The CASH rows: one per account, with its equity."""
        return tuple(row for row in self.positions if row["symbol"] == "CASH")


def settle(env: Env, session: date) -> Settled:
    """Settle the session before `session` from the bars that the run of `session` knows.

    Sessions that no run settled are settled first, without a plan where none was made. A ledger
    without plans has nothing to settle and stays empty. While the newest bar is older than the
    session (the feed is late), nothing is settled: the next run does it.

    Raises:
        LedgerMismatch: fills and broker, or events and their base, do not add up.
    """
    target = sessions.previous_session(session)
    store = env.lake.ledger
    chain = ledger.chain(store, target)
    new: list[date] = []
    open_sessions = [s for s in chain.sessions if ledger.read(store, s, ledger.SETTLED) is None]
    if open_sessions:
        bars = read_bars(env, session, open_sessions)
        if bars.last is None or bars.last < target:
            return Settled(
                target,
                postponed=f"run {session} knows no bars of {target} (newest: {bars.last or 'none'}); "
                "it is settled by the next run that does",
            )
        base = chain.base
        for each in chain.sessions:
            if each in open_sessions and _settle_one(env, each, base, bars.of(each)):
                new.append(each)
            base = each
    for each in chain.sessions or ((target,) if chain.base == target else ()):
        tables.project(env, each)
    return recorded(env, session, tuple(new))


def recorded(env: Env, session: date, new: tuple[date, ...] = ()) -> Settled:
    """Return how the session before `session` ended, as its event has it; settle nothing."""
    target = sessions.previous_session(session)
    body = ledger.read(env.lake.ledger, target, ledger.SETTLED)
    if body is None:
        return Settled(target)
    return Settled(
        target,
        new,
        trades=tuple(body["trades"]),
        outcomes=tuple(body["outcomes"]),
        positions=tuple(body["positions"]),
        decisions=tuple(body["decisions"]),
    )


def _settle_one(env: Env, session: date, base: date | None, bars: Mapping[str, Bar]) -> bool:
    """Freeze and replay one session; True when this call was the one that settled it."""
    store, settings = env.lake.ledger, env.settings
    frozen = ledger.freeze(store, session, base)
    held = books_after(env, frozen.base)
    intents: tuple[Intent, ...] = ()
    if frozen.number:
        body = ledger.read(store, session, f"plan-{frozen.number:04d}")
        assert body is not None
        standing = ledger.Recorded(frozen.number, body)
        intents = standing.intents
        held = {name: tables.book_of(b) for name, b in standing.body["opened"].items()} | held
    return ledger.write(
        store, session, ledger.SETTLED, replayed(session, frozen, held, intents, bars, settings)
    )


def replayed(
    session: date,
    frozen: ledger.Frozen,
    held: Mapping[str, Book],
    intents: tuple[Intent, ...],
    bars: Mapping[str, Bar],
    settings: Settings,
) -> dict[str, Any]:
    """Return the body of the `settled` event: a function of its arguments alone."""
    accounts = {
        name: replay.begin(held[name], session, bars, settings, frozen.plan)
        for name in sorted(held)
    }
    for name, account in accounts.items():
        others = sum(a.book.exposure for n, a in accounts.items() if n != name)
        mine = tuple(i for i in intents if i.account == name)
        replay.execute(account, mine, frozenset(frozen.vetoes), others)
    for account in accounts.values():
        replay.manage(account)
        replay.close(account)
    whole = list(accounts.values())
    return {
        "kind": ledger.SETTLED,
        "session": session.isoformat(),
        "base": frozen.base.isoformat() if frozen.base else None,
        "plan": frozen.plan,
        "books": {name: tables.book_body(a.book) for name, a in accounts.items()},
        "trades": [row for a in whole for row in a.trades],
        "outcomes": [row for a in whole for row in a.outcomes],
        "positions": [row for a in whole for row in rows.position_rows(a.book)],
        "decisions": [d.body() for a in whole for d in a.decisions],
    }


def books_after(env: Env, base: date | None) -> dict[str, Book]:
    """Return the books after the close of `base` by account; none before the first session."""
    if base is None:
        return {}
    body = ledger.require_settled(env.lake.ledger, base)
    return {name: tables.book_of(book) for name, book in body["books"].items()}


def opening_books(settings: Settings, held: Mapping[str, Book]) -> dict[str, Book]:
    """Return books for the accounts that trade now and have none yet: their settings' equity."""
    return {
        name: books.opened(
            name,
            settings.accounts[name].equity,
            settings.accounts[name].kind,
            settings.accounts[name].strategy,
        )
        for name in settings.trade.accounts
        if name not in held
    }
