"""What a validator of shapes does not see in the QuickSight template: names that lead nowhere.

`findings` says in words what would be refused, or shown empty, when the stack is made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import quicksight_sheets
from quicksight_parts import (
    Node,
    board_of,
    columns,
    node_at,
    query_of,
    resources_of,
    sets,
    walk,
)

NUMERIC = {"INTEGER", "DECIMAL"}
# Well of a field -> types of column that it takes.
WELLS = {
    "CategoricalDimensionField": {"STRING"},
    "NumericalDimensionField": NUMERIC,
    "DateDimensionField": {"DATETIME"},
    "NumericalMeasureField": NUMERIC,
    "CategoryFilter": {"STRING"},
    "NumericEqualityFilter": NUMERIC,
    "TimeRangeFilter": {"DATETIME"},
}
_HOLE = re.compile(r"\$\{([^!${}.][^${}.]*)(?:\.[^${}]*)?\}")
_FIELD = re.compile(r"\{([^{}]+)\}")


def findings(template: Node, expected: Mapping[str, list[dict[str, str]]]) -> list[str]:
    """What is wrong with a template, as sentences; `expected` are the columns of each set's query."""
    return [
        *_intrinsics(template),
        *_sets(template, expected),
        *_fields(template),
        *quicksight_sheets.findings(template),
    ]


# ---------------------------------------------------------------- parameters, conditions, resources


def _intrinsics(template: Node) -> Iterator[str]:
    resources, parameters = set(template["Resources"]), set(template["Parameters"])
    conditions = set(template["Conditions"])
    used: set[str] = set()
    for path, node in walk(template):
        if not isinstance(node, Mapping):
            continue
        names: list[str] = []
        if "Ref" in node:
            names = [node["Ref"]]
        elif "Fn::GetAtt" in node:
            names = [node["Fn::GetAtt"][0]]
        elif "Fn::Sub" in node:
            sub = node["Fn::Sub"]
            text, own = sub if isinstance(sub, list) else (sub, {})
            holes = set(_HOLE.findall(text))
            yield from (f"{path}: {name} of !Sub is not used" for name in set(own) - holes)
            names = sorted(holes - set(own))
        elif "Fn::If" in node:
            used.add(f"?{node['Fn::If'][0]}")
        if isinstance(node.get("Condition"), str):
            used.add(f"?{node['Condition']}")
        for name in names:
            used.add(name)
            if not name.startswith("AWS::") and name not in resources | parameters:
                yield f"{path}: {name} is no parameter and no resource"
    yield from (f"parameter {name} is not used" for name in sorted(parameters - used))
    named_conditions = {name[1:] for name in used if name.startswith("?")}
    yield from (f"condition {name} is not declared" for name in named_conditions - conditions)
    yield from (f"condition {name} is not used" for name in conditions - named_conditions)


# ---------------------------------------------------------------- data sets


def _sets(template: Node, expected: Mapping[str, list[dict[str, str]]]) -> Iterator[str]:
    found, sources = resources_of(template, "DataSet"), resources_of(template, "DataSource")
    declared = sets(template)
    for name in set(expected) ^ set(declared):
        yield f"data set {name} is declared, or has a query, but not both"
    yield from (f"{s} is no data set" for s in declared.values() if s not in found)
    yield from (f"data set {s} is in no dashboard" for s in set(found) - set(declared.values()))
    for name, logical in declared.items():
        if logical not in found:
            continue
        table = query_of(found[logical])
        if table["Columns"] != expected.get(name):
            yield f"columns of {name} are not those of its query"
        if table["DataSourceArn"]["Fn::GetAtt"][0] not in sources:
            yield f"{name} has no data source"
    own = {logical: str(p["DataSetId"]) for logical, p in found.items()}
    yield from (f"{i} names two sets" for i, n in Counter(own.values()).items() if n > 1)
    refreshed = Counter(
        str(p["DataSetId"]) for p in resources_of(template, "RefreshSchedule").values()
    )
    for identifier in set(own.values()) | set(refreshed):
        if refreshed[identifier] != 1 or identifier not in own.values():
            yield f"{identifier} is refreshed {refreshed[identifier]} times a day"


# ---------------------------------------------------------------- columns and calculated fields


def _fields(template: Node) -> Iterator[str]:
    types = columns(template)
    definition, known = board_of(template), sets(template)
    calculated = {(f["DataSetIdentifier"], f["Name"]): f for f in definition["CalculatedFields"]}
    if len(calculated) != len(definition["CalculatedFields"]):
        yield "two calculated fields have one name"
    used: set[tuple[str, str]] = set()
    for (of, name), field in calculated.items():
        if of not in known:
            yield f"calculated field {name} is of {of}, which is no data set"
        for column in _FIELD.findall(field["Expression"]):
            used.add((of, column))
            if column not in types.get(of, {}):
                yield f"calculated field {name} reads {column}, which {of} has not"
    for path, node in walk(definition):
        if not isinstance(node, Mapping):
            continue
        if node.get("DataSetIdentifier") not in {None, *known}:
            yield f"{path}: {node['DataSetIdentifier']} is no data set"
        if "ColumnName" not in node:
            continue
        of, name = node.get("DataSetIdentifier", ""), node["ColumnName"]
        used.add((of, name))
        if name not in types.get(of, {}):
            yield f"{path}: {of} has no column {name}"
            continue
        well = next((key for key in reversed(path) if key in WELLS), None)
        if path[-1] == "Column" and well and types[of][name] not in WELLS[well]:
            yield f"{path}: {name} of {of} is {types[of][name]}, not for a {well}"
        if well == "NumericalMeasureField":
            measure = node_at(definition, path[: path.index(well) + 1])
            if ("AggregationFunction" in measure) == ((of, name) in calculated):
                yield f"{path}: {name} is to be added up exactly once"
    for of, name in calculated.keys() - used:
        yield f"calculated field {name} of {of} is not used"
