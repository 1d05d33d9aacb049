"""The warehouse over a lake of folders: what it opens, what it answers, what it refuses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cashtag.errors import ContractError, InputError, StoreError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.disk import FolderStore
from cashtag.ports import Lake, ObjectInfo
from cashtag.warehouse import dialect, partitions, sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

MONDAY = date(2026, 1, 5)
moment = datetime.fromisoformat  # naive: UTC, as the lake stores it
ZONES = ("raw", "enriched", "signals", "ledger", "report")


class WatchedStore(FolderStore):
    """A folder that notes which keys are asked for, and which prefixes are listed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []
        self.listed: list[str] = []

    def exists(self, key: str) -> bool:
        self.asked.append(key)
        return super().exists(key)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self.listed.append(prefix)
        return super().list(prefix)


def lake_at(root: Path) -> Lake:
    return Lake(*(WatchedStore(root / zone) for zone in ZONES))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_at(tmp_path)


@pytest.fixture
def warehouse(lake: Lake) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(lake) as opened:
        yield opened


def bar(ticker: str, session: date, close: float = 10.0) -> dict[str, Any]:
    return {
        "ticker": ticker,
        "session": session,
        "open": close,
        "high": close,
        "low": close,
        "close": close,
        "adjusted_close": close,
        "volume": 100,
        "dividend": None,
        "split": None,
        "source": "synthetic",
    }


def put_bars(lake: Lake, dt: date, *rows: dict[str, Any]) -> None:
    table = pa.Table.from_pylist(list(rows), schema=contract("prices").arrow_schema())
    lake.enriched.put(layout.enriched("prices", dt), parquet.write(contract("prices"), table))


def put_days(lake: Lake, days: int) -> None:
    """One bar of NVDA in each of `days` partitions from Monday on; the close counts them."""
    for n in range(days):
        put_bars(lake, MONDAY + timedelta(days=n), bar("NVDA", date(2026, 1, 2), 1.0 + n))


def closes(warehouse: DuckDBWarehouse, where: str, **params: Any) -> list[float]:
    found = warehouse.query(f"SELECT close FROM prices WHERE {where} ORDER BY close", params)
    return found.column("close").to_pylist()


# ---------------------------------------------------------------- partitions

TUESDAY = MONDAY + timedelta(days=1)
FRIDAY = MONDAY + timedelta(days=4)


@pytest.mark.parametrize(
    ("where", "params", "wanted"),
    [
        ("dt = :a", {"a": TUESDAY}, [2.0]),
        ("dt BETWEEN :a AND :b", {"a": TUESDAY, "b": date(2026, 1, 7)}, [2.0, 3.0]),
        ("dt BETWEEN DATE '2026-01-06' AND DATE '2026-01-07'", {}, [2.0, 3.0]),
        ("dt = CAST('2026-01-06' AS date)", {}, [2.0]),
        ("dt IN (:a, DATE '2026-01-08')", {"a": MONDAY}, [1.0, 4.0]),
        ("dt >= :a AND dt < :b", {"a": TUESDAY, "b": date(2026, 1, 7)}, [2.0]),
        (":a <= dt AND :b >= dt", {"a": TUESDAY, "b": date(2026, 1, 7)}, [2.0, 3.0]),
        ("dt BETWEEN date_add('day', -1, :a) AND :a", {"a": TUESDAY}, [1.0, 2.0]),
        ("(dt = :a) AND close > 0e0", {"a": TUESDAY}, [2.0]),
        ("dt = :a AND dt = :b", {"a": TUESDAY, "b": FRIDAY}, []),
        ("dt BETWEEN :b AND :a", {"a": TUESDAY, "b": FRIDAY}, []),
        # A moment binds a date column by the days it touches; the predicate itself decides.
        ("dt BETWEEN :a AND :b", {"a": TUESDAY, "b": moment("2026-01-07 12:00")}, [2.0, 3.0]),
        ("dt = :a", {"a": None}, []),
    ],
)
def test_a_bound_scan_asks_for_its_dates_and_lists_nothing(
    lake: Lake, warehouse: DuckDBWarehouse, where: str, params: dict[str, Any], wanted: list[float]
) -> None:
    put_days(lake, 5)
    assert closes(warehouse, where, **params) == wanted
    assert isinstance(lake.enriched, WatchedStore)
    assert lake.enriched.listed == []
    assert len(lake.enriched.asked) <= 4


