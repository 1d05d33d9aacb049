"""Where Trino and DuckDB compute different values: each case rewritten here, or refused.

Works on a tree whose nodes carry Trino's types. Facts about Trino are from its documentation,
facts about DuckDB were measured; each is a row of tests/sql/trino_semantics.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from cashtag.warehouse.macros import WHITESPACE
from cashtag.warehouse.trino_types import DATES, DECIMALS, DOUBLES, INTEGERS, TEXTS, TIMES, is_kind


def to_duckdb(tree: exp.Expr) -> exp.Expr:
    """Rewrite an annotated Athena tree, in place, so that DuckDB computes Trino's values."""
    # Children before parents: a rule sees its operands rewritten, with their types kept.
    for node in reversed(list(tree.bfs())):
        rule = _RULES.get(type(node))
        new = rule(node) if rule else None
        if new is None or new is node:
            continue
        if new.type is None:
            new.type = node.type
        if node is tree:
            tree = new
        else:
            node.replace(new)
    return tree


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments])


def _cast(node: exp.Expr, to: str) -> exp.Expr:
    return exp.Cast(this=node.copy(), to=exp.DataType.build(to, dialect="duckdb"))


def _renamed(name: str) -> Callable[[exp.Expr], exp.Expr]:
    """A rule for a function that only has another name."""
    return lambda node: _call(name, *(node.expressions or [node.this]))


def _around(node: exp.Expr, wrap: Callable[[exp.Expr], exp.Expr]) -> None:
    """Wrap an aggregate together with its FILTER and OVER."""
    whole = node
    while isinstance(whole.parent, (exp.Filter, exp.IgnoreNulls, exp.Window)) and (
        whole.parent.this is whole
    ):
        whole = whole.parent
    kind, parent = whole.type, whole.parent
    if parent is None:
        return
    holder = exp.Paren(this=exp.null())
    whole.replace(holder)
    new = wrap(whole)
    new.type = kind
    holder.replace(new)


# ---------------------------------------------------------------- numbers


def _div(node: exp.Expr) -> exp.Expr | None:
    # Trino divides integers as integers, toward zero; DuckDB's `/` is always a double.
    if is_kind(node.this, INTEGERS) and is_kind(node.expression, INTEGERS):
        return exp.Paren(
            this=exp.IntDiv(this=_operand(node.this), expression=_operand(node.expression))
        )
    # Kept as it is: sqlglot would add a cast of its own to what it takes for typed division.
    node.set("typed", False)
    node.set("safe", False)
    return node


def _operand(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=node.copy()) if isinstance(node, exp.Binary) else node.copy()


def _sum(node: exp.Expr) -> None:
    # DuckDB's sum of integers is a 128-bit integer; Trino's is a bigint, or an overflow.
    if is_kind(node.this, INTEGERS) or isinstance(node, exp.CountIf):
        _around(node, lambda whole: exp.Cast(this=whole, to=exp.DataType.build("bigint")))


def _finite(node: exp.Expr) -> None:
    # Without variance Trino's correlation and slope are NULL, DuckDB's NaN.
    def wrap(whole: exp.Expr) -> exp.Expr:
        return exp.Case(ifs=[exp.If(this=_call("isfinite", whole), true=whole.copy())])

    _around(node, wrap)


def _sign(node: exp.Expr) -> exp.Expr:
    kind = node.this.type
    return _cast(node, kind.sql("duckdb")) if kind is not None else node


def _whole(node: exp.Expr) -> exp.Expr | None:
    # An integer is its own floor and ceiling; DuckDB makes it a double.
    return exp.Paren(this=node.this.copy()) if is_kind(node.this, INTEGERS) else None


# ---------------------------------------------------------------- casts


def _casting(node: exp.Expr) -> exp.Expr | None:
    source, to = node.this, node.args["to"]
    target = to.this
    if target in INTEGERS and (is_kind(source, DOUBLES) or is_kind(source, DECIMALS)):
        # Halves go away from zero in Trino, to the even neighbour in DuckDB.
        node.set("this", exp.Round(this=source.copy()))
    elif target in INTEGERS and is_kind(source, TEXTS):
        # '1.5' is no integer in Trino; DuckDB rounds it.
        node.set("this", _call("whole_number", source))
    elif target in DECIMALS and is_kind(source, DOUBLES):
        # Trino rounds the shortest decimal text of the double; DuckDB its binary value.
        node.set("this", _cast(source, "varchar"))
    elif target in TEXTS and is_kind(source, TIMES - DATES):
        return _call("strftime", source, exp.Literal.string("%Y-%m-%d %H:%M:%S.%g"))
    elif target == exp.DType.JSON:
        return _call("to_json", source)
    elif target in TIMES and to.expressions:
        node.set("to", exp.DataType.build("timestamp"))
    return node


# ---------------------------------------------------------------- dates


