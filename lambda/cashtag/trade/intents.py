"""What the desk means to do, and every gate's word on it: intents, decisions, their identities.

Identities are made of content: no clock, no random number. The same plan made twice, or by two
processes at once, is one plan.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

Phase = Literal["plan", "execute"]
Leg = Literal["entry", "exit"]


def canonical(body: object) -> bytes:
    """Return JSON in one spelling: sorted keys, no spaces, UTF-8, no NaN."""
    text = json.dumps(
        body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest12(body: object) -> str:
    """Return 12 hexadecimal digits that name `body`'s content."""
    return hashlib.sha256(canonical(body)).hexdigest()[:12]


def client_order_id(account: str, session: date, symbol: str, leg: str, attempt: int = 1) -> str:
    """Return the id by which a broker knows an order: the same order never has two."""
    return f"{account}-{session}-{symbol}-{leg}-{attempt}"


@dataclass(frozen=True, slots=True)
class Intent:
    """An order that a plan wants submitted at the open of `session`.

    `price` is the last close as traded and `r` one R in the same dollars: what was known when the
    plan was made. An exit has no `r`.
    """

    account: str
    session: date
    symbol: str
    ticker: str
    instrument: str
    leg: Leg
    side: Literal["BUY", "SELL"]
    quantity: float
    price: float
    mode: str
    reason: str
    r: float | None = None
    confidence: float | None = None
    sentiment_change: float | None = None
    attempt: int = 1

    @property
    def client_order_id(self) -> str:
        """The deterministic id of its order."""
        return client_order_id(self.account, self.session, self.symbol, self.leg, self.attempt)

    @property
    def id(self) -> str:
        """The order's id and the intent's content: two plans that agree share one intent."""
        return f"{self.client_order_id}-{digest12(self.body())}"

    def body(self) -> dict[str, Any]:
        """The intent as JSON values."""
        return {**asdict(self), "session": self.session.isoformat()}

    @classmethod
    def of(cls, body: dict[str, Any]) -> Intent:
        """Read what `body` wrote."""
        return cls(**{**body, "session": date.fromisoformat(body["session"])})


@dataclass(frozen=True, slots=True)
class Decision:
    """One gate's word on one candidate: a row of `decisions`."""

    plan: str
    phase: Phase
    account: str
    ticker: str
    instrument: str
    leg: str
    sequence: int
    gate: str
    value: str | None
    limit: str | None
    verdict: Literal["pass", "block", "error"]
    reason: str
    direction: str | None
    mode: str

    def body(self) -> dict[str, Any]:
        """The decision as JSON values: the columns of its table."""
        return asdict(self)
