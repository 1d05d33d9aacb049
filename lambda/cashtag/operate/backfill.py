"""`cashtag backfill prices`: daily bars of years into raw, for archive runs and research.

A ticker's bars are one object in `bars/source=…`; bars that raw holds already in the same words
add nothing, others add an object with a higher number, which wins where both have a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from cashtag import tickers as symbols
from cashtag.errors import InputError
from cashtag.lake import layout, lines, numbered
from cashtag.ports import Store
from cashtag.scrape.bars import INDEX, Answer, span_between
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.prices import Chain, envelope, left_out
from cashtag.settings import Settings

Progress = Callable[[int, int, str], None]
_SUFFIX = ".jsonl.gz"


def _silent(done: int, of: int, what: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What a backfill did for one ticker; `added` says whether raw did not hold it yet."""

    ticker: str
    source: str | None
    bars: int
    first: date | None
    last: date | None
    added: bool
    refused: str | None

    def row(self) -> dict[str, Any]:
        """The result as a row to print."""
        return {
            "ticker": self.ticker,
            "bars": self.bars,
            "first": self.first,
            "last": self.last,
            "source": self.source,
            "added": self.added,
            "refused": self.refused,
        }


def of_lake(raw: Store, settings: Settings) -> tuple[str, ...]:
    """The watchlist, every ticker that raw has tweets of, and `scrape.always_bars`; sorted.

    Symbols that are no stock's, or no longer one's, are left out: under their name a source may
    have another's bars.
    """
    tweeted = {
        parsed.name
        for info in raw.list("tweets/")
        if (parsed := layout.parse_raw(info.key)) is not None
    }
    found = {*settings.watchlist.stocks, *tweeted}
    known = {symbols.canonical(settings, ticker) for ticker in found}
    known |= {*settings.scrape.always_bars}
    return tuple(sorted(known - left_out(settings, known).keys()))


def chosen(settings: Settings, tickers: Sequence[str]) -> tuple[str, ...]:
    """Tickers as a person wrote them, checked: any case, after aliases, sorted.

    Raises:
        InputError: one of them is no symbol.
    """
    found = set()
    for text in tickers:
        ticker = symbols.canonical(settings, text.strip().removeprefix("$"))
        if not symbols.is_symbol(ticker.removeprefix(INDEX)):
            raise InputError(f"--ticker {text!r} is no symbol; write it as NVDA, BRK.B or ^VIX")
        found.add(ticker)
    return tuple(sorted(found))


def prices(
    raw: Store,
    settings: Settings,
    keys: AlpacaKeys | None,
    tickers: Sequence[str],
    first: date | None = None,
    last: date | None = None,
    *,
    source: str | None = None,
    now: datetime | None = None,
    progress: Progress = _silent,
) -> Iterator[Backfilled]:
    """Fetch and keep the daily bars of each ticker; yield what became of it, as it is known.

    Args:
        raw: the raw zone.
        settings: `live.prices` says which sources are asked, and how.
        keys: of Alpaca; None leaves it out.
        tickers: symbols, each once.
        first: first session wanted; by default `live.prices.backfill_days` before now.
        last: last one; by default, and at the latest, the newest that has ended.
        source: the only source to ask; by default the chain of the settings.
        now: the wall clock, UTC.
        progress: called with (done, of, ticker).

    Raises:
        InputError: no session lies in the range.
        StoreError: raw cannot be read or written.
    """
    at = now or datetime.now(UTC)
    begin = first or at.date() - timedelta(days=settings.live.prices.backfill_days)
    span = span_between(begin, last, at)
    chain = Chain(settings, keys, [source] if source else None)
    done = 0
    for batch in _batches(tickers, settings.live.prices.symbols_per_request):
        missing = list(batch)
        until = Deadline(settings.live.step_seconds)
        for name, answers in chain.collect(batch, span, until):
            for answer in answers:
                missing.remove(answer.ticker)
                done += 1
                progress(done, len(tickers), answer.ticker)
                yield _kept(raw, name, answer)
        for ticker in missing:
            done += 1
            progress(done, len(tickers), ticker)
            yield Backfilled(ticker, None, 0, None, None, False, chain.why(ticker))


def _batches(tickers: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (tickers[start : start + size] for start in range(0, len(tickers), size))


def _kept(raw: Store, source: str, answer: Answer) -> Backfilled:
    """Keep an answer's bars unless raw holds each of them in the same words."""
    held = _held(raw, source, answer.ticker)
    added = any(held.get(bar.session.isoformat()) != bar.data(answer.ticker) for bar in answer.bars)
    if added:
        data = lines.pack(envelope(source, answer, datetime.now(UTC)))
        numbered.add(raw, lambda number: layout.bars(source, answer.ticker, number), data)
    sessions = [bar.session for bar in answer.bars]
    return Backfilled(
        answer.ticker, source, len(sessions), min(sessions), max(sessions), added, None
    )


def _held(raw: Store, source: str, ticker: str) -> dict[str, Any]:
    """What raw's objects of a ticker say of each session, the highest number last."""
    prefix = layout.bars(source, ticker).removesuffix(f"1{_SUFFIX}")
    keys = {
        int(text): info.key
        for info in raw.list(prefix)
        if (text := info.key.removeprefix(prefix).removesuffix(_SUFFIX)).isdecimal()
    }
    found: dict[str, Any] = {}
    for _, key in sorted(keys.items()):
        for _, line in lines.unpack(raw.get(key)).lines:
            try:
                data = orjson.loads(line)["data"]
                found[data["session"]] = data
            except (ValueError, KeyError, TypeError):
                continue  # no bar: enrichment puts such a line into quarantine
    return found
