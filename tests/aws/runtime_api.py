"""Lambda's Runtime API on loopback: a process asks for work and tells what came of it.

As in "Using the Lambda runtime API" of the AWS Lambda developer guide.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol

Kind = Literal["ok", "error", "exit", "timeout", "init"]


@dataclass(frozen=True)
class Definition:
    """What the template says of a function, and whose credentials it gets."""

    logical: str
    name: str
    handler: str
    environment: Mapping[str, str]
    timeout: float
    memory: int
    arn: str
    access_key: str
    concurrency: int | None = None
    """Reserved concurrency; None: none is reserved."""


@dataclass(frozen=True)
class Asked:
    """An event on its way: request id, body, and how many seconds it may take."""

    request: str
    body: bytes
    seconds: float


class Process(Protocol):
    """Who asks: it is given events, and takes answers."""

    function: Definition

    def next(self) -> Asked | None:
        """Wait for an event; None when there will be none any more."""
        ...

    def answered(self, kind: Kind, payload: Any) -> None:
        """Take the answer of the running invocation."""
        ...


class RuntimeApi(ThreadingHTTPServer):
    """The HTTP server of one process, on a port of its own."""

    daemon_threads = True
    block_on_close = False
    sandbox: Process

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A process that is killed while it asks is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """`/runtime/invocation/next`: blocks until there is one."""
        sandbox = self.server.sandbox  # type: ignore[attr-defined]
        asked = sandbox.next()
        if asked is None:
            self.close_connection = True
            return
        deadline = int((time.time() + asked.seconds) * 1000)
        self._send(
            200,
            asked.body,
            {
                "Lambda-Runtime-Aws-Request-Id": asked.request,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": sandbox.function.arn,
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
                "Content-Type": "application/json",
            },
        )

    def do_POST(self) -> None:
        """`/runtime/invocation/ID/response`, `…/error`, `/runtime/init/error`."""
        body = self._body()
        sandbox = self.server.sandbox  # type: ignore[attr-defined]
        kind: Kind = "error"
        if self.path.endswith("/response"):
            kind = "ok"
        elif self.path.endswith("/init/error"):
            kind = "init"
        sandbox.answered(kind, json.loads(body or b"null"))
        self._send(202, b"", {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().strip(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Requests are not printed."""
