"""Several models as one: the formula by hand, and who was there as a recorded fact."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cashtag import services, settings
from cashtag.enrich import staging, tweets
from cashtag.errors import SettingsError, StoreError
from cashtag.lake import layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Store
from cashtag.sentiment import combining, registry
from cashtag.sentiment.answered import LABELS, About, Answered
from cashtag.sentiment.combining import combine
from cashtag.sentiment.ensemble import Ensemble, make, read_roster
from cashtag.sentiment.store import ScorerUnavailable, of_object

RAW = "tweets/dt=2026-03-02/source=x/NVDA-1.jsonl.gz"
WEIGHTS = {"bedrock": 0.40, "finbert": 0.35, "comprehend": 0.25, "roberta": 0.33}
NAN = float("nan")


def said(polarity: float, confidence: float, label: str) -> Answered:
    """One text's answer as Comprehend and Bedrock give it."""
    p = [max(-polarity, 0.0), 1 - abs(polarity), max(polarity, 0.0)]
    return Answered(np.array([p]), np.array([confidence]), [label])


NOTHING = Answered(np.full((1, 3), np.nan))


def together(**answers: Answered | None) -> Answered:
    versions = {name: f"{name}-1" for name in answers}
    return combine(answers, versions, WEIGHTS, positive_above=0.2, negative_below=-0.2)


def test_three_models_by_hand() -> None:
    found = together(
        bedrock=said(0.8, 0.9, "positive"),
        finbert=said(0.5, 0.6, "positive"),
        comprehend=said(-0.4, 0.5, "negative"),
    )
    # w c: .40 x .9 = .36, .35 x .6 = .21, .25 x .5 = .125; together .695.
    # Score (.8 x .36 + .5 x .21 - .4 x .125) / .695 = .343 / .695.
    assert found.polarity.tolist() == pytest.approx([0.343 / 0.695])
    assert LABELS[found.labels[0]] == "positive"  # .4935 > .2
    assert found.agreement is not None
    assert found.agreement.tolist() == pytest.approx([2 / 3])
    # Modal share 2/3 times the mean confidence (.9 + .6 + .5) / 3.
    assert found.confidence.tolist() == pytest.approx([2 / 3 * 2 / 3])
    # p_positive (.8 x .36 + .5 x .21) / .695, p_negative .4 x .125 / .695: they differ by the score.
    assert found.probabilities[0].tolist() == pytest.approx(
        [0.05 / 0.695, 1 - 0.443 / 0.695, 0.393 / 0.695]
    )
    assert found.probabilities.sum() == pytest.approx(1)


def test_a_model_of_three_probabilities_is_as_sure_as_its_highest() -> None:
    plain = Answered(np.array([[0.1, 0.3, 0.6]]))  # polarity .5, confidence .6
    found = together(roberta=plain, comprehend=said(-0.9, 0.9, "negative"))
    # w c: .33 x .6 = .198 and .25 x .9 = .225. Score (.5 x .198 - .9 x .225) / .423 = -.1035 / .423.
    assert found.polarity.tolist() == pytest.approx([-0.1035 / 0.423])
    assert LABELS[found.labels[0]] == "negative"  # -.2447
    assert found.confidence.tolist() == pytest.approx([1 / 2 * (0.6 + 0.9) / 2])  # they disagree


@pytest.mark.parametrize(
    ("polarity", "label"),
    [
        (0.2, "neutral"),  # above, not at
        (0.2000000001, "positive"),
        (-0.2, "neutral"),
        (-0.2000000001, "negative"),
        (0.0, "neutral"),
    ],
)
def test_a_score_at_a_threshold_is_neutral(polarity: float, label: str) -> None:
    found = together(bedrock=said(polarity, 0.7, "neutral"))
    assert LABELS[found.labels[0]] == label


def test_one_model_alone_says_what_it_says() -> None:
    found = together(comprehend=None, bedrock=None, finbert=said(0.5, 0.8, "positive"))
    assert found.polarity.tolist() == pytest.approx([0.5])
    assert found.confidence.tolist() == pytest.approx([0.8])
    assert found.agreement is not None
    assert found.agreement.tolist() == [1.0]


def test_absent_models_are_named_first_and_the_others_tell_what_they_said() -> None:
    bedrock = Answered(
        np.array([[0.0, 0.4, 0.6]]), np.array([0.8]), ["positive"], ['{"market_impact": "high"}']
    )
    found = together(comprehend=None, finbert=NOTHING, bedrock=bedrock)
    assert found.said[0] is not None
    assert found.said[0].startswith('{"absent":["comprehend","finbert"],"bedrock":{')
    assert json.loads(found.said[0])["bedrock"] == {
        "version": "bedrock-1",
        "label": "positive",
        "polarity": 0.6,
        "confidence": 0.8,
        "said": {"market_impact": "high"},
    }


