"""Trending tickers: a chain of sites over real sockets, what raw keeps of them, what is read back."""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from alpaca_keys import KEY_ID, SECRET_KEY
from internet import Answer, Internet, json_answer
from trending_site import (
    APEWISDOM,
    DATA,
    FINDER,
    STOCKTWITS,
    TWELVE,
    Broker,
    always,
    apewisdom,
    finder_page,
    html,
    stocktwits,
)

from cashtag import services, steps, tickers
from cashtag.lake import layout, lines
from cashtag.lake.disk import FolderStore
from cashtag.ports import Fetched, SourceHealth
from cashtag.scrape import manifest, trending
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held, held
from cashtag.scrape.live import LiveSource
from cashtag.settings import Settings, load

MONDAY = date(2026, 1, 5)
SUNDAY = date(2026, 1, 4)
KEYS = AlpacaKeys(KEY_ID, SECRET_KEY)
REFUSED = Answer(403, b"<html>", {"server": "cloudflare"})

Reach = Callable[[dict[str, Any]], Internet]


@pytest.fixture
def reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reach]:
    """Play hosts; a host that is not named refuses as Cloudflare does."""
    opened: list[Internet] = []

    def play(sites: dict[str, Any]) -> Internet:
        refusing = dict.fromkeys((FINDER, APEWISDOM, STOCKTWITS, DATA), always(REFUSED))
        net = Internet(refusing | sites, tmp_path).__enter__()
        opened.append(net)
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        return net

    yield play
    for net in opened:
        net.__exit__()


def settings(**dotted: Any) -> Settings:
    chosen = {name.replace("__", "."): value for name, value in dotted.items()}
    return load(environ={}, overrides={"live.request_seconds": 5.0} | chosen)


@pytest.fixture
def raw(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "raw")


class Chain:
    """The chain, asked once, and what came of it."""

    def __init__(
        self, raw: FolderStore, chosen: Settings | None = None, keys: AlpacaKeys | None = KEYS
    ) -> None:
        self.source = trending.Trending(chosen or settings(), raw, keys)
        self.kept = self.source.fetch(MONDAY, held(raw, MONDAY), Deadline(60))
        self.tickers = trending.tickers_of(self.kept)

    @property
    def health(self) -> dict[str, SourceHealth]:
        return {row.name: row for row in self.source.health()}

    @property
    def list(self) -> Fetched:
        (found,) = [one for one in self.kept if one.lines]
        return found

    @property
    def data(self) -> list[Any]:
        return [orjson.loads(line)["data"] for line in self.list.lines]


# ---------------------------------------------------------------- each site


def test_finders_page_gives_its_codes_in_the_order_of_the_page(
    reach: Reach, raw: FolderStore
) -> None:
    net = reach({FINDER: always(html(finder_page(TWELVE)))})
    found = Chain(raw)
    assert found.tickers == TWELVE
    assert found.data[0] == {"Rank": "1", "Company": "Company 1", "Code": "TSLA", "Mentions": "999"}
    assert [request.host for request in net.log] == [FINDER], "one site is enough"
    assert found.health == {
        "finder": SourceHealth("finder", "ok", "12 symbols", 1),
        "trending": SourceHealth("trending", "ok", "finder: 12 symbols", 1),
    }


def test_a_line_is_an_envelope_that_says_where_it_came_from(reach: Reach, raw: FolderStore) -> None:
    reach({FINDER: always(html(finder_page(TWELVE)))})
    before = datetime.now(UTC).replace(microsecond=0)
    line = orjson.loads(Chain(raw).list.lines[0])
    assert list(line) == ["source", "scraped_at", "query", "data"]
    assert line["source"] == "finder"
    assert line["query"] == settings().scrape.trending.url
    assert line["scraped_at"].endswith("+00:00")
    assert before <= datetime.fromisoformat(line["scraped_at"]) <= datetime.now(UTC)


def test_finders_page_is_kept_as_it_came_in_the_same_bytes_each_time(
    reach: Reach, raw: FolderStore
) -> None:
    page = finder_page(TWELVE)
    reach({FINDER: always(html(page))})
    first, second = (Chain(raw).kept[0] for _ in range(2))
    assert (first.kind, first.source, first.document) == ("trending", "finder", "finder.html")
    assert first.packed is not None
    assert gzip.decompress(first.packed) == page
    assert first.packed == second.packed, "or a second scrape would add an object"


