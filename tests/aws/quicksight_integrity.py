"""What a validator of shapes does not see in the QuickSight template: names that lead nowhere.

`findings` says in words what would be refused, or shown empty, when the stack is made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

Node = Any
# Columns of a grid, and of one element of it. The controls' grid is not in the API reference: the
# service refuses more, synchronously.
GRIDS = {"VISUAL": (36, 36), "FILTER_CONTROL": (12, 6)}
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
# Wells that a visual of a kind cannot do without.
NEEDED = {
    "TreeMapVisual": {"Groups", "Sizes", "Colors"},
    "BarChartVisual": {"Category", "Values"},
    "HeatMapVisual": {"Rows", "Columns", "Values"},
    "PieChartVisual": {"Category", "Values"},
    "KPIVisual": {"Values"},
    "TableVisual": {"Values"},
    "ComboChartVisual": {"Category", "BarValues", "LineValues"},
    "LineChartVisual": {"Category", "Values"},
    "ScatterPlotVisual": {"Category", "XAxis", "YAxis"},
}
_HOLE = re.compile(r"\$\{([^!${}.][^${}.]*)(?:\.[^${}]*)?\}")
_FIELD = re.compile(r"\{([^{}]+)\}")


def walk(node: Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Node]]:
    """Every node of a template with the keys that lead to it."""
    yield path, node
    items: Any = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()  # fmt: skip
    for key, child in items:
        yield from walk(child, (*path, key))


def named(node: Node, key: str) -> list[Any]:
    """Values of a key, wherever it stands below a node."""
    return [child for path, child in walk(node) if path and path[-1] == key]


def findings(template: Node, expected: Mapping[str, list[dict[str, str]]]) -> list[str]:
    """What is wrong with a template, as sentences; `expected` are the columns of each set's query."""
    return [
        *_intrinsics(template),
        *_sets(template, expected),
        *_fields(template),
        *_visuals(template),
        *_filters(template),
        *_layouts(template),
    ]


def _of(template: Node, kind: str) -> dict[str, Node]:
    found = template["Resources"].items()
    return {name: r["Properties"] for name, r in found if r["Type"] == f"AWS::QuickSight::{kind}"}


def _definition(template: Node) -> Node:
    (board,) = _of(template, "Dashboard").values()
    return board["Definition"]


def _sheets(template: Node) -> list[Node]:
    sheets: list[Node] = _definition(template)["Sheets"]
    return sheets


def visuals(sheet: Node) -> list[tuple[str, Node]]:
    """(kind, visual) of a sheet."""
    return [next(iter(v.items())) for v in sheet["Visuals"]]


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


def sets(template: Node) -> dict[str, str]:
    """Logical id of each data set by its identifier in the dashboard."""
    declared = _definition(template)["DataSetIdentifierDeclarations"]
    return {d["Identifier"]: d["DataSetArn"]["Fn::GetAtt"][0] for d in declared}


def _table(properties: Node) -> Node:
    (table,) = properties["PhysicalTableMap"].values()
    return table["CustomSql"]


def columns(template: Node) -> dict[str, dict[str, str]]:
    """Types of the columns of each data set, by its identifier; a calculated field is numeric."""
    found = _of(template, "DataSet")
    types = {
        name: {c["Name"]: c["Type"] for c in _table(found[logical])["Columns"]}
        for name, logical in sets(template).items()
        if logical in found
    }
    for field in _definition(template)["CalculatedFields"]:
        types.setdefault(field["DataSetIdentifier"], {})[field["Name"]] = "DECIMAL"
    return types


def _sets(template: Node, expected: Mapping[str, list[dict[str, str]]]) -> Iterator[str]:
    found, sources = _of(template, "DataSet"), _of(template, "DataSource")
    declared = sets(template)
    for name in set(expected) ^ set(declared):
        yield f"data set {name} is declared, or has a query, but not both"
    yield from (f"{s} is no data set" for s in declared.values() if s not in found)
    yield from (f"data set {s} is in no dashboard" for s in set(found) - set(declared.values()))
    for name, logical in declared.items():
        if logical not in found:
            continue
        table = _table(found[logical])
        if table["Columns"] != expected.get(name):
            yield f"columns of {name} are not those of its query"
        if table["DataSourceArn"]["Fn::GetAtt"][0] not in sources:
            yield f"{name} has no data source"
    own = {logical: str(p["DataSetId"]) for logical, p in found.items()}
    yield from (f"{i} names two sets" for i, n in Counter(own.values()).items() if n > 1)
    refreshed = Counter(str(p["DataSetId"]) for p in _of(template, "RefreshSchedule").values())
    for identifier in set(own.values()) | set(refreshed):
        if refreshed[identifier] != 1 or identifier not in own.values():
            yield f"{identifier} is refreshed {refreshed[identifier]} times a day"


# ---------------------------------------------------------------- columns and calculated fields


