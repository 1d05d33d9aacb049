"""Names and types of an Athena query: every column's table, every expression's Trino type.

Resolved against the table contracts as Trino would resolve them, where DuckDB is more generous:
no alias is seen in WHERE, GROUP BY or HAVING.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from cashtag.errors import InputError
from cashtag.lake import contracts
from cashtag.warehouse import partitions, trino_types


def annotated(tree: exp.Query, types: Mapping[str, str]) -> exp.Query:
    """Resolve every column to its source and annotate every node with its type.

    `types` are the parameters' Trino types. Raises InputError for unknown tables and columns.
    """
    _check_tables(tree)
    _name_columns(tree)
    _type_parameters(tree, types)
    try:
        tree = qualify(
            tree,
            schema=schema(),
            dialect="athena",
            expand_alias_refs=False,  # Trino knows no aliases in WHERE, GROUP BY or HAVING
            quote_identifiers=True,
        )
    except SqlglotError as error:
        raise InputError(_unresolved(tree, error)) from error
    _resolve_having(tree)
    return annotate_types(
        tree, schema=schema(), dialect="athena", expression_metadata=trino_types.metadata()
    )


@cache
def schema() -> MappingSchema:
    """All contracts as sqlglot's schema, partition columns included."""
    tables: dict[str, object] = {
        name: dict(contract.sql_types()) for name, contract in contracts.contracts().items()
    }
    return MappingSchema(tables, dialect="athena")


def _check_tables(tree: exp.Query) -> None:
    known = contracts.contracts()
    ctes = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.find_all(exp.Table):
        name = node.name.lower()
        if node.args.get("db") or name not in {*known, *ctes}:
            near = get_close_matches(name, [*known, *ctes], n=3) or list(known)
            raise InputError(f"no table {node.sql('athena')!r}; did you mean {', '.join(near)}?")
        node.this.set("this", name)


def _name_columns(tree: exp.Query) -> None:
    """Give columns without a name the one that Athena gives them."""
    for select in tree.find_all(exp.Select):
        for number, column in enumerate(select.expressions):
            if not isinstance(column, (exp.Alias, exp.Column, exp.Star)):
                column.replace(exp.alias_(column.copy(), f"_col{number}"))


def _resolve_having(tree: exp.Query) -> None:
    """Resolve names in HAVING that sqlglot takes for aliases: in Trino they are columns."""
    for scope in traverse_scope(tree):
        having = scope.expression.args.get("having")
        for column in having.find_all(exp.Column) if having else ():
            if column.table:
                continue
            owners = [a for a, source in scope.sources.items() if column.name in _columns(source)]
            if len(owners) != 1:
                raise InputError(_no_column(tree, column.name, ""))
            column.set("table", exp.to_identifier(owners[0], quoted=True))


def _columns(source: exp.Table | Scope) -> list[str]:
    if isinstance(source, exp.Table):
        return list(schema().column_names(source))
    query = source.expression
    return list(query.named_selects) if isinstance(query, (exp.Query, exp.UDTF)) else []


def _type_parameters(tree: exp.Query, types: Mapping[str, str]) -> None:
    for node in list(tree.find_all(exp.Placeholder)):
        if node.args.get("this") is None:
            raise InputError("? has no name; write a parameter as :name")
        kind = types.get(node.name, "unknown")
        # LIMIT and OFFSET take a bare number in both engines; a bound NULL has no type.
        if kind != "unknown" and not node.find_ancestor(exp.Limit, exp.Offset):
            node.replace(exp.cast(node.copy(), exp.DataType.build(kind, dialect="athena")))


def _unresolved(tree: exp.Query, error: Exception) -> str:
    message = str(error).split("\n")[0]
    m = re.search(
        r"(?:Column '\"?(?:[^']*\.)?\"?|Unknown column: )([^'\"]+?)\"?(?:' could not be resolved|$)",
        message,
    )
    if not m:
        return f"SQL: {message}"
    place = re.search(r"Line: (\d+), Col: (\d+)", message)
    return _no_column(tree, m[1], f" (line {place[1]}, column {place[2]})" if place else "")


def _no_column(tree: exp.Query, name: str, where: str) -> str:
    known = sorted({c for t in partitions.names(tree) for c in contracts.contract(t).sql_types()})
    near = get_close_matches(name.lower(), known, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return (
        f"no column {name!r}{where}{hint} "
        "(an alias of the same SELECT can be used in ORDER BY only)"
    )
