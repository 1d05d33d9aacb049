"""The broker's assets: which of them a run records, what is read back, what discovery may name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from alpaca_keys import KEY_ID, SECRET_KEY
from internet import Answer, Internet, Request, json_answer
from trending_site import TRADING, Broker, asset

from cashtag import sessions
from cashtag.errors import SourceRefused
from cashtag.lake import layout, lines
from cashtag.lake.disk import FolderStore
from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape import assets, manifest
from cashtag.scrape.assets import Asset, Assets
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import held
from cashtag.settings import Settings, load

MONDAY = date(2026, 1, 5)
CUTOFF = sessions.cutoff(MONDAY)
KEYS = AlpacaKeys(KEY_ID, SECRET_KEY)
WATCHED = ("AAPL", "GOOG", "META", "NVDA", "TSLA")  # defaults.toml
LIST = f"https://{TRADING}/v2/assets?status=active&asset_class=us_equity"

Play = Callable[[Broker], Internet]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    opened: list[Internet] = []

    def begin(broker: Broker) -> Internet:
        net = Internet({TRADING: broker.site}, tmp_path).__enter__()
        opened.append(net)
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        return net

    yield begin
    for net in opened:
        net.__exit__()


@pytest.fixture
def raw(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "raw")


def settings(**dotted: Any) -> Settings:
    chosen = {name.replace("__", "."): value for name, value in dotted.items()}
    return load(environ={}, overrides={"live.request_seconds": 5.0} | chosen)


def broker(*more: dict[str, Any], without: tuple[str, ...] = ()) -> Broker:
    """A broker with the watchlist's stocks but for some, thousands of others, and `more`."""
    rest = [asset(f"Z{chr(65 + n // 26)}{chr(65 + n % 26)}") for n in range(200)]
    return Broker(assets=[*(asset(s) for s in WATCHED if s not in without), *rest, *more])


def errand(raw: FolderStore, *tickers: str, keys: AlpacaKeys = KEYS, left: float = 60) -> Errand:
    return Errand(raw, tickers, keys, left)


class Errand:
    """The errand, run once for a day of these tickers; what it fetched is kept in raw."""

    def __init__(
        self, raw: FolderStore, tickers: tuple[str, ...], keys: AlpacaKeys, left: float
    ) -> None:
        self.source = Assets(settings(), keys)
        self.kept: list[Fetched] = []
        self.refusal: str | None = None
        day = Day(MONDAY, CUTOFF, tuple(sorted({*tickers, *WATCHED})))
        try:
            for fetched in self.source.fetch(day, held(raw, MONDAY), Deadline(left)):
                self.kept.append(fetched)
                number = len(list(raw.list("assets/"))) + 1
                key = layout.raw("assets", MONDAY, str(fetched.source), "assets", number)
                raw.put(key, lines.pack(fetched.lines))
        except SourceRefused as refusal:
            self.refusal = str(refusal)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for one in self.kept for line in one.lines]

    @property
    def symbols(self) -> list[str]:
        return [line["data"]["symbol"] for line in self.lines]


def scraped(raw: FolderStore, *tickers: str) -> None:
    """Leave a manifest that says these tickers were asked for."""
    rows = tuple(manifest.TickerEntry(ticker, "ok", None, 1) for ticker in sorted(tickers))
    manifest.write(raw, manifest.Manifest(MONDAY, CUTOFF, "live", rows, ()))


# ---------------------------------------------------------------- what a run records


def test_the_runs_tickers_and_the_watchlist_are_kept_as_the_broker_returned_them(
    play: Play, raw: FolderStore
) -> None:
    gme = asset("GME", name="GameStop <Corp>", unheard_of=["kept", 1.5])
    net = play(broker(gme, asset("BRK.B")))
    found = errand(raw, "GME", "BRK.B")
    assert found.symbols == sorted([*WATCHED, "BRK.B", "GME"])
    line = found.lines[found.symbols.index("GME")]
    assert (line["source"], line["query"], line["data"]) == ("alpaca", LIST, gme)
    assert line["scraped_at"].endswith("+00:00")
    assert [request.path for request in net.log] == ["/v2/assets"]
    assert found.source.health() == (SourceHealth("assets", "ok", "207 active assets", 1),)


