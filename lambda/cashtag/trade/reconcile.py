"""Whether the books after a session are what its events say: positions, fills, and the table.

A ledger is the one thing that nobody can make again. What is compared here is redundant on
purpose: the books, the fills that led to them, the recorded positions and their table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from cashtag import sessions
from cashtag.lake import layout
from cashtag.ports import Store
from cashtag.trade import ledger

CASH = "CASH"
_LARGEST_SPLIT = 50  # shares for one, or one for so many
_NEAR = 1e-6  # of shares, and of a cost in dollars, relative: what decimal digits leave


@dataclass(frozen=True)
class Reconciled:
    """The newest settled session, and every difference in words.

    By account: `held` is the number of positions, `equity` dollars before and after the session.
    """

    session: date
    held: dict[str, int]
    equity: dict[str, tuple[float, float]]
    differences: tuple[str, ...]


def newest(store: Store, session: date) -> Reconciled | None:
    """Compare the newest settled session up to `session`; None while none is settled.

    Raises:
        LedgerMismatch: an event that later ones build on is gone.
        TradeError: an event is damaged.
    """
    settled = _newest(store, session)
    if settled is None:
        return None
    body = ledger.require_settled(store, settled)
    base = body["base"]
    before = ledger.require_settled(store, date.fromisoformat(base))["books"] if base else {}
    found = [
        *_positions(body["books"], body["positions"]),
        *_fills(before, body["books"], body["trades"]),
        *_table(store, settled, body["positions"]),
    ]
    held = {name: len(book["holdings"]) for name, book in sorted(body["books"].items())}
    equity = {
        name: (book["previous_equity"], book["equity"])
        for name, book in sorted(body["books"].items())
    }
    return Reconciled(settled, held, equity, tuple(found))


def _newest(store: Store, session: date) -> date | None:
    for near in (session, sessions.previous_session(session)):
        if store.exists(layout.ledger("positions", near)):
            return near
    return max((s for s in ledger.settled_sessions(store) if s <= session), default=None)


def _positions(books: Mapping[str, Any], positions: list[dict[str, Any]]) -> Iterator[str]:
    """Books against the positions that were recorded beside them."""
    recorded = {(row["account"], row["symbol"]): row["quantity"] for row in positions}
    derived = {
        (name, symbol): holding["quantity"]
        for name, book in books.items()
        for symbol, holding in book["holdings"].items()
    }
    derived |= {(name, CASH): book["cash"] for name, book in books.items()}
    yield from _unequal(derived, recorded, "the book has", "the recorded position is")


def _fills(
    before: Mapping[str, Any], after: Mapping[str, Any], trades: list[dict[str, Any]]
) -> Iterator[str]:
    """What was held before, and what was filled, against what is held after."""
    net: dict[tuple[str, str], float] = {}
    for row in trades:
        sign = 1.0 if row["direction"] == "BUY" else -1.0
        place = row["account"], row["symbol"]
        net[place] = net.get(place, 0.0) + sign * row["filled_quantity"]
    for name, book in sorted(after.items()):
        old = before.get(name, {}).get("holdings", {})
        for symbol in sorted({*old, *book["holdings"]}):
            was, now = old.get(symbol), book["holdings"].get(symbol)
            filled = net.get((name, symbol))
            if was is not None and now is not None and filled is None:
                # A split changes quantity and price, never what was paid.
                fits = _near(*(h["quantity"] * h["average_price"] for h in (was, now)))
            elif was is None:
                fits = now is not None and _near(now["quantity"], filled or 0.0)
            else:
                left = now["quantity"] if now is not None else 0.0
                fits = _near(left, was["quantity"] + (filled or 0.0))
                # Buying moves the average too; but the desk buys nothing that it holds.
                if not fits and now is not None and filled is not None and filled < 0:
                    fits = _split(was, now, filled)
            if not fits:
                yield (
                    f"{name} held {was['quantity'] if was else 0:g} {symbol}, filled "
                    f"{filled or 0.0:+g}, and holds {now['quantity'] if now else 0:g}"
                )


def _split(was: Mapping[str, Any], now: Mapping[str, Any], filled: float) -> bool:
    """Whether a split of that day explains the rest: by a ratio of small numbers, at another price."""
    ratio = (now["quantity"] - filled) / was["quantity"]
    whole = float(Fraction(ratio).limit_denominator(_LARGEST_SPLIT))
    return (
        ratio > 0 and _near(ratio, whole) and not _near(was["average_price"], now["average_price"])
    )


def _table(store: Store, session: date, positions: list[dict[str, Any]]) -> Iterator[str]:
    """The table that people query against the event that it is made from."""
    from cashtag.lake import contracts, parquet

    contract = contracts.contract("positions")
    data = store.get(layout.ledger("positions", session))
    rows = parquet.read(contract, data, columns=["account", "symbol", "quantity"]).to_pylist()
    table = {(row["account"], row["symbol"]): row["quantity"] for row in rows}
    events = {(row["account"], row["symbol"]): row["quantity"] for row in positions}
    yield from _unequal(events, table, "the event says", "the table positions says")


def _unequal(
    one: Mapping[tuple[str, str], float],
    other: Mapping[tuple[str, str], float],
    first: str,
    second: str,
) -> Iterator[str]:
    for account, symbol in sorted({*one, *other}):
        a, b = one.get((account, symbol)), other.get((account, symbol))
        if a is None or b is None or not _near(a, b):
            told = ["none" if x is None else f"{x:g}" for x in (a, b)]
            yield f"{account} {symbol}: {first} {told[0]}, {second} {told[1]}"


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= _NEAR * max(1.0, abs(a), abs(b))
