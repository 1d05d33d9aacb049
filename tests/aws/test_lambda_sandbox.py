"""Sandboxes run functions as Lambda does: what a handler sees, and what becomes of its failures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lambda_functions import Function
from lambda_sandbox import TaskRoot
from runtime_api import Definition
from task_roots import BUILD

from cashtag.operate import bundle

CODE = """
import json, os, sys, time

def seen(event, context):
    print("a line")
    return {
        "path": sys.path, "modules": sorted(m for m in sys.modules if m.startswith("cashtag")),
        "home": os.environ["HOME"], "name": context.function_name, "id": context.aws_request_id,
        "left": context.get_remaining_time_in_millis(), "greeting": os.environ["GREETING"],
        "ours": [n for n in os.environ if n.startswith(("PYTEST", "VIRTUAL_ENV"))], "event": event,
    }

def fails(event, context):
    raise ValueError("no such thing")

def ends(event, context):
    os._exit(7)

def sleeps(event, context):
    time.sleep(event["seconds"])
    return os.getpid()

def measures(event, context):
    print(json.dumps({"_aws": {"CloudWatchMetrics": [{"Namespace": "Cashtag"}]}, "Runs": 1}))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> TaskRoot:
    folder = tmp_path_factory.mktemp("task")
    (folder / "code").mkdir()
    (folder / "code" / "work.py").write_text(CODE)
    (folder / "opt").mkdir()
    runtime = bundle.runtime(BUILD / "lambda" / "runtime", cache=BUILD / "wheels")
    return TaskRoot(folder / "code", folder / "opt", runtime)


@pytest.fixture
def make(root: TaskRoot, tmp_path: Path) -> Iterator[Any]:
    made: list[Function] = []

    def function(handler: str, **given: Any) -> Function:
        width = given.pop("width", 1)
        told = {"timeout": 20.0, "memory": 256, "concurrency": None, **given}
        definition = Definition(
            logical="Work",
            name="stack-work",
            handler=f"work.{handler}",
            environment={"HOME": "/tmp", "GREETING": "hello"},  # noqa: S108  as the template says
            arn="arn:aws:lambda:us-east-1:123456789012:function:stack-work",
            access_key="AKIAWORK",
            **told,
        )
        made.append(Function(definition, root, tmp_path, {}, width))
        return made[-1]

    yield function
    for one in made:
        one.close()


def test_a_handler_sees_its_code_the_layers_and_nothing_of_ours(
    make: Any, root: TaskRoot, tmp_path: Path
) -> None:
    outcome = make("seen").invoke({"key": "ü"})
    assert outcome.ok, outcome
    told = outcome.payload
    assert told["event"] == {"key": "ü"}
    assert told["greeting"] == "hello"
    assert told["name"] == "stack-work"
    assert 15_000 < told["left"] <= 20_000
    assert "a line" in outcome.lines
    assert told["ours"] == []
    assert told["modules"] == []
    ours = str(Path(__file__).parents[2])
    kept = str(BUILD / "lambda")
    foreign = [part for part in told["path"] if part.startswith(ours) and not part.startswith(kept)]
    assert foreign + [part for part in told["path"] if "site-packages" in part] == []
    assert str(root.code) in told["path"]
    assert Path(told["home"]).is_relative_to(tmp_path)


def test_a_sandbox_stays_warm_and_starts_cold_when_it_was_chilled(make: Any) -> None:
    function = make("sleeps")
    first, second = function.invoke({"seconds": 0}), function.invoke({"seconds": 0})
    assert (first.cold, second.cold) == (True, False)
    assert first.payload == second.payload  # the same process
    function.chill()
    third = function.invoke({"seconds": 0})
    assert third.cold
    assert third.payload != first.payload


def test_an_error_is_told_and_the_sandbox_goes_on(make: Any) -> None:
    function = make("fails")
    outcome = function.invoke({})
    assert outcome.kind == "error"
    assert outcome.payload["errorType"] == "ValueError"
    assert outcome.payload["errorMessage"] == "no such thing"
    assert not function.invoke({}).cold


def test_a_process_that_ends_is_an_exit_and_the_next_one_is_new(make: Any) -> None:
    function = make("ends")
    assert function.invoke({}).kind == "exit"
    assert function.invoke({}).cold


def test_a_handler_that_is_not_there_fails_at_its_start(make: Any) -> None:
    outcome = make("nowhere").invoke({})
    assert outcome.kind == "init"
    assert outcome.payload["errorType"] == "Runtime.HandlerNotFound"


def test_what_takes_longer_than_the_timeout_is_ended(make: Any) -> None:
    function = make("sleeps", timeout=0.3)
    began = time.perf_counter()
    assert function.invoke({"seconds": 30}).kind == "timeout"
    assert time.perf_counter() - began < 20
    assert function.invoke({"seconds": 0}).ok


def test_a_process_may_be_killed_in_the_middle(make: Any) -> None:
    function = make("sleeps")
    function.invoke({"seconds": 0})
    told: list[Any] = []
    waiting = threading.Thread(target=lambda: told.append(function.invoke({"seconds": 30})))
    waiting.start()
    until = time.perf_counter() + 10
    while not function.kill() and time.perf_counter() < until:
        time.sleep(0.01)
    waiting.join(10)
    assert told[0].kind == "exit"


def test_no_more_run_at_once_than_are_reserved(make: Any) -> None:
    function = make("sleeps", width=3, concurrency=1)
    told: list[Any] = []
    threads = [
        threading.Thread(target=lambda: told.append(function.invoke({"seconds": 0.05})))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({outcome.payload for outcome in told}) == 1


def test_metrics_are_read_from_what_was_printed(make: Any) -> None:
    outcome = make("measures").invoke({})
    assert [told["Runs"] for told in outcome.metrics()] == [1]
    assert json.dumps(outcome.payload) == "null"
