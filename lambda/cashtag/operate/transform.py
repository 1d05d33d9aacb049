"""Backfills by batch transform: the texts of months of raw data out, their answers into the store.

A model reads the cleaned text of a post, not an envelope, so the texts are written first: one file
of JSON lines a run, `{"id": <hash of the text>, "inputs": <the text>}`, equal texts once. The job
gives one line back for each (`sagemaker/code/inference.py`), and those become the records that
scoring by endpoint would have made, byte for byte: the same create-only objects, one for each
model version and raw object, written by the same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from cashtag.enrich import texts as text_objects
from cashtag.enrich.clean import input_hash
from cashtag.errors import InputError
from cashtag.lake import layout
from cashtag.sentiment import invocation, store
from cashtag.sentiment.answered import LABELS, Answered
from cashtag.sentiment.store import ScorerUnavailable

if TYPE_CHECKING:
    from cashtag.enrich.parsed import Parsed
    from cashtag.ports import Store
    from cashtag.settings import Settings

Row = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Bundle:
    """The texts of one run that a model has not answered, as a file for a batch transform."""

    dt: date
    objects: int
    texts: int
    data: bytes

    @property
    def name(self) -> str:
        """Of the file; the job calls its answers the same, and `.out`."""
        return bundle_name(self.dt)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one run's answers: raw objects recorded now, and those that still wait."""

    dt: date
    objects: int
    waiting: int
    texts: int
    refused: int
    """Texts that the model refused for good, with its reason in the record."""


def bundle_name(dt: date) -> str:
    """Name of the file with a run's texts."""
    return f"dt={dt}.jsonl"


def runs(raw: Store, first: date | None = None, last: date | None = None) -> list[date]:
    """Dates of the runs that have tweets or news in raw, ascending, within the given ones."""
    return list(text_objects.by_run(raw, first, last))


def bundle(settings: Settings, raw: Store, enriched: Store, version: str, dt: date) -> Bundle:
    """Write down the texts of a run that no record of this model version holds; maybe none.

    Args:
        settings: what cleaning and the calendar depend on.
        raw: the raw zone.
        enriched: the enriched zone, which holds the records.
        version: of the model that is to answer.
        dt: the run.

    Raises:
        StoreError: a zone cannot be read.
    """
    texts: dict[str, str] = {}
    objects = 0
    for _, parsed in _unrecorded(settings, raw, enriched, version, dt):
        objects += 1
        pairs = zip(parsed.input_hashes, parsed.texts, strict=True)
        texts |= {digest: text for digest, text in pairs if text is not None}
    body = b"".join(
        b'{"id": "%s", "inputs": %s}\n' % (digest.encode(), invocation.spelled(text))
        for digest, text in texts.items()
    )
    return Bundle(dt, objects, len(texts), body)


def record(
    settings: Settings, raw: Store, enriched: Store, version: str, dt: date, output: bytes
) -> Recorded:
    """Put a job's answers to one run into the score store. May be called again, or twice at once.

    An object with a text that the answers lack stays unrecorded, whole: it came after the texts
    were written, or the job ended early.

    Args:
        settings: as `bundle` had them.
        raw: the raw zone.
        enriched: the enriched zone.
        version: of the model that answered; every line must name it.
        dt: the run.
        output: the file that the job wrote.

    Raises:
        InputError: a line is no answer, or of another model: nothing of the run is recorded.
        StoreError: a zone cannot be read or written.
    """
    scorer = Transformed(version, _answers(output, version, f"answers to {dt}"))
    objects = waiting = texts = refused = 0
    for key, parsed in _unrecorded(settings, raw, enriched, version, dt):
        try:
            found = store.of_object(
                enriched,
                scorer,
                key,
                parsed.texts,
                parsed.input_hashes,
                batch_size=settings.enrich.batch_size,
            )
        except ScorerUnavailable:
            waiting += 1
            continue
        objects += 1
        texts += sum(text is not None for text in parsed.texts)
        refused += len(found.refusals)
    return Recorded(dt, objects, waiting, texts, refused)


class Transformed:
    """A Scorer that knows the answers of a batch transform, by the hash of the text."""

    name = "sagemaker"

    def __init__(self, version: str, answers: Mapping[str, Row | str]) -> None:
        """Take three probabilities, or why there are none, by hash."""
        self.version = version
        self._answers = answers

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3).

        Raises:
            ScorerUnavailable: the job has not answered one of the texts.
        """
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str]) -> Answered:
        """Return what the job answered, with its refusals; raises as `score` does."""
        found = np.full((len(texts), len(LABELS)), np.nan)
        refusals: dict[int, str] = {}
        for i, text in enumerate(texts):
            digest = input_hash(text)
            given = self._answers.get(digest)
            if given is None:
                raise ScorerUnavailable(
                    f"the batch transform holds no answer to the text {digest}; run it again for "
                    "what is left"
                )
            if isinstance(given, str):
                refusals[i] = given
            else:
                found[i] = given
        return Answered(found, refusals=refusals)


def _unrecorded(
    settings: Settings, raw: Store, enriched: Store, version: str, dt: date
) -> Iterator[tuple[str, Parsed]]:
    """Raw objects of a run that hold texts and have no record, in the order of their keys.

    A damaged object is left out, as enrichment records nothing of one: it may come back whole.
    """
    for key in text_objects.of_run(raw, dt):
        if not enriched.exists(layout.scores(version, key)):
            parsed = text_objects.parsed(settings, raw, key)
            if not text_objects.is_damaged(parsed):
                yield key, parsed


# ---------------------------------------------------------------- a job's lines


def _answers(output: bytes, version: str, what: str) -> dict[str, Row | str]:
    """Read a job's file; its last line may lack a line break, and blank lines say nothing."""
    found: dict[str, Row | str] = {}
    for number, line in enumerate(output.split(b"\n"), start=1):
        if line.strip():
            try:
                digest, answer = _answer(orjson.loads(line), version)
            except ValueError as error:  # no JSON, or no answer
                raise InputError(
                    f"{what}, line {number}: {error}; delete the job's output and run it again"
                ) from None
            found[digest] = answer
    return found


def _answer(line: Any, version: str) -> tuple[str, Row | str]:
    """Return a line's id and its answer, checked as an endpoint's answer is.

    Raises:
        ValueError: it is none, or another model's.
    """
    if not isinstance(line, dict) or not isinstance(line.get("id"), str):
        raise ValueError("no id, so no answer to a text of ours")
    read = invocation.checked({**line, "probabilities": [line.get("probabilities")]}, 1)
    if read.version != version:
        raise ValueError(f"an answer of {read.version}, not of {version}")
    if "error" in line:
        return line["id"], invocation.plain(str(line["error"]))
    if np.isnan(read.rows).any():
        return line["id"], invocation.NOTHING_SAID
    negative, neutral, positive = read.rows[0].tolist()
    return line["id"], (negative, neutral, positive)
