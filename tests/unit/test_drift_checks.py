"""Checks that warn when a model, or what people write, is no longer what it was."""

# ruff: noqa: DTZ001  the lake's timestamps are UTC without a zone
from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services, sessions, settings
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.signals import checks, models, publish
from cashtag.warehouse.duckdb import DuckDBWarehouse

SESSION = date(2026, 3, 4)
PAST = sessions.sessions_before(SESSION, 20)
USUAL: dict[str, Any] = {
    "ticker": "NVDA",
    "n_tweets": 100,
    "share_negative": 0.2,
    "share_neutral": 0.5,
    "share_positive": 0.3,
    "confidence": 0.7,
    "unread_share": 0.4,
    "model_version": "lexicon-1",
}

Find = Callable[..., dict[str, list[dict[str, Any]]]]


def rows(table: str, given: list[dict[str, Any]]) -> pa.Table:
    own = contract(table)
    schema = own.arrow_schema().append(pa.field(own.partition, pa.date32()))
    loose = pa.schema([field.with_nullable(True) for field in schema])
    return pa.Table.from_pylist(given, schema=loose)


@pytest.fixture(scope="module")
def find(tmp_path_factory: pytest.TempPathFactory) -> Find:
    """What the drift checks say, by check, of rows of daily_sentiment and of tweets."""
    warehouse = DuckDBWarehouse(services.folder_lake(tmp_path_factory.mktemp("lake")))
    env: Any = SimpleNamespace(
        settings=settings.load(environ={}), scorer=SimpleNamespace(version="lexicon-1")
    )
    params = models.parameters(env, SESSION, SESSION, coverage=1.0, partial=False)

    def go(
        sentiment: list[dict[str, Any]] | None = None, tweets: list[dict[str, Any]] | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        tables = {
            "daily_sentiment": rows("daily_sentiment", sentiment or []),
            "tweets": rows("tweets", tweets or []),
            **{name: rows(name, []) for name in ("daily_features", "daily_signals", "ranking")},
        }
        ours = {"answers_drift", "tweets_foreign", "models_absent"}
        found = {f.check: f for f in checks.run(warehouse, params, tables) if f.check in ours}
        assert {finding.level for finding in found.values()} <= {"warn"}
        return {name: list(finding.rows) for name, finding in found.items()}

    return go


def history(n: int = 20, **changes: Any) -> list[dict[str, Any]]:
    return [{**USUAL, "session": day, **changes} for day in PAST[-n:]]


def today(**changes: Any) -> dict[str, Any]:
    return {**USUAL, "session": SESSION, **changes}


def test_a_day_like_the_others_is_no_drift(find: Find) -> None:
    assert find([*history(), today()]) == {}


@pytest.mark.parametrize(
    ("measure", "changes"),
    [
        ("share negative", {"share_negative": 0.31, "share_neutral": 0.42, "share_positive": 0.27}),
        ("share positive", {"share_negative": 0.15, "share_neutral": 0.44, "share_positive": 0.41}),
        ("mean confidence", {"confidence": 0.64}),  # .06 below, and .05 is room
        ("share unread", {"unread_share": 0.51}),
    ],
)
def test_what_moves_by_more_than_its_room_is_found(
    find: Find, measure: str, changes: dict[str, Any]
) -> None:
    (row,) = find([*history(), today(**changes)])["answers_drift"]
    assert row["measure"] == measure
    assert row["n_sessions"] == 20
    assert row["deviation"] == 0.0


def test_what_moves_within_its_room_is_not(find: Find) -> None:
    within = {
        "share_negative": 0.29,
        "share_neutral": 0.41,
        "confidence": 0.66,
        "unread_share": 0.49,
    }
    assert find([*history(), today(**within)]) == {}


def test_where_days_differ_a_day_must_differ_by_more(find: Find) -> None:
    # Confidence .6 and .8 in turn: mean .7, sample deviation .1 x sqrt(20/19) = .1026, four of them
    # .41.
    wild = [{**row, "confidence": 0.6 + 0.2 * (i % 2)} for i, row in enumerate(history())]
    assert find([*wild, today(confidence=0.3)]) == {}
    (row,) = find([*wild, today(confidence=0.28)])["answers_drift"]
    assert (row["value"], row["usual"], row["deviation"]) == (0.28, 0.7, 0.1026)


def test_tickers_count_by_their_tweets(find: Find) -> None:
    # 900 tweets of confidence .7 and 100 of .1: .64 in all.
    many = today(n_tweets=900)
    few = today(ticker="AMD", n_tweets=100, confidence=0.1)
    (row,) = find([*history(), many, few])["answers_drift"]
    assert (row["measure"], row["value"]) == ("mean confidence", 0.64)


def test_too_few_sessions_or_tweets_say_nothing(find: Find) -> None:
    moved = {"confidence": 0.1}
    assert find([*history(9), today(**moved)]) == {}
    assert set(find([*history(10), today(**moved)])) == {"answers_drift"}
    assert find([*history(), today(n_tweets=49, **moved)]) == {}
    assert find([*history(n_tweets=49), today(**moved)]) == {}


def test_another_model_is_not_compared(find: Find) -> None:
    assert find([*history(), today(model_version="roberta-1", confidence=0.1)]) == {}


def test_sessions_from_before_a_measure_was_taken_are_no_history_of_it(find: Find) -> None:
    assert find([*history(confidence=None, unread_share=None), today(confidence=0.1)]) == {}


# ---------------------------------------------------------------- tweets


def tweets(n: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "dt": SESSION,
            "session": SESSION,
            "ticker": "NVDA",
            "tweet_id": str(i),
            "created_at": datetime(2026, 3, 4, 11),
            "polarity": 0.1,
            "lang": "en",
            **changes,
        }
        for i in range(n)
    ]


