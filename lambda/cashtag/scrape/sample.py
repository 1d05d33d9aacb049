"""The bundled synthetic market as a source: what a live day would have fetched, from a folder.

Everything it yields carries `"source": "synthetic"`. Two runs over the same day yield the same
bytes, and a ticker that the sample declares refused on a day is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from cashtag.errors import InputError
from cashtag.lake import lines
from cashtag.ports import Day, Fetched, SourceHealth

SOURCE = "synthetic"


class SampleSource:
    """Reads `sample_data/raw`: tweets and bars by ticker, news, and `days.json`."""

    name = SOURCE

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tweets: dict[str, dict[date, tuple[bytes, ...]]] = {}
        self._bars: dict[str, bytes] = {}

    @cached_property
    def _days(self) -> dict[str, Any]:
        path = self._folder / "days.json"
        try:
            days: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"sample folder {self._folder} holds no readable days.json ({error}); "
                "make it with `python sample_data/generate.py`"
            ) from error
        return days

    @cached_property
    def _news(self) -> dict[date, tuple[bytes, ...]]:
        return self._by_run(self._folder / "news.jsonl.gz")

    def dates(self) -> tuple[date, date]:
        """First and last run of the sample."""
        return date.fromisoformat(self._days["first"]), date.fromisoformat(self._days["last"])

    def asked(self, dt: date) -> tuple[str, ...]:
        """The sample's tickers."""
        return tuple(sorted(self._days["tickers"]))

    def fetch(self, day: Day) -> Iterator[Fetched]:
        """Yield the day's tweets ticker by ticker, the bars of all symbols, and the news."""
        refused = self._days.get("refused", {}).get(day.dt.isoformat(), {})
        for ticker in day.tickers:
            if ticker in refused:
                yield Fetched("tweets", ticker, "refused", reason=refused[ticker])
                continue
            found = self._tweets_of(ticker).get(day.dt, ())
            yield Fetched("tweets", ticker, "ok" if found else "empty", lines=found)
        for path in sorted((self._folder / "bars").glob("*.jsonl.gz")):
            symbol = path.name.removesuffix(".jsonl.gz")
            if symbol not in self._bars:
                self._bars[symbol] = path.read_bytes()
            yield Fetched("bars", symbol, "ok", packed=self._bars[symbol])
        if found := self._news.get(day.dt, ()):
            yield Fetched("news", None, "ok", lines=found)

    def health(self) -> tuple[SourceHealth, ...]:
        """A folder has no parts that could fail."""
        return ()

    def _tweets_of(self, ticker: str) -> dict[date, tuple[bytes, ...]]:
        if ticker not in self._tweets:
            self._tweets[ticker] = self._by_run(self._folder / "tweets" / f"{ticker}.jsonl.gz")
        return self._tweets[ticker]

    def _by_run(self, path: Path) -> dict[date, tuple[bytes, ...]]:
        """Lines of one file by the run that scraped them: the UTC date of `scraped_at`."""
        if not path.exists():
            return {}
        runs: dict[date, list[bytes]] = {}
        for line in lines.read(path.read_bytes(), name=str(path)):
            scraped_at = json.loads(line)["scraped_at"]
            runs.setdefault(date.fromisoformat(scraped_at[:10]), []).append(line)
        return {dt: tuple(found) for dt, found in runs.items()}
