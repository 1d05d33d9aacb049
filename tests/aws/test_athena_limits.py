"""Time, money and failures of queries: stopped, tried again, counted, explained."""

from __future__ import annotations

import json
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import athena_lake
import pytest
from athena_bars import bar, put_bars

from cashtag.errors import CloudError, InputError, SettingsError, StoreError
from cashtag.lake import layout
from cashtag.services import folder_lake
from cashtag.settings import load
from cashtag.warehouse import scans
from cashtag.warehouse.athena import AthenaWarehouse


def test_a_query_that_takes_too_long_is_stopped(cloud: athena_lake.Cloud) -> None:
    cloud.site.slow(30.0)
    with pytest.raises(CloudError, match=r"^Slow one: it was stopped after 0\.3 s \(aws\.athena"):
        cloud.warehouse(query_seconds=0.3).query("-- Slow one\nSELECT 1 AS x")
    assert cloud.site.executions[-1].state == "CANCELLED"
    assert cloud.site.executions[-1].stop.is_set()


def test_a_failure_names_the_query_and_the_reason_but_no_value(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    tweet = "what a stranger wrote about $NVDA"
    cloud.site.fail(
        f"INVALID_CAST_ARGUMENT: line 3:8: Cannot cast '{tweet}' to INT, nor 'a row''s text' "
        "of column 'likes'",
        category=2,
    )
    with pytest.raises(InputError) as caught:
        warehouse.query("-- Posts by age.\n-- More.\nSELECT CAST(:t AS varchar) AS t", {"t": tweet})
    said = str(caught.value)
    assert said.startswith("Posts by age.: Athena refuses it: INVALID_CAST_ARGUMENT: line 3:8")
    assert cloud.site.executions[-1].id in said
    assert "'likes'" in said  # a name
    assert "stranger" not in said
    assert "row" not in said


def test_what_athena_itself_failed_at_is_tried_again_in_a_fresh_place(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    before = len(cloud.site.executions)
    cloud.site.fail("GENERIC_INTERNAL_ERROR: a node was lost", retryable=True, after_writing=True)
    found = warehouse.query("SELECT x FROM (VALUES 1, 2, 3) AS t (x) ORDER BY x")
    assert found.column("x").to_pylist() == [1, 2, 3]  # not twice, though the first one wrote too
    places = [e.text.partition(" TO ")[2] for e in cloud.site.executions[before:]]
    assert len(set(places)) == 2


def test_a_killed_querys_files_are_read_by_no_other(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse
) -> None:
    cloud.site.fail("GENERIC_INTERNAL_ERROR: gone", after_writing=True)
    with pytest.raises(CloudError, match="Athena failed at it"):
        warehouse.query("SELECT 7 AS x")
    orphans = cloud.results("athena/unloaded/")
    assert warehouse.query("SELECT 7 AS x").to_pylist() == [{"x": 7}]
    assert set(orphans) < set(cloud.results("athena/unloaded/"))  # they expire


def test_attempts_are_bounded(cloud: athena_lake.Cloud) -> None:
    before = len(cloud.site.executions)
    cloud.site.fail("GENERIC_INTERNAL_ERROR: again", times=2, retryable=True)
    with pytest.raises(CloudError, match="again"):
        cloud.warehouse(attempts=2).query("SELECT 1 AS x")
    assert len(cloud.site.executions) == before + 2


def test_a_busy_athena_is_asked_again(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "0")  # the client's own
    cloud.site.throttle(2)
    assert warehouse.query("SELECT 1 AS x").num_rows == 1
    cloud.site.throttle(1)
    with pytest.raises(CloudError, match="TooManyRequestsException; run again later, or lower"):
        cloud.warehouse(attempts=1).query("SELECT 1 AS x")


@pytest.mark.parametrize(
    ("reason", "kind", "said"),
    [
        ("HIVE_BAD_DATA: malformed Parquet file", StoreError, "build it again"),
        ("HIVE_CANNOT_OPEN_SPLIT: Access Denied (S3)", CloudError, "allow it in the role"),
        ("DIVISION_BY_ZERO: / by zero", InputError, "DIVISION_BY_ZERO"),
    ],
)
def test_a_reason_says_whose_fault_it_is(
    cloud: athena_lake.Cloud,
    warehouse: AthenaWarehouse,
    reason: str,
    kind: type[Exception],
    said: str,
) -> None:
    cloud.site.fail(reason, category=2)
    with pytest.raises(kind, match=said):
        warehouse.query("SELECT 1 AS x")


def test_what_was_scanned_is_recorded_and_adds_up(cloud: athena_lake.Cloud) -> None:
    day = date(2025, 9, 1)
    put_bars(cloud.lake, day, bar("NVDA"))
    warehouse = cloud.warehouse()
    warehouse.register("prices", day)
    today = datetime.now(UTC).date()
    before = scans.scanned(warehouse._results(), today)
    warehouse.query("-- Bars.\nSELECT ticker FROM prices WHERE dt = :d", {"d": day})
    (scan,) = warehouse.scans
    assert scan.query == "Bars."
    assert scan.state == "SUCCEEDED"
    key = f"enriched/{layout.enriched('prices', day)}".partition("/")[2]
    assert scan.scanned == len(cloud.lake.enriched.get(key))
    assert scans.scanned(warehouse._results(), today) == before + scan.scanned
    kept = json.loads(warehouse._results().get(scan.key))
    assert kept["query_id"] == cloud.site.executions[-1].id


def test_a_day_that_used_up_its_budget_sends_no_query(cloud: athena_lake.Cloud) -> None:
    warehouse = cloud.warehouse(scan_megabytes_per_day=1000)
    large = scans.Scan(datetime.now(UTC).date(), "Large.", "q-1", "SUCCEEDED", 10**9, 1)
    scans.record(warehouse._results(), large)
    before = len(cloud.site.executions)
    try:
        with pytest.raises(CloudError, match=r"1,000 MB.*aws\.athena\.scan_megabytes_per_day"):
            warehouse.query("SELECT 1 AS x")
    finally:
        warehouse._results().delete(large.key)
    assert len(cloud.site.executions) == before


def test_cents_count_ten_megabytes_at_least() -> None:
    athena = load().aws.athena
    # 10 MB and 250 MB (a byte more than 249) at 5 dollars a terabyte: 260e6 / 1e12 * 500 cents.
    assert scans.cents([0, 249_000_001], athena) == pytest.approx(0.13)


def test_a_query_over_the_workgroups_limit_names_the_setting(
    cloud: athena_lake.Cloud, warehouse: AthenaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2025, 9, 2)
    put_bars(cloud.lake, day, bar("NVDA"))
    warehouse.register("prices", day)
    monkeypatch.setattr(cloud.site, "scan_limit", 10)
    with pytest.raises(CloudError, match=r"aws\.athena\.scan_megabytes_per_query \(now 1,024\)"):
        warehouse.query("SELECT ticker FROM prices WHERE dt = :d", {"d": day})


def test_queries_may_run_at_once(cloud: athena_lake.Cloud, warehouse: AthenaWarehouse) -> None:
    cloud.site.slow(0.3, match="AS both_at_once", times=4)
    assert warehouse.concurrency == 4
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(
            lambda n: warehouse.query(
                "SELECT CAST(:n AS bigint) AS both_at_once", {"n": n}
            ).to_pylist(),
            range(4),
        )
        assert list(found) == [[{"both_at_once": n}] for n in range(4)]
    last = cloud.site.executions[-4:]
    assert max(e.submitted for e in last) < min(e.ended or 0 for e in last)


def test_without_a_stack_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"aws\.database, aws\.workgroup, aws\.results"):
        AthenaWarehouse(load(), folder_lake(tmp_path))


def test_no_credentials_are_a_refusal_with_a_remedy(
    cloud: athena_lake.Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises((CloudError, StoreError), match="set credentials, or a role"):
        cloud.warehouse().query("SELECT 1 AS x")


def test_the_clouds_path_needs_neither_duckdb_nor_sqlglot() -> None:
    import subprocess

    code = (
        "import sys\n"
        "sys.modules['duckdb'] = sys.modules['sqlglot'] = None\n"
        "from cashtag.warehouse import athena, catalog, scans, scratch, sql\n"
        "from cashtag.signals import checks, models, publish\n"
        "heavy = {'awswrangler', 'boto3', 'pandas'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "HEAVY []"


def test_a_query_is_logged_with_its_bytes_and_without_its_values(
    warehouse: AthenaWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cashtag"):
        warehouse.query("-- Once.\nSELECT CAST(:t AS varchar) AS t", {"t": "a stranger's words"})
    said = " ".join(r.getMessage() for r in caplog.records if r.name.startswith("cashtag"))
    assert "SUCCEEDED: 0 bytes" in said
    assert "Once." in said
    assert "stranger" not in said
