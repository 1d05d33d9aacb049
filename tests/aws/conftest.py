"""What the tests of the cloud share: a server that plays AWS, an empty account on it, the functions' folders."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import athena_lake
import deploy_world
import deployed_stack
import pytest
import task_roots
from function_folders import CACHE, ROOT
from lambda_sandbox import TaskRoot
from loopback_aws import LoopbackAws
from stack_template import parse

from cashtag.operate import account, bundle, stack, wheels
from cashtag.operate.stack import Stack
from cashtag.settings import load
from cashtag.warehouse.athena import AthenaWarehouse


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


@pytest.fixture(scope="session")
def whole() -> dict[str, Any]:
    """The stack's template, parsed; whoever changes it takes a copy."""
    return parse((ROOT / "cloudformation" / "cashtag.yaml").read_text(encoding="utf-8"))


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


@pytest.fixture(scope="session")
def lambdas(tmp_path_factory: pytest.TempPathFactory) -> bundle.Bundle:
    """The zip as it is deployed: Python 3.12 on x86_64."""
    return bundle.build(tmp_path_factory.mktemp("zip") / "function.zip", cache=CACHE)


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The zip for this interpreter unpacked, the layers beside it, and the runtime's libraries."""
    folder = tmp_path_factory.mktemp("function")
    made = bundle.build(folder / "function.zip", wheels.here(), cache=CACHE)
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(folder / "task")
    beside = ROOT / "build" / "lambda"  # kept between runs: the layers are 270 MB
    layers = bundle.layers(beside / "opt", cache=CACHE)
    return folder / "task", layers, bundle.runtime(beside / "runtime", cache=CACHE)


@pytest.fixture(scope="module")
def cloud() -> Iterator[athena_lake.Cloud]:
    """An account with a lake, its catalog, and Athena on loopback."""
    with athena_lake.running() as running:
        yield running


@pytest.fixture
def warehouse(cloud: athena_lake.Cloud) -> AthenaWarehouse:
    """What queries that lake through Athena."""
    return cloud.warehouse()
