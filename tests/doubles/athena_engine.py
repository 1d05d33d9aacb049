"""The engine behind the loopback Athena: a query text to rows, over moto's Glue and S3.

Parameters are taken apart as constants, tables are found in Glue, their objects through the
registered partitions, and the SELECT runs in DuckDB through the project's dialect.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from cashtag.errors import CashtagError
from cashtag.lake.contracts import TYPES, contract, contracts
from cashtag.ports import ObjectInfo, SqlValue
from cashtag.warehouse import clauses, dialect, macros, partitions, sql
from cashtag.warehouse.scratch import PREFIX as SCRATCH

if TYPE_CHECKING:
    from athena_site import Execution

_UNLOAD = re.compile(
    r"\s*UNLOAD\s*\((?P<select>.*)\)\s*TO\s*'(?P<to>(?:[^']|'')*)'\s*WITH\s*\((?P<with>.*)\)\s*$",
    re.DOTALL | re.IGNORECASE,
)
_OPTION = re.compile(r"(\w+)\s*=\s*'((?:[^']|'')*)'")
_EXPLAIN = re.compile(r"\s*(?:--[^\n]*\n|\s)*EXPLAIN\s", re.IGNORECASE)
_BROUGHT = re.compile(
    r'"(?P<name>\w+)" AS \(SELECT (?P<columns>[^()]*) FROM (?P<table>\w+)\)(?P<more>,?)\s*'
)
_NUMBER = re.compile(r"-?\d+")
_DOUBLE = re.compile(r"DOUBLE '([^']*)'", re.IGNORECASE)
_DATE = re.compile(r"DATE '(\d{4}-\d\d-\d\d)'", re.IGNORECASE)
_MOMENT = re.compile(r"TIMESTAMP '(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)'", re.IGNORECASE)
_TEXT = re.compile(r"'(?:[^']|'')*'", re.DOTALL)
# Hive's type to DuckDB's, and to Arrow's as our writer has it.
_DUCKDB = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "array<string>": "VARCHAR[]",
}
_ARROW = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
}


class Refused(Exception):
    """A query that fails; the text is Athena's StateChangeReason."""


class OverLimit(Exception):
    """A query that the workgroup's limit stops."""


@dataclass(frozen=True)
class File:
    """One object of a table: where it lies here, its size, and its partition's value."""

    path: Path
    size: int