@pytest.mark.parametrize(
    "where",
    [
        "dt = :a OR close > 100e0",
        "NOT dt <> :a",
        "date_add('day', 0, dt) = :a",
        "dt + INTERVAL '0' DAY = :a",
    ],
)
def test_other_predicates_read_every_partition_and_still_answer(
    lake: Lake, warehouse: DuckDBWarehouse, where: str
) -> None:
    put_days(lake, 3)
    assert closes(warehouse, where, a=TUESDAY) == [2.0]
    assert isinstance(lake.enriched, WatchedStore)
    assert lake.enriched.listed == ["prices/dt="]


def test_a_very_long_window_lists_instead_of_asking_for_each_date(
    lake: Lake, warehouse: DuckDBWarehouse
) -> None:
    put_days(lake, 2)
    long = timedelta(days=partitions.MOST_PROBES + 1)
    assert closes(warehouse, "dt BETWEEN :a AND :b", a=MONDAY - long, b=MONDAY) == [1.0]
    assert isinstance(lake.enriched, WatchedStore)
    assert lake.enriched.asked == []


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        # in the ON of an inner join, for either side
        (
            "SELECT count(*) AS n FROM prices AS a JOIN prices AS b ON b.dt = :b AND a.dt = :a",
            {"2026-01-05", "2026-01-06"},
        ),
        # in the ON of a LEFT JOIN, for the joined side
        (
            "SELECT count(*) AS n FROM prices AS a LEFT JOIN prices AS b ON b.dt = :b WHERE a.dt = :a",
            {"2026-01-05", "2026-01-06"},
        ),
        # in a CTE, a subquery and an EXISTS, each for its own scan
        (
            "WITH x AS (SELECT ticker FROM prices WHERE dt = :a) SELECT count(*) AS n FROM x "
            "WHERE EXISTS (SELECT 1 FROM prices AS p WHERE p.dt = :b AND p.ticker = x.ticker)",
            {"2026-01-05", "2026-01-06"},
        ),
        # under a name that hides the table's own
        (
            "WITH prices AS (SELECT close FROM prices WHERE dt = :a OR dt = :b AND dt = :a) "
            "SELECT count(*) AS n FROM prices",
            None,
        ),
    ],
)
def test_each_scan_has_its_own_partitions(
    lake: Lake, warehouse: DuckDBWarehouse, query: str, asked: set[str] | None
) -> None:
    put_days(lake, 3)
    assert warehouse.query(query, {"a": MONDAY, "b": TUESDAY}).to_pylist() == [{"n": 1}]
    assert isinstance(lake.enriched, WatchedStore)
    if asked is None:
        assert lake.enriched.listed
    else:
        assert {key.split("=")[1][:10] for key in lake.enriched.asked} == asked


def test_a_predicate_in_a_left_joins_on_does_not_bind_the_kept_side(
    lake: Lake, warehouse: DuckDBWarehouse
) -> None:
    put_days(lake, 3)
    # Every row of `a` is kept, matched or not: three rows, of which Tuesday's has a match.
    found = warehouse.query(
        "SELECT a.close, b.close AS other FROM prices AS a "
        "LEFT JOIN prices AS b ON a.dt = :d AND b.dt = :d ORDER BY a.close",
        {"d": TUESDAY},
    )
    assert [tuple(r.values()) for r in found.to_pylist()] == [(1.0, None), (2.0, 2.0), (3.0, None)]


def test_the_partition_is_read_from_the_lakes_own_path(tmp_path: Path) -> None:
    # Folders above the lake may look like partitions and columns too.
    lake = lake_at(tmp_path / "dt=1999-01-01" / "source=elsewhere" / "it's here")
    put_days(lake, 2)
    with DuckDBWarehouse(lake) as warehouse:
        found = warehouse.query("SELECT dt, source, close FROM prices ORDER BY dt").to_pylist()
    assert found == [
        {"dt": MONDAY, "source": "synthetic", "close": 1.0},
        {"dt": TUESDAY, "source": "synthetic", "close": 2.0},
    ]


def test_foreign_objects_in_a_tables_folder_are_no_partitions(
    lake: Lake, warehouse: DuckDBWarehouse
) -> None:
    put_days(lake, 1)
    for key in ("prices/dt=soon/part-0.parquet", "prices/dt=2026-01-06/notes.txt", "prices/dt=x"):
        lake.enriched.put(key, b"not a table")
    assert closes(warehouse, "true") == [1.0]


