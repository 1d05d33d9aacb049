"""Metrics worked out by hand, and the labelled files that are refused."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cashtag import settings
from cashtag.cli import main
from cashtag.errors import InputError
from cashtag.sentiment.answered import Answered
from cashtag.sentiment.ensemble import make
from cashtag.sentiment.evaluate import auc, evaluate, judge, read_labelled
from cashtag.sentiment.lexicon import LexiconScorer
from cashtag.sentiment.reliability import (
    bins,
    confusion,
    expected_calibration_error,
    fisher,
    wilson,
)
from cashtag.sentiment.store import ScorerUnavailable


class Oracle:
    """Answers each text with the probabilities written in it: "0.2 0.5 0.3"; "?" is no answer."""

    name = "oracle"
    version = "oracle-1"

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return np.array(
            [[np.nan] * 3 if t == "?" else [float(x) for x in t.split()] for t in texts]
        )


NEGATIVE, NEUTRAL, POSITIVE = ".8 .1 .1", ".1 .8 .1", ".1 .1 .8"


def test_metrics_by_hand() -> None:
    texts = [NEGATIVE, NEUTRAL, NEUTRAL, NEUTRAL, POSITIVE, POSITIVE, NEGATIVE, POSITIVE]
    labels = ["negative"] * 2 + ["neutral"] * 3 + ["positive"] * 3
    result = evaluate(Oracle(), texts, labels)
    assert list(result) == ["n", "accuracy", "macro_recall", "macro_f1", "auc", "texts_per_s"]
    assert result["n"] == 8
    # Right: 1 of 2 negative, 2 of 3 neutral, 2 of 3 positive.
    assert result["accuracy"] == pytest.approx(5 / 8)
    assert result["macro_recall"] == pytest.approx((1 / 2 + 2 / 3 + 2 / 3) / 3)
    # F1 = 2 hits / (actual + claimed): negative 2/(2+2), neutral 4/(3+3), positive 4/(3+3).
    assert result["macro_f1"] == pytest.approx((1 / 2 + 2 / 3 + 2 / 3) / 3)
    # Positives have polarity .7, -.7, .7 and negatives -.7, 0: of six pairs .7 beats both (twice),
    # -.7 ties with -.7 and loses to 0: 4.5 of 6.
    assert result["auc"] == pytest.approx(4.5 / 6)
    assert result["texts_per_s"] > 0


def test_f1_and_recall_differ_when_a_class_is_claimed_too_often() -> None:
    result = evaluate(Oracle(), [POSITIVE] * 4, ["positive", "negative", "negative", "negative"])
    assert result["macro_recall"] == pytest.approx((1 + 0) / 2)
    assert result["macro_f1"] == pytest.approx((2 / (1 + 4) + 0) / 2)
    assert result["auc"] == pytest.approx(0.5)  # all tied


def test_only_classes_that_occur_are_averaged() -> None:
    result = evaluate(Oracle(), [POSITIVE, NEUTRAL, NEGATIVE], ["positive", "positive", "negative"])
    assert result["macro_recall"] == pytest.approx((1 / 2 + 1) / 2)


@pytest.mark.parametrize("labels", [["positive"] * 2, ["negative"] * 2, ["neutral", "positive"]])
def test_without_both_ends_there_is_no_auc(labels: list[str]) -> None:
    assert evaluate(Oracle(), [POSITIVE, NEUTRAL], labels)["auc"] is None


def test_a_text_without_an_answer_is_wrong_and_has_no_polarity() -> None:
    result = evaluate(Oracle(), ["?", POSITIVE], ["negative", "positive"])
    assert result["accuracy"] == pytest.approx(1 / 2)
    assert result["auc"] == pytest.approx(1)  # .7 above the 0 of no answer


def test_auc_is_the_share_of_pairs_in_order() -> None:
    rng = random.Random(3)
    positive = np.array([rng.randint(0, 9) for _ in range(60)], float)
    negative = np.array([rng.randint(-3, 6) for _ in range(45)], float)
    pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    assert auc(positive, negative) == pytest.approx(sum(pairs) / len(pairs))


def test_auc_is_one_for_perfect_order_and_none_for_no_pairs() -> None:
    assert auc(np.array([1.0, 2.0]), np.array([0.0])) == 1
    assert auc(np.array([]), np.array([0.0])) is None


def test_nothing_to_evaluate_is_refused() -> None:
    with pytest.raises(InputError, match="0 texts and 0 labels"):
        evaluate(Oracle(), [], [])
    with pytest.raises(InputError, match="labels bullish"):
        evaluate(Oracle(), [POSITIVE], ["bullish"])


def write(folder: Path, content: str | bytes) -> Path:
    file = folder / "labelled.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_a_labelled_file_is_read(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        'text,label\n"up, up\nand away",positive\n$AAPL 🚀,Bullish\nmeh,NEUTRAL\n,bearish\n',
    )
    assert read_labelled(file) == (
        ["up, up\nand away", "$AAPL 🚀", "meh", ""],
        ["positive", "positive", "neutral", "negative"],
    )


def test_a_byte_order_mark_other_columns_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    file = write(tmp_path, "\ufeffid,Label,Text\r\n1,negative,down\r\n\r\n2,positive,up\r\n")
    assert read_labelled(file) == (["down", "up"], ["negative", "positive"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the header must name the columns text and label, found nothing"),
        ("tweet,label\nx,positive\n", "line 1: the header .* found tweet, label"),
        ("text,label\n", "no rows below the header"),
        ("text,label\na,positive\nb,happy\n", "line 3: label 'happy' is none of negative"),
        ('text,label\n"a\nb",positive\nc,\n', "line 4: label '' is none of"),
        ("text,label\na,2\n", "line 2: label '2' .* numbers mean different classes"),
        ("text,label\na,-1\n", "line 2: label '-1' .* numbers mean different classes"),
        ("text,label\na, b,positive\n", "line 2: 3 fields where the header has 2"),
        ('text,label\n"a,positive\n', "not valid CSV"),
        (
            "text,label\na,positive\ncaf\xe9,positive\n".encode("latin-1"),
            "line 3: byte 0xe9 is not",
        ),
    ],
)
def test_a_file_that_is_not_labelled_so_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_labelled(write(tmp_path, content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*missing\.csv: No such file"):
        read_labelled(tmp_path / "missing.csv")


# ---------------------------------------------------------------- what it claims


def test_the_confusion_matrix_has_a_row_for_each_true_label() -> None:
    truth, claimed = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 2, -1, 2, 1, 2])
    # One negative is found, one is called positive; the neutral has no answer; of three positives
    # two are found.
    assert confusion(truth, claimed, 3) == [[1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 2, 0]]


def test_bins_hold_what_lies_above_their_lower_end() -> None:
    confidence = np.array([0.0, 0.5, 0.5, 0.51, 1.0])
    low, high = bins(confidence, np.array([True, True, False, True, False]), 2)
    assert (low.low, low.high, low.n) == (0.0, 0.5, 3)
    assert low.confidence == pytest.approx(1 / 3)  # (0 + .5 + .5) / 3
    assert low.accuracy == pytest.approx(2 / 3)
    assert (high.n, high.accuracy) == (2, 0.5)
    assert high.confidence == pytest.approx(0.755)
    # |2/3 - 1/3| of three and |.5 - .755| of two.
    assert expected_calibration_error((low, high)) == pytest.approx((3 / 3 + 2 * 0.255) / 5)


def test_an_empty_bin_says_nothing() -> None:
    empty = bins(np.array([0.9]), np.array([True]), 2)[0]
    assert (empty.n, empty.confidence, empty.accuracy, empty.interval) == (0, None, None, None)
    assert expected_calibration_error(bins(np.array([]), np.array([], bool), 3)) is None


def test_wilson_and_fisher_by_hand() -> None:
    # Published worked example: 81 of 263 give .255 to .366 (Newcombe 1998, method 3).
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    # 0 of 10: the upper end is z2 / (10 + z2) = 3.8415 / 13.8415.
    assert wilson(0, 10) == pytest.approx((0, 0.27753), abs=5e-5)
    assert wilson(0, 0) is None
    # r = .5, n = 28: atanh .5493 -+ 1.96 / 5 = .1573 and .9413, tanh .1560 and .7359.
    assert fisher(0.5, 28) == pytest.approx((0.1560, 0.7359), abs=2e-4)
    assert fisher(0.5, 3) is None
    assert fisher(1.0, 9) == (1.0, 1.0)
    assert fisher(None, 9) is None


def test_a_judgement_holds_confusion_and_reliability() -> None:
    found = judge(Oracle(), [POSITIVE, NEUTRAL, "?"], ["positive", "negative", "negative"], bins=5)
    assert (found["model"], found["version"]) == ("oracle", "oracle-1")
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["unanswered"] == 1
    assert found["confusion"]["negative"] == {
        "negative": 0, "neutral": 1, "positive": 0, "unanswered": 1,
    }  # fmt: skip
    assert [point["n"] for point in found["reliability"]] == [0, 0, 0, 2, 0]  # twice .8
    assert found["calibration_error"] == pytest.approx(0.3)  # half right where .8 is claimed
    assert json.loads(json.dumps(found))["n"] == 3


def test_a_model_is_judged_by_the_label_and_confidence_that_it_names() -> None:
    class Sure(Oracle):
        def answer(self, texts: Sequence[str]) -> Answered:
            return Answered(
                self.score(texts), np.array([0.3] * len(texts)), ["positive"] * len(texts)
            )

    found = judge(Sure(), [NEUTRAL], ["positive"], bins=10)
    assert found["accuracy"] == 1
    assert found["calibration_error"] == pytest.approx(0.7)
    assert evaluate(Sure(), [NEUTRAL], ["positive"])["accuracy"] == 1


def test_an_ensemble_is_judged_beside_its_models() -> None:
    class Down(Oracle):
        def score(self, texts: Sequence[str]) -> np.ndarray:
            raise ScorerUnavailable("down")

    class Contrary(Oracle):
        def score(self, texts: Sequence[str]) -> np.ndarray:
            return super().score(texts)[:, ::-1]

    ensemble = make(settings.load(environ={}), {"a": Oracle(), "b": Contrary(), "c": Down()})
    found = judge(ensemble, [POSITIVE, NEGATIVE], ["positive", "negative"], bins=10)
    assert found["members"]["a"]["accuracy"] == 1
    assert found["members"]["b"]["accuracy"] == 0
    assert found["members"]["c"] is None
    assert found["accuracy"] == 0  # opposite views of equal weight: neutral


@pytest.mark.parametrize("model", ["lexicon", "ensemble"])
def test_the_command_prints_one_json_object(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, "text,label\nguidance raised,positive\n$NVDA is crashing,negative\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cashtag", "evaluate", str(file), "--model", model])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 2
    assert found["confusion"]["positive"]["positive"] == 1
    assert len(found["reliability"]) == 10
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--format", "table"])
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    assert f"{model}: labelled so, and what it said" in shown
    assert "how often it is right" in " ".join(shown.split())


SHARED = Path(os.environ.get("CASHTAG_SHARED", Path(__file__).resolve().parents[3] / "shared"))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "metric", "least"),
    [
        ("twitter-financial-news-train", "macro_recall", 0.61),
        ("twitter-financial-news-train", "auc", 0.86),
        ("tweeteval-val", "macro_recall", 0.59),
        ("stocktwits-2020-train", "auc", 0.62),
    ],
)
def test_the_lexicon_agrees_with_people(name: str, metric: str, least: float) -> None:
    file = SHARED / "data/labelled" / f"{name}.csv"
    if not file.exists():
        pytest.skip(f"{file.name} is not beside the checkout")
    result = evaluate(LexiconScorer(), *read_labelled(file))[metric]
    assert result is not None
    assert result >= least
