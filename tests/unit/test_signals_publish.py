"""Publication: all of a session or none of it, the same however often, and never from the future."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from cashtag import services, sessions, settings
from cashtag.errors import CheckFailed, InputError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Env, Lake
from cashtag.signals import checks, models, publish
from cashtag.warehouse.duckdb import DuckDBWarehouse

MONDAY, TUESDAY = date(2026, 3, 9), date(2026, 3, 10)
WEEKEND = (date(2026, 3, 7), date(2026, 3, 8))
MODEL = "lexicon-1"


def tweet(number: int, ticker: str, moment: datetime, polarity: float, **changes: Any) -> Any:
    """A tweet with its session as enrichment works it out."""
    at = moment.replace(tzinfo=sessions.cutoff(MONDAY).tzinfo)
    return {
        "tweet_id": str(number),
        "ticker": ticker,
        "created_at": moment,
        "session": sessions.session_of(at),
        "hour_ny": sessions.hour_ny(at),
        "source": "synthetic",
        "author": f"author{number}",
        "text": "text",
        "cashtags": [ticker],
        "hashtags": [],
        "is_retweet": False,
        "is_reply": False,
        "is_quote": False,
        "influence": 0.5,
        "is_key_influencer": False,
        "engagement_factor": 1.0,
        "authenticity": 1.0,
        "flags": [],
        "text_key": str(number),
        "p_negative": 0.2,
        "p_neutral": 0.3,
        "p_positive": 0.5,
        "sentiment": "positive" if polarity > 0 else "negative",
        "sentiment_score": 0.5,
        "polarity": polarity,
        "model": "lexicon",
        "model_version": MODEL,
        "run_id": "r",
        **changes,
    }


def put(lake: Lake, table: str, dt: date, given: list[dict[str, Any]]) -> None:
    own = contract(table)
    rows = pa.Table.from_pylist(given, schema=own.arrow_schema())
    lake.enriched.put(layout.enriched(table, dt), parquet.write(own, rows))


def bars(dt: date, close: Callable[[int], float] = lambda n: 100.0 + n % 7) -> list[dict[str, Any]]:
    days = sessions.sessions_before(sessions.session_of_run(dt), 90)
    return [
        {
            "ticker": ticker,
            "session": day,
            "open": close(n),
            "high": close(n) + 1,
            "low": close(n) - 1,
            "close": close(n),
            "adjusted_close": close(n),
            "volume": 1000 + n,
            "source": "synthetic",
        }
        for ticker in ("NVDA", "SPY")
        for n, day in enumerate(days)
    ]


def morning(dt: date, polarity: float, ticker: str = "NVDA", n: int = 8) -> list[dict[str, Any]]:
    """Tweets of the night before the cutoff of `dt`, alternating around `polarity`."""
    moment = sessions.cutoff(dt).replace(tzinfo=None) - timedelta(hours=6)
    return [
        tweet(dt.toordinal() * 100 + i, ticker, moment, polarity + (0.05 if i % 2 else -0.05))
        for i in range(n)
    ]


@pytest.fixture
def env(tmp_path: Path) -> Env:
    """A weekend and two sessions: the mood of NVDA turns from Monday to Tuesday."""
    lake = services.folder_lake(tmp_path)
    for dt in (*WEEKEND, MONDAY, TUESDAY):
        put(lake, "tweets", dt, morning(dt, 0.5 if dt == TUESDAY else -0.2))
        put(lake, "prices", dt, bars(dt))
    return new(lake)


def new(lake: Lake, **overrides: Any) -> Env:
    """Another process on the same lake."""
    parts: Any = {
        "settings": settings.load(environ={}, overrides=overrides),
        "lake": lake,
        "warehouse": DuckDBWarehouse(lake),
        "source": None,
        "scorer": SimpleNamespace(name="lexicon", version=MODEL),
    }
    return Env(**parts)


def go(env: Env, session: date, dt: date | None = None, state: str = "s1") -> publish.Published:
    return publish.publish(env, session, dt or session, coverage=1.0, partial=False, state=state)


def objects(lake: Lake) -> dict[str, bytes]:
    return {info.key: lake.signals.get(info.key) for info in lake.signals.list()}


def read(lake: Lake, table: str, session: date) -> list[dict[str, Any]]:
    own = contract(table)
    rows: list[dict[str, Any]] = parquet.read(
        own, lake.signals.get(layout.signals(table, session))
    ).to_pylist()
    return rows


def test_a_session_becomes_five_tables_and_a_marker(env: Env) -> None:
    done = go(env, MONDAY)
    assert set(objects(env.lake)) == {
        *(layout.signals(name, MONDAY) for name in models.MODELS),
        layout.findings(MONDAY),
        layout.published(MONDAY, "s1"),
    }
    assert done.rows == {
        "daily_features": 2,
        "daily_sentiment": 1,
        "daily_news": 0,
        "daily_signals": 4,
        "ranking": 2,
    }
    sentiment = read(env.lake, "daily_sentiment", MONDAY)[0]
    assert sentiment["n_tweets"] == 24  # Saturday's, Sunday's and Monday's
    assert sentiment["polarity_change"] is None  # Friday is unknown
    assert sentiment["run_id"] == done.run_id


def test_the_next_session_is_compared_with_what_was_published(env: Env) -> None:
    go(env, MONDAY)
    go(env, TUESDAY)
    got = {(r["ticker"], r["kind"]): r for r in read(env.lake, "daily_signals", TUESDAY)}
    stock = got["NVDA", "STOCK"]
    # -0.2 to 0.5, both sides alike but for 0.05 either way: far and significant.
    assert stock["polarity_change"] == pytest.approx(0.7)
    assert (stock["direction"], stock["instrument"]) == ("BUY", "STOCK")
    assert got["SPY", "STOCK"]["direction"] == "HOLD"


def test_publishing_again_changes_no_byte(env: Env) -> None:
    first = go(env, MONDAY)
    before = objects(env.lake)
    again = go(new(env.lake), MONDAY)  # another process
    assert objects(env.lake) == before
    assert (first.first, again.first) == (True, False)
    assert first.hashes == again.hashes


def test_a_new_state_gets_its_own_marker(env: Env) -> None:
    go(env, MONDAY, state="s1")
    assert go(env, MONDAY, state="s2").first
    assert env.lake.signals.exists(layout.published(MONDAY, "s2"))


def test_a_later_run_of_the_window_replaces_the_session(tmp_path: Path) -> None:
    env = new(services.folder_lake(tmp_path))
    for dt in (*WEEKEND, MONDAY):
        put(env.lake, "tweets", dt, morning(dt, -0.2))
        done = go(env, MONDAY, dt=dt, state=str(dt))
        row = read(env.lake, "daily_sentiment", MONDAY)[0]
        assert (done.dt, row["n_tweets"]) == (dt, 8 * (1 + (dt - WEEKEND[0]).days))
        signal = read(env.lake, "daily_signals", MONDAY)[0]
        assert signal["as_of"] == sessions.cutoff(dt).replace(tzinfo=None)


def test_a_saturday_made_again_from_its_monday_changes_nothing(env: Env) -> None:
    go(env, MONDAY)
    before = objects(env.lake)
    publish.publish(
        new(env.lake), MONDAY, MONDAY, run=WEEKEND[0], coverage=1.0, partial=False, state="s1"
    )
    assert objects(env.lake) == before


def test_a_poisoned_future_changes_nothing(env: Env, tmp_path: Path) -> None:
    go(env, MONDAY)
    clean = {key: data for key, data in objects(env.lake).items() if str(MONDAY) in key}
    # Everything that Monday cannot know: Tuesday's partitions, Monday's own later posts, bars of
    # Monday and after, and tables of later sessions.
    late = datetime(2026, 3, 9, 12)  # noqa: DTZ001  the lake's timestamps are UTC without a zone
    put(
        env.lake,
        "tweets",
        MONDAY,
        [
            *morning(MONDAY, -0.2),
            tweet(1, "NVDA", late, 1.0, session=MONDAY),
            tweet(2, "NVDA", late + timedelta(hours=3), 1.0),
        ],
    )
    put(env.lake, "tweets", TUESDAY, morning(TUESDAY, 1.0) + morning(TUESDAY, 1.0, "FUTURE"))
    put(env.lake, "prices", TUESDAY, bars(TUESDAY, lambda n: 1.0 + n))
    known = bars(MONDAY)
    later = [{**row, "session": MONDAY, "adjusted_close": 9.0} for row in known[-1:]]
    put(env.lake, "prices", MONDAY, known + later)
    go(env, TUESDAY)
    go(new(env.lake), MONDAY)
    assert {key: data for key, data in objects(env.lake).items() if str(MONDAY) in key} == clean


def test_a_failing_check_publishes_nothing_and_names_itself(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(env, MONDAY)
    before = objects(env.lake)
    # A bar whose low lies above its high: no feature can be right.
    broken = [{**row, "low": row["high"] + 1} for row in bars(MONDAY)]
    put(env.lake, "prices", MONDAY, broken)
    with pytest.raises(CheckFailed) as refused:
        go(env, MONDAY, state="s2")
    assert "session 2026-03-09 is not published" in str(refused.value)
    assert "features_ranges" in str(refused.value)
    assert "ticker NVDA, problem low above high" in str(refused.value)
    assert objects(env.lake) == before


def test_a_warning_is_published_and_told(env: Env) -> None:
    old = bars(WEEKEND[0])
    put(env.lake, "prices", MONDAY, [r for r in old if r["session"] < date(2026, 3, 6)])
    done = go(env, MONDAY)
    told = {finding.check: finding for finding in done.findings}
    assert set(told) == {"features_stale", "regime_known"}
    assert told["features_stale"].n_rows == 2
    assert "NVDA" in str(told["features_stale"])
    assert done.first


def test_a_run_without_prices_still_says_what_people_say(env: Env) -> None:
    env.lake.enriched.delete(layout.enriched("prices", MONDAY))
    done = go(env, MONDAY)
    assert (done.rows["daily_features"], done.rows["daily_signals"]) == (0, 2)
    assert read(env.lake, "daily_signals", MONDAY)[0]["regime_multiplier"] is None


def test_an_empty_session_is_published_empty(tmp_path: Path) -> None:
    empty = new(services.folder_lake(tmp_path))
    done = go(empty, MONDAY)
    assert set(done.rows.values()) == {0}
    assert done.first


def test_a_partial_session_says_so_on_every_row(env: Env) -> None:
    publish.publish(env, MONDAY, MONDAY, coverage=0.3, partial=True, state="s")
    for table in ("daily_sentiment", "daily_signals"):
        for row in read(env.lake, table, MONDAY):
            assert (row["coverage"], row["partial"]) == (0.3, True)


def test_make_writes_nothing(env: Env) -> None:
    tables, findings = publish.make(env, MONDAY, MONDAY, coverage=1.0, partial=False)
    assert tuple(tables) == models.MODELS
    assert not [f for f in findings if f.level == "fail"]
    assert objects(env.lake) == {}


def test_a_run_of_another_session_is_refused(env: Env) -> None:
    with pytest.raises(InputError, match="is no run of session"):
        go(env, MONDAY, dt=TUESDAY)


def test_the_marker_names_its_run_and_nothing_that_a_later_run_could_change(env: Env) -> None:
    import json

    done = go(env, MONDAY)
    marker = json.loads(env.lake.signals.get(layout.published(MONDAY, "s1")))
    assert marker == {
        "session": "2026-03-09",
        "dt": "2026-03-09",
        "run_id": done.run_id,
    }
    own = contract("ranking")
    held = parquet.read(own, env.lake.signals.get(layout.signals("ranking", MONDAY)))
    assert done.hashes["ranking"] == parquet.content_hash(own, held)


def test_findings_put_failures_first_and_count_what_they_do_not_show() -> None:
    shown = tuple({"ticker": t} for t in "ABCDE")
    finding = checks.Finding("some_check", "fail", "nothing is wrong.", 7, shown)
    assert str(finding) == (
        "some_check: nothing is wrong. Offending: "
        "ticker A; ticker B; ticker C; ticker D; ticker E; and 2 more"
    )
