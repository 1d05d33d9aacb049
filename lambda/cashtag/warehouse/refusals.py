"""What an Athena query may not say here: mistakes that only Athena would notice, and functions
whose values cannot be made equal in both engines. Every refusal names the remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

from cashtag.errors import InputError
from cashtag.warehouse.trino_types import (
    DATES,
    DECIMALS,
    DOUBLES,
    INTEGERS,
    TEXTS,
    family,
    is_kind,
)

# Functions that both engines know under one name, or that sqlglot maps, with other values.
FUNCTIONS: Mapping[str, str] = {
    "regexp_extract": "no match is NULL in one engine and '' in the other; use regexp_like",
    "split_part": "a missing part is NULL in one engine and '' in the other; "
    "use element_at(split(…), n)",
    "format": "the format languages differ; cast to decimal(18, n) and then to varchar",
    "reverse": "one engine reverses code points, the other graphemes",
    "reduce": "the arguments differ; UNNEST and aggregate",
    "cbrt": "the last digit differs; use power(x, 1e0 / 3)",
    "skewness": "the estimators differ",
    "kurtosis": "the estimators differ",
    "json_object": "not the same text; build arrays with json_format(CAST(… AS json))",
    "json_array": "NULLs are dropped by one engine; use json_format(CAST(… AS json))",
    "json_query": "not the same text; use json_extract_scalar",
    "at_timezone": "the lake stores UTC, session and hour_ny; no time zone is needed",
    "with_timezone": "the lake stores UTC, session and hour_ny; no time zone is needed",
    "map": "maps do not survive results; use json_format or rows",
    "typeof": "the engines name types differently",
}


def refuse(tree: exp.Expr, names: frozenset[str]) -> None:
    """Raise InputError for the first thing that is refused.

    `tree` is annotated; `names` are the functions as the text spells them, lower case.
    """
    for name in sorted(names & set(FUNCTIONS)):
        raise InputError(f"function {name}: {FUNCTIONS[name]}")
    for _, message in found(tree):
        raise InputError(message)


def found(tree: exp.Expr) -> Iterator[tuple[exp.Expr, str]]:
    """Yield each refused expression of an annotated tree, and why."""
    for node in tree.walk():
        for kind, rule in _RULES:
            if isinstance(node, kind):
                message = rule(node)
                if message:
                    yield node, f"{short(node)}: {message}"


def short(node: exp.Expr) -> str:
    """The expression as Athena's text, cut to a line."""
    text = node.sql("athena").replace('"', "")
    return text if len(text) <= 80 else text[:79] + "…"


# ---------------------------------------------------------------- types


def _mismatch(*nodes: exp.Expr) -> str | None:
    known = [n for n in nodes if family(n) not in {"unknown", "other"}]
    for node in known[1:]:
        if family(node) != family(known[0]):
            return (
                f"{known[0].type.sql() if known[0].type else '?'} and "
                f"{node.type.sql() if node.type else '?'} do not compare in Athena; CAST one of them"
            )
    return None


def _comparison(node: exp.Expr) -> str | None:
    return _mismatch(node.this, node.expression)


def _between(node: exp.Expr) -> str | None:
    return _mismatch(node.this, node.args["low"], node.args["high"])


def _in(node: exp.Expr) -> str | None:
    query = node.args.get("query")
    chosen = query.unnest().selects if query is not None else node.expressions
    return _mismatch(node.this, *chosen)


def _branches(node: exp.Expr) -> str | None:
    results = [branch.args["true"] for branch in node.args["ifs"]]
    default = node.args.get("default")
    return _mismatch(*results, *([default] if default is not None else []))


def _texts(node: exp.Expr) -> str | None:
    parts = node.expressions or [node.this, node.expression]
    if any(family(p) not in {"text", "array", "unknown"} for p in parts):
        return "only text joins text in Athena; CAST to varchar"
    return _mismatch(*parts)


def _division(node: exp.Expr) -> str | None:
    left, right = node.this, node.expression
    if "unknown" in {family(left), family(right)}:
        if is_kind(left, DOUBLES) or is_kind(right, DOUBLES):
            return None
        return "a type is not known here; CAST the dividend to double before /"
    if (is_kind(left, DECIMALS) and not is_kind(right, DOUBLES)) or (
        is_kind(right, DECIMALS) and not is_kind(left, DOUBLES)
    ):
        return "decimal division rounds to the operands' digits in Athena; CAST one to double"
    return None


def _subtraction(node: exp.Expr) -> str | None:
    if family(node.this) == "time" and family(node.expression) == "time":
        return "a difference of dates is an interval in Athena; use date_diff"
    return None


def _average(node: exp.Expr) -> str | None:
    if is_kind(node.this, DECIMALS):
        return "the mean of decimals keeps their digits in Athena; write 1e0 or CAST to double"
    return None


