"""daily_sentiment: small inputs, expected rows worked out by hand, and the reason of each."""

# ruff: noqa: DTZ001  the lake's timestamps are UTC without a zone
from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from math import sqrt
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services, settings
from cashtag.lake.contracts import contract
from cashtag.warehouse import sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

SESSION = date(2026, 3, 3)  # a Tuesday: one run, its own morning's
BEFORE = date(2026, 3, 2)
CUTOFF = datetime(2026, 3, 3, 12)

# Values of the sound profile in dev, written out so that the arithmetic below can be followed.
PARAMS: dict[str, Any] = {
    "session": SESSION,
    "first_dt": SESSION,
    "last_dt": SESSION,
    "cutoff": CUTOFF,
    "session_cutoff": CUTOFF,
    "window_hours": 24.0,
    "history_first": date(2026, 2, 2),
    "history_last": BEFORE,
    "half_life_hours": 24.0,
    "influencer_multiplier": 1.0,
    "repeat_factor": 0.2,
    "author_share": 0.2,
    "author_share_min_tweets": 10,
    "liquidity_ratio": 1000.0,
    "liquidity_factor": 0.5,
    "reference_floor": 0.1,
    "shrinkage": 5.0,
    "variance_shrinkage": 5.0,
    "min_tweets": 5.0,
    "z_minimum": 5,
    "top_tweets": 5,
    "coverage": None,
    "partial": False,
    "config_hash": "c0ffee",
    "run_id": "beef",
}
EMPTY: dict[str, Any] = {}


def tweet(number: int, polarity: float | None, **changes: Any) -> dict[str, Any]:
    """A tweet of weight 1: age 0 but for a millisecond, one cashtag, an author and text of its own.

    `hours` is its age. At one millisecond 2^(-age/24h) differs from 1 by 8e-9, so tests that
    want exact halves give an age.
    """
    hours = changes.pop("hours", 0.0)
    moment = CUTOFF - timedelta(hours=hours) if hours else CUTOFF - timedelta(milliseconds=1)
    label = "neutral" if not polarity else "positive" if polarity > 0 else "negative"
    row = {
        "tweet_id": str(number),
        "ticker": "NVDA",
        "created_at": moment,
        "scraped_at": CUTOFF,
        "session": SESSION,
        "hour_ny": 7,
        "source": "synthetic",
        "author": f"author{number}",
        "text": "text",
        "cashtags": ["NVDA"],
        "hashtags": [],
        "is_retweet": False,
        "is_reply": False,
        "is_quote": False,
        "influence": 1.0,
        "is_key_influencer": False,
        "engagement": None,
        "engagement_factor": 1.0,
        "authenticity": 1.0,
        "flags": [],
        "text_key": f"text{number}",
        "sentiment": None if polarity is None else label,
        "sentiment_score": None if polarity is None else 0.5,
        "polarity": polarity,
        "model": "lexicon",
        "model_version": "lexicon-1",
        "run_id": "r",
        "dt": SESSION,
    }
    return {**row, **changes}


def past(session: date, polarity: float, **changes: Any) -> dict[str, Any]:
    """A row of daily_sentiment that passes the gate."""
    row = {
        "session": session,
        "ticker": "NVDA",
        "n_tweets": 10,
        "n_effective": 10.0,
        "n_authors": 10,
        "polarity": polarity,
        "se": 0.1,
        "partial": False,
        "top_tweet_ids": "[]",
        "model": "lexicon",
        "model_version": "lexicon-1",
        "config_hash": "c",
        "run_id": "r",
    }
    return {**row, **changes}


def rows(table: str, given: list[dict[str, Any]]) -> pa.Table:
    """Rows of a contract, with its partition column; columns not given are null."""
    own = contract(table)
    schema = own.arrow_schema().append(pa.field(own.partition, pa.date32()))
    loose = pa.schema([field.with_nullable(True) for field in schema])
    return pa.Table.from_pylist(given, schema=loose)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    return DuckDBWarehouse(services.folder_lake(tmp_path_factory.mktemp("lake")))


