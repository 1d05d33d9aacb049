"""Alpaca's option endpoints as loopback sites: chains invented in the shape of its documentation.

Two hosts: market data (snapshots of a chain, the underlying's latest trade) and trading (the list
of contracts). Both check the keys, filter by expiry and strike, and give pages with a token.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from alpaca_keys import forbidden
from internet import Answer, Request, Site, json_answer

DATA = "data.alpaca.markets"
TRADING = "paper-api.alpaca.markets"
RIGHTS = {"C": "call", "P": "put"}
Listed = tuple[str, date, str, float]
"""Symbol, expiry, C or P, strike."""


def symbol(root: str, expiry: date, right: str, strike: float) -> str:
    """An OCC symbol: `TSLA260821C00250000`."""
    return f"{root}{expiry:%y%m%d}{right}{round(strike * 1000):08d}"


def snapshot(iv: float | None = 0.45, bid: float = 4.8, ask: float = 5.2) -> dict[str, Any]:
    """A contract's snapshot as the API sends it."""
    whole: dict[str, Any] = {
        "dailyBar": {"c": 5.0, "h": 5.1, "l": 4.9, "n": 3, "o": 5.0, "t": "2026-08-14T04:00:00Z",
                     "v": 17, "vw": 5.0},
        "greeks": {"delta": 0.5, "gamma": 0.01, "rho": 0.02, "theta": -0.1, "vega": 0.2},
        "latestQuote": {"ap": ask, "as": 10, "ax": "A", "bp": bid, "bs": 12, "bx": "B", "c": "A",
                        "t": "2026-08-14T19:59:59.731674112Z"},
        "latestTrade": {"c": "I", "p": 5.0, "s": 1, "t": "2026-08-14T19:29:53.55240448Z",
                        "x": "W"},
    }  # fmt: skip
    if iv is not None:
        whole["impliedVolatility"] = iv
    return whole


@dataclass
class Alpaca:
    """What the broker knows: prices and chains by underlying. `faults` answer before it does."""

    prices: dict[str, float] = field(default_factory=dict)
    chains: dict[str, list[Listed]] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of contracts that differ from `snapshot()`; null leaves the contract out."""
    page: int = 1000
    faults: list[Callable[[Request], Answer | None]] = field(default_factory=list)

    def add(self, ticker: str, price: float, expiries: list[date], strikes: list[float]) -> None:
        """List a call and a put for each expiry and strike."""
        self.prices[ticker] = price
        self.chains[ticker] = [
            (symbol(ticker.replace(".", ""), expiry, right, strike), expiry, right, strike)
            for expiry in expiries
            for right in RIGHTS
            for strike in strikes
        ]

    def sites(self) -> dict[str, Site]:
        """The two hosts."""
        return {DATA: self._data, TRADING: self._trading}

    def _fault(self, request: Request) -> Answer | None:
        for fault in self.faults:
            if (answer := fault(request)) is not None:
                return answer
        return forbidden(request)

    def _data(self, request: Request) -> Answer:
        if (answer := self._fault(request)) is not None:
            return answer
        if request.path == "/v2/stocks/trades/latest":
            ticker = request.query["symbols"]
            price = self.prices.get(ticker)
            trade = {"t": "2026-08-14T19:59:58.1Z", "x": "V", "p": price, "s": 100, "z": "C"}
            return json_answer({"trades": {} if price is None else {ticker: trade}})
        prefix = "/v1beta1/options/snapshots/"
        assert request.path.startswith(prefix), request.path
        listed = self._listed(request.path.removeprefix(prefix), request.query)
        rows = {s: self.snapshots.get(s, snapshot()) for s, *_ in listed}
        shown = [(s, row) for s, row in rows.items() if row is not None]
        part, token = self._page(shown, request.query, "limit")
        return json_answer({"next_page_token": token, "snapshots": dict(part)})

    def _trading(self, request: Request) -> Answer:
        if (answer := self._fault(request)) is not None:
            return answer
        assert request.path == "/v2/options/contracts", request.path
        assert request.query["status"] == "active"
        ticker = request.query["underlying_symbols"]
        rows = [
            {
                "id": "00000000-0000-0000-0000-000000000000",
                "symbol": listed,
                "status": "active",
                "tradable": True,
                "expiration_date": expiry.isoformat(),
                "root_symbol": ticker.replace(".", ""),
                "underlying_symbol": ticker,
                "type": RIGHTS[right],
                "style": "american",
                "strike_price": f"{strike:g}",
                "size": "100",
                "open_interest": "237",
                "open_interest_date": "2026-08-14",
                "close_price": "5.05",
                "close_price_date": "2026-08-14",
            }
            for listed, expiry, right, strike in self._listed(ticker, request.query)
        ]
        part, token = self._page(rows, request.query, "limit")
        return json_answer({"option_contracts": part, "next_page_token": token})

    def _listed(self, ticker: str, query: dict[str, str]) -> list[Listed]:
        low, high = query.get("strike_price_gte", "0"), query.get("strike_price_lte", "inf")
        first, last = query["expiration_date_gte"], query["expiration_date_lte"]
        return sorted(
            row
            for row in self.chains.get(ticker, [])
            if first <= row[1].isoformat() <= last and float(low) <= row[3] <= float(high)
        )

    def _page(
        self, rows: list[Any], query: dict[str, str], limit: str
    ) -> tuple[list[Any], str | None]:
        start = int(b64decode(query["page_token"])) if "page_token" in query else 0
        end = start + min(self.page, int(query[limit]))
        token = b64encode(str(end).encode()).decode() if end < len(rows) else None
        return rows[start:end], token
