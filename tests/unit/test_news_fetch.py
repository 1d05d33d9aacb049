"""The news errand over loopback: at once, politely, bounded, and again only what has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from feeds_site import (
    CHALLENGE,
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
    xml,
    zipped,
)
from internet import Answer, Internet, Request, Site

from cashtag import redaction, sessions
from cashtag.errors import SettingsError, SourceRefused
from cashtag.lake import layout, lines, numbered
from cashtag.lake.disk import FolderStore
from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.feed_doors import Doors, is_sec
from cashtag.scrape.held import held
from cashtag.scrape.news import News
from cashtag.settings import Settings, load

THURSDAY, FRIDAY = date(2026, 5, 7), date(2026, 5, 8)
CONTACT = "desk@example.org"
STORY = item(1, "Nvidia rises", at("2026-05-07 15:00"), link="https://www.cnbc.com/a.html")
WSJ_STORY = item("WP-1", "Markets rise", at("2026-05-07 16:00"), link="https://www.wsj.com/a")
SEC_URL = "https://www.sec.gov/cgi-bin/browse-edgar?action=getcurrent&type=8-K&count={}&output=atom"


def settings_of(feeds: Mapping[str, str] | None = None, **live: Any) -> Settings:
    overrides: dict[str, Any] = {"live.contact": CONTACT, "live.news.sec_requests_per_second": 10}
    if feeds is not None:
        overrides["live.news.feeds"] = [{"name": n, "url": u} for n, u in feeds.items()]
    overrides |= {f"live.{name.replace('__', '.')}": value for name, value in live.items()}
    return load(environ={}, overrides=overrides)


@dataclass
class Fetching:
    """What a fetch of all feeds gave: answers by feed, health by name."""

    answers: dict[str, Fetched]
    health: dict[str, SourceHealth]

    def items(self, feed: str) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.answers[feed].lines]

    def titles(self, feed: str) -> list[str]:
        return [envelope["data"]["title"] for envelope in self.items(feed)]


def fetch(
    settings: Settings,
    raw: FolderStore,
    dt: date = FRIDAY,
    seconds: float = 60,
    tickers: tuple[str, ...] = ("NVDA", "PLTR"),
) -> Fetching:
    """Run the errand and keep what it fetched, as a scrape does."""
    errand = News(settings)
    day = Day(dt, sessions.cutoff(dt, settings.scrape.cutoff_utc), tickers)
    answers: dict[str, Fetched] = {}
    for one in errand.fetch(day, held(raw, dt), Deadline(seconds)):
        assert one.kind == "news"
        assert one.ticker is None
        assert one.source is not None
        assert one.source not in answers
        answers[one.source] = one
        if one.lines:
            numbered.add(
                raw,
                lambda number, source=one.source: layout.raw("news", dt, source, "news", number),
                lines.pack(one.lines),
            )
    return Fetching(answers, {row.name: row for row in errand.health()})


@pytest.fixture
def raw(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "raw")


@pytest.fixture
def online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Mapping[str, Site]], Internet]:
    opened: list[Internet] = []

    def start(sites: Mapping[str, Site]) -> Internet:
        net = Internet(sites, tmp_path).__enter__()
        opened.append(net)
        for name, value in net.environ().items():
            monkeypatch.setenv(name, value)
        return net

    yield start  # type: ignore[misc]
    for net in opened:
        net.__exit__()


Online = Callable[[Mapping[str, Site]], Internet]


def dow_jones(**pages: bytes) -> Feeds:
    return Feeds({WSJ_PATH: rss(WSJ_STORY), MARKETWATCH_PATH: rss(), **pages})


# ---------------------------------------------------------------- all feeds


def test_the_feeds_of_the_settings_are_fetched_and_told_one_by_one(
    online: Online, raw: FolderStore
) -> None:
    edgar = Edgar(filing("TESLA INC", 1318605, "0001318605-26-000015", "2026-05-07T16:10:00-04:00"))
    net = online({CNBC: Feeds({CNBC_PATH: rss(STORY)}), DOW_JONES: dow_jones(), SEC: edgar})
    before = datetime.now(UTC).replace(microsecond=0)
    found = fetch(settings_of(), raw)
    assert {name: one.status for name, one in found.answers.items()} == {
        "cnbc": "ok",
        "marketwatch": "empty",
        "sec": "ok",
        "wsj": "ok",
    }
    assert {name: (row.status, row.reason, row.requests) for name, row in found.health.items()} == {
        "cnbc": ("ok", None, 1),
        "marketwatch": ("empty", None, 1),
        "sec": ("ok", None, 1),
        "wsj": ("ok", None, 1),
        "news": ("ok", None, 4),
    }
    (envelope,) = found.items("cnbc")
    assert list(envelope) == ["source", "scraped_at", "query", "data"]
    assert envelope["source"] == "cnbc"
    assert envelope["scraped_at"].endswith("+00:00")
    assert datetime.fromisoformat(envelope["scraped_at"]) >= before
    assert envelope["query"]["tickers"] == ["NVDA", "PLTR"]
    assert found.titles("sec") == ["8-K - TESLA INC (0001318605) (Filer)"]
    agents = {request.headers["user-agent"] for request in net.log}
    assert len(agents) == 1
    assert agents.pop().endswith(f"({CONTACT})")


def test_the_default_feeds_are_those_of_three_publishers_and_the_sec() -> None:
    feeds = {feed.name: feed.url for feed in load(environ={}).live.news.feeds}
    assert list(feeds) == ["cnbc", "wsj", "marketwatch", "sec"]
    assert is_sec(feeds["sec"])
    assert "action=getcurrent&type=8-K&count=100&output=atom" in feeds["sec"]
    assert all(url.startswith("https://") for url in feeds.values())


def test_two_feeds_of_one_name_are_refused_by_the_settings() -> None:
    feeds = [{"name": "a", "url": "https://a.org/1"}, {"name": "a", "url": "https://a.org/2"}]
    with pytest.raises(SettingsError, match="several feeds are called a"):
        load(environ={}, overrides={"live.news.feeds": feeds})
    # A feed that is refused must not make the day partial because of its name.
    with pytest.raises(SettingsError, match="trending names another source"):
        settings_of({"trending": "https://a.org/"})


def test_hosts_are_asked_at_once_and_each_host_one_request_at_a_time(
    online: Online, raw: FolderStore
) -> None:
    both = threading.Barrier(2, timeout=20)  # each waits for the other: one by one would fail
    running: list[str] = []
    most: list[int] = []

    def meets(request: Request) -> Answer:
        both.wait()
        return xml(rss(STORY))

    def counts(request: Request) -> Answer:
        running.append(request.path)
        most.append(len(running))
        if request.path == "/0":
            both.wait()
        time.sleep(0.05)  # long enough for the other feeds to come in, if they may
        running.remove(request.path)
        return xml(rss(STORY))

    online({"a.org": meets, "b.org": counts})
    feeds = {"a": "https://a.org/"} | {f"b{n}": f"https://b.org/{n}" for n in range(4)}
    found = fetch(settings_of(feeds), raw)
    assert {one.status for one in found.answers.values()} == {"ok"}
    assert max(most) == 1


def test_what_raw_holds_of_a_run_is_not_fetched_again(online: Online, raw: FolderStore) -> None:
    site = Feeds({WSJ_PATH: rss(WSJ_STORY)})  # MarketWatch's feed is a 404
    net = online({CNBC: Feeds({CNBC_PATH: rss(STORY)}), DOW_JONES: site})
    feeds = {feed.name: feed.url for feed in load(environ={}).live.news.feeds if feed.name != "sec"}
    first = fetch(settings_of(feeds), raw)
    assert first.health["news"] == SourceHealth("news", "ok", "refused: marketwatch", 3)
    site.pages[MARKETWATCH_PATH] = rss(item(9, "Late", at("2026-05-07 17:00")))
    net.log.clear()
    second = fetch(settings_of(feeds), raw)
    assert [request.path for request in net.log] == [MARKETWATCH_PATH]
    assert list(second.answers) == ["marketwatch"]
    assert second.health["news"] == SourceHealth("news", "ok", None, 1)
    net.log.clear()
    third = fetch(settings_of(feeds), raw)
    assert (third.answers, third.health, net.log) == ({}, {}, [])


# ---------------------------------------------------------------- faults


def redirect(to: str) -> Answer:
    return Answer(302, b"", {"location": to})


def gzip_bomb() -> Answer:
    return zipped(rss("<item><title>" + "A" * 4_000_000 + "</title></item>"))


FAULTS: dict[str, tuple[Answer | bytes, str, str | None]] = {
    # feed: what its host answers, status, what the reason says
    "malformed": (
        rss(item(1, "One", at("2026-05-07 15:00")), "<item><title>A & B</title></item>"),
        "ok",
        "1 without a date; not well-formed (not well-formed (invalid token))",
    ),
    "sponsored": (rss(item(1, "Ad", at("2026-05-07 15:00"), sponsored=True)), "empty", "1 spons"),
    "hopeless": (b"<rss><channel><title>A & B", "refused", "hopeless.org sent a feed that cannot"),
    "truncated": (Answer(200, rss(STORY), cut=120), "refused", "truncated.org broke off"),
    "oversized": (rss("x" * 2_000_000), "refused", "oversized.org sent more than 1,000,000 bytes"),
    "bomb": (gzip_bomb(), "refused", "bomb.org sent more than 1,000,000 bytes"),
    "dripping": (Answer(200, rss(STORY), drip=0.05), "refused", "dripping.org sent only"),
    "hanging": (Answer(hang=True), "refused", "hanging.org did not answer within 4 s"),
    "moved": (redirect("https://target.org/"), "ok", None),
    "loop": (redirect("https://loop.org/"), "refused", "redirected more than 5 times"),
    "bare": (redirect("http://target.org/"), "refused", "target.org without encryption"),
    "challenge": (Answer(200, CHALLENGE), "refused", "a web page ('Just a moment...'), not a feed"),
    "blocked": (Answer(403, b""), "refused", "blocked.org answered 403"),
    "limited": (Answer(429, b"", {"retry-after": "60"}), "refused", "429 (it asks to wait 60 s)"),
    "unasked": (Answer(304, b""), "refused", "answered 304 to a request that names no version"),
    "laughing": (
        b"<!DOCTYPE rss [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><rss><channel>&b;</channel></rss>",
        "refused",
        "declares entities of its own",
    ),
    "future": (rss(item(1, "One", at("2031-01-01 00:00"))), "ok", None),
    "nameless": (rss(item(None, "One", at("2026-05-07 15:00"))), "ok", None),
}


def test_every_fault_is_told_from_nothing_and_stays_with_its_feed(
    online: Online, raw: FolderStore
) -> None:
    sites: dict[str, Site] = {"target.org": lambda _: xml(rss(STORY))}
    for name, (answer, _, _) in FAULTS.items():
        fixed = answer if isinstance(answer, Answer) else xml(answer)
        sites[f"{name}.org"] = lambda _, fixed=fixed: fixed
    online(sites)
    feeds = {name: f"https://{name}.org/" for name in FAULTS} | {"gone": "https://gone.org/"}
    # Four seconds a request: every sound answer is there in milliseconds, the slow ones never.
    found = fetch(settings_of(feeds, request_seconds=4.0, max_bytes=1_000_000), raw)
    statuses = {name: one.status for name, one in found.answers.items()}
    assert statuses == {name: status for name, (_, status, _) in FAULTS.items()} | {
        "gone": "refused"  # nobody plays that host
    }
    for name, (_, _, told) in FAULTS.items():
        reason = found.answers[name].reason
        assert (told is None and reason is None) or (told or "") in (reason or ""), (name, reason)
        assert found.health[name].reason == reason
    assert found.health["news"].status == "ok"
    assert "gone.org cannot be reached" in (found.answers["gone"].reason or "")


def test_news_is_refused_when_every_feed_is(online: Online, raw: FolderStore) -> None:
    online({})
    found = fetch(settings_of({"a": "https://a.org/", "b": "https://b.org/"}), raw)
    assert found.health["news"].status == "refused"
    assert "a: a.org cannot be reached" in (found.health["news"].reason or "")


def test_a_document_that_would_keep_its_parser_busy_for_hours_is_given_up(
    online: Online, raw: FolderStore
) -> None:
    # feedparser looks for an e-mail address at each letter, to the end of the name each time:
    # 400,000 letters are 8e10 steps, within one search that holds the interpreter's lock.
    endless = rss(f"<item><title>T</title><author>{'a' * 400_000}</author></item>")
    # And its pattern for a tag takes memory for each letter of it.
    swelling = b"<rss><channel><item><a " + b"b" * 3_000_000
    online(
        {
            "endless.org": lambda _: xml(endless),
            "swelling.org": lambda _: xml(swelling),
            "good.org": lambda _: xml(rss(STORY)),
        }
    )
    feeds = {name: f"https://{name}.org/" for name in ("endless", "swelling", "good")}
    found = fetch(settings_of(feeds, news__parse_seconds=4.0), raw)
    assert found.answers["good"].status == "ok"
    assert found.answers["endless"].reason == (
        "endless.org sent a feed that takes more than 4 s to read"
    )
    assert found.answers["swelling"].status == "refused"


def test_no_feed_costs_more_than_the_deadline(online: Online, raw: FolderStore) -> None:
    sites: dict[str, Site] = {
        "good.org": lambda _: xml(rss(STORY)),
        "hangs.org": lambda _: Answer(hang=True),
    }
    net = online(sites)
    feeds = {"good": "https://good.org/", "h1": "https://hangs.org/1", "h2": "https://hangs.org/2"}
    began = time.monotonic()
    found = fetch(settings_of(feeds), raw, seconds=4)
    assert time.monotonic() - began < 15  # request_seconds alone would be 20
    assert found.answers["good"].status == "ok"
    assert [found.health[name].status for name in ("h1", "h2")] == ["refused", "refused"]
    assert len(net.requests("hangs.org")) == 1  # the second one never had its turn


def test_words_of_a_page_are_told_without_our_secrets(
    online: Online, raw: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_held", set())
    redaction.remember("PLANTED-token-1")
    page = b"<html><head><title>Denied: PLANTED-token-1</title></head></html>"
    online({"a.org": lambda _: Answer(200, page)})
    found = fetch(settings_of({"a": "https://a.org/"}), raw)
    assert found.answers["a"].reason == (
        "a.org answered with a web page ('Denied: [secret]'), not a feed"
    )
    assert "PLANTED" not in repr(found)


def test_a_defect_of_ours_is_raised_after_the_other_feeds_are_handed_on(
    online: Online, raw: FolderStore
) -> None:
    class Defective(News):
        def _ask(self, feed: Any, *rest: Any) -> Fetched:
            if feed.name == "bad":
                raise ZeroDivisionError("a defect")
            return super()._ask(feed, *rest)

    online({"good.org": lambda _: xml(rss(STORY))})
    errand = Defective(settings_of({"bad": "https://bad.org/", "good": "https://good.org/"}))
    day = Day(FRIDAY, sessions.cutoff(FRIDAY), ())
    answers = errand.fetch(day, held(raw, FRIDAY), Deadline(30))
    told = {next(answers).source, next(answers).source}
    assert told == {"bad", "good"}
    with pytest.raises(ZeroDivisionError):
        next(answers)


# ---------------------------------------------------------------- what has not changed


def versioned(body: bytes, **headers: str) -> Site:
    """Answers 304 to whoever names the version that it has."""

    def answer(request: Request) -> Answer:
        asked = (request.headers.get("if-none-match"), request.headers.get("if-modified-since"))
        if asked == (headers.get("etag"), headers.get("last_modified")) != (None, None):
            return Answer(304, b"")
        return xml(body, **headers)

    return answer


MODIFIED = "Thu, 07 May 2026 11:00:00 GMT"
EARLY = item(1, "Nvidia rises", at("2026-05-07 11:59"))  # a minute before Thursday's cutoff
AT_CUTOFF = item(2, "AMD rises", at("2026-05-07 12:00"))


@pytest.mark.parametrize(
    "headers", [{"etag": '"v1"'}, {"last_modified": MODIFIED}, {"etag": 'W/"v1"'}]
)
def test_a_feed_that_has_not_changed_since_an_earlier_run_is_empty(
    online: Online, raw: FolderStore, headers: dict[str, str]
) -> None:
    net = online({"a.org": versioned(rss(EARLY), **headers)})
    settings = settings_of({"a": "https://a.org/"})
    assert fetch(settings, raw, THURSDAY).answers["a"].status == "ok"
    assert not {"if-none-match", "if-modified-since"} & set(net.log[0].headers)
    found = fetch(settings, raw, FRIDAY)
    since = "not modified since the run of 2026-05-07"
    assert found.answers["a"] == Fetched("news", None, "empty", since, source="a")
    assert found.health["a"] == SourceHealth("a", "empty", since, 1)
    # The day after, Thursday's object is still the newest one.
    assert fetch(settings, raw, date(2026, 5, 9)).answers["a"].reason == since


def test_a_feed_with_an_item_that_no_run_has_counted_yet_is_read_again(
    online: Online, raw: FolderStore
) -> None:
    # Thursday's scrape came after its cutoff and saw an item of the next session; Friday's
    # session reads Friday's objects only, so it must be in one of them.
    online({"a.org": versioned(rss(EARLY, AT_CUTOFF), etag='"v1"')})
    settings = settings_of({"a": "https://a.org/"})
    fetch(settings, raw, THURSDAY)
    assert fetch(settings, raw, FRIDAY).titles("a") == ["Nvidia rises", "AMD rises"]


def test_a_version_is_asked_for_only_where_it_was_given_whole(
    online: Online, raw: FolderStore
) -> None:
    half = rss(EARLY)[:-10]  # not well-formed: what is missing is to be had
    sites = {
        "moved.org": versioned(rss(EARLY), etag='"v1"'),
        "half.org": versioned(half, etag='"v1"'),
        "old.org": versioned(rss(EARLY), etag='"v1"'),
    }
    net = online(sites)
    before = {name: f"https://{name}.org/" for name in ("moved", "half", "old")}
    fetch(settings_of(before), raw, THURSDAY)
    net.log.clear()
    now = before | {"moved": "https://moved.org/elsewhere"}
    later = date(2026, 5, 20)  # `old` is beyond remember_days by then
    assert fetch(settings_of({n: now[n] for n in ("moved", "half")}), raw, FRIDAY).answers
    assert fetch(settings_of({"old": now["old"]}), raw, later).answers["old"].status == "ok"
    assert all("if-none-match" not in request.headers for request in net.log)


# ---------------------------------------------------------------- the SEC


def filings(*hours: int) -> list[str]:
    """Filings of companies 0, 1, …, each so many hours before Friday's cutoff."""
    return [
        filing(
            f"COMPANY {n}",
            n,
            f"000000000{n}-26-000001",
            datetime.fromtimestamp(
                sessions.cutoff(FRIDAY).timestamp() - hour * 3600, tz=UTC
            ).isoformat(),
        )
        for n, hour in enumerate(hours)
    ]


