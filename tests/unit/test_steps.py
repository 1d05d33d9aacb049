"""The steps of a day: each may be repeated, refused, resumed or raced, and says what it did."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from cashtag import services, sessions, steps
from cashtag.errors import KeyMissing, SourceRefused, StoreError
from cashtag.lake import layout, lines
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import partitions, read
from cashtag.operate import days
from cashtag.ports import Day, Env, Fetched, SourceHealth
from cashtag.scrape import coverage, manifest
from cashtag.settings import load

FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2026, 5, day) for day in (8, 9, 10, 11))
WINDOW = (SATURDAY, SUNDAY, MONDAY)  # the runs of Monday's session


def envelope(ticker: str, dt: date, n: int, text: str = "${t} is great, strong buy") -> bytes:
    """A post of the night before the run, in its envelope."""
    moment = sessions.cutoff(dt) - timedelta(hours=1 + n)
    identity = str(dt.toordinal() * 1000 + sum(map(ord, ticker)) % 100 * 10 + n)
    data = {
        "id_str": identity,
        "date": moment.isoformat(),
        "rawContent": f"{text.replace('{t}', ticker)} {n}",
        "user": {"username": f"fan{n}"},
    }
    head = {"source": "x", "scraped_at": sessions.cutoff(dt).isoformat(), "query": ticker}
    return json.dumps(head | {"data": data}).encode()


def said(ticker: str, dt: date, *numbers: int) -> Fetched:
    found = tuple(envelope(ticker, dt, n) for n in numbers)
    return Fetched("tweets", ticker, "ok" if found else "empty", lines=found)


@dataclasses.dataclass
class Told:
    """A source that answers what it was told to, and refuses as a whole after that if told so."""

    answers: dict[date, list[Fetched]]
    tickers: tuple[str, ...] = ("NVDA", "TSLA")
    down: str | None = None
    name: str = "x"

    def dates(self) -> tuple[date, date] | None:
        return None

    def asked(self, dt: date) -> tuple[str, ...]:
        return self.tickers

    def fetch(self, day: Day) -> Iterator[Fetched]:
        assert day.cutoff == sessions.cutoff(day.dt)
        yield from self.answers.get(day.dt, [])
        if self.down:
            raise SourceRefused(self.down)

    def health(self) -> tuple[SourceHealth, ...]:
        return ()


@pytest.fixture
def source() -> Told:
    """Two tickers that speak every day."""
    return Told(
        {dt: [said("NVDA", dt, 1, 2), said("TSLA", dt, 1)] for dt in (FRIDAY, *WINDOW)},
    )


@pytest.fixture
def env(tmp_path: Path, source: Told) -> Env:
    return environment(tmp_path, source)


def environment(folder: Path, source: Told, **overrides: Any) -> Env:
    """What a process has: its own warehouse and scorer over one lake."""
    settings = load(environ={}, overrides={"lake": str(folder), **overrides})
    return dataclasses.replace(services.embedded(settings), source=source)


def enrich_all(env: Env, dt: date) -> None:
    for obj in manifest.expected(manifest.of_day(env.lake.raw, dt)):
        steps.enrich(env, obj.key)


def collected(env: Env, dt: date) -> steps.Signalled:
    """Scrape, enrich and signals of one run."""
    steps.scrape(env, dt)
    enrich_all(env, dt)
    return steps.signals(env, dt)


def keys(env: Env, zone: str, prefix: str) -> list[str]:
    return [info.key for info in getattr(env.lake, zone).list(prefix)]


def table(env: Env, name: str, partition: date) -> list[dict[str, Any]]:
    found = read(env.lake, contract(name), partition)
    assert found is not None
    return found.to_pylist()  # type: ignore[no-any-return]


# ---------------------------------------------------------------- scrape


def test_a_scrape_keeps_each_answer_and_says_what_it_kept(env: Env) -> None:
    whole = steps.scrape(env, MONDAY)
    assert [row.key for row in whole.objects] == [
        "tweets/dt=2026-05-11/source=x/NVDA-1.jsonl.gz",
        "tweets/dt=2026-05-11/source=x/TSLA-1.jsonl.gz",
    ]
    assert whole.tickers == (
        manifest.TickerEntry("NVDA", "ok", None, 2),
        manifest.TickerEntry("TSLA", "ok", None, 1),
    )
    assert manifest.of_day(env.lake.raw, MONDAY) == (whole,)
    data = env.lake.raw.get(whole.objects[0].key)
    assert hashlib.sha256(data).hexdigest() == whole.objects[0].sha256
    assert lines.read(data, "") == [envelope("NVDA", MONDAY, n) for n in (1, 2)]  # untouched


def test_an_empty_answer_leaves_no_object_but_is_an_answer(env: Env, source: Told) -> None:
    source.answers[MONDAY] = [said("NVDA", MONDAY), said("TSLA", MONDAY, 1)]
    whole = steps.scrape(env, MONDAY)
    assert [row.key for row in whole.objects] == ["tweets/dt=2026-05-11/source=x/TSLA-1.jsonl.gz"]
    assert [row.status for row in whole.tickers] == ["empty", "ok"]


def test_the_best_of_several_answers_for_a_ticker_counts(env: Env, source: Told) -> None:
    # A first search, a refused second one, and the keywords' search.
    source.answers[MONDAY] = [
        said("NVDA", MONDAY, 1, 2),
        Fetched("tweets", "NVDA", "refused", reason="rate limit"),
        said("NVDA", MONDAY, 3),
        Fetched("tweets", "TSLA", "refused", reason="rate limit"),
    ]
    whole = steps.scrape(env, MONDAY)
    assert whole.tickers == (
        manifest.TickerEntry("NVDA", "ok", None, 3),
        manifest.TickerEntry("TSLA", "refused", "rate limit", 0),
    )
    assert len(whole.objects) == 2


def test_a_source_that_is_down_leaves_a_manifest_of_refusals_and_a_partial_day(
    env: Env, source: Told
) -> None:
    source.answers, source.down = {}, "the site answers 403 to everyone"
    result = days.day(env, FRIDAY)
    (whole,) = manifest.of_day(env.lake.raw, FRIDAY)
    assert [(row.status, row.reason) for row in whole.tickers] == [
        ("refused", "the site answers 403 to everyone")
    ] * 2
    assert whole.objects == ()
    assert result.refused
    assert result.partial
    assert result.coverage == 0
    assert result.orders == 0
    assert keys(env, "ledger", "events/dt=2026-05-08/intent") == []
    # Published nevertheless: a person sees a broken day, not the one before.
    assert keys(env, "signals", "_PUBLISHED/session=2026-05-08/")


def test_what_came_before_the_source_broke_is_kept(env: Env, source: Told) -> None:
    source.answers[MONDAY], source.down = [said("NVDA", MONDAY, 1)], "banned"
    whole = steps.scrape(env, MONDAY)
    assert [(row.ticker, row.status) for row in whole.tickers] == [
        ("NVDA", "ok"),
        ("TSLA", "refused"),
    ]
    assert len(whole.objects) == 1


def test_the_same_scrape_again_changes_nothing(env: Env) -> None:
    steps.scrape(env, MONDAY)
    before = keys(env, "raw", "")
    steps.scrape(env, MONDAY)
    assert keys(env, "raw", "") == before


def test_a_resumed_scrape_adds_an_object_and_a_manifest_and_the_day_is_made_again(
    env: Env, source: Told
) -> None:
    source.answers[FRIDAY] = [
        said("NVDA", FRIDAY, 1, 2),
        Fetched("tweets", "TSLA", "refused", reason="rate limit"),
    ]
    first = collected(env, FRIDAY)
    assert steps.complete(env, FRIDAY)
    assert first.coverage.partial
    assert len(table(env, "tweets", FRIDAY)) == 2

    # The second call finds a newer page of NVDA, of which one post is known, and reaches TSLA.
    source.answers[FRIDAY] = [said("NVDA", FRIDAY, 2, 3), said("TSLA", FRIDAY, 1)]
    steps.scrape(env, FRIDAY)
    assert keys(env, "raw", "tweets/") == [
        "tweets/dt=2026-05-08/source=x/NVDA-1.jsonl.gz",
        "tweets/dt=2026-05-08/source=x/NVDA-2.jsonl.gz",
        "tweets/dt=2026-05-08/source=x/TSLA-1.jsonl.gz",
    ]
    assert len(keys(env, "raw", "manifests/")) == 2
    assert not steps.complete(env, FRIDAY)  # what was added is not enriched yet
    enrich_all(env, FRIDAY)
    assert steps.complete(env, FRIDAY)
    second = steps.signals(env, FRIDAY)
    assert not second.coverage.partial
    # Three posts of NVDA, the one in both objects once, and one of TSLA.
    assert sorted(row["ticker"] for row in table(env, "tweets", FRIDAY)) == ["NVDA"] * 3 + ["TSLA"]
    assert len(keys(env, "enriched", "_SUCCESS/")) == 2
    assert len(keys(env, "signals", "_PUBLISHED/")) == 2


# ---------------------------------------------------------------- enrich


@pytest.mark.parametrize(
    "key",
    [
        "bars/source=csv/NVDA-1.jsonl.gz",
        "manifests/dt=2026-05-11/abc.json",
        "trending/dt=2026-05-11/source=x/finder-1.jsonl.gz",
        "prices/dt=2026-05-11/source=x/prices-1.jsonl.gz",
        "quarantine/import/bars/abc.jsonl.gz",
        "something/else",
    ],
)
def test_what_leaves_no_stage_object_is_passed_over_unread(key: str, env: Env) -> None:
    assert steps.enrich(env, key) is None
    assert keys(env, "enriched", "") == []


def test_an_object_without_a_readable_line_is_staged_empty_and_kept(env: Env) -> None:
    key = layout.raw("tweets", MONDAY, "x", "NVDA")
    env.lake.raw.put(key, lines.pack([b"<html>", b"[]"]))
    done = steps.enrich(env, key)
    assert done is not None
    assert (done.counts["rows"], done.counts["rejected"]) == (0, 2)
    build = steps.build_of(env)
    assert keys(env, "enriched", "stage/") == [layout.stage(build, key)]
    kept = lines.read(env.lake.enriched.get(layout.rejected(build, key)), "")
    assert [(row["line"], row["reason"], row["raw"]) for row in map(json.loads, kept)] == [
        (1, "json", "<html>"),
        (2, "not-object", "[]"),
    ]


def test_the_quarantine_of_an_object_that_became_whole_goes(env: Env) -> None:
    key = layout.raw("tweets", MONDAY, "x", "NVDA")
    good = lines.pack([envelope("NVDA", MONDAY, 1), envelope("NVDA", MONDAY, 2)])
    env.lake.raw.put(key, good[:-9])
    steps.enrich(env, key)
    assert keys(env, "enriched", "quarantine/")
    assert keys(env, "enriched", "scores/") == []  # what is damaged is no record
    env.lake.raw.put(key, good)
    done = steps.enrich(env, key)
    assert done is not None
    assert done.counts["rows"] == 2
    assert keys(env, "enriched", "quarantine/") == []
    assert len(keys(env, "enriched", "scores/")) == 1


def test_a_raw_object_that_is_gone_is_named(env: Env) -> None:
    key = layout.raw("tweets", MONDAY, "x", "NVDA")
    with pytest.raises(KeyMissing, match=r"NVDA-1\.jsonl\.gz was scraped and is gone; bring it"):
        steps.enrich(env, key)


def test_news_are_about_the_tickers_that_the_day_was_asked_for(env: Env, source: Told) -> None:
    story = {
        "id": "n1",
        "published": "2026-05-11T08:00:00Z",
        "title": "AMD and ORCL rise",
        "summary": "",
        "link": "https://example.com/n1",
        "feed": "x",
    }
    line = json.dumps({"source": "x", "scraped_at": None, "query": "", "data": story}).encode()
    source.answers[MONDAY] = [said("ORCL", MONDAY)]
    source.answers[MONDAY].append(Fetched("news", None, "ok", lines=(line,)))
    steps.scrape(env, MONDAY)
    done = steps.enrich(env, "news/dt=2026-05-11/source=x/news-1.jsonl.gz")
    assert done is not None
    assert done.counts["rows"] == 1  # of two bare symbols, ORCL was asked for and AMD was not


# ---------------------------------------------------------------- completion


def test_a_day_is_complete_when_the_last_object_is_staged(env: Env) -> None:
    assert steps.state_of(env, MONDAY) is None  # no scrape, no day
    assert not steps.complete(env, MONDAY)
    steps.scrape(env, MONDAY)
    nvda, tsla = (obj.key for obj in manifest.expected(manifest.of_day(env.lake.raw, MONDAY)))
    steps.enrich(env, nvda)
    assert not steps.complete(env, MONDAY)
    steps.enrich(env, tsla)
    assert steps.complete(env, MONDAY)
    assert not steps.complete(env, MONDAY)


def test_a_day_of_which_nothing_was_expected_is_complete_at_once(env: Env, source: Told) -> None:
    source.answers = {}
    steps.scrape(env, MONDAY)
    assert steps.complete(env, MONDAY)


def test_of_many_who_see_the_day_complete_at_once_one_says_so(
    env: Env, source: Told, tmp_path: Path
) -> None:
    steps.scrape(env, MONDAY)
    enrich_all(env, MONDAY)
    others = [environment(tmp_path, source) for _ in range(8)]
    together = Barrier(len(others))

    def complete(other: Env) -> bool:
        together.wait()
        return steps.complete(other, MONDAY)

    with ThreadPoolExecutor(len(others)) as pool:
        told = list(pool.map(complete, others))
    assert sorted(told) == [False] * 7 + [True]
    assert len(keys(env, "enriched", "_SUCCESS/")) == 1


def test_other_settings_or_another_model_are_another_build_with_a_marker_of_its_own(
    env: Env, source: Told, tmp_path: Path
) -> None:
    steps.scrape(env, MONDAY)
    enrich_all(env, MONDAY)
    assert steps.complete(env, MONDAY)
    others = environment(tmp_path, source, **{"enrich.engagement.log_divisor": 5.0})
    better = dataclasses.replace(env, scorer=Renamed(env.scorer))
    for other in (others, better):
        assert not steps.complete(other, MONDAY)  # its own stage is not there yet
        enrich_all(other, MONDAY)
        assert steps.complete(other, MONDAY)
    assert len(keys(env, "enriched", "_SUCCESS/")) == 3
    assert len({steps.build_of(each) for each in (env, others, better)}) == 3
    # A model answers once: settings alone ask it nothing anew.
    versions = {key.split("/")[1] for key in keys(env, "enriched", "scores/")}
    assert versions == {env.scorer.version, "lexicon-next"}


class Renamed:
    """The scorer's answers under the name of a next version."""

    name, version = "lexicon", "lexicon-next"

    def __init__(self, scorer: Any) -> None:
        self.score = scorer.score


