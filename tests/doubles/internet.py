"""A small internet on loopback: an HTTP proxy that ends TLS for every host it plays.

Unpatched clients reach it by the environment that they all honour (`HTTPS_PROXY`, a CA file):
what they send are real requests, what they get are real bytes on real sockets. A site is a
function from Request to Answer. A host that nobody plays cannot be reached, as offline.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

_REASONS = {200: "OK", 304: "Not Modified", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Request:
    """One request as it arrived. Header names are lower case; `query` holds first values."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies by name."""
        pairs = (pair.split("=", 1) for pair in self.headers.get("cookie", "").split("; "))
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


@dataclass(frozen=True)
class Answer:
    """What goes back. `drip` sends the body a byte at a time with so many seconds between;
    `cut` closes the connection after so many bytes of the body; `hang` never answers at all."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float | None = None
    cut: int | None = None
    hang: bool = False


Site = Callable[[Request], Answer]


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer that holds JSON; header names are written with `_` for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), {"content-type": "application/json"} | named)


class Internet:
    """Sites by host name, behind one proxy on loopback. Use `with Internet({...}) as net`."""

    def __init__(self, sites: Mapping[str, Site], folder: Path, latency: float = 0.0) -> None:
        self.sites = dict(sites)
        self.latency = latency
        self.log: list[Request] = []
        self.running = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.ca_file = folder / "test-ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.internet = self
        self.proxy = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Internet:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()

    def environ(self) -> dict[str, str]:
        """Environment by which every client finds this internet, and only this one."""
        ca = str(self.ca_file)
        proxies = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "TWS_PROXY")
        authorities = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
        return {
            **dict.fromkeys(proxies, self.proxy),
            **dict.fromkeys(authorities, ca),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "TWS_TELEMETRY": "0",
        }

    def requests(self, host: str) -> list[Request]:
        """What one host was asked, in order."""
        with self._lock:
            return [request for request in self.log if request.host == host]

    def answer(self, request: Request) -> Answer:
        """Let the host's site answer; at most one delay, the network's or the site's."""
        with self._lock:
            self.log.append(request)
            self.running += 1
            self.most_at_once = max(self.most_at_once, self.running)
        try:
            answer = self.sites[request.host](request)
            self._ending.wait(answer.delay or self.latency)
            if answer.hang:
                self._ending.wait()
            return answer
        finally:
            with self._lock:
                self.running -= 1

    def context(self, host: str) -> ssl.SSLContext:
        """A server's TLS context with a certificate for `host`."""
        with self._lock:
            if host not in self._contexts:
                made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._ca.issue_cert(host).configure_cert(made)
                self._contexts[host] = made
            return self._contexts[host]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False
    request_queue_size = 128
    internet: Internet

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is part of many tests."""


class _Connection(socketserver.BaseRequestHandler):
    """One client connection: CONNECT and TLS, or a plain request with an absolute address."""

    def handle(self) -> None:
        net: Internet = self.server.internet  # type: ignore[attr-defined]
        stream = self.request.makefile("rwb")
        with contextlib.suppress(ConnectionError, ssl.SSLError, OSError, EOFError):
            method, target, headers = _head(stream)
            if method != "CONNECT":
                parts = urlsplit(target)
                self._serve(net, stream, parts.hostname or "", (method, target, headers))
                return
            host = target.rsplit(":", 1)[0]
            if host not in net.sites:
                stream.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
                stream.flush()
                return
            stream.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            stream.flush()
            secure = net.context(host).wrap_socket(self.request, server_side=True)
            try:
                self._serve(net, secure.makefile("rwb"), host, None)
            finally:
                with contextlib.suppress(OSError):
                    secure.shutdown(socket.SHUT_RDWR)
                secure.close()

    def _serve(
        self, net: Internet, stream: Any, host: str, first: tuple[str, str, dict[str, str]] | None
    ) -> None:
        while True:
            method, target, headers = first or _head(stream)
            first = None
            body = stream.read(int(headers.get("content-length", 0)))
            if headers.get("transfer-encoding") == "chunked":
                body = b"".join(_chunks(stream))
            parts = urlsplit(target)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = net.answer(Request(method, host, parts.path, query, headers, body))
            _send(stream, answer, head_only=method == "HEAD")


def _head(stream: Any) -> tuple[str, str, dict[str, str]]:
    line = stream.readline(65536).decode("latin-1").strip()
    if not line:
        raise EOFError
    method, target, _ = line.split(" ", 2)
    headers = {}
    while text := stream.readline(65536).decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    return method, target, headers


def _chunks(stream: Any) -> Iterator[bytes]:
    while size := int(stream.readline().split(b";")[0], 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()


def _send(stream: Any, answer: Answer, *, head_only: bool) -> None:
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Answer')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    stream.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    body = b"" if head_only else answer.body[: answer.cut]
    if answer.drip is None:
        stream.write(body)
    else:
        for byte in body:
            stream.write(bytes([byte]))
            stream.flush()
            time.sleep(answer.drip)
    stream.flush()
    if answer.cut is not None:
        raise EOFError