def test_apewisdoms_ranks_may_be_texts_and_out_of_order(reach: Reach, raw: FolderStore) -> None:
    answer = apewisdom(TWELVE)
    rows = answer["results"]
    # As text "10" stands before "2". A row without a rank comes last.
    rows[1]["rank"] = 2
    answer["results"] = [*reversed(rows[:11]), {"ticker": "ZM"}, rows[11]]
    reach({APEWISDOM: always(json_answer(answer))})
    found = Chain(raw)
    assert found.tickers == (*TWELVE, "ZM")
    assert found.data[0] == rows[0], "numbers that are texts stay texts in raw"


def test_stocktwits_coins_are_scraped_and_never_traded(reach: Reach, raw: FolderStore) -> None:
    reach({STOCKTWITS: always(json_answer(stocktwits(["BTC.X", *TWELVE])))})
    chosen = settings()
    found = Chain(raw, chosen)
    assert found.tickers == ("BTC.X", *TWELVE)
    assert tickers.tradability(chosen, "BTC.X")[0] is False


def test_the_brokers_most_active_stocks_are_asked_for_with_its_keys(
    reach: Reach, raw: FolderStore
) -> None:
    net = reach({DATA: Broker().site})
    found = Chain(raw)
    assert found.tickers == TWELVE
    (request,) = net.requests(DATA)
    assert request.query == {"by": "volume", "top": "30"}
    assert found.list.source == "alpaca"
    assert orjson.loads(found.list.lines[0])["query"] == (
        f"https://{DATA}/v1beta1/screener/stocks/most-actives?top=30&by=volume"
    )
    assert found.data[0] == {"symbol": "TSLA", "volume": 10_000_000, "trade_count": 5000}


def test_without_keys_the_broker_is_not_asked(reach: Reach, raw: FolderStore) -> None:
    net = reach({DATA: Broker().site})
    row = Chain(raw, keys=None).health["most-actives"]
    assert (row.status, row.requests) == ("refused", 0)
    assert "no Alpaca keys" in str(row.reason)
    assert net.requests(DATA) == []


def test_keys_that_are_not_valid_are_told_without_showing_them(
    reach: Reach, raw: FolderStore
) -> None:
    reach({DATA: Broker().site})
    found = Chain(raw, keys=AlpacaKeys("PLANTED-wrong-id", "PLANTED-wrong-secret"))
    reason = str(found.health["most-actives"].reason)
    assert reason.startswith(f"{DATA} answered 403: the Alpaca keys are not valid there")
    assert "PLANTED" not in repr((found.kept, found.source.health()))


@pytest.mark.parametrize("status", [429, 504])
def test_the_brokers_refusals_are_not_asked_again(
    reach: Reach, raw: FolderStore, status: int
) -> None:
    # alpaca-py by itself waits three seconds and asks again, three times.
    net = reach({DATA: always(Answer(status, b"", {"retry-after": "30"}))})
    row = Chain(raw).health["most-actives"]
    assert str(row.reason).startswith(f"{DATA} answered {status} (it asks to wait 30 s)")
    assert len(net.requests(DATA)) == 1


def test_a_broker_that_does_not_answer_costs_no_more_than_its_time(
    reach: Reach, raw: FolderStore
) -> None:
    reach({DATA: always(Answer(hang=True))})
    chosen = settings(live__request_seconds=0.4, scrape__trending__chain=["alpaca"])
    found = Chain(raw, chosen)
    assert found.health["most-actives"].reason == f"{DATA} did not answer within 0.4 s"


# ---------------------------------------------------------------- the chain


def test_the_next_site_is_asked_when_one_refuses_and_the_reasons_are_kept(
    reach: Reach, raw: FolderStore
) -> None:
    net = reach({STOCKTWITS: always(json_answer(stocktwits(TWELVE)))})
    found = Chain(raw)
    assert found.tickers == TWELVE
    assert [request.host for request in net.log] == [FINDER, APEWISDOM, STOCKTWITS]
    why = f"{FINDER} answered 403 (Cloudflare)"
    assert found.kept[0] == Fetched("trending", None, "refused", why, source="finder")
    assert {name: row.status for name, row in found.health.items()} == {
        "finder": "refused",
        "apewisdom": "refused",
        "stocktwits": "ok",
        "trending": "ok",
    }
    assert found.health["trending"].reason == (
        f"stocktwits: 12 symbols; finder: {why}; apewisdom: {APEWISDOM} answered 403 (Cloudflare)"
    )


def test_the_order_of_the_chain_is_a_setting(reach: Reach, raw: FolderStore) -> None:
    reach(
        {
            FINDER: always(html(finder_page(TWELVE))),
            APEWISDOM: always(json_answer(apewisdom(["HOOD", *TWELVE]))),
        }
    )
    found = Chain(raw, settings(scrape__trending__chain=["apewisdom", "finder"]))
    assert found.list.source == "apewisdom"


