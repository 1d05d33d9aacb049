"""From signals to intents: which positions a plan closes, which entries pass, and how large."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from cashtag import sessions
from cashtag.ports import Account, Position
from cashtag.trade import exits, gates, sizing
from cashtag.trade.books import Book
from cashtag.trade.intents import Decision, Intent
from cashtag.trade.market import Signal
from cashtag.trade.situation import Situation, Verdict

if TYPE_CHECKING:
    from cashtag.scrape.assets import Asset
    from cashtag.settings import Settings


class Desk:
    """The plan of one session while it grows, account by account."""

    def __init__(
        self,
        settings: Settings,
        session: date,
        books: Mapping[str, Book],
        partial: bool,
        assets: Mapping[str, Asset],
    ) -> None:
        self.settings, self.session, self.books, self.partial = settings, session, books, partial
        self.assets = assets
        self.intents: list[Intent] = []
        self.decisions: list[Decision] = []

    def plan_account(self, book: Book, signals: tuple[Signal, ...]) -> None:
        """Exits of held positions, then entries, the surest first."""
        acting = [s for s in signals if s.direction in ("BUY", "SELL")]
        for signal in sorted(acting, key=lambda s: s.ticker):
            if signal.direction == "SELL" and signal.ticker in book.holdings:
                self._exit(book, signal)
        entries = [s for s in acting if s.direction == "BUY" or s.ticker not in book.holdings]
        for signal in sorted(entries, key=_surest_first):
            self._entry(book, signal)

    def _exit(self, book: Book, signal: Signal) -> None:
        holding = book.holdings[signal.ticker]
        if self.partial:
            reason = "the day is partial: its signals close nothing, stops stay in force"
            said = Verdict("block", "partial", "complete", reason)
        else:
            said = Verdict("pass", "SELL", None, "SELL signal closes the position; no entry gate")
            self.intents.append(
                Intent(
                    account=book.account,
                    session=self.session,
                    symbol=holding.symbol,
                    ticker=holding.ticker,
                    instrument=holding.instrument,
                    leg="exit",
                    side="SELL",
                    quantity=holding.quantity,
                    price=holding.mark,
                    mode=book.mode,
                    reason="signal",
                    confidence=signal.confidence,
                    sentiment_change=signal.polarity_change,
                )
            )
        self._decide(book, signal, "exit", 0, "exit", said)

    def _entry(self, book: Book, signal: Signal) -> None:
        pending = tuple(i for i in self.intents if i.leg == "entry")
        situation = Situation(
            phase="plan",
            session=self.session,
            now=sessions.opens(self.session),
            settings=self.settings,
            mode=self.settings.trade.mode,
            account_simulated=self.settings.accounts[book.account].simulated,
            ticker=signal.ticker,
            direction=signal.direction,
            price=signal.close,
            account=Account(book.account, book.cash, book.equity, book.previous_equity, book.cash),
            exposure=sum(b.exposure for _, b in sorted(self.books.items()))
            + sum(i.quantity * i.price for i in pending),
            signal=signal,
            positions={
                s: Position(s, h.quantity, h.average_price, h.value)
                for s, h in sorted(book.holdings.items())
            },
            pending=tuple(i for i in pending if i.account == book.account),
            streak=book.streaks.get(signal.ticker),
            asset=self.assets.get(signal.ticker),
        )
        verdicts = gates.evaluate(situation)
        r = exits.r_dollars(signal, self.settings.trade.sizing)
        size: sizing.Size | None = None

        def measure(_: Situation) -> Verdict:
            nonlocal size
            assert signal.close is not None, f"{signal.ticker}: no last close"
            size = sizing.size(
                signal,
                self.settings.trade.sizing,
                price=signal.close,
                r=r,
                equity=book.equity,
                max_position=self.settings.stock(signal.ticker).max_position,
                statistics=book.statistics,
                rooms=gates.rooms(verdicts),
            )
            return gates.size_verdict(size)

        said = gates.judge(gates.Gate("size", ("plan",), measure), situation)
        verdicts += (("size", said),)
        for sequence, (name, verdict) in enumerate(verdicts):
            self._decide(book, signal, "entry", sequence, name, verdict)
        if any(v.verdict != "pass" for _, v in verdicts) or size is None or signal.close is None:
            return
        self.intents.append(
            Intent(
                account=book.account,
                session=self.session,
                symbol=signal.ticker,
                ticker=signal.ticker,
                instrument="STOCK",
                leg="entry",
                side="BUY",
                quantity=float(size.shares),
                price=signal.close,
                mode=self.settings.trade.mode,
                reason="signal",
                r=r,
                confidence=signal.confidence,
                sentiment_change=signal.polarity_change,
            )
        )

    def _decide(
        self, book: Book, signal: Signal, leg: str, sequence: int, gate: str, said: Verdict
    ) -> None:
        self.decisions.append(
            Decision(
                plan="",
                phase="plan",
                account=book.account,
                ticker=signal.ticker,
                instrument="STOCK",
                leg=leg,
                sequence=sequence,
                gate=gate,
                value=said.value,
                limit=said.limit,
                verdict=said.verdict,
                reason=said.reason,
                direction=signal.direction,
                mode=self.settings.trade.mode,
            )
        )


def _surest_first(signal: Signal) -> tuple[float, float, str]:
    """Confidence, then the size of the change, then the name: a total order."""
    return (
        -abs(signal.confidence or 0.0),
        -abs(signal.polarity_change or 0.0),
        signal.ticker,
    )
