"""IAM's decision over the policies of a template: explicit deny, else an allow, else refused.

After "Policy evaluation logic" (AWS IAM user guide), for one account: an identity's statements
and the resource's own. A condition operator that is not understood here is an error, so that no
statement is taken for harmless because it could not be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

Context = Mapping[str, str]


class PolicyError(Exception):
    """A policy that cannot be evaluated."""


@dataclass(frozen=True)
class Statement:
    """One statement and where it stands: `TradeRole/Ledger/0`."""

    place: str
    body: Mapping[str, Any]

    @property
    def effect(self) -> str:
        """Allow or Deny."""
        return str(self.body["Effect"])

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions it names, as written."""
        return tuple(listed(self.body.get("Action", self.body.get("NotAction", ()))))

    def speaks_of(self, action: str, resource: str, context: Context) -> bool:
        """Whether the statement applies to such a call."""
        body = self.body
        if "Action" in body:
            named = any(matches(a, action, fold=True) for a in listed(body["Action"]))
        else:
            named = not any(matches(a, action, fold=True) for a in listed(body["NotAction"]))
        if not named:
            return False
        if "Resource" in body:
            meant = any(matches(r, resource) for r in listed(body["Resource"]))
        elif "NotResource" in body:
            meant = not any(matches(r, resource) for r in listed(body["NotResource"]))
        else:  # a trust policy names none: the role itself
            meant = True
        return meant and conditions_hold(body.get("Condition", {}), context)

    def names(self, principal: Mapping[str, str]) -> str | None:
        """How a resource's statement is about this principal, {"AWS": arn} or {"Service": …}.

        `itself`; `account` where it names the account, which leaves the decision to the policies
        of its identities; None: not at all.
        """
        told = self.body.get("Principal")
        if told is None:
            raise PolicyError(f"{self.place}: a resource's statement without a Principal")
        if told == "*":
            return "itself"
        found = {
            "itself" if pattern in ("*", value) else "account"
            for kind, value in principal.items()
            for pattern in listed(told.get(kind, ()))
            if pattern in ("*", value, _root_of(value))
        }
        return max(found, default=None)


@dataclass(frozen=True)
class Decision:
    """What was decided about a call, and by which statement; None: by none at all."""

    allowed: bool
    by: Statement | None


def statements(place: str, document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The statements of a policy document."""
    told = document["Statement"]
    rows = told if isinstance(told, Sequence) else [told]
    return tuple(
        Statement(f"{place}/{row.get('Sid', number)}", row) for number, row in enumerate(rows)
    )


def decide(
    own: Iterable[Statement],
    action: str,
    resource: str,
    context: Context,
    *,
    principal: Mapping[str, str] | None = None,
    of_resource: Iterable[Statement] = (),
) -> Decision:
    """Decide one call of a principal.

    Within one account an allow of either side is enough, but for a KMS key, whose own policy has
    to name the principal or its account.

    Args:
        own: statements of the caller's role.
        action: such as `s3:GetObject`.
        resource: the ARN of what is acted upon, or `*` where the action knows none.
        context: condition keys, lower case, of the call.
        principal: who calls, for the statements of the resource.
        of_resource: statements of the resource's policy (bucket, topic, queue, key, function).
    """
    mine = [row for row in own if row.speaks_of(action, resource, context)]
    theirs = [
        (row, how)
        for row in of_resource
        if (how := row.names(principal or {})) is not None
        and row.speaks_of(action, resource, context)
    ]
    for row in (*mine, *(row for row, _ in theirs)):
        if row.effect == "Deny":
            return Decision(False, row)
    given = next((row for row, how in theirs if how == "itself"), None)
    own_allow = next(iter(mine), None)
    if action.startswith("kms:") and not theirs:
        own_allow = None
    return Decision(bool(own_allow or given), own_allow or given)


# ---------------------------------------------------------------- patterns and conditions


def listed(value: Any) -> list[str]:
    """One or several, as policies write them."""
    return [value] if isinstance(value, str) else list(value)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    escaped = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped, re.DOTALL)


def matches(pattern: str, text: str, *, fold: bool = False) -> bool:
    """Whether `text` fits a pattern with `*` and `?`; actions are compared without case."""
    if fold:
        pattern, text = pattern.lower(), text.lower()
    return _pattern(pattern).fullmatch(text) is not None


def conditions_hold(block: Mapping[str, Any], context: Context) -> bool:
    """Whether every condition of a statement holds."""
    return all(
        _holds(operator, key.lower(), [str(value) for value in _several(values)], context)
        for operator, keys in block.items()
        for key, values in keys.items()
    )


def _several(values: Any) -> list[Any]:
    flat = values if isinstance(values, list) else [values]
    return [str(value).lower() if isinstance(value, bool) else value for value in flat]


def _holds(operator: str, key: str, values: list[str], context: Context) -> bool:
    name = operator
    for_all = name.startswith("ForAllValues:")
    name = name.removeprefix("ForAllValues:").removeprefix("ForAnyValue:")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    given = context.get(key)
    if name == "Null":
        return (given is None) == (values[0].lower() == "true")
    if given is None:
        negated = "Not" in name
        return if_exists or for_all or negated
    compare = _OPERATORS.get(name)
    if compare is None:
        raise PolicyError(f"the condition operator {operator} is not understood here")
    return compare(given, values)


_OPERATORS = {
    "StringEquals": lambda given, values: given in values,
    "StringNotEquals": lambda given, values: given not in values,
    "StringEqualsIgnoreCase": lambda given, values: given.lower() in [v.lower() for v in values],
    "StringLike": lambda given, values: any(matches(v, given) for v in values),
    "StringNotLike": lambda given, values: not any(matches(v, given) for v in values),
    "ArnEquals": lambda given, values: any(matches(v, given) for v in values),
    "ArnLike": lambda given, values: any(matches(v, given) for v in values),
    "ArnNotEquals": lambda given, values: not any(matches(v, given) for v in values),
    "ArnNotLike": lambda given, values: not any(matches(v, given) for v in values),
    "Bool": lambda given, values: given.lower() in [v.lower() for v in values],
    "NumericLessThan": lambda given, values: any(float(given) < float(v) for v in values),
    "NumericLessThanEquals": lambda given, values: any(float(given) <= float(v) for v in values),
    "NumericGreaterThan": lambda given, values: any(float(given) > float(v) for v in values),
}


def _root_of(arn: str) -> str:
    """`arn:aws:iam::123456789012:root` of any principal of that account."""
    parts = arn.split(":")
    return f"arn:aws:iam::{parts[4]}:root" if len(parts) > 5 else arn
