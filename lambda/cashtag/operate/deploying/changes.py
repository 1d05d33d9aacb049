"""Change sets: what a deployment would do, as rows for a person, before any of it is done."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cashtag.errors import CloudError
from cashtag.operate import account
from cashtag.operate.deploying.parameters import Choices

# What holds something that the next deployment cannot make again.
STATEFUL = {
    "AWS::S3::Bucket": "objects",
    "AWS::KMS::Key": "what it encrypted",
    "AWS::SecretsManager::Secret": "a secret",
    "AWS::SSM::Parameter": "settings",
    "AWS::SNS::Topic": "subscriptions",
    "AWS::SQS::Queue": "failed events",
    "AWS::Events::Archive": "events",
}
# Nothing brings these back: a plan that replaces or removes one is executed only on demand.
PROTECTED = ("RawBucket", "LedgerBucket", "Key")

_EMPTY = ("didn't contain changes", "No updates are to be performed")
_GONE = {"ChangeSetNotFound", "ChangeSetNotFoundException"}
_TAKEN = {"InvalidChangeSetStatus", "InvalidChangeSetStatusException", *_GONE}
_THERE = {"AlreadyExistsException", "AlreadyExists"}
_BUSY = "_IN_PROGRESS state and can not be"  # in the message of a ValidationError


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that a change set touches. `replacement` is no, maybe or yes."""

    action: str
    resource: str
    kind: str
    replacement: str
    policy: str = ""

    @property
    def loses(self) -> str:
        """What it takes away from a resource that holds something; empty where it takes nothing."""
        held = STATEFUL.get(self.kind)
        goes = self.action == "Remove" or self.replacement != "no"
        if held is None or not goes:
            return ""
        if self.policy.endswith("Retain"):
            return f"leaves the old one, with {held}, outside of the stack"
        return f"LOSES {held}"

    @property
    def protected(self) -> bool:
        """Whether it takes from the stack what nothing brings back."""
        return bool(self.loses) and self.resource in PROTECTED

    def row(self) -> dict[str, Any]:
        """As a row to print."""
        return {
            "action": self.action,
            "resource": self.resource,
            "type": self.kind.removeprefix("AWS::"),
            "replacement": self.replacement,
            "mind": self.loses,
        }


@dataclass(frozen=True)
class ChangeSet:
    """A change set that can be executed; `changes` are sorted, what loses something first."""

    id: str
    stack: str
    creates: bool
    changes: tuple[Change, ...]

    @property
    def protected(self) -> tuple[str, ...]:
        """Resources that it would take, and that nothing brings back."""
        return tuple(change.resource for change in self.changes if change.protected)


class Busy(CloudError):
    """Another deployment is at work on the stack, or has just been: look at it again."""


