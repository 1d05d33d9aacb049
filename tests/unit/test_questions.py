"""Ad-hoc questions: where a SELECT comes from, what its parameters are, and its columns' names."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest

from cashtag import services
from cashtag.errors import InputError
from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract
from cashtag.operate import questions
from cashtag.settings import load


def ask(lake: Path, select: str, *params: str) -> list[dict[str, object]]:
    settings = load(environ={}, overrides={"lake": str(lake)})
    return questions.answer(settings, select, list(params)).to_pylist()  # type: ignore[no-any-return]


def test_columns_with_one_name_are_numbered_so_that_none_is_lost(tmp_path: Path) -> None:
    assert ask(tmp_path, "SELECT 1 AS a, 2 AS a, 3 AS b, 4 AS a") == [
        {"a": 1, "a_2": 2, "b": 3, "a_3": 4}
    ]
    # A name that is taken is not given again.
    assert ask(tmp_path, "SELECT 1 AS a, 2 AS a_2, 3 AS a") == [{"a": 1, "a_2": 2, "a_3": 3}]


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("x=5", 5),
        ("x=-0.5", -0.5),
        ("x=2026-05-04", date(2026, 5, 4)),
        ("x=NVDA", "NVDA"),
        (":x=NVDA", "NVDA"),
        ("x=a=b", "a=b"),
        ("x=", ""),
        ("x='; DROP TABLE tweets; --", "'; DROP TABLE tweets; --"),
    ],
)
def test_a_parameter_is_a_value_whatever_it_says(given: str, value: object, tmp_path: Path) -> None:
    assert ask(tmp_path, "SELECT :x AS x", given) == [{"x": value}]


@pytest.mark.parametrize("pair", ["x", "=5", ""])
def test_a_parameter_without_name_or_value_is_refused(pair: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--param .* is no NAME=VALUE"):
        ask(tmp_path, "SELECT :x AS x", pair)


def test_first_and_last_span_the_lake_unless_given(tmp_path: Path) -> None:
    select = "SELECT :first AS first, :last AS last"
    zones = services.folder_lake(tmp_path)
    # An empty lake has an answer: no rows of 1970.
    assert ask(tmp_path, select) == [{"first": date(1970, 1, 1), "last": date(1970, 1, 1)}]
    for name, key in (
        ("tweets", layout.enriched("tweets", date(2026, 5, 9))),  # a Saturday's run
        ("daily_signals", layout.signals("daily_signals", date(2026, 5, 11))),  # its Monday
    ):
        store = zones.enriched if name == "tweets" else zones.signals
        store.put(key, parquet.write(contract(name), contract(name).empty()))
    assert ask(tmp_path, select) == [{"first": date(2026, 5, 9), "last": date(2026, 5, 11)}]
    assert ask(tmp_path, select, "last=2026-05-10")[0]["last"] == date(2026, 5, 10)


def test_another_parameter_that_nobody_gave_is_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ticker"):
        ask(tmp_path, "SELECT :ticker AS t")


def test_a_select_comes_from_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "q.sql"
    file.write_text("SELECT 2")
    assert questions.text("SELECT 1", None, None) == "SELECT 1"
    assert questions.text(None, file, None) == "SELECT 2"
    assert "SELECT" in questions.text(None, None, "ten_rows")
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 3"))
    assert questions.text("-", None, None) == "SELECT 3"
    for words in ((None, None, None), ("SELECT 1", file, None), ("SELECT 1", None, "ten_rows")):
        with pytest.raises(InputError, match=r"give one of: .*--named"):
            questions.text(*words)


@pytest.mark.parametrize("content", [None, b"SELECT '\xff'"])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"-f .*q\.sql cannot be read"):
        questions.text(None, file, None)


def test_every_named_query_says_what_it_answers() -> None:
    listed = questions.named_queries()
    assert {"name", "about", "parameters"} == set(listed[0])
    assert all(query["about"] for query in listed)
