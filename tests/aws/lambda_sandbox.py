"""Functions as Lambda runs them: Lambda's own runtime client in a process of its own, kept warm.

A sandbox is one process and the Runtime API that it asks for work ("Using the Lambda runtime
API", AWS Lambda developer guide). Its interpreter sees the task root, the layers and the
runtime's own folder, and nothing of this checkout or its environment. It can be killed at any
moment, and is ended when it takes longer than the function's timeout.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime_api import Asked, Definition, Kind, RuntimeApi

_START_SECONDS = 60.0  # a sandbox that has not asked for work by then never will


@dataclass(frozen=True)
class TaskRoot:
    """The folders of a deployed function: its unzipped code, and what stands beside it."""

    code: Path
    """`/var/task`: the function's zip, unpacked."""
    layers: Path
    """`/opt/python`: the layers, one over the other."""
    runtime: Path
    """`/var/runtime`: the runtime client and boto3, as every function of Lambda finds them."""
    bytecode: Path | None = None
    """Where Python may keep compiled modules; None: nowhere, as on Lambda."""


@dataclass(frozen=True)
class Outcome:
    """What became of one invocation: its answer or its error, its seconds, what it printed."""

    kind: Kind
    payload: Any
    seconds: float
    lines: tuple[str, ...] = ()
    cold: bool = False

    @property
    def ok(self) -> bool:
        """Whether the handler returned."""
        return self.kind == "ok"

    def metrics(self) -> list[dict[str, Any]]:
        """Lines in CloudWatch's embedded metric format, parsed."""
        found = []
        for line in self.lines:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                if isinstance(told, dict) and "CloudWatchMetrics" in told.get("_aws", {}):
                    found.append(told)
        return found


class Sandbox:
    """One process of a function; `invoke` may be called by one thread at a time."""

    def __init__(
        self, function: Definition, root: TaskRoot, folder: Path, network: Mapping[str, str]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.function, self.root, self._home = function, root, folder / "tmp"
        self._home.mkdir(exist_ok=True)
        self._log = folder / "log.txt"
        self._api = RuntimeApi()
        self._api.sandbox = self
        threading.Thread(target=self._api.serve_forever, args=(0.05,), daemon=True).start()
        self._event: Asked | None = None
        self._work = threading.Condition()
        self._told, self._asking = threading.Event(), threading.Event()
        self._answer: tuple[Kind, Any] | None = None
        self._ended = False
        self._seen = 0
        self._invoked = 0
        self.started = time.perf_counter()
        self.ready: float | None = None
        """Seconds from the start of the process until it asked for work."""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                # -s: no site of the user; -S: no site-packages of this interpreter.
                [sys._base_executable, "-s", "-S", "-m", "awslambdaric", function.handler],  # type: ignore[attr-defined]
                cwd=root.code,
                env=self._environ(network),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        threading.Thread(target=self._watch, daemon=True).start()

    def _environ(self, network: Mapping[str, str]) -> dict[str, str]:
        host, port = self._api.server_address[:2]
        function = self.function
        path = (self.root.code, self.root.layers, self.root.runtime)
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join(str(folder) for folder in path),
            **self._bytecode(),
            "TMPDIR": str(self._home),
            "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
            "_HANDLER": function.handler,
            "LAMBDA_TASK_ROOT": str(self.root.code),
            "LAMBDA_RUNTIME_DIR": str(self.root.runtime),
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": function.access_key,
            "AWS_SECRET_ACCESS_KEY": "PLANTED-aws-secret-key-5",
            "AWS_SESSION_TOKEN": "PLANTED-aws-session-token-5",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            **network,
            **{
                name: str(self._home) if text == "/tmp" else text  # noqa: S108  Lambda's only writable folder
                for name, text in function.environment.items()
            },
        }

    def _bytecode(self) -> dict[str, str]:
        """The task root is read-only on Lambda: compiled modules are kept elsewhere, or nowhere."""
        if self.root.bytecode is None:
            return {"PYTHONDONTWRITEBYTECODE": "1"}
        return {"PYTHONPYCACHEPREFIX": str(self.root.bytecode)}

    # ------------------------------------------------------------ asking it

    def invoke(self, event: Any, timeout: float | None = None) -> Outcome:
        """Hand over one event and wait for the answer, the end of the process, or the timeout."""
        seconds = timeout or self.function.timeout
        began, cold = time.perf_counter(), self._invoked == 0
        self._invoked += 1
        self._told.clear()
        self._answer = None
        with self._work:
            if not self._ended:
                self._event = Asked(str(uuid.uuid4()), json.dumps(event).encode(), seconds)
            self._work.notify_all()
        self._asking.wait(_START_SECONDS)  # the time of a function runs from then on
        if not self._ended and not self._told.wait(seconds):
            self.kill()
            said = {"errorType": "Sandbox.Timedout", "errorMessage": f"timed out: {seconds} s"}
            return Outcome("timeout", said, time.perf_counter() - began, self._lines(), cold)
        kind, payload = self._answer or ("exit", {"errorType": "Runtime.ExitError"})
        return Outcome(kind, payload, time.perf_counter() - began, self._lines(), cold)

    @property
    def alive(self) -> bool:
        """Whether the process may be asked again."""
        return not self._ended

    def wait_until_ready(self, seconds: float = _START_SECONDS) -> float:
        """Wait until the process asks for work; return how long it took from its start."""
        self._asking.wait(seconds)
        if self.ready is None:
            raise RuntimeError(f"{self.function.name} never asked for work:\n{self._tail()}")
        return self.ready

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        self._ended = True
        self.process.kill()
        self.process.wait()
        self._asking.set()
        self._told.set()

    def close(self) -> None:
        """End the process, its Runtime API, and what it kept in its folder for temporary files."""
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)
        with self._work:
            self._work.notify_all()
        self._api.shutdown()
        self._api.server_close()

    def _watch(self) -> None:
        self.process.wait()
        self._ended = True
        self._asking.set()
        self._told.set()

    def _lines(self) -> tuple[str, ...]:
        """What was printed since the last look; the runtime client writes unbuffered."""
        with self._log.open("rb") as log:
            log.seek(self._seen)
            data = log.read()
        self._seen += len(data)
        return tuple(data.decode("utf-8", "replace").splitlines())

    def _tail(self) -> str:
        return self._log.read_text("utf-8", "replace")[-2000:]

    # ------------------------------------------------------------ what its Runtime API does

    def next(self) -> Asked | None:
        """Wait for an event; None when there will be none any more."""
        if self.ready is None:
            self.ready = time.perf_counter() - self.started
            self._asking.set()
        with self._work:
            while self._event is None and not self._ended:
                self._work.wait(0.5)
            asked, self._event = self._event, None
        return asked

    def answered(self, kind: Kind, payload: Any) -> None:
        """Take the answer of the running invocation."""
        self._answer = (kind, payload)
        self._asking.set()
        self._told.set()
