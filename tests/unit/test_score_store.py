"""Recorded answers: written once, read ever after, refused when their texts changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from cashtag.errors import CashtagError, KeyMissing, SettingsError, StoreError
from cashtag.ports import ObjectInfo
from cashtag.sentiment import registry
from cashtag.sentiment.answered import Answered
from cashtag.sentiment.store import ScorerUnavailable, answered, answers

KEY = "scores/fake-1/dt=2026-03-02/source=synthetic/NVDA-1.parquet"


class MemoryStore:
    """A zone in a dictionary; `before_put` lets another writer come first."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.rival: bytes | None = None

    def get(self, key: str) -> bytes:
        if key not in self.objects:
            raise KeyMissing(key)
        return self.objects[key]

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if self.rival is not None:
            self.objects[key], self.rival = self.rival, None
        if key in self.objects:
            return False
        self.objects[key] = data
        return True

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield ObjectInfo(key, len(self.objects[key]))

    def exists(self, key: str) -> bool:
        return key in self.objects

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def uri(self, key: str = "") -> str:
        return f"memory://{key}"


class FakeScorer:
    """Answers with the length of each text; remembers what it was asked."""

    name = "fake"
    version = "fake-1"

    def __init__(self, down: bool = False, silent: Sequence[str] = ()) -> None:
        self.down, self.silent = down, silent
        self.batches: list[list[str]] = []

    def score(self, texts: Sequence[str]) -> np.ndarray:
        self.batches.append(list(texts))
        if self.down:
            raise ScorerUnavailable("fake: quota used up; wait for tomorrow")
        p = np.array([[0.1, 0.9 - len(t) / 1000, len(t) / 1000] for t in texts]).reshape(-1, 3)
        p[[t in self.silent for t in texts]] = np.nan
        return p


def ask(
    store: MemoryStore, scorer: FakeScorer, texts: Sequence[str | None], batch_size: int = 256
) -> np.ndarray:
    hashes = [f"hash of {t}" if t is not None else "" for t in texts]
    return answers(store, KEY, scorer, texts, hashes, batch_size=batch_size)


def test_an_answer_is_asked_once_and_read_ever_after() -> None:
    store, scorer = MemoryStore(), FakeScorer()
    first = ask(store, scorer, ["up", "down"])
    second = ask(store, scorer, ["up", "down"])
    assert scorer.batches == [["up", "down"]]
    assert first.dtype == np.float64
    # Lengths 2 and 4 make p_positive .002 and .004, and p_neutral what is left beside .1.
    assert first.tolist() == [[0.1, 0.898, 0.002], [0.1, 0.896, 0.004]]
    assert second.tolist() == first.tolist()


def test_a_line_that_never_parsed_has_no_answer_and_is_never_asked() -> None:
    store, scorer = MemoryStore(), FakeScorer()
    found = ask(store, scorer, [None, "up", None])
    assert scorer.batches == [["up"]]
    assert np.isnan(found[[0, 2]]).all()
    assert not np.isnan(found[1]).any()


def test_every_raw_line_has_a_row() -> None:
    store = MemoryStore()
    ask(store, FakeScorer(silent=["quiet"]), [None, "up", "quiet"])
    table = pq.read_table(_buffer(store.objects[KEY]))
    assert table.column_names == ["line", "input_hash", "p_negative", "p_neutral", "p_positive"]
    assert [str(t) for t in table.schema.types] == ["int32", "string", *["double"] * 3]
    assert table["line"].to_pylist() == [0, 1, 2]
    assert table["input_hash"].to_pylist() == ["", "hash of up", "hash of quiet"]
    assert table["p_positive"].to_pylist() == [None, 0.002, None]


def test_silence_of_a_model_that_is_up_is_a_recorded_fact() -> None:
    store, scorer = MemoryStore(), FakeScorer(silent=["quiet"])
    assert np.isnan(ask(store, scorer, ["quiet"])).all()
    talkative = FakeScorer()
    assert np.isnan(ask(store, talkative, ["quiet"])).all()
    assert talkative.batches == []


def test_a_model_that_is_down_records_nothing() -> None:
    store = MemoryStore()
    with pytest.raises(ScorerUnavailable, match="quota"):
        ask(store, FakeScorer(down=True), ["up"])
    assert store.objects == {}
    assert not np.isnan(ask(store, FakeScorer(), ["up"])).any()


def test_texts_are_scored_in_batches() -> None:
    scorer = FakeScorer()
    ask(MemoryStore(), scorer, ["a", None, "b", "c", "d", None, "e"], batch_size=2)
    assert scorer.batches == [["a", "b"], ["c", "d"], ["e"]]


class Speaking(FakeScorer):
    """A scorer with batches of its own, that refuses what holds "bad"."""

    def answer(self, texts: Sequence[str]) -> Answered:
        p = self.score(texts)
        bad = {i: f"{len(text)} is too much" for i, text in enumerate(texts) if "bad" in text}
        p[list(bad)] = np.nan
        return Answered(p, refusals=bad)


