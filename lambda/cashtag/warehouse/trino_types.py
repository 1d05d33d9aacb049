"""Types of an Athena query's expressions where sqlglot leaves them unknown or has them wrong.

Trino's own rules: a literal with a point is a decimal, parts of dates are bigint, an aggregate
that picks a row has the type of what it picks.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from sqlglot import exp
from sqlglot.dialects.athena import Athena

Family = Literal[
    "text", "number", "time", "boolean", "array", "json", "interval", "other", "unknown"
]

INTEGERS = frozenset(exp.DataType.INTEGER_TYPES)
DOUBLES = frozenset(exp.DataType.FLOAT_TYPES)
TEXTS = frozenset(exp.DataType.TEXT_TYPES)
DATES = frozenset({exp.DType.DATE})
TIMES = frozenset(exp.DataType.TEMPORAL_TYPES)
DECIMALS = frozenset({exp.DType.DECIMAL})

_BIGINT: Any = (
    exp.DateDiff,
    exp.Year,
    exp.Quarter,
    exp.Month,
    exp.Day,
    exp.DayOfMonth,
    exp.DayOfYear,
    exp.DayOfWeekIso,
    exp.WeekOfYear,
    exp.YearOfWeek,
    exp.Hour,
    exp.Minute,
    exp.Second,
    exp.ArrayPosition,
    exp.Extract,
)
_VARCHAR: Any = (
    exp.JSONExtractScalar,
    exp.JSONFormat,
    exp.Replace,
    exp.Reverse,
    exp.SplitPart,
    exp.RegexpReplace,
    exp.RegexpExtract,
    exp.Pad,
    exp.Format,
    exp.TimeToStr,
)
_LIKE_FIRST: Any = (
    exp.ArgMax,
    exp.ArgMin,
    exp.TimestampTrunc,
    exp.Trunc,
    exp.Ceil,
    exp.Floor,
    exp.ArrayDistinct,
    exp.ArrayFilter,
    exp.Try,
    exp.AnyValue,
)
_NAMED: dict[str, exp.DType] = {
    "every": exp.DType.BOOLEAN,
    "normal_cdf": exp.DType.DOUBLE,
    "infinity": exp.DType.DOUBLE,
    "nan": exp.DType.DOUBLE,
    "e": exp.DType.DOUBLE,
    "is_finite": exp.DType.BOOLEAN,
    "is_infinite": exp.DType.BOOLEAN,
}


@cache
def metadata() -> dict[Any, Any]:
    """Return sqlglot's annotators for Athena, with ours over them."""
    like_first: dict[str, Any] = {"annotator": lambda self, e: self._annotate_by_args(e, "this")}
    return {
        **Athena.EXPRESSION_METADATA,
        **{kind: {"returns": exp.DType.BIGINT} for kind in _BIGINT},
        **{kind: {"returns": exp.DType.VARCHAR} for kind in _VARCHAR},
        **dict.fromkeys(_LIKE_FIRST, like_first),
        exp.TimeToUnix: {"returns": exp.DType.DOUBLE},
        exp.RegrSlope: {"returns": exp.DType.DOUBLE},
        exp.RegrIntercept: {"returns": exp.DType.DOUBLE},
        exp.Literal: {"annotator": _literal},
        exp.Anonymous: {"annotator": _anonymous},
        exp.Split: {"annotator": _strings},
        exp.Sub: {"annotator": _sub},
        exp.DPipe: {"annotator": _joined},
        exp.Concat: {"annotator": _joined},
    }


def _literal(self: Any, node: exp.Literal) -> exp.Literal:
    if node.is_string:
        kind = exp.DType.VARCHAR
    elif "e" in node.name.lower():
        kind = exp.DType.DOUBLE
    elif "." in node.name:
        kind = exp.DType.DECIMAL
    else:
        kind = exp.DType.INT if abs(int(node.name)) < 2**31 else exp.DType.BIGINT
    self._set_type(node, kind)
    return node


def _anonymous(self: Any, node: exp.Anonymous) -> exp.Anonymous:
    self._set_type(node, _NAMED.get(node.name.lower(), exp.DType.UNKNOWN))
    return node


def _strings(self: Any, node: exp.Split) -> exp.Split:
    self._set_type(node, exp.DataType.build("array(varchar)", dialect="athena"))
    return node


def _sub(self: Any, node: exp.Sub) -> exp.Sub:
    if family(node.left) == "time" and family(node.right) == "time":
        self._set_type(node, exp.DType.INTERVAL)
    else:
        self._annotate_binary(node)
    return node


def _joined(self: Any, node: exp.Expr) -> exp.Expr:
    parts = node.expressions or [node.this, node.args.get("expression")]
    array = next((p.type for p in parts if p is not None and family(p) == "array"), None)
    self._set_type(node, array or exp.DType.VARCHAR)
    return node


def family(node: exp.Expr) -> Family:
    """Return which types the node's type can be compared with in Trino."""
    kind = node.type
    if kind is None:
        return "unknown"
    this = kind.this
    if this in TEXTS:
        return "text"
    if this in INTEGERS or this in DOUBLES or this in DECIMALS:
        return "number"
    if this in TIMES:
        return "time"
    if this == exp.DType.BOOLEAN:
        return "boolean"
    if this == exp.DType.ARRAY:
        return "array"
    if this == exp.DType.JSON:
        return "json"
    if this == exp.DType.INTERVAL:
        return "interval"
    return "unknown" if this in {exp.DType.UNKNOWN, exp.DType.NULL} else "other"


def is_kind(node: exp.Expr | None, kinds: frozenset[exp.DType]) -> bool:
    """Say whether the node's type is known to be one of `kinds`."""
    return node is not None and node.type is not None and node.type.this in kinds