def _date_diff(node: exp.Expr) -> exp.Expr:
    # Trino counts complete units, as DuckDB's date_sub does; its date_diff counts boundaries.
    start, end = node.expression, node.this
    if is_kind(start, DATES) != is_kind(end, DATES):
        start, end = _cast(start, "timestamp"), _cast(end, "timestamp")
    return _call("date_sub", exp.Literal.string(node.text("unit").lower()), start, end)


def _stays_date(node: exp.Expr) -> exp.Expr | None:
    # A date plus an interval, or truncated, is a timestamp in DuckDB.
    return _cast(node, "date") if is_kind(node.this, DATES) else None


def _moved(node: exp.Expr) -> exp.Expr | None:
    moves = isinstance(node.expression, exp.Interval) and is_kind(node.this, DATES)
    return _cast(node, "date") if moves else None


# ---------------------------------------------------------------- text and JSON


def _trim(node: exp.Expr) -> exp.Expr:
    if node.expression is None:
        node.set("expression", exp.Literal.string(WHITESPACE))
    return node


def _substring(node: exp.Expr) -> exp.Expr | None:
    start, length = node.args.get("start"), node.args.get("length")
    if start is None or all(_positive(n) for n in (start, length) if n is not None):
        return None
    if length is None:
        return _call("trino_substr", node.this, start)
    return _call("trino_substr_n", node.this, start, length)


def _positive(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and node.name != "0"


def _json_text(node: exp.Expr) -> exp.Expr:
    return _cast(node.this, "varchar")


def _json_scalar(node: exp.Expr) -> exp.Expr:
    path = exp.Literal.string(node.expression.sql("duckdb").strip("'"))
    return _call("trino_json_extract_scalar", node.this, path)


# ---------------------------------------------------------------- arrays


def _slice(node: exp.Expr) -> exp.Expr:
    start, length = node.args["start"], node.args["end"]
    last = exp.Sub(
        this=exp.Add(this=start.copy(), expression=exp.Paren(this=length.copy())),
        expression=exp.Literal.number(1),
    )
    return _call("array_slice", node.this, start, last)


def _position(node: exp.Expr) -> exp.Expr:
    found = _call("list_position", node.this, node.expression)
    kept = exp.Case(
        ifs=[exp.If(this=exp.Is(this=node.this.copy(), expression=exp.null()), true=exp.null())],
        default=exp.Coalesce(this=found, expressions=[exp.Literal.number(0)]),
    )
    return _cast(kept, "bigint")


def _series(node: exp.Expr) -> exp.Expr | None:
    start, end = node.args["start"], node.args["end"]
    if not is_kind(start, DATES) or node.args.get("step") is not None:
        return None
    day = exp.Interval(this=exp.Literal.string("1"), unit=exp.var("DAY"))
    return _cast(_call("generate_series", start, end, day), "date[]")


def _anonymous(node: exp.Expr) -> exp.Expr | None:
    rule = _NAMES.get(node.name.lower())
    return rule(node) if rule else None


_NAMES: Mapping[str, Callable[[exp.Expr], exp.Expr]] = {
    "every": _renamed("bool_and"),
    "is_finite": _renamed("isfinite"),
    "is_infinite": _renamed("isinf"),
    "infinity": lambda _: _cast(exp.Literal.string("inf"), "double"),
    "nan": lambda _: _cast(exp.Literal.string("nan"), "double"),
    "e": lambda _: _call("exp", exp.Literal.number(1)),
}

_RULES: Mapping[type[exp.Expr], Callable[[exp.Expr], exp.Expr | None]] = {
    exp.Anonymous: _anonymous,
    exp.Div: _div,
    exp.Sum: _sum,
    exp.CountIf: _sum,
    exp.Corr: _finite,
    exp.RegrSlope: _finite,
    exp.RegrIntercept: _finite,
    exp.Sign: _sign,
    exp.Ceil: _whole,
    exp.Floor: _whole,
    exp.Cast: _casting,
    exp.TryCast: _casting,
    exp.DateDiff: _date_diff,
    exp.DateAdd: _stays_date,
    exp.DateSub: _stays_date,
    exp.TimestampTrunc: _stays_date,
    exp.DateTrunc: _stays_date,
    exp.Add: _moved,
    exp.Sub: _moved,
    exp.ArgMax: lambda node: _call("arg_max_null", node.this, node.expression),
    exp.ArgMin: lambda node: _call("arg_min_null", node.this, node.expression),
    exp.Trim: _trim,
    exp.Substring: _substring,
    exp.JSONFormat: _json_text,
    exp.JSONExtractScalar: _json_scalar,
    exp.ArraySlice: _slice,
    exp.ArrayPosition: _position,
    exp.ArrayContains: lambda node: _call("trino_contains", node.this, node.expression),
    exp.GenerateSeries: _series,
}
