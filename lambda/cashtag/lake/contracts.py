"""Table contracts: what `glue/tables/*.yaml` promises about every table, read and checked.

The Parquet writer, the Glue catalog, DuckDB and the documentation all read these. A contract
evolves by nullable columns only: raise `version` and mark the column `since: <that version>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cashtag import resources
from cashtag.errors import ContractError

if TYPE_CHECKING:
    import pyarrow as pa

ZONES = ("enriched", "signals", "ledger")
PARTITIONS = ("dt", "session")

# Contract type -> (Hive type for the Glue catalog, Trino type for SQL).
TYPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "string": ("string", "varchar"),
        "boolean": ("boolean", "boolean"),
        "integer": ("int", "integer"),
        "bigint": ("bigint", "bigint"),
        "double": ("double", "double"),
        "date": ("date", "date"),
        "timestamp": ("timestamp", "timestamp"),
        "array<string>": ("array<string>", "array(varchar)"),
    }
)
_KEY_TYPES = ("string", "integer", "bigint", "date", "timestamp")  # exact, and in a total order
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_TABLE_FIELDS = {"name", "version", "zone", "partition", "grain", "key", "columns"}
_COLUMN_FIELDS = {"name", "type", "nullable", "text"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its contract type, and the version of the table that brought it."""

    name: str
    type: str
    nullable: bool
    text: str
    since: int = 1