class Engine:
    """Runs executions; results go to S3 as Athena writes them."""

    def __init__(self, s3: Any, glue: Any, folder: Path) -> None:
        self._s3, self._glue, self._folder = s3, glue, folder
        self._lock = threading.Lock()

    def run(self, e: Execution, files: int, limit: int | None) -> None:
        """Run a query to its end.

        Raises:
            Refused: it fails, and how.
            OverLimit: it would scan more than `limit` bytes.
        """
        unload, explain = _UNLOAD.match(e.text), _EXPLAIN.match(e.text)
        select = unload["select"] if unload else e.text[explain.end() if explain else 0 :]
        text, given = _named(select, e.parameters)
        if explain:
            _translated(self._without_lent(text, e)[0], given)
            e.kind, e.output = "UTILITY", f"{e.base}.txt"
            e.columns, e.rows = [("Query Plan", "varchar")], [["Fragment 0 [SINGLE]"]]
            self._put(e.output, b"Fragment 0 [SINGLE]\n")
            return
        rows = self._select(text, given, e, limit)
        if unload:
            self._unload(rows, unload, select, e, files)
        else:
            self._answer(rows, e)

    # ---------------------------------------------------------------- rows

    def _select(
        self, text: str, given: Mapping[str, SqlValue], e: Execution, limit: int | None
    ) -> pa.Table:
        text, lent = self._without_lent(text, e)
        translation = _translated(text, given)
        bound = {
            name: sql.utc(value) if isinstance(value, datetime) else value
            for name, value in given.items()
        }
        connection = duckdb.connect(":memory:", config={"threads": 1})

        def interrupt() -> None:
            e.stop.wait()
            with suppress(duckdb.Error):  # closed meanwhile
                connection.interrupt()

        try:
            connection.execute("SET TimeZone='UTC'")
            for macro in macros.MACROS:
                connection.execute(macro)
            ready, files = translation.text, {}
            for scan in translation.scans:
                found = (
                    self._objects(lent[scan.table])
                    if scan.table in lent
                    else self._registered(scan, e, bound, connection)
                )
                e.scanned += sum(file.size for file in found)
                if limit is not None and e.scanned > limit:
                    raise OverLimit("Query exhausted resources: bytes scanned limit was exceeded")
                columns = self._columns(scan.table, e)
                self._check(found, scan.table, columns)
                ready = ready.replace(
                    scan.mark, _relation(scan, columns, found, scan.table in lent)
                )
                if found:
                    files[scan.files] = [str(file.path) for file in found]
            threading.Thread(target=interrupt, daemon=True).start()
            return connection.sql(ready, params=bound | files).to_arrow_table()
        except duckdb.Error as error:
            raise Refused(f"GENERIC_USER_ERROR: {str(error).splitlines()[0]}") from None
        finally:
            e.stop.set()  # ends the thread above
            connection.close()

    def _without_lent(self, text: str, e: Execution) -> tuple[str, dict[str, str]]:
        """Take the leading CTEs over temporary tables away; return which table lends which name.

        The dialect knows the contracts' tables only, so their rows are put in their place.
        """
        m = re.match(r"((?:--[^\n]*\n|\s)*WITH (?:RECURSIVE )?)", text)
        at, lent = (m.end() if m else 0), {}
        last = "," if m else ""
        while m and last == "," and (brought := _BROUGHT.match(text, at)):
            if not brought["table"].startswith(SCRATCH):
                break
            table = self._table(e.database, brought["table"])
            listed = [f'"{c["Name"]}"' for c in table["StorageDescriptor"]["Columns"]]
            if brought["columns"].split(", ") != listed:
                raise Refused(f"COLUMN_NOT_FOUND: {brought['columns']} is not {listed}")
            lent[brought["name"]] = table["StorageDescriptor"]["Location"]
            at, last = brought.end(), brought["more"]
        if m is None or not lent:
            return text, {}
        head = m[0] if last == "," else re.sub(r"WITH (RECURSIVE )?$", "", m[0])
        return head + text[at:], lent

    def _registered(
        self,
        scan: dialect.Scan,
        e: Execution,
        bound: Mapping[str, Any],
        connection: duckdb.DuckDBPyConnection,
    ) -> list[File]:
        """Objects of the partitions that Glue lists and the predicates allow."""
        one = contract(scan.table)
        self._table(e.database, scan.table)
        places: dict[str, tuple[str, str]] = {}
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=e.database, TableName=scan.table
        )
        for page in pages:
            for partition in page["Partitions"]:
                value = partition["Values"][0]
                key = partitions.key(one, date.fromisoformat(value))
                places[key] = (value, partition["StorageDescriptor"]["Location"])

        def evaluate(text: str, params: Mapping[str, Any]) -> date | None:
            wanted = {name: params[name] for name in sql.dollars(text)}
            row = connection.execute(f"SELECT CAST({text} AS DATE)", wanted).fetchone()
            return row[0] if row else None

        keys = partitions.objects(one, _Registry(places), scan.bounds, bound, evaluate)  # type: ignore[arg-type]
        found = []
        for key in keys:
            value, location = places[key]
            e.partitions.setdefault(scan.table, []).append(value)
            found += self._objects(location, f"{one.partition}={value}")
        return found

    def _objects(self, location: str, partition: str = "none") -> list[File]:
        """Fetch the objects right below a location; hidden ones are no data, as in Hive."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/") + "/"
        found = []
        for page in self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix
        ):
            for item in page.get("Contents", ()):
                name = item["Key"].rpartition("/")[2]
                if not item["Size"] or name[:1] in {"_", "."}:
                    continue
                mark = f"{bucket}/{item['Key']}/{item['ETag']}"
                place = self._folder / hashlib.sha256(mark.encode()).hexdigest()[:24] / partition
                path = place / "part.parquet"
                with self._lock:
                    if not path.exists():
                        place.mkdir(parents=True, exist_ok=True)
                        body = self._s3.get_object(Bucket=bucket, Key=item["Key"])["Body"]
                        path.write_bytes(body.read())
                found.append(File(path, item["Size"]))
        return found

    def _table(self, database: str, name: str) -> dict[str, Any]:
        try:
            table: dict[str, Any] = self._glue.get_table(DatabaseName=database, Name=name)["Table"]
        except self._glue.exceptions.EntityNotFoundException:
            raise Refused(
                f"TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.{database}.{name}' does not exist"
            ) from None
        return table

    def _columns(self, name: str, e: Execution) -> dict[str, str]:
        table = self._table(e.database, name)
        listed = [*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", [])]
        return {column["Name"]: column["Type"] for column in listed}

    def _check(self, found: list[File], name: str, columns: Mapping[str, str]) -> None:
        """A file whose column has another type than the table is bad data."""
        for file in found:
            for column in pq.read_schema(file.path):
                kind = columns.get(column.name)
                wanted = _ARROW.get(kind or "")
                if wanted is not None and column.type != wanted:
                    raise Refused(
                        f"HIVE_BAD_DATA: Field {column.name}'s type {column.type} in parquet file "
                        f"s3://…/{name} is incompatible with type {kind} defined in table schema"
                    )

    # ---------------------------------------------------------------- results

    def _unload(
        self, rows: pa.Table, m: re.Match[str], select: str, e: Execution, files: int
    ) -> None:
        to, options = m["to"].replace("''", "'").rstrip("/") + "/", dict(_OPTION.findall(m["with"]))
        bucket, _, prefix = to.removeprefix("s3://").partition("/")
        if self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"):
            raise Refused(f"HIVE_PATH_ALREADY_EXISTS: Target directory already exists: {to}")
        if options.get("format", "").upper() != "PARQUET":
            raise Refused("NOT_SUPPORTED: only PARQUET is played here")
        rows = _as_hive_writes(rows, select)
        step = max(1, -(-rows.num_rows // files))
        written = []
        for start in reversed(range(0, rows.num_rows, step)):  # no order among the files
            sink = io.BytesIO()
            pq.write_table(
                rows.slice(start, step),
                sink,
                use_deprecated_int96_timestamps=True,
                use_compliant_nested_type=False,
                compression=options.get("compression", "gzip"),
                store_schema=False,
            )
            written.append(f"{to}20260105_{start:06d}_{uuid.uuid4()}")
            self._put(written[-1], sink.getvalue())
        e.columns, e.rows, e.output = [("rows", "bigint")], [], e.base
        e.manifest = f"{e.base}-manifest.csv"
        self._put(e.manifest, "\n".join(written).encode())
        self._put(f"{e.base}.metadata", b"")

    def _answer(self, rows: pa.Table, e: Execution) -> None:
        e.columns = [(f.name, _trino(f.type)) for f in rows.schema]
        listed = [[_shown(v) for v in row.values()] for row in rows.to_pylist()]
        e.rows = [[str(name) for name in rows.column_names], *listed]
        e.output = f"{e.base}.csv"
        lines = [
            ",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in row)
            for row in e.rows
        ]
        self._put(e.output, ("\n".join(lines) + "\n").encode())
        self._put(f"{e.output}.metadata", b"")

    def _put(self, address: str, data: bytes) -> None:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        self._s3.put_object(Bucket=bucket, Key=key, Body=data)


class _Registry:
    """Registered partitions, for the search of those that a query reads."""

    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        self._places = places

    def exists(self, key: str) -> bool:
        return key in self._places

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        return [ObjectInfo(key, 1) for key in sorted(self._places) if key.startswith(prefix)]


def _translated(text: str, given: Mapping[str, SqlValue]) -> dialect.Translation:
    try:
        return dialect.translate(text, given)
    except CashtagError as error:
        raise Refused(f"SYNTAX_ERROR: line 1:1: {error}") from None


def _relation(scan: dialect.Scan, columns: Mapping[str, str], found: list[File], lent: bool) -> str:
    """A subquery with the types that Glue has; the partition is what Glue says, not the file."""
    one = contracts()[scan.table]
    missing = [name for name in scan.columns if name not in columns]
    if missing:
        raise Refused(f"COLUMN_NOT_FOUND: line 1:1: Column '{missing[0]}' cannot be resolved")
    empty = ", ".join(f'CAST(NULL AS {_DUCKDB[columns[c]]}) AS "{c}"' for c in scan.columns)
    if not found:
        return f"(SELECT {empty} WHERE false)"
    wanted = ", ".join(f'CAST("{c}" AS {_DUCKDB[columns[c]]}) AS "{c}"' for c in scan.columns)
    day = (
        ""
        if lent
        else f", CAST(regexp_extract(filename, '/{one.partition}=([0-9-]+)/[^/]+$', 1) AS DATE)"
        f' AS "{one.partition}"'
    )
    return (
        f"(SELECT {wanted} FROM (SELECT *{day} FROM read_parquet(${scan.files}, "
        f"union_by_name=true, hive_partitioning=false) UNION ALL BY NAME SELECT {empty} WHERE false))"
    )


# ---------------------------------------------------------------- parameters


def _named(select: str, literals: tuple[str, ...]) -> tuple[str, dict[str, SqlValue]]:
    """Give every `?` a name, and every literal its value: only constants are taken."""
    places = [t for t in clauses.tokens(select) if t.text == "?"]
    if len(places) != len(literals):
        raise Refused(
            "INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected "
            f"{len(places)} but found {len(literals)}"
        )
    _only_in_where(select)
    parts, at = [], 0
    given: dict[str, SqlValue] = {}
    for number, (place, literal) in enumerate(zip(places, literals, strict=True)):
        parts += [select[at : place.start], f":parameter_{number}"]
        given[f"parameter_{number}"] = constant(literal)
        at = place.end
    text = "".join([*parts, select[at:]])
    for group in re.findall(r"GROUP\s+BY([^()]*?)(?:HAVING|ORDER|\)|$)", text, re.IGNORECASE):
        if ":parameter_" in group:
            raise Refused(
                "EXPRESSION_NOT_AGGREGATE: line 1:1: a parameter in GROUP BY is not the same "
                "expression as another parameter in SELECT"
            )
    return text, given


def _only_in_where(select: str) -> None:
    """Athena's documentation: parameters can be placed only in the WHERE clause."""
    tree = sqlglot.parse_one(select, read="athena")
    for hole in tree.find_all(exp.Placeholder):
        clause = hole.find_ancestor(exp.Where, exp.Select)
        if not isinstance(clause, exp.Where) or isinstance(clause.parent, exp.Filter):
            raise Refused(
                "NOT_SUPPORTED: line 1:1: ? parameters can be placed only in the WHERE clause"
            )


