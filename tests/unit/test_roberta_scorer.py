"""A packaged model in this process: the tiny model's answers, and folders that are none."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cashtag import settings
from cashtag.errors import SettingsError
from cashtag.sentiment import registry, roberta
from cashtag.sentiment.roberta import RobertaScorer

TINY = Path(__file__).parents[1] / "tiny_model"
GOOD = "$NVDA beats estimates and raises guidance, shares jump 8% after hours"
BAD = "$TSLA misses on revenue, cuts its outlook and the stock tumbles"
# int8 by token, and six decimals: neighbours in a batch may turn the last one.
ROUNDING = 2e-6


@pytest.fixture(scope="module")
def tiny() -> RobertaScorer:
    return RobertaScorer(TINY)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def change(folder: Path, **more: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


def test_good_news_is_good_and_bad_news_is_bad(tiny: RobertaScorer) -> None:
    good, bad = tiny.score([GOOD, BAD])
    assert good.argmax() == 2
    assert bad.argmax() == 0
    assert np.allclose([good.sum(), bad.sum()], 1, atol=ROUNDING)


def test_the_answers_are_those_the_package_was_sealed_with(tiny: RobertaScorer) -> None:
    probes = json.loads((TINY / "manifest.json").read_text())["probes"]
    found = tiny.score([probe["text"] for probe in probes])
    # Another processor may round int8 sums otherwise; a wrong label order would differ by far more.
    assert np.abs(found - [probe["probabilities"] for probe in probes]).max() < 0.02


def test_the_version_is_the_manifests_and_needs_no_model_in_memory() -> None:
    made = RobertaScorer(TINY)
    assert made.name == "roberta"
    assert made.version == json.loads((TINY / "manifest.json").read_text())["version"]
    assert made._loaded is None


def test_settings_name_the_folder_and_the_threads() -> None:
    overrides = {"enrich.model": "roberta", "models.roberta.folder": str(TINY)}
    chosen = settings.load(environ={}, overrides={**overrides, "models.roberta.threads": 1})
    made = registry.scorer(chosen)
    assert isinstance(made, RobertaScorer)
    options = made._model().model.session.get_session_options()
    assert options.intra_op_num_threads == 1
    assert "CASHTAG_MODEL_THREADS" not in os.environ


def test_odd_texts_have_defined_answers(tiny: RobertaScorer) -> None:
    texts = ["", " \n\t", None, "🚀🚀🚀", "\ud83d", "x" * 10_000, "a\x00b", GOOD, "y" * 100_001]
    found = tiny.answer(texts)
    assert np.isnan(found.probabilities).any(axis=1).tolist() == [
        True, True, True, False, False, False, False, False, True,
    ]  # fmt: skip
    assert set(found.refusals) == {0, 1, 2, 8}
    assert found.refusals[8] == "the text has 100001 characters; at most 100000"


def test_a_text_of_ten_thousand_characters_is_read_from_its_beginning(tiny: RobertaScorer) -> None:
    # Of a long text the first 128 tokens are read: what follows them changes nothing.
    long = GOOD + " and so on" * 1000
    one, other = tiny.score([long, long + " terrible awful collapse"])
    assert one.tolist() == other.tolist()


def test_refused_texts_cost_their_neighbours_nothing(tiny: RobertaScorer) -> None:
    texts = [f"{GOOD} {i}" for i in range(20)]
    alone = tiny.score(texts)
    mixed = [x for text in texts for x in (text, "z" * 100_001)]
    found = tiny.answer(mixed)
    assert np.abs(found.probabilities[::2] - alone).max() <= ROUNDING
    assert sorted(found.refusals) == list(range(1, 40, 2))


def test_answers_depend_neither_on_order_nor_on_neighbours(tiny: RobertaScorer) -> None:
    words = ["up", "down", "beats", "$NVDA", "great", "awful", "🚀", "http://x.y", "@me", "42%"]
    chance = random.Random(7)
    texts = [" ".join(chance.choices(words, k=chance.randint(1, 60))) for _ in range(300)]
    found = tiny.score(texts)
    order = chance.sample(range(300), 300)
    again = RobertaScorer(TINY, batch_size=7).score([texts[i] for i in order])
    assert np.abs(found[order] - again).max() <= ROUNDING


def test_many_threads_load_one_model(tiny: RobertaScorer) -> None:
    made = RobertaScorer(TINY)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: made.score([GOOD, BAD]), range(8)))
        loaded = {id(made._model().model) for _ in range(8)}
    assert len(loaded) == 1
    assert all(np.array_equal(rows, found[0]) for rows in found)


def test_no_text_has_no_answer(tiny: RobertaScorer) -> None:
    assert tiny.answer([]).probabilities.shape == (0, 3)


# ---------------------------------------------------------------- folders that are none


def test_no_folder_is_told_with_the_command_that_sets_one() -> None:
    with pytest.raises(SettingsError, match=r"models\.roberta\.folder is empty.*model use"):
        roberta.of(settings.load(environ={}))


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"manifest\.json cannot be read.*package_model\.py"):
        _ = RobertaScorer(tmp_path).version


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "code/inference.py"])
def test_a_file_that_is_not_the_manifests_is_named(copied: Path, name: str) -> None:
    data = bytearray((copied / name).read_bytes())
    data[len(data) // 2] ^= 1  # one bit
    (copied / name).write_bytes(data)
    with pytest.raises(SettingsError, match=rf"{name} is not the file that manifest\.json"):
        _ = RobertaScorer(copied).version


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "code/inference.py"])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(SettingsError, match=f"{name} cannot be read"):
        _ = RobertaScorer(copied).version


def test_code_is_run_only_when_it_is_the_manifests(copied: Path) -> None:
    code = copied / "code" / "inference.py"
    code.write_text(f"import pathlib\npathlib.Path({str(copied / 'ran')!r}).touch()\n")
    with pytest.raises(SettingsError, match=r"inference\.py is not the file"):
        RobertaScorer(copied).score([GOOD])
    assert not (copied / "ran").exists()


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"version": "../../elsewhere"}, "version is '../../elsewhere'"),
        ({"version": None}, "version is None"),
        ({"weights": {"file": "../model.onnx", "sha256": "x"}}, "weights names no file"),
        ({"weights": {"file": "/etc/passwd", "sha256": "x"}}, "weights names no file"),
        ({"weights": None}, "weights names no file"),
        ({"tokenizer": {}}, "tokenizer names no file"),
        ({"code": None}, "does not state the sha256 of code/inference.py"),
        ({"code": {"file": "other.py", "sha256": "x"}}, "does not state the sha256"),
    ],
)
def test_a_manifest_that_does_not_fit_is_told(
    copied: Path, more: dict[str, Any], what: str
) -> None:
    change(copied, **more)
    with pytest.raises(SettingsError, match="package the model again") as wrong:
        _ = RobertaScorer(copied).version
    assert what in str(wrong.value)


def test_a_version_that_the_files_do_not_make_is_refused(copied: Path) -> None:
    # Answers recorded under it would be another model's.
    change(copied, version="somebody-elses-model-int8-0123456789ab")
    with pytest.raises(SettingsError, match="but the model is tiny-test-int8-"):
        RobertaScorer(copied).score([GOOD])


def test_code_without_the_four_functions_is_refused(copied: Path) -> None:
    code = b"model_fn = input_fn = None\n"
    (copied / "code" / "inference.py").write_bytes(code)
    sha = hashlib.sha256(code).hexdigest()
    change(copied, code={"file": "code/inference.py", "sha256": sha})
    with pytest.raises(SettingsError, match="has no predict_fn, output_fn, RequestError"):
        RobertaScorer(copied).score([GOOD])


@pytest.mark.parametrize("library", ["onnxruntime", "tokenizers"])
def test_a_missing_library_is_told_with_its_extra(copied: Path, library: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from cashtag.sentiment.roberta import RobertaScorer\n"
        "from cashtag.errors import SettingsError\n"
        f"made = RobertaScorer({str(copied)!r}); print(made.version)\n"
        "try: made.score(['up'])\n"
        "except SettingsError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, told = done.stdout.splitlines()
    assert version.startswith("tiny-test-int8-")  # recorded answers can be read without it
    assert told == f'a packaged model needs {library}: pip install "cashtag[roberta]"'


def test_loading_leaves_nothing_in_the_folder(copied: Path) -> None:
    before = sorted(copied.rglob("*"))
    RobertaScorer(copied).score([GOOD])
    assert sorted(copied.rglob("*")) == before