def test_a_text_that_nobody_answers_has_no_answer_and_the_reasons() -> None:
    refused = Answered(np.full((1, 3), np.nan), refusals={0: "too long"})
    found = together(finbert=refused, bedrock=NOTHING)
    assert np.isnan(found.probabilities).all()
    assert found.labels.tolist() == [-1]
    assert found.said == [None]
    assert found.refusals == {0: "finbert: too long"}


def test_where_nobody_who_counts_is_sure_there_is_no_score() -> None:
    # 0 / 0 is unknown, and never 0.
    found = together(bedrock=said(0.5, 0.0, "positive"))
    assert np.isnan(found.probabilities).all()
    assert found.refusals == {0: combining.NOBODY_SURE}


def test_a_rounded_mixture_is_still_probabilities() -> None:
    rng = np.random.default_rng(4)
    answers = {name: Answered(np.round(rng.dirichlet([1, 1, 1], 500), 10)) for name in WEIGHTS}
    found = together(**answers)
    assert np.abs(found.probabilities.sum(axis=1) - 1).max() < 1e-9
    assert found.probabilities.min() >= 0
    score = sum(WEIGHTS[name] * a.polarity * a.confidence for name, a in answers.items())
    over = sum(WEIGHTS[name] * a.confidence for name, a in answers.items())
    assert found.polarity == pytest.approx(score / over, abs=1e-9)


def test_the_order_of_the_models_does_not_matter() -> None:
    given = {
        "bedrock": said(0.3, 0.7, "positive"),
        "finbert": said(-0.1, 0.9, "neutral"),
        "roberta": said(0.7, 0.3, "positive"),
    }
    found = {together(**dict(order)).probabilities.tobytes() for order in itertools.permutations(given.items())}  # fmt: skip
    assert len(found) == 1


# ---------------------------------------------------------------- members, versions, records


class Fixed:
    """A model with one answer to everything; `down` makes it unavailable."""

    def __init__(self, name: str, p: Sequence[float], version: str = "1") -> None:
        self.name, self.version = name, f"{name}-{version}"
        self.p, self.down, self.calls = list(p), False, 0
        self.about: list[About | None] = []

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str]) -> Answered:
        self.calls += 1
        if self.down:
            raise ScorerUnavailable(f"{self.name} is down")
        return Answered(np.tile(self.p, (len(texts), 1)))


class Curious(Fixed):
    def answer_about(self, texts: Sequence[str], about: Sequence[About | None]) -> Answered:
        self.about += about
        return self.answer(texts)


def rules(**overrides: Any) -> Any:
    given = {f"enrich.ensemble.{key}": value for key, value in overrides.items()}
    return settings.load(environ={}, overrides=given)


def pair(**overrides: Any) -> tuple[Ensemble, Fixed, Fixed]:
    finbert, comprehend = Fixed("finbert", [0.1, 0.2, 0.7]), Fixed("comprehend", [0.5, 0.3, 0.2])
    chosen = rules(rest_seconds=0.0, **overrides)
    return make(chosen, {"finbert": finbert, "comprehend": comprehend}), finbert, comprehend


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return services.folder_lake(tmp_path).enriched


def ask(
    store: Store, ensemble: Ensemble, texts: Sequence[str | None] = ("a", None, "b")
) -> Answered:
    hashes = [f"h-{text}" if text else "" for text in texts]
    return of_object(store, ensemble, RAW, texts, hashes, batch_size=256)


def keys(store: Store) -> list[str]:
    return [info.key for info in store.list("scores/")]


def test_each_models_answers_are_recorded_under_its_own_version(store: Store) -> None:
    ensemble, *_ = pair()
    found = ask(store, ensemble)
    assert keys(store) == sorted(
        [
            "scores/comprehend-1/dt=2026-03-02/source=x/NVDA-1.parquet",
            "scores/finbert-1/dt=2026-03-02/source=x/NVDA-1.parquet",
            f"scores/{ensemble.version}/dt=2026-03-02/source=x/NVDA-1.json",
        ]
    )
    # finbert .6 of .7, comprehend -.3 of .5: (.6 x .35 x .7 - .3 x .25 x .5) / (.245 + .125).
    assert found.polarity[0] == pytest.approx((0.147 - 0.0375) / 0.37)
    assert np.isnan(found.probabilities[1]).all()  # a line without text


def test_what_is_recorded_is_asked_once(store: Store) -> None:
    ensemble, finbert, comprehend = pair()
    first = ask(store, ensemble)
    again, *others = pair()
    second = ask(store, again)
    assert [finbert.calls, comprehend.calls] == [1, 1]
    assert [model.calls for model in others] == [0, 0]
    assert first.probabilities.tolist()[0] == second.probabilities.tolist()[0]
    assert list(first.said) == list(second.said)


