"""A run's searches over several accounts: order, evenness, budgets, faults, deadline, resuming."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from internet import Answer, Internet, Request
from x_site import XSite, quoted_id, search_page, tweet_id

from cashtag import services, sessions
from cashtag.errors import SourceRefused
from cashtag.lake import lines, numbered
from cashtag.lake.layout import raw
from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape import manifest
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held, held
from cashtag.scrape.x.errand import X
from cashtag.settings import Settings, load

FRIDAY = date(2026, 5, 8)
CUTOFF = sessions.cutoff(FRIDAY)
WINDOW = "lang:en -filter:retweets since_time:1778155200 until_time:1778241600"
BACKENDS = ("httpx", "curl")

Play = Callable[..., Internet]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Start an internet in which X is the given site."""
    with ExitStack() as stack:

        def start(site: XSite, latency: float = 0.0) -> Internet:
            net = stack.enter_context(Internet(site.sites(), tmp_path, latency))
            for name, value in net.environ().items():
                monkeypatch.setenv(name, value)
            return net

        yield start


def settings_of(**overrides: Any) -> Settings:
    """Small pages, and 23 tweets a ticker: five pages, the last one cut. No rest when X fails."""
    small = {
        "LIVE__X__REST_SECONDS": 0,
        "SCRAPE__TWEETS_PER_PAGE": 5,
        "SCRAPE__TWEETS_PER_TICKER": 23,
    }
    chosen = small | overrides
    return load(environ={f"CASHTAG_{name}": str(value) for name, value in chosen.items()})


def accounts(number: int) -> tuple[XAccount, ...]:
    return tuple(
        XAccount(f"acc{i}", f"PLANTED-token-{i}", f"PLANTED-csrf-{i}") for i in range(1, number + 1)
    )


def token(number: int) -> str:
    return f"PLANTED-token-{number}"


def holding(tmp_path: Path) -> Held:
    return held(services.folder_lake(tmp_path / "lake").raw, FRIDAY)


def day(*tickers: str) -> Day:
    return Day(FRIDAY, CUTOFF, tickers)


def ids(parts: list[Fetched], ticker: str) -> list[str]:
    return [
        orjson.loads(line)["data"]["id_str"]
        for part in parts
        if part.ticker == ticker
        for line in part.lines
    ]


def last(parts: list[Fetched]) -> dict[str, Fetched]:
    return {str(part.ticker): part for part in parts}


def hits_and_quoted(query: str, number: int) -> list[str]:
    """The first `number` tweets of a query, and what every tenth of them quotes."""
    return [str(tweet_id(query, i)) for i in range(number)] + [
        str(quoted_id(query, i)) for i in range(0, number, 10)
    ]


def asked(site: XSite) -> list[tuple[str, str | None]]:
    """First word of each query, and the cursor, in the order of the requests."""
    return [(entry["query"].split(" ")[0], entry["cursor"]) for entry in site.log]


# ---------------------------------------------------------------- what is fetched


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_ticker_gets_as_many_tweets_as_are_asked_for_and_no_more(
    play: Play, tmp_path: Path, backend: str
) -> None:
    site = XSite(tweets={"$FEW": 8})
    play(site)
    chosen = settings_of(LIVE__X__BACKEND=backend)
    parts = list(X(chosen, accounts(2)).fetch(day("FEW", "MANY"), holding(tmp_path), Deadline(20)))
    many, few = f"$MANY {WINDOW}", f"$FEW {WINDOW}"
    assert sorted(ids(parts, "MANY")) == sorted(hits_and_quoted(many, 23))
    assert sorted(ids(parts, "FEW")) == sorted(hits_and_quoted(few, 8))
    assert {(part.status, part.source) for part in parts} == {("ok", "x")}
    assert {ticker: part.more for ticker, part in last(parts).items()} == {
        "FEW": False,
        "MANY": False,
    }
    assert {entry["product"] for entry in site.log} == {"Top"}
    # The newest is a minute old at the cutoff.
    assert parts[0].newest == datetime(2026, 5, 8, 11, 59, tzinfo=UTC)


