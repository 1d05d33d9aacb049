"""Option chains by alpaca-py's own clients: snapshots, contracts, the underlying's last trade.

The library makes the requests and follows the pages of snapshots; our bounded fetch sends them.
By itself it would wait without end for an answer of any size, and sleep between attempts of its
own. Imported only where Alpaca is asked, for it brings pandas.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from alpaca.data.enums import DataFeed, OptionsFeed
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import OptionChainRequest, StockLatestTradeRequest
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import GetOptionContractsRequest

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import host_of, plain
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.fetch import Unsuccessful, fetch_json
from cashtag.settings import Settings

CONTRACTS_A_PAGE = 10_000  # the most, docs.alpaca.markets/reference/get-options-contracts
_TOO_MANY = 429
_SERVER_ERRORS = 500
_NOT_ALLOWED = (401, 403)
# What the library takes for no answer at all where Alpaca has nothing.
_EMPTY: Mapping[str, Any] = {"snapshots": {}, "trades": {}}


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as the API sent it, and what of it was refused, in words: `missing`."""

    snapshots: Mapping[str, Any]
    contracts: Mapping[str, Any]
    underlying: Mapping[str, Any] | None
    at: datetime
    """When the last of it came, UTC."""
    query: str
    missing: tuple[str, ...] = ()


