"""A day's stage objects as one table: what two objects both hold is kept once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from cashtag.enrich.stories import told_once
from cashtag.lake.contracts import Contract
from cashtag.lake.layout import RawKey


def natural_order(keys: Iterable[RawKey]) -> list[RawKey]:
    """Return raw keys by source, name and number: `NVDA-2` before `NVDA-10`, unlike their text."""
    return sorted(keys, key=lambda key: (key.kind, key.dt, key.source, key.name, key.number))


def compact(contract: Contract, tables: Sequence[pa.Table]) -> pa.Table:
    """Return all rows once: of rows with one key the first table's, and in it the first, stays.

    Of news the first to be published stays, and each story does so only once (`stories`).

    Args:
        contract: names the key, for `tweets` (ticker, tweet_id).
        tables: rows of the contract, in the natural order of their raw keys.
    """
    if not tables:
        return contract.empty()
    table = pa.concat_tables(tables).combine_chunks()
    if contract.name == "news":
        return told_once(table)
    numbered = table.select(contract.key).append_column("row", pa.array(np.arange(len(table))))
    firsts = numbered.group_by(list(contract.key), use_threads=False).aggregate([("row", "min")])
    if firsts.num_rows == table.num_rows:
        return table
    return table.take(pa.array(np.sort(firsts.column("row_min").to_numpy()))).combine_chunks()
