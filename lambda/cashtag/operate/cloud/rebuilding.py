"""A rebuild in the cloud: every run of a span enriched at once, then its signals one by one.

Enrichment is row-local, so runs are handed to the enrich function side by side, as many as the
endpoint stands; signals look back at earlier sessions, so they follow in order. Each call is one
that the functions take anyway, may be repeated, and waits for its end: what failed is named.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from cashtag.errors import CloudError
from cashtag.operate import account
from cashtag.operate.stack import Stack
from cashtag.ports import Progress
from cashtag.redaction import redacted

_FUNCTION_SECONDS = 900  # Lambda's own limit
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0  # seconds between two attempts at a busy function


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One run: what the functions answered, or why they failed."""

    dt: date
    enriched: bool
    signals: bool
    told: str

    def row(self) -> dict[str, Any]:
        """The run as a row to print."""
        return asdict(self)


def rebuild(
    stack: Stack, session: Any, days: Sequence[date], at_once: int, progress: Progress
) -> Iterator[Rebuilt]:
    """Make these runs again, ascending; yield each when its signals are made.

    A run whose enrichment failed gets no signals, and those after it are made all the same: its
    session is incomplete, which the signals see for themselves.

    Raises:
        CloudError: Lambda refuses or does not answer.
    """
    lambdas = account.client(
        session,
        "lambda",
        read_timeout=_FUNCTION_SECONDS + 10,
        retries={"mode": "standard", "max_attempts": 1},  # a call that is under way is not doubled
    )
    enrich, signals = stack.function("enrich"), stack.function("signals")
    total = 2 * len(days)
    done = 0
    with ThreadPoolExecutor(at_once, thread_name_prefix="rebuild") as pool:
        ahead = {dt: pool.submit(_enrich, lambdas, enrich, dt) for dt in days}
        try:
            for dt in days:
                progress(done, total, f"{dt} enrich")
                failure = ahead[dt].result()
                done += 1
                progress(done, total, f"{dt} signals")
                if failure is not None:
                    done += 1
                    yield Rebuilt(dt, False, False, failure)
                    continue
                failure = call(lambdas, signals, {"action": "run", "dt": str(dt)}).failure
                done += 1
                yield Rebuilt(dt, True, failure is None, failure or "")
        finally:
            for future in ahead.values():
                future.cancel()
    progress(total, total, "")


def _enrich(lambdas: Any, function: str, dt: date) -> str | None:
    """Enrich a run's objects, call after call until none is left; return why it failed, or None."""
    event: dict[str, Any] = {"action": "rebuild", "dt": str(dt)}
    before: list[str] | None = None
    while True:
        answer = call(lambdas, function, event)
        if answer.failure is not None:
            return answer.failure
        left = list(answer.told.get("left", ()))
        if not left:
            return None
        if left == before:
            return f"{len(left)} objects do not fit into the function's time, as {left[0]}"
        event, before = {"keys": left}, left


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function returned, or why it failed."""

    told: dict[str, Any]
    failure: str | None = None


def call(
    lambdas: Any, function: str, event: dict[str, Any], patience: float = _FUNCTION_SECONDS
) -> Answer:
    """Call a function and wait for its end.

    One that is busy (its concurrency is reserved, and an event came first) is asked again for
    `patience` seconds.

    Raises:
        CloudError: Lambda refuses or does not answer.
    """
    from botocore.exceptions import ClientError

    until = time.monotonic() + patience
    wait = _FIRST_WAIT
    while True:
        with account.explained(f"function {function} cannot be called"):
            try:
                answer = lambdas.invoke(FunctionName=function, Payload=json.dumps(event).encode())
                body = answer["Payload"].read()
                break
            except ClientError as error:
                busy = account.code(error) == "TooManyRequestsException"
                if not busy or time.monotonic() + wait > until:
                    raise
        time.sleep(random.uniform(wait / 2, wait))
        wait = min(2 * wait, _LONGEST_WAIT)
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise CloudError(f"function {function} answers with no object; deploy the stack again")
    if not answer.get("FunctionError"):
        return Answer(told)
    kind, why = told.get("errorType", "Error"), told.get("errorMessage", "no reason")
    return Answer({}, redacted(f"{kind}: {why}"))
