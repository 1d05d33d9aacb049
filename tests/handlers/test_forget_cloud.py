"""A takedown in the deployed lake: no version of any object holds it, and the functions stay out of it."""

from __future__ import annotations

import runpy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from functions_on_loopback import ZONES, Functions, bucket, put_event

from cashtag import resources, services
from cashtag.errors import StoreError
from cashtag.lake.contracts import contracts
from cashtag.lake.partitions import hashes
from cashtag.ports import Env, Lake
from cashtag.scrape.sample import SampleSource

pytestmark = pytest.mark.slow
WORLD: Any = type(
    "World",
    (),
    runpy.run_path(
        str(Path(__file__).parents[1] / "e2e" / "forget_world.py"), run_name="forget_world"
    ),
)
DATES = [WORLD.DAY, date(2026, 6, 2)]  # a Monday, without its weekend, and the day after
OF_THE_AUTHOR = (
    WORLD.HANDLE, WORLD.AUTHOR_ID, WORLD.POST, WORLD.OTHER_POST, WORLD.RENAMED_POST,
    WORLD.TEXT[:40], WORLD.OTHER_TEXT[:40], WORLD.RENAMED_TEXT[:40],
)  # fmt: skip


@pytest.fixture
def stack(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Functions whose sites are the planted sample, and buckets that keep every version."""
    sample = resources.path("sample_data", "raw")
    monkeypatch.setattr(services, "source", lambda *_: WORLD.Planting(SampleSource(sample)))
    for zone in ZONES:
        functions.s3.put_bucket_versioning(
            Bucket=bucket(zone), VersioningConfiguration={"Status": "Enabled"}
        )
    return functions


def lived(stack: Functions, *dates: date) -> Env:
    """Let the functions make these days; return what `cashtag forget --env` makes of the stack."""
    for dt in dates:
        stack.invoke("scrape", {"action": "scrape", "scheduled": f"{dt}T12:00:00Z"})
        stack.deliver()
    assert stack.failures == []
    # The functions' settings, and nothing to fetch.
    return services.cloud(stack.env.settings, source_name="archive")


def everything(stack: Functions, zones: tuple[str, ...] = ZONES) -> dict[str, bytes]:
    """Every version of every object of the buckets; Athena's own files expire by themselves."""
    found = {}
    for zone in zones:
        for page in stack.s3.get_paginator("list_object_versions").paginate(Bucket=bucket(zone)):
            for one in page.get("Versions", ()):
                key, version = one["Key"], one["VersionId"]
                if not key.startswith(("athena/", "scratch/")):
                    body = stack.s3.get_object(Bucket=bucket(zone), Key=key, VersionId=version)
                    found[f"{zone}/{key} {version}"] = body["Body"].read()
    return found


def content(lake: Lake) -> dict[tuple[str, date], str]:
    """Canonical hash of every partition of every table but the desk's."""
    return {
        (name, partition): digest
        for name, shape in contracts().items()
        if shape.zone != "ledger"
        for partition, _, digest in hashes(lake, shape)
    }


@pytest.mark.timeout(900)
def test_no_version_of_any_object_holds_a_forgotten_author(
    stack: Functions, tmp_path: Path
) -> None:
    env = lived(stack, *DATES)
    # A page that was built again since, and one that was replaced.
    env.lake.report.put("data/tweets/2026-06-01.aaaa.js", WORLD.TEXT.encode())
    env.lake.report.delete("data/tweets/2026-06-01.aaaa.js")
    env.lake.report.put("data/summary.js", WORLD.HANDLE.encode())
    env.lake.report.put("data/summary.js", b"of today")
    ledger = everything(stack, ("ledger",))
    before = everything(stack)
    for needle, zones in ((WORLD.HANDLE, {"raw", "enriched", "results"}), (WORLD.POST, {"raw"})):
        assert {name.split("/")[0] for name in WORLD.holding(before, needle)} >= zones
    done = WORLD.forget(env, f"@{WORLD.HANDLE}")
    after = everything(stack)
    for needle in OF_THE_AUTHOR:
        assert WORLD.holding(after, needle) == [], needle
    assert everything(stack, ("ledger",)) == ledger
    (record,) = done.records
    versions = {(item.zone, item.key): item.versions for item in record.items}
    table = "tweets/dt=2026-06-01/part-0.parquet"
    assert versions["enriched", table] == sum(f"enriched/{table} " in name for name in before)
    assert stack.s3.get_object(Bucket=bucket("results"), Key="report/data/summary.js")

    # S3 tells of what was written, the day is made once more by the functions, scraped once more.
    rewritten = [item.key for item in record.items if item.zone == "raw"]
    stack.invoke("enrich", put_event(*(("raw", key) for key in rewritten)))
    assert {zone for zone, _ in stack.pending()} == {"raw", "enriched", "signals"}
    stack.deliver()
    stack.invoke("scrape", {"action": "resume", "scheduled": f"{DATES[-1]}T12:20:00Z"})
    assert stack.pending() == []
    assert stack.failures == []
    for needle in OF_THE_AUTHOR:
        assert WORLD.holding(everything(stack), needle) == [], needle

    # And the tables are those of a lake that was never told.
    never = tmp_path / "never"
    raw = services.folder_lake(never).raw
    for info in env.lake.raw.list("tombstones/"):
        raw.put(info.key, env.lake.raw.get(info.key))
    WORLD.run(WORLD.environment(never), DATES[0], DATES[-1])
    assert content(env.lake) == content(WORLD.environment(never).lake)


@pytest.mark.timeout(900)
def test_a_takedown_that_may_not_delete_versions_says_so_and_goes_on_later(
    stack: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = lived(stack, WORLD.DAY)
    refused = {"Errors": [{"Key": "k", "Code": "AccessDenied", "Message": "no"}]}
    with monkeypatch.context() as patch:
        patch.setattr(env.lake.raw._client, "delete_objects", lambda **_: refused)  # type: ignore[attr-defined]
        with pytest.raises(StoreError, match=r"cannot delete .*AccessDenied"):
            WORLD.forget(env, WORLD.POST)
    assert WORLD.holding(everything(stack), WORLD.POST) != []
    again = WORLD.forget(env, WORLD.POST)
    assert not again.new
    assert len(again.records) == 1
    for needle in (WORLD.POST, WORLD.TEXT[:40]):
        assert WORLD.holding(everything(stack), needle) == [], needle
