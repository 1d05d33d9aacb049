"""What health finds: each broken part by name, with a remedy, and never an exception."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from functions_on_loopback import DATABASE, Functions, bucket

from cashtag import resources, services
from cashtag.lake import layout
from cashtag.lake.contracts import contracts
from cashtag.operate import days, health
from cashtag.ports import Env
from cashtag.scrape.sample import SampleSource
from cashtag.settings import load
from cashtag.trade import ledger

MON, TUE, WED = (date(2026, 3, day) for day in (2, 3, 4))
CHECK = {"action": "check", "scheduled": "2026-03-03T13:00:00Z"}


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Env:
    """Monday to Wednesday of the sample on a folder: Tuesday is settled."""
    settings = load(environ={}, overrides={"lake": str(tmp_path_factory.mktemp("laptop"))})
    env = services.embedded(settings)
    env = dataclasses.replace(env, source=SampleSource(resources.path("sample_data", "raw")))
    list(days.days(env, MON, WED))
    return env


def moved(functions: Functions, laptop: Env, *zones: str) -> None:
    """Bring zones of the laptop's lake into the stack's buckets."""
    for zone in zones:
        for info in getattr(laptop.lake, zone).list():
            data = getattr(laptop.lake, zone).get(info.key)
            functions.s3.put_object(Bucket=bucket(zone), Key=info.key, Body=data)


def checks(report: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in report["checks"]}


def test_a_stack_whose_day_is_done_is_well(functions: Functions, laptop: Env) -> None:
    moved(functions, laptop, "signals", "ledger")
    report = functions.invoke("health", {"action": "check", "scheduled": "2026-03-04T13:00:00Z"})
    assert report["status"] == "ok", report
    found = checks(report)
    assert {*found} == {
        "settings", "catalog", "endpoint", "day", "ledger", "loss",
        *(f"zone {zone}" for zone in health.ZONES),
    }  # fmt: skip
    assert found["day"]["found"] == "the run of 2026-03-04 is published for 2026-03-04"
    assert found["catalog"]["found"] == f"{len(contracts())} tables of {DATABASE}"
    # Tuesday began with 121,000 dollars and ended with 120,952.31.
    assert found["loss"]["found"] == "$47.69 at most on 2026-03-03"
    figures = functions.figures()
    assert figures["DailyLoss"] == [pytest.approx(47.69, abs=0.005)]
    assert {name: values for name, values in figures.items() if name != "DailyLoss"} == {
        "SchemaDrift": [0],
        "DayMissing": [0],
        "LedgerMismatch": [0],
    }


def test_a_day_is_missing_from_one_o_clock_on(functions: Functions, laptop: Env) -> None:
    early = functions.invoke("health", CHECK | {"scheduled": "2026-03-03T12:59:00Z"})
    assert checks(early)["day"]["found"] == "the run of 2026-03-03 is due by 13:00 UTC"
    assert "DayMissing" not in functions.figures()

    late = checks(functions.invoke("health", CHECK))["day"]
    assert late["status"] == "fail"
    assert "was never scraped" in late["found"]
    assert "cashtag redrive scrape" in late["remedy"]
    assert functions.figures()["DayMissing"] == [1]

    moved(functions, laptop, "raw")
    late = checks(functions.invoke("health", CHECK))["day"]
    assert "it was scraped" in late["found"]
    assert "cashtag redrive signals" in late["remedy"]


def test_a_session_published_by_another_run_is_not_this_days(functions: Functions) -> None:
    # Monday's session as Sunday's run left it: Monday itself is missing.
    body = {"session": "2026-03-02", "dt": "2026-03-01", "run_id": "0"}
    key = layout.published(MON, "ab12")
    functions.s3.put_object(Bucket=bucket("signals"), Key=key, Body=json.dumps(body).encode())
    for scheduled, status in (("2026-03-01T13:00:00Z", "ok"), ("2026-03-02T13:00:00Z", "fail")):
        report = functions.invoke("health", CHECK | {"scheduled": scheduled})
        assert checks(report)["day"]["status"] == status


def test_a_table_that_drifted_or_is_gone_is_counted(functions: Functions) -> None:
    glue = functions.client("glue")
    glue.delete_table(DatabaseName=DATABASE, Name="outcomes")
    table = glue.get_table(DatabaseName=DATABASE, Name="tweets")["Table"]
    columns = table["StorageDescriptor"]["Columns"]
    columns[0]["Type"] = "bigint"
    glue.update_table(
        DatabaseName=DATABASE,
        TableInput={
            name: table[name]
            for name in ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
        },
    )
    report = functions.invoke("health", CHECK)
    said = [check["found"] for check in report["checks"] if check["name"] == "catalog"]
    assert sorted(said) == [
        "outcomes: is not in the catalog",
        "tweets: column tweet_id is bigint, not string",
    ]
    assert functions.figures()["SchemaDrift"] == [2]


def test_a_catalog_that_cannot_be_read_has_no_figure(functions: Functions) -> None:
    functions.client("glue").delete_database(Name=DATABASE)
    found = checks(functions.invoke("health", CHECK))["catalog"]
    assert found["status"] == "fail"
    assert "EntityNotFoundException" in found["found"]
    assert "SchemaDrift" not in functions.figures()


def test_a_bucket_that_is_gone_does_not_hide_the_others(functions: Functions) -> None:
    functions.s3.delete_bucket(Bucket=bucket("enriched"))
    found = checks(functions.invoke("health", CHECK))
    assert found["zone raw"]["status"] == "ok"
    assert found["zone enriched"]["status"] == "fail"
    assert "NoSuchBucket" in found["zone enriched"]["found"]


def test_books_that_differ_are_counted(functions: Functions, laptop: Env) -> None:
    moved(functions, laptop, "ledger")
    key = layout.event(TUE, ledger.SETTLED)
    body = json.loads(laptop.lake.ledger.get(key))
    body["books"]["large-100k"]["cash"] += 1000.0
    body["books"]["large-100k"]["equity"] -= 1000.0
    functions.s3.put_object(Bucket=bucket("ledger"), Key=key, Body=json.dumps(body).encode())
    found = checks(functions.invoke("health", CHECK))
    assert found["ledger"]["status"] == "fail"
    assert "large-100k CASH: the book has" in found["ledger"]["found"]
    # The loss of 1,047.69 is above min($500, 5 %).
    assert found["loss"]["status"] == "warn"
    assert "large-100k lost $1,047.69" in found["loss"]["found"]
    figures = functions.figures()
    assert figures["LedgerMismatch"] == [1]
    assert figures["DailyLoss"] == [pytest.approx(1047.69, abs=0.005)]


def test_a_lost_event_is_a_mismatch(functions: Functions, laptop: Env) -> None:
    moved(functions, laptop, "ledger")
    functions.s3.delete_object(Bucket=bucket("ledger"), Key=layout.event(TUE, ledger.SETTLED))
    found = checks(functions.invoke("health", CHECK))
    assert found["ledger"]["status"] == "fail"
    assert functions.figures()["LedgerMismatch"] == [1]


def test_an_endpoint_is_in_service_or_named(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASHTAG_ENRICH__MODEL", "sagemaker")
    found = checks(functions.invoke("health", CHECK))["endpoint"]
    assert found["status"] == "fail"
    assert found["found"].startswith("cashtag-sentiment: ")
    sagemaker = functions.client("sagemaker")
    role = "arn:aws:iam::123456789012:role/cashtag-model"
    sagemaker.create_model(
        ModelName="m",
        ExecutionRoleArn=role,
        PrimaryContainer={"Image": "i", "ModelDataUrl": "s3://b/k"},
    )
    sagemaker.create_endpoint_config(
        EndpointConfigName="c",
        ProductionVariants=[
            {
                "VariantName": "v",
                "ModelName": "m",
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
            }
        ],
    )
    sagemaker.create_endpoint(EndpointName="cashtag-sentiment", EndpointConfigName="c")
    found = checks(functions.invoke("health", CHECK))["endpoint"]
    assert (found["status"], found["found"]) == ("ok", "cashtag-sentiment is InService")


def test_a_smoke_test_asks_the_model_and_looks_at_no_day(functions: Functions) -> None:
    report = functions.invoke("health", {"action": "smoke"})
    assert report["status"] == "ok", report
    found = checks(report)
    assert found["model"]["found"].startswith("lexicon ")
    assert "day" not in found


def test_the_figure_of_a_moment_is_of_its_schedule(functions: Functions, laptop: Env) -> None:
    moved(functions, laptop, "signals")
    now = datetime(2026, 3, 4, 13, tzinfo=UTC)
    assert health.examine(functions.env, now).figures["missing"] == 0
