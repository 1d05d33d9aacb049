"""The broker's assets as a run knew them: what may be traded there, in the broker's own words.

The list holds what is active, of stocks and funds. A ticker of the run that is not in it is asked
for by name, for the broker still knows what it has delisted. What it has never heard of leaves no
line: then nobody's word stands against trading it but our own.

Alpaca writes symbols as we do (`BRK.B`); its `FB` is whatever is listed under FB today, so
aliases do not apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from cashtag.errors import SourceRefused
from cashtag.lake import layout
from cashtag.ports import Day, Fetched, Kind, SourceHealth, Status, Store
from cashtag.redaction import redacted
from cashtag.scrape import broker
from cashtag.scrape.addresses import host_of
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.envelope import line
from cashtag.scrape.held import Held
from cashtag.settings import Settings
from cashtag.tickers import is_symbol

KIND: Kind = "assets"
SOURCE = "alpaca"
ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Asset:
    """One stock or fund at the broker. `status` is its word: `active`, `inactive`, …"""

    symbol: str
    tradable: bool
    status: str
    exchange: str = ""
    fractionable: bool = False
    attributes: tuple[str, ...] = ()

    @property
    def refusal(self) -> str | None:
        """Why the broker would not trade it, in words; None when it would."""
        if self.tradable and self.status == ACTIVE:
            return None
        word = "tradable" if self.tradable else "not tradable"
        return f"at the broker {self.symbol} is {self.status or 'of no status'} and {word}"


class Assets:
    """The assets of a run's tickers and of the watchlist, asked for once."""

    name: str = KIND

    def __init__(self, settings: Settings, keys: AlpacaKeys) -> None:
        self._settings, self._keys = settings, keys
        self._health: tuple[SourceHealth, ...] = ()

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield the assets that raw does not hold yet, one line each as the broker returned it.

        Raises:
            SourceRefused: the broker refused, or the deadline came first.
        """
        self._health = ()
        wanted = {*day.tickers, *self._settings.watchlist.stocks}
        have = {a.symbol for e in held.envelopes(KIND) if (a := _asset(e["data"])) is not None}
        # Once a record is there, only what no scrape of the run has asked for can be missing.
        if have and not wanted - have - set(held.answers):
            return
        missing = sorted(wanted - have)
        url, listed = self._list(until)
        yield _kept((url, listed[ticker]) for ticker in missing if ticker in listed)
        asked, found, refusal = 1, [], None
        for ticker in missing:
            if ticker in listed or not is_symbol(ticker):
                continue
            asked += 1
            try:
                one = broker.one_asset(self._settings, self._keys, ticker, until)
            except SourceRefused as reason:
                refusal = reason
                break
            found += [(one.url, row) for row in one.rows]
        if found:
            yield _kept(found)
        if refusal is not None:
            self._tell("refused", str(refusal), asked)
            raise refusal
        self._tell("ok", f"{len(listed):,} active assets", asked)

    def health(self) -> tuple[SourceHealth, ...]:
        """How the broker came through; empty where it was not asked."""
        return self._health

    def _list(self, until: Deadline) -> tuple[str, dict[str, Mapping[str, Any]]]:
        try:
            answer = broker.active_assets(self._settings, self._keys, until)
            listed = _by_symbol(answer)
        except SourceRefused as refusal:
            self._tell("refused", str(refusal), 1)
            raise
        return answer.url, listed

    def _tell(self, status: Status, reason: str, requests: int) -> None:
        self._health = (SourceHealth(self.name, status, redacted(reason), requests),)


def recorded(raw: Store, dt: date) -> dict[str, Asset]:
    """The assets that the run of `dt` recorded, by symbol; empty where it recorded none.

    Of several lines about one symbol the last scraped counts. A line that is no asset is passed
    over: then nothing is known, as if the broker had not been asked.
    """
    keys = (layout.parse_raw(info.key) for info in raw.list(layout.raw_prefix(KIND, dt)))
    ordered = sorted((key for key in keys if key is not None), key=lambda key: key.number)
    envelopes = Held(raw, dt, tuple(ordered), {}).envelopes(KIND)
    found = (_asset(envelope["data"]) for envelope in envelopes)
    return {asset.symbol: asset for asset in found if asset is not None}


def known_symbols(
    settings: Settings, keys: AlpacaKeys | None, until: Deadline
) -> frozenset[str] | None:
    """All symbols that are active at the broker, in our spelling; None without keys.

    Raises:
        SourceRefused: the broker refused, or listed nothing.
    """
    if keys is None:
        return None
    listed = _by_symbol(broker.active_assets(settings, keys, until))
    return frozenset(symbol for symbol in listed if is_symbol(symbol))


def _by_symbol(answer: broker.Answer) -> dict[str, Mapping[str, Any]]:
    found = {
        row["symbol"].upper(): row for row in answer.rows if isinstance(row.get("symbol"), str)
    }
    if not found:
        raise SourceRefused(f"{host_of(answer.url)} listed no asset")
    return found


def _kept(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Fetched:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    told = tuple(line(SOURCE, at, url, data) for url, data in rows)
    return Fetched(KIND, None, "ok" if told else "empty", lines=told, source=SOURCE)


def _asset(data: Mapping[str, Any]) -> Asset | None:
    """One asset of the broker's JSON; None when it does not say whether it is tradable."""
    symbol, tradable, attributes = data.get("symbol"), data.get("tradable"), data.get("attributes")
    if not isinstance(symbol, str) or not isinstance(tradable, bool):
        return None
    return Asset(
        symbol=symbol.upper(),
        tradable=tradable,
        status=str(data.get("status") or ""),
        exchange=str(data.get("exchange") or ""),
        fractionable=data.get("fractionable") is True,
        attributes=tuple(map(str, attributes)) if isinstance(attributes, list) else (),
    )