def test_tweets_in_another_language_are_counted_where_one_is_stated(find: Find) -> None:
    # 13 of 63 is .2063; X's und and qme (no words, only media) are no language.
    mixed = [*tweets(50), *tweets(13, lang="es"), *tweets(90, lang=None), *tweets(90, lang="und")]
    assert find(tweets=mixed)["tweets_foreign"] == [{"n_tweets": 63, "share_foreign": 0.2063}]
    assert find(tweets=[*tweets(50), *tweets(12, lang="es")]) == {}  # 12 of 62 is .1935
    assert find(tweets=tweets(49, lang="es")) == {}  # too few


def test_absent_models_are_counted_by_who_was_absent(find: Find) -> None:
    told = [
        *tweets(3, models='{"absent":["comprehend","finbert"],"bedrock":{"said":{"a":"]"}}}'),
        *tweets(2, models='{"absent":["finbert"],"bedrock":{}}'),
        *tweets(9, models='{"bedrock":{"said":{"reasoning":"{\\"absent\\":[\\"x\\"]"}}}'),
        *tweets(9, models=None),
    ]
    assert sorted(find(tweets=told)["models_absent"], key=str) == [
        {"absent": '"comprehend","finbert"', "n_tweets": 3},
        {"absent": '"finbert"', "n_tweets": 2},
    ]


def test_the_checks_of_a_session_see_the_sessions_before_it(tmp_path: Any) -> None:
    own = settings.load(environ={}, overrides={"lake": str(tmp_path)})
    env = services.embedded(own)
    daily = contract("daily_sentiment")
    whole = {
        "n_authors": 1, "partial": False, "top_tweet_ids": "[]", "model": "lexicon",
        "config_hash": "c", "run_id": "r",
    }  # fmt: skip
    for day in [*PAST, sessions.sessions_before(PAST[0], 1)[0]]:
        table = pa.Table.from_pylist([{**USUAL, **whole}], schema=daily.arrow_schema())
        env.lake.signals.put(layout.signals("daily_sentiment", day), parquet.write(daily, table))
    made = publish._with_partition(table, SESSION)
    known = publish._with_history(env, SESSION, made)
    assert known.column("session").to_pylist() == [*PAST, SESSION]  # the trailing twenty, no more
