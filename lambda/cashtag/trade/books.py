"""An account's book: cash, holdings and running statistics, moved by fills and corporate actions.

Values are frozen; every function returns a new book. Dollars throughout, prices as traded.
At any moment cash + holdings' value = opening equity + realised + dividends + unrealised - fees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from cashtag.errors import TradeError

WHOLE = 1e-9  # shares; less than this is the rounding error of a split, not a holding


@dataclass(frozen=True, slots=True)
class Holding:
    """A long position. `stop` is the stop in force; `trailing` says that it has moved up.

    `sold`, `proceeds` and `gain` carry what earlier partial exits of the same position brought,
    so that its outcome can be told when the last share is gone.
    """

    symbol: str
    ticker: str
    instrument: str
    quantity: float
    average_price: float
    mark: float
    opened: date
    held: int  # sessions, that of the entry included
    r: float | None = None
    stop: float | None = None
    target: float | None = None
    peak: float = 0.0
    trailing: bool = False
    fees: float = 0.0
    income: float = 0.0
    sold: float = 0.0
    proceeds: float = 0.0
    gain: float = 0.0

    @property
    def value(self) -> float:
        """Market value at the mark, dollars."""
        return self.quantity * self.mark

    @property
    def unrealised(self) -> float:
        """Gain of the shares still held, before fees, dollars."""
        return self.quantity * (self.mark - self.average_price)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Closed trades of an account since it was opened; what half-Kelly reads."""

    trades: int = 0
    wins: int = 0
    won: float = 0.0  # dollars, sum of the profits above zero
    lost: float = 0.0  # dollars, sum of the others, as a positive number


@dataclass(frozen=True, slots=True)
class Streak:
    """Losses in a row of one ticker, and the session of the last."""

    losses: int
    last: date


@dataclass(frozen=True, slots=True)
class Outcome:
    """A position that was closed."""

    symbol: str
    ticker: str
    opened: date
    entry_price: float
    exit_price: float
    quantity: float
    profit: float  # after fees, with dividends
    r_multiple: float | None
    held_sessions: int
    exit_reason: str

    @property
    def return_rate(self) -> float:
        """Profit / cost."""
        return self.profit / (self.entry_price * self.quantity)


@dataclass(frozen=True)
class Book:
    """One account after a session's close, or at a moment within a session.

    `realised` holds, per symbol, today's gains of closing fills plus dividends minus fees.
    """

    account: str
    kind: str
    strategy: str
    mode: str
    simulated: bool
    cash: float
    equity: float
    previous_equity: float
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    realised: Mapping[str, float] = field(default_factory=dict)
    statistics: Statistics = Statistics()
    streaks: Mapping[str, Streak] = field(default_factory=dict)

    @property
    def exposure(self) -> float:
        """Value of all holdings at their marks, dollars."""
        return sum(h.value for _, h in sorted(self.holdings.items()))


def opened(account: str, equity: float, kind: str, strategy: str, mode: str = "simulated") -> Book:
    """Return the book of an account that has never traded: all cash."""
    return Book(account, kind, strategy, mode, mode == "simulated", equity, equity, equity)


def start_session(book: Book) -> Book:
    """Return the book as a session begins: yesterday's equity remembered, holdings a day older."""
    return replace(
        book,
        previous_equity=book.equity,
        realised={},
        holdings={s: replace(h, held=h.held + 1) for s, h in book.holdings.items()},
    )


def apply_split(book: Book, symbol: str, ratio: float) -> Book:
    """Return the book after `ratio` new shares for each old one; values stay, prices shrink.

    Fractions of shares are kept, so that no price for cash in lieu has to be invented.
    """
    if ratio <= 0:
        raise TradeError(f"split of {symbol} = {ratio}: new shares per old one must be above 0")
    h = book.holdings[symbol]
    new = replace(
        h,
        quantity=h.quantity * ratio,
        sold=h.sold * ratio,
        average_price=h.average_price / ratio,
        mark=h.mark / ratio,
        peak=h.peak / ratio,
        r=None if h.r is None else h.r / ratio,
        stop=None if h.stop is None else h.stop / ratio,
        target=None if h.target is None else h.target / ratio,
    )
    return replace(book, holdings={**book.holdings, symbol: new})


def apply_dividend(book: Book, symbol: str, per_share: float) -> Book:
    """Return the book after a dividend on the shares held into the ex-date, paid at once."""
    h = book.holdings[symbol]
    paid = h.quantity * per_share
    return replace(
        book,
        cash=book.cash + paid,
        holdings={**book.holdings, symbol: replace(h, income=h.income + paid)},
        realised=_added(book.realised, symbol, paid),
    )