def _casting(node: exp.Expr) -> str | None:
    source, to = node.this, node.args["to"]
    if to.this in TEXTS and to.expressions:
        return "varchar(n) cuts text in one engine only; use substr"
    if to.this in DECIMALS and not to.expressions:
        return "a decimal needs its digits, as in decimal(18, 2)"
    if to.this in TEXTS and is_kind(source, DOUBLES):
        return "the text of a double differs; CAST to decimal(18, n) first"
    if to.this == exp.DType.JSON and _holds(source, DOUBLES | DECIMALS):
        return "the JSON text of a number differs; CAST to decimal and varchar first"
    if to.this == exp.DType.JSON and source.type is not None and source.type.this in _NESTED:
        return "rows and maps become other JSON; build an array"
    if (
        to.this in INTEGERS
        and family(source) == "unknown"
        and not source.is_type("null")
        # A placeholder's type is known when it is bound; NULL is NULL in any type.
        and not isinstance(source, (exp.Placeholder, exp.Null))
    ):
        return "a type is not known here, and the engines round differently; CAST to double first"
    return None


_NESTED = frozenset({exp.DType.STRUCT, exp.DType.MAP})


def _holds(node: exp.Expr, kinds: frozenset[exp.DType]) -> bool:
    kind = node.type
    if kind is None:
        return False
    return kind.this in kinds or any(
        isinstance(inner, exp.DataType) and inner.this in kinds for inner in kind.expressions
    )


def _dates(node: exp.Expr) -> str | None:
    parts = [node.this, *([node.expression] if isinstance(node, exp.DateDiff) else [])]
    if any(is_kind(p, TEXTS) for p in parts):
        return "text is no date in Athena; write DATE '…' or CAST"
    return None


# ---------------------------------------------------------------- functions


def _bracket(node: exp.Expr) -> str | None:
    if node.args.get("safe"):
        return None
    return "an index out of range fails in one engine only; use element_at"


def _array_distinct(node: exp.Expr) -> str | None:
    if isinstance(node.parent, (exp.ArraySort, exp.ArraySize)):
        return None
    return "the order of the elements differs; put array_sort around it"


def _array_sort(node: exp.Expr) -> str | None:
    return "comparators are not in both engines" if node.expression is not None else None


def _array_join(node: exp.Expr) -> str | None:
    if _holds(node.this, DOUBLES):
        return "the text of a double differs; transform the elements to decimal first"
    return None


def _slice(node: exp.Expr) -> str | None:
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.name != "0":
        return None
    return "a start that is no positive number differs between the engines"


def _replacement(node: exp.Expr) -> str | None:
    text = node.args.get("replacement")
    if text is None or (isinstance(text, exp.Literal) and not set(text.name) & {"$", "\\"}):
        return None
    return "groups are written differently; replace by plain text"


def _three_arguments(node: exp.Expr) -> str | None:
    extra = [k for k in ("position", "occurrence", "limit") if node.args.get(k) is not None]
    return f"the argument {extra[0]} is not in both engines" if extra else None


def _truncate(node: exp.Expr) -> str | None:
    return "digits are not in both engines; use round" if node.args.get("decimals") else None


def _series(node: exp.Expr) -> str | None:
    if is_kind(node.args["start"], DATES) and node.args.get("step") is not None:
        return "steps of dates differ; leave the step out (one day)"
    return None


def _always(message: str) -> Callable[[exp.Expr], str | None]:
    return lambda _: message


def _star(node: exp.Expr) -> str | None:
    if any(node.args.get(k) for k in ("except_", "except", "replace", "rename", "ilike")):
        return "Athena has no * EXCLUDE or REPLACE; name the columns"
    return None


def _distinct(node: exp.Expr) -> str | None:
    return "Athena has no DISTINCT ON; use row_number()" if node.args.get("on") else None


_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)

_RULES: tuple[tuple[type | tuple[type, ...], Callable[[exp.Expr], str | None]], ...] = (
    (_COMPARISONS, _comparison),
    (exp.Between, _between),
    (exp.In, _in),
    (exp.Case, _branches),
    ((exp.Coalesce, exp.Greatest, exp.Least), lambda n: _mismatch(n.this, *n.expressions)),
    ((exp.DPipe, exp.Concat), _texts),
    (exp.Div, _division),
    (exp.Sub, _subtraction),
    (exp.Avg, _average),
    ((exp.Cast, exp.TryCast), _casting),
    ((exp.DateDiff, exp.DateAdd, exp.DateSub, exp.TimestampTrunc), _dates),
    (exp.Bracket, _bracket),
    (exp.ArrayDistinct, _array_distinct),
    (exp.ArraySort, _array_sort),
    (exp.ArrayToString, _array_join),
    (exp.ArraySlice, _slice),
    (exp.RegexpReplace, _replacement),
    ((exp.StrPosition, exp.Split), _three_arguments),
    (exp.Trunc, _truncate),
    (exp.GenerateSeries, _series),
    (exp.AtTimeZone, _always(FUNCTIONS["at_timezone"])),
    (exp.Qualify, _always("Athena has no QUALIFY; filter in an outer SELECT")),
    (exp.ILike, _always("Athena has no ILIKE; use lower(…) LIKE")),
    (exp.Star, _star),
    (exp.Distinct, _distinct),
)
