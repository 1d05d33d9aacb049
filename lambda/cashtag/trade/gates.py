"""The entry gates: small questions, each with the phases in which it speaks.

Every gate of a phase is asked, also after one has blocked, so that `decisions` shows how often
each of them fires; one block or error is enough. A gate that raises or lacks its input records
`error`, and that blocks (fail closed). Gates over dollars also tell how much room they leave;
the size of an order is what fits into all rooms. Exits pass through none of this.

    gate                  plan  execute   passes when
    kill_switch            x      x       the switch is off
    mode                   x      x       mode and account are simulated
    market_hours                  x       the broker's clock says open (or the setting does not ask)
    day_complete           x              no run of the session is missing or incomplete
    fresh                  x              the signal is recent and its last bar is yesterday's
    tradable               x              a listed stock, not a fund or a dead symbol, nor refused
                                         by the broker's own list of that run, where there is one
    trading_enabled        x      x       the watchlist allows it
    confidence             x              |confidence| >= the environment's and the symbol's threshold
    duplicate              x      x       nothing of it is held or planned
    max_positions          x      x       fewer are held and planned
    max_portfolio          x      x       the environment's dollars have room
    allocation             x      x       the stock's share has room
    trades_per_stock_day   x      x       fewer orders of it today
    cooldown                      x       its last order lies further back
    daily_loss                    x       the loss since yesterday's close is smaller
    position               x              a sale needs shares: short selling is not built
    regime                 x              the multiplier is known and above zero
    sector_cap             x      x       the sector's share has room
    buying_power           x      x       there is cash
    pause_after_losses     x              no losing streak, or the pause is over
    size                   x      x       one whole share at least
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cashtag import sessions, tickers
from cashtag.errors import TradeError
from cashtag.trade.intents import Phase
from cashtag.trade.situation import Situation, Verdict
from cashtag.trade.sizing import Size

if TYPE_CHECKING:
    from cashtag.settings import Settings

UNKNOWN_SECTOR = "unknown"
_PURCHASES = "limits purchases only"


@dataclass(frozen=True, slots=True)
class Gate:
    """A named question and the phases in which it is asked."""

    name: str
    phases: tuple[Phase, ...]
    ask: Callable[[Situation], Verdict]


def judge(gate: Gate, situation: Situation) -> Verdict:
    """Ask one gate; whatever it raises is an `error` that blocks."""
    try:
        return gate.ask(situation)
    except Exception as error:  # fail closed: no fault of a gate may let an entry through
        return Verdict("error", None, None, f"{type(error).__name__}: {error}")


def evaluate(
    situation: Situation, gates: tuple[Gate, ...] | None = None
) -> tuple[tuple[str, Verdict], ...]:
    """Ask every gate that speaks in the situation's phase, in order."""
    asked = GATES if gates is None else gates
    return tuple((g.name, judge(g, situation)) for g in asked if situation.phase in g.phases)


def rooms(verdicts: tuple[tuple[str, Verdict], ...]) -> dict[str, float]:
    """Return the dollars each gate leaves, of those that speak of dollars."""
    return {name: v.room for name, v in verdicts if v.room is not None}


def size_verdict(size: Size) -> Verdict:
    """The last gate's word: one whole share at least."""
    reason = f"{size.shares} shares, limited by {size.limited_by}"
    return Verdict("pass" if size.shares >= 1 else "block", str(size.shares), "1", reason)


def _say(ok: bool, value: object, limit: object, reason: str, room: float | None = None) -> Verdict:
    return Verdict("pass" if ok else "block", str(value), str(limit), reason, room)


def _kill_switch(s: Situation) -> Verdict:
    on = s.settings.trade.kill_switch
    return _say(not on, on, False, f"the kill switch is {'on: no entries' if on else 'off'}")


def _mode(s: Situation) -> Verdict:
    if s.mode != "simulated":
        return _say(False, s.mode, "simulated", f"mode {s.mode} needs the broker, see cashtag mode")
    if not s.account_simulated:
        reason = f"account {s.account.name} is real and needs the broker, see cashtag mode"
        return _say(False, "real account", "simulated", reason)
    return _say(True, s.mode, "simulated", "orders are simulated: no money moves")


def _market_hours(s: Situation) -> Verdict:
    if s.market_open is None:
        raise TradeError("the broker's clock says nothing of the market")
    asked = s.settings.for_environment(s.settings.trade.market_hours_only)
    state = "open" if s.market_open else "closed"
    return _say(s.market_open or not asked, state, "open" if asked else "any", f"market is {state}")


