"""The five functions in this process, over an AWS account on loopback: moto, and a loopback Athena.

What S3 would tell, `deliver` tells: objects that are new in a zone start the handler that the
stack wires to their first path segment, in any order and as often as a test wants. The wiring is
written down here by hand; that the template has the same is for the tests of the template.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote_plus

import athena_site
import boto3
from loopback_aws import NUMBER, REGION, LoopbackAws

from cashtag import services
from cashtag.handlers import enrich, health, scrape, signals, trade
from cashtag.ports import Env

ZONES = ("raw", "enriched", "signals", "ledger", "results")
HANDLERS = {
    "scrape": scrape.handler,
    "enrich": enrich.handler,
    "signals": signals.handler,
    "trade": trade.handler,
    "health": health.handler,
}
WIRED = {
    ("raw", "tweets"): "enrich",
    ("raw", "news"): "enrich",
    ("raw", "prices"): "enrich",
    ("raw", "options"): "enrich",
    ("raw", "manifests"): "enrich",
    ("enriched", "_SUCCESS"): "signals",
    ("signals", "_PUBLISHED"): "trade",
}
DATABASE, WORKGROUP, PARAMETER = "cashtag_dev", "cashtag-dev", "/cashtag/dev/settings"
Told = tuple[str, str]  # zone and key


class Context:
    """What Lambda tells a function of its invocation."""

    aws_request_id = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
    function_name = "cashtag-dev"
    memory_limit_in_mb = 1024
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{NUMBER}:function:cashtag-dev"

    def __init__(self, seconds: float = 900.0) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


def bucket(zone: str) -> str:
    return f"cashtag-dev-{zone}-{NUMBER}-{REGION}"


def put_event(*told: Told) -> dict[str, Any]:
    """What S3 sends for objects that were put."""
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": bucket(zone), "arn": f"arn:aws:s3:::{bucket(zone)}"},
                    "object": {"key": quote_plus(key, safe="/"), "size": 1, "sequencer": "00"},
                },
            }
            for zone, key in told
        ]
    }


class Functions:
    """An account with the stack's resources in it, and the functions that work there."""

    def __init__(self, aws: LoopbackAws, athena: athena_site.Site) -> None:
        self.aws, self.athena = aws, athena
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failures: list[tuple[str, dict[str, Any], Exception]] = []
        self.log = ""
        self._delivered: set[Told] = set()
        self.s3, self.sns, self.sqs = (self.client(name) for name in ("s3", "sns", "sqs"))
        for zone in ZONES:
            self.s3.create_bucket(
                Bucket=bucket(zone), CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        places = {zone: f"s3://{bucket(zone)}" for zone in ZONES}
        athena_site.create_tables(self.client("glue"), DATABASE, places)
        self.topic = self.sns.create_topic(Name="cashtag-dev-alerts")["TopicArn"]
        self._mail, self._heard = self._queue("mail"), self._queue("heard")
        self.sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=_arn("mail"))
        events = self.client("events")
        events.put_rule(Name="heard", EventPattern=json.dumps({"source": ["sentiment.trading"]}))
        events.put_targets(Rule="heard", Targets=[{"Id": "1", "Arn": _arn("heard")}])

    def client(self, service: str) -> Any:
        make: Any = boto3.client
        return make(service, region_name=REGION)

    def _queue(self, name: str) -> str:
        return str(self.sqs.create_queue(QueueName=name)["QueueUrl"])

    def environment(self) -> dict[str, str]:
        """What the template puts into the functions' environment."""
        return {
            "AWS_REGION": REGION,
            "CASHTAG_ENVIRONMENT": "dev",
            **{f"CASHTAG_AWS__{zone.upper()}": bucket(zone) for zone in ZONES},
            "CASHTAG_AWS__DATABASE": DATABASE,
            "CASHTAG_AWS__WORKGROUP": WORKGROUP,
            "CASHTAG_AWS__TOPIC": self.topic,
            "CASHTAG_AWS__EVENT_BUS": "default",
            "CASHTAG_AWS__PARAMETER": PARAMETER,
            "CASHTAG_AWS__ATHENA__POLL_SECONDS": "0.02",
            "CASHTAG_ENRICH__MODEL": "lexicon",
            "POWERTOOLS_SERVICE_NAME": "cashtag",
            "POWERTOOLS_METRICS_NAMESPACE": "Cashtag",
        }

    @property
    def env(self) -> Env:
        """What the functions see."""
        return services.from_environment()

    # ---------------------------------------------------------------- invocations

    def invoke(self, name: str, event: dict[str, Any], seconds: float = 900.0) -> dict[str, Any]:
        """Call one function as Lambda would; what it prints is kept in `log`."""
        self.calls.append((name, event))
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), _logging_to(printed):
                result: dict[str, Any] = HANDLERS[name](event, Context(seconds))
        finally:
            self.log += printed.getvalue()
        return json.loads(json.dumps(result))  # type: ignore[no-any-return]

    def pending(self) -> list[Told]:
        """Objects that S3 has yet to tell of, in the order of zones and keys."""
        return [told for told in self._wired() if told not in self._delivered]

    def _wired(self) -> Iterator[Told]:
        for zone, first in WIRED:
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket(zone), Prefix=f"{first}/"
            )
            for page in pages:
                yield from ((zone, item["Key"]) for item in page.get("Contents", ()))

    def deliver(
        self,
        *,
        order: Callable[[list[Told]], Sequence[Told]] = list,
        times: int = 1,
        together: int = 1,
    ) -> None:
        """Tell of what is new until nothing is; a function that raises is told again twice.

        Args:
            order: the order in which what is new is told.
            times: how often each object is told.
            together: records of one event, of one function.
        """
        while new := self.pending():
            told = list(order([one for one in new for _ in range(times)]))
            self._delivered.update(new)
            for name in dict.fromkeys(WIRED[zone, key.split("/")[0]] for zone, key in told):
                mine = [one for one in told if WIRED[one[0], one[1].split("/")[0]] == name]
                for start in range(0, len(mine), together):
                    self._retried(name, put_event(*mine[start : start + together]))

    def forget_deliveries(self) -> None:
        """Let S3 tell of everything once more."""
        self._delivered.clear()

    def _retried(self, name: str, event: dict[str, Any]) -> None:
        for attempt in range(3):
            try:
                self.invoke(name, event)
                return
            except Exception as error:
                if attempt == 2:
                    self.failures.append((name, event, error))

    # ---------------------------------------------------------------- what went out

    def mails(self) -> list[tuple[str, str]]:
        """Subject and text of everything that was announced since the last look."""
        bodies = [json.loads(text) for text in self._received(self._mail)]
        return [(body.get("Subject", ""), body["Message"]) for body in bodies]

    def heard(self) -> list[dict[str, Any]]:
        """Events on the bus since the last look."""
        return [json.loads(text) for text in self._received(self._heard)]

    def _received(self, queue: str) -> list[str]:
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                found.append(message["Body"])
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def figures(self) -> dict[str, list[float]]:
        """Every metric that was reported since the last look, by name."""
        found: dict[str, list[float]] = {}
        for line in self.log.splitlines():
            told = json.loads(line) if line.startswith("{") else {}
            for group in told.get("_aws", {}).get("CloudWatchMetrics", ()):
                assert group["Namespace"] == "Cashtag"
                assert sorted(group["Dimensions"][0]) == ["environment", "service"]
                for metric in group["Metrics"]:
                    found.setdefault(metric["Name"], []).extend(told[metric["Name"]])
        self.log = ""
        return found


@contextlib.contextmanager
def _logging_to(stream: io.StringIO) -> Iterator[None]:
    """Powertools' Logger holds the stdout that there was when the handlers were imported."""
    found = [
        handler
        for handler in logging.getLogger("cashtag").handlers
        if isinstance(handler, logging.StreamHandler)
    ]
    before = [handler.setStream(stream) for handler in found]
    try:
        yield
    finally:
        for handler, old in zip(found, before, strict=True):
            handler.setStream(old)


def _arn(queue: str) -> str:
    return f"arn:aws:sqs:{REGION}:{NUMBER}:{queue}"
