"""The rules for SQL files, as findings: what Athena and DuckDB must agree on, and what must last.

Run over glue/sql (models), glue/checks and glue/queries. A finding names the file, the line, the
rule and the remedy; an empty list is a clean file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cashtag.errors import InputError
from cashtag.lake import contracts
from cashtag.warehouse import dialect, partitions, sql
from cashtag.warehouse.sql import Query

if TYPE_CHECKING:
    from sqlglot import exp

# Functions that no file may use, with the reason or the remedy. Those that no query at all may
# use are in `refusals`.
FORBIDDEN: Mapping[str, str] = {
    "now": "derived data has no clock; take a parameter",
    "current_timestamp": "derived data has no clock; take a parameter",
    "rand": "derived data has no chance",
    "random": "derived data has no chance",
    "shuffle": "derived data has no chance",
    "uuid": "derived data has no chance",
    "approx_distinct": "count(DISTINCT …) is exact",
    "approx_percentile": "the engines approximate differently",
    "approx_most_frequent": "the engines approximate differently",
    "map_agg": "maps do not survive results; use rows or JSON text",
    "multimap_agg": "maps do not survive results; use rows or JSON text",
    "histogram": "maps do not survive results; use GROUP BY",
    "format_datetime": "DuckDB has none; CAST to varchar",
    "date_format": "CAST to varchar, or keep dates as dates",
    "date_parse": "the lake holds dates and timestamps",
    "from_iso8601_timestamp": "the lake holds timestamps in UTC",
    "from_unixtime": "gives a timestamp with time zone; the lake holds timestamps in UTC",
}
# Functions whose values are the same in both engines: each is in tests/sql/trino_semantics.yaml.
KNOWN: frozenset[str] = frozenset(
    "abs array_agg array_distinct array_join array_max array_min array_position array_sort avg "  # noqa: SIM905
    "bool_and bool_or cardinality cast ceil ceiling chr coalesce concat concat_ws contains corr "
    "count count_if covar_pop covar_samp cume_dist date date_add date_diff date_trunc day "
    "day_of_week day_of_year dense_rank dow e element_at every exp extract filter first_value "
    "floor greatest hour if infinity is_finite is_infinite is_nan json_extract_scalar json_format "
    "json_parse lag last_day_of_month last_value lead least length levenshtein_distance listagg "
    "ln log10 log2 lower lpad ltrim max max_by min min_by minute mod month nan normal_cdf ntile "
    "nullif percent_rank pi position pow power quarter rank regexp_like regexp_replace "
    "regr_intercept regr_slope replace round row_number rtrim sequence sign slice split sqrt "
    "starts_with stddev stddev_pop stddev_samp strpos substr substring sum to_unixtime transform "
    "trim truncate try try_cast unnest upper var_pop var_samp variance week year "
    "year_of_week".split()
)
# Words before a parenthesis that are no functions.
_KEYWORDS: frozenset[str] = frozenset(
    "all and any array as between by case char decimal distinct else except exists filter from "  # noqa: SIM905
    "group having in intersect interval join limit not offset on or order over partition row "
    "select some then timestamp union using values varchar when where with".split()
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule."""

    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message}"


def lint_all() -> list[Finding]:
    """Return the findings of every file of glue/sql, glue/checks and glue/queries."""
    kinds: tuple[sql.Kind, ...] = ("sql", "checks", "queries")
    return [
        finding
        for kind in kinds
        for name in sql.names(kind)
        for finding in lint(sql.load(kind, name))
    ]


def lint(query: Query) -> list[Finding]:
    """Return the findings of one file, by line."""
    file = f"glue/{query.kind}/{query.name}.sql"
    found = [Finding(file, *where) for where in _header(query)]
    try:
        tree = typed(query.text)
    except InputError as error:
        return [*found, Finding(file, 1, "statement", str(error))]
    rules: tuple[Callable[[Query, exp.Query], Iterator[tuple[int, str, str]]], ...] = (
        _partitions,
        _outputs,
        _functions,
        _types,
        _row_order,
    )
    found += [Finding(file, *where) for rule in rules for where in rule(query, tree)]
    return sorted(found, key=lambda f: (f.line, f.rule, f.message))


def typed(text: str) -> exp.Query:
    """Parse, resolve and annotate a text whose parameters have no values yet."""
    from cashtag.warehouse import resolve

    return resolve.annotated(dialect.parse(text), parameter_types(text))


def parameter_types(text: str) -> dict[str, str]:
    """Return the Trino types of the parameters, as far as their places tell.

    A parameter has the type of the column that it is compared with, or of the cast around it; in
    arithmetic it is a double. Any other is left out.
    """
    from sqlglot import exp

    from cashtag.warehouse import resolve

    tree = resolve.annotated(dialect.parse(text), {})
    types: dict[str, str] = {}
    unclear: set[str] = set()
    for node in tree.find_all(exp.Placeholder):
        kind = _expected(node)
        if kind is not None:
            types.setdefault(node.name, kind)
        elif isinstance(node.parent, (exp.Binary, exp.Func, exp.Neg, exp.Paren, exp.If)):
            unclear.add(node.name)
    return {**dict.fromkeys(unclear, "double"), **types}


