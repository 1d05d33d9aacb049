"""What starts what, as a template wires it and its permissions allow: notifications, rules, schedules.

Pure: it says which deliveries an occurrence leads to, and why another one is not made. Nothing is
invoked here, so that a changed template can be asked about occurrences of the past.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from aws_requests import Call
from event_patterns import fits
from event_time import due
from permissions import Permissions
from policies import Decision, matches
from stack_template import Stack


class WiringError(Exception):
    """The service would refuse such a configuration."""


@dataclass(frozen=True)
class Put:
    """An object that was written: `PutObject`, `CompleteMultipartUpload` or `CopyObject`."""

    bucket: str
    key: str
    size: int = 0
    etag: str = ""
    how: str = "Put"


@dataclass(frozen=True)
class Delivery:
    """An event on its way to a function (or another target), and what sent it."""

    cause: str
    """In words: `raw tweets/dt=…`, `schedule DailySchedule`."""
    by: str
    """Where the template wires it: `RawBucket/tweets/`, `DailySchedule`, `SignalRule/Log`."""
    target: str
    """ARN of what gets it."""
    event: Any = field(compare=False)

    def __hash__(self) -> int:
        return hash((self.cause, self.by, self.target))


@dataclass(frozen=True)
class Undelivered:
    """A delivery that the permissions do not allow."""

    by: str
    target: str
    reason: str


@dataclass
class Wiring:
    """The wiring of one stack. `refused` collects what was not allowed, `used` what was."""

    stack: Stack
    permissions: Permissions
    refused: list[Undelivered] = field(default_factory=list)
    used: set[tuple[str, Call, str | None]] = field(default_factory=set)
    """(role or resource, call, statement) that allowed a delivery."""

    def __post_init__(self) -> None:
        self._buckets = {
            self.stack.name_of(logical): (logical, bucket.get("NotificationConfiguration", {}))
            for logical, bucket in self.stack.resources("AWS::S3::Bucket")
        }
        self._rules = dict(self.stack.resources("AWS::Events::Rule"))
        self.schedules = dict(self.stack.resources("AWS::Scheduler::Schedule"))
        for logical, told in self._buckets.values():
            _refuse_overlap(logical, told)

    # ------------------------------------------------------------ S3

    def on_put(self, put: Put, at: datetime) -> list[Delivery]:
        """Deliveries that a written object leads to."""
        if put.bucket not in self._buckets:
            return []
        logical, told = self._buckets[put.bucket]
        found = []
        source = f"arn:aws:s3:::{put.bucket}"
        for configuration in told.get("LambdaConfigurations", ()):
            by = f"{logical}/{_prefix(configuration)}"
            wanted = configuration["Event"].removeprefix("s3:")
            if not matches(wanted, f"ObjectCreated:{put.how}") or not _fits(configuration, put.key):
                continue
            target = configuration["Function"]
            cause = f"{logical} {put.key}"
            if self._service(by, "s3.amazonaws.com", "lambda:InvokeFunction", target, source):
                found.append(Delivery(cause, by, target, {"Records": [_record(put, at)]}))
        bridge = told.get("EventBridgeConfiguration")
        if bridge is not None and bridge.get("EventBridgeEnabled", True):
            found += self.on_event("default", _object_created(put, at, self.stack), at)
        return found

    # ------------------------------------------------------------ EventBridge

    def on_event(self, bus: str, event: Mapping[str, Any], at: datetime) -> list[Delivery]:
        """Deliveries that an event on a bus leads to, by the rules of that bus."""
        found = []
        for logical, rule in self._rules.items():
            where = str(rule.get("EventBusName", "default")).rpartition("/")[2]
            if where != bus.rpartition("/")[2] or rule.get("State", "ENABLED") != "ENABLED":
                continue
            if not fits(rule.get("EventPattern", {}), event):
                continue
            for target in rule["Targets"]:
                by = f"{logical}/{target['Id']}"
                body = json.loads(target["Input"]) if "Input" in target else dict(event)
                cause = f"{event['source']} {event['detail-type']}"
                if self._rule_may(logical, by, target):
                    found.append(Delivery(cause, by, target["Arn"], body))
        return found

    def _rule_may(self, rule: str, by: str, target: Mapping[str, Any]) -> bool:
        arn, source = target["Arn"], self.stack.arn(rule)
        service = arn.split(":")[2]
        action = _ACTIONS.get(service)
        if action is None:
            raise WiringError(f"{by}: a target of {service} is not known here")
        if service == "logs":
            return True  # by a resource policy of the logs service, which templates may state
        if "RoleArn" in target:
            return self._role(by, target["RoleArn"], "events.amazonaws.com", source, action, arn)
        return self._service(by, "events.amazonaws.com", action, arn, source)

    # ------------------------------------------------------------ EventBridge Scheduler

    def scheduled(self, after: datetime, until: datetime) -> list[tuple[datetime, str]]:
        """Moments (UTC) and logical ids of the schedules due, `after` < moment ≤ `until`."""
        found = []
        for logical, schedule in self.schedules.items():
            if schedule.get("State", "ENABLED") != "ENABLED":
                continue
            zone = schedule.get("ScheduleExpressionTimezone", "UTC")
            moments = due(schedule["ScheduleExpression"], zone, after, until)
            found += [(moment, logical) for moment in moments]
        return sorted(found)

    def on_schedule(self, logical: str, at: datetime) -> list[Delivery]:
        """The delivery of a schedule that is due at a moment (UTC)."""
        schedule = self.schedules[logical]
        target = schedule["Target"]
        text = target.get("Input", "{}")
        for name, value in (
            ("scheduled-time", f"{at:%Y-%m-%dT%H:%M:%SZ}"),
            ("schedule-arn", self.stack.arn(logical)),
            ("execution-id", "00000000-0000-0000-0000-000000000000"),
            ("attempt-number", "1"),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", value)
        group = schedule.get("GroupName", "default")
        # The condition key holds the ARN of the group ("Prevent confused deputy in Scheduler").
        source = self.stack._arn("scheduler", f"schedule-group/{group}")
        allowed = self._role(
            logical,
            target["RoleArn"],
            "scheduler.amazonaws.com",
            source,
            "lambda:InvokeFunction",
            target["Arn"],
        )
        cause = f"schedule {logical}"
        return [Delivery(cause, logical, target["Arn"], json.loads(text))] if allowed else []

    # ------------------------------------------------------------ permissions

    def _service(self, by: str, service: str, action: str, target: str, source: str) -> bool:
        decision = self.permissions.service_may(service, action, target, source)
        return self._note(by, target, service, Call(action, target), decision)

    def _role(
        self, by: str, role_arn: str, service: str, source: str, action: str, target: str
    ) -> bool:
        role = self.permissions.role_at(role_arn)
        if role is None or not self.permissions.may_assume(role, service, source):
            self.refused.append(Undelivered(by, target, f"{service} may not assume {role_arn}"))
            return False
        call = Call(action, target)
        return self._note(by, target, role, call, self.permissions.decide(role, call))

    def _note(self, by: str, target: str, who: str, call: Call, decision: Decision) -> bool:
        if decision.allowed:
            self.used.add((who, call, decision.by.place if decision.by else None))
        else:
            self.refused.append(Undelivered(by, target, f"{who} may not {call.action}"))
        return decision.allowed


_ACTIONS = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "logs": "logs:PutLogEvents",
    "events": "events:PutEvents",
}


def _rules(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for rule in configuration.get("Filter", {}).get("S3Key", {}).get("Rules", ()):
        yield rule["Name"].lower(), rule["Value"]


def _prefix(configuration: Mapping[str, Any]) -> str:
    return dict(_rules(configuration)).get("prefix", "")


def _fits(configuration: Mapping[str, Any], key: str) -> bool:
    return all(
        key.startswith(value) if name == "prefix" else key.endswith(value)
        for name, value in _rules(configuration)
    )


def _refuse_overlap(logical: str, told: Mapping[str, Any]) -> None:
    """S3 refuses two configurations of a bucket that one object could fit."""
    rows = list(told.get("LambdaConfigurations", ()))
    for number, one in enumerate(rows):
        for other in rows[number + 1 :]:
            same = one["Event"] == other["Event"] or "*" in one["Event"] + other["Event"]
            first, second = _prefix(one), _prefix(other)
            if same and (first.startswith(second) or second.startswith(first)):
                raise WiringError(
                    f"{logical}: the prefixes {first!r} and {second!r} overlap; S3 refuses that"
                )


def _record(put: Put, at: datetime) -> dict[str, Any]:
    """One record of a notification ("Event message structure", Amazon S3 user guide)."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%S.000Z}",
        "eventName": f"ObjectCreated:{put.how}",
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "cashtag",
            "bucket": {
                "name": put.bucket,
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": f"arn:aws:s3:::{put.bucket}",
            },
            "object": {
                "key": quote_plus(put.key, safe="/"),
                "size": put.size,
                "eTag": put.etag,
                "sequencer": "0055AED6DCD90281E5",
            },
        },
    }


def _object_created(put: Put, at: datetime, stack: Stack) -> dict[str, Any]:
    """The same as EventBridge tells it; there keys are not encoded."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": stack.account,
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": stack.region,
        "resources": [f"arn:aws:s3:::{put.bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": put.bucket},
            "object": {"key": put.key, "size": put.size, "etag": put.etag},
            "reason": "PutObject",
        },
    }
