"""Execute and manage a session: freeze the plan that stands, then keep books and events together.

Simulated orders are filled by `settle`, when the session's bars are known; until then there is
nothing to submit. What execute does is decide: it freezes the plan and its vetoes, create-only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from cashtag import sessions
from cashtag.errors import LedgerMismatch, SettingsError
from cashtag.trade import ledger, reconcile

if TYPE_CHECKING:
    from cashtag.ports import Env

Status = Literal["frozen", "unchanged", "no session", "no plan"]


@dataclass(frozen=True, slots=True)
class Executed:
    """What execute found and did; `vetoed` of the plan's orders are not carried out."""

    session: date
    status: Status
    note: str
    plan: str | None = None
    orders: int = 0
    vetoed: int = 0


@dataclass(frozen=True, slots=True)
class Managed:
    """What manage found: how much each account holds after the newest settled session."""

    session: date
    status: Literal["reconciled", "no session", "no books"]
    note: str
    settled: date | None = None
    held: dict[str, int] | None = None
    """Positions by account."""


def execute(env: Env, session: date) -> Executed:
    """Freeze the session's standing plan, unless that was done before.

    On a date that is no session, and in a session without a plan, nothing is written.

    Raises:
        SettingsError: orders of `trade.mode` need a broker.
    """
    _simulated(env)
    if not sessions.is_session(session):
        return Executed(session, "no session", f"{session} is no session: nothing to execute")
    store = env.lake.ledger
    before = ledger.frozen(store, session)
    plans = ledger.plans(store, session)
    if not plans:
        settled = "and was frozen so" if before else "so nothing is executed"
        return Executed(session, "no plan", f"session {session} has no plan, {settled}")
    base = plans[-1].body["base"]
    held = ledger.freeze(store, session, date.fromisoformat(base) if base else None)
    standing = next((plan for plan in plans if plan.id == held.plan), None)
    intents = standing.intents if standing else ()
    vetoed = sum(intent.id in held.vetoes for intent in intents)
    note = (
        f"plan {held.plan} stands with {len(intents)} orders, {vetoed} of them vetoed; they are "
        "filled at the open, and settled by the next session's run"
    )
    status: Status = "frozen" if before is None else "unchanged"
    return Executed(session, status, note, held.plan, len(intents), vetoed)


def manage(env: Env, session: date) -> Managed:
    """Compare the books with the events behind them, and tell what is held.

    Raises:
        LedgerMismatch: they differ: trading halts until a person has looked.
        SettingsError: positions of `trade.mode` are a broker's.
    """
    _simulated(env)
    if not sessions.is_session(session):
        return Managed(session, "no session", f"{session} is no session: nothing to manage")
    found = reconcile.newest(env.lake.ledger, session)
    if found is None:
        return Managed(session, "no books", "no session is settled yet: nothing is held")
    if found.differences:
        raise LedgerMismatch(
            f"the books after {found.session} differ from the events behind them: "
            f"{'; '.join(found.differences)}; restore the ledger from a backup: trading halts"
        )
    return Managed(
        session,
        "reconciled",
        f"books and events of {found.session} agree; exits of simulated positions are settled "
        "from the session's bars",
        found.session,
        found.held,
    )


def _simulated(env: Env) -> None:
    mode: Any = env.settings.trade.mode
    if mode != "simulated":
        raise SettingsError(
            f"trade.mode = {mode!r}: a broker is not available in this version; set it to "
            "'simulated'"
        )
