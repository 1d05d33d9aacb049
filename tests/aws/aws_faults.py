"""Things that go wrong between functions and AWS: S3 is busy, credentials expire, Lambda dies."""

from __future__ import annotations

import threading

from aws_gateway import Answer, Exchange, Gateway
from aws_requests import Request
from lambda_functions import Function

_XML = {"Content-Type": "application/xml"}


class SlowDown:
    """S3 answers every n-th request with 503 SlowDown; asked again it is there."""

    def __init__(self, every: int) -> None:
        self.every, self.times, self._seen = every, 0, 0
        self._lock = threading.Lock()

    def __call__(self, role: str, request: Request) -> Answer | None:
        """A fault of the gateway."""
        if request.signed[1] != "s3":
            return None
        with self._lock:
            self._seen += 1
            if self._seen % self.every:
                return None
            self.times += 1
        return Answer(503, b"<Error><Code>SlowDown</Code><Message>Please</Message></Error>", _XML)


class Expired:
    """Credentials of a role have expired for requests to paths that hold `what`, `times` times."""

    def __init__(self, role: str, what: str = "", times: int | None = None) -> None:
        self.role, self.what, self.left, self.times = role, what, times, 0

    def __call__(self, role: str, request: Request) -> Answer | None:
        """A fault of the gateway."""
        if role != self.role or self.what not in request.path or self.left == 0:
            return None
        if request.signed[1] != "s3":
            return None
        self.left = None if self.left is None else self.left - 1
        self.times += 1
        told = b"<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>"
        return Answer(400, told, _XML)


class Killer:
    """Ends a function's processes at its n-th write to S3, before or after that took effect."""

    def __init__(
        self, gateway: Gateway, function: Function, role: str, when: str, *numbers: int
    ) -> None:
        self._function, self._role, self._when = function, role, when
        self._numbers, self._seen = set(numbers), 0
        self.killed = 0
        self._lock = threading.Lock()
        if when == "before":
            gateway.faults.append(self._before)
        else:
            gateway.watchers.append(self._after)

    def _due(self, role: str, request: Request) -> bool:
        if role != self._role or request.method != "PUT" or request.signed[1] != "s3":
            return False
        with self._lock:
            self._seen += 1
            return self._seen in self._numbers

    def _before(self, role: str, request: Request) -> Answer | None:
        if not self._due(role, request):
            return None
        self.killed += self._function.kill()
        return Answer(500)

    def _after(self, exchange: Exchange) -> None:
        if exchange.answer.status == 200 and self._due(exchange.role, exchange.request):
            self.killed += self._function.kill()
