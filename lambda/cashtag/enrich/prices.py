"""The `prices` table of a run: the trailing bars of every ticker as they were known then.

Bars are kept once and cut here. A cut ends before the session that the run serves, and its
adjusted closes are scaled so that the last one equals its close: dividends and splits that came
later are not in it, whatever the source has adjusted for since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from cashtag import sessions
from cashtag.enrich.bars import NUMBERS, Series, joined, read
from cashtag.enrich.envelopes import Rejected
from cashtag.enrich.moments import epoch_day
from cashtag.errors import InputError
from cashtag.lake.contracts import contract
from cashtag.tickers import canonical

if TYPE_CHECKING:
    from cashtag.settings import Settings

_SUFFIX = ".jsonl.gz"
_KEPT = 4096  # parsed objects in memory: thirty tickers' bars are some ten megabytes
_read: dict[tuple[str, bytes], tuple[dict[str, Series], tuple[Rejected, ...]]] = {}
_joined: dict[tuple[tuple[str, bytes], ...], dict[str, Series]] = {}


def prices_for(dt: date, bars: Mapping[str, bytes], settings: Settings) -> pa.Table:
    """Return the rows of the `prices` contract for one run.

    Args:
        dt: UTC date of the run.
        bars: raw objects by key, `bars/…/NVDA-1.jsonl.gz` (one ticker each) and
            `prices/dt=…/…` (each line names its ticker). Of two objects with a ticker's session
            the one with the higher number wins. Parsing is remembered within the process.
        settings: reads `scrape.bars_per_run`, `scrape.cutoff_utc` and the aliases.
    """
    before = epoch_day(sessions.session_of_run(dt, settings.scrape.cutoff_utc))
    cuts = [
        cut
        for series in series_of(bars, settings).values()
        if len((cut := _cut(series, before, settings.scrape.bars_per_run)).session)
    ]
    schema = contract("prices").arrow_schema()
    if not cuts:
        return schema.empty_table()
    numbers = {name: np.concatenate([cut.numbers[name] for cut in cuts]) for name in NUMBERS}
    columns = {
        "ticker": pa.array(np.repeat([c.ticker for c in cuts], [len(c.session) for c in cuts])),
        "session": pa.array(np.concatenate([c.session for c in cuts])).view(pa.date32()),
        "volume": pa.array(np.concatenate([c.volume for c in cuts])),
        "source": pa.array(np.concatenate([c.source for c in cuts]), pa.string()),
        **{name: pa.array(values, from_pandas=True) for name, values in numbers.items()},
    }
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def series_of(bars: Mapping[str, bytes], settings: Settings) -> dict[str, Series]:
    """Return all bars of raw objects by ticker, after aliases, tickers sorted.

    Raises:
        InputError: a key is that of no object of bars.
    """
    # A key alone does not name its content: two lakes of one process may share it.
    named = {
        key: (key, blake2b(data, digest_size=16).digest()) for key, data in sorted(bars.items())
    }
    aliases = repr(sorted(settings.tickers.aliases.items())).encode()
    whole = (*named.values(), ("aliases", aliases))
    if whole in _joined:
        return _joined[whole]
    parts: dict[str, list[tuple[tuple[int, str], Series]]] = {}
    for key, data in bars.items():
        ticker, order = _named(key)
        for name, series in _parsed(named[key], data, ticker)[0].items():
            parts.setdefault(canonical(settings, name), []).append((order, series))
    found = {}
    for ticker, known in sorted(parts.items()):
        one = joined([series for _, series in sorted(known, key=lambda part: part[0])])
        found[ticker] = Series(ticker, one.session, one.volume, one.source, one.numbers)
    for cache in (_read, _joined):
        if len(cache) > _KEPT:
            cache.clear()
    _joined[whole] = found
    return found


def rejected_of(bars: Mapping[str, bytes]) -> dict[str, tuple[Rejected, ...]]:
    """Return the lines that are no bars, by key of the raw object; objects without any are left out.

    Raises:
        InputError: a key is that of no object of bars.
    """
    found = {}
    for key, data in sorted(bars.items()):
        identity = (key, blake2b(data, digest_size=16).digest())
        if rejected := _parsed(identity, data, _named(key)[0])[1]:
            found[key] = rejected
    return found


def _parsed(
    identity: tuple[str, bytes], data: bytes, ticker: str | None
) -> tuple[dict[str, Series], tuple[Rejected, ...]]:
    if identity not in _read:
        _read[identity] = read(data, ticker)
    return _read[identity]


def _named(key: str) -> tuple[str | None, tuple[int, str]]:
    """The ticker of an object, None when its lines name theirs, and its place in the order."""
    kind, _, rest = key.partition("/")
    name, dash, number = rest.rpartition("/")[2].removesuffix(_SUFFIX).rpartition("-")
    if kind not in {"bars", "prices"} or not dash or not number.isdecimal():
        raise InputError(
            f"key {key!r} is no object of bars; they are named bars/source=…/TICKER-1{_SUFFIX} "
            f"or prices/dt=…/source=…/prices-1{_SUFFIX}"
        )
    return name if kind == "bars" else None, (int(number), key)


def _cut(series: Series, before: int, n: int) -> Series:
    """The n bars strictly before a day, adjusted as known with the last of them."""
    end = int(np.searchsorted(series.session, before))
    part = slice(max(0, end - n), end)
    numbers = {name: values[part] for name, values in series.numbers.items()}
    if end:
        scale = numbers["close"][-1] / numbers["adjusted_close"][-1]
        numbers["adjusted_close"] = numbers["adjusted_close"] * scale
    return Series(
        series.ticker, series.session[part], series.volume[part], series.source[part], numbers
    )
