"""A model behind an endpoint: boto3 against a loopback endpoint that answers, fails and refuses."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import botocore.loaders
import numpy as np
import pyarrow.parquet as pq
import pytest
from endpoint_site import (
    OTHER_VERSION,
    PASSING,
    POISON,
    SECRET,
    SESSION_TOKEN,
    VERSION,
    Endpoint,
    row_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cashtag import services
from cashtag import settings as house
from cashtag.enrich import staging
from cashtag.errors import KeyMissing, SettingsError
from cashtag.lake import layout, lines
from cashtag.sentiment import asking, registry, store
from cashtag.sentiment.asking import PROBE
from cashtag.sentiment.sagemaker import EndpointScorer
from cashtag.sentiment.store import ScorerUnavailable

QUICK = {
    "models.sagemaker.backoff_seconds": [0.001, 0.004],
    "models.sagemaker.read_timeout_seconds": 5.0,
    "enrich.score_deadline_seconds": 20,
}
KEY = f"scores/{VERSION}/dt=2026-03-02/source=synthetic/NVDA-1.parquet"
BAD = f"a text with {POISON} in it"


class Records:
    """The part of a zone that the score store uses."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts = 0

    def exists(self, key: str) -> bool:
        return key in self.objects

    def get(self, key: str) -> bytes:
        if key not in self.objects:
            raise KeyMissing(key)
        return self.objects[key]

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self.puts += 1
        return self.objects.setdefault(key, data) is data

    def uri(self, key: str = "") -> str:
        return f"memory://{key}"


# What boto3 knows of services is read from files; one reader keeps them for all these tests.
_KNOWN = botocore.loaders.create_loader()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    with Endpoint() as site:
        for name, value in site.environ().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(botocore.loaders, "create_loader", lambda *_: _KNOWN)
        yield site


def scorer(**more: Any) -> EndpointScorer:
    chosen = house.load(environ={}, overrides={**QUICK, **more})
    return EndpointScorer(chosen, chosen.models.sagemaker)


def rows(texts: Sequence[str | None]) -> list[list[float]]:
    return [row_of(text) or [float("nan")] * 3 for text in texts]


def same(found: np.ndarray, texts: Sequence[str | None]) -> bool:
    return np.array_equal(found, np.array(rows(texts)).reshape(-1, 3), equal_nan=True)


# ---------------------------------------------------------------- batches


def test_texts_go_out_in_batches_at_once_and_come_back_in_order(endpoint: Endpoint) -> None:
    texts = [f"text {i}" for i in range(1000)]
    found = scorer(**{"enrich.batch_size": 100, "models.sagemaker.concurrency": 3}).answer(texts)
    assert same(found.probabilities, texts)
    # The question for the version, then ten batches of a hundred.
    assert sorted(map(len, endpoint.asked)) == [1, *[100] * 10]
    assert 1 <= endpoint.most_at_once <= 3


def test_a_batch_never_exceeds_the_limit(endpoint: Endpoint) -> None:
    more = {"enrich.batch_size": 256, "enrich.batch_limit": 40}
    scorer(**more).answer([f"text {i}" for i in range(100)])
    assert max(map(len, endpoint.asked)) == 40


def test_a_request_never_exceeds_the_payload_but_for_one_text_alone(endpoint: Endpoint) -> None:
    # 30 texts of 200 characters are above 1,000 bytes together, "y" * 3000 is alone.
    texts: list[str | None] = ["x" * 200] * 30
    texts[17] = "y" * 3000
    found = scorer(**{"models.sagemaker.payload_bytes": 1000}).answer(texts)
    assert same(found.probabilities, texts)
    alone = endpoint.asked.index(["y" * 3000])
    assert all(size <= 1000 for i, size in enumerate(endpoint.sizes) if i != alone)
    # Four texts of 200 characters with quotes, commas and the frame: 4 * 204 + 15 = 831 bytes.
    assert max(map(len, endpoint.asked)) == 4


def test_no_text_needs_no_answer(endpoint: Endpoint) -> None:
    assert scorer().answer([]).probabilities.shape == (0, 3)
    assert endpoint.asked == [[PROBE]]


