"""Each lint rule catches what it is for, and lets its remedy pass; the files themselves are clean."""

from __future__ import annotations

import pytest

from cashtag.warehouse import lint, sql

HEADER = "-- A try. One row per (ticker).\n-- Reads tweets of :first to :last.\n"
BOUND = "dt BETWEEN :first AND :last"


def findings(text: str, kind: sql.Kind = "queries", name: str = "try") -> list[lint.Finding]:
    return lint.lint(sql.parse(kind, name, HEADER + text))


def rules(text: str, kind: sql.Kind = "queries", name: str = "try") -> set[str]:
    return {finding.rule for finding in findings(text, kind, name)}


def test_the_files_are_clean() -> None:
    assert [str(finding) for finding in lint.lint_all()] == []


def test_there_are_files_of_every_kind() -> None:
    assert all(sql.names(kind) for kind in ("sql", "checks", "queries"))


def test_a_finding_names_file_line_rule_and_remedy() -> None:
    found = findings("SELECT\n  ticker\nFROM tweets")
    assert [str(f) for f in found] == [
        "glue/queries/try.sql:5: partition: tweets is read without both ends of dt: "
        "write dt BETWEEN :first AND :last beside it"
    ]


# ---------------------------------------------------------------- header


def test_the_first_line_states_the_grain() -> None:
    text = "SELECT 1 AS a"
    bad = lint.lint(sql.parse("queries", "try", "-- A try.\n-- Reads nothing.\n" + text))
    assert [f.rule for f in bad] == ["grain"]
    assert findings(text) == []


def test_the_second_line_says_what_is_read() -> None:
    bad = lint.lint(sql.parse("queries", "try", "-- A try. One row per (a).\nSELECT 1 AS a"))
    assert [(f.rule, f.line) for f in bad] == [("reads", 2)]


def test_a_check_is_marked_fail_or_warn() -> None:
    text = "-- Reads nothing.\nSELECT 1 AS a"
    bad = lint.lint(sql.parse("checks", "try", "-- A check. One row per (a).\n" + text))
    assert [f.rule for f in bad] == ["level"]
    good = lint.lint(sql.parse("checks", "try", "-- warn: a check. One row per (a).\n" + text))
    assert good == []


# ---------------------------------------------------------------- statement


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO tweets SELECT 1 AS a",
        "CREATE TABLE x AS SELECT 1 AS a",
        "UNLOAD (SELECT 1 AS a) TO 's3://x' WITH (format = 'PARQUET')",
        "SELECT 1 AS a; SELECT 2 AS a",
        "SELECT nope FROM tweets WHERE dt = :first",
        "SELECT 1 AS a FROM twits",
        "SELECT ticker AS t FROM tweets WHERE dt = :first AND t = 'A'",
        "SELECT ticker AS t, count(*) AS n FROM tweets WHERE dt = :first GROUP BY t",
        "SELECT ticker, count(*) AS n FROM tweets WHERE dt = :first GROUP BY ticker HAVING n > 1",
        "SELECT count(*) AS n, n + 1 AS m FROM tweets WHERE dt = :first",
    ],
)
def test_only_one_select_of_known_columns_passes(text: str) -> None:
    assert rules(text) == {"statement"}


def test_an_alias_may_be_used_in_order_by() -> None:
    text = (
        f"SELECT ticker AS t, count(*) AS n FROM tweets WHERE {BOUND} GROUP BY ticker ORDER BY n, t"
    )
    assert findings(text) == []


# ---------------------------------------------------------------- partitions


@pytest.mark.parametrize(
    "where",
    [
        "true",
        "dt >= :first",
        "dt <= :last",
        "session = :session",  # a column of the file, not the partition of tweets
        "dt = :first OR ticker = 'A'",
        "dt <> :first",
    ],
)
@pytest.mark.parametrize("kind", ["checks", "queries"])
def test_every_table_is_read_with_both_ends_of_its_partition(kind: sql.Kind, where: str) -> None:
    assert "partition" in rules(f"SELECT ticker FROM tweets WHERE {where}", kind)


