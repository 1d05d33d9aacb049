"""Coverage: a broken scraper must not look like silence."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from cashtag import sessions
from cashtag.lake.disk import FolderStore
from cashtag.ports import Status
from cashtag.scrape import coverage, manifest
from cashtag.scrape.manifest import Manifest, ObjectEntry, TickerEntry
from cashtag.settings import load

SETTINGS = load(environ={})  # partial below 0.6; median of 8 weeks, from 4 known ones on
TUESDAY = date(2026, 5, 5)
MONDAY = date(2026, 5, 11)
LIMIT = 0.6


@pytest.fixture
def raw(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def scrape(raw: FolderStore, dt: date, tweets: int, **statuses: Status) -> None:
    """Leave the manifest of a run with so many tweets, all answered unless told otherwise."""
    answers = statuses or {"NVDA": "ok"}
    rows = tuple(
        TickerEntry(ticker, status, "rate limit" if status == "refused" else None, 0)
        for ticker, status in sorted(answers.items())
    )
    entries = (
        ObjectEntry(f"bars/source=x/NVDA-1{dt}", "", 300, 1),  # lines, but no tweets
        ObjectEntry(f"tweets/dt={dt}/source=x/NVDA-1.jsonl.gz", "", tweets, 1),
    )
    manifest.write(raw, Manifest(dt, sessions.cutoff(dt), "x", rows, entries))


def weeks_before(dt: date, *weeks: int) -> list[date]:
    return [dt - timedelta(weeks=n) for n in weeks]


def test_a_ticker_with_nothing_to_say_has_answered_and_a_refused_one_has_not(
    raw: FolderStore,
) -> None:
    scrape(raw, TUESDAY, 5, AAPL="ok", MSFT="empty", NVDA="refused", TSLA="refused")
    run = coverage.of_run(raw, TUESDAY, SETTINGS)
    assert (run.answered, run.asked, run.tweets) == (2, 4, 5)
    assert run.share == 0.5
    assert run.reason(LIMIT) == ("2 of 4 tickers answered on 2026-05-05 (refused: NVDA, TSLA)")


def test_exactly_the_limit_is_enough(raw: FolderStore) -> None:
    scrape(raw, TUESDAY, 5, A="ok", B="ok", C="empty", D="refused", E="refused")
    run = coverage.of_run(raw, TUESDAY, SETTINGS)
    assert run.share == 0.6  # three of five
    assert run.reason(LIMIT) is None


def test_a_resumed_scrape_makes_up_for_the_refusals_of_the_first(raw: FolderStore) -> None:
    scrape(raw, TUESDAY, 5, AAPL="ok", NVDA="refused")
    scrape(raw, TUESDAY, 5, AAPL="ok", NVDA="ok")
    run = coverage.of_run(raw, TUESDAY, SETTINGS)
    assert (run.share, run.tweets) == (1.0, 5)  # one object is not counted twice


def test_without_history_only_tickers_are_judged(raw: FolderStore) -> None:
    scrape(raw, TUESDAY, 0)
    for dt in weeks_before(TUESDAY, 1, 2, 3):  # three Tuesdays; four are needed
        scrape(raw, dt, 100)
    run = coverage.of_run(raw, TUESDAY, SETTINGS)
    assert run.usual is None
    assert run.of_tweets is None
    assert run.reason(LIMIT) is None


def test_tweets_are_compared_with_the_median_of_the_same_weekday(raw: FolderStore) -> None:
    scrape(raw, TUESDAY, 59)
    for dt, tweets in zip(weeks_before(TUESDAY, 1, 3, 5, 8), (10, 90, 110, 1000), strict=True):
        scrape(raw, dt, tweets)
    # Neither another weekday nor the ninth week counts; the gaps between do not either.
    scrape(raw, TUESDAY - timedelta(days=1), 1)
    scrape(raw, TUESDAY - timedelta(weeks=9), 1)
    run = coverage.of_run(raw, TUESDAY, SETTINGS)
    assert run.usual == 100  # between 90 and 110
    assert run.share == 0.59
    assert run.reason(LIMIT) == "59 tweets on 2026-05-05, 100 are usual that weekday"


def test_more_than_usual_is_all_and_nothing_usual_says_nothing(raw: FolderStore) -> None:
    scrape(raw, TUESDAY, 500)
    for dt in weeks_before(TUESDAY, 1, 2, 3, 4):
        scrape(raw, dt, 100)
    assert coverage.of_run(raw, TUESDAY, SETTINGS).of_tweets == 1.0

    wednesday = TUESDAY + timedelta(days=1)
    scrape(raw, wednesday, 0)
    for dt in weeks_before(wednesday, 1, 2, 3, 4):
        scrape(raw, dt, 0)
    run = coverage.of_run(raw, wednesday, SETTINGS)
    assert (run.usual, run.of_tweets, run.share) == (0.0, None, 1.0)


def test_the_worse_of_the_two_shares_is_the_coverage(raw: FolderStore) -> None:
    scrape(raw, TUESDAY, 90, AAPL="ok", MSFT="ok", NVDA="ok", TSLA="refused")
    for dt in weeks_before(TUESDAY, 1, 2, 3, 4):
        scrape(raw, dt, 100)
    run = coverage.of_run(raw, TUESDAY, SETTINGS)
    assert (run.of_tickers, run.of_tweets, run.share) == (0.75, 0.9, 0.75)


def test_a_day_that_was_never_scraped_covers_nothing(raw: FolderStore) -> None:
    run = coverage.of_run(raw, TUESDAY, SETTINGS)
    assert (run.share, run.asked, run.scraped) == (0.0, 0, False)
    assert run.reason(LIMIT) == "the run of 2026-05-05 is missing"


def test_a_scrape_that_asked_nobody_is_no_answer(raw: FolderStore) -> None:
    manifest.write(raw, Manifest(TUESDAY, sessions.cutoff(TUESDAY), "x", (), ()))
    reason = coverage.of_run(raw, TUESDAY, SETTINGS).reason(LIMIT)
    assert reason == "0 of 0 tickers answered on 2026-05-05 (refused: none was asked)"


def test_a_monday_is_as_whole_as_the_worst_of_its_three_runs(raw: FolderStore) -> None:
    saturday, sunday, _ = window = sessions.window(MONDAY)
    scrape(raw, saturday, 5)
    scrape(raw, sunday, 5, AAPL="ok", NVDA="ok", TSLA="refused")
    scrape(raw, MONDAY, 5)
    covered = coverage.of_session(raw, MONDAY, window, SETTINGS)
    assert covered.share == pytest.approx(2 / 3)
    assert not covered.partial


def test_a_missing_sunday_makes_monday_partial(raw: FolderStore) -> None:
    saturday, _, _ = window = sessions.window(MONDAY)
    scrape(raw, saturday, 5)
    scrape(raw, MONDAY, 5)
    covered = coverage.of_session(raw, MONDAY, window, SETTINGS)
    assert covered.share == 0.0
    assert covered.partial
    assert covered.reasons == ("the run of 2026-05-10 is missing",)
