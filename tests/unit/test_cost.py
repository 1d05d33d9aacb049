"""What scoring costs: expectations worked out by hand from round prices."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from cashtag import services
from cashtag.cli.app import app
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.operate import cost
from cashtag.settings import load

RUN = date(2026, 3, 2)
PRICES = {
    "models.cost.serverless_gb_second": 0.00002,
    "models.cost.realtime_hour": 0.10,
    "models.cost.transform_hour": 0.20,
    "models.cost.comprehend_unit": 0.0001,
    "models.cost.bedrock_1000_input_tokens": 0.003,
    "models.cost.bedrock_1000_output_tokens": 0.015,
    "models.cost.serverless_memory_gb": 4,
    "models.cost.instances": 2,
    "models.cost.transform_start_minutes": 6.0,
    "models.cost.bedrock_prompt_tokens": 400,
    "models.cost.bedrock_characters_per_token": 4.0,
    "models.cost.bedrock_answer_tokens": 100,
    "models.cost.model_milliseconds": 10.0,
    "models.cost.lexicon_milliseconds": 0.2,
    "models.cost.tweets_per_day": 1000.0,
    "models.cost.characters": 200.0,
    "models.cost.days_per_month": 30.0,
}


@pytest.fixture
def settings():
    return load(
        overrides={**PRICES, "enrich.ensemble.models": ["sagemaker", "comprehend", "bedrock"]}
    )


def by_name(settings, **more):
    volume = cost.volume_of(None, settings.models.cost)
    found = cost.prices_of(settings, volume, **more)
    return {(price.model, price.how.split(",")[0]): price for price in found}


def test_a_serverless_tweet_costs_its_gigabyte_seconds(settings) -> None:
    price = by_name(settings)["sagemaker", "serverless"]
    # 10 ms x 4 GB = 0.04 GB-seconds a tweet; a thousand are 40, at $0.00002.
    assert price.per_1000_tweets == pytest.approx(0.0008)
    assert price.per_month == pytest.approx(0.024)  # 1,000 a day for 30 days
    assert price.seconds_per_1000 == 10.0


def test_measured_speed_and_memory_stand_instead_of_the_settings(settings) -> None:
    price = by_name(settings, milliseconds=20.0, memory_gb=2)["sagemaker", "serverless"]
    assert price.per_1000_tweets == pytest.approx(0.0008)  # twice the time, half the memory
    assert by_name(settings, milliseconds=20.0)["roberta", "in process"].seconds_per_1000 == 20.0


def test_what_runs_on_this_machine_costs_time_and_no_dollar(settings) -> None:
    for model, seconds in (("lexicon", 0.2), ("roberta", 10.0)):
        price = by_name(settings)[model, "in process"]
        assert (price.per_1000_tweets, price.per_month) == (0.0, 0.0)
        assert price.seconds_per_1000 == seconds


def test_instances_that_are_always_on_cost_the_same_at_any_volume(settings) -> None:
    price = by_name(settings)["sagemaker", "real-time"]
    assert price.per_month == pytest.approx(144.0)  # 2 x $0.10 x 24 h x 30 days
    assert price.per_1000_tweets == pytest.approx(4.8)  # by 30,000 tweets a month


def test_a_transform_is_billed_from_its_start_on(settings) -> None:
    price = by_name(settings)["sagemaker", "batch transform"]
    # 6 minutes, then 30,000 tweets of 10 ms = 5 minutes: 11/60 of an hour at $0.20.
    assert price.per_month == pytest.approx(0.2 * 11 / 60)
    assert price.per_1000_tweets == pytest.approx(0.2 * 11 / 60 / 30)


@pytest.mark.parametrize(
    ("characters", "units"),
    [
        (1, 3),  # three at least
        (300, 3),
        (301, 4),  # a unit that is begun is a whole one
        (1000, 10),
    ],
)
def test_comprehend_counts_units_of_100_characters_three_at_least(
    settings, characters, units
) -> None:
    assert cost.comprehend_units(settings.models.cost, characters) == units


def test_comprehend_bills_units(settings) -> None:
    price = by_name(settings)["comprehend", "BatchDetectSentiment"]
    assert price.per_1000_tweets == pytest.approx(0.3)  # 200 characters are billed as 300
    assert price.per_month == pytest.approx(9.0)
    assert price.seconds_per_1000 is None


def test_bedrock_bills_the_prompt_the_text_and_the_answer(settings) -> None:
    price = by_name(settings)["bedrock", "converse"]
    # (400 + 200/4) x $0.003/1000 + 100 x $0.015/1000 = 0.00135 + 0.0015 a tweet.
    assert price.per_1000_tweets == pytest.approx(2.85)


def test_an_ensemble_costs_the_sum_of_its_models(settings) -> None:
    found = cost.prices_of(settings, cost.volume_of(None, settings.models.cost))
    price = found[-1]
    assert (price.model, price.how) == ("ensemble", "sagemaker + comprehend + bedrock")
    assert price.per_1000_tweets == pytest.approx(0.0008 + 0.3 + 2.85)
    assert price.per_month == pytest.approx(0.024 + 9.0 + 85.5)


def test_the_model_in_use_is_marked_once(settings) -> None:
    used = [
        p for p in cost.prices_of(settings, cost.volume_of(None, settings.models.cost)) if p.in_use
    ]
    assert [price.model for price in used] == ["lexicon"]


def test_the_shipped_prices_reach_the_known_totals() -> None:
    # Serverless 4 GB: $0.84 a million tweets of 10.5 ms; an ml.m5.large: $84 a month.
    settings = load()
    found = {
        (p.model, p.how): p
        for p in cost.prices_of(settings, cost.volume_of(None, settings.models.cost))
    }
    assert found["sagemaker", "serverless"].per_1000_tweets == pytest.approx(0.00084)
    assert found["sagemaker", "real-time"].per_month == pytest.approx(84.01, abs=0.01)
    assert found["comprehend", "BatchDetectSentiment"].per_1000_tweets == pytest.approx(0.3)


# ---------------------------------------------------------------- the lake's own volume


def lake_with(folder: Path, runs: dict[date, list[str]]):
    zones = services.folder_lake(folder)
    tweets = contract("tweets")
    for dt, texts in runs.items():
        columns = []
        for field in tweets.arrow_schema():
            if field.name == "text":
                columns.append(pa.array(texts, pa.string()))
            elif field.name == "tweet_id":
                columns.append(pa.array([str(i) for i in range(len(texts))]))
            elif pa.types.is_string(field.type):
                columns.append(pa.array(["x"] * len(texts), field.type))
            elif pa.types.is_list(field.type):
                columns.append(pa.array([[]] * len(texts), field.type))
            else:
                width = pa.int32() if pa.types.is_date32(field.type) else pa.int64()
                columns.append(pa.array([0] * len(texts), width).cast(field.type))
        table = pa.Table.from_arrays(columns, schema=tweets.arrow_schema())
        zones.enriched.put(layout.enriched("tweets", dt), parquet.write(tweets, table))
    return zones


def test_volume_and_lengths_are_those_of_the_newest_runs(tmp_path: Path, settings) -> None:
    zones = lake_with(
        tmp_path,
        {
            date(2026, 3, 1): ["too old to count"] * 50,
            date(2026, 3, 2): ["a" * 100, "é" * 350],  # two bytes each, one character
            date(2026, 3, 3): ["b" * 50, "c" * 60, "d" * 240, "e" * 400],
        },
    )
    prices = settings.models.cost.model_copy(update={"runs": 2})
    volume = cost.volume_of(zones, prices)
    assert volume.tweets_per_day == 3.0  # six in two runs
    assert volume.characters == pytest.approx(200.0)  # 1,200 in six
    # 3 + 4, 3 + 3 + 3 + 4 units: the average of texts, not the units of the average text.
    assert volume.comprehend_units == pytest.approx(20 / 6)
    assert volume.source == "6 tweets of 2 runs, 2026-03-02 to 2026-03-03"


def test_what_is_given_stands_instead_of_the_lakes(tmp_path: Path, settings) -> None:
    zones = lake_with(tmp_path, {RUN: ["a" * 350]})
    volume = cost.volume_of(zones, settings.models.cost, tweets_per_day=500)
    assert (volume.tweets_per_day, volume.characters, volume.comprehend_units) == (500, 350, 4)
    volume = cost.volume_of(zones, settings.models.cost, characters=120.0)
    assert (volume.tweets_per_day, volume.characters, volume.comprehend_units) == (1, 120, 3)


def test_a_lake_without_tweets_is_assumed(tmp_path: Path, settings) -> None:
    volume = cost.volume_of(lake_with(tmp_path, {RUN: []}), settings.models.cost)
    assert (volume.tweets_per_day, volume.characters) == (1000.0, 200.0)
    assert volume.source == "as the settings assume"


# ---------------------------------------------------------------- discovery, the command


def answer(dollars: float, tokens: int) -> bytes:
    data = {"answer": {"tickers": []}, "refused": None, "listed": None,
            "input_tokens": tokens, "output_tokens": 0, "dollars": dollars}  # fmt: skip
    line = json.dumps({"source": "bedrock", "scraped_at": "x", "query": "x", "data": data})
    return gzip.compress(line.encode() + b"\n", mtime=0)


def test_discovery_costs_what_was_recorded_in_the_runs_that_asked(tmp_path, settings) -> None:
    raw = services.folder_lake(tmp_path).raw
    days = [date(2026, 3, day) for day in (1, 2, 3)]
    assert cost.discovered(raw, days, settings.models.cost) is None
    raw.put(layout.raw("discovery", days[0], "bedrock", "discovery", 1), answer(0.02, 1000))
    raw.put(layout.raw("discovery", days[2], "bedrock", "discovery", 1), answer(0.03, 2000))
    raw.put(layout.raw("discovery", days[2], "bedrock", "discovery", 2), answer(0.01, 1000))
    price = cost.discovered(raw, days, settings.models.cost)
    # (0.02 + 0.04) in two runs, a run a day of 30.
    assert price is not None
    assert price.per_month == pytest.approx(0.9)
    assert price.per_1000_tweets is None
    assert price.of == "$0.03 and 2,000 tokens a run, of 2 recorded"


def test_the_command_prints_a_table_and_says_whose_prices(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["cost", "--lake", str(tmp_path / "none")])
    assert done.exit_code == 0, done.output
    assert "BatchDetectSentiment" in done.output
    assert "3,000 tweets a day of 140 characters (as the settings assume)." in done.output
    assert "List prices" in done.output
    assert not (tmp_path / "none").exists()


def test_the_command_prints_one_json_object(tmp_path: Path) -> None:
    lake_with(tmp_path, {RUN: ["a" * 350] * 10})
    done = CliRunner().invoke(
        app, ["cost", "--lake", str(tmp_path), "--format", "json", "--milliseconds", "20"]
    )
    told = SimpleNamespace(**json.loads(done.output))
    assert told.volume["tweets_per_day"] == 10.0
    (comprehend,) = (row for row in told.prices if row["model"] == "comprehend")
    assert comprehend["per_1000_tweets"] == 0.4  # 350 characters are four units
    (serverless,) = (
        row for row in told.prices if (row["model"], row["how"]) == ("sagemaker", "serverless")
    )
    assert serverless["per_1000_tweets"] == pytest.approx(0.0016)
    assert "region" in told.note
