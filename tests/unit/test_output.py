"""Printed rows: exact for programs, harmless for terminals and spreadsheets, whatever they say."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from cashtag.cli import output
from cashtag.cli.options import Format

ESCAPE = "\x1b[31mred\x1b[0m"
LINK = "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07"  # a link whose text lies
CONTROL = "\x9b2J"  # one character that clears the screen of some terminals
TURNED = "\u202egnp.exe"  # shows as exe.png


def printed(rows: list[dict[str, Any]], how: Format, capsys: pytest.CaptureFixture[str]) -> str:
    output.show(rows, how)
    return capsys.readouterr().out


def as_csv(value: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """A value as a program reads it back from CSV."""
    text = printed([{"value": value, "after": "x"}], Format.csv, capsys)
    ((found, after),) = list(csv.reader(io.StringIO(text)))[1:]
    assert after == "x"  # the row kept its shape
    return found


def as_json(value: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(printed([{"value": value}], Format.json, capsys))[0]["value"]


# ---------------------------------------------------------------- exact numbers

IDS = (2**53 + 1, 1_920_000_000_000_000_001, 2**63 - 1, -(2**63))
FLOATS = (0.1, 1 / 3, 0.1 + 0.2, 1e300, 5e-324, 123456789.123456789, -0.0)


@pytest.mark.parametrize("number", IDS)
def test_a_64_bit_number_is_exact(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert as_json(number, capsys) == number
    assert as_csv(number, capsys) == str(number)
    assert str(number) in printed([{"id": number}], Format.table, capsys)


@pytest.mark.parametrize("number", FLOATS)
def test_a_double_reads_back_as_the_same_double(
    number: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repr(as_json(number, capsys)) == repr(number)
    assert repr(float(as_csv(number, capsys))) == repr(number)


def test_an_id_that_is_text_stays_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert as_json("1920000000000000001", capsys) == "1920000000000000001"
    assert as_csv("007", capsys) == "007"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), 1.5),
        (Decimal("9007199254740993"), "9007199254740993"),  # 2^53 + 1: no double holds it
        (Decimal("0.1"), 0.1),
        (float("nan"), None),
        (float("inf"), None),
        (date(2026, 5, 4), "2026-05-04"),
        (datetime(2026, 5, 4, 12, tzinfo=UTC), "2026-05-04T12:00:00+00:00"),
        (time(9, 35), "09:35:00"),
        (b"\x00ab", "00 61 62"),
        (["a", None, date(2026, 5, 4)], ["a", None, "2026-05-04"]),
        ({"a": float("nan")}, {"a": None}),
        (True, True),
        (None, None),
    ],
)
def test_every_type_that_sql_returns_has_a_form_in_json(
    value: Any, expected: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(value, capsys)
    assert found == expected
    assert type(found) is type(expected)


def test_an_interval_is_months_days_and_nanoseconds(capsys: pytest.CaptureFixture[str]) -> None:
    (value,) = pa.array([(1, 15, 30)], pa.month_day_nano_interval()).to_pylist()
    assert as_json(value, capsys) == {"months": 1, "days": 15, "nanoseconds": 30}
    assert json.loads(as_csv(value, capsys)) == {"months": 1, "days": 15, "nanoseconds": 30}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (date(2026, 5, 4), "2026-05-04"),
        (Decimal("1.50"), "1.50"),
        (b"ab", "61 62"),
        ('["a", "b"]', '["a", "b"]'),
        (["a", "b"], '["a", "b"]'),
        ("two\nlines, one cell", "two lines, one cell"),
        ('he said "buy"', 'he said "buy"'),
    ],
)
def test_every_type_that_sql_returns_has_a_form_in_csv(
    value: Any, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert as_csv(value, capsys) == expected


# ---------------------------------------------------------------- hostile text


@pytest.mark.parametrize(
    "text", ["[bold]$NVDA[/bold]", "[/]", "[link=https://evil.example]x[/link]"]
)
def test_brackets_are_text_and_no_markup(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert text in printed([{"tweet": text}], Format.table, capsys)
    assert as_json(text, capsys) == text
    assert as_csv(text, capsys) == text


def test_names_of_emoji_stay_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert ":rocket:" in printed([{"tweet": ":rocket:"}], Format.table, capsys)


@pytest.mark.parametrize("text", [ESCAPE, LINK, CONTROL, "\a\b\r\x00", TURNED])
@pytest.mark.parametrize("how", list(Format))
def test_no_text_steers_a_terminal(
    text: str, how: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed([{"tweet": text}], how, capsys)
    unseen = {c for c in out if not c.isprintable() and c != "\n"}
    # CSV keeps what only turns the direction of reading: a spreadsheet's cell contains it.
    assert unseen <= ({"\u202e"} if how is Format.csv else set())


@pytest.mark.parametrize("text", [ESCAPE, LINK, CONTROL, TURNED, "\u2028", "half \ud83d"])
def test_json_reads_back_as_the_same_text_although_it_prints_nothing_harmful(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert as_json(text, capsys) == text


@pytest.mark.parametrize("text", ["👨‍👩‍👧 to the moon 🚀", "café – “quoted”", "株価", "مرحبا"])
@pytest.mark.parametrize("how", list(Format))
def test_emoji_and_scripts_stay_whole(
    text: str, how: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    assert text in printed([{"tweet": text}], how, capsys)


@pytest.mark.parametrize(
    "text",
    ["=1+1", '=HYPERLINK("https://evil.example")', "+1 for $NVDA", "-wow", "@NVDA", " =1", "＝1"],
)
def test_text_that_a_spreadsheet_would_run_has_a_quote_before_it(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert as_csv(text, capsys) == f"'{text}"
    assert as_json(text, capsys) == text


@pytest.mark.parametrize("text", ["-0.25", "+3", "-1e-5", "1,000", "a=b", "$NVDA -5 %"])
def test_a_number_that_is_text_needs_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert as_csv(text, capsys) == text


# ---------------------------------------------------------------- shapes


def test_rows_are_a_list_of_objects_in_the_order_of_their_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"b": 1, "a": 2}, {"b": 3, "a": 4}]
    assert json.loads(printed(rows, Format.json, capsys)) == rows
    assert printed(rows, Format.csv, capsys) == "b,a\n1,2\n3,4\n"


def test_no_rows_are_an_empty_list_a_header_or_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    output.show([], Format.json, columns=["a"])
    assert json.loads(capsys.readouterr().out) == []
    output.show([], Format.csv, columns=["a", "b"])
    assert capsys.readouterr().out == "a,b\n"
    output.show([], Format.table, title="In quarantine")
    assert capsys.readouterr().out == "In quarantine: no rows\n"


def test_a_table_in_a_pipe_cuts_no_cell(capsys: pytest.CaptureFixture[str]) -> None:
    long = "word" * 200
    out = printed([{"tweet": long, "n": 1}], Format.table, capsys)
    assert long in out


def test_a_table_on_a_narrow_screen_folds_and_loses_nothing() -> None:
    screen = Console(file=io.StringIO(), width=40, force_terminal=True, color_system=None)
    long = "0123456789" * 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output, "console", lambda **_: screen)
        output.show([{"tweet": long}], Format.table)
    assert "".join(screen.file.getvalue().split()).endswith(long)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("number", "short"),
    [
        (0.123456, "0.1235"),
        (1234.5678, "1,235"),
        (121000.25, "121,000"),
        (1e300, "1e+300"),  # and not three hundred digits
        (float("nan"), "nan"),
        (7, "7"),
    ],
)
def test_a_table_has_short_numbers(number: float, short: str) -> None:
    assert output.cell(number) == short


# ---------------------------------------------------------------- where it goes

FULL = Path("/dev/full")  # a disk without space, as Linux offers it


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("word", ["--version", "--help"])
def test_a_full_disk_behind_the_output_is_one_line_and_an_exit_code(word: str) -> None:
    """Also where all that is printed fits a buffer, which Python flushes only when it ends."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from cashtag.cli import main; main()", word],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr == (
        "error: cannot write what the command prints: No space left on device; free space, then "
        "run it again\n"
    )
