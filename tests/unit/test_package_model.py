"""What package_model.py does without PyTorch: reading labels and preprocessing, packing, showing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "tiny_model"
SCRIPT = ROOT / "sagemaker" / "package_model.py"

CARD = """
def preprocess(text):
    for t in text.split(" "):
        t = '@user' if t.startswith('@') and len(t) > 1 else t
"""


def run(*arguments: str, block: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script as a file; `block` names a library that is made to be absent."""
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(sys.argv[1].split()))\n"
        "sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    call = [sys.executable, "-c", code, block, str(SCRIPT), *arguments]
    return subprocess.run(call, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def source() -> Any:
    """The module that reads a model's own files."""
    sys.path.append(str(SCRIPT.parent))
    try:
        import model_source
    finally:
        sys.path.remove(str(SCRIPT.parent))
    return model_source


@pytest.fixture(scope="module")
def folder() -> Any:
    """The module that writes and reads packaged folders."""
    sys.path.append(str(SCRIPT.parent))
    try:
        import model_folder
    finally:
        sys.path.remove(str(SCRIPT.parent))
    return model_folder


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["negative", "neutral", "positive"], ["negative", "neutral", "positive"]),  # cardiffnlp
        (["positive", "negative", "neutral"], ["positive", "negative", "neutral"]),  # FinBERT
        (["NEUTRAL", "BULLISH", "BEARISH"], ["neutral", "positive", "negative"]),  # FinTwitBERT
        (["NEG", "NEU", "POS"], ["negative", "neutral", "positive"]),  # BERTweet
    ],
)
def test_label_order_is_read_from_the_model(
    source: Any, names: list[str], labels: list[str]
) -> None:
    assert source.labels_of(names, None) == labels


def test_labels_that_say_nothing_are_asked_for(source: Any) -> None:
    names = ["LABEL_0", "LABEL_1", "LABEL_2"]
    with pytest.raises(source.PackagingError, match="--labels negative,neutral,positive"):
        source.labels_of(names, None)
    found = source.labels_of(names, "bearish, neutral,bullish")
    assert found == ["negative", "neutral", "positive"]


@pytest.mark.parametrize(
    ("names", "given", "says"),
    [
        (["negative", "positive"], None, "2 labels"),
        (["a", "b", "c"], "negative,positive", "do not say"),
        (["a", "b", "c"], "positive,positive,neutral", "do not say"),
    ],
)
def test_labels_must_be_the_three(
    source: Any, names: list[str], given: str | None, says: str
) -> None:
    with pytest.raises(source.PackagingError, match=says):
        source.labels_of(names, given)


# ---------------------------------------------------------------- preprocessing


def preprocessing(source: Any, home: Path, vocabulary: set[str], known_as: str = "a/b") -> Any:
    place = source.Source(home, known_as, "r")
    return source.preprocessing_of("auto", place, dict.fromkeys(vocabulary, 0))


def test_preprocessing_is_read_from_the_models_card(source: Any, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD)
    found = preprocessing(source, tmp_path, {"<s>"})
    assert found == {"mention": "@user", "url": "http"}


def test_preprocessing_is_known_by_its_publisher(source: Any, tmp_path: Path) -> None:
    name = "cardiffnlp/twitter-roberta-base-sentiment-latest"
    assert preprocessing(source, tmp_path, set(), name)["mention"] == "@user"


def test_preprocessing_is_read_from_the_vocabulary(source: Any, tmp_path: Path) -> None:
    assert preprocessing(source, tmp_path, {"@USER", "HTTPURL"}) == {
        "mention": "@USER",
        "url": "HTTPURL",
    }
    assert preprocessing(source, tmp_path, {"@USER", "[URL]"})["url"] == "[URL]"


def test_finbert_reads_texts_as_they_are(source: Any, tmp_path: Path) -> None:
    found = preprocessing(source, tmp_path, {"[CLS]", "[UNK]"}, "ProsusAI/finbert")
    assert found == {"mention": None, "url": None}


# ---------------------------------------------------------------- sources


def test_a_name_that_is_neither_folder_nor_id_is_refused(source: Any, tmp_path: Path) -> None:
    with pytest.raises(source.PackagingError, match="neither a folder nor a hub id"):
        source.find("no/such/place/at/all", None, None)
    with pytest.raises(source.PackagingError, match=r"config\.json"):
        source.find(str(tmp_path), None, None)