def _day_complete(s: Situation) -> Verdict:
    partial = s.known().partial
    reason = "the day is partial: a broken scraper must not look like silence"
    return _say(
        not partial, partial, False, reason if partial else "every run of the day is complete"
    )


def _fresh(s: Situation) -> Verdict:
    signal, most = s.known(), s.settings.signals.fresh_hours
    hours = (s.now - signal.as_of).total_seconds() / 3600
    if not 0 <= hours <= most:
        return _say(
            False, f"{hours:.1f} h", f"{most:g} h", f"signal of {signal.as_of:%Y-%m-%d %H:%M} UTC"
        )
    before = sessions.previous_session(s.session)
    ok = signal.last_session == before
    reason = f"signal {hours:.1f} h old, last bar {signal.last_session or 'missing'}"
    return _say(ok, signal.last_session, before, reason)


def _tradable(s: Situation) -> Verdict:
    ok, reason = tickers.tradability(s.settings, s.ticker)
    if ok and s.asset is not None and s.asset.refusal is not None:
        ok, reason = False, s.asset.refusal
    return _say(ok, s.ticker, "tradable", reason)


def _trading_enabled(s: Situation) -> Verdict:
    on = s.settings.stock(s.ticker).trading_enabled
    word = "allows" if on else "forbids"
    return _say(on, on, True, f"the watchlist {word} trading {s.ticker}")


def _confidence(s: Situation) -> Verdict:
    confidence = s.known().confidence
    if confidence is None:
        raise TradeError(f"{s.ticker}: the signal has no confidence")
    general = s.settings.for_environment(s.settings.signals.confidence_threshold)
    own = s.settings.stock(s.ticker).sentiment_threshold
    limit = max(general, own)  # symbols may only raise it
    return _say(
        abs(confidence) >= limit,
        f"{abs(confidence):.3f}",
        f"{limit:.3f}",
        f"confidence {abs(confidence):.3f} against {limit:.3f}",
    )


def _duplicate(s: Situation) -> Verdict:
    position = s.positions.get(s.ticker)
    if position is not None and position.quantity > 0 and s.direction == "BUY":
        return _say(False, f"{position.quantity:g} held", 0, f"{s.ticker} is held already")
    if any(i.symbol == s.ticker for i in s.pending):
        return _say(False, "planned", 0, f"an order of {s.ticker} is planned already")
    return _say(True, 0, 0, f"no {s.ticker} in that direction yet")


def _max_positions(s: Situation) -> Verdict:
    held = {p for p, x in s.positions.items() if x.quantity > 0} | {i.symbol for i in s.pending}
    n, limit = len(held), s.settings.trade.entry.max_positions
    if s.direction != "BUY":
        return _say(True, n, limit, _PURCHASES)
    return _say(n < limit, n, limit, f"{n} positions held or planned of at most {limit}")


def _max_portfolio(s: Situation) -> Verdict:
    limit = s.settings.for_environment(s.settings.trade.max_portfolio)
    return _room(s, s.exposure, limit, f"portfolio in {s.settings.environment}")


def _allocation(s: Situation) -> Verdict:
    limit = s.settings.trade.allocation * s.investable
    return _room(s, s.held(lambda symbol: symbol == s.ticker), limit, f"{s.ticker}'s allocation")


def _trades_per_stock_day(s: Situation) -> Verdict:
    done = sum(o.symbol == s.ticker for o in s.orders) + sum(
        i.symbol == s.ticker for i in s.pending
    )
    limit = s.settings.trade.entry.trades_per_stock_day
    return _say(done < limit, done, limit, f"{done} orders of {s.ticker} today, at most {limit}")


def _cooldown(s: Situation) -> Verdict:
    limit = s.settings.trade.entry.cooldown_minutes
    times = [o.submitted_at for o in s.orders if o.symbol == s.ticker and o.submitted_at]
    if not times:
        return _say(True, None, f"{limit} min", f"no earlier order of {s.ticker} today")
    passed = s.now - max(times)
    minutes = passed.total_seconds() / 60
    reason = f"last order of {s.ticker} {minutes:.0f} minutes ago"
    return _say(passed >= timedelta(minutes=limit), f"{minutes:.0f} min", f"{limit} min", reason)


