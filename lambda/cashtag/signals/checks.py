"""The checks of `glue/checks`: SELECTs whose every row is an offence.

A check whose first line says `fail:` stops publication; one that says `warn:` tells the digest.
Keys, types and nulls need no check: rows that break their contract never become a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cashtag.errors import CheckFailed
from cashtag.ports import SqlValue, Warehouse
from cashtag.warehouse import sql

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 5  # offending rows that a message spells out; the rest are counted


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: how many rows offend it, and the first of them."""

    check: str
    level: sql.Level
    about: str
    n_rows: int
    rows: tuple[dict[str, Any], ...]

    def __str__(self) -> str:
        shown = "; ".join(
            ", ".join(f"{name} {value}" for name, value in row.items()) for row in self.rows
        )
        more = f"; and {self.n_rows - len(self.rows)} more" if self.n_rows > len(self.rows) else ""
        return f"{self.check}: {self.about} Offending: {shown}{more}"


def run(
    warehouse: Warehouse,
    params: Mapping[str, SqlValue],
    tables: Mapping[str, pa.Table] | None = None,
) -> tuple[Finding, ...]:
    """Run every check and return what was found, failures first, by name.

    Args:
        warehouse: where the lake's tables are.
        params: values for every `:name` of the checks; others are left alone.
        tables: rows that are not published yet, with their partition column.
    """

    def one(name: str) -> Finding | None:
        query = sql.load("checks", name)
        wanted = {key: params[key] for key in query.parameters if key in params}
        rows = warehouse.query(query.text, wanted, tables=tables)
        if not rows.num_rows:
            return None
        return Finding(
            check=name,
            level=query.level or "fail",
            about=query.about,
            n_rows=rows.num_rows,
            rows=tuple(rows.slice(0, SHOWN).to_pylist()),
        )

    found = [finding for finding in _each(one, warehouse.concurrency) if finding]
    return tuple(sorted(found, key=lambda finding: (finding.level != "fail", finding.check)))


def _each(check: Callable[[str], Finding | None], at_once: int) -> Iterable[Finding | None]:
    """Run all checks, as many at once as the warehouse takes."""
    if at_once == 1:
        return [check(name) for name in sql.names("checks")]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(check, sql.names("checks")))


def refuse(findings: tuple[Finding, ...], what: str) -> None:
    """Raise CheckFailed when any finding is a failure, naming check and rows."""
    failed = [finding for finding in findings if finding.level == "fail"]
    if failed:
        raise CheckFailed(
            f"{what} is not published, its tables are as they were: " + " | ".join(map(str, failed))
        )
