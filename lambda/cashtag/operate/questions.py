"""Ad-hoc questions: a SELECT from the command line, its parameters, and the span of a lake."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cashtag.errors import InputError
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import partitions
from cashtag.ports import Lake, SqlValue
from cashtag.settings import Settings
from cashtag.warehouse import sql

if TYPE_CHECKING:
    import pyarrow as pa


# Queries that our own pages and reviews ask; they run by name, but are not offered.
INTERNAL = ("report_", "review_", "lookahead_")


def named_queries() -> list[dict[str, Any]]:
    """One row per named query: name, what it answers, its parameters."""
    return [
        {"name": query.name, "about": query.about, "parameters": ", ".join(query.parameters)}
        for query in sql.named()
        if not query.name.startswith(INTERNAL)
    ]


def text(query: str | None, file: Path | None, named: str | None) -> str:
    """The SELECT that was asked for, from exactly one of three places.

    Raises:
        InputError: none or several were given, or the file cannot be read.
    """
    if sum(given is not None for given in (query, file, named)) != 1:
        raise InputError("give one of: a SELECT, -f FILE, --named NAME (see `cashtag sql --list`)")
    if named is not None:
        return sql.load("queries", named).text
    if file is not None:
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"-f {file} cannot be read: {error}") from None
    assert query is not None
    return sys.stdin.read() if query == "-" else query


@dataclass(frozen=True)
class Answer:
    """Rows, and what it cost to get them: bytes scanned and cents, where an engine bills."""

    rows: pa.Table
    scanned: int | None = None
    cents: float = 0.0


def answer_in_the_cloud(settings: Settings, select: str, given: list[str]) -> Answer:
    """Run a SELECT on Athena over the deployed stack's lake; parameters as in `answer`.

    Args:
        settings: the stack's.
        select: one SELECT, with distinct names for its columns.
        given: NAME=VALUE.

    Raises:
        InputError: the SELECT or a parameter is wrong.
        CloudError: Athena refuses.
    """
    from cashtag import services
    from cashtag.warehouse import scans
    from cashtag.warehouse.athena import AthenaWarehouse

    lake = services.s3_lake(settings)
    with AthenaWarehouse(settings, lake) as warehouse:
        rows = warehouse.query(select, _params(lake, select, given))
        sizes = [scan.scanned for scan in warehouse.scans]
    return Answer(rows, sum(sizes), scans.cents(sizes, settings.aws.athena))


def answer(settings: Settings, select: str, given: list[str]) -> pa.Table:
    """Run a SELECT over the lake; parameters that it names and nobody gave get their defaults.

    Of columns with one name, as a join's `*` has them, the second becomes `name_2`.
    """
    from cashtag import services
    from cashtag.warehouse.duckdb import DuckDBWarehouse

    lake = services.folder_lake(settings.lake)
    with DuckDBWarehouse(lake) as warehouse:
        rows = warehouse.query(select, _params(lake, select, given))
    return rows.rename_columns(_distinct(rows.column_names))


def _params(lake: Lake, select: str, given: list[str]) -> dict[str, SqlValue]:
    params = _given(given)
    missing = [name for name in sql.parameters(select) if name not in params]
    return params | _defaults(lake, missing) if missing else params


def _distinct(names: list[str]) -> list[str]:
    """Names as they are, repeated ones numbered: a row object holds each name once."""
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found


def _given(pairs: list[str]) -> dict[str, SqlValue]:
    params: dict[str, SqlValue] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--param {pair!r} is no NAME=VALUE")
        params[name.strip().lstrip(":")] = _value(value)
    return params


def _value(value: str) -> SqlValue:
    for read in (int, float, date.fromisoformat, datetime.fromisoformat):
        try:
            found: SqlValue = read(value)
        except ValueError:
            continue
        return found
    return value


def _defaults(lake: Lake, names: list[str]) -> dict[str, SqlValue]:
    """:first and :last span the lake's runs and sessions; nothing else has a default."""
    defaults: dict[str, SqlValue] = {}
    if "first" in names or "last" in names:
        runs = list(partitions(lake, contract("tweets")))
        found = list(partitions(lake, contract("daily_signals")))
        days = sorted([*runs, *found])
        # An empty lake answers with no rows, not with an error.
        defaults["first"] = days[0] if days else date(1970, 1, 1)
        defaults["last"] = days[-1] if days else date(1970, 1, 1)
    return {name: value for name, value in defaults.items() if name in names}


def sessions_of(lake: Lake, first: date | None, last: date | None) -> tuple[date, date]:
    """First and last session with signals, narrowed by what was asked.

    Raises:
        InputError: the lake has no signals there.
    """
    found = list(partitions(lake, contract("daily_signals"), first, last))
    if not found:
        raise InputError(
            f"the lake {lake.raw.uri().rsplit('/', 1)[0]} has no signals"
            f"{f' from {first}' if first else ''}{f' to {last}' if last else ''}; "
            "make some with `cashtag run`"
        )
    return found[0], found[-1]
