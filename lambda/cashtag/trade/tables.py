"""The ledger's tables, rebuilt from the events of their session and from nothing else.

`decisions` holds the plans' rows and, once settled, those of execute; `trades`, `outcomes` and
`positions` say how the session ended. `positions` is written last: where it is, the session's
tables are whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from cashtag.lake import layout
from cashtag.trade import ledger
from cashtag.trade.books import Book, Holding, Statistics, Streak

if TYPE_CHECKING:
    from cashtag.ports import Env

_DATES, _MOMENTS = frozenset({"opened", "last"}), frozenset({"timestamp", "filled_at"})


def project(env: Env, session: date) -> None:
    """Write the session's tables as its events have them; write nothing where nothing changed.

    Another process may add events meanwhile: whoever finds more events after writing than
    before writes again, so that the last writer has seen them all.
    """
    store = env.lake.ledger
    seen: tuple[str, ...] = ()
    while (now := ledger.event_ids(store, session)) != seen:
        seen = now
        for table, rows in _tables(env, session).items():
            _replace(env, table, session, rows)


def _tables(env: Env, session: date) -> dict[str, list[dict[str, Any]]]:
    store = env.lake.ledger
    settled = ledger.read(store, session, ledger.SETTLED)
    decisions: dict[str, list[dict[str, Any]]] = {}
    for recorded in ledger.plans(store, session):
        decisions[recorded.id] = recorded.body["decisions"]
    rows = [row for plan in decisions.values() for row in plan]
    if settled is None:
        return {"decisions": rows}
    return {
        "decisions": rows + settled["decisions"],
        "trades": settled["trades"],
        "outcomes": settled["outcomes"],
        "positions": settled["positions"],
    }


def _replace(env: Env, table: str, session: date, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    from cashtag.lake import contracts, parquet

    contract = contracts.contract(table)
    typed = pa.Table.from_pylist([_typed(r) for r in rows], schema=contract.arrow_schema())
    data = parquet.write(contract, typed)
    key, store = layout.ledger(table, session), env.lake.ledger
    if not store.exists(key) or store.get(key) != data:
        store.put(key, data)
    env.warehouse.register(table, session)


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """JSON texts to dates and naive UTC moments, where the columns hold such."""
    return {k: _value(k, v) for k, v in row.items()}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _DATES:
        return date.fromisoformat(value)
    if name in _MOMENTS:
        return datetime.fromisoformat(value).replace(tzinfo=None)
    return value


# ---------------------------------------------------------------- books as JSON


def book_body(book: Book) -> dict[str, Any]:
    """Return a book as JSON values."""
    body = asdict(book)
    for holding in body["holdings"].values():
        holding["opened"] = holding["opened"].isoformat()
    for streak in body["streaks"].values():
        streak["last"] = streak["last"].isoformat()
    return body


def book_of(body: Mapping[str, Any]) -> Book:
    """Read what `book_body` wrote."""
    holdings = {
        s: Holding(**{**h, "opened": date.fromisoformat(h["opened"])})
        for s, h in sorted(body["holdings"].items())
    }
    streaks = {
        t: Streak(s["losses"], date.fromisoformat(s["last"]))
        for t, s in sorted(body["streaks"].items())
    }
    statistics = Statistics(**body["statistics"])
    rest = {**body, "holdings": holdings, "streaks": streaks, "statistics": statistics}
    return Book(**rest)
