"""What starts by itself: the stack's schedules, which can be stopped and started again.

A stopped schedule keeps its definition; only its state changes. Nothing else of the stack does:
what is under way ends, and what a person starts runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cashtag.errors import CloudError, InputError
from cashtag.operate import account
from cashtag.operate.stack import Stack

# What UpdateSchedule takes; it replaces the whole definition, so the whole of it is sent back.
_DEFINITION = (
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "KmsKeyArn",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "Target",
)


@dataclass(frozen=True, slots=True)
class Service:
    """One schedule: the name that commands know it by, when it fires, and whether it does."""

    name: str
    runs: str
    zone: str
    enabled: bool
    target: str
    group: str
    full_name: str

    def row(self) -> dict[str, Any]:
        """The schedule as a row to print."""
        return {
            "service": self.name,
            "state": "on" if self.enabled else "off",
            "when": self.runs,
            "zone": self.zone,
            "function": self.target,
        }


def found(stack: Stack, session: Any) -> list[Service]:
    """The stack's schedules, by name.

    Raises:
        CloudError: EventBridge Scheduler refuses or does not answer.
    """
    client = account.client(session, "scheduler")
    with account.explained(f"the schedules of {stack.name} cannot be listed"):
        pages = client.get_paginator("list_schedules").paginate(NamePrefix=f"{stack.name}-")
        known = [(item["GroupName"], item["Name"]) for page in pages for item in page["Schedules"]]
        whole = [client.get_schedule(GroupName=group, Name=name) for group, name in known]
    return sorted((_service(stack, item) for item in whole), key=lambda one: one.name)


def switch(stack: Stack, session: Any, names: Sequence[str], *, on: bool) -> list[Service]:
    """Turn these schedules on or off (all without names); return all as they are then.

    One that is in that state already is left alone, so a call that died is finished by the next.

    Raises:
        InputError: the stack has no schedule of that name.
        CloudError: it has none at all, or EventBridge Scheduler refuses.
    """
    have = {service.name: service for service in found(stack, session)}
    if not have:
        raise CloudError(
            f"stack {stack.name} has no schedules: `cashtag deploy --env {stack.environment}`"
        )
    if unknown := sorted(set(names) - set(have)):
        raise InputError(f"SERVICE {', '.join(unknown)} is none of: {', '.join(have)}")
    client = account.client(session, "scheduler")
    for name in names or list(have):
        service = have[name]
        if service.enabled == on:
            continue
        with account.explained(f"schedule {service.full_name} cannot be changed"):
            now = client.get_schedule(GroupName=service.group, Name=service.full_name)
            same = {key: now[key] for key in _DEFINITION if key in now}
            client.update_schedule(**same, State="ENABLED" if on else "DISABLED")
    return found(stack, session)


def _service(stack: Stack, told: dict[str, Any]) -> Service:
    return Service(
        name=told["Name"].removeprefix(f"{stack.name}-"),
        runs=told["ScheduleExpression"],
        zone=told.get("ScheduleExpressionTimezone", "UTC"),
        enabled=told.get("State", "ENABLED") == "ENABLED",
        target=told["Target"]["Arn"].rpartition(":")[2],
        group=told["GroupName"],
        full_name=told["Name"],
    )
