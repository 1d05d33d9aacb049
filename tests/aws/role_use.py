"""Which parts of a role's statements the recorded calls needed: an action on a resource, each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from aws_gateway import Used
from permissions import Permissions
from policies import Statement, listed, matches


@dataclass(frozen=True)
class Grant:
    """One action on one resource that a statement allows."""

    place: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.place} {self.action} {self.resource}"


def grants(permissions: Permissions, role: str) -> Iterator[tuple[Grant, Statement]]:
    """Every action and resource of a role's Allow statements, with a statement of just that."""
    for row in permissions.roles[role]:
        if row.effect != "Allow":
            continue
        for action in row.actions:
            for resource in listed(row.body["Resource"]):
                alone = replace(row, body={**row.body, "Action": action, "Resource": resource})
                yield Grant(row.place, action, resource), alone


def unused(permissions: Permissions, role: str, used: Iterable[Used]) -> list[Grant]:
    """Grants of a role that no recorded call needed."""
    mine = [one for one in used if one.role == role]
    return [
        grant
        for grant, alone in grants(permissions, role)
        if not any(
            alone.speaks_of(
                one.call.action, one.call.resource, permissions.context(role, one.call, one.via)
            )
            for one in mine
            if matches(grant.action, one.call.action, fold=True)
        )
    ]
