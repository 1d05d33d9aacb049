"""What the functions say: the log groups of a stack, read by time, and followed while they grow.

Lines of the functions are JSON (Powertools); lines of the platform (START, REPORT) and metrics
(EMF) are left out unless they are asked for. Logs may quote posts, which are hostile text.
"""

from __future__ import annotations

import heapq
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cashtag.alerts import plain
from cashtag.errors import InputError
from cashtag.operate import account
from cashtag.operate.stack import Stack
from cashtag.redaction import redacted

_SINCE = re.compile(r"^(\d+)([smhdw])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PLATFORM = re.compile(r"^(START|END|REPORT|INIT_START|INIT_REPORT|EXTENSION|XRAY)\b")
_KEPT = {"level", "message", "timestamp", "service", "location"}  # shown, or shown otherwise
_OVERLAP = timedelta(seconds=15)  # lines of one stream may arrive after later ones of another


@dataclass(frozen=True, order=True, slots=True)
class Line:
    """One line of a log. `at` is UTC; `fields` is what a function said beside its message."""

    at: datetime
    step: str
    level: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict, compare=False)
    id: str = field(default="", compare=False)

    def row(self) -> dict[str, Any]:
        """The line as a row to print."""
        told = " ".join(f"{key}={_short(value)}" for key, value in self.fields.items())
        return {
            "at": self.at,
            "step": self.step,
            "level": self.level,
            "text": f"{self.text} {told}".strip(),
        }


def moment(text: str, now: datetime) -> datetime:
    """`90m`, `2h`, `3d` before `now`, or a UTC date or time.

    Raises:
        InputError: it is neither.
    """
    if match := _SINCE.match(text):
        try:
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        except OverflowError:
            raise InputError(f"--since {text!r} lies before all time; give less") from None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"--since {text!r} is no span (90m, 2h, 3d) and no UTC time (2026-05-08T12:00)"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def read(
    stack: Stack, session: Any, chosen: Sequence[str], since: datetime, *, everything: bool = False
) -> Iterator[Line]:
    """Lines of these steps' functions since then, ascending by time.

    A function that has not run yet has no log, which is no error.

    Raises:
        CloudError: CloudWatch refuses or does not answer.
    """
    client = account.client(session, "logs")
    streams = [_of_step(client, stack, step, since, everything) for step in chosen]
    yield from heapq.merge(*streams)


def follow(
    stack: Stack,
    session: Any,
    chosen: Sequence[str],
    since: datetime,
    *,
    everything: bool = False,
    every: float = 2.0,
) -> Iterator[Line]:
    """The same, and then each new line as it comes, until the caller stops.

    Raises:
        CloudError: CloudWatch refuses or does not answer.
    """
    seen: dict[str, datetime] = {}
    newest = since
    while True:
        for line in read(stack, session, chosen, newest - _OVERLAP, everything=everything):
            if line.at >= since and line.id not in seen:
                seen[line.id] = line.at
                newest = max(newest, line.at)
                yield line
        seen = {id: at for id, at in seen.items() if at >= newest - 2 * _OVERLAP}
        time.sleep(every)


def _of_step(
    client: Any, stack: Stack, step: str, since: datetime, everything: bool
) -> Iterator[Line]:
    from botocore.exceptions import ClientError

    group = f"/aws/lambda/{stack.function(step)}"
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=int(since.timestamp() * 1000)
    )
    with account.explained(f"the log {group} cannot be read"):
        try:
            for page in pages:
                for event in page["events"]:
                    line = parse(step, event, everything)
                    if line is not None:
                        yield line
        except ClientError as error:
            if account.code(error) != "ResourceNotFoundException":
                raise


def parse(step: str, event: dict[str, Any], everything: bool = False) -> Line | None:
    """One event of CloudWatch Logs as a line; None for what nobody asked for."""
    text = event["message"].rstrip("\n")
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    number = str(event.get("eventId", f"{event['timestamp']}{text}"))
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        if _PLATFORM.match(text) and not everything:
            return None
        return Line(at, step, "PLATFORM" if _PLATFORM.match(text) else "", _said(text), {}, number)
    if "_aws" in told:  # a metric in the embedded format
        if not everything:
            return None
        values = {key: value for key, value in told.items() if key != "_aws"}
        return Line(at, step, "METRIC", "", values, number)
    message = told.get("message", told.get("type", ""))
    fields = {key: value for key, value in told.items() if key not in _KEPT}
    said = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    return Line(at, step, str(told.get("level", "")), _said(said), fields, number)


def _said(text: str) -> str:
    return redacted(plain(text))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _said(text if len(text) <= 300 else text[:300] + " …")
