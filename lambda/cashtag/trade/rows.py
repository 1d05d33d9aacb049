"""Rows of `trades`, `outcomes` and `positions`, as JSON values: dates and moments are ISO texts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cashtag.ports import Order
from cashtag.trade.books import Book, Outcome
from cashtag.trade.intents import Intent


def trade_row(
    book: Book,
    plan: str,
    order: Order,
    leg: str,
    market: float,
    reason: str,
    intent: Intent | None,
    realised: float | None,
) -> dict[str, Any]:
    """Return the row of `trades` of one order; `market` is the price it is measured against."""
    filled = order.filled_quantity > 0 and order.filled_price is not None
    slippage = None
    if filled and order.filled_price is not None:
        slippage = (order.filled_price - market) * (1 if order.side == "BUY" else -1)
    said = reason if order.reason is None else f"{reason}; {order.reason}"
    return {
        "trade_id": order.client_order_id,
        "account": book.account,
        "mode": book.mode,
        "simulated": book.simulated,
        "timestamp": _text(order.submitted_at),
        "symbol": order.symbol,
        "ticker": intent.ticker if intent else order.symbol,
        "instrument": intent.instrument if intent else "STOCK",
        "leg": leg,
        "direction": order.side,
        "quantity": order.quantity,
        "filled_quantity": order.filled_quantity,
        "price": intent.price if intent else market,
        "filled_price": order.filled_price,
        "filled_at": _text(order.filled_at),
        "fees": order.fees,
        "slippage": slippage,
        "sentiment_change": intent.sentiment_change if intent else None,
        "confidence": intent.confidence if intent else None,
        "status": order.status,
        "reason": said,
        "realised": realised,
        "plan": plan if intent else None,
    }


def outcome_row(book: Book, outcome: Outcome) -> dict[str, Any]:
    """Return the row of `outcomes` of a closed position."""
    return {
        "account": book.account,
        "symbol": outcome.symbol,
        "ticker": outcome.ticker,
        "opened": outcome.opened.isoformat(),
        "entry_price": outcome.entry_price,
        "exit_price": outcome.exit_price,
        "quantity": outcome.quantity,
        "profit": outcome.profit,
        "return_rate": outcome.return_rate,
        "r_multiple": outcome.r_multiple,
        "held_sessions": outcome.held_sessions,
        "exit_reason": outcome.exit_reason,
        "mode": book.mode,
    }


def position_rows(book: Book) -> list[dict[str, Any]]:
    """Return the rows of `positions` of one account after a close, CASH among them."""
    account = {
        "account": book.account,
        "equity": book.equity,
        "previous_equity": book.previous_equity,
        "simulated": book.simulated,
        "mode": book.mode,
    }
    blank = dict.fromkeys(
        ("average_price", "mark", "opened", "stop", "target", "r", "peak", "ticker"), None
    )
    rows: list[dict[str, Any]] = [
        {
            **blank,
            **account,
            "symbol": "CASH",
            "instrument": "CASH",
            "quantity": book.cash,
            "market_value": book.cash,
            "unrealised": sum(h.unrealised for _, h in sorted(book.holdings.items())),
            "realised_today": sum(v for _, v in sorted(book.realised.items())),
        }
    ]
    rows += [
        {
            **account,
            "symbol": symbol,
            "ticker": h.ticker,
            "instrument": h.instrument,
            "quantity": h.quantity,
            "average_price": h.average_price,
            "mark": h.mark,
            "market_value": h.value,
            "unrealised": h.unrealised,
            "realised_today": book.realised.get(symbol, 0.0),
            "opened": h.opened.isoformat(),
            "stop": h.stop,
            "target": h.target,
            "r": h.r,
            "peak": h.peak,
        }
        for symbol, h in sorted(book.holdings.items())
    ]
    return rows


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
