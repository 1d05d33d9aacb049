"""Where the clauses of a SELECT stand, found by its tokens alone: no parser is deployed.

Athena gets the project's SQL as it is written, with two additions that need their place: tables
brought along as leading CTEs, and the keys of the final ORDER BY as columns, because the files of
an UNLOAD are in no order among themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from cashtag.errors import InputError

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<cast>::)
      | (?P<parameter>:[A-Za-z_]\w*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<symbol>.)""",
    re.VERBOSE | re.DOTALL,
)
_BEGINNINGS = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "("})
_SETS = frozenset({"UNION", "INTERSECT", "EXCEPT"})
_AFTER_COLUMNS = frozenset({"FROM", "WHERE", "GROUP", "HAVING", "ORDER"})  # reserved words
_AFTER_ORDER = frozenset({"LIMIT", "OFFSET", "FETCH"})
_PAIRS = {")": "(", "]": "["}
# What ends a WHERE, or stands inside something that is none; more than needed does no harm.
_ELSEWHERE = _AFTER_COLUMNS | _AFTER_ORDER | _SETS | {"SELECT", "ON", "JOIN", "WINDOW", "WITH"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token that is neither space nor comment; `depth` counts the brackets around it."""

    kind: str
    text: str
    start: int
    end: int
    depth: int

    @property
    def keyword(self) -> str:
        """The word in upper case; a symbol as it is; nothing else is a keyword."""
        return self.text.upper() if self.kind in {"word", "symbol"} else ""

    @property
    def name(self) -> str | None:
        """The name it stands for, in lower case as the catalog has it; None for anything else."""
        if self.kind == "word":
            return self.text.lower()
        return self.text[1:-1].replace('""', '"').lower() if self.kind == "quoted" else None


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a final ORDER BY: an output column by name, or by place from 1."""

    column: str | int
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class Ordered:
    """A SELECT whose order can be restored from its rows.

    `carried` are columns that were added for that alone; `keys` is None without an ORDER BY.
    """

    text: str
    keys: tuple[Key, ...] | None
    carried: tuple[str, ...] = ()


def tokens(text: str) -> list[Token]:
    """Return the tokens in order. Raises InputError for brackets and quotes that do not close."""
    found: list[Token] = []
    opened: list[str] = []
    for m in _TOKEN.finditer(text):
        kind = str(m.lastgroup)
        if kind == "space":
            continue
        if m[0] in _PAIRS and (not opened or opened.pop() != _PAIRS[m[0]]):
            raise InputError(f"SQL syntax: {m[0]!r} closes nothing at {_place(text, m.start())}")
        if m[0] in {"'", '"'} or text.startswith("/*", m.start()):
            raise InputError(f"SQL syntax: {m[0]} is not closed at {_place(text, m.start())}")
        found.append(Token(kind, m[0], m.start(), m.end(), len(opened)))
        if m[0] in _PAIRS.values():
            opened.append(m[0])
    if opened:
        raise InputError(f"SQL syntax: {opened[-1]!r} is not closed")
    return found


def statement(text: str) -> str:
    """Return one SELECT without a semicolon after it.

    Raises:
        InputError: it is empty, several statements, or another statement.
    """
    found = tokens(text)
    while found and found[-1].text == ";":
        found.pop()
    if not found:
        raise InputError("the SQL text is empty; give one SELECT")
    if found[0].keyword not in _BEGINNINGS:
        raise InputError(
            f"{found[0].text.upper()} is not allowed; a query is one SELECT, and code writes the output"
        )
    if any(token.text == ";" for token in found):
        raise InputError("the SQL text holds several statements; give one SELECT")
    return text[: found[-1].end]


def names(text: str) -> frozenset[str]:
    """Return every name that the text mentions, in lower case: tables, columns, functions."""
    return frozenset(name for token in tokens(text) if (name := token.name) is not None)


def in_where(text: str) -> frozenset[int]:
    """Return where those `:parameters` begin that stand in a WHERE clause.

    Athena binds no others ("Considerations and limitations", Use parameterized queries, Athena
    user guide). The WHERE of an aggregate's FILTER is none of them.
    """
    found: set[int] = set()
    levels = [(False, False)]  # in a WHERE; of a FILTER
    before = ""
    for token in tokens(text):
        inside, filters = levels[-1]
        if token.text in _PAIRS.values():
            levels.append((inside, before == "FILTER"))
        elif token.text in _PAIRS:
            levels.pop()
        elif token.keyword == "WHERE":
            levels[-1] = (not filters, filters)
        elif token.keyword in _ELSEWHERE:
            levels[-1] = (False, filters)
        elif token.kind == "parameter" and inside:
            found.add(token.start)
        before = token.keyword
    return frozenset(found)


def with_tables(text: str, tables: Mapping[str, str]) -> str:
    """Return the SELECT with a CTE before its own for each of `tables` (name -> SELECT)."""
    if not tables:
        return text
    brought = ", ".join(f"{_quoted(name)} AS ({select})" for name, select in tables.items())
    found = tokens(text)
    if found[0].keyword != "WITH":
        return f"{text[: found[0].start]}WITH {brought}\n{text[found[0].start :]}"
    place = found[1].start if found[1].keyword == "RECURSIVE" else found[0].end
    after = found[1].end if found[1].keyword == "RECURSIVE" else found[0].end
    kept = text[found[0].start : place] + text[place:after]
    return f"{text[: found[0].start]}{kept} {brought},{text[after:]}"


def ordered(text: str) -> Ordered:
    """Find the final ORDER BY, and have its keys among the columns.

    Keys that are output columns stay as they are. Others become columns of their own at the end
    of the list: names of output columns in them are replaced by what those are, because a SELECT
    knows no alias of its own.

    Raises:
        InputError: a key after a UNION (INTERSECT, EXCEPT) is no output column.
    """
    found = tokens(text)
    top = [token for token in found if token.depth == 0]
    order = _last(top, lambda n: [t.keyword for t in top[n : n + 2]] == ["ORDER", "BY"])
    if order is None:
        return Ordered(text, None)
    begin = _last(top, lambda n: top[n].keyword == "SELECT")
    plain = begin is not None and not any(token.keyword in _SETS for token in top)
    end = _columns_end(top, begin or 0)
    listed = [t for t in found if plain and top[begin or 0].end <= t.start < end]
    outputs = _outputs(text, _split(listed[listed[:1] != [] and listed[0].keyword == "DISTINCT" :]))
    stop = next((t.start for t in top[order:] if t.keyword in _AFTER_ORDER), len(text))
    keys: list[Key] = []
    carried: dict[str, str] = {}
    fresh = _fresh_names(found)
    for item in _split([t for t in found if top[order + 1].end <= t.start < stop]):
        body, descending, nulls_first = _direction(item)
        column: str | int
        alone = body[0].name if len(body) == 1 else None
        if len(body) == 1 and body[0].text.isdigit():
            column = int(body[0].text)
        elif alone is not None and (alone in outputs or not plain):
            column = alone
        elif plain:
            column = next(fresh)
            carried[column] = _unaliased(text, body, outputs)
        else:
            raise InputError(
                f"ORDER BY {text[body[0].start : body[-1].end]} stands after a UNION; "
                "order by an output column"
            )
        keys.append(Key(column, descending, nulls_first))
    more = "".join(f", {body} AS {name}" for name, body in carried.items())
    return Ordered(f"{text[:end]}{more}{text[end:]}", tuple(keys), tuple(carried))


def columns(text: str) -> list[tuple[str, str | None]] | None:
    """Return the output columns' names, each with the type that its CAST says.

    Athena gives no columns where it gives no rows; the project's files name and cast every one.
    None when the text does not tell: a star, a column without a name.
    """
    found = tokens(text)
    top = [token for token in found if token.depth == 0]
    begin = next((n for n, token in enumerate(top) if token.keyword == "SELECT"), None)
    if begin is None:
        return None
    end = _columns_end(top, begin)
    listed = [t for t in found if top[begin].end <= t.start < end]
    items = _split(listed[listed[:1] != [] and listed[0].keyword == "DISTINCT" :])
    told = [_named(item) for item in items]
    if not all(name for name, _ in told):
        return None
    return [(str(name), _cast_to(text, body)) for name, body in told]


# ---------------------------------------------------------------- inside


def _place(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"line {line}, column {at - text.rfind(chr(10), 0, at)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _split(found: Sequence[Token]) -> list[list[Token]]:
    """Split a list of the SELECT's own level at its commas."""
    items: list[list[Token]] = [[]]
    for token in found:
        if token.depth == 0 and token.text == ",":
            items.append([])
        else:
            items[-1].append(token)
    return [item for item in items if item]


def _last(found: Sequence[Token], wanted: Callable[[int], bool]) -> int | None:
    return next((n for n in range(len(found) - 1, -1, -1) if wanted(n)), None)


def _columns_end(top: Sequence[Token], begin: int) -> int:
    """Return where the last output column ends; the FROM of IS DISTINCT FROM ends nothing."""
    for before, token in zip(top[begin:], top[begin + 1 :], strict=False):
        if token.keyword in _AFTER_COLUMNS and before.keyword != "DISTINCT":
            # Brackets before it belong to the column; a comment after it does not.
            return before.end
    return top[-1].end


def _outputs(text: str, items: Iterable[Sequence[Token]]) -> dict[str, str]:
    """Return the names of output columns, and the text of what each is; stars are left out."""
    return {
        name: text[body[0].start : body[-1].end]
        for name, body in map(_named, items)
        if name is not None
    }


def _named(item: Sequence[Token]) -> tuple[str | None, Sequence[Token]]:
    """Return an output column's name, if it is seen to have one, and what it is."""
    name = item[-1].name
    if name is None:
        return None, item
    if len(item) == 1 or (len(item) == 3 and item[1].text == "."):
        return name, item
    if item[-2].keyword == "AS":
        return name, item[:-2]
    if item[-2].text == ")" or item[-2].keyword == "END" or len(item) == 2:
        return name, item[:-1]
    return None, item


def _cast_to(text: str, body: Sequence[Token]) -> str | None:
    """Return the type of a CAST that is the whole column, in lower case; None for anything else."""
    if [token.keyword for token in body[:2]] != ["CAST", "("]:
        return None
    inside = [token for token in body if token.depth == body[0].depth + 1]
    last = _last(inside, lambda n: inside[n].keyword == "AS")
    closed = [token for token in body[2:] if token.depth == body[0].depth]
    # The first bracket that closes at this level is the end, or CAST(…) is a part of something.
    if last is None or body[-1].text != ")" or [t.text for t in closed] not in ([], [")"]):
        return None
    return text[inside[last].end : body[-1].start].strip().lower()


def _direction(item: Sequence[Token]) -> tuple[Sequence[Token], bool, bool]:
    """Return the expression, whether it descends, and whether nulls come first (Trino: last)."""
    words = [token.keyword for token in item]
    nulls_first = False
    if words[-2:] in (["NULLS", "FIRST"], ["NULLS", "LAST"]):
        nulls_first = words[-1] == "FIRST"
        words, item = words[:-2], item[:-2]
    descending = words[-1] == "DESC"
    if words[-1] in {"ASC", "DESC"}:
        item = item[:-1]
    return item, descending, nulls_first


def _unaliased(text: str, expression: Sequence[Token], outputs: Mapping[str, str]) -> str:
    parts, at = [], expression[0].start
    for number, token in enumerate(expression):
        before = expression[number - 1].text if number else ""
        after = expression[number + 1].text if number + 1 < len(expression) else ""
        if before != "." and after not in {".", "("} and (name := token.name) in outputs:
            parts += [text[at : token.start], f"({outputs[str(name)]})"]
            at = token.end
    return "".join([*parts, text[at : expression[-1].end]])


def _fresh_names(found: Iterable[Token]) -> Iterator[str]:
    taken = {token.name for token in found}
    return (name for n in count(1) if (name := f"order_key_{n}") not in taken)