def _fields(template: Node) -> Iterator[str]:
    types = columns(template)
    definition, known = _definition(template), sets(template)
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
            measure = _at(definition, path[: path.index(well) + 1])
            if ("AggregationFunction" in measure) == ((of, name) in calculated):
                yield f"{path}: {name} is to be added up exactly once"
    for of, name in calculated.keys() - used:
        yield f"calculated field {name} of {of} is not used"


def _at(node: Node, path: tuple[Any, ...]) -> Node:
    for key in path:
        node = node[key]
    return node


# ---------------------------------------------------------------- visuals


def _visuals(template: Node) -> Iterator[str]:
    every = [v for sheet in _sheets(template) for _, v in visuals(sheet)]
    yield from _twice("visual", [v["VisualId"] for v in every])
    yield from _twice("field", named([v["ChartConfiguration"]["FieldWells"] for v in every], "FieldId"))  # fmt: skip
    yield from _twice("action", named(every, "CustomActionId"))
    for sheet in _sheets(template):
        ids = {v["VisualId"] for _, v in visuals(sheet)}
        for kind, visual in visuals(sheet):
            yield from _visual(visual, ids)
            wells = visual["ChartConfiguration"]["FieldWells"]
            filled = {path[-1] for path, node in walk(wells) if isinstance(node, list) and node}
            if (
                kind == "LineChartVisual"
                and "Colors" in filled
                and len(named(wells, "Values")[0]) > 1
            ):
                yield f"{visual['VisualId']} has a line of two values for each colour"
            if NEEDED[kind] - filled:
                yield f"{visual['VisualId']} has no {sorted(NEEDED[kind] - filled)}"


def _visual(visual: Node, beside: set[str]) -> Iterator[str]:
    name, chart = visual["VisualId"], visual["ChartConfiguration"]
    own = set(named(chart["FieldWells"], "FieldId"))
    if not own:
        yield f"{name} shows nothing"
    if len(set(named(chart["FieldWells"], "DataSetIdentifier"))) != 1:
        yield f"{name} reads several data sets"
    options = chart.get("FieldOptions", {})
    asked = [
        *named(chart.get("SortConfiguration", {}), "FieldId"),
        *named(options.get("SelectedFieldOptions", []), "FieldId"),
        *options.get("Order", []),
    ]
    yield from (f"{name} has no field {field}" for field in asked if field not in own)
    if "Order" in options and sorted(options["Order"]) != sorted(own):
        yield f"{name} orders other fields than it has"
    yield from _hierarchies(visual)
    clicks = 0
    for action in visual.get("Actions", []):
        clicks += action["Trigger"] == "DATA_POINT_CLICK"
        for target in [t for targets in named(action, "TargetVisuals") for t in targets]:
            if target not in beside - {name}:
                yield f"{name} filters {target}, which is no other visual of its sheet"
    if clicks > 1:
        yield f"a click on {name} does two things"
    if not visual.get("VisualContentAltText"):
        yield f"{name} says nothing to a screen reader"


def _hierarchies(visual: Node) -> Iterator[str]:
    name = visual["VisualId"]
    wells = visual["ChartConfiguration"]["FieldWells"]
    fields = {n["HierarchyId"]: n["Column"] for _, n in walk(wells) if isinstance(n, Mapping) and "HierarchyId" in n}  # fmt: skip
    own = {h["HierarchyId"]: h for kinds in visual.get("ColumnHierarchies", []) for h in kinds.values()}  # fmt: skip
    yield from (f"{name}: hierarchy {h} is used or declared, not both" for h in fields.keys() ^ own.keys())  # fmt: skip
    for hierarchy, declared in own.items():
        if hierarchy in fields and declared.get("Columns", [fields[hierarchy]])[0] != fields[hierarchy]:  # fmt: skip
            yield f"{name}: hierarchy {hierarchy} does not begin with the shown column"


# ---------------------------------------------------------------- filters and their controls


def _filters(template: Node) -> Iterator[str]:
    types = columns(template)
    sheets = {s["SheetId"]: s for s in _sheets(template)}
    yield from _twice("sheet", [s["SheetId"] for s in _sheets(template)])
    groups = _definition(template)["FilterGroups"]
    filters = [(g, next(iter(f.values()))) for g in groups for f in g["Filters"]]
    yield from _twice("filter group", [g["FilterGroupId"] for g in groups])
    yield from _twice("filter", [f["FilterId"] for _, f in filters])
    scopes = {}
    for group, found in filters:
        yield from _listed(found)
        scopes[found["FilterId"]] = scope = _scope(group)
        yield from _scoped(group, found, sheets, types)
        if len(scope) > 1 and "DefaultFilterControlConfiguration" not in found:
            yield f"{found['FilterId']} spans sheets and has no default control"
    controls = []
    for sheet in sheets.values():
        for control in sheet["FilterControls"]:
            (kind, made), *_ = control.items()
            controls.append(made["FilterControlId"])
            scope = scopes.get(made["SourceFilterId"], set())
            if "SelectableValues" in made:
                yield f"control {made['FilterControlId']} names values beside its filter's"
            if sheet["SheetId"] not in scope:
                yield f"control {made['FilterControlId']} is of a filter that its sheet has not"
            if (kind == "CrossSheet") != (len(scope) > 1):
                yield f"control {made['FilterControlId']} is for another number of sheets"
    yield from _twice("control", controls)


