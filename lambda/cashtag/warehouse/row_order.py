"""Lint: a row that is picked, is picked by a total order, so that every run picks the same one."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from cashtag.lake import contracts
from cashtag.warehouse import uniqueness
from cashtag.warehouse.uniqueness import Rows

# Functions whose value depends on which of two equal rows comes first. rank() and its relatives
# give equal rows equal values.
_POSITIONAL = (
    exp.RowNumber,
    exp.FirstValue,
    exp.LastValue,
    exp.NthValue,
    exp.Lag,
    exp.Lead,
    exp.Ntile,
)


def found(tree: exp.Expr) -> Iterator[tuple[exp.Expr, str]]:
    """Yield each expression of an annotated tree that picks among equal rows, and why."""
    for scope in traverse_scope(tree):
        select = scope.expression
        if isinstance(select, exp.Select):
            for node in _own(select):
                message = _message(node, select, scope)
                if message:
                    yield node, message
        if isinstance(select, (exp.Select, exp.Union)) and select.args.get("limit") is not None:
            message = _limit(scope)
            if message:
                yield select.args["limit"], message


def _own(select: exp.Select) -> Iterator[exp.Expr]:
    for node in select.find_all(
        exp.Window, exp.ArrayAgg, exp.GroupConcat, exp.ArgMax, exp.ArgMin, exp.AnyValue
    ):
        if node.find_ancestor(exp.Select) is select:
            yield node


def _message(node: exp.Expr, select: exp.Select, scope: Scope) -> str | None:
    if isinstance(node, exp.AnyValue):
        return "any row may give its value; use max, or max_by with a tie-breaker"
    if isinstance(node, exp.Window):
        return _window(node, select, uniqueness.rows(scope))
    before = uniqueness.rows(scope, grouped=False)
    grouped = _grouped(select)
    if isinstance(node, (exp.ArgMax, exp.ArgMin)):
        return _judge(before, [node.expression], grouped, "max_by and min_by")
    order, value = _ordered(node)
    if not order:
        return "without ORDER BY its elements come in any order"
    if value is not None and uniqueness.items(value) & uniqueness.items(*order):
        return None  # equal elements may change places unseen
    return _judge(before, order, grouped, "ORDER BY")


def _window(node: exp.Window, select: exp.Select, known: Rows) -> str | None:
    spec = node.args.get("spec")
    by_rows = spec is not None and str(spec.args.get("kind", "")).upper() == "ROWS"
    function = node.this.this if isinstance(node.this, exp.IgnoreNulls) else node.this
    if not by_rows and not isinstance(function, _POSITIONAL):
        return None
    whole = spec is not None and {spec.args.get("start"), spec.args.get("end")} == {"UNBOUNDED"}
    if whole and not isinstance(function, _POSITIONAL):
        return None
    named = node.args.get("alias")
    if named is not None:
        node = next((w for w in select.args.get("windows") or [] if w.name == named.name), node)
    order = node.args.get("order")
    if order is None:
        return "OVER needs an ORDER BY"
    keys = [o.this for o in order.expressions]
    picked = function.this if isinstance(function, (exp.FirstValue, exp.LastValue)) else None
    if picked is not None and uniqueness.items(picked) <= uniqueness.items(*keys):
        return None
    return _judge(known, keys, node.args.get("partition_by") or [], "OVER (ORDER BY …)")


def _limit(scope: Scope) -> str | None:
    query = scope.expression
    limit = query.args["limit"]
    if limit.expression is not None and limit.expression.sql() == "1" and _one_row(scope):
        return None
    order = query.args.get("order")
    if order is None:
        return "LIMIT needs an ORDER BY"
    keys = uniqueness.output_keys(scope)
    chosen = {
        o.this.unnest().name for o in order.expressions if isinstance(o.this.unnest(), exp.Column)
    }
    if any(key <= chosen for key in keys):
        return None
    if isinstance(query, exp.Select):
        aliases = {p.alias_or_name: p.unalias() for p in query.selects}
        behind = [aliases.get(o.this.unnest().name, o.this) for o in order.expressions]
        return _judge(uniqueness.rows(scope), behind, [], "LIMIT's ORDER BY")
    if keys:
        return _ties("LIMIT's ORDER BY", keys)
    return None if chosen & _identifying() else "LIMIT's ORDER BY has no tie-breaker"


def _one_row(scope: Scope) -> bool:
    return frozenset() in uniqueness.output_keys(scope)


def _judge(known: Rows, order: list[exp.Expr], partition: list[exp.Expr], what: str) -> str | None:
    columns = uniqueness.items(*order, *partition)
    answer = known.told_apart_by(columns)
    if answer:
        return None
    if answer is None:
        # Nothing is proved about these rows: ask for at least one column that identifies.
        return (
            None
            if {c.split(".")[-1] for c in columns} & _identifying()
            else (f"{what} has no tie-breaker; end it with a column that tells rows apart")
        )
    return _ties(what, list(known.keys))


def _ties(what: str, keys: list[frozenset[str]]) -> str:
    wanted = " or ".join(sorted("(" + ", ".join(sorted(k)) + ")" for k in keys))
    return f"{what} leaves ties: rows are told apart by {wanted}"


def _identifying() -> set[str]:
    return {name for contract in contracts.contracts().values() for name in contract.key}


def _ordered(node: exp.Expr) -> tuple[list[exp.Expr], exp.Expr | None]:
    inner = node.this
    if isinstance(node.parent, exp.WithinGroup):
        order = node.parent.expression
        return [o.this for o in order.expressions], inner
    if isinstance(inner, exp.Order):
        value = inner.this
        if isinstance(value, exp.Distinct):
            value = value.expressions[0]
        return [o.this for o in inner.expressions], value
    return [], inner


def _grouped(select: exp.Select) -> list[exp.Expr]:
    group = select.args.get("group")
    return list(group.expressions) if group is not None else []
