"""What a gate looks at and what it answers: one candidate at one moment, and a verdict on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from cashtag.errors import TradeError
from cashtag.ports import Account, Order, Position
from cashtag.trade.intents import Intent, Phase
from cashtag.trade.market import Signal

if TYPE_CHECKING:
    from cashtag.scrape.assets import Asset
    from cashtag.settings import Settings
    from cashtag.trade.books import Streak


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's answer: what it saw, what it compared with, in words; `room` in dollars."""

    verdict: Literal["pass", "block", "error"]
    value: str | None
    limit: str | None
    reason: str
    room: float | None = None


@dataclass(frozen=True)
class Situation:
    """All that the gates of one candidate may look at, at one moment.

    `price` is dollars a share that the entry is expected to cost, None when unknown; `signal` is known to the plan
    phase only, as is `asset`: what the broker said of the stock at the session's run, None where
    it was not asked. `positions` are the account's own, `pending` its entries planned so far;
    `exposure` is the dollars held and planned in all accounts of the environment.
    """

    phase: Phase
    session: date
    now: datetime
    settings: Settings
    mode: str
    account_simulated: bool
    ticker: str
    direction: str
    price: float | None
    account: Account
    exposure: float
    signal: Signal | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)
    pending: tuple[Intent, ...] = ()
    orders: tuple[Order, ...] = ()
    streak: Streak | None = None
    market_open: bool | None = None
    asset: Asset | None = None

    @property
    def investable(self) -> float:
        """What the account may invest: its equity, at most the environment's max_portfolio.

        Shares (allocation, sector) are of this: 20 % of an equity that may not be invested would
        let the first stock take the whole portfolio.
        """
        limit: float = self.settings.for_environment(self.settings.trade.max_portfolio)
        return min(self.account.equity, limit)

    def held(self, symbols: Callable[[str], bool]) -> float:
        """Dollars held and planned in the symbols that fit."""
        held = sum(p.market_value for s, p in sorted(self.positions.items()) if symbols(s))
        return held + sum(i.quantity * i.price for i in self.pending if symbols(i.symbol))

    def known(self) -> Signal:
        """Return the signal. Raises TradeError in a phase that has none."""
        if self.signal is None:
            raise TradeError(f"{self.ticker}: no signal is known in the {self.phase} phase")
        return self.signal
