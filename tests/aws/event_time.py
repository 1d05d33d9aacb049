"""Schedule expressions of EventBridge Scheduler: when they are due, in which zone.

After "Schedule types in EventBridge Scheduler" (user guide): `cron(minutes hours day-of-month
month day-of-week year)` with `*`, `?`, lists, ranges and steps; `rate(n unit)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_DAYS = {name: n for n, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_MONTHS = {
    name: n
    for n, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}


class ScheduleError(ValueError):
    """An expression that is none."""


def due(expression: str, zone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the moments (UTC) at which an expression is due, `after` < moment ≤ `until`.

    A local time that a change of clocks leaves out is not due on that day.
    """
    if found := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        step = timedelta(**{f"{found[2]}s": int(found[1])})
        moment = after + step
        while moment <= until:
            yield moment
            moment += step
        return
    found = re.fullmatch(r"cron\((.+)\)", expression)
    fields = found[1].split() if found else []
    if len(fields) != 6:
        raise ScheduleError(f"{expression}: no cron() of six fields, and no rate()")
    minutes = _set(fields[0], 0, 59, {})
    hours = _set(fields[1], 0, 23, {})
    of_month = _set(fields[2], 1, 31, {})
    months = _set(fields[3], 1, 12, _MONTHS)
    of_week = _set(fields[4], 1, 7, _DAYS)
    years = _set(fields[5], 1970, 2199, {})
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ScheduleError(f"{expression}: exactly one of the two kinds of days is `?`")
    place = ZoneInfo(zone)
    day = after.astimezone(place).date()
    while day <= until.astimezone(place).date():
        weekday = day.isoweekday() % 7 + 1  # Sunday is 1
        if day.year in years and day.month in months and day.day in of_month and weekday in of_week:
            for hour in sorted(hours):
                for minute in sorted(minutes):
                    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=place)
                    moment = local.astimezone(UTC)
                    there = moment.astimezone(place).replace(fold=0) == local.replace(fold=0)
                    if there and after < moment <= until:
                        yield moment
        day += timedelta(days=1)


def _set(text: str, first: int, last: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            low, high = first, last
        elif "-" in span:
            low, high = (_number(end, names) for end in span.split("-"))
        else:
            low = _number(span, names)
            high = last if step else low
        if not first <= low <= high <= last:
            raise ScheduleError(f"{part} is not within {first} to {last}")
        found.update(range(low, high + 1, int(step or 1)))
    return found


def _number(text: str, names: dict[str, int]) -> int:
    try:
        return names.get(text.upper()) or int(text)
    except ValueError:
        raise ScheduleError(f"{text} is no number here") from None
