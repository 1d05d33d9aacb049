"""The gateway lets real clients do what the template's policies allow, and answers the rest as AWS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_account import Account
from aws_gateway import Answer, Gateway
from botocore.config import Config
from botocore.exceptions import ClientError
from permissions import Permissions
from stack_template import Stack, parse

TEXT = (Path(__file__).parent / "small_stack.yaml").read_text()


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with Account() as running:
        stack = Stack(parse(TEXT), name="s")
        running.physical = running.create(TEXT, stack, b"PK\x05\x06" + bytes(18))
        yield running


@pytest.fixture
def gateway(account: Any) -> Iterator[Gateway]:
    stack = Stack(parse(TEXT), name="s", physical=account.physical)
    with Gateway(Permissions(stack), account.url) as running:
        yield running


def client(gateway: Gateway, service: str, role: str = "EnrichRole") -> Any:
    return boto3.client(
        service,
        endpoint_url=gateway.url,
        region_name="us-east-1",
        aws_access_key_id=gateway.key_for(role),
        aws_secret_access_key="secret",  # noqa: S106  worth nothing
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )


def code(error: Any) -> str:
    return str(error.value.response["Error"]["Code"])


def test_the_stack_has_its_resources(account: Any) -> None:
    assert account.physical["EnrichRole"].startswith("s-EnrichRole-")
    names = [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]
    assert "s-raw" in names


def test_what_is_allowed_is_carried_out_and_written_down(gateway: Gateway, account: Any) -> None:
    client(gateway, "s3").put_object(Bucket="s-raw", Key="tweets/a b", Body=b"x", IfNoneMatch="*")
    got = account.client("s3").get_object(Bucket="s-raw", Key="tweets/a b")["Body"].read()
    assert got == b"x"
    (used,) = gateway.used
    assert (used.call.action, used.allowed, used.by) == (
        "s3:PutObject",
        True,
        "EnrichRole/own/Write",
    )
    assert used.call.resource == "arn:aws:s3:::s-raw/tweets/a b"


def test_a_conditional_write_meets_the_object_that_is_there(gateway: Gateway) -> None:
    s3 = client(gateway, "s3")
    s3.put_object(Bucket="s-raw", Key="tweets/once", Body=b"x", IfNoneMatch="*")
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="s-raw", Key="tweets/once", Body=b"y", IfNoneMatch="*")
    assert code(error) == "PreconditionFailed"


def test_what_is_not_allowed_is_refused_in_the_words_of_the_service(gateway: Gateway) -> None:
    with pytest.raises(ClientError) as error:
        client(gateway, "s3").put_object(Bucket="s-raw", Key="bars/a", Body=b"x")
    assert code(error) == "AccessDenied"
    with pytest.raises(ClientError) as error:
        client(gateway, "s3").get_object(Bucket="s-raw", Key="tweets/a b")
    assert code(error) == "AccessDenied"
    with pytest.raises(ClientError) as error:
        client(gateway, "ssm").get_parameter(Name="/x")
    assert code(error) == "AccessDeniedException"
    with pytest.raises(ClientError) as error:
        client(gateway, "sns").publish(
            TopicArn="arn:aws:sns:us-east-1:123456789012:other", Message="x"
        )
    assert code(error) == "AuthorizationError"
    assert len(gateway.denied()) == 4


def test_a_service_that_nobody_examined_is_not_reached(gateway: Gateway) -> None:
    with pytest.raises(ClientError):
        client(gateway, "stepfunctions").list_state_machines()
    assert "states" in gateway.unknown[0]


def test_watchers_hear_of_what_was_carried_out_and_faults_come_first(gateway: Gateway) -> None:
    heard: list[Any] = []
    gateway.watchers.append(heard.append)
    s3 = client(gateway, "s3")
    s3.put_object(Bucket="s-raw", Key="tweets/heard", Body=b"x")
    assert [(one.role, one.request.method, one.answer.status) for one in heard] == [
        ("EnrichRole", "PUT", 200)
    ]
    gateway.faults.append(
        lambda _role, _request: Answer(503, b"<Error><Code>SlowDown</Code></Error>")
    )
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="s-raw", Key="tweets/other", Body=b"x")
    assert code(error) == "SlowDown"
    assert len(heard) == 1
