"""What a visual of the QuickSight template shows, computed by DuckDB from its definition.

Only what the reference sheet uses is understood: dimensions, plain sums, and calculated fields of
the two shapes `distinct_count({a})` and `sum(max({a}, [{b}, {c}]))` (level-aware: the inner
aggregate per b and c within what the visual groups by).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from quicksight_parts import named

Row = tuple[Any, ...]
_DISTINCT = re.compile(r"distinct_count\(\{(\w+)\}\)")
_ONCE = re.compile(r"sum\(max\(\{(\w+)\}, \[((?:\{\w+\}(?:, )?)+)\]\)\)")


def shown(
    visual: Mapping[str, Any],
    calculated: Mapping[str, str],
    ask: Callable[[str], list[Row]],
    where: str = "true",
) -> list[Row]:
    """Rows (dimensions…, measures…) of a visual over the relation `posts`; `ask` runs SQL."""
    wells = visual["ChartConfiguration"]["FieldWells"]
    dimensions, measures = [], []
    for kind in ("CategoricalDimensionField", "NumericalDimensionField"):
        dimensions += [f["Column"]["ColumnName"] for f in named(wells, kind)]
    for measure in named(wells, "NumericalMeasureField"):
        measures.append(_measure(measure, calculated, dimensions, where))
    joined = measures[0]
    keys = ", ".join(dimensions)
    for i, other in enumerate(measures[1:], start=1):
        joined = f"(SELECT a.*, b.m AS m{i} FROM {joined} AS a JOIN {other} AS b USING ({keys}))"
    return ask(f"SELECT * FROM {joined} AS shown")


def _measure(
    measure: Mapping[str, Any], calculated: Mapping[str, str], dimensions: list[str], where: str
) -> str:
    name = measure["Column"]["ColumnName"]
    by = ", ".join(dimensions)
    grouped = f"GROUP BY {by}" if by else ""
    lead = f"{by}, " if by else ""
    if "AggregationFunction" in measure:
        how = measure["AggregationFunction"]["SimpleNumericalAggregation"]
        return f"(SELECT {lead}{how}({name}) AS m FROM posts WHERE {where} {grouped})"
    expression = calculated[name]
    if found := _DISTINCT.fullmatch(expression):
        return f"(SELECT {lead}count(DISTINCT {found[1]}) AS m FROM posts WHERE {where} {grouped})"
    found = _ONCE.fullmatch(expression)
    assert found, f"{name}: {expression} is of no shape that is understood here"
    level = re.findall(r"\w+", found[2])
    inner = ", ".join(dict.fromkeys([*dimensions, *level]))
    return (
        f"(SELECT {lead}sum(x) AS m FROM (SELECT {inner}, max({found[1]}) AS x FROM posts"
        f" WHERE {where} GROUP BY {inner}) AS level {grouped})"
    )
