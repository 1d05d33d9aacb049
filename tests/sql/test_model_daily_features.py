"""daily_features: short series of bars, expected features worked out by hand, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import exp, sqrt
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services, sessions, settings
from cashtag.lake.contracts import contract
from cashtag.warehouse import sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

SESSION = date(2026, 3, 4)  # a Wednesday; Presidents' Day was Monday, 16 February
BEFORE = date(2026, 3, 3)

PARAMS: dict[str, Any] = {
    "session": SESSION,
    "dt": SESSION,
    "previous_session": BEFORE,
    "this_week": date(2026, 3, 2),
    "last_week": date(2026, 2, 23),
    "week_before": date(2026, 2, 16),
    "sma_short": 5,
    "sma_long": 20,
    "sma_slow": 50,
    "means_reach": 20,
    "means_needed": 6,
    "volume_sessions": 20,
    "atr_sessions": 14,
    "volatility_sessions": 20,
    "trading_days": 252,
    "trend_closes": 3,
    "trend_slope_sessions": 5,
    "trend_needs_slope": True,
    "anomaly_percent": 5.0,
    "breakout": 0.01,
    "regime_ticker": "SPY",
    "regime_by_level": False,
    "regime_history": 252,
    "regime_minimum": 60,
    "regime_buckets": ("-Infinity;0.2;0.8,0.2;0.7;1.0,0.7;0.9;0.5,0.9;0.97;0.25,0.97;Infinity;0.0"),
    "config_hash": "c0ffee",
    "run_id": "beef",
}
VIX: dict[str, Any] = {
    "regime_ticker": "^VIX",
    "regime_by_level": True,
    "regime_buckets": (
        "-Infinity;12.0;0.8,12.0;20.0;1.0,20.0;30.0;0.5,30.0;40.0;0.25,40.0;Infinity;0.0"
    ),
}


def bars(
    closes: list[float],
    ticker: str = "NVDA",
    changes: dict[int, dict[str, Any]] | None = None,
    before: date = SESSION,
    **constant: Any,
) -> list[dict[str, Any]]:
    """Bars of the sessions just before `before`, oldest first; flat within the day, 1,000 shares.

    `changes` are keyed by position as in a list: -1 is the last bar.
    """
    days = sessions.sessions_before(before, len(closes))
    rows: list[dict[str, Any]] = [
        {
            "dt": SESSION,
            "ticker": ticker,
            "session": day,
            "open": close,
            "high": close,
            "low": close,
            "close": close,
            "adjusted_close": close,
            "volume": 1000,
            "source": "synthetic",
            **constant,
        }
        for day, close in zip(days, closes, strict=True)
    ]
    for position, change in (changes or {}).items():
        rows[position].update(change)
    return rows


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    return DuckDBWarehouse(services.folder_lake(tmp_path_factory.mktemp("lake")))


@pytest.fixture
def features(warehouse: DuckDBWarehouse) -> Callable[..., dict[str, dict[str, Any]]]:
    def run(given: list[dict[str, Any]], **params: Any) -> dict[str, dict[str, Any]]:
        own = contract("prices")
        schema = pa.schema([f.with_nullable(True) for f in own.arrow_schema()])
        prices = pa.Table.from_pylist(given, schema=schema.append(pa.field("dt", pa.date32())))
        made = warehouse.query(
            sql.load("sql", "daily_features").text,
            {**PARAMS, **params},
            table="daily_features",
            tables={"prices": prices},
        )
        return {row["ticker"]: row for row in made.to_pylist()}

    return run


Features = Callable[..., dict[str, dict[str, Any]]]


def approx(value: float) -> Any:
    return pytest.approx(value, rel=1e-9)


# ---------------------------------------------------------------- the last bar


def test_change_percent_mean_price_and_the_bar_itself(features: Features) -> None:
    last = {"open": 101.0, "high": 107.0, "low": 100.0, "volume": 5000}
    got = features(bars([100.0, 103.456], changes={-1: last}))["NVDA"]
    assert got["last_session"] == BEFORE
    assert (got["open"], got["high"], got["low"], got["close"]) == (101.0, 107.0, 100.0, 103.456)
    assert got["volume"] == 5000
    assert got["previous_close"] == 100.0
    assert got["change"] == approx(3.456)
    assert got["change_percent"] == 3.46  # two decimals
    assert got["moving_average"] == approx((101.0 + 107.0 + 100.0 + 103.456) / 4)
    assert got["n_bars"] == 2


def test_one_bar_has_no_change(features: Features) -> None:
    got = features(bars([100.0]))["NVDA"]
    unknown = ["previous_close", "change", "change_percent", "anomaly", "sma5", "atr14", "return5"]
    assert [got[name] for name in unknown] == [None] * 7
    assert got["n_bars"] == 1


@pytest.mark.parametrize(
    ("close", "anomaly", "reason"),
    [
        (105.0, False, "exactly 5 % is not beyond"),
        (105.01, True, "5.01 % up"),
        (94.99, True, "5.01 % down"),
        (105.004, False, "5.004 % reads 5.00: what is shown is what is judged"),
    ],
)
def test_an_anomaly_is_a_change_beyond_five_percent(
    features: Features, close: float, anomaly: bool, reason: str
) -> None:
    assert features(bars([100.0, close]))["NVDA"]["anomaly"] is anomaly, reason


def test_a_split_is_no_crash_and_no_surge(features: Features) -> None:
    # Two for one before the last session: traded at 100, then at 51; twice the shares.
    old = {"adjusted_close": 50.0, "volume": 1000}
    new = {"open": 50.0, "high": 52.0, "low": 49.0, "volume": 2000, "split": 2.0}
    given = bars([100.0] * 19 + [51.0], changes={**dict.fromkeys(range(19), old), 19: new})
    got = features(given)["NVDA"]
    assert got["change_percent"] == 2.0  # 51 against 50
    assert got["anomaly"] is False
    assert got["sma20"] == approx((19 * 50 + 51) / 20)
    assert got["volume_ratio"] == approx(1.0)  # 2,000 new shares are 1,000 old ones
    assert got["close"] == 51.0  # fills are at prices as traded


def test_ohlc_are_adjusted_like_the_close(features: Features) -> None:
    # A dividend later: everything before is worth 0.9 of what was traded.
    given = bars(
        [100.0, 100.0],
        changes={-1: {"open": 90.0, "high": 110.0, "low": 80.0, "adjusted_close": 90.0}},
    )
    # (90 + 110 + 80) x 0.9 and the adjusted close 90, over 4
    assert features(given)["NVDA"]["moving_average"] == approx((81 + 99 + 72 + 90) / 4)


# ---------------------------------------------------------------- means and crosses


@pytest.mark.parametrize(
    ("n", "sma5", "sma20", "sma50"),
    [
        (4, None, None, None),
        (5, 3.0, None, None),  # 1 to 5
        (19, 17.0, None, None),
        (20, 18.0, 10.5, None),
        (49, 47.0, 39.5, None),
        (50, 48.0, 40.5, 25.5),
    ],
)
def test_a_mean_needs_its_whole_window(
    features: Features, n: int, sma5: float | None, sma20: float | None, sma50: float | None
) -> None:
    got = features(bars([float(i) for i in range(1, n + 1)]))["NVDA"]
    assert (got["sma5"], got["sma20"], got["sma50"]) == (sma5, sma20, sma50)


@pytest.mark.parametrize(
    ("closes", "cross", "reason"),
    [
        # Yesterday: 5-mean (4 x 10 + 9)/5 = 9.8 below 20-mean 9.95; today (3 x 10 + 9 + 15)/5 =
        # 10.8 above (18 x 10 + 9 + 15)/20 = 10.2.
        ([10.0] * 19 + [9.0, 15.0], "golden", "from below to above"),
        ([10.0] * 19 + [11.0, 5.0], "death", "the mirror image"),
        ([10.0] * 20 + [15.0], None, "yesterday they were equal: no side to cross from"),
        # Today 5-mean (3 x 10 + 9 + 11)/5 = 10 = 20-mean (18 x 10 + 9 + 11)/20.
        ([10.0] * 19 + [9.0, 11.0], None, "today they are equal: not yet across"),
        ([10.0] * 18 + [9.0, 15.0], None, "20 sessions know no yesterday"),
        ([10.0] * 19 + [11.0, 15.0], None, "above on both days"),
    ],
)
def test_a_cross_needs_a_side_yesterday_and_the_other_today(
    features: Features, closes: list[float], cross: str | None, reason: str
) -> None:
    assert features(bars(closes))["NVDA"]["cross"] == cross, reason


def test_crosses_are_announced_in_the_words_people_know(features: Features) -> None:
    given = bars([10.0] * 19 + [9.0, 15.0], "AAPL") + bars([10.0] * 19 + [11.0, 5.0], "TSLA")
    got = features([*given, *bars([10.0] * 21, "NVDA")])
    assert got["AAPL"]["cross_text"] == "AAPL is in an Uptrend. Consider a buy opportunity."
    assert got["TSLA"]["cross_text"] == "TSLA is in a Downtrend. Consider selling."
    assert got["NVDA"]["cross_text"] is None


@pytest.mark.parametrize(
    ("close", "breakout", "reason"),
    [
        # c / ((19 x 100 + c) / 20): 1900 is the sum before
        (101.06, True, "101.06 / 100.053 is 1.0064 % above"),
        (101.05, False, "101.05 / 100.0525 is 0.9970 % above"),
        (98.0, True, "2 % below is a breakout too"),
    ],
)
def test_a_breakout_is_a_percent_from_the_long_mean(
    features: Features, close: float, breakout: bool, reason: str
) -> None:
    assert features(bars([100.0] * 19 + [close]))["NVDA"]["breakout"] is breakout, reason


# ---------------------------------------------------------------- volume, trend


def test_volume_is_compared_with_twenty_sessions_of_which_it_is_the_last(
    features: Features,
) -> None:
    busy = bars([10.0] * 20, changes={-1: {"volume": 3000}})
    # 3,000 against (19 x 1,000 + 3,000) / 20 = 1,100
    assert features(busy)["NVDA"]["volume_ratio"] == approx(30 / 11)
    assert features(busy)["NVDA"]["dollar_volume20"] == approx(11_000.0)
    assert features(busy[1:])["NVDA"]["volume_ratio"] is None  # 19 sessions
    assert features(busy[1:])["NVDA"]["dollar_volume20"] is None


RISING = [100.0] * 22 + [101.0, 102.0, 103.0]  # 25 bars: the slope looks back five
FALLING = [100.0] * 22 + [99.0, 98.0, 97.0]
# Up on the last three, but five sessions ago a high series ended: the mean falls.
BOUNCING = [130.0] * 5 + [100.0] * 17 + [104.0, 105.0, 106.0]


@pytest.mark.parametrize(
    ("closes", "needs_slope", "trend", "reason"),
    [
        (RISING, True, 1, "three closes above, and the mean rises"),
        (FALLING, True, -1, "the mirror image"),
        (BOUNCING, True, 0, "three closes above a mean that falls"),
        (BOUNCING, False, 1, "the reference does not ask for the slope"),
        ([100.0] * 23 + [101.0, 102.0], True, 0, "two closes above, the third on the mean"),
        ([100.0] * 25, True, 0, "on the mean is on no side"),
        (RISING[1:], True, None, "24 bars know no mean of five sessions ago"),
        (RISING[1:], False, 1, "without the slope 22 bars are enough"),
        (RISING[4:], False, None, "21 bars know the mean of the last two days only"),
    ],
)
def test_a_trend_is_three_closes_on_one_side_and_a_slope_that_agrees(
    features: Features, closes: list[float], needs_slope: bool, trend: int | None, reason: str
) -> None:
    got = features(bars(closes), trend_needs_slope=needs_slope)["NVDA"]
    assert got["trend_state"] == trend, reason


# ---------------------------------------------------------------- range, volatility, returns


def test_the_range_is_the_mean_of_fourteen_true_ranges(features: Features) -> None:
    # Thirteen days range 2; the last gaps from 100 to 110..111: its true range is 11.
    given = bars([100.0] * 14 + [110.5], high=101.0, low=99.0)
    given[-1].update(high=111.0, low=110.0)
    assert features(given)["NVDA"]["atr14"] == approx((13 * 2 + 11) / 14)
    # The first of fourteen bars has no close before it, so there are thirteen true ranges.
    assert features(given[1:])["NVDA"]["atr14"] is None


def test_volatility_is_the_annual_sample_deviation_of_twenty_log_returns(
    features: Features,
) -> None:
    # Log returns +1 % and -1 % in turn: mean 0, sample variance 20 x 0.01^2 / 19.
    closes = [100.0 if i % 2 == 0 else 100.0 * exp(0.01) for i in range(21)]
    assert features(bars(closes))["NVDA"]["volatility20"] == pytest.approx(
        0.01 * sqrt(20 / 19) * sqrt(252), rel=1e-9
    )
    assert features(bars(closes[1:]))["NVDA"]["volatility20"] is None  # 19 returns


def test_returns_look_back_five_and_twenty_sessions(features: Features) -> None:
    closes = [100.0] * 15 + [80.0] * 5 + [90.0]
    got = features(bars(closes))["NVDA"]
    assert got["return5"] == approx(90 / 80 - 1)  # the bar five before the last is the first at 80
    assert got["return20"] == approx(90 / 100 - 1)
    assert features(bars(closes[-5:]))["NVDA"]["return5"] is None
    assert features(bars(closes[1:]))["NVDA"]["return20"] is None


@pytest.mark.parametrize(
    ("friday", "week_before", "trend", "reason"),
    [
        (11.0, 10.0, 1, "last Friday above the Friday before"),
        (9.0, 10.0, -1, "below"),
        (10.0, 10.0, 0, "equal"),
    ],
)
def test_the_weekly_trend_compares_the_last_two_whole_weeks(
    features: Features, friday: float, week_before: float, trend: int, reason: str
) -> None:
    # Bars of 17-20 February (Monday was a holiday), 23-27 February and 2-3 March: 4 + 5 + 2.
    closes = [5.0] * 3 + [week_before] + [50.0] * 4 + [friday] + [99.0, 1.0]
    assert features(bars(closes))["NVDA"]["weekly_trend"] == trend, reason


def test_a_week_without_bars_has_no_trend(features: Features) -> None:
    assert features(bars([1.0, 2.0, 3.0]))["NVDA"]["weekly_trend"] is None  # this week and Friday
    halted = bars([5.0] * 4 + [6.0] * 5 + [7.0] * 2)
    del halted[4:9]  # nothing traded from 23 to 27 February
    assert features(halted)["NVDA"]["weekly_trend"] is None


# ---------------------------------------------------------------- regime


def waves(sizes: list[float]) -> list[float]:
    """Closes whose log returns have the given sizes, up and down in turn."""
    closes, level = [100.0], 0.0
    for i, size in enumerate(sizes):
        level += size if i % 2 == 0 else -size
        closes.append(100.0 * exp(level))
    return closes


def test_the_wildest_market_allows_nothing(features: Features) -> None:
    # 61 values of volatility (80 returns): the last is above all 60 before it, rank 1.
    spy = bars(waves([0.01] * 79 + [0.05]), "SPY")
    got = features([*spy, *bars([10.0], "NVDA")])["NVDA"]
    assert got["regime_rank"] == 1.0
    assert got["regime_multiplier"] == 0.0


def test_the_calmest_market_has_rank_zero(features: Features) -> None:
    got = features(bars(waves([0.02] * 60 + [0.001] * 20), "SPY"))["SPY"]
    assert got["regime_rank"] == 0.0
    assert got["regime_multiplier"] == 0.8
    # Twenty returns of +-0.1 % in turn.
    assert got["regime_volatility"] == approx(round(0.001 * sqrt(20 / 19) * sqrt(252), 10))
    assert got["volatility20"] == approx(0.001 * sqrt(20 / 19) * sqrt(252))


@pytest.mark.parametrize(
    ("above", "rank", "multiplier", "reason"),
    [
        # Of 60 values before the last, `above` are wilder; each bucket begins at its bound.
        (49, 11 / 60, 0.8, "below the 20th percentile"),
        (48, 0.2, 1.0, "the 20th percentile itself is normal"),
        (19, 41 / 60, 1.0, "below the 70th"),
        (18, 0.7, 0.5, "the 70th"),
        (6, 0.9, 0.25, "the 90th"),
        (2, 58 / 60, 0.25, "58 of 60 is 96.7 %, below the 97th"),
        (1, 59 / 60, 0.0, "59 of 60 is 98.3 %"),
    ],
)
def test_the_regime_is_the_share_of_calmer_sessions(
    features: Features, above: int, rank: float, multiplier: float, reason: str
) -> None:
    # Over two returns, a up and b down, the deviation is (a + b) / sqrt(2). The last pair is 2 %
    # and 2 %. `above` + 1 returns of 3 % make `above` pairs that are wilder; every other pair is
    # calmer, (3 %, 0.9 %) and (0.9 %, 2 %) included. 62 returns have 61 pairs: 60 before the last.
    sizes = [0.03] * (above + 1) + [0.009] * (59 - above) + [0.02] * 2
    spy = bars(waves(sizes), "SPY")
    got = features(spy, volatility_sessions=2)["SPY"]
    assert got["regime_rank"] == pytest.approx(rank, abs=1e-9), reason
    assert got["regime_multiplier"] == multiplier, reason


def test_too_short_a_history_has_no_regime(features: Features) -> None:
    # 59 values before the last: 79 returns.
    got = features(bars(waves([0.01] * 78 + [0.05]), "SPY"))["SPY"]
    assert got["regime_rank"] is None
    assert got["regime_multiplier"] is None
    assert got["regime_volatility"] is not None


def test_only_the_trailing_history_counts(features: Features) -> None:
    # Wilder sessions more than 60 values ago are forgotten when the history is 60.
    spy = bars(waves([0.09] * 40 + [0.01] * 80 + [0.05]), "SPY")
    assert features(spy, regime_history=60)["SPY"]["regime_rank"] == 1.0
    assert features(spy, regime_history=252)["SPY"]["regime_rank"] < 1.0


@pytest.mark.parametrize(
    ("level", "multiplier", "reason"),
    [
        (11.99, 0.8, "calm"),
        (12.0, 1.0, "12 to 20"),
        (20.0, 0.5, "20 to 30"),
        (30.0, 0.25, "30 to 40"),
        (40.0, 0.0, "from 40 on nothing"),
    ],
)
def test_the_reference_reads_the_level_of_vix(
    features: Features, level: float, multiplier: float, reason: str
) -> None:
    got = features([*bars([15.0, level], "^VIX"), *bars([10.0], "NVDA")], **VIX)
    assert got.keys() == {"NVDA"}  # an index is no ticker
    assert got["NVDA"]["regime_volatility"] == level
    assert got["NVDA"]["regime_rank"] == level
    assert got["NVDA"]["regime_multiplier"] == multiplier, reason


def test_a_stale_or_missing_index_makes_the_regime_unknown(features: Features) -> None:
    nvda = bars([10.0], "NVDA")
    stale = bars(waves([0.01] * 80), "SPY", before=BEFORE)  # its last bar is Monday's
    assert features([*stale, *nvda])["NVDA"]["regime_multiplier"] is None
    assert features(nvda)["NVDA"]["regime_multiplier"] is None
    assert (
        features([*bars([15.0], "^VIX", before=BEFORE), *nvda], **VIX)["NVDA"]["regime_multiplier"]
        is None
    )


# ---------------------------------------------------------------- point in time


def test_a_poisoned_future_changes_nothing(features: Features) -> None:
    given = [*bars(RISING), *bars(waves([0.01] * 80), "SPY")]
    poison = [
        *bars([1.0], before=date(2026, 3, 5)),  # the session's own bar
        *bars([1.0], before=date(2026, 3, 6)),
        *bars([1.0], "SPY", before=date(2026, 3, 5)),
        *[{**row, "dt": date(2026, 3, 5), "adjusted_close": 1.0} for row in given],  # a later run
        *[{**row, "dt": BEFORE, "adjusted_close": 1.0} for row in given],  # an earlier one
    ]
    assert features(given + poison) == features(given)


def test_a_stale_ticker_shows_the_session_of_its_last_bar(features: Features) -> None:
    assert features(bars([10.0], before=BEFORE))["NVDA"]["last_session"] == date(2026, 3, 2)


def test_no_bars_give_no_rows(features: Features) -> None:
    assert features([]) == {}


@pytest.mark.parametrize(("profile", "index"), [("sound", {}), ("reference", VIX)])
def test_the_parameters_of_the_model_are_those_that_settings_give(
    profile: str, index: dict[str, Any]
) -> None:
    from types import SimpleNamespace

    from cashtag.signals import models

    env = SimpleNamespace(
        settings=settings.load(environ={}, profile=profile), scorer=SimpleNamespace(version="v")
    )
    given = models.parameters(env, SESSION, SESSION, coverage=None, partial=False)  # type: ignore[arg-type]
    wanted = {**PARAMS, **index, "trend_needs_slope": profile == "sound"}
    for name in sql.load("sql", "daily_features").parameters:
        if name not in {"config_hash", "run_id"}:
            assert given[name] == wanted[name], name