def make(
    session: Any,
    stack: str,
    address: str,
    told: Choices,
    tags: Mapping[str, str],
    *,
    creates: bool,
    poll_seconds: float,
) -> ChangeSet | None:
    """Make a change set, or find the same one; None where nothing would change.

    Args:
        session: of the account.
        stack: its name.
        address: of the template, in S3.
        told: parameters, None for what the stack has.
        tags: of the stack and all that it makes.
        creates: whether nothing was ever created under that name.
        poll_seconds: between two looks.

    Raises:
        Busy: another deployment is at work.
        CloudError: CloudFormation refuses it, with its reason.
    """
    from botocore.exceptions import ClientError

    client = account.client(session, "cloudformation")
    parameters = [
        {"ParameterKey": name, "UsePreviousValue": True}
        if value is None
        else {"ParameterKey": name, "ParameterValue": value}
        for name, value in sorted(told.items())
    ]
    wanted = json.dumps([address, parameters, creates], sort_keys=True)
    name = f"cashtag-{hashlib.sha256(wanted.encode()).hexdigest()[:16]}"
    request = {
        "StackName": stack,
        "ChangeSetName": name,
        "ChangeSetType": "CREATE" if creates else "UPDATE",
        "TemplateURL": address,
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
        # A stack that was taken down left its buckets of raw data and the ledger behind.
        "ImportExistingResources": True,
    }
    with account.explained(f"the change of stack {stack} is refused"):
        for last in (False, True):
            try:
                number = client.create_change_set(**request)["Id"]
            except ClientError as error:
                text = str(error)
                if _BUSY in text:
                    raise Busy(f"stack {stack} is being changed by somebody else") from None
                if any(words in text for words in _EMPTY):
                    return None
                if account.code(error) not in _THERE:
                    raise
                number = name
            found = _described(client, stack, number, poll_seconds)
            state, reason = found["Status"], found.get("StatusReason", "")
            if state == "FAILED" and any(words in reason for words in _EMPTY):
                client.delete_change_set(StackName=stack, ChangeSetName=number)
                return None
            if state == "CREATE_COMPLETE" and found.get("ExecutionStatus") == "AVAILABLE":
                return ChangeSet(found["ChangeSetId"], stack, creates, _rows(found["Changes"]))
            # One that failed, or that an execution in between made useless, stands in the way.
            if last:
                break
            client.delete_change_set(StackName=stack, ChangeSetName=number)
            if state == "FAILED":
                raise CloudError(f"the change of stack {stack} is refused: {reason}")
    raise Busy(f"stack {stack} was changed by somebody else meanwhile")


def _described(client: Any, stack: str, number: str, poll_seconds: float) -> dict[str, Any]:
    """The change set when it is ready, with the changes of all pages."""
    while True:
        pages = client.get_paginator("describe_change_set").paginate(
            StackName=stack, ChangeSetName=number
        )
        whole: dict[str, Any] = {}
        rows: list[Any] = []
        for page in pages:
            whole = whole or page
            rows += page.get("Changes", [])
        if whole["Status"] not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
            return {**whole, "Changes": rows}
        time.sleep(poll_seconds)


def _rows(changes: Sequence[Mapping[str, Any]]) -> tuple[Change, ...]:
    words = {"True": "yes", "Conditional": "maybe"}
    found = []
    for item in changes:
        told = item.get("ResourceChange", {})
        found.append(
            Change(
                action=str(told.get("Action", "Add")).capitalize(),
                resource=told["LogicalResourceId"],
                kind=told["ResourceType"],
                replacement=words.get(str(told.get("Replacement")), "no"),
                policy=str(told.get("PolicyAction", "")),
            )
        )
    return tuple(
        sorted(found, key=lambda one: (not one.protected, not one.loses, one.action, one.resource))
    )


def execute(session: Any, changes: ChangeSet) -> None:
    """Start it.

    Raises:
        Busy: somebody else's was executed first.
        CloudError: CloudFormation refuses.
    """
    from botocore.exceptions import ClientError

    client = account.client(session, "cloudformation")
    with account.explained(f"the change of stack {changes.stack} cannot be executed"):
        try:
            client.execute_change_set(StackName=changes.stack, ChangeSetName=changes.id)
        except ClientError as error:
            if account.code(error) in _TAKEN or _BUSY in str(error):
                raise Busy(f"stack {changes.stack} is being changed by somebody else") from None
            raise


def drop(session: Any, changes: ChangeSet) -> None:
    """Remove a change set that is not to be executed, and the empty stack that it alone made."""
    from botocore.exceptions import ClientError

    client = account.client(session, "cloudformation")
    with account.explained(f"the change set of {changes.stack} cannot be removed"):
        try:
            client.delete_change_set(StackName=changes.stack, ChangeSetName=changes.id)
            others = client.list_change_sets(StackName=changes.stack)["Summaries"]
            status = client.describe_stacks(StackName=changes.stack)["Stacks"][0]["StackStatus"]
            if changes.creates and not others and status == "REVIEW_IN_PROGRESS":
                client.delete_stack(StackName=changes.stack)
        except ClientError as error:
            if account.code(error) not in _GONE:
                raise
