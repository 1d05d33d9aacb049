"""Splits and dividends: from events, from corporate actions, from the ratio of raw to adjusted."""

from __future__ import annotations

from datetime import date

import pytest

from cashtag.errors import SourceRefused
from cashtag.scrape.adjusting import Action, as_traded, check_applied, exact, recognised
from cashtag.scrape.bars import Bar

MON, TUE, WED, THU, FRI = (date(2024, 6, day) for day in (3, 4, 5, 6, 7))
FROM = 1.2


def bar(session: date, close: float, adjusted: float | None = None, **more: float) -> Bar:
    return Bar(session, close, close, close, close, adjusted, more.pop("volume", 1000.0), **more)  # type: ignore[arg-type]


def told(bars: tuple[Bar, ...]) -> list[tuple[float | None, float | None, str | None]]:
    return [(one.split, one.dividend, one.recognised) for one in bars]


def test_prices_that_a_later_split_divided_are_multiplied_back() -> None:
    # Ten for one on Wednesday: Monday traded 400 shares at 1,200, told as 4,000 at 120.
    told_by_source = [
        bar(MON, 120.0, 119.4, volume=4000.0, dividend=0.04),
        bar(TUE, 121.0, 121.0, volume=5000.0),
        bar(WED, 122.0, 122.0, volume=6000.0, split=10.0),
    ]
    found = as_traded(told_by_source, {WED: 10.0}, FROM)
    assert [one.close for one in found] == [1200.0, 1210.0, 122.0]
    assert [one.volume for one in found] == [400.0, 500.0, 6000.0]
    assert [one.adjusted_close for one in found] == [119.4, 121.0, 122.0]
    # A dividend of forty cents a share of then was told as four cents a share of now.
    assert [one.dividend for one in found] == [0.4, None, None]
    assert [one.split_factor for one in found] == [10.0, 10.0, 1.0]


def test_a_split_after_the_last_bar_counts_too() -> None:
    (found,) = as_traded([bar(MON, 50.0, 50.0)], {FRI: 2.0}, FROM)
    assert found.close == 100.0


def test_two_splits_multiply_and_a_reverse_split_divides() -> None:
    # 2 for 1, then 1 for 10: one share of Monday is 0.2 of now, so 500 was traded as 100.
    bars = [bar(MON, 500.0, 500.0), bar(TUE, 500.0, 500.0), bar(WED, 500.0, 500.0)]
    found = as_traded(bars, {TUE: 2.0, WED: 0.1}, FROM)
    assert [one.close for one in found] == [100.0, 50.0, 500.0]


def test_a_split_that_is_told_and_not_applied_is_refused() -> None:
    # Told as traded, 1,200 before and 120 after: multiplied back it would be 12,000.
    with pytest.raises(SourceRefused, match="split of 10 for 1 on 2024-06-05"):
        as_traded([bar(TUE, 1200.0, 1200.0), bar(WED, 120.0, 120.0)], {WED: 10.0}, FROM)
    with pytest.raises(SourceRefused, match=r"split of 0\.1 for 1"):
        check_applied([(TUE, 2.0), (WED, 20.5)], {WED: 0.1}, FROM)


def test_a_bad_day_is_no_missing_split() -> None:
    # Down 30 % on the day of a ten for one split: nearer to nothing than to a tenth.
    check_applied([(TUE, 100.0), (WED, 70.0)], {WED: 10.0}, FROM)
    # A stock dividend of 5 % moves the price less than a bad day does; it is not judged.
    check_applied([(TUE, 100.0), (WED, 92.0)], {WED: 1.05}, FROM)


def test_a_ten_for_one_split_is_recognised_from_the_ratio_alone() -> None:
    bars = [bar(MON, 1205.0, 120.5), bar(TUE, 1208.88, 120.89), bar(WED, 121.79, 121.79)]
    # 1208.88 / 120.89 is 9.99983: a tenth of a cent was rounded away.
    assert told(recognised(bars, None, FROM)) == [
        (None, None, None),
        (None, None, None),
        (10.0, None, "ratio"),
    ]


