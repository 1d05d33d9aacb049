"""The laptop's warehouse: DuckDB reads the lake's Parquet in place, in Athena's dialect.

One thread and UTC, because results must not depend on the machine: with two threads a weighted
mean gave three answers in thirty runs. The connection may open files of the lake's zones and
nothing else, and its configuration is locked before the first query.
"""

from __future__ import annotations

import os
import tempfile
import threading
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from cashtag.errors import CashtagError, InputError, StoreError
from cashtag.lake import contracts, layout, parquet
from cashtag.lake.contracts import Contract
from cashtag.ports import Lake, SqlValue, Store
from cashtag.warehouse import dialect, partitions, sql

if TYPE_CHECKING:
    import duckdb

_ZONES = ("enriched", "signals", "ledger")
_SETTINGS = (
    "SET TimeZone='UTC'",
    "SET autoinstall_known_extensions=false",
    "SET autoload_known_extensions=false",
    # An object may be replaced between two queries, within the clock's tick of its time stamp.
    "SET enable_external_file_cache=false",
    "SET parquet_metadata_cache=false",
    "SET temp_directory={temporary}",  # where large sorts spill, instead of the current folder
    "SET allowed_directories=[{directories}]",
    "SET enable_external_access=false",
    "SET lock_configuration=true",
)
# Connections of a parent process: a fork has none of their threads, and closing would wait for them.
_INHERITED: list[duckdb.DuckDBPyConnection | None] = []
_KEPT_STATEMENTS = 256  # parsed texts; a run uses about thirty, and a shell any number
_TYPES: Mapping[str, str] = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "array<string>": "VARCHAR[]",
}

# One thread: sums in one order. Freed memory goes back at once, not from 128 MiB on: a day's
# tables are small, and a whole live day should fit into 300 MB.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "allocator_flush_threshold": "128KB",
    "allocator_bulk_deallocation_flush_threshold": "128KB",
}


