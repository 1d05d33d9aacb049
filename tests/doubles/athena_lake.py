"""A lake on S3 with Athena over it, both on loopback: moto, the catalog's tables, `athena_site`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
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

DATABASE, WORKGROUP, REGION = "cashtag_dev", "cashtag-dev", "us-east-1"
ZONES = ("raw", "enriched", "signals", "ledger", "results")


@dataclass
class Cloud:
    """What runs: the site of Athena, clients of moto, settings and lake of the deployed stack."""

    moto_url: str
    site: athena_site.Site
    s3: Any
    glue: Any
    settings: Settings
    lake: Lake

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
        found = self.s3.list_objects_v2(Bucket="cashtag-results", Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", ())]

    def tables(self, prefix: str = "") -> list[str]:
        """Names of the catalog's tables."""
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=DATABASE)
        names = [table["Name"] for page in pages for table in page["TableList"]]
        return [name for name in names if name.startswith(prefix)]


@contextmanager
def running(**options: Any) -> Iterator[Cloud]:
    """Start everything, with the environment that routes boto3 there; `options` are the Site's."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for every request
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    moto_url = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch, athena_site.Site(moto_url, **options) as site:
        for name, value in {
            "AWS_ENDPOINT_URL": moto_url,
            "AWS_ENDPOINT_URL_ATHENA": site.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "no-real-key",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
            "NO_PROXY": "127.0.0.1",
        }.items():
            patch.setenv(name, value)
        s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
        glue = boto3.client("glue")
        for zone in ZONES:
            s3.create_bucket(Bucket=f"cashtag-{zone}")
        s3.create_bucket(Bucket="athena-results")
        athena_site.create_tables(glue, DATABASE, {z: f"s3://cashtag-{z}" for z in ZONES})
        stores = {zone: S3Store(f"cashtag-{zone}", client=s3) for zone in ZONES}
        lake = Lake(
            stores["raw"],
            stores["enriched"],
            stores["signals"],
            stores["ledger"],
            S3Store("cashtag-results", "report", s3),
        )
        whole = load().model_dump()
        whole["aws"] |= {zone: f"cashtag-{zone}" for zone in ZONES}
        whole["aws"] |= {"database": DATABASE, "workgroup": WORKGROUP, "region": REGION}
        whole["aws"]["athena"] |= {"poll_seconds": 0.02, "retry_seconds": 0.01}
        yield Cloud(moto_url, site, s3, glue, Settings.model_validate(whole), lake)
    moto.stop()


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
