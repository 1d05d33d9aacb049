"""Failures that wait in the stack's dead letter queues, and how they are tried again.

A queue holds what an asynchronous call was given when it failed for the last time: the record of
Lambda's on-failure destination, or the input of a schedule that could not be delivered. It is
handed to the function again, asynchronously, and only then removed: a call that dies in between
leaves it there, and a step that runs twice ends the same. What fails again comes back.

An order is never late: `execute` and `manage` of an earlier day are not repeated, only removed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cashtag.operate import account
from cashtag.operate.cloud import STEPS
from cashtag.operate.stack import Stack
from cashtag.ports import Progress

_AT_ONCE = 10  # the most that SQS hands out
_HIDDEN_SECONDS = 120  # from others, while a message is being handed on
_TIMELY = ("execute", "manage")  # actions of the desk that belong to their own session
_NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Failure:
    """One message: the step it failed in, what it asked for, why it failed, and what became of it."""

    step: str
    asked: str
    reason: str
    attempts: int | None
    outcome: str

    def row(self) -> dict[str, Any]:
        """The failure as a row to print."""
        return asdict(self)


ALERT = "alert"  # what a rule could not announce: there is nothing to hand on
QUEUES = (*STEPS, ALERT)


def queue(stack: Stack, step: str) -> str:
    """Name of the queue that a step's failures, or alerts, wait in."""
    return f"{stack.name}-{step}-failures"


def depths(stack: Stack, session: Any) -> dict[str, int]:
    """How many failures wait, by step (about: SQS counts so).

    Raises:
        CloudError: SQS refuses or does not answer, or has no such queue.
    """
    client = account.client(session, "sqs")
    counts = {}
    for step in QUEUES:
        with account.explained(f"queue {queue(stack, step)} cannot be read"):
            url = client.get_queue_url(QueueName=queue(stack, step))["QueueUrl"]
            told = client.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        counts[step] = int(told["Attributes"]["ApproximateNumberOfMessages"])
    return counts


def redrive(
    stack: Stack,
    session: Any,
    chosen: Sequence[str],
    now: datetime,
    *,
    look_only: bool = False,
    progress: Progress | None = None,
) -> Iterator[Failure]:
    """Hand the failures of these steps to their functions again; yield what became of each.

    With `look_only` nothing is handed on or removed; the messages are hidden from others for no
    time at all. What arrives while this is at work is left for the next call.

    Raises:
        CloudError: SQS or Lambda refuses; what was handed on until then is removed.
    """
    waiting = depths(stack, session)
    total, done = sum(waiting[step] for step in chosen), 0
    client = account.client(session, "sqs")
    functions = account.client(session, "lambda")
    for step in chosen:
        name = stack.function(step)
        for url, message in _messages(client, stack, step, look_only):
            asked, told = payload(message)
            outcome, finished = "waits", False
            if not look_only:
                outcome, finished = _hand_on(functions, name, asked, now)
            if finished:
                with account.explained(f"queue {queue(stack, step)} cannot be emptied"):
                    client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            done += 1
            if progress is not None:
                progress(done, max(total, done), step)
            yield Failure(step, summary(asked), told["reason"], told["attempts"], outcome)


def _hand_on(
    functions: Any, name: str, asked: dict[str, Any] | None, now: datetime
) -> tuple[str, bool]:
    """Call the function with what it was asked; what came of it, and whether it is done with."""
    if asked is None:
        return "no event of ours: left there", False
    if late := _late(asked, now):
        return f"removed: {late}", True
    with account.explained(f"function {name} cannot be called"):
        functions.invoke(
            FunctionName=name, InvocationType="Event", Payload=json.dumps(asked).encode()
        )
    return "handed on", True


def _messages(
    client: Any, stack: Stack, step: str, look_only: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each message that was there when the call began, once."""
    seen: set[str] = set()
    began = time.time() * 1000  # SQS counts milliseconds; what failed again meanwhile is newer
    with account.explained(f"queue {queue(stack, step)} cannot be read"):
        url = client.get_queue_url(QueueName=queue(stack, step))["QueueUrl"]
    while True:
        with account.explained(f"queue {queue(stack, step)} cannot be read"):
            got = client.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=_AT_ONCE,
                VisibilityTimeout=_HIDDEN_SECONDS,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            fresh = [m for m in got if m["MessageId"] not in seen and _sent(m) <= began]
            for message in got if look_only else ():
                client.change_message_visibility(
                    QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )
        if not fresh:
            return
        for message in fresh:
            seen.add(message["MessageId"])
            yield url, message


def _sent(message: dict[str, Any]) -> float:
    return float(message.get("Attributes", {}).get("SentTimestamp", 0))


def payload(message: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """What the function was given, and `reason` and `attempts` as far as the message tells.

    A record of Lambda's has it as `requestPayload`; of a schedule the body is the input itself.
    """
    attributes = message.get("MessageAttributes", {})
    code = attributes.get("ERROR_CODE", attributes.get("ErrorCode", {})).get("StringValue")
    told: dict[str, Any] = {"reason": code or "not told", "attempts": None}
    try:
        body = json.loads(message["Body"])
    except ValueError:
        return None, told
    if not isinstance(body, dict):
        return None, told
    if "requestPayload" not in body:
        return body, told
    context = body.get("requestContext") or {}
    answer = body.get("responsePayload") or {}
    reason = answer.get("errorMessage") if isinstance(answer, dict) else None
    told["reason"] = str(reason or context.get("condition") or "not told")
    told["attempts"] = context.get("approximateInvokeCount")
    asked = body["requestPayload"]
    return (asked if isinstance(asked, dict) else None), told


def summary(asked: dict[str, Any] | None) -> str:
    """What an event asks for, in few words: keys of objects, or an action and its day."""
    if asked is None:
        return "unreadable"
    records = asked.get("Records")
    if isinstance(records, list):
        keys = [str(((r.get("s3") or {}).get("object") or {}).get("key", "?")) for r in records]
        return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    day = asked.get("dt") or asked.get("session") or asked.get("scheduled") or ""
    return f"{asked.get('action', 'event')} {day}".strip()


def _late(asked: dict[str, Any], now: datetime) -> str | None:
    """Why an event must not be repeated now; None when it may be."""
    action = asked.get("action")
    if action not in _TIMELY:
        return None
    day = _session(asked)
    today = now.astimezone(_NEW_YORK).date()
    if day == today:
        return None
    return f"{action} of {day or 'no known session'} is late, and orders are never late"


def _session(asked: dict[str, Any]) -> date | None:
    try:
        if asked.get("session"):
            return date.fromisoformat(str(asked["session"]))
        at = datetime.fromisoformat(str(asked.get("scheduled", "")))
    except ValueError:
        return None
    return at.astimezone(_NEW_YORK).date() if at.tzinfo else None