def test_a_model_that_was_recorded_before_is_not_asked_by_the_ensemble(store: Store) -> None:
    ensemble, finbert, _ = pair()
    hashes = ["h-a", "", "h-b"]
    of_object(store, finbert, RAW, ["a", None, "b"], hashes, batch_size=256)
    ask(store, ensemble)
    assert finbert.calls == 1


def test_absence_is_a_recorded_fact(store: Store) -> None:
    ensemble, _, comprehend = pair()
    comprehend.down = True
    first = ask(store, ensemble)
    assert first.polarity[0] == pytest.approx(0.6)  # finbert alone
    assert ensemble.absences == {"comprehend": 1}
    roster = read_roster(store, layout.roster(ensemble.version, RAW))
    assert roster.members == {"comprehend": None, "finbert": "finbert-1"}
    assert roster.reasons == {"comprehend": "comprehend is down"}
    # It is up again, and somebody has even asked it since: the object says the same as before.
    again, _, back = pair()
    of_object(store, back, RAW, ["a", None, "b"], ["h-a", "", "h-b"], batch_size=256)
    second = ask(store, again)
    assert second.probabilities.tolist()[0] == first.probabilities.tolist()[0]
    assert list(second.said) == list(first.said)
    assert str(first.said[0]).startswith('{"absent":["comprehend"]')


def test_when_all_are_down_nothing_is_recorded_and_the_texts_wait(store: Store) -> None:
    ensemble, finbert, comprehend = pair()
    finbert.down = comprehend.down = True
    with pytest.raises(ScorerUnavailable, match="comprehend is down; finbert: finbert is down"):
        ask(store, ensemble)
    assert keys(store) == []
    finbert.down = comprehend.down = False
    assert ask(store, ensemble).polarity[0] == pytest.approx(0.1095 / 0.37)


def test_of_two_writers_the_first_says_who_was_there(store: Store) -> None:
    ensemble, _, comprehend = pair()
    rival, _, absent = pair()
    absent.down = True

    class Late(Fixed):
        """While it is asked, somebody else finishes the object without it."""

        def answer(self, texts: Sequence[str]) -> Answered:
            ask(store, rival)
            return super().answer(texts)

    ensemble.members["comprehend"] = Late("comprehend", comprehend.p)
    found = ask(store, ensemble)
    assert found.polarity[0] == pytest.approx(0.6)  # finbert alone, as the rival recorded
    assert str(found.said[0]).startswith('{"absent":["comprehend"]')


def test_a_model_found_down_is_left_alone_for_a_while(store: Store) -> None:
    finbert, comprehend = Fixed("finbert", [0.1, 0.2, 0.7]), Fixed("comprehend", [0.5, 0.3, 0.2])
    ensemble = make(rules(rest_seconds=3600.0), {"finbert": finbert, "comprehend": comprehend})
    comprehend.down = True
    for number in range(1, 4):
        of_object(store, ensemble, RAW.replace("-1.", f"-{number}."), ["a"], ["h"], batch_size=9)
    assert comprehend.calls == 1  # each try may take minutes
    assert ensemble.absences == {"comprehend": 3}


def test_an_endpoint_that_is_pinned_may_be_down_from_the_start(store: Store) -> None:
    class Endpoint(Fixed):
        def __init__(self) -> None:
            self.name, self.p, self.calls = "finbert", [0.1, 0.2, 0.7], 0
            self.down = True

        @property
        def version(self) -> str:  # type: ignore[override]  # only the endpoint knows it
            if self.down:
                raise ScorerUnavailable("finbert does not answer")
            return "finbert-1"

    comprehend = Fixed("comprehend", [0.5, 0.3, 0.2])
    unpinned = make(rules(), {"finbert": Endpoint(), "comprehend": comprehend})
    with pytest.raises(ScorerUnavailable, match="finbert does not answer"):
        _ = unpinned.version
    pinned = make(
        rules(versions={"finbert": "finbert-1"}), {"finbert": Endpoint(), "comprehend": comprehend}
    )
    assert ask(store, pinned).polarity[0] == pytest.approx(-0.3)
    usual, *_ = pair()
    assert pinned.version == usual.version  # a pin names the version, and changes nothing else


def test_a_pinned_version_that_is_not_the_models_is_refused(store: Store) -> None:
    ensemble, *_ = pair(versions={"finbert": "finbert-9"})
    with pytest.raises(SettingsError, match="the model that answers is finbert-1"):
        ask(store, ensemble)
    assert not any("ensemble" in key for key in keys(store))