# ---------------------------------------------------------------- signals


def test_signals_of_a_day_that_was_never_scraped_are_refused(env: Env) -> None:
    with pytest.raises(StoreError, match=r"holds no manifest: scrape the run of 2026-05-11 first"):
        steps.signals(env, MONDAY)
    assert keys(env, "enriched", "") == []
    assert keys(env, "signals", "") == []


def test_a_run_on_a_weekend_refreshes_mondays_tables_and_plans_nothing(env: Env) -> None:
    saturday = days.day(env, SATURDAY)
    assert saturday.session == MONDAY
    assert not saturday.is_session
    (nvda, *_) = table(env, "daily_sentiment", MONDAY)
    assert (nvda["ticker"], nvda["n_tweets"], nvda["partial"]) == ("NVDA", 2, True)
    sunday = days.day(env, SUNDAY)
    assert sunday.partial
    assert table(env, "daily_sentiment", MONDAY)[0]["n_tweets"] == 4
    assert list(partitions(env.lake, contract("daily_signals"))) == [MONDAY]
    assert (saturday.orders, sunday.orders) == (0, 0)
    assert keys(env, "ledger", "") == []


def test_a_monday_reads_its_three_runs_and_is_whole_when_they_are_there(env: Env) -> None:
    for dt in WINDOW:
        done = collected(env, dt)
        assert done.session == MONDAY
        assert done.coverage.partial is (dt != MONDAY)
    (nvda, tsla) = table(env, "daily_sentiment", MONDAY)
    # Two posts of NVDA and one of TSLA in each of three runs.
    assert (nvda["n_tweets"], tsla["n_tweets"]) == (6, 3)
    assert (nvda["partial"], nvda["coverage"]) == (False, 1.0)
    # The runs keep their own tweets.
    for dt in WINDOW:
        assert len(table(env, "tweets", dt)) == 3


