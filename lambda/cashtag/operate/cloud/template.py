"""The stack's template as data: its resources, parameters and conditions, without an account.

Only what counting and checking need is worked out: which resources there are under which
parameters. CloudFormation itself resolves the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from cashtag import resources
from cashtag.errors import ContractError

NAME = "cashtag.yaml"


@cache
def load(name: str = NAME) -> Mapping[str, Any]:
    """Return the template as a mapping; `!Ref x` is `{"Ref": "x"}`, `!Sub x` is `{"Fn::Sub": "x"}`.

    Raises:
        InputError: the installation has no templates.
        ContractError: it is no template.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML with CloudFormation's short forms."""

    def short(loader: Any, tag: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
            if tag == "GetAtt":
                value = value.split(".", 1)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}

    Loader.add_multi_constructor("!", short)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda node, n: n.value)
    text = resources.path("cloudformation", name).read_text(encoding="utf-8")
    whole = yaml.load(text, Loader)  # noqa: S506  a SafeLoader
    if not isinstance(whole, dict) or "Resources" not in whole:
        raise ContractError(f"cloudformation/{name} is no template: it has no Resources")
    return whole


def parameters(whole: Mapping[str, Any], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Values of the template's parameters: the defaults, under what is given."""
    known = {
        name: str(told.get("Default", "")) for name, told in whole.get("Parameters", {}).items()
    }
    return known | {name: value for name, value in (given or {}).items() if name in known}


def active(
    whole: Mapping[str, Any], given: Mapping[str, str] | None = None
) -> dict[str, Mapping[str, Any]]:
    """The resources that these parameters make, by logical id."""
    values = parameters(whole, given)
    return {
        name: told
        for name, told in whole["Resources"].items()
        if "Condition" not in told or _holds(whole, {"Condition": told["Condition"]}, values)
    }


def resolved(whole: Mapping[str, Any], of: Any, given: Mapping[str, str] | None = None) -> Any:
    """A property with its `If`s decided and parameters put in; other functions as they stand.

    What is left out (`AWS::NoValue`) is None.
    """
    values = parameters(whole, given)
    if isinstance(of, list):
        return [resolved(whole, item, given) for item in of]
    if not isinstance(of, dict):
        return of
    if set(of) == {"Ref"}:
        return None if of["Ref"] == "AWS::NoValue" else values.get(of["Ref"], of)
    if set(of) == {"Fn::If"}:
        condition, then, otherwise = of["Fn::If"]
        holds = _holds(whole, {"Condition": condition}, values)
        return resolved(whole, then if holds else otherwise, given)
    return {key: resolved(whole, item, given) for key, item in of.items()}


def _holds(whole: Mapping[str, Any], rule: Any, values: Mapping[str, str]) -> bool:
    if not isinstance(rule, dict):
        return str(rule).lower() == "true"
    ((kind, of),) = rule.items()
    if kind == "Condition":
        return _holds(whole, whole["Conditions"][of], values)
    if kind == "Fn::Equals":
        return _text(of[0], values) == _text(of[1], values)
    if kind == "Fn::Not":
        return not _holds(whole, of[0], values)
    if kind == "Fn::And":
        return all(_holds(whole, part, values) for part in of)
    if kind == "Fn::Or":
        return any(_holds(whole, part, values) for part in of)
    raise ContractError(f"condition {kind} is not known to this reader")


def _text(of: Any, values: Mapping[str, str]) -> str:
    if not isinstance(of, dict):
        return str(of)
    ((kind, name),) = of.items()
    if kind == "Ref":
        return values.get(name, f"${{{name}}}")
    if kind == "Fn::Join":
        return str(name[0]).join(_text(part, values) for part in name[1])
    raise ContractError(f"{kind} in a condition is not known to this reader")
