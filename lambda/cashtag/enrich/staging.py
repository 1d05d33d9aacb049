"""From a raw object to its stage object, and from a day's stage to its tables.

A stage object mirrors the key of its raw object, so any number of writers may work at once; the
day's tables are one object each, made from the stage in the order of the raw keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import orjson

from cashtag.enrich import compact as compacting
from cashtag.enrich import news as news_items
from cashtag.enrich import prices as price_bars
from cashtag.enrich import tweets as posts
from cashtag.enrich.envelopes import Rejected
from cashtag.lake import layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.ports import Lake, Scorer
from cashtag.sentiment import store as recorded
from cashtag.settings import Settings


def stage(
    settings: Settings,
    lake: Lake,
    scorer: Scorer,
    build: str,
    key: layout.RawKey,
    universe: Callable[[], tuple[str, ...]],
) -> dict[str, int]:
    """Write the stage object of one raw object of tweets or news; return its counts by fate."""
    raw_key = str(key)
    data = lake.raw.get(raw_key)

    def score(parsed: posts.Parsed | news_items.Parsed) -> np.ndarray:
        return recorded.answers(
            lake.enriched,
            layout.scores(scorer.version, raw_key),
            scorer,
            parsed.texts,
            [text_hash or "" for text_hash in parsed.input_hashes],
            batch_size=settings.enrich.batch_size,
        )

    found: posts.Enriched | news_items.Enriched
    if key.kind == "tweets":
        found = posts.enrich_object(settings, key, data, score, scorer.name, scorer.version)
    else:
        found = news_items.enrich_object(
            settings, key, data, universe(), score, scorer.name, scorer.version
        )
    packed = parquet.write_stage(contract(key.kind), found.table)
    lake.enriched.put(layout.stage(build, raw_key), packed)
    _quarantine(lake, build, raw_key, found.rejected)
    return dict(found.counts)


def _quarantine(lake: Lake, build: str, raw_key: str, rejected: Sequence[Rejected]) -> None:
    """Keep lines that could not become rows, as text, with reason and line number."""
    if not rejected:
        return
    packed = lines.pack(
        orjson.dumps(
            {"reason": r.reason, "line": r.line, "raw": r.raw.decode("utf-8", "backslashreplace")}
        )
        for r in rejected
    )
    lake.enriched.put(layout.rejected(build, raw_key), packed)


def compact(settings: Settings, lake: Lake, build: str, dt: date, expected: Sequence[str]) -> None:
    """Make the day's tables `tweets`, `news` and `prices` from what is staged.

    Objects that were expected and are not staged are left out: the caller marks such a day.
    """
    parsed = compacting.natural_order(
        key for raw_key in expected if (key := layout.parse_raw(raw_key)) is not None
    )
    for name in ("tweets", "news"):
        staged = [
            parquet.read(contract(name), lake.enriched.get(stage_key))
            for key in parsed
            if key.kind == name and lake.enriched.exists(stage_key := layout.stage(build, str(key)))
        ]
        table = compacting.compact(contract(name), staged)
        lake.enriched.put(layout.enriched(name, dt), parquet.write(contract(name), table))
    bars = {key: lake.raw.get(key) for key in expected if key.startswith(("bars/", "prices/"))}
    prices = contract("prices")
    table = price_bars.prices_for(dt, bars, settings)
    lake.enriched.put(layout.enriched("prices", dt), parquet.write(prices, table))
