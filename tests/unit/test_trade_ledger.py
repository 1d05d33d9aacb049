"""The ledger's events: which plan stands, what freezing fixes, and where the books begin."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cashtag.lake import layout
from cashtag.lake.disk import FolderStore
from cashtag.trade import ledger
from cashtag.trade.intents import Intent, canonical, client_order_id, digest12

MON, TUE, WED, THU = (date(2026, 3, d) for d in (2, 3, 4, 5))


def intent(symbol: str, quantity: float = 1.0) -> Intent:
    return Intent(
        "a", TUE, symbol, symbol, "STOCK", "entry", "BUY", quantity, 100.0, "simulated", "signal"
    )


def body(*intents: Intent) -> dict[str, Any]:
    rows = [i.body() for i in intents]
    return {"kind": "plan", "plan": digest12(rows), "intents": rows, "decisions": []}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_an_orders_id_names_account_session_contract_leg_and_attempt() -> None:
    made = client_order_id("large-100k", TUE, "BRK.B", "exit", 2)
    assert made == "large-100k-2026-03-03-BRK.B-exit-2"
    assert intent("NVDA").client_order_id == "a-2026-03-03-NVDA-entry-1"


def test_an_intent_is_its_content() -> None:
    assert intent("NVDA", 1).id == intent("NVDA", 1).id
    assert intent("NVDA", 1).id != intent("NVDA", 2).id
    assert intent("NVDA", 1).client_order_id == intent("NVDA", 2).client_order_id
    assert Intent.of(intent("NVDA").body()) == intent("NVDA")


def test_json_has_one_spelling_and_no_nan() -> None:
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_the_last_plan_stands_and_a_repeated_one_is_no_new_one(store: FolderStore) -> None:
    first, second = body(intent("NVDA")), body(intent("TSLA"))
    assert ledger.record_plan(store, TUE, first)[1] is True
    assert ledger.record_plan(store, TUE, first)[1] is False
    assert ledger.record_plan(store, TUE, second)[1] is True
    recorded, written = ledger.record_plan(store, TUE, first)  # back to the first inputs
    assert written
    assert recorded is not None
    assert recorded.number == 3
    assert [p.id for p in ledger.plans(store, TUE)] == [
        first["plan"], second["plan"], first["plan"],
    ]  # fmt: skip


def test_an_intent_that_both_plans_hold_is_not_cancelled(store: FolderStore) -> None:
    ledger.record_plan(store, TUE, body(intent("NVDA"), intent("TSLA")))
    ledger.record_plan(store, TUE, body(intent("NVDA"), intent("AAPL")))
    cancelled = [i for i in ledger.event_ids(store, TUE) if i.startswith("cancel-")]
    assert cancelled == [f"cancel-{intent('TSLA').id}-0002"]


def test_of_two_plans_made_at_once_both_are_kept_in_an_order(store: FolderStore) -> None:
    first, second = body(intent("NVDA")), body(intent("TSLA"))

    class Overtaken(FolderStore):
        done = False

        def put_if_absent(self, key: str, data: bytes) -> bool:
            if "plan-" in key and not self.done:
                self.done = True
                ledger.record_plan(store, TUE, second)  # takes the number just before us
            return super().put_if_absent(key, data)

    recorded, written = ledger.record_plan(Overtaken(store.root), TUE, first)
    assert written
    assert recorded is not None
    assert (recorded.number, recorded.id) == (2, first["plan"])
    assert [p.id for p in ledger.plans(store, TUE)] == [second["plan"], first["plan"]]


def test_freezing_happens_once(store: FolderStore) -> None:
    ledger.record_plan(store, TUE, body(intent("NVDA")))
    frozen = ledger.freeze(store, TUE, MON)
    assert (frozen.number, frozen.base, frozen.vetoes) == (1, MON, ())
    assert ledger.freeze(store, TUE, None) == frozen
    assert ledger.record_plan(store, TUE, body(intent("TSLA"))) == (None, False)
    assert len(ledger.plans(store, TUE)) == 1


def test_a_plan_that_was_being_written_when_execute_began_is_none(store: FolderStore) -> None:
    ledger.record_plan(store, TUE, body(intent("NVDA")))

    class Overtaken(FolderStore):
        def put_if_absent(self, key: str, data: bytes) -> bool:
            if "plan-" in key:
                ledger.freeze(store, TUE, MON)
            return super().put_if_absent(key, data)

    late = ledger.record_plan(Overtaken(store.root), TUE, body(intent("TSLA")))
    assert late == (None, False)
    assert [p.number for p in ledger.plans(store, TUE)] == [1]
    assert not [i for i in ledger.event_ids(store, TUE) if i.startswith("cancel-")]


def test_a_session_without_plan_freezes_as_such(store: FolderStore) -> None:
    frozen = ledger.freeze(store, TUE, MON)
    assert (frozen.number, frozen.plan) == (0, None)
    assert ledger.record_plan(store, TUE, body(intent("NVDA"))) == (None, False)
    assert ledger.plans(store, TUE) == ()


def settled(store: FolderStore, *days: date) -> None:
    for day in days:
        store.put(layout.ledger("positions", day), b"")


def test_books_continue_from_the_session_before(store: FolderStore) -> None:
    settled(store, MON, TUE)
    assert ledger.chain(store, WED) == ledger.Chain(TUE, (WED,))
    assert ledger.chain(store, TUE) == ledger.Chain(TUE, ())


def test_after_a_gap_every_session_between_is_settled_in_turn(store: FolderStore) -> None:
    settled(store, date(2026, 2, 26), MON)
    assert ledger.chain(store, THU) == ledger.Chain(MON, (TUE, WED, THU))
    # Friday 27 February lies between the two
    assert ledger.chain(store, date(2026, 2, 27)) == ledger.Chain(
        date(2026, 2, 26), (date(2026, 2, 27),)
    )


def test_a_ledger_begins_with_its_first_plan(store: FolderStore) -> None:
    assert ledger.chain(store, WED) == ledger.Chain(None, ())
    ledger.record_plan(store, TUE, body())
    assert ledger.chain(store, WED) == ledger.Chain(None, (TUE, WED))
    assert ledger.chain(store, MON) == ledger.Chain(None, ())