def test_every_ticker_gets_its_first_pages_before_keywords_and_those_before_more(
    play: Play, tmp_path: Path
) -> None:
    site = XSite()
    play(site)
    chosen = settings_of(SCRAPE__FIRST_PAGES=2, SCRAPE__TWEETS_PER_TICKER=15)
    wanted = day("AMD", "NVDA", "TSLA")
    parts = list(X(chosen, accounts(1)).fetch(wanted, holding(tmp_path), Deadline(20)))
    first = [("$AMD", None), ("$NVDA", None), ("$TSLA", None)]
    second = [(name, "behind-5") for name, _ in first]
    # Watched stocks have three keywords, so three pages of the search for any of them.
    words = [
        (name, cursor)
        for cursor in (None, "behind-5", "behind-10")
        for name in ("(NVIDIA", "(Tesla")
    ]
    third = [(name, "behind-10") for name, _ in first]
    assert asked(site) == [*first, *second, *words, *third]
    queried = {orjson.loads(line)["query"] for line in parts[1].lines}
    assert queried == {f"$NVDA {WINDOW}"}
    found = ids(parts, "NVDA")
    assert len(found) == len(set(found)) == 15 + 2 + 15 + 2
    assert f"(NVIDIA OR NVDA OR GPU) {WINDOW}" in {
        orjson.loads(line)["query"] for part in parts for line in part.lines
    }


def test_searches_are_spread_evenly_over_the_accounts(play: Play, tmp_path: Path) -> None:
    site = XSite()
    net = play(site, latency=0.02)
    chosen = settings_of()
    errand = X(chosen, accounts(5))
    wanted = [f"T{letter}" for letter in "ABCDEFGHIJ"]
    parts = list(errand.fetch(day(*wanted), holding(tmp_path), Deadline(30)))
    # Ten tickers of 23 tweets at five a page: five pages each.
    assert sum(site.used.values()) == 50
    # Who comes first gets a head start; nobody does twice as much as another.
    assert max(site.used.values()) <= 2 * min(site.used.values())
    assert {part.more for part in last(parts).values()} == {False}
    assert net.most_at_once <= 5
    x, *rows = errand.health()
    assert x == SourceHealth("x", "ok", None, 50, 5 * 49 - 50)
    assert [row.name for row in rows] == [f"x/acc{i}" for i in range(1, 6)]
    assert sum(row.requests for row in rows) == 50


SHARED = Path(os.environ.get("CASHTAG_SHARED", Path(__file__).parents[3] / "shared"))
RECORDED = SHARED / "data" / "twscrape" / "raw_search.json"


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded pages beside the checkout")
@pytest.mark.parametrize("backend", BACKENDS)
def test_pages_that_x_once_sent_become_lines(play: Play, tmp_path: Path, backend: str) -> None:
    site = XSite()
    net = play(site)

    def replay(request: Request) -> Answer:
        if "/SearchTimeline" not in request.path:
            return site.x(request)
        first = "cursor" not in orjson.loads(request.query["variables"])
        page = RECORDED.read_bytes() if first else search_page("$TSLA", 20, 20, 20)
        return Answer(200, page, {"content-type": "application/json; charset=utf-8"})

    net.sites["x.com"] = replay
    chosen = settings_of(LIVE__X__BACKEND=backend, SCRAPE__TWEETS_PER_TICKER=125)
    [part] = X(chosen, accounts(1)).fetch(day("TSLX"), holding(tmp_path), Deadline(20))
    # 20 hits and five tweets that they quote; then a page without any.
    found = ids([part], "TSLX")
    assert len(found) == len(set(found)) == 25
    assert (part.status, part.more) == ("ok", False)
    assert len(net.requests("x.com")) == 1 + 2


# ---------------------------------------------------------------- accounts that die


