"""Facts of the XNYS calendar worked out by hand, and the rule that keeps the future out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from cashtag import sessions
from cashtag.errors import CalendarError


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2014-06-02", "13:30", "20:00"),  # summer: New York is UTC-4
        ("2014-12-31", "14:30", "21:00"),  # winter: UTC-5, and New Year's Eve is a full day
        ("2014-07-03", "13:30", "17:00"),  # the day before Independence Day ends at 13:00
        ("2014-11-28", "14:30", "18:00"),  # the Friday after Thanksgiving ends at 13:00
        ("2014-12-24", "14:30", "18:00"),  # Christmas Eve ends at 13:00
        ("2026-03-06", "14:30", "21:00"),  # the Friday before clocks go forward
        ("2026-03-09", "13:30", "20:00"),  # the Monday after
        ("2026-10-30", "13:30", "20:00"),  # the Friday before clocks go back
        ("2026-11-02", "14:30", "21:00"),  # the Monday after
    ],
)
def test_bells_in_utc(day: str, opens: str, closes: str) -> None:
    session = date.fromisoformat(day)
    assert sessions.opens(session) == utc(f"{day} {opens}")
    assert sessions.closes(session) == utc(f"{day} {closes}")


@pytest.mark.parametrize(
    "day",
    [
        "2014-11-27",  # Thanksgiving, the fourth Thursday of November
        "2012-01-02",  # New Year's Day fell on Sunday
        "2012-10-29",  # Hurricane Sandy
        "2012-10-30",  # and its second day
        "2018-12-05",  # mourning for President G. H. W. Bush
        "2025-01-09",  # mourning for President Carter
        "2022-06-20",  # Juneteenth 2022 fell on Sunday, kept on Monday
        "2026-04-03",  # Good Friday
        "2026-05-25",  # Memorial Day
        "2026-07-03",  # Independence Day 2026 falls on Saturday, kept on Friday
    ],
)
def test_closed_days(day: str) -> None:
    assert not sessions.is_session(date.fromisoformat(day))


@pytest.mark.parametrize(
    "day",
    [
        "2021-06-18",  # Juneteenth 2021 was Saturday; the exchange did not yet keep it
        "2021-06-21",  # nor the Monday after
        "2022-06-17",  # the Friday before Juneteenth 2022
        "2021-12-31",  # New Year's Day 2022 fell on Saturday: Friday traded
        "2014-11-11",  # Veterans Day is no exchange holiday
    ],
)
def test_open_days(day: str) -> None:
    assert sessions.is_session(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("day", "early"),
    [("2014-11-28", True), ("2014-12-24", True), ("2014-12-26", False), ("2026-03-09", False)],
)
def test_early_closes(day: str, early: bool) -> None:
    assert sessions.is_early_close(date.fromisoformat(day)) is early


def test_a_monday_reads_three_runs() -> None:
    assert sessions.window(date(2026, 3, 16)) == (
        date(2026, 3, 14),
        date(2026, 3, 15),
        date(2026, 3, 16),
    )


def test_a_tuesday_reads_one_run() -> None:
    assert sessions.window(date(2026, 3, 17)) == (date(2026, 3, 17),)


def test_the_day_after_a_holiday_reads_the_holidays_run_too() -> None:
    # Thanksgiving is Thursday 2014-11-27: Friday reads Thursday's and its own.
    assert sessions.window(date(2014, 11, 28)) == (date(2014, 11, 27), date(2014, 11, 28))
    # Memorial Day is Monday 2026-05-25: Tuesday reads Saturday to Tuesday.
    assert sessions.window(date(2026, 5, 26)) == tuple(
        date(2026, 5, 23) + timedelta(days=n) for n in range(4)
    )


def test_a_tweet_a_moment_before_the_cutoff_belongs_to_todays_run() -> None:
    assert sessions.run_of(utc("2026-03-17 11:59:59.999999")) == date(2026, 3, 17)
    assert sessions.session_of(utc("2026-03-17 11:59:59.999999")) == date(2026, 3, 17)


def test_a_tweet_at_the_cutoff_belongs_to_the_next_session() -> None:
    assert sessions.run_of(utc("2026-03-17 12:00:00")) == date(2026, 3, 18)
    assert sessions.session_of(utc("2026-03-17 12:00:00")) == date(2026, 3, 18)


def test_a_tweet_between_cutoff_and_bell_waits_for_the_next_session() -> None:
    # 13:00 UTC in March after the change is 09:00 New York, half an hour before the bell.
    assert sessions.session_of(utc("2026-03-17 13:00:00")) == date(2026, 3, 18)


def test_friday_afternoon_speaks_to_monday() -> None:
    assert sessions.session_of(utc("2026-03-13 12:00:00")) == date(2026, 3, 16)
    assert sessions.session_of(utc("2026-03-16 11:59:59")) == date(2026, 3, 16)


def test_the_cutoff_does_not_move_with_daylight_saving() -> None:
    # Sunday 2026-03-08 clocks go forward, Sunday 2026-11-01 they go back: both Mondays' windows
    # still start at Friday 12:00 UTC.
    for monday in (date(2026, 3, 9), date(2026, 11, 2)):
        friday = monday - timedelta(days=3)
        start = datetime.combine(friday, datetime.min.time(), UTC) + timedelta(hours=12)
        assert sessions.session_of(start) == monday
        assert sessions.session_of(start - timedelta(seconds=1)) == friday


@pytest.mark.parametrize(
    ("moment", "hour"),
    [
        ("2026-03-08 06:59:00", 1),  # 01:59 EST, the minute before the change
        ("2026-03-08 07:00:00", 3),  # 03:00 EDT: two o'clock did not happen
        ("2026-11-01 05:30:00", 1),  # 01:30 EDT
        ("2026-11-01 06:30:00", 1),  # 01:30 EST: one o'clock happened twice
        ("2026-07-01 03:00:00", 23),  # the evening before
        ("2026-01-01 05:00:00", 0),  # midnight
    ],
)
def test_hours_of_new_york(moment: str, hour: int) -> None:
    assert sessions.hour_ny(utc(moment)) == hour


def test_a_moment_in_another_zone_is_the_same_moment() -> None:
    tokyo = timezone(timedelta(hours=9))
    # 20:59 in Tokyo is 11:59 UTC.
    assert sessions.session_of(datetime(2026, 3, 17, 20, 59, tzinfo=tokyo)) == date(2026, 3, 17)


def test_neighbours_across_a_long_weekend() -> None:
    assert sessions.previous_session(date(2026, 4, 6)) == date(2026, 4, 2)  # Good Friday between
    assert sessions.next_session(date(2026, 4, 2)) == date(2026, 4, 6)
    assert sessions.previous_session(date(2026, 4, 5)) == date(2026, 4, 2)  # a Sunday asks
    assert sessions.sessions_between(date(2026, 4, 2), date(2026, 4, 7)) == (
        date(2026, 4, 2),
        date(2026, 4, 6),
        date(2026, 4, 7),
    )
    assert sessions.sessions_before(date(2026, 4, 7), 2) == (date(2026, 4, 2), date(2026, 4, 6))


def test_every_run_belongs_to_exactly_one_window() -> None:
    runs = [
        day
        for s in sessions.sessions_between(date(2014, 1, 1), date(2015, 12, 31))
        for day in sessions.window(s)
    ]
    assert runs == [runs[0] + timedelta(days=n) for n in range(len(runs))]


def test_no_session_opens_before_its_cutoff() -> None:
    for session in sessions.sessions_between(date(2010, 1, 1), date(2035, 12, 31)):
        assert sessions.cutoff(session) < sessions.opens(session) < sessions.closes(session)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sessions.opens(date(2026, 4, 3)), "2026-04-03 .Friday. is no XNYS session"),
        (lambda: sessions.opens(date(2040, 1, 3)), "outside the session table"),
        (lambda: sessions.session_of(utc("2036-06-01 00:00:00")), "outside the session table"),
        (lambda: sessions.session_of(datetime(2026, 3, 17, 11)), "no time zone"),  # noqa: DTZ001
        (lambda: sessions.session_of(utc("1999-06-01 00:00:00")), "outside the session table"),
        (lambda: sessions.cutoff(date(2026, 3, 17), "noon"), "scrape.cutoff_utc = 'noon'"),
        (lambda: sessions.next_session(date(2035, 12, 31)), "no session after 2035-12-31"),
        (lambda: sessions.previous_session(date(2010, 1, 4)), "no session before 2010-01-04"),
    ],
)
def test_errors_say_which_way_a_date_is_wrong(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CalendarError, match=message):
        call()


def test_the_committed_table_is_the_published_calendar() -> None:
    from cashtag import sessions_table

    assert sessions_table.render() == sessions_table.TABLE.read_text(encoding="ascii")