def test_any_characters_arrive_as_they_are(endpoint: Endpoint) -> None:
    texts = [
        "line\nbreak\r\ttab",
        "\x00\x01\x1f\x7f\x85\u2028",
        "half an emoji \ud83d and \udc00",
        "🚀🚀🚀",
        "ﷺ ‮right to left",
        '"quoted" \\ {"inputs": []}',
        "x" * 10_000,
    ]
    found = scorer().answer(texts)
    assert endpoint.asked[1] == texts
    assert same(found.probabilities, texts)
    assert found.refusals == {}


def test_a_text_that_says_nothing_has_no_answer_and_a_reason(endpoint: Endpoint) -> None:
    found = scorer().answer(["up", "", "  \n", None])
    assert same(found.probabilities, ["up", None, None, None])
    assert set(found.refusals) == {1, 2, 3}


def test_equal_texts_have_equal_answers(endpoint: Endpoint) -> None:
    found = scorer().answer(["up", "down", "up"]).probabilities
    assert found[0].tolist() == found[2].tolist() != found[1].tolist()


def test_the_version_is_the_endpoints_and_asked_once(endpoint: Endpoint) -> None:
    made = scorer()
    assert (made.name, made.version, made.version) == ("sagemaker", VERSION, VERSION)
    assert made.score(["up"]).shape == (1, 3)
    assert endpoint.asked == [[PROBE], ["up"]]


def test_nothing_is_asked_before_it_is_needed(endpoint: Endpoint) -> None:
    scorer()
    assert endpoint.asked == []


def test_finbert_is_another_endpoint_with_settings_of_its_own(endpoint: Endpoint) -> None:
    endpoint.name = "news-endpoint"
    overrides = {"models.finbert.name": "news-endpoint", "enrich.model": "finbert"}
    made = registry.scorer(house.load(environ={}, overrides=overrides))
    assert (made.name, made.version) == ("finbert", VERSION)


# ---------------------------------------------------------------- what passes


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_asked_again(endpoint: Endpoint, fault: str) -> None:
    made = scorer()
    assert made.version == VERSION
    endpoint.faults = [fault, fault]
    found = made.answer(["up", "down"])
    assert same(found.probabilities, ["up", "down"])
    # Twice in vain, then answered: botocore has made no attempts of its own.
    assert endpoint.asked[1:] == [["up", "down"]] * 3


def test_a_slow_answer_is_given_up_and_asked_for_again(endpoint: Endpoint) -> None:
    import time

    made = scorer(**{"models.sagemaker.read_timeout_seconds": 0.3})
    assert made.version == VERSION
    slow = iter([True])
    endpoint.before = lambda: time.sleep(0.6 if next(slow, False) else 0)
    assert same(made.answer(["up"]).probabilities, ["up"])
    assert len(endpoint.asked) == 3


def test_a_cold_start_delays_the_version_too(endpoint: Endpoint) -> None:
    endpoint.faults = ["not_ready", "not_ready"]
    assert scorer().version == VERSION


def test_what_lasts_beyond_the_deadline_leaves_the_texts_waiting(endpoint: Endpoint) -> None:
    made = scorer(**{"enrich.score_deadline_seconds": 1})
    assert made.version == VERSION
    endpoint.faults = ["throttled"] * 100_000
    with pytest.raises(ScorerUnavailable) as gone:
        made.answer(["up"])
    assert "has not answered for 1 s (enrich.score_deadline_seconds)" in str(gone.value)
    assert "ThrottlingException: Rate exceeded" in str(gone.value)


