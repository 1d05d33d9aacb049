"""A broker that exists in memory only: fills at given prices, moved by hand through a session.

It knows nothing that was not given to it: a symbol without a price has no quote and no fill.
Market orders pay the ask and get the bid, which lie `slippage_bps` beside the price; a session
fills at most `max_volume_share` of the bar's volume, the rest of a day order lapses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from cashtag import sessions
from cashtag.errors import LedgerMismatch, TradeError
from cashtag.ports import Account, MarketClock, Order, OrderRequest, OrderStatus, Position, Quote
from cashtag.trade.books import WHOLE, Book

if TYPE_CHECKING:
    from cashtag.settings.trading import Simulation

_TOLERANCE = 1e-6  # dollars or shares: rounding of sums, far below a cent
_OPEN: tuple[OrderStatus, ...] = ("new", "accepted")


class SimulatedBroker:
    """One account for one session, a `cashtag.ports.Broker`.

    Args:
        book: the account as the session begins, corporate actions applied.
        session: whose orders these are.
        volumes: shares traded in the session by symbol; what is not there was not traded.
        costs: slippage, fees and the share of the volume that may be taken.
    """

    simulated = True

    def __init__(
        self, book: Book, session: date, volumes: Mapping[str, float], costs: Simulation
    ) -> None:
        self.name = book.account
        self._session = session
        self._costs = costs
        self._cash = book.cash
        self._previous_equity = book.previous_equity
        self._held = {s: (h.quantity, h.average_price) for s, h in book.holdings.items()}
        self._marks = {s: h.mark for s, h in book.holdings.items()}
        self._prices: dict[str, float] = {}
        self._capacity = {s: math.floor(v * costs.max_volume_share) for s, v in volumes.items()}
        self._orders: dict[str, Order] = {}
        self._at = sessions.opens(session)

    def move(self, at: datetime, prices: Mapping[str, float]) -> None:
        """Set the clock (UTC) and what trades at that moment; other symbols have no price."""
        if at.astimezone(UTC) < self._at:
            raise TradeError(f"the simulated clock stands at {self._at} and cannot go back to {at}")
        self._at = at
        self._prices = dict(prices)
        self._marks.update((s, p) for s, p in prices.items() if s in self._held)

    def account(self) -> Account:
        """Cash and equity at the last known prices; no margin: buying power is cash."""
        equity = self._cash + sum(p.market_value for p in self.positions())
        return Account(self.name, self._cash, equity, self._previous_equity, self._cash)

    def positions(self) -> Sequence[Position]:
        """What is held, by symbol."""
        return tuple(
            Position(s, quantity, average, quantity * self._marks[s])
            for s, (quantity, average) in sorted(self._held.items())
        )

    def quote(self, symbol: str) -> Quote | None:
        """Bid and ask around the price of this moment, or None without one."""
        price = self._prices.get(symbol)
        if price is None:
            return None
        slip = self._costs.slippage_bps / 1e4
        return Quote(symbol, price * (1 - slip), price * (1 + slip), self._at)

    def submit(self, request: OrderRequest) -> Order:
        """Fill what can be filled now. An id that was submitted before returns its order."""
        known = self._orders.get(request.client_order_id)
        if known is not None:
            return known
        order = self._filled(request)
        self._orders[order.client_order_id] = order
        return order

    def orders(self, session: date) -> Sequence[Order]:
        """Orders of the session, in the order of their submission."""
        return tuple(self._orders.values()) if session == self._session else ()

    def cancel(self, client_order_id: str) -> None:
        """Cancel an order that is still open; what is filled or over stays as it is."""
        order = self._orders.get(client_order_id)
        if order is None:
            raise TradeError(f"no order {client_order_id!r} at {self.name}; nothing to cancel")
        if order.status in _OPEN:
            self._orders[client_order_id] = replace(order, status="canceled")

    def clock(self) -> MarketClock:
        """The moment it was moved to."""
        is_open = sessions.opens(self._session) <= self._at <= sessions.closes(self._session)
        return MarketClock(self._at, is_open, self._session)

    def expire(self) -> None:
        """End the day: orders still open lapse."""
        for key, order in self._orders.items():
            if order.status in _OPEN:
                self._orders[key] = replace(order, status="expired", reason="the day ended")

    def _filled(self, request: OrderRequest) -> Order:
        order = Order(
            request.client_order_id,
            request.symbol,
            request.side,
            request.quantity,
            "accepted",
            submitted_at=self._at,
        )
        if not request.quantity > 0:
            return replace(order, status="rejected", reason=f"quantity {request.quantity:g}")
        quote = self.quote(request.symbol)
        if quote is None:
            reason = (
                f"no bar of {self._session}: halted, stale or missing, so nothing can be filled"
            )
            return replace(order, status="expired", reason=reason)
        buying = request.side == "BUY"
        price = quote.ask if buying else quote.bid
        limit = request.limit_price
        if limit is not None and (price > limit if buying else price < limit):
            return order  # waits for its limit
        held = self._held.get(request.symbol, (0.0, 0.0))[0]
        if not buying and request.quantity > held + WHOLE:
            return replace(order, status="rejected", reason=f"only {held:g} are held")
        capacity = self._capacity.get(request.symbol, 0)
        quantity = min(request.quantity, capacity)
        if quantity <= 0:
            return replace(order, status="expired", reason=self._thin(request.symbol))
        fees = self._costs.fee_per_order
        if buying and quantity * price + fees > self._cash + _TOLERANCE:
            reason = f"{quantity * price + fees:.2f} dollars needed, {self._cash:.2f} there"
            return replace(order, status="rejected", reason=reason)
        self._book(request.symbol, quantity if buying else -quantity, price, fees)
        whole = quantity >= request.quantity
        return replace(
            order,
            status="filled" if whole else "partially_filled",
            filled_quantity=quantity,
            filled_price=price,
            filled_at=self._at,
            fees=fees,
            reason=None if whole else self._thin(request.symbol),
        )

    def _thin(self, symbol: str) -> str:
        return f"at most {self._costs.max_volume_share:.2%} of {symbol}'s volume is filled"

    def _book(self, symbol: str, signed: float, price: float, fees: float) -> None:
        quantity, average = self._held.get(symbol, (0.0, 0.0))
        self._capacity[symbol] -= math.ceil(abs(signed))
        self._cash -= signed * price + fees
        after = quantity + signed
        if signed > 0:
            average = (quantity * average + signed * price) / after
        self._marks[symbol] = self._prices[symbol]
        if after > WHOLE:
            self._held[symbol] = (after, average)
        else:
            self._held.pop(symbol, None)
            self._marks.pop(symbol, None)


def reconcile(book: Book, cash: float, positions: Sequence[Position]) -> None:
    """Compare the book, which was derived from fills, with what the broker says it holds.

    Raises:
        LedgerMismatch: cash or a position differs; nothing may be decided on such a book.
    """
    ours = {s: h.quantity for s, h in book.holdings.items()}
    theirs = {p.symbol: p.quantity for p in positions}
    faults = [
        f"{s}: ours {ours.get(s, 0):g}, theirs {theirs.get(s, 0):g}"
        for s in sorted(ours.keys() | theirs.keys())
        if abs(ours.get(s, 0.0) - theirs.get(s, 0.0)) > _TOLERANCE
    ]
    if abs(book.cash - cash) > _TOLERANCE * max(1.0, abs(cash)):
        faults.append(f"cash: ours {book.cash:.2f}, theirs {cash:.2f}")
    if faults:
        raise LedgerMismatch(
            f"account {book.account} does not add up ({'; '.join(faults)}); trading halts until "
            "the fills in the ledger explain what the broker holds"
        )
