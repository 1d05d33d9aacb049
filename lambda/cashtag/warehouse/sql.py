"""The project's SQL files, their parameters, and values as Athena literals.

A file is one Athena SELECT. Its first comment line says what it is and states the grain
("One row per (…)"); a check's first line starts with `fail:` or `warn:`. `:name` marks a value
that the caller binds. DuckDB gets values as prepared parameters; Athena gets the literals made
here (`qmark`), because the formatting of its clients loses digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache
from typing import Literal, get_args

from cashtag import resources
from cashtag.errors import InputError
from cashtag.ports import SqlValue
from cashtag.warehouse import clauses

Kind = Literal["sql", "checks", "queries"]
Level = Literal["fail", "warn"]

# Strings, quoted names and comments are skipped whole, so that a colon inside them is no parameter.
_TOKENS = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | :: | :(?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)
# "ExecutionParameters", StartQueryExecution, Athena API reference
_LONGEST_PARAMETER = 1024
_LEVEL = re.compile(r"^(fail|warn)\b:?\s*", re.IGNORECASE)
_GRAIN = re.compile(r"One row per .+?(?:\.(?=\s|$)|$)")


@dataclass(frozen=True, slots=True)
class Query:
    """One file of glue/sql, glue/checks or glue/queries.

    `grain` is its "One row per …" sentence; `parameters` are the names in order of appearance;
    `level` is what a row of a check means, None for anything but a check.
    """

    kind: Kind
    name: str
    text: str
    about: str
    grain: str
    parameters: tuple[str, ...]
    level: Level | None


@cache
def load(kind: Kind, name: str) -> Query:
    """Read one file by its stem. Raises InputError naming the nearest files when it is missing."""
    if name not in names(kind):
        near = get_close_matches(name, names(kind), n=3) or names(kind)
        raise InputError(f"no {kind} file named {name!r}; there is {', '.join(near)}")
    path = resources.path("glue", kind, f"{name}.sql")
    return parse(kind, name, path.read_text(encoding="utf-8"))


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """Stems of all files of a kind, sorted."""
    if kind not in get_args(Kind):
        raise InputError(f"kind {kind!r} is none of {', '.join(get_args(Kind))}")
    return tuple(sorted(p.stem for p in resources.path("glue", kind).glob("*.sql")))


def named() -> tuple[Query, ...]:
    """All ad-hoc queries of glue/queries, by name: what `cashtag sql --named` offers."""
    return tuple(load("queries", name) for name in names("queries"))


def parse(kind: Kind, name: str, text: str) -> Query:
    """Take a file's text apart; missing header parts come back empty, for the lint to name."""
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        header.append(line.removeprefix("--").strip())
    level: Level | None = None
    for i, line in enumerate(header):
        if kind == "checks" and (m := _LEVEL.match(line)):
            level = "fail" if m[1].lower() == "fail" else "warn"
            header[i] = line[m.end() :]
            break
    about = next((line for line in header if line), "")
    grain = _GRAIN.search(about)
    return Query(
        kind=kind,
        name=name,
        text=text,
        about=about,
        grain=grain[0] if grain else "",
        parameters=parameters(text),
        level=level,
    )


def parameters(text: str) -> tuple[str, ...]:
    """Names of the `:parameters` of a text, in order of first appearance."""
    return tuple(dict.fromkeys(m["name"] for m in _TOKENS.finditer(text) if m["name"]))


def places(text: str) -> tuple[str, ...]:
    """Names of the parameters that `qmark` binds, in order, each as often as it is bound."""
    bound = clauses.in_where(text)
    return tuple(m["name"] for m in _TOKENS.finditer(text) if m["name"] and m.start() in bound)


def check_parameters(wanted: tuple[str, ...], given: Mapping[str, SqlValue]) -> None:
    """Refuse missing and unused parameters by name. Raises InputError."""
    missing = [name for name in wanted if name not in given]
    unused = [name for name in given if name not in wanted]
    if missing:
        raise InputError(f"parameter {_colons(missing)} has no value; give it by name")
    if unused:
        raise InputError(
            f"parameter {_colons(unused)} is not used by the query; "
            f"it takes {_colons(wanted) or 'no parameters'}"
        )