@dataclass(frozen=True)
class Contract:
    """One table. `key` is unique within a partition, and rows are stored in its order.

    `partition` (`dt` or `session`) is a date in the object's path; it is no column of the file.
    """

    name: str
    version: int
    zone: str
    partition: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in order, without the partition."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """Return one column.

        Raises:
            ContractError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"table {self.name} has no column {name!r}; it has {_list(self.names)}")

    @cached_property
    def _schema(self) -> pa.Schema:
        import pyarrow as pa

        types = {
            "string": pa.string(),
            "boolean": pa.bool_(),
            "integer": pa.int32(),
            "bigint": pa.int64(),
            "double": pa.float64(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("ms"),  # UTC, without a zone: what Athena reads
            "array<string>": pa.list_(pa.string()),
        }
        return pa.schema([pa.field(c.name, types[c.type], c.nullable) for c in self.columns])

    def arrow_schema(self) -> pa.Schema:
        """Return the file's schema: every column in order, without the partition."""
        return self._schema

    def empty(self) -> pa.Table:
        """Return a table of no rows."""
        return self._schema.empty_table()

    def glue_types(self) -> dict[str, str]:
        """Return the Glue catalog's (Hive's) type of every column, without the partition."""
        return {c.name: TYPES[c.type][0] for c in self.columns}

    def sql_types(self) -> dict[str, str]:
        """Return the Athena SQL type of every column, with the partition, which is a date."""
        return {**{c.name: TYPES[c.type][1] for c in self.columns}, self.partition: "date"}

    def documentation(self) -> str:
        """Return the table as Markdown."""
        lines = [
            f"## {self.name}",
            "",
            self.grain,
            "",
            f"Zone `{self.zone}`, partition `{self.partition}`, version {self.version}, "
            f"key {_list(self.key)}.",
            "",
            "| column | type | null | |",
            "|---|---|---|---|",
        ]
        for c in self.columns:
            since = f" Since version {c.since}." if c.since > 1 else ""
            null = "yes" if c.nullable else "no"
            lines.append(f"| `{c.name}` | {c.type} | {null} | {c.text}{since} |")
        return "\n".join(lines) + "\n"


@cache
def contract(name: str) -> Contract:
    """Return one table's contract.

    Raises:
        ContractError: there is no such table, or its YAML breaks the rules.
    """
    file = resources.path("glue", "tables") / f"{name}.yaml"
    if not _NAME.match(name) or not file.is_file():
        raise ContractError(f"no table {name!r}; the tables are {_list(_tables())}")
    return parse(file.read_text(encoding="utf-8"), file.stem)


@cache
def contracts() -> Mapping[str, Contract]:
    """Return all contracts by table name, sorted.

    Raises:
        ContractError: a YAML breaks the rules.
    """
    return MappingProxyType({name: contract(name) for name in _tables()})


@cache
def _tables() -> tuple[str, ...]:
    return tuple(sorted(f.stem for f in resources.path("glue", "tables").glob("*.yaml")))


def parse(text: str, table: str) -> Contract:
    """Read one contract from YAML; `table` is the file's stem, which its `name` repeats.

    Raises:
        ContractError: naming the table, the field, the value and what is allowed.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where libyaml is
    try:
        raw = yaml.load(text, Loader=loader)  # noqa: S506  both are safe loaders
    except yaml.YAMLError as error:
        raise ContractError(f"glue/tables/{table}.yaml is no YAML: {error}") from error
    where = f"glue/tables/{table}.yaml"
    fields = _fields(raw, where, _TABLE_FIELDS, set())
    name = _text(fields, "name", where)
    if name != table or not _NAME.match(name):
        raise ContractError(f"{where}: name {name!r} must be the file's stem, in snake_case")
    version = _count(fields, "version", where)
    zone = _one_of(fields, "zone", where, ZONES)
    partition = _one_of(fields, "partition", where, PARTITIONS)
    if not isinstance(fields["columns"], list) or not fields["columns"]:
        raise ContractError(f"{where}: columns must be a list of at least one column")
    columns = tuple(
        _column(raw, f"{where}: column {number}", version)
        for number, raw in enumerate(fields["columns"], start=1)
    )
    by_name = {c.name: c for c in columns}
    twice = sorted({c.name for c in columns if by_name[c.name] is not c})
    if twice:
        raise ContractError(f"{where}: columns {_list(twice)} appear twice")
    if partition in by_name:
        raise ContractError(f"{where}: partition {partition!r} is in the path, not a column")
    return Contract(
        name=name,
        version=version,
        zone=zone,
        partition=partition,
        grain=_text(fields, "grain", where),
        key=_key(fields["key"], by_name, where),
        columns=columns,
    )


def _column(raw: object, where: str, version: int) -> Column:
    fields = _fields(raw, where, _COLUMN_FIELDS, {"since"})
    name = _text(fields, "name", where)
    if not _NAME.match(name):
        raise ContractError(f"{where}: name {name!r} must be snake_case")
    where = f"{where} ({name})"
    kind = _one_of(fields, "type", where, tuple(TYPES))
    if not isinstance(fields["nullable"], bool):
        raise ContractError(f"{where}: nullable {fields['nullable']!r} must be true or false")
    since = _count({"since": 1, **fields}, "since", where)
    if since > version:
        raise ContractError(f"{where}: since {since} is after the table's version {version}")
    if since > 1 and not fields["nullable"]:
        raise ContractError(
            f"{where}: a column since version {since} must be nullable, "
            "because older partitions read as null"
        )
    return Column(name, kind, fields["nullable"], _text(fields, "text", where), since)


def _key(raw: object, columns: Mapping[str, Column], where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not raw:
        raise ContractError(f"{where}: key must be a list of at least one column")
    for name in raw:
        column = columns.get(name) if isinstance(name, str) else None
        if column is None:
            raise ContractError(f"{where}: key {name!r} is no column; they are {_list(columns)}")
        if column.nullable or column.type not in _KEY_TYPES:
            raise ContractError(
                f"{where}: key column {name!r} must be nullable: false and of type "
                f"{_list(_KEY_TYPES)}"
            )
    if len(set(raw)) != len(raw):
        raise ContractError(f"{where}: key {_list(raw)} repeats a column")
    return tuple(raw)


def _fields(raw: object, where: str, needed: set[str], optional: set[str]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ContractError(f"{where}: expected fields {_list(sorted(needed))}, found {raw!r}")
    unknown = sorted(str(k) for k in raw.keys() - needed - optional)
    missing = sorted(needed - raw.keys())
    if unknown:
        allowed = _list(sorted(needed | optional))
        raise ContractError(f"{where}: unknown field {_list(unknown)}; allowed are {allowed}")
    if missing:
        raise ContractError(f"{where}: field {_list(missing)} is missing")
    return raw


def _text(fields: Mapping[str, Any], field: str, where: str) -> str:
    value = fields[field]
    if not isinstance(value, str) or not value.strip():
        raise ContractError(f"{where}: {field} {value!r} must be a text")
    return value


def _count(fields: Mapping[str, Any], field: str, where: str) -> int:
    value = fields[field]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ContractError(f"{where}: {field} {value!r} must be a whole number from 1")
    return value


def _one_of(fields: Mapping[str, Any], field: str, where: str, allowed: tuple[str, ...]) -> str:
    value = fields[field]
    if not isinstance(value, str) or value not in allowed:
        raise ContractError(f"{where}: {field} {value!r} must be one of {_list(allowed)}")
    return value


def _list(names: object) -> str:
    return ", ".join(str(n) for n in names)  # type: ignore[attr-defined]