def _expected(node: exp.Expr) -> str | None:
    from sqlglot import exp

    parent = node.parent
    if isinstance(parent, exp.Cast):
        return str(parent.to.sql("athena"))
    if isinstance(parent, (exp.Binary, exp.Between, exp.In)) and isinstance(
        parent, (exp.Predicate, exp.In)
    ):
        for other in parent.iter_expressions():
            known = other.type if other is not node else None
            if known is not None and known.this not in {exp.DType.UNKNOWN, exp.DType.NULL}:
                return str(known.sql("athena"))
    return None


# ---------------------------------------------------------------- rules


def _header(query: Query) -> Iterator[tuple[int, str, str]]:
    lines = query.text.splitlines()
    if not query.grain:
        yield 1, "grain", "the first line must be a comment that says “One row per (…)”"
    if query.kind == "checks" and query.level is None:
        yield 1, "level", "a check's first line must start with “-- fail:” or “-- warn:”"
    if len(lines) < 2 or not lines[1].startswith("-- Reads "):
        yield 2, "reads", "the second line must be “-- Reads …”: which tables, which partitions"


def _partitions(_: Query, tree: exp.Query) -> Iterator[tuple[int, str, str]]:
    for node, bounds in partitions.tables(tree):
        if not bounds.closed:
            key = contracts.contract(node.name).partition
            yield (
                _line(node),
                "partition",
                f"{node.name} is read without both ends of {key}: "
                f"write {key} BETWEEN :first AND :last beside it",
            )


def _outputs(query: Query, tree: exp.Query) -> Iterator[tuple[int, str, str]]:
    from sqlglot import exp

    if query.kind != "sql":
        return
    if query.name not in contracts.contracts():
        yield 1, "output", f"no contract glue/tables/{query.name}.yaml for this file's result"
        return
    contract = contracts.contract(query.name)
    wanted = {c.name: contract.sql_types()[c.name] for c in contract.columns}
    missing = [name for name in wanted if name not in tree.named_selects]
    if missing:
        yield 1, "output", f"columns of the contract are missing: {', '.join(missing)}"
    for projection in tree.selects:
        name, value = projection.alias_or_name, projection.unalias()
        if name not in wanted:
            yield _line(projection), "output", f"{name} is not in the contract"
        elif not isinstance(value, exp.Cast) or value.to != exp.DataType.build(
            wanted[name], dialect="athena"
        ):
            yield _line(projection), "output", f"write CAST(… AS {wanted[name]}) AS {name}"


def _functions(query: Query, tree: exp.Query) -> Iterator[tuple[int, str, str]]:
    from sqlglot import exp

    from cashtag.warehouse import refusals

    names = {cte.alias_or_name for cte in tree.find_all(exp.CTE)} | _KEYWORDS
    for name, line in dialect.functions(query.text).items():
        reason = FORBIDDEN.get(name) or refusals.FUNCTIONS.get(name)
        if reason:
            yield line, "function", f"{name}: {reason}"
        elif name not in KNOWN | names:
            yield (
                line,
                "function",
                f"{name} is not known to be the same in both engines: "
                "add its facts to tests/sql/trino_semantics.yaml and its name to KNOWN",
            )
    clocks = (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime, exp.Localtimestamp)
    for node in tree.find_all(*clocks, exp.TableSample):
        message = "chance" if isinstance(node, exp.TableSample) else "clock; take a parameter"
        yield _line(node), "function", f"{node.sql('athena')}: derived data has no {message}"


def _types(_: Query, tree: exp.Query) -> Iterator[tuple[int, str, str]]:
    from sqlglot import exp

    from cashtag.warehouse import refusals
    from cashtag.warehouse.trino_types import INTEGERS, is_kind

    for node, message in refusals.found(tree):
        yield _line(node), "types", message
    for node in tree.find_all(exp.Div):
        if is_kind(node.left, INTEGERS) and is_kind(node.right, INTEGERS):
            yield (
                _line(node),
                "division",
                f"{refusals.short(node)} divides integers; CAST the dividend to double",
            )


def _row_order(_: Query, tree: exp.Query) -> Iterator[tuple[int, str, str]]:
    from cashtag.warehouse import refusals, row_order

    for node, message in row_order.found(tree):
        yield _line(node), "row-order", f"{refusals.short(node)}: {message}"


def _line(node: exp.Expr) -> int:
    """Line of the first token that remembers one, in the node or around it."""
    around: exp.Expr | None = node
    while around is not None:
        lines = [n.meta["line"] for n in around.walk() if "line" in n.meta]
        if lines:
            return int(min(lines))
        around = around.parent
    return 1
