"""The cloud's warehouse: Athena runs the project's SQL as it is written, over Glue's tables.

A SELECT is unloaded to Parquet in a fresh prefix, so that every value arrives exactly and a query
that was killed or repeated leaves nothing that another one reads; the rows are then cast, rounded
and sorted as the laptop's are. `:name` becomes `?`, bound to a literal of ours.

Where UNLOAD differs from DuckDB, and what is done about it: its files have no order (sorted again
here); no rows mean no file and so no columns (they are taken from the text, where it names and
casts each, as the project's files do; `SELECT *` of nothing is a table of no columns); columns need
distinct names and known types, and a list without items may be refused (errors name the remedy).
Timestamps come back in milliseconds, as the lake has them.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cashtag.errors import CashtagError, InputError, SettingsError, StoreError
from cashtag.lake import contracts, parquet
from cashtag.ports import Lake, SqlValue
from cashtag.settings import Settings
from cashtag.warehouse import athena_unload, catalog, clauses, row_sorting, scans, scratch, sql
from cashtag.warehouse.athena_unload import Unloaded

if TYPE_CHECKING:
    import pyarrow as pa

    from cashtag.lake.s3 import S3Store

UNLOADED = "athena/unloaded"
_NEEDED = ("database", "workgroup", "results")
_log = logging.getLogger(__name__)


class AthenaWarehouse:
    """Runs SELECTs on Athena (see ports.Warehouse); clients are made at the first call.

    Args:
        settings: `[aws]` says where: database, workgroup, results, limits of the queries.
        lake: its zones on S3; partitions are registered at their addresses.

    Raises:
        SettingsError: `[aws]` does not say where.
    """

    def __init__(self, settings: Settings, lake: Lake) -> None:
        missing = [f"aws.{name}" for name in _NEEDED if not getattr(settings.aws, name)]
        if missing:
            raise SettingsError(
                f"{', '.join(missing)} not set: Athena needs a deployed stack; "
                "name it with --env, or deploy one (cashtag deploy)"
            )
        self._aws = settings.aws
        self._lake = lake
        self._watches = athena_unload.Watches(settings.aws.region)
        self._lock = threading.RLock()
        self._clients: dict[str, Any] = {}
        self._kept: dict[str, scratch.Lent] | None = None
        self._sharing = 0
        self._swept = False
        self.scans: list[scans.Scan] = []
        """What this object's queries have scanned, in the order in which they ended."""

    @property
    def concurrency(self) -> int:
        """How many queries may run at once: `aws.athena.concurrency`."""
        return self._aws.athena.concurrency

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
            StoreError: an object of the lake cannot be read, or a temporary one written.
            CloudError: Athena refuses, takes too long, or the day's budget is used up.
        """
        given = dict(params or {})
        statement = clauses.statement(text)
        # With a contract its key is the order; else the query's own is restored.
        query = clauses.Ordered(statement, None) if table else clauses.ordered(statement)
        with self._lent(query.text, tables or {}) as selects:
            bound, literals = sql.qmark(clauses.with_tables(query.text, selects), given)
            rows = self._run(bound, literals, sql.about(text), given)
        if rows is None:
            rows = _no_rows(query.text)
        if table is None:
            return row_sorting.in_order(rows, query)
        contract = contracts.contract(table)
        return parquet.conform(contract, rows) if rows.num_columns else contract.empty()

    def register(self, table: str, partition: date) -> None:
        """Make a partition that was just written visible to queries.

        Raises:
            ContractError: there is no such table.
            StoreError: Glue refuses.
        """
        contract = contracts.contract(table)
        location = getattr(self._lake, contract.zone).uri()
        catalog.register(
            self._client("glue"), self._aws.database, contract, partition, str(location)
        )

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Within it, rows given as `tables` are brought to Athena once, however many queries read them."""
        with self._lock:
            self._sharing += 1
            self._kept = {} if self._kept is None else self._kept
        try:
            yield
        finally:
            kept: dict[str, scratch.Lent] = {}
            with self._lock:
                self._sharing -= 1
                if not self._sharing:
                    kept, self._kept = self._kept or {}, None
            self._remove(kept)

    def close(self) -> None:
        """Do nothing: there is no connection."""

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

    def _run(
        self, statement: str, literals: list[str], about: str, given: Mapping[str, SqlValue]
    ) -> pa.Table | None:
        limits = self._aws.athena
        for attempt in range(1, limits.attempts + 1):
            scans.refuse_above(self._results(), _today(), limits)
            folder = f"{UNLOADED}/{uuid.uuid4().hex}"
            with self._watches.one() as watch:
                done, error = athena_unload.unload(
                    watch, self._aws, statement, literals, self._results().uri(folder)
                )
            if done is not None:
                self._account(done, about)
            if error is None and done is not None:
                return self._read(folder, done)
            again = athena_unload.busy(error) or (done is not None and done.retryable)
            if error is not None and (not again or attempt == limits.attempts):
                raise _told(error, about, done, given)
            time.sleep(limits.retry_seconds * 2 ** (attempt - 1))
        raise AssertionError

    def _account(self, done: Unloaded, about: str) -> None:
        scan = scans.Scan(
            _today(), about, done.query_id, done.state, done.scanned, done.milliseconds
        )
        _log.info(
            "athena query %s %s: %d bytes, %d ms: %s",
            *(done.query_id, done.state, done.scanned, done.milliseconds, about),
        )
        self.scans.append(scan)
        scans.record(self._results(), scan)

    def _read(self, folder: str, done: Unloaded) -> pa.Table | None:
        """Read the files that the query lists as its own; a query without rows has none: None."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from cashtag.lake.s3 import S3Store

        results = self._results()
        base = results.uri(folder) + "/"
        if done.manifest:
            bucket, _, key = done.manifest.removeprefix("s3://").partition("/")
            listed = S3Store(bucket, client=self._client("s3")).get(key).decode().split()
        else:
            listed = [
                results.uri(info.key)
                for info in results.list(f"{folder}/")
                if not info.key.endswith((".csv", ".metadata"))
            ]
        files = []
        for address in listed:
            if not address.startswith(base):
                raise InputError(f"query {done.query_id} wrote to {address}, not below {base}")
            data = results.get(f"{folder}/{address.removeprefix(base)}")
            with pq.ParquetFile(pa.BufferReader(data), coerce_int96_timestamp_unit="ms") as file:
                files.append(file.read(use_threads=False))
        return pa.concat_tables(files) if files else None

    # ---------------------------------------------------------------- rows not published

    @contextmanager
    def _lent(self, text: str, tables: Mapping[str, pa.Table]) -> Iterator[dict[str, str]]:
        """Bring those tables that the text mentions, and yield the SELECTs that read them."""
        own: dict[str, scratch.Lent] = {}
        mentioned = clauses.names(text) if tables else frozenset()
        selects = {}
        try:
            for name in sorted(set(tables) & mentioned):
                contract = contracts.contract(name)
                selects[name] = self._lend(contract, scratch.packed(contract, tables[name]), own)
            yield selects
        finally:
            self._remove(own)

    def _lend(self, contract: contracts.Contract, data: bytes, own: dict[str, scratch.Lent]) -> str:
        with self._lock:
            if not self._swept:
                self._swept = True
                self._sweep()
            kept = own if self._kept is None else self._kept
            known_as = f"{contract.name} {hash(data)}"
            if known_as not in kept:
                kept[known_as] = scratch.lend(
                    self._client("glue"), self._aws.database, self._results(), contract, data
                )
            return kept[known_as].select

    def _sweep(self) -> None:
        """Remove what killed processes left; where that is refused it stays, and no row is wrong."""
        try:
            scratch.sweep(self._client("glue"), self._aws.database)
        except StoreError as error:
            _log.warning("%s", error)

    def _remove(self, lent: Mapping[str, scratch.Lent]) -> None:
        for one in lent.values():
            scratch.remove(self._client("glue"), self._aws.database, self._results(), one)

    # ---------------------------------------------------------------- clients

    def _client(self, service: str) -> Any:
        """Return the one client of a service; clients serve many threads, sessions do not."""
        import boto3
        from botocore.config import Config

        with self._lock:
            if service not in self._clients:
                session: Any = boto3.Session(region_name=self._aws.region or None)
                self._clients[service] = session.client(
                    service,
                    config=Config(
                        retries={"mode": "standard", "max_attempts": 5},
                        max_pool_connections=10 + self.concurrency,
                    ),
                )
            return self._clients[service]

    def _results(self) -> S3Store:
        from cashtag.lake.s3 import S3Store

        bucket, _, prefix = self._aws.results.partition("/")
        return S3Store(bucket, prefix, self._client("s3"))


def _no_rows(text: str) -> pa.Table:
    """Return a table of no rows with the columns that the text tells of; none if it does not."""
    import pyarrow as pa

    types = {
        "varchar": pa.string(),
        "boolean": pa.bool_(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "double": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("ms"),
        "array(varchar)": pa.list_(pa.string()),
    }
    told = clauses.columns(text) or []
    return pa.schema(
        [(name, types.get(kind or "", pa.null())) for name, kind in told]
    ).empty_table()


def _today() -> date:
    """The UTC day that a query is billed on; accounts only, no derived row depends on it."""
    return datetime.now(UTC).date()


def _told(
    error: CashtagError, about: str, done: Unloaded | None, given: Mapping[str, SqlValue]
) -> CashtagError:
    """Return the refusal with the query's first line and its id."""
    number = f" (query {done.query_id})" if done is not None else ""
    return type(error)(f"{about}: {athena_unload.blotted(str(error), given)}{number}")
