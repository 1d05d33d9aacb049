"""What the tests of the cloud share: a server that plays AWS, an empty account on it, the functions' folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deploy_world
import deployed_stack
import pytest
import task_roots
from lambda_sandbox import TaskRoot
from loopback_aws import LoopbackAws

from cashtag.operate import account, stack
from cashtag.operate.stack import Stack
from cashtag.settings import load


@pytest.fixture(scope="session")
def moto() -> Iterator[LoopbackAws]:
    """moto's server; what it holds is the whole process's, so one of it is enough."""
    running = LoopbackAws()
    yield running
    running.stop()


@pytest.fixture
def aws(moto: LoopbackAws, monkeypatch: pytest.MonkeyPatch) -> LoopbackAws:
    """Credentials and region of an account in which nothing is made yet."""
    moto.enter(monkeypatch)
    return moto


@pytest.fixture
def session(aws: LoopbackAws) -> Any:
    """A boto3 session of an account in which a stack is deployed."""
    deployed_stack.make()
    return account.session(load(environ={}))


@pytest.fixture
def found(session: Any) -> Stack:
    """That stack, as commands find it."""
    return stack.find(load(environ={}), "dev", session)


@pytest.fixture(scope="module")
def artefacts(moto: LoopbackAws) -> LoopbackAws:
    """An account with nothing in it but the bucket that deployments use, and a zip."""
    with pytest.MonkeyPatch.context() as patch:
        moto.enter(patch)
        deploy_world.artefacts()
    return moto


@pytest.fixture
def world(
    artefacts: LoopbackAws,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[deploy_world.World]:
    """That account with CloudFormation, where nothing is deployed yet."""
    artefacts.lead(monkeypatch)
    templates = {"cashtag.yaml": deploy_world.TEMPLATE}
    with deploy_world.played(artefacts, monkeypatch, tmp_path, templates) as site:
        site.layers.add(deploy_world.LAYER)
        yield deploy_world.World(site, tmp_path / "cloudformation", monkeypatch, capsys)


@pytest.fixture(scope="session")
def task_root() -> TaskRoot:
    """What a function of the stack finds on Lambda."""
    return task_roots.lay_out()
