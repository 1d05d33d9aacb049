"""Settings of the deployed stack: where its zones, warehouse and messages are.

The stack sets them in its functions' environment; a laptop takes them from the stack's outputs.
Nothing here changes what a derived row means, so none of it is part of `config_hash`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cashtag.settings.base import Count, NonNegative, Positive, Section

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
    metrics_namespace: Annotated[str, Field(min_length=1, max_length=255)]
    link_hours: Annotated[float, Field(gt=0.0, le=12.0)]
    missing_after_utc: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    monthly_budget: NonNegative
    athena: Athena
