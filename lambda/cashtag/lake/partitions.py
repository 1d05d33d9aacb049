"""Which partitions of a table there are, and their rows: reading for status, hashes, notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from cashtag.errors import ContractError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import Contract
from cashtag.ports import Lake, Store

if TYPE_CHECKING:
    import pyarrow as pa


def zone_of(lake: Lake, contract: Contract) -> Store:
    """The store that holds a table."""
    store: Store = getattr(lake, contract.zone)
    return store


def key_of(contract: Contract, partition: date) -> str:
    """The key of one partition's object in its zone."""
    return f"{contract.name}/{contract.partition}={partition}/{layout.PART}"


def partitions(
    lake: Lake, contract: Contract, first: date | None = None, last: date | None = None
) -> Iterator[date]:
    """Dates of the partitions that exist, ascending."""
    prefix = f"{contract.name}/{contract.partition}="
    for info in zone_of(lake, contract).list(prefix):
        rest = info.key.removeprefix(prefix)
        if rest[10:] == f"/{layout.PART}":
            partition = date.fromisoformat(rest[:10])
            if (first is None or partition >= first) and (last is None or partition <= last):
                yield partition


def read(lake: Lake, contract: Contract, partition: date) -> pa.Table | None:
    """Rows of one partition without its partition column; None when it does not exist.

    Raises:
        ContractError: the object is damaged, or of another contract.
    """
    store, key = zone_of(lake, contract), key_of(contract, partition)
    if not store.exists(key):
        return None
    try:
        return parquet.read(contract, store.get(key))
    except ContractError as error:
        raise ContractError(
            f"{store.uri(key)}: {error} (cashtag rebuild --from {partition})"
        ) from error


def read_range(
    lake: Lake, contract: Contract, first: date | None = None, last: date | None = None
) -> pa.Table:
    """Rows of all partitions from `first` to `last`, the partition column in front."""
    import pyarrow as pa

    found = []
    for partition in partitions(lake, contract, first, last):
        table = read(lake, contract, partition)
        assert table is not None
        column = pa.array([partition] * table.num_rows, pa.date32())
        found.append(table.add_column(0, contract.partition, column))
    if not found:
        return contract.empty().add_column(0, contract.partition, pa.array([], pa.date32()))
    return pa.concat_tables(found)


def hashes(lake: Lake, contract: Contract) -> Iterator[tuple[date, int, str]]:
    """(partition, rows, canonical content hash) of each partition, ascending."""
    for partition in partitions(lake, contract):
        table = read(lake, contract, partition)
        assert table is not None
        yield partition, table.num_rows, parquet.content_hash(contract, table)
