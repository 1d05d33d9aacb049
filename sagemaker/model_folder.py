"""A packaged folder: written, sealed with what it is and does, packed as a tar, renewed, read again."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from model_source import PackagingError, digest

HERE = Path(__file__).resolve().parent
CODE = HERE / "code" / "inference.py"
FILES = {"weights": "model.onnx", "tokenizer": "tokenizer.json", "code": "code/inference.py"}
RUNTIME = ("onnxruntime", "tokenizers", "numpy")
TOLERATED_PROBE = 0.02  # another processor rounds fp32 sums otherwise, and int8 steps with them

PROBES = (
    "$NVDA beats estimates and raises guidance, shares jump 8% after hours",
    "$TSLA misses on revenue, cuts its outlook and the stock tumbles",
    "$AAPL reports on Thursday after the close",
    "Terrible quarter. Margins collapsed and the CFO is leaving $META",
    "Loving this rally 🚀🚀 $GOOG to the moon",
    "@trader42 what do you think of $AMD here? https://example.com/chart",
    "🐻📉",
    "The Fed left rates unchanged; markets were little changed. " * 12,
)


class Scorer:
    """A packaged folder as the project's evaluation asks it."""

    name = version = "packaged"

    def __init__(self, folder: Path) -> None:
        self._model = inference().model_fn(str(folder))

    def score(self, texts: Sequence[str]) -> Any:
        import numpy as np

        rows = inference().predict_fn({"inputs": list(texts)}, self._model)["probabilities"]
        return np.array([[np.nan] * 3 if row is None else row for row in rows])


def write(folder: Path, manifest: dict[str, Any], tokenizer: Any, wheels: str | None) -> None:
    """Write everything but the weights; the manifest is sealed when those are there."""
    (folder / "code").mkdir(parents=True)
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(folder / "tokenizer.json"), pretty=False)
    shutil.copyfile(CODE, folder / "code" / "inference.py")
    needs = [f"{name}=={version(name)}" for name in RUNTIME]
    if wheels:
        (folder / "code" / "wheels").mkdir()
        for wheel in sorted(Path(wheels).glob("*.whl")):
            shutil.copyfile(wheel, folder / "code" / "wheels" / wheel.name)
        needs = ["--no-index", "--find-links /opt/ml/model/code/wheels", *needs]
    (folder / "code" / "requirements.txt").write_text("\n".join(needs) + "\n")
    _write_manifest(folder, manifest)


def seal(folder: Path) -> None:
    """Put the sha256 of weights, tokenizer and code, and the version, into the manifest."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for part in FILES:
        _state(folder, manifest, part)
    manifest["version"] = inference().model_version(manifest)
    _write_manifest(folder, manifest)


def _state(folder: Path, manifest: dict[str, Any], part: str) -> None:
    path = folder / FILES[part]
    facts = {"file": FILES[part], "sha256": digest(path).hex(), "bytes": path.stat().st_size}
    manifest[part] = {**manifest.get(part, {}), **facts}


def renew(folder: Path) -> None:
    """Give a packaged folder the inference.py of this place, and show it; its version stays.

    A `model.tar.gz` beside it is packed again. Weights and tokenizer are not stated anew: they
    must be those that the manifest names.

    Raises:
        PackagingError: the folder is none, is damaged, or was packaged for code of another format.
    """
    code = inference()
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        if code.model_version(manifest) != manifest["version"]:
            raise PackagingError(
                f"{folder} was packaged for other code ({manifest['version']}); package it again"
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackagingError(f"{folder} is no packaged folder ({error!r})") from error
    shutil.copyfile(CODE, folder / FILES["code"])
    manifest["batch_tokens"] = code.BATCH_TOKENS
    _state(folder, manifest, "code")
    _write_manifest(folder, manifest)
    show(str(folder))
    if (packed := folder.parent / "model.tar.gz").is_file():
        pack(folder, packed)


def seal_with(folder: Path, exact: Path, evaluation: Any) -> None:
    """Add the evaluation, the answers to the probes and their distance from fp32."""
    import numpy as np

    manifest = json.loads((folder / "manifest.json").read_bytes())
    ours, fp32 = Scorer(folder).score(PROBES), Scorer(exact).score(PROBES)
    manifest["evaluation"] = evaluation
    manifest["difference_from_fp32"] = round(float(np.abs(ours - fp32).max()), 6)
    manifest["probes"] = [
        {"text": text, "probabilities": row}
        for text, row in zip(PROBES, ours.tolist(), strict=True)
    ]
    _write_manifest(folder, manifest)


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def pack(folder: Path, target: Path) -> None:
    """Write the folder as a tar that depends on nothing but its files: no times, no owners."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            if "__pycache__" not in path.parts:
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as file:
                    tar.addfile(entry, file)


def show(path: str) -> None:
    """Print what a packaged folder or model.tar.gz says of itself; load it and ask its probes.

    Raises:
        PackagingError: it is damaged, or answers otherwise than it did when it was packaged.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(path)
        if folder.is_file():
            with tarfile.open(folder) as tar:
                tar.extractall(scratch, filter="data")
            folder = Path(scratch)
        code = inference()
        try:
            manifest = code.read_manifest(folder)
            scorer = Scorer(folder)
        except code.ModelError as error:
            raise PackagingError(str(error)) from error
        brief = {k: v for k, v in manifest.items() if k != "probes"}
        print(json.dumps(brief, indent=1, ensure_ascii=False))
        probes = manifest.get("probes", [])
        found = scorer.score([probe["text"] for probe in probes])
        then = np.array([probe["probabilities"] for probe in probes])
        off = float(np.abs(found - then).max()) if probes else 0.0
        print(f"{manifest['version']}: answers {len(probes)} probes, {off:.6f} from when packaged")
        if off > TOLERATED_PROBE:
            raise PackagingError(
                f"{path} answers its own probes {off:.4f} off; package it again", 4
            )


def inference() -> ModuleType:
    try:
        return by_path(CODE)
    except ImportError as error:
        raise PackagingError(f"{error}: this needs `pip install 'cashtag[roberta]'`", 3) from error


def by_path(path: Path) -> ModuleType:
    """Load a file beside this one; there is no package here (see sagemaker/README.md)."""
    name = f"cashtag_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is not there")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        try:
            spec.loader.exec_module(module)
        except ImportError:
            del sys.modules[name]
            raise
    return sys.modules[name]
