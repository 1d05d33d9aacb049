"""One stack brought to what its template says: settled, planned, executed, followed to its end.

Any deployment may be killed anywhere, repeated, and run beside another one. CloudFormation goes on
without us and changes one stack once at a time; whoever comes next waits for it, then plans anew,
and finds nothing left to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cashtag import resources
from cashtag.errors import CloudError
from cashtag.operate import account, stack
from cashtag.operate.cloud import template as reading
from cashtag.operate.deploying import artifacts, changes, parameters, watching
from cashtag.operate.deploying.changes import Busy, ChangeSet
from cashtag.operate.stack import Stack
from cashtag.ports import Progress
from cashtag.settings import Settings

MAIN, QUICKSIGHT = "cashtag.yaml", "quicksight.yaml"
SIBLING = "-quicksight"
_ROUNDS = 5  # deployments that came in between, before this one gives up
_LEFTOVERS = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}


Following = AbstractContextManager[tuple[watching.Say, Progress]]


@dataclass(frozen=True)
class Target:
    """Which stack is to be brought up to date, by which template, and how one talks meanwhile.

    `tell` gets sentences. `following` is entered with a title while something takes its time, and
    yields what gets each event of a stack, and (done, of, what). `agree` is asked before what cannot
    be undone, with a question, and answers whether to go on.
    """

    settings: Settings
    environment: str
    session: Any
    template: str = MAIN
    suffix: str = ""
    tell: Callable[[str], None] = lambda _: None
    following: Callable[[str], Following] = lambda _: nullcontext((lambda _: None, lambda *_: None))
    agree: Callable[[str], bool] = lambda _: True

    @property
    def name(self) -> str:
        """The stack's name."""
        return stack.stack_name(self.settings, self.environment) + self.suffix

    @property
    def path(self) -> Path:
        """The template's file."""
        return resources.path("cloudformation", self.template)

    def whole(self) -> Mapping[str, Any]:
        """The template as a mapping."""
        return reading.load(self.template)

    def look(self) -> Stack | None:
        """The stack in whatever state it is."""
        return stack.look(self.settings, self.environment, self.session, self.suffix)


def sibling(target: Target) -> Target:
    """The QuickSight stack beside a stack."""
    return replace(target, template=QUICKSIGHT, suffix=SIBLING)


def settled(target: Target) -> Stack | None:
    """The stack in a state that can be changed; None where there is none yet.

    Waits for whatever is at work on it, and clears what a failed creation left behind.

    Raises:
        CloudError: it is in a state that a person must mend, or may not be cleared.
    """
    cleared = False
    while True:
        found = target.look()
        if found is None or found.status == "REVIEW_IN_PROGRESS":
            return found
        if found.status.endswith("_IN_PROGRESS"):
            target.tell(
                f"stack {found.name} is being changed ({found.status}): waiting for its end"
            )
            follow(target)
        elif found.status in _LEFTOVERS:
            if cleared:
                raise CloudError(
                    f"stack {found.name} is in state {found.status} and cannot be cleared"
                    f"{_why(found)}; delete it in the CloudFormation console, then deploy again"
                )
            cleared = _clear(target, found)
        elif found.status == "UPDATE_ROLLBACK_FAILED":
            if cleared:
                raise CloudError(
                    f"stack {found.name} is in state {found.status}{_why(found)}; put right what "
                    f"its events name, or: aws cloudformation continue-update-rollback --stack-name "
                    f"{found.name} --resources-to-skip NAME"
                )
            cleared = _rolled_back(target, found)
        elif found.status == "DELETE_FAILED":
            raise CloudError(
                f"stack {found.name} is in state {found.status}{_why(found)}; finish what was "
                f"begun: `cashtag destroy --env {found.environment}`, then deploy again"
            )
        else:
            return found


def _why(found: Stack) -> str:
    return f" ({found.reason})" if found.reason else ""


def _clear(target: Target, found: Stack) -> bool:
    if not target.agree(
        f"Stack {found.name} never came up ({found.status}{_why(found)}): nothing runs in it, and a "
        "bucket that holds anything is not deleted with it. Delete what is left of it?"
    ):
        raise CloudError(f"stack {found.name} is in state {found.status}; it was left as it is")
    client = account.client(target.session, "cloudformation")
    with account.explained(f"stack {found.name} cannot be deleted"):
        before = watching.newest_start(target.session, found.name)
        client.delete_stack(StackName=found.name)
    follow(target, before)
    return True


def _rolled_back(target: Target, found: Stack) -> bool:
    target.tell(f"stack {found.name} is half taken back{_why(found)}: taking back the rest")
    client = account.client(target.session, "cloudformation")
    with account.explained(f"the update of stack {found.name} cannot be taken back"):
        client.continue_update_rollback(StackName=found.name)
    time.sleep(target.settings.aws.deploy.poll_seconds)  # it begins
    follow(target)
    return True


