"""Daily bars from Yahoo through yfinance: frames read with suspicion, prices put back as traded.

Yahoo divides its prices, and its dividends, by all later splits, and multiplies its volumes; what
it calls adjusted close is adjusted for dividends as well. The history is asked for to this day, so
that all of those splits are known. yfinance gives frames in several shapes, and some failures as
frames: columns of NaN, no rows, columns of other symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any

from cashtag import sessions
from cashtag.errors import SourceRefused
from cashtag.scrape import waiting
from cashtag.scrape.adjusting import as_traded, exact
from cashtag.scrape.bars import Answer, Bar, Span, Unavailable, judged
from cashtag.scrape.deadline import Deadline
from cashtag.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

_INDEX = "^"
_PRICES = ("Open", "High", "Low", "Close", "Adj Close")
_DIVIDENDS, _SPLITS, _VOLUME = "Dividends", "Stock Splits", "Volume"
_NEEDED = (*_PRICES, _VOLUME)


class YahooBars:
    """Yahoo as a source of daily bars."""

    name = "yahoo"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.requests = 0
        self.left: int | None = None

    def serves(self, ticker: str) -> bool:
        """Yahoo has everything, indices as well."""
        return True

    def bars(self, tickers: Sequence[str], span: Span, until: Deadline) -> Iterator[Answer]:
        """Yield one answer a ticker. Raises SourceRefused when Yahoo is down."""
        from cashtag.scrape import yahoo_client

        rules = self._settings.live.prices
        session = yahoo_client.Session(self._settings, until)
        symbols = {ticker: symbol_of(ticker) for ticker in tickers}

        def ask(ticker: str) -> Answer:
            seconds = until.within(self._settings.live.request_seconds)
            frame = yahoo_client.history(symbols[ticker], span.first, session, seconds)
            bars = bars_of(frame, symbols[ticker], ticker, rules.split_from)
            return Answer(ticker, bars, None, f"{symbols[ticker]} 1d from {span.first}")

        down = 0
        yahoo_client.prepare(list(symbols.values()))
        asking = waiting.answers(ask, list(tickers), rules.yahoo_threads, until, self.name)
        try:
            with closing(asking):
                for ticker, found in asking:
                    if not isinstance(found, SourceRefused):
                        down = 0
                        yield judged(found, span, rules)
                        continue
                    down = down + 1 if isinstance(found, Unavailable) else 0
                    yield Answer(ticker, refused=str(found))
                    if down >= rules.give_up_after:
                        raise Unavailable(f"{found}; given up after {down} in a row")
        finally:
            self.requests += session.asked


def symbol_of(ticker: str) -> str:
    """A ticker as Yahoo writes it: BRK.B is BRK-B."""
    return ticker if ticker.startswith(_INDEX) else ticker.replace(".", "-")


def bars_of(
    frame: pd.DataFrame | None, symbol: str, ticker: str, split_from: float
) -> tuple[Bar, ...]:
    """Return the bars in a frame of yfinance, ascending, as traded.

    The frame may have one level of columns or two, and an index with a time zone or without.

    Raises:
        SourceRefused: the frame has no rows, lacks columns, has some twice, is of other symbols,
            has no dates, or its prices lack a split that it tells of.
    """
    own = _columns(frame, symbol)
    days = _days(own)
    values = {name: [_number(value) for value in own[name].tolist()] for name in own.columns}
    none: list[float | None] = [None] * len(days)
    index = ticker.startswith(_INDEX)
    splits: dict[date, float] = {}
    bars = []
    for i, day in enumerate(days):
        split = values.get(_SPLITS, none)[i] or None
        dividend = values.get(_DIVIDENDS, none)[i] or None
        if split is not None and split > 0:
            splits[day] = split
        opened, high, low, close, adjusted = (_exact(values[name][i]) for name in _PRICES)
        if opened is high is low is close is None:
            continue  # an event on a day without a bar; yfinance makes a row for it
        bars.append(
            Bar(
                day,
                opened,
                high,
                low,
                close,
                adjusted,
                None if index else values[_VOLUME][i],
                dividend,
                None if split == 1 else split,
                "events" if split or dividend else None,
            )
        )
    if not bars:
        raise SourceRefused(f"NaN columns: no price in any of {len(days)} rows")
    return as_traded(sorted(bars, key=lambda bar: bar.session), splits, split_from)


def _columns(frame: pd.DataFrame | None, symbol: str) -> pd.DataFrame:
    """The columns of one symbol, by name."""
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise SourceRefused(f"no frame, but {type(frame).__name__}")
    if isinstance(frame.columns, pd.MultiIndex):
        level = next(
            (n for n in range(frame.columns.nlevels) if symbol in frame.columns.levels[n]), None
        )
        if level is None:
            others = sorted({str(name) for names in frame.columns for name in names})
            raise SourceRefused(f"stray columns, none of {symbol}: {', '.join(others)}")
        frame = frame.xs(symbol, axis=1, level=level)
    if frame.empty:
        raise SourceRefused("empty frame")
    names = [str(name) for name in frame.columns]
    if missing := [name for name in _NEEDED if name not in names]:
        raise SourceRefused(f"columns missing: {', '.join(missing)}")
    if twice := sorted({name for name in _NEEDED if names.count(name) > 1}):
        raise SourceRefused(f"stray columns, some twice: {', '.join(twice)}")
    return frame


def _days(frame: pd.DataFrame) -> list[date]:
    """The date of each row: that in New York where the index has a time zone, else as it stands."""
    import pandas as pd

    if not isinstance(frame.index, pd.DatetimeIndex):
        raise SourceRefused(f"rows without dates, but {frame.index.dtype}")
    index = frame.index
    if index.tz is not None:
        # Rows of an index are stamped in the zone of its own exchange, at midnight there.
        index = index.tz_localize(None) if _midnight(index) else index.tz_convert(sessions.NEW_YORK)
    return [day.date() for day in index]


def _midnight(index: pd.DatetimeIndex) -> bool:
    return bool((index == index.normalize()).all())


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def _exact(value: float | None) -> float | None:
    return None if value is None else exact(value)
