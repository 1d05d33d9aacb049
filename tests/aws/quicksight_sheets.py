"""What is wrong with the sheets of the QuickSight template: visuals, filters and controls, layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quicksight_parts import (
    Node,
    board_of,
    columns,
    named,
    sheets_of,
    twice,
    visuals,
    walk,
)

# Columns of a grid, and of one element of it. The controls' grid is not in the API reference: the
# service refuses more, synchronously.
GRIDS = {"VISUAL": (36, 36), "FILTER_CONTROL": (12, 6)}
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


def findings(template: Node) -> Iterator[str]:
    """Say what of the sheets would be refused, or shown empty."""
    yield from _visuals(template)
    yield from _filters(template)
    yield from _layouts(template)


# ---------------------------------------------------------------- visuals


def _visuals(template: Node) -> Iterator[str]:
    every = [v for sheet in sheets_of(template) for _, v in visuals(sheet)]
    yield from twice("visual", [v["VisualId"] for v in every])
    yield from twice("field", named([v["ChartConfiguration"]["FieldWells"] for v in every], "FieldId"))  # fmt: skip
    yield from twice("action", named(every, "CustomActionId"))
    for sheet in sheets_of(template):
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
    sheets = {s["SheetId"]: s for s in sheets_of(template)}
    yield from twice("sheet", [s["SheetId"] for s in sheets_of(template)])
    groups = board_of(template)["FilterGroups"]
    filters = [(g, next(iter(f.values()))) for g in groups for f in g["Filters"]]
    yield from twice("filter group", [g["FilterGroupId"] for g in groups])
    yield from twice("filter", [f["FilterId"] for _, f in filters])
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
    yield from twice("control", controls)


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
    for sheet in sheets_of(template):
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