def follow(target: Target, after: str | None = None, of: int = 0) -> watching.Outcome:
    """Follow the newest change of the target's stack to its end; see `watching.until_done`."""
    with target.following(f"stack {target.name}") as (say, progress):
        return watching.until_done(
            target.settings,
            target.session,
            target.name,
            after=after,
            of=of,
            say=say,
            progress=progress,
        )


def shared(target: Target, found: Stack | None) -> dict[str, str]:
    """What the sibling is told of the stack it stands beside, by the names of its parameters.

    Raises:
        CloudError: AWS refuses or does not answer.
    """
    known = {"Stack": target.name}
    if found is not None:
        known |= {**found.outputs, "KeyArn": _key_arn(target, found)}
    return {name: known[name] for name in sibling(target).whole()["Parameters"] if name in known}


def _key_arn(target: Target, found: Stack) -> str:
    key = found.parameters.get("KmsKey", "")
    if key != "create":
        return key
    client = account.client(target.session, "cloudformation")
    with account.explained(f"the key of stack {found.name} cannot be looked at"):
        told = client.describe_stack_resource(StackName=found.name, LogicalResourceId="Key")
    number = told["StackResourceDetail"]["PhysicalResourceId"]
    partition = told["StackResourceDetail"]["StackId"].split(":")[1]
    return f"arn:{partition}:kms:{found.region}:{found.account}:key/{number}"


# ---------------------------------------------------------------- plan and execute


def defaults_of(session: Any, found: Stack) -> dict[str, str]:
    """Defaults of the parameters of the template that a stack was made from.

    Raises:
        CloudError: AWS refuses or does not answer.
    """
    client = account.client(session, "cloudformation")
    with account.explained(f"the template of stack {found.name} cannot be looked at"):
        told = client.get_template_summary(StackName=found.name).get("Parameters", [])
    return {one["ParameterKey"]: one.get("DefaultValue", "") for one in told}


def choices(target: Target, chosen: Mapping[str, str], found: Stack | None) -> parameters.Choices:
    """What the stack's parameters will be: what is chosen now, then what was chosen before.

    Raises:
        InputError: a parameter has neither a value nor a default.
        CloudError: AWS refuses or does not answer.
    """
    exists = found is not None and found.status != "REVIEW_IN_PROGRESS"
    if found is None or not exists:
        return parameters.choices(target.whole(), chosen)
    defaults = defaults_of(target.session, found)
    return parameters.choices(target.whole(), chosen, found.parameters, defaults)


@dataclass(frozen=True)
class Done:
    """What became of a stack: `status` after, and whether it was made new or left as it was."""

    stack: Stack
    created: bool
    changed: bool


def bring_up(
    target: Target,
    bucket: str,
    chosen: Mapping[str, str],
    show: Callable[[ChangeSet], bool],
) -> Done | None:
    """Change the stack into what its template says; None where `show` said no.

    Args:
        target: which stack.
        bucket: of the artefacts, for the template.
        chosen: values of parameters.
        show: gets the change set before it is executed, and answers whether to.

    Raises:
        CloudError: it failed, with the first failure's reason; it is taken back then.
    """
    address = artifacts.put_template(target.session, bucket, target.path)
    for _ in range(_ROUNDS):
        found = settled(target)
        creates = found is None or found.status == "REVIEW_IN_PROGRESS"
        try:
            planned = changes.make(
                target.session,
                target.name,
                address,
                choices(target, chosen, found),
                {"app": "cashtag", "cashtag-stack": target.name},
                creates=creates,
                poll_seconds=min(1.0, target.settings.aws.deploy.poll_seconds),
            )
            if planned is None:
                if found is None:
                    continue  # somebody else has made it in between
                return Done(found, created=False, changed=False)
            if not show(planned):
                changes.drop(target.session, planned)
                return None
            before = watching.newest_start(target.session, target.name)
            changes.execute(target.session, planned)
        except Busy as busy:
            target.tell(f"{busy}: waiting, then planning anew")
            time.sleep(target.settings.aws.deploy.poll_seconds)
            continue
        outcome = follow(target, before, len(planned.changes))
        if not outcome.good:
            raise CloudError(_failed(target, outcome, creates))
        now = target.look()
        if now is None:
            raise CloudError(f"stack {target.name} was deleted by somebody else meanwhile")
        return Done(now, created=creates, changed=True)
    raise CloudError(f"stack {target.name} is changed by others again and again; deploy later")


def _failed(target: Target, outcome: watching.Outcome, creates: bool) -> str:
    why = outcome.failure or "CloudFormation names no resource; see its events in the console"
    after = (
        "the next `cashtag deploy` clears what is left"
        if creates
        else "what ran before runs on"
        if outcome.status == "UPDATE_ROLLBACK_COMPLETE"
        else "the next `cashtag deploy` takes back the rest"
    )
    return f"stack {target.name} ends in state {outcome.status}: {why}; {after}"
