"""When schedules are due; moments worked out from the calendar by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from event_time import ScheduleError, due

NY = "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moments(expression: str, zone: str, after: str, until: str) -> list[str]:
    found = due(expression, zone, at(after), at(until))
    return [f"{moment:%Y-%m-%d %H:%M}" for moment in found]


def test_a_daily_run_is_due_once_a_day() -> None:
    assert moments("cron(0 12 * * ? *)", "UTC", "2026-11-26 12:00", "2026-11-28 12:00") == [
        "2026-11-27 12:00",
        "2026-11-28 12:00",
    ]


def test_new_york_is_five_hours_behind_in_winter_and_four_in_summer() -> None:
    rule = "cron(35 9 ? * MON-FRI *)"
    # Friday; Saturday and Sunday rest
    assert moments(rule, NY, "2026-11-27 00:00", "2026-11-30 00:00") == ["2026-11-27 14:35"]
    assert moments(rule, NY, "2026-07-01 00:00", "2026-07-02 00:00") == ["2026-07-01 13:35"]


def test_steps_and_ranges() -> None:
    found = moments("cron(40/5 9 ? * MON-FRI *)", NY, "2026-11-27 00:00", "2026-11-28 00:00")
    assert found == [f"2026-11-27 14:{minute}" for minute in (40, 45, 50, 55)]
    found = moments("cron(0/30 10-11 ? * 6 *)", "UTC", "2026-11-27 00:00", "2026-11-29 00:00")
    assert found == [f"2026-11-27 {time}" for time in ("10:00", "10:30", "11:00", "11:30")]


def test_an_hour_that_the_clocks_leave_out_is_not_due() -> None:
    rule = "cron(30 2 * * ? *)"  # 2026-03-08 has no 02:30 in New York
    assert moments(rule, NY, "2026-03-08 00:00", "2026-03-09 12:00") == ["2026-03-09 06:30"]


def test_rates() -> None:
    assert moments("rate(1 day)", "UTC", "2026-11-26 12:00", "2026-11-27 12:00") == [
        "2026-11-27 12:00"
    ]


@pytest.mark.parametrize(
    "text", ["cron(0 12 * * *)", "cron(0 12 * * * *)", "cron(0 12 ? * ? *)", "cron(60 1 * * ? *)"]
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        moments(text, "UTC", "2026-11-26 12:00", "2026-11-27 12:00")
