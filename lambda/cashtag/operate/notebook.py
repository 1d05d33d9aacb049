"""The lake as a notebook sees it: tables and SQL as pandas data frames."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from cashtag.errors import InputError
from cashtag.ports import Lake, SqlValue, Warehouse

if TYPE_CHECKING:
    import pandas as pd

    from cashtag.settings import Settings


def _day(value: date | str | None, name: str) -> date | None:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise InputError(f"{name} = {value!r} is no date; write it as YYYY-MM-DD") from None


class NotebookLake:
    """Read-only access for research. Times are UTC without a zone, dates are `datetime.date`."""

    def __init__(self, lake: Lake, warehouse: Warehouse, settings: Settings) -> None:
        self._lake = lake
        self._warehouse = warehouse
        self.settings = settings

    def __repr__(self) -> str:
        return f"cashtag.open({self._lake.raw.uri().rsplit('/', 1)[0]!r})"

    def tables(self) -> pd.DataFrame:
        """One row per table: name, grain, zone, partition key, columns."""
        import pandas as pd

        from cashtag.lake.contracts import contracts

        return pd.DataFrame(
            [
                {
                    "table": contract.name,
                    "grain": contract.grain,
                    "zone": contract.zone,
                    "partition": contract.partition,
                    "columns": ", ".join(contract.names),
                }
                for contract in contracts().values()
            ]
        )

    def table(
        self, name: str, start: date | str | None = None, end: date | str | None = None
    ) -> pd.DataFrame:
        """All columns of a table, its partition key first, between two partitions (included).

        Raises:
            InputError: no such table, or `start`/`end` is no date.
        """
        from cashtag.lake.contracts import contracts
        from cashtag.lake.partitions import read_range

        if name not in contracts():
            raise InputError(f"no table {name!r}; there is {', '.join(sorted(contracts()))}")
        found = read_range(self._lake, contracts()[name], _day(start, "start"), _day(end, "end"))
        frame: pd.DataFrame = found.to_pandas(date_as_object=True)
        return frame

    def sql(self, query: str, params: Mapping[str, SqlValue] | None = None) -> pd.DataFrame:
        """Rows of one SELECT in Athena's dialect; `:name` is bound to `params["name"]`.

        Raises:
            InputError: not one SELECT, an unknown table or column, a missing parameter.
        """
        frame: pd.DataFrame = self._warehouse.query(query, params).to_pandas(date_as_object=True)
        return frame

    def named(self, name: str, **params: SqlValue) -> pd.DataFrame:
        """Rows of a named query of `glue/queries`, e.g. `lake.named("sentiment_mix", first=…)`."""
        from cashtag.warehouse import sql

        return self.sql(sql.load("queries", name).text, params)


def open_lake(address: str) -> NotebookLake:
    """Open a lake folder.

    Raises:
        InputError: the folder does not exist, or holds no lake.
    """
    from cashtag import services
    from cashtag.settings import load
    from cashtag.warehouse.duckdb import DuckDBWarehouse

    if address.startswith("s3://"):
        raise InputError(f"lake = {address!r}: this version opens folders; copy the zones first")
    folder = Path(address).expanduser()
    if not any((folder / zone).is_dir() for zone in services.ZONES):
        raise InputError(
            f"lake = {address!r} holds no lake; make one with `cashtag run --source sample`"
        )
    lake = services.folder_lake(folder)
    return NotebookLake(lake, DuckDBWarehouse(lake), load(overrides={"lake": str(folder)}))
