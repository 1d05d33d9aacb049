"""The functions' zip and layers at work: handlers import from them alone, nothing is cut too short."""

from __future__ import annotations

import importlib.metadata
import re
import zipfile
from pathlib import Path

from function_folders import CACHE, clean

from cashtag.operate import bundle, leaving_out
from cashtag.operate.wheels import Target

ROOT = Path(__file__).parents[2]
COPIED = ("lambda", "glue", "LICENSE", "constraints.txt")


def test_everything_that_handlers_reach_imports_from_zip_and_layers_alone(
    ours: tuple[Path, Path, Path],
) -> None:
    code = """
import importlib, pkgutil, cashtag, cashtag.handlers
names = ["cashtag.steps", "cashtag.services", "cashtag.alerts"]
for room in ("handlers", "lake", "scrape", "enrich", "signals", "sentiment", "trade"):
    package = importlib.import_module(f"cashtag.{room}")
    names += [m.name for m in pkgutil.walk_packages(package.__path__, f"cashtag.{room}.")]
optional = {"onnxruntime", "tokenizers"}  # the model in process, which no function has
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name in optional, (name, error)
print(sorted(name.split(".")[2] for name in names if name.startswith("cashtag.handlers.")))
print(cashtag.__file__)
print(sorted({"duckdb", "sqlglot", "plotly", "rich", "typer"} & set(sys.modules)))
"""
    handlers, where, engines = clean(ours, code).splitlines()
    there = {p.stem for p in (ROOT / "lambda" / "cashtag" / "handlers").glob("*.py")} - {"__init__"}
    assert set(re.findall(r"'(\w+)'", handlers)) == there
    assert where.startswith(str(ours[0]))
    assert engines == "[]"


def test_settings_and_sql_are_found_in_the_zip(ours: tuple[Path, Path, Path]) -> None:
    code = """
from cashtag import resources
from cashtag.settings import load
print(load(environ={}).environment, resources.path("glue", "sql", "ranking.sql"))
"""
    environment, path = clean(ours, code).split()
    assert environment == "dev"
    assert path == str(ours[0] / "cashtag" / "glue" / "sql" / "ranking.sql")


def test_libraries_without_their_debuggers_parts_work(ours: tuple[Path, Path, Path]) -> None:
    code = """
import importlib.metadata
import curl_cffi, lxml.etree, orjson, yaml, pydantic_core, msgpack
curl = curl_cffi.Curl()
print(curl.version().decode().split("/")[0], lxml.etree.fromstring("<a><b/></a>")[0].tag)
print(importlib.metadata.version("alpaca-py"))
from zoneinfo import ZoneInfo, reset_tzpath
reset_tzpath(())  # a machine without time zones
print(ZoneInfo("America/New_York").key)
"""
    first, alpaca, zone = clean(ours, code).splitlines()
    assert first == "libcurl b"
    assert alpaca == importlib.metadata.version("alpaca-py")
    assert zone == "America/New_York"


def test_what_the_loader_maps_stays_byte_by_byte(lambdas: bundle.Bundle) -> None:
    name = "curl_cffi/_wrapper.abi3.so"
    wheel = next(one for one in lambdas.wheels if one.startswith("curl_cffi-"))
    with zipfile.ZipFile(CACHE / Target().name / wheel) as archive:
        whole = archive.read(name)
    with zipfile.ZipFile(lambdas.path) as archive:
        lean = archive.read(name)
    assert len(lean) < len(whole) / 4
    # Only the header's words on sections differ: bytes 40 to 47 and 58 to 63, elf(5).
    assert lean[:40] == whole[:40]
    assert lean[40:48] == bytes(8)
    assert lean[48:58] == whole[48:58]
    assert lean[58:64] == bytes(6)
    assert lean[64:] == whole[64 : len(lean)]


def test_what_is_no_library_stays_as_it_is() -> None:
    for data in (b"", b"\x7fEL", b"GROUP ( libc.so.6 )", b"\x7fELF\x01\x01" + bytes(60)):
        assert leaving_out.without_debugging(data) == data
