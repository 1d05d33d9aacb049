"""Event patterns of EventBridge rules ("Creating Amazon EventBridge event patterns", user guide)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class PatternError(ValueError):
    """A pattern with a filter that is not understood here."""


def fits(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether an event fits: every field of the pattern, nested as in the event."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(fits(one, event) for one in wanted):
                return False
        elif isinstance(wanted, Mapping):
            inner = event.get(key)
            if not isinstance(inner, Mapping) or not fits(wanted, inner):
                return False
        elif not _one_of(wanted, key in event, event.get(key)):
            return False
    return True


def _one_of(wanted: list[Any], there: bool, value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_fits(one, there, single) for one in wanted for single in values)


def _fits(wanted: Any, there: bool, value: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return there and value == wanted
    (name, argument), *_ = wanted.items()
    match name:
        case "exists":
            return there is argument
        case "prefix":
            return isinstance(value, str) and value.startswith(argument)
        case "suffix":
            return isinstance(value, str) and value.endswith(argument)
        case "equals-ignore-case":
            return isinstance(value, str) and value.lower() == argument.lower()
        case "anything-but":
            if isinstance(argument, Mapping):
                return there and not _fits(argument, there, value)
            refused = argument if isinstance(argument, list) else [argument]
            return there and value not in refused
        case "numeric":
            return isinstance(value, int | float) and _numeric(argument, value)
        case "wildcard":
            from policies import matches

            return isinstance(value, str) and matches(argument, value)
    raise PatternError(f"the filter {name} is not understood here")


def _numeric(argument: list[Any], value: float) -> bool:
    compare = {
        "=": lambda limit: value == limit,
        "<": lambda limit: value < limit,
        "<=": lambda limit: value <= limit,
        ">": lambda limit: value > limit,
        ">=": lambda limit: value >= limit,
    }
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(compare[sign](limit) for sign, limit in pairs)