def _listed(found: Node) -> Iterator[str]:
    """A list of values: which it is, and what a control may add. The service refuses the rest."""
    chosen = found.get("Configuration", {}).get("FilterListConfiguration")
    if chosen is None:
        return
    if chosen["MatchOperator"] not in {"CONTAINS", "DOES_NOT_CONTAIN"}:
        yield f"{found['FilterId']} compares a list by {chosen['MatchOperator']}"
    if ("SelectAllOptions" in chosen) == ("CategoryValues" in chosen):
        yield f"{found['FilterId']} names values, or all of them, but not both"
    if named(found.get("DefaultFilterControlConfiguration", {}), "SelectableValues"):
        yield f"{found['FilterId']} has values of its own, and its control names others"


def _scope(group: Node) -> set[str]:
    chosen = group["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"]
    return {c["SheetId"] for c in chosen}


def _scoped(
    group: Node, found: Node, sheets: Mapping[str, Node], types: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    name, column = group["FilterGroupId"], found["Column"]
    of = column["DataSetIdentifier"]
    if group["CrossDataset"] == "ALL_DATASETS":
        kinds = {t[column["ColumnName"]] for t in types.values() if column["ColumnName"] in t}
        if len(kinds) > 1:
            yield f"filter {name} is of a column of several types: {sorted(kinds)}"
    for chosen in group["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"]:
        sheet = sheets.get(chosen["SheetId"])
        if sheet is None:
            yield f"filter {name} is of {chosen['SheetId']}, which is no sheet"
            continue
        reads = {
            v["VisualId"]: set(named(v["ChartConfiguration"]["FieldWells"], "DataSetIdentifier"))
            for _, v in visuals(sheet)
        }
        wanted = chosen.get("VisualIds", [])
        if (chosen["Scope"] == "SELECTED_VISUALS") != bool(wanted):
            yield f"filter {name} selects visuals, or all, but not both"
        for visual in wanted:
            if visual not in reads:
                yield f"filter {name} is of {visual}, which is no visual of {chosen['SheetId']}"
            elif of not in reads[visual]:
                yield f"filter {name} is of {of}, which {visual} does not read"
        over = {of}
        if group["CrossDataset"] == "ALL_DATASETS":
            over = {name for name, own in types.items() if column["ColumnName"] in own}
        if not wanted and not any(over & read for read in reads.values()):
            yield f"filter {name} filters nothing of {chosen['SheetId']}"


# ---------------------------------------------------------------- layouts


def _layouts(template: Node) -> Iterator[str]:
    for sheet in _sheets(template):
        controls = [next(iter(c.values()))["FilterControlId"] for c in sheet["FilterControls"]]
        ids = [v["VisualId"] for _, v in visuals(sheet)]
        for kind, layouts, wanted in (
            ("VISUAL", sheet["Layouts"], ids),
            ("FILTER_CONTROL", sheet["SheetControlLayouts"], controls),
        ):
            (layout,) = layouts
            elements = layout["Configuration"]["GridLayout"]["Elements"]
            placed = [e["ElementId"] for e in elements]
            if sorted(placed) != sorted(wanted):
                yield f"{sheet['SheetId']} places {placed}, and has {wanted}"
            if {e["ElementType"] for e in elements} - {kind}:
                yield f"{sheet['SheetId']} places what is no {kind}"
            yield from _overlaps(sheet["SheetId"], elements, *GRIDS[kind])


def _overlaps(sheet: str, elements: list[Node], wide: int, widest: int) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for e in elements:
        if e["ColumnIndex"] + e["ColumnSpan"] > wide or e["ColumnSpan"] > widest:
            yield f"{e['ElementId']} of {sheet} reaches beyond {wide} columns, or {widest} of its own"
        for row in range(e["RowIndex"], e["RowIndex"] + e["RowSpan"]):
            for column in range(e["ColumnIndex"], e["ColumnIndex"] + e["ColumnSpan"]):
                other = taken.setdefault((row, column), e["ElementId"])
                if other != e["ElementId"]:
                    yield f"{e['ElementId']} of {sheet} lies over {other}"
                    return


def _twice(what: str, ids: list[str]) -> Iterator[str]:
    yield from (f"{what} {name} is there {n} times" for name, n in Counter(ids).items() if n > 1)