def test_a_table_without_objects_is_empty_and_typed(warehouse: DuckDBWarehouse) -> None:
    found = warehouse.query("SELECT dt, tweet_id, created_at, likes, cashtags, hour_ny FROM tweets")
    assert found.num_rows == 0
    assert [str(t) for t in found.schema.types] == [
        "date32[day]",
        "string",
        "timestamp[us]",
        "int64",
        "list<l: string>",
        "int32",
    ]


def test_a_column_that_an_old_partition_lacks_is_null_there(
    lake: Lake, warehouse: DuckDBWarehouse
) -> None:
    put_bars(lake, TUESDAY, {**bar("NVDA", date(2026, 1, 2)), "dividend": 0.5})
    whole = pa.Table.from_pylist([bar("NVDA", date(2026, 1, 2))], contract("prices").arrow_schema())
    sink = pa.BufferOutputStream()
    pq.write_table(whole.drop_columns(["dividend"]), sink)
    lake.enriched.put(layout.enriched("prices", MONDAY), sink.getvalue().to_pybytes())
    query = "SELECT dividend FROM prices WHERE dt BETWEEN :a AND :b ORDER BY dt"
    both = warehouse.query(query, {"a": MONDAY, "b": TUESDAY})
    assert both.column(0).to_pylist() == [None, 0.5]
    old = warehouse.query(query, {"a": MONDAY, "b": MONDAY})
    assert old.column(0).to_pylist() == [None]
    assert str(old.schema.types[0]) == "double"


def test_a_replaced_partition_is_seen_by_the_next_query(
    lake: Lake, warehouse: DuckDBWarehouse
) -> None:
    for close in (1.0, 2.0, 3.0):  # same size, within one tick of the file system's clock
        put_bars(lake, MONDAY, bar("NVDA", date(2026, 1, 2), close))
        assert closes(warehouse, "dt = :a", a=MONDAY) == [close]


def test_signals_and_ledger_are_partitioned_by_session(
    lake: Lake, warehouse: DuckDBWarehouse
) -> None:
    rows = pa.Table.from_pylist(
        [{"ticker": "NVDA", "kind": "STOCK", "direction": "BUY"}],
        contract("scorecard").arrow_schema(),
    )
    data = parquet.write(contract("scorecard"), rows)
    lake.signals.put(layout.signals("scorecard", MONDAY), data)
    found = warehouse.query(
        "SELECT session, direction FROM scorecard WHERE session = :s", {"s": MONDAY}
    )
    assert found.to_pylist() == [{"session": MONDAY, "direction": "BUY"}]
    assert warehouse.query("SELECT count(*) AS n FROM trades").to_pylist() == [{"n": 0}]


@pytest.mark.parametrize("data", [b"", b"xx", b"PAR1garbagegarbagePAR1"])
def test_a_broken_object_is_a_store_error_that_names_it(
    lake: Lake, warehouse: DuckDBWarehouse, data: bytes
) -> None:
    lake.enriched.put(layout.enriched("prices", MONDAY), data)
    with pytest.raises(StoreError, match=r"prices/dt=2026-01-05/part-0\.parquet"):
        closes(warehouse, "dt = :a", a=MONDAY)


# ---------------------------------------------------------------- results


def test_a_result_for_a_table_is_typed_rounded_and_sorted(
    lake: Lake, warehouse: DuckDBWarehouse
) -> None:
    put_bars(
        lake,
        MONDAY,
        bar("TSLA", date(2026, 1, 2), 3.0),
        bar("NVDA", date(2026, 1, 2), 7.0),
    )
    query = """
      SELECT ticker, 'STOCK' AS kind, 'BUY' AS direction, close / 9e0 AS confidence,
        CAST(NULL AS double) AS return_open_close, close AS return_close_close, true AS hit
      FROM prices WHERE dt = :dt ORDER BY ticker DESC"""
    found = warehouse.query(query, {"dt": MONDAY}, table="scorecard")
    assert found.schema == contract("scorecard").arrow_schema()
    # 7/9 and 1/3 to ten significant digits, in the order of the key
    assert found.column("ticker").to_pylist() == ["NVDA", "TSLA"]
    assert found.column("confidence").to_pylist() == [0.7777777778, 0.3333333333]


