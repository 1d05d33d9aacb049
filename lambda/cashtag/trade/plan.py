"""Plan a session: signals and books in, order intents and every gate's word out, into the ledger.

The plan's id is a hash of its content, so planning twice is planning once. Until the session is
frozen a plan with other inputs replaces the former; afterwards it is refused, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from cashtag import sessions
from cashtag.errors import SettingsError
from cashtag.ports import Account, Position
from cashtag.trade import exits, gates, ledger, replay, settle, sizing, tables
from cashtag.trade.books import Book
from cashtag.trade.gates import Situation, Verdict
from cashtag.trade.intents import Decision, Intent, digest12
from cashtag.trade.market import Signal, read_signals

if TYPE_CHECKING:
    from cashtag.ports import Env
    from cashtag.settings import Settings

Status = Literal["planned", "unchanged", "frozen", "refused"]


@dataclass(frozen=True)
class Plan:
    """A session's plan as it stands.

    `status`: `planned` (this call wrote it), `unchanged` (it was there), `frozen` (the session is
    being or was executed; what stands is what was frozen), `refused` (nothing can be planned).
    `note` says in words what is unusual. `signals` are those with a direction.
    """

    session: date
    mode: str
    status: Status
    id: str | None = None
    intents: tuple[Intent, ...] = ()
    decisions: tuple[Decision, ...] = ()
    signals: tuple[Signal, ...] = ()
    n_signals: int = 0
    partial: bool = False
    books: Mapping[str, Book] | None = None
    note: str | None = None

    @property
    def blocked(self) -> tuple[tuple[str, str, tuple[Decision, ...]], ...]:
        """(account, ticker, the rows that blocked it) of every candidate without an intent."""
        found: dict[tuple[str, str], list[Decision]] = {}
        for row in self.decisions:
            if row.verdict != "pass":
                found.setdefault((row.account, row.ticker), []).append(row)
        return tuple((account, ticker, tuple(rows)) for (account, ticker), rows in found.items())


def accounts(settings: Settings) -> tuple[str, ...]:
    """Return the accounts that trade, sorted.

    Raises:
        SettingsError: one of them, or `trade.desk`, needs the options desk, which is not here.
    """
    if settings.trade.desk != "stocks":
        raise SettingsError(
            f"trade.desk = {settings.trade.desk!r}: the options desk is not available in this "
            "version; set trade.desk to 'stocks'"
        )
    for name in settings.trade.accounts:
        if settings.accounts[name].kind != "STOCK":
            raise SettingsError(
                f"trade.accounts names {name!r}, whose kind is {settings.accounts[name].kind}: the "
                "options desk is not available in this version; take it out of trade.accounts"
            )
    return tuple(sorted(set(settings.trade.accounts)))


def plan(env: Env, session: date) -> Plan:
    """Plan `session` from its signals and the books after the session before it.

    To be called on the session's own run, after `settle`.

    Raises:
        SettingsError: an account that this desk cannot trade for.
        TradeError: the session has no signals.
    """
    store, mode = env.lake.ledger, env.settings.trade.mode
    names = accounts(env.settings)
    frozen = ledger.frozen(store, session)
    if frozen is not None:
        base = frozen.base
    else:
        before = sessions.previous_session(session)
        chain = ledger.chain(store, before)
        base = chain.base
        if chain.sessions:
            note = f"the books end before {before}; settle it first"
            return Plan(session, mode, "refused", note=note)
        if base is None and (later := [s for s in ledger.settled_sessions(store) if s > session]):
            note = (
                f"the ledger begins after {session} (first settled session {later[0]}) and only "
                "grows forward; take a new lake to trade earlier sessions"
            )
            return Plan(session, mode, "refused", note=note)
    made = _make(env, session, names, base)
    recorded, written = ledger.record_plan(store, session, made.body)
    tables.project(env, session)
    if recorded is None:
        return _late(env, session, made)
    status: Status = "planned" if written else "unchanged" if frozen is None else "frozen"
    return made.standing(status)


@dataclass(frozen=True)
class _Made:
    """A plan as computed, before the ledger has said whether it stands."""

    body: dict[str, Any]
    signals: tuple[Signal, ...]
    books: Mapping[str, Book]

    def standing(self, status: Status) -> Plan:
        return _plan_of(self.body, self, status)


def _plan_of(body: dict[str, Any], made: _Made, status: Status, note: str | None = None) -> Plan:
    return Plan(
        session=date.fromisoformat(body["session"]),
        mode=body["mode"],
        status=status,
        id=body["plan"],
        intents=tuple(Intent.of(i) for i in body["intents"]),
        decisions=tuple(Decision(**d) for d in body["decisions"]),
        signals=tuple(s for s in made.signals if s.direction != "HOLD"),
        n_signals=len(made.signals),
        partial=body["partial"],
        books=made.books,
        note=note,
    )


def _late(env: Env, session: date, made: _Made) -> Plan:
    """What stands is what was frozen; the late plan leaves no trace but this note."""
    stands = ledger.plans(env.lake.ledger, session)
    note = f"session {session} was executed before this plan; its inputs have changed since"
    if not stands:
        note = f"session {session} was settled without a plan; a late one is refused"
        return Plan(session, env.settings.trade.mode, "refused", books=made.books, note=note)
    return _plan_of(stands[-1].body, made, "frozen", note)


def _make(env: Env, session: date, names: tuple[str, ...], base: date | None) -> _Made:
    settings = env.settings
    signals, state = read_signals(env, session)
    stock = tuple(s for s in signals if s.kind == "STOCK")
    held = settle.books_after(env, base)
    opened = settle.opening_books(settings, held)
    books = {**held, **opened}
    partial = any(s.partial for s in signals)
    inputs = {
        "kind": "plan",
        "session": session.isoformat(),
        "mode": settings.trade.mode,
        "config_hash": settings.config_hash(),
        "signals": state,
        "base": base.isoformat() if base else None,
        "partial": partial,
        "opened": {name: tables.book_body(book) for name, book in sorted(opened.items())},
    }
    desk = _Desk(settings, session, books, partial)
    for name in names:
        desk.plan_account(books[name], stock)
    intents = [i.body() for i in desk.intents]
    rows = [d.body() for d in desk.decisions]
    plan_id = digest12({**inputs, "intents": intents, "decisions": rows})
    decisions = [{**row, "plan": plan_id} for row in rows]
    body = {**inputs, "plan": plan_id, "intents": intents, "decisions": decisions}
    return _Made(body, stock, books)


class _Desk:
    """The plan of one session while it grows, account by account."""

    def __init__(
        self, settings: Settings, session: date, books: Mapping[str, Book], partial: bool
    ) -> None:
        self.settings, self.session, self.books, self.partial = settings, session, books, partial
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
            return replay.size_verdict(size)

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