def test_a_missing_sunday_makes_monday_partial_so_that_nothing_is_planned(env: Env) -> None:
    days.day(env, FRIDAY)
    days.day(env, SATURDAY)
    monday = days.day(env, MONDAY)
    assert monday.partial
    assert monday.orders == 0
    assert {row["partial"] for row in table(env, "daily_signals", MONDAY)} == {True}
    assert table(env, "daily_sentiment", MONDAY)[0]["n_tweets"] == 4

    # The run is caught up with: the session is made from all three, whichever came last.
    sunday = days.day(env, SUNDAY)
    assert not sunday.partial
    assert table(env, "daily_sentiment", MONDAY)[0]["n_tweets"] == 6
    assert {row["partial"] for row in table(env, "daily_signals", MONDAY)} == {False}


def test_an_object_that_is_not_staged_yet_makes_the_day_partial(env: Env) -> None:
    """What the deadline does: signals are made from what is there, and never traded."""
    steps.scrape(env, FRIDAY)
    steps.enrich(env, "tweets/dt=2026-05-08/source=x/NVDA-1.jsonl.gz")
    done = steps.signals(env, FRIDAY)
    assert not done.coverage.partial  # the scrape was whole
    assert {row["ticker"] for row in table(env, "daily_sentiment", FRIDAY)} == {"NVDA"}
    assert {row["partial"] for row in table(env, "daily_sentiment", FRIDAY)} == {True}


def test_signals_again_are_the_same_bytes(env: Env) -> None:
    def derived() -> dict[str, bytes]:
        return {
            key: getattr(env.lake, zone).get(key)
            for zone in ("enriched", "signals", "ledger")
            for key in keys(env, zone, "")
        }

    collected(env, FRIDAY)
    before = derived()
    steps.signals(env, FRIDAY)
    assert derived() == before


def test_the_settings_behind_the_rows_are_kept_under_their_hash(env: Env) -> None:
    collected(env, FRIDAY)
    name = env.settings.config_hash()
    assert {row["config_hash"] for row in table(env, "daily_sentiment", FRIDAY)} == {name}
    kept = env.lake.enriched.get(layout.config(name))
    assert hashlib.sha256(kept).hexdigest()[:12] == name


def test_a_run_knows_when_it_was_for(env: Env) -> None:
    """A scrape that is made up for later is that of its own day: no clock is read."""
    whole = steps.scrape(env, FRIDAY)
    assert whole.cutoff == sessions.cutoff(FRIDAY)
    assert isinstance(whole.cutoff, datetime)
    assert coverage.of_run(env.lake.raw, FRIDAY, env.settings).tweets == 3