def test_a_result_that_does_not_fit_its_table_is_a_contract_error(
    warehouse: DuckDBWarehouse,
) -> None:
    with pytest.raises(ContractError, match="scorecard"):
        warehouse.query("SELECT 'NVDA' AS ticker", table="scorecard")


def test_rows_in_memory_stand_in_for_a_table(lake: Lake, warehouse: DuckDBWarehouse) -> None:
    put_days(lake, 1)
    rows = pa.table({"dt": [TUESDAY], "ticker": ["AAPL"], "close": [5.0]})
    query = "SELECT ticker, close FROM prices WHERE dt BETWEEN :a AND :b"
    given_rows = warehouse.query(query, {"a": MONDAY, "b": FRIDAY}, tables={"prices": rows})
    assert given_rows.to_pylist() == [{"ticker": "AAPL", "close": 5.0}]
    stored = warehouse.query(query, {"a": MONDAY, "b": FRIDAY})
    assert stored.to_pylist() == [{"ticker": "NVDA", "close": 1.0}]


def test_columns_without_a_name_are_named_as_athena_names_them(warehouse: DuckDBWarehouse) -> None:
    found = warehouse.query("SELECT 1, 2 AS b, 'x' || 'y'")
    assert found.schema.names == ["_col0", "b", "_col2"]


def test_names_of_tables_and_columns_have_no_case(lake: Lake, warehouse: DuckDBWarehouse) -> None:
    put_days(lake, 1)
    found = warehouse.query("SELECT P.Close AS C FROM Prices AS P WHERE P.DT = :d", {"d": MONDAY})
    assert found.to_pylist() == [{"c": 1.0}]


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("it's :a -- b", "string"),
        ("", "string"),
        ("😀\r\n\x00", "string"),
        (True, "bool"),
        (7, "int32"),
        (2**40, "int64"),
        (-(2**63), "int64"),
        (0.1, "double"),
        (1e-7, "double"),
        (5e-324, "double"),
        (MONDAY, "date32[day]"),
        (moment("2026-01-05 12:30:00.123"), "timestamp[us]"),
        (None, None),
    ],
)
def test_a_value_is_bound_as_it_is(
    warehouse: DuckDBWarehouse, value: Any, kind: str | None
) -> None:
    found = warehouse.query("SELECT :v AS v", {"v": value})
    assert found.to_pylist() == [{"v": value}]
    assert kind is None or str(found.schema.types[0]) == kind


def test_an_aware_moment_is_bound_in_utc(warehouse: DuckDBWarehouse) -> None:
    new_york = timezone(timedelta(hours=-5))
    found = warehouse.query(
        "SELECT :v AS v, hour(:v) AS h", {"v": datetime(2026, 1, 5, 8, tzinfo=new_york)}
    )
    assert found.to_pylist() == [{"v": moment("2026-01-05 13:00"), "h": 13}]


def test_hostile_text_stays_a_value(lake: Lake, warehouse: DuckDBWarehouse) -> None:
    put_days(lake, 1)
    hostile = "NVDA' OR '1'='1'; DROP TABLE prices; --"
    assert closes(warehouse, "ticker = :t AND dt = :d", t=hostile, d=MONDAY) == []


