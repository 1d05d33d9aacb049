"""`cashtag rescore`: a second model's answers beside the first, for the lake's raw objects.

Only the score store grows; tables stay as they are until `enrich.model` names the model and the
days are rebuilt. Each raw object is recorded as soon as it is answered, so a run that was stopped,
or met a model that went down, goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cashtag.enrich import texts as text_objects
from cashtag.errors import InputError
from cashtag.lake import layout
from cashtag.operate import cost
from cashtag.ports import Lake, Progress, Scorer
from cashtag.sentiment import store as recorded
from cashtag.sentiment.ensemble import Ensemble

if TYPE_CHECKING:
    from cashtag.enrich.parsed import Parsed
    from cashtag.settings import Settings

# Endpoints are billed by the second, so that their price is of the settings' measured speed.
BY_SECOND = ("sagemaker", "finbert")


def _silent(_done: int, _of: int, _what: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Outlook:
    """What a rescore would do: raw objects there are, those that wait for an answer, and its price."""

    objects: int
    waiting: tuple[str, ...]
    """Raw keys without a record of the model."""
    texts: int
    """Texts in them that would be sent, each counted once a model."""
    dollars: float
    of: Mapping[str, float] = field(default_factory=dict)
    """Dollars by name of the model that is paid."""


@dataclass(frozen=True, slots=True)
class Rescored:
    """What became of one run: raw objects recorded now and before, and texts of those now."""

    dt: date
    objects: int
    before: int
    damaged: int
    texts: int
    answered: int
    refused: int
    absent: str | None
    """Models of an ensemble that were absent from an object, with how many."""

    def row(self) -> dict[str, Any]:
        """The run as a row to print."""
        return {name: getattr(self, name) for name in self.__slots__}


def runs(lake: Lake, first: date | None, last: date | None) -> dict[date, list[str]]:
    """Raw keys of tweets and news by run, within the dates; runs and keys ascending.

    Raises:
        InputError: the dates are the wrong way round, or the lake has no texts between them.
    """
    if first is not None and last is not None and first > last:
        raise InputError(f"--from {first} lies after --to {last}")
    found = text_objects.by_run(lake.raw, first, last)
    if not found:
        raise InputError(
            f"the lake {lake.raw.uri()} has no tweets or news"
            f"{f' from {first}' if first else ''}{f' to {last}' if last else ''}; bring some in "
            "with `cashtag run` or `cashtag import`"
        )
    return found


def outlook(
    settings: Settings,
    lake: Lake,
    scorer: Scorer,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = _silent,
) -> Outlook:
    """Count what waits for this model; where it is paid, read the texts and add up its price.

    Raises:
        InputError: see `runs`.
        StoreError: the lake cannot be read.
    """
    keys = [key for found in runs(lake, first, last).values() for key in found]
    waiting = tuple(key for key in keys if not _is_recorded(lake, scorer, key))
    paid = [name for name, _ in _asked(scorer) if _price(settings, name, 1) > 0]
    if not paid:
        return Outlook(len(keys), waiting, 0, 0.0)
    texts, dollars = 0, dict.fromkeys(paid, 0.0)
    for done, key in enumerate(waiting):
        progress(done, len(waiting), key)
        lengths = [len(text) for text in text_objects.parsed(settings, lake.raw, key).texts if text]
        for name, version in _asked(scorer):
            if not lake.enriched.exists(layout.scores(version, key)):
                texts += len(lengths)
                if name in dollars:
                    dollars[name] += sum(_price(settings, name, length) for length in lengths)
    return Outlook(len(keys), waiting, texts, sum(dollars.values()), dollars)


def rescore(
    settings: Settings,
    lake: Lake,
    scorer: Scorer,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = _silent,
) -> Iterator[Rescored]:
    """Ask the model about every raw object that has no record of it; yield what each run came to.

    A damaged object is left out, for its record would be of what is left of it.

    Raises:
        InputError: see `runs`.
        ScorerUnavailable: the model cannot answer now; what was answered is recorded.
        StoreError: the lake cannot be read or written.
    """
    days = runs(lake, first, last)
    total = sum(map(len, days.values()))
    done = 0
    for dt, keys in days.items():
        before = damaged = texts = answered = refused = 0
        already = dict(scorer.absences) if isinstance(scorer, Ensemble) else {}
        for key in keys:
            progress(done, total, key)
            done += 1
            if _is_recorded(lake, scorer, key):
                before += 1
                continue
            parsed = text_objects.parsed(settings, lake.raw, key)
            if text_objects.is_damaged(parsed):
                damaged += 1
                continue
            found = recorded.of_object(
                lake.enriched,
                scorer,
                key,
                parsed.texts,
                parsed.input_hashes,
                batch_size=settings.enrich.batch_size,
                context=_context(parsed),
            )
            texts += sum(text is not None for text in parsed.texts)
            answered += int(np.count_nonzero(found.answered))
            refused += len(found.refusals)
        yield Rescored(
            dt,
            len(keys) - before - damaged,
            before,
            damaged,
            texts,
            answered,
            refused,
            _absent(scorer, already),
        )
    progress(total, total, "")


def _context(parsed: Parsed) -> recorded.Context:
    return lambda: parsed.about


def _absent(scorer: Scorer, before: Mapping[str, int]) -> str | None:
    if not isinstance(scorer, Ensemble):
        return None
    now = {name: n - before.get(name, 0) for name, n in scorer.absences.items()}
    return ", ".join(f"{name} {n}" for name, n in sorted(now.items()) if n) or None


def _is_recorded(lake: Lake, scorer: Scorer, key: str) -> bool:
    if isinstance(scorer, Ensemble):
        return lake.enriched.exists(layout.roster(scorer.version, key))
    return lake.enriched.exists(layout.scores(scorer.version, key))


def _asked(scorer: Scorer) -> list[tuple[str, str]]:
    """Names and versions of the models that are asked: one, or those of an ensemble."""
    if isinstance(scorer, Ensemble):
        return list(scorer.versions.items())
    return [(scorer.name, scorer.version)]


def _price(settings: Settings, name: str, characters: int) -> float:
    """Dollars of one text, by list prices and assumptions of `models.cost`; 0 in process."""
    prices = settings.models.cost
    if name == "comprehend":
        return cost.comprehend_units(prices, characters) * prices.comprehend_unit
    if name == "bedrock":
        return cost.bedrock(prices, characters)
    if name in BY_SECOND:
        return cost.serverless(prices, prices.model_milliseconds, prices.serverless_memory_gb)
    return 0.0
