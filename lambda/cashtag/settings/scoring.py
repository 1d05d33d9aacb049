"""Settings of the sentiment models: where they are, how they are called, what they cost.

Nothing here says what a row means: rows name their model and its version, which settles that.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cashtag.settings.base import Count, CountOrNone, NonNegative, Positive, Section, Share


class Roberta(Section):
    """The packaged model that runs in this process."""

    folder: str
    threads: CountOrNone
    unpacked_bytes: Count


class Endpoint(Section):
    """A SageMaker endpoint that serves a packaged model."""

    name: str
    concurrency: Annotated[int, Field(ge=1, le=200)]
    payload_bytes: Annotated[int, Field(ge=1000, le=25_000_000)]
    connect_timeout_seconds: Positive
    read_timeout_seconds: Positive
    backoff_seconds: tuple[Positive, Positive]


class Serve(Section):
    """The loopback server of `cashtag model serve`."""

    port: Annotated[int, Field(ge=0, le=65535)]
    payload_bytes: Annotated[int, Field(ge=1000, le=25_000_000)]
    timeout_seconds: Positive


class Comprehend(Section):
    """Amazon Comprehend, BatchDetectSentiment."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    texts_per_call: Annotated[int, Field(ge=1, le=25)]
    max_bytes: Annotated[int, Field(ge=100, le=5000)]
    concurrency: Annotated[int, Field(ge=1, le=50)]
    connect_timeout_seconds: Positive
    read_timeout_seconds: Positive
    backoff_seconds: tuple[Positive, Positive]


class BedrockScorer(Section):
    """A language model through Bedrock's converse."""

    model_id: Annotated[str, Field(min_length=1)]
    max_tokens: Count
    temperature: Share
    characters: Annotated[int, Field(ge=100, le=100_000)]
    repeats: Annotated[int, Field(ge=0, le=5)]
    reasoning_characters: CountOrNone
    key_factors: CountOrNone
    concurrency: Annotated[int, Field(ge=1, le=50)]
    connect_timeout_seconds: Positive
    read_timeout_seconds: Positive
    backoff_seconds: tuple[Positive, Positive]


class Cost(Section):
    """List prices in dollars, and what is assumed where the lake does not say."""

    serverless_gb_second: NonNegative
    realtime_hour: NonNegative
    transform_hour: NonNegative
    comprehend_unit: NonNegative
    bedrock_1000_input_tokens: NonNegative
    bedrock_1000_output_tokens: NonNegative
    serverless_memory_gb: Annotated[int, Field(ge=1, le=6)]
    instances: Count
    transform_start_minutes: NonNegative
    comprehend_unit_characters: Count
    comprehend_least_units: Count
    bedrock_prompt_tokens: CountOrNone
    bedrock_characters_per_token: Positive
    bedrock_answer_tokens: CountOrNone
    model_milliseconds: Positive
    lexicon_milliseconds: Positive
    tweets_per_day: Positive
    characters: Positive
    runs: Count
    days_per_month: Positive


class Models(Section):
    """Every model that `enrich.model` or `enrich.ensemble.models` may name."""

    roberta: Roberta
    sagemaker: Endpoint
    finbert: Endpoint
    serve: Serve
    comprehend: Comprehend
    bedrock: BedrockScorer
    cost: Cost