def test_when_all_refuse_nothing_is_listed_and_the_whole_is_refused(
    reach: Reach, raw: FolderStore
) -> None:
    reach({})
    found = Chain(raw)
    assert found.tickers == ()
    assert {one.status for one in found.kept} == {"refused"}
    assert len(found.kept) == 5
    whole = found.health["trending"]
    assert whole.status == "refused"
    for name in (
        "finder: ",
        "apewisdom: ",
        "stocktwits: ",
        "most-actives: ",
        "yesterday: raw holds",
    ):
        assert name in str(whole.reason)


@pytest.mark.parametrize(
    ("count", "wins"), [(9, "apewisdom"), (10, "finder")]
)  # scrape.trending.minimum = 10
def test_a_list_below_the_minimum_is_a_refusal(
    reach: Reach, raw: FolderStore, count: int, wins: str
) -> None:
    reach(
        {
            FINDER: always(html(finder_page(TWELVE[:count]))),
            APEWISDOM: always(json_answer(apewisdom(TWELVE))),
        }
    )
    found = Chain(raw)
    assert found.list.source == wins
    if wins == "apewisdom":
        assert found.health["finder"].reason == (
            f"{FINDER}: 9 different symbols in 9 cells, 10 are needed (scrape.trending.minimum); "
            'the page is called "Top trending stocks"'
        )
        assert found.kept[0].document == "finder.html", "the page that failed is kept"