def test_a_ticker_that_is_not_active_is_asked_for_by_name(play: Play, raw: FolderStore) -> None:
    net = play(broker(asset("ATVI", status="inactive", tradable=False)))
    found = errand(raw, "ATVI", "NOSUCH", "BTC.X", "^VIX")
    assert [request.path for request in net.log] == [
        "/v2/assets",
        "/v2/assets/ATVI",
        "/v2/assets/BTC.X",
        "/v2/assets/NOSUCH",  # ^VIX is no symbol and is not asked for
    ]
    assert found.lines[-1]["query"] == f"https://{TRADING}/v2/assets/ATVI"
    assert assets.recorded(raw, MONDAY)["ATVI"].status == "inactive"
    assert "NOSUCH" not in assets.recorded(raw, MONDAY)
    assert found.source.health() == (SourceHealth("assets", "ok", "205 active assets", 4),)


def test_an_alias_does_not_apply_at_the_broker(play: Play, raw: FolderStore) -> None:
    # Another fund is listed under FB today: it is not META, which is not active here.
    play(broker(asset("FB", tradable=False), without=("META",)))
    errand(raw)
    assert set(assets.recorded(raw, MONDAY)) == set(WATCHED) - {"META"}


def test_a_second_call_does_not_ask_again(play: Play, raw: FolderStore) -> None:
    net = play(broker())
    errand(raw, "NOSUCH")
    scraped(raw, *WATCHED, "NOSUCH")
    asked = len(net.log)
    again = errand(raw, "NOSUCH")
    assert (again.kept, again.source.health(), len(net.log)) == ([], (), asked)


def test_a_second_call_with_new_tickers_adds_those(play: Play, raw: FolderStore) -> None:
    play(broker(asset("GME")))
    errand(raw)
    scraped(raw, *WATCHED)
    assert errand(raw, "GME").symbols == ["GME"]
    assert set(assets.recorded(raw, MONDAY)) == {*WATCHED, "GME"}


def test_after_a_refusal_the_second_call_asks_again(play: Play, raw: FolderStore) -> None:
    world = broker()
    world.trouble = lambda _: json_answer({}, 500)
    play(world)
    assert errand(raw).refusal == f"{TRADING} answered 500"
    scraped(raw, *WATCHED)
    world.trouble = lambda _: None
    assert errand(raw).symbols == list(WATCHED)


def test_what_was_listed_is_kept_when_asking_by_name_is_refused(
    play: Play, raw: FolderStore
) -> None:
    def limited(request: Request) -> Answer | None:
        return Answer(429) if request.path.endswith("/NOSUCH") else None

    world = broker(asset("ATVI", status="inactive"))
    world.trouble = limited
    play(world)
    found = errand(raw, "ATVI", "NOSUCH", "ZZZZ")
    assert found.symbols == [*WATCHED, "ATVI"]
    assert found.refusal == f"{TRADING} answered 429: the rate limit is used up"
    assert found.source.health() == (SourceHealth("assets", "refused", found.refusal, 3),)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (json_answer([]), f"{TRADING} listed no asset"),
        (json_answer([{"id": 1}, {"symbol": None}]), f"{TRADING} listed no asset"),
        (json_answer({"message": "maintenance"}), f"{TRADING} answered without a list of assets"),
        (json_answer(["AAPL"]), f"{TRADING} answered without a list of assets"),
        (json_answer(None), f"{TRADING} answered without a list of assets"),
        (json_answer({}, 504), f"{TRADING} answered 504"),
        (Answer(200, b"<html>"), f"{TRADING} answered 200 with no content type that is no JSON"),
        (Answer(302, b"", {"location": "https://api.alpaca.markets/"}), "cannot be reached"),
    ],
)
def test_anything_but_a_list_of_assets_is_a_refusal(
    play: Play, raw: FolderStore, answer: Answer, reason: str
) -> None:
    world = broker()
    world.trouble = lambda _: answer
    net = play(world)
    found = errand(raw)
    assert reason in str(found.refusal)
    assert found.kept == []
    assert len(net.log) == 1, "nothing is tried twice"
    (row,) = found.source.health()
    assert (row.name, row.status, row.reason) == ("assets", "refused", found.refusal)