def _daily_loss(s: Situation) -> Verdict:
    entry, before = s.settings.trade.entry, s.account.previous_equity
    limit = min(entry.daily_loss_dollars, entry.daily_loss_share * before)
    change = s.account.equity - before
    reason = f"equity {change:+.2f} since the previous close, entries stop at {-limit:.2f}"
    return _say(change > -limit, f"{change:.2f}", f"{-limit:.2f}", reason)


def _position(s: Situation) -> Verdict:
    if s.direction == "BUY":
        return _say(True, s.direction, "BUY", "a purchase needs no position")
    reason = f"no {s.ticker} is held: a sale needs a position, short selling is not built"
    return _say(False, 0, "a position", reason)


def _regime(s: Situation) -> Verdict:
    multiplier = s.known().regime_multiplier
    if multiplier is None:
        return _say(False, "unknown", "> 0", "the market's regime is unknown")
    words = "too wild: no entries" if multiplier <= 0 else f"allows {multiplier:g} of a position"
    return _say(multiplier > 0, f"{multiplier:g}", "> 0", f"the market's regime {words}")


def _sector(settings: Settings, ticker: str) -> str:
    return settings.stock(ticker).sector or UNKNOWN_SECTOR


def _sector_cap(s: Situation) -> Verdict:
    sector = _sector(s.settings, s.ticker)
    held = s.held(lambda symbol: _sector(s.settings, symbol) == sector)
    return _room(s, held, s.settings.trade.entry.sector_cap * s.investable, f"sector {sector}")


def _buying_power(s: Situation) -> Verdict:
    fee = s.settings.trade.simulation.fee_per_order
    planned = sum(i.quantity * i.price + fee for i in s.pending)
    return _room(s, planned, s.account.buying_power - fee, "buying power")


def _pause_after_losses(s: Situation) -> Verdict:
    entry = s.settings.trade.entry
    losses = s.streak.losses if s.streak else 0
    if s.streak is None or losses < entry.pause_after_losses:
        reason = f"{losses} losses in a row of {s.ticker}"
        return _say(True, losses, entry.pause_after_losses, reason)
    since = len(sessions.sessions_between(s.streak.last, s.session)) - 1
    reason = f"{losses} losses in a row, the last {since} sessions ago: paused for {entry.pause_sessions}"
    return _say(since > entry.pause_sessions, f"{losses} losses", entry.pause_after_losses, reason)


def _room(s: Situation, used: float, limit: float, what: str) -> Verdict:
    if s.direction != "BUY":
        return _say(True, f"{used:.2f}", f"{limit:.2f}", _PURCHASES)
    if s.price is None:
        raise TradeError(f"{s.ticker}: the price of a share is unknown")
    room = limit - used
    reason = f"{what}: {used:,.0f} of {limit:,.0f} dollars used, one share costs {s.price:,.2f}"
    return _say(room >= s.price, f"{used:.2f}", f"{limit:.2f}", reason, room)


_PLAN: tuple[Phase, ...] = ("plan",)
_EXECUTE: tuple[Phase, ...] = ("execute",)
_BOTH: tuple[Phase, ...] = ("plan", "execute")

GATES: tuple[Gate, ...] = (
    Gate("kill_switch", _BOTH, _kill_switch),
    Gate("mode", _BOTH, _mode),
    Gate("market_hours", _EXECUTE, _market_hours),
    Gate("day_complete", _PLAN, _day_complete),
    Gate("fresh", _PLAN, _fresh),
    Gate("tradable", _PLAN, _tradable),
    Gate("trading_enabled", _BOTH, _trading_enabled),
    Gate("confidence", _PLAN, _confidence),
    Gate("duplicate", _BOTH, _duplicate),
    Gate("max_positions", _BOTH, _max_positions),
    Gate("max_portfolio", _BOTH, _max_portfolio),
    Gate("allocation", _BOTH, _allocation),
    Gate("trades_per_stock_day", _BOTH, _trades_per_stock_day),
    Gate("cooldown", _EXECUTE, _cooldown),
    Gate("daily_loss", _EXECUTE, _daily_loss),
    Gate("position", _PLAN, _position),
    Gate("regime", _PLAN, _regime),
    Gate("sector_cap", _BOTH, _sector_cap),
    Gate("buying_power", _BOTH, _buying_power),
    Gate("pause_after_losses", _PLAN, _pause_after_losses),
)
