"""Settings: both profiles hold the numbers of the specification, and nothing slips in unnamed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cashtag.errors import SettingsError
from cashtag.settings import load, load_with_origin


def test_the_sound_profile_is_the_default() -> None:
    s = load(environ={})
    assert s.profile == "sound"
    assert s.for_environment(s.signals.change_threshold) == 0.15
    assert s.signals.change_sigmas == 1.96
    assert s.enrich.influence.multiplier == 1.0
    assert s.trade.mode == "simulated"


def test_production_wants_a_larger_change() -> None:
    s = load(environ={"CASHTAG_ENVIRONMENT": "prod"})
    assert s.for_environment(s.signals.change_threshold) == 0.20
    assert s.for_environment(s.trade.max_portfolio) == 100_000


def test_the_reference_profile_has_the_earlier_numbers() -> None:
    dev = load(environ={}, profile="reference")
    prod = load(environ={"CASHTAG_ENVIRONMENT": "prod"}, profile="reference")
    assert (
        dev.for_environment(dev.signals.min_tweets),
        prod.for_environment(prod.signals.min_tweets),
    ) == (10, 50)
    assert (
        dev.for_environment(dev.signals.confidence_threshold),
        prod.for_environment(prod.signals.confidence_threshold),
    ) == (0.75, 0.82)
    assert dev.enrich.influence.multiplier == 3.0
    assert dev.signals.regime.bounds == [12, 20, 30, 40]  # levels of VIX
    assert dev.signals.regime.multipliers == [0.8, 1.0, 0.5, 0.25, 0.0]
    assert dev.trade.tiers.risk == [0.25, 0.12, 0.04, 0.01]
    assert dev.trade.exits.option_stop == -0.25


@pytest.mark.parametrize(
    ("ticker", "threshold", "position"),
    [
        ("TSLA", 0.75, 10_000),
        ("GOOG", 0.70, 15_000),
        ("NVDA", 0.72, 12_000),
        ("META", 0.68, 8_000),
        ("AAPL", 0.70, 20_000),
        ("ZZZ", 0.70, 10_000),
    ],
)
def test_the_watchlist(ticker: str, threshold: float, position: float) -> None:
    stock = load(environ={}).stock(ticker)
    assert (stock.sentiment_threshold, stock.max_position) == (threshold, position)
    assert stock.trading_enabled


def test_file_beats_profile_and_environment_beats_file(tmp_path: Path) -> None:
    own = tmp_path / "cashtag.toml"
    own.write_text("[signals]\nhalf_life_hours = 12.0\n[enrich.influence]\nmultiplier = 2.0\n")
    loaded = load_with_origin(
        own, environ={"CASHTAG_SIGNALS__HALF_LIFE_HOURS": "6"}, profile="reference"
    )
    assert loaded.settings.signals.half_life_hours == 6
    assert loaded.settings.enrich.influence.multiplier == 2.0
    assert loaded.origin["signals.half_life_hours"] == "environment"
    assert loaded.origin["enrich.influence.multiplier"] == str(own)
    assert loaded.origin["signals.sentiment_rule"] == "reference.toml"
    assert loaded.origin["signals.shrinkage"] == "defaults.toml"


def test_one_key_of_a_new_stock_is_enough(tmp_path: Path) -> None:
    own = tmp_path / "cashtag.toml"
    own.write_text('[watchlist.stocks.AMD]\nsector = "Information Technology"\n')
    stock = load(own, environ={}).stock("AMD")
    assert (stock.sector, stock.max_position) == ("Information Technology", 10_000)


def test_the_environment_reaches_keys_with_dashes() -> None:
    s = load(environ={"CASHTAG_ACCOUNTS__LARGE_100K__EQUITY": "5000"})
    assert s.accounts["large-100k"].equity == 5000


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"CASHTAG_SIGNALS__TREND__FIRE_ABOV": "1"},
            r"signals\.trend\.fire_abov is no setting.*did you mean signals\.trend\.fire_above\?",
        ),
        (
            {"CASHTAG_SIGNALS__TREND__FIRE_ABOVE": "1.5"},
            r"fire_above = 1\.5 is refused \(from environment\): must be a number at least 0 and at most 1",
        ),
        ({"CASHTAG_TRADE__MODE": "yolo"}, r"trade\.mode = 'yolo'.*'simulated', 'paper' or 'live'"),
        ({"CASHTAG_PROFILE": "wild"}, r"profile = 'wild' is none of: sound, reference"),
        ({"CASHTAG_SCRAPE__CUTOFF_UTC": "13:45"}, r"before 13:30, the earliest opening bell"),
        ({"CASHTAG_TRADE__ACCOUNTS": '["huge"]'}, r"names 'huge', which is none of"),
        ({"CASHTAG_SIGNALS__REGIME__BOUNDS": "[0.5, 0.4, 0.6, 0.7]"}, r"bounds must ascend"),
        ({"CASHTAG_ENRICH__BATCH_SIZE": "many"}, r"enrich\.batch_size = 'many'"),
        ({"CASHTAG_TRADE__ENTRY__SHORT_SELLING": "true"}, r"short_selling = True"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load(environ=environ)


def test_a_file_that_is_no_toml_says_so(tmp_path: Path) -> None:
    own = tmp_path / "cashtag.toml"
    own.write_text("[signals\n")
    with pytest.raises(SettingsError, match=r"is no TOML.*line 1"):
        load(own, environ={})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not there"):
        load(tmp_path / "none.toml", environ={})


def test_the_config_hash_moves_with_signals_and_not_with_the_desk() -> None:
    base = load(environ={}).config_hash()
    assert load(environ={"CASHTAG_SIGNALS__HALF_LIFE_HOURS": "12"}).config_hash() != base
    assert load(environ={"CASHTAG_TRADE__ALLOCATION": "0.1"}).config_hash() == base
    assert load(environ={"CASHTAG_REPORT__THEME": "dark"}).config_hash() == base
    assert load(environ={}, profile="reference").config_hash() != base


def test_every_key_of_the_reference_profile_is_a_key_of_the_defaults() -> None:
    loaded = load_with_origin(environ={}, profile="reference")
    assert "reference.toml" in loaded.origin.values()
    assert set(loaded.origin) == set(load_with_origin(environ={}).origin) | {"profile"}