def companies(found: Fetching) -> list[int]:
    return [int(envelope["data"]["cik"]) for envelope in found.items("sec")]


def sec(count: int = 2, **live: Any) -> Settings:
    return settings_of({"sec": SEC_URL.format(count)}, **live)


@pytest.mark.parametrize("contact", ["", "  "])
def test_the_sec_is_not_asked_by_those_who_do_not_say_who_they_are(
    online: Online, raw: FolderStore, contact: str
) -> None:
    net = online({"a.org": lambda _: xml(rss(STORY)), SEC: Edgar()})
    feeds = {"a": "https://a.org/", "sec": SEC_URL.format(2)}
    found = fetch(settings_of(feeds, contact=contact), raw)
    assert found.answers["sec"].status == "refused"
    assert "set live.contact" in (found.answers["sec"].reason or "")
    assert net.requests(SEC) == []
    assert found.health["sec"].requests == 0
    assert found.health["news"] == SourceHealth("news", "ok", "refused: sec", 1)


def test_a_contact_that_the_sec_does_not_take_is_a_refusal(
    online: Online, raw: FolderStore
) -> None:
    online({SEC: Edgar()})
    found = fetch(sec(contact="me"), raw)
    assert found.answers["sec"].reason == "www.sec.gov answered 403"


def test_filings_are_read_page_by_page_back_to_the_lookback(
    online: Online, raw: FolderStore
) -> None:
    # The lookback is 24 h: the third page of two ends beyond it, so the fourth is not asked for.
    net = online({SEC: Edgar(*filings(1, 5, 9, 20, 23, 25, 30, 40))})
    found = fetch(sec(), raw)
    assert companies(found) == [0, 1, 2, 3, 4, 5]  # raw keeps what a page held
    assert [request.query.get("start") for request in net.log] == [None, "2", "4"]
    assert found.health["sec"] == SourceHealth("sec", "ok", None, 3)
    queries = [envelope["query"]["url"] for envelope in found.items("sec")]
    assert queries[::2] == [SEC_URL.format(2) + more for more in ("", "&start=2", "&start=4")]


