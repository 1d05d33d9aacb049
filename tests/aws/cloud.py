"""The whole stack on loopback: account, gateway, functions, dispatcher, and the world outside.

What is played is AWS and the sites; what runs is the functions' own code, from their zip and
layers, under Lambda's runtime client, with real client libraries.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import athena_engine
import athena_site
import boto3
import cloud_deployed as deployed
import moody_world
from aws_account import Account
from aws_gateway import VIA_ATHENA, Exchange, Gateway
from botocore.config import Config
from dispatcher import Dispatcher, event_of
from endpoint_site import Endpoint
from internet import Internet
from lambda_api import LambdaApi
from lambda_functions import Function
from lambda_sandbox import Outcome, TaskRoot
from moody_world import MoodyWorld
from permissions import Permissions
from stack_mutations import Recording
from stack_template import REGION, Stack, parse
from stack_wiring import Delivery, Put, Wiring

TEMPLATE = Path(__file__).parents[2] / "cloudformation" / "cashtag.yaml"
NAME = "cashtag-dev"
PARAMETERS = {
    "Environment": "dev",
    "CodeBucket": "cashtag-artifacts-123456789012-us-east-1",
    "CodeKey": "functions/0123456789ab.zip",
    "ReserveConcurrency": "true",
    "KmsKey": "create",
}


class Cloud:
    """A deployed stack. Use `with Cloud(folder, root) as cloud`.

    Args:
        folder: for the sandboxes' logs and writable folders.
        root: what functions find on Lambda.
        template: the template's text; by default the product's own.
        parameters: of the stack, besides those that every deployment sets.
        settings: TOML that lies in the stack's parameter.
        width: sandboxes of the enrich function at once.
    """

    def __init__(
        self,
        folder: Path,
        root: TaskRoot,
        *,
        template: str | None = None,
        parameters: Mapping[str, str] | None = None,
        settings: str = deployed.SETTINGS,
        world: MoodyWorld | None = None,
        width: int = 2,
        code: bytes = b"PK\x05\x06" + bytes(18),
    ) -> None:
        self.folder, self.root, self.settings, self.width = folder, root, settings, width
        self.text = template if template is not None else TEMPLATE.read_text("utf-8")
        self.parameters = {**PARAMETERS, **(parameters or {})}
        self.world = world or MoodyWorld()
        self._code = code
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Cloud:
        with self._open:
            self._build()
            self._open = self._open.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # ------------------------------------------------------------ what tests do with it

    def zone(self, name: str) -> str:
        """The bucket of a zone."""
        return str(self.stack.outputs()[f"{name.capitalize()}Bucket"])

    def objects(self, name: str, prefix: str = "") -> dict[str, bytes]:
        """The objects of a zone, by key."""
        s3, bucket = self.account.client("s3"), self.zone(name)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def put(self, name: str, key: str, body: bytes) -> None:
        """Put an object as the account's owner does; it is delivered like any other."""
        self.account.client("s3").put_object(Bucket=self.zone(name), Key=key, Body=body)
        self.dispatcher.put(Put(self.zone(name), key, len(body)))

    def recording(self) -> Recording:
        """What the days so far consisted of."""
        out = self.dispatcher
        return Recording(
            out.began,
            out.now,
            tuple(out.puts),
            tuple(out.bus),
            frozenset(used for used in self.gateway.used if used.allowed),
        )

    def failures(self, step: str) -> list[dict[str, Any]]:
        """Messages in a step's queue of failures; they stay there."""
        sqs = self.account.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{NAME}-{step}-failures")["QueueUrl"]
        found: list[dict[str, Any]] = []
        while told := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
        ).get("Messages"):
            new = [
                message
                for message in told
                if message["MessageId"] not in {m["MessageId"] for m in found}
            ]
            found += new
            if not new:
                break
        return [json.loads(message["Body"]) for message in found]

    def outcomes(self, function: str | None = None) -> list[Outcome]:
        """Outcomes so far, of one function by its logical id."""
        return [
            entry.outcome for entry in self.dispatcher.journal if function in (None, entry.function)
        ]

    def operator(self) -> dict[str, str]:
        """Environment of a person's commands against this account: all is allowed to them."""
        return {
            "AWS_ENDPOINT_URL": self.gateway.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.gateway.owner,
            "AWS_SECRET_ACCESS_KEY": "worth-nothing",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    def _invoke(self, name: str, event: Any, wait: bool) -> Outcome | None:
        """Lambda's Invoke: now, or as an event."""
        arn = self.stack._arn("lambda", f"function:{name}")
        logical = next(key for key, f in self.functions.items() if f.definition.arn == arn)
        if wait:
            return self.functions[logical].invoke(event)
        self.dispatcher.deliver(Delivery(f"invoked {name}", "Invoke", arn, event))
        return None

    # ------------------------------------------------------------ building it

    def _build(self) -> None:
        enter = self._open.enter_context
        self.account = enter(Account())
        plain = Stack(parse(self.text), NAME, self.parameters)
        physical = self.account.create(self.text, plain, self._code)
        self.stack = replace(plain, physical=physical)
        self.permissions = Permissions(self.stack)
        self.gateway = enter(Gateway(self.permissions, self.account.url))
        self.net = enter(Internet(self.world.sites(), self.folder))
        self.endpoint = enter(Endpoint(self.stack.outputs()["EndpointName"]))
        self.endpoint.told = moody_world.prediction
        api = enter(LambdaApi(self._invoke))
        self.gateway.upstreams |= {"sagemaker-runtime": self.endpoint.url, "lambda-invoke": api.url}
        deployed.operate(self.account, self.stack, self.settings)
        self.functions = {
            logical: Function(definition, self.root, self.folder, self._network(), width)
            for logical, definition in deployed.definitions(
                self.stack, self.permissions, self.gateway
            )
            for width in (self.width if logical == "EnrichFunction" else 1,)
        }
        for function in self.functions.values():
            self._open.callback(function.close)
        self._athena()
        start = datetime.combine(moody_world.DAYS[0], datetime.min.time(), UTC)
        wiring = Wiring(self.stack, self.permissions)
        self.dispatcher = Dispatcher(
            wiring, self.functions, self.gateway, start + timedelta(hours=11), self._failed
        )
        self._open.callback(self.dispatcher.close)
        self.published: list[dict[str, str]] = []
        self.gateway.watchers.append(self._watch)

    def _network(self) -> dict[str, str]:
        return {**self.net.environ(), "AWS_ENDPOINT_URL": self.gateway.url}

    def _athena(self) -> None:
        """One Athena for each role that asks: it reads and writes in the name of the caller."""
        results = f"s3://{self.zone('results')}/athena"
        self.gateway.known.results = self.zone("results")
        self.athena: dict[str, athena_site.Site] = {}

        def site(key: str) -> str:
            role = self.gateway.role_of[key]
            if role not in self.athena:
                made = athena_site.Site(self.gateway.url, output=results)
                s3, glue = (self._as(role, name) for name in ("s3", "glue"))
                made.engine = athena_engine.Engine(s3, glue, self.folder / f"athena-{role}")
                (self.folder / f"athena-{role}").mkdir()
                self.athena[role] = self._open.enter_context(made)
            return self.athena[role].url

        self.gateway.upstreams["athena"] = site

    def _as(self, role: str, service: str) -> Any:
        """A client of a service that acts for a role."""
        return boto3.client(
            service,
            endpoint_url=self.gateway.url,
            region_name=REGION,
            aws_access_key_id=self.gateway.key_for(role) + VIA_ATHENA,
            aws_secret_access_key="worth-nothing",  # noqa: S106
            config=Config(proxies={}, max_pool_connections=32, s3={"addressing_style": "path"}),
        )

    # ------------------------------------------------------------ what comes back

    def _watch(self, exchange: Exchange) -> None:
        """Tell the dispatcher what was written, and keep what was published."""
        request, answer = exchange.request, exchange.answer
        _, service = request.signed
        if service == "s3" and answer.status == 200:
            if (put := deployed.put_of(exchange)) is not None:
                self.dispatcher.put(put)
        elif service == "events" and request.operation == "PutEvents":
            for entry in request.json()["Entries"]:
                bus = entry.get("EventBusName", "default")
                event = event_of(entry, self.dispatcher.now, self.stack.account, REGION)
                self.dispatcher.events(bus, event)
        elif service == "sns" and answer.status == 200:
            from urllib.parse import parse_qs

            told = parse_qs(request.body.decode())
            self.published.append({name: values[0] for name, values in told.items()})

    def _failed(self, queue: str, body: dict[str, Any]) -> None:
        sqs = self.account.client("sqs")
        url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
