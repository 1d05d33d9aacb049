"""The template as it lies in the repository: what glue/ says, within CloudFormation's limits, valid."""

from __future__ import annotations

import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cashtag.lake.contracts import contracts
from cashtag.operate.cloud import template

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cloudformation" / "cashtag.yaml"
# "AWS CloudFormation quotas", CloudFormation user guide
FROM_S3 = 1_048_576  # bytes of a template that lies in S3; in the request itself 51,200
RESOURCES, PARAMETERS, OUTPUTS, MAPPING_KEYS = 500, 200, 200, 200
DESCRIPTION = 1024  # bytes of the template's own


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "cloudformation" / "generate.py"))


def test_the_generated_blocks_are_as_committed(generate: dict[str, Any]) -> None:
    committed = FILE.read_text(encoding="utf-8")
    assert generate["written"](committed, generate["blocks"]()) == committed


def test_a_block_that_is_missing_or_there_twice_is_refused(generate: dict[str, Any]) -> None:
    block = "  # >>> tables\n  # <<< tables\n"
    for text, times in (("", 0), (block + block, 2)):
        with pytest.raises(ValueError, match=f"has {times} blocks `# >>> tables`; keep one"):
            generate["written"](text, {"tables": ""})


def test_a_block_is_replaced_and_all_else_stays(generate: dict[str, Any]) -> None:
    before = "a\n    # >>> tables\n    old\n    # <<< tables\nb\n"
    after = "a\n    # >>> tables\n    new: 1\n\n    more: 2\n    # <<< tables\nb\n"
    assert generate["written"](before, {"tables": "new: 1\n\nmore: 2\n"}) == after


def test_a_query_asks_for_its_parameters_by_place(generate: dict[str, Any]) -> None:
    from cashtag.warehouse import sql

    text = "-- What :x is. One row per y.\nSELECT a, ':last' FROM t WHERE a BETWEEN :first AND :last AND b > :first\n"
    query = sql.parse("queries", "made", text)
    assert generate["positional"](query) == (
        "-- Execution parameters, in order:\n"
        "-- 1: first, as in DATE '2026-01-05'\n"
        "-- 2: last, as in DATE '2026-01-05'\n"
        "-- 3: first, as in DATE '2026-01-05'\n"
        "-- What :x is. One row per y.\n"
        "SELECT a, ':last' FROM t WHERE a BETWEEN ? AND ? AND b > ?\n"
    )


def test_the_template_keeps_within_the_limits_of_one_that_lies_in_s3() -> None:
    whole = template.load()
    size = FILE.stat().st_size
    assert 51_200 < size <= FROM_S3 // 2  # too long for a request; half is left to grow
    assert len(whole["Resources"]) <= RESOURCES // 2
    assert len(whole["Parameters"]) <= PARAMETERS
    assert len(whole["Outputs"]) <= OUTPUTS
    assert all(len(mapping) <= MAPPING_KEYS for mapping in whole["Mappings"].values())
    assert len(whole["Description"].encode()) <= DESCRIPTION


def test_it_holds_every_table_and_every_named_query() -> None:
    kinds = Counter(resource["Type"] for resource in template.load()["Resources"].values())
    assert kinds["AWS::Glue::Table"] == len(contracts())
    queries = list((ROOT / "glue" / "queries").glob("*.sql"))
    assert kinds["AWS::Athena::NamedQuery"] == len(queries) > 30


def test_cfn_lint_finds_nothing() -> None:
    from cfnlint.api import lint_file

    assert [str(match) for match in lint_file(FILE)] == []
