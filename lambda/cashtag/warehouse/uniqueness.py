"""Which columns tell the rows of a query apart, as far as its text proves it.

Starts from the contracts' keys and follows them through joins, GROUP BY, DISTINCT and
`row_number() = 1`. A column is an item `source.column`; a key is a set of items. An empty list
of keys means that nothing could be proved; the empty key means that there is one row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from cashtag.lake import contracts

Key = frozenset[str]


@dataclass(frozen=True)
class Rows:
    """What is known of the rows of a SELECT before its projection.

    `constants` have one value in all rows; `equal` maps an item to those that always have its
    value.
    """

    keys: tuple[Key, ...]
    constants: Key = frozenset()
    equal: dict[str, set[str]] = field(default_factory=dict)

    def told_apart_by(self, items: set[str]) -> bool | None:
        """Say whether rows with equal `items` are one row; None when it cannot be decided."""
        if not self.keys:
            return None
        known = set(items) | self.constants
        for item in items:
            known |= self.equal.get(item, set())
        return any(key <= known for key in self.keys)


def rows(scope: Scope, *, grouped: bool = True) -> Rows:
    """Return what is known of a SELECT's rows after FROM, WHERE and, if `grouped`, GROUP BY."""
    select = scope.expression
    if not isinstance(select, exp.Select):
        return Rows(())
    conditions = list(_conjuncts(select.args.get("where")))
    constants = {item for c in conditions if (item := _constant(c))}
    equal: dict[str, set[str]] = {}
    keys = _from(scope, select, constants, equal)
    for condition in conditions:
        _note_equal(condition, equal, both=True)
        first = _first_of(condition, scope)
        if first is not None:
            keys.append(first)
    group = select.args.get("group")
    if not grouped:
        pass
    elif group is not None:
        # Other forms (ROLLUP, GROUPING SETS) repeat their columns.
        plain = not any(group.args.get(k) for k in ("rollup", "cube", "grouping_sets"))
        keys = [frozenset(_item(e) for e in group.expressions)] if plain else []
    elif _aggregates(select):
        keys = [frozenset()]
    reduced = tuple({key - constants for key in keys})
    return Rows(reduced, frozenset(constants), equal)


def output_keys(scope: Scope) -> list[Key]:
    """Return the keys of a query's result, as sets of its column names."""
    query = scope.expression
    if isinstance(query, exp.Union):
        names = frozenset(query.named_selects)
        return [names] if query.args.get("distinct") else []
    if not isinstance(query, exp.Select):
        return []
    known = rows(scope)
    names_of: dict[str, set[str]] = {}
    for projection in query.selects:
        names_of.setdefault(_item(projection.unalias()), set()).add(projection.alias_or_name)
    found: list[Key] = []
    for key in known.keys:
        chosen = []
        for item in key:
            same = {item, *known.equal.get(item, set())}
            chosen.append(next((min(names_of[i]) for i in sorted(same) if i in names_of), None))
        if None not in chosen:
            found.append(frozenset(name for name in chosen if name))
    if query.args.get("distinct"):
        found.append(frozenset(query.named_selects))
    for name, partition in _numbered(query):
        found.append(partition | {name})
    return found


def _numbered(select: exp.Select) -> Iterator[tuple[str, Key]]:
    """Each row_number() of a projection: its name, and its partition's columns by theirs."""
    names = {_item(p.unalias()): p.alias_or_name for p in select.selects}
    for projection in select.selects:
        window = projection.unalias()
        if isinstance(window, exp.Window) and isinstance(window.this, exp.RowNumber):
            partition = [names.get(_item(e)) for e in window.args.get("partition_by") or []]
            if None not in partition:
                yield projection.alias_or_name, frozenset(name for name in partition if name)


def items(*nodes: exp.Expr) -> set[str]:
    """Items of expressions that are columns, or that a GROUP BY may name."""
    return {_item(node) for node in nodes}


# ---------------------------------------------------------------- FROM


def _from(
    scope: Scope, select: exp.Select, constants: set[str], equal: dict[str, set[str]]
) -> list[Key]:
    source = select.args.get("from_") or select.args.get("from")
    if source is None:
        return [frozenset()]
    keys = _source_keys(scope, source.this.alias_or_name)
    for join in select.args.get("joins") or []:
        alias = join.this.alias_or_name
        keys = _joined(keys, _source_keys(scope, alias), join, alias, constants, equal)
    return keys


