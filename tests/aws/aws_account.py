"""An account on loopback: moto's server in a process of its own, and a stack created in it.

moto carries out some resources of a template and passes over others in silence, as ones without
a physical id. Those are made here, from the same template, by boto3; any that is neither made nor
named in `WITHOUT` is an error.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from stack_template import REGION, Stack

# What has no counterpart in the account, and where it is looked at instead.
WITHOUT: dict[str, str] = {
    "AWS::Lambda::Permission": "the wiring asks the template itself, at every delivery",
    "AWS::Lambda::EventInvokeConfig": "the dispatcher retries and gives up as the template says",
    "AWS::Scheduler::Schedule": "the dispatcher delivers them at the moments they are due",
    "AWS::Scheduler::ScheduleGroup": "schedules name it; the dispatcher keeps them",
    "AWS::Events::Rule": "the wiring matches events itself",
    "AWS::S3::BucketPolicy": "the gateway decides by the template itself, at every request",
    "AWS::SQS::QueuePolicy": "the wiring decides by the template itself",
    "AWS::SNS::TopicPolicy": "the wiring decides by the template itself",
    "AWS::SNS::Subscription": "messages are read where they are published",
    "AWS::Glue::Crawler": "the daily path never waits for one",
    "AWS::Glue::SecurityConfiguration": "encryption is a property that the template's tests read",
    "AWS::Athena::NamedQuery": "the template's tests compare them with glue/queries",
    "AWS::Athena::WorkGroup": "Athena's double is started with its settings",
    "AWS::CloudWatch::Alarm": "metrics of the day are compared with every alarm's name and dimensions",
    "AWS::CloudWatch::CompositeAlarm": "made of alarms",
    "AWS::CloudWatch::Dashboard": "the template's tests read it",
    "AWS::Logs::MetricFilter": "the template's tests read it",
    "AWS::Logs::LogGroup": "logs are kept by the sandboxes",
    "AWS::Logs::ResourcePolicy": "the template's tests read it",
    "AWS::Budgets::Budget": "an alarm about money, with nothing to call",
    "AWS::CloudTrail::Trail": "records what others do",
    "AWS::SecretsManager::RotationSchedule": "nothing rotates within a day",
    "AWS::SecretsManager::ResourcePolicy": "the template's tests read it",
    "AWS::ApplicationAutoScaling::ScalableTarget": "capacity, not content",
    "AWS::KMS::Alias": "another name of a key",
}
_SERVER = (
    "import time\n"
    "from moto.server import ThreadedMotoServer\n"
    "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)\n"
    "server.start()\n"
    "print(*server.get_host_and_port(), flush=True)\n"
    "import sys; sys.stdin.read()\n"
)


class Account:
    """The account. Use `with Account() as account`, then `create` a stack in it."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the account
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self._process.stdout is not None
        host, port = self._process.stdout.readline().split()
        self.url = f"http://{host}:{port}"
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def said(self) -> str:
        """The end of what the server printed about errors of its own."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")[-3000:]

    def client(self, service: str) -> Any:
        """A client of one service in the name of the account's owner, past every permission."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id="AKIAOWNER",
                aws_secret_access_key="owner",  # noqa: S106  of an account that is none
                config=Config(
                    proxies={},
                    s3={"addressing_style": "path"},
                    max_pool_connections=20,
                    retries={"mode": "standard", "total_max_attempts": 2},
                ),
            )
        return self._clients[service]

    # ------------------------------------------------------------ a stack

    def create(self, text: str, stack: Stack, code: bytes) -> dict[str, str]:
        """Create the stack of a template's text; return physical ids by logical id.

        `code` is the functions' zip, put where the template's parameters say that it lies.
        """
        s3, cloudformation = self.client("s3"), self.client("cloudformation")
        bucket, key = stack.value({"Ref": "CodeBucket"}), stack.value({"Ref": "CodeKey"})
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=code)
        s3.put_object(Bucket=bucket, Key="template", Body=text.encode())
        try:
            cloudformation.create_stack(
                StackName=stack.name,
                TemplateURL=f"https://s3.amazonaws.com/{bucket}/template",
                Capabilities=["CAPABILITY_NAMED_IAM"],
                Parameters=[
                    {"ParameterKey": name, "ParameterValue": value}
                    for name, value in stack.parameters.items()
                ],
            )
        except (ClientError, ResponseParserError):
            raise RuntimeError(f"the stack was not created: {self.said()}") from None
        told = cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0]
        if told["StackStatus"] != "CREATE_COMPLETE":
            raise RuntimeError(f"{told['StackStatus']}: {told.get('StackStatusReason')}")
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
        rows = [row for page in pages for row in page["StackResourceSummaries"]]
        found = {
            row["LogicalResourceId"]: row["PhysicalResourceId"]
            for row in rows
            if row.get("PhysicalResourceId")
        }
        self._make(Stack(stack.template, stack.name, stack.parameters, found), found)
        return found

    def _make(self, stack: Stack, found: dict[str, str]) -> None:
        """Make what moto passed over, and refuse what nobody knows of."""
        silent = []
        for logical, properties in stack.resources():
            kind = stack.kind(logical)
            make = _MAKERS.get(kind)
            if make is not None:
                make(self, stack, logical, properties)
            elif not found.get(logical) and kind not in WITHOUT:
                silent.append(f"{logical} ({kind})")
        if silent:
            raise RuntimeError(f"passed over by the account, and by us: {', '.join(silent)}")


Maker = Callable[[Account, Stack, str, dict[str, Any]], None]


def _database(account: Account, _: Stack, __: str, told: dict[str, Any]) -> None:
    account.client("glue").create_database(DatabaseInput=told["DatabaseInput"])


def _table(account: Account, _: Stack, __: str, told: dict[str, Any]) -> None:
    account.client("glue").create_table(
        DatabaseName=told["DatabaseName"], TableInput=told["TableInput"]
    )


def _secret(account: Account, stack: Stack, logical: str, told: dict[str, Any]) -> None:
    given = {key: told[key] for key in ("Description", "SecretString") if key in told}
    account.client("secretsmanager").create_secret(Name=stack.name_of(logical), **given)


def _parameter(account: Account, stack: Stack, logical: str, told: dict[str, Any]) -> None:
    account.client("ssm").put_parameter(
        Name=stack.name_of(logical), Value=told["Value"], Type=told["Type"], Overwrite=True
    )


def _bucket(account: Account, stack: Stack, logical: str, told: dict[str, Any]) -> None:
    """moto makes the bucket; what it drops of its properties is set here."""
    s3, name = account.client("s3"), stack.name_of(logical)
    if status := told.get("VersioningConfiguration", {}).get("Status"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})


_MAKERS: dict[str, Maker] = {
    "AWS::Glue::Database": _database,
    "AWS::Glue::Table": _table,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::SSM::Parameter": _parameter,
    "AWS::S3::Bucket": _bucket,
}
