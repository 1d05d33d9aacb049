"""What AWS's own services do in the name of a stack, and whether its policies let them.

They write logs, keep what failed, deliver alarms and crawlers' news, and refuse what is not
encrypted on its way. Each act has a name and a verdict in words; a stack that is well has the
same ones whichever day it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aws_requests import Call
from permissions import Permissions
from policies import decide
from stack_template import Stack
from stack_wiring import Wiring

LOST, MAY, MAY_NOT = "lost", "may", "may not"
# "AWS Glue events" (AWS Glue developer guide): counts are text.
_CRAWLED = {
    "source": "aws.glue",
    "detail-type": "Glue Crawler State Change",
    "detail": {"tablesCreated": "0", "tablesUpdated": "0", "tablesDeleted": "0"},
}


def acts(stack: Stack, permissions: Permissions) -> dict[str, str]:
    """The verdict of every act, by its name."""
    return dict(_acts(stack, permissions))


def _acts(stack: Stack, permissions: Permissions) -> Iterator[tuple[str, str]]:
    for logical, told in stack.resources("AWS::Lambda::Function"):
        yield from _of_function(stack, permissions, logical, told)
    for logical, told in stack.resources("AWS::Scheduler::Schedule"):
        queue = told["Target"].get("DeadLetterConfig", {}).get("Arn")
        role = permissions.role_at(told["Target"]["RoleArn"])
        yield f"{logical} cannot be delivered", _kept(permissions, role, queue)
    yield from _rules(stack, permissions)
    for logical, told in stack.resources("AWS::CloudWatch::Alarm"):
        for target in (*told.get("AlarmActions", ()), *told.get("OKActions", ())):
            name = f"{logical} announces"
            yield (
                name,
                _service(permissions, "cloudwatch.amazonaws.com", target, stack.arn(logical)),
            )
    for logical, _ in stack.resources("AWS::Budgets::Budget"):
        source = f"arn:aws:budgets::{stack.account}:budget/{logical}"
        for topic, _ in stack.resources("AWS::SNS::Topic"):
            arn = stack.arn(topic)
            yield (
                f"{logical} announces",
                _service(permissions, "budgets.amazonaws.com", arn, source),
            )
    for kind, action in (
        ("AWS::S3::Bucket", "s3:GetObject"),
        ("AWS::SQS::Queue", "sqs:SendMessage"),
        ("AWS::SNS::Topic", "sns:Publish"),
    ):
        for logical, _ in stack.resources(kind):
            yield f"{logical} in the clear", _in_the_clear(stack, permissions, logical, action)


def _of_function(
    stack: Stack, permissions: Permissions, logical: str, told: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    role = permissions.role_at(told["Role"])
    assumed = role is not None and permissions.may_assume(
        role, "lambda.amazonaws.com", stack.arn(logical)
    )
    yield f"{logical} takes on its role", MAY if assumed else MAY_NOT
    for call in logging(stack, logical, told):
        allowed = role is not None and permissions.decide(role, call).allowed
        yield f"{logical} {call.action}", MAY if allowed else MAY_NOT
    config = next(
        (
            one
            for _, one in stack.resources("AWS::Lambda::EventInvokeConfig")
            if one["FunctionName"] in (stack.name_of(logical), stack.arn(logical))
        ),
        {},
    )
    yield f"{logical} is retried", str(config.get("MaximumRetryAttempts", 2))
    queue = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    yield f"{logical} fails for good", _kept(permissions, role, queue)


def logging(stack: Stack, logical: str, told: dict[str, Any]) -> list[Call]:
    """What Lambda needs of a function's role to keep its logs."""
    name = stack.name_of(logical)
    group = told.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{name}")
    stream = stack._arn("logs", f"log-group:{group}:log-stream:2026/01/01/[$LATEST]0")
    return [Call("logs:CreateLogStream", stream), Call("logs:PutLogEvents", stream)]


def _kept(permissions: Permissions, role: str | None, queue: str | None) -> str:
    """Where a failure lies in the end."""
    if queue is None or role is None:
        return LOST
    return queue if permissions.decide(role, Call("sqs:SendMessage", queue)).allowed else LOST


def _rules(stack: Stack, permissions: Permissions) -> Iterator[tuple[str, str]]:
    wiring, at = Wiring(stack, permissions), datetime(2026, 1, 4, 14, tzinfo=UTC)
    for name, _ in stack.resources("AWS::Glue::Crawler"):
        crawler = stack.name_of(name)
        for state, more in (
            ("Failed", {}),
            ("Succeeded", {}),
            ("Succeeded", {"tablesUpdated": "1"}),
        ):
            detail = {**_CRAWLED["detail"], "crawlerName": crawler, "state": state, **more}
            told = wiring.on_event("default", {**_CRAWLED, "detail": detail}, at)
            heard = sorted(
                f"{one.by}: {_key(permissions, 'events.amazonaws.com', one.target)}" for one in told
            )
            yield f"{name} {state} {sorted(more)}", ", ".join(heard) or "nobody hears"
    for logical, rule in stack.resources("AWS::Events::Rule"):
        for target in rule["Targets"]:
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            kept = queue and permissions.service_may(
                "events.amazonaws.com", "sqs:SendMessage", queue, stack.arn(logical)
            )
            yield f"{logical} cannot be delivered", queue if kept and kept.allowed else LOST


def _service(permissions: Permissions, service: str, topic: str, source: str) -> str:
    may = permissions.service_may(service, "sns:Publish", topic, source).allowed
    return _key(permissions, service, topic) if may else MAY_NOT


def _key(permissions: Permissions, service: str, target: str) -> str:
    """Whether a service may also use the key that its target is encrypted with, if there is one."""
    key = permissions.key_of.get(target)
    actions = ("kms:GenerateDataKey", "kms:Decrypt") if key else ()
    allowed = all(permissions.service_may(service, a, key or "", target).allowed for a in actions)
    return MAY if allowed else f"{MAY_NOT} use the key"


def _in_the_clear(stack: Stack, permissions: Permissions, logical: str, action: str) -> str:
    """What becomes of a request without TLS, or with an old one, of somebody who may do all."""
    arn = stack.arn(logical)
    resource = f"{arn}/key" if action.startswith("s3:") else arn
    verdicts = []
    for context in (
        {"aws:securetransport": "false"},
        {"aws:securetransport": "true", "s3:tlsversion": "1.1"},
        {"aws:securetransport": "true", "s3:tlsversion": "1.3"},
    ):
        decision = decide(
            (),
            action,
            resource,
            context,
            principal={"AWS": f"arn:aws:iam::{stack.account}:user/anybody"},
            of_resource=permissions.of_resource.get(arn, ()),
        )
        denied = decision.by is not None and decision.by.effect == "Deny"
        verdicts.append("refused" if denied else "let through")
    return ", ".join(verdicts)