def test_the_list_ends_at_the_top(reach: Reach, raw: FolderStore) -> None:
    many = [f"A{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(60)]
    reach({FINDER: always(html(finder_page(many)))})
    assert Chain(raw).tickers == tuple(many[:30])


def test_two_names_of_one_stock_count_once(reach: Reach, raw: FolderStore) -> None:
    # FB became META, SQ became XYZ: nine different stocks in eleven cells.
    codes = ["FB", "META", "SQ", "XYZ", *TWELVE[:7]]
    chosen = settings(scrape__trending__chain=["finder"])
    reach({FINDER: always(html(finder_page(codes)))})
    assert "9 different symbols in 11 cells" in str(Chain(raw, chosen).health["finder"].reason)


@pytest.mark.parametrize(
    "answer",
    [
        json_answer([]),
        json_answer({"results": None}),
        json_answer({"error": "maintenance"}),
        json_answer({"results": ["TSLA"] * 12}),
        json_answer({"results": [{"ticker": 7, "rank": math.inf}, {"ticker": None}, {}] * 9}),
        Answer(200, b"<!doctype html><title>Just a moment...</title>"),
        Answer(200, b""),
    ],
)
def test_an_answer_of_another_shape_is_a_refusal(
    reach: Reach, raw: FolderStore, answer: Answer
) -> None:
    reach({APEWISDOM: always(answer)})
    row = Chain(raw).health["apewisdom"]
    assert row.status == "refused"
    assert APEWISDOM in str(row.reason)


def test_after_the_deadline_no_site_is_asked(reach: Reach, raw: FolderStore) -> None:
    net = reach({FINDER: always(html(finder_page(TWELVE)))})
    source = trending.Trending(settings(), raw, KEYS)
    assert trending.tickers_of(source.fetch(MONDAY, held(raw, MONDAY), Deadline(0))) == ()
    assert net.log == []
    assert "live.step_seconds" in str(source.health()[0].reason)


# ---------------------------------------------------------------- yesterday's list


def keep(raw: FolderStore, dt: date, source: str, codes: Any, number: int = 1) -> None:
    told = [
        orjson.dumps({"source": source, "scraped_at": "x", "query": "x", "data": {"ticker": code}})
        for code in codes
    ]
    raw.put(layout.raw("trending", dt, source, "trending", number), lines.pack(told))


def test_when_no_site_answers_yesterdays_list_stands_in(reach: Reach, raw: FolderStore) -> None:
    reach({})
    keep(raw, SUNDAY, "apewisdom", TWELVE)
    found = Chain(raw)
    assert found.tickers == TWELVE
    assert found.list.reason == "the list of 2026-01-04 from apewisdom, 1 day old"
    assert found.list.source == "yesterday"
    assert orjson.loads(found.list.lines[0])["query"] == (
        "trending/dt=2026-01-04/source=apewisdom/trending-1.jsonl.gz"
    )
    assert found.health["yesterday"].requests == 0


def test_the_newest_of_the_last_days_stands_in_and_tells_its_age(
    reach: Reach, raw: FolderStore
) -> None:
    reach({})
    keep(raw, date(2026, 1, 1), "finder", TWELVE)
    keep(raw, date(2025, 12, 31), "finder", ["ZM", *TWELVE])
    found = Chain(raw)
    assert found.list.reason == "the list of 2026-01-01 from finder, 4 days old"
    assert found.tickers == TWELVE


@pytest.mark.parametrize(("dt", "found"), [(date(2025, 12, 29), True), (date(2025, 12, 28), False)])
def test_a_list_may_be_seven_days_old_and_no_older(
    reach: Reach, raw: FolderStore, dt: date, found: bool
) -> None:
    reach({})
    keep(raw, dt, "finder", TWELVE)
    assert bool(Chain(raw).tickers) is found


def test_a_list_that_stood_in_does_not_stand_in_again(reach: Reach, raw: FolderStore) -> None:
    # Else a list would live for ever, a day old each day.
    reach({})
    keep(raw, SUNDAY, "yesterday", ["ZM", *TWELVE])
    keep(raw, date(2026, 1, 2), "stocktwits", TWELVE)
    assert Chain(raw).list.reason == "the list of 2026-01-02 from stocktwits, 3 days old"


# ---------------------------------------------------------------- read back


def test_what_raw_holds_of_a_run_is_read_back_as_it_was_fetched(
    reach: Reach, tmp_path: Path
) -> None:
    codes = ["<strong>$tsla</strong>", "BRK-B", *TWELVE]
    net = reach({FINDER: always(html(finder_page(codes)))})
    chosen = settings(lake=str(tmp_path / "lake"))
    lake = services.folder_lake(chosen.lake)
    source = LiveSource(chosen, lake, [], trending.Trending(chosen, lake.raw, None))
    env = dataclasses.replace(services.embedded(chosen), source=source)
    whole = steps.scrape(env, MONDAY)
    # $tsla is TSLA and BRK-B is BRK.B: what the two rows hold further down is dropped.
    expected = ("TSLA", "BRK.B", "NVDA", "AAPL", "AMD", *TWELVE[5:])
    assert trending.recorded(held(lake.raw, MONDAY)) == expected
    assert {row.ticker for row in whole.tickers} >= set(expected)
    assert {obj.key for obj in whole.objects} == {
        "trending/dt=2026-01-05/finder.html.gz",
        "trending/dt=2026-01-05/source=finder/trending-1.jsonl.gz",
    }
    assert {row.name for row in whole.health} >= {"finder", "trending"}

    asked = len(net.log)
    again = LiveSource(chosen, lake, [], trending.Trending(chosen, lake.raw, None))
    assert set(again.asked(MONDAY)) >= set(expected)
    assert len(net.log) == asked, "a resumed run does not ask for a list that raw holds"


def test_of_two_lists_of_one_run_the_better_source_counts(raw: FolderStore) -> None:
    keep(raw, MONDAY, "alpaca", ["F", "GME"])
    keep(raw, MONDAY, "stocktwits", ["TSLA", "NVDA"])
    keep(raw, MONDAY, "stocktwits", ["ZM"], number=2)
    assert trending.recorded(held(raw, MONDAY)) == ("TSLA", "NVDA")


def test_a_list_without_a_symbol_is_passed_over(raw: FolderStore) -> None:
    keep(raw, MONDAY, "finder", ["???", ""])
    keep(raw, MONDAY, "apewisdom", ["TSLA"])
    assert trending.recorded(held(raw, MONDAY)) == ("TSLA",)


def test_a_run_without_a_list_reads_back_as_nothing(raw: FolderStore) -> None:
    assert trending.recorded(held(raw, MONDAY)) == ()
    assert trending.recorded(Held(raw, MONDAY, (), {})) == ()
    assert trending.tickers_of([]) == ()
    assert manifest.of_day(raw, MONDAY) == ()


# ---------------------------------------------------------------- beside the checkout


def _shared() -> Path | None:
    named = os.environ.get("CASHTAG_SHARED")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared"
    page = folder / "data" / "finder" / "finder_synthetic.html"
    return page if page.exists() else None


@pytest.mark.shared
@pytest.mark.skipif(_shared() is None, reason="no synthetic Finder page beside the checkout")
def test_the_synthetic_page_gives_its_two_codes(reach: Reach, raw: FolderStore) -> None:
    page = _shared()
    assert page is not None
    reach({FINDER: always(html(page.read_bytes()))})
    found = Chain(raw, settings(scrape__trending__minimum=2))
    assert found.tickers == ("TSLA", "BRK.B")
    assert json.loads(found.list.lines[1])["data"]["Company"] == "Berkshire"
