"""Every SQL file parses in Trino's own grammar, and in a second parser that is not ours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import get_args

import pytest

from cashtag.ports import SqlValue
from cashtag.warehouse import lint, sql

FILES = [(kind, name) for kind in get_args(sql.Kind) for name in sql.names(kind)]
SAMPLES: dict[str, SqlValue] = {
    "varchar": "it's",
    "boolean": True,
    "integer": -1,
    "bigint": 2**40,
    "double": -1e-7,
    "date": date(2026, 1, 5),
    "timestamp": datetime(2026, 1, 5, 12, tzinfo=UTC),
}


def bound(kind: sql.Kind, name: str) -> str:
    """The file with every parameter replaced by a literal of its type."""
    text = sql.load(kind, name).text
    types = lint.parameter_types(text)
    return sql.bind(
        text, {p: SAMPLES[types.get(p, "varchar").lower()] for p in sql.parameters(text)}
    )


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_file_parses_in_trinos_grammar(kind: sql.Kind, name: str) -> None:
    from trino_query_parser import parse_statement

    parse_statement(bound(kind, name))


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_file_passes_the_second_validator(kind: sql.Kind, name: str) -> None:
    validator = pytest.importorskip("trino_sql_validator")
    result = validator.validate(bound(kind, name), jinja="reject", function_arguments="error")
    assert result.valid, result.error
    assert result.warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a FROM t QUALIFY row_number() OVER (ORDER BY a) = 1",
        "SELECT a::integer FROM t",
        "SELECT cross FROM t",
        "SELECT a FROM t LIMIT 1 OFFSET 1",
        "SELECT a FROM t WHERE",
    ],
)
def test_the_grammar_refuses_what_only_duckdb_reads(text: str) -> None:
    from trino_query_parser import TrinoSyntaxError, parse_statement

    with pytest.raises(TrinoSyntaxError):
        parse_statement(text)


def test_literals_of_every_kind_are_in_the_grammar() -> None:
    from trino_query_parser import parse_statement

    values = [*SAMPLES.values(), None, "😀\r\n'", float("inf"), float("nan"), 5e-324]
    parse_statement("SELECT " + ", ".join(sql.literal(value) for value in values))