def test_a_page_that_is_not_full_is_the_last_one(online: Online, raw: FolderStore) -> None:
    net = online({SEC: Edgar(*filings(1, 2, 3))})
    assert companies(fetch(sec(), raw)) == [0, 1, 2]
    assert len(net.log) == 2


def test_filings_beyond_the_last_page_allowed_are_told_of(online: Online, raw: FolderStore) -> None:
    online({SEC: Edgar(*filings(1, 2, 3, 4, 5, 6, 7))})
    found = fetch(sec(news__sec_pages=2), raw)
    assert companies(found) == [0, 1, 2, 3]
    assert found.answers["sec"].reason == "older filings were left (live.news.sec_pages)"


def test_a_filing_that_moved_to_the_next_page_meanwhile_is_there_once(
    online: Online, raw: FolderStore
) -> None:
    edgar = Edgar(*filings(1, 2, 3, 4))
    later = Edgar(
        filing("NEW CORP", 99, "0000000099-26-000001", "2026-05-08T12:00:01Z"), *edgar.filings
    )

    def answer(request: Request) -> Answer:
        return (later if "start" in request.query else edgar)(request)

    online({SEC: answer})
    # Page 1: 0 and 1; page 2, one filing later: 1 and 2; page 3: 3.
    assert companies(fetch(sec(), raw)) == [0, 1, 2, 3]


