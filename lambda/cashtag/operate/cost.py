"""What each way of scoring costs: dollars for a thousand tweets and for a month, by list prices.

Volume and text lengths are the lake's own where it has runs, else the settings' assumptions. The
prices are those of `[models.cost]`. Scoring is counted once a tweet: answers are recorded, so a
rebuild asks nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import partitions
from cashtag.scrape import discovery

if TYPE_CHECKING:
    from cashtag.ports import Lake, Store
    from cashtag.settings import Settings
    from cashtag.settings.scoring import Cost

NOTE = (
    "List prices of [models.cost], not a bill: confirm them for your region at aws.amazon.com "
    "and set what differs."
)
_PER = 1000  # tweets, tokens, milliseconds in a second
_HOUR_SECONDS = 3600
_DAY_HOURS = 24
_DIGITS = 8  # decimals of a dollar that are printed


@dataclass(frozen=True, slots=True)
class Volume:
    """How much there is to score, and where that is known from."""

    tweets_per_day: float
    characters: float
    """Of a tweet, on average, in Unicode code points."""
    comprehend_units: float
    """Of a tweet, on average: each text is rounded up by itself."""
    source: str


@dataclass(frozen=True, slots=True)
class Price:
    """One way of scoring. Dollars; None where a price has no such measure."""

    model: str
    how: str
    per_1000_tweets: float | None
    per_month: float
    seconds_per_1000: float | None
    """Of computing, where a speed is known; networks and waiting are not in it."""
    of: str
    """The arithmetic, in words."""
    in_use: bool = False

    def row(self) -> dict[str, Any]:
        """The price as a row to print."""
        found = asdict(self)
        for name in ("per_1000_tweets", "per_month"):
            found[name] = None if found[name] is None else round(found[name], _DIGITS)
        return found


# ---------------------------------------------------------------- how much there is


def volume_of(
    lake: Lake | None,
    prices: Cost,
    tweets_per_day: float | None = None,
    characters: float | None = None,
) -> Volume:
    """The lake's volume, or the settings' where there is none; what somebody gives stands instead.

    Raises:
        ContractError: a table of the lake is damaged.
    """
    found = None if lake is None else of_lake(lake, prices)
    if found is None:
        units = comprehend_units(prices, math.ceil(prices.characters))
        found = Volume(prices.tweets_per_day, prices.characters, units, "as the settings assume")
    if tweets_per_day is not None:
        found = replace(found, tweets_per_day=tweets_per_day, source=f"as given; {found.source}")
    if characters is not None:
        units = comprehend_units(prices, math.ceil(characters))
        source = f"length as given; {found.source}"
        found = replace(found, characters=characters, comprehend_units=units, source=source)
    return found


def of_lake(lake: Lake, prices: Cost) -> Volume | None:
    """Volume and lengths of the newest runs; None when the lake has no tweets.

    Raises:
        ContractError: a table of the lake is damaged.
    """
    tweets = contract("tweets")
    days = list(partitions(lake, tweets))[-prices.runs :]
    counts: dict[int, int] = {}
    for day in days:
        data = lake.enriched.get(layout.enriched("tweets", day))
        for length, count in _lengths(parquet.read(tweets, data, ["text"])["text"]):
            counts[length] = counts.get(length, 0) + count
    total = sum(counts.values())
    if not total:
        return None
    return Volume(
        total / len(days),
        sum(length * count for length, count in counts.items()) / total,
        sum(comprehend_units(prices, length) * count for length, count in counts.items()) / total,
        f"{total} tweets of {len(days)} runs, {days[0]} to {days[-1]}",
    )


def _lengths(texts: Any) -> list[tuple[int, int]]:
    import pyarrow.compute as pc

    counted = pc.value_counts(pc.utf8_length(texts)).to_pylist()
    return [(item["values"], item["counts"]) for item in counted if item["values"] is not None]


# ---------------------------------------------------------------- what one thing costs


def comprehend_units(prices: Cost, characters: int) -> int:
    """Units that a text of so many characters is billed: rounded up, and three at least.

    https://aws.amazon.com/comprehend/pricing/
    """
    return max(
        prices.comprehend_least_units, math.ceil(characters / prices.comprehend_unit_characters)
    )


def serverless(prices: Cost, milliseconds: float, memory_gb: float) -> float:
    """Dollars a tweet: gigabytes times seconds; nothing while nobody asks."""
    return milliseconds / _PER * memory_gb * prices.serverless_gb_second


def realtime_month(prices: Cost, instances: int) -> float:
    """Dollars a month of instances that are always on, whatever they are asked."""
    return instances * prices.realtime_hour * _DAY_HOURS * prices.days_per_month


def transform_job(prices: Cost, tweets: float, milliseconds: float) -> float:
    """Dollars of one batch transform on one instance: its start, then the tweets."""
    seconds = prices.transform_start_minutes * 60 + tweets * milliseconds / _PER
    return seconds / _HOUR_SECONDS * prices.transform_hour


def bedrock(prices: Cost, characters: float) -> float:
    """Dollars a tweet, which has a call of its own: the instructions, the text, the answer."""
    asked = prices.bedrock_prompt_tokens + characters / prices.bedrock_characters_per_token
    answered = prices.bedrock_answer_tokens
    return (
        asked * prices.bedrock_1000_input_tokens + answered * prices.bedrock_1000_output_tokens
    ) / _PER


# ---------------------------------------------------------------- the table


def prices_of(
    settings: Settings,
    volume: Volume,
    *,
    milliseconds: float | None = None,
    memory_gb: int | None = None,
) -> list[Price]:
    """Every way of scoring, cheapest hosting first, the ensemble of the settings last.

    Args:
        settings: reads `models.cost`, `enrich`.
        volume: how much there is to score.
        milliseconds: a tweet takes a RoBERTa, as measured; by default the settings'.
        memory_gb: of the serverless endpoint; by default the settings'.
    """
    cost = settings.models.cost
    took = cost.model_milliseconds if milliseconds is None else milliseconds
    memory = cost.serverless_memory_gb if memory_gb is None else memory_gb
    monthly = volume.tweets_per_day * cost.days_per_month

    def metered(model: str, how: str, dollars: float, seconds: float | None, of: str) -> Price:
        return Price(model, how, dollars * _PER, dollars * monthly, seconds, of)

    def fixed(model: str, how: str, dollars: float, of: str) -> Price:
        return Price(model, how, dollars / monthly * _PER, dollars, took, of)

    by_call = serverless(cost, took, memory)
    arithmetic = f"{memory} GB x {took:g} ms x ${plain(cost.serverless_gb_second)} a GB-second"
    single = {
        "lexicon": metered("lexicon", "in process", 0.0, cost.lexicon_milliseconds, "this machine"),
        "roberta": metered("roberta", "in process", 0.0, took, "this machine"),
        "sagemaker": metered("sagemaker", "serverless", by_call, took, arithmetic),
        "finbert": metered("finbert", "serverless", by_call, took, arithmetic),
        "comprehend": metered(
            "comprehend",
            "BatchDetectSentiment",
            volume.comprehend_units * cost.comprehend_unit,
            None,
            f"{volume.comprehend_units:.4g} units x ${plain(cost.comprehend_unit)}",
        ),
        "bedrock": metered(
            "bedrock",
            "converse, one a call",
            bedrock(cost, volume.characters),
            None,
            f"{cost.bedrock_prompt_tokens} + "
            f"{volume.characters / cost.bedrock_characters_per_token:.4g} tokens in, "
            f"{cost.bedrock_answer_tokens} out",
        ),
    }
    hosted = [
        fixed(
            "sagemaker",
            "real-time",
            realtime_month(cost, cost.instances),
            f"{cost.instances} x ${cost.realtime_hour:g} an hour, always on",
        ),
        fixed(
            "sagemaker",
            "batch transform, once a month",
            transform_job(cost, monthly, took),
            f"{cost.transform_start_minutes:g} min + {took:g} ms a tweet x "
            f"${cost.transform_hour:g} an hour",
        ),
    ]
    members = settings.enrich.ensemble.models
    parts = [single[name] for name in members if name in single]
    rows = [
        *(single[name] for name in ("lexicon", "roberta", "sagemaker")),
        *hosted,
        *(single[name] for name in ("finbert", "comprehend", "bedrock")),
        Price(
            "ensemble",
            " + ".join(members),
            _sum(parts, lambda part: part.per_1000_tweets),
            _sum(parts, lambda part: part.per_month),
            _sum(parts, lambda part: part.seconds_per_1000),
            "the sum of its models",
        ),
    ]
    return [_marked(price, settings.enrich.model) for price in rows]


def _sum(parts: list[Price], of: Callable[[Price], float | None]) -> float:
    return sum(of(part) or 0.0 for part in parts)


def _marked(price: Price, model: str) -> Price:
    """The price, marked when `enrich.model` names it; of an endpoint, the serverless one."""
    used = price.model == model and (price.model != "sagemaker" or price.how == "serverless")
    return replace(price, in_use=used)


def plain(dollars: float) -> str:
    """A small price without an exponent: 0.00002, not 2e-05."""
    return f"{dollars:.10f}".rstrip("0").rstrip(".")


def discovered(raw: Store, days: list[date], prices: Cost) -> Price | None:
    """What ticker discovery cost in those runs that asked, as recorded; None where none did.

    Dollars are those written down with each answer, by the prices of then; a month has a run a day.
    """
    paid = [cost for day in days if (cost := discovery.cost_of(raw, day)).answers]
    if not paid:
        return None
    dollars = sum(cost.dollars for cost in paid) / len(paid)
    tokens = sum(cost.input_tokens + cost.output_tokens for cost in paid) / len(paid)
    return Price(
        "discovery",
        "once a run",
        None,
        dollars * prices.days_per_month,
        None,
        f"${dollars:.4g} and {tokens:,.0f} tokens a run, of {len(paid)} recorded",
        in_use=True,
    )
