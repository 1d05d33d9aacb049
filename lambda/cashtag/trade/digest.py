"""The day's digest in words: what the last session brought, what is planned, what is not and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cashtag.trade.books import Book
    from cashtag.trade.plan import Plan
    from cashtag.trade.settle import Settled

_NOTHING = "  none"


def digest(plan: Plan, settled: Settled | None = None) -> tuple[str, str]:
    """Return subject and text, plain, each beginning with `[SIMULATED]`, `[PAPER]` or `[REAL]`."""
    mark = prefix(plan.mode)
    entries = sum(i.leg == "entry" for i in plan.intents)
    leaving = len(plan.intents) - entries
    blocked = len(plan.blocked)
    subject = (
        f"{mark} Digest {plan.session}: {entries} to buy, {leaving} to sell, {blocked} blocked"
    )
    lines = [f"{mark} Plan of {plan.session} ({plan.status}{f', {plan.id}' if plan.id else ''})"]
    if plan.note:
        lines.append(plan.note)
    if plan.partial:
        lines.append("The day is partial: nothing new is bought.")
    lines += ["", *_signals(plan), "", *_orders(plan), "", *_blocked(plan)]
    if settled is not None:
        lines += ["", *_last_session(settled)]
    lines += ["", *_portfolio(plan)]
    return subject, "\n".join(lines) + "\n"


def prefix(mode: str) -> str:
    """Return how messages of a mode begin: nobody takes a simulated trade for a real one."""
    return {"simulated": "[SIMULATED]", "paper": "[PAPER]"}.get(mode, "[REAL]")


def trade_alert(row: dict[str, Any]) -> tuple[str, str]:
    """Return subject and text of one order, a row of `trades`."""
    mark = prefix(row["mode"])
    what = f"{row['status']}, nothing filled"
    if row["filled_price"] is not None:
        what = f"{row['filled_quantity']:g} of {row['quantity']:g} at ${row['filled_price']:,.2f}"
    text = f"{mark} {row['account']}: {row['direction']} {row['symbol']}, {what} ({row['reason']})"
    if row["realised"] is not None:
        text += f", realised {_signed(row['realised'])}"
    return f"{mark} Trade Alert: {row['direction']} {row['symbol']}", text + "\n"


def _signals(plan: Plan) -> Iterator[str]:
    yield f"Signals ({len(plan.signals)} of {plan.n_signals} tickers)"
    for s in sorted(plan.signals, key=lambda s: (s.direction, s.ticker)):
        change = "unknown" if s.polarity_change is None else f"{s.polarity_change:+.3f}"
        sure = "unknown" if s.confidence is None else f"{s.confidence:.2f}"
        yield f"  {s.direction:<4} {s.ticker:<6} sentiment {change}, confidence {sure}"
    if not plan.signals:
        yield _NOTHING


def _orders(plan: Plan) -> Iterator[str]:
    yield "Orders for the open"
    for i in plan.intents:
        worth = f"{i.quantity:g} at about ${i.price:,.2f} = ${i.quantity * i.price:,.0f}"
        risk = f", risk ${i.r:,.2f} a share" if i.r else ""
        yield f"  {i.side:<4} {i.symbol:<6} {worth}{risk} ({i.account})"
    if not plan.intents:
        yield _NOTHING


def _blocked(plan: Plan) -> Iterator[str]:
    yield "Not traded, and why"
    for account, ticker, rows in plan.blocked:
        first, more = rows[0], len(rows) - 1
        also = f"; and {more} more: {', '.join(r.gate for r in rows[1:])}" if more else ""
        yield f"  {ticker:<6} {first.gate}: {first.reason}{also} ({account})"
    if not plan.blocked:
        yield _NOTHING


def _last_session(settled: Settled) -> Iterator[str]:
    yield f"Session {settled.session}"
    if settled.postponed:
        yield f"  {settled.postponed}"
        return
    for row in settled.trades:
        if row["filled_price"] is None:
            yield f"  {row['direction']:<4} {row['symbol']:<6} {row['status']}: {row['reason']}"
            continue
        gain = "" if row["realised"] is None else f", realised {_signed(row['realised'])}"
        price = f"{row['filled_quantity']:g} at ${row['filled_price']:,.2f}"
        yield f"  {row['direction']:<4} {row['symbol']:<6} {price} ({row['reason']}){gain}"
    stopped = [r for r in settled.decisions if r["verdict"] != "pass"]
    for row in stopped:
        yield f"  {row['ticker']:<6} blocked at the open by {row['gate']}: {row['reason']}"
    if not settled.trades and not stopped:
        yield _NOTHING


def _portfolio(plan: Plan) -> Iterator[str]:
    yield "Portfolio"
    for name, book in sorted((plan.books or {}).items()):
        yield from _account(name, book)
    if not plan.books:
        yield _NOTHING


def _account(name: str, book: Book) -> Iterator[str]:
    change = book.equity - book.previous_equity
    yield f"  {name}: equity ${book.equity:,.2f} ({_signed(change)}), cash ${book.cash:,.2f}"
    for symbol, h in sorted(book.holdings.items()):
        levels = "" if h.stop is None else f", stop {h.stop:,.2f}"
        levels += "" if h.target is None else f", target {h.target:,.2f}"
        yield (
            f"    {symbol:<6} {h.quantity:g} at {h.average_price:,.2f}, now {h.mark:,.2f} "
            f"({_signed(h.unrealised)}), {h.held} sessions{levels}"
        )


def _signed(dollars: float) -> str:
    return f"{'-' if dollars < 0 else '+'}${abs(dollars):,.2f}"
