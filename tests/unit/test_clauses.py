"""Clauses found by tokens: leading CTEs, the keys of the final ORDER BY, one statement only."""

from __future__ import annotations

import pytest

from cashtag.errors import InputError
from cashtag.lake import contracts
from cashtag.warehouse import clauses, sql
from cashtag.warehouse.clauses import Key, Ordered

BROUGHT = {"ranking": "SELECT ticker FROM scratch_1"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "SELECT ticker FROM ranking",
            'WITH "ranking" AS (SELECT ticker FROM scratch_1)\nSELECT ticker FROM ranking',
        ),
        (
            "-- What it is; WITH care.\nWITH a AS (SELECT 1 AS x) SELECT x FROM a",
            '-- What it is; WITH care.\nWITH "ranking" AS (SELECT ticker FROM scratch_1), '
            "a AS (SELECT 1 AS x) SELECT x FROM a",
        ),
        (
            "with recursive a AS (SELECT 1 AS x) SELECT x FROM a",
            'with recursive "ranking" AS (SELECT ticker FROM scratch_1), '
            "a AS (SELECT 1 AS x) SELECT x FROM a",
        ),
        # A WITH of a subquery is not the query's own.
        (
            "SELECT x FROM (WITH a AS (SELECT 1 AS x) SELECT x FROM a)",
            'WITH "ranking" AS (SELECT ticker FROM scratch_1)\n'
            "SELECT x FROM (WITH a AS (SELECT 1 AS x) SELECT x FROM a)",
        ),
    ],
)
def test_a_brought_table_is_the_first_cte(text: str, wanted: str) -> None:
    assert clauses.with_tables(text, BROUGHT) == wanted


def test_without_tables_the_text_is_as_it_was() -> None:
    text = "SELECT 1 AS x -- and no more"
    assert clauses.with_tables(text, {}) is text


def test_names_of_strings_and_comments_are_no_mentions() -> None:
    text = """SELECT a.Ticker, 'trades' AS "Limit" /* outcomes */ FROM news AS a -- prices"""
    assert clauses.names(text) >= {"ticker", "news", "limit"}
    assert not clauses.names(text) & {"trades", "outcomes", "prices"}


def keys(text: str) -> tuple[Key, ...] | None:
    return clauses.ordered(text).keys


def test_a_query_without_order_has_no_keys() -> None:
    assert clauses.ordered("SELECT a FROM t") == Ordered("SELECT a FROM t", None)
    # Orders inside a window, an aggregate or a subquery are not the query's.
    assert keys("SELECT row_number() OVER (ORDER BY a) AS n FROM t") is None
    assert keys("SELECT x FROM (SELECT a AS x FROM t ORDER BY a LIMIT 3)") is None


def test_output_columns_are_keys_as_they_are() -> None:
    found = clauses.ordered(
        'SELECT t.a, count(*) AS n, b "C", max(x) m FROM t GROUP BY a, b '
        "ORDER BY n DESC, a ASC NULLS FIRST, c, 4 DESC NULLS LAST, m LIMIT 5"
    )
    assert found.carried == ()
    assert found.keys == (
        Key("n", descending=True),
        Key("a", nulls_first=True),
        Key("c"),
        Key(4, descending=True),
        Key("m"),
    )


def test_other_keys_become_columns_of_their_own() -> None:
    found = clauses.ordered(
        "SELECT CAST(a AS varchar) AS a -- the name\nFROM t AS t ORDER BY t.a, created_at DESC"
    )
    assert found.text == (
        "SELECT CAST(a AS varchar) AS a, t.a AS order_key_1, created_at AS order_key_2"
        " -- the name\nFROM t AS t ORDER BY t.a, created_at DESC"
    )
    assert found.keys == (Key("order_key_1"), Key("order_key_2", descending=True))
    assert found.carried == ("order_key_1", "order_key_2")


def test_names_of_outputs_in_a_key_are_replaced_by_what_they_are() -> None:
    # In Trino `n` in an ORDER BY is the output column; in a SELECT it would be no column at all.
    found = clauses.ordered("SELECT count(*) AS n FROM t ORDER BY abs(n - t.n) + n(1)")
    assert "abs((count(*)) - t.n) + n(1) AS order_key_1" in found.text


def test_is_distinct_from_ends_no_list_of_columns() -> None:
    found = clauses.ordered("SELECT a IS DISTINCT FROM b AS d, c FROM t ORDER BY e")
    assert found.text == ("SELECT a IS DISTINCT FROM b AS d, c, e AS order_key_1 FROM t ORDER BY e")


def test_a_distinct_select_keeps_its_word() -> None:
    found = clauses.ordered("SELECT DISTINCT a, b FROM t ORDER BY b, a")
    assert found == Ordered("SELECT DISTINCT a, b FROM t ORDER BY b, a", (Key("b"), Key("a")))


def test_a_name_that_the_query_has_is_not_taken_for_a_key() -> None:
    found = clauses.ordered("SELECT order_key_1 FROM t ORDER BY x")
    assert found.carried == ("order_key_2",)


def test_a_union_is_ordered_by_its_columns_only() -> None:
    assert keys("SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY a") == (Key("a"),)
    with pytest.raises(InputError, match=r"ORDER BY abs\(a\) stands after a UNION"):
        clauses.ordered("SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY abs(a)")


