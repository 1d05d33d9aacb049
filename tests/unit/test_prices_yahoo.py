"""Bars from Yahoo by yfinance itself over loopback: its frames, its failures, its silences."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from internet import Answer, Internet, json_answer
from share_history import History, Traded, splitting, steady
from yahoo_site import CHART, YahooSite, chart

from cashtag import sessions
from cashtag.errors import SourceRefused
from cashtag.scrape.bars import Answer as BarAnswer
from cashtag.scrape.bars import Span
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.yahoo_bars import YahooBars, bars_of, symbol_of
from cashtag.settings import load

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance")
DAYS = sessions.sessions_before(date(2024, 6, 13), 60)
SPAN = Span(DAYS)
SPLIT_DAY, PAID_DAY = date(2024, 6, 10), date(2024, 5, 16)
HISTORIES = {
    "SPY": steady(DAYS, 500.0),
    "^VIX": steady(DAYS, 15.0),
    "BRK-B": steady(DAYS, 400.0),
    "NVDA": splitting(DAYS, SPLIT_DAY, 10.0, (PAID_DAY, 5.0)),
}
FAST: dict[str, Any] = {"live.request_seconds": 5.0}


@pytest.fixture
def site() -> YahooSite:
    return YahooSite(dict(HISTORIES))


@pytest.fixture
def net(site: YahooSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with Internet(site.hosts(), tmp_path) as internet:
        for name, value in internet.environ().items():
            monkeypatch.setenv(name, value)
        yield internet


def asked(
    *tickers: str, seconds: float = 30.0, span: Span = SPAN, **settings: Any
) -> dict[str, BarAnswer]:
    source = YahooBars(load(environ={}, overrides=FAST | settings))
    return {one.ticker: one for one in source.bars(tickers, span, Deadline(seconds))}


def given_up(*tickers: str, **settings: Any) -> str:
    with pytest.raises(SourceRefused) as caught:
        asked(*tickers, **settings)
    return str(caught.value)


def test_bars_come_as_traded_with_the_split_and_the_dividend(net: Internet) -> None:
    found = {bar.session: bar for bar in asked("NVDA")["NVDA"].bars}
    truth = HISTORIES["NVDA"].bars
    assert tuple(found) == DAYS
    friday = date(2024, 6, 7)
    assert (found[friday].close, found[friday].volume) == (truth[friday].close, 1_000_000)
    assert (found[SPLIT_DAY].split, found[SPLIT_DAY].recognised) == (10.0, "events")
    assert found[PAID_DAY].dividend == 5.0  # told as 0.50 of a share of now
    assert found[friday].adjusted_close == pytest.approx(truth[friday].close / 10)
    paid = found[date(2024, 5, 15)]
    assert paid.close is not None
    assert paid.adjusted_close == pytest.approx(paid.close / 10 * (1 - 5.0 / paid.close), rel=1e-6)


def test_prices_are_as_traded_although_the_split_came_after_the_span(net: Internet) -> None:
    # A backfill to May: Yahoo has divided by a split of June all the same.
    may = Span(tuple(day for day in DAYS if day < date(2024, 6, 1)))
    found = asked("NVDA", span=may)["NVDA"].bars
    assert found[-1].session == date(2024, 5, 31)
    assert found[-1].close == HISTORIES["NVDA"].bars[date(2024, 5, 31)].close


def test_an_index_and_a_share_class_are_asked_for_in_yahoos_words(
    net: Internet, site: YahooSite
) -> None:
    found = asked("^VIX", "BRK.B")
    assert {ticker: len(one.bars) for ticker, one in found.items()} == {"^VIX": 60, "BRK.B": 60}
    assert [bar.session for bar in found["^VIX"].bars] == list(DAYS)  # Chicago's midnight
    assert {bar.volume for bar in found["^VIX"].bars} == {None}
    assert sorted(site.asked) == ["BRK-B", "^VIX"]
    assert symbol_of("BRK.B") == "BRK-B"


def test_one_request_a_symbol_after_the_cookie_and_the_crumb(net: Internet) -> None:
    asked("SPY", "NVDA", "^VIX")
    charts = [request for request in net.requests(CHART) if "chart" in request.path]
    assert len(charts) == 3  # yfinance would ask for each time zone first


def test_a_symbol_that_yahoo_does_not_know_is_named(net: Internet) -> None:
    found = asked("ATVI", "SPY")
    assert found["ATVI"].refused == "No data found, symbol may be delisted"
    assert len(found["SPY"].bars) == 60


def failing(site: YahooSite, symbol: str | None, answer: Answer) -> None:
    site.fault = lambda asked: answer if symbol in (None, asked) else None


def test_a_429_is_a_refusal_and_yahoo_is_given_up_after_three(
    net: Internet, site: YahooSite
) -> None:
    failing(site, None, Answer(429, b"Too Many Requests"))
    tickers = ("AAPL", "AMD", "NVDA", "SPY", "TSLA", "^VIX")
    why = given_up(*tickers, **{"live.prices.yahoo_threads": 1})
    assert why == "Yahoo limits the rate (429); given up after 3 in a row"
    assert len(set(site.asked)) <= 4  # the one that was under way when the third came back


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(200, b"<html>Will be right back</html>"), "Yahoo says that it is down"),
        (
            Answer(200, b"<html>sign in</html>", {"content-type": "text/html"}),
            "Yahoo answered 200 with something that is no chart",
        ),
        (Answer(200, b"Edge: Too Many Requests"), "with something that is no chart"),
        (
            json_answer({"finance": {"result": None, "error": {"code": "Unauthorized"}}}, 401),
            "Yahoo answered 401",
        ),
        (json_answer({"message": "oops"}, 502), "Yahoo answered 502"),
    ],
)
def test_an_answer_that_is_no_chart_is_told_of_the_whole_source(
    net: Internet, site: YahooSite, answer: Answer, why: str
) -> None:
    failing(site, None, answer)
    assert why in given_up("SPY", "NVDA", **{"live.prices.give_up_after": 1})


def test_the_body_of_an_answer_is_bounded(net: Internet, site: YahooSite) -> None:
    failing(site, None, Answer(200, b"{" + b" " * 50_000))
    most = {"live.max_bytes": 20_000, "live.prices.give_up_after": 1}
    assert given_up("SPY", **most).startswith("Yahoo cannot be reached: ")


def edited(symbol: str, **quote: Any) -> Answer:
    """A chart some of whose columns are replaced; a function edits the column that is there."""
    whole = chart(symbol, HISTORIES[symbol])
    result = whole["chart"]["result"][0]
    columns = result["indicators"]["quote"][0] | {"timestamp": result["timestamp"]}
    for name, edit in quote.items():
        columns[name] = edit(list(columns[name]))
    result["timestamp"] = columns.pop("timestamp")
    result["indicators"]["quote"][0] = columns
    return json_answer(whole)


NONE = [None] * 60


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            edited("SPY", **{n: lambda _: NONE for n in ("open", "high", "low", "close")}),
            "NaN columns: no price in any of 60",
        ),
        (json_answer({"chart": {"result": [], "error": None}}), "possibly delisted"),
        (json_answer({"chart": {"result": None, "error": None}}), "possibly delisted"),
        (json_answer({"chart": {"result": [{"meta": {}}], "error": None}}), "cannot be read"),
        (
            edited("SPY", close=lambda old: [*old[:-1], None]),
            "stale: the last whole bar is of 2024-06-11, the newest session is 2024-06-12, "
            "no-price on 2024-06-12",
        ),
        (edited("SPY", low=lambda old: [0.0] * 60), "none of 60 bars is whole (zero-or-negative"),
        (edited("SPY", high=lambda old: [1.0] * 60), "none of 60 bars is whole (high-below-low"),
        (
            edited("SPY", close=lambda old: [None, *old[1:20], *[-1.0] * 20, *old[40:]]),
            "gaps: 20 of 59 sessions",
        ),
    ],
)
def test_what_yfinance_says_without_an_exception_is_found(
    net: Internet, site: YahooSite, answer: Answer, why: str
) -> None:
    failing(site, "SPY", answer)
    found = asked("NVDA", "SPY")
    assert why in (found["SPY"].refused or "")
    assert found["SPY"].bars == ()
    assert len(found["NVDA"].bars) == 60  # a partial answer costs only what is not in it


def test_duplicate_dates_are_one_bar(net: Internet, site: YahooSite) -> None:
    # The last day twice, as while the market is open, and one in the middle.
    def twice(old: list[Any]) -> list[Any]:
        return [*old[:30], old[30], *old[30:], old[-1]]

    whole = chart("SPY", HISTORIES["SPY"])
    result = whole["chart"]["result"][0]
    result["timestamp"] = twice(result["timestamp"])
    columns = result["indicators"]["quote"][0]
    result["indicators"]["quote"] = [{name: twice(values) for name, values in columns.items()}]
    result["indicators"]["adjclose"] = [
        {"adjclose": twice(result["indicators"]["adjclose"][0]["adjclose"])}
    ]
    failing(site, "SPY", json_answer(whole))
    assert [bar.session for bar in asked("SPY")["SPY"].bars] == list(DAYS)


def test_half_a_bar_of_today_is_not_stored(net: Internet, site: YahooSite) -> None:
    today = date(2024, 6, 13)
    bars = dict(HISTORIES["SPY"].bars) | {today: Traded(1.0, 1.0, 1.0, 1.0, 5)}
    site.histories = {"SPY": History(bars)}
    assert asked("SPY")["SPY"].bars[-1].session == date(2024, 6, 12)


def test_a_split_that_yahoo_tells_and_has_not_applied_is_refused(
    net: Internet, site: YahooSite
) -> None:
    whole = replace(HISTORIES["NVDA"], dividends={})
    unapplied = chart("NVDA", History(whole.bars))
    unapplied["chart"]["result"][0]["events"] = chart("NVDA", whole)["chart"]["result"][0]["events"]
    failing(site, "NVDA", json_answer(unapplied))
    assert asked("NVDA")["NVDA"].refused == (
        "the split of 10 for 1 on 2024-06-10 is not in its prices"
    )


def test_a_hanging_chart_ends_with_the_time_that_a_request_has(
    net: Internet, site: YahooSite
) -> None:
    failing(site, None, Answer(hang=True))
    began = time.monotonic()
    fast = {"live.request_seconds": 0.4, "live.prices.give_up_after": 2}
    assert "did not answer in time" in given_up("SPY", "NVDA", "^VIX", **fast)
    assert time.monotonic() - began < 8


def test_a_dripping_chart_ends_as_well(net: Internet, site: YahooSite) -> None:
    failing(site, None, Answer(200, b"{" + b" " * 500, drip=0.05))
    began = time.monotonic()
    fast = {"live.request_seconds": 0.5, "live.prices.give_up_after": 1}
    assert "did not answer in time" in given_up("SPY", **fast)
    assert time.monotonic() - began < 8


def test_the_deadline_refuses_what_has_not_come(net: Internet, site: YahooSite) -> None:
    failing(site, "SPY", Answer(hang=True))
    found = asked("NVDA", "SPY", seconds=1.5, **{"live.request_seconds": 60.0})
    assert len(found["NVDA"].bars) == 60
    assert found["SPY"].refused is not None


def test_hosts_of_cookies_that_hang_cost_little_and_charts_come_without(
    net: Internet, site: YahooSite
) -> None:
    hang = Answer(hang=True)
    for host in ("fc.yahoo.com", "guce.yahoo.com", "query1.finance.yahoo.com"):
        net.sites[host] = lambda _: hang
    began = time.monotonic()
    found = asked("SPY", "NVDA", "^VIX", **{"live.request_seconds": 2.0})
    assert {ticker: len(one.bars) for ticker, one in found.items()} == dict.fromkeys(
        ("SPY", "NVDA", "^VIX"), 60
    )
    assert time.monotonic() - began < 10


def test_nothing_of_yfinance_reaches_the_terminal(
    net: Internet, site: YahooSite, capfd: pytest.CaptureFixture[str]
) -> None:
    failing(site, "SPY", Answer(200, b"<html>"))
    asked("SPY", "ATVI", "NVDA")
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- frames of download()


def downloaded(*symbols: str, **options: Any) -> pd.DataFrame:
    import yfinance

    return yfinance.download(
        list(symbols),
        start="2024-03-18",
        auto_adjust=False,
        actions=True,
        progress=False,
        threads=False,
        **options,
    )


def test_a_download_has_two_levels_for_one_ticker_and_dates_without_a_zone(net: Internet) -> None:
    asked("SPY")  # yfinance is set up
    frame = downloaded("NVDA")
    assert isinstance(frame.columns, pd.MultiIndex)
    assert frame.index.tz is None  # type: ignore[attr-defined]
    found = bars_of(frame, "NVDA", "NVDA", 1.2)
    assert found == asked("NVDA")["NVDA"].bars
    assert bars_of(downloaded("NVDA", group_by="ticker"), "NVDA", "NVDA", 1.2) == found
    assert bars_of(downloaded("NVDA", multi_level_index=False), "NVDA", "NVDA", 1.2) == found


def test_a_download_that_met_a_429_has_columns_of_nothing_and_no_exception(
    net: Internet, site: YahooSite
) -> None:
    asked("^VIX")
    failing(site, "SPY", Answer(429, b"Too Many Requests"))
    partial = downloaded("NVDA", "SPY")
    assert len(bars_of(partial, "NVDA", "NVDA", 1.2)) == 60
    with pytest.raises(SourceRefused, match="NaN columns"):
        bars_of(partial, "SPY", "SPY", 1.2)
    failing(site, None, Answer(429, b"Too Many Requests"))
    with pytest.raises(SourceRefused, match="empty frame"):
        bars_of(downloaded("SPY"), "SPY", "SPY", 1.2)


def flat(**more: Any) -> pd.DataFrame:
    index = pd.DatetimeIndex([str(day) for day in DAYS])
    names = ("Open", "High", "Low", "Close", "Adj Close")
    return pd.DataFrame({**dict.fromkeys(names, 10.0), "Volume": 5, **more}, index=index)


def test_frames_of_any_shape_are_read_or_refused() -> None:
    assert [bar.session for bar in bars_of(flat(), "SPY", "SPY", 1.2)] == list(DAYS)
    aware = flat().tz_localize("UTC")
    # Midnight as it stands; 21:00 UTC, as archives stamp a close, is the same day in New York.
    assert [bar.session for bar in bars_of(aware, "SPY", "SPY", 1.2)] == list(DAYS)
    aware.index += pd.Timedelta(hours=21)
    assert [bar.session for bar in bars_of(aware, "SPY", "SPY", 1.2)] == list(DAYS)
    others = pd.concat({"AAPL": flat()}, axis=1)
    for frame, why in [
        (None, "no frame, but NoneType"),
        (flat().iloc[:0], "empty frame"),
        (flat().drop(columns=["Adj Close", "Volume"]), "columns missing: Adj Close, Volume"),
        (pd.concat([flat(), flat()[["Close"]]], axis=1), "stray columns, some twice: Close"),
        (others, "stray columns, none of SPY: AAPL"),
        (flat().reset_index(drop=True), "rows without dates, but int64"),
        (flat(Close="n/a", Open="", High=None, Low=None), "NaN columns"),
    ]:
        with pytest.raises(SourceRefused) as caught:
            bars_of(frame, "SPY", "SPY", 1.2)
        assert why in str(caught.value)
