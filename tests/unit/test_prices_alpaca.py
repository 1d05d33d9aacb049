"""Bars from Alpaca by its own client over loopback: pages, splits, and every way to be refused."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alpaca_bars_site import HOST, AlpacaSite
from alpaca_keys import KEY_ID, SECRET_KEY
from internet import Answer, Internet, Request, json_answer
from share_history import History, splitting, steady

from cashtag import sessions
from cashtag.errors import SourceRefused
from cashtag.redaction import remember
from cashtag.scrape.alpaca_bars import AlpacaBars
from cashtag.scrape.bars import Answer as BarAnswer
from cashtag.scrape.bars import Span
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.settings import load

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")
KEYS = AlpacaKeys(KEY_ID, SECRET_KEY)
DAYS = sessions.sessions_before(date(2024, 6, 13), 60)
SPAN = Span(DAYS)
SPLIT_DAY, PAID_DAY = date(2024, 6, 10), date(2024, 5, 16)
HISTORIES = {
    "SPY": steady(DAYS, 500.0),
    "AAPL": steady(DAYS, 170.0),
    "NVDA": splitting(DAYS, SPLIT_DAY, 10.0, (PAID_DAY, 5.0)),
}
FAST: dict[str, Any] = {"live.alpaca.pause_seconds": 0.01, "live.request_seconds": 1.0}


@pytest.fixture
def site() -> AlpacaSite:
    return AlpacaSite(HISTORIES)


@pytest.fixture
def net(site: AlpacaSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    remember(KEY_ID, SECRET_KEY)
    with Internet({HOST: site}, tmp_path) as internet:
        for name, value in internet.environ().items():
            monkeypatch.setenv(name, value)
        yield internet


def asked(
    *tickers: str, seconds: float = 20.0, keys: AlpacaKeys = KEYS, **settings: Any
) -> dict[str, BarAnswer]:
    source = AlpacaBars(load(environ={}, overrides=FAST | settings), keys)
    return {one.ticker: one for one in source.bars(tickers, SPAN, Deadline(seconds))}


def failing(site: AlpacaSite, answer: Answer | Callable[[Request], Answer | None]) -> None:
    site.fault = answer if callable(answer) else lambda _: answer


def refusal(**settings: Any) -> str:
    with pytest.raises(SourceRefused) as caught:
        asked("SPY", "NVDA", **settings)
    assert "PLANTED" not in str(caught.value)
    return str(caught.value)


def test_bars_come_as_traded_with_the_split_and_the_dividend(net: Internet) -> None:
    found = asked("NVDA", "SPY")
    nvda = {bar.session: bar for bar in found["NVDA"].bars}
    assert tuple(nvda) == DAYS
    before, after = nvda[date(2024, 6, 7)], nvda[SPLIT_DAY]
    assert (before.close, after.close) == (
        HISTORIES["NVDA"].bars[date(2024, 6, 7)].close,
        HISTORIES["NVDA"].bars[SPLIT_DAY].close,
    )
    assert (before.volume, after.volume) == (1_000_000, 10_000_000)
    assert (after.split, after.recognised) == (10.0, "actions")
    assert nvda[PAID_DAY].dividend == 5.0
    # Friday's close in the shares of now is a tenth of it.
    assert before.adjusted_close == pytest.approx(before.close / 10)  # type: ignore[operator]
    # Before the dividend: ten to one, and 5 dollars less on the close of the day before it.
    paid = nvda[date(2024, 5, 15)]
    assert paid.close is not None
    assert paid.adjusted_close == pytest.approx(paid.close / 10 * (1 - 5.0 / paid.close), abs=5e-5)
    assert sum(bar.split is not None for bar in found["NVDA"].bars) == 1
    assert all(bar.split is bar.dividend is None for bar in found["SPY"].bars)


def test_without_corporate_actions_the_ratio_tells_both(net: Internet, site: AlpacaSite) -> None:
    site.actions = False
    source = AlpacaBars(load(environ={}, overrides=FAST), KEYS)
    (found,) = source.bars(["NVDA"], SPAN, Deadline(20))
    told = {bar.session: bar for bar in found.bars if bar.recognised}
    assert set(told) == {SPLIT_DAY, PAID_DAY}
    assert (told[SPLIT_DAY].split, told[SPLIT_DAY].recognised) == (10.0, "ratio")
    assert told[PAID_DAY].dividend == pytest.approx(5.0, abs=0.01)  # four decimals were kept
    assert source.actions_refused is not None
    assert "403" in source.actions_refused


def test_nothing_of_the_library_is_said_to_whoever_is_looking() -> None:
    # -W always shows what Python otherwise hides; websockets.legacy tells of its own end.
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", "from cashtag.scrape import alpaca_options"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "websockets" not in done.stderr


def test_pages_are_joined_and_symbols_go_in_batches(net: Internet, site: AlpacaSite) -> None:
    site.page = 37  # 60 bars of 3 symbols: five pages
    found = asked("AAPL", "NVDA", "SPY", **{"live.prices.symbols_per_request": 2})
    assert {ticker: len(one.bars) for ticker, one in found.items()} == {
        "AAPL": 60,
        "NVDA": 60,
        "SPY": 60,
    }
    symbols = {request.query["symbols"] for request in site.log}
    assert symbols == {"AAPL,NVDA", "SPY"}


def test_only_ended_sessions_are_asked_for_raw_and_adjusted(
    net: Internet, site: AlpacaSite
) -> None:
    asked("SPY")
    bars = [request.query for request in site.log if request.path == "/v2/stocks/bars"]
    assert [query["adjustment"] for query in bars] == ["raw", "all"]
    # Sixty sessions up to 06-12: 8 in June, 22 in May (Memorial Day), 22 in April, 8 in March
    # (Good Friday was the 29th), so from the 19th on.
    assert {(query["start"][:10], query["end"][:10]) for query in bars} == {
        ("2024-03-19", "2024-06-12")
    }
    assert {query["feed"] for query in bars} == {"sip"}
    assert {query["timeframe"] for query in bars} == {"1Day"}


def test_a_symbol_that_is_missing_costs_no_other(net: Internet) -> None:
    found = asked("ATVI", "SPY")
    assert found["ATVI"].refused == "asset unknown, or no bars"
    assert found["SPY"].refused is None


def test_a_symbol_for_which_the_request_is_refused_is_left_out(net: Internet) -> None:
    # Alpaca refuses the whole request for one symbol that cannot be one.
    found = asked("BRK.B", "SPY")
    assert found["BRK.B"].refused == "asset unknown, or no bars"

    def invalid(request: Request) -> Answer | None:
        if "GONE" in request.query.get("symbols", ""):
            return json_answer({"code": 42210000, "message": "invalid symbol: GONE"}, 422)
        return None

    site: AlpacaSite = net.sites[HOST]  # type: ignore[assignment]
    failing(site, invalid)
    found = asked("GONE", "SPY")
    assert found["GONE"].refused == "asset unknown"
    assert len(found["SPY"].bars) == 60


def test_empty_pages_are_no_bars(net: Internet, site: AlpacaSite) -> None:
    failing(site, json_answer({"bars": {}, "next_page_token": None}))
    assert asked("SPY")["SPY"].refused == "asset unknown, or no bars"
    failing(site, json_answer({"bars": None, "next_page_token": None}))
    assert asked("SPY")["SPY"].refused == "asset unknown, or no bars"


@pytest.mark.parametrize("status", [401, 403])
def test_refused_keys_say_so(net: Internet, site: AlpacaSite, status: int) -> None:
    failing(site, json_answer({"message": f"no such key {KEY_ID}"}, status))
    assert refusal() == (
        f"{HOST} answered {status}: the Alpaca keys are not valid there (paper and live keys "
        "differ), or their plan lacks what was asked for; it says "
        '{"message": "no such key [secret]"}'
    )
    assert len(site.log) == 1  # a refused key is not tried again


def test_the_rate_limit_is_waited_for_once_and_then_told(net: Internet, site: AlpacaSite) -> None:
    answers = iter([json_answer({"message": "too many requests."}, 429)])
    failing(site, lambda _: next(answers, None))
    assert len(asked("SPY")["SPY"].bars) == 60
    failing(site, json_answer({"message": "too many requests."}, 429))
    site.log.clear()
    assert refusal() == (
        f"{HOST} answered 429: the rate limit is used up; it says "
        '{"message": "too many requests."}'
    )
    assert len(site.log) == 2  # live.alpaca.attempts


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (json_answer({"message": "oops"}, 503), f"{HOST} answered 503"),
        (
            Answer(200, b"<html>maintenance</html>", {"content-type": "text/html"}),
            "text/html that is no JSON",
        ),
        (json_answer([1, 2]), "is not what it documents: "),
        (Answer(302, b"", {"location": "https://elsewhere"}), "inside a private network"),
        (json_answer({"message": "hello"}), "Alpaca's answer is not what it documents"),
        (json_answer({"bars": {"SPY": 7}, "next_page_token": None}), "not what it documents"),
        (Answer(200, b'{"bars": {"SPY": [', {"content-length": "90"}, cut=18), "broke off"),
        (Answer(200, b"{" + b" " * 20_000 + b"}"), "sent more than 10,000 bytes"),
    ],
)
def test_whatever_else_comes_back_is_a_refusal(
    net: Internet, site: AlpacaSite, answer: Answer, why: str
) -> None:
    failing(site, answer)
    most = {"live.max_bytes": 10_000} if "bytes" in why else {}
    assert why in refusal(**most)


def test_pages_that_do_not_end_are_a_refusal(net: Internet, site: AlpacaSite) -> None:
    failing(site, json_answer({"bars": {}, "next_page_token": "again"}))
    assert refusal() == f"{HOST} leads in a circle from page to page"
    numbers = iter(range(1000))
    failing(site, lambda _: json_answer({"bars": {}, "next_page_token": str(next(numbers))}))
    site.log.clear()
    assert refusal(**{"live.alpaca.most_pages": 4}) == (
        f"{HOST} has more than 4 pages (live.alpaca.most_pages)"
    )
    assert len(site.log) == 5  # the first page has no token


@pytest.mark.parametrize(
    "answer",
    [
        Answer(hang=True),
        Answer(200, b'{"bars": {}, "next_page_token": null}', drip=0.2),
    ],
)
def test_a_server_that_hangs_or_drips_ends_with_the_time_that_a_request_has(
    net: Internet, site: AlpacaSite, answer: Answer
) -> None:
    failing(site, answer)
    began = time.monotonic()
    assert " within 0.5 s" in refusal(**{"live.request_seconds": 0.5})
    assert time.monotonic() - began < 5  # six times as much, on a busy machine


def test_the_deadline_ends_what_no_time_out_does(net: Internet, site: AlpacaSite) -> None:
    failing(site, Answer(hang=True))
    began = time.monotonic()
    with pytest.raises(SourceRefused):
        asked("SPY", seconds=0.5, **{"live.request_seconds": 30.0})
    assert time.monotonic() - began < 5


def test_a_network_without_alpaca_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Internet({}, tmp_path) as net:
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        assert refusal().startswith(f"{HOST} cannot be reached: ")


def test_raw_bars_without_adjusted_ones_are_refused(net: Internet, site: AlpacaSite) -> None:
    def only_raw(request: Request) -> Answer | None:
        if request.query.get("adjustment") == "all":
            return json_answer({"bars": {}, "next_page_token": None})
        return None

    failing(site, only_raw)
    assert asked("SPY")["SPY"].refused == "raw bars without adjusted ones"


def test_bars_in_another_shape_cost_their_ticker(net: Internet, site: AlpacaSite) -> None:
    row = {"t": "2024-06-12T04:00:00Z", "o": 1, "h": 1, "l": 1, "c": 1}
    failing(site, json_answer({"bars": {"SPY": [row]}, "next_page_token": None}))
    assert asked("SPY")["SPY"].refused == "a bar is not what Alpaca documents: KeyError('v')"


def test_a_split_that_alpaca_has_not_applied_costs_the_ticker(
    net: Internet, site: AlpacaSite
) -> None:
    whole = HISTORIES["NVDA"]
    unapplied = History(whole.bars, {}, {})  # adjusted closes know nothing of the split

    def split_only_in_actions(request: Request) -> Answer | None:
        if request.path != "/v1/corporate-actions":
            return None
        row = {"symbol": "NVDA", "ex_date": str(SPLIT_DAY), "new_rate": 10, "old_rate": 1}
        return json_answer({"corporate_actions": {"forward_splits": [row]}})

    site.histories = {"NVDA": unapplied}
    failing(site, split_only_in_actions)
    assert asked("NVDA")["NVDA"].refused == (
        "the split of 10 for 1 on 2024-06-10 is not in its prices"
    )
