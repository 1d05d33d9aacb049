"""The sample's calendar: sessions, runs, New York's clock, and the days on which the scrape failed.

Standard library only, so that the sample can be made before anything is installed.
Facts about the exchange (closed days, daylight saving) are written down here by hand; a test
compares them with the session table of the package.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

FIRST_BAR = date(2024, 11, 1)  # 300 trailing bars and 252 + 20 of SPY before the first run
FIRST_RUN = date(2026, 2, 28)  # a Saturday: Monday's session reads three runs
LAST_RUN = date(2026, 6, 5)
CUTOFF_HOUR = 12  # UTC

CLOSED = {
    date(2024, 11, 28),  # Thanksgiving
    date(2024, 12, 25),  # Christmas
    date(2025, 1, 1),  # New Year's Day
    date(2025, 1, 9),  # National day of mourning
    date(2025, 1, 20),  # Martin Luther King Jr. Day
    date(2025, 2, 17),  # Washington's Birthday
    date(2025, 4, 18),  # Good Friday
    date(2025, 5, 26),  # Memorial Day
    date(2025, 6, 19),  # Juneteenth
    date(2025, 7, 4),  # Independence Day
    date(2025, 9, 1),  # Labor Day
    date(2025, 11, 27),  # Thanksgiving
    date(2025, 12, 25),  # Christmas
    date(2026, 1, 1),  # New Year's Day
    date(2026, 1, 19),  # Martin Luther King Jr. Day
    date(2026, 2, 16),  # Washington's Birthday
    date(2026, 4, 3),  # Good Friday
    date(2026, 5, 25),  # Memorial Day
}
SUMMER_TIME_2026 = datetime(2026, 3, 8, 7, tzinfo=UTC)  # 02:00 in New York

BROKEN_DAY = date(2026, 3, 25)  # a Wednesday on which most searches were refused
REFUSED = {
    "AAPL": "rate limit: 0 searches left until 12:15 UTC",
    "AMD": "rate limit: 0 searches left until 12:15 UTC",
    "AMZN": "rate limit: 0 searches left until 12:15 UTC",
    "BA": "account sample-2 locked: code 326",
    "BTC": "account sample-2 locked: code 326",
    "COIN": "account sample-4 suspended: code 64",
    "GME": "account sample-4 suspended: code 64",
    "GOOG": "three answers of 404: stale query id",
    "JPM": "three answers of 404: stale query id",
    "META": "three answers of 404: stale query id",
    "SPY": "timeout after 30 s",
    "XOM": "timeout after 30 s",
}
FEW_DAY = date(2026, 5, 21)  # a Thursday: every search answered, with a third of the usual tweets
FEW_SHARE = 0.34


def days_between(first: date, last: date) -> list[date]:
    """Return every calendar day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def is_session(day: date) -> bool:
    """Say whether the exchange opens on `day`."""
    return day.weekday() < 5 and day not in CLOSED


SESSIONS = [day for day in days_between(FIRST_BAR, LAST_RUN) if is_session(day)]
RUNS = days_between(FIRST_RUN, LAST_RUN)


def cutoff(dt: date) -> datetime:
    """Return the scheduled time of the run of `dt`, UTC."""
    return datetime(dt.year, dt.month, dt.day, CUTOFF_HOUR, tzinfo=UTC)


def run_of(moment: datetime) -> date:
    """Return the run that collects `moment`: the first whose cutoff lies strictly after it."""
    return moment.date() if moment < cutoff(moment.date()) else moment.date() + timedelta(days=1)


def to_new_york(moment: datetime) -> datetime:
    """Return New York's wall clock at `moment` (UTC), without a time zone. For 2026 to June."""
    hours = 4 if moment >= SUMMER_TIME_2026 else 5
    return (moment - timedelta(hours=hours)).replace(tzinfo=None)


def from_new_york(day: date, minutes: float) -> datetime:
    """Return the moment (UTC) `minutes` after midnight on `day` in New York. For 2026 to June."""
    hours = 4 if day >= SUMMER_TIME_2026.date() else 5
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hours)
    return midnight + timedelta(minutes=minutes)


def session_before(day: date) -> date:
    """Return the last session strictly before `day`."""
    day -= timedelta(days=1)
    while not is_session(day):
        day -= timedelta(days=1)
    return day
