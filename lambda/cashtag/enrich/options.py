"""One raw object of an option chain -> a row for each contract, with what is wrong with its quote.

A chain that was collected before the opening bell of the session that a run serves is known to
that run: options trade between the bells only, so its quotes are those of the prior close. A line
collected later could hold prices that the session's decisions must not know, and is rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cashtag import sessions
from cashtag.enrich import compact as compacting
from cashtag.enrich import occ
from cashtag.enrich.chains import READERS, Quote
from cashtag.enrich.envelopes import RawLines, Rejected, opened
from cashtag.enrich.moments import milliseconds, milliseconds_of, moment
from cashtag.enrich.parsed import Enriched
from cashtag.lake.contracts import contract
from cashtag.lake.layout import RawKey
from cashtag.tickers import canonical

if TYPE_CHECKING:
    from cashtag.settings import Settings

_EXACT = 1e-9  # the placeholder comes as 1.0000000000000003e-05
_STRIKE_STEP = 0.0005  # half of the symbol's thousandth of a dollar

EXPIRED = "expired"
CROSSED = "crossed"
NO_QUOTE = "no-quote"
PLACEHOLDER = "placeholder-iv"
STALE_UNDERLYING = "stale-underlying"


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run must know to judge a chain: its session, the one before, two bells in ms."""

    session: date
    opens: int
    prior: date
    prior_closes: int


def enrich_object(settings: Settings, key: RawKey, data: bytes) -> Enriched:
    """Turn one raw object of a chain into rows of the `options` contract. Never raises for a line.

    A line is rejected as `json`, `encoding`, `not-object`, `no-envelope`, `unknown-source`,
    `no-contract` (no OCC symbol), `other-underlying`, `adjusted-contract` (it delivers something
    else than 100 shares, so its prices and greeks cannot stand beside the others'),
    `contradicts-symbol` (expiry, right or strike), `no-date` or `after-open`; a damaged object
    adds `gzip`. Of two lines with one contract the first stays.

    Args:
        settings: reads `tickers`, `enrich.options` and `scrape.cutoff_utc`.
        key: the object's key; its name is the underlying's ticker.
        data: the object's bytes, gzip or plain JSON lines.
    """
    run = _run(key.dt, settings.scrape.cutoff_utc)
    raw = RawLines(data)
    rows: dict[str, dict[str, Any]] = {}
    rejected: list[Rejected] = []
    lines = 0
    for number, line in enumerate(raw, start=1):
        if not line.strip():
            continue
        lines += 1
        row = _row(settings, run, key.name, line)
        if isinstance(row, str):
            rejected.append(Rejected(number, row, line))
        else:
            rows.setdefault(row["contract"], row)
    repeated = lines - len(rejected) - len(rows)
    if raw.damage:
        rejected.append(Rejected(0, f"gzip: {raw.damage}", raw.remainder))
    table = pa.Table.from_pylist(list(rows.values()), schema=contract("options").arrow_schema())
    counts = {
        "lines": lines,
        "rows": table.num_rows,
        "off_topic": 0,
        "repeated": repeated,
        "rejected": len(rejected),
        "unanswered": 0,
    }
    return Enriched(table, tuple(rejected), counts)


def compacted(tables: Sequence[pa.Table]) -> pa.Table:
    """Return a day's rows once: of several with a contract, the one of the newest snapshot.

    Args:
        tables: rows of the contract, in the natural order of their raw keys, which decides
            between snapshots of the same moment.
    """
    options = contract("options")
    if not tables:
        return options.empty()
    whole = pa.concat_tables(tables)
    newest = whole.append_column("order", pa.array(range(whole.num_rows))).sort_by(
        [("snapshot_at", "descending"), ("order", "ascending")]
    )
    return compacting.compact(options, [newest.drop_columns(["order"])])


def identified(settings: Settings, ticker: str, quote: Quote) -> occ.OptionContract | str:
    """Return the contract that a quote of `ticker`'s chain is for, or why it is none of them."""
    found = occ.parsed(quote.symbol) if isinstance(quote.symbol, str) else None
    if found is None:
        return "no-contract"
    if found.root not in _roots(ticker, canonical(settings, ticker)):
        return "other-underlying"
    stated = quote.underlying
    if isinstance(stated, str) and canonical(settings, stated) != canonical(settings, ticker):
        return "other-underlying"
    if found.adjusted or not quote.standard:
        return "adjusted-contract"
    return found if _agrees(found, quote) else "contradicts-symbol"


