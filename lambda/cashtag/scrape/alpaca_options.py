"""Option chains by alpaca-py's own clients: snapshots, contracts, the underlying's last trade.

Imported only where Alpaca is asked, for it brings pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from alpaca.data.enums import DataFeed, OptionsFeed
from alpaca.data.requests import OptionChainRequest, StockLatestTradeRequest
from alpaca.trading.requests import GetOptionContractsRequest

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import host_of
from cashtag.scrape.alpaca_client import Client
from cashtag.scrape.fetch import Unsuccessful
from cashtag.settings import Settings

CONTRACTS_A_PAGE = 10_000  # the most, docs.alpaca.markets/reference/get-options-contracts


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


def chain(
    client: Client,
    settings: Settings,
    ticker: str,
    first: date,
    last: date,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Chain:
    """Return the contracts of `ticker` that expire from `first` to `last`, near its price.

    Near is within `live.options.strikes` of the latest trade; without one, all strikes.

    Raises:
        SourceRefused: Alpaca refused the snapshots, or sent something else.
    """
    underlying: Mapping[str, Any] | None = None
    contracts: dict[str, Any] = {}
    missing = []
    try:
        underlying = _latest_trade(client, settings, ticker)
    except Unsuccessful as refusal:
        missing.append(f"without the underlying's price ({refusal})")
    low = high = None
    price = underlying.get("p") if underlying else None
    if isinstance(price, (int, float)) and price > 0:
        share = settings.live.options.strikes
        low, high = round(price * (1 - share), 2), round(price * (1 + share), 2)
    feed = settings.live.alpaca.options_feed
    wanted = OptionChainRequest(
        underlying_symbol=ticker,
        feed=OptionsFeed(feed),
        expiration_date_gte=first,
        expiration_date_lte=last,
        strike_price_gte=low,
        strike_price_lte=high,
    )
    snapshots = client.asked(lambda: dict(client.options.get_option_chain(wanted)))
    try:
        contracts = _contracts(client, ticker, first, last, low, high)
    except SourceRefused as refusal:
        missing.append(f"without open interest ({refusal})")
    strikes = "all" if low is None else f"{low}..{high}"
    query = f"{ticker} feed={feed} expiry {first}..{last} strikes {strikes}"
    return Chain(snapshots, contracts, underlying, clock(), query, tuple(missing))


def _latest_trade(client: Client, settings: Settings, ticker: str) -> Mapping[str, Any] | None:
    """The underlying's; None where it has none."""
    wanted = StockLatestTradeRequest(
        symbol_or_symbols=ticker, feed=DataFeed(settings.live.alpaca.feed)
    )
    found = client.asked(lambda: dict(client.stocks.get_stock_latest_trade(wanted))).get(ticker)
    return found if isinstance(found, dict) else None


def _contracts(
    client: Client, ticker: str, first: date, last: date, low: float | None, high: float | None
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
        answer = client.asked(partial(_page, client, wanted))
        rows = answer.get("option_contracts") or []
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and isinstance(row.get("symbol"), str) for row in rows
        ):
            raise SourceRefused(f"{host_of(client.url)} answered without a list of contracts")
        found |= {row["symbol"]: row for row in rows}
        token = answer.get("next_page_token")
        if not token:
            return found


def _page(client: Client, wanted: GetOptionContractsRequest) -> dict[str, Any]:
    return dict(client.trading.get_option_contracts(wanted))
