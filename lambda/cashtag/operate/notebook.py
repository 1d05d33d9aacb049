"""The lake as a notebook sees it: tables and SQL as pandas data frames."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from cashtag.errors import InputError
from cashtag.ports import Lake, SqlValue, Store, Warehouse

if TYPE_CHECKING:
    import pandas as pd

    from cashtag.settings import Settings


ZONES = ("raw", "enriched", "signals", "ledger")


def _day(value: date | str | None, name: str) -> date | None:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise InputError(f"{name} = {value!r} is no date; write it as YYYY-MM-DD") from None


class NotebookLake:
    """Read-only access for research. Times are UTC without a zone, dates are `datetime.date`."""

    def __init__(self, lake: Lake, warehouse: Warehouse, settings: Settings, name: str) -> None:
        self._lake = lake
        self._warehouse = warehouse
        self._name = name
        self.settings = settings

    def __repr__(self) -> str:
        return f"cashtag.open({self._name!r})"

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


def open_lake(address: str, stack: str | None = None) -> NotebookLake:
    """Open a lake folder, the zones below an `s3://…`, or a deployed stack's lake by its name.

    Raises:
        InputError: no lake is there, or `stack` names none of ours.
        CloudError: the stack is not deployed, or AWS refuses.
    """
    if stack is not None:
        return _of_stack(stack)
    if address.startswith("s3://"):
        return _of_bucket(address)
    from cashtag import services
    from cashtag.settings import load
    from cashtag.warehouse.duckdb import DuckDBWarehouse

    folder = Path(address).expanduser()
    if not any((folder / zone).is_dir() for zone in services.ZONES):
        raise InputError(
            f"lake = {address!r} holds no lake; make one with `cashtag run --source sample`"
        )
    lake = services.folder_lake(folder)
    settings = load(overrides={"lake": str(folder)})
    return NotebookLake(lake, DuckDBWarehouse(lake), settings, address)


def _of_bucket(address: str) -> NotebookLake:
    """Zones as prefixes of one bucket, as `aws s3 sync lake s3://…` leaves them; SQL by DuckDB.

    Objects are copied to this machine when a query first reads them.
    """
    from cashtag import services
    from cashtag.lake.copied import CopiedStore
    from cashtag.settings import load
    from cashtag.warehouse.duckdb import DuckDBWarehouse

    place = address.removeprefix("s3://").strip("/")
    if not place:
        raise InputError(f"lake = {address!r} names no bucket; write s3://BUCKET/PREFIX")
    zones = {f"aws.{zone}": f"{place}/{zone}" for zone in ZONES}
    settings = load(overrides={**zones, "aws.results": place})
    lake = services.s3_lake(settings)
    if not any(True for zone in ZONES for _ in getattr(lake, zone).list()):
        raise InputError(
            f"lake = {address!r} holds none of the zones {', '.join(ZONES)}; for a stack's buckets "
            'write cashtag.open(stack="cashtag-dev")'
        )
    zones_here: list[Store] = [CopiedStore(getattr(lake, zone)) for zone in services.ZONES]
    copied = Lake(*zones_here)
    return NotebookLake(copied, DuckDBWarehouse(copied), settings, address)


def _of_stack(name: str) -> NotebookLake:
    """A stack's five buckets; SQL by its Athena workgroup, which bills what it scans."""
    from cashtag import services
    from cashtag.operate import stack
    from cashtag.settings import load
    from cashtag.warehouse.athena import AthenaWarehouse

    prefix, dash, env = name.rpartition("-")
    base = load(overrides={"aws.stack": prefix} if dash else None)
    if env not in stack.ENVIRONMENTS:
        raise InputError(
            f"stack = {name!r} ends in none of {', '.join(stack.ENVIRONMENTS)}; write "
            f"{base.aws.stack}-dev, or dev alone"
        )
    found = stack.find(base, env)
    settings = found.settings(base)
    lake = services.s3_lake(settings)
    return NotebookLake(lake, AthenaWarehouse(settings, lake), settings, found.name)
