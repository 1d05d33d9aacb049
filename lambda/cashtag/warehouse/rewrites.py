"""Where Trino and DuckDB compute different values: each case rewritten, or refused by name.

Facts about Trino are from its documentation; facts about DuckDB were measured. Every one is a
row of tests/sql/trino_semantics.
"""

from __future__ import annotations

from sqlglot import exp

from cashtag.errors import InputError

MACROS: tuple[str, ...] = ()


def refuse(tree: exp.Expression) -> None:
    """Raise InputError for what cannot be made equal, with what to write instead."""


def to_duckdb(tree: exp.Expression) -> exp.Expression:
    """Rewrite an annotated Athena tree so that DuckDB computes Trino's values."""
    return tree.transform(_rewrite)


def _rewrite(node: exp.Expression) -> exp.Expression:
    return node
