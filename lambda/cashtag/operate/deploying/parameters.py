"""Parameters of a template: what a person gives, what an earlier deployment chose, what is left.

A choice stays until another is made: `cashtag deploy --parameter AlertEmail=…` once is enough. What
nobody chose follows the template's default, also when that changes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cashtag.errors import InputError

Choices = dict[str, str | None]  # None: what the stack has now


def given(texts: Sequence[str]) -> dict[str, str]:
    """Read `Name=Value` texts.

    Raises:
        InputError: one has no `=`, or two disagree.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(
                f"--parameter {text!r} is no choice; write it as AlertEmail=me@example.com"
            )
        if found.setdefault(name, value) != value:
            raise InputError(f"--parameter {name} is given twice, with two values; give it once")
    return found


def check(templates: Sequence[Mapping[str, Any]], chosen: Mapping[str, str]) -> None:
    """Refuse by name what no template takes.

    Raises:
        InputError: no template has a parameter of that name, or its value does not fit.
    """
    declared: dict[str, Mapping[str, Any]] = {}
    for template in templates:
        declared |= template.get("Parameters", {})
    for name, value in chosen.items():
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"--parameter {name} is none of the template's{hint}")
        if (problem := _problem(declared[name], value)) is not None:
            shown = "***" if declared[name].get("NoEcho") else repr(value)
            raise InputError(f"--parameter {name}={shown} is refused: {problem}")


def _problem(rule: Mapping[str, Any], value: str) -> str | None:
    allowed = rule.get("AllowedValues")
    if allowed is not None and value not in [_text(one) for one in allowed]:
        return f"allowed are {', '.join(_text(one) for one in allowed)}"
    pattern = rule.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, value):
        return f"must match {pattern}"
    if rule.get("Type") != "Number":
        return None
    try:
        number = float(value)
    except ValueError:
        return "it is no number"
    least, most = rule.get("MinValue"), rule.get("MaxValue")
    if least is not None and number < float(least):
        return f"must be at least {least}"
    if most is not None and number > float(most):
        return f"must be at most {most}"
    return None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def choices(
    template: Mapping[str, Any],
    chosen: Mapping[str, str],
    deployed: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> Choices:
    """What a change set is told of each parameter; those left out take the template's default.

    Args:
        template: the one to be deployed.
        chosen: values given now; names of other templates are passed over.
        deployed: values that the stack has; hidden ones as `****`.
        defaults: what its own template had as their defaults.

    Raises:
        InputError: a parameter has neither a value nor a default.
    """
    found: Choices = {}
    for name, rule in template.get("Parameters", {}).items():
        if name in chosen:
            found[name] = chosen[name]
        elif deployed is not None and name in deployed:
            if rule.get("NoEcho") or deployed[name] != (defaults or {}).get(name):
                found[name] = None
        elif "Default" not in rule:
            raise InputError(
                f"parameter {name} has no default ({rule.get('Description', 'no description')}); "
                f"give --parameter {name}=…"
            )
    return found


def values(
    template: Mapping[str, Any], told: Choices, deployed: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What each parameter will be, for looking at what the template makes of it."""
    found = {}
    for name, rule in template.get("Parameters", {}).items():
        choice = told.get(name, _text(rule.get("Default", "")))
        found[name] = (deployed or {}).get(name, "") if choice is None else choice
    return found
