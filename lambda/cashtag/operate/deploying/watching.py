"""Following a stack while CloudFormation changes it: each event as it comes, the first failure's reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cashtag.errors import CloudError
from cashtag.operate import account
from cashtag.ports import Progress
from cashtag.settings import Settings

_STARTS = {
    "CREATE_IN_PROGRESS",
    "UPDATE_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
}
_STACK = "AWS::CloudFormation::Stack"
# What happens to the others once one has failed; never the reason.
_AFTERWARDS = ("cancelled", "canceled", "The following resource(s) failed")
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a resource of the stack; `at` is UTC."""

    id: str
    at: datetime
    resource: str
    kind: str
    status: str
    reason: str

    def line(self) -> str:
        """As a line of a log."""
        why = f"  {self.reason}" if self.status.endswith("FAILED") and self.reason else ""
        return f"{self.at:%H:%M:%S}  {self.status:<28}{self.kind}  {self.resource}{why}"


Say = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `failure` names the first resource that failed, and why; empty where none did."""

    status: str
    failure: str = ""

    @property
    def good(self) -> bool:
        """Whether the change was made, not taken back."""
        return self.status in GOOD


def newest_start(session: Any, stack: str) -> str | None:
    """Id of the event that began the newest change of a stack; None for one that never changed.

    Raises:
        CloudError: AWS refuses or does not answer.
    """
    found = _operation(account.client(session, "cloudformation"), stack)
    return found[0].id if found else None


def until_done(
    settings: Settings,
    session: Any,
    stack: str,
    *,
    after: str | None = None,
    of: int = 0,
    say: Say = lambda _: None,
    progress: Progress = lambda *_: None,
) -> Outcome:
    """Follow the newest change of a stack to its end.

    Args:
        settings: `aws.deploy` says how often to look, and for how long.
        session: of the account.
        stack: its name or, to see a deletion's end, its id.
        after: `newest_start` of before, where the change was just begun and may not show yet.
        of: how many resources it touches.
        say: called with each event, oldest first.
        progress: called with (done, of, what).

    Raises:
        CloudError: it takes longer than `aws.deploy.minutes`, or AWS does not answer.
    """
    client = account.client(session, "cloudformation")
    deadline = time.monotonic() + settings.aws.deploy.minutes * 60
    seen: set[str] = set()
    finished: set[str] = set()
    while True:
        status = _status(client, stack)  # before the events: they are whole once it has ended
        events = _operation(client, stack)
        begun = bool(events) and events[0].id != after
        for event in events if begun else ():
            if event.id in seen:
                continue
            seen.add(event.id)
            say(event)
            if event.status.endswith("_COMPLETE") and event.kind != _STACK:
                finished.add(event.resource)
            progress(len(finished), max(of, len(finished)), f"{event.resource} {event.status}")
        ended = begun and not status.endswith("_IN_PROGRESS")
        if ended or status == "DELETE_COMPLETE":
            return Outcome(status, _failure(events))
        if time.monotonic() > deadline:
            raise CloudError(
                f"stack {stack} is in state {status} after {settings.aws.deploy.minutes:g} minutes "
                "(aws.deploy.minutes); it goes on without us: run the same command again to follow"
            )
        time.sleep(settings.aws.deploy.poll_seconds)


def _status(client: Any, stack: str) -> str:
    from botocore.exceptions import ClientError

    with account.explained(f"stack {stack} cannot be looked at"):
        try:
            return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        except ClientError as error:
            if account.code(error) == "ValidationError" and "does not exist" in str(error):
                return "DELETE_COMPLETE"
            raise


def _operation(client: Any, stack: str) -> list[Event]:
    """Events of the newest change, oldest first; the first is the one that began it."""
    from botocore.exceptions import ClientError

    found: list[Event] = []
    with account.explained(f"what happens to stack {stack} cannot be looked at"):
        try:
            for event in _events(client, stack):
                found.append(event)
                if event.kind == _STACK and event.status in _STARTS:
                    return found[::-1]
        except ClientError as error:
            if account.code(error) != "ValidationError":
                raise
    return []


def _events(client: Any, stack: str) -> Iterator[Event]:
    """All events, the newest first."""
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack):
        for told in page["StackEvents"]:
            yield Event(
                id=told["EventId"],
                at=told["Timestamp"],
                resource=told["LogicalResourceId"],
                kind=told["ResourceType"],
                status=told["ResourceStatus"],
                reason=told.get("ResourceStatusReason", ""),
            )


def _failure(events: list[Event]) -> str:
    for event in events:
        if not event.status.endswith("FAILED"):
            continue
        if not any(word in event.reason for word in _AFTERWARDS):
            return f"{event.resource} ({event.kind}): {event.reason or event.status}"
    return ""