def test_the_version_is_that_of_models_weights_and_thresholds() -> None:
    def version(finbert: str = "1", **overrides: Any) -> str:
        members = {
            "finbert": Fixed("finbert", [0, 1, 0], finbert),
            "comprehend": Fixed("comprehend", [0, 1, 0]),
        }
        return make(rules(**overrides), members).version

    usual = version()
    assert usual.startswith("ensemble-")
    assert version(rest_seconds=1.0) == usual
    assert version(other_weight=0.5) == usual  # nobody has it
    others = {
        version("2"),
        version(weights={"finbert": 0.5, "comprehend": 0.5}),
        version(positive_above=0.3),
        version(negative_below=-0.3),
    }
    assert len(others | {usual}) == 5


def test_a_damaged_roster_is_named_with_the_remedy(store: Store) -> None:
    ensemble, *_ = pair()
    ask(store, ensemble)
    store.put(layout.roster(ensemble.version, RAW), b"{")
    with pytest.raises(StoreError, match=r"roster .* cannot be read .* delete it"):
        ask(store, ensemble)


def test_context_reaches_the_models_that_want_it(store: Store) -> None:
    curious, plain = Curious("bedrock", [0, 0.5, 0.5]), Fixed("finbert", [0, 0.5, 0.5])
    ensemble = make(rules(), {"bedrock": curious, "finbert": plain})
    ann = About("ann", 0.5, ("NVDA",))
    found = of_object(
        store, ensemble, RAW, ["a", "b"], ["1", "2"], batch_size=1, context=lambda: [ann, None]
    )
    assert curious.about == [ann, None]
    assert found.answered.all()


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["ensemble"], "enrich.ensemble.models names ensemble; known are bedrock, comprehend"),
        (["lexicon", "crystal-ball"], "names crystal-ball"),
        (["lexicon", "lexicon"], "named twice"),
    ],
)
def test_settings_that_make_no_ensemble_are_refused(models: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        registry.scorer(rules(models=models), "ensemble")


def test_an_ensemble_in_which_nobody_counts_is_refused() -> None:
    with pytest.raises(SettingsError, match="weights are 0 for every model"):
        registry.scorer(rules(other_weight=0.0), "ensemble")


def test_the_registry_makes_the_ensemble_that_settings_name() -> None:
    made = registry.scorer(rules(models=["lexicon"]), "ensemble")
    alone = registry.scorer(rules(), "lexicon")
    texts = ["Great quarter, guidance raised", "It reports on Thursday"]
    polarity = made.score(texts)[:, 2] - made.score(texts)[:, 0]
    theirs = alone.score(texts)
    assert polarity == pytest.approx(theirs[:, 2] - theirs[:, 0])


# ---------------------------------------------------------------- rows


def test_rows_hold_score_label_agreement_and_what_each_model_said(tmp_path: Path) -> None:
    lake = services.folder_lake(tmp_path)
    envelope = {
        "source": "twscrape",
        "scraped_at": "2026-03-02T12:00:00Z",
        "query": "$NVDA",
        "data": {
            "id_str": "1",
            "rawContent": "$NVDA up",
            "date": "2026-03-02T10:00:00+00:00",
            "user": {"username": "ann", "followersCount": 20_000},
        },
    }
    lake.raw.put(RAW, lines.pack([json.dumps(envelope).encode()]))
    ensemble, *_ = pair()
    key = layout.parse_raw(RAW)
    assert key is not None
    curious = Curious("bedrock", [0.0, 0.4, 0.6])
    ensemble.members["bedrock"] = curious
    chosen = rules()
    counts = staging.stage(chosen, lake, ensemble, "b", key, tuple).counts
    assert counts["rows"] == 1
    staged = parquet.read(contract("tweets"), lake.enriched.get(layout.stage("b", RAW)))
    (row,) = staged.to_pylist()
    # w c: bedrock .4 x .6 = .24, finbert .245, comprehend .125; (.6 x .24 + .147 - .0375) / .61.
    assert row["polarity"] == pytest.approx(0.2535 / 0.61)
    assert row["p_positive"] - row["p_negative"] == pytest.approx(row["polarity"])
    assert row["sentiment"] == "positive"
    assert row["agreement"] == pytest.approx(2 / 3)
    assert row["sentiment_score"] == pytest.approx(2 / 3 * (0.6 + 0.7 + 0.5) / 3)
    assert set(json.loads(row["models"])) == {"bedrock", "comprehend", "finbert"}
    assert row["model"] == "ensemble"
    assert row["model_version"] == ensemble.version
    # The base .5 and .1 for more than 10,000 followers: a judge is told who wrote.
    assert curious.about == [About("ann", 0.6, ("NVDA",))]
    assert isinstance(tweets.parse(chosen, key, lake.raw.get(RAW)).about[0], About)