class Client:
    """Alpaca's chains within the bounds of `live`; one client a thread."""

    def __init__(
        self,
        settings: Settings,
        keys: AlpacaKeys,
        until: Deadline,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings, self._until, self._clock = settings, until, clock
        self._answered: set[str] = set()
        self._never = threading.Event()  # a wait on it is a sleep
        self.requests = 0
        secrets, data = (keys.key_id, keys.secret_key), settings.live.alpaca.data_url.rstrip("/")
        trading = settings.live.alpaca.trading_url.rstrip("/")
        self._options = _Options(*secrets, raw_data=True, url_override=data)
        self._stocks = _Stocks(*secrets, raw_data=True, url_override=data)
        self._trading = _Trading(*secrets, raw_data=True, url_override=trading)
        for client in (self._options, self._stocks, self._trading):
            client.send = self._send

    def chain(self, ticker: str, first: date, last: date) -> Chain:
        """Return the contracts of `ticker` that expire from `first` to `last`, near its price.

        Near is within `live.options.strikes` of the latest trade; without one, all strikes.

        Raises:
            SourceRefused: Alpaca refused the snapshots, or sent something else.
        """
        underlying: Mapping[str, Any] | None = None
        contracts: dict[str, Any] = {}
        missing = []
        try:
            underlying = self._latest_trade(ticker)
        except Unsuccessful as refusal:
            missing.append(f"without the underlying's price ({refusal})")
        low = high = None
        price = underlying.get("p") if underlying else None
        if isinstance(price, (int, float)) and price > 0:
            share = self._settings.live.options.strikes
            low, high = round(price * (1 - share), 2), round(price * (1 + share), 2)
        feed = self._settings.live.alpaca.options_feed
        wanted = OptionChainRequest(
            underlying_symbol=ticker,
            feed=OptionsFeed(feed),
            expiration_date_gte=first,
            expiration_date_lte=last,
            strike_price_gte=low,
            strike_price_lte=high,
        )
        snapshots = self._asked(lambda: self._options.get_option_chain(wanted))
        try:
            contracts = self._contracts(ticker, first, last, low, high)
        except SourceRefused as refusal:
            missing.append(f"without open interest ({refusal})")
        strikes = "all" if low is None else f"{low}..{high}"
        query = f"{ticker} feed={feed} expiry {first}..{last} strikes {strikes}"
        return Chain(snapshots, contracts, underlying, self._clock(), query, tuple(missing))

    def _latest_trade(self, ticker: str) -> Mapping[str, Any] | None:
        """The underlying's; None where it has none."""
        wanted = StockLatestTradeRequest(
            symbol_or_symbols=ticker, feed=DataFeed(self._settings.live.alpaca.feed)
        )
        found = self._asked(lambda: self._stocks.get_stock_latest_trade(wanted)).get(ticker)
        return found if isinstance(found, dict) else None

    def _contracts(
        self, ticker: str, first: date, last: date, low: float | None, high: float | None
    ) -> dict[str, Any]:
        """The list of contracts by symbol; the library does not follow its pages."""
        found: dict[str, Any] = {}
        token: str | None = None
        while True:
            wanted = GetOptionContractsRequest(
                underlying_symbols=[ticker],
                expiration_date_gte=first,
                expiration_date_lte=last,
                limit=CONTRACTS_A_PAGE,
                page_token=token,
                strike_price_gte=None if low is None else str(low),
                strike_price_lte=None if high is None else str(high),
            )

            def page(wanted: GetOptionContractsRequest = wanted) -> Any:
                return self._trading.get_option_contracts(wanted)

            answer = self._asked(page)
            rows = answer.get("option_contracts") or []
            if not isinstance(rows, list) or not all(
                isinstance(row, dict) and isinstance(row.get("symbol"), str) for row in rows
            ):
                host = host_of(self._settings.live.alpaca.trading_url)
                raise SourceRefused(f"{host} answered without a list of contracts")
            found |= {row["symbol"]: row for row in rows}
            token = answer.get("next_page_token")
            if not token:
                return found

    def _asked(self, call: Callable[[], Any]) -> dict[str, Any]:
        try:
            found = call()
        except SourceRefused:
            raise
        except Exception as error:
            # Answers of another shape than it documents end in whatever the library makes of them.
            raise SourceRefused(
                f"Alpaca's answer is not what it documents: {type(error).__name__} "
                f"{plain(str(error))}"
            ) from error
        return dict(found)

    def _send(self, url: str, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        """Answer one request of the library; a page that comes round again is refused."""
        # Bytes, so that an enumeration is sent by its value.
        given = {
            name: value.encode() if isinstance(value, str) else value
            for name, value in fields.items()
            if value is not None
        }
        address = f"{url}?{urlencode(given)}"
        if address in self._answered:
            raise SourceRefused(f"{host_of(url)} leads in a circle from page to page")
        found = self._attempted(address, headers)
        self._answered.add(address)
        if not isinstance(found, dict):
            raise SourceRefused(f"{host_of(url)} answered with no object")
        return found | {
            name: nothing for name, nothing in _EMPTY.items() if found.get(name, nothing) is None
        }

    def _attempted(self, address: str, headers: Mapping[str, str]) -> Any:
        rules = self._settings.live.options
        for left in reversed(range(rules.attempts)):
            self.requests += 1
            try:
                return fetch_json(address, self._settings, self._until, headers=headers)
            except Unsuccessful as refusal:
                busy = refusal.status == _TOO_MANY or refusal.status >= _SERVER_ERRORS
                if busy and left and self._until.left > rules.pause_seconds:
                    self._never.wait(rules.pause_seconds)
                    continue
                if refusal.status == _TOO_MANY:
                    told = "the rate limit is used up"
                elif refusal.status in _NOT_ALLOWED:
                    told = "the Alpaca keys are not valid there, or their plan lacks the feed"
                else:
                    raise
                raise Unsuccessful(f"{refusal}: {told}", refusal.status) from refusal
        raise AssertionError("the last attempt returns or raises")


class _Send(Protocol):
    def __call__(self, url: str, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Any: ...


class _Bounded:
    """What a client of alpaca-py inherits before the client: its requests go through `send`."""

    send: _Send

    def _one_request(
        self, method: str, url: str, opts: Mapping[str, Any], retry: int
    ) -> dict[str, Any]:
        assert method.upper() == "GET", f"{method} {url}: chains are read, nothing is ordered here"
        found: dict[str, Any] = self.send(url, opts.get("params") or {}, opts["headers"])
        return found


class _Options(_Bounded, OptionHistoricalDataClient):
    """Snapshots."""


class _Stocks(_Bounded, StockHistoricalDataClient):
    """The underlying's trades."""


class _Trading(_Bounded, TradingClient):
    """The list of contracts."""