def test_a_scorer_with_batches_of_its_own_gets_all_texts_of_an_object_at_once() -> None:
    scorer = Speaking()
    ask(MemoryStore(), scorer, ["a", None, "b", "c", "d", None, "e"], batch_size=2)
    assert scorer.batches == [["a", "b", "c", "d", "e"]]


def test_why_a_text_was_refused_is_recorded_with_its_line() -> None:
    store, scorer = MemoryStore(), Speaking()
    texts = ["up", None, "a bad one", "down"]
    hashes = [f"hash of {t}" if t is not None else "" for t in texts]
    first = answered(store, KEY, scorer, texts, hashes, batch_size=1)
    again = answered(store, KEY, scorer, texts, hashes, batch_size=1)
    # "a bad one" has nine characters and is the third line, counted from 0.
    assert first.refusals == again.refusals == {2: "9 is too much"}
    assert len(scorer.batches) == 1
    table = pq.read_table(_buffer(store.objects[KEY]))
    assert table["refused"].to_pylist() == [None, None, "9 is too much", None]
    assert table["p_positive"].to_pylist() == [0.002, None, None, 0.004]


def test_without_a_refusal_the_record_has_no_word_of_refusals() -> None:
    plain, speaking = MemoryStore(), MemoryStore()
    ask(plain, FakeScorer(), ["up", "down"])
    ask(speaking, Speaking(), ["up", "down"])
    assert speaking.objects == plain.objects


def test_the_loser_of_a_race_reads_the_winners_answers() -> None:
    winner = MemoryStore()
    texts = ["up", "down"]
    ask(winner, FakeScorer(silent=["down"]), texts)
    store = MemoryStore()
    store.rival = winner.objects[KEY]
    found = ask(store, FakeScorer(), texts)  # would have answered both
    assert np.isnan(found[1]).all()
    assert store.objects == winner.objects


def test_changed_texts_are_refused_with_the_remedy() -> None:
    store = MemoryStore()
    ask(store, FakeScorer(), ["up", "down", "same"])
    with pytest.raises(CashtagError) as refused:
        ask(store, FakeScorer(), ["up", "DOWN", "same"])
    message = str(refused.value)
    assert "1 of 3 lines had other texts, the first is line 1" in message
    assert "new version, or delete the object" in message
    assert f"memory://{KEY}" in message


def test_another_number_of_lines_is_refused() -> None:
    store = MemoryStore()
    ask(store, FakeScorer(), ["up", "down"])
    with pytest.raises(CashtagError, match="2 lines were scored, the raw object now has 1"):
        ask(store, FakeScorer(), ["up"])


def test_a_hash_for_every_text_is_needed() -> None:
    with pytest.raises(CashtagError, match="1 texts but 0 input hashes"):
        answers(MemoryStore(), KEY, FakeScorer(), ["up"], [], batch_size=1)


def test_a_damaged_record_is_named_with_the_remedy() -> None:
    store = MemoryStore()
    store.objects[KEY] = b"PAR1 not really"
    with pytest.raises(StoreError, match=r"cannot be read .* delete the object"):
        ask(store, FakeScorer(), ["up"])


def test_an_object_without_lines_is_recorded_too() -> None:
    store = MemoryStore()
    assert ask(store, FakeScorer(), []).shape == (0, 3)
    assert ask(store, FakeScorer(), []).shape == (0, 3)
    assert list(store.objects) == [KEY]


def test_equal_answers_make_equal_bytes() -> None:
    one, two = MemoryStore(), MemoryStore()
    texts = [f"text {i}" for i in range(100)]
    ask(one, FakeScorer(), texts, batch_size=7)
    ask(two, FakeScorer(), texts, batch_size=100)
    assert one.objects == two.objects


def test_what_was_just_scored_equals_what_is_read_back() -> None:
    class Thirds(FakeScorer):
        def score(self, texts: Sequence[str]) -> np.ndarray:
            return np.full((len(texts), 3), 1 / 3)  # has no end in decimals

    store = MemoryStore()
    fresh = ask(store, Thirds(), ["up"])
    assert fresh.tolist() == ask(store, Thirds(), ["up"]).tolist() == [[0.3333333333] * 3]


def test_a_scorer_of_the_wrong_shape_is_refused() -> None:
    class Flat(FakeScorer):
        def score(self, texts: Sequence[str]) -> np.ndarray:
            return np.zeros(len(texts))

    store = MemoryStore()
    with pytest.raises(CashtagError, match=r"must return \(n, 3\)"):
        ask(store, Flat(), ["up"])
    assert store.objects == {}


def test_settings_name_the_model() -> None:
    chosen = SimpleNamespace(enrich=SimpleNamespace(model="lexicon"))
    assert registry.scorer(chosen).name == "lexicon"  # type: ignore[arg-type]


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    chosen = SimpleNamespace(enrich=SimpleNamespace(model="crystal-ball"))
    with pytest.raises(SettingsError, match=r"enrich\.model = 'crystal-ball'.*known are .*lexicon"):
        registry.scorer(chosen)  # type: ignore[arg-type]


def _buffer(data: bytes):  # type: ignore[no-untyped-def]
    import pyarrow as pa

    return pa.BufferReader(data)