def _joined(
    left: list[Key],
    right: list[Key],
    join: exp.Join,
    alias: str,
    constants: set[str],
    equal: dict[str, set[str]],
) -> list[Key]:
    if isinstance(join.this, exp.Unnest):
        place = _ordinality(join.this)
        return [key | {f"{alias}.{place}"} for key in left] if place else []
    if join.side in {"FULL", "RIGHT"} or join.args.get("using"):
        return []
    on = list(_conjuncts(join.args.get("on")))
    here: set[str] = set(constants)
    there: set[str] = set(constants)
    for condition in on:
        pair = _pair(condition)
        if pair:
            mine = [i for i in pair if i.startswith(f"{alias}.")]
            others = [i for i in pair if not i.startswith(f"{alias}.")]
            here |= set(mine)
            there |= set(others)
        elif (item := _constant(condition)) and item.startswith(f"{alias}."):
            here.add(item)
        _note_equal(condition, equal, both=not join.side)
    found: list[Key] = []
    if any(key <= here for key in right):
        found += left  # at most one row of the joined side for each
    if any(key <= there for key in left) and not join.side:
        found += right
    return found or [a | b for a in left for b in right]


def _ordinality(unnest: exp.Unnest) -> str | None:
    """Name of the column that WITH ORDINALITY adds, the last one of the alias."""
    offset = unnest.args.get("offset")
    if isinstance(offset, exp.Expr):
        return offset.name
    names = unnest.alias_column_names
    return names[-1] if offset and len(names) > len(unnest.expressions) else None


def _source_keys(scope: Scope, alias: str) -> list[Key]:
    source = scope.sources.get(alias)
    if isinstance(source, Scope):
        return [frozenset(f"{alias}.{name}" for name in key) for key in output_keys(source)]
    if isinstance(source, exp.Table) and source.name in contracts.contracts():
        contract = contracts.contract(source.name)
        return [frozenset(f"{alias}.{name}" for name in (*contract.key, contract.partition))]
    return []


# ---------------------------------------------------------------- conditions


def _conjuncts(node: exp.Expr | None) -> Iterator[exp.Expr]:
    if node is None:
        return
    whole = node.this if isinstance(node, exp.Where) else node
    for part in whole.flatten() if isinstance(whole, exp.And) else [whole]:
        yield part.unnest()


def _pair(condition: exp.Expr) -> tuple[str, str] | None:
    if not isinstance(condition, exp.EQ):
        return None
    sides = condition.left.unnest(), condition.right.unnest()
    if all(isinstance(side, exp.Column) for side in sides):
        return _item(sides[0]), _item(sides[1])
    return None


def _constant(condition: exp.Expr) -> str | None:
    if not isinstance(condition, exp.EQ):
        return None
    for side, other in (
        (condition.left.unnest(), condition.right),
        (condition.right.unnest(), condition.left),
    ):
        if isinstance(side, exp.Column) and not other.find(exp.Column, exp.Query):
            return _item(side)
    return None


def _note_equal(condition: exp.Expr, equal: dict[str, set[str]], *, both: bool) -> None:
    pair = _pair(condition)
    if pair and both:
        a, b = pair
        group = {a, b} | equal.get(a, set()) | equal.get(b, set())
        for item in group:
            equal[item] = group


def _first_of(condition: exp.Expr, scope: Scope) -> Key | None:
    """`r = 1` where r is a row_number() of a source: its partition's columns are a key."""
    if not isinstance(condition, exp.EQ) or condition.right.sql() != "1":
        return None
    column = condition.left.unnest()
    if not isinstance(column, exp.Column):
        return None
    source = scope.sources.get(column.table)
    if not isinstance(source, Scope) or not isinstance(source.expression, exp.Select):
        return None
    for name, partition in _numbered(source.expression):
        if name == column.name:
            return frozenset(f"{column.table}.{other}" for other in partition)
    return None


def _aggregates(select: exp.Select) -> bool:
    return any(
        node.find_ancestor(exp.Select) is select
        and not isinstance(node.parent, exp.Window)
        and not (isinstance(node.parent, exp.Filter) and isinstance(node.parent.parent, exp.Window))
        for projection in select.selects
        for node in projection.find_all(exp.AggFunc)
    )


def _item(node: exp.Expr) -> str:
    node = node.unnest()
    while isinstance(node, exp.Cast):
        node = node.this.unnest()  # a cast to the contract's type keeps rows apart
    if isinstance(node, exp.Column):
        return f"{node.table}.{node.name}"
    return node.sql()