def test_two_accounts_that_die_on_the_way_leave_no_gap(play: Play, tmp_path: Path) -> None:
    site = XSite(
        faults={token(2): "suspended", token(4): "csrf"}, from_search={token(2): 3, token(4): 1}
    )
    play(site, latency=0.01)
    errand = X(settings_of(), accounts(5))
    wanted = [f"T{letter}" for letter in "ABCDEFGHIJ"]
    parts = list(errand.fetch(day(*wanted), holding(tmp_path), Deadline(30)))
    for ticker in wanted:
        assert len(set(ids(parts, ticker))) == 23 + 3
    assert {(part.status, part.more) for part in last(parts).values()} == {("ok", False)}
    left = [site.used[token(number)] for number in (1, 3, 5)]
    assert max(left) <= 2 * min(left)
    # Each good search before, and the one that was refused: not one more.
    assert (site.used[token(2)], site.used[token(4)]) == (4, 2)
    rows = {row.name: row for row in errand.health()}
    assert (rows["x"].status, rows["x"].reason) == ("ok", None)
    assert (rows["x/acc2"].status, rows["x/acc2"].reason) == ("refused", "suspended (64)")
    assert rows["x/acc2"].left == 0
    assert str(rows["x/acc4"].reason).startswith("csrf mismatch")
    assert rows["x/acc1"].status == "ok"


def test_with_all_accounts_dead_every_ticker_is_refused_and_says_why(
    play: Play, tmp_path: Path
) -> None:
    site = XSite(faults={token(1): "suspended", token(2): "expired", token(3): "logged-out"})
    play(site)
    errand = X(settings_of(), accounts(3))
    parts = list(errand.fetch(day("AAPL", "NVDA"), holding(tmp_path), Deadline(20)))
    why = (
        "no account left: acc1 suspended (64), acc2 session expired (32), "
        "acc3 logged out; renew both cookies"
    )
    assert parts == [
        Fetched("tweets", ticker, "refused", why, source="x") for ticker in ("AAPL", "NVDA")
    ]
    assert errand.health()[0] == SourceHealth("x", "refused", why, 2, 0)
    # Retired for the day: asked again, it does not ask them.
    again = list(errand.fetch(day("AAPL"), holding(tmp_path), Deadline(20)))
    assert again == parts[:1]
    assert sum(site.used.values()) == 2


def test_accounts_that_die_late_leave_what_they_brought(play: Play, tmp_path: Path) -> None:
    site = XSite(faults={token(1): "locked"}, from_search={token(1): 4})
    play(site)
    errand = X(settings_of(), accounts(1))
    parts = last(list(errand.fetch(day("A", "B", "C"), holding(tmp_path), Deadline(20))))
    # Three first pages, one second page.
    assert {ticker: len(part.lines) for ticker, part in parts.items()} == {
        "A": 11,
        "B": 6,
        "C": 6,
    }
    assert all(part.status == "ok" and part.more for part in parts.values())
    assert errand.health()[0].status == "refused"


def test_a_page_that_fails_goes_to_another_account(play: Play, tmp_path: Path) -> None:
    site = XSite(faults={token(1): "failing"})
    play(site)
    errand = X(settings_of(), accounts(2))
    parts = list(errand.fetch(day("A", "B", "C", "D"), holding(tmp_path), Deadline(20)))
    assert all(len(ids(parts, ticker)) == 23 + 3 for ticker in "ABCD")
    row = errand.health()[1]
    assert str(row.reason).startswith("3 refusals in a row, the last: X")
    assert site.used[token(1)] == 3


def test_an_account_rests_when_x_fails_and_goes_on_after_that(play: Play, tmp_path: Path) -> None:
    site = XSite(faults={token(1): "failing"}, recovers={token(1): 2})
    play(site)
    errand = X(settings_of(LIVE__X__REST_SECONDS=0.2), accounts(1))
    begun = time.monotonic()
    parts = list(errand.fetch(day("A"), holding(tmp_path), Deadline(20)))
    assert time.monotonic() - begun >= 0.2 + 2 * 0.2
    assert [part.status for part in last(parts).values()] == ["ok"]
    assert site.used[token(1)] == 2 + 5


# ---------------------------------------------------------------- X itself is broken


@pytest.mark.parametrize(
    ("fault", "reason", "most"),
    [
        ("cloudflare", "blocked by Cloudflare (403)", 5),
        ("features", "the list of features is outdated (336)", 5),
        ("notimeline", "X's answer holds no timeline", 5),
        ("changed-home", "X's home page has changed", 0),
    ],
)
def test_when_x_refuses_everybody_nobody_is_asked_for_long(
    play: Play, tmp_path: Path, fault: str, reason: str, most: int
) -> None:
    site = XSite(everybody=fault)
    play(site, latency=0.01)
    errand = X(settings_of(), accounts(5))
    wanted = [f"T{letter}" for letter in "ABCDEFGHIJ"]
    parts = list(errand.fetch(day(*wanted), holding(tmp_path), Deadline(20)))
    assert {part.status for part in parts} == {"refused"}
    assert len(parts) == 10
    assert all(str(part.reason).startswith(reason) for part in parts)
    assert sum(site.used.values()) <= most
    x = errand.health()[0]
    assert x.status == "refused"
    assert str(x.reason).startswith(reason)