@pytest.mark.parametrize(
    "where",
    [
        "dt = :first",
        "dt BETWEEN :first AND :last",
        "dt >= :first AND dt < :last",
        "dt BETWEEN date_add('day', -7, :first) AND :first",
        "dt IN (:first, :last) AND ticker = 'A'",
    ],
)
def test_a_bound_partition_passes(where: str) -> None:
    assert "partition" not in rules(f"SELECT ticker FROM tweets WHERE {where}")


def test_the_bound_must_stand_beside_the_table() -> None:
    outer = "SELECT a.ticker FROM (SELECT ticker, dt FROM tweets) AS a WHERE a.dt = :first"
    assert rules(outer) == {"partition"}
    kept_side = (
        "SELECT a.ticker FROM tweets AS a LEFT JOIN tweets AS b ON a.dt = :first AND b.dt = :first"
    )
    assert [f.rule for f in findings(kept_side)] == ["partition"]


# ---------------------------------------------------------------- outputs

SCORE = [
    "CAST(ticker AS varchar) AS ticker",
    "CAST('STOCK' AS varchar) AS kind",
    "CAST('BUY' AS varchar) AS direction",
    "CAST(polarity AS double) AS confidence",
    "CAST(NULL AS double) AS return_open_close",
    "CAST(NULL AS double) AS return_close_close",
    "CAST(true AS boolean) AS hit",
]


def scorecard(columns: list[str]) -> list[str]:
    text = f"SELECT {', '.join(columns)} FROM tweets WHERE {BOUND}"
    return [f.message for f in findings(text, "sql", "scorecard")]


def test_a_models_outputs_are_cast_to_its_contract() -> None:
    assert scorecard(SCORE) == []


def test_an_output_without_its_cast_is_found() -> None:
    assert scorecard(["ticker", *SCORE[1:]]) == ["write CAST(… AS varchar) AS ticker"]
    wrong = [*SCORE[:3], "CAST(polarity AS bigint) AS confidence", *SCORE[4:]]
    assert scorecard(wrong) == ["write CAST(… AS double) AS confidence"]


def test_a_missing_or_unknown_output_is_found() -> None:
    assert scorecard(SCORE[:-1]) == ["columns of the contract are missing: hit"]
    assert scorecard([*SCORE, "CAST(1 AS bigint) AS extra"]) == ["extra is not in the contract"]
    assert [f.message for f in findings("SELECT 1 AS a", "sql", "nothing")] == [
        "no contract glue/tables/nothing.yaml for this file's result"
    ]


# ---------------------------------------------------------------- functions


@pytest.mark.parametrize(
    "expression",
    [
        "now()",
        "current_timestamp",
        "current_date",
        "localtimestamp",
        "rand()",
        "uuid()",
        "approx_distinct(author)",
        "approx_percentile(polarity, 0.5)",
        "map_agg(ticker, author)",
        "histogram(ticker)",
        "format_datetime(created_at, 'yyyy')",
        "date_format(created_at, '%Y')",
        "regexp_extract(text, 'a')",
        "at_timezone(created_at, 'America/New_York')",
        "split_part(text, ',', 1)",
        "soundex(text)",  # in both engines, but nobody looked whether it is the same
    ],
)
def test_functions_that_may_differ_or_have_a_clock_are_found(expression: str) -> None:
    assert "function" in rules(f"SELECT {expression} AS v FROM tweets WHERE {BOUND}")


@pytest.mark.parametrize(
    "expression",
    [
        "count(DISTINCT author)",
        "max(created_at)",
        "sum(CASE WHEN regexp_like(text, 'a') THEN 1 ELSE 0 END)",
        "max(CAST(date_diff('hour', created_at, :cutoff) AS double))",
    ],
)
def test_known_functions_pass(expression: str) -> None:
    assert findings(f"SELECT {expression} AS v FROM tweets WHERE {BOUND}") == []


