"""Bedrock's `converse` on loopback: real requests of boto3 in, real answers and refusals out.

Reached by `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, as any other endpoint of AWS would be.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

SECRET = "PLANTED-aws-secret-key-1"  # noqa: S105  planted, to be looked for
SESSION_TOKEN = "PLANTED-aws-session-token-1"  # noqa: S105


@dataclass(frozen=True)
class Reply:
    """One answer. `drip` sends the body a byte at a time with so many seconds between."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drip: float | None = None


def used(tool_input: Any, *, tokens: tuple[int, int] = (1000, 200), **more: Any) -> Reply:
    """The model called the tool with this input, for so many tokens in and out."""
    block = {"toolUse": {"toolUseId": "tooluse_1", "name": "name_tickers", "input": tool_input}}
    return conversed([block], "tool_use", tokens, **more)


def said(text: str, stop: str = "end_turn", tokens: tuple[int, int] = (1000, 20)) -> Reply:
    """The model wrote text and called nothing."""
    return conversed([{"text": text}], stop, tokens)


def conversed(
    blocks: Sequence[Any], stop: str, tokens: tuple[int, int] = (1000, 200), **more: Any
) -> Reply:
    """An answer in the shape of the API reference of Converse."""
    body = {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "usage": {
            "inputTokens": tokens[0],
            "outputTokens": tokens[1],
            "totalTokens": sum(tokens),
        },
        "metrics": {"latencyMs": 12},
    }
    return Reply(body=json.dumps(body).encode(), **more)


def refused(status: int, code: str, message: str) -> Reply:
    """An error as AWS's JSON protocol has it."""
    body = json.dumps({"message": message}).encode()
    return Reply(status, body, {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/"})


class Bedrock:
    """Replies in turn, the last one again and again. Use `with Bedrock(used({...})) as bedrock`."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[dict[str, Any]] = []
        self.models: list[str] = []
        self._lock = threading.Lock()
        self.ending = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.bedrock = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Bedrock:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()

    def environ(self) -> dict[str, str]:
        """Environment by which boto3 finds this endpoint, with credentials that are worth nothing."""
        return {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    @property
    def documents(self) -> list[Any]:
        """What each request held between its delimiters, read as JSON."""
        found = []
        for request in self.asked:
            (block,) = request["messages"][0]["content"]
            head, _, rest = block["text"].partition("<document>\n")
            text, _, tail = rest.rpartition("\n</document>")
            assert (head, tail) == ("", "")
            found.append(json.loads(text))
        return found

    def reply(self, path: str, body: bytes) -> Reply:
        """Answer one request; what Bedrock would call invalid is refused as Bedrock does."""
        parts = path.strip("/").split("/")
        if len(parts) != 3 or parts[0] != "model" or parts[2] != "converse":
            return refused(404, "UnknownOperationException", f"no {path} here")
        with self._lock:
            self.models.append(unquote(parts[1]))
            self.asked.append(json.loads(body))
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        bedrock: Bedrock = self.server.bedrock  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        assert "AWS4-HMAC-SHA256" in self.headers["authorization"]
        reply = bedrock.reply(self.path, body)
        self.send_response(reply.status)
        for name, text in {"content-type": "application/json", **reply.headers}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        if reply.drip is None:
            self.wfile.write(reply.body)
            return
        for byte in reply.body:
            if bedrock.ending.is_set():
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(reply.drip)

    def log_message(self, *_: Any) -> None:
        """Requests are kept, not printed."""
