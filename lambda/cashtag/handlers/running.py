"""What is around every function's step: one line of log at its end, and errors that tell no secret.

Lambda prints whatever a function raises, and keeps it with the dead letters. So what leaves here
is an error of ours, whose text is blotted; of any other error only its kind and the lines it came
through are told, because its text may quote a tweet.
"""

from __future__ import annotations

import functools
import os
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

from cashtag.errors import CashtagError
from cashtag.redaction import redacted

Event = Mapping[str, Any]
Handler = Callable[[Event, Any], dict[str, Any]]


class StepFailed(CashtagError):
    """A step that ended in an error that is none of ours: a defect, or a library's."""


def step(handler: Handler) -> Handler:
    """Wrap a function's handler: log what it returned, or why it failed."""
    # A log is for people who look for a reason: levels and names are those of Powertools.
    log = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "cashtag"), location=None)

    @functools.wraps(handler)
    def wrapped(event: Event, context: Any) -> dict[str, Any]:
        began = time.perf_counter()
        request = getattr(context, "aws_request_id", None)
        name = handler.__module__.rpartition(".")[2]
        try:
            result = handler(event, context)
        except CashtagError as error:
            told = redacted(str(error))
            log.error(told, step=name, request=request, error=type(error).__name__)
            raise _kin(error)(told) from None
        except Exception as error:
            told = f"{_kind(error)} at {_where(error)}"
            log.error(told, step=name, request=request, error=type(error).__name__)
            raise StepFailed(told) from None
        seconds = round(time.perf_counter() - began, 3)
        log.info("done", step=name, request=request, seconds=seconds, result=result)
        return result

    return wrapped


def seconds_left(context: Any, reserve: float) -> float | None:
    """Seconds until Lambda ends the function, less `reserve`; None outside of Lambda."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    return None if left is None else max(0.0, left() / 1000.0 - reserve)


def _kin(error: CashtagError) -> type[CashtagError]:
    """The nearest kind of an error that is made of a text alone."""
    kinds = (kind for kind in type(error).__mro__ if issubclass(kind, CashtagError))
    return next(kind for kind in kinds if "__init__" not in vars(kind))


def _kind(error: Exception) -> str:
    """An error's type; of AWS's also its code and operation, which are words of AWS's own."""
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    if code is None:
        return type(error).__name__
    return f"{type(error).__name__} {code} of {getattr(error, 'operation_name', '?')}"


def _where(error: Exception) -> str:
    """The last lines of our code that it came through, without any value."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "cashtag" in f.filename]
    places = [f"{frame.filename.rpartition('cashtag/')[2]}:{frame.lineno}" for frame in frames[-3:]]
    return " < ".join(reversed(places)) or "no line of ours"
