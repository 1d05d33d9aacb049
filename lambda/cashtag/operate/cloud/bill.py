"""What a deployed stack has used and cost: CloudWatch's counts of its functions, and the bill.

The bill is Cost Explorer's, by the tag that CloudFormation puts on all of a stack; the tag must
have been activated for billing once. Each question to Cost Explorer costs a cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cashtag.operate import account
from cashtag.operate.cloud import STEPS
from cashtag.operate.cloud.estimate import Calls
from cashtag.operate.stack import Stack

TAG = "aws:cloudformation:stack-name"
HOW_TO_ACTIVATE = (
    f"activate the tag {TAG} under Billing, Cost allocation tags; it counts from then on, "
    "after a day"
)
_DAYS = 30


@dataclass(frozen=True, slots=True)
class Billed:
    """Dollars of one service in one month, as billed so far."""

    month: date
    service: str
    dollars: float

    def row(self) -> dict[str, Any]:
        """The sum as a row to print."""
        return asdict(self)


def calls(stack: Stack, session: Any, now: datetime) -> Calls:
    """Calls and seconds of each function in the last 30 days.

    Raises:
        CloudError: CloudWatch refuses or does not answer.
    """
    client = account.client(session, "cloudwatch")
    count: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for step in STEPS:
        name = stack.function(step)
        count[step] = _sum(client, name, "Invocations", now)
        seconds[step] = _sum(client, name, "Duration", now) / 1000
    return Calls(count, seconds, f"of {stack.name}, the {_DAYS} days to {now:%Y-%m-%d}")


def _sum(client: Any, function: str, metric: str, now: datetime) -> float:
    with account.explained(f"the metrics of {function} cannot be read"):
        told = client.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime=now - timedelta(days=_DAYS),
            EndTime=now,
            Period=86400,
            Statistics=["Sum"],
        )
    return float(sum(point["Sum"] for point in told["Datapoints"]))


def bill(stack: Stack, session: Any, today: date, months: int = 2) -> list[Billed]:
    """What this month and those before were billed so far, by service; empty where no tag counts.

    Raises:
        CloudError: Cost Explorer refuses or does not answer.
    """
    first = today.replace(day=1)
    for _ in range(months - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    client = account.client(session, "ce")
    found: list[Billed] = []
    request: dict[str, Any] = {
        "TimePeriod": {"Start": str(first), "End": str(today + timedelta(days=1))},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost"],
        "Filter": {"Tags": {"Key": TAG, "Values": [stack.name, f"{stack.name}-quicksight"]}},
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
    }
    while True:
        with account.explained(f"the bill of {stack.name} cannot be read"):
            told = client.get_cost_and_usage(**request)
        for period in told["ResultsByTime"]:
            month = date.fromisoformat(period["TimePeriod"]["Start"])
            found += [_billed(month, group) for group in period.get("Groups", ())]
        if not told.get("NextPageToken"):
            return sorted(found, key=lambda one: (one.month, -one.dollars, one.service))
        request["NextPageToken"] = told["NextPageToken"]


def _billed(month: date, group: Mapping[str, Any]) -> Billed:
    amount = group["Metrics"]["UnblendedCost"]["Amount"]
    return Billed(month, group["Keys"][0], round(float(amount), 4))