@pytest.fixture
def sentiment(warehouse: DuckDBWarehouse) -> Any:
    def run(
        tweets: list[dict[str, Any]],
        history: list[dict[str, Any]] | None = None,
        volumes: dict[str, float] | None = None,
        **params: Any,
    ) -> dict[str, dict[str, Any]]:
        features = [
            {"session": SESSION, "ticker": t, "dollar_volume20": v}
            for t, v in (volumes or EMPTY).items()
        ]
        made = warehouse.query(
            sql.load("sql", "daily_sentiment").text,
            {**PARAMS, **params},
            table="daily_sentiment",
            tables={
                "tweets": rows("tweets", tweets),
                "daily_sentiment": rows("daily_sentiment", history or []),
                "daily_features": rows("daily_features", features),
            },
        )
        return {row["ticker"]: row for row in made.to_pylist()}

    return run


def approx(value: float) -> Any:
    return pytest.approx(value, abs=2e-8)


# ---------------------------------------------------------------- weight


@pytest.mark.parametrize(
    ("changes", "weight", "reason"),
    [
        ({"hours": 24.0}, 0.5, "a day is one half-life"),
        ({"hours": 12.0}, sqrt(0.5), "half a half-life"),
        ({"influence": 0.7}, 0.7, "influence is a factor"),
        ({"authenticity": 0.2}, 0.2, "authenticity is a factor"),
        ({"engagement_factor": 1.5}, 1.5, "engagement is a factor"),
        ({"cashtags": ["NVDA", "AMD", "TSM", "MU"]}, 0.25, "four tickers share it"),
        ({"cashtags": []}, 1.0, "found by a keyword: no cashtag counts as one"),
        ({"is_key_influencer": True}, 1.0, "the sound multiplier is 1"),
        ({"scraped_at": None}, 1.0, "an archive without scrape times counts all the same"),
    ],
)
def test_the_weight_is_the_product_of_its_factors(
    sentiment: Any, changes: dict[str, Any], weight: float, reason: str
) -> None:
    # Beside a tweet of weight 1 and polarity 0, one of weight w and polarity 1: mean w / (1 + w).
    got = sentiment([tweet(1, 1.0, **changes), tweet(2, 0.0)])["NVDA"]
    assert got["polarity"] == approx(weight / (1 + weight)), reason
    assert got["polarity_plain"] == 0.5
    # Kish: (1 + w)^2 / (1 + w^2)
    assert got["n_effective"] == approx((1 + weight) ** 2 / (1 + weight**2))


def test_the_reference_triples_the_weight_of_key_influencers(sentiment: Any) -> None:
    given = [tweet(1, 1.0, is_key_influencer=True), tweet(2, 0.0)]
    assert sentiment(given, influencer_multiplier=3.0)["NVDA"]["polarity"] == approx(0.75)


def test_later_copies_of_a_text_weigh_a_fifth(sentiment: Any) -> None:
    given = [
        tweet(1, 1.0, text_key="same", hours=3.0),  # the first one counts whole
        tweet(3, 1.0, text_key="same", hours=2.0),  # a copy: 0.2
        tweet(2, 1.0, text_key="same", hours=2.0),  # same moment: the smaller id comes first, 0.2
        tweet(4, 0.0, ticker="NVDA"),
        tweet(5, 1.0, text_key="same", ticker="AMD", cashtags=["AMD"]),  # another ticker: no copy
    ]
    got = sentiment(given, half_life_hours=8760.0 * 1000)
    # (1 + 0.2 + 0.2) / (1 + 0.2 + 0.2 + 1)
    assert got["NVDA"]["polarity"] == pytest.approx(1.4 / 2.4, abs=1e-6)
    assert got["NVDA"]["duplicate_share"] == 0.5  # two of four repeat an earlier one
    assert got["NVDA"]["flagged_share"] == 0.5
    assert got["AMD"]["duplicate_share"] == 0.0


def crowd(by_author: dict[str, int], loud: set[str]) -> list[dict[str, Any]]:
    """Tweets by authors; the loud ones say +1, the others 0."""
    names = [name for name, n in by_author.items() for _ in range(n)]
    return [
        tweet(i, 1.0 if name in loud else 0.0, author=name, hours=24.0)
        for i, name in enumerate(names, start=1)
    ]


