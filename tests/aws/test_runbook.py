"""The runbook keeps its promises: every alarm has its line, every command in it exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.main import get_command

from cashtag.cli.app import app
from cashtag.operate.cloud import template

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "cloudformation" / "RUNBOOK.md").read_text(encoding="utf-8")
ALARMS = TEXT.partition("## Alarms")[2].partition("\n### ")[0]


def alarms_of_the_template() -> set[str]:
    names = set()
    for told in template.load()["Resources"].values():
        if told["Type"] == "AWS::CloudWatch::Alarm":
            name = told["Properties"]["AlarmName"]["Fn::Sub"]
            names.add(name.removeprefix("${AWS::StackName}-"))
    return names


def test_every_alarm_has_a_line_that_says_what_to_type() -> None:
    rows = [line for line in ALARMS.splitlines() if line.startswith("| `")]
    listed: set[str] = set()
    for row in rows:
        name, meaning, remedy = (cell.strip() for cell in row.strip("|").split("|"))
        listed |= set(re.findall(r"`([a-z-]+)`", name))
        assert len(meaning) > 20, row
        assert len(remedy) > 5, row
    assert listed == alarms_of_the_template()


def commands() -> list[str]:
    spans = re.findall(r"`(cashtag [^`]+)`", TEXT)
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [*spans, *(line for line in lines if line.startswith("cashtag "))]


def test_every_command_of_the_runbook_exists_with_its_options() -> None:
    root = get_command(app)
    found = commands()
    assert len(found) > 40
    for line in found:
        command, rest = root, shlex.split(line)[1:]
        while rest and hasattr(command, "commands"):
            assert rest[0] in command.commands, line
            command, rest = command.commands[rest[0]], rest[1:]
        known = {option for param in command.params for option in param.opts}
        for word in rest:
            if word.startswith("--"):
                assert word.split("=")[0] in known, line


def test_the_runbook_begins_with_the_five_questions() -> None:
    first = TEXT.partition("## The five questions")[2].partition("\n## ")[0]
    asked = re.findall(r"^### \d\. (.+)$", first, re.MULTILINE)
    assert len(asked) == 5
    for word, question in zip(("traded", "close", "missing", "query", "cost"), asked, strict=True):
        assert word in question


def test_objects_that_the_runbook_names_are_of_the_template() -> None:
    kept = {
        name
        for name, told in template.load()["Resources"].items()
        if told["Type"] == "AWS::S3::Bucket" and told.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert {"RawBucket", "LedgerBucket"} <= kept  # "both outlive the stack"
    for parameter in ("LedgerLockDays", "AthenaScanBytes", "TrailDataEvents"):
        assert parameter in template.load()["Parameters"], parameter
        assert parameter in TEXT


def test_options_of_the_models_scripts_exist() -> None:
    spans = re.findall(r"`python (sagemaker/[a-z_]+\.py)([^`]*)`", TEXT)
    assert len(spans) >= 2
    for script, words in spans:
        known = (ROOT / script).read_text(encoding="utf-8")
        for option in re.findall(r"--[a-z-]+", words):
            assert f'"{option}"' in known, (script, option)