def test_wrong_keys_are_told_and_not_shown(play: Play, raw: FolderStore) -> None:
    play(broker())
    found = errand(raw, keys=AlpacaKeys("PLANTED-wrong-id", "PLANTED-wrong-secret"))
    assert found.refusal == (
        f"{TRADING} answered 403: the Alpaca keys are not valid there (paper and live keys "
        'differ), or their plan lacks what was asked for; it says {"message": "forbidden."}'
    )
    assert "PLANTED" not in repr((found.source.health(), found.kept))


def test_after_the_deadline_nothing_is_asked(play: Play, raw: FolderStore) -> None:
    net = play(broker())
    assert "live.step_seconds" in str(errand(raw, left=0).refusal)
    assert net.log == []


def test_the_host_is_the_one_of_the_settings(
    play: Play, raw: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = broker()
    with Internet({"broker.example.com": world.site}, tmp_path) as net:
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        chosen = settings(live__alpaca__trading_url="https://broker.example.com/")
        symbols = assets.known_symbols(chosen, KEYS, Deadline(60))
        assert symbols is not None
        assert "NVDA" in symbols
        assert {request.host for request in net.log} == {"broker.example.com"}


# ---------------------------------------------------------------- what is read back


def record(raw: FolderStore, number: int, *data: Any, dt: date = MONDAY) -> None:
    told = [orjson.dumps({"source": "alpaca", "query": "x", "data": one}) for one in data]
    raw.put(layout.raw("assets", dt, "alpaca", "assets", number), lines.pack(told))


def test_a_recorded_asset_says_what_a_gate_needs(raw: FolderStore) -> None:
    record(raw, 1, asset("NVDA", attributes=["options_enabled", "fractional_eh_enabled"]))
    assert assets.recorded(raw, MONDAY) == {
        "NVDA": Asset(
            symbol="NVDA",
            tradable=True,
            status="active",
            exchange="NASDAQ",
            fractionable=True,
            attributes=("options_enabled", "fractional_eh_enabled"),
        )
    }
    assert assets.recorded(raw, date(2026, 1, 6)) == {}


def test_of_two_words_about_one_asset_the_later_counts(raw: FolderStore) -> None:
    # Numbers, not names: object 10 was added after object 2.
    for number in (1, 2, 10):
        record(raw, number, asset("NVDA", tradable=number != 10))
    assert assets.recorded(raw, MONDAY)["NVDA"].tradable is False


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"symbol": "NVDA"},
        {"symbol": 1, "tradable": True},
        {"symbol": "NVDA", "tradable": "true"},
    ],
)
def test_a_line_that_is_no_asset_is_nobodys_word(raw: FolderStore, data: Any) -> None:
    record(raw, 1, data)
    assert assets.recorded(raw, MONDAY) == {}


def test_an_asset_with_less_told_of_it_is_still_one(raw: FolderStore) -> None:
    record(raw, 1, {"symbol": "nvda", "tradable": True, "attributes": None})
    found = assets.recorded(raw, MONDAY)["NVDA"]
    assert found == Asset("NVDA", tradable=True, status="")
    assert found.refusal == "at the broker NVDA is of no status and tradable"


def test_what_is_active_and_tradable_is_not_refused() -> None:
    assert Asset("NVDA", tradable=True, status="active").refusal is None


# ---------------------------------------------------------------- for discovery


def test_known_symbols_are_all_that_are_active_in_our_spelling(play: Play) -> None:
    play(
        broker(asset("BRK.B"), asset("ATVI", status="inactive"), asset("AACT.WS"), asset("X.ABCD"))
    )
    known = assets.known_symbols(settings(), KEYS, Deadline(60))
    assert known is not None
    assert {"NVDA", "BRK.B", "AACT.WS"} <= known
    assert known.isdisjoint({"ATVI", "X.ABCD"})  # no longer active; not a symbol to us
    assert len(known) == len(WATCHED) + 200 + 2


def test_without_keys_nothing_is_known() -> None:
    assert assets.known_symbols(settings(), None, Deadline(60)) is None


def test_a_refusal_is_not_an_empty_list_of_symbols(play: Play) -> None:
    world = broker()
    world.trouble = lambda _: json_answer({}, 503)
    play(world)
    with pytest.raises(SourceRefused, match="answered 503"):
        assets.known_symbols(settings(), KEYS, Deadline(60))
