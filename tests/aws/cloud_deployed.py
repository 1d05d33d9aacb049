"""What a deployment leaves and an operator adds: functions as the template has them, secrets, settings, an endpoint."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import platform_acts
from alpaca_keys import KEY_ID, SECRET_KEY
from aws_account import Account
from aws_gateway import Exchange, Gateway
from live_world import token
from permissions import Permissions
from runtime_api import Definition
from stack_template import Stack
from stack_wiring import Put

ACCOUNTS = ("anna", "bert")
# A small day: what an operator would write by `cashtag config set`.
SETTINGS = """\
[scrape]
tweets_per_ticker = 20
watchlist_keyword_searches = 0

[scrape.trending]
top = 5
minimum = 2

[live]
contact = "desk@example.org"

[models.sagemaker]
backoff_seconds = [0.05, 0.5]

[aws.athena]
poll_seconds = 0.02
"""


def operate(account: Account, stack: Stack, settings: str) -> None:
    """What an operator does after deploying: secrets, settings, an endpoint."""
    secrets = account.client("secretsmanager")
    accounts = [
        {"name": name, "auth_token": token(name), "ct0": f"PLANTED-ct0-{name}"} for name in ACCOUNTS
    ]
    for name, value in (
        ("x-accounts", {"accounts": accounts}),
        ("alpaca", {"key_id": KEY_ID, "secret_key": SECRET_KEY}),
    ):
        secrets.put_secret_value(SecretId=f"{stack.name}/{name}", SecretString=json.dumps(value))
    account.client("ssm").put_parameter(
        Name=stack.outputs()["Parameter"],
        Value=settings,
        Type="String",
        Overwrite=True,
    )
    sagemaker, name = account.client("sagemaker"), stack.outputs()["EndpointName"]
    role = "arn:aws:iam::123456789012:role/model"
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": "x"})
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "all",
                "ModelName": name,
                "ServerlessConfig": {"MemorySizeInMB": 4096, "MaxConcurrency": 4},
            }
        ],
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def definitions(
    stack: Stack, permissions: Permissions, gateway: Gateway
) -> list[tuple[str, Definition]]:
    """Each function as the template has it, with the credentials of its role, by logical id."""
    found = []
    for logical, told in stack.resources("AWS::Lambda::Function"):
        role = permissions.role_at(told["Role"])
        assert role is not None, f"{logical} has a role that is not in the template"
        if not permissions.may_assume(role, "lambda.amazonaws.com", stack.arn(logical)):
            raise RuntimeError(f"Lambda may not take on {role} for {logical}")
        for call in platform_acts.logging(stack, logical, told):
            gateway.act(role, call)
        definition = Definition(
            logical=logical,
            name=stack.name_of(logical),
            handler=told["Handler"],
            environment={
                name: _text(value)
                for name, value in told.get("Environment", {}).get("Variables", {}).items()
            },
            timeout=float(told.get("Timeout", 3)),
            memory=int(told.get("MemorySize", 128)),
            arn=stack.arn(logical),
            access_key=gateway.key_for(role),
            concurrency=told.get("ReservedConcurrentExecutions"),
        )
        found.append((logical, definition))
    return found


def put_of(exchange: Exchange) -> Put | None:
    """What a request to S3 wrote; None for one that wrote no object."""
    request = exchange.request
    bucket, _, key = request.path.lstrip("/").partition("/")
    query = request.query
    if not key or "tagging" in query or "partNumber" in query or "uploads" in query:
        return None
    if request.method == "PUT":
        how = "Copy" if "x-amz-copy-source" in request.headers else "Put"
    elif request.method == "POST" and "uploadId" in query:
        how = "CompleteMultipartUpload"
    else:
        return None
    etag = next(
        (text for name, text in exchange.answer.headers.items() if name.lower() == "etag"), ""
    )
    return Put(bucket, unquote(key), len(request.body), etag.strip('"'), how)


def _text(value: Any) -> str:
    """A value as CloudFormation hands it over: everything becomes text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
