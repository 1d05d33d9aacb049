"""Which partitions a query reads: the dates its predicates allow, worked out before any file opens.

A predicate on a table's partition column binds it when it is a conjunct of the same SELECT's
WHERE, or of an ON where it cannot keep rows of that table alive (inner joins, the joined side of
a LEFT JOIN): `=`, IN, BETWEEN and comparisons with constants. Anything else leaves the table
unbound and all its partitions are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from cashtag.lake import contracts, layout
from cashtag.lake.contracts import Contract
from cashtag.ports import SqlValue, Store

if TYPE_CHECKING:
    from sqlglot import exp

# A window of more dates than this is answered by listing the table instead of asking for each.
MOST_PROBES = 1500

Place = Literal["lower", "upper", "among"]


@dataclass(frozen=True, slots=True)
class Term:
    """A constant of a predicate: a date, a parameter's name, or DuckDB text to evaluate."""

    value: date | None = None
    parameter: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """All terms that hold at once. Without any, the table is unbound."""

    lower: tuple[Term, ...] = ()
    upper: tuple[Term, ...] = ()
    among: tuple[tuple[Term, ...], ...] = ()

    @property
    def closed(self) -> bool:
        """Both ends are bound, so that the cost cannot grow with history."""
        return bool(self.among) or bool(self.lower and self.upper)


@dataclass(slots=True)
class _Collected:
    lower: list[Term] = field(default_factory=list)
    upper: list[Term] = field(default_factory=list)
    among: list[tuple[Term, ...]] = field(default_factory=list)


def tables(tree: exp.Query) -> list[tuple[exp.Table, Bounds]]:
    """Return every reading of a lake's table in a qualified tree, with its partition's bounds."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    known = contracts.contracts()
    found: list[tuple[exp.Table, Bounds]] = []
    for scope in traverse_scope(tree):
        sources = {
            alias: source
            for alias, source in scope.sources.items()
            if isinstance(source, exp.Table)
        }
        own = {id(node) for node in scope.tables}
        for alias, node in sources.items():
            if id(node) in own and node.name in known:
                partition = known[node.name].partition
                found.append((node, _bounds(scope.expression, alias, partition)))
    return found


def names(tree: exp.Query) -> set[str]:
    """Names of the lake's tables that the tree mentions."""
    from sqlglot import exp

    known = contracts.contracts()
    return {node.name for node in tree.find_all(exp.Table)} & set(known)


def _bounds(select: exp.Expr, alias: str, partition: str) -> Bounds:
    from sqlglot import exp

    got = _Collected()
    for condition in _conditions(select, alias):
        for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            _collect(part.unnest(), alias, partition, got)
    return Bounds(tuple(got.lower), tuple(got.upper), tuple(got.among))


def _conditions(select: exp.Expr, alias: str) -> Iterator[exp.Expr]:
    where = select.args.get("where")
    if where:
        yield where.this
    for join in select.args.get("joins") or []:
        on = join.args.get("on")
        if on is None:
            continue
        inner = not join.side
        if inner or (join.side == "LEFT" and join.this.alias_or_name == alias):
            yield on


def _collect(part: exp.Expr, alias: str, partition: str, got: _Collected) -> None:
    from sqlglot import exp

    def is_key(node: exp.Expr | None) -> bool:
        return isinstance(node, exp.Column) and node.table == alias and node.name == partition

    if isinstance(part, exp.Between) and is_key(part.this):
        low, high = _term(part.args["low"]), _term(part.args["high"])
        got.lower += [low] if low else []
        got.upper += [high] if high else []
    elif isinstance(part, exp.In) and is_key(part.this) and part.expressions:
        terms = [_term(e) for e in part.expressions]
        if all(terms):
            got.among.append(tuple(t for t in terms if t))
    elif isinstance(part, (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE)):
        left, right = part.left.unnest(), part.right.unnest()
        flipped = is_key(right)
        if not flipped and not is_key(left):
            return
        term = _term(left if flipped else right)
        if term is None:
            return
        if isinstance(part, exp.EQ):
            got.among.append((term,))
        elif isinstance(part, (exp.GT, exp.GTE)) != flipped:
            got.lower.append(term)
        else:
            got.upper.append(term)


def _term(node: exp.Expr) -> Term | None:
    from sqlglot import exp

    from cashtag.warehouse import rewrites

    node = node.unnest()
    if node.find(exp.Column, exp.Query):
        return None
    if isinstance(node, exp.Placeholder):
        return Term(parameter=node.name)
    if isinstance(node, exp.Cast) and node.is_type("date"):
        inner = node.this
        if isinstance(inner, exp.Placeholder):
            return Term(parameter=inner.name)
        if isinstance(inner, exp.Literal) and inner.is_string:
            try:
                return Term(value=date.fromisoformat(inner.name))
            except ValueError:
                pass  # DuckDB names the bad date when it evaluates the text
    return Term(text=rewrites.to_duckdb(node.copy()).sql("duckdb"))


def key(contract: Contract, partition: date) -> str:
    """Key of a table's object in its zone."""
    keys = {"enriched": layout.enriched, "signals": layout.signals, "ledger": layout.ledger}
    return keys[contract.zone](contract.name, partition)


def objects(
    contract: Contract,
    store: Store,
    bounds: Bounds,
    params: Mapping[str, SqlValue],
    evaluate: Callable[[str, Mapping[str, SqlValue]], date | None],
) -> list[str]:
    """Return the keys of the objects that a scan must open, oldest first.

    `evaluate` computes DuckDB text of a constant as a date. Dates are asked for one by one, so
    that the cost of a bound scan is that of its window, not of the table's history.
    """

    def value(term: Term) -> date | None:
        if term.value is not None:
            return term.value
        if term.parameter is not None:
            given = params[term.parameter]
            return given if isinstance(given, date) and not isinstance(given, datetime) else None
        return evaluate(term.text or "NULL", params)

    low = [value(t) for t in bounds.lower]
    high = [value(t) for t in bounds.upper]
    sets = [{value(t) for t in group} for group in bounds.among]
    if None in low or None in high:
        return []  # compared with NULL nothing holds
    first = max((d for d in low if d), default=None)
    last = min((d for d in high if d), default=None)

    def inside(day: date) -> bool:
        return (first is None or first <= day) and (last is None or day <= last)

    if sets:
        days = {d for d in set.intersection(*sets) if d and inside(d)}
        return [k for d in sorted(days) if store.exists(k := key(contract, d))]
    if first and last and (last - first).days < MOST_PROBES:
        return [k for d in _days(first, last) if store.exists(k := key(contract, d))]
    return [k for d, k in _listed(contract, store) if inside(d)]


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def _listed(contract: Contract, store: Store) -> Iterator[tuple[date, str]]:
    for info in store.list(f"{contract.name}/{contract.partition}="):
        text = info.key.split("/")[1].partition("=")[2]
        try:
            day = date.fromisoformat(text)
        except ValueError:
            continue  # a foreign object is no partition
        if info.key == key(contract, day):
            yield day, info.key
