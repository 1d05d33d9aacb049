"""Exits on daily bars: stop first, gaps at the open, trailing by earlier closes only."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cashtag.settings import load
from cashtag.trade import books, exits
from cashtag.trade.books import Holding
from cashtag.trade.market import Bar

SETTINGS = load(environ={}).trade.exits
REFERENCE = load(environ={}, profile="reference").trade.exits
# Bought at 100 with R = 4: stop 96, target 108.
HELD = Holding(
    "NVDA", "NVDA", "STOCK", 10, 100.0, 100.0, date(2026, 3, 2), 2, 4.0, 96.0, 108.0, peak=100.0
)


def bar(open_: float, high: float, low: float, close: float) -> Bar:
    return Bar(open_, high, low, close, close, 1e6)


def decide(b: Bar, held: Holding = HELD, *, today: bool = False) -> tuple[str, float, str] | None:
    found = exits.decide(held, b, entered_today=today, max_sessions=10)
    return None if found is None else (found.reason, found.price, found.moment)


def test_a_quiet_bar_closes_nothing() -> None:
    assert decide(bar(100, 107.99, 96.01, 101)) is None


def test_stop_and_target_fill_at_their_level() -> None:
    assert decide(bar(100, 101, 95, 98)) == ("stop", 96, "intraday")
    assert decide(bar(100, 109, 99, 108)) == ("target", 108, "intraday")
    assert decide(bar(100, 101, 96, 98)) == ("stop", 96, "intraday")  # touching is enough


def test_a_bar_that_touches_both_stops_first() -> None:
    assert decide(bar(100, 110, 95, 109)) == ("stop", 96, "intraday")


def test_a_gap_beyond_a_level_fills_at_the_open() -> None:
    assert decide(bar(90, 97, 89, 95)) == ("stop", 90, "open")  # the stop was never traded
    assert decide(bar(112, 113, 95, 100)) == ("target", 112, "open")  # before any fall of the day


def test_the_open_of_the_entry_cannot_stop_it_out_but_the_day_can() -> None:
    # A fill at 100 and an open of 112 cannot both be; the open is the entry's own.
    assert decide(bar(112, 113, 110, 111), today=True) == ("target", 108, "intraday")
    assert decide(bar(100, 101, 95, 99), today=True) == ("stop", 96, "intraday")
    # slippage larger than R: the stop lies above the open, where nothing traded before
    assert decide(bar(95.5, 96, 95, 95.9), today=True) == ("stop", 95.5, "intraday")


def test_the_longest_holding_time_ends_at_the_close() -> None:
    assert decide(bar(100, 101, 99, 100.5), replace(HELD, held=9)) is None
    tenth = replace(HELD, held=10)
    assert decide(bar(100, 101, 99, 100.5), tenth) == ("max-hold", 100.5, "close")
    assert decide(bar(100, 101, 95, 100.5), tenth) == ("stop", 96, "intraday")  # a stop is earlier


def test_a_day_account_closes_on_the_day_of_the_entry() -> None:
    assert exits.longest("day", SETTINGS) == 1
    assert exits.longest("swing", SETTINGS) == 10
    found = exits.decide(
        replace(HELD, held=1),
        bar(100, 101, 99, 100.5),
        entered_today=True,
        max_sessions=1,
        day=True,
    )
    assert found is not None
    assert (found.reason, found.price) == ("day-end", 100.5)


def test_a_new_holding_is_armed_from_its_own_fill() -> None:
    book = books.buy(books.opened("a", 1e4, "STOCK", "swing"), "NVDA", 10, 100.05, 0, HELD.opened)
    holding = exits.arm(book, "NVDA", 4.0, SETTINGS).holdings["NVDA"]
    assert holding.stop == pytest.approx(96.05)
    assert holding.target == pytest.approx(108.05)


def trailed(close: float, held: Holding = HELD, settings: object = SETTINGS) -> Holding:
    book = replace(books.opened("a", 1e4, "STOCK", "swing"), holdings={"NVDA": held})
    return exits.trail(book, {"NVDA": close}, settings).holdings["NVDA"]  # type: ignore[arg-type]


def test_trailing_keeps_three_quarters_of_the_peak_gain_from_one_r() -> None:
    assert trailed(103.99).stop == 96  # .9975 R
    after = trailed(104.0)  # one R: 100 + .75 x 4
    assert (after.stop, after.trailing, after.peak) == (103, True, 104)
    assert decide(bar(103.5, 104, 102, 103), after) == ("trailing", 103, "intraday")


def test_trailing_starts_at_a_quarter_gained_even_below_one_r() -> None:
    wide = replace(HELD, r=40.0, stop=60.0, target=180.0)
    assert trailed(124.9, wide).stop == 60
    assert trailed(125.0, wide).stop == 118.75  # 100 + .75 x 25


def test_a_trailing_stop_never_falls() -> None:
    high = trailed(106.0)
    assert high.stop == 104.5
    lower = trailed(104.6, high)
    assert (lower.stop, lower.peak) == (104.5, 106)


def test_the_reference_profile_trails_from_the_first_gain_but_not_from_none() -> None:
    assert trailed(100.0, settings=REFERENCE).stop == 96
    assert trailed(101.0, settings=REFERENCE).stop == 100.75


def test_a_split_divides_every_level() -> None:
    book = replace(books.opened("a", 1e4, "STOCK", "swing"), holdings={"NVDA": HELD})
    h = books.apply_split(book, "NVDA", 4.0).holdings["NVDA"]
    assert (h.quantity, h.average_price, h.stop, h.target, h.r, h.peak) == (40, 25, 24, 27, 1, 25)