def test_a_sample_of_a_table_is_chance() -> None:
    text = f"SELECT ticker FROM tweets TABLESAMPLE BERNOULLI (10) WHERE {BOUND}"
    assert "function" in rules(text)


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(
    "where",
    [
        "dt = '2026-01-05'",
        "session > '2026-01-05'",
        "created_at >= '2026-01-05 12:00:00'",
        "session IN ('2026-01-05')",
        "tweet_id = 5",
        "is_reply = 1",
    ],
)
def test_comparisons_that_athena_refuses_are_found(where: str) -> None:
    assert rules(f"SELECT ticker FROM tweets WHERE {BOUND} AND {where}") == {"types"}


@pytest.mark.parametrize(
    "where",
    [
        "session > DATE '2026-01-05'",
        "session > :session",
        "created_at >= :cutoff",
        "created_at > session",
        "tweet_id = '5'",
        "is_reply",
        "polarity > 0.15",
        "likes > :likes",
    ],
)
def test_comparisons_of_one_kind_pass(where: str) -> None:
    assert findings(f"SELECT ticker FROM tweets WHERE {BOUND} AND {where}") == []


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("likes / retweets", "division"),
        ("count(*) / 2", "division"),
        ("1.0 / likes", "types"),
        ("avg(CASE WHEN is_reply THEN 1.0 ELSE 0.0 END)", "types"),
        ("CAST(polarity AS varchar)", "types"),
        ("CAST(text AS varchar(10))", "types"),
        ("element_at(cashtags, 1) || likes", "types"),
        ("cashtags[1]", "types"),
        ("session - dt", "types"),
        ("array_distinct(cashtags)", "types"),
    ],
)
def test_values_that_differ_between_engines_are_found(expression: str, rule: str) -> None:
    assert rule in rules(f"SELECT {expression} AS v FROM tweets WHERE {BOUND}")


@pytest.mark.parametrize(
    "expression",
    [
        "CAST(likes AS double) / retweets",
        "polarity / 2",
        "polarity / NULLIF(likes, 0)",
        "polarity / :divisor",
        "CAST(CAST(polarity AS decimal(18, 2)) AS varchar)",
        "element_at(cashtags, 1)",
        "date_diff('day', dt, session)",
        "array_sort(array_distinct(cashtags))",
        "substr(text, 1, 10)",
    ],
)
def test_their_remedies_pass(expression: str) -> None:
    assert findings(f"SELECT {expression} AS v FROM tweets WHERE {BOUND}") == []


