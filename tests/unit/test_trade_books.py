"""Books: arithmetic of fills, splits and dividends, and the identity that no sequence breaks."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cashtag.errors import TradeError
from cashtag.trade import books, tables
from cashtag.trade.books import Book

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def cash(dollars: float = 10_000.0) -> Book:
    return books.opened("a", dollars, "STOCK", "swing")


def test_a_purchase_turns_cash_into_shares() -> None:
    book = books.mark(books.buy(cash(), "NVDA", 10, 100.0, 1.0, MONDAY), {"NVDA": 102.0})
    assert book.cash == 8_999  # 10000 - 10 x 100 - 1
    assert book.exposure == 1_020
    assert book.equity == 10_019
    assert book.holdings["NVDA"].unrealised == 20
    assert book.realised["NVDA"] == -1  # the fee


def test_a_second_purchase_averages_the_cost() -> None:
    book = books.buy(cash(), "NVDA", 10, 100.0, 0.0, MONDAY)
    book = books.buy(book, "NVDA", 30, 120.0, 0.0, TUESDAY)
    holding = book.holdings["NVDA"]
    assert holding.average_price == 115  # (10 x 100 + 30 x 120) / 40
    assert holding.opened == MONDAY


def test_a_partial_sale_keeps_the_position_open_and_the_last_share_closes_it() -> None:
    book = books.buy(cash(), "NVDA", 10, 100.0, 2.0, MONDAY)
    book, gain, outcome = books.sell(book, "NVDA", 4, 110.0, 1.0, MONDAY, "target")
    assert gain == 40
    assert outcome is None
    assert book.holdings["NVDA"].quantity == 6
    book, gain, outcome = books.sell(book, "NVDA", 6, 105.0, 1.0, TUESDAY, "stop")
    assert gain == 30
    assert outcome is not None
    assert outcome.exit_price == 107  # (4 x 110 + 6 x 105) / 10
    assert outcome.quantity == 10
    assert outcome.profit == 66  # 40 + 30 gained, 4 of fees
    assert outcome.return_rate == pytest.approx(0.066)  # of 1000 paid
    assert book.holdings == {}
    assert book.cash == 10_066


def test_more_than_is_held_cannot_be_sold() -> None:
    book = books.buy(cash(), "NVDA", 10, 100.0, 0.0, MONDAY)
    with pytest.raises(TradeError, match="sale of 11 NVDA where 10 are held"):
        books.sell(book, "NVDA", 11, 100.0, 0.0, MONDAY, "signal")
    with pytest.raises(TradeError, match="where 0 are held"):
        books.sell(cash(), "NVDA", 1, 100.0, 0.0, MONDAY, "signal")


def test_a_split_changes_shares_and_prices_but_no_value() -> None:
    book = books.mark(books.buy(cash(), "NVDA", 10, 120.0, 0.0, MONDAY), {"NVDA": 120.0})
    after = books.apply_split(book, "NVDA", 3.0)
    holding = after.holdings["NVDA"]
    assert (holding.quantity, holding.average_price, holding.mark) == (30, 40, 40)
    assert books.mark(after, {}).equity == book.equity


def test_a_reverse_split_keeps_the_fraction_of_a_share() -> None:
    book = books.buy(cash(), "NVDA", 15, 10.0, 0.0, MONDAY)
    assert books.apply_split(book, "NVDA", 0.1).holdings["NVDA"].quantity == pytest.approx(1.5)


def test_a_split_of_zero_is_refused() -> None:
    book = books.buy(cash(), "NVDA", 15, 10.0, 0.0, MONDAY)
    with pytest.raises(TradeError, match="must be above 0"):
        books.apply_split(book, "NVDA", 0.0)


def test_a_dividend_is_paid_in_cash_and_belongs_to_the_outcome() -> None:
    book = books.buy(cash(), "NVDA", 10, 100.0, 0.0, MONDAY)
    book = books.apply_dividend(book, "NVDA", 0.5)
    assert book.cash == 9_005
    assert book.realised["NVDA"] == 5
    _, gain, outcome = books.sell(book, "NVDA", 10, 99.0, 0.0, TUESDAY, "stop")
    assert gain == -10
    assert outcome is not None
    assert outcome.profit == -5  # ten lost on the shares, five paid as dividend


def test_losses_in_a_row_are_counted_until_a_win() -> None:
    book = cash()
    for session, price in ((MONDAY, 99.0), (TUESDAY, 98.0)):
        book = books.buy(book, "NVDA", 1, 100.0, 0.0, session)
        book, _, _ = books.sell(book, "NVDA", 1, price, 0.0, session, "stop")
    assert book.streaks["NVDA"] == books.Streak(2, TUESDAY)
    assert book.statistics == books.Statistics(trades=2, wins=0, won=0.0, lost=3.0)
    book = books.buy(book, "NVDA", 1, 100.0, 0.0, TUESDAY)
    book, _, _ = books.sell(book, "NVDA", 1, 107.0, 0.0, TUESDAY, "target")
    assert "NVDA" not in book.streaks
    assert book.statistics == books.Statistics(trades=3, wins=1, won=7.0, lost=3.0)


def test_a_book_survives_json() -> None:
    book = books.buy(cash(), "NVDA", 1, 100.0, 0.1, MONDAY)
    book, _, _ = books.sell(book, "NVDA", 1, 99.0, 0.1, MONDAY, "stop")
    book = books.buy(book, "AAPL", 3, 33.3, 0.1, TUESDAY)
    assert tables.book_of(tables.book_body(book)) == book


Step = tuple[str, str, float, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "sell all", "split", "dividend", "mark"]),
        st.sampled_from(["NVDA", "AAPL"]),
        st.floats(0.01, 50.0),  # shares, ratio or dollars a share
        st.floats(1.0, 500.0),  # price
    ),
    max_size=40,
)


@given(STEPS, st.floats(0.0, 5.0))
def test_cash_and_positions_are_explained_by_what_was_earned(steps: list[Step], fee: float) -> None:
    """cash + value = opening + realised + dividends + unrealised - fees, after any sequence."""
    book = cash()
    realised = dividends = fees = 0.0
    for what, symbol, size, price in steps:
        held = book.holdings.get(symbol)
        if what == "buy":
            book = books.buy(book, symbol, size, price, fee, MONDAY)
            fees += fee
        elif held is None:
            continue
        elif what.startswith("sell"):
            quantity = held.quantity if what == "sell all" else min(size, held.quantity)
            book, gain, _ = books.sell(book, symbol, quantity, price, fee, MONDAY, "stop")
            realised, fees = realised + gain, fees + fee
        elif what == "split":
            book = books.apply_split(book, symbol, size)
        elif what == "dividend":
            dividends += held.quantity * size
            book = books.apply_dividend(book, symbol, size)
        else:
            book = books.mark(book, {symbol: price})
    unrealised = sum(h.unrealised for h in book.holdings.values())
    explained = 10_000.0 + realised + dividends + unrealised - fees
    scale = 1.0 + abs(explained) + sum(abs(h.value) for h in book.holdings.values())
    scale += abs(book.cash)
    assert book.cash + book.exposure == pytest.approx(explained, abs=1e-9 * scale)
    assert sum(book.realised.values()) == pytest.approx(
        realised + dividends - fees, abs=1e-9 * scale
    )
