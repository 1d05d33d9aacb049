"""Metrics that functions wrote into their logs, beside those that a template's alarms watch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lambda_sandbox import Outcome
from stack_template import Stack

Name = tuple[str, str, tuple[tuple[str, str], ...]]
"""(namespace, metric, dimensions sorted by name)"""


def written(outcomes: Iterable[Outcome]) -> dict[Name, list[float]]:
    """Values of every metric in lines of the embedded format, as CloudWatch reads them."""
    found: dict[Name, list[float]] = {}
    for outcome in outcomes:
        for told in outcome.metrics():
            for name, value in _metrics(told):
                values = value if isinstance(value, list) else [value]
                found.setdefault(name, []).extend(float(one) for one in values)
    return found


def _metrics(told: dict[str, Any]) -> Iterator[tuple[Name, Any]]:
    for directive in told["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            dimensions = tuple(sorted((name, str(told[name])) for name in names))
            for metric in directive["Metrics"]:
                yield (directive["Namespace"], metric["Name"], dimensions), told[metric["Name"]]


def watched(stack: Stack, namespace: str) -> dict[str, set[Name]]:
    """Metrics of a namespace that each alarm watches, by the alarm's logical id."""
    found: dict[str, set[Name]] = {}
    for logical, alarm in stack.resources("AWS::CloudWatch::Alarm"):
        parts = [
            alarm,
            *(q["MetricStat"]["Metric"] for q in alarm.get("Metrics", ()) if "MetricStat" in q),
        ]
        for part in parts:
            if part.get("Namespace") == namespace:
                dimensions = tuple(
                    sorted((one["Name"], str(one["Value"])) for one in part.get("Dimensions", ()))
                )
                found.setdefault(logical, set()).add((namespace, part["MetricName"], dimensions))
    return found