# ---------------------------------------------------------------- row order
# tweets is unique by (dt, ticker, tweet_id); with one dt by (ticker, tweet_id).


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT text FROM tweets WHERE {BOUND} LIMIT 1",
        f"SELECT text FROM tweets WHERE {BOUND} ORDER BY likes DESC LIMIT 1",
        f"SELECT tweet_id FROM tweets WHERE {BOUND} ORDER BY likes DESC, ticker, tweet_id LIMIT 1",
        "SELECT row_number() OVER (PARTITION BY ticker ORDER BY likes) AS r FROM tweets WHERE dt = :first",
        "SELECT row_number() OVER (ORDER BY tweet_id) AS r FROM tweets WHERE dt = :first",
        "SELECT row_number() OVER () AS r FROM tweets WHERE dt = :first",
        "SELECT lag(polarity) OVER (PARTITION BY ticker ORDER BY created_at) AS p FROM tweets WHERE dt = :first",
        "SELECT first_value(text) OVER (PARTITION BY ticker ORDER BY likes) AS p FROM tweets WHERE dt = :first",
        "SELECT sum(polarity) OVER (ORDER BY created_at ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS p FROM tweets WHERE dt = :first",
        "SELECT ticker, max_by(text, likes) AS t FROM tweets WHERE dt = :first GROUP BY ticker",
        "SELECT ticker, array_agg(text) AS t FROM tweets WHERE dt = :first GROUP BY ticker",
        "SELECT ticker, array_agg(text ORDER BY likes) AS t FROM tweets WHERE dt = :first GROUP BY ticker",
        "SELECT ticker, any_value(text) AS t FROM tweets WHERE dt = :first GROUP BY ticker",
        # a join may double rows: a bar has many tweets
        "SELECT row_number() OVER (ORDER BY p.ticker, p.session) AS r FROM prices AS p "
        "JOIN tweets AS t ON t.ticker = p.ticker AND t.dt = :first WHERE p.dt = :first",
        # two tweets of one author
        "WITH a AS (SELECT author, likes FROM tweets WHERE dt = :first) "
        "SELECT row_number() OVER (ORDER BY likes, author) AS r FROM a",
    ],
)
def test_a_pick_among_equal_rows_is_found(text: str) -> None:
    assert "row-order" in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT text FROM tweets WHERE {BOUND} ORDER BY likes DESC, ticker, tweet_id, dt LIMIT 1",
        "SELECT text FROM tweets WHERE dt = :first ORDER BY likes DESC, ticker, tweet_id LIMIT 1",
        f"SELECT count(*) AS n FROM tweets WHERE {BOUND} LIMIT 1",
        f"SELECT author, count(*) AS n FROM tweets WHERE {BOUND} GROUP BY author ORDER BY n DESC, author LIMIT 5",
        f"SELECT DISTINCT author FROM tweets WHERE {BOUND} ORDER BY author LIMIT 5",
        "SELECT row_number() OVER (PARTITION BY ticker ORDER BY likes, tweet_id) AS r FROM tweets WHERE dt = :first",
        "SELECT rank() OVER (PARTITION BY ticker ORDER BY likes) AS r FROM tweets WHERE dt = :first",
        "SELECT percent_rank() OVER (ORDER BY likes) AS r FROM tweets WHERE dt = :first",
        "SELECT sum(polarity) OVER (PARTITION BY ticker ORDER BY created_at) AS p FROM tweets WHERE dt = :first",
        "SELECT first_value(likes) OVER (PARTITION BY ticker ORDER BY likes) AS p FROM tweets WHERE dt = :first",
        "SELECT max_by(close, session) AS c FROM prices WHERE dt = :first AND ticker = :ticker",
        "SELECT ticker, max_by(close, session) AS c FROM prices WHERE dt = :first GROUP BY ticker",
        "SELECT ticker, array_agg(text ORDER BY text) AS t FROM tweets WHERE dt = :first GROUP BY ticker",
        "SELECT ticker, array_agg(text ORDER BY likes, tweet_id) AS t FROM tweets WHERE dt = :first GROUP BY ticker",
        # a bar has one feature row: the join doubles nothing
        "SELECT row_number() OVER (ORDER BY p.ticker, p.session) AS r FROM prices AS p "
        "LEFT JOIN daily_features AS f ON f.ticker = p.ticker AND f.session = :session WHERE p.dt = :first",
        # after GROUP BY the group is the row
        "WITH a AS (SELECT author, max(likes) AS likes FROM tweets WHERE dt = :first GROUP BY author) "
        "SELECT row_number() OVER (ORDER BY likes, author) AS r FROM a",
        # the first of each is unique by what it was partitioned by
        "WITH a AS (SELECT author, likes, row_number() OVER "
        "(PARTITION BY author ORDER BY likes, ticker, tweet_id) AS r FROM tweets WHERE dt = :first) "
        "SELECT row_number() OVER (ORDER BY likes, author) AS place FROM a WHERE r = 1",
        # one row beside each: a total
        "WITH t AS (SELECT max(likes) AS most FROM tweets WHERE dt = :first) "
        "SELECT row_number() OVER (ORDER BY p.session) AS r FROM prices AS p CROSS JOIN t "
        "WHERE p.dt = :first AND p.ticker = :ticker",
        # elements of an array by their place
        "SELECT row_number() OVER (ORDER BY t.ticker, t.tweet_id, u.place) AS r FROM tweets AS t "
        "CROSS JOIN UNNEST(t.cashtags) WITH ORDINALITY AS u(cashtag, place) WHERE t.dt = :first",
    ],
)
def test_a_total_order_passes(text: str) -> None:
    assert "row-order" not in rules(text)
    assert "statement" not in rules(text)