def constant(literal: str) -> SqlValue:
    """The value of an execution parameter, which is the SQL text of one constant."""
    if literal.upper() in {"NULL", "TRUE", "FALSE"}:
        return {"NULL": None, "TRUE": True, "FALSE": False}[literal.upper()]
    if _NUMBER.fullmatch(literal):
        return int(literal)
    if m := _DOUBLE.fullmatch(literal):
        return float(m[1])
    if m := _DATE.fullmatch(literal):
        return date.fromisoformat(m[1])
    if m := _MOMENT.fullmatch(literal):
        return datetime.fromisoformat(m[1])
    if _TEXT.fullmatch(literal):
        return literal[1:-1].replace("''", "'")
    raise Refused(f"INVALID_PARAMETER_USAGE: line 1:1: {literal} is no constant; quote texts")


# ---------------------------------------------------------------- types


def _as_hive_writes(rows: pa.Table, select: str) -> pa.Table:
    """Refuse what UNLOAD refuses; return the rows with the names and types that Hive gives them."""
    names = rows.column_names
    for number, name in enumerate(names, start=1):
        if re.fullmatch(r"_col\d+", name) and name not in select:
            raise Refused(f"MISSING_COLUMN_NAME: Column name not specified at position {number}")
        if name in names[: number - 1]:
            raise Refused(
                f"DUPLICATE_COLUMN_NAME: line 1:1: Column name '{name}' specified more than once"
            )
    fields, arrays = [], []
    for number, (name, column) in enumerate(zip(names, rows.columns, strict=True), start=1):
        kind = column.type
        if pa.types.is_null(kind):
            raise Refused(f"COLUMN_TYPE_UNKNOWN: Column type is unknown at position {number}")
        if pa.types.is_timestamp(kind):
            if kind.tz:
                raise Refused("NOT_SUPPORTED: Unsupported Hive type: timestamp with time zone")
            column = column.cast(pa.timestamp("ms"), safe=False)
        elif pa.types.is_decimal(kind) and kind.precision == 38 and kind.scale == 0:
            column = column.cast(pa.int64())  # DuckDB's HUGEINT, which Trino does not know
        elif pa.types.is_list(kind):
            if pc.any(pc.equal(pc.list_value_length(column), 0)).as_py():
                raise Refused(
                    "HIVE_WRITER_CLOSE_ERROR: Parquet record is malformed: empty fields are "
                    "illegal, the field should be ommited completely instead"
                )
            column = column.cast(pa.list_(pa.field("array_element", kind.value_type)))
        elif pa.types.is_duration(kind) or "interval" in str(kind) or pa.types.is_time(kind):
            raise Refused(f"NOT_SUPPORTED: Unsupported Hive type: {kind}")
        fields.append(pa.field(name.lower(), column.type))
        arrays.append(column)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _trino(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "array"
    hive = {value: key for key, value in _ARROW.items()}
    names = dict(TYPES.values())
    if pa.types.is_timestamp(kind):
        return "timestamp"
    return names.get(hive.get(kind, "string"), "varchar")


def _shown(value: Any) -> str | None:
    """A value as Athena's results spell it, which is why they are not what we read."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds")
    if isinstance(value, list):
        return "[" + ", ".join(str(_shown(v)) for v in value) + "]"
    return json.dumps(value) if isinstance(value, float) and value == value else str(value)
