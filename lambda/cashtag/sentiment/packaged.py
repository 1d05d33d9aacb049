"""A packaged model's folder: its manifest, whether its files are those it names, and its own code.

A folder of `sagemaker/package_model.py` holds `manifest.json`, the weights, the tokenizer and
`code/inference.py`, which is the code that a SageMaker container runs. That file is loaded from
the folder by path, so that a laptop and an endpoint compute the same. A manifest proves that
nothing was damaged on the way, not who made it: **using a package runs its code**, so use only
those you made or trust.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from cashtag.errors import SettingsError

MANIFEST = "manifest.json"
CODE = "code/inference.py"
INSTALL = 'pip install "cashtag[roberta]"'
# A version is a part of the keys under which answers are recorded.
VERSION = re.compile(r"[a-z0-9][a-z0-9._-]{0,126}[a-z0-9]")
_FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn", "RequestError")
_THREADS = "CASHTAG_MODEL_THREADS"  # where the packaged code looks for it
_loading = threading.Lock()


@dataclass(frozen=True)
class Package:
    """A packaged folder whose files are those that its manifest names."""

    folder: Path
    manifest: dict[str, Any]
    code: bytes
    """The source of its inference.py, as it was when the folder was checked."""

    @property
    def version(self) -> str:
        """The name under which the model's answers are recorded."""
        version: str = self.manifest["version"]
        return version


@dataclass(frozen=True)
class Loaded:
    """A model in memory, behind the four functions of its own code. May be shared by threads."""

    package: Package
    model: Any
    input_fn: Callable[[bytes, str], Any]
    predict_fn: Callable[[Any, Any], dict[str, Any]]
    output_fn: Callable[[dict[str, Any], str], str]
    refusal: type[Exception]
    """What the code raises for a text or a request that its sender can correct."""


def read(folder: str | os.PathLike[str]) -> Package:
    """Check a packaged folder and return it; nothing of it is run.

    Raises:
        SettingsError: no manifest, or a file that is not the one it names; says which.
    """
    root = Path(folder).expanduser().absolute()
    path = root / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}): a packaged model is a folder that "
            "sagemaker/package_model.py wrote, or its model.tar.gz"
        ) from error
    except ValueError as error:
        raise SettingsError(f"{path} is no JSON ({error}); package the model again") from error
    if not isinstance(manifest, dict):
        raise SettingsError(f"{path} is no manifest; package the model again")
    if not isinstance(version := manifest.get("version"), str) or not VERSION.fullmatch(version):
        raise SettingsError(
            f"{path}: version is {version!r}, not a name of at most 128 letters, digits, dots and "
            "dashes; package the model again"
        )
    for part in ("weights", "tokenizer"):
        _check(root, part, manifest.get(part))
    return Package(root, manifest, _code(root, manifest.get("code")))


def load(package: Package, threads: int = 0) -> Loaded:
    """Load the model with its own code and `threads` (0: as many as this process may use).

    Raises:
        SettingsError: onnxruntime or tokenizers are missing, or the model is not to be loaded.
    """
    module = _module(package)
    missing = [name for name in _FUNCTIONS if not hasattr(module, name)]
    if missing:
        raise SettingsError(
            f"{package.folder / CODE} has no {', '.join(missing)}; package the model again"
        )
    try:
        model = _with_threads(threads, lambda: module.model_fn(str(package.folder)))
    except Exception as error:
        # Whatever the model's code or ONNX Runtime raises: this folder is none to use here.
        raise SettingsError(
            f"{package.folder} cannot be loaded ({type(error).__name__}: {error}); package the "
            f"model again, or bring its libraries up to date: {INSTALL}"
        ) from error
    told = getattr(model, "version", package.version)
    if told != package.version:
        raise SettingsError(
            f"{package.folder / MANIFEST}: version is {package.version}, but the model is {told}; "
            "package the model again"
        )
    return Loaded(
        package,
        model,
        module.input_fn,
        module.predict_fn,
        module.output_fn,
        module.RequestError,
    )


def _check(root: Path, part: str, stated: Any) -> None:
    """Compare a file with the sha256 that the manifest states."""
    name = stated.get("file") if isinstance(stated, dict) else None
    if not isinstance(name, str) or not _is_plain(name):
        raise SettingsError(f"{root / MANIFEST}: {part} names no file; package the model again")
    path = root / name
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); package the model again"
        ) from error
    _compare(path, found, stated)


def _code(root: Path, stated: Any) -> bytes:
    """Return the packaged code, which is compared as it is read, for it is what will run."""
    path = root / CODE
    if not isinstance(stated, dict) or stated.get("file") != CODE:
        raise SettingsError(
            f"{root / MANIFEST} does not state the sha256 of {CODE}; package the model again, or "
            "give it the present code: sagemaker/package_model.py --renew FOLDER"
        )
    try:
        code = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); package the model again"
        ) from error
    _compare(path, hashlib.sha256(code).hexdigest(), stated)
    return code


def _compare(path: Path, found: str, stated: dict[str, Any]) -> None:
    if found != stated.get("sha256"):
        raise SettingsError(
            f"{path} is not the file that {MANIFEST} was written for: its sha256 is "
            f"{found[:12]}…; copy the package again, or package the model again"
        )


def _is_plain(name: str) -> bool:
    """Whether a name lies within the folder."""
    parts = PurePosixPath(name)
    return bool(name) and not parts.is_absolute() and ".." not in parts.parts and "\\" not in name


def _module(package: Package) -> ModuleType:
    """Run the bytes that were checked, not what may stand in the file by now."""
    digest = hashlib.sha256(package.code).hexdigest()
    name = f"cashtag_packaged_{digest[:16]}"
    with _loading:
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        module.__file__ = str(package.folder / CODE)
        sys.modules[name] = module  # dataclasses look their module up
        try:
            exec(compile(package.code, module.__file__, "exec"), module.__dict__)  # noqa: S102  the package's own code, see the first lines here
        except ImportError as error:
            del sys.modules[name]
            raise SettingsError(f"a packaged model needs {error.name}: {INSTALL}") from error
        except Exception as error:
            del sys.modules[name]
            raise SettingsError(
                f"{module.__file__} cannot be run ({type(error).__name__}: {error}); package the "
                "model again"
            ) from error
        return module


def _with_threads(threads: int, make: Callable[[], Any]) -> Any:
    """Call `make` with the number of threads where the packaged code reads it, then as it was."""
    if not threads:
        return make()
    with _loading:
        before = os.environ.get(_THREADS)
        os.environ[_THREADS] = str(threads)
        try:
            return make()
        finally:
            if before is None:
                del os.environ[_THREADS]
            else:
                os.environ[_THREADS] = before
