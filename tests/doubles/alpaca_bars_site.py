"""Alpaca's historical data over HTTP: bars in pages, raw or adjusted, and corporate actions.

Paths, parameters and shapes are those of its recorded answers; the histories are invented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from alpaca_keys import forbidden
from internet import Answer, Request, json_answer
from share_history import History

from cashtag import sessions

HOST = "data.alpaca.markets"
Fault = Callable[[Request], Answer | None]


@dataclass
class AlpacaSite:
    """Answers for `histories`; `fault` may answer first, `page` limits the bars of a page."""

    histories: Mapping[str, History]
    page: int = 10_000
    fault: Fault | None = None
    actions: bool = True
    log: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        self.log.append(request)
        if (refusal := forbidden(request)) is not None:
            return refusal
        if self.fault is not None and (answer := self.fault(request)) is not None:
            return answer
        if request.path == "/v2/stocks/bars":
            return self._bars(request.query)
        if request.path == "/v1/corporate-actions":
            return self._actions(request.query)
        return json_answer({"message": "endpoint not found."}, 404)

    def _bars(self, query: Mapping[str, str]) -> Answer:
        asked = query["symbols"].split(",")
        if bad := [symbol for symbol in asked if not symbol.replace(".", "").isalpha()]:
            return json_answer({"message": f"invalid symbol: {bad[0]}"}, 400)
        first, last = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        rows = [
            (symbol, _row(self.histories[symbol], session, query["adjustment"]))
            for symbol in sorted(asked)
            if symbol in self.histories
            for session in self.histories[symbol].bars
            if first <= _stamp(session) <= last
        ]
        start = int(query.get("page_token", "0"))
        size = min(self.page, int(query.get("limit", "1000")))
        bars: dict[str, list[Any]] = {}
        for symbol, row in rows[start : start + size]:
            bars.setdefault(symbol, []).append(row)
        more = str(start + size) if start + size < len(rows) else None
        return json_answer({"bars": bars, "next_page_token": more}, x_ratelimit_remaining="187")

    def _actions(self, query: Mapping[str, str]) -> Answer:
        if not self.actions:
            return json_answer({"message": "subscription does not permit this"}, 403)
        found: dict[str, list[dict[str, Any]]] = {}
        for symbol in query["symbols"].split(","):
            history = self.histories.get(symbol, History({}))
            for ex_date, rate in history.dividends.items():
                if _between(ex_date, query):
                    found.setdefault("cash_dividends", []).append(
                        {"symbol": symbol, "ex_date": str(ex_date), "rate": rate, "special": False}
                    )
            for ex_date, ratio in history.splits.items():
                if _between(ex_date, query):
                    kind = "forward_splits" if ratio > 1 else "reverse_splits"
                    new, old = (ratio, 1) if ratio > 1 else (1, round(1 / ratio))
                    found.setdefault(kind, []).append(
                        {
                            "symbol": symbol,
                            "ex_date": str(ex_date),
                            "new_rate": new,
                            "old_rate": old,
                        }
                    )
        return json_answer({"corporate_actions": found, "next_page_token": None})


def _between(day: date, query: Mapping[str, str]) -> bool:
    return query["start"] <= str(day) <= query["end"]


def _stamp(session: date) -> datetime:
    """Midnight in New York, as daily bars are stamped."""
    return datetime.combine(session, datetime.min.time(), sessions.NEW_YORK)


def _row(history: History, session: date, adjustment: str) -> dict[str, Any]:
    bar = history.bars[session]
    scale, shares = 1.0, 1.0
    if adjustment == "all":
        scale = history.adjusted_close(session) / bar.close
        shares = history.later_splits(session)
    return {
        "t": _stamp(session).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "o": round(bar.open * scale, 4),
        "h": round(bar.high * scale, 4),
        "l": round(bar.low * scale, 4),
        "c": round(bar.close * scale, 4),
        "v": round(bar.volume * shares),
        "n": 1000,
        "vw": round(bar.close * scale, 4),
    }
