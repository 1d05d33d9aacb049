"""Bars, dates and hostile texts that the tests of Athena's path share."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pyarrow as pa

from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Lake

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)
at = datetime.fromisoformat  # UTC, naive as stored

HOSTILE = [
    "it's '' ''' $NVDA; DROP TABLE tweets; --",
    "?? :first /* */ -- \" ` \\ \\' %s {x}",
    "line\r\nbreak\ttab\u2028separator\u00a0space",
    "😀👩‍👩‍👧 é e\u0301 \u202eright to left עברית 日本語",
    "' OR 1 = 1) TO 's3://elsewhere' WITH (format = 'JSON') --",
    "",
    " ",
    "NULL",
    "\\N",
    "x" * 5000 + "'" * 700,
]


def bar(ticker: str, close: float = 10.0, **more: Any) -> dict[str, Any]:
    base = {"ticker": ticker, "session": date(2026, 1, 2), "close": close, "volume": 100}
    prices = dict.fromkeys(("open", "high", "low", "adjusted_close"), close)
    rest = {"dividend": None, "split": None, "source": "synthetic"}
    return base | prices | rest | more


def bars(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=contract("prices").arrow_schema())


def put_bars(lake: Lake, dt: date, *rows: dict[str, Any]) -> None:
    data = parquet.write(contract("prices"), bars(*rows))
    lake.enriched.put(layout.enriched("prices", dt), data)


def closes(warehouse: Any, first: date, last: date) -> list[tuple[str, float]]:
    found = warehouse.query(
        "SELECT ticker, close FROM prices WHERE dt BETWEEN :a AND :b ORDER BY close, ticker",
        {"a": first, "b": last},
    )
    return [tuple(row.values()) for row in found.to_pylist()]
