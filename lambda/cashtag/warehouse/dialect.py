"""Athena's SQL to DuckDB's, typed: parsed, resolved against the table contracts, rewritten.

sqlglot parses, qualifies every column and annotates every type; `rewrites` then changes what the
two engines compute differently, or refuses it. Text that Athena would not accept is refused
here too: other statements than SELECT, unknown tables and columns, aliases in WHERE or GROUP BY.
A translation depends only on the text and on the types of its parameters, and is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from cashtag.errors import InputError
from cashtag.lake import contracts
from cashtag.ports import SqlValue
from cashtag.warehouse import partitions, sql

if TYPE_CHECKING:
    from sqlglot import exp

ParameterType = Literal[
    "unknown", "boolean", "integer", "bigint", "double", "varchar", "date", "timestamp"
]
_KEPT_TRANSLATIONS = 512  # texts x parameter types; a run uses about thirty
_INTEGER = 2**31
_BEGINNINGS = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})


@dataclass(frozen=True, slots=True)
class Scan:
    """One reading of a table: the name that stands for it in the text, and what it needs.

    `columns` are those the query uses, the partition among them if used.
    """

    mark: str
    table: str
    columns: tuple[str, ...]
    bounds: partitions.Bounds

    @property
    def files(self) -> str:
        """Name of the parameter that lists its files; no name in the text begins like it."""
        return self.mark.strip('"').replace(" ", "_")


@dataclass(frozen=True, slots=True)
class Translation:
    """DuckDB text with `$name` parameters, in which every scan's mark is still to be replaced."""

    text: str
    scans: tuple[Scan, ...]
    parameters: tuple[str, ...]


def translate(text: str, params: Mapping[str, SqlValue]) -> Translation:
    """Return the DuckDB form of an Athena SELECT.

    Raises:
        InputError: naming the statement, table, column, function or parameter and the remedy.
    """
    sql.check_parameters(sql.parameters(text), params)
    types = tuple(sorted((name, parameter_type(value)) for name, value in params.items()))
    return _translate(text, types)


def parameter_type(value: SqlValue) -> ParameterType:
    """Return the Trino type of the value's literal (see `sql.literal`)."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -_INTEGER <= value < _INTEGER else "bigint"
    if isinstance(value, float):
        return "double"
    if isinstance(value, str):
        return "varchar"
    if isinstance(value, datetime):
        return "timestamp"
    if isinstance(value, date):
        return "date"
    sql.literal(value)  # raises, naming the type
    raise AssertionError


@lru_cache(maxsize=_KEPT_TRANSLATIONS)
def _translate(text: str, types: tuple[tuple[str, ParameterType], ...]) -> Translation:
    from sqlglot import exp

    from cashtag.warehouse import refusals, resolve, rewrites

    tree = resolve.annotated(parse(text), dict(types))
    refusals.refuse(tree, frozenset(functions(text)))
    found = partitions.tables(tree)
    used = {column.name for column in tree.find_all(exp.Column)}
    prefix = "scan"
    while prefix in text:  # a mark must not occur in the text by accident
        prefix += "_"
    scans = []
    for number, (node, bounds) in enumerate(found):
        contract = contracts.contract(node.name)
        columns = tuple(name for name in (*contract.names, contract.partition) if name in used)
        mark = f'"{prefix} {number}"'
        scans.append(Scan(mark, node.name, columns or (contract.partition,), bounds))
        node.set("this", exp.to_identifier(f"{prefix} {number}", quoted=True))
    return Translation(
        rewrites.to_duckdb(tree).sql("duckdb", comments=False),
        tuple(scans),
        tuple(name for name, _ in types),
    )


def functions(text: str) -> dict[str, int]:
    """Names followed by `(` as the text spells them, lower case, with the line of the first."""
    from sqlglot import TokenType, tokenize

    tokens = tokenize(text, read="athena")
    found: dict[str, int] = {}
    for before, token, after in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if after.token_type != TokenType.L_PAREN or not token.text.replace("_", "").isalnum():
            continue
        names_alias = before is not None and before.token_type == TokenType.ALIAS
        if not names_alias and token.token_type not in {TokenType.STRING, TokenType.NUMBER}:
            found.setdefault(token.text.lower(), token.line)
    return found


def parse(text: str) -> exp.Query:
    """Parse one Athena SELECT. Raises InputError for anything else, naming what it is."""
    import logging

    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    words = sql.without_comments(text).replace("(", " ").split()
    if not words:
        raise InputError("the SQL text is empty; give one SELECT")
    if words[0].upper() not in _BEGINNINGS:
        raise _not_allowed(words[0].upper())
    # Statements it knows by name only are reported on the log as well; we refuse them ourselves.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        trees = [tree for tree in sqlglot.parse(text, read="athena") if tree is not None]
    except SqlglotError as error:
        raise InputError(_syntax(text, error)) from error
    if len(trees) != 1:
        raise InputError(f"the SQL text holds {len(trees)} statements; give one SELECT")
    tree = trees[0]
    if not isinstance(tree, exp.Query) or tree.find(exp.Into, exp.DML, exp.DDL, exp.Command):
        raise _not_allowed(type(tree).__name__.upper())
    if "::" in sql.without_comments(sql.without_strings(text)):
        raise InputError("Athena has no `::`; write CAST(… AS …)")
    for node in tree.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier):
            raise InputError(
                f"{node.this.sql('athena')} is no table; a query reads the lake's tables only: "
                f"{', '.join(contracts.contracts())}"
            )
    return tree


def _syntax(text: str, error: Exception) -> str:
    details = getattr(error, "errors", None)
    if details:
        first = details[0]
        place = f"line {first['line']}, column {first['col']}"
        near = f"{first['start_context'][-20:]}>>{first['highlight']}<<{first['end_context'][:20]}"
        what = first["description"].split(" missing for <class")[0].rstrip(".")
        return f"SQL syntax: {what} at {place}: {near!r}"
    return f"SQL syntax: {str(error).splitlines()[0]}"


def _not_allowed(statement: str) -> InputError:
    return InputError(f"{statement} is not allowed: only a SELECT (or WITH … SELECT) runs here")