@pytest.mark.parametrize(
    ("by_author", "loud", "polarity", "flagged", "reason"),
    [
        # k = 1 author over the cap, m = 4 tweets of others: they count as 0.2 x 4 / 0.8 = 1.
        ({"a": 6, "b": 1, "c": 1, "d": 1, "e": 1}, {"a"}, 1 / 5, 0.6, "capped at a fifth"),
        # k = 2, m = 3: each counts as 0.2 x 3 / (1 - 0.4) = 1, of 5 in all.
        ({"a": 4, "b": 3, "c": 1, "d": 1, "e": 1}, {"a"}, 1 / 5, 0.7, "two over the cap"),
        ({"a": 4, "b": 3, "c": 1, "d": 1, "e": 1}, {"a", "b"}, 2 / 5, 0.7, "each has a fifth"),
        ({"a": 2, "b": 2, "c": 2, "d": 2, "e": 2}, {"a"}, 1 / 5, 0.0, "exactly a fifth is allowed"),
        ({"a": 5, "b": 1, "c": 1, "d": 1, "e": 1}, {"a"}, 5 / 9, 0.0, "nine tweets are no crowd"),
        # Without others nothing can be a fifth: the two count alike, 6 tweets as much as 4.
        ({"a": 6, "b": 4}, {"a"}, 1 / 2, 1.0, "nobody else wrote"),
        ({"a": 10}, {"a"}, 1.0, 1.0, "one author alone"),
    ],
)
def test_one_author_carries_a_fifth_at_most(
    sentiment: Any,
    by_author: dict[str, int],
    loud: set[str],
    polarity: float,
    flagged: float,
    reason: str,
) -> None:
    got = sentiment(crowd(by_author, loud))["NVDA"]
    assert got["polarity"] == approx(polarity), reason
    assert got["flagged_share"] == approx(flagged), reason


def test_authors_are_counted_and_their_concentration_is_herfindahls(sentiment: Any) -> None:
    got = sentiment(crowd({"a": 2, "b": 1, "c": 1}, set()))["NVDA"]
    assert got["n_authors"] == 3
    assert got["hhi_author"] == 0.375  # 0.5^2 + 0.25^2 + 0.25^2


@pytest.mark.parametrize(
    ("volumes", "weight", "reason"),
    [
        ({"NVDA": 2e9, "TINY": 1e6}, 0.5, "2000 times as large: riding along counts half"),
        ({"NVDA": 1e9, "TINY": 1e6}, 1.0, "exactly 1000 times is allowed"),
        ({"NVDA": 2e9}, 1.0, "an unknown volume accuses nobody"),
        ({}, 1.0, "no prices at all"),
    ],
)
def test_tickers_of_very_different_size_named_together_weigh_half(
    sentiment: Any, volumes: dict[str, float], weight: float, reason: str
) -> None:
    # Two cashtags halve both tweets' weights alike, so only the mismatch shows.
    given = [
        tweet(1, 1.0, cashtags=["NVDA", "TINY"]),
        tweet(2, 0.0, cashtags=["NVDA", "NVDA2"]),
    ]
    got = sentiment(given, volumes=volumes)["NVDA"]
    assert got["polarity"] == approx(weight / (1 + weight)), reason
    assert got["flagged_share"] == (0.5 if weight < 1 else 0.0)


# ---------------------------------------------------------------- means, variance, error


def test_polarity_is_shrunk_by_five_tweets_at_zero(sentiment: Any) -> None:
    got = sentiment([tweet(i, 0.6, hours=24.0) for i in range(1, 6)])["NVDA"]
    assert got["n_effective"] == 5.0
    assert got["polarity"] == 0.6
    assert got["polarity_shrunk"] == 0.3  # 5 x 0.6 / (5 + 5)


def test_weights_that_sum_to_zero_say_nothing(sentiment: Any) -> None:
    got = sentiment([tweet(1, 1.0, authenticity=0.0), tweet(2, -1.0, influence=0.0)])["NVDA"]
    unknown = ["polarity", "polarity_shrunk", "n_effective", "se", "z", "polarity_change"]
    assert [got[name] for name in unknown] == [None] * 6
    assert got["n_tweets"] == 2
    assert got["polarity_plain"] == 0.0


