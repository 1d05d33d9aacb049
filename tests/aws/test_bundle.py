"""The functions' zip: the same bytes anywhere, only what runs on Lambda, and small."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from function_folders import CACHE

from cashtag.errors import InputError
from cashtag.operate import bundle, wheels
from cashtag.operate.cloud import template
from cashtag.operate.wheels import Target, normalised
from cashtag.settings import load

ROOT = Path(__file__).parents[2]
COPIED = ("lambda", "glue", "LICENSE", "constraints.txt")


# ---------------------------------------------------------------- the same bytes


def test_two_checkouts_at_two_times_give_the_same_bytes(tmp_path: Path) -> None:
    hashes = []
    for name, moment in (("one", 1_000_000_000), ("a folder/of another name", 1_700_000_000)):
        checkout = tmp_path / name
        checkout.mkdir(parents=True)
        for part in COPIED:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, checkout / part)
        # What editors and runs leave behind is no part of a commit.
        (checkout / "lambda" / "cashtag" / "steps.py~").write_text("old")
        (checkout / "lambda" / "cashtag" / "__pycache__").mkdir(exist_ok=True)
        (checkout / "lambda" / "cashtag" / "__pycache__" / f"x{moment}.py").write_text(name)
        for path in checkout.rglob("*"):
            os.utime(path, (moment, moment))
            if path.is_file():
                path.chmod(0o600 if name == "one" else 0o755)
        out = checkout / "function.zip"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "cashtag.operate.bundle",
                "--out",
                str(out),
                "--cache",
                str(CACHE),
            ],
            env={**os.environ, "PYTHONPATH": str(checkout / "lambda"), "TZ": "Asia/Tokyo"},
            cwd=checkout,
            capture_output=True,
            text=True,
            check=True,
        )
        said = re.fullmatch(
            r"(?s).*function\.zip: [\d.]+ MB zipped, [\d.]+ MB unzipped, \d+ libraries, content "
            r"[0-9a-f]{12}\n([0-9a-f]{64})  .*function\.zip\n",
            done.stdout,
        )
        assert said, done.stdout
        checked = subprocess.run(
            ["sha256sum", str(out)], capture_output=True, text=True, check=True
        )
        assert checked.stdout.startswith(said[1])
        hashes.append(said[1])
    assert hashes[0] == hashes[1]


def test_an_installed_wheel_gives_what_its_checkout_gives(tmp_path: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "--target",
            "wheel",
            "--directory",
            str(tmp_path),
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as archive:
        archive.extractall(tmp_path / "installed")
    code = (
        "import hashlib, sys\n"
        f"sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
        "from cashtag import resources\n"
        "from cashtag.operate import bundle\n"
        "assert resources.path('cloudformation', 'cashtag.yaml').is_file()\n"
        "assert resources.path('cloudformation', 'quicksight.yaml').is_file()\n"
        "assert resources.path('constraints.txt').is_file()\n"
        "print(bundle.content_of(dict(bundle.own_files())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == bundle.content_of(dict(bundle.own_files()))


def test_another_line_of_code_gives_another_content(lambdas: bundle.Bundle) -> None:
    with zipfile.ZipFile(lambdas.path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    assert bundle.content_of(entries) == lambdas.content
    entries["cashtag/steps.py"] += b"\n"
    assert bundle.content_of(entries) != lambdas.content


def test_entries_are_sorted_with_one_time_and_one_mode(lambdas: bundle.Bundle) -> None:
    with zipfile.ZipFile(lambdas.path) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    assert names == sorted(set(names))
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_nothing_of_the_machine_is_in_it(lambdas: bundle.Bundle) -> None:
    needles = [str(ROOT).encode(), str(Path.home()).encode() + b"/", str(CACHE).encode()]
    with zipfile.ZipFile(lambdas.path) as archive:
        for name in archive.namelist():
            assert not name.startswith("/")
            assert ".." not in name.split("/")
            data = archive.read(name)
            if name.startswith("cashtag/") or ".dist-info/" in name:
                assert not any(needle in data for needle in needles if len(needle) > 2), name


# ---------------------------------------------------------------- only what runs on Lambda


def test_every_library_is_made_for_lambdas_python(lambdas: bundle.Bundle) -> None:
    # name-version-python-abi-platform.whl, PEP 427; a platform may be several, split by dots.
    for name in lambdas.wheels:
        _, _, python, abi, platform = name.removesuffix(".whl").split("-")
        if platform == "any":
            assert abi == "none", name
            assert any(tag.startswith("py3") for tag in python.split(".")), name
        else:
            assert all(re.match(r"manylinux.*_x86_64$", tag) for tag in platform.split(".")), name
            assert (python, abi) == ("cp312", "cp312") or abi == "abi3", name


def test_every_shared_library_is_elf_for_x86_64_of_python_3_12(lambdas: bundle.Bundle) -> None:
    seen = 0
    with zipfile.ZipFile(lambdas.path) as archive:
        for name in archive.namelist():
            if not re.search(r"\.so(\.|$)", name):
                continue
            seen += 1
            head = archive.read(name)[:20]
            assert head[:6] == b"\x7fELF\x02\x01", name
            assert struct.unpack_from("<H", head, 18) == (62,), name  # EM_X86_64, elf(5)
            tag = re.search(r"\.cpython-(\d+)", name)
            assert tag is None or tag[1] == "312", name
    assert seen > 10


def test_arm_gets_libraries_for_arm() -> None:
    arm = Target(architecture="arm64")
    known = wheels.pins(ROOT / "constraints.txt")
    names = [one.path.name for one in wheels.closure(["orjson", "msgpack"], arm, known, CACHE)]
    assert len(names) == 2
    assert all("aarch64" in name and "cp312" in name for name in names)


def test_the_zip_is_for_the_python_that_the_template_runs() -> None:
    wanted = load(environ={}).aws.functions
    functions = [
        told["Properties"]
        for told in template.load()["Resources"].values()
        if told["Type"] == "AWS::Lambda::Function"
    ]
    assert len(functions) == 5
    for told in functions:
        assert told["Runtime"] == f"python{wanted.python}" == f"python{Target().python}"
        assert told["Architectures"] == [wanted.architecture] == [Target().architecture]
    assert wanted.unzipped_megabytes == bundle.LIMIT_MEGABYTES


def test_what_layers_runtime_and_laptop_have_stays_out(lambdas: bundle.Bundle) -> None:
    out = {
        "boto3", "botocore", "pandas", "numpy", "pyarrow", "awswrangler", "aws_lambda_powertools",
        "duckdb", "sqlglot", "typer", "rich", "plotly", "tomlkit", "six.py", "dateutil", "jmespath",
    }  # fmt: skip
    with zipfile.ZipFile(lambdas.path) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} & out == set()
    assert [
        n for n in names if n.endswith((".pyc", ".pyi", ".pxd", ".h", "/RECORD", "/WHEEL"))
    ] == []
    assert [n for n in names if "/tests/" in n or "/test/" in n or n.startswith("tests/")] == []
    assert [n for n in names if n.startswith(("cashtag/cli/", "cashtag/sample_data"))] == []


def test_the_resources_come_along(lambdas: bundle.Bundle) -> None:
    with zipfile.ZipFile(lambdas.path) as archive:
        names = set(archive.namelist())
    for folder, suffix in (
        ("sql", "*.sql"),
        ("checks", "*.sql"),
        ("queries", "*.sql"),
        ("tables", "*.yaml"),
    ):
        here = {
            f"cashtag/glue/{folder}/{path.name}" for path in (ROOT / "glue" / folder).glob(suffix)
        }
        assert here
        assert here <= names
    assert {"cashtag/settings/defaults.toml", "cashtag/sessions_xnys.csv"} <= names


def test_licences_stay_with_what_they_cover(lambdas: bundle.Bundle) -> None:
    with zipfile.ZipFile(lambdas.path) as archive:
        names = set(archive.namelist())
        assert archive.read("cashtag/LICENSE") == (ROOT / "LICENSE").read_bytes()
    kept = 0
    for wheel in lambdas.wheels:
        with zipfile.ZipFile(CACHE / Target().name / wheel) as archive:
            for name in archive.namelist():
                if re.search(r"\.dist-info/(.*/)?(LICEN[CS]E|COPYING|NOTICE)[^/]*$", name, re.I):
                    assert name in names, name
                    kept += 1
    assert kept >= len(lambdas.wheels) - 5


def test_every_dependency_is_deployed_or_said_not_to_be() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *optional["aws"], *optional["live"]]
    declared = {normalised(re.split(r"[<>=\[ ]", text)[0]) for text in wanted}
    layers = {
        normalised(re.split(r"\[", one)[0]) for some in bundle.LAYERS.values() for one in some
    }
    runtime = {normalised(name) for name in bundle.RUNTIME}
    deployed = {normalised(name) for name in bundle.ROOTS}
    at_home = {normalised(name) for name in bundle.NOT_DEPLOYED}
    assert declared - layers - runtime - at_home == deployed - {"tzdata"}
    assert deployed & at_home == set()


def test_it_is_small(lambdas: bundle.Bundle) -> None:
    with zipfile.ZipFile(lambdas.path) as archive:
        unzipped = sum(entry.file_size for entry in archive.infolist())
    assert unzipped == lambdas.unzipped
    assert unzipped <= 40_000_000
    assert lambdas.zipped == lambdas.path.stat().st_size <= 50_000_000


def test_above_the_limit_the_largest_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"above the limit of 5 MB; the largest: \w+ [\d.]+ MB"):
        bundle.build(tmp_path / "function.zip", cache=CACHE, limit_megabytes=5)
    assert list(tmp_path.iterdir()) == []
