"""What `cashtag doctor --aws` examines: a deployed stack, part by part, and what to do about it.

Every look is read-only. A part that cannot be looked at is a finding of its own and hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cashtag.errors import CashtagError
from cashtag.lake.contracts import contracts
from cashtag.operate import account, explained
from cashtag.operate.cloud import STEPS, parameter, redrive, schedules
from cashtag.operate.doctor import Finding
from cashtag.operate.stack import Stack
from cashtag.ports import Progress
from cashtag.settings import Settings
from cashtag.warehouse import catalog

_BUCKETS = ("RawBucket", "EnrichedBucket", "SignalsBucket", "LedgerBucket", "ResultsBucket")
_STEADY = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
# Fewer at once, and a day of thirty tickers waits for itself.
_AT_ONCE = 10


@dataclass(frozen=True)
class Visit:
    """What every probe needs. `settings` are those of the stack."""

    settings: Settings
    stack: Stack
    session: Any

    @property
    def deploy(self) -> str:
        """The remedy for whatever the stack itself should have made."""
        return f"cashtag deploy --env {self.stack.environment}"


def examine(
    settings: Settings, stack: Stack, session: Any, progress: Progress | None = None
) -> list[Finding]:
    """Examine a deployed stack; `settings` are those that it has (`stack.settings(…)`)."""
    visit = Visit(settings, stack, session)
    found: list[Finding] = []
    for n, (name, probe) in enumerate(_PROBES.items()):
        if progress is not None:
            progress(n, len(_PROBES), name)
        try:
            found += probe(visit)
        except CashtagError as error:
            found.append(Finding(name, "fail", str(error), "allow it, or put right what it says"))
    return found


def _account(visit: Visit) -> Iterator[Finding]:
    caller = account.caller(visit.session)
    yield Finding("account", "ok", f"{caller.account} in {visit.stack.region}, as {caller.arn}")
    stack = visit.stack
    good = stack.status in _STEADY
    found = f"{stack.name}: {stack.status}" + (f" ({stack.reason})" if stack.reason else "")
    yield Finding("stack", "ok" if good else "warn", found, "" if good else visit.deploy)


def _limits(visit: Visit) -> Iterator[Finding]:
    with account.explained("Lambda's limits cannot be read"):
        limits = account.client(visit.session, "lambda").get_account_settings()["AccountLimit"]
    most = limits["ConcurrentExecutions"]
    yield Finding(
        "concurrency",
        "ok" if most > _AT_ONCE else "warn",
        f"{most} functions at once in this account",
        ""
        if most > _AT_ONCE
        else "ask for more under Service Quotas, Lambda, Concurrent executions: it is free",
    )


def _settings(visit: Visit) -> Iterator[Finding]:
    kept = parameter.read(visit.stack, visit.session)
    error = parameter.refusal(kept)
    found = f"{kept.name}, version {kept.version}" if kept.version else f"{kept.name} is empty"
    yield Finding(
        "settings",
        "fail" if error else "ok",
        error or found,
        f"cashtag config set KEY VALUE --env {visit.stack.environment}" if error else "",
    )
    mode = visit.settings.trade.mode
    yield Finding("trade.mode", "ok" if mode == "simulated" else "warn", mode)


def _buckets(visit: Visit) -> Iterator[Finding]:
    client = account.client(visit.session, "s3")
    for output in _BUCKETS:
        bucket = visit.stack.output(output)
        with account.explained(f"bucket {bucket} cannot be looked at"):
            versioned = client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"
            closed = _closed(client, bucket)
        wrong = [
            text
            for good, text in ((versioned, "not versioned"), (closed, "not closed to the public"))
            if not good
        ]
        yield Finding(
            bucket, "fail" if wrong else "ok", ", ".join(wrong) or "versioned, closed",
            visit.deploy if wrong else "",
        )  # fmt: skip


def _closed(client: Any, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        block = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if account.code(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        return False
    return len(block) == 4 and all(block.values())


def _functions(visit: Visit) -> Iterator[Finding]:
    client = account.client(visit.session, "lambda")
    for step in STEPS:
        name = visit.stack.function(step)
        with account.explained(f"function {name} cannot be looked at"):
            told = client.get_function_configuration(FunctionName=name)
        state = told.get("State", "Active"), told.get("LastUpdateStatus", "Successful")
        good = state == ("Active", "Successful")
        found = f"{told['Runtime']}, {told['MemorySize']} MB, {len(told.get('Layers', ()))} layers"
        yield Finding(
            name,
            "ok" if good else "fail",
            found if good else f"{' / '.join(state)}: {told.get('StateReason', 'no reason given')}",
            "" if good else visit.deploy,
        )


def _secrets(visit: Visit) -> Iterator[Finding]:
    client = account.client(visit.session, "secretsmanager")
    for output, what, needed in (
        ("XAccountsSecret", "X accounts", True),
        ("AlpacaSecret", "Alpaca's keys", False),
    ):
        name = visit.stack.output(output)
        with account.explained(f"secret {name} cannot be looked at"):
            told = client.describe_secret(SecretId=name)
        filled = bool(told.get("VersionIdsToStages"))  # its value is nobody's business here
        yield Finding(
            f"secret {name}",
            "ok" if filled else "fail" if needed else "warn",
            "has a value" if filled else f"empty: there are no {what}",
            "" if filled else "its description in Secrets Manager says what to write into it",
        )


def _endpoint(visit: Visit) -> Iterator[Finding]:
    from botocore.exceptions import ClientError

    name = visit.stack.output("EndpointName")
    if visit.settings.enrich.model != "sagemaker":
        yield Finding("endpoint", "ok", f"not used: enrich.model is {visit.settings.enrich.model}")
        return
    client = account.client(visit.session, "sagemaker")
    with account.explained(f"endpoint {name} cannot be looked at"):
        try:
            told = client.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if account.code(error) != "ValidationException":
                raise
            told = {"EndpointStatus": "absent"}
    status = told["EndpointStatus"]
    good = status == "InService"
    yield Finding(
        "endpoint",
        "ok" if good else "fail",
        f"{name}: {status}" + (f" ({told['FailureReason']})" if told.get("FailureReason") else ""),
        "" if good else f"python sagemaker/deploy_model.py MODEL.tar.gz --name {name} …",
    )


def _catalog(visit: Visit) -> Iterator[Finding]:
    database = visit.settings.aws.database
    drifted = catalog.drifted(account.client(visit.session, "glue"), database)
    wrong = [f"{name}: {', '.join(said)}" for name, said in drifted.items()]
    yield Finding(
        "catalog",
        "fail" if wrong else "ok",
        "; ".join(wrong) or f"{len(contracts())} tables of {database} as their contracts say",
        visit.deploy if wrong else "",
    )


def _running(visit: Visit) -> Iterator[Finding]:
    found = schedules.found(visit.stack, visit.session)
    off = [one.name for one in found if not one.enabled]
    env = visit.stack.environment
    if not found:
        yield Finding("schedules", "fail", "there are none", visit.deploy)
        return
    yield Finding(
        "schedules",
        "warn" if off else "ok",
        f"off: {', '.join(off)}" if off else f"{len(found)}, all on",
        f"cashtag services start --env {env}" if off else "",
    )


def _failures(visit: Visit) -> Iterator[Finding]:
    env = visit.stack.environment
    waiting = {step: n for step, n in redrive.depths(visit.stack, visit.session).items() if n}
    yield Finding(
        "failures",
        "warn" if waiting else "ok",
        ", ".join(f"{step} {n}" for step, n in waiting.items()) or "none waits",
        f"cashtag logs STEP --env {env}, then cashtag redrive --env {env}" if waiting else "",
    )


def _alarms(visit: Visit) -> Iterator[Finding]:
    client = account.client(visit.session, "cloudwatch")
    with account.explained("the alarms cannot be read"):
        pages = client.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=f"{visit.stack.name}-", StateValue="ALARM"
        )
        ringing = [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]
    yield Finding(
        "alarms",
        "warn" if ringing else "ok",
        ", ".join(ringing) or "none rings",
        "cloudformation/RUNBOOK.md says what each means" if ringing else "",
    )
    topic = visit.stack.output("Topic")
    with account.explained(f"topic {topic} cannot be read"):
        pages = account.client(visit.session, "sns").get_paginator(
            "list_subscriptions_by_topic"
        ).paginate(TopicArn=topic)  # fmt: skip
        people = [one for page in pages for one in page["Subscriptions"]]
    asked = [one for one in people if not one["SubscriptionArn"].startswith("arn:")]
    yield Finding(
        "alerts",
        "ok" if people and not asked else "warn",
        f"{len(people) - len(asked)} receive them, {len(asked)} have not confirmed",
        ""
        if people and not asked
        else "confirm the message that AWS sent"
        if asked
        else f"{visit.deploy} --parameter AlertEmail=you@example.com",
    )


_PROBES: dict[str, Callable[[Visit], Iterator[Finding] | Sequence[Finding]]] = {
    "account": _account,
    "limits": _limits,
    "settings": _settings,
    "buckets": _buckets,
    "functions": _functions,
    "secrets": _secrets,
    "endpoint": _endpoint,
    "catalog": _catalog,
    "sql": lambda visit: explained.examine(visit.settings, visit.session),
    "schedules": _running,
    "failures": _failures,
    "alarms": _alarms,
}

_TROUBLES = ("schedules", "failures", "alarms")


def troubles(settings: Settings, stack: Stack, session: Any) -> list[Finding]:
    """Only what wants a look: schedules that are off, failures that wait, alarms that ring."""
    visit = Visit(settings, stack, session)
    found = [one for name in _TROUBLES for one in _PROBES[name](visit)]
    return [one for one in found if one.verdict != "ok" and one.what != "alerts"]