def test_the_deadline_counts_from_the_endpoints_last_answer(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(asking.time, "monotonic", lambda: clock[0])
    made = scorer(
        **{
            "enrich.score_deadline_seconds": 180,
            "enrich.batch_size": 1,
            "models.sagemaker.concurrency": 1,
        }
    )
    assert made.version == VERSION
    # Each request takes 100 s, and every batch is throttled once: 200 s without an answer never
    # pass, because 100 s after each throttling there is one. In all it takes 1,200 s.
    endpoint.before = lambda: clock.__setitem__(0, clock[0] + 100)
    endpoint.faults = ["throttled", ""] * 6
    texts = [f"text {i}" for i in range(6)]
    assert same(made.answer(texts).probabilities, texts)
    assert clock == [1200.0]


def test_an_endpoint_that_is_not_there_is_asked_until_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Endpoint() as site:
        environ = site.environ()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ScorerUnavailable, match="has not answered for 1 s"):
        _ = scorer(**{"enrich.score_deadline_seconds": 1}).version


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("place", [0, 1, 100, 255])
def test_one_bad_text_is_found_and_its_neighbours_are_answered(
    endpoint: Endpoint, place: int
) -> None:
    texts: list[str | None] = [f"text {i}" for i in range(256)]
    texts[place] = BAD
    found = scorer().answer(texts)
    assert found.refusals == {place: "the text is poisoned"}
    texts[place] = None
    assert same(found.probabilities, texts)


def test_a_bad_text_is_refused_twice_with_a_plain_sentence_between(endpoint: Endpoint) -> None:
    scorer().answer([BAD])
    assert endpoint.asked == [[PROBE], [BAD], [PROBE], [BAD]]


def test_texts_that_are_all_bad_are_all_refused(endpoint: Endpoint) -> None:
    found = scorer().answer([BAD] * 5)
    assert sorted(found.refusals) == [0, 1, 2, 3, 4]


def test_an_endpoint_that_refuses_everything_blames_no_text(endpoint: Endpoint) -> None:
    made = scorer()
    assert made.version == VERSION
    endpoint.poisoned = lambda text: True
    with pytest.raises(ScorerUnavailable, match="refuses every text"):
        made.answer(["up", "down"])


def test_a_mishap_that_looks_like_a_refusal_costs_no_text(endpoint: Endpoint) -> None:
    made = scorer()
    assert made.version == VERSION
    endpoint.faults = ["mishap"]
    assert made.answer(["up"]).refusals == {}
    endpoint.faults = ["mishap"]
    assert made.answer(["up", "down"]).refusals == {}


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        # Containers other than Hugging Face's answer 500 with the exception's text.
        (500, '{"error": "text 0 has 9 characters; at most 8", "status": 413, "index": 0}',
         "the text has 9 characters; at most 8"),
        (400, "plain words\nover two lines", "plain words over two lines"),
        (400, "", "Received error (400) from primary with message ''"),
        (413, '{"message": ""}', "413 without a word"),
    ],
)  # fmt: skip
def test_the_models_own_words_are_the_reason(
    endpoint: Endpoint, status: int, message: str, reason: str
) -> None:
    endpoint.poison = (status, message)
    assert scorer().answer([BAD, "up"]).refusals == {0: reason}


def test_a_request_that_sagemaker_finds_too_large_is_halved(endpoint: Endpoint) -> None:
    made = scorer()
    assert made.version == VERSION
    endpoint.faults = ["aws:400:ValidationError:body is longer than 4194304"]
    assert same(made.answer(["up", "down"]).probabilities, ["up", "down"])
    assert endpoint.asked[1:] == [["up", "down"], ["up"], ["down"]]


# ---------------------------------------------------------------- what is final


def test_another_version_in_the_middle_is_no_answer(endpoint: Endpoint) -> None:
    made = scorer(**{"enrich.batch_size": 1})
    assert made.version == VERSION
    endpoint.faults = ["", "other_version"]
    with pytest.raises(ScorerUnavailable) as gone:
        made.answer(["up", "down", "flat"])
    assert f"serves {OTHER_VERSION} now, and served {VERSION} before" in str(gone.value)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"labels": ["positive", "neutral", "negative"]}, "its labels are not negative"),
        ({"labels": None}, "its labels are not"),
        ({"version": None}, "names no model version"),
        ({"version": "../../x"}, "names no model version"),
        ({"probabilities": None}, "holds no probabilities"),
        ({"probabilities": [[0.5, 0.5]]}, "has not three numbers"),
        ({"probabilities": [[0.5, 0.6, -0.1]]}, "holds what is no probability"),
        ({"probabilities": [[float("nan"), 0.5, 0.5]]}, "holds what is no probability"),
        ({"probabilities": [[True, False, False]]}, "holds what is no probability"),
        ({"probabilities": [["0.2", 0.3, 0.5]]}, "holds what is no probability"),
        ({"probabilities": [[0.3, 0.3, 0.3]]}, "add up to 0.900"),
    ],
)
def test_what_no_packaged_model_says_is_never_taken(
    endpoint: Endpoint, change: dict[str, Any], what: str
) -> None:
    made = scorer()
    assert made.version == VERSION
    endpoint.told = lambda texts: endpoint.prediction(texts) | change
    with pytest.raises(ScorerUnavailable, match="serves no packaged model") as gone:
        made.answer(["up"])
    assert what in str(gone.value)
    assert len(endpoint.asked) == 2  # asking again would not help


