"""The cloud day, whole: three sessions of the deployed stack on loopback, equal to the laptop's.

Handlers run under Lambda's runtime client from the zip and the layers; buckets, roles, schedules
and wiring are the template's. Athena is DuckDB behind Athena's protocol: what is proven is
transport, types, registration, permissions and wiring, not Trino itself.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import alarm_metrics
import cloud_day
import laptop
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import role_use
import stack_mutations
from aws_gateway import Used
from cloud import Cloud
from lambda_sandbox import TaskRoot
from moody_world import DAYS, POSTS, TICKERS
from stack_mutations import Judge

from cashtag.handlers import metrics
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Lake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def day(task_root: TaskRoot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The stack after three days, still there to be asked."""
    with Cloud(tmp_path_factory.mktemp("cloud"), task_root) as cloud:
        cloud_day.run(cloud)
        cloud_day.afterwards(cloud)
        yield cloud


@pytest.fixture(scope="module")
def here(day: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same days on a laptop, from the same raw objects."""
    return laptop.run(tmp_path_factory.mktemp("laptop"), day)


def answers(day: Cloud, function: str, what: str = "") -> list[Any]:
    return [
        entry.outcome.payload
        for entry in day.dispatcher.journal
        if entry.function == function and what in entry.delivery.cause
    ]


# ---------------------------------------------------------------- it runs


def test_every_event_was_dealt_with_at_once(day: Cloud) -> None:
    failed = [
        f"{entry.delivery.cause}: {entry.outcome.kind} {entry.outcome.payload}"
        for entry in day.dispatcher.journal
        if not entry.outcome.ok
    ]
    assert failed == []
    for step in ("scrape", "enrich", "signals", "trade", "health"):
        assert day.failures(step) == []


def test_no_call_was_refused_and_none_is_unknown(day: Cloud) -> None:
    assert [f"{used.role} {used.call}" for used in day.gateway.denied()] == []
    assert day.gateway.unknown == []
    assert day.dispatcher.wiring.refused == []


def test_every_schedule_came_once_a_day(day: Cloud) -> None:
    asked = Counter(schedule for _, schedule in day.dispatcher.due)
    # The last day ends before its session opens.
    assert asked == {
        "ScrapeDaily": 3,
        "ScrapeResume": 3,
        "SignalsDeadline": 3,
        "HealthCheck": 3,
        "TradeExecute": 2,
        "TradeManageOpen": 2,
        "TradeManage": 2,
    }


@pytest.mark.parametrize("number", range(3))
def test_one_marker_each_started_signals_and_plan(day: Cloud, number: int) -> None:
    dt = DAYS[number]
    (success,) = day.objects("enriched", f"_SUCCESS/dt={dt}/")
    (published,) = day.objects("signals", f"_PUBLISHED/session={dt}/")
    assert success.rpartition("/")[2] == published.rpartition("/")[2]  # the same state
    assert len(answers(day, "SignalsFunction", success)) == 1
    assert len(answers(day, "TradeFunction", published)) == 1


def test_a_deadline_after_a_complete_day_does_nothing(day: Cloud) -> None:
    told = answers(day, "SignalsFunction", "SignalsDeadline")
    assert told == [{str(dt): {"status": "published before"}} for dt in DAYS]


def test_a_resume_after_a_complete_scrape_brings_nothing(day: Cloud) -> None:
    assert [told["tweets"] for told in answers(day, "ScrapeFunction", "ScrapeResume")] == [0, 0, 0]
    for dt in DAYS:
        assert len(day.objects("raw", f"manifests/dt={dt}/")) == 1


def test_every_object_of_raw_that_has_rows_was_enriched_and_nothing_else_started(
    day: Cloud,
) -> None:
    started = Counter(
        entry.delivery.cause.partition(" ")[2]
        for entry in day.dispatcher.journal
        if entry.delivery.by.startswith("RawBucket/")
    )
    kinds = ("tweets/", "news/", "prices/", "options/", "manifests/")
    raw = day.objects("raw")
    assert set(started) == {key for key in raw if key.startswith(kinds)}
    assert set(started.values()) == {1}
    # Lists and assets are there, and start nothing.
    assert {key.split("/")[0] for key in raw} - {kind[:-1] for kind in kinds} == {
        "assets",
        "trending",
    }


def test_health_finds_all_well_every_day(day: Cloud) -> None:
    reports = answers(day, "HealthFunction")
    assert len(reports) == 4  # and once more as `cashtag deploy` asks
    for report in reports:
        wrong = [check for check in report["checks"] if check["status"] != "ok"]
        assert wrong == []


# ---------------------------------------------------------------- it is the same program


@pytest.mark.parametrize("zone", laptop.ZONES)
def test_a_zone_equals_the_laptops_table_by_table(day: Cloud, here: Lake, zone: str) -> None:
    theirs = day.objects(zone)
    assert laptop.differences(zone, theirs, laptop.of_folder(here, zone)) == []
    tables = dict(laptop.tables(zone, theirs))
    # enriched: tweets, news, prices, options; signals: five models; ledger: what has rows.
    least = {"enriched": 4 * 3, "signals": 5 * 3, "ledger": 7}
    assert len(tables) >= least[zone], sorted(tables)


def test_objects_of_the_cloud_are_compressed_as_lambdas_arrow_can(day: Cloud) -> None:
    # Its Arrow has no zstd, which the laptop's has: the rows are equal, the bytes are not.
    found = set()
    for zone in laptop.ZONES:
        for key, body in day.objects(zone).items():
            if key.endswith(".parquet"):
                file = pq.ParquetFile(pa.BufferReader(body))
                group = file.metadata.row_group(0) if file.metadata.num_row_groups else None
                found |= {group.column(0).compression} if group else set()
    assert found == {"GZIP", "SNAPPY"}  # what is kept, and stage objects


def rows(day: Cloud, zone: str, table: str, partition: Any) -> list[dict[str, Any]]:
    one = contract(table)
    (body,) = day.objects(zone, f"{table}/{one.partition}={partition}/{layout.PART}").values()
    return parquet.read(one, body).to_pylist()


def test_moods_that_turn_are_signals_orders_and_fills(day: Cloud) -> None:
    signals = {
        (row["ticker"], row["direction"])
        for row in rows(day, "signals", "daily_signals", DAYS[1])
        if row["kind"] == "STOCK" and row["direction"] != "HOLD"
    }
    # NVDA and AAPL went from one good tweet in six to five, TSLA from five to one.
    assert signals == {("NVDA", "BUY"), ("AAPL", "BUY"), ("TSLA", "SELL")}
    trades = rows(day, "ledger", "trades", DAYS[1])
    # TSLA was not held, so there was nothing to sell.
    assert {(row["symbol"], row["direction"]) for row in trades} == {
        ("NVDA", "BUY"),
        ("AAPL", "BUY"),
    }
    assert all(row["filled_quantity"] == row["quantity"] > 0 for row in trades)
    held = {row["symbol"] for row in rows(day, "ledger", "positions", DAYS[1])}
    assert held == {"NVDA", "AAPL", "CASH"}


def test_every_tweet_was_scored_by_the_endpoint(day: Cloud) -> None:
    for dt in DAYS:
        found = rows(day, "enriched", "tweets", dt)
        assert Counter(row["ticker"] for row in found) == dict.fromkeys(TICKERS, 20)
        assert {row["model"] for row in found} == {"sagemaker"}
    assert POSTS > 20  # the site has more than are asked for


# ---------------------------------------------------------------- it tells


def test_each_signal_is_an_event_on_the_bus(day: Cloud) -> None:
    events = [event for _, bus, event in day.dispatcher.bus if bus == "default"]
    assert {event["source"] for event in events} == {"sentiment.trading"}
    assert {event["detail-type"] for event in events} == {"TradingSignal"}
    told = Counter((e["detail"]["stock_symbol"], e["detail"]["direction"]) for e in events)
    assert told == {
        ("NVDA", "BUY"): 1,
        ("AAPL", "BUY"): 1,
        ("TSLA", "SELL"): 1,
        ("AAPL", "SELL"): 1,
    }
    fields = {"current_sentiment", "previous_sentiment", "sentiment_change", "tweet_volume"}
    assert all(fields | {"confidence", "timestamp"} <= set(e["detail"]) for e in events)


def test_plans_and_fills_are_announced_once(day: Cloud) -> None:
    subjects = Counter(message["Subject"] for message in day.published)
    assert subjects == {
        f"[SIMULATED] Digest {DAYS[0]}: 0 to buy, 0 to sell, 0 blocked": 1,
        f"[SIMULATED] Digest {DAYS[1]}: 2 to buy, 0 to sell, 1 blocked": 1,
        f"[SIMULATED] Digest {DAYS[2]}: 0 to buy, 1 to sell, 0 blocked": 1,
        "[SIMULATED] Trade Alert: BUY NVDA": 1,
        "[SIMULATED] Trade Alert: BUY AAPL": 1,
    }
    assert {message["TopicArn"] for message in day.published} == {day.stack.outputs()["Topic"]}


def test_every_metric_of_the_product_is_written(day: Cloud) -> None:
    found = alarm_metrics.written(day.outcomes())
    assert {metric for _, metric, _ in found} == set(metrics.UNITS)
    assert {namespace for namespace, _, _ in found} == {"Cashtag"}
    by_name = {metric: values for (_, metric, _), values in found.items()}
    # 20 tweets of each ticker, and what two of them quote; a resume brings none.
    assert by_name[metrics.TWEETS] == [110, 0] * 3
    # The signals of the last day were asked for once more.
    assert by_name[metrics.SIGNALS] == [0, 3, 1, 1]
    assert by_name[metrics.COVERAGE] == [1, 1, 1, 1]
    assert by_name[metrics.TRADES] == [0, 2]
    assert by_name[metrics.DAY_MISSING] == [0, 0, 0]


def test_every_alarm_watches_a_metric_as_it_is_written(day: Cloud) -> None:
    found = set(alarm_metrics.written(day.outcomes()))
    alarms = alarm_metrics.watched(day.stack, "Cashtag")
    assert {logical: names - found for logical, names in alarms.items() if names - found} == {}
    assert len(alarms) >= 5  # coverage, day missing, ledger mismatch, daily loss, schema drift


# ---------------------------------------------------------------- it may do no more than it does


# Grants that three good days do not need, by what their text holds, and why they are there.
UNUSED = {
    "/Failures sqs:SendMessage": "what failed thrice goes there; test_cloud_faults needs it",
    "/Results s3:DeleteObject arn:aws:s3:::cashtag-dev-results-123456789012-us-east-1/athena/": (
        "results are as passing as the inputs beside them, which are removed"
    ),
    "TradeRole/step/Partitions glue:UpdatePartition": "as for decisions, which is tried",
    "TradeRole/step/List s3:ListBucket arn:aws:s3:::cashtag-dev-enriched": (
        "without it S3 calls an object that is missing forbidden"
    ),
    "athena:StopQueryExecution": "a query that takes too long is stopped",
    # What Athena itself does in the name of the caller, as its user guide lists it:
    "/Catalog glue:GetDatabase": "names are resolved",
    "/Catalog glue:BatchGetPartition": "partitions are read many at a time",
    "/AthenaBuckets s3:GetBucketLocation": "buckets of tables are located",
    "s3:ListBucketMultipartUploads": "results of many megabytes",
    "/AthenaParts ": "results of many megabytes",
    "/AthenaDefault ": "the database `default` is looked for",
}
ROLES = ("ScrapeRole", "EnrichRole", "SignalsRole", "TradeRole", "HealthRole")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_allows_what_its_function_does_and_no_more(day: Cloud, role: str) -> None:
    found = role_use.unused(day.permissions, role, day.gateway.used)
    left = [str(grant) for grant in found if not any(part in str(grant) for part in UNUSED)]
    assert not left, "\n".join(left)


def test_every_excuse_for_a_grant_is_needed(day: Cloud) -> None:
    found = [
        str(grant)
        for role in ROLES
        for grant in role_use.unused(day.permissions, role, day.gateway.used)
    ]
    assert [part for part in UNUSED if not any(part in grant for grant in found)] == []


def test_schedules_start_functions_by_roles_that_may_do_nothing_else(day: Cloud) -> None:
    used = [Used(who, call, None, True, by) for who, call, by in day.dispatcher.wiring.used]
    roles = [role for role in day.permissions.roles if role.endswith("ScheduleRole")]
    assert len(roles) == 4
    for role in roles:
        found = [str(grant) for grant in role_use.unused(day.permissions, role, used)]
        assert [grant for grant in found if "sqs:SendMessage" not in grant] == []


def test_nothing_in_the_logs_is_an_error(day: Cloud) -> None:
    for outcome in day.outcomes():
        for line in outcome.lines:
            if line.startswith("{"):
                assert json.loads(line).get("level") != "ERROR", line
            assert "Traceback" not in line


def test_the_functions_ran_without_the_laptops_engine(task_root: TaskRoot) -> None:
    for folder in (task_root.code, task_root.layers, task_root.runtime):
        names = {path.name for path in folder.iterdir()}
        assert not names & {"duckdb", "sqlglot", "tests", "lambda"}


# ---------------------------------------------------------------- every part of it is needed


def test_a_stack_without_any_one_part_could_not_have_had_these_days(day: Cloud) -> None:
    judge = Judge(day.stack, day.recording())
    found = {
        mutant.name: judge.caught(mutant)
        for mutant in stack_mutations.mutants(day.stack)
        if stack_mutations.excuse(mutant.name) is None
    }
    survivors = [name for name, by in found.items() if by is None]
    assert not survivors, "\n".join(survivors)
    assert len(found) > 150
