"""A look inside a model: one of its CTEs as a SELECT of its own, so that no formula is written twice."""

from __future__ import annotations

from cashtag.errors import InputError


def of_cte(text: str, name: str) -> str:
    """Return the Athena SELECT of every row of one CTE, `:params` as they were.

    Args:
        text: a SELECT with a WITH clause.
        name: which of its CTEs.

    Raises:
        InputError: there is no CTE of that name.
    """
    from sqlglot import exp, parse_one

    tree = parse_one(text, read="athena")
    ctes = list(tree.find_all(exp.CTE))
    names = [cte.alias for cte in ctes]
    if name not in names:
        raise InputError(f"no CTE {name!r}; there is {', '.join(names)}")
    whole = exp.select("*").from_(name)
    for cte in ctes[: names.index(name) + 1]:
        whole = whole.with_(cte.alias, as_=cte.this)
    return whole.sql("athena")
