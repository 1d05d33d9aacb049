"""Lambda's Invoke over loopback HTTP, for commands of a person; nothing else of its API."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from lambda_sandbox import Outcome

Invoke = Callable[[str, Any, bool], Outcome | None]
"""(function name, event, whether to wait for its outcome)"""
_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


class LambdaApi:
    """The server; `with LambdaApi(invoke) as api`."""

    def __init__(self, invoke: Invoke) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.invoke = invoke  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LambdaApi:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        """Invoke a function."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = _PATH.fullmatch(urlsplit(self.path).path)
        if found is None:
            self._send(501, {"message": f"{self.path} is not played here"})
            return
        name = unquote(found[1]).rpartition(":")[2]
        wait = self.headers.get("X-Amz-Invocation-Type", "RequestResponse") != "Event"
        outcome = self.server.invoke(name, json.loads(body or b"{}"), wait)  # type: ignore[attr-defined]
        if outcome is None:
            self._send(202, None)
        elif outcome.ok:
            self._send(200, outcome.payload)
        else:
            self._send(200, outcome.payload, {"X-Amz-Function-Error": "Unhandled"})

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for key, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Requests are not printed."""
