"""Tickers that discovery named: read from yesterday's `ticker_universe` for the next run's scrape."""

from __future__ import annotations

from datetime import date, timedelta

from cashtag.errors import ContractError
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import read
from cashtag.ports import Lake
from cashtag.scrape import discovery
from cashtag.settings import Settings
from cashtag.tickers import canonical

FALLBACK = "fallback"  # the source of a row that the settings named


def discovered(lake: Lake, dt: date, settings: Settings) -> tuple[str, ...]:
    """Tickers for the run of `dt` from the universe of the day before, best first; may be empty.

    That is the first `keep` of those with at least `minimum_confidence`; a fallback list has no
    confidence and counts as it is. It stands in as well when the day before was asked in vain and
    left no table, or when its table is damaged: tweets that are not collected today never will
    be, a table can be made again at any time.
    """
    rules = settings.scrape.discovery
    if not rules.enabled:
        return ()
    before = dt - timedelta(days=1)
    try:
        table = read(lake, contract("ticker_universe"), before)
    except ContractError:
        return _fallback(settings)
    if table is None:
        answer = discovery.answer_of(discovery.recorded(lake.raw, before))
        return _fallback(settings) if answer is not None and answer.refused else ()
    columns = table.select(["rank", "ticker", "confidence", "source"]).to_pydict()
    return tuple(
        ticker
        for _, ticker, confidence, source in sorted(zip(*columns.values(), strict=True))
        if source == FALLBACK or confidence >= rules.minimum_confidence
    )[: rules.keep]


def _fallback(settings: Settings) -> tuple[str, ...]:
    rules = settings.scrape.discovery
    return tuple(dict.fromkeys(canonical(settings, one) for one in rules.fallback))[: rules.keep]
