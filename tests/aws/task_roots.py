"""The folders that a function finds on Lambda: its built zip, unpacked, the layers, the runtime.

All three are made of wheels at the pinned versions for this interpreter, and kept in `build/`
between runs. Python's bytecode is kept beside them, which Lambda does not: `bench_cold.py` measures
without it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import zipfile
from pathlib import Path

from lambda_sandbox import TaskRoot

from cashtag.operate import bundle, leaving_out, wheels

BUILD = Path(__file__).parents[2] / "build"
_KEPT_SECONDS = 3600.0  # how long the code of an earlier state stays

_NO_ZSTD = """

class Codec:
    @staticmethod
    def is_available(compression):
        from pyarrow.lib import Codec as built

        return compression != "zstd" and built.is_available(compression)
"""


def lay_out() -> TaskRoot:
    """The product's functions as they are deployed, for this interpreter; made where it changed."""
    beside, cache = BUILD / "lambda", BUILD / "wheels"
    layers = bundle.layers(beside / "opt", cache=cache)
    _as_aws_builds_arrow(layers)
    return TaskRoot(
        _code(beside, cache),
        layers,
        bundle.runtime(beside / "runtime", cache=cache),
        beside / "bytecode",
    )


def _as_aws_builds_arrow(layers: Path) -> None:
    """Let the layer's Arrow say that it has no zstd: AWS builds it with snappy and zlib only.

    As in building/lambda/build-lambda-layer.sh of aws-sdk-pandas (and its issue #2445).
    """
    package = layers / "pyarrow" / "__init__.py"
    text = package.read_text(encoding="utf-8")
    if text.endswith(_NO_ZSTD):
        return
    made = package.with_name(f".making-{os.getpid()}")
    made.write_text(text + _NO_ZSTD, encoding="utf-8")
    made.replace(package)


def _code(beside: Path, cache: Path) -> Path:
    folder = beside / f"task-{_state()}"
    if not folder.exists():
        beside.mkdir(parents=True, exist_ok=True)
        work = beside / f".making-{os.getpid()}"
        made = bundle.build(work / "function.zip", wheels.here(), cache=cache)
        with zipfile.ZipFile(made.path) as archive:
            archive.extractall(work / "task")
        try:
            (work / "task").replace(folder)
        except OSError:  # somebody else made it meanwhile
            if not folder.exists():
                raise
        shutil.rmtree(work, ignore_errors=True)
    folder.touch()
    for other in beside.glob("task-*"):
        if time.time() - other.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _state() -> str:
    """A hash of all that the zip is made of."""
    digest = hashlib.sha256()
    for name, data in bundle.own_files():
        digest.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    for module in (bundle, leaving_out, wheels):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update((BUILD.parent / "constraints.txt").read_bytes())
    return digest.hexdigest()[:16]
