"""The way from functions to AWS: a reverse proxy that knows its callers and asks IAM.

Each role has an access key of its own, which its functions sign with; the gateway reads it from
the signature, works out what the request needs, and lets through what the template's policies
allow. Anything else is answered as the service would refuse it. What was used is written down.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from aws_requests import Call, Known, Request, UnknownRequest, calls
from permissions import Permissions

VIA_ATHENA = "ATHENA"  # the end of an access key under which Athena acts for a role
_HOP = {"connection", "transfer-encoding", "expect", "content-length", "keep-alive", "host"}


@dataclass(frozen=True)
class Answer:
    """A response: status, headers, body."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exchange:
    """A request that was let through, and its answer."""

    role: str
    request: Request
    answer: Answer


@dataclass(frozen=True)
class Used:
    """A permission that a role's request needed, and how it was decided."""

    role: str
    call: Call
    via: str | None
    allowed: bool
    by: str | None


Fault = Callable[[str, Request], Answer | None]


class Gateway:
    """The proxy. `upstreams` are base URLs by signing service; `default` takes the rest.

    `faults` may answer before anything else is asked; `watchers` hear of every exchange that was
    carried out.
    """

    def __init__(self, permissions: Permissions, default: str) -> None:
        self.permissions = permissions
        self.default = default
        self.upstreams: dict[str, str | Callable[[str], str]] = {}
        self.role_of: dict[str, str] = {}
        """Logical id of the role by access key id."""
        self.faults: list[Fault] = []
        self.watchers: list[Callable[[Exchange], None]] = []
        self.used: dict[Used, int] = {}
        self.unknown: list[str] = []
        self.owner = "AKIAPERSON"
        """Access key id of a person, whom nothing is refused."""
        self.requests = 0
        self.known = Known(key_of=permissions.key_of)
        self._lock = threading.Lock()
        # S3 decides conditional writes atomically; the double looks first and writes afterwards.
        self._writes = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.gateway = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._local = threading.local()

    def __enter__(self) -> Gateway:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def key_for(self, role: str) -> str:
        """An access key id for a role, made on the first call."""
        key = f"AKIA{role.upper()}"
        self.role_of[key] = role
        self.role_of[key + VIA_ATHENA] = role
        return key

    def denied(self) -> list[Used]:
        """Calls that were refused."""
        return [used for used in self.used if not used.allowed]

    def act(self, role: str, call: Call) -> bool:
        """Ask and write down what AWS itself does in the name of a role."""
        return self._allowed(role, call, None)

    # ------------------------------------------------------------ one request

    def answer(self, request: Request) -> Answer:
        """Refuse a request, or pass it on."""
        try:
            key, service = request.signed
            if key == self.owner:
                return self._forward(request, service, key)
            role = self.role_of[key]
            needs = calls(request, self.known)
        except (UnknownRequest, KeyError) as error:
            told = f"{type(error).__name__}: {error}"
            with self._lock:
                self.unknown.append(told)
            return Answer(501, json.dumps({"message": told}).encode())
        for fault in self.faults:
            if (answer := fault(role, request)) is not None:
                return answer
        via = "athena.amazonaws.com" if key.endswith(VIA_ATHENA) else None
        refused = [call for call in needs if not self._allowed(role, call, via)]
        if refused:
            return refusal(service, request, self.permissions.stack.arn(role), refused[0])
        answer = self._forward(request, service, key)
        if service == "athena" and request.operation == "StartQueryExecution":
            self._note_query(request, answer)
        if answer.status == 404 and service == "s3" and not self._may_list(role, request, via):
            return refusal(service, request, self.permissions.stack.arn(role), needs[0])
        for watcher in self.watchers:
            watcher(Exchange(role, request, answer))
        return answer

    def _allowed(self, role: str, call: Call, via: str | None) -> bool:
        decision = self.permissions.decide(role, call, via=via)
        by = decision.by.place if decision.by else None
        used = Used(role, call, via, decision.allowed, by)
        with self._lock:
            self.used[used] = self.used.get(used, 0) + 1
        return decision.allowed

    def _may_list(self, role: str, request: Request, via: str | None) -> bool:
        """Without s3:ListBucket S3 calls a missing object forbidden.

        The call has no prefix, so that a statement with a condition on one does not help.
        """
        bucket, _, key = request.path.lstrip("/").partition("/")
        if not key or request.method not in ("GET", "HEAD"):
            return True
        return self._allowed(role, Call("s3:ListBucket", f"arn:aws:s3:::{bucket}"), via)

    def _note_query(self, request: Request, answer: Answer) -> None:
        if answer.status == 200:
            told = json.loads(answer.body)["QueryExecutionId"]
            self.known.workgroup_of[told] = request.json().get("WorkGroup", "primary")

    def _forward(self, request: Request, service: str, key: str) -> Answer:
        part = service
        if service == "sagemaker" and not request.operation:
            part = "sagemaker-runtime"
        elif service == "lambda" and request.path.endswith("/invocations"):
            part = "lambda-invoke"
        there = self.upstreams.get(part, self.default)
        base = there(key) if callable(there) else there
        if service == "s3" and request.method in ("PUT", "POST", "DELETE"):
            with self._writes:
                return self._send(base, request)
        return self._send(base, request)

    def _send(self, base: str, request: Request) -> Answer:
        connections = self._local.__dict__.setdefault("connections", {})
        headers = {name: text for name, text in request.headers.items() if name not in _HOP}
        for attempt in range(2):
            connection = connections.get(base)
            if connection is None:
                connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=120)
                connections[base] = connection
            try:
                connection.request(request.method, request.target, request.body, headers)
                told = connection.getresponse()
                body = told.read()
                return Answer(told.status, body, _kept(told.getheaders()))
            except (http.client.HTTPException, OSError):
                connection.close()
                del connections[base]  # an idle connection may have been closed meanwhile
                if attempt:
                    raise
        raise AssertionError


def _kept(headers: list[tuple[str, str]]) -> dict[str, str]:
    """Headers to hand on; the length stays, for a HEAD tells it of a body that it does not send."""
    return {name: text for name, text in headers if name.lower() not in _HOP - {"content-length"}}


def refusal(service: str, request: Request, arn: str, call: Call) -> Answer:
    """What a service answers to a call that IAM does not allow."""
    told = f"User: {arn} is not authorized to perform: {call.action} on resource: {call.resource}"
    if service == "s3":
        body = f"<Error><Code>AccessDenied</Code><Message>{escape(told)}</Message></Error>"
        return Answer(403, body.encode(), {"Content-Type": "application/xml"})
    if service == "sns":
        body = (
            "<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code>"
            f"<Message>{escape(told)}</Message></Error></ErrorResponse>"
        )
        return Answer(403, body.encode(), {"Content-Type": "text/xml"})
    code = "AccessDeniedException"
    status = 400 if request.operation else 403
    return Answer(
        status,
        json.dumps({"__type": code, "message": told, "Message": told}).encode(),
        {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code},
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    gateway: Gateway

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that is killed in the middle of a request is part of the tests."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def _any(self) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(headers.get("content-length") or 0))
        gateway: Gateway = self.server.gateway  # type: ignore[attr-defined]
        gateway.requests += 1
        answer = gateway.answer(Request(self.command, self.path, headers, body))
        self.send_response_only(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        if "content-length" not in {name.lower() for name in answer.headers}:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815  as the base class has it

    def handle_expect_100(self) -> bool:
        """Say at once that the body may come; the answer is buffered otherwise."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def log_message(self, *_: Any) -> None:
        """Requests are kept, not printed."""
