"""The options table of a day: made, replaced, empty, asked by SQL; what is rejected is kept."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import cashtag
from cashtag import services
from cashtag.enrich import staging
from cashtag.lake import completion, layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import read
from cashtag.ports import Env
from cashtag.settings import load
from cashtag.warehouse import sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

MONDAY, TUESDAY = date(2026, 8, 17), date(2026, 8, 18)
FRIDAY = date(2026, 8, 21)
SPAN = {"first": MONDAY, "last": TUESDAY, "ticker": "TSLA"}
BUILD = "b"
KEY = layout.raw("options", MONDAY, "alpaca", "TSLA")


@pytest.fixture
def env(tmp_path: Path) -> Env:
    return services.embedded(load(environ={}, overrides={"lake": str(tmp_path)}))


def line(symbol: str, **more: Any) -> bytes:
    data = {"symbol": symbol, "snapshot": {}, "contract": {}, "underlying": {}, **more}
    scraped_at = "2026-08-17T12:00:00+00:00"
    return json.dumps(
        {"source": "alpaca", "scraped_at": scraped_at, "query": "", "data": data}
    ).encode()


def stage(env: Env, key: str, *given: bytes) -> dict[str, int]:
    env.lake.raw.put_if_absent(key, lines.pack(given))
    parsed = layout.parse_raw(key)
    assert parsed is not None
    return staging.stage(env.settings, env.lake, env.scorer, BUILD, parsed, lambda: ()).counts


def compact(env: Env, *keys: str, dt: date = MONDAY) -> pa.Table:
    staging.compact(env.settings, env.lake, BUILD, dt, keys)
    table = read(env.lake, contract("options"), dt)
    assert table is not None
    return table


def test_chains_of_a_day_are_one_table_sorted_by_ticker_and_contract(env: Env) -> None:
    other = layout.raw("options", MONDAY, "alpaca", "NVDA")
    stage(env, KEY, line("TSLA260821P00250000"), line("TSLA260821C00250000"))
    stage(env, other, line("NVDA260821C00180000"))
    table = compact(env, KEY, other)
    assert table["contract"].to_pylist() == [
        "NVDA260821C00180000",
        "TSLA260821C00250000",
        "TSLA260821P00250000",
    ]


def test_a_chain_that_is_not_staged_is_missed(env: Env) -> None:
    assert completion.missing(env.lake, BUILD, [KEY]) == [KEY]
    stage(env, KEY, line("TSLA260821C00250000"))
    assert completion.missing(env.lake, BUILD, [KEY]) == []


def test_lines_that_are_no_contracts_are_kept_beside_the_stage(env: Env) -> None:
    counts = stage(env, KEY, line("TSLA1260821C00250000"), b"{", line("TSLA260821C00250000"))
    assert (counts["lines"], counts["rows"], counts["rejected"]) == (3, 1, 2)
    kept = lines.read(env.lake.enriched.get(layout.rejected(BUILD, KEY)), KEY)
    assert [(row["reason"], row["line"]) for row in map(json.loads, kept)] == [
        ("adjusted-contract", 1),
        ("json", 2),
    ]


def test_no_model_is_asked_and_no_score_is_recorded(env: Env) -> None:
    stage(env, KEY, line("TSLA260821C00250000"))
    assert list(env.lake.enriched.list("scores/")) == []


def test_a_table_that_is_no_longer_justified_is_replaced_by_an_empty_one(env: Env) -> None:
    stage(env, KEY, line("TSLA260821C00250000"))
    assert compact(env, KEY).num_rows == 1
    assert compact(env).num_rows == 0


def test_the_same_chains_make_the_same_bytes(env: Env) -> None:
    rows = [line(f"TSLA260821C00{n}000") for n in range(100, 150)]
    stage(env, KEY, *rows)
    compact(env, KEY)
    first = env.lake.enriched.get(layout.enriched("options", MONDAY))
    stage(env, KEY, *rows)
    compact(env, KEY)
    assert env.lake.enriched.get(layout.enriched("options", MONDAY)) == first


# ---------------------------------------------------------------- SQL


def option(right: str, strike: float, iv: float | None, **more: Any) -> dict[str, Any]:
    """A row of a TSLA contract of Friday, with the underlying at 250."""
    given = {
        "ticker": "TSLA",
        "contract": f"TSLA260821{right[0]}{round(strike * 1000):08d}",
        "expiry": FRIDAY,
        "option_right": right,
        "strike": strike,
        "bid": 4.0,
        "ask": 6.0,
        "mid": 5.0,
        "iv": iv,
        "underlying_price": 250.0,
        "snapshot_at": datetime.fromisoformat("2026-08-17 12:00"),
        "flags": [],
        "source": "alpaca",
        **more,
    }
    return {**dict.fromkeys(contract("options").names), **given}


@pytest.fixture
def chains(env: Env) -> Env:
    """Two days of chains."""
    days = {
        MONDAY: [
            option("CALL", 250.0, 0.40),
            option("PUT", 250.0, 0.50),
            option("CALL", 255.0, 0.90),  # further from the money
            option("PUT", 249.0, None, flags=["placeholder-iv"]),
            option("CALL", 251.0, 0.99, flags=["crossed"]),
            option("CALL", 250.0, 0.70, contract="TSLA260814C00250000",
                   expiry=date(2026, 8, 14), flags=["expired"]),
        ],
        TUESDAY: [
            option("CALL", 245.0, 0.30),
            # As near to 250 as the one of 245; of two the lower strike counts.
            option("CALL", 255.0, 0.60),
            option("PUT", 250.0, 0.60, underlying_price=None),
            option("CALL", 250.0, 0.80, ticker="NVDA"),  # another's chain
        ],
    }  # fmt: skip
    schema = contract("options").arrow_schema()
    for dt, rows in days.items():
        table = pa.Table.from_pylist(rows, schema=schema)
        env.lake.enriched.put(
            layout.enriched("options", dt), parquet.write(contract("options"), table)
        )
    return env


def test_sql_reads_the_chains_of_a_day(chains: Env) -> None:
    text = (
        "SELECT CAST(option_right AS varchar) AS option_right, CAST(count(*) AS bigint) AS n, "
        "CAST(max(strike) AS double) AS top FROM options WHERE dt = :dt "
        "AND NOT contains(flags, 'expired') GROUP BY option_right ORDER BY option_right"
    )
    with DuckDBWarehouse(chains.lake) as warehouse:
        assert warehouse.query(text, {"dt": MONDAY}).to_pylist() == [
            {"option_right": "CALL", "n": 3, "top": 255.0},
            {"option_right": "PUT", "n": 2, "top": 250.0},
        ]


def test_volatility_at_the_money_by_expiry(chains: Env) -> None:
    query = sql.load("queries", "implied_volatility")
    assert set(query.parameters) == {"first", "last", "ticker"}
    with DuckDBWarehouse(chains.lake) as warehouse:
        found = warehouse.query(query.text, SPAN).to_pylist()
    columns = ("dt", "ticker", "expiry", "iv", "call_iv", "put_iv", "spread_share")
    assert [tuple(row[name] for name in columns) for row in found] == [
        # The mean of the call (0.4) and the put (0.5) at 250; a spread of 2 dollars around 5.
        (MONDAY, "TSLA", FRIDAY, pytest.approx(0.45), 0.4, 0.5, pytest.approx(0.4)),
        (TUESDAY, "TSLA", FRIDAY, 0.3, 0.3, None, pytest.approx(0.4)),
    ]


def test_a_notebook_reads_the_table(chains: Env, tmp_path: Path) -> None:
    lake = cashtag.open(str(tmp_path))
    frame = lake.table("options", start=MONDAY, end=TUESDAY)
    assert len(frame) == 6 + 4
    assert set(frame["dt"].astype(str)) == {"2026-08-17", "2026-08-18"}


def test_a_lake_without_chains_answers_with_no_rows(env: Env) -> None:
    query = sql.load("queries", "implied_volatility")
    with DuckDBWarehouse(env.lake) as warehouse:
        assert warehouse.query(query.text, SPAN).num_rows == 0