def test_the_revision_of_a_folder_is_the_hash_of_its_weights(source: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1")
    one = source.find(str(tmp_path), None, None)
    (tmp_path / "model.safetensors").write_bytes(b"2")
    two = source.find(str(tmp_path), None, "owner/name")
    assert one.revision.startswith("sha256:")
    assert one.revision != two.revision
    assert (one.id, two.id) == (tmp_path.name, "owner/name")


# ---------------------------------------------------------------- packing


def test_a_tar_depends_on_nothing_but_its_files(folder: Any, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(TINY, tmp_path / name)
        (tmp_path / name / "code" / "__pycache__").mkdir(exist_ok=True)
        (tmp_path / name / "code" / "__pycache__" / f"{name}.pyc").write_bytes(b"x")
        for path in (tmp_path / name).rglob("*"):
            path.touch()  # other times
        folder.pack(tmp_path / name, tmp_path / f"{name}.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        entries = tar.getmembers()
    assert [entry.name for entry in entries] == [
        "code/inference.py",
        "code/requirements.txt",
        "manifest.json",
        "model.onnx",
        "tokenizer.json",
    ]
    assert {(e.mtime, e.uid, e.gid, e.uname, e.mode) for e in entries} == {(0, 0, 0, "", 0o644)}


# ---------------------------------------------------------------- the command


def test_help_shows_examples() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "cardiffnlp/twitter-roberta-base-sentiment-latest" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "SOURCE and --out are needed"),
        (["a/b", "--out", "x"], "--precision int8"),  # nothing to choose the precision by
        (["--show", "no-such-folder"], "not a folder of package_model.py"),
    ],
)
def test_a_wrong_call_ends_with_2_and_the_remedy(arguments: list[str], says: str) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `roberta` is not installed")
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_packaging_without_its_libraries_ends_with_3_and_says_what_to_install() -> None:
    done = run("a/b", "--out", "x", "--precision", "int8", block="torch transformers onnx")
    assert done.returncode == 3
    assert "pip install 'cashtag[model]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_packaged_folder_and_its_tar_are_shown_without_pytorch(
    folder: Any, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `roberta` is not installed")
    folder.pack(TINY, tmp_path / "model.tar.gz")
    for path in (TINY, tmp_path / "model.tar.gz"):
        done = run("--show", str(path), block="torch transformers onnx")
        assert done.returncode == 0, done.stderr
        assert '"precision": "int8"' in done.stdout
        assert "tiny-test-int8-" in done.stdout.splitlines()[-1]


def test_a_folder_that_answers_otherwise_than_when_packaged_ends_with_4(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `roberta` is not installed")
    shutil.copytree(TINY, tmp_path / "m")
    manifest = json.loads((TINY / "manifest.json").read_text(encoding="utf-8"))
    manifest["probes"][0]["probabilities"] = [1.0, 0.0, 0.0]
    (tmp_path / "m" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    done = run("--show", str(tmp_path / "m"))
    assert done.returncode == 4
    assert "package it again" in done.stderr


def test_a_renewed_folder_has_todays_code_and_its_old_version(folder: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `roberta` is not installed")
    shutil.copytree(TINY, tmp_path / "model")
    (tmp_path / "model" / "code" / "inference.py").write_text("FORMAT = 1  # as it was once\n")
    (tmp_path / "model.tar.gz").touch()
    done = run("--renew", str(tmp_path / "model"), block="torch transformers onnx")
    assert done.returncode == 0, done.stderr
    folder.pack(TINY, tmp_path / "tiny.tar.gz")
    assert (tmp_path / "model.tar.gz").read_bytes() == (tmp_path / "tiny.tar.gz").read_bytes()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        # Another FORMAT, or other preprocessing, makes another version: its answers are others.
        (lambda m: m | {"version": "tiny-test-int8-0123456789ab"}, "packaged for other code"),
        (lambda m: m | {"weights": {**m["weights"], "sha256": "0" * 64}}, "for other code"),
        (lambda m: {k: v for k, v in m.items() if k != "weights"}, "is no packaged folder"),
    ],
)
def test_a_folder_that_the_code_does_not_fit_is_not_renewed(
    tmp_path: Path, spoil: Any, says: str
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `roberta` is not installed")
    shutil.copytree(TINY, tmp_path / "m")
    manifest = json.loads((TINY / "manifest.json").read_text(encoding="utf-8"))
    (tmp_path / "m" / "manifest.json").write_text(json.dumps(spoil(manifest)), encoding="utf-8")
    done = run("--renew", str(tmp_path / "m"))
    assert done.returncode == 2
    assert says in done.stderr


def test_a_folder_whose_weights_are_damaged_is_not_renewed(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `roberta` is not installed")
    shutil.copytree(TINY, tmp_path / "m")
    (tmp_path / "m" / "model.onnx").write_bytes(b"x")
    done = run("--renew", str(tmp_path / "m"))
    assert done.returncode == 2
    assert "is not the file that manifest.json" in done.stderr


def test_code_is_no_package() -> None:
    # `code` is also a module of the standard library, which debuggers import.
    assert not (SCRIPT.parent / "code" / "__init__.py").exists()
