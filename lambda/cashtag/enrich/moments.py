"""Moments as sources write them, as milliseconds since 1970 (UTC), fast enough for every line.

Two shapes are read by position: Twitter's `Sun Jun 01 10:50:06 +0000 2014` and ISO 8601 as
`2026-03-02 14:05:00+00:00`. Every other form of either goes through the standard library. A
moment without an offset is UTC; the name of the weekday is not judged.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUTES = {f"{h:02d}:{m:02d}": (h * 60 + m) * 60_000 for h in range(24) for m in range(60)}
_SECONDS = {f":{s:02d}": s * 1000 for s in range(60)}


def milliseconds(value: object) -> int | None:
    """Return a moment in milliseconds since 1970, UTC, rounded down; None for what is none."""
    if type(value) is not str:
        return None
    # The date and what follows the clock make a key that a day's posts share.
    if value[19:20] == " ":
        day = _twitter_day(value[4:11] + value[19:])
    else:
        day = _iso_day(value[:11] + value[19:])
    if day is not None:
        minutes, seconds = _MINUTES.get(value[11:16]), _SECONDS.get(value[16:19])
        if minutes is not None and seconds is not None:
            return day + minutes + seconds
    return _slowly(value)


def moment(ms: int) -> datetime:
    """Return milliseconds since 1970 as a UTC datetime."""
    return datetime.fromtimestamp(ms // 1000, tz=UTC).replace(microsecond=ms % 1000 * 1000)


def milliseconds_of(at: datetime) -> int:
    """Return a datetime with a time zone in milliseconds since 1970, rounded down."""
    gone = at - _EPOCH
    return gone.days * DAY_MS + gone.seconds * 1000 + gone.microseconds // 1000


def epoch_day(day: date) -> int:
    """Return the days from 1970-01-01 to `day`, as Arrow's date32 counts."""
    return day.toordinal() - _EPOCH_DAY


def day_of(epoch: int) -> date:
    """Return the date that lies `epoch` days after 1970-01-01."""
    return date.fromordinal(epoch + _EPOCH_DAY)


@lru_cache(maxsize=16384)
def _twitter_day(rest: str) -> int | None:
    """`Jun 01  +0000 2014` -> the day's first millisecond."""
    return _slowly(f"Sun {rest[:7]}00:00:00{rest[7:]}") if rest[7:14] == " +0000 " else None


@lru_cache(maxsize=16384)
def _iso_day(rest: str) -> int | None:
    """`2014-06-01T` and `+00:00`, `Z` or nothing -> the day's first millisecond."""
    plain = rest[11:] in {"", "Z", "+00:00", ".000Z"} and rest[10:11] in {" ", "T"}
    return _slowly(f"{rest[:11]}00:00:00{rest[11:]}") if plain else None


def _slowly(text: str) -> int | None:
    text = text.strip()
    try:
        if text[3:4] == " ":
            _, month, day, clock, offset, year = text.split(" ")
            number = _MONTHS.index(month) + 1
            text = f"{year}-{number:02d}-{day}T{clock}{offset}"
        at = datetime.fromisoformat(text)
        return milliseconds_of(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