def test_variance_is_shrunk_to_the_pooled_variance_of_the_session(sentiment: Any) -> None:
    given = [
        tweet(1, 1.0, hours=24.0),  # NVDA: 1 and 0, variance 1/4 x 2/1 = 1/2
        tweet(2, 0.0, hours=24.0),
        tweet(3, 0.5, hours=24.0, ticker="AMD"),  # AMD: three alike, variance 0
        tweet(4, 0.5, hours=24.0, ticker="AMD"),
        tweet(5, 0.5, hours=24.0, ticker="AMD"),
        tweet(6, 0.9, hours=24.0, ticker="TSLA"),  # TSLA: one tweet has no variance of its own
    ]
    got = sentiment(given)
    # Pooled: ((2 - 1) x 1/2 + (3 - 1) x 0) / ((2 - 1) + (3 - 1)) = 1/6.
    assert got["NVDA"]["variance"] == approx((2 * 0.5 + 5 / 6) / 7)
    assert got["NVDA"]["se"] == approx(sqrt((2 * 0.5 + 5 / 6) / 7 / 2))
    assert got["AMD"]["variance"] == approx((3 * 0 + 5 / 6) / 8)
    assert got["TSLA"]["n_effective"] == 1.0
    assert got["TSLA"]["variance"] == approx(1 / 6)  # wholly the session's
    assert got["TSLA"]["se"] == approx(sqrt(1 / 6))


def test_a_session_of_single_tweets_has_no_standard_error(sentiment: Any) -> None:
    got = sentiment([tweet(1, 0.4), tweet(2, -0.4, ticker="AMD")])
    assert got["NVDA"]["variance"] is None
    assert got["NVDA"]["se"] is None
    assert got["NVDA"]["polarity"] == 0.4


def test_unequal_weights_give_the_weighted_variance(sentiment: Any) -> None:
    # w = 1 and 1/2, p = 1 and 0 (ages 0 and 24 h): mean 2/3, variance 2/3 - 4/9 = 2/9,
    # n = 2.25 / 1.25 = 1.8, unbiased 2/9 x 1.8 / 0.8 = 1/2; alone, so pooled is the same.
    got = sentiment([tweet(1, 1.0), tweet(2, 0.0, hours=24.0)])["NVDA"]
    assert got["polarity"] == approx(2 / 3)
    assert got["n_effective"] == approx(1.8)
    assert got["variance"] == approx(0.5)
    assert got["se"] == approx(sqrt(0.5 / 1.8))


def test_the_reference_weight_ignores_authenticity_and_falls_to_a_tenth(sentiment: Any) -> None:
    given = [
        # influence 0.8 x confidence 0.5 x (1 - 6/24) = 0.3, whatever its authenticity
        tweet(1, 1.0, hours=6.0, influence=0.8, authenticity=0.0, text_key="same"),
        # 1 x 0.5 x 0.1: 1 - 23.4/24 is 0.025, below the floor of a tenth
        tweet(2, -1.0, hours=23.4, text_key="same"),
    ]
    got = sentiment(given)["NVDA"]
    assert got["polarity_reference"] == approx((0.3 - 0.05) / 0.35)
    assert got["confidence_reference"] == approx(0.35 / 2)  # sum of weights / n


def test_shares_counts_and_engagement(sentiment: Any) -> None:
    given = [
        tweet(1, 0.5, engagement=7),
        tweet(2, 0.5, engagement=None),
        tweet(3, -0.5, engagement=0),
        tweet(4, 0.0, authenticity=0.9),  # a row-local flag
    ]
    got = sentiment(given)["NVDA"]
    assert (got["n_tweets"], got["engagement"]) == (4, 7)
    assert got["share_positive"] == 0.5
    assert got["share_negative"] == 0.25
    assert got["share_neutral"] == 0.25
    assert got["flagged_share"] == 0.25
    assert sentiment([tweet(1, 0.5)])["NVDA"]["engagement"] is None  # no counts is not 0


