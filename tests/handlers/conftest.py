"""An AWS account on loopback with the stack's resources, empty at the start of every test."""

from __future__ import annotations

from collections.abc import Iterator

import athena_site
import pytest
from functions_on_loopback import Functions, bucket
from loopback_aws import REGION, LoopbackAws

from cashtag import services


@pytest.fixture(scope="session")
def account() -> Iterator[LoopbackAws]:
    running = LoopbackAws()
    yield running
    running.stop()


@pytest.fixture
def functions(account: LoopbackAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    """The functions, in a process that has just started."""
    account.enter(monkeypatch)
    output = f"s3://{bucket('results')}/athena/output"
    with athena_site.Site(account.url, output=output, region=REGION) as athena:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ATHENA", athena.url)
        stack = Functions(account, athena)
        for name, value in stack.environment().items():
            monkeypatch.setenv(name, value)
        services.forget()
        yield stack
        services.forget()
