"""Yahoo's chart JSON over HTTP, with the cookie and the crumb that yfinance asks for before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from urllib.parse import unquote

from internet import Answer, Request, Site, json_answer
from share_history import History, single

from cashtag import sessions

CHART = "query2.finance.yahoo.com"
Fault = Callable[[str], Answer | None]
"""Symbol -> what is answered in place of its chart; None for the chart."""


@dataclass
class YahooSite:
    """Answers for `histories`, by Yahoo's symbols; `fault` may answer first."""

    histories: Mapping[str, History]
    fault: Fault | None = None
    asked: list[str] = field(default_factory=list)

    def hosts(self) -> dict[str, Site]:
        """Every host that yfinance talks to, by name."""
        return {
            "fc.yahoo.com": self._cookie,
            "guce.yahoo.com": lambda _: Answer(200, b"<html>no consent needed</html>"),
            "consent.yahoo.com": lambda _: Answer(404),
            "query1.finance.yahoo.com": self._crumb,
            CHART: self._chart,
        }

    def _cookie(self, _request: Request) -> Answer:
        # The real one answers 404 as well; only its cookie counts.
        cookie = "A3=PLANTED-yahoo-cookie; Domain=.yahoo.com; Path=/; Max-Age=31557600; Secure"
        return Answer(404, b"", {"set-cookie": cookie})

    def _crumb(self, _request: Request) -> Answer:
        return Answer(200, b"crumb1", {"content-type": "text/plain"})

    def _chart(self, request: Request) -> Answer:
        if "getcrumb" in request.path:
            return self._crumb(request)
        symbol = unquote(request.path.rpartition("/")[2])
        self.asked.append(symbol)
        if self.fault is not None and (answer := self.fault(symbol)) is not None:
            return answer
        if symbol not in self.histories:
            return not_found()
        return json_answer(chart(symbol, self.histories[symbol], int(request.query["period1"])))


def not_found() -> Answer:
    """What Yahoo says of a symbol that it does not know."""
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    return json_answer({"chart": {"result": None, "error": error}}, 404)


def chart(symbol: str, history: History, after: int = 0) -> dict[str, Any]:
    """The chart of a history, bars and events from the second `after` on."""
    index = symbol.startswith("^")
    days = [day for day in history.bars if _second(day) >= after]
    quote: dict[str, list[Any]] = {
        name: [single(getattr(history.bars[day], name) / history.later_splits(day)) for day in days]
        for name in ("open", "high", "low", "close")
    }
    quote["volume"] = [
        0 if index else round(history.bars[day].volume * history.later_splits(day)) for day in days
    ]
    events: dict[str, dict[str, Any]] = {}
    for day, amount in history.dividends.items():
        told = {"amount": amount / history.later_splits(day), "date": _second(day)}
        events.setdefault("dividends", {})[str(_second(day))] = told
    for day, ratio in history.splits.items():
        new, old = (ratio, 1) if ratio > 1 else (1, round(1 / ratio))
        told = {"date": _second(day), "numerator": new, "denominator": old}
        told["splitRatio"] = f"{new}:{old}"
        events.setdefault("splits", {})[str(_second(day))] = told
    result = {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "instrumentType": "INDEX" if index else "EQUITY",
            "exchangeTimezoneName": "America/Chicago" if index else "America/New_York",
            "priceHint": 2,
            "dataGranularity": "1d",
            "validRanges": ["1d", "5d", "1mo", "1y", "2y", "max"],
        },
        "timestamp": [_second(day) for day in days],
        "events": events,
        "indicators": {
            "quote": [quote],
            "adjclose": [{"adjclose": [single(history.adjusted_close(day)) for day in days]}],
        },
    }
    return {"chart": {"result": [result], "error": None}}


def _second(day: date) -> int:
    """The opening bell, as daily rows of Yahoo are stamped; 09:30 New York on other days."""
    return int(datetime.combine(day, time(9, 30), sessions.NEW_YORK).timestamp())
