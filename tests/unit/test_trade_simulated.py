"""The simulated broker: fills by hand, and nothing without a price."""

from __future__ import annotations

from datetime import date

import pytest

from cashtag import sessions
from cashtag.errors import LedgerMismatch, TradeError
from cashtag.ports import Broker, OrderRequest, Position
from cashtag.settings import load
from cashtag.trade import books
from cashtag.trade.simulated import SimulatedBroker, reconcile

MONDAY = date(2026, 3, 2)
OPEN, CLOSE = sessions.opens(MONDAY), sessions.closes(MONDAY)


def broker(
    prices: dict[str, float] | None = None,
    *,
    volume: float = 1e6,
    cash: float = 10_000,
    **costs: float,
) -> SimulatedBroker:
    overrides = {f"trade.simulation.{k}": v for k, v in costs.items()}
    simulation = load(environ={}, overrides=overrides).trade.simulation
    book = books.opened("a", cash, "STOCK", "swing")
    made = SimulatedBroker(book, MONDAY, {"NVDA": volume}, simulation)
    made.move(OPEN, {"NVDA": 100.0} if prices is None else prices)
    return made


def buy(quantity: float, key: str = "o1", **more: float) -> OrderRequest:
    return OrderRequest(key, "NVDA", "BUY", quantity, **more)  # type: ignore[arg-type]


def sell(quantity: float, key: str = "s1") -> OrderRequest:
    return OrderRequest(key, "NVDA", "SELL", quantity)


def test_it_is_a_broker_and_says_that_it_is_simulated() -> None:
    made: Broker = broker()
    assert made.simulated


def test_a_purchase_pays_and_a_sale_gets_less_by_the_slippage() -> None:
    made = broker(slippage_bps=10.0)
    assert made.submit(buy(10)).filled_price == pytest.approx(100.1)  # 10 bps of 100 are 10 cents
    assert made.submit(sell(10)).filled_price == pytest.approx(99.9)
    assert made.account().cash == pytest.approx(9_998)  # 2 x 10 x .10


def test_fees_are_paid_per_order() -> None:
    made = broker(slippage_bps=0.0, fee_per_order=1.5)
    order = made.submit(buy(10))
    assert order.fees == 1.5
    assert made.account().cash == 8_998.5


def test_equity_follows_the_price() -> None:
    made = broker(slippage_bps=0.0)
    made.submit(buy(10))
    made.move(CLOSE, {"NVDA": 103.0})
    account = made.account()
    assert (account.cash, account.equity, account.previous_equity) == (9_000, 10_030, 10_000)
    assert made.positions() == (Position("NVDA", 10, 100.0, 1_030.0),)


def test_at_most_a_share_of_the_volume_is_filled() -> None:
    made = broker(volume=1_250, max_volume_share=0.01)  # 12.5 shares: twelve
    order = made.submit(buy(20))
    assert (order.status, order.filled_quantity) == ("partially_filled", 12)
    assert "1.00% of NVDA's volume" in str(order.reason)
    again = made.submit(sell(12))  # the day's volume is used up
    assert (again.status, again.filled_quantity) == ("expired", 0)


def test_without_a_price_nothing_is_filled() -> None:
    made = broker({})
    assert made.quote("NVDA") is None
    order = made.submit(buy(1))
    assert (order.status, order.filled_quantity) == ("expired", 0)
    assert "no bar of 2026-03-02" in str(order.reason)


def test_the_same_order_id_twice_is_one_order() -> None:
    made = broker()
    first, second = made.submit(buy(10)), made.submit(buy(10))
    assert first == second
    assert len(made.orders(MONDAY)) == 1
    assert made.positions()[0].quantity == 10


def test_orders_that_cannot_be_are_rejected() -> None:
    made = broker()
    assert made.submit(buy(101, "much")).status == "rejected"  # 10106 dollars of 10000
    assert made.submit(sell(1, "short")).status == "rejected"
    assert made.submit(buy(0, "none")).status == "rejected"
    assert made.account().cash == 10_000


def test_a_limit_waits_can_be_cancelled_and_lapses() -> None:
    made = broker(slippage_bps=0.0)
    request = OrderRequest("l1", "NVDA", "BUY", 1, "limit", limit_price=99.0)
    assert made.submit(request).status == "accepted"
    made.cancel("l1")
    assert made.orders(MONDAY)[0].status == "canceled"
    made.submit(OrderRequest("l2", "NVDA", "BUY", 1, "limit", limit_price=99.0))
    made.expire()
    assert [o.status for o in made.orders(MONDAY)] == ["canceled", "expired"]
    assert made.submit(OrderRequest("l3", "NVDA", "BUY", 1, "limit", limit_price=100.0)).status == (
        "filled"
    )
    with pytest.raises(TradeError, match="no order 'nothing'"):
        made.cancel("nothing")


def test_its_clock_is_moved_by_hand_and_only_forward() -> None:
    made = broker()
    assert made.clock().is_open
    assert made.clock().session == MONDAY
    made.move(CLOSE, {})
    with pytest.raises(TradeError, match="cannot go back"):
        made.move(OPEN, {})


def test_reconcile_halts_when_a_position_or_the_cash_differs() -> None:
    book = books.buy(books.opened("a", 1e4, "STOCK", "swing"), "NVDA", 10, 100.0, 0, MONDAY)
    held = [Position("NVDA", 10, 100.0, 1_000.0)]
    reconcile(book, 9_000.0, held)
    with pytest.raises(LedgerMismatch, match="NVDA: ours 10, theirs 9"):
        reconcile(book, 9_000.0, [Position("NVDA", 9, 100.0, 900.0)])
    with pytest.raises(LedgerMismatch, match="TSLA: ours 0, theirs 1"):
        reconcile(book, 9_000.0, [*held, Position("TSLA", 1, 1.0, 1.0)])
    with pytest.raises(LedgerMismatch, match=r"cash: ours 9000\.00, theirs 8999\.00"):
        reconcile(book, 8_999.0, held)
