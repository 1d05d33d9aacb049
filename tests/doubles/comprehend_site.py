"""Comprehend's BatchDetectSentiment on loopback: real requests of boto3 in, results and errors out.

Reached by `AWS_ENDPOINT_URL_COMPREHEND`, as any other endpoint of AWS would be.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bedrock_site import SECRET, SESSION_TOKEN, Reply

TARGET = "Comprehend_20171127.BatchDetectSentiment"
MOST_TEXTS, MOST_BYTES = 25, 5000

Verdict = tuple[str, dict[str, float]] | str
"""A sentiment with its four scores, or the error code of the text."""


def refused(status: int, code: str, message: str) -> Reply:
    """An error as AWS's JSON 1.1 protocol has it."""
    return Reply(status, json.dumps({"__type": code, "message": message}).encode())


def scores(positive: float, negative: float, neutral: float, mixed: float) -> dict[str, float]:
    """Four scores as Comprehend names them."""
    return {"Positive": positive, "Negative": negative, "Neutral": neutral, "Mixed": mixed}


def by_words(text: str) -> Verdict:
    """A verdict that a reader of a test can foretell."""
    if "up" in text:
        return "POSITIVE", scores(0.9, 0.02, 0.07, 0.01)
    if "down" in text:
        return "NEGATIVE", scores(0.05, 0.8, 0.1, 0.05)
    if "both" in text:
        return "MIXED", scores(0.25, 0.1, 0.05, 0.6)
    return "NEUTRAL", scores(0.1, 0.1, 0.75, 0.05)


class Comprehend:
    """Replies of `faults` in turn, one a call; then verdicts. Limits are those of the service."""

    def __init__(self, verdict: Callable[[str], Verdict] = by_words, *faults: Reply) -> None:
        self.verdict = verdict
        self.faults = list(faults)
        self.asked: list[dict[str, Any]] = []
        self.once: dict[str, str] = {}
        """Error codes that a text meets at its first call only."""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.site = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Comprehend:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environ(self) -> dict[str, str]:
        """Environment by which boto3 finds this endpoint, with credentials that are worth nothing."""
        return {
            "AWS_ENDPOINT_URL_COMPREHEND": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def reply(self, target: str, body: bytes) -> Reply:
        """Answer one request."""
        asked = json.loads(body)
        with self._lock:
            self.asked.append(asked)
            if self.faults:
                return self.faults.pop(0)
        if target != TARGET:
            return refused(400, "UnknownOperationException", f"no {target} here")
        texts = asked["TextList"]
        if len(texts) > MOST_TEXTS:
            return refused(400, "BatchSizeLimitExceededException", "at most 25")
        if asked["LanguageCode"] not in {"en", "es", "de"}:
            return refused(400, "UnsupportedLanguageException", "no such language")
        results: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for i, text in enumerate(texts):
            with self._lock:
                verdict = self.once.pop(text, None) or self.verdict(text)
            if len(text.encode()) > MOST_BYTES:
                verdict = "TEXT_SIZE_LIMIT_EXCEEDED"
            if isinstance(verdict, str):
                errors.append({"Index": i, "ErrorCode": verdict, "ErrorMessage": f"text {i}"})
            else:
                named, numbers = verdict
                results.append({"Index": i, "Sentiment": named, "SentimentScore": numbers})
        return Reply(body=json.dumps({"ResultList": results, "ErrorList": errors}).encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        site: Comprehend = self.server.site  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        assert "AWS4-HMAC-SHA256" in self.headers["authorization"]
        reply = site.reply(self.headers["x-amz-target"], body)
        if reply.status == 0:  # the connection is cut before an answer
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, text in {"content-type": "application/x-amz-json-1.1", **reply.headers}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        """Requests are kept, not printed."""
