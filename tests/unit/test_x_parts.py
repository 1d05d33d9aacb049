"""The parts of the X source that need no network: queries, budget, judgement, searches."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from x_site import quoted_id, search_page, tweet_id

from cashtag import sessions
from cashtag.scrape.x import pages, queries, refusals
from cashtag.scrape.x.budget import Budget
from cashtag.scrape.x.pages import Found, Page
from cashtag.scrape.x.refusals import Answer, Refusal
from cashtag.scrape.x.searches import Harvest, Search
from cashtag.settings import load

CUTOFF = sessions.cutoff(date(2026, 5, 8))
AT = datetime(2026, 5, 8, 12, 0, 5, tzinfo=UTC)


# ---------------------------------------------------------------- queries


def test_the_window_is_the_day_before_the_cutoff_to_the_second() -> None:
    # 2026-05-08 12:00 UTC is 1778241600; 86,400 s before that is 1778155200.
    assert queries.cashtag(load(), "BRK.B", CUTOFF) == (
        "$BRK.B lang:en -filter:retweets since_time:1778155200 until_time:1778241600"
    )


def test_keywords_are_one_search_for_any_of_the_first_three() -> None:
    # NVDA's fourth keyword is "AI chip", its third "GPU".
    asked = queries.keywords(load(), "NVDA", CUTOFF)
    assert asked is not None
    assert asked.startswith("(NVIDIA OR NVDA OR GPU) lang:en ")
    assert queries.keywords(load(), "AMD", CUTOFF) is None


def test_a_phrase_stands_in_quotes_and_cannot_leave_them() -> None:
    environ = {
        "CASHTAG_WATCHLIST__STOCKS__NVDA__KEYWORDS": '["AI chip", "OR", "a\\" from:evil"]',
    }
    asked = queries.keywords(load(environ=environ), "NVDA", CUTOFF)
    assert asked is not None
    assert asked.startswith('("AI chip" OR "OR" OR "a  from:evil") lang:en ')


# ---------------------------------------------------------------- budget


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_holds_in_any_window_of_its_length() -> None:
    clock = Clock()
    budget = Budget(3, 15, clock, clock)
    budget.spend()
    clock.now += 600
    budget.spend(2)
    assert budget.left == 0
    clock.now += 301  # the first is more than 900 s old, the two others 301 s
    assert budget.left == 1


def test_what_x_says_counts_when_it_is_less() -> None:
    clock = Clock()
    budget = Budget(49, 15, clock, clock)
    budget.spend()
    budget.told(5, 1500)
    assert budget.left == 4  # never the one that brings X's count to 0
    budget.spend()
    assert budget.left == 3
    budget.told(100, 1500)
    assert budget.left == 47  # 49 - 2 of our own count
    budget.told(0, 1500)
    assert budget.left == 0
    clock.now = 1500.0  # X's window has ended
    assert budget.left == 47


def test_an_exhausted_budget_without_an_end_stays_so_for_a_window() -> None:
    clock = Clock()
    budget = Budget(49, 15, clock, clock)
    budget.exhaust(None)
    assert budget.left == 0
    clock.now += 899
    assert budget.left == 0
    clock.now += 1
    assert budget.left == 49


# ---------------------------------------------------------------- judgement


def judged(body: Any, status: int = 200, remaining: int | None = 40) -> Refusal | None:
    return refusals.refusal(Answer(status, False, False, body, remaining, None))


def error(code: int, message: str = "…") -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message}]}


TIMELINE = {"data": {"search_by_raw_query": {"timeline": {"instructions": []}}}}


def test_an_empty_timeline_is_no_refusal_and_no_timeline_is() -> None:
    assert judged(TIMELINE) is None
    for nothing in ({}, {"data": {}}, {"data": None}, [], None, {"data": {"a": {"b": 1}}}):
        assert judged(nothing) is not None


def test_an_error_beside_data_is_a_warning_unless_it_is_about_the_account() -> None:
    assert judged({**TIMELINE, **error(29, "Timeout")}) is None
    suspended = judged({**TIMELINE, **error(64)})
    assert suspended is not None
    assert suspended.retires


def test_a_rate_limit_with_searches_left_is_a_ban() -> None:
    banned, limited, unknown = (judged(error(88), remaining=left) for left in (40, 0, None))
    assert banned is not None
    assert banned.scope == "account"
    assert limited is not None
    assert limited.scope == "budget"
    assert unknown is not None
    assert unknown.scope == "budget"


def test_errors_of_any_shape_are_survived() -> None:
    for errors in (None, "x", [None], [{"message": 3}], [{"code": "64"}], {"code": 64}):
        refused = judged({"errors": errors})
        assert refused is not None


def test_a_long_message_is_cut_short() -> None:
    refused = judged(error(999, "word " * 100))
    assert refused is not None
    assert len(str(refused)) < 150


# ---------------------------------------------------------------- pages


def test_a_line_holds_what_the_client_library_gives() -> None:
    from twscrape.models import parse_tweets

    body = json.loads(search_page("$NVDA lang:en", 0, 30, 20))
    page = pages.read(body, "$NVDA lang:en", AT)
    given = {tweet.id_str: json.loads(tweet.json()) for tweet in parse_tweets(body)}
    assert [one.tweet_id for one in page.hits] == [
        str(tweet_id("$NVDA lang:en", i)) for i in range(20)
    ]
    # Numbers 0 and 10 quote another tweet each.
    assert [one.tweet_id for one in page.beside] == [
        str(quoted_id("$NVDA lang:en", i)) for i in (0, 10)
    ]
    for one in (*page.hits, *page.beside):
        envelope = json.loads(one.line)
        assert envelope["data"] == given[one.tweet_id]
        assert list(envelope["data"]) == list(given[one.tweet_id])
        assert envelope["scraped_at"] == "2026-05-08T12:00:05+00:00"
        assert (envelope["source"], envelope["query"]) == ("x", "$NVDA lang:en")
        assert b"\n" not in one.line
    assert page.hits[0].quoted == page.beside[0].tweet_id
    assert page.cursor == "behind-20"
    assert (page.unread, len(given)) == (0, 22)


def test_half_a_character_does_not_lose_the_tweet() -> None:
    body = json.loads(search_page("$NVDA lang:en", 1, 2, 20))
    [entry] = body["data"]["search_by_raw_query"]["search_timeline"]["timeline"]["instructions"][0][
        "entries"
    ]
    tweet = entry["content"]["itemContent"]["tweet_results"]["result"]
    tweet["legacy"]["full_text"] = "cut in two \ud83d"
    [found] = pages.read(body, "$NVDA", AT).hits
    assert json.loads(found.line)["data"]["rawContent"] == "cut in two ?"


def test_tweets_that_cannot_be_read_are_counted_and_none_at_all_is_a_refusal() -> None:
    def broken(body: bytes, times: int) -> Any:
        return json.loads(body.replace(b'"created_at": "F', b'"no": "F', times))

    page = search_page("$NVDA lang:en", 1, 5, 20)
    some = pages.read(broken(page, 1), "$NVDA", AT)
    assert (len(some.hits), some.unread) == (3, 1)
    with pytest.raises(Refusal, match="none of 4 tweets has the shape") as refused:
        pages.read(broken(page, 4), "$NVDA", AT)
    assert refused.value.of_source


SHARED = Path(os.environ.get("CASHTAG_SHARED", Path(__file__).parents[3] / "shared"))
RECORDED = SHARED / "data" / "twscrape" / "raw_search.json"


@pytest.mark.skipif(not RECORDED.exists(), reason="no recorded pages beside the checkout")
def test_a_recorded_page_of_x_is_read_whole() -> None:
    from twscrape.models import parse_tweets

    body = json.loads(RECORDED.read_bytes())
    assert refusals.refusal(Answer(200, False, False, body, 49, None)) is None
    page = pages.read(body, "$TSLA", AT)
    given = {tweet.id_str: json.loads(tweet.json()) for tweet in parse_tweets(body)}
    # The record has 20 entries; the library reads 25 tweets from it, those they quote among them.
    assert (len(page.hits), len(page.beside), page.unread) == (20, 5, 0)
    for one in (*page.hits, *page.beside):
        assert json.loads(one.line)["data"] == given.pop(one.tweet_id)
    assert given == {}
    assert page.cursor is not None
    assert page.cursor.startswith("DAADDA")


# ---------------------------------------------------------------- searches


def found(number: int, quoted: int | None = None) -> Found:
    moment = datetime(2026, 5, 8, 11, 0, 0, tzinfo=UTC)
    other = None if quoted is None else str(quoted)
    return Found(str(number), b"%d" % number, moment, other)


def page_of(*numbers: int, cursor: str | None = "next", beside: tuple[Found, ...] = ()) -> Page:
    return Page(tuple(map(found, numbers)), beside, cursor)


def search(most_hits: int = 125, **state: Any) -> Search:
    return Search("cashtag", "$A", most_hits, 0, 2, **state)


def test_a_search_ends_with_its_last_wanted_tweet_and_what_that_quotes() -> None:
    one = search(most_hits=3)
    known: set[str] = {"9"}
    hits = (found(1, quoted=101), found(2), found(3), found(4, quoted=104))
    page = Page(hits, (found(101), found(104), found(9)), "next")
    # 104 is quoted by the fourth, which is one too many; 9 is held already.
    assert [t.tweet_id for t in one.take(page, known)] == ["1", "2", "3", "101"]
    assert one.done
    assert known == {"1", "2", "3", "9", "101"}


def test_a_search_ends_when_x_has_no_more() -> None:
    no_cursor, same_cursor, repeats, empty = search(), search(cursor="a"), search(), search()
    no_cursor.take(page_of(1, cursor=None), set())
    same_cursor.take(page_of(1, cursor="a"), set())
    repeats.take(page_of(1, 2, cursor="a"), set())
    repeats.take(page_of(2, 1, cursor="b"), set())
    empty.take(page_of(1, cursor="a"), set())
    empty.take(page_of(cursor="b"), set())
    assert [one.done for one in (no_cursor, same_cursor, repeats, empty)] == [True] * 4


def test_nothing_is_only_nothing_when_the_page_behind_it_is_empty_too() -> None:
    one = search()
    assert not one.leaves_nothing(page_of(cursor="a"))
    one.take(page_of(cursor="a"), set())
    assert one.open
    assert one.cursor == "a"
    assert one.leaves_nothing(page_of(cursor="b"))
    one.take(page_of(5, cursor="b"), set())
    assert (one.hits, one.open) == (1, True)


def test_a_cursor_that_has_gone_stale_lets_the_search_begin_again_once() -> None:
    one = search()
    one.resume(["old", 3, 60])
    assert one.resumed
    one.take(page_of(cursor="x"), set())
    assert (one.cursor, one.open) == (None, True)
    one.take(page_of(cursor="y"), set())
    assert one.done  # from the beginning it found nothing either


def test_a_page_goes_to_another_account_so_many_times() -> None:
    one = search()
    one.refused(Refusal("suspended", "account"), "a", 2)  # the account's trouble, not the page's
    one.refused(Refusal("failed", "page"), "b", 2)
    assert one.open
    one.refused(Refusal("failed", "page"), "c", 2)
    assert not one.open
    assert one.tried == {"a", "b", "c"}


def harvest(*searches: Search, **kept: Any) -> Harvest:
    return Harvest("A", searches, set(), 3, **kept)


def test_parts_come_every_three_pages_and_at_the_end() -> None:
    one = search(most_hits=4)
    whole = harvest(one)
    for number in (1, 2):
        whole.take(one, page_of(number, cursor=f"c{number}"))
        assert whole.due() is None
    whole.take(one, page_of(3, cursor="c3"))
    part = whole.due()
    assert part is not None
    assert (part.status, part.lines, part.more) == ("ok", (b"1", b"2", b"3"), True)
    assert part.cursor == '{"cashtag":["c3",3,3]}'
    whole.take(one, page_of(4, cursor="c4"))
    last = whole.due()
    assert last is not None
    assert (last.lines, last.more, last.cursor) == ((b"4",), False, None)
    assert whole.last("never said") is None


def test_a_ticker_that_was_never_answered_is_refused_with_the_reason() -> None:
    part = harvest(search()).last("the deadline came first")
    assert part is not None
    assert (part.status, part.reason) == ("refused", "the deadline came first")


def test_keywords_alone_do_not_answer_for_a_ticker_but_are_kept() -> None:
    cashtag, words = search(), Search("keywords", "(A)", 0, 3, 2)
    whole = harvest(cashtag, words)
    whole.take(words, page_of(1, cursor=None))
    cashtag.refused(Refusal("failed", "page"), "a", 1)
    part = whole.due()
    assert part is not None
    assert (part.status, part.reason, part.lines) == ("refused", "failed", (b"1",))


def test_the_next_page_goes_to_whom_it_troubles_least() -> None:
    from cashtag.scrape.credentials import XAccount
    from cashtag.scrape.x.account import SearchAccount
    from cashtag.scrape.x.rounds import Rounds

    several = [SearchAccount(XAccount(name, "PLANTED-1", "PLANTED-2"), load()) for name in "abcd"]
    a, b, c, d = several
    for account, searches, last_used in ((a, 2, 1.0), (b, 1, 5.0), (c, 1, 3.0), (d, 0, 0.0)):
        account.started, account.searches, account.last_used = True, searches, last_used
    d.failures = 1
    rounds = Rounds(load(), several, (), "$SPY", lambda part: None)
    one = search()
    assert rounds._choose(one, set()) is c  # fewest searches, then least recently used
    assert rounds._choose(one, {c}) is b
    one.tried = {"b", "c"}
    assert rounds._choose(one, set()) is a
    assert rounds._choose(one, {a}) is d  # refused a moment ago: after all others
    one.tried = {"a", "b", "c", "d"}
    assert rounds._choose(one, {c}) is b  # nobody else is left
    a.retired = b.retired = c.retired = d.retired = "suspended"
    assert rounds._choose(one, set()) is None


def test_an_account_shows_no_cookie() -> None:
    from cashtag.scrape.credentials import XAccount
    from cashtag.scrape.x.account import SearchAccount
    from cashtag.scrape.x.client import Session

    cookies = XAccount("acc1", "PLANTED-token-1", "PLANTED-csrf-1", "http://u:PLANTED-pw@proxy")
    account = SearchAccount(cookies, load())
    for shown in (account, Session(cookies, account), cookies, account.health()):
        assert "PLANTED" not in f"{shown!r} {shown}"