def test_an_answer_that_is_a_list_is_none_of_ours(endpoint: Endpoint) -> None:
    # What the plain Hugging Face pipeline answers.
    endpoint.told = lambda texts: [{"label": "positive", "score": 0.9} for _ in texts]
    with pytest.raises(ScorerUnavailable, match=r"answers a JSON list.*package_model"):
        _ = scorer().version


def test_an_endless_answer_is_not_read_to_its_end(endpoint: Endpoint) -> None:
    made = scorer(**{"models.sagemaker.payload_bytes": 2000})
    assert made.version == VERSION
    endpoint.told = lambda texts: endpoint.prediction(texts) | {"more": "x" * 10_000}
    with pytest.raises(ScorerUnavailable, match="payload_bytes"):
        made.answer(["up"])


@pytest.mark.parametrize(
    ("fault", "what", "remedy"),
    [
        ("aws:403:AccessDeniedException:User is not authorized", "User is not authorized",
         "allow these credentials sagemaker:InvokeEndpoint"),
        ("aws:403:ExpiredTokenException:The token is expired", "expired", "renew the AWS cred"),
        ("aws:403:InvalidSignatureException:Signature expired", "expired", "machine's clock"),
        ("aws:400:ValidationError:Endpoint x not found", "Endpoint x not found",
         "check models.sagemaker.name and AWS_DEFAULT_REGION"),
    ],
)  # fmt: skip
def test_a_refusal_of_aws_is_told_with_its_remedy(
    endpoint: Endpoint, fault: str, what: str, remedy: str
) -> None:
    endpoint.faults = [fault]
    with pytest.raises(ScorerUnavailable) as gone:
        _ = scorer().version
    assert what in str(gone.value)
    assert remedy in str(gone.value)


def test_an_endpoint_of_another_name_is_not_found(endpoint: Endpoint) -> None:
    with pytest.raises(ScorerUnavailable, match=r"'elsewhere'.*not found.*models.sagemaker.name"):
        _ = scorer(**{"models.sagemaker.name": "elsewhere"}).version


