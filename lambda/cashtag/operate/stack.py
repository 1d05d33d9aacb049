"""A deployed stack: finding it, what it gave out, and the settings that follow from that.

`find(settings).settings(settings)` is what a laptop needs to look at the cloud's lake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cashtag.errors import CloudError, InputError, StackMissing
from cashtag.operate import account
from cashtag.settings import Settings

ENVIRONMENTS = ("dev", "staging", "prod")

# Which output of the stack fills which setting of [aws].
_SETTINGS = {
    "raw": "RawBucket",
    "enriched": "EnrichedBucket",
    "signals": "SignalsBucket",
    "ledger": "LedgerBucket",
    "results": "ResultsBucket",
    "database": "Database",
    "workgroup": "Workgroup",
    "topic": "Topic",
    "parameter": "Parameter",
    "event_bus": "EventBus",
}
# A stack in one of these never worked, or works no more; everything else has what it gave out.
BROKEN = {
    "CREATE_FAILED": "its creation failed",
    "ROLLBACK_IN_PROGRESS": "its creation failed and is being taken back",
    "ROLLBACK_COMPLETE": "its creation failed and was taken back",
    "ROLLBACK_FAILED": "its creation failed, and so did taking it back",
    "DELETE_FAILED": "its deletion failed half-way",
    "UPDATE_ROLLBACK_FAILED": "an update failed, and so did taking it back",
}
_UNFINISHED = {
    "REVIEW_IN_PROGRESS": "nothing but a plan of it exists",
    "CREATE_IN_PROGRESS": "it is being created",
}
_FINISHES = {"DELETE_IN_PROGRESS": "it is being deleted"}


@dataclass(frozen=True)
class Stack:
    """One stack as CloudFormation describes it; `account` is its 12 digits."""

    name: str
    environment: str
    region: str
    account: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    """Why it is in that state, where CloudFormation says so."""

    def output(self, name: str) -> str:
        """One of its outputs.

        Raises:
            CloudError: it has none of that name.
        """
        try:
            return self.outputs[name]
        except KeyError:
            raise CloudError(
                f"stack {self.name} has no output {name}: it was deployed by another version; "
                f"{_deploy(self.environment)}"
            ) from None

    def function(self, step: str) -> str:
        """The name of a step's function.

        Raises:
            CloudError: it has none of that step.
        """
        return self.output(f"{step.capitalize()}Function")

    def settings(self, settings: Settings) -> Settings:
        """`settings` with `environment`, `[aws]` and the endpoint's name as the stack has them.

        Raises:
            CloudError: an output that it should have is missing.
        """
        found = {key: self.output(name) for key, name in _SETTINGS.items()}
        whole = settings.model_dump()
        whole["environment"] = self.environment
        whole["aws"] |= {**found, "region": self.region}
        if endpoint := self.outputs.get("EndpointName"):
            whole["models"]["sagemaker"]["name"] = endpoint
        return Settings.model_validate(whole)


def environment(settings: Settings, env: str | None = None) -> str:
    """The environment that `--env` names, else the settings'.

    Raises:
        InputError: there is none of that name.
    """
    chosen = env or settings.environment
    if chosen not in ENVIRONMENTS:
        raise InputError(f"--env {chosen!r} is none of: {', '.join(ENVIRONMENTS)}")
    return chosen


def stack_name(settings: Settings, env: str | None = None) -> str:
    """The name of an environment's stack, as in `cashtag-dev`."""
    return f"{settings.aws.stack}-{environment(settings, env)}"


def find(settings: Settings, env: str | None = None, session: Any = None) -> Stack:
    """The environment's stack, in a state that can be worked with.

    Args:
        settings: `aws.stack` and `aws.region` say where it is.
        env: dev, staging or prod; by default the settings' environment.
        session: a boto3 session; by default one of the usual credentials.

    Raises:
        StackMissing: nothing is deployed there.
        CloudError: no credentials, no region, AWS refuses, or the stack is in a broken state.
        InputError: no environment has that name.
    """
    chosen = environment(settings, env)
    session = session or account.session(settings)
    found = look(settings, chosen, session)
    if found is None:
        raise StackMissing(
            f"stack {stack_name(settings, chosen)} is not deployed in {session.region_name}; "
            f"{_deploy(chosen)}, or choose another region (aws.region, AWS_DEFAULT_REGION) or --env"
        )
    why = f" ({found.reason})" if found.reason else ""
    if found.status in BROKEN:
        raise CloudError(
            f"stack {found.name} is in state {found.status}: {BROKEN[found.status]}{why}; "
            f"{_deploy(chosen)} puts it right, or says what to do"
        )
    if found.status in _UNFINISHED:
        raise CloudError(
            f"stack {found.name} is in state {found.status}: {_UNFINISHED[found.status]}; "
            f"{_deploy(chosen)} finishes it, or wait for the one at work"
        )
    if found.status in _FINISHES:
        raise StackMissing(
            f"stack {found.name} is in state {found.status}: {_FINISHES[found.status]}; wait, then "
            f"{_deploy(chosen)}"
        )
    return found


def look(settings: Settings, env: str, session: Any, suffix: str = "") -> Stack | None:
    """The environment's stack in whatever state it is; None where there is none.

    `suffix` names a sibling, as in `-quicksight`.

    Raises:
        CloudError: AWS refuses or does not answer.
    """
    from botocore.exceptions import ClientError

    name = stack_name(settings, env) + suffix
    client = account.client(session, "cloudformation")
    with account.explained(f"stack {name} cannot be looked at"):
        try:
            answer = client.describe_stacks(StackName=name)
        except ClientError as error:
            if account.code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
    told = answer["Stacks"][0]
    if told["StackStatus"] == "DELETE_COMPLETE":
        return None
    return Stack(
        name=name,
        environment=env,
        region=session.region_name,
        account=told["StackId"].split(":")[4],
        status=told["StackStatus"],
        outputs=_pairs(told.get("Outputs", ()), "Output"),
        parameters=_pairs(told.get("Parameters", ()), "Parameter"),
        reason=told.get("StackStatusReason", ""),
    )


def _pairs(items: Any, kind: str) -> dict[str, str]:
    return {item[f"{kind}Key"]: item.get(f"{kind}Value", "") for item in items}


def _deploy(env: str) -> str:
    return f"`cashtag deploy --env {env}`"