def bind(text: str, given: Mapping[str, SqlValue]) -> str:
    """Return the text with every `:name` replaced by its literal: for grammars and EXPLAIN.

    Engines that take parameters get `qmark` or prepared ones instead.
    """
    check_parameters(parameters(text), given)

    def put(m: re.Match[str]) -> str:
        if not m["name"]:
            return m[0]
        return _spaced(literal(given[m["name"]]))

    return _TOKENS.sub(put, text)


def qmark(text: str, given: Mapping[str, SqlValue]) -> tuple[str, list[str]]:
    """Return the text with `?` for every `:name` in a WHERE, and the literals in their order.

    These are Athena's execution parameters: each is SQL text of a constant, quoted by us. A text
    too long for one of them comes in several, joined by `concat`. Athena takes them in WHERE
    only; elsewhere (a SELECT's columns, an ON, a LIMIT) the same literal stands in the text.
    """
    check_parameters(parameters(text), given)
    bound = clauses.in_where(text)
    values: list[str] = []

    def put(m: re.Match[str]) -> str:
        if not m["name"]:
            return m[0]
        if m.start() not in bound:
            return _spaced(literal(given[m["name"]]))
        parts = [literal(part) for part in _parts(given[m["name"]])]
        values.extend(parts)
        return "?" if len(parts) == 1 else f"concat({', '.join('?' * len(parts))})"

    return _TOKENS.sub(put, text), values


def about(text: str) -> str:
    """Return the first comment line of a query, or the beginning of one that has none."""
    for line in text.splitlines():
        if line.startswith("--") and line.strip("- "):
            return line.removeprefix("--").strip()
        if line.strip():
            break
    words = " ".join(without_strings(without_comments(text)).split())
    return words if len(words) <= 80 else f"{words[:79]}…"


def _parts(value: SqlValue) -> list[SqlValue]:
    """Cut a text whose literal Athena would not take: one is 1,024 UTF-16 units at most."""
    if not isinstance(value, str) or len(value) < _LONGEST_PARAMETER // 4:
        return [value]
    parts, size = [""], 2  # the quotes
    for character in value:
        width = 2 if character == "'" or ord(character) > 0xFFFF else 1
        if size + width > _LONGEST_PARAMETER:
            parts.append("")
            size = 2
        parts[-1] += character
        size += width
    return list(parts)


def literal(value: SqlValue) -> str:
    """Return an Athena (Trino) literal of the value's type.

    Doubles are `DOUBLE '…'` with the shortest text that reads back as the same bits: a bare
    `0.1` would be a decimal. Aware datetimes become UTC; the type is timestamp(3) when whole
    milliseconds suffice, else timestamp(6). Raises InputError for any other type.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InputError(f"integer {value} does not fit a bigint")
        return str(value)
    if isinstance(value, float):
        return f"DOUBLE '{_double(value)}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime):
        moment = utc(value)
        precision = "microseconds" if moment.microsecond % 1000 else "milliseconds"
        return f"TIMESTAMP '{moment.isoformat(' ', precision)}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    raise InputError(
        f"a {type(value).__name__} cannot be bound; give a string, number, boolean, date or datetime"
    )


def _spaced(value: str) -> str:
    return f" {value}" if value.startswith("-") else value  # `x-:n` must not become a comment


def utc(moment: datetime) -> datetime:
    """Return the moment as the lake stores it: naive UTC. A naive one is taken as UTC."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _double(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))


def _colons(found: tuple[str, ...] | list[str]) -> str:
    return ", ".join(":" + name for name in found)


def without_comments(text: str) -> str:
    """Return the text with each comment replaced by a space."""
    return _TOKENS.sub(lambda m: " " if m[0].startswith(("--", "/*")) else m[0], text)


def dollars(text: str) -> tuple[str, ...]:
    """Names of the `$parameters` of a DuckDB text that holds no string with a dollar sign."""
    return tuple(dict.fromkeys(re.findall(r"\$([A-Za-z_]\w*)", text)))


def without_strings(text: str) -> str:
    """Return the text with each string emptied."""
    return _TOKENS.sub(lambda m: "''" if m[0].startswith("'") else m[0], text)
