"""Mutants of a template: each filter, permission, schedule, rule and IAM statement taken away in turn.

**Decided by replay.** A mutant is asked about everything a recorded day consisted of: objects that
were written, events on the bus, schedules that were due, calls that roles made, and what AWS's own
services do in the stack's name. It is caught when one delivery is not made, or one more is, when
one recorded call is refused, or when a service may not do its part: the day could not have gone
as it went. That S3 would refuse a configuration counts as well.

**Decided by running.** `RUN` names one mutant of each kind which `make cloud-mutations` also puts
through a day of its own, function processes and all, so that replay is known to tell the truth.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import platform_acts
from aws_gateway import Used
from permissions import Permissions
from stack_template import Stack
from stack_wiring import Put, Wiring, WiringError

RUN = (
    "filter EnrichedBucket/_SUCCESS/",
    "permission TradeOnSignals",
    "schedule ScrapeDaily",
    "statement EnrichRole/Write",
)
# Mutants that no day on this bench can catch, by the beginning of their names, and why.
_CRAWLERS = "crawlers do not run here: moto's do nothing"
_ATHENA = "what Athena itself does, as its user guide lists it; its double does not"
NOT_EXAMINED = {
    "trust CrawlerRole": _CRAWLERS,
    "statement CrawlerRole/": _CRAWLERS,
    "action CrawlerRole/": _CRAWLERS,
    "statement SignalsRole/AthenaParts": _ATHENA,
    "action SignalsRole/AthenaParts": _ATHENA,
    "statement SignalsRole/AthenaDefault": _ATHENA,
    "action SignalsRole/AthenaDefault": _ATHENA,
    "action SignalsRole/AthenaBuckets s3:ListBucketMultipartUploads": _ATHENA,
    "action SignalsRole/Catalog glue:GetDatabase": _ATHENA,
    "action SignalsRole/Catalog glue:BatchGetPartition": _ATHENA,
    "action SignalsRole/Query athena:StopQueryExecution": "no query of these days takes too long",
    "statement Key/Logs": "CloudWatch encrypts logs where no test looks",
    "action Key/Logs": "CloudWatch encrypts logs where no test looks",
    "statement Key/Trail": "a trail is made where a parameter asks for one",
    "action Key/Trail": "a trail is made where a parameter asks for one",
    "statement AlertTopicPolicy/Account": "for people, who subscribe and look by hand",
    "action AlertTopicPolicy/Account": "for people, who subscribe and look by hand",
}


@dataclass(frozen=True)
class Mutant:
    """A template with one thing taken away; `name` says which."""

    name: str
    template: Mapping[str, Any] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Recording:
    """What a day consisted of."""

    first: datetime
    last: datetime
    puts: tuple[tuple[datetime, Put], ...]
    bus: tuple[tuple[datetime, str, dict[str, Any]], ...]
    used: frozenset[Used]


# ---------------------------------------------------------------- what is taken away


def mutants(stack: Stack) -> Iterator[Mutant]:
    """Every mutant of what this stack really has; what its conditions leave out is left out."""
    for logical, resource in stack.template["Resources"].items():
        if not stack.has(logical):
            continue
        match resource["Type"]:
            case "AWS::Lambda::Permission":
                yield _without(stack, f"permission {logical}", ("Resources", logical))
            case "AWS::Scheduler::Schedule":
                yield _without(stack, f"schedule {logical}", ("Resources", logical))
            case "AWS::Events::Rule":
                yield _without(stack, f"rule {logical}", ("Resources", logical))
            case "AWS::Lambda::EventInvokeConfig":
                yield _without(stack, f"retries {logical}", ("Resources", logical))
            case "AWS::S3::Bucket":
                yield from _notifications(stack, logical)
            case "AWS::IAM::Role":
                yield from _of_role(stack, logical)
            case "AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy":
                at = ("Resources", logical, "Properties", "PolicyDocument", "Statement")
                yield from _statements(stack, logical, at)
            case "AWS::KMS::Key":
                at = ("Resources", logical, "Properties", "KeyPolicy", "Statement")
                yield from _statements(stack, logical, at)


def _notifications(stack: Stack, logical: str) -> Iterator[Mutant]:
    at = ("Resources", logical, "Properties", "NotificationConfiguration", "LambdaConfigurations")
    for number, one in enumerate(_at(stack.template, at) or ()):
        rules = one.get("Filter", {}).get("S3Key", {}).get("Rules", ())
        prefix = next((rule["Value"] for rule in rules if rule["Name"] == "prefix"), "")
        yield _without(stack, f"notification {logical}/{prefix}", (*at, number))
        yield _without(stack, f"filter {logical}/{prefix}", (*at, number, "Filter"))


def _of_role(stack: Stack, logical: str) -> Iterator[Mutant]:
    base = ("Resources", logical, "Properties")
    trust = (*base, "AssumeRolePolicyDocument", "Statement")
    yield _without(stack, f"trust {logical}", (*trust, 0))
    for number, _ in enumerate(_at(stack.template, (*base, "Policies")) or ()):
        at = (*base, "Policies", number, "PolicyDocument", "Statement")
        yield from _statements(stack, logical, at)


def _statements(stack: Stack, logical: str, at: tuple[Any, ...]) -> Iterator[Mutant]:
    """Each statement, and each action of a statement that has several."""
    for number, row in enumerate(_at(stack.template, at)):
        body, inside = row, ()
        if set(row) == {"Fn::If"}:
            condition, then, otherwise = row["Fn::If"]
            branch = 1 if stack.condition(condition) else 2
            body, inside = (then, otherwise)[branch - 1], ("Fn::If", branch)
        if "Effect" not in body:
            continue  # nothing, where the condition fails
        name = f"{logical}/{body.get('Sid', number)}"
        yield _without(stack, f"statement {name}", (*at, number))
        actions = body.get("Action", ())
        if isinstance(actions, list) and len(actions) > 1:
            for which, action in enumerate(actions):
                path = (*at, number, *inside, "Action", which)
                yield _without(stack, f"action {name} {action}", path)


def _without(stack: Stack, name: str, path: tuple[Any, ...]) -> Mutant:
    """The template without what lies at a path; only what lies on the way is copied."""
    template = dict(stack.template)
    level: Any = template
    for part in path[:-1]:
        level[part] = copy.copy(level[part])
        level = level[part]
    del level[path[-1]]
    return Mutant(name, template)


def _at(level: Any, path: Iterable[Any]) -> Any:
    for part in path:
        if isinstance(level, Mapping) and part not in level:
            return None
        level = level[part]
    return level


# ---------------------------------------------------------------- whether it would have gone well


@dataclass
class Judge:
    """Compares mutants with the stack that the day was recorded on."""

    stack: Stack
    recording: Recording
    _deliveries: dict[str, int] = field(init=False)
    _acts: dict[str, str] = field(init=False)
    _permissions: Permissions = field(init=False)

    def __post_init__(self) -> None:
        self._permissions = Permissions(self.stack)
        self._deliveries = self._delivered(self.stack, self._permissions)
        self._acts = platform_acts.acts(self.stack, self._permissions)

    def caught(self, mutant: Mutant) -> str | None:
        """By what the mutant is caught, in words; None for a survivor."""
        stack = Stack(
            mutant.template,
            self.stack.name,
            self.stack.parameters,
            self.stack.physical,
            self.stack.account,
            self.stack.region,
        )
        permissions = Permissions(stack)
        try:
            delivered = self._delivered(stack, permissions)
        except WiringError as error:
            return str(error)
        return (
            self._refused(permissions)
            or _difference("delivery", self._deliveries, delivered)
            or _difference("act", self._acts, platform_acts.acts(stack, permissions))
        )

    def _delivered(self, stack: Stack, permissions: Permissions) -> dict[str, int]:
        """How often each delivery of the day is made."""
        wiring, found = Wiring(stack, permissions), {}
        told = [wiring.on_put(put, at) for at, put in self.recording.puts]
        told += [wiring.on_event(bus, event, at) for at, bus, event in self.recording.bus]
        for at, schedule in wiring.scheduled(self.recording.first, self.recording.last):
            told.append(wiring.on_schedule(schedule, at))
        for delivery in (one for row in told for one in row):
            name = f"{delivery.cause} to {delivery.target.rpartition(':')[2]}"
            found[name] = found.get(name, 0) + 1
        return found

    def _refused(self, permissions: Permissions) -> str | None:
        """The first recorded call that is refused; only roles whose policies changed are asked."""
        same_resources = permissions.of_resource == self._permissions.of_resource
        for used in sorted(self.recording.used, key=str):
            mine = permissions.roles.get(used.role)
            if same_resources and mine == self._permissions.roles[used.role]:
                continue
            if mine is None or not permissions.decide(used.role, used.call, via=used.via).allowed:
                return f"{used.role} may not {used.call}"
        return None


def _difference(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            return f"no {kind}: {name}"
        if name not in before:
            return f"a {kind} too many: {name}"
        if before[name] != after[name]:
            return f"{kind}: {name}: {after[name]} instead of {before[name]}"
    return None


def excuse(name: str) -> str | None:
    """Why a mutant of that name cannot be caught here; None for one that must be."""
    return next((why for start, why in NOT_EXAMINED.items() if name.startswith(start)), None)
