"""A lake on S3 with Athena over it, both on loopback: moto, the catalog's tables, `athena_site`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

import athena_site
import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from cashtag.lake import partitions
from cashtag.lake.contracts import contract, contracts
from cashtag.lake.s3 import S3Store
from cashtag.ports import Lake
from cashtag.settings import Settings, load
from cashtag.warehouse.athena import AthenaWarehouse

WORKGROUP, REGION = "cashtag-dev", "us-east-1"
_numbers = count(1)  # moto keeps everything for as long as the process lives
ZONES = ("raw", "enriched", "signals", "ledger", "results")


@dataclass
class Cloud:
    """What runs: the site of Athena, clients of moto, settings and lake of the deployed stack."""

    name: str
    moto_url: str
    site: athena_site.Site
    s3: Any
    glue: Any
    settings: Settings
    lake: Lake

    @property
    def database(self) -> str:
        """Name of the catalog's database."""
        return self.settings.aws.database

    def bucket(self, zone: str) -> str:
        """Name of a zone's bucket."""
        return f"{self.name}-{zone}"

    def warehouse(self, **athena: Any) -> AthenaWarehouse:
        """A warehouse over the lake; `athena` are settings of `[aws.athena]`."""
        return AthenaWarehouse(self.changed(**athena), self.lake)

    def changed(self, **athena: Any) -> Settings:
        """The settings with others of `[aws.athena]`."""
        whole = self.settings.model_dump()
        whole["aws"]["athena"] |= athena
        return Settings.model_validate(whole)

    def results(self, prefix: str = "") -> list[str]:
        """Keys of the results bucket."""
        found = self.s3.list_objects_v2(Bucket=self.bucket("results"), Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", ())]

    def tables(self, prefix: str = "") -> list[str]:
        """Names of the catalog's tables."""
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=self.database)
        names = [table["Name"] for page in pages for table in page["TableList"]]
        return [name for name in names if name.startswith(prefix)]


@contextmanager
def stopped_afterwards(moto: ThreadedMotoServer) -> Iterator[None]:
    """Stop the server, whatever happens."""
    try:
        yield
    finally:
        moto.stop()


@contextmanager
def running(**options: Any) -> Iterator[Cloud]:
    """Start everything, with the environment that routes boto3 there; `options` are the Site's."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for every request
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    name = f"cashtag-{next(_numbers)}"
    moto_url = f"http://{host}:{port}"
    with (
        pytest.MonkeyPatch.context() as patch,
        athena_site.Site(moto_url, **{"output": f"s3://{name}-results/athena", **options}) as site,
    ):
        for variable, value in {
            "AWS_ENDPOINT_URL": moto_url,
            "AWS_ENDPOINT_URL_ATHENA": site.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "no-real-key",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "NO_PROXY": "127.0.0.1",
        }.items():
            patch.setenv(variable, value)
        s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
        glue = boto3.client("glue")
        buckets = {zone: f"{name}-{zone}" for zone in ZONES}
        for bucket in buckets.values():
            s3.create_bucket(Bucket=bucket)
        database = name.replace("-", "_")
        places = {zone: f"s3://{bucket}" for zone, bucket in buckets.items()}
        athena_site.create_tables(glue, database, places)
        stores = {zone: S3Store(bucket, client=s3) for zone, bucket in buckets.items()}
        lake = Lake(
            stores["raw"],
            stores["enriched"],
            stores["signals"],
            stores["ledger"],
            S3Store(buckets["results"], "report", s3),
        )
        whole = load().model_dump()
        whole["aws"] |= {**buckets, "database": database, "workgroup": WORKGROUP, "region": REGION}
        whole["aws"]["athena"] |= {"poll_seconds": 0.02, "retry_seconds": 0.01}
        yield Cloud(name, moto_url, site, s3, glue, Settings.model_validate(whole), lake)


def copy(source: Lake, cloud: Cloud) -> list[tuple[str, date]]:
    """Copy every table of a lake to S3 and register its partitions; return what was copied."""
    warehouse, copied = cloud.warehouse(), []
    for name in contracts():
        one = contract(name)
        for day in partitions.partitions(source, one):
            key = partitions.key_of(one, day)
            data = partitions.zone_of(source, one).get(key)
            partitions.zone_of(cloud.lake, one).put(key, data)
            warehouse.register(name, day)
            copied.append((name, day))
    return copied
