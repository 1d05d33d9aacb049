"""What the desk reads of the lake: the signals of a session, and the bars a run knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from cashtag.errors import KeyMissing, TradeError
from cashtag.lake import layout

if TYPE_CHECKING:
    from cashtag.ports import Env

_BAR = ("open", "high", "low", "close", "adjusted_close", "volume", "dividend", "split")
_SIGNAL = (
    "ticker", "kind", "as_of", "direction", "instrument", "confidence", "polarity_change",
    "change_threshold", "partial", "last_session", "close", "atr14", "regime_multiplier",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bar:
    """One daily bar, dollars as traded; `split` is new shares per old one, effective that day."""

    open: float
    high: float
    low: float
    close: float
    adjusted_close: float
    volume: float
    dividend: float | None = None
    split: float | None = None


@dataclass(frozen=True)
class Bars:
    """Bars of the sessions asked for, by session and ticker; `last` is the newest a run knew."""

    last: date | None
    by_session: Mapping[date, Mapping[str, Bar]]

    def of(self, session: date) -> Mapping[str, Bar]:
        """Bars of one session by ticker."""
        return self.by_session.get(session, {})


@dataclass(frozen=True, slots=True)
class Signal:
    """One row of `daily_signals`. `close` is as traded; `atr` is in *adjusted* dollars.

    `scale` (close / adjusted close of the last bar) turns adjusted dollars into traded ones:
    None where that bar is missing.
    """

    ticker: str
    kind: str
    as_of: datetime
    direction: str
    instrument: str
    confidence: float | None
    polarity_change: float | None
    change_threshold: float | None
    partial: bool
    last_session: date | None
    close: float | None
    atr: float | None
    regime_multiplier: float | None
    scale: float | None = None

    @property
    def traded_atr(self) -> float | None:
        """ATR in dollars as traded; None when it or the scale is unknown."""
        if self.atr is None or self.scale is None:
            return None
        return self.atr * self.scale


def read_bars(env: Env, dt: date, sessions: Collection[date]) -> Bars:
    """Return the bars of `sessions` as known at run `dt`; no bars when the run stored none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from cashtag.lake import contracts, parquet

    prices = contracts.contract("prices")
    try:
        data = env.lake.enriched.get(layout.enriched("prices", dt))
    except KeyMissing:
        return Bars(None, {})
    table = parquet.read(prices, data, columns=["ticker", "session", *_BAR])
    last = pc.max(table.column("session")).as_py()
    wanted = pa.array(sorted(sessions), type=pa.date32())
    found: dict[date, dict[str, Bar]] = {}
    for row in table.filter(pc.is_in(table.column("session"), value_set=wanted)).to_pylist():
        found.setdefault(row["session"], {})[row["ticker"]] = Bar(**{k: row[k] for k in _BAR})
    return Bars(last, found)


def read_signals(env: Env, session: date) -> tuple[tuple[Signal, ...], str]:
    """Return the session's signals, and the hash of the table they stand in.

    Raises:
        TradeError: the session's signals are not published.
    """
    from cashtag.lake import contracts, parquet

    contract = contracts.contract("daily_signals")
    try:
        data = env.lake.signals.get(layout.signals("daily_signals", session))
    except KeyMissing:
        raise TradeError(
            f"session {session} has no daily_signals; run the signals of {session} first"
        ) from None
    table = parquet.read(contract, data)
    rows = table.select(list(_SIGNAL)).to_pylist()
    last = {row["last_session"] for row in rows if row["last_session"] is not None}
    bars = read_bars(env, session, last)
    return tuple(_signal(row, bars) for row in rows), parquet.content_hash(contract, table)


def _signal(row: dict[str, Any], bars: Bars) -> Signal:
    bar = bars.of(row["last_session"]).get(row["ticker"]) if row["last_session"] else None
    scale = bar.close / bar.adjusted_close if bar and bar.adjusted_close > 0 else None
    fields = {k: row[k] for k in _SIGNAL if k not in ("as_of", "atr14")}
    return Signal(**fields, as_of=row["as_of"].replace(tzinfo=UTC), atr=row["atr14"], scale=scale)
