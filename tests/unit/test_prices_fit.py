"""What makes a ticker's bars unfit, and which sessions are wanted at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from cashtag.errors import InputError
from cashtag.scrape.bars import (
    Bar,
    Span,
    faults,
    repeated,
    span_between,
    span_of_run,
    unfit,
    within,
)
from cashtag.settings import load

SOUND = load(environ={})
RULES = SOUND.live.prices
# The ten sessions before Monday, 2024-06-10; Memorial Day, 05-27, is none.
DAYS = tuple(
    date(2024, *day)
    for day in [(5, 24), (5, 28), (5, 29), (5, 30), (5, 31), (6, 3), (6, 4), (6, 5), (6, 6), (6, 7)]
)
SPAN = Span(DAYS)
LATER = datetime(2024, 6, 30, tzinfo=UTC)


def bars(*days: date, **fields: Any) -> list[Bar]:
    return [replace(Bar(day, 10.0, 11.0, 9.0, 10.5, 10.5, 1000.0), **fields) for day in days]


def test_the_span_of_a_run_ends_before_its_session() -> None:
    run = span_of_run(date(2024, 6, 10), SOUND, LATER)
    assert (run.last, len(run.sessions)) == (date(2024, 6, 7), 300)
    # Saturday's and Sunday's runs serve Monday, and know Friday.
    assert span_of_run(date(2024, 6, 8), SOUND, LATER).last == date(2024, 6, 7)


def test_a_session_that_has_not_ended_is_not_wanted() -> None:
    # Friday closes at 20:00 UTC; a run for Monday that somebody starts early has half its bar.
    early = datetime(2024, 6, 7, 19, 59, tzinfo=UTC)
    assert span_of_run(date(2024, 6, 8), SOUND, early).last == date(2024, 6, 6)
    assert span_between(DAYS[0], None, early).last == date(2024, 6, 6)
    assert span_between(DAYS[0], None, datetime(2024, 6, 7, 20, tzinfo=UTC)).last == DAYS[-1]


def test_a_range_without_a_session_is_an_error() -> None:
    with pytest.raises(InputError, match="no session has ended from 2024-06-08 to 2024-06-09"):
        span_between(date(2024, 6, 8), date(2024, 6, 9), LATER)


def test_whole_bars_up_to_the_newest_session_fit() -> None:
    assert unfit("NVDA", bars(*DAYS), SPAN, RULES) is None
    assert unfit("NEW", bars(*DAYS[-3:]), SPAN, RULES) is None  # listed this week


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "no bars"),
        (bars(*DAYS, close=None), "NaN columns: no price in any of 10 bars"),
        (bars(*DAYS, low=0.0), "none of 10 bars is whole (zero-or-negative 10)"),
        (bars(*DAYS, high=8.0), "none of 10 bars is whole (high-below-low 10)"),
        (bars(*DAYS, volume=None), "none of 10 bars is whole (no-volume 10)"),
        (
            bars(*DAYS[:-1]),
            "stale: the last whole bar is of 2024-06-06, the newest session is 2024-06-07",
        ),
        (
            bars(*DAYS[:-1]) + bars(DAYS[-1], close=None),
            "stale: the last whole bar is of 2024-06-06, the newest session is 2024-06-07, "
            "no-price on 2024-06-07",
        ),
        (
            bars(DAYS[0], *DAYS[4:]),
            "gaps: 3 of 10 sessions have no whole bar (absent)",  # 30 %, and 20 % are allowed
        ),
        (
            bars(*DAYS[:3]) + bars(*DAYS[3:6], close=-1.0) + bars(*DAYS[6:]),
            "gaps: 3 of 10 sessions have no whole bar (zero-or-negative 3)",
        ),
    ],
)
def test_what_is_unfit_is_named(found: list[Bar], why: str) -> None:
    assert unfit("NVDA", found, SPAN, RULES) == why


def test_a_bar_may_lag_by_as_many_sessions_as_the_settings_allow() -> None:
    lax = load(environ={}, overrides={"live.prices.stale_sessions": 1}).live.prices
    assert unfit("NVDA", bars(*DAYS[:-1]), SPAN, lax) is None


def test_an_index_has_no_volume() -> None:
    assert unfit("^VIX", bars(*DAYS, volume=None), SPAN, RULES) is None


def test_a_few_unfit_bars_are_told_and_do_not_cost_the_ticker() -> None:
    found = bars(*DAYS[:4]) + bars(DAYS[4], open=0.0) + bars(*DAYS[5:])
    assert unfit("NVDA", found, SPAN, RULES) is None
    assert faults("NVDA", found) == {DAYS[4]: "zero-or-negative"}


def test_bars_are_cut_to_the_span_and_what_is_said_twice_counts_once() -> None:
    half = bars(date(2024, 6, 10))  # the session of the run itself
    early = bars(date(2024, 5, 23))
    found = within(early + bars(*DAYS) + bars(*DAYS) + half, SPAN)
    assert [bar.session for bar in found] == list(DAYS)
    other = bars(DAYS[3], close=10.9)
    assert repeated(within(bars(*DAYS) + other, SPAN)) == 1


def test_a_bar_on_a_holiday_is_no_bar() -> None:
    assert faults("NVDA", bars(date(2024, 5, 27))) == {date(2024, 5, 27): "not-a-session"}
