"""Calls to a model somewhere else: tried again with full jitter, several at once, stopped together.

What is worth another attempt is raised as `Later`, and becomes ScorerUnavailable when there was
no answer within the deadline. Pauses are uniform between 0 and a bound that doubles (Brooker 2015,
"Exponential Backoff And Jitter", AWS Architecture Blog).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from cashtag.redaction import redacted
from cashtag.sentiment.store import ScorerUnavailable

T = TypeVar("T")
Item = TypeVar("Item")

_DOUBLINGS = 30  # beyond, the longest pause holds anyway
_TOLD = 200  # characters of somebody else's words in a message
_SERVER_ERRORS = 500
_TOO_MANY = 429
_PASSING = (
    *("throttl", "toomanyrequests", "slowdown", "internalserver", "internalfailure"),
    *("serviceunavailable", "notready", "timeout", "modelerror"),
)


class Later(Exception):
    """No answer now, and perhaps one in a moment; the text says why."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long there may be no answer, and the bounds of the pauses, seconds."""

    seconds: float
    first_pause: float
    longest_pause: float

    def pause(self, attempt: int) -> float:
        """How long to wait after so many attempts (from 0) had no answer; drawn anew each time."""
        bound = self.first_pause * 2.0 ** min(attempt, _DOUBLINGS)
        return random.uniform(0.0, min(bound, self.longest_pause))

    def ask(self, call: Callable[[], T], model: str, stopped: threading.Event) -> T:
        """Call until there is an answer.

        Raises:
            ScorerUnavailable: none within `seconds`, or another question had none.
        """
        end = time.monotonic() + self.seconds
        attempt = 0
        while True:
            try:
                return call()
            except Later as error:
                pause = self.pause(attempt)
                if time.monotonic() + pause >= end:
                    raise ScorerUnavailable(
                        f"{model} gave no answer within {self.seconds:g} s "
                        f"(enrich.score_deadline_seconds); the last time: {error}"
                    ) from error
                if stopped.wait(pause):
                    raise ScorerUnavailable(f"{model}: another question had no answer") from error
                attempt += 1


def at_once(
    work: Callable[[Item, threading.Event], T], items: Sequence[Item], threads: int
) -> list[T]:
    """Do the work on every item, so many at once; return the results in the items' order.

    The first error stops the others, and is raised: the work sees `stopped` set.
    """
    stopped = threading.Event()
    with ThreadPoolExecutor(max_workers=max(1, min(threads, len(items)))) as pool:
        futures = [pool.submit(work, item, stopped) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            # The first that failed by itself, not one that was stopped because of it.
            failed = [future for future in futures if future in done and future.exception()]
            if failed:
                stopped.set()
                failed[0].result()
            return [future.result() for future in futures]
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)


def told(error: Exception) -> tuple[str, str, int]:
    """Code, message and HTTP status of an error of AWS; the name, text and 0 of any other.

    The words are fit for a message: one line, printable, no secret.
    """
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return type(error).__name__, plain(str(error)), 0
    said = response.get("Error") or {}
    meta = response.get("ResponseMetadata") or {}
    status = meta.get("HTTPStatusCode")
    return (
        plain(str(said.get("Code", "no code"))),
        plain(str(said.get("Message", ""))),
        status if isinstance(status, int) else 0,
    )


def passes(code: str, status: int) -> bool:
    """Whether an error of AWS may be gone in a moment: throttling, a cold start, its own faults."""
    spelled = code.lower().replace("_", "")
    return (
        status >= _SERVER_ERRORS or status == _TOO_MANY or any(part in spelled for part in _PASSING)
    )


def plain(text: str) -> str:
    """Somebody else's words as one short printable line without secrets."""
    line = " ".join(redacted(text).split())
    return "".join(c for c in line if c.isprintable())[:_TOLD]