def test_missing_and_unused_parameters_are_refused_by_name(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(InputError, match=":b has no value"):
        warehouse.query("SELECT :a AS a, :b AS b", {"a": 1})
    with pytest.raises(InputError, match=r":c is not used by the query; it takes :a"):
        warehouse.query("SELECT :a AS a", {"a": 1, "c": 1})
    with pytest.raises(InputError, match="it takes no parameters"):
        warehouse.query("SELECT 1 AS a", {"c": 1})
    with pytest.raises(InputError, match="a list cannot be bound"):
        warehouse.query("SELECT :a AS a", {"a": [1]})  # type: ignore[dict-item]
    with pytest.raises(InputError, match="has no name"):
        warehouse.query("SELECT ? AS a")


def test_a_parameter_may_limit_and_frame(warehouse: DuckDBWarehouse) -> None:
    query = """SELECT x, sum(x) OVER (ORDER BY x ROWS BETWEEN :n PRECEDING AND CURRENT ROW) AS s
      FROM (VALUES 1, 2, 4) AS t(x) ORDER BY x LIMIT :n"""
    found = warehouse.query(query, {"n": 2}).to_pylist()
    assert found == [{"x": 1, "s": 1}, {"x": 2, "s": 3}]


def test_the_same_text_is_translated_by_the_types_of_its_values(warehouse: DuckDBWarehouse) -> None:
    query = "SELECT 7 / :n AS v"
    assert warehouse.query(query, {"n": 2}).to_pylist() == [{"v": 3}]
    assert warehouse.query(query, {"n": 2.0}).to_pylist() == [{"v": 3.5}]


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DROP TABLE prices", "DROP is not allowed"),
        ("INSERT INTO prices SELECT 1", "INSERT is not allowed"),
        ("CREATE TABLE x AS SELECT 1 AS a", "CREATE is not allowed"),
        ("COPY prices TO '/tmp/x'", "COPY is not allowed"),
        ("ATTACH '/tmp/x'", "ATTACH is not allowed"),
        ("INSTALL httpfs", "INSTALL is not allowed"),
        ("PRAGMA version", "PRAGMA is not allowed"),
        ("SET threads = 4", "SET is not allowed"),
        ("EXPLAIN SELECT 1", "EXPLAIN is not allowed"),
        ("UNLOAD (SELECT 1) TO 's3://x'", "UNLOAD is not allowed"),
        ("-- a comment\nDELETE FROM prices", "DELETE is not allowed"),
        ("WITH a AS (SELECT 1 AS x) DELETE FROM prices", "not allowed"),
        ("SELECT 1 AS a; SELECT 2 AS a", "2 statements"),
        ("", "empty"),
        ("-- nothing", "empty"),
        ("SELECT FROM WHERE", "line 1, column"),
        ("SELECT * FROM read_parquet('/etc/passwd')", "is no table"),
        ("SELECT * FROM read_csv('/etc/passwd')", "is no table"),
        ("SELECT * FROM read_text('/etc/passwd')", "is no table"),
        ("SELECT * FROM glob('/*')", "SQL syntax"),
        ("SELECT * FROM duckdb_settings()", "is no table"),
        ("SELECT * FROM '/etc/passwd'", "no table"),
        ('SELECT * FROM "/etc/passwd"', "no table"),
        ("SELECT * FROM information_schema.tables", "no table"),
        ("SELECT * FROM other.prices", "no table"),
        ("SELECT * FROM price", "did you mean prices"),
        ("SELECT tiker FROM prices", "no column 'tiker' (line 1, column 12); did you mean ticker"),
        ("SELECT p.clos FROM prices AS p", "no column 'clos'"),
        ("SELECT ticker AS t FROM prices WHERE t = 'a'", "ORDER BY only"),
        ("SELECT frob(ticker) AS x FROM prices", "frob"),
        ("SELECT CAST(ticker AS integer) AS x FROM (VALUES 'x') AS t(ticker)", "no integer: x"),
    ],
)
def test_what_may_not_run_is_refused_in_words(
    warehouse: DuckDBWarehouse, text: str, words: str
) -> None:
    with pytest.raises(InputError) as raised:
        warehouse.query(text)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_engine_itself_can_open_nothing_outside_the_lake(
    lake: Lake, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    put_days(lake, 1)
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    engine = warehouse._connect()
    for statement in (
        f"SELECT * FROM read_csv('{outside}')",
        f"COPY (SELECT 1) TO '{outside}'",
        f"ATTACH '{tmp_path / 'x.db'}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET threads = 8",
    ):
        with pytest.raises(Exception, match=r"disabled|locked"):
            engine.execute(statement)
    assert outside.read_text() == "a\n1\n"


# ---------------------------------------------------------------- life of a connection


def test_nothing_connects_before_the_first_query_or_after_closing(lake: Lake) -> None:
    warehouse = DuckDBWarehouse(lake)
    assert warehouse._connection is None
    warehouse.close()
    assert warehouse.query("SELECT 1 AS a").to_pylist() == [{"a": 1}]
    warehouse.close()
    warehouse.close()
    assert warehouse._connection is None
    assert warehouse.query("SELECT 2 AS a").to_pylist() == [{"a": 2}]
    warehouse.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_makes_its_own_connection(lake: Lake) -> None:
    put_days(lake, 1)
    with DuckDBWarehouse(lake) as warehouse:
        assert closes(warehouse, "dt = :d", d=MONDAY) == [1.0]
        child = os.fork()
        if child == 0:
            os._exit(0 if closes(warehouse, "dt = :d", d=MONDAY) == [1.0] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert closes(warehouse, "dt = :d", d=MONDAY) == [1.0]


def test_registering_knows_the_tables(warehouse: DuckDBWarehouse) -> None:
    warehouse.register("prices", MONDAY)
    with pytest.raises(ContractError, match="no table 'price'"):
        warehouse.register("price", MONDAY)


def test_a_translation_is_made_once_for_a_text_and_its_types() -> None:
    first = dialect.translate("SELECT :a AS once_only", {"a": 1})
    assert dialect.translate("SELECT :a AS once_only", {"a": 2}) is first
    assert dialect.translate("SELECT :a AS once_only", {"a": "x"}) is not first


def test_nothing_of_sqlglot_or_duckdb_loads_with_the_modules() -> None:
    import subprocess
    import sys

    program = (
        "import sys, cashtag.warehouse.sql, cashtag.warehouse.dialect, cashtag.warehouse.duckdb;"
        "sys.exit('sqlglot' in sys.modules or 'duckdb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# ---------------------------------------------------------------- texts and literals


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("it's", "'it''s'"),
        ("", "''"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (-5, "-5"),
        (0.1, "DOUBLE '0.1'"),
        (1e-7, "DOUBLE '1e-07'"),
        (float("nan"), "DOUBLE 'NaN'"),
        (float("-inf"), "DOUBLE '-Infinity'"),
        (MONDAY, "DATE '2026-01-05'"),
        (moment("2026-01-05 12:00"), "TIMESTAMP '2026-01-05 12:00:00.000'"),
        (datetime(2026, 1, 5, 12, tzinfo=UTC), "TIMESTAMP '2026-01-05 12:00:00.000'"),
        (moment("2026-01-05 12:00:00.000001"), "TIMESTAMP '2026-01-05 12:00:00.000001'"),
        (None, "NULL"),
    ],
)
def test_literals_are_athenas(value: Any, text: str) -> None:
    assert sql.literal(value) == text


def test_values_without_a_literal_are_refused() -> None:
    with pytest.raises(InputError, match="does not fit a bigint"):
        sql.literal(2**63)
    with pytest.raises(InputError, match="a bytes cannot be bound"):
        sql.literal(b"x")  # type: ignore[arg-type]


EMPTY = DuckDBWarehouse(Lake(*(FolderStore(Path("nowhere", zone)) for zone in ZONES)))


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        st.floats(allow_nan=False),
        st.integers(-(2**63), 2**63 - 1),
        st.dates(),
        st.datetimes(),
    )
)
def test_a_literal_reads_back_as_its_value(value: Any) -> None:
    found = EMPTY.query("SELECT " + sql.literal(value) + " AS v").column(0)[0].as_py()
    assert found == value
    assert type(found) is type(value)


