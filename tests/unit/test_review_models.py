"""Two models on the same texts: figures by hand, and a lake on which one is the other turned round."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cashtag import services, settings
from cashtag.cli import main
from cashtag.errors import InputError
from cashtag.lake import layout
from cashtag.operate import days
from cashtag.operate.rescore import rescore
from cashtag.ports import Env
from cashtag.research import agreement, models
from cashtag.sentiment.ensemble import make
from cashtag.sentiment.lexicon import LexiconScorer

FIRST, LAST = date(2026, 3, 2), date(2026, 3, 6)  # five sessions of the sample, Monday to Friday


# ---------------------------------------------------------------- figures


def test_kappa_by_hand() -> None:
    # Cohen's own kind of table: 20 and 15 agree, 5 and 10 do not. Agreement 35/50; by chance
    # 25/50 x 30/50 + 25/50 x 20/50 = 1/2. (.7 - .5) / .5 = .4.
    x = np.repeat([0, 0, 1, 1], [20, 5, 10, 15])
    y = np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    assert agreement.kappa(x, y) == pytest.approx(0.4)
    assert agreement.kappa(np.zeros(3), np.zeros(3)) is None  # chance explains everything


def test_correlations_by_hand() -> None:
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 8.0, 27.0])
    assert agreement.spearman(x, y) == pytest.approx(1)
    # Deviations -1, 0, 1 and -11, -4, 15: 26 / sqrt(2 x 362).
    assert agreement.pearson(x, y) == pytest.approx(26 / 724**0.5)
    assert agreement.pearson(x, np.ones(3)) is None


def test_the_jackknife_leaves_out_one_day_after_another() -> None:
    x, y = np.array([1, 1, 0, 1]), np.array([1, 0, 0, 0])
    days_of = np.array([1, 1, 2, 3])
    found = agreement.figure(
        "same", agreement.same, x, y, days_of, least_days=3, of="texts", alone=None
    )
    assert found.value == pytest.approx(2 / 4)
    # Without day 1: 1 of 2; without day 2: 1 of 3; without day 3: 2 of 3. Their mean is 1/2, the
    # squares sum to 2 x (1/6)^2 = 1/18, times 2/3 is 1/27; 1.96 x sqrt(1/27) = .3772.
    assert (found.low, found.high) == pytest.approx((0.1228, 0.8772), abs=1e-4)
    assert found.by == "days"


def test_with_few_days_the_interval_is_of_each_text() -> None:
    pairs = np.array([1] * 8 + [0] * 2), np.ones(10, int)
    found = agreement.figure(
        "same", agreement.same, *pairs, np.ones(10), least_days=5, of="texts",
        alone=agreement.share_interval,
    )  # fmt: skip
    assert found.by == "each"
    # Wilson of 8 in 10: .4902 to .9433.
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_without_pairs_there_is_no_figure() -> None:
    none = np.array([])
    found = agreement.figure("same", agreement.same, none, none, none, least_days=5, of="texts")
    assert (found.value, found.low, found.by, found.n) == (None, None, None, 0)


def test_a_distribution_leaves_out_what_has_no_answer() -> None:
    found = agreement.distribution(
        np.array([0.5, np.nan, -0.1]), np.array([2, -1, 1]), np.array([0.9, np.nan, 0.5])
    )
    assert (found["n"], found["unanswered"]) == (2, 1)
    assert found["mean"] == pytest.approx(0.2)
    assert (found["share_negative"], found["share_positive"]) == (0.0, 0.5)
    assert found["confidence"] == pytest.approx(0.7)
    assert agreement.distribution(np.array([np.nan]), np.array([-1]), np.array([np.nan])) == {
        "n": 0, "unanswered": 1,
    }  # fmt: skip


# ---------------------------------------------------------------- a lake


class Turned(LexiconScorer):
    """The lexicon with good and bad exchanged: what it would change is known beforehand."""

    name = "turned"

    def __init__(self) -> None:
        super().__init__()
        self.version = "turned-1"

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return super().score(texts)[:, ::-1]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Env:
    """A week of the sample by the lexicon, with the turned lexicon and an ensemble beside it."""
    folder = tmp_path_factory.mktemp("lake")
    own = settings.load(environ={}, overrides={"lake": str(folder)})
    made = services.embedded(own, source_name="sample")
    list(days.days(made, FIRST, LAST))
    list(rescore(own, made.lake, Turned()))
    members = {"lexicon": LexiconScorer(), "turned": Turned()}
    list(rescore(own, made.lake, make(own, members)))
    return made


@pytest.fixture(scope="module")
def versions(env: Env) -> list[str]:
    return sorted(models.recorded(env.lake, FIRST, LAST))


def test_recorded_versions_are_found_with_their_objects(env: Env, versions: list[str]) -> None:
    held = models.recorded(env.lake, FIRST, LAST)
    assert [version.split("-")[0] for version in versions] == ["ensemble", "lexicon", "turned"]
    assert {len(keys) for keys in held.values()} == {len(held["turned-1"])}
    assert all(key.startswith("tweets/dt=2026-03-0") for key in held["turned-1"])
    assert models.recorded(env.lake, date(2030, 1, 1), LAST) == {}


def test_a_model_agrees_with_itself(env: Env) -> None:
    version = env.scorer.version
    found = models.compare(env, version, version, FIRST, LAST)
    values = {one.figure: one.value for one in found.figures}
    assert values == {
        "same label": 1.0,
        "kappa of labels": 1.0,
        "correlation of polarity": pytest.approx(1),
        "rank correlation of polarity": pytest.approx(1),
        "rank correlation of daily polarity": pytest.approx(1),
        "sentiment signals that differ": 0.0,
    }


def test_the_signals_by_the_first_model_are_those_that_were_published(env: Env) -> None:
    """The comparison takes the live code path: it finds what the lake's own tables say."""
    version = env.scorer.version
    found = models.compare(env, version, version, FIRST, LAST)
    query = (
        "SELECT sum(CASE WHEN sentiment_signal IN ('BUY', 'SELL') THEN 1 ELSE 0 END) AS fired "
        "FROM daily_signals WHERE session BETWEEN :first AND :last AND kind = 'STOCK'"
    )
    (row,) = env.warehouse.query(query, {"first": FIRST, "last": LAST}).to_pylist()
    assert found.signals["fire_by_a"] == row["fired"] > 0