def buy(book: Book, symbol: str, quantity: float, price: float, fees: float, session: date) -> Book:
    """Return the book after a BUY fill; a further buy averages the cost.

    The new holding has no exits yet: `exits.arm` sets R, stop and target from the fill.
    """
    _positive(symbol, quantity, price)
    h = book.holdings.get(symbol)
    if h is None:
        h = Holding(
            symbol, symbol, "STOCK", quantity, price, price, session, 1, peak=price, fees=fees
        )
    else:
        total = h.quantity + quantity
        average = (h.quantity * h.average_price + quantity * price) / total
        h = replace(h, quantity=total, average_price=average, mark=price, fees=h.fees + fees)
    return replace(
        book,
        cash=book.cash - quantity * price - fees,
        holdings={**book.holdings, symbol: h},
        realised=_added(book.realised, symbol, -fees),
    )


def sell(
    book: Book, symbol: str, quantity: float, price: float, fees: float, session: date, reason: str
) -> tuple[Book, float, Outcome | None]:
    """Return the book after a SELL fill, the gain before fees, and the outcome when all is sold.

    Raises:
        TradeError: more is sold than is held; short selling is not built.
    """
    _positive(symbol, quantity, price)
    h = book.holdings.get(symbol)
    if h is None or quantity > h.quantity + WHOLE:
        raise TradeError(
            f"account {book.account}: a sale of {quantity:g} {symbol} where "
            f"{h.quantity if h else 0:g} are held; short selling is not built"
        )
    gain = quantity * (price - h.average_price)
    after = replace(
        h,
        quantity=h.quantity - quantity,
        mark=price,
        fees=h.fees + fees,
        sold=h.sold + quantity,
        proceeds=h.proceeds + quantity * price,
        gain=h.gain + gain,
    )
    book = replace(
        book,
        cash=book.cash + quantity * price - fees,
        realised=_added(book.realised, symbol, gain - fees),
    )
    if after.quantity > WHOLE:
        return replace(book, holdings={**book.holdings, symbol: after}), gain, None
    left = {s: x for s, x in book.holdings.items() if s != symbol}
    outcome = _outcome(after, reason)
    return (
        replace(
            book,
            holdings=left,
            statistics=_counted(book.statistics, outcome.profit),
            streaks=_streaks(book.streaks, outcome, session),
        ),
        gain,
        outcome,
    )


def mark(book: Book, prices: Mapping[str, float]) -> Book:
    """Return the book valued at `prices`; a symbol without one keeps its last mark."""
    holdings = {s: replace(h, mark=prices.get(s, h.mark)) for s, h in book.holdings.items()}
    book = replace(book, holdings=holdings)
    return replace(book, equity=book.cash + book.exposure)


def _outcome(h: Holding, reason: str) -> Outcome:
    profit = h.gain + h.income - h.fees
    return Outcome(
        symbol=h.symbol,
        ticker=h.ticker,
        opened=h.opened,
        entry_price=h.average_price,
        exit_price=h.proceeds / h.sold,
        quantity=h.sold,
        profit=profit,
        r_multiple=profit / (h.r * h.sold) if h.r else None,
        held_sessions=h.held,
        exit_reason=reason,
    )


def _counted(s: Statistics, profit: float) -> Statistics:
    if profit > 0:
        return replace(s, trades=s.trades + 1, wins=s.wins + 1, won=s.won + profit)
    return replace(s, trades=s.trades + 1, lost=s.lost - profit)


def _streaks(
    streaks: Mapping[str, Streak], outcome: Outcome, session: date
) -> Mapping[str, Streak]:
    # Only losing streaks are kept, so the book stays as small as the number of losers.
    rest = {t: s for t, s in streaks.items() if t != outcome.ticker}
    if outcome.profit > 0:
        return rest
    before = streaks.get(outcome.ticker)
    return {**rest, outcome.ticker: Streak((before.losses if before else 0) + 1, session)}


def _added(realised: Mapping[str, float], symbol: str, amount: float) -> Mapping[str, float]:
    return {**realised, symbol: realised.get(symbol, 0.0) + amount}


def _positive(symbol: str, quantity: float, price: float) -> None:
    if not (quantity > 0 and price > 0):
        raise TradeError(
            f"fill of {symbol}: quantity {quantity:g} at {price:g}; both must be above 0"
        )
