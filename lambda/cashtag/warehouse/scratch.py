"""Rows that nobody else sees yet, lent to Athena as temporary tables.

A session's tables are checked before they are published. For Athena to read them, each becomes
one Parquet object below `scratch/` of the results zone and a table `scratch_…` of the catalog,
both of a name that no other query has, so that nobody removes what another still reads. Both are
removed afterwards; of a killed process the objects expire, and the tables are swept by a later one.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cashtag.errors import StoreError
from cashtag.lake.contracts import Contract
from cashtag.ports import Store
from cashtag.warehouse import catalog

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "scratch"
PREFIX = "scratch_"
_LEFT_BEHIND = timedelta(days=1)  # no query runs that long: Athena stops one after 30 minutes
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lent:
    """A temporary table: its name in the catalog, its object, and the SELECT that reads it."""

    table: str
    key: str
    select: str


def packed(contract: Contract, rows: pa.Table) -> bytes:
    """Return the rows as one Parquet object, the partition as a column; equal rows, equal bytes.

    Raises:
        ContractError: a column is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from cashtag.lake.parquet import codec

    schema = contract.arrow_schema().append(pa.field(contract.partition, pa.date32()))
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows.select(schema.names).cast(schema), sink, compression=codec(), store_schema=False
    )
    return bytes(sink.getvalue().to_pybytes())


def lend(glue: Any, database: str, store: Store, contract: Contract, data: bytes) -> Lent:
    """Write the rows, and make a table of them.

    Args:
        glue: a boto3 Glue client.
        database: of the catalog.
        store: the results zone.
        contract: whose columns the rows have.
        data: what `packed` returned.

    Raises:
        StoreError: S3 or Glue refuses.
    """
    digest, once = hashlib.sha256(data).hexdigest()[:16], uuid.uuid4().hex[:12]
    folder = f"{FOLDER}/{digest}/{once}"
    lent = Lent(
        table=f"{PREFIX}{digest}_{once}",
        key=f"{folder}/part-0.parquet",
        select=_select(contract, f"{PREFIX}{digest}_{once}"),
    )
    types = {**contract.glue_types(), contract.partition: "date"}
    columns = [{"Name": name, "Type": kind} for name, kind in types.items()]
    store.put(lent.key, data)
    try:
        glue.create_table(
            DatabaseName=database,
            TableInput={
                "Name": lent.table,
                "Description": f"Rows of {contract.name} that are not published; temporary.",
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
                "StorageDescriptor": catalog.parquet_at(store.uri(folder), columns),
            },
        )
    except catalog.failures() as error:
        raise catalog.refused(error, "make the temporary table", database, lent.table) from None
    return lent


def remove(glue: Any, database: str, store: Store, lent: Lent) -> None:
    """Remove a temporary table; where that fails it is left to expire, because no row is wrong."""
    expected: tuple[type[Exception], ...] = (*catalog.failures(), StoreError)
    try:
        glue.delete_table(DatabaseName=database, Name=lent.table)
        store.delete(lent.key)
    except expected as error:
        _log.warning("temporary table %s is left behind: %s", lent.table, type(error).__name__)


def sweep(glue: Any, database: str) -> list[str]:
    """Remove tables that killed processes left behind more than a day ago; return their names."""
    swept = []
    try:
        for name in _old(glue, database):
            try:
                glue.delete_table(DatabaseName=database, Name=name)
            except glue.exceptions.EntityNotFoundException:
                continue  # another one swept it
            swept.append(name)
    except catalog.failures() as error:
        raise catalog.refused(error, "sweep the temporary tables", database, PREFIX) from None
    return swept


def _old(glue: Any, database: str) -> Iterator[str]:
    before = datetime.now(UTC) - _LEFT_BEHIND
    pages = glue.get_paginator("get_tables").paginate(
        DatabaseName=database, Expression=f"{PREFIX}.*"
    )
    for page in pages:
        for table in page["TableList"]:
            if table["Name"].startswith(PREFIX) and table["CreateTime"] < before:
                yield table["Name"]


def _select(contract: Contract, table: str) -> str:
    columns = ", ".join(f'"{name}"' for name in (*contract.names, contract.partition))
    return f"SELECT {columns} FROM {table}"  # noqa: S608  names of ours only
