"""From feeds to counted news: raw, enrichment, the day's table, and what a session counts of it."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from feeds_site import (
    CNBC,
    CNBC_PATH,
    DOW_JONES,
    MARKETWATCH_PATH,
    SEC,
    WSJ_PATH,
    Edgar,
    Feeds,
    at,
    filing,
    item,
    rss,
)
from internet import Internet

from cashtag import services, sessions, steps
from cashtag.enrich import compact, news, staging
from cashtag.enrich.filers import company_key, filers
from cashtag.enrich.stories import address_key, told_once
from cashtag.lake import layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Env
from cashtag.scrape import manifest
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.live import LiveSource
from cashtag.scrape.news import News
from cashtag.settings import Settings, load
from cashtag.warehouse import sql

THURSDAY, FRIDAY = date(2026, 5, 7), date(2026, 5, 8)
SATURDAY, SUNDAY, MONDAY = date(2026, 5, 9), date(2026, 5, 10), date(2026, 5, 11)
SOUND = load(environ={})
NEWS = contract("news")


# ---------------------------------------------------------------- one story, told once


def row(news_id: str, **fields: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(column.name for column in NEWS.columns),
        "ticker": "NVDA",
        "news_id": news_id,
        "published_at": at("2026-05-07 15:00").replace(tzinfo=None),
        "session": FRIDAY,
        "source": "cnbc",
        "title": f"Title of {news_id}",
        "url": f"https://e.org/{news_id}",
        "model": "m",
        "model_version": "1",
        "run_id": "r",
        **fields,
    }


def published(text: str) -> Any:
    return at(text).replace(tzinfo=None)  # the lake's timestamps are UTC without a zone


def once(*rows: dict[str, Any]) -> list[str]:
    """Ids that stay, in order; whichever order the rows come in, they are the same."""
    schema = NEWS.arrow_schema()
    kept = told_once(pa.Table.from_pylist(list(rows), schema=schema))
    ids: list[str] = kept.column("news_id").to_pylist()
    for order in itertools.islice(itertools.permutations(rows), 24):
        again = told_once(pa.Table.from_pylist(list(order), schema=schema))
        assert sorted(again.column("news_id").to_pylist()) == sorted(ids)
        assert sorted(again.column("published_at").to_pylist()) == sorted(
            kept.column("published_at").to_pylist()
        )
    return ids


def test_a_page_that_two_feeds_link_to_is_counted_from_the_one_that_had_it_first() -> None:
    late = row("a", url="https://www.e.org/x", published_at=published("2026-05-07 16:00"))
    early = row("b", url="http://e.org/x/", published_at=published("2026-05-07 15:00"))
    assert once(late, early) == ["b"]


def test_a_headline_of_two_feeds_is_counted_from_the_one_that_had_it_first() -> None:
    late = row("a", title="Nvidia: up 5%!", published_at=published("2026-05-07 16:00"))
    early = row("b", title="NVIDIA up 5 %", source="wsj")
    assert once(late, early) == ["b"]


def test_of_two_feeds_at_one_moment_the_first_by_name_has_it() -> None:
    assert once(row("a", title="Same", source="wsj"), row("b", title="Same")) == ["b"]
    assert once(row("a", url="https://e.org/x", source="wsj"), row("b", url="https://e.org/x")) == [
        "b"
    ]


def test_an_id_stays_once_as_it_was_first_published() -> None:
    late = row("a", published_at=published("2026-05-07 16:00"), url="https://e.org/late")
    early = row("a", source="wsj", url="https://e.org/early")
    assert once(late, early) == ["a"]
    kept = told_once(pa.Table.from_pylist([late, early], schema=NEWS.arrow_schema()))
    assert kept.column("url").to_pylist() == ["https://e.org/early"]


@pytest.mark.parametrize(
    "other",
    [
        {"ticker": "AMD"},  # a story about two tickers is counted for both
        # What was published in another session's time is that session's: a page that is written
        # again every day is news every day.
        {"session": MONDAY, "published_at": published("2026-05-08 13:00")},
        {"title": "Another title", "url": "https://e.org/other"},
        # Two filings of a company on one day: one feed, one headline, two things.
        {"url": "https://e.org/other"},
    ],
)
def test_stories_that_differ_are_all_counted(other: dict[str, Any]) -> None:
    first = row("a", title="8-K - X", url="https://e.org/x")
    assert once(first, {**first, "news_id": "b", **other}) == ["a", "b"]


def test_rows_without_title_or_address_are_no_copies_of_each_other() -> None:
    bare = {"title": "", "url": None}
    assert once(row("a", **bare), row("b", **bare, source="wsj")) == ["a", "b"]


def test_addresses_are_compared_without_what_does_not_name_a_page() -> None:
    same = {"https://www.WSJ.com/a/", "http://wsj.com/a", "https://wsj.com/a"}
    assert {address_key(link) for link in same} == {"wsj.com/a"}
    assert address_key("https://e.org/a?id=1") != address_key("https://e.org/a?id=2")
    assert address_key("https://e.org/A") != address_key("https://e.org/a")
    # EDGAR lists one filing under every company that it names.
    tail = "000132616026000015/0001326160-26-000015-index.htm"
    archive = "https://www.sec.gov/Archives/edgar/data"
    assert address_key(f"{archive}/1326160/{tail}") == address_key(f"{archive}/30371/{tail}")


def test_compaction_of_the_day_counts_stories_once() -> None:
    schema = NEWS.arrow_schema()
    first = pa.Table.from_pylist([row("a", title="Same"), row("c")], schema=schema)
    second = pa.Table.from_pylist([row("b", title="Same", source="wsj"), row("c")], schema=schema)
    for tables in ([first, second], [second, first]):
        table = compact.compact(NEWS, tables)
        assert sorted(table.column("news_id").to_pylist()) == ["a", "c"]
        parquet.write(NEWS, table)
    assert compact.compact(NEWS, []).num_rows == 0


# ---------------------------------------------------------------- whose news it is


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("TESLA INC", "tesla"),
        ("Tesla, Inc.", "tesla"),
        ("NVIDIA CORP", "nvidia"),
        ("NVIDIA Corporation", "nvidia"),
        ("AMAZON COM INC", "amazoncom"),
        ("Amazon.com, Inc.", "amazoncom"),
        ("APPLE INC. /CA/", "apple"),
        ("Alpha Holding N.V.", "alphaholding"),
        ("The Boeing Company", "boeing"),
        ("BERKSHIRE HATHAWAY INC /DE/", "berkshirehathaway"),
        ("Co", "co"),  # nothing else is left of it
        ("", ""),
        ("/", ""),
    ],
)
def test_a_company_is_known_by_its_name_without_its_legal_form(name: str, key: str) -> None:
    assert company_key(name) == key


def test_the_watchlist_names_its_companies() -> None:
    assert dict(filers(SOUND)) == {
        "alphabet": "GOOG",
        "apple": "AAPL",
        "metaplatforms": "META",
        "nvidia": "NVDA",
        "tesla": "TSLA",
    }


def tickers_of(data: dict[str, Any], query: Any = None, asked: tuple[str, ...] = ()) -> list[str]:
    whole = {"id": "1", "published": "2026-05-07T15:00:00+00:00", "summary": "", "link": ""}
    envelope = {"source": "x", "scraped_at": None, "query": query, "data": whole | data}
    packed = lines.pack([json.dumps(envelope).encode()])
    key = layout.RawKey("news", FRIDAY, "x", "news", 1)
    found: list[str] = news.parse(SOUND, key, packed, asked).columns["ticker"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("company", "tickers"),
    [
        ("TESLA INC", ["TSLA"]),
        ("APPLE INC.", ["AAPL"]),
        ("APPLE HOSPITALITY REIT, INC.", []),  # begins like Apple
        ("MODEL N, INC.", []),  # "Model" is a keyword of Tesla's
        ("MAC-GRAY CORP", []),  # "Mac" is one of Apple's
        ("C3.AI, INC.", []),  # "AI" is one of Alphabet's
    ],
)
def test_a_filing_is_about_the_company_that_files(company: str, tickers: list[str]) -> None:
    title = f"8-K - {company} (0000000001) (Filer)"
    assert tickers_of({"title": title, "company": company}, asked=("INC", "CORP")) == tickers


def test_words_that_are_also_symbols_name_nothing() -> None:
    common = ("ALL", "ARE", "CAN", "GO", "IT", "ON", "A", "MA")
    title = "ALL IN: IT CAN GO ON, ARE YOU? A MA in law"
    assert tickers_of({"title": title}, asked=common) == []
    assert tickers_of({"title": "Shares of $ON and ($IT) rise"}, asked=common) == ["IT", "ON"]


def test_an_object_tells_for_which_tickers_it_was_fetched() -> None:
    # So its rows are the same before its run's manifest is there, and after.
    query = {"url": "https://e.org", "tickers": ["PLTR"]}
    title = {"title": "PLTR and AMD rise"}
    assert tickers_of(title, query) == ["PLTR"]
    assert tickers_of(title, query, asked=("AMD",)) == ["PLTR"]
    assert tickers_of(title, {"tickers": []}, asked=("AMD",)) == []
    # Those of sample and archive do not: there the manifests tell.
    for other in ("a query", None, {"tickers": "AMD"}, {"url": "x"}, []):
        assert tickers_of(title, other, asked=("AMD",)) == ["AMD"]


# ---------------------------------------------------------------- the whole way


@dataclasses.dataclass
class Listed:
    """No list of trending tickers; the watchlist is what a run is about."""

    def fetch(self, *_: object) -> tuple[()]:
        return ()

    def health(self) -> tuple[()]:
        return ()


@dataclasses.dataclass
class Desk:
    """A lake that news is fetched into, and the sites that it comes from."""

    env: Env
    cnbc: Feeds
    dow_jones: Feeds
    edgar: Edgar

    def run(self, dt: date) -> list[dict[str, Any]]:
        """Scrape, enrich and compact a run; return its table of news."""
        self.scrape(dt)
        expected = [obj.key for obj in manifest.expected(manifest.of_day(self.env.lake.raw, dt))]
        for key in expected:
            steps.enrich(self.env, key)
        build = steps.build_of(self.env)
        staging.compact(self.env.settings, self.env.lake, build, dt, expected)
        self.env.warehouse.register("news", dt)
        data = self.env.lake.enriched.get(layout.enriched("news", dt))
        found: list[dict[str, Any]] = parquet.read(NEWS, data).to_pylist()
        return found

    def scrape(self, dt: date) -> manifest.Manifest:
        settings = self.env.settings
        source = LiveSource(
            settings,
            self.env.lake,
            [News(settings)],
            Listed(),  # type: ignore[arg-type]
            lambda: Deadline(60),
        )
        return steps.scrape(dataclasses.replace(self.env, source=source), dt)

    def counted(self, session: date) -> dict[str, list[str]]:
        """Ids that `daily_news` counts for a session, newest first, by ticker."""
        window = sessions.window(session)
        made = self.env.warehouse.query(
            sql.load("sql", "daily_news").text,
            {
                "session": session,
                "first_dt": window[0],
                "last_dt": window[-1],
                "cutoff": sessions.cutoff(window[-1]).replace(tzinfo=None),
                "config_hash": "c",
                "run_id": "r",
            },
            table="daily_news",
        )
        rows = made.to_pylist()
        assert all(row["n_news"] == len(json.loads(row["news_ids"])) for row in rows)
        return {row["ticker"]: json.loads(row["news_ids"]) for row in rows}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    cnbc, dow_jones, edgar = Feeds({}), Feeds({}), Edgar()
    settings: Settings = load(
        environ={},
        overrides={
            "lake": str(tmp_path / "lake"),
            "live.contact": "desk@example.org",
            "live.news.sec_requests_per_second": 10,
        },
    )
    with Internet({CNBC: cnbc, DOW_JONES: dow_jones, SEC: edgar}, tmp_path) as net:
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        cnbc.pages[CNBC_PATH] = rss()
        dow_jones.pages |= {WSJ_PATH: rss(), MARKETWATCH_PATH: rss()}
        yield Desk(services.embedded(settings), cnbc, dow_jones, edgar)


def test_news_goes_from_feeds_to_rows_and_is_counted_once(desk: Desk) -> None:
    desk.cnbc.pages[CNBC_PATH] = rss(
        item(
            1,
            "Nvidia &amp; AMD jump<script>steal()</script>",
            at("2026-05-07 15:00"),
            link="https://www.cnbc.com/a.html?utm_source=rss",
            summary="<p>Shares of <b>Nvidia</b> rose.</p><script>steal()</script>",
        ),
        item(2, "Buy Tesla gear", at("2026-05-07 15:30"), sponsored=True),
        item(3, "Tesla recalls", None),  # without a date: kept in raw, no row
        item(4, "Markets close mixed", at("2026-05-07 20:00")),  # names no ticker
    )
    desk.dow_jones.pages[WSJ_PATH] = rss(
        # The same headline half an hour earlier, and a story of its own about two tickers.
        item("WP-1", "Nvidia &amp; AMD jump", at("2026-05-07 14:30"), link="https://www.wsj.com/a"),
        item("WP-2", "Apple and $PLTR gain", at("2026-05-07 16:00"), link="https://www.wsj.com/b"),
    )
    desk.dow_jones.pages[MARKETWATCH_PATH] = rss(
        # The page of the Journal's story, under a headline of its own.
        item("MW-9", "Why Apple gains", at("2026-05-07 16:30"), link="https://wsj.com/b?mod=mw")
    )
    desk.edgar.filings = (
        filing("TESLA INC", 1318605, "0001318605-26-000016", "2026-05-07T17:00:00-04:00"),
        filing("TESLA INC", 1318605, "0001318605-26-000015", "2026-05-07T16:30:00-04:00"),
        filing("MODEL N, INC.", 1118417, "0001118417-26-000001", "2026-05-07T16:00:00-04:00"),
    )
    rows = desk.run(FRIDAY)
    wsj, sec = "wsj.com:WP-", "urn:tag:sec.gov,2008:accession-number=0001318605-26-00001"
    found = {(r["ticker"], r["news_id"]): (r["source"], r["title"]) for r in rows}
    filed = "8-K - TESLA INC (0001318605) (Filer)"
    assert found == {
        ("AAPL", f"{wsj}2"): ("wsj", "Apple and $PLTR gain"),
        ("NVDA", f"{wsj}1"): ("wsj", "Nvidia & AMD jump"),  # AMD is not in this run's universe
        ("PLTR", f"{wsj}2"): ("wsj", "Apple and $PLTR gain"),
        ("TSLA", f"{sec}5#0001318605"): ("sec", filed),
        ("TSLA", f"{sec}6#0001318605"): ("sec", filed),
    }
    assert {r["session"] for r in rows} == {FRIDAY}
    apple = next(r for r in rows if r["ticker"] == "AAPL")
    assert apple["published_at"] == published("2026-05-07 16:00")
    assert apple["url"] == "https://www.wsj.com/b"
    counted = desk.counted(FRIDAY)
    assert {ticker: len(ids) for ticker, ids in counted.items()} == {
        "AAPL": 1,
        "NVDA": 1,
        "PLTR": 1,
        "TSLA": 2,
    }
    # Raw stays whole: both tellings, the item without a date, all but what was paid for.
    raw = {
        key.source: [json.loads(line)["data"]["title"] for line in lines_of(desk, key)]
        for key in raw_keys(desk, FRIDAY)
    }
    assert len(raw["cnbc"]) == 3
    assert raw["cnbc"][0].endswith("<script>steal()</script>")
    assert (len(raw["wsj"]), len(raw["marketwatch"]), len(raw["sec"])) == (2, 1, 3)


def raw_keys(desk: Desk, dt: date) -> list[layout.RawKey]:
    found = (layout.parse_raw(i.key) for i in desk.env.lake.raw.list(layout.raw_prefix("news", dt)))
    return [key for key in found if key is not None]


def lines_of(desk: Desk, key: layout.RawKey) -> list[bytes]:
    return lines.read(desk.env.lake.raw.get(str(key)), str(key))


def test_markup_and_scripts_of_a_feed_are_no_text_of_ours(desk: Desk) -> None:
    desk.cnbc.pages[CNBC_PATH] = rss(
        item(
            1,
            "Nvidia &amp; AMD &lt;b&gt;jump&lt;/b&gt;<script>steal()</script>",
            at("2026-05-07 15:00"),
            link="javascript:alert(1)",
            summary="<p>Shares of <b>Nvidia</b> rose 5 &lt; 6.</p><script>steal()</script>",
        )
    )
    (found,) = desk.run(FRIDAY)
    # Raw says "Nvidia &amp; AMD &lt;b&gt;jump…": escaped tags are text, written ones are markup.
    assert found["title"] == "Nvidia & AMD <b>jump</b>"
    assert found["content"] == "Shares of Nvidia rose 5 < 6."
    assert found["url"] is None


def test_an_item_published_after_the_cutoff_reaches_only_the_next_session(desk: Desk) -> None:
    before = item(1, "Nvidia rises", at("2026-05-08 11:59"))
    after = item(2, "Nvidia falls", at("2026-05-08 12:00"))  # at the cutoff itself
    future = item(3, "Nvidia flies", at("2026-05-13 12:00"))
    desk.cnbc.pages[CNBC_PATH] = rss(before, after, future)
    sessions_of = {row["news_id"]: row["session"] for row in desk.run(FRIDAY)}
    assert sessions_of == {
        "cnbc.com:1": FRIDAY,
        "cnbc.com:2": MONDAY,
        "cnbc.com:3": date(2026, 5, 14),  # Wednesday noon is after Wednesday's cutoff
    }
    assert desk.counted(FRIDAY) == {"NVDA": ["cnbc.com:1"]}
    assert desk.counted(MONDAY) == {}  # no run of Monday's has collected anything yet
    # Saturday's run asks again although the feed has not changed, because of the second item.
    desk.run(SATURDAY)
    assert desk.counted(FRIDAY) == {"NVDA": ["cnbc.com:1"]}
    assert desk.counted(MONDAY) == {"NVDA": ["cnbc.com:2"]}


def test_an_item_seen_again_is_counted_once_in_its_session(desk: Desk) -> None:
    desk.cnbc.pages[CNBC_PATH] = rss(item(1, "Nvidia rises", at("2026-05-08 15:00")))
    desk.run(SATURDAY)
    more = item(2, "Nvidia falls", at("2026-05-09 15:00"))
    desk.cnbc.pages[CNBC_PATH] = rss(more, item(1, "Nvidia rises", at("2026-05-08 15:00")))
    desk.run(SUNDAY)
    desk.run(MONDAY)  # not modified since Sunday: no object, nothing counted again
    assert [key.source for key in raw_keys(desk, MONDAY)] == []
    assert desk.counted(MONDAY) == {"NVDA": ["cnbc.com:2", "cnbc.com:1"]}


def test_a_story_that_other_runs_of_a_weekend_tell_otherwise_is_counted_once(desk: Desk) -> None:
    # On Saturday only the Journal had it; on Sunday CNBC has it too, as of an earlier moment.
    desk.dow_jones.pages[WSJ_PATH] = rss(item("WP-1", "Nvidia rises", at("2026-05-08 16:00")))
    desk.run(SATURDAY)
    desk.cnbc.pages[CNBC_PATH] = rss(item(1, "Nvidia Rises", at("2026-05-08 15:00")))
    assert [row["news_id"] for row in desk.run(SUNDAY)] == ["cnbc.com:1"]
    desk.run(MONDAY)
    assert desk.counted(MONDAY) == {"NVDA": ["cnbc.com:1"]}


def test_a_refused_feed_is_in_the_manifest_and_a_resumed_run_brings_only_it(desk: Desk) -> None:
    desk.cnbc.pages[CNBC_PATH] = rss(item(1, "Nvidia rises", at("2026-05-07 15:00")))
    del desk.dow_jones.pages[WSJ_PATH]
    first = desk.scrape(FRIDAY)
    health = {row.name: (row.status, row.reason) for row in first.health}
    assert health["cnbc"] == ("ok", None)
    assert health["wsj"] == ("refused", "feeds.content.dowjones.io answered 404")
    assert health["news"] == ("ok", "refused: wsj")
    desk.dow_jones.pages[WSJ_PATH] = rss(item("WP-1", "Tesla rises", at("2026-05-07 15:00")))
    desk.scrape(FRIDAY)
    latest = {row.name: row for row in manifest.health(manifest.of_day(desk.env.lake.raw, FRIDAY))}
    assert {latest[name].status for name in ("cnbc", "wsj", "news")} == {"ok"}
    assert [str(key) for key in raw_keys(desk, FRIDAY)] == [
        "news/dt=2026-05-08/source=cnbc/news-1.jsonl.gz",
        "news/dt=2026-05-08/source=wsj/news-1.jsonl.gz",
    ]
    assert [row["ticker"] for row in desk.run(FRIDAY)] == ["NVDA", "TSLA"]
