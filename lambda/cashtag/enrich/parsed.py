"""What a raw object becomes: first its texts and facts, then rows with a model's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from cashtag.enrich.clean import input_hash
from cashtag.enrich.envelopes import RawLines, Rejected
from cashtag.errors import ContractError
from cashtag.lake.layout import RawKey
from cashtag.sentiment.answered import About, Answered


@dataclass(frozen=True)
class Parsed:
    """A raw object without its model's answers. Lines are counted from 0 here."""

    key: RawKey
    texts: tuple[str | None, ...]
    """The text to score of every raw line, row or not; None for a line that holds none."""
    rows: np.ndarray
    """int64 of shape (n,): the line of each row; ascending."""
    columns: Mapping[str, pa.Array]
    """Columns of the n rows that need no model, by name."""
    rejected: tuple[Rejected, ...]
    off_topic: int
    """Lines that name no ticker of theirs: no rows, and no errors."""
    repeated: int
    """Lines with an id that an earlier line of the object has."""

    @cached_property
    def input_hashes(self) -> tuple[str, ...]:
        """16 hex digits naming the text of every line; empty where there is no text."""
        return tuple("" if text is None else input_hash(text) for text in self.texts)

    @cached_property
    def about(self) -> tuple[About | None, ...]:
        """What is known of the text of every line: of tweets with a row who wrote it, and of what."""
        found: list[About | None] = [None] * len(self.texts)
        if "influence" in self.columns:
            columns = (
                self.columns[name].to_pylist() for name in ("author", "influence", "cashtags")
            )
            for line, author, influence, cashtags in zip(self.rows, *columns, strict=True):
                found[line] = About(author, influence, tuple(cashtags))
        return tuple(found)

    def require(self, answered: np.ndarray | Answered) -> Answered:
        """Return a model's answers after checking that they are of this object.

        Raises:
            ContractError: there are answers for another number of lines.
        """
        given = answered if isinstance(answered, Answered) else Answered(answered)
        if len(given.probabilities) != len(self.texts):
            raise ContractError(
                f"{self.key}: answers for {len(given.probabilities)} lines where the object has "
                f"{len(self.texts)}; score every raw line, NaN where there is no text"
            )
        return given


@dataclass(frozen=True)
class Enriched:
    """A raw object as rows of its contract, and what became of its other lines."""

    table: pa.Table
    rejected: tuple[Rejected, ...]
    counts: Mapping[str, int]
    """lines, rows, off_topic, repeated, rejected, unanswered. Every line that is not blank is in
    one of the four between, but a line of news has a row for each ticker it names."""


Score = Callable[[Parsed], np.ndarray | Answered]
"""Returns what a model says of the texts of a `Parsed`: all of it, or probabilities, (lines, 3)."""


def enriched(parsed: Parsed, table: pa.Table) -> Enriched:
    """Put rows and counts together."""
    damaged = sum(r.line == 0 for r in parsed.rejected)
    counts = {
        "lines": sum(text is not None for text in parsed.texts) + len(parsed.rejected) - damaged,
        "rows": table.num_rows,
        "off_topic": parsed.off_topic,
        "repeated": parsed.repeated,
        "rejected": len(parsed.rejected),
        "unanswered": table.column("sentiment").null_count,
    }
    return Enriched(table, parsed.rejected, counts)


def rejected(data: bytes, faults: Mapping[int, str], raw: RawLines) -> tuple[Rejected, ...]:
    """Return faulty lines with their bytes, in order; they are read again, for they are rare.

    Args:
        data: the raw object.
        faults: reason by line, from 0.
        raw: the object's lines, read to their end.
    """
    found = [Rejected(0, f"gzip: {raw.damage}", raw.remainder)] if raw.damage else []
    if faults:
        found += [
            Rejected(i + 1, faults[i], line) for i, line in enumerate(RawLines(data)) if i in faults
        ]
    return tuple(found)


def constant(value: str, n: int) -> pa.Array:
    """Return a string column of one value."""
    return pa.repeat(pa.scalar(value, pa.string()), n)
