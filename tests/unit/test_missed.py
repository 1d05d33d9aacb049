"""Which live runs are due, and which are to be made up for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from cashtag import services, sessions
from cashtag.operate import missed
from cashtag.ports import Lake
from cashtag.scrape import manifest
from cashtag.scrape.manifest import Manifest, TickerEntry
from cashtag.settings import load

SETTINGS = load(environ={})  # cutoff 12:00 UTC; the last three days are made up for
FRIDAY = date(2026, 5, 8)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return services.folder_lake(tmp_path)


def scraped(lake: Lake, days_before: int, *, refused: bool = False) -> None:
    dt = FRIDAY - timedelta(days=days_before)
    row = TickerEntry("NVDA", "refused" if refused else "ok", None, 0)
    manifest.write(lake.raw, Manifest(dt, sessions.cutoff(dt), "live", (row,), ()))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-05-08 11:59", "2026-05-07"),  # Friday's window is still open
        ("2026-05-08 12:00", "2026-05-08"),
        ("2026-05-09 00:10", "2026-05-08"),  # past midnight, Friday's is the newest
    ],
)
def test_a_run_is_due_from_its_cutoff_on(now: str, due: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert missed.due(SETTINGS, moment) == date.fromisoformat(due)


def test_a_new_lake_has_missed_nothing(lake: Lake) -> None:
    assert missed.first(lake, SETTINGS, FRIDAY) == FRIDAY


def test_days_since_the_last_run_are_missed(lake: Lake) -> None:
    scraped(lake, 3)
    assert missed.first(lake, SETTINGS, FRIDAY) == date(2026, 5, 6)  # Tuesday was run


def test_a_day_on_which_everything_refused_is_made_up_for(lake: Lake) -> None:
    scraped(lake, 3, refused=True)
    scraped(lake, 2)
    scraped(lake, 1)
    assert missed.first(lake, SETTINGS, FRIDAY) == date(2026, 5, 5)


def test_a_long_gap_is_made_up_for_as_far_as_the_setting_says(lake: Lake) -> None:
    scraped(lake, 20)
    assert missed.first(lake, SETTINGS, FRIDAY) == date(2026, 5, 5)
    none = load(environ={}, overrides={"live.catch_up_days": 0})
    assert missed.first(lake, none, FRIDAY) == FRIDAY


def test_days_before_the_lake_began_are_not_missed(lake: Lake) -> None:
    scraped(lake, 1)
    assert missed.first(lake, SETTINGS, FRIDAY) == FRIDAY