def test_columns_and_their_types_are_told_by_the_text() -> None:
    found = clauses.columns(
        "WITH x AS (SELECT 1 AS hidden) SELECT CAST(a AS bigint) AS n, t.b, "
        'CAST(CAST(c AS double) AS array(varchar)) AS "List", CAST(a AS bigint) + 1 AS m, '
        "CAST(a AS bigint) * CAST(b AS bigint) AS p, count(*) FILTER (WHERE a > 1) k FROM x"
    )
    assert found == [
        ("n", "bigint"),
        ("b", None),
        ("list", "array(varchar)"),
        ("m", None),
        ("p", None),
        ("k", None),
    ]
    assert clauses.columns("SELECT a, * FROM t") is None
    assert clauses.columns("SELECT count(*), a FROM t") is None
    assert clauses.columns("SELECT DISTINCT a FROM t UNION SELECT b FROM t") == [("a", None)]
    assert clauses.columns("VALUES 1") is None


@pytest.mark.parametrize("kind", ["sql", "checks", "queries"])
def test_every_file_tells_its_columns_and_types(kind: sql.Kind) -> None:
    known = {trino for _, trino in contracts.TYPES.values()}
    for name in sql.names(kind):
        told = clauses.columns(sql.load(kind, name).text)
        assert told, name
        assert {kind_ for _, kind_ in told} <= known, name
        if kind == "sql":
            made = contracts.contract(name)
            assert {name for name, _ in told} == set(made.names)


@pytest.mark.parametrize("kind", ["sql", "checks", "queries"])
def test_every_file_is_one_statement_whose_order_is_found(kind: sql.Kind) -> None:
    for name in sql.names(kind):
        text = sql.load(kind, name).text
        found = clauses.ordered(clauses.statement(text))
        last = text.rpartition(")")[2]  # the part after every bracket
        assert (found.keys is not None) == ("ORDER BY" in text and "\nORDER BY" in text), name
        assert "ORDER BY" not in last or found.keys, name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("-- only a comment", "empty"),
        ("DROP TABLE tweets", "DROP is not allowed"),
        ("INSERT INTO tweets SELECT 1", "INSERT is not allowed"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("SELECT (1", r"'\(' is not closed"),
        # What would end the UNLOAD early and begin another statement's options.
        ("SELECT 1) TO 's3://elsewhere' WITH (format = 'JSON') --", "closes nothing at line 1"),
        ("SELECT 'a", "' is not closed at line 1, column 8"),
        ("SELECT 1 /* so", "is not closed"),
    ],
)
def test_anything_but_one_select_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        clauses.statement(text)


def test_a_semicolon_at_the_end_is_left_out() -> None:
    assert clauses.statement(" SELECT 1 AS x ;; -- done") == " SELECT 1 AS x"


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("SELECT :a AS a FROM t WHERE x = :b AND (y > :c OR z IN (:d, :e)) LIMIT :f", "bcde"),
        ("SELECT x FROM t AS t JOIN u AS u ON u.x = :a WHERE t.x = :b GROUP BY :c", "b"),
        # A subquery's columns are its own; so is its WHERE.
        ("SELECT x FROM t WHERE x > (SELECT max(:a) FROM u WHERE y = :b) + :c", "bc"),
        ("WITH a AS (SELECT :a AS x FROM t WHERE y = :b) SELECT :c AS c FROM a", "b"),
        ("SELECT sum(x) FILTER (WHERE y > :a) AS n FROM t WHERE CASE WHEN z THEN :b END", "b"),
        ("SELECT x FROM t WHERE extract(hour FROM z) = :a", "a"),
        # Not seen to be in the WHERE still: its literal is as good.
        ("SELECT x FROM t WHERE x IS DISTINCT FROM :a", ""),
        ("SELECT x FROM t WHERE x = ':a' AND \":b\" = :c -- :d", "c"),
        ("SELECT x FROM t WHERE x = :a UNION SELECT :b AS x FROM t HAVING count(*) > :c", "a"),
    ],
)
def test_parameters_are_bound_in_where_only(text: str, bound: str) -> None:
    assert "".join(sql.places(text)) == bound
    given = dict.fromkeys(sql.parameters(text), 7)
    sent, literals = sql.qmark(text, given)
    assert sent.count("?") == len(bound)
    assert literals == ["7"] * len(bound)
    assert ":" not in sql.without_strings(sql.without_comments(sent)).replace('":b"', "")


@pytest.mark.parametrize("kind", ["sql", "checks", "queries"])
def test_the_text_that_is_sent_is_in_trinos_grammar(kind: sql.Kind) -> None:
    from trino_query_parser import parse_statement

    for name in sql.names(kind):
        found = clauses.ordered(clauses.statement(sql.load(kind, name).text))
        given = dict.fromkeys(sql.parameters(found.text), "it's")
        sent, literals = sql.qmark(clauses.with_tables(found.text, BROUGHT), given)
        parse_statement(sent)
        assert sent.count("?") == len(literals)


def test_a_long_text_is_bound_in_parts_of_1024() -> None:
    value = "'" * 600 + "x" * 500 + "😀" * 300
    query = "SELECT x FROM t WHERE a = :a AND b = :b"
    text, literals = sql.qmark(query, {"a": value, "b": 1})
    # 600 quotes are 1,200 units of a literal, 300 emoji are 600: 2,300 and two quotes a part.
    assert text == "SELECT x FROM t WHERE a = concat(?, ?, ?) AND b = ?"
    assert literals[-1] == "1"
    assert all(len(part.encode("utf-16-le")) // 2 <= 1024 for part in literals)
    assert "".join(part[1:-1].replace("''", "'") for part in literals[:-1]) == value
