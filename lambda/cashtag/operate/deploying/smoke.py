"""The end of a deployment: the stack's own health function is asked, and the addresses that matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cashtag.errors import CloudError
from cashtag.operate import account
from cashtag.operate.doctor import Finding
from cashtag.operate.stack import Stack
from cashtag.redaction import redacted
from cashtag.settings import Settings

# What a person brings after the first deployment; without it the stack stands, and waits.
BROUGHT_LATER = ("endpoint", "model")


def ask(settings: Settings, session: Any, found: Stack) -> list[Finding]:
    """Invoke the health function; return what it found.

    Raises:
        CloudError: it cannot be invoked, fails, or answers in no words of ours.
    """
    name = found.output("HealthFunction")
    client = account.client(
        session,
        "lambda",
        read_timeout=settings.aws.deploy.smoke_seconds,
        retries={"mode": "standard", "max_attempts": 2},
    )
    with account.explained(f"function {name} cannot be asked"):
        answer = client.invoke(FunctionName=name, Payload=json.dumps({"action": "smoke"}).encode())
        text = answer["Payload"].read().decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except json.JSONDecodeError:
        told = None
    if answer.get("FunctionError"):
        why = told.get("errorMessage", text) if isinstance(told, dict) else text
        raise CloudError(
            f"function {name} fails: {redacted(str(why))}; see `cashtag logs health --since 10m "
            f"--env {found.environment}`"
        )
    if not isinstance(told, dict) or not isinstance(told.get("checks"), list):
        raise CloudError(f"function {name} answers {redacted(text[:200])!r}, which is no report")
    return [
        Finding(one["name"], one["status"], redacted(one["found"]), one.get("remedy", ""))
        for one in told["checks"]
    ]


def addresses(found: Stack, quicksight: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """Where to look, as rows of `what` and `where`."""
    region, results = found.region, found.output("ResultsBucket")
    console = f"https://{region}.console.aws.amazon.com"
    rows = [
        {"what": "CloudWatch dashboard", "where": found.output("DashboardUrl")},
        {
            "what": "Athena workgroup",
            "where": f"{console}/athena/home?region={region}#/workgroups/details/"
            + quote(found.output("Workgroup")),
        },
        {
            "what": "the dashboard's files",
            "where": f"{console}/s3/buckets/{results}?region={region}&prefix=report/ (a link to the "
            f"page: cashtag report --env {found.environment} --open)",
        },
    ]
    for name, value in (quicksight or {}).items():
        if value.startswith("https://"):
            rows.append({"what": f"QuickSight {name}", "where": value})
    return rows


def left_to_do(found: Stack) -> list[str]:
    """What a person does after the first deployment: sentences."""
    env = found.environment
    steps = [
        f"X accounts: aws secretsmanager put-secret-value --secret-id "
        f"{found.outputs.get('XAccountsSecret', found.name + '/x-accounts')} "
        "--secret-string file://accounts.json",
        f"Alpaca keys: aws secretsmanager put-secret-value --secret-id "
        f"{found.outputs.get('AlpacaSecret', found.name + '/alpaca')} --secret-string file://alpaca.json",
    ]
    if found.parameters.get("SentimentModel", "sagemaker") in {"sagemaker", "ensemble"}:
        steps.append(
            f"the model: python sagemaker/deploy_model.py MODEL.tar.gz --name "
            f"{found.outputs.get('EndpointName', found.name + '-sentiment')} …; or none: cashtag "
            f"deploy --env {env} --parameter SentimentModel=lexicon"
        )
    if not found.parameters.get("AlertEmail"):
        steps.append(f"alerts: cashtag deploy --env {env} --parameter AlertEmail=you@example.com")
    else:
        steps.append("alerts: confirm the message that AWS sent to AlertEmail")
    steps.append(f"then: cashtag doctor --aws --env {env}")
    return steps
