"""Influence, engagement and authenticity: each rule with numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cashtag import settings
from cashtag.enrich import answers as columns
from cashtag.enrich import authenticity as signs
from cashtag.enrich.influence import engagement_factor, influence
from cashtag.enrich.moments import DAY_MS
from cashtag.errors import ContractError
from cashtag.sentiment.answered import Answered

SOUND = settings.load(environ={})


def influence_of(followers: int, verified: bool = False, key: bool = False) -> float:
    one = influence(SOUND, np.array([followers]), np.array([verified]), np.array([key]))
    return float(one[0])


@pytest.mark.parametrize(
    ("followers", "verified", "key", "expected"),
    [
        (0, False, False, 0.5),
        (-1, False, False, 0.5),  # unknown
        (10_000, False, False, 0.5),  # more than ten thousand, not ten thousand
        (10_001, False, False, 0.6),
        (100_001, False, False, 0.7),
        (1_000_001, False, False, 0.8),  # the first bound that fits alone
        (0, True, False, 0.6),
        (0, False, True, 0.8),
        (100_001, True, False, 0.8),
        (1_000_001, True, True, 1.0),  # 0.5 + 0.3 + 0.1 + 0.3 = 1.2, capped
    ],
)
def test_influence_adds_up_to_its_cap(
    followers: int, verified: bool, key: bool, expected: float
) -> None:
    assert influence_of(followers, verified, key) == pytest.approx(expected, abs=1e-12)


def test_the_multiplier_of_the_reference_is_not_in_the_influence() -> None:
    # It belongs to the weight of key influencers, which SQL makes; influence keeps its cap.
    reference = settings.load(environ={}, profile="reference")
    assert reference.enrich.influence.multiplier == 3.0
    one = influence(reference, np.array([0]), np.array([False]), np.array([True]))
    assert float(one[0]) == pytest.approx(0.8)


def test_engagement_raises_the_weight_by_a_tenth_of_its_logarithm() -> None:
    factor = engagement_factor(SOUND, np.array([0, 1, 1000]), np.array([True, True, True]))
    assert factor[0] == 1.0  # ln 1 = 0
    assert factor[1] == pytest.approx(1 + math.log(2) / 10)
    assert factor[2] == pytest.approx(1.6908754779, abs=1e-9)  # ln 1001 = 6.908754779


def test_without_counts_the_factor_is_exactly_one() -> None:
    assert engagement_factor(SOUND, np.array([1000]), np.array([False]))[0] == 1.0


def test_five_cashtags_are_stuffing_and_four_half() -> None:
    n = np.array([0, 1, 3, 4, 5, 30])
    assert signs.stuffed(SOUND, n).tolist() == [False, False, False, False, True, True]
    assert signs.half_stuffed(SOUND, n).tolist() == [False, False, False, True, False, False]


def test_an_account_is_young_for_thirty_days() -> None:
    account = np.full(4, 1_400_000_000_000)
    posted = account + np.array([0, 30 * DAY_MS - 1, 30 * DAY_MS, 400 * DAY_MS])
    assert signs.young(SOUND, posted, account).tolist() == [True, True, False, False]
    assert signs.young(SOUND, posted, np.zeros(4)).tolist() == [False] * 4  # unknown


PROMO = [
    ("join our discord for more", True),
    ("JOIN OUR DISCORD".casefold(), True),
    ("(free trial)", True),
    ("free trials", False),  # whole words
    ("care-free trial", True),  # a hyphen ends a word
    ("carefree trial", False),
    ("don’t miss out", True),  # a typographic apostrophe is one
    ("don't miss out", True),
    ("returns of 1000%!", True),
    ("returns of 11000%", False),
    ("guaranteed", True),
    ("unguaranteed income", False),
    ("freetrial, but then a free trial", True),  # the first place is none, the second is one
    ("éfree trial", False),  # é is a letter
    ("earnings beat", False),
    ("", False),
]


def test_promo_phrases_are_whole_words() -> None:
    texts = [text for text, _ in PROMO]
    expected = [promo for _, promo in PROMO]
    assert signs.promotional(SOUND, texts).tolist() == expected
    # Many texts are searched in another way; the answer is the same.
    assert signs.promotional(SOUND, texts * 50).tolist() == expected * 50


def test_promo_phrases_are_no_patterns() -> None:
    own = settings.load(
        environ={}, overrides={"enrich.authenticity.promo_phrases": ["a.c (x)", "so, so"]}
    )
    texts = ["abc (x)", "a.c (x)", "so, so"] + [""] * 300
    assert signs.promotional(own, texts)[:3].tolist() == [False, True, True]
    none = settings.load(environ={}, overrides={"enrich.authenticity.promo_phrases": []})
    assert not signs.promotional(none, texts).any()


def marks(**flags: bool) -> dict[str, np.ndarray]:
    names = (signs.STUFFING, signs.HALF_STUFFING, signs.YOUNG_ACCOUNT, signs.PROMO, signs.FEW_LIKES)
    return {name: np.array([flags.get(name.replace("-", "_"), False)]) for name in names}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, 1.0),
        ({"stuffing": True}, 0.2),
        ({"half_stuffing": True}, 0.5),
        ({"young_account": True}, 0.5),
        ({"promo": True}, 0.2),
        ({"few_likes": True}, 1.0),  # a mark, no judgement
        ({"half_stuffing": True, "young_account": True}, 0.25),  # factors multiply
        ({"stuffing": True, "young_account": True, "promo": True}, 0.02),
    ],
)
def test_authenticity_is_the_product_of_what_was_found(
    flags: dict[str, Any], expected: float
) -> None:
    found = marks(**flags)
    assert signs.authenticity(SOUND, found)[0] == pytest.approx(expected)
    assert signs.flags(found) == [tuple(flag.replace("_", "-") for flag in flags)]


# ---------------------------------------------------------------- a model's answers

NAN = float("nan")


def answers(probabilities: np.ndarray, rows: np.ndarray) -> columns.Answers:
    """Columns of a model that says probabilities and nothing else."""
    return columns.answers(Answered(probabilities), rows)


def labels(*rows: tuple[float, float, float]) -> list[str | None]:
    found = answers(np.array(rows), np.arange(len(rows)))
    return list(found.sentiment.to_pylist())


def test_the_label_is_the_highest_probability() -> None:
    assert labels((0.7, 0.2, 0.1), (0.1, 0.8, 0.1), (0.1, 0.3, 0.6)) == [
        "negative",
        "neutral",
        "positive",
    ]


def test_a_tie_is_neutral() -> None:
    # Neither side has won, and an arbitrary order must not decide.
    assert labels((0.4, 0.2, 0.4), (0.4, 0.4, 0.2), (0.2, 0.4, 0.4)) == ["neutral"] * 3


def test_polarity_is_positive_less_negative_and_the_score_that_of_the_label() -> None:
    found = answers(np.array([[0.1, 0.3, 0.6]]), np.array([0]))
    assert found.polarity.to_pylist() == pytest.approx([0.5])
    assert found.sentiment_score.to_pylist() == [0.6]


def test_no_answer_is_null_and_never_a_neutral_zero() -> None:
    found = answers(np.array([[NAN] * 3, [0.2, 0.3, 0.5], [NAN, 0.5, 0.5]]), np.array([2, 0, 1]))
    assert found.polarity.is_valid().to_pylist() == [False, False, True]
    for name in ("p_negative", "p_neutral", "p_positive", "sentiment_score", "polarity"):
        assert getattr(found, name).null_count == 2
    assert found.sentiment.to_pylist() == [None, None, "positive"]


def test_rows_take_the_answer_of_their_line() -> None:
    found = answers(np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]), np.array([2, 2, 0]))
    assert found.sentiment.to_pylist() == ["positive", "positive", "negative"]


@pytest.mark.parametrize("bad", [[1.2, 0.0, 0.0], [-0.1, 0.6, 0.5], [math.inf, 0.0, 0.0]])
def test_what_is_no_probability_is_refused_by_line(bad: list[float]) -> None:
    with pytest.raises(ContractError, match="line 2"):
        answers(np.array([[0.2, 0.3, 0.5], bad]), np.array([0, 1]))


def test_another_shape_is_refused() -> None:
    with pytest.raises(ContractError, match=r"\(2, 2\)"):
        answers(np.zeros((2, 2)), np.array([0]))
