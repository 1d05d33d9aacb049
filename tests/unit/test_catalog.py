"""The Glue catalog: tables from contracts, partitions registered (moto's Glue over HTTP), drift."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from cashtag.errors import StoreError
from cashtag.lake.contracts import contract, contracts
from cashtag.warehouse import catalog

DAY = date(2026, 1, 5)
DATABASE = "cashtag_dev"
HERE, ELSEWHERE = "s3://cashtag-enriched", "s3://cashtag-enriched-2/lake"


@pytest.fixture(scope="module")
def glue() -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "glue",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="no-real-key",  # noqa: S106
        config=Config(proxies={}, max_pool_connections=12, connect_timeout=2),
    )
    client.create_database(DatabaseInput={"Name": DATABASE})
    yield client
    server.stop()


@pytest.fixture
def tweets(glue: Any) -> Iterator[Any]:
    glue.create_table(
        DatabaseName=DATABASE, TableInput=catalog.table_input(contract("tweets"), HERE)
    )
    yield glue
    glue.delete_table(DatabaseName=DATABASE, Name="tweets")


def partitions(glue: Any) -> list[tuple[list[str], str]]:
    found = glue.get_partitions(DatabaseName=DATABASE, TableName="tweets")["Partitions"]
    return [(p["Values"], p["StorageDescriptor"]["Location"]) for p in found]


def test_a_table_is_parquet_by_date_with_its_columns_documented() -> None:
    table = catalog.table_input(contract("tweets"), HERE + "/")
    assert table["Name"] == "tweets"
    assert table["StorageDescriptor"]["Location"] == "s3://cashtag-enriched/tweets/"
    assert table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"].endswith(
        "ParquetHiveSerDe"
    )
    assert [(k["Name"], k["Type"]) for k in table["PartitionKeys"]] == [("dt", "date")]
    assert table["StorageDescriptor"]["Columns"][0] == {
        "Name": "tweet_id",
        "Type": "string",
        "Comment": "Id of the post; text, because ids exceed 2^53.",
    }
    assert table["Parameters"]["cashtag.version"] == str(contract("tweets").version)
    assert table["Parameters"]["cashtag.key"] == "ticker,tweet_id"
    # Registered partitions only: a projected table would not look at them.
    assert not [name for name in table["Parameters"] if name.startswith("projection")]


def test_a_table_of_sessions_is_partitioned_by_session() -> None:
    table = catalog.table_input(contract("daily_signals"), "s3://b/some/zone")
    assert [(k["Name"], k["Type"]) for k in table["PartitionKeys"]] == [("session", "date")]
    assert table["StorageDescriptor"]["Location"] == "s3://b/some/zone/daily_signals/"


def test_every_table_is_accepted_by_glues_own_client(glue: Any) -> None:
    glue.create_database(DatabaseInput={"Name": "whole"})
    for one in contracts().values():
        glue.create_table(DatabaseName="whole", TableInput=catalog.table_input(one, HERE))
        found = glue.get_table(DatabaseName="whole", Name=one.name)["Table"]
        assert catalog.drift(one, found) == []


def test_a_registered_partition_lies_where_its_object_does(tweets: Any) -> None:
    assert catalog.register(tweets, DATABASE, contract("tweets"), DAY, HERE) is True
    assert partitions(tweets) == [(["2026-01-05"], "s3://cashtag-enriched/tweets/dt=2026-01-05/")]


def test_registering_again_changes_nothing(tweets: Any) -> None:
    assert catalog.register(tweets, DATABASE, contract("tweets"), DAY, HERE) is True
    assert catalog.register(tweets, DATABASE, contract("tweets"), DAY, HERE) is False
    assert len(partitions(tweets)) == 1


def test_a_partition_that_moved_is_registered_where_it_is_now(tweets: Any) -> None:
    catalog.register(tweets, DATABASE, contract("tweets"), DAY, HERE)
    assert catalog.register(tweets, DATABASE, contract("tweets"), DAY, ELSEWHERE) is True
    assert partitions(tweets) == [
        (["2026-01-05"], "s3://cashtag-enriched-2/lake/tweets/dt=2026-01-05/")
    ]


def test_a_partition_of_fewer_columns_gets_those_of_its_contract(tweets: Any) -> None:
    whole = contract("tweets")
    catalog.register(tweets, DATABASE, replace(whole, columns=whole.columns[:-1]), DAY, HERE)
    assert catalog.register(tweets, DATABASE, whole, DAY, HERE) is True
    found = tweets.get_partition(
        DatabaseName=DATABASE, TableName="tweets", PartitionValues=["2026-01-05"]
    )["Partition"]
    names = [c["Name"] for c in found["StorageDescriptor"]["Columns"]]
    assert names == list(whole.names)


def test_eight_that_register_at_once_leave_one_partition(tweets: Any) -> None:
    def one(_: int) -> bool:
        return catalog.register(tweets, DATABASE, contract("tweets"), DAY, HERE)

    with ThreadPoolExecutor(8) as pool:
        changed = list(pool.map(one, range(8)))
    assert sum(changed) == 1
    assert len(partitions(tweets)) == 1


def test_a_table_that_is_not_deployed_is_named_with_the_remedy(glue: Any) -> None:
    with pytest.raises(StoreError, match=r"dt=2026-01-05 of cashtag_dev\.news.*cashtag deploy"):
        catalog.register(glue, DATABASE, contract("news"), DAY, HERE)


def test_drift_is_told_in_words() -> None:
    one = contract("daily_signals")
    table = catalog.table_input(one, HERE)
    assert catalog.drift(one, table) == []
    columns = table["StorageDescriptor"]["Columns"]
    columns[0]["Type"] = "bigint"
    first, gone = columns[0]["Name"], columns.pop()["Name"]
    columns.append({"Name": "guess", "Type": "string"})
    table["PartitionKeys"][0]["Type"] = "string"
    table["Parameters"]["cashtag.version"] = "0"
    table["Parameters"]["projection.enabled"] = "true"
    table["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"] = "OpenCSVSerde"
    assert catalog.drift(one, table) == [
        f"column {gone} is missing",
        "column guess is unknown",
        f"column {first} is bigint, not string",
        "partition is session string, not session date",
        f"version is 0, not {one.version}",
        "rows are read by OpenCSVSerde, not as Parquet",
        "partitions are projected, so that registered ones are not looked at",
    ]
