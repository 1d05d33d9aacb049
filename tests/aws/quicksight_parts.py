"""Parts of the QuickSight template by name: resources, sheets, visuals, data sets and their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

Node = Any


def walk(node: Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Node]]:
    """Every node of a template with the keys that lead to it."""
    yield path, node
    items: Any = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()  # fmt: skip
    for key, child in items:
        yield from walk(child, (*path, key))


def named(node: Node, key: str) -> list[Any]:
    """Values of a key, wherever it stands below a node."""
    return [child for path, child in walk(node) if path and path[-1] == key]


def resources_of(template: Node, kind: str) -> dict[str, Node]:
    """Properties of every resource of a kind, by logical id."""
    found = template["Resources"].items()
    return {name: r["Properties"] for name, r in found if r["Type"] == f"AWS::QuickSight::{kind}"}


def board_of(template: Node) -> Node:
    """What the dashboard is made of."""
    (board,) = resources_of(template, "Dashboard").values()
    return board["Definition"]


def sheets_of(template: Node) -> list[Node]:
    """Its sheets."""
    sheets: list[Node] = board_of(template)["Sheets"]
    return sheets


def visuals(sheet: Node) -> list[tuple[str, Node]]:
    """(kind, visual) of a sheet."""
    return [next(iter(v.items())) for v in sheet["Visuals"]]


def sets(template: Node) -> dict[str, str]:
    """Logical id of each data set by its identifier in the dashboard."""
    declared = board_of(template)["DataSetIdentifierDeclarations"]
    return {d["Identifier"]: d["DataSetArn"]["Fn::GetAtt"][0] for d in declared}


def query_of(properties: Node) -> Node:
    """The query of a data set."""
    (table,) = properties["PhysicalTableMap"].values()
    return table["CustomSql"]


def columns(template: Node) -> dict[str, dict[str, str]]:
    """Types of the columns of each data set, by its identifier; a calculated field is numeric."""
    found = resources_of(template, "DataSet")
    types = {
        name: {c["Name"]: c["Type"] for c in query_of(found[logical])["Columns"]}
        for name, logical in sets(template).items()
        if logical in found
    }
    for field in board_of(template)["CalculatedFields"]:
        types.setdefault(field["DataSetIdentifier"], {})[field["Name"]] = "DECIMAL"
    return types


def twice(what: str, ids: list[str]) -> Iterator[str]:
    """Say which ids stand more than once."""
    yield from (f"{what} {name} is there {n} times" for name, n in Counter(ids).items() if n > 1)


def node_at(node: Node, path: tuple[Any, ...]) -> Node:
    """The node that keys lead to."""
    for key in path:
        node = node[key]
    return node
