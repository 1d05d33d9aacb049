"""Snapshots of option chains by the unpatched alpaca-py over loopback: what is asked, kept, refused."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from alpaca_keys import KEY_ID, SECRET_KEY
from alpaca_options_site import DATA, TRADING, Alpaca, snapshot, symbol
from internet import Answer, Internet, Request, json_answer

from cashtag import redaction, services, sessions, steps
from cashtag.enrich import options as rows_of
from cashtag.lake import layout, lines
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import read
from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape import held
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.live import LiveSource
from cashtag.scrape.options import Options
from cashtag.scrape.trending import Trending
from cashtag.settings import Settings, load

MONDAY = date(2026, 8, 17)  # a session; its bell rings at 13:30 UTC
NEAR, FAR = date(2026, 8, 21), date(2026, 10, 16)  # 4 and 60 days ahead
MORNING = datetime(2026, 8, 17, 12, 1, tzinfo=UTC)
STRIKES = [180.0, 187.5, 250.0, 312.5, 320.0]  # a quarter around 250 is 187.5 to 312.5


def chosen(folder: Path, *tickers: str, **live: Any) -> Settings:
    """Settings that watch these stocks only."""
    given = {f"live.{name.replace('__', '.')}": value for name, value in live.items()}
    loaded = load(environ={}, overrides={"lake": str(folder), **given})
    stock = next(iter(loaded.watchlist.stocks.values()))
    watchlist = loaded.watchlist.model_copy(update={"stocks": dict.fromkeys(tickers, stock)})
    return loaded.model_copy(update={"watchlist": watchlist})


@pytest.fixture
def alpaca() -> Alpaca:
    known = Alpaca()
    known.add("TSLA", 250.0, [NEAR, FAR], STRIKES)
    return known


@pytest.fixture
def net(alpaca: Alpaca, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    with Internet(alpaca.sites(), tmp_path) as opened:
        for name, value in opened.environ().items():
            monkeypatch.setenv(name, value)
        redaction.remember(KEY_ID, SECRET_KEY)
        yield opened


@pytest.fixture
def ask(tmp_path: Path, net: Internet) -> Callable[..., tuple[list[Fetched], SourceHealth | None]]:
    def asked(
        *tickers: str,
        left: float = 30.0,
        at: datetime = MORNING,
        keys: AlpacaKeys | None = None,
        **live: Any,
    ) -> tuple[list[Fetched], SourceHealth | None]:
        settings = chosen(tmp_path / "lake", *(tickers or ("TSLA",)), **live)
        errand = Options(settings, keys or AlpacaKeys(KEY_ID, SECRET_KEY), lambda: at)
        raw = services.folder_lake(settings.lake).raw
        day = Day(MONDAY, sessions.cutoff(MONDAY), ())
        found = list(errand.fetch(day, held.held(raw, MONDAY), Deadline(left)))
        (health,) = errand.health() or (None,)
        return sorted(found, key=lambda answer: answer.ticker or ""), health

    return asked


Ask = Callable[..., tuple[list[Fetched], SourceHealth | None]]


def envelopes(fetched: Fetched) -> list[dict[str, Any]]:
    return [json.loads(line) for line in fetched.lines]


# ---------------------------------------------------------------- what is asked and kept


def test_a_chain_is_asked_near_the_price_and_kept_as_it_came(ask: Ask, net: Internet) -> None:
    (fetched,), health = ask()
    assert (fetched.kind, fetched.ticker, fetched.source) == ("options", "TSLA", "alpaca")
    assert (fetched.status, fetched.reason) == ("ok", None)
    found = envelopes(fetched)
    # Two expiries, two rights, and the three strikes within a quarter of 250.
    assert len(found) == 12
    assert {row["data"]["symbol"][-8:] for row in found} == {"00187500", "00250000", "00312500"}
    first = found[0]
    assert first["source"] == "alpaca"
    assert first["scraped_at"] == "2026-08-17T12:01:00+00:00"
    assert first["data"]["snapshot"] == snapshot()
    assert first["data"]["contract"]["open_interest"] == "237"
    assert first["data"]["underlying"] == {
        "t": "2026-08-14T19:59:58.1Z", "x": "V", "p": 250.0, "s": 100, "z": "C"
    }  # fmt: skip
    trade, chain = net.requests(DATA)
    assert (trade.path, trade.query["feed"]) == ("/v2/stocks/trades/latest", "iex")
    assert chain.query == {
        "feed": "indicative",
        "expiration_date_gte": "2026-08-17",  # of the run's session on
        "expiration_date_lte": "2026-10-16",  # live.options.days = 60
        "strike_price_gte": "187.5",
        "strike_price_lte": "312.5",
        "limit": "1000",
    }
    assert health == SourceHealth("alpaca-options", "ok", None, 3)


def test_all_pages_of_both_lists_are_followed(ask: Ask, alpaca: Alpaca, net: Internet) -> None:
    alpaca.page = 5
    (fetched,), health = ask()
    found = envelopes(fetched)
    assert len(found) == 12
    assert all(row["data"]["snapshot"] and row["data"]["contract"] for row in found)
    assert health is not None
    assert health.requests == 1 + 3 + 3  # 12 contracts in pages of 5


def test_a_stock_without_a_price_is_asked_for_all_strikes(
    ask: Ask, alpaca: Alpaca, net: Internet
) -> None:
    del alpaca.prices["TSLA"]
    (fetched,), _ = ask()
    found = envelopes(fetched)
    assert len(found) == 2 * 2 * len(STRIKES)
    assert all(row["data"]["underlying"] is None for row in found)


def test_a_contract_that_one_list_lacks_has_null_there(ask: Ask, alpaca: Alpaca) -> None:
    silent = symbol("TSLA", NEAR, "C", 250.0)
    alpaca.snapshots[silent] = None  # type: ignore[assignment]
    (fetched,), _ = ask()
    (row,) = (row for row in envelopes(fetched) if row["data"]["symbol"] == silent)
    assert row["data"]["snapshot"] is None
    assert row["data"]["contract"]["symbol"] == silent


def test_a_stock_without_options_is_empty_and_no_refusal(ask: Ask, alpaca: Alpaca) -> None:
    alpaca.prices["NVDA"] = 180.0
    (fetched,), health = ask("NVDA")
    assert (fetched.status, fetched.reason, fetched.lines) == ("empty", None, ())
    assert health == SourceHealth("alpaca-options", "empty", None, 3)


def test_a_share_class_is_asked_by_its_own_symbol(ask: Ask, alpaca: Alpaca, net: Internet) -> None:
    alpaca.add("BRK.B", 500.0, [NEAR], [500.0])
    (fetched,), _ = ask("BRK.B")
    assert [row["data"]["symbol"] for row in envelopes(fetched)] == [
        "BRKB260821C00500000",
        "BRKB260821P00500000",
    ]


def test_chains_are_fetched_side_by_side_but_no_more_than_the_settings_say(
    ask: Ask, alpaca: Alpaca, net: Internet
) -> None:
    net.latency = 0.1
    for ticker in ("AAPL", "META", "NVDA"):
        alpaca.add(ticker, 250.0, [NEAR], [250.0])
    found, _ = ask("AAPL", "META", "NVDA", "TSLA", options__threads=2)
    assert [answer.status for answer in found] == ["ok"] * 4
    assert net.most_at_once == 2


# ---------------------------------------------------------------- refusals


def test_a_refused_stock_is_named_and_the_others_are_kept(
    ask: Ask, alpaca: Alpaca, net: Internet
) -> None:
    alpaca.add("NVDA", 180.0, [NEAR], [180.0])

    def broken(request: Request) -> Answer | None:
        wrong = request.path.endswith("/snapshots/TSLA")
        return json_answer({"message": "unprocessable"}, 422) if wrong else None

    alpaca.faults.append(broken)
    found, health = ask("NVDA", "TSLA")
    assert [(answer.ticker, answer.status) for answer in found] == [
        ("NVDA", "ok"),
        ("TSLA", "refused"),
    ]
    assert health is not None
    assert health.status == "refused"
    assert health.reason == (
        'TSLA: data.alpaca.markets answered 422: it says {"message": "unprocessable"}'
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (json_answer({"message": "forbidden."}, 403), "the Alpaca keys are not valid there"),
        (json_answer({"message": "unauthorized."}, 401), "the Alpaca keys are not valid there"),
        (json_answer({"message": "too many"}, 429), "the rate limit is used up"),
        (Answer(500, b"oops"), "answered 500"),
        (Answer(504, b"oops"), "answered 504"),
        (Answer(200, b"<html>", {"content-type": "text/html"}), "text/html that is no JSON"),
        (Answer(200, b""), "no JSON"),
        (Answer(200, b'{"snapshots": {"TSLA', {}), "no JSON"),
        (json_answer({"next_page_token": None}), "is not what it documents"),
        (json_answer({"snapshots": [1], "next_page_token": None}), "is not what it documents"),
        (json_answer([]), "is not what it documents"),
        (Answer(200, b"x" * 20_001), "sent more than 20,000 bytes"),
        (Answer(302, b"", {"location": "http://data.alpaca.markets/"}), "without encryption"),
        (Answer(200, b'{"snapshots": {}}', cut=4), "broke off"),
    ],
)
def test_every_answer_but_a_chain_is_a_refusal_in_words(
    ask: Ask, alpaca: Alpaca, answer: Answer, said: str
) -> None:
    alpaca.faults.append(lambda request: answer if "/snapshots/" in request.path else None)
    (fetched,), health = ask(alpaca__pause_seconds=0.01, max_bytes=20_000)
    assert fetched.status == "refused"
    assert said in (fetched.reason or "")
    assert health is not None
    assert health.status == "refused"


def test_a_busy_moment_is_waited_out_once(ask: Ask, alpaca: Alpaca, net: Internet) -> None:
    busy = [json_answer({"message": "too many"}, 429), Answer(504, b"")]
    alpaca.faults.append(
        lambda request: busy.pop() if busy and "/snapshots/" in request.path else None
    )
    (fetched,), health = ask(alpaca__pause_seconds=0.01, alpaca__attempts=3)
    assert fetched.status == "ok"
    assert health is not None
    assert health.requests == 3 + 2
    assert not busy


def test_pages_that_lead_in_a_circle_are_refused(ask: Ask, alpaca: Alpaca) -> None:
    same = {"snapshots": {"TSLA260821C00250000": snapshot()}, "next_page_token": "MQ=="}
    alpaca.faults.append(
        lambda request: json_answer(same) if "/snapshots/" in request.path else None
    )
    (fetched,), _ = ask()
    assert fetched.reason == "data.alpaca.markets leads in a circle from page to page"


def test_a_chain_without_open_interest_is_kept_and_says_so(ask: Ask, alpaca: Alpaca) -> None:
    alpaca.faults.append(lambda request: json_answer({}, 403) if request.host == TRADING else None)
    (fetched,), health = ask()
    assert fetched.status == "ok"
    assert (fetched.reason or "").startswith("without open interest (paper-api.alpaca.markets")
    assert all(row["data"]["contract"] is None for row in envelopes(fetched))
    assert health is not None
    assert health.status == "ok"
    assert "TSLA: without open interest" in (health.reason or "")


def test_a_chain_without_its_underlyings_price_is_kept_and_says_so(
    ask: Ask, alpaca: Alpaca
) -> None:
    alpaca.faults.append(
        lambda request: json_answer({}, 403) if request.path.endswith("/trades/latest") else None
    )
    (fetched,), _ = ask()
    assert fetched.status == "ok"
    assert (fetched.reason or "").startswith("without the underlying's price (data.alpaca.markets")
    assert len(fetched.lines) == 2 * 2 * len(STRIKES)  # of all strikes


def test_wrong_keys_are_a_refusal_that_shows_none(ask: Ask) -> None:
    (fetched,), health = ask(keys=AlpacaKeys("PLANTED-other-key", "PLANTED-other-secret"))
    assert fetched.status == "refused"
    assert "PLANTED" not in f"{fetched}{health}"


def test_a_server_that_hangs_costs_no_more_than_the_deadline(
    ask: Ask, alpaca: Alpaca, net: Internet
) -> None:
    alpaca.add("NVDA", 180.0, [NEAR], [180.0])
    alpaca.faults.append(
        lambda request: Answer(hang=True) if request.path.endswith("/TSLA") else None
    )
    began = time.monotonic()
    found, health = ask("NVDA", "TSLA", left=1.5)
    assert time.monotonic() - began < 5.0
    assert [(answer.ticker, answer.status) for answer in found] == [
        ("NVDA", "ok"),
        ("TSLA", "refused"),
    ]
    assert health is not None
    assert health.status == "refused"


def test_an_answer_that_drips_is_cut_off(ask: Ask, alpaca: Alpaca) -> None:
    slow = Answer(200, b'{"snapshots": {}, "next_page_token": null}', drip=0.2)
    alpaca.faults.append(lambda request: slow if "/snapshots/" in request.path else None)
    (fetched,), _ = ask(request_seconds=0.6)
    assert "bytes within 0.6 s" in (fetched.reason or "")


def test_nothing_is_asked_once_the_session_has_opened(ask: Ask, net: Internet) -> None:
    # 13:30 UTC is the opening bell: from then on quotes are those of the session itself.
    found, health = ask(at=datetime(2026, 8, 17, 13, 30, tzinfo=UTC))
    assert found == []
    assert net.log == []
    assert health is not None
    assert health.reason == (
        "TSLA: the session of 2026-08-17 has opened: a chain of now is not what the run knew"
    )
    ask(at=datetime(2026, 8, 17, 13, 29, 59, tzinfo=UTC))
    assert net.log


# ---------------------------------------------------------------- in a run


def run(folder: Path, *tickers: str, **live: Any) -> Any:
    """An Env whose live source has this errand only, at the cutoff of Monday."""
    settings = chosen(folder, *tickers, **live)
    env = services.embedded(settings)
    errand = Options(settings, AlpacaKeys(KEY_ID, SECRET_KEY), lambda: MORNING)
    source = LiveSource(
        settings,
        env.lake,
        [errand],
        Trending(
            settings.model_copy(update={"scrape": nothing_trending(settings)}), env.lake.raw, None
        ),
        lambda: Deadline(30.0),
    )
    return dataclasses.replace(env, source=source)


def nothing_trending(settings: Settings) -> Any:
    trending = settings.scrape.trending.model_copy(update={"chain": ["yesterday"]})
    return settings.scrape.model_copy(update={"trending": trending})


def test_a_resumed_run_asks_only_for_the_stocks_it_lacks(
    tmp_path: Path, alpaca: Alpaca, net: Internet
) -> None:
    alpaca.add("NVDA", 180.0, [NEAR], [180.0])
    down = [lambda request: json_answer({}, 422) if request.path.endswith("/TSLA") else None]
    alpaca.faults += down
    env = run(tmp_path / "lake", "NVDA", "TSLA")
    first = steps.scrape(env, MONDAY)
    assert [row.key for row in first.objects if row.key.startswith("options/")] == [
        "options/dt=2026-08-17/source=alpaca/NVDA-1.jsonl.gz"
    ]
    (health,) = (row for row in first.health if row.name == "alpaca-options")
    assert health.status == "refused"
    alpaca.faults.clear()
    before = len(net.log)
    second = steps.scrape(env, MONDAY)
    assert [row.key for row in second.objects if row.key.startswith("options/")] == [
        "options/dt=2026-08-17/source=alpaca/NVDA-1.jsonl.gz",
        "options/dt=2026-08-17/source=alpaca/TSLA-1.jsonl.gz",
    ]
    assert all("NVDA" not in str(request) for request in net.log[before:])
    before = len(net.log)
    steps.scrape(env, MONDAY)
    assert len(net.log) == before


def test_a_live_chain_becomes_rows_that_sql_reads(
    tmp_path: Path, alpaca: Alpaca, net: Internet
) -> None:
    placeholder = symbol("TSLA", NEAR, "C", 250.0)
    alpaca.snapshots[placeholder] = snapshot(iv=0.00001)
    env = run(tmp_path / "lake", "TSLA")
    steps.scrape(env, MONDAY)
    key = layout.raw("options", MONDAY, "alpaca", "TSLA")
    enriched = steps.enrich(env, key)
    assert enriched is not None
    assert enriched.counts["rows"] == 12
    steps.signals(env, MONDAY)
    table = read(env.lake, contract("options"), MONDAY)
    assert table is not None
    row = {r["contract"]: r for r in table.to_pylist()}[placeholder]
    assert row == {
        "ticker": "TSLA",
        "contract": "TSLA260821C00250000",
        "expiry": NEAR,
        "option_right": "CALL",
        "strike": 250.0,
        "bid": 4.8,
        "ask": 5.2,
        "mid": 5.0,
        "volume": 17,  # the bar of Friday, the session before Monday's
        "open_interest": 237,
        "iv": None,
        "delta": 0.5,
        "gamma": 0.01,
        "theta": -0.1,
        "vega": 0.2,
        "underlying_price": 250.0,
        "snapshot_at": datetime.fromisoformat("2026-08-17 12:01"),  # UTC, naive as stored
        "flags": ["placeholder-iv"],
        "source": "alpaca",
    }
    found = env.warehouse.query(
        "SELECT CAST(expiry AS date) AS expiry, CAST(count(*) AS bigint) AS n, "
        "CAST(count(iv) AS bigint) AS known FROM options "
        "WHERE dt BETWEEN :first AND :last AND ticker = :ticker GROUP BY expiry ORDER BY expiry",
        {"first": MONDAY, "last": MONDAY, "ticker": "TSLA"},
    )
    assert found.to_pylist() == [
        {"expiry": NEAR, "n": 6, "known": 5},
        {"expiry": FAR, "n": 6, "known": 6},
    ]


def test_every_line_of_a_live_chain_is_read_back(ask: Ask, tmp_path: Path) -> None:
    (fetched,), _ = ask()
    key = layout.parse_raw(layout.raw("options", MONDAY, "alpaca", "TSLA"))
    assert key is not None
    settings = chosen(tmp_path, "TSLA")
    enriched = rows_of.enrich_object(settings, key, lines.pack(fetched.lines))
    assert enriched.rejected == ()
    assert enriched.table.num_rows == len(fetched.lines)