def test_parameters_are_found_outside_of_strings_and_comments() -> None:
    text = "-- :no\nSELECT ':no', \":no\", /* :no */ a::no, :yes, x[1], :yes, :also FROM t -- :no"
    assert sql.parameters(text) == ("yes", "also")


def test_binding_puts_literals_where_the_names_stood() -> None:
    assert sql.bind("SELECT ':a', x-:a, :b", {"a": -1, "b": "y"}) == "SELECT ':a', x- -1, 'y'"
    assert sql.qmark("SELECT x FROM t WHERE b = :b AND a - :a < :b", {"a": 1, "b": "y"}) == (
        "SELECT x FROM t WHERE b = ? AND a - ? < ?",
        ["'y'", "1", "'y'"],
    )


def test_a_files_header_is_its_description_grain_and_level() -> None:
    query = sql.parse(
        "checks",
        "x",
        "-- fail: keys are unique. One row per (session, ticker) that is twice.\n-- Reads y.\nSELECT :a",
    )
    assert query.level == "fail"
    assert query.about.startswith("keys are unique.")
    assert query.grain == "One row per (session, ticker) that is twice."
    assert query.parameters == ("a",)
    assert sql.parse("sql", "x", "SELECT 1").grain == ""


def test_an_unknown_file_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="sentiment_mix"):
        sql.load("queries", "sentiment_mixx")


def test_named_queries_say_what_they_answer() -> None:
    named = {query.name: query for query in sql.named()}
    assert {"ten_rows", "sentiment_mix", "top_users", "trades", "coverage"} <= set(named)
    assert all(re.match(r"One row per ", query.grain) for query in named.values())