def test_a_model_turned_round_disagrees_in_everything_but_neutral(env: Env) -> None:
    found = models.compare(env, env.scorer.version, "turned-1", FIRST, LAST)
    figures = {one.figure: one for one in found.figures}
    # Polarity is exchanged in sign, text by text and so in every weighted mean.
    assert figures["correlation of polarity"].value == pytest.approx(-1)
    assert figures["rank correlation of daily polarity"].value == pytest.approx(-1)
    assert found.confusion["positive"]["positive"] == found.confusion["negative"]["negative"] == 0
    assert found.confusion["positive"]["negative"] > 0
    same = found.confusion["neutral"]["neutral"] / figures["same label"].n
    assert figures["same label"].value == pytest.approx(same)
    one, other = found.distributions.values()
    assert one["mean"] == pytest.approx(-other["mean"])
    assert one["share_positive"] == pytest.approx(other["share_negative"])
    # Whatever fires by the one fires the other way by the other.
    assert found.signals["fire_by_a"] == found.signals["fire_by_b"] == found.signals["opposite"]
    assert found.signals["fire_alike"] == 0
    assert figures["same label"].by == "days"  # five runs are enough
    assert found.objects == len(models.recorded(env.lake, FIRST, LAST)["turned-1"])


def test_an_ensemble_is_compared_from_its_roster_alone(env: Env, versions: list[str]) -> None:
    ensemble = next(version for version in versions if version.startswith("ensemble"))
    found = models.compare(env, ensemble, env.scorer.version, FIRST, LAST)
    # Two models of equal weight and confidence, each the other turned round: always 0, neutral.
    spread = found.distributions[ensemble]
    assert spread["mean"] == pytest.approx(0)
    assert spread["share_neutral"] == 1.0
    assert found.signals["fire_by_a"] == 0


def test_versions_are_named_by_their_beginning() -> None:
    held = ["lexicon-1", "lexicon-2", "roberta-1"]
    assert models.version_named(held, "rob", "--model") == "roberta-1"
    assert models.version_named(held, "lexicon-1", "--model") == "lexicon-1"
    with pytest.raises(InputError, match="'lexicon' begins 2 of the recorded model versions"):
        models.version_named(held, "lexicon", "--model")
    with pytest.raises(InputError, match="cashtag rescore --model"):
        models.version_named(held, "bedrock", "--model")


def test_models_without_a_text_in_common_are_refused(env: Env) -> None:
    with pytest.raises(InputError, match="was answered by both"):
        models.compare(env, env.scorer.version, "nobody-1", FIRST, LAST)


def test_a_member_whose_record_is_gone_leaves_the_object_out(env: Env, versions: list[str]) -> None:
    ensemble = next(version for version in versions if version.startswith("ensemble"))
    held = models.recorded(env.lake, FIRST, FIRST)[ensemble]

    class Missing:
        """The enriched zone without one record."""

        def __init__(self, store: Any, key: str) -> None:
            self._store, self._key = store, key

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def exists(self, key: str) -> bool:
            return key != self._key and bool(self._store.exists(key))

    gone = layout.scores("turned-1", min(held))
    lake = replace(env.lake, enriched=Missing(env.lake.enriched, gone))
    found = models.compare(replace(env, lake=lake), ensemble, env.scorer.version, FIRST, FIRST)
    assert found.objects == len(held) - 1


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_the_command_compares_what_is_recorded(
    form: str, env: Env, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = ["cashtag", "review", "models", "--lake", env.settings.lake, "--format", form]
    words += ["--model", "lexicon", "--model", "turned", "--to", "2026-03-03"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    out = capsys.readouterr().out
    if form == "json":
        (found,) = json.loads(out)
        assert found["b"] == "turned-1"
        assert found["figures"][0]["by"] == "each"  # two runs tell nothing of days
    else:
        assert "rank correlation of daily polarity" in " ".join(out.split())


def test_one_model_alone_is_told_what_to_do(
    env: Env, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["cashtag", "review", "models", "--lake", env.settings.lake, "--model", "lexicon"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "record another with `cashtag rescore" in capsys.readouterr().err
