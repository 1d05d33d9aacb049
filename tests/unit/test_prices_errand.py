"""Prices of a run: the chain of sources, what is stored, resuming, and how it went."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from alpaca_bars_site import HOST, AlpacaSite
from alpaca_keys import KEY_ID, SECRET_KEY
from internet import Answer, Internet, Request, json_answer
from share_history import History, splitting, steady
from yahoo_site import YahooSite

from cashtag import sessions
from cashtag.enrich.prices import prices_for
from cashtag.errors import SourceRefused
from cashtag.lake import layout, lines, numbered
from cashtag.lake.disk import FolderStore
from cashtag.ports import Day, SourceHealth
from cashtag.redaction import remember
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import held
from cashtag.scrape.prices import Prices
from cashtag.settings import Settings, load

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets"),
]
RUN = date(2024, 6, 13)
DAYS = sessions.sessions_before(RUN, 80)
HISTORIES = {
    "SPY": steady(DAYS, 500.0),
    "AAPL": steady(DAYS, 170.0),
    "NVDA": splitting(DAYS, date(2024, 6, 10), 10.0, (date(2024, 5, 16), 5.0)),
    "MNTS": splitting(DAYS, date(2024, 5, 23), 0.02, start=0.5),
}
VIX = {"^VIX": steady(DAYS, 15.0)}
KEYS = AlpacaKeys(KEY_ID, SECRET_KEY)
SMALL: dict[str, Any] = {
    "scrape.bars_per_run": 60,
    "live.alpaca.pause_seconds": 0.01,
    "live.request_seconds": 3.0,
}


@pytest.fixture
def alpaca() -> AlpacaSite:
    return AlpacaSite(HISTORIES)


@pytest.fixture
def yahoo() -> YahooSite:
    return YahooSite(HISTORIES | VIX)


@pytest.fixture
def net(
    alpaca: AlpacaSite, yahoo: YahooSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Internet]:
    remember(KEY_ID, SECRET_KEY)  # as reading them from a file does
    with Internet({HOST: alpaca, **yahoo.hosts()}, tmp_path) as internet:
        for name, value in internet.environ().items():
            monkeypatch.setenv(name, value)
        yield internet


@pytest.fixture
def raw(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "raw")


def settings(**own: Any) -> Settings:
    return load(environ={}, overrides=SMALL | own)


def scrape(
    raw: FolderStore,
    *tickers: str,
    keys: AlpacaKeys | None = KEYS,
    seconds: float = 60.0,
    run: date = RUN,
    **own: Any,
) -> tuple[dict[str, SourceHealth], list[str]]:
    """Run the errand as a live run does, keep what it yields; health by name, keys stored."""
    errand = Prices(settings(**own), keys)
    day = Day(run, sessions.cutoff(run), tickers)
    stored = []
    try:
        for fetched in errand.fetch(day, held(raw, run), Deadline(seconds)):
            source = fetched.source or ""

            def key_of(number: int, source: str = source) -> str:
                return layout.raw("prices", run, source, "prices", number)

            stored.append(numbered.add(raw, key_of, lines.pack(fetched.lines)))
    except SourceRefused:
        stored.append("refused")
    return {row.name: row for row in errand.health()}, stored


def held_tickers(raw: FolderStore) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for info in raw.list("prices/"):
        for _, line in lines.unpack(raw.get(info.key)).lines:
            envelope = orjson.loads(line)
            found.setdefault(envelope["source"], set()).add(envelope["data"]["ticker"])
    return found


def table(raw: FolderStore, own: Settings | None = None) -> list[dict[str, Any]]:
    objects = {info.key: raw.get(info.key) for info in raw.list("prices/")}
    found: list[dict[str, Any]] = prices_for(RUN, objects, own or settings()).to_pylist()
    return found


def test_alpaca_gives_the_stocks_and_yahoo_the_index(net: Internet, raw: FolderStore) -> None:
    health, stored = scrape(raw, "AAPL", "NVDA")
    assert stored == [
        "prices/dt=2024-06-13/source=alpaca/prices-1.jsonl.gz",
        "prices/dt=2024-06-13/source=yahoo/prices-1.jsonl.gz",
    ]
    assert held_tickers(raw) == {"alpaca": {"AAPL", "NVDA", "SPY"}, "yahoo": {"^VIX"}}
    assert health["prices"] == SourceHealth("prices", "ok", "4 of 4 tickers have bars")
    assert health["alpaca"] == SourceHealth("alpaca", "ok", "3 of 3 tickers", 3, 187)
    assert (health["yahoo"].status, health["yahoo"].reason) == ("ok", "1 of 1 tickers")


def test_a_line_is_an_envelope_with_the_bar_as_enrichment_reads_it(
    net: Internet, raw: FolderStore
) -> None:
    scrape(raw, "NVDA")
    (key, _) = (info.key for info in raw.list("prices/"))
    found = [orjson.loads(line) for _, line in lines.unpack(raw.get(key)).lines]
    (split,) = [one for one in found if one["data"]["split"]]
    assert datetime.fromisoformat(split["scraped_at"]).tzinfo is UTC
    truth = HISTORIES["NVDA"].bars[date(2024, 6, 10)]
    assert split == {
        "source": "alpaca",
        "scraped_at": split["scraped_at"],
        "query": "NVDA 1Day raw, all 2024-03-19..2024-06-12 feed=sip",
        "data": {
            "ticker": "NVDA",
            "session": "2024-06-10",
            "open": truth.open,
            "high": truth.high,
            "low": truth.low,
            "close": truth.close,
            "adjusted_close": truth.close,
            "volume": 10_000_000,
            "dividend": None,
            "split": 10.0,
            "recognised": "actions",
        },
    }


def test_both_sources_give_the_same_prices_of_the_same_history(
    net: Internet, tmp_path: Path
) -> None:
    tables = {}
    for source in ("alpaca", "yahoo"):
        store = FolderStore(tmp_path / source)
        scrape(store, "AAPL", "NVDA", "MNTS", **{"live.prices.chain": [source]})
        tables[source] = [row for row in table(store) if row["ticker"] != "^VIX"]
    assert len(tables["alpaca"]) == 4 * 60
    for one, other_one in zip(tables["alpaca"], tables["yahoo"], strict=True):
        ours, theirs = dict(one), dict(other_one)
        assert (ours.pop("source"), theirs.pop("source")) == ("alpaca", "yahoo")
        adjusted, other = ours.pop("adjusted_close"), theirs.pop("adjusted_close")
        # Alpaca rounds adjusted closes to a hundredth of a cent, Yahoo to seven digits.
        assert adjusted == pytest.approx(other, abs=6e-5, rel=2e-7)
        assert ours == theirs
    for rows in tables.values():
        last = [row for row in rows if row["session"] == date(2024, 6, 12)]
        assert [row["adjusted_close"] for row in last] == [row["close"] for row in last]
        assert [row["split"] for row in rows if row["split"]] == [0.02, 10.0]
        assert [row["dividend"] for row in rows if row["dividend"]] == [5.0]


def test_no_bar_of_the_runs_own_session_is_stored(net: Internet, raw: FolderStore) -> None:
    run = date(2024, 6, 10)  # the session of the split: known to both sources, not to the run
    scrape(raw, "NVDA", run=run)
    found = [
        orjson.loads(line)["data"]
        for info in raw.list("prices/")
        for _, line in lines.unpack(raw.get(info.key)).lines
    ]
    assert max(bar["session"] for bar in found) == "2024-06-07"
    assert not [bar for bar in found if bar["split"]]
    objects = {info.key: raw.get(info.key) for info in raw.list("prices/")}
    nvda = [r for r in prices_for(run, objects, settings()).to_pylist() if r["ticker"] == "NVDA"]
    assert nvda[-1]["adjusted_close"] == pytest.approx(nvda[-1]["close"])


def test_without_keys_yahoo_is_asked_for_everything(net: Internet, raw: FolderStore) -> None:
    health, _ = scrape(raw, "NVDA", keys=None)
    assert held_tickers(raw) == {"yahoo": {"NVDA", "SPY", "^VIX"}}
    assert health["alpaca"].status == "empty"
    assert "no Alpaca keys are set up (live.secrets_file)" in (health["alpaca"].reason or "")
    assert health["prices"].status == "ok"


def test_yahoo_takes_over_what_alpaca_lacks_and_what_it_refuses(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite
) -> None:
    alpaca.histories = {"SPY": HISTORIES["SPY"]}
    health, _ = scrape(raw, "NVDA")
    assert held_tickers(raw) == {"alpaca": {"SPY"}, "yahoo": {"NVDA", "^VIX"}}
    assert health["alpaca"].reason == ("1 of 2 tickers; refused: NVDA (asset unknown, or no bars)")


def test_a_refusal_of_alpaca_is_told_and_costs_nothing(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite
) -> None:
    alpaca.fault = lambda _: json_answer({"message": f"bad key {KEY_ID}"}, 401)
    health, _ = scrape(raw, "NVDA")
    assert held_tickers(raw) == {"yahoo": {"NVDA", "SPY", "^VIX"}}
    assert health["alpaca"].status == "refused"
    assert "keys are not valid" in (health["alpaca"].reason or "")
    assert "PLANTED" not in repr(health)
    assert health["prices"].status == "ok"


def test_a_stale_ticker_is_taken_from_the_next_source(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite
) -> None:
    bars = dict(list(HISTORIES["NVDA"].bars.items())[:-1])
    alpaca.histories = HISTORIES | {"NVDA": replace(HISTORIES["NVDA"], bars=bars)}
    health, _ = scrape(raw, "NVDA")
    assert held_tickers(raw)["yahoo"] == {"NVDA", "^VIX"}
    assert "NVDA (stale: the last whole bar is of 2024-06-11" in (health["alpaca"].reason or "")


def test_a_run_without_spy_says_so_first(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite, yahoo: YahooSite
) -> None:
    alpaca.histories = {"AAPL": HISTORIES["AAPL"]}
    yahoo.histories = {}
    health, _ = scrape(raw, "AAPL")
    assert held_tickers(raw) == {"alpaca": {"AAPL"}}
    assert health["prices"].status == "refused"
    assert (health["prices"].reason or "").startswith(
        "SPY and ^VIX without bars: the regime of the market is unknown, and its gate may block "
        "every entry; 1 of 3 tickers have bars; without: SPY (alpaca: asset unknown, or no bars; "
        "yahoo: No data found, symbol may be delisted), ^VIX (yahoo: No data"
    )


def test_a_ticker_without_bars_does_not_refuse_the_rest(net: Internet, raw: FolderStore) -> None:
    health, _ = scrape(raw, "AAPL", "ZZZZ")
    assert health["prices"].status == "ok"
    assert (health["prices"].reason or "").startswith(
        "3 of 4 tickers have bars; without: ZZZZ (alpaca: asset unknown"
    )


def test_long_lists_are_cut_and_counted(net: Internet, raw: FolderStore) -> None:
    unknown = [f"ZZZ{letter}" for letter in "ABCDE"]
    health, _ = scrape(raw, "AAPL", *unknown, **{"live.prices.named_tickers": 2})
    assert (health["prices"].reason or "").endswith(", 3 more")


def test_what_is_no_stock_is_not_asked_for(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite, yahoo: YahooSite
) -> None:
    health, _ = scrape(raw, "AAPL", "BTC", "DOGE.X", "ATVI")
    assert (health["prices"].reason or "").endswith(
        "not asked: ATVI (delisted), BTC (not an equity), DOGE.X (a crypto pair)"
    )
    assert yahoo.asked == ["^VIX"]
    assert {request.query["symbols"] for request in alpaca.log} == {"AAPL,SPY"}


def test_both_sources_down_is_a_refusal_and_stores_nothing(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite, yahoo: YahooSite
) -> None:
    alpaca.fault = lambda _: json_answer({"message": "oops"}, 500)
    yahoo.fault = lambda _: Answer(429, b"Too Many Requests")
    health, stored = scrape(raw, "AAPL", "NVDA")
    assert stored == ["refused"]
    assert list(raw.list("prices/")) == []
    assert {name: row.status for name, row in health.items()} == dict.fromkeys(
        ("alpaca", "yahoo", "prices"), "refused"
    )


def test_a_second_call_fetches_only_what_is_missing(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite, yahoo: YahooSite
) -> None:
    alpaca.histories = {name: HISTORIES[name] for name in ("SPY", "AAPL")}
    yahoo.fault = lambda _: Answer(429, b"Too Many Requests")
    scrape(raw, "AAPL", "NVDA")
    assert held_tickers(raw) == {"alpaca": {"AAPL", "SPY"}}
    alpaca.histories, yahoo.fault = HISTORIES, None
    alpaca.log.clear()
    health, stored = scrape(raw, "AAPL", "NVDA")
    assert stored == [
        "prices/dt=2024-06-13/source=alpaca/prices-2.jsonl.gz",
        "prices/dt=2024-06-13/source=yahoo/prices-1.jsonl.gz",
    ]
    assert {request.query["symbols"] for request in alpaca.log} == {"NVDA"}
    assert health["prices"] == SourceHealth("prices", "ok", "4 of 4 tickers have bars")
    rows = table(raw)
    assert {row["ticker"] for row in rows} == {"AAPL", "NVDA", "SPY", "^VIX"}
    assert len(rows) == 4 * 60
    alpaca.log.clear()
    yahoo.asked.clear()
    health, stored = scrape(raw, "AAPL", "NVDA")
    assert (stored, alpaca.log, yahoo.asked) == ([], [], [])
    assert {name: row.status for name, row in health.items()} == {"prices": "ok"}


def test_a_source_that_hangs_leaves_time_to_the_next(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite
) -> None:
    alpaca.fault = lambda _: Answer(hang=True)
    health, _ = scrape(raw, "AAPL", seconds=4.0, **{"live.request_seconds": 60.0})
    assert held_tickers(raw) == {"yahoo": {"AAPL", "SPY", "^VIX"}}
    assert health["alpaca"].status == "refused"


def test_bars_that_are_unfit_are_kept_in_raw_and_told(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite
) -> None:
    whole = HISTORIES["AAPL"].bars
    day = date(2024, 5, 1)
    broken = dict(whole) | {day: replace(whole[day], open=0.0)}
    alpaca.histories = HISTORIES | {"AAPL": History(broken)}
    health, _ = scrape(raw, "AAPL")
    assert "AAPL has 1 unfit bars (zero-or-negative 2024-05-01)" in (health["alpaca"].reason or "")
    rows = [row for row in table(raw) if row["ticker"] == "AAPL"]
    assert len(rows) == 59  # enrichment puts the line into quarantine


def test_no_key_reaches_raw(net: Internet, raw: FolderStore, alpaca: AlpacaSite) -> None:
    def echo(request: Request) -> Answer | None:
        if request.path == "/v1/corporate-actions":
            return json_answer({"message": f"not for {request.headers['apca-api-key-id']}"}, 403)
        return None

    alpaca.fault = echo
    health, _ = scrape(raw, "NVDA")
    assert "by the ratio of raw to adjusted closes" in (health["alpaca"].reason or "")
    stored = b"".join(lines.unpack(raw.get(i.key)).lines[0][1] for i in raw.list("prices/"))
    assert b"PLANTED" not in stored


def test_what_came_before_the_deadline_is_told_while_the_rest_is_under_way(
    net: Internet, raw: FolderStore
) -> None:
    errand = Prices(settings(), KEYS)
    day = Day(RUN, sessions.cutoff(RUN), ("NVDA",))
    fetching = errand.fetch(day, held(raw, RUN), Deadline(60))
    first = next(fetching)  # and then a live run's time is up
    assert first.source == "alpaca"
    told = {row.name: row for row in errand.health()}
    assert told["alpaca"].reason == "2 of 2 tickers"
    assert told["prices"].reason == "the deadline came first (live.step_seconds)"


def test_the_libraries_are_imported_only_where_they_are_used() -> None:
    code = (
        "import sys, cashtag.scrape.prices, cashtag.operate.backfill, cashtag.cli.app\n"
        "print(sorted({'alpaca', 'yfinance', 'pandas', 'curl_cffi', 'requests'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
