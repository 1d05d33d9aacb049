"""Wheels for a target: those that are pinned and needed, or a refusal by name; layouts made once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from function_folders import CACHE

from cashtag.errors import InputError
from cashtag.operate import bundle, wheels
from cashtag.operate.wheels import Target

ROOT = Path(__file__).parents[2]
COPIED = ("lambda", "glue", "LICENSE", "constraints.txt")


def test_a_library_that_nothing_pins_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"package httpx is needed .*add httpx==VERSION"):
        wheels.closure(["httpx"], Target(), {}, tmp_path)


def test_a_library_without_a_wheel_is_named_with_what_pip_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(
        InputError, match=r"httpx==0\.1 has no wheel for Python 3\.12 on Linux x86_64"
    ):
        wheels.closure(["httpx"], Target(), {"httpx": "0.1"}, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_the_targets_needs_are_followed(tmp_path: Path) -> None:
    folder = tmp_path / Target().name
    folder.mkdir()
    for name, requires in {
        "top": [
            "left>=1; python_version < '3.12'",
            "right; sys_platform == 'linux'",
            "more; extra == 'x'",
        ],
        "right": ["pandas"],
        "more": [],
    }.items():
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            lines = [
                f"Name: {name}",
                "Version: 1.0",
                *(f"Requires-Dist: {one}" for one in requires),
            ]
            archive.writestr(f"{name}-1.0.dist-info/METADATA", "\n".join(lines) + "\n\nlong text\n")
    pins = dict.fromkeys(("top", "right", "left", "more"), "1.0")
    plain = wheels.closure(["top"], Target(), pins, tmp_path, without=["pandas"])
    assert [wheel.name for wheel in plain] == ["right", "top"]
    extra = wheels.closure(["top[x]"], Target(), pins, tmp_path, without=["pandas"])
    assert [wheel.name for wheel in extra] == ["more", "right", "top"]


@pytest.mark.parametrize(
    ("python", "architecture"), [("3.12.1", "x86_64"), ("312", "x86_64"), ("3.12", "mips")]
)
def test_what_is_no_target_is_refused(python: str, architecture: str) -> None:
    with pytest.raises(InputError, match=r"--python|--arch"):
        Target(python, architecture)


def test_a_line_that_pins_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "constraints.txt").write_text("# pins\nhttpx==0.28.1  # said\nhttpcore>=1\n")
    with pytest.raises(InputError, match=r"line 3: 'httpcore>=1' pins nothing"):
        wheels.pins(tmp_path / "constraints.txt")


def test_layers_laid_out_once_are_left_as_they_are(ours: tuple[Path, Path, Path]) -> None:
    layers = ours[1]
    names = {path.name for path in layers.iterdir()}
    assert {"pandas", "pyarrow", "numpy", "awswrangler", "aws_lambda_powertools"} <= names
    assert not {"boto3", "botocore"} & names
    before = (layers / "pandas" / "__init__.py").stat()
    assert bundle.layers(layers.parent, cache=CACHE) == layers == ROOT / "build/lambda/opt/python"
    assert (layers / "pandas" / "__init__.py").stat().st_ino == before.st_ino


def test_a_layout_of_other_versions_is_replaced(tmp_path: Path) -> None:
    first = bundle.runtime(tmp_path / "runtime", cache=CACHE)
    next(first.glob(".complete-*")).rename(first / ".complete-000000000000")
    (first / "left_over.py").touch()
    second = bundle.runtime(tmp_path / "runtime", cache=CACHE)
    assert second == first
    assert not (second / "left_over.py").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["runtime"]
