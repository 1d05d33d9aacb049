"""Table contracts as the Glue catalog has them: tables, partitions, and what has drifted apart.

Athena, the crawler and QuickSight read the catalog; `glue/tables` is where it comes from. A
partition is registered by whoever writes its object: nothing is projected from a pattern, so
that a table holds what was published and nothing else. Partition keys are of Hive's type
`date`, which Athena prunes by `dt BETWEEN …`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from cashtag.errors import StoreError

if TYPE_CHECKING:
    from cashtag.lake.contracts import Contract

INPUT_FORMAT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
OUTPUT_FORMAT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
VERSION = "cashtag.version"  # parameter of a table: the contract's version
KEY = "cashtag.key"  # columns that are unique within a partition, comma-separated
_LONGEST_COMMENT = 255  # characters; "Column structure", AWS Glue API reference
_PARTITION_COMMENT = {
    "dt": "UTC date of the run, from the object's path.",
    "session": "Trading session (XNYS), from the object's path.",
}


def table_input(contract: Contract, location: str) -> dict[str, Any]:
    """Return the table in the shape of Glue's TableInput.

    Args:
        contract: columns, partition and version.
        location: `s3://bucket/…` of the zone, below which lies a folder of the table's name.
    """
    return {
        "Name": contract.name,
        "Description": contract.grain,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "parquet",
            VERSION: str(contract.version),
            KEY: ",".join(contract.key),
        },
        "PartitionKeys": [
            {
                "Name": contract.partition,
                "Type": "date",
                "Comment": _PARTITION_COMMENT[contract.partition],
            }
        ],
        "StorageDescriptor": storage(contract, f"{location.rstrip('/')}/{contract.name}/"),
    }


def storage(contract: Contract, location: str) -> dict[str, Any]:
    """Return Glue's StorageDescriptor of the Parquet objects right below `location`."""
    comments = {column.name: column.text for column in contract.columns}
    return parquet_at(
        location,
        [
            {"Name": name, "Type": kind, "Comment": comments[name][:_LONGEST_COMMENT]}
            for name, kind in contract.glue_types().items()
        ],
    )


def parquet_at(location: str, columns: list[dict[str, str]]) -> dict[str, Any]:
    """Return Glue's StorageDescriptor of Parquet with these columns (Name, Hive Type, Comment)."""
    return {
        "Columns": columns,
        "Location": f"{location.rstrip('/')}/",
        "InputFormat": INPUT_FORMAT,
        "OutputFormat": OUTPUT_FORMAT,
        "Compressed": False,
        "SerdeInfo": {
            "SerializationLibrary": SERDE,
            "Parameters": {"serialization.format": "1"},
        },
        "StoredAsSubDirectories": False,
    }


def partition_input(contract: Contract, partition: date, location: str) -> dict[str, Any]:
    """Return one partition in the shape of Glue's PartitionInput.

    Args:
        contract: the table's.
        partition: its date.
        location: `s3://bucket/…` of the zone.
    """
    folder = f"{location.rstrip('/')}/{contract.name}/{contract.partition}={partition}/"
    return {
        "Values": [partition.isoformat()],
        "StorageDescriptor": storage(contract, folder),
        "Parameters": {VERSION: str(contract.version)},
    }


def register(glue: Any, database: str, contract: Contract, partition: date, location: str) -> bool:
    """Make one partition visible; say whether the catalog changed.

    Repeated, or done by two at once, it leaves the same partition. One that lies elsewhere, or
    was registered for other columns, is brought up to date: creating it again would be ignored.

    Args:
        glue: a boto3 Glue client.
        database: of the Glue catalog.
        contract: the table's.
        partition: its date.
        location: `s3://bucket/…` of the zone.

    Raises:
        StoreError: Glue refuses or does not answer; database and table are named.
    """
    wanted = partition_input(contract, partition, location)
    place = {"DatabaseName": database, "TableName": contract.name}
    try:
        try:
            glue.create_partition(**place, PartitionInput=wanted)
        except glue.exceptions.AlreadyExistsException:
            found = glue.get_partition(**place, PartitionValues=wanted["Values"])["Partition"]
            if _same(found, wanted):
                return False
            glue.update_partition(
                **place, PartitionValueList=wanted["Values"], PartitionInput=wanted
            )
    except failures() as error:
        raise refused(
            error, f"register {contract.partition}={partition} of", database, contract.name
        ) from None
    return True


