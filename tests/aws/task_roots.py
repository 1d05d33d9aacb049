"""The folders that a function finds on Lambda, laid out from what is installed here.

Layers and the runtime's own folder are links to the packages of this environment, so that a
function sees exactly those that it would be given, and no other. The code is the built zip.
"""

from __future__ import annotations

import importlib.metadata as metadata
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from lambda_sandbox import TaskRoot
from packaging.requirements import Requirement

# What Lambda itself has, beside the interpreter: /var/runtime.
RUNTIME = ("boto3", "awslambdaric")


def closure(names: Iterable[str]) -> set[str]:
    """Installed distributions: those named, and what they need here (extras left out)."""
    found: set[str] = set()
    waiting = [_canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another platform or interpreter
        found.add(name)
        for text in needs:
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                waiting.append(_canonical(need.name))
    return found


def link(names: Iterable[str], folder: Path) -> Path:
    """Link the top-level files and folders of distributions into `folder`; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        distribution = metadata.distribution(name)
        tops = {
            file.parts[0]
            for file in distribution.files or ()
            if file.parts[0] not in ("..", "__pycache__", ".")
        }
        for top in tops:
            there = folder / top
            if not there.exists():
                there.symlink_to(Path(str(distribution.locate_file(top))).resolve())
    return folder


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def from_installed(package: Path, glue: Path, folder: Path) -> TaskRoot:
    """The folders of a function whose code is a checkout's and whose libraries are those installed."""
    from cashtag.operate import bundle

    layers = closure([name.split("[")[0] for names in bundle.LAYERS.values() for name in names])
    runtime = closure(RUNTIME)
    own = closure(bundle.ROOTS) - layers - runtime
    code = link(own, folder / "task")
    shutil.copytree(package, code / "cashtag", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(glue, code / "cashtag" / "glue")
    return TaskRoot(code, link(layers - runtime, folder / "opt"), link(runtime, folder / "runtime"))


def lay_out(folder: Path) -> TaskRoot:
    """The folders of the product's functions."""
    root = Path(__file__).parents[2]
    return from_installed(root / "lambda" / "cashtag", root / "glue", folder)
