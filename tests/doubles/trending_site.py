"""Sites of trending tickers and the broker's lists, in the shapes that the real ones answer in.

Finder's page in several layouts, ApeWisdom, StockTwits, Alpaca's most actives and its assets.
Names and numbers are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from alpaca_keys import forbidden
from internet import Answer, Request, Site, json_answer

FINDER, APEWISDOM, STOCKTWITS = "www.finder.com", "apewisdom.io", "api.stocktwits.com"
DATA, TRADING = "data.alpaca.markets", "paper-api.alpaca.markets"

TWELVE = (
    "TSLA",
    "NVDA",
    "AAPL",
    "AMD",
    "BRK.B",
    "PLTR",
    "GME",
    "F",
    "SOFI",
    "META",
    "MSFT",
    "COIN",
)


def finder_page(
    codes: Sequence[str], *, label: str | None = "data-th", head: str = "Code"
) -> bytes:
    """A page with one table; `label` is the attribute that its cells carry, `codes` are HTML."""

    def cell(name: str, text: str) -> str:
        named = f" {label}='{name}'" if label else ""
        return f"<td{named}>{text}</td>"

    lines = [
        f"<tr>{cell('Rank', str(rank))}{cell('Company', f'Company {rank}')}"
        f"{cell(head, code)}{cell('Mentions', f'{1000 - rank:,}')}</tr>"
        for rank, code in enumerate(codes, start=1)
    ]
    return (
        "<!doctype html><html><head><title>Top trending stocks</title></head><body><h1>Top</h1>"
        "<table><thead><tr><th>Rank</th><th>Company</th>"
        f"<th>{head}</th><th>Mentions</th></tr></thead><tbody>{''.join(lines)}</tbody></table>"
        "</body></html>"
    ).encode()


def html(body: bytes, content_type: str = "text/html; charset=utf-8") -> Answer:
    """An answer that holds a page."""
    return Answer(200, body, {"content-type": content_type})


def apewisdom(tickers: Sequence[str]) -> dict[str, Any]:
    """Mentions by rank; numbers are texts, as they sometimes are."""
    rows = [
        {
            "rank": str(rank),
            "ticker": ticker,
            "name": f"{ticker} &amp; Company",
            "mentions": f"{1000 - rank}",
            "upvotes": str(5000 - rank),
            "rank_24h_ago": None,
            "mentions_24h_ago": "12",
        }
        for rank, ticker in enumerate(tickers, start=1)
    ]
    return {"count": len(rows), "pages": 1, "current_page": 1, "results": rows}


def stocktwits(symbols: Sequence[str]) -> dict[str, Any]:
    """Symbols in the site's order."""
    rows = [
        {"id": number, "symbol": symbol, "title": f"{symbol} Corp.", "watchlist_count": 9}
        for number, symbol in enumerate(symbols, start=1)
    ]
    return {"response": {"status": 200}, "symbols": rows}


def most_actives(symbols: Sequence[str]) -> dict[str, Any]:
    """Stocks by volume, most first."""
    rows = [
        {"symbol": symbol, "volume": 10_000_000 - n, "trade_count": 5000 - n}
        for n, symbol in enumerate(symbols)
    ]
    return {"last_updated": "2026-01-05T11:59:00.1Z", "most_actives": rows}


def asset(symbol: str, **changed: Any) -> dict[str, Any]:
    """One asset as the broker describes it."""
    return {
        "id": f"00000000-0000-4000-8000-{symbol.encode().hex():0>12.12}",
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": symbol,
        "name": f"{symbol} Common Stock",
        "status": "active",
        "tradable": True,
        "marginable": True,
        "maintenance_margin_requirement": 30,
        "shortable": True,
        "easy_to_borrow": True,
        "fractionable": True,
        "attributes": ["options_enabled"],
        **changed,
    }


def always(answer: Answer) -> Site:
    """A site that answers everything alike."""
    return lambda _: answer


@dataclass
class Broker:
    """Both hosts of the broker; a request without the right keys is refused, as there."""

    active: list[str] = field(default_factory=lambda: list(TWELVE))
    assets: list[dict[str, Any]] = field(default_factory=lambda: [asset(s) for s in TWELVE])
    trouble: Callable[[Request], Answer | None] = lambda _: None

    def site(self, request: Request) -> Answer:
        """Answer as the broker does."""
        if (trouble := self.trouble(request)) is not None:
            return trouble
        if (refusal := forbidden(request)) is not None:
            return refusal
        if request.path == "/v1beta1/screener/stocks/most-actives":
            top = int(request.query["top"])
            return json_answer(most_actives(self.active[:top]))
        if request.path == "/v2/assets":
            wanted = {"status": request.query["status"], "class": request.query["asset_class"]}
            return json_answer([one for one in self.assets if wanted.items() <= one.items()])
        for one in self.assets:
            if request.path == f"/v2/assets/{one['symbol']}":
                return json_answer(one)
        return json_answer({"code": 40410000, "message": "asset not found"}, 404)