def test_tweets_without_an_answer_are_in_no_number(sentiment: Any) -> None:
    got = sentiment([tweet(1, 0.5), tweet(2, None), tweet(3, None, ticker="AMD")])
    assert got.keys() == {"NVDA"}
    assert got["NVDA"]["n_tweets"] == 1


def test_the_heaviest_tweets_come_first_and_ties_go_by_id(sentiment: Any) -> None:
    given = [
        tweet(9007199254740993, 0.1, hours=24.0),  # ids beyond 2^53 keep their last digit
        tweet(30, 0.1, hours=24.0, influence=0.9),
        tweet(20, 0.1, hours=24.0),
        tweet(10, 0.1, hours=24.0, influence=0.5),
    ]
    got = sentiment(given, top_tweets=3)["NVDA"]
    assert json.loads(got["top_tweet_ids"]) == ["20", "9007199254740993", "30"]


# ---------------------------------------------------------------- change and z


def five(polarity: float, **changes: Any) -> list[dict[str, Any]]:
    return [tweet(i, polarity, hours=24.0, **changes) for i in range(1, 6)]


def test_the_change_is_against_the_session_before(sentiment: Any) -> None:
    history = [past(BEFORE, 0.1, se=0.03), past(date(2026, 2, 27), -0.9)]
    given = [*five(0.5), tweet(6, 0.0, ticker="AMD"), tweet(7, 1.0, ticker="AMD")]
    got = sentiment(given, history)["NVDA"]
    assert got["previous_session"] == BEFORE
    assert got["previous_polarity"] == 0.1
    assert got["polarity_change"] == 0.4
    # Own variance 0, AMD's 1/2 (n = 2): pooled 0.5 / (4 + 1) = 0.1; 5 x 0.1 / (5 + 5) = 0.05.
    assert got["se"] == approx(sqrt(0.05 / 5))
    assert got["change_se"] == approx(sqrt(0.05 / 5 + 0.03**2))


@pytest.mark.parametrize(
    ("history", "tweets", "reason"),
    [
        ([], five(0.5), "no session before at all"),
        ([past(date(2026, 2, 27), 0.1)], five(0.5), "the row before is Friday's, not Monday's"),
        ([past(BEFORE, 0.1, n_effective=4.99)], five(0.5), "too few tweets then"),
        ([past(BEFORE, 0.1)], five(0.5)[:4], "four tweets now"),
        ([past(BEFORE, 0.1, ticker="AMD")], five(0.5), "another ticker"),
        ([past(BEFORE, 0.1, model_version="other-2")], five(0.5), "another model's polarity"),
        ([past(BEFORE, 0.5, n_effective=None)], five(0.5), "an unknown number of tweets"),
    ],
)
def test_a_change_is_null_unless_both_sides_pass_the_gate(
    sentiment: Any, history: list[dict[str, Any]], tweets: list[dict[str, Any]], reason: str
) -> None:
    got = sentiment(tweets, history)["NVDA"]
    assert got["polarity_change"] is None, reason
    assert got["change_se"] is None, reason


def test_no_change_is_zero_and_known(sentiment: Any) -> None:
    got = sentiment(five(0.5), [past(BEFORE, 0.5)])["NVDA"]
    assert got["polarity_change"] == 0.0


def sessions_of(polarities: list[float], **changes: Any) -> list[dict[str, Any]]:
    days = [date(2026, 2, d) for d in (9, 10, 11, 12, 13, 17, 18)]
    return [past(day, p, **changes) for day, p in zip(days, polarities, strict=False)]


@pytest.mark.parametrize(
    ("history", "z", "n", "reason"),
    [
        # mean 0.2, sample deviation sqrt(0.1 / 4) = 0.158113883; (0.5 - 0.2) / it
        (sessions_of([0.0, 0.1, 0.2, 0.3, 0.4]), 0.3 / sqrt(0.025), 5, "five sessions"),
        (sessions_of([0.0, 0.1, 0.2, 0.3]), None, 4, "four are too few to show"),
        (sessions_of([0.2] * 6), None, 6, "no spread: unknown, not infinite"),
        (
            [*sessions_of([0.0, 0.1, 0.2, 0.3]), past(BEFORE, 0.4, n_effective=4.0)],
            None,
            4,
            "the fifth does not pass the gate",
        ),
        ([], None, 0, "nothing yet"),
    ],
)
def test_z_is_against_the_trailing_sessions_that_pass(
    sentiment: Any, history: list[dict[str, Any]], z: float | None, n: int, reason: str
) -> None:
    got = sentiment(five(0.5), history)["NVDA"]
    assert got["z"] == (None if z is None else approx(z)), reason
    assert got["z_sessions"] == n, reason


