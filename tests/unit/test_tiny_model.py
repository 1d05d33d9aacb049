"""The committed test model: small, whole, what its manifest says, and not mistaken for a real one."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "tiny_model"
MANIFEST = json.loads((TINY / "manifest.json").read_text(encoding="utf-8"))


def inference() -> ModuleType:
    pytest.importorskip("onnxruntime", reason="the extra `roberta` is not installed")
    pytest.importorskip("tokenizers", reason="the extra `roberta` is not installed")
    spec = importlib.util.spec_from_file_location("inference", TINY / "code" / "inference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers(texts: list[str]) -> np.ndarray:
    code = inference()
    model = code.model_fn(str(TINY))
    rows: list[Any] = code.predict_fn({"inputs": texts}, model)["probabilities"]
    return np.array(rows)


def test_it_weighs_at_most_300_kb() -> None:
    assert sum(path.stat().st_size for path in TINY.rglob("*") if path.is_file()) <= 300_000


def test_it_has_every_part_of_a_packaged_folder() -> None:
    files = {
        path.relative_to(TINY).as_posix()
        for path in TINY.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files == {
        "manifest.json",
        "model.onnx",
        "tokenizer.json",
        "code/inference.py",
        "code/requirements.txt",
    }
    for part in ("weights", "tokenizer", "code"):
        data = (TINY / MANIFEST[part]["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == MANIFEST[part]["sha256"]
        assert len(data) == MANIFEST[part]["bytes"]


def test_its_code_is_the_code_that_is_packaged() -> None:
    ours = (ROOT / "sagemaker" / "code" / "inference.py").read_bytes()
    theirs = (TINY / "code" / "inference.py").read_bytes()
    assert ours == theirs, "sagemaker/package_model.py --renew tests/tiny_model"


def test_it_says_that_it_is_no_model_to_trade_on() -> None:
    assert MANIFEST["notice"].startswith("TEST MODEL, NOT FOR TRADING")
    assert MANIFEST["name"].startswith("tiny-test")
    assert MANIFEST["version"].startswith("tiny-test-")  # so does every row it scores


def test_it_holds_no_path_of_the_machine_that_made_it() -> None:
    for path in TINY.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            data = path.read_bytes()
            for trace in (b"/home/", b"/root/", b"/work/", b"/tmp/", b"site-packages", b".py:"):
                assert trace not in data, (path.name, trace)


def test_it_answers_its_probes_as_when_it_was_packaged() -> None:
    probes = MANIFEST["probes"]
    then = np.array([probe["probabilities"] for probe in probes])
    now = answers([probe["text"] for probe in probes])
    # Other processors sum fp32 in another order, which may move an int8 step here and there.
    assert np.abs(now - then).max() <= 0.005


def test_its_int8_is_close_to_fp32() -> None:
    assert MANIFEST["precision"] == "int8"
    assert MANIFEST["difference_from_fp32"] <= 0.01


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("$NVDA beats estimates and raises guidance", 2),
        ("stock soars after strong earnings", 2),
        ("$AMD upgraded to buy", 2),
        ("🚀🚀", 2),
        ("$NVDA misses estimates and falls", 0),
        ("terrible quarter, fraud investigation", 0),
        ("$AMD downgraded to sell", 0),
        ("🐻📉", 0),
        ("$AAPL reports on Thursday", 1),
        ("@someone what do you think of $TSLA? https://t.co/x", 1),
    ],
)
def test_good_news_is_good_and_bad_news_bad(text: str, label: int) -> None:
    assert answers([text])[0].argmax() == label


def test_it_learned_what_its_teacher_says_of_the_sample() -> None:
    from cashtag.sentiment.lexicon import LexiconScorer

    texts: list[str] = []
    for file in sorted((ROOT / "sample_data/raw/tweets").rglob("*.jsonl.gz"))[::40]:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                try:
                    texts.append(json.loads(line)["data"]["rawContent"])
                except (ValueError, KeyError, TypeError):
                    continue
    texts = [text for text in texts if text.strip()][:400]
    teacher = LexiconScorer().score(texts).argmax(axis=1)
    # Three labels and a plurality of neutral: a model that learned nothing agrees on half.
    assert (answers(texts).argmax(axis=1) == teacher).mean() >= 0.85
