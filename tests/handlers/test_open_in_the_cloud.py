"""`cashtag.open` of a bucket's prefix and of a stack: the same frames as from the folder."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from functions_on_loopback import DATABASE, PARAMETER, WORKGROUP, ZONES, Functions, bucket

import cashtag
from cashtag import services
from cashtag.errors import CloudError, InputError, StoreError
from cashtag.operate import days
from cashtag.settings import load

MON = date(2026, 3, 2)
SQL = "SELECT session, ticker, polarity FROM daily_sentiment WHERE session = :day ORDER BY ticker"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("open") / "lake"
    env = services.embedded(load(environ={}, overrides={"lake": str(where)}), source_name="sample")
    days.day(env, MON)
    return where


def synced(functions: Functions, folder: Path, name: str, prefix: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}{path.relative_to(folder).as_posix()}"
            functions.s3.put_object(Bucket=name, Key=key, Body=path.read_bytes())


def test_a_bucket_with_zones_below_a_prefix_opens_as_the_folder(
    functions: Functions, folder: Path
) -> None:
    synced(functions, folder, bucket("results"), "copies/lake/")
    here = cashtag.open(str(folder))
    there = cashtag.open(f"s3://{bucket('results')}/copies/lake/")
    assert "copies/lake" in repr(there)
    for name in ("tweets", "daily_signals", "positions"):
        pd.testing.assert_frame_equal(there.table(name), here.table(name))
    frame = there.sql(SQL, {"day": MON})
    assert len(frame) > 10
    pd.testing.assert_frame_equal(frame, here.sql(SQL, {"day": MON}))
    with pytest.raises(StoreError, match="open for reading"):
        there._lake.ledger.put("events/x.json", b"")


def test_a_bucket_that_holds_no_zone_is_refused(functions: Functions) -> None:
    with pytest.raises(InputError, match=r"holds none of the zones raw, .*stack=\"cashtag-dev\""):
        cashtag.open(f"s3://{bucket('results')}/nowhere")


def test_a_stack_opens_by_its_name(functions: Functions, folder: Path) -> None:
    outputs = {
        **{f"{zone.title()}Bucket": bucket(zone) for zone in ZONES},
        "Database": DATABASE,
        "Workgroup": WORKGROUP,
        "Topic": functions.topic,
        "Parameter": PARAMETER,
        "EventBus": "default",
    }
    lines = [f"  {name}: {{Value: '{value}'}}" for name, value in outputs.items()]
    template = "Resources:\n  Queue: {Type: AWS::SQS::Queue}\nOutputs:\n" + "\n".join(lines)
    functions.client("cloudformation").create_stack(StackName="cashtag-dev", TemplateBody=template)
    for zone in ("enriched", "signals"):
        synced(functions, folder / zone, bucket(zone), "")
    env = functions.env
    env.warehouse.register("daily_sentiment", MON)

    for name in ("cashtag-dev", "dev"):
        there = cashtag.open(stack=name)
        assert repr(there) == "cashtag.open('cashtag-dev')"
    here = cashtag.open(str(folder))
    pd.testing.assert_frame_equal(there.table("tweets"), here.table("tweets"))
    frame = there.sql(SQL, {"day": MON})
    pd.testing.assert_frame_equal(frame, here.sql(SQL, {"day": MON}))
    assert functions.athena.executions  # it was Athena that answered


def test_a_stack_that_is_not_there_is_told(functions: Functions) -> None:
    with pytest.raises(CloudError, match="cashtag-prod is not deployed"):
        cashtag.open(stack="cashtag-prod")
    with pytest.raises(InputError, match="ends in none of dev, staging, prod"):
        cashtag.open(stack="mine")
