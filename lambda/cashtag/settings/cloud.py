"""Settings of the deployed stack: where its zones, warehouse and messages are.

The stack sets them in its functions' environment; a laptop takes them from the stack's outputs.
Nothing here changes what a derived row means, so none of it is part of `config_hash`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cashtag.settings.base import Count, CountOrNone, NonNegative, Positive, Section

# A bucket, or a bucket and the prefix below which the zone lies; empty: not deployed.
Place = Annotated[
    str, Field(pattern=r"^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()=/-]+)?$")
]
Arn = Annotated[str, Field(pattern=r"^$|^arn:aws[a-z-]*:[^\s]+$")]


class Athena(Section):
    """How queries run: polled, bounded in time and in bytes scanned."""

    poll_seconds: Positive
    query_seconds: Positive
    scan_megabytes_per_query: Count
    scan_megabytes_per_day: Count
    concurrency: Annotated[int, Field(ge=1, le=20)]
    attempts: Annotated[int, Field(ge=1, le=10)]
    retry_seconds: Positive
    dollars_per_terabyte: NonNegative
    billed_megabytes: Count


class Prices(Section):
    """List prices in dollars, and what a month has free for ever (not only in the first year)."""

    lambda_gb_second: NonNegative
    lambda_request_million: NonNegative
    lambda_free_gb_seconds: NonNegative
    lambda_free_requests: NonNegative
    s3_gb_month: NonNegative
    s3_put_thousand: NonNegative
    s3_get_thousand: NonNegative
    crawler_dpu_hour: NonNegative
    crawler_dpus: Positive
    crawler_least_minutes: Positive
    logs_gigabyte: NonNegative
    logs_free_gigabytes: NonNegative
    metric_month: NonNegative
    free_metrics: NonNegative
    alarm_month: NonNegative
    free_alarms: NonNegative
    dashboard_month: NonNegative
    free_dashboards: NonNegative
    secret_month: NonNegative
    key_month: NonNegative
    schedule_million: NonNegative
    free_schedules: NonNegative
    sms: NonNegative


class Usage(Section):
    """What a month of daily runs is taken to do, where no stack tells: calls, seconds, bytes."""

    tickers: Count
    other_objects: Count
    scrape_seconds: Positive
    resume_seconds: Positive
    enrich_seconds: Positive
    signals_seconds: Positive
    trade_seconds: Positive
    health_seconds: Positive
    queries_per_run: Count
    objects_per_raw: Positive
    kilobytes_per_call: Positive
    gigabytes_kept: Positive
    sessions_per_month: Positive
    manage_per_session: NonNegative
    hours_with_metrics: Positive


class Functions(Section):
    """What the functions' zip is built for, and how large it may be unzipped, beside the layers."""

    python: Annotated[str, Field(pattern=r"^3\.\d{1,2}$")]
    architecture: Literal["x86_64", "arm64"]
    unzipped_megabytes: Annotated[float, Field(gt=0.0, le=250.0)]


class Deploying(Section):
    """How a deployment is followed, and what is left to others."""

    poll_seconds: Positive
    minutes: Positive
    smoke_seconds: Annotated[float, Field(gt=0.0, le=900.0)]
    unreserved_concurrency: CountOrNone


class Aws(Section):
    """One deployed stack, `<stack>-<environment>`."""

    stack: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    region: Annotated[str, Field(pattern=r"^$|^[a-z]{2}(-[a-z]+)+-\d$")]
    raw: Place
    enriched: Place
    signals: Place
    ledger: Place
    results: Place
    database: Annotated[str, Field(pattern=r"^[a-z0-9_]{0,255}$")]
    workgroup: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,128}$")]
    topic: Arn
    event_bus: str
    parameter: Annotated[str, Field(pattern=r"^$|^/[A-Za-z0-9_./-]+$")]
    settings_seconds: Annotated[float, Field(ge=5.0, le=86400.0)]
    reserve_seconds: Annotated[float, Field(ge=1.0, le=300.0)]
    metrics_namespace: Annotated[str, Field(min_length=1, max_length=255)]
    link_hours: Annotated[float, Field(gt=0.0, le=12.0)]
    missing_after_utc: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    monthly_budget: NonNegative
    rebuild_at_once: Annotated[int, Field(ge=1, le=50)]
    athena: Athena
    prices: Prices
    usage: Usage
    functions: Functions
    deploy: Deploying
