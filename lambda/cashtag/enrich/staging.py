"""From a raw object to its stage object, and from a day's stage to its tables.

A stage object mirrors the key of its raw object, so any number of writers may work at once; the
day's tables are one object each, made from the stage in the order of the raw keys. What cannot
become rows is kept beside the stage before the stage itself: where that is, nothing is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from cashtag.enrich import compact as compacting
from cashtag.enrich import forgotten
from cashtag.enrich import news as news_items
from cashtag.enrich import options as option_chains
from cashtag.enrich import prices as price_bars
from cashtag.enrich import tweets as posts
from cashtag.enrich.envelopes import RawLines, Rejected
from cashtag.enrich.parsed import Enriched, Parsed
from cashtag.errors import ContractError, KeyMissing, StoreError
from cashtag.lake import completion, layout, lines, parquet, tombstones
from cashtag.lake.contracts import contract
from cashtag.ports import Lake, Scorer
from cashtag.sentiment import store as recorded
from cashtag.sentiment.answered import Answered
from cashtag.settings import Settings

NO_ANSWER = "no answer"
UNIVERSE = (
    "universe"  # of a stage object's metadata: hash of the tickers that news was searched for
)


@dataclass(frozen=True, slots=True)
class Staged:
    """Lines of a raw object by their fate, and the mean polarity of its rows, if any has one."""

    counts: dict[str, int]
    polarity: float | None


def stage(
    settings: Settings,
    lake: Lake,
    scorer: Scorer,
    build: str,
    key: layout.RawKey,
    universe: Callable[[], tuple[str, ...]],
) -> Staged:
    """Write the stage object of one raw object; return its counts by fate.

    Tweets and news need the scorer's answers; chains of options need none.

    A damaged raw object leaves what can be read of it. A line whose text has no answer for good
    keeps its rows, without sentiment, and lies beside the stage too, with the model's reason.

    Raises:
        KeyMissing: the raw object is not there.
        StoreError: the lake, or what it has recorded of the model, cannot be read or written.
        CashtagError: the model cannot answer, or its recorded answers do not fit.
    """
    raw_key = str(key)
    whole = _raw(lake, raw_key)
    data = whole
    if key.kind == "tweets":
        data = forgotten.of_object(whole, tombstones.read(lake.raw))

    silent: dict[int, str] = {}
    if key.kind == "options":
        found = option_chains.enrich_object(settings, key, data)
    else:
        try:
            found = _scored(settings, lake, scorer, key, data, universe, silent)
        except recorded.OtherTexts:
            if data is whole:
                raise
            found = _scored_before(settings, lake, scorer, key, (whole, data), silent)
    _quarantine(lake, build, raw_key, (*found.rejected, *_unanswered(data, silent)))
    searched = {}
    if key.kind == "news" and not news_items.self_contained(data):
        searched = {UNIVERSE: _named(universe())}
    packed = parquet.write_stage(contract(key.kind), found.table, searched)
    lake.enriched.put(layout.stage(build, raw_key), packed)
    return Staged(dict(found.counts), _mean_polarity(found.table))


def outdated(lake: Lake, build: str, raw_key: str, universe: Callable[[], tuple[str, ...]]) -> bool:
    """Whether an object of news was staged when the day was known for other tickers.

    False for one that is not staged, and for one that tells its tickers itself.
    """
    key = layout.stage(build, raw_key)
    if not lake.enriched.exists(key):
        return False
    known = parquet.metadata(lake.enriched.get(key)).get(UNIVERSE)
    return known is not None and known != _named(universe())


def _named(universe: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(sorted(universe)).encode()).hexdigest()[:12]


def _mean_polarity(table: pa.Table) -> float | None:
    if "polarity" not in table.schema.names:
        return None
    mean = pc.mean(table.column("polarity")).as_py()
    return None if mean is None else float(mean)


def _scored(
    settings: Settings,
    lake: Lake,
    scorer: Scorer,
    key: layout.RawKey,
    data: bytes,
    universe: Callable[[], tuple[str, ...]],
    silent: dict[int, str],
) -> Enriched:
    """Rows of tweets or news, with the model's answers as they are recorded, or recorded now.

    `silent` is filled with the lines, from 0, whose text has no answer, and why.
    """

    def score(parsed: Parsed) -> Answered:
        found = asked(parsed)
        held = [i for i, text in enumerate(parsed.texts) if text is not None]
        missing = np.isnan(found.probabilities).any(axis=1)
        silent.update((i, found.refusals.get(i, NO_ANSWER)) for i in held if missing[i])
        return found

    def asked(parsed: Parsed) -> Answered:
        if any(line.line == 0 for line in parsed.rejected):
            # Damaged: what is left gets rows, but the record stays for the whole object, which
            # may come back from a copy.
            held = [i for i, text in enumerate(parsed.texts) if text is not None]
            size = settings.enrich.batch_size
            return recorded.ask(scorer, parsed.texts, held, size, lambda: parsed.about)
        return recorded.of_object(
            lake.enriched,
            scorer,
            str(key),
            parsed.texts,
            parsed.input_hashes,
            batch_size=settings.enrich.batch_size,
            context=lambda: parsed.about,
        )

    if key.kind == "tweets":
        return posts.enrich_object(settings, key, data, score, scorer.name, scorer.version)
    return news_items.enrich_object(
        settings, key, data, universe(), score, scorer.name, scorer.version
    )


def _scored_before(
    settings: Settings,
    lake: Lake,
    scorer: Scorer,
    key: layout.RawKey,
    data: tuple[bytes, bytes],
    silent: dict[int, str],
) -> Enriched:
    """Rows of tweets of which some are being forgotten, with answers recorded before that.

    `data` is the object as it is, and without the forgotten: line by line the same. Nobody is
    asked, because the record of all lines is there.
    """
    whole, left = data
    given = recorded.of_object(
        lake.enriched,
        scorer,
        str(key),
        (parsed := posts.parse(settings, key, whole)).texts,
        parsed.input_hashes,
        batch_size=settings.enrich.batch_size,
    )

    def score(parsed: Parsed) -> Answered:
        held = [i for i, text in enumerate(parsed.texts) if text is not None]
        missing = np.isnan(given.probabilities).any(axis=1)
        silent.update((i, given.refusals.get(i, NO_ANSWER)) for i in held if missing[i])
        return given

    return posts.enrich_object(settings, key, left, score, scorer.name, scorer.version)


def _raw(lake: Lake, key: str) -> bytes:
    try:
        return lake.raw.get(key)
    except KeyMissing as error:
        raise KeyMissing(
            f"{lake.raw.uri(key)} was scraped and is gone; bring it back from a copy, then run "
            "the day again"
        ) from error


def _unanswered(data: bytes, silent: Mapping[int, str]) -> list[Rejected]:
    """Lines whose text a model does not answer, with their bytes, read again: they are rare."""
    if not silent:
        return []
    return [
        Rejected(i + 1, f"model: {silent[i]}", line)
        for i, line in enumerate(RawLines(data))
        if i in silent
    ]


def _quarantine(lake: Lake, build: str, raw_key: str, rejected: Sequence[Rejected]) -> None:
    """Keep lines that could not become rows, or have no answer, with reason and line number."""
    key = layout.rejected(build, raw_key)
    if not rejected:
        if lake.enriched.exists(key):  # the raw object was brought back whole
            lake.enriched.delete(key)
        return
    packed = lines.pack(
        orjson.dumps(
            {"reason": r.reason, "line": r.line, "raw": r.raw.decode("utf-8", "backslashreplace")}
        )
        for r in sorted(rejected, key=lambda r: r.line)
    )
    lake.enriched.put(key, packed)


def compact(settings: Settings, lake: Lake, build: str, dt: date, expected: Sequence[str]) -> None:
    """Make the day's tables `tweets`, `news`, `options` and `prices` from what is staged.

    Objects that were expected and are not staged are left out: the caller marks such a day.

    Raises:
        KeyMissing: a raw object of bars is not there.
        StoreError: a stage object is damaged, or the lake cannot be read or written.
    """
    parsed = compacting.natural_order(
        key for raw_key in expected if (key := layout.parse_raw(raw_key)) is not None
    )
    for name in completion.STAGED:
        staged = [
            _staged(lake, name, dt, stage_key)
            for key in parsed
            if key.kind == name and lake.enriched.exists(stage_key := layout.stage(build, str(key)))
        ]
        if name == "options":
            table = option_chains.compacted(staged)
        else:
            table = compacting.compact(contract(name), staged)
        lake.enriched.put(layout.enriched(name, dt), parquet.write(contract(name), table))
    bars = {key: _raw(lake, key) for key in expected if key.startswith(("bars/", "prices/"))}
    rejected = price_bars.rejected_of(bars)
    for raw_key in bars:  # also those that were brought back whole
        _quarantine(lake, build, raw_key, rejected.get(raw_key, ()))
    prices = contract("prices")
    table = price_bars.prices_for(dt, bars, settings)
    lake.enriched.put(layout.enriched("prices", dt), parquet.write(prices, table))


def _staged(lake: Lake, name: str, dt: date, key: str) -> pa.Table:
    try:
        return parquet.read(contract(name), lake.enriched.get(key))
    except ContractError as error:
        raise StoreError(
            f"{lake.enriched.uri(key)} is damaged ({error}); make the day again: "
            f"cashtag rebuild --from {dt} --to {dt}"
        ) from error
