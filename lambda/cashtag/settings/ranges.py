"""The allowed range of each setting in words, for errors and for `cashtag config show`."""

from __future__ import annotations

from typing import Any

_WORDS = (
    ("exclusiveMinimum", "above"),
    ("minimum", "at least"),
    ("exclusiveMaximum", "below"),
    ("maximum", "at most"),
)


def allowed(path: tuple[str, ...]) -> str | None:
    """Return e.g. "must be a number at least 0 and at most 1" for a dotted path, None if free."""
    from cashtag.settings.models import Settings

    schema = Settings.model_json_schema()
    node: Any = schema
    for part in path:
        node = _step(_resolve(node, schema), part)
        if node is None:
            return None
    node = _resolve(node, schema)
    if "enum" in node:
        return f"must be one of {', '.join(map(str, node['enum']))}"
    if "pattern" in node:
        return f"must match {node['pattern']}"
    bounds = [f"{words} {node[key]:g}" for key, words in _WORDS if key in node]
    if not bounds:
        return None
    kind = {"integer": "a whole number", "number": "a number"}.get(node.get("type", ""), "a value")
    return f"must be {kind} {' and '.join(bounds)}"


def _resolve(node: Any, schema: Any) -> Any:
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node


def _step(node: Any, part: str) -> Any:
    if part in node.get("properties", {}):
        return node["properties"][part]
    if part.isdigit():
        position = int(part)
        fixed = node.get("prefixItems", [])
        return fixed[position] if position < len(fixed) else node.get("items")
    extra = node.get("additionalProperties")
    return extra if isinstance(extra, dict) else None