@pytest.mark.parametrize(
    ("gone", "remedy"),
    [
        (["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], "set AWS_PROFILE"),
        (["AWS_DEFAULT_REGION"], "set AWS_DEFAULT_REGION"),
    ],
)
def test_what_is_not_set_up_is_told_with_its_remedy(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, gone: list[str], remedy: str
) -> None:
    for name in gone:
        monkeypatch.delenv(name)
    with pytest.raises(ScorerUnavailable, match=remedy):
        _ = scorer().version


def test_an_address_that_is_none_is_told(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "no address")
    with pytest.raises(ScorerUnavailable, match="check the AWS settings"):
        _ = scorer().version


def test_without_boto3_the_extra_is_named(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    with pytest.raises(SettingsError, match=r'pip install "cashtag\[aws\]"'):
        _ = scorer().version


def test_no_secret_is_told_whatever_aws_says(endpoint: Endpoint) -> None:
    endpoint.faults = [f"aws:403:AccessDeniedException:{SECRET} and {SESSION_TOKEN}"]
    with pytest.raises(ScorerUnavailable) as gone:
        _ = scorer().version
    assert "PLANTED" not in str(gone.value)
    assert "[secret]" in str(gone.value)


# ---------------------------------------------------------------- every text, exactly once

TEXT = st.one_of(
    st.text(st.characters(), min_size=1, max_size=8),
    st.sampled_from(["up", "down", BAD, f"{POISON} too", "", " ", "\ud83d", "🚀"]),
)
FAULTS = st.lists(st.sampled_from([*PASSING, "other_version", ""]), max_size=10)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_every_text_gets_one_answer_or_one_reason_whatever_happens(
    endpoint: Endpoint, shared_scorer: EndpointScorer, data: st.DataObject
) -> None:
    texts = data.draw(st.lists(TEXT, max_size=30))
    faults = data.draw(FAULTS)
    # One mishap that looks like a refusal, at any moment.
    mishap = data.draw(st.integers(0, 12))
    endpoint.forget()
    endpoint.faults = [*faults[:mishap], "mishap", *faults[mishap:]]
    records, hashes = Records(), [f"hash {i}" for i in range(len(texts))]

    def asked() -> store.Answered:
        return store.answered(records, KEY, shared_scorer, texts, hashes, batch_size=4)  # type: ignore[arg-type]

    found = None
    while found is None:
        try:
            found = asked()
        except ScorerUnavailable:
            # Another version in between, or a mishap at the plain sentence: nothing is recorded.
            assert records.objects == {}

    refused = {i for i, text in enumerate(texts) if POISON in text or not text.strip()}
    assert set(found.refusals) == refused
    kept = [None if i in refused else text for i, text in enumerate(texts)]
    assert same(found.probabilities, kept)
    # Recorded in one piece, and read from then on.
    assert records.puts == 1
    requests = len(endpoint.asked)
    again = asked()
    assert len(endpoint.asked) == requests
    assert same(again.probabilities, kept)
    assert again.refusals == found.refusals


@pytest.fixture
def shared_scorer(endpoint: Endpoint) -> EndpointScorer:
    """A client takes a third of a second to make, so that one serves all examples."""
    made = scorer(**{"enrich.batch_size": 4, "models.sagemaker.concurrency": 3})
    assert made.version == VERSION
    return made


def tweet(number: int, text: str) -> dict[str, Any]:
    return {
        "id": number, "id_str": str(number), "date": "2026-03-02T11:00:00+00:00",
        "user": {"username": "bob", "followersCount": 5}, "rawContent": text, "lang": "en",
    }  # fmt: skip


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    texts=st.lists(
        st.one_of(
            st.sampled_from(["up", "down", BAD, "", " ", "\ud83d", "🚀", "up " * 60]),
            st.text(max_size=6),
        ),
        min_size=1,
        max_size=12,
    ),
    faults=FAULTS,
)
def test_every_line_of_a_raw_object_is_answered_or_in_quarantine_never_both(
    endpoint: Endpoint,
    shared_scorer: EndpointScorer,
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[str],
    faults: list[str],
) -> None:
    own = house.load(environ={}, overrides=QUICK)
    lake = services.folder_lake(tmp_path_factory.mktemp("lake"))
    key = layout.RawKey("tweets", date(2026, 3, 2), "x", "NVDA", 1)
    head = {"ticker": "NVDA", "source": "x", "fetched_at": "2026-03-02T11:30:00Z", "v": 1}
    posts = [tweet(i + 1, f"$NVDA {text}" if i % 3 else text) for i, text in enumerate(texts)]
    raw = [json.dumps(head | {"data": post}).encode() for post in posts]
    lake.raw.put(str(key), lines.pack([*raw, b"no json"]))
    endpoint.forget()
    endpoint.faults = list(faults)
    staged = None
    while staged is None:
        try:
            staged = staging.stage(own, lake, shared_scorer, "b", key, lambda: ())
        except ScorerUnavailable:
            assert not lake.enriched.exists(layout.stage("b", str(key)))  # all or nothing
    record = pq.read_table(
        io.BytesIO(lake.enriched.get(layout.scores(shared_scorer.version, str(key))))
    )
    answered = {row["line"] + 1 for row in record.to_pylist() if row["p_neutral"] is not None}
    kept = [json.loads(line) for _, line in lines.unpack(lake.enriched.get(layout.rejected("b", str(key)))).lines]  # fmt: skip
    quarantined = [row["line"] for row in kept]
    assert len(quarantined) == len(set(quarantined))
    assert answered.isdisjoint(quarantined)
    assert answered | set(quarantined) == set(range(1, len(raw) + 2))
    assert {i + 1 for i, text in enumerate(texts) if "up" in text} <= answered
