"""Cells of price files: days and numbers as people and their programs write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import lru_cache

from cashtag.sessions import NEW_YORK

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = re.compile(
    r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?\s+", re.I
)
_YEAR_FIRST = re.compile(r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d\d?)(?P=sep)(?P<d>\d\d?)", re.A)
_COMPACT = re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?!\d)", re.A)
_YEAR_LAST = re.compile(r"(?P<a>\d\d?)(?P<sep>[-/.])(?P<b>\d\d?)(?P=sep)(?P<y>\d{4}|\d\d)", re.A)
_DAY_NAMED = re.compile(
    r"(?P<d>\d\d?)[-\s./]+(?P<name>[a-z]{3,9})\.?[-\s,./]+(?P<y>\d{4}|\d\d)", re.I
)
_NAME_FIRST = re.compile(r"(?P<name>[a-z]{3,9})\.?[-\s]+(?P<d>\d\d?),?[-\s]+(?P<y>\d{4})", re.I)
_CLOCK = re.compile(r"\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?:\s*[ap]m)?", re.I)
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<h>\d\d):?(?P<m>\d\d)?")
_GREENWICH = {"z", "utc", "gmt"}
_EASTERN = {"", "est", "edt", "et", "america/new_york", "us/eastern"}
_EPOCH = re.compile(r"\d{10}(?:\.0*)?|\d{13}", re.A)  # seconds or milliseconds since 1970
_PIVOT = 70  # POSIX: years 69 to 99 are 1969 to 1999; a market file of 1970 has four digits

_NOTHING = {"", "nan", "null", "none", "n/a", "#n/a", "na", "nat", "nil", "-", "--", ".", "–", "—"}
_MONEY = re.compile(r"[\s$€£'’]|usd", re.I)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.I | re.A)
_PLAIN = re.compile(r"\d{1,15}(?:\.\d{4,})?", re.A)  # by both meanings of a dot
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.A)
_MULTIPLES = {"k": 10**3, "m": 10**6, "b": 10**9}


def is_nothing(cell: str) -> bool:
    """Say whether a cell stands for no value: empty, `NaN`, `null`, `N/A`, a dash."""
    return cell.strip().lower() in _NOTHING


# ---------------------------------------------------------------- days


def day_comes_first(cells: Iterable[str]) -> bool:
    """Say whether a file writes 31/12/2014 (or 31.12.2014) where an American writes 12/31/2014.

    One number above twelve decides; a file that leaves it open is American.
    """
    first = False
    for cell in cells:
        found = _YEAR_LAST.match(_WEEKDAY.sub("", cell.strip()))
        if found is None:
            continue
        if int(found["b"]) > len(_MONTHS):
            return False
        first = first or found["sep"] == "." or int(found["a"]) > len(_MONTHS)
    return first


@lru_cache(maxsize=16384)  # files of many tickers name the same days
def session_day(cell: str, day_first: bool = False) -> date | None:
    """Return the New York date that a cell names; None for what is no date.

    A date with a time and a zone is that moment's date in New York, except that midnight in the
    stated zone is how programs write a bare date. Without a zone the date is as it stands.
    """
    text = _WEEKDAY.sub("", cell.strip())
    if _EPOCH.fullmatch(text):
        seconds = float(text) / (1 if len(text.split(".")[0]) == 10 else 1000)
        at = datetime.fromtimestamp(seconds, UTC)
        return _in_new_york(at)
    for pattern in (_YEAR_FIRST, _COMPACT, _YEAR_LAST, _NAME_FIRST, _DAY_NAMED):
        if found := pattern.match(text):
            day = _day(found.groupdict(), day_first)
            return None if day is None else _with_time(day, text[found.end() :])
    return None


def _day(parts: dict[str, str], day_first: bool) -> date | None:
    year = int(parts["y"])
    if len(parts["y"]) == 2:
        year += 2000 if year < _PIVOT else 1900
    if "name" in parts:
        name = parts["name"].lower()[:3]
        if name not in _MONTHS:
            return None
        month, day = _MONTHS.index(name) + 1, int(parts["d"])
    elif "m" in parts:
        month, day = int(parts["m"]), int(parts["d"])
    else:
        month, day = int(parts["a"]), int(parts["b"])
        if day_first:
            month, day = day, month
    try:
        return date(year, month, day)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _clock_and_zone(rest: str) -> tuple[str, str] | None:
    rest = rest.strip().removeprefix("T").removeprefix("t").strip()
    clock = _CLOCK.match(rest)
    zone = rest[clock.end() :].strip() if clock else rest
    zone = re.sub(r"\[.*\]$", "", zone).lower()  # Java writes the zone's name behind its offset
    known = zone in _GREENWICH or zone in _EASTERN or _OFFSET.fullmatch(zone)
    return (clock[0] if clock else "", zone) if known else None


def _with_time(day: date, rest: str) -> date | None:
    if not rest.strip():
        return day
    parts = _clock_and_zone(rest)
    if parts is None:
        return None
    clock, zone = parts
    if not clock or zone in _EASTERN:
        return day
    hour, minute = (int(part) for part in re.findall(r"\d+", clock)[:2])
    if clock.lower().endswith(("am", "pm")):
        hour = hour % 12 + (12 if clock.lower().endswith("pm") else 0)
    offset = _OFFSET.fullmatch(zone)
    stated = f"{offset['sign']}{offset['h']}:{offset['m'] or '00'}" if offset else "+00:00"
    try:
        return _in_new_york(datetime.fromisoformat(f"{day}T{hour:02d}:{minute:02d}:00{stated}"))
    except ValueError:
        return None


def _in_new_york(at: datetime) -> date:
    if at.hour == at.minute == at.second == 0:
        return at.date()
    return at.astimezone(NEW_YORK).date()


# ---------------------------------------------------------------- numbers


def comma_is_decimal(cells: Iterable[str], delimiter: str) -> bool:
    """Say whether prices of a file are written `1.234,56` rather than `1,234.56`."""
    commas = dots = 0
    for cell in cells:
        head, comma, tail = _MONEY.sub("", cell).rpartition(",")
        if comma and ("." in head or ("." not in tail and len(tail) != 3 and tail.isdecimal())):
            return True
        commas += bool(comma)
        dots += "." in cell
    # Prices of a whole file without any cents but in thousands are less likely than `578,500`
    # with three decimals; but where commas part the cells, nobody writes decimals with them.
    return bool(commas) and not dots and delimiter != ","


def number(cell: str, decimal_comma: bool = False) -> float | None:
    """Return a cell's number, with or without currency, thousands and K, M, B; None for nothing.

    Raises:
        ValueError: the cell holds something else, or a number that is not finite.
    """
    if _PLAIN.fullmatch(cell):  # nearly all cells
        return float(cell)
    if is_nothing(cell):
        return None
    text = _MONEY.sub("", cell)
    if decimal_comma:
        text = text.replace(".", "").replace(",", ".")
    times = _MULTIPLES.get(text[-1:].lower(), 1)
    digits = text[:-1] if times > 1 else text
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    if not _NUMBER.fullmatch(digits):
        raise ValueError(f"{cell!r} is no number")
    value = float(digits) * times
    if not math.isfinite(value):
        raise ValueError(f"{cell!r} is no finite number")
    return value


def ratio(cell: str, decimal_comma: bool = False) -> float | None:
    """Return new shares per old one: `7`, `7:1`, `7/1`, `7 for 1`; None for nothing.

    Raises:
        ValueError: the cell holds something else.
    """
    parts = re.split(r"[:/]|for|to", cell)
    if len(parts) != 2:
        return number(cell, decimal_comma)
    new, old = (number(part, decimal_comma) for part in parts)
    if not new or not old:
        raise ValueError(f"{cell!r} is no ratio")
    return new / old
