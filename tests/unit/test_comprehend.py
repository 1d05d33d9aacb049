"""Comprehend over loopback: what its four scores come to, and what becomes of texts it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest
from bedrock_site import Reply
from comprehend_site import Comprehend, by_words, refused, scores
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from cashtag import settings
from cashtag.sentiment.answered import LABELS
from cashtag.sentiment.comprehend import (
    CANARY,
    ComprehendScorer,
    polarity_of,
    probabilities_of,
    truncated,
)
from cashtag.sentiment.store import ScorerUnavailable

# Pauses of milliseconds: what is tested is that there is another attempt, not how late it is.
QUICK = {"models.comprehend.backoff_seconds": [0.001, 0.004], "enrich.score_deadline_seconds": 20}
THROTTLED = refused(400, "ThrottlingException", "Rate exceeded")


def scorer(**overrides: Any) -> ComprehendScorer:
    return ComprehendScorer(settings.load(environ={}, overrides=QUICK | overrides))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Comprehend]:
    with Comprehend() as running:
        for name, value in running.environ().items():
            monkeypatch.setenv(name, value)
        yield running


def test_polarity_is_what_the_label_says_of_the_scores(site: Comprehend) -> None:
    found = scorer().answer(["up we go", "down we go", "it reports", "both ways"])
    # POSITIVE +P = .9, NEGATIVE -N = -.8, NEUTRAL 0, MIXED P - N = .25 - .1.
    assert found.polarity.tolist() == pytest.approx([0.9, -0.8, 0.0, 0.15])
    # As probabilities: the part that is not polarity is neutral.
    assert found.probabilities[0].tolist() == pytest.approx([0, 0.1, 0.9])
    assert found.probabilities[1].tolist() == pytest.approx([0.8, 0.2, 0])
    assert found.probabilities[3].tolist() == pytest.approx([0, 0.85, 0.15])
    assert found.confidence.tolist() == pytest.approx([0.9, 0.8, 0.75, 0.6])  # the highest score
    assert [LABELS[i] for i in found.labels] == ["positive", "negative", "neutral", "neutral"]
    assert found.refusals == {}
    assert found.said[3] == (
        '{"said": "MIXED", "positive": 0.25, "negative": 0.1, "neutral": 0.05, "mixed": 0.6}'
    )


def test_a_weak_positive_is_positive_although_nothing_is_above_a_half(site: Comprehend) -> None:
    site.verdict = lambda _: ("POSITIVE", scores(0.4, 0.2, 0.3, 0.1))
    found = scorer().answer(["so so"])
    assert found.polarity.tolist() == pytest.approx([0.4])
    assert LABELS[found.labels[0]] == "positive"  # though .6 of it is in the neutral column
    assert found.confidence.tolist() == pytest.approx([0.4])


@pytest.mark.parametrize("polarity", [-1.0, -0.3, 0.0, 0.15, 1.0])
def test_probabilities_sum_to_one_and_differ_by_the_polarity(polarity: float) -> None:
    negative, neutral, positive = probabilities_of(polarity)
    assert negative + neutral + positive == pytest.approx(1)
    assert positive - negative == pytest.approx(polarity)
    assert min(negative, neutral, positive) >= 0


def test_a_score_that_rounding_left_above_one_is_one() -> None:
    said = {"Sentiment": "POSITIVE", "SentimentScore": scores(1.0000002, 0, 0, 0)}
    assert polarity_of(said) == 1.0


def test_sixty_texts_are_three_calls_and_keep_their_order(site: Comprehend) -> None:
    texts = [f"{'up' if i % 7 == 0 else 'down'} {i}" for i in range(60)]
    found = scorer().score(texts)
    assert sorted(len(asked["TextList"]) for asked in site.asked) == [10, 25, 25]
    assert {asked["LanguageCode"] for asked in site.asked} == {"en"}
    assert [row[2] > row[0] for row in found.tolist()] == [i % 7 == 0 for i in range(60)]


def test_empty_texts_are_not_sent_and_have_no_answer(site: Comprehend) -> None:
    found = scorer().answer(["", "up", " \n"])
    assert [asked["TextList"] for asked in site.asked] == [["up"]]
    assert np.isnan(found.probabilities[[0, 2]]).all()
    assert found.refusals == {}
    assert scorer().score([""]).shape == (1, 3)
    assert scorer().score([]).shape == (0, 3)


def test_a_long_text_is_cut_between_characters(site: Comprehend) -> None:
    # 🚀 is four bytes: 1,250 of them are 5,000 bytes, and the "u" before leaves room for 1,249.
    found = scorer().answer(["u" + "🚀" * 2000])
    assert site.asked[0]["TextList"] == ["u" + "🚀" * 1249]
    assert not np.isnan(found.probabilities).any()


def test_half_a_character_is_sent_as_the_mark_for_it(site: Comprehend) -> None:
    assert truncated("up \ud83d", 100) == "up �"
    scorer().score(["up \ud83d"])
    assert site.asked[0]["TextList"] == ["up �"]


def test_a_text_that_it_will_never_read_is_refused_with_the_reason(site: Comprehend) -> None:
    site.verdict = lambda text: "UNSUPPORTED_CONTENT" if "odd" in text else by_words(text)
    found = scorer().answer(["up", "odd", "down"])
    assert found.refusals == {1: "UNSUPPORTED_CONTENT: text 1"}
    assert np.isnan(found.probabilities[1]).all()
    assert not np.isnan(found.probabilities[[0, 2]]).any()
    assert len(site.asked) == 1


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "InternalServerException", "500"])
def test_a_text_that_met_an_error_within_is_asked_again_alone(site: Comprehend, code: str) -> None:
    site.once = {"down": code}
    found = scorer().answer(["up", "down"])
    assert [asked["TextList"] for asked in site.asked] == [["up", "down"], ["down"]]
    assert found.polarity.tolist() == pytest.approx([0.9, -0.8])


PASSING = [
    THROTTLED,
    refused(400, "TooManyRequestsException", "slow down"),
    refused(500, "InternalServerException", "sorry"),
    refused(503, "ServiceUnavailable", "sorry"),
    Reply(0),  # the connection is cut
    Reply(200, b'{"ResultList": [{"Index": 0, "Sent'),  # cut short, and yet its length is right
    Reply(200, b"<html>"),
    Reply(200, b'{"ResultList": [], "ErrorList": []}'),  # of no text
    Reply(200, b'{"ResultList": [{"Index": 9}], "ErrorList": []}'),
    Reply(200, b'{"ResultList": [{"Index": 0, "Sentiment": "GREAT"}], "ErrorList": []}'),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.status} {fault.body[:30]!r}")
def test_what_passes_is_asked_again(site: Comprehend, fault: Reply) -> None:
    site.faults = [fault, fault]
    assert scorer().answer(["up"]).polarity.tolist() == pytest.approx([0.9])
    assert len(site.asked) == 3


@pytest.fixture
def shared_scorer(site: Comprehend) -> ComprehendScorer:
    """A client takes a third of a second to make, so that one serves all examples."""
    return scorer()


@hypothesis.settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    words=st.lists(st.sampled_from(["up", "down", "it reports", "", "bad", " "]), max_size=70),
    faults=st.lists(st.sampled_from(PASSING), max_size=6),
    stumbling=st.lists(st.integers(0, 69), max_size=9),
)
def test_every_text_gets_one_answer_or_one_reason_whatever_happens(
    site: Comprehend,
    shared_scorer: ComprehendScorer,
    words: list[str],
    faults: list[Reply],
    stumbling: list[int],
) -> None:
    texts = [f"{word} {i}" if word.strip() else word for i, word in enumerate(words)]
    site.verdict = lambda text: "INVALID_TEXT" if "bad" in text else by_words(text)
    site.once = {text: "INTERNAL_SERVER_ERROR" for i in stumbling for text in texts[i : i + 1]}
    site.faults = list(faults)
    found = shared_scorer.answer(texts)
    expected = {"up": 0.9, "down": -0.8, "it": 0.0}
    for i, text in enumerate(texts):
        word = (text.split() or [""])[0]
        assert found.answered[i] == (word in expected)
        assert (i in found.refusals) == (word == "bad")
        if word in expected:
            assert found.polarity[i] == pytest.approx(expected[word])


def test_what_does_not_pass_within_the_deadline_leaves_the_texts_waiting(site: Comprehend) -> None:
    site.faults = [THROTTLED] * 10_000
    with pytest.raises(
        ScorerUnavailable, match=r"no answer within 1 s .*ThrottlingException: Rate"
    ):
        scorer(**{"enrich.score_deadline_seconds": 1}).score(["up"])


def test_pauses_are_drawn_between_zero_and_a_bound_that_doubles(
    site: Comprehend, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: list[float] = []

    def drawn(low: float, high: float) -> float:
        assert low == 0
        bounds.append(high)
        return 0.0

    monkeypatch.setattr("cashtag.sentiment.calls.random.uniform", drawn)
    site.faults = [THROTTLED] * 5
    scorer(**{"models.comprehend.backoff_seconds": [1.0, 6.0]}).score(["up"])
    assert bounds == [1.0, 2.0, 4.0, 6.0, 6.0]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "allow these credentials comprehend:BatchDetectSentiment"),
        ("UnsupportedLanguageException", "models.comprehend.language"),
        ("ExpiredTokenException", "renew the AWS credentials"),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(
    site: Comprehend, code: str, remedy: str
) -> None:
    site.faults = [refused(400, code, "no")] * 9
    with pytest.raises(ScorerUnavailable, match=remedy):
        scorer().score(["up"])
    assert len(site.asked) == 1


def test_a_call_that_is_refused_whole_is_halved_until_the_text_is_found(site: Comprehend) -> None:
    class Picky(Comprehend):
        def reply(self, target: str, body: bytes) -> Reply:
            if b"poison" in body:
                return refused(400, "InvalidRequestException", "cannot")
            return super().reply(target, body)

    with Picky() as picky, pytest.MonkeyPatch.context() as patch:
        for name, value in picky.environ().items():
            patch.setenv(name, value)
        found = scorer().answer(["up", "poison", "down", "up"])
    assert found.refusals == {1: "InvalidRequestException: cannot"}
    assert found.polarity[[0, 2, 3]].tolist() == pytest.approx([0.9, -0.8, 0.9])


def test_texts_are_not_blamed_when_everything_is_refused(site: Comprehend) -> None:
    site.verdict = lambda _: "INVALID_REQUEST"
    with pytest.raises(ScorerUnavailable, match="refuses every text, harmless ones too"):
        scorer().answer(["up", "down"])
    assert site.asked[-1]["TextList"] == [CANARY]


def test_one_bad_text_alone_is_refused_when_a_harmless_one_is_answered(site: Comprehend) -> None:
    site.verdict = lambda text: "INVALID_REQUEST" if text == "bad" else by_words(text)
    assert scorer().answer(["bad"]).refusals == {0: "INVALID_REQUEST: text 0"}


def test_without_credentials_the_remedy_is_named(
    site: Comprehend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(ScorerUnavailable, match="AWS_PROFILE"):
        scorer().score(["up"])


def test_no_secret_is_in_what_is_raised(site: Comprehend) -> None:
    site.faults = [
        refused(400, "AccessDeniedException", f"key {site.environ()['AWS_SESSION_TOKEN']}")
    ]
    with pytest.raises(ScorerUnavailable) as raised:
        scorer().score(["up"])
    assert "PLANTED" not in str(raised.value)
    assert "[secret]" in str(raised.value)


def test_the_version_changes_with_what_an_answer_depends_on() -> None:
    usual = scorer().version
    assert usual.startswith("comprehend-en-")
    assert scorer(**{"models.comprehend.texts_per_call": 5}).version == usual
    assert scorer(**{"models.comprehend.concurrency": 1}).version == usual
    assert scorer(**{"models.comprehend.language": "de"}).version.startswith("comprehend-de-")
    assert scorer(**{"models.comprehend.max_bytes": 4000}).version != usual
