"""Cutoffs, sessions and windows: which run collects a moment, and which session may act on it.

The calendar is XNYS, 2010 to 2035, read from a generated table (`cashtag.sessions_table`).
Moments are timezone-aware UTC; a `dt` is the UTC date of a run. A run's cutoff is its scheduled
time, never the wall clock. A row created at t belongs to the run with the first cutoff strictly
after t, and to the first session that opens strictly after that cutoff.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from cashtag.errors import CalendarError

CUTOFF = "12:00"
NEW_YORK = ZoneInfo("America/New_York")
_DAY = timedelta(days=1)
_USUAL_CLOSE = time(16, 0)


@dataclass(frozen=True, slots=True)
class _Calendar:
    sessions: tuple[date, ...]
    opens: tuple[datetime, ...]
    closes: tuple[datetime, ...]


@lru_cache(maxsize=1)
def _calendar() -> _Calendar:
    text = Path(__file__).with_name("sessions_xnys.csv").read_text(encoding="ascii")
    days: list[date] = []
    opens: list[datetime] = []
    closes: list[datetime] = []
    for line in text.splitlines()[1:]:
        y, m, d = int(line[0:4]), int(line[5:7]), int(line[8:10])
        days.append(date(y, m, d))
        opens.append(datetime(y, m, d, int(line[11:13]), int(line[14:16]), tzinfo=UTC))
        closes.append(datetime(y, m, d, int(line[17:19]), int(line[20:22]), tzinfo=UTC))
    return _Calendar(tuple(days), tuple(opens), tuple(closes))


def first_session() -> date:
    """The first session of the table."""
    return _calendar().sessions[0]


def last_session() -> date:
    """The last session of the table."""
    return _calendar().sessions[-1]


def _index(session: date) -> int:
    days = _calendar().sessions
    i = bisect_left(days, session)
    if i < len(days) and days[i] == session:
        return i
    if not days[0] <= session <= days[-1]:
        raise CalendarError(
            f"session {session} lies outside the session table ({days[0]} to {days[-1]}); "
            "make a longer one with `python -m cashtag.sessions_table`"
        )
    raise CalendarError(
        f"{session} ({session:%A}) is no XNYS session; the one before is "
        f"{previous_session(session)}, the next {next_session(session)}"
    )


def is_session(day: date) -> bool:
    """Say whether XNYS trades on `day`. False outside the table."""
    days = _calendar().sessions
    i = bisect_left(days, day)
    return i < len(days) and days[i] == day


def opens(session: date) -> datetime:
    """The opening bell, UTC. Raises CalendarError when `session` is none."""
    return _calendar().opens[_index(session)]


def closes(session: date) -> datetime:
    """The closing bell, UTC. Raises CalendarError when `session` is none."""
    return _calendar().closes[_index(session)]


def is_early_close(session: date) -> bool:
    """Say whether the session ends before 16:00 New York."""
    return closes(session).astimezone(NEW_YORK).time() < _USUAL_CLOSE


def previous_session(day: date) -> date:
    """The last session strictly before `day`, which may be any date. Raises CalendarError."""
    days = _calendar().sessions
    i = bisect_left(days, day)
    if i == 0 or day > days[-1] + 7 * _DAY:
        raise CalendarError(f"no session before {day} in the table ({days[0]} to {days[-1]})")
    return days[i - 1]


def next_session(day: date) -> date:
    """The first session strictly after `day`, which may be any date. Raises CalendarError."""
    days = _calendar().sessions
    i = bisect_right(days, day)
    if i == len(days) or day < days[0] - 7 * _DAY:
        raise CalendarError(f"no session after {day} in the table ({days[0]} to {days[-1]})")
    return days[i]


def sessions_between(first: date, last: date) -> tuple[date, ...]:
    """Sessions from `first` to `last`, both included, ascending."""
    days = _calendar().sessions
    return days[bisect_left(days, first) : bisect_right(days, last)]


def sessions_before(session: date, n: int) -> tuple[date, ...]:
    """The n sessions strictly before `session`, ascending; fewer at the table's start."""
    days = _calendar().sessions
    i = bisect_left(days, session)
    return days[max(0, i - n) : i]


@lru_cache(maxsize=8)
def _cutoff_time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise CalendarError(
            f"scrape.cutoff_utc = {text!r} is no time of day; write it as HH:MM"
        ) from error


def cutoff(dt: date, at: str = CUTOFF) -> datetime:
    """The cutoff of run `dt`, UTC: the scheduled time, never the wall clock."""
    return datetime.combine(dt, _cutoff_time(at), tzinfo=UTC)


def run_of(moment: datetime, at: str = CUTOFF) -> date:
    """The run that collects something created at `moment`: the first cutoff strictly after it.

    Raises:
        CalendarError: `moment` carries no time zone.
    """
    if moment.tzinfo is None:
        raise CalendarError(f"moment {moment} has no time zone; give it in UTC")
    moment = moment.astimezone(UTC)
    day = moment.date()
    return day if moment < cutoff(day, at) else day + _DAY


@lru_cache(maxsize=4096)
def session_of_run(dt: date, at: str = CUTOFF) -> date:
    """The session that run `dt` serves: the first that opens strictly after its cutoff."""
    moment = cutoff(dt, at)
    table = _calendar()
    i = bisect_right(table.opens, moment)
    if i == len(table.opens) or dt < table.sessions[0] - 7 * _DAY:
        raise CalendarError(
            f"run {dt} lies outside the session table ({table.sessions[0]} to {table.sessions[-1]})"
        )
    return table.sessions[i]


def session_of(moment: datetime, at: str = CUTOFF) -> date:
    """The first session that may act on something created at `moment` (UTC).

    A post made at or after a run's cutoff belongs to the next run, so no signal can use a post
    that its own decision could not have known.

    Raises:
        CalendarError: `moment` has no time zone, or lies outside the table.
    """
    return session_of_run(run_of(moment, at), at)


def window(session: date, at: str = CUTOFF) -> tuple[date, ...]:
    """All runs whose session this is, ascending: a Monday has Saturday, Sunday and Monday.

    Raises:
        CalendarError: `session` is no session.
    """
    _index(session)
    newest = session  # a cutoff after the bell leaves the session's own date to the next one
    while session_of_run(newest, at) != session:
        newest -= _DAY
    runs = [newest]
    while session_of_run(runs[0] - _DAY, at) == session:
        runs.insert(0, runs[0] - _DAY)
    return tuple(runs)


@lru_cache(maxsize=65536)
def _ny_offset_hours(hour_since_epoch: int) -> int:
    moment = datetime.fromtimestamp(hour_since_epoch * 3600, tz=UTC).astimezone(NEW_YORK)
    offset = moment.utcoffset()
    assert offset is not None
    return int(offset.total_seconds() // 3600)


def hour_ny(moment: datetime) -> int:
    """The hour of the day in New York, 0 to 23. New York's offset is whole hours since 1883."""
    hours = int(moment.timestamp() // 3600)
    return (hours + _ny_offset_hours(hours)) % 24


def date_ny(moment: datetime) -> date:
    """The date in New York at a moment: that of the session, while one is open."""
    hours = int(moment.timestamp() // 3600)
    return (moment.astimezone(UTC) + timedelta(hours=_ny_offset_hours(hours))).date()