def test_stale_ids_are_tried_thrice_by_three_accounts_and_then_believed(
    play: Play, tmp_path: Path
) -> None:
    site = XSite(everybody="stale")
    play(site)
    errand = X(settings_of(), accounts(3))
    parts = list(errand.fetch(day("A", "B", "C", "D"), holding(tmp_path), Deadline(20)))
    assert {part.status for part in parts} == {"refused"}
    assert "stale query id or transaction id (404)" in str(parts[0].reason)
    assert "(acc1, acc2, acc3)" in str(parts[0].reason)
    assert sum(site.used.values()) == 9


# ---------------------------------------------------------------- nothing, or a silence


def test_nothing_is_believed_when_the_canary_finds_something(play: Play, tmp_path: Path) -> None:
    site = XSite(tweets={"$NIL": 0})
    play(site)
    errand = X(settings_of(), accounts(2))
    parts = list(errand.fetch(day("NIL"), holding(tmp_path), Deadline(20)))
    assert parts == [Fetched("tweets", "NIL", "empty", source="x")]
    # The page behind the empty one, and the canary over the same window.
    assert asked(site) == [("$NIL", None), ("$NIL", "behind-0"), ("$SPY", None)]
    assert site.log[-1]["query"] == f"$SPY {WINDOW}"
    assert errand.health()[0].status == "empty"


def test_silence_is_a_refusal_when_the_canary_finds_nothing_either(
    play: Play, tmp_path: Path
) -> None:
    site = XSite(everybody="blind")
    play(site)
    errand = X(settings_of(), accounts(3))
    parts = list(errand.fetch(day("A", "B", "C", "D"), holding(tmp_path), Deadline(20)))
    assert {part.status for part in parts} == {"refused"}
    assert all("the canary found nothing either ($SPY)" in str(part.reason) for part in parts)
    assert errand.health()[0].status == "refused"


def test_an_account_that_finds_nothing_is_told_from_a_ticker_without_tweets(
    play: Play, tmp_path: Path
) -> None:
    site = XSite(tweets={"$NIL": 0}, faults={token(1): "blind"})
    play(site)
    errand = X(settings_of(), accounts(2))
    wanted = day("A", "B", "C", "NIL")
    parts = last(list(errand.fetch(wanted, holding(tmp_path), Deadline(20))))
    assert [parts[ticker].status for ticker in wanted.tickers] == ["ok", "ok", "ok", "empty"]
    rows = {row.name: row.status for row in errand.health()}
    assert rows == {"x": "ok", "x/acc1": "refused", "x/acc2": "ok"}


# ---------------------------------------------------------------- budgets


@pytest.mark.parametrize("budget", [50, 10])
def test_no_account_is_asked_beyond_its_budget(play: Play, tmp_path: Path, budget: int) -> None:
    site = XSite(budget=budget)
    play(site)
    errand = X(settings_of(SCRAPE__SEARCHES_PER_ACCOUNT=12), accounts(2))
    wanted = [f"T{letter}" for letter in "ABCDEFGHIJ"]
    parts = list(errand.fetch(day(*wanted), holding(tmp_path), Deadline(20)))
    # 12 of our own count; of X's ten, nine: the tenth would come with nothing remaining.
    # No ticker has more than three pages by then: 5, 5 and 5, and what the first of ten quotes.
    most = min(12, budget - 1)
    assert dict(site.used) == {token(1): most, token(2): most}
    pages = Counter(entry["query"] for entry in site.log)
    assert max(pages.values()) - min(pages.values()) <= 1
    for ticker in wanted:
        most_hits = 5 * pages[f"${ticker} {WINDOW}"]
        assert sorted(ids(parts, ticker)) == sorted(
            hits_and_quoted(f"${ticker} {WINDOW}", most_hits)
        )
    assert all(part.status == "ok" and part.more for part in last(parts).values())
    x, *rows = errand.health()
    assert (x.status, x.left) == ("ok", 0)
    assert x.reason == "the accounts' searches of this window are spent"
    assert [(row.status, row.left) for row in rows] == [("ok", 0)] * 2