class DuckDBWarehouse:
    """Runs Athena-dialect SELECTs over a lake of folders (see ports.Warehouse).

    No connection exists before the first query, and a forked child makes its own.
    """

    concurrency = 1  # one connection, one thread

    def __init__(self, lake: Lake) -> None:
        self._stores: dict[str, Store] = {zone: getattr(lake, zone) for zone in _ZONES}
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._owner = 0
        self._statements: dict[str, duckdb.Statement] = {}
        self._lock = threading.RLock()

    def query(
        self,
        text: str,
        params: Mapping[str, SqlValue] | None = None,
        *,
        table: str | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Return the rows of one SELECT; with `table`, in that contract's canonical form.

        Each of `tables` stands in for the lake's table of that name: rows that are not published
        yet, with their partition column.

        Raises:
            InputError: the SQL or a parameter is wrong, or a value cannot be computed.
            ContractError: with `table`, the rows do not fit it.
            StoreError: an object of the lake cannot be read.
        """
        given = dict(params or {})
        translation = dialect.translate(text, given)
        bound = {name: _bound(value) for name, value in given.items()}
        with self._lock:
            ready = translation.text
            given_names = {}
            files: dict[str, list[str]] = {}
            for scan in translation.scans:
                if tables and scan.table in tables:
                    given_names[scan.table] = f"given {scan.table}"
                    relation = _select_given(scan, given_names[scan.table])
                else:
                    found = self._files(scan, bound)
                    relation = _select(scan, bool(found))
                    files |= {scan.files: found} if found else {}
                ready = ready.replace(scan.mark, relation)
            for name, known_as in given_names.items():
                self._connect().register(known_as, (tables or {})[name])
            try:
                rows = self._run(ready, {n: bound[n] for n in translation.parameters} | files)
            finally:
                for known_as in given_names.values():
                    self._connect().unregister(known_as)
        return parquet.conform(contracts.contract(table), rows) if table else rows

    def register(self, table: str, partition: date) -> None:
        """Do nothing: a partition's object is found by its key. Raises for an unknown table."""
        contracts.contract(table)

    def shared(self) -> AbstractContextManager[None]:
        """Do nothing: rows in memory are read where they are."""
        return nullcontext()

    def close(self) -> None:
        """Close the connection; the next query opens another."""
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            else:
                _INHERITED.append(self._connection)
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---------------------------------------------------------------- one query

    def _files(self, scan: dialect.Scan, bound: Mapping[str, Any]) -> list[str]:
        contract = contracts.contract(scan.table)
        store = self._stores[contract.zone]
        keys = partitions.objects(contract, store, scan.bounds, bound, self._date)
        return [store.uri(key) for key in keys]

    def _date(self, text: str, bound: Mapping[str, Any]) -> date | None:
        wanted = {n: bound[n] for n in sql.dollars(text)}
        value = self._run(f"SELECT CAST({text} AS DATE) AS day", wanted).column(0)[0].as_py()
        return value if isinstance(value, date) else None

    def _run(self, text: str, bound: Mapping[str, Any]) -> pa.Table:
        import duckdb

        try:
            # A relation (`sql`) binds and plans every text twice: 340 ms against 215 ms for the
            # models and checks of a session. The copy that execute() warns of is of few rows.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                connection = self._connect()
                rows = connection.execute(self._parsed(text), dict(bound)).to_arrow_table()
        except duckdb.Error as error:
            raise _refused(error) from error
        return rows

    def _parsed(self, text: str) -> duckdb.Statement:
        """Parse a text once: that is a quarter of the time of a model that reads few rows."""
        if text not in self._statements:
            if len(self._statements) >= _KEPT_STATEMENTS:
                self._statements.clear()
            self._statements[text] = self._connect().extract_statements(text)[0]
        return self._statements[text]

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self._connection is not None and self._owner == os.getpid():
            return self._connection
        _INHERITED.append(self._connection)
        import duckdb

        from cashtag.warehouse import macros

        connection = duckdb.connect(":memory:", config=_CONFIG)
        places = {
            "{directories}": ", ".join(_quoted(store.uri()) for store in self._stores.values()),
            "{temporary}": _quoted(str(Path(tempfile.gettempdir()) / f"cashtag-{os.getpid()}")),
        }
        for statement in (*macros.MACROS, *_SETTINGS):
            for place, value in places.items():
                statement = statement.replace(place, value)
            connection.execute(statement)
        self._connection, self._owner, self._statements = connection, os.getpid(), {}
        return connection


def _select(scan: dialect.Scan, any_files: bool) -> str:
    """Return a subquery with the contract's types: missing columns null, no file no row.

    The empty branch gives every column a name and a type, so that no file has to be asked for
    its schema. The partition comes from the file's path below the lake, whatever `name=value`
    folders the lake itself lies in. The files are a parameter, so that the text stays the same
    from session to session.
    """
    contract = contracts.contract(scan.table)
    types = _column_types(contract)
    empty = ", ".join(f'CAST(NULL AS {types[c]}) AS "{c}"' for c in scan.columns)
    if not any_files:
        return f"(SELECT {empty} WHERE false)"
    wanted = ", ".join(f'CAST("{c}" AS {types[c]}) AS "{c}"' for c in scan.columns)
    day = (
        f"CAST(regexp_extract(filename, '/{contract.partition}=([0-9-]+)/[^/]+$', 1) AS DATE)"
        f' AS "{contract.partition}"'
    )
    # Only our contracts' names are in this text.
    return (
        f"(SELECT {wanted} FROM (SELECT *, {day} FROM read_parquet(${scan.files}, "  # noqa: S608
        f"union_by_name=true, hive_partitioning=false) "
        f"UNION ALL BY NAME SELECT {empty} WHERE false))"
    )


def _column_types(contract: Contract) -> dict[str, str]:
    return {c.name: _TYPES[c.type] for c in contract.columns} | {contract.partition: "DATE"}


def _select_given(scan: dialect.Scan, known_as: str) -> str:
    """Return a subquery over rows in memory, with the contract's types."""
    types = _column_types(contracts.contract(scan.table))
    wanted = ", ".join(f'CAST("{c}" AS {types[c]}) AS "{c}"' for c in scan.columns)
    return f'(SELECT {wanted} FROM "{known_as}")'  # noqa: S608  our names only


def _bound(value: SqlValue) -> Any:
    if isinstance(value, datetime):
        return sql.utc(value)
    return float(value) if isinstance(value, float) else value


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _refused(error: Exception) -> CashtagError:
    import duckdb

    first = str(error).strip().splitlines()[0]
    if isinstance(error, duckdb.IOException) or layout.PART in first:
        return StoreError(f"an object of the lake cannot be read: {first}; build it again")
    return InputError(f"SQL: {first}")
