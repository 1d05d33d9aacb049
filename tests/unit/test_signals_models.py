"""The models' parameters: windows and cutoffs of a session, and every number from the settings."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from cashtag import settings
from cashtag.errors import CalendarError, InputError
from cashtag.signals import models
from cashtag.warehouse import sql


def env(profile: str = "sound", **overrides: Any) -> Any:
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    return SimpleNamespace(
        settings=settings.load(environ={}, profile=profile, overrides=dotted),
        scorer=SimpleNamespace(version="lexicon-1"),
    )


def ask(session: date, dt: date, environment: Any = None) -> dict[str, Any]:
    return models.parameters(environment or env(), session, dt, coverage=0.9, partial=False)


def test_a_monday_reads_three_runs_and_compares_with_friday() -> None:
    got = ask(date(2026, 3, 9), date(2026, 3, 9))
    assert (got["first_dt"], got["last_dt"]) == (date(2026, 3, 7), date(2026, 3, 9))
    assert got["cutoff"] == datetime(2026, 3, 9, 12, tzinfo=UTC)
    assert got["window_hours"] == 72.0
    assert got["previous_session"] == got["history_last"] == date(2026, 3, 6)
    # 20 sessions back from Friday 6 March: Presidents' Day, 16 February, was none.
    assert got["history_first"] == date(2026, 2, 6)


def test_a_sunday_refreshes_monday_with_what_it_knows() -> None:
    got = ask(date(2026, 3, 9), date(2026, 3, 8))
    assert (got["dt"], got["last_dt"]) == (date(2026, 3, 8), date(2026, 3, 8))
    assert got["cutoff"] == datetime(2026, 3, 8, 12, tzinfo=UTC)  # nothing later is read
    assert got["session_cutoff"] == datetime(2026, 3, 9, 12, tzinfo=UTC)  # ages count from Monday's
    assert got["window_hours"] == 72.0


def test_weeks_begin_on_monday() -> None:
    got = ask(date(2026, 3, 4), date(2026, 3, 4))
    weeks = [got["this_week"], got["last_week"], got["week_before"]]
    assert weeks == [date(2026, 3, 2), date(2026, 2, 23), date(2026, 2, 16)]


def test_a_run_of_another_session_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"dt = 2026-03-06 is no run of session 2026-03-09.*03-07"):
        ask(date(2026, 3, 9), date(2026, 3, 6))


def test_a_day_that_is_no_session_is_refused() -> None:
    with pytest.raises(CalendarError, match="2026-03-08"):
        ask(date(2026, 3, 8), date(2026, 3, 8))


def test_the_run_is_named_by_date_settings_and_model() -> None:
    day = date(2026, 3, 9)
    first = ask(day, day)["run_id"]
    assert len(first) == 12
    assert first == ask(day, day)["run_id"]
    other_model = env()
    other_model.scorer.version = "lexicon-2"
    changed = [
        ask(day, date(2026, 3, 8)),
        ask(day, day, other_model),
        ask(day, day, env(signals__half_life_hours=12.0)),
    ]
    assert len({first, *(c["run_id"] for c in changed)}) == 4
    # The desk's numbers change no signal, and so no run.
    assert ask(day, day, env(trade__allocation=0.1))["run_id"] == first


@pytest.mark.parametrize(
    ("profile", "environment", "expected"),
    [
        (
            "sound",
            "dev",
            {
                "min_tweets": 5.0,
                "change_threshold": 0.15,
                "change_sigmas": 1.96,
                "sentiment_rule": "change",
                "confidence_threshold": 0.0,
                "influencer_multiplier": 1.0,
                "regime_ticker": "SPY",
                "regime_by_level": False,
                "trend_needs_slope": True,
            },
        ),
        ("sound", "prod", {"min_tweets": 5.0, "change_threshold": 0.2}),
        (
            "reference",
            "dev",
            {
                "min_tweets": 10.0,
                "change_threshold": 0.15,
                "change_sigmas": 0.0,
                "sentiment_rule": "confidence",
                "confidence_threshold": 0.75,
                "influencer_multiplier": 3.0,
                "regime_ticker": "^VIX",
                "regime_by_level": True,
                "trend_needs_slope": False,
            },
        ),
        ("reference", "prod", {"min_tweets": 50.0, "confidence_threshold": 0.82}),
    ],
)
def test_each_profile_and_environment_has_its_numbers(
    profile: str, environment: str, expected: dict[str, Any]
) -> None:
    day = date(2026, 3, 9)
    got = ask(day, day, env(profile, environment=environment))
    assert {name: got[name] for name in expected} == expected


def test_thresholds_of_symbols_travel_as_one_text() -> None:
    got = models.thresholds(env().settings)["symbol_thresholds"]
    assert got == "AAPL=0.7,GOOG=0.7,META=0.68,NVDA=0.72,TSLA=0.75"


def test_regime_buckets_leave_no_gap() -> None:
    got = models.thresholds(env("reference").settings)["regime_buckets"]
    assert got == (
        "-Infinity;12.0;0.8,12.0;20.0;1.0,20.0;30.0;0.5,30.0;40.0;0.25,40.0;Infinity;0.0"
    )


@pytest.mark.parametrize("kind", ["sql", "checks"])
def test_every_name_that_models_and_checks_use_has_a_value(kind: Any) -> None:
    given = ask(date(2026, 3, 9), date(2026, 3, 9))
    for name in sql.names(kind):
        assert set(sql.load(kind, name).parameters) <= given.keys(), name


def test_every_model_is_a_file_and_runs_after_what_it_reads() -> None:
    assert set(models.MODELS) <= set(sql.names("sql"))
    for place, name in enumerate(models.MODELS):
        text = sql.load("sql", name).text
        later = models.MODELS[place + 1 :]
        assert not [other for other in later if f"FROM {other}\n" in text], name