@lru_cache(maxsize=1024)
def _roots(ticker: str, symbol: str) -> frozenset[str]:
    """A chain that was asked for by an old name has the old root, or already the new one."""
    return frozenset({occ.root_of(ticker), occ.root_of(symbol)})


def _agrees(found: occ.OptionContract, quote: Quote) -> bool:
    """Whether the source's own fields, where it has them, say what the symbol says."""
    expiry, right = _stated(quote.expiry), _stated(quote.right)
    return (
        (not expiry or expiry[:10] == found.expiry.isoformat())
        and (not right or right.upper() in {found.right, found.right[0]})
        and (quote.strike is None or abs(quote.strike - found.strike) < _STRIKE_STEP)
    )


def _stated(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


@lru_cache(maxsize=64)
def _run(dt: date, cutoff: str) -> _Run:
    session = sessions.session_of_run(dt, cutoff)
    prior = sessions.previous_session(session)
    bells = (milliseconds_of(at) for at in (sessions.opens(session), sessions.closes(prior)))
    opens, closes = bells
    return _Run(session, opens, prior, closes)


def _row(settings: Settings, run: _Run, ticker: str, line: bytes) -> dict[str, Any] | str:
    envelope = opened(line)
    if isinstance(envelope, str):
        return envelope
    source, scraped_at, data = envelope
    reader = READERS.get(source)
    if reader is None:
        return "unknown-source"
    quote = reader(data)
    found = identified(settings, ticker, quote)
    if isinstance(found, str):
        return found
    at = milliseconds(scraped_at)
    if at is None:
        return "no-date"
    if at >= run.opens:
        return "after-open"
    bid, ask = _bid(quote.bid), _ask(quote.ask)
    mid = None if bid is None or ask is None else (bid + ask) / 2
    rules = settings.enrich.options
    no_iv = quote.iv is not None and not (
        rules.placeholder_iv + _EXACT < quote.iv <= rules.highest_iv
    )
    price = _ask(quote.underlying_price)
    marks = {
        EXPIRED: found.expiry < run.session,
        CROSSED: mid is not None and bid > ask,  # type: ignore[operator]  # both are known then
        NO_QUOTE: mid is None,
        PLACEHOLDER: no_iv,
        STALE_UNDERLYING: price is not None
        and quote.underlying_at is not None
        and _opened_between(quote.underlying_at, at),
    }
    return {
        "ticker": canonical(settings, ticker),
        "contract": found.symbol,
        "expiry": found.expiry,
        "option_right": found.right,
        "strike": found.strike,
        "bid": bid,
        "ask": ask,
        "mid": mid,
        "volume": _volume(run, quote, at),
        "open_interest": quote.open_interest,
        "iv": None if no_iv else quote.iv,
        "delta": quote.delta,
        "gamma": quote.gamma,
        "theta": quote.theta,
        "vega": quote.vega,
        "underlying_price": price,
        "snapshot_at": moment(at).replace(tzinfo=None),
        "flags": [name for name, holds in marks.items() if holds],
        "source": source,
    }


def _bid(value: float | None) -> float | None:
    """A bid of zero is one: nobody pays anything."""
    return value if value is not None and value >= 0 else None


def _ask(value: float | None) -> float | None:
    """An ask (or a price) of zero is none: nobody gives it away."""
    return value if value is not None and value > 0 else None


def _volume(run: _Run, quote: Quote, at: int) -> int | None:
    """Contracts traded in the prior session; zero where the last trade was before it.

    A chain that was taken before that session's close cannot say that nothing traded.
    """
    for day, traded in quote.volumes:
        if day == run.prior:
            return traded
        if day < run.prior:
            return 0 if at >= run.prior_closes else None
    return None


@lru_cache(maxsize=4096)
def _opened_between(earlier: int, later: int) -> bool:
    """Whether a session opened after `earlier` and by `later` (ms of 1970, UTC)."""
    at = moment(earlier)
    if not sessions.first_session() <= at.date() < sessions.last_session():
        return earlier < later
    session = at.date() if sessions.is_session(at.date()) else sessions.next_session(at.date())
    if sessions.opens(session) <= at:
        session = sessions.next_session(session)
    return milliseconds_of(sessions.opens(session)) <= later
