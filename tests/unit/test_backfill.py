"""`cashtag backfill prices`: bars of the past into raw, and archive runs that use them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from alpaca_bars_site import HOST, AlpacaSite
from alpaca_keys import KEY_ID, SECRET_KEY
from internet import Answer, Internet, json_answer
from share_history import History, splitting, steady
from typer.testing import CliRunner
from yahoo_site import YahooSite

from cashtag import services, sessions, steps
from cashtag.cli.app import app
from cashtag.errors import InputError, SourceRefused
from cashtag.lake import layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.disk import FolderStore
from cashtag.operate import backfill
from cashtag.redaction import remember
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.settings import Settings, load

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets"),
]
DAYS = sessions.sessions_between(date(2024, 3, 1), date(2024, 6, 12))
FROM, TO = date(2024, 3, 1), date(2024, 6, 12)
SPLIT_DAY = date(2024, 6, 10)
HISTORIES = {
    "SPY": steady(DAYS, 500.0),
    "AAPL": steady(DAYS, 170.0),
    "NVDA": splitting(DAYS, SPLIT_DAY, 10.0, (date(2024, 5, 16), 5.0)),
}
VIX = {"^VIX": steady(DAYS, 15.0)}
KEYS = AlpacaKeys(KEY_ID, SECRET_KEY)
SMALL: dict[str, Any] = {
    "live.alpaca.pause_seconds": 0.01,
    "live.request_seconds": 3.0,
    "live.prices.symbols_per_request": 2,
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
    return FolderStore(tmp_path / "lake" / "raw")


def settings(**own: Any) -> Settings:
    return load(environ={}, overrides=SMALL | own)


def filled(
    raw: FolderStore,
    *tickers: str,
    first: date | None = FROM,
    last: date | None = TO,
    **more: Any,
) -> dict[str, backfill.Backfilled]:
    found = backfill.prices(raw, settings(), KEYS, tickers, first, last, **more)
    return {one.ticker: one for one in found}


def keys(raw: FolderStore) -> list[str]:
    return [info.key for info in raw.list("bars/")]


def test_each_ticker_becomes_one_object_of_its_source(net: Internet, raw: FolderStore) -> None:
    found = filled(raw, "NVDA", "SPY", "^VIX")
    assert keys(raw) == [
        "bars/source=alpaca/NVDA-1.jsonl.gz",
        "bars/source=alpaca/SPY-1.jsonl.gz",
        "bars/source=yahoo/^VIX-1.jsonl.gz",
    ]
    # March has 20 sessions (Good Friday), April 22, May 22 (Memorial Day), June 8 until the 12th.
    assert found["NVDA"] == backfill.Backfilled("NVDA", "alpaca", 72, FROM, TO, True, None)
    assert found["^VIX"].source == "yahoo"


def test_the_same_bars_twice_add_nothing(net: Internet, raw: FolderStore) -> None:
    filled(raw, "NVDA", "^VIX")
    before = keys(raw)
    again = filled(raw, "NVDA", "^VIX")
    part = filled(raw, "NVDA", first=date(2024, 5, 1))
    assert keys(raw) == before
    assert not any(one.added for one in [*again.values(), *part.values()])
    assert part["NVDA"].bars == 30


def test_other_bars_are_added_under_a_higher_number(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite
) -> None:
    filled(raw, "AAPL")
    dividend = {date(2024, 6, 11): 0.25}  # every adjusted close before it changes
    alpaca.histories = {"AAPL": replace(HISTORIES["AAPL"], dividends=dividend)}
    assert filled(raw, "AAPL")["AAPL"].added
    assert keys(raw) == [f"bars/source=alpaca/AAPL-{number}.jsonl.gz" for number in (1, 2)]


def test_what_is_refused_says_why_and_progress_counts_it(net: Internet, raw: FolderStore) -> None:
    seen: list[tuple[int, int, str]] = []
    found = filled(
        raw, "AAPL", "ZZZZ", "SPY", progress=lambda done, of, what: seen.append((done, of, what))
    )
    assert found["ZZZZ"].refused == (
        "alpaca: asset unknown, or no bars; yahoo: No data found, symbol may be delisted"
    )
    assert [(done, of) for done, of, _ in seen] == [(1, 3), (2, 3), (3, 3)]


def test_one_source_may_be_chosen(net: Internet, raw: FolderStore, alpaca: AlpacaSite) -> None:
    assert filled(raw, "SPY", source="yahoo")["SPY"].source == "yahoo"
    assert alpaca.log == []
    assert filled(raw, "^VIX", source="alpaca")["^VIX"].refused == "no source was asked for it"


def test_a_source_that_is_down_is_not_asked_batch_after_batch(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite
) -> None:
    alpaca.fault = lambda _: json_answer({"message": "no"}, 401)
    found = filled(raw, "AAPL", "NVDA", "SPY")  # two batches
    assert {one.source for one in found.values()} == {"yahoo"}
    assert len(alpaca.log) == 1


def test_half_a_bar_of_a_session_under_way_is_left_out(net: Internet, raw: FolderStore) -> None:
    noon = datetime(2024, 6, 12, 16, tzinfo=UTC)  # the bell rings at 20:00
    found = filled(raw, "SPY", last=None, now=noon)
    assert found["SPY"].last == date(2024, 6, 11)


def test_a_range_of_days_without_a_session_is_an_error(raw: FolderStore) -> None:
    with pytest.raises(InputError, match="no session has ended"):
        filled(raw, "SPY", first=date(2024, 6, 8), last=date(2024, 6, 9))


def test_the_lakes_tickers_are_the_watchlist_and_what_has_tweets(raw: FolderStore) -> None:
    for ticker in ("AMD", "FB", "BTC"):
        raw.put(layout.raw("tweets", date(2024, 6, 12), "x", ticker), lines.pack([b"{}"]))
    assert backfill.of_lake(raw, settings()) == tuple(
        # FB is META by now, and BTC is no stock.
        sorted(["AAPL", "AMD", "GOOG", "META", "NVDA", "SPY", "TSLA", "^VIX"])
    )


def test_symbols_are_read_as_people_write_them() -> None:
    assert backfill.chosen(settings(), ["$nvda", "brk_b", "^vix", "FB"]) == (
        "BRK.B",
        "META",
        "NVDA",
        "^VIX",
    )
    with pytest.raises(InputError, match="'NOT A TICKER' is no symbol"):
        backfill.chosen(settings(), ["NOT A TICKER"])


# ---------------------------------------------------------------- the command


def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str
) -> tuple[Any, list[dict[str, Any]]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("APCA_API_KEY_ID", KEY_ID)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET_KEY)
    for key, value in SMALL.items():
        name = "CASHTAG_" + key.upper().replace(".", "__")
        monkeypatch.setenv(name, json.dumps(value))
    done = CliRunner().invoke(app, ["backfill", "prices", "--lake", "lake", *words])
    rows = json.loads(done.stdout) if "json" in words and done.stdout else []
    return done, rows


def test_the_command_prints_what_became_of_each_ticker(
    net: Internet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--from", str(FROM), "--to", str(TO), "--ticker", "spy", "--ticker", "ZZZZ"]
    done, rows = command(tmp_path, monkeypatch, *asked, "--format", "json")
    assert done.exit_code == 0
    assert rows[0] == {
        "ticker": "SPY",
        "bars": 72,
        "first": "2024-03-01",
        "last": "2024-06-12",
        "source": "alpaca",
        "added": True,
        "refused": None,
    }
    assert (rows[1]["ticker"], rows[1]["bars"]) == ("ZZZZ", 0)
    assert "PLANTED" not in done.output


def test_the_command_ends_with_5_when_everything_was_refused(
    net: Internet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    alpaca: AlpacaSite,
    yahoo: YahooSite,
) -> None:
    alpaca.fault = lambda _: json_answer({"message": "no"}, 403)
    yahoo.fault = lambda _: Answer(429, b"Too Many Requests")
    done, rows = command(
        tmp_path, monkeypatch, "--from", str(FROM), "--to", str(TO), "--format", "json"
    )
    assert isinstance(done.exception, SourceRefused)
    assert done.exception.exit_code == 5
    assert {row["bars"] for row in rows} == {0}
    assert all("403" in row["refused"] for row in rows if row["ticker"] != "^VIX")


def test_an_archive_run_has_prices_from_a_backfill(
    net: Internet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, _ = command(
        tmp_path, monkeypatch, "--from", str(FROM), "--to", str(TO), "--ticker", "NVDA",
        "--ticker", "SPY", "--ticker", "^VIX",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    tweet = {
        "id": "1", "ticker": "$NVDA", "username": "someone", "display_name": "Someone",
        "content": "$NVDA splits, great", "created_at": "2024-06-10T01:00:00Z", "likes": 3,
        "retweets": 0, "replies": 0, "hashtags": [], "url": "https://x.com/someone/status/1",
    }  # fmt: skip
    file = tmp_path / "NVDA-2024-06-10.json"
    file.write_text(json.dumps([tweet]))
    imported = CliRunner().invoke(app, ["import", "reference", str(file), "--lake", "lake"])
    assert imported.exit_code == 0, imported.output
    env = services.embedded(load(environ={}, overrides={"lake": str(tmp_path / "lake")}))
    run = date(2024, 6, 10)
    steps.scrape(env, run)
    for info in env.lake.raw.list("tweets/"):
        steps.enrich(env, info.key)
    signalled = steps.signals(env, run)
    table = parquet.read(contract("prices"), env.lake.enriched.get(layout.enriched("prices", run)))
    rows = table.to_pylist()
    # Sessions before the run's own, the day of the split: March 20, April 22, May 22, June 5.
    assert {(row["ticker"], row["source"]) for row in rows} == {
        ("NVDA", "alpaca"),
        ("SPY", "alpaca"),
        ("^VIX", "yahoo"),
    }
    nvda = [row for row in rows if row["ticker"] == "NVDA"]
    assert len(nvda) == 69
    last = nvda[-1]
    assert (last["session"], last["close"], last["split"]) == (
        date(2024, 6, 7),
        HISTORIES["NVDA"].bars[date(2024, 6, 7)].close,
        None,
    )
    assert last["adjusted_close"] == pytest.approx(last["close"])  # the split is not known yet
    assert signalled.session == run


def test_a_history_of_nothing_is_no_bars(
    net: Internet, raw: FolderStore, alpaca: AlpacaSite, yahoo: YahooSite
) -> None:
    alpaca.histories = yahoo.histories = {"AAPL": History({})}
    assert filled(raw, "AAPL")["AAPL"].bars == 0
    assert keys(raw) == []