def refused(error: Exception, verb: str, database: str, table: str) -> StoreError:
    """Return what Glue's refusal means, as in "cannot register dt=2026-01-05 of lake.tweets"."""
    code, answer = type(error).__name__, getattr(error, "response", None)
    number = ""
    if isinstance(answer, Mapping):
        code = str(answer.get("Error", {}).get("Code", code))
        number = f" (request {answer.get('ResponseMetadata', {}).get('RequestId', 'unknown')})"
    remedy = _REMEDIES.get(code, "check the network and the region, then run again")
    return StoreError(f"cannot {verb} {database}.{table}: Glue answers {code}; {remedy}{number}")


def drift(contract: Contract, table: Mapping[str, Any]) -> list[str]:
    """Return how a table of the catalog differs from its contract, in words; empty when it does not.

    Args:
        contract: what it should be.
        table: Glue's Table, as GetTable answers it.
    """
    found = {c["Name"]: c.get("Type", "") for c in table["StorageDescriptor"].get("Columns", [])}
    keys = {c["Name"]: c.get("Type", "") for c in table.get("PartitionKeys", [])}
    wanted = contract.glue_types()
    said = [f"column {name} is missing" for name in wanted if name not in found]
    said += [f"column {name} is unknown" for name in found if name not in wanted]
    said += [
        f"column {name} is {found[name]}, not {kind}"
        for name, kind in wanted.items()
        if name in found and found[name] != kind
    ]
    if keys != {contract.partition: "date"}:
        listed = ", ".join(f"{name} {kind}" for name, kind in keys.items()) or "none"
        said.append(f"partition is {listed}, not {contract.partition} date")
    version = table.get("Parameters", {}).get(VERSION, "none")
    if version != str(contract.version):
        said.append(f"version is {version}, not {contract.version}")
    library = table["StorageDescriptor"].get("SerdeInfo", {}).get("SerializationLibrary")
    if library != SERDE:
        said.append(f"rows are read by {library}, not as Parquet")
    if table.get("Parameters", {}).get("projection.enabled", "").lower() == "true":
        said.append("partitions are projected, so that registered ones are not looked at")
    return said


def drifted(glue: Any, database: str) -> dict[str, list[str]]:
    """Return how tables of the catalog differ from their contracts, in words, by table.

    Args:
        glue: a boto3 client.
        database: of the catalog; tables in it that are none of ours are passed over.

    Raises:
        StoreError: Glue refuses or does not answer.
    """
    from cashtag.lake.contracts import contracts

    held: dict[str, Any] = {}
    try:
        for page in glue.get_paginator("get_tables").paginate(DatabaseName=database):
            held |= {table["Name"]: table for table in page["TableList"]}
    except failures() as error:
        raise refused(error, "read the tables of", database, "*") from None
    said = {
        name: ["is not in the catalog"] if name not in held else drift(contract, held[name])
        for name, contract in contracts().items()
    }
    return {name: words for name, words in said.items() if words}


_REMEDIES = {
    "AccessDeniedException": "allow it in the role's policy",
    "EntityNotFoundException": "deploy the stack again (cashtag deploy): its table is gone",
    "ExpiredTokenException": "renew the credentials",
    "UnrecognizedClientException": "set valid credentials",
    "NoCredentialsError": "set credentials, or a role",
    "ConcurrentModificationException": "run again",
    "ThrottlingException": "run again later",
}


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether a registered partition is at the place, and of the columns, that it should be."""
    there, here = found["StorageDescriptor"], wanted["StorageDescriptor"]
    return (
        str(there.get("Location", "")).rstrip("/") == here["Location"].rstrip("/")
        and [(c["Name"], c.get("Type")) for c in there.get("Columns", [])]
        == [(c["Name"], c["Type"]) for c in here["Columns"]]
        and there.get("SerdeInfo", {}).get("SerializationLibrary") == SERDE
    )


def failures() -> tuple[type[Exception], ...]:
    """Return what a boto3 client raises: AWS refuses, or does not answer."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError
