"""One session of one account on a simulated clock: corporate actions, execute, manage, close.

A pure function of what was frozen, the books before, the bars and the settings. Orders go to the
broker; the book is derived from the fills it reports, and both must agree at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from cashtag import sessions
from cashtag.ports import Order, OrderRequest
from cashtag.trade import books, exits, gates, rows, sizing
from cashtag.trade.books import Book
from cashtag.trade.intents import Decision, Intent, client_order_id
from cashtag.trade.simulated import SimulatedBroker, reconcile
from cashtag.trade.situation import Situation, Verdict

if TYPE_CHECKING:
    from cashtag.settings import Settings
    from cashtag.trade.market import Bar

NO_PLAN = "none"
_MOMENTS = ("open", "intraday", "close")


@dataclass
class Account:
    """One account while its session is replayed; `trades`, `outcomes`, `decisions` are rows."""

    book: Book
    broker: SimulatedBroker
    session: date
    bars: Mapping[str, Bar]
    settings: Settings
    plan: str
    trades: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


def begin(
    book: Book, session: date, bars: Mapping[str, Bar], settings: Settings, plan: str | None
) -> Account:
    """Open the session: splits, then dividends on the shares held into the ex-date."""
    book = books.start_session(book)
    for symbol in sorted(book.holdings):
        bar = bars.get(symbol)
        if bar is not None and bar.split:
            book = books.apply_split(book, symbol, bar.split)
        if bar is not None and bar.dividend:
            book = books.apply_dividend(book, symbol, bar.dividend)
    volumes = {symbol: bar.volume for symbol, bar in bars.items()}
    broker = SimulatedBroker(book, session, volumes, settings.trade.simulation)
    broker.move(sessions.opens(session), {s: bar.open for s, bar in bars.items()})
    return Account(book, broker, session, bars, settings, plan or NO_PLAN)


def execute(
    account: Account, intents: tuple[Intent, ...], vetoes: frozenset[str], others: float
) -> None:
    """Submit what was planned, at the open: exits first, then entries that pass their gates.

    `others` is the exposure of the environment's other accounts at this moment, dollars.
    """
    for intent in sorted(intents, key=lambda i: i.leg != "exit"):  # stable: the plan's own order
        if intent.id in vetoes:
            said = Verdict("block", "vetoed", None, "a person vetoed the order")
            _decide(account, intent, 0, "veto", said)
        elif intent.leg == "exit":
            _signal_exit(account, intent)
        else:
            _enter(account, intent, others)


def manage(account: Account) -> None:
    """Close what the day's bars close. Without a bar nothing happens: no quote is invented."""
    strategy, settings = account.book.strategy, account.settings.trade.exits
    due = []
    for symbol, holding in sorted(account.book.holdings.items()):
        bar = account.bars.get(symbol)
        if bar is None:
            continue
        found = exits.decide(
            holding,
            bar,
            entered_today=holding.opened == account.session,
            max_sessions=exits.longest(strategy, settings),
            day=strategy == "day",
        )
        if found is not None:
            due.append((_MOMENTS.index(found.moment), symbol, found))
    for number, symbol, found in sorted(due, key=lambda d: d[:2]):
        # When a level was touched is not in a daily bar: at the close it is known at the latest.
        at = sessions.opens(account.session) if number == 0 else sessions.closes(account.session)
        account.broker.move(at, {symbol: found.price})
        holding = account.book.holdings[symbol]
        leg, attempt = (
            "exit",
            1 + sum(t["symbol"] == symbol and t["leg"] == "exit" for t in account.trades),
        )
        request = OrderRequest(
            client_order_id(account.book.account, account.session, symbol, leg, attempt),
            symbol,
            "SELL",
            holding.quantity,
        )
        order = account.broker.submit(request)
        said = Verdict("pass", f"{found.price:.4g}", None, f"{found.reason}: {found.text}")
        _row_decision(
            account, symbol, leg if attempt == 1 else f"{leg}-{attempt}", "SELL", 0, "exit", said
        )
        _apply(account, order, leg, found.price, found.reason, None)


def close(account: Account) -> None:
    """Value the book at the closes, trail the stops, and compare it with the broker's."""
    closes = {s: b.close for s, b in account.bars.items() if s in account.book.holdings}
    account.broker.move(sessions.closes(account.session), closes)
    account.broker.expire()
    reconcile(account.book, account.broker.account().cash, account.broker.positions())
    account.book = books.mark(account.book, closes)
    account.book = exits.trail(account.book, closes, account.settings.trade.exits)


def _signal_exit(account: Account, intent: Intent) -> None:
    holding = account.book.holdings.get(intent.symbol)
    if holding is None:
        _decide(
            account,
            intent,
            0,
            "exit",
            Verdict("block", "0", "a position", "nothing is held any more"),
        )
        return
    said = Verdict("pass", f"{holding.quantity:g}", None, "exits pass no entry gate")
    _decide(account, intent, 0, "exit", said)
    request = OrderRequest(
        intent.client_order_id, intent.symbol, "SELL", holding.quantity, time_in_force="opg"
    )
    order = account.broker.submit(request)
    _apply(account, order, "exit", _reference(account, intent), "signal", intent)


def _enter(account: Account, intent: Intent, others: float) -> None:
    broker, settings = account.broker, account.settings
    quote, state = broker.quote(intent.symbol), broker.account()
    price = quote.ask if quote is not None else intent.price
    clock = broker.clock()
    positions = {p.symbol: p for p in broker.positions()}
    situation = Situation(
        phase="execute",
        session=account.session,
        now=clock.at,
        settings=settings,
        mode=settings.trade.mode,
        account_simulated=account.book.simulated,
        ticker=intent.ticker,
        direction=intent.side,
        price=price,
        account=state,
        exposure=others + sum(p.market_value for p in positions.values()),
        positions=positions,
        orders=tuple(broker.orders(account.session)),
        market_open=clock.is_open,
    )
    verdicts = gates.evaluate(situation)
    size = sizing.fitting(intent.quantity, price, gates.rooms(verdicts))
    verdicts += (("size", gates.size_verdict(size)),)
    for sequence, (name, said) in enumerate(verdicts):
        _decide(account, intent, sequence, name, said)
    if any(said.verdict != "pass" for _, said in verdicts):
        return
    request = OrderRequest(
        intent.client_order_id, intent.symbol, intent.side, float(size.shares), time_in_force="opg"
    )
    _apply(
        account, broker.submit(request), "entry", _reference(account, intent), intent.reason, intent
    )


def _reference(account: Account, intent: Intent) -> float:
    bar = account.bars.get(intent.symbol)
    return bar.open if bar is not None else intent.price


def _apply(
    account: Account, order: Order, leg: str, market: float, reason: str, intent: Intent | None
) -> None:
    """Derive the book from a fill, and note the order."""
    realised: float | None = None
    if order.filled_quantity > 0 and order.filled_price is not None:
        quantity, price = order.filled_quantity, order.filled_price
        if order.side == "BUY":
            book = books.buy(
                account.book, order.symbol, quantity, price, order.fees, account.session
            )
            account.book = exits.arm(
                book, order.symbol, _r_today(account, intent), account.settings.trade.exits
            )
        else:
            account.book, realised, outcome = books.sell(
                account.book, order.symbol, quantity, price, order.fees, account.session, reason
            )
            if outcome is not None:
                account.outcomes.append(rows.outcome_row(account.book, outcome))
    account.trades.append(
        rows.trade_row(account.book, account.plan, order, leg, market, reason, intent, realised)
    )


def _r_today(account: Account, intent: Intent | None) -> float | None:
    """One R of a new holding: a split of this very session came after the plan measured it."""
    if intent is None or intent.r is None:
        return None
    bar = account.bars.get(intent.symbol)
    return intent.r / bar.split if bar is not None and bar.split else intent.r


def _decide(account: Account, intent: Intent, sequence: int, gate: str, said: Verdict) -> None:
    _row_decision(account, intent.ticker, intent.leg, intent.side, sequence, gate, said)


def _row_decision(
    account: Account, ticker: str, leg: str, side: str, sequence: int, gate: str, said: Verdict
) -> None:
    # A vetoed exit may be followed by a stop of the same position: the rows count on.
    sequence += (
        sum((d.ticker, d.leg) == (ticker, leg) for d in account.decisions) if leg != "entry" else 0
    )
    account.decisions.append(
        Decision(
            plan=account.plan,
            phase="execute",
            account=account.book.account,
            ticker=ticker,
            instrument="STOCK",
            leg=leg,
            sequence=sequence,
            gate=gate,
            value=said.value,
            limit=said.limit,
            verdict=said.verdict,
            reason=said.reason,
            direction=side,
            mode=account.book.mode,
        )
    )