def test_a_page_that_comes_with_nothing_remaining_is_kept(play: Play, tmp_path: Path) -> None:
    # Somebody else used up the window: the first page is X's last one.
    site = XSite(budget=1)
    play(site)
    errand = X(settings_of(), accounts(1))
    parts = last(list(errand.fetch(day("A", "B"), holding(tmp_path), Deadline(20))))
    assert (parts["A"].status, len(parts["A"].lines)) == ("ok", 6)
    assert parts["B"].status == "refused"
    assert "searches of this window are spent" in str(parts["B"].reason)
    assert site.used[token(1)] == 1


def test_a_rate_limited_account_is_left_alone_and_the_others_go_on(
    play: Play, tmp_path: Path
) -> None:
    site = XSite(faults={token(1): "limited"})
    play(site)
    errand = X(settings_of(), accounts(2))
    parts = list(errand.fetch(day("A", "B"), holding(tmp_path), Deadline(20)))
    assert all(len(ids(parts, ticker)) == 26 for ticker in "AB")
    assert site.used[token(1)] == 1
    rows = {row.name: row for row in errand.health()}
    assert (rows["x/acc1"].status, rows["x/acc1"].reason) == ("refused", "rate limit (429)")


# ---------------------------------------------------------------- the deadline


def test_a_hanging_server_does_not_hold_the_step_up(play: Play, tmp_path: Path) -> None:
    site = XSite(faults={token(1): "hang"}, from_search={token(1): 2})
    play(site)
    errand = X(settings_of(LIVE__X__HANDOVER_SHARE=0.4), accounts(1))
    until = Deadline(4.0)
    parts = []
    for part in errand.fetch(day("A", "B", "C"), holding(tmp_path), until):
        assert not until.passed
        parts.append(part)
    assert not until.passed
    found = last(parts)
    assert [found[ticker].status for ticker in "ABC"] == ["ok", "ok", "refused"]
    assert found["A"].more
    assert found["C"].reason == "the scrape's deadline came first (live.step_seconds)"
    assert errand.health()[0].reason == found["C"].reason


def test_a_hanging_home_page_does_not_either(play: Play, tmp_path: Path) -> None:
    site = XSite()
    net = play(site)
    net.sites["x.com"] = lambda request: Answer(hang=True)
    errand = X(settings_of(LIVE__X__HANDOVER_SHARE=0.4), accounts(2))
    until = Deadline(1.0)
    parts = list(errand.fetch(day("A"), holding(tmp_path), until))
    assert not until.passed
    assert [part.status for part in parts] == ["refused"]
    assert errand.health()[0].status == "refused"


# ---------------------------------------------------------------- resuming


def keep(tmp_path: Path, parts: list[Fetched], *, told: bool = True) -> None:
    """Store parts as the scrape step does; `told` writes the manifest too."""
    store = services.folder_lake(tmp_path / "lake").raw
    for part in parts:
        if part.lines:

            def key_of(number: int, part: Fetched = part) -> str:
                return raw("tweets", FRIDAY, "x", str(part.ticker), number)

            numbered.add(store, key_of, lines.pack(part.lines))
    if told:
        rows = tuple(
            manifest.TickerEntry(
                ticker,
                part.status,
                part.reason,
                len(held(store, FRIDAY).tweet_ids(ticker)),
                None,
                part.more,
                part.cursor,
            )
            for ticker, part in sorted(last(parts).items())
        )
        manifest.write(store, manifest.Manifest(FRIDAY, CUTOFF, "live", rows, ()))


