"""SageMaker's InvokeEndpoint on loopback: real requests of boto3 in, answers and faults out.

Reached by `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME`, as any other endpoint of AWS would be. What a text
is answered follows from the text alone (`row_of`), so that a test knows what must come out. A text
with POISON in it is refused, as is a request of which it is a part.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

SECRET = "PLANTED-aws-secret-key-2"  # noqa: S105  planted, to be looked for
SESSION_TOKEN = "PLANTED-aws-session-token-2"  # noqa: S105
VERSION, OTHER_VERSION = "double-int8-0123456789ab", "double-int8-ba9876543210"
POISON = "POISON"
NAME = "cashtag-sentiment"
# Passing faults, of which each request may meet one.
AWS = {
    "throttled": (400, "ThrottlingException", "Rate exceeded"),
    "not_ready": (429, "ModelNotReadyException", "Model is not ready for inference"),
    "unavailable": (503, "ServiceUnavailable", "Service is unavailable"),
    "internal": (500, "InternalFailure", "internal failure"),
    "dependency": (530, "InternalDependencyException", "a dependency failed"),
}
MODEL = {"model_500": 500, "model_503": 503, "model_429": 429}
CUT = ("reset", "truncated", "half_json", "fewer_rows", "more_rows")
PASSING = (*AWS, *MODEL, *CUT)


def row_of(text: str | None) -> list[float] | None:
    """Three probabilities that follow from the text; None for one that says nothing."""
    if text is None or not text.strip():
        return None
    number = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    negative, neutral = number % 1000 / 3000, number // 1000 % 1000 / 3000
    return [round(negative, 6), round(neutral, 6), round(1 - negative - neutral, 6)]


class Endpoint:
    """An endpoint of that name. `faults` are met in turn, one a request, then none any more."""

    def __init__(self, name: str = NAME, version: str = VERSION) -> None:
        self.name, self.version = name, version
        self.faults: list[str] = []
        self.asked: list[list[str | None]] = []
        self.sizes: list[int] = []
        self.most_at_once = 0
        self.before: Callable[[], None] = lambda: None
        self.poisoned: Callable[[str], bool] = lambda text: POISON in text
        self.poison: tuple[int, str] | None = None
        """Status and message of a model that refuses; None: as the Hugging Face container does."""
        self.told: Callable[[list[str | None]], Any] = self.prediction
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.endpoint = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Endpoint:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environ(self) -> dict[str, str]:
        """Environment by which boto3 finds this endpoint, with credentials that are worth nothing."""
        return {
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def forget(self) -> None:
        """Begin anew: nothing asked, no faults."""
        self.faults, self.asked, self.sizes, self.most_at_once = [], [], [], 0

    def prediction(self, texts: Sequence[str | None]) -> dict[str, Any]:
        """What a packaged model's code answers."""
        return {
            "model": "double",
            "version": self.version,
            "precision": "int8",
            "labels": ["negative", "neutral", "positive"],
            "probabilities": [row_of(text) for text in texts],
        }

    def met(self, body: bytes) -> tuple[list[str | None], str | None]:
        """Note a request; return its texts and the fault that it meets."""
        texts = json.loads(body)["inputs"]
        with self._lock:
            self.asked.append(texts)
            self.sizes.append(len(body))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            fault = self.faults.pop(0) if self.faults else None
        return texts, fault

    def left(self) -> None:
        with self._lock:
            self._at_once -= 1


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that go away, as they do after a fault, are nothing to print."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together

    def do_POST(self) -> None:
        endpoint: Endpoint = self.server.endpoint  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        assert "AWS4-HMAC-SHA256" in self.headers["authorization"]
        assert self.headers["content-type"] == "application/json"
        parts = [unquote(part) for part in self.path.strip("/").split("/")]
        assert parts[::2] == ["endpoints", "invocations"]
        if parts[1] != endpoint.name:
            told = f"Endpoint {parts[1]} of account 123456789012 not found."
            self._refuse(400, "ValidationError", {"Message": told})
            return
        texts, fault = endpoint.met(body)
        try:
            endpoint.before()
            self._answer(endpoint, texts, fault)
        finally:
            endpoint.left()

    def _answer(self, endpoint: Endpoint, texts: list[str | None], fault: str | None) -> None:
        if fault in AWS:
            status, code, message = AWS[fault]
            self._refuse(status, code, {"Message": message})
        elif fault in MODEL:
            self._model_error(MODEL[fault], "worker died")
        elif fault == "mishap":  # as a container tells of anything, out of memory for example
            self._model_error(400, '{"code": 400, "message": "bad allocation"}')
        elif fault and fault.startswith("aws:"):
            _, status, code, message = fault.split(":", 3)
            self._refuse(int(status), code, {"message": message})
        elif fault == "reset":
            linger = struct.pack("ii", 1, 0)  # close at once, and say so with RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
        elif any(text and endpoint.poisoned(text) for text in texts):
            self._poisoned(endpoint, texts)
        else:
            self._told(endpoint, texts, fault)

    def _poisoned(self, endpoint: Endpoint, texts: list[str | None]) -> None:
        at = next(i for i, text in enumerate(texts) if text and endpoint.poisoned(text))
        inner = {"error": f"text {at} is poisoned", "status": 400, "index": at}
        outer = {"code": 400, "type": "InternalServerException", "message": json.dumps(inner)}
        self._model_error(*(endpoint.poison or (400, json.dumps(outer))))

    def _told(self, endpoint: Endpoint, texts: list[str | None], fault: str | None) -> None:
        told = endpoint.told(texts)
        if fault == "other_version":
            told["version"] = OTHER_VERSION
        elif fault == "fewer_rows":
            told["probabilities"].pop()
        elif fault == "more_rows":  # the last answer twice
            told["probabilities"].append(told["probabilities"][-1])
        body = json.dumps(told).encode()
        if fault == "half_json":  # whole for HTTP, not for JSON
            body = body[: len(body) // 2]
        self._send(200, body, {}, cut=len(body) // 2 if fault == "truncated" else None)

    def _model_error(self, status: int, message: str) -> None:
        told = {
            "Message": f"Received error ({status}) from primary with message {message!r}",
            "OriginalStatusCode": status,
            "OriginalMessage": message,
            "LogStreamArn": "arn:aws:logs:us-east-1:123456789012:log-group:x",
        }
        self._refuse(424, "ModelError", told)

    def _refuse(self, status: int, code: str, told: dict[str, Any]) -> None:
        self._send(status, json.dumps(told).encode(), {"x-amzn-ErrorType": f"{code}:http://x/"})

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, text in {"content-type": "application/json", **headers}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Requests are kept, not printed."""
