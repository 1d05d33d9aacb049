"""A model's recorded answer -> the run's `ticker_universe`: what is valid, ranked; the rest with reasons.

A model invents symbols now and then, and may have been talked into one. A ticker counts only when
it was in the broker's list of assets, which is recorded with the answer. Where there was no list
to look into (no keys, a broker that refused), it counts when the lake has bars of it, or when the
watchlist or the fallback list names it: bars are the next best witness that a stock exists.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import pyarrow as pa

from cashtag.enrich.clean import clean
from cashtag.lake import layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import read
from cashtag.ports import Lake
from cashtag.scrape import discovery
from cashtag.scrape.listing import symbol
from cashtag.scrape.universe import FALLBACK
from cashtag.settings import Settings
from cashtag.tickers import canonical, tradability

TABLE = "ticker_universe"
_TOLD = 60  # characters of a rejected value in a reason


@dataclass(frozen=True, slots=True)
class Universe:
    """What discovery left for the run after `dt`; `failure` says why the fallback list stands in.

    `dollars` is for all answers of the run; `asked` says that this call asked for one of them.
    """

    dt: date
    tickers: tuple[str, ...]
    rejected: int
    failure: str | None
    dollars: float
    asked: bool = False

    def note(self) -> str:
        """One line for the operator."""
        if self.failure is not None:
            return (
                f"ticker discovery failed: {self.failure}; the next run follows the fallback list "
                f"(${self.dollars:.4f})"
            )
        return (
            f"ticker discovery named {len(self.tickers)} tickers for the next run, "
            f"{self.rejected} rejected (${self.dollars:.4f})"
        )


@dataclass(frozen=True, slots=True)
class Known:
    """Symbols that exist, after aliases; `listed` when a broker's list says so."""

    symbols: frozenset[str]
    listed: bool

    def doubt(self, ticker: str) -> str | None:
        """Why a ticker may be invented; None when it exists."""
        if ticker in self.symbols:
            return None
        if self.listed:
            return "not in the broker's list of assets"
        return "there was no list of assets to find it in, and the lake has no bars of it"


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that became no row: its number from 1, why, and the entry."""

    number: int
    reason: str
    entry: Any


def make(
    settings: Settings, lake: Lake, build: str, dt: date, answers: tuple[discovery.Answer, ...]
) -> Universe:
    """Write the run's `ticker_universe` from what raw recorded; entries that are none to quarantine.

    Without one valid entry the fallback list stands in, so that a table is never empty by failure.

    Raises:
        ContractError: a table that says which tickers exist is damaged.
        StoreError: the lake cannot be read or written.
    """
    answer = discovery.answer_of(answers)
    assert answer is not None, "a universe is made of recorded answers"
    failure = answer.refused
    found: list[dict[str, Any]] = []
    refused: list[Refused] = []
    if failure is None:
        found, refused = rows(settings, answer.entries, known(settings, lake, answer, dt))
        if not found:
            failure = f"none of the {len(refused)} tickers that the model named is valid"
    _quarantine(lake, layout.rejected(build, answer.key), refused)
    shape = contract(TABLE)
    table = pa.Table.from_pylist(found or fallback(settings), schema=shape.arrow_schema())
    lake.enriched.put(layout.enriched(TABLE, dt), parquet.write(shape, table))
    return Universe(
        dt,
        tuple(row["ticker"] for row in found),
        len(refused),
        failure,
        round(sum(one.dollars for one in answers), 6),
    )


def rows(
    settings: Settings, entries: list[Any], existing: Known
) -> tuple[list[dict[str, Any]], list[Refused]]:
    """Rows of the contract, by rank, and the entries that are none, in their order.

    Of a ticker named twice the more confident entry counts. Rank is by confidence, then ticker.
    """
    best: dict[str, tuple[int, dict[str, Any]]] = {}
    refused: list[Refused] = []
    for number, entry in enumerate(entries, start=1):
        row = _row(settings, entry, existing)
        if isinstance(row, str):
            refused.append(Refused(number, row, entry))
            continue
        held = best.get(row["ticker"])
        if held is not None and held[1]["confidence"] >= row["confidence"]:
            refused.append(Refused(number, f"{row['ticker']} is named twice", entry))
            continue
        if held is not None:
            refused.append(
                Refused(held[0], f"{row['ticker']} is named twice", entries[held[0] - 1])
            )
        best[row["ticker"]] = (number, row)
    ranked = sorted(
        (row for _, row in best.values()), key=lambda row: (-row["confidence"], row["ticker"])
    )
    for rank, row in enumerate(ranked, start=1):
        row["rank"] = rank
    return ranked, sorted(refused, key=lambda one: one.number)


def fallback(settings: Settings) -> list[dict[str, Any]]:
    """Rows of the settings' list, in its order, each ticker once."""
    tickers = dict.fromkeys(
        canonical(settings, ticker) for ticker in settings.scrape.discovery.fallback
    )
    return [
        {"ticker": ticker, "rank": rank, "source": FALLBACK}
        for rank, ticker in enumerate(tickers, start=1)
    ]


def known(settings: Settings, lake: Lake, answer: discovery.Answer, dt: date) -> Known:
    """Which tickers exist: by the broker's list as it was recorded, else by the lake itself."""
    if answer.listed is not None:
        return Known(answer.listed, listed=True)
    seen = {*settings.watchlist.stocks, *settings.scrape.discovery.fallback}
    bars = read(lake, contract("prices"), dt)
    if bars is not None:
        seen |= set(bars.column("ticker").to_pylist())
    return Known(frozenset(canonical(settings, ticker) for ticker in seen), listed=False)


def _row(settings: Settings, entry: Any, existing: Known) -> dict[str, Any] | str:
    """A row without its rank, or why the entry is none."""
    if not isinstance(entry, Mapping):
        return "no object with a ticker"
    given = entry.get("ticker")
    written = symbol(given) if isinstance(given, str) else None
    if written is None:
        return f"ticker {_told(given)} is no symbol"
    ticker = canonical(settings, written)
    confidence = entry.get("confidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return f"confidence {_told(confidence)} is no number"
    if not (math.isfinite(confidence) and 0.0 <= confidence <= 1.0):
        return f"confidence {_told(confidence)} is not from 0 to 1"
    if (doubt := existing.doubt(ticker)) is not None:
        return f"{ticker}: {doubt}"
    allowed, why = tradability(settings, ticker)
    if not allowed:
        return f"{ticker}: {why}"
    most = settings.scrape.discovery.text_characters
    return {
        "ticker": ticker,
        "confidence": float(confidence),
        "source": discovery.SOURCE,
        **{
            name: _text(entry.get(name), most) for name in ("sector", "catalyst", "expected_volume")
        },
    }


def _text(value: Any, most: int) -> str | None:
    """Cleaned and cut; None for anything but a text that holds something."""
    if not isinstance(value, str):
        return None
    return clean(value)[:most].strip() or None


def _told(value: Any) -> str:
    return ascii(value)[:_TOLD]


def _quarantine(lake: Lake, key: str, refused: list[Refused]) -> None:
    """Keep entries that became no rows, in the form of other rejected lines."""
    if not refused:
        if lake.enriched.exists(key):  # made by other settings
            lake.enriched.delete(key)
        return
    packed = lines.pack(
        orjson.dumps(
            {
                "reason": one.reason,
                "line": one.number,
                "raw": orjson.dumps(one.entry).decode(),
            }
        )
        for one in refused
    )
    lake.enriched.put(key, packed)
