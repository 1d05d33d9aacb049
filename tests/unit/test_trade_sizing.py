"""Sizing: each limit worked out by hand, in both rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from cashtag.errors import TradeError
from cashtag.settings import load
from cashtag.trade import exits, sizing
from cashtag.trade.books import Statistics
from cashtag.trade.market import Signal

SOUND = load(environ={}).trade.sizing
REFERENCE = load(environ={}, profile="reference").trade.sizing
NONE_CLOSED = Statistics()
SIGNAL = Signal(
    ticker="NVDA",
    kind="STOCK",
    as_of=datetime(2026, 3, 3, 12, tzinfo=UTC),
    direction="BUY",
    instrument="STOCK",
    confidence=0.97,
    polarity_change=0.24,
    change_threshold=0.15,
    partial=False,
    last_session=date(2026, 3, 2),
    close=100.0,
    atr=1.0,
    regime_multiplier=1.0,
    scale=2.0,
)


def shares(signal: Signal = SIGNAL, **changed: object) -> sizing.Size:
    given = {
        "price": 100.0,
        "r": 4.0,
        "equity": 100_000.0,
        "max_position": 12_000.0,
        "statistics": NONE_CLOSED,
        "rooms": {},
        **changed,
    }
    return sizing.size(signal, SOUND, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "strength"),
    [
        (0.24, 0.6),  # (.24 - .15) / .15
        (-0.24, 0.6),  # a fall is as strong as a rise
        (0.15, 0.25),  # at the threshold: the floor
        (0.16, 0.25),  # .067, below the floor
        (0.30, 1.0),  # twice the threshold
        (0.90, 1.0),  # five times: the cap
    ],
)
def test_strength_grows_with_the_change_between_floor_and_cap(
    change: float, strength: float
) -> None:
    signal = replace(SIGNAL, polarity_change=change)
    assert sizing.strength(signal, SOUND) == pytest.approx(strength)


def test_without_a_threshold_every_change_is_strong() -> None:
    assert sizing.strength(replace(SIGNAL, change_threshold=0.0), SOUND) == 1.0


def test_the_signal_takes_its_share_of_the_stocks_maximum() -> None:
    # 12000 x .6 = 7200 dollars = 72 shares; the risk of 1000 dollars would allow 250
    assert shares().shares == 72
    assert shares().limited_by == "signal"


def test_one_r_risks_one_percent_of_equity() -> None:
    # 1 % of 100000 = 1000 dollars, R = 40 dollars a share: 25 shares
    size = shares(r=40.0)
    assert (size.shares, size.limited_by) == (25, "risk")


def test_the_regime_multiplies_what_the_rule_and_the_risk_allow() -> None:
    assert shares(replace(SIGNAL, regime_multiplier=0.5)).shares == 36  # 72 / 2
    assert shares(replace(SIGNAL, regime_multiplier=0.5), r=40.0).shares == 12  # 12.5


def test_the_smallest_room_counts_and_is_not_multiplied_by_the_regime() -> None:
    rooms = {"allocation": 2_000.0, "buying_power": 5_000.0}
    size = shares(replace(SIGNAL, regime_multiplier=0.5), rooms=rooms)
    assert (size.shares, size.limited_by) == (20, "allocation")
    assert shares(rooms={"buying_power": -5.0}).shares == 0


def test_shares_are_whole_and_rounding_errors_do_not_lose_one() -> None:
    assert shares(rooms={"allocation": 999.0}).shares == 9
    assert shares(price=0.1, rooms={"allocation": 0.3}).shares == 3  # .3 / .1 is 2.9999999999999996


def test_half_kelly_waits_for_thirty_trades() -> None:
    assert sizing.half_kelly(Statistics(29, 20, 100.0, 10.0), SOUND) is None
    # p = .5, b = (300/15) / (150/15) = 2: kelly = .5 - .5/2 = .25, half of it
    assert sizing.half_kelly(Statistics(30, 15, 300.0, 150.0), SOUND) == pytest.approx(0.125)


def test_half_kelly_of_a_losing_desk_is_zero_and_so_is_the_size() -> None:
    # p = .5, b = .5: kelly = .5 - .5/.5 = -.5
    losing = Statistics(30, 15, 150.0, 300.0)
    assert sizing.half_kelly(losing, SOUND) == 0
    size = shares(statistics=losing)
    assert (size.shares, size.limited_by) == (0, "half-Kelly")
    assert sizing.half_kelly(Statistics(30, 0, 0.0, 10.0), SOUND) == 0


def test_half_kelly_without_a_loss_is_half_the_share_of_winners() -> None:
    assert sizing.half_kelly(Statistics(30, 30, 10.0, 0.0), SOUND) == 0.5


def test_half_kelly_limits_the_dollars() -> None:
    # .125 x 10000 = 1250 dollars = 12 shares
    size = shares(equity=10_000.0, statistics=Statistics(30, 15, 300.0, 150.0))
    assert (size.shares, size.limited_by) == (12, "half-Kelly")


def test_r_is_two_atr_in_dollars_as_traded() -> None:
    # ATR 1 in adjusted dollars, the last close is twice its adjusted value: 2 x 1 x 2
    assert exits.r_dollars(SIGNAL, SOUND) == 4
    assert exits.r_dollars(replace(SIGNAL, scale=None), SOUND) is None
    assert exits.r_dollars(replace(SIGNAL, atr=0.0), SOUND) is None


def test_an_unknown_input_is_an_error_not_a_size() -> None:
    with pytest.raises(TradeError, match="ATR"):
        shares(r=None)
    with pytest.raises(TradeError, match="polarity_change is unknown"):
        shares(replace(SIGNAL, polarity_change=None))
    with pytest.raises(TradeError, match="change_threshold is unknown"):
        shares(replace(SIGNAL, change_threshold=None))
    with pytest.raises(TradeError, match="regime is unknown"):
        shares(replace(SIGNAL, regime_multiplier=None))


@pytest.mark.parametrize(
    ("change", "confidence", "price", "expected"),
    [
        # int(10000 x .5 x .8 / 10) = 400 shares, 30 % = 120
        (0.5, 0.8, 10.0, 120),
        # int(10000 x .4 / 200) = 20 shares, 30 % = 6, at least ten
        (0.5, 0.8, 200.0, 10),
        # int(10000 x .4 / 800) = 5 shares: at least ten, at most all five
        (0.5, 0.8, 800.0, 5),
        # int(10000 x .4 / 5000) = 0
        (0.5, 0.8, 5000.0, 0),
        (-0.5, 0.8, 10.0, 120),
    ],
)
def test_the_reference_rule(change: float, confidence: float, price: float, expected: int) -> None:
    signal = replace(SIGNAL, polarity_change=change, confidence=confidence)
    size = sizing.size(
        signal,
        REFERENCE,
        price=price,
        r=4.0,
        equity=100_000.0,
        max_position=12_000.0,
        statistics=NONE_CLOSED,
        rooms={},
    )
    assert size.shares == expected


def test_at_the_open_a_planned_order_is_cut_to_what_still_fits() -> None:
    # 2000 dollars at 100.05 are 19.99 shares
    size = sizing.fitting(20.0, 100.05, {"allocation": 2_000.0})
    assert (size.shares, size.limited_by) == (19, "allocation")
    # exactly what was planned: nothing has cut it
    assert sizing.fitting(20.0, 100.0, {"allocation": 2_000.0}).limited_by == "plan"