def test_a_second_call_asks_only_for_the_rest(play: Play, tmp_path: Path) -> None:
    site = XSite(tweets={"$FEW": 3, "$NIL": 0}, budget=15)
    play(site)
    wanted = day("FEW", "LOST", "MANY", "NIL", "WIDE")
    first = list(X(settings_of(), accounts(1)).fetch(wanted, holding(tmp_path), Deadline(20)))
    # FEW ends with its second page, NIL costs two and the canary, and nine remain of the fourteen
    # that may be made: LOST, MANY and WIDE have three pages of five each.
    assert site.used[token(1)] == 14
    keep(tmp_path, first)
    before = len(site.log)
    site.budget = 50
    second = list(X(settings_of(), accounts(1)).fetch(wanted, holding(tmp_path), Deadline(20)))
    assert {part.ticker for part in second} == {"LOST", "MANY", "WIDE"}
    assert None not in {cursor for _, cursor in asked(site)[before:]}
    for ticker in ("LOST", "MANY", "WIDE"):
        both = ids(first, ticker) + ids(second, ticker)
        assert sorted(both) == sorted(hits_and_quoted(f"${ticker} {WINDOW}", 23))
    keep(tmp_path, second)
    errand = X(settings_of(), accounts(1))
    assert list(errand.fetch(wanted, holding(tmp_path), Deadline(20))) == []
    assert errand.health() == ()


def test_a_cursor_that_has_gone_stale_costs_pages_but_no_tweets(play: Play, tmp_path: Path) -> None:
    site = XSite(budget=4)
    play(site)
    first = list(X(settings_of(), accounts(1)).fetch(day("A"), holding(tmp_path), Deadline(20)))
    assert len(ids(first, "A")) == 15 + 2
    keep(tmp_path, first)
    site.budget, site.dead_cursors = 50, {"behind-15"}
    second = list(X(settings_of(), accounts(1)).fetch(day("A"), holding(tmp_path), Deadline(20)))
    both = ids(first, "A") + ids(second, "A")
    assert sorted(both) == sorted(hits_and_quoted(f"$A {WINDOW}", 23))
    assert [cursor for _, cursor in asked(site)[3:]] == [
        "behind-15", None, "behind-5", "behind-10", "behind-15", "behind-20",
    ]  # fmt: skip


def test_after_a_kill_what_was_stored_is_not_stored_again(play: Play, tmp_path: Path) -> None:
    site = XSite()
    play(site)
    errand = X(settings_of(), accounts(1))
    work = errand.fetch(day("A"), holding(tmp_path), Deadline(20))
    keep(tmp_path, [part := next(work)], told=False)
    work.close()  # type: ignore[attr-defined]
    assert len(part.lines) == 15 + 2
    second = list(X(settings_of(), accounts(1)).fetch(day("A"), holding(tmp_path), Deadline(20)))
    both = ids([part], "A") + ids(second, "A")
    assert len(both) == len(set(both))
    # After a kill nobody knows which lines were hits: all 17 count towards the 23, and of the
    # rest, six, the last is number 20, which quotes another.
    assert len(both) == 17 + 6 + 1
    assert not second[-1].more


# ---------------------------------------------------------------- secrets and files


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_cookie_is_in_anything_that_is_said_or_written(
    play: Play,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    backend: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    site = XSite(faults={token(1): "suspended", token(2): "internal", token(3): "webpage"})
    play(site)
    errand = X(settings_of(LIVE__X__BACKEND=backend), accounts(4))
    parts = list(errand.fetch(day("A", "B"), holding(tmp_path), Deadline(20)))
    out, err = capfd.readouterr()
    everything = f"{parts}{errand.health()}{out}{err}{caplog.text}{errand!r}{vars(errand)}"
    assert "PLANTED" not in everything
    assert (out, err) == ("", "")
    assert list(folder.iterdir()) == []  # no database with cookies in it


def test_without_accounts_it_says_where_to_put_them(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match=r"\[\[x_accounts\]\]"):
        list(X(settings_of(), ()).fetch(day("A"), holding(tmp_path), Deadline(5)))


def test_an_error_of_ours_is_raised_and_not_taken_for_a_refusal(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(XSite())

    def defect(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("cashtag.scrape.x.searches.Harvest.take", defect)
    errand = X(settings_of(), accounts(1))
    work = errand.fetch(day("A"), holding(tmp_path), Deadline(10))
    assert next(work).reason == "cashtag failed (KeyError)"
    with pytest.raises(KeyError, match="a defect"):
        next(work)
    assert errand.health()[0].status == "refused"
