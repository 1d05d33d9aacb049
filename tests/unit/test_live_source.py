"""The live source: errands at once, a deadline, and what raw holds already."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from cashtag import services, sessions, steps
from cashtag.errors import InputError, SourceRefused
from cashtag.lake import lines
from cashtag.ports import Day, Env, Fetched, SourceHealth
from cashtag.scrape import coverage, manifest
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held, held
from cashtag.scrape.live import LiveSource
from cashtag.settings import Settings, load

FRIDAY = date(2026, 5, 8)
CUTOFF = sessions.cutoff(FRIDAY)
WATCHED = {"AAPL", "GOOG", "META", "NVDA", "TSLA"}  # defaults.toml


def envelope(number: int) -> bytes:
    return orjson.dumps(
        {
            "source": "x",
            "scraped_at": "2026-05-08T12:00:05+00:00",
            "query": "$NVDA",
            "data": {"id_str": str(number), "rawContent": "$NVDA", "date": "2026-05-08T01:00:00"},
        }
    )


def tweets(ticker: str, *numbers: int, **more: Any) -> Fetched:
    found = tuple(map(envelope, numbers))
    return Fetched("tweets", ticker, "ok" if found else "empty", lines=found, source="x", **more)


@dataclasses.dataclass
class Said:
    """An errand that says what it was told to; `then` runs after that."""

    name: str
    answers: list[Fetched]
    then: Callable[[], None] = lambda: None
    rows: tuple[SourceHealth, ...] = ()
    seen: list[Held] = dataclasses.field(default_factory=list)

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        self.seen.append(held)
        yield from self.answers
        self.then()

    def health(self) -> tuple[SourceHealth, ...]:
        return self.rows


@dataclasses.dataclass
class Listed:
    """A chain of trending sites that names tickers without keeping a page."""

    tickers: tuple[str, ...] = ()
    status: str = "ok"
    asked: int = 0

    def fetch(self, dt: date, known: Held, until: Deadline) -> tuple[Fetched, ...]:
        self.asked += 1
        return ()

    def health(self) -> tuple[SourceHealth, ...]:
        return (SourceHealth("trending", self.status, "all sites refused"),)  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(environ={}, overrides={"lake": str(tmp_path / "lake")})


def environment(
    settings: Settings, *errands: Any, seconds: float = 30, trending: Any = None
) -> Env:
    lake = services.folder_lake(settings.lake)
    chain = trending if trending is not None else Listed()
    source = LiveSource(settings, lake, errands, chain, lambda: Deadline(seconds))
    return dataclasses.replace(services.embedded(settings), source=source)


def statuses(whole: manifest.Manifest) -> dict[str, str]:
    return {row.ticker: row.status for row in whole.tickers}


def test_the_watchlist_is_asked_for_even_when_no_list_could_be_had(settings: Settings) -> None:
    env = environment(settings)
    assert set(env.source.asked(FRIDAY)) == WATCHED


def test_an_alias_is_asked_for_by_the_symbol_it_has_today(tmp_path: Path) -> None:
    settings = load(
        environ={},
        overrides={"lake": str(tmp_path), "watchlist.stocks": {"FB": {"name": "Facebook"}}},
    )
    # FB is META since 2022: asked once, under the name that still finds tweets.
    assert set(environment(settings).source.asked(FRIDAY)) == WATCHED


def test_errands_run_at_the_same_time(settings: Settings) -> None:
    # Each waits until the other is there: one after the other would wait for ever.
    both = threading.Barrier(2, timeout=20)
    first = Said("x", [tweets("NVDA", 1)], lambda: _none(both.wait()))
    second = Said("news", [Fetched("news", None, "empty")], lambda: _none(both.wait()))
    whole = steps.scrape(environment(settings, first, second), FRIDAY)
    assert statuses(whole)["NVDA"] == "ok"


def _none(_: object) -> None:
    return None


def test_a_ticker_that_nobody_answered_for_is_refused_and_not_empty(settings: Settings) -> None:
    whole = steps.scrape(environment(settings, Said("x", [tweets("NVDA", 1)])), FRIDAY)
    assert statuses(whole) == dict.fromkeys(WATCHED, "refused") | {"NVDA": "ok"}
    assert {row.reason for row in whole.tickers if row.status == "refused"} == {
        "X did not answer for it"
    }


def test_what_a_broken_errand_had_fetched_is_kept_and_the_others_go_on(settings: Settings) -> None:
    def banned() -> None:
        raise SourceRefused("all accounts are suspended")

    broken = Said("x", [tweets("NVDA", 1)], banned)
    other = Said("news", [Fetched("news", None, "ok", lines=(envelope(9),), source="cnbc")])
    whole = steps.scrape(environment(settings, broken, other), FRIDAY)
    assert [obj.key for obj in whole.objects] == [
        "news/dt=2026-05-08/source=cnbc/news-1.jsonl.gz",
        "tweets/dt=2026-05-08/source=x/NVDA-1.jsonl.gz",
    ]
    reasons = {row.ticker: row.reason for row in whole.tickers}
    assert reasons["TSLA"] == "all accounts are suspended"
    assert SourceHealth("x", "refused", "all accounts are suspended") in whole.health


def test_a_hanging_errand_costs_no_more_than_the_deadline(settings: Settings) -> None:
    never = threading.Event()
    hanging = Said("x", [tweets("NVDA", 1)], lambda: _none(never.wait()))
    try:
        whole = steps.scrape(environment(settings, hanging, seconds=0.3), FRIDAY)
    finally:
        never.set()
    assert statuses(whole)["NVDA"] == "ok"
    assert statuses(whole)["TSLA"] == "refused"
    (row,) = [row for row in whole.health if row.name == "x"]
    assert row.reason == "the deadline came first (live.step_seconds)"


def test_a_defect_is_raised_after_everything_that_came_was_stored(settings: Settings) -> None:
    def defect() -> None:
        raise ZeroDivisionError("a defect of ours")

    env = environment(settings, Said("news", [], defect), Said("x", [tweets("NVDA", 1)]))
    with pytest.raises(ZeroDivisionError):
        steps.scrape(env, FRIDAY)
    assert [key.name for key in held(env.lake.raw, FRIDAY).keys] == ["NVDA"]
    assert manifest.of_day(env.lake.raw, FRIDAY) == ()  # the day is not called scraped


def test_a_second_call_that_finds_nothing_new_leaves_the_manifests_as_they_are(
    settings: Settings,
) -> None:
    answers = [tweets(ticker, n) for n, ticker in enumerate(sorted(WATCHED))]
    steps.scrape(environment(settings, Said("x", answers)), FRIDAY)
    again = environment(settings, Said("x", []))
    steps.scrape(again, FRIDAY)
    (only,) = manifest.of_day(again.lake.raw, FRIDAY)
    assert set(statuses(only).values()) == {"ok"}


def test_a_resumed_ticker_adds_an_object_and_the_manifest_tells_of_both(settings: Settings) -> None:
    at = datetime(2026, 5, 8, 11, 0, tzinfo=UTC)
    first = Said("x", [tweets("NVDA", 1, 2, newest=at, more=True, cursor="page-4")])
    steps.scrape(environment(settings, first), FRIDAY)
    later = datetime(2026, 5, 8, 11, 30, tzinfo=UTC)
    second = Said("x", [tweets("NVDA", 3, newest=later), tweets("TSLA", 4)])
    env = environment(settings, second)
    steps.scrape(env, FRIDAY)

    answer = second.seen[0].answer("NVDA")
    assert answer is not None
    assert (answer.more, answer.cursor, answer.tweets) == (True, "page-4", 2)
    assert second.seen[0].tweet_ids("NVDA") == {"1", "2"}
    manifests = manifest.of_day(env.lake.raw, FRIDAY)
    assert sorted(one.number for one in manifests) == [1, 2]
    best = {row.ticker: row for row in manifest.tickers(manifests)}
    assert best["NVDA"].tweets == 3
    assert not best["NVDA"].more
    assert best["NVDA"].newest == later.isoformat()
    run = coverage.of_run(env.lake.raw, FRIDAY, settings)
    assert (run.answered, run.asked, run.tweets) == (2, 5, 4)
    # The cutoff is 12:00, the newest tweet of 11:30.
    assert run.age is not None
    assert run.age.total_seconds() == 1800


def test_tweets_of_a_scrape_that_was_killed_are_not_lost(settings: Settings) -> None:
    env = environment(settings, seen := Said("x", []))
    key = "tweets/dt=2026-05-08/source=x/NVDA-1.jsonl.gz"
    env.lake.raw.put(key, lines.pack([envelope(1), envelope(2)]))  # and then no manifest
    whole = steps.scrape(env, FRIDAY)
    assert [(obj.key, obj.lines) for obj in whole.objects] == [(key, 2)]
    assert statuses(whole)["NVDA"] == "ok"
    answer = seen.seen[0].answer("NVDA")
    assert answer is not None
    assert answer.more  # whoever was killed may not have been done


def test_the_day_is_asked_for_the_same_tickers_when_it_is_resumed(settings: Settings) -> None:
    steps.scrape(environment(settings, Said("x", [tweets("PLTR", 1)])), FRIDAY)
    assert set(environment(settings).source.asked(FRIDAY)) == WATCHED | {"PLTR"}


def test_a_run_without_a_list_of_trending_tickers_is_partial(settings: Settings) -> None:
    answers = [tweets(ticker, n) for n, ticker in enumerate(sorted(WATCHED))]
    chain = Listed(status="refused")
    env = environment(settings, Said("x", answers), trending=chain)
    steps.scrape(env, FRIDAY)
    run = coverage.of_run(env.lake.raw, FRIDAY, settings)
    assert run.of_tickers == 1.0
    assert run.reason(0.6) == ("no list of trending tickers on 2026-05-08 (all sites refused)")


def test_the_latest_word_on_a_source_counts(settings: Settings) -> None:
    dead = (
        SourceHealth("x", "refused", "no account left"),
        SourceHealth("x/main", "refused", "64"),
    )
    steps.scrape(environment(settings, Said("x", [], rows=dead)), FRIDAY)
    repaired = (SourceHealth("x", "ok"), SourceHealth("x/main", "ok", None, 7, 42))
    env = environment(settings, Said("x", [tweets("NVDA", 1)], rows=repaired))
    steps.scrape(env, FRIDAY)
    run = coverage.of_run(env.lake.raw, FRIDAY, settings)
    assert run.accounts == (1, 1)
    assert [row.name for row in run.broken] == []


def test_a_deadline_gives_no_more_than_is_left() -> None:
    now = [100.0]
    until = Deadline(10, lambda: now[0])
    assert until.within(3) == 3
    now[0] = 108.0
    assert until.within(3) == 2
    assert until.before(1).left == 1
    now[0] = 111.0
    assert until.passed
    with pytest.raises(SourceRefused, match="deadline"):
        until.within(3)


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "LIVE_NEEDS", ("json", "no_such_package"))
    with pytest.raises(InputError, match=r"backfill needs .*: no_such_package; pip install 'cash"):
        services.need_live("backfill")