# ---------------------------------------------------------------- point in time


def test_a_tweet_at_the_cutoff_belongs_to_the_next_session(sentiment: Any) -> None:
    given = [tweet(1, 0.5), tweet(2, -1.0, created_at=CUTOFF)]
    assert sentiment(given)["NVDA"]["n_tweets"] == 1


def test_a_poisoned_future_changes_nothing(sentiment: Any) -> None:
    given, history = five(0.5), [past(BEFORE, 0.1)]
    poison = [
        tweet(101, -1.0, created_at=CUTOFF),
        tweet(102, -1.0, created_at=CUTOFF + timedelta(hours=5)),
        tweet(103, -1.0, dt=date(2026, 3, 4)),  # a later run
        tweet(104, -1.0, session=date(2026, 3, 4)),
        tweet(105, -1.0, session=BEFORE, dt=BEFORE),  # the session before has its own row
    ]
    later = [past(SESSION, -1.0), past(date(2026, 3, 4), -1.0)]
    assert sentiment(given + poison, history + later) == sentiment(given, history)


def test_a_monday_reads_saturday_sunday_and_monday_and_each_post_once(sentiment: Any) -> None:
    monday = date(2026, 3, 9)
    at = {d: datetime(2026, 3, d, 11) for d in (7, 8, 9)}
    window = {"session": monday}
    given = [
        tweet(1, 1.0, created_at=at[7], dt=date(2026, 3, 7), **window),
        tweet(2, 1.0, created_at=at[8], dt=date(2026, 3, 8), **window),
        tweet(2, 1.0, created_at=at[8], dt=date(2026, 3, 9), **window),  # collected twice
        tweet(3, 1.0, created_at=at[9], dt=date(2026, 3, 9), **window),
        tweet(4, 1.0, created_at=at[7], dt=date(2026, 3, 6), **window),  # Friday's run: not read
    ]
    got = sentiment(
        given,
        session=monday,
        first_dt=date(2026, 3, 7),
        last_dt=monday,
        cutoff=datetime(2026, 3, 9, 12),
        session_cutoff=datetime(2026, 3, 9, 12),
        window_hours=72.0,
        history_last=date(2026, 3, 6),
    )["NVDA"]
    assert got["n_tweets"] == 3
    assert json.loads(got["top_tweet_ids"]) == ["3", "2", "1"]  # younger ones weigh more
    # Reference: 0.5 x (1 - age / 72 h) for ages 49, 25 and 1 hours.
    assert got["confidence_reference"] == approx(0.5 * (23 + 47 + 71) / 72 / 3)


def test_coverage_and_partial_come_from_the_run(sentiment: Any) -> None:
    got = sentiment([tweet(1, 0.5)], coverage=0.4, partial=True)["NVDA"]
    assert (got["coverage"], got["partial"]) == (0.4, True)
    assert sentiment([tweet(1, 0.5)])["NVDA"]["coverage"] is None  # unknown is not 0


def test_no_tweets_give_no_rows(sentiment: Any) -> None:
    assert sentiment([]) == {}


def test_the_parameters_of_the_model_are_those_that_settings_give() -> None:
    from types import SimpleNamespace

    from cashtag.signals import models

    env = SimpleNamespace(
        settings=settings.load(environ={}), scorer=SimpleNamespace(version="lexicon-1")
    )
    given = models.parameters(env, SESSION, SESSION, coverage=None, partial=False)  # type: ignore[arg-type]
    for name in sql.load("sql", "daily_sentiment").parameters:
        if name not in {"cutoff", "session_cutoff", "history_first", "config_hash", "run_id"}:
            assert given[name] == PARAMS[name], name