def test_filings_of_earlier_pages_are_kept_when_a_later_one_is_refused(
    online: Online, raw: FolderStore
) -> None:
    edgar = Edgar(*filings(1, 2, 3, 4, 5, 6))
    edgar.fails_from = 4
    online({SEC: edgar})
    found = fetch(sec(), raw)
    assert companies(found) == [0, 1, 2, 3]
    assert found.answers["sec"].status == "ok"
    assert found.answers["sec"].reason == (
        "older filings than those of 2 pages were refused: www.sec.gov answered 503"
    )


def test_all_hosts_of_the_sec_share_one_pace() -> None:
    doors = Doors(sec_requests_per_second=20.0)
    moments = []
    for url in ("https://www.sec.gov/a", "https://data.sec.gov/b", "https://sec.gov/c"):
        with doors.entered(url, Deadline(30)):
            moments.append(time.monotonic())
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= 0.05 - 0.001  # a clock's grain below 1/20 s
    assert not is_sec("https://www.sec.gov.example/")
    assert not is_sec("https://mysec.gov/")


def test_nobody_waits_at_a_door_beyond_the_deadline() -> None:
    doors = Doors(sec_requests_per_second=0.001)
    with doors.entered("https://www.sec.gov/a", Deadline(30)):
        pass
    began = time.monotonic()
    with doors.entered("https://www.sec.gov/a", Deadline(0.1)):
        pass  # its request finds that nothing is left
    assert time.monotonic() - began < 20  # the pace alone would take 1,000 s
    with (
        doors.entered("https://a.org/1", Deadline(30)),
        pytest.raises(SourceRefused, match=r"another feed of a\.org"),
        doors.entered("https://a.org/2", Deadline(0.05)),
    ):
        pass
