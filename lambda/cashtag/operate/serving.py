"""A packaged model on this machine alone, spoken to as SageMaker speaks and is spoken to.

Two dialects, one model:

- as a container: `GET /ping`, and `POST /invocations`, which answers a request that its sender can
  correct with the model's own status (400, 413, 415);
- as SageMaker's runtime: `POST /endpoints/NAME/invocations`, which wraps such an answer into a
  ModelError (424) and knows one NAME, so that `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME` may lead here.
  https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html

Requests wait for each other, for the model takes all processors. It listens on loopback only;
signatures are not looked at.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from cashtag.errors import InputError
from cashtag.sentiment.packaged import Loaded
from cashtag.settings.scoring import Serve

HOST = "127.0.0.1"
_JSON = "application/json"
_STEP = 1 << 16  # bytes of a request that is too large, read and dropped at a time
_DRAINED = 8  # times the limit: so much is read, so that its sender gets to hear why


class ModelServer:
    """A server of one model on 127.0.0.1. Use as a context: it serves inside, and ends with it."""

    def __init__(self, loaded: Loaded, name: str, rules: Serve, port: int | None = None) -> None:
        """Listen, on any free port where `port` is 0.

        Args:
            loaded: the model.
            name: of the endpoint that it stands for.
            rules: `settings.models.serve`.
            port: instead of the one in `rules`.

        Raises:
            InputError: somebody else listens on that port.
        """
        wanted = rules.port if port is None else port
        self.loaded, self.name, self.rules = loaded, name, rules
        self.turn = threading.Lock()
        self.stopping = threading.Event()
        try:
            self._http = _Server((HOST, wanted), self)
        except OSError as error:
            raise InputError(
                f"--port {wanted}: {error.strerror}; choose another, or 0 for any free one"
            ) from error
        self.port: int = self._http.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, name="serve")

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Accept no more, let requests that are under way be answered, and close."""
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.hang_up()
        self._http.server_close()  # waits for the requests under way

    def answer(self, body: bytes, content_type: str, accept: str) -> str:
        """Call the model's functions as a container does."""
        loaded = self.loaded
        request = loaded.input_fn(body, content_type)
        with self.turn:
            prediction = loaded.predict_fn(request, loaded.model)
        return loaded.output_fn(prediction, accept)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], owner: ModelServer) -> None:
        self.owner = owner
        self._idle: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of a fault; that a caller went away is none."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    @contextmanager
    def idle(self, connection: socket.socket) -> Iterator[None]:
        """While a connection waits for its next request, it may be hung up."""
        with self._lock:
            self._idle.add(connection)
        if self.owner.stopping.is_set():
            self.hang_up()
        try:
            yield
        finally:
            with self._lock:
                self._idle.discard(connection)

    def hang_up(self) -> None:
        """End connections that wait for a request which will not be answered any more."""
        with self._lock:
            for connection in self._idle:
                try:
                    connection.shutdown(socket.SHUT_RD)
                except OSError:
                    continue  # it has gone by itself


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: two small packets may wait 40 ms for each other
    disable_nagle_algorithm = True
    server: _Server

    @property
    def _owner(self) -> ModelServer:
        return self.server.owner

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self._owner.rules.timeout_seconds)

    def handle_one_request(self) -> None:
        with self.server.idle(self.connection):
            # A look at the first byte, which stays: from here on a request is under way.
            try:
                begun = bool(self.rfile.peek(1))  # type: ignore[attr-defined]
            except OSError:
                begun = False
        if begun:
            super().handle_one_request()
            self.close_connection = self.close_connection or self._owner.stopping.is_set()
        else:
            self.close_connection = True

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/ping":
            self._send(HTTPStatus.OK, b"")
        else:
            self._wrong(HTTPStatus.NOT_FOUND, f"no {self.path} here; GET /ping")

    def do_POST(self) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        body = self._body()
        if body is None:
            return
        if parts == ["invocations"]:
            status, text = self._invoked(body)
            self._send(status, text.encode())
        elif len(parts) == 3 and (parts[0], parts[2]) == ("endpoints", "invocations"):
            self._as_runtime(parts[1], body)
        else:
            self._wrong(HTTPStatus.NOT_FOUND, f"no {self.path} here; POST /invocations")

    def _as_runtime(self, name: str, body: bytes) -> None:
        """Answer as InvokeEndpoint does."""
        if name != self._owner.name:
            told = f"Endpoint {name} not found: {self._owner.name} is served here."
            self._fail(HTTPStatus.BAD_REQUEST, "ValidationError", {"Message": told})
            return
        status, text = self._invoked(body)
        if status is HTTPStatus.OK:
            self._send(status, text.encode(), {"x-Amzn-Invoked-Production-Variant": "AllTraffic"})
            return
        told = f'Received client error ({status.value}) from primary with message "{text}".'
        more = {"OriginalStatusCode": status.value, "OriginalMessage": text, "Message": told}
        self._fail(HTTPStatus.FAILED_DEPENDENCY, "ModelError", more)

    def _invoked(self, body: bytes) -> tuple[HTTPStatus, str]:
        kind = self.headers.get("content-type", _JSON)
        accept = self.headers.get("accept", "*/*")
        try:
            return HTTPStatus.OK, self._owner.answer(body, kind, accept)
        except self._owner.loaded.refusal as refused:
            status = getattr(refused, "status_code", HTTPStatus.BAD_REQUEST)
            return HTTPStatus(status), str(refused)

    def _body(self) -> bytes | None:
        """The request's body; None where it was answered already, for it has no fit length."""
        limit = self._owner.rules.payload_bytes
        given = self.headers.get("content-length", "")
        if not given.isdecimal():
            self.close_connection = True
            self._wrong(HTTPStatus.LENGTH_REQUIRED, "say content-length")
            return None
        length = int(given)
        if length <= limit:
            body = self.rfile.read(length)
            if len(body) == length:
                return body
            self.close_connection = True  # its sender has gone in the middle
            return None
        self.close_connection = True
        left = min(length, _DRAINED * limit)
        while left > 0 and (dropped := self.rfile.read(min(left, _STEP))):
            left -= len(dropped)
        told = {"Message": f"{length} bytes in one request; at most {limit}"}
        if self.path.startswith("/endpoints/"):
            self._fail(HTTPStatus.BAD_REQUEST, "ValidationError", told)
        else:
            self._wrong(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told["Message"])
        return None

    def _wrong(self, status: HTTPStatus, error: str) -> None:
        self._send(status, json.dumps({"error": error, "status": status.value}).encode())

    def _fail(self, status: HTTPStatus, code: str, told: dict[str, Any]) -> None:
        self._send(status, json.dumps(told).encode(), {"x-amzn-ErrorType": code})

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": _JSON, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        if self.close_connection or self._owner.stopping.is_set():
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Requests hold other people's texts: nothing of them is printed."""