@pytest.mark.parametrize(
    ("before", "adjusted", "split"),
    [
        (300.0, 200.0, 1.5),  # three for two
        (250.0, 200.0, 1.25),  # five for four
        (4.0, 200.0, 0.02),  # one for fifty
        (25.0, 200.0, 0.125),  # one for eight
        (4000.0, 200.0, 20.0),
    ],
)
def test_simple_ratios_are_recognised(before: float, adjusted: float, split: float) -> None:
    found = recognised([bar(MON, before, adjusted), bar(TUE, 201.0, 201.0)], None, FROM)
    assert found[1].split == pytest.approx(split)


def test_a_dividend_is_recognised_from_the_ratio_where_no_action_is_known() -> None:
    # 0.50 on a close of 100: adjusted is 100 x (1 - 0.005) = 99.50 exactly.
    bars = [bar(MON, 98.0, 97.51), bar(TUE, 100.0, 99.5), bar(WED, 101.0, 101.0)]
    assert told(recognised(bars, None, FROM)) == [
        (None, None, None),
        (None, None, None),
        (None, 0.5, "ratio"),
    ]


def test_rounding_is_no_dividend() -> None:
    # A dividend long after: all adjusted closes are 0.9973 of raw, rounded to the cent.
    closes = [20.01, 20.02, 20.57, 19.99, 20.33]
    bars = [
        bar(day, close, round(close * 0.9973, 2))
        for day, close in zip((MON, TUE, WED, THU, FRI), closes, strict=True)
    ]
    assert told(recognised(bars, None, FROM)) == [(None, None, None)] * 5


def test_actions_tell_the_dividend_exactly_and_the_split_is_counted_once() -> None:
    bars = [
        bar(MON, 1000.0, 99.9),
        bar(TUE, 1000.0, 99.9),
        bar(WED, 100.0, 99.9),
        bar(THU, 101.0, 101.0),
    ]
    actions = {WED: Action(split=10.0), THU: Action(dividend=0.1)}
    assert told(recognised(bars, actions, FROM)) == [
        (None, None, None),
        (None, None, None),
        (10.0, None, "actions"),
        (None, 0.1, "actions"),
    ]


def test_an_action_of_another_day_gives_way_to_the_ratio() -> None:
    # Told for Thursday (paid), traded split from Wednesday on: the ratio knows.
    bars = [bar(TUE, 1000.0, 100.0), bar(WED, 100.0, 100.0), bar(THU, 101.0, 101.0)]
    found = recognised(bars, {THU: Action(split=10.0)}, FROM)
    assert [(one.split, one.recognised) for one in found] == [
        (None, None),
        (10.0, "ratio"),
        (None, None),
    ]


def test_a_split_that_the_adjusted_closes_lack_is_refused() -> None:
    bars = [bar(TUE, 1000.0, 1000.0), bar(WED, 100.0, 100.0)]
    with pytest.raises(SourceRefused, match="split of 10 for 1 on 2024-06-05 is not in its prices"):
        recognised(bars, {WED: Action(split=10.0)}, FROM)


def test_an_ex_date_without_a_bar_counts_on_the_next_one() -> None:
    bars = [bar(MON, 100.0, 99.5), bar(THU, 100.0, 100.0)]
    found = recognised(bars, {TUE: Action(dividend=0.2), WED: Action(dividend=0.3)}, FROM)
    assert found[1].dividend == 0.5


def test_bars_without_a_price_do_not_stop_recognition() -> None:
    bars = [
        bar(MON, 1000.0, 100.0),
        Bar(TUE, None, None, None, None, None, None),
        bar(WED, 100.0, 100.0),
    ]
    assert [one.split for one in recognised(bars, None, FROM)] == [None, None, 10.0]


def test_a_price_of_32_bits_is_what_was_traded() -> None:
    assert exact(120.87999725341797) == 120.88
    assert exact(5412.35009765625) == 5412.35
