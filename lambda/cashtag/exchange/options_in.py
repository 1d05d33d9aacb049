"""Option chains of others, as CSV, into the raw zone: each row to the first run that could know it.

The shape is that of yfinance's `Ticker.option_chain` (`contractSymbol`, `lastTradeDate`, `strike`,
`bid`, `ask`, `impliedVolatility` …), with or without `expiry`, `type`, `spot` and `session`, in any
order. The cells themselves go into the envelope, unread.

*When a chain was known.* `session` names the session whose close `spot` is, and says nothing of
when the quotes were taken: collectors run late, and a chain labelled with Friday's session may
hold quotes and trades of Monday morning. So the moment of a chain is the latest of three: the
close of its `session`, its newest trade, and when it was collected, where a `meta.json` beside
the file (`"utc"`) or the caller says so. The chain belongs to the run with the first cutoff after
that moment. Where a file tells no more than its trades, nothing newer than the last of them is
known of it: say when an illiquid chain was collected.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from cashtag import sessions
from cashtag.enrich import envelopes, moments
from cashtag.enrich.chains import READERS, YAHOO
from cashtag.enrich.facts import calendar_ms
from cashtag.enrich.occ import OptionContract
from cashtag.enrich.options import identified
from cashtag.errors import InputError
from cashtag.exchange import columns, reading
from cashtag.exchange.quarantine import Refused
from cashtag.lake import layout, lines, numbered
from cashtag.ports import Store

if TYPE_CHECKING:
    from cashtag.settings import Settings

SUFFIXES = (".csv", ".tsv", ".txt")
META = "meta.json"
_NAMES = (
    "contractSymbol", "expiry", "type", "strike", "lastPrice", "bid", "ask", "change",
    "percentChange", "volume", "openInterest", "impliedVolatility", "inTheMoney",
    "lastTradeDate", "contractSize", "currency", "spot", "session",
)  # fmt: skip
_NEEDED = ("contractSymbol", "bid", "ask")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_KNOWN = {name.lower(): name for name in _NAMES}


class Located(NamedTuple):
    """A row to keep: its chain's moment (ms since 1970, UTC) and its envelope."""

    moment: int
    envelope: bytes


@dataclass
class Gathered:
    """Rows of one file by run and contract, and what became of its other rows.

    `seen` counts the rows below the header that are not blank, 1 for a file that is refused as a
    whole; `repeated` those that another row, or the header, says already.
    """

    rows: dict[date, dict[str, Located]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    seen: int = 0
    repeated: int = 0


class _Row(NamedTuple):
    number: int
    line: bytes
    contract: OptionContract
    data: dict[str, str]
    session: date | None
    traded: int | None


def collected(path: Path) -> int | None:
    """When a file was collected, in ms of 1970, UTC, by the `meta.json` beside it; None without.

    Raises:
        InputError: the `meta.json` cannot be read.
    """
    beside = path.with_name(META)
    try:
        meta = json.loads(beside.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{beside} cannot be read: {error.strerror or error}") from None
    except ValueError:  # somebody else's
        return None
    return moments.milliseconds(meta.get("utc")) if isinstance(meta, dict) else None


def gather(ticker: str, name: str, data: bytes, at: int | None, settings: Settings) -> Gathered:
    """Sort the rows of one file by the run that could first know them.

    Args:
        ticker: the underlying; contracts of others are refused.
        name: the file's name, for the quarantine.
        data: its bytes, gzipped or not, in any state.
        at: when it was collected, in ms of 1970, UTC, where that is known.
        settings: `scrape.cutoff_utc` and the aliases.

    Rows are refused as `no-contract`, `other-underlying`, `adjusted-contract`,
    `contradicts-symbol`, `no-session`, `no-date` (neither session nor trade nor collection),
    `bad-date`, `trade-too-late` (after the contract's expiry, after the chain was collected, or
    after the session that follows its own), `outside-calendar`, `too-many-cells`,
    `too-few-cells`, `encoding`, `too-long`; whole files as `empty`, `no-header`, `no-column`,
    `ambiguous-columns`; the rest of a damaged file as `gzip`.

    Of several rows for a contract and run the one with the latest moment is taken, of several of
    one moment the first.
    """
    found = Gathered()
    unpacked = reading.unpacked(data)
    fault = _read(found, name, unpacked.lines, ticker, at, settings)
    if fault and (unpacked.lines or unpacked.damage is None):
        whole = b"\n".join(line for _, line in unpacked.lines)
        reason, _, detail = fault.partition(": ")
        found = Gathered(refused=[Refused(name, 0, reason, whole, detail)], seen=1)
    if unpacked.damage is not None:
        found.seen += 1
        found.refused.append(Refused(name, 0, "gzip", unpacked.remainder, unpacked.damage))
    return found


def keep(raw: Store, dt: date, ticker: str, rows: dict[str, Located]) -> int:
    """Add the rows of one (run, ticker) that the lake holds not yet, or older, as one object.

    Run again, or twice at once, it adds nothing more: the same rows make the same bytes.

    Returns:
        How many were added; the others were there already.
    """
    prefix = f"{layout.raw_prefix('options', dt)}source={YAHOO}/{ticker}-"
    held: dict[str, int] = {}
    for info in raw.list(prefix):
        for symbol, at in _held(raw.get(info.key)):
            held[symbol] = max(at, held.get(symbol, at))
    fresh = sorted(s for s, row in rows.items() if s not in held or held[s] < row.moment)
    if fresh:
        data = lines.pack(rows[symbol].envelope for symbol in fresh)
        numbered.add(raw, lambda n: layout.raw("options", dt, YAHOO, ticker, n), data)
    return len(fresh)


def _held(data: bytes) -> Iterator[tuple[str, int]]:
    for _, line in lines.unpack(data).lines:
        opened = envelopes.opened(line)
        if isinstance(opened, str) or opened[0] != YAHOO:
            continue
        symbol, at = opened[2].get("contractSymbol"), moments.milliseconds(opened[1])
        if isinstance(symbol, str) and at is not None:
            yield "".join(symbol.split()), at


# ---------------------------------------------------------------- rows


def _read(
    found: Gathered,
    name: str,
    numbered_lines: Sequence[tuple[int, bytes]],
    ticker: str,
    at: int | None,
    settings: Settings,
) -> str:
    """Sort one file's rows; return why the whole file is no chain, or ""."""
    if not numbered_lines:
        return "empty"
    number, first = numbered_lines[0]
    header = first.decode("utf-8", "replace")
    delimiter = max(columns.DELIMITERS, key=lambda mark: len(_labels(header, mark)))
    labels = _labels(header, delimiter)
    if "contractSymbol" not in labels:
        return "no-header"
    missing = [needed for needed in _NEEDED if needed not in labels]
    if missing:
        return f"no-column: {', '.join(missing)}"
    if any(n > 1 for label, n in Counter(labels).items() if label in _NAMES):
        return "ambiguous-columns"
    chains: dict[date | None, list[_Row]] = {}
    for number, line in numbered_lines[1:]:
        if line == first:  # as where files were joined
            found.seen += 1
            found.repeated += 1
            continue
        row = _row(number, line, labels, delimiter, ticker, at, settings)
        if row is None:
            continue
        found.seen += 1
        if isinstance(row, str):
            found.refused.append(Refused(name, number, row, line))
        else:
            chains.setdefault(row.session, []).append(row)
    for session, rows in chains.items():
        # Among rows that name their session, one that does not says nothing of its moment.
        lost = session is None and len(chains) > 1
        refused = "no-session" if lost else _place(found, ticker, session, rows, at, settings)
        found.refused += [Refused(name, r.number, refused, r.line) for r in rows if refused]
    return "" if found.seen else "empty"


def _labels(header: str, delimiter: str) -> list[str]:
    """The names of a header's columns: those of the shape as it spells them, others as they are."""
    try:
        cells = columns.split(header, delimiter)
    except csv.Error:
        return []
    return [_KNOWN.get(_NOT_WORD.sub("", cell.lower()), cell.strip()) for cell in cells]


def _row(
    number: int,
    line: bytes,
    labels: Sequence[str],
    delimiter: str,
    ticker: str,
    at: int | None,
    settings: Settings,
) -> _Row | str | None:
    """One line as a row, or why it is none; None for a blank one."""
    if not reading.is_utf8(line):
        return "encoding"
    try:
        cells = columns.split(line.decode(), delimiter)
    except csv.Error:
        return "too-long"
    if columns.blank(cells):
        return None
    if not columns.blank(cells[len(labels) :]):
        return "too-many-cells"
    if len(cells) < len(labels):  # cut off: what is missing would have told its chain
        return "too-few-cells"
    data = {label: cell for label, cell in zip(labels, cells, strict=False) if label}
    contract = identified(settings, ticker, READERS[YAHOO](data))
    if isinstance(contract, str):
        return contract
    session = _session(data.get("session", ""))
    if isinstance(session, str):
        return session
    traded = moments.milliseconds(data.get("lastTradeDate"))
    if traded is None and data.get("lastTradeDate", "").strip():
        return "bad-date"
    if traded is not None and traded > _latest(contract, session, at):
        return "trade-too-late"
    return _Row(number, line, contract, data, session, traded)


def _session(cell: str) -> date | str | None:
    if not cell.strip():
        return None
    try:
        day = date.fromisoformat(cell.strip())
    except ValueError:
        return "bad-date"
    if not sessions.first_session() <= day < sessions.last_session():
        return "outside-calendar"
    return day if sessions.is_session(day) else "no-session"


def _latest(contract: OptionContract, session: date | None, at: int | None) -> int:
    """The last moment, in ms, at which a contract of this chain can have traded."""
    days = [contract.expiry]
    if session is not None:
        days.append(sessions.next_session(session))
    # Through the whole day in New York: some trade until a quarter past the close.
    ends = moments.milliseconds(f"{min(days)}T00:00:00-05:00")
    assert ends is not None
    ends += moments.DAY_MS
    return ends if at is None else min(ends, at)


def _place(
    found: Gathered,
    ticker: str,
    session: date | None,
    rows: Sequence[_Row],
    at: int | None,
    settings: Settings,
) -> str:
    """Put a chain where it belongs; return why it cannot be taken, or ""."""
    known = [row.traded for row in rows if row.traded is not None]
    if session is not None:
        known.append(moments.milliseconds_of(sessions.closes(session)))
    if at is not None:
        known.append(at)
    if not known:
        return "no-date"
    moment = max(known)
    first, last = calendar_ms(settings)
    if not first <= moment < last:
        return "outside-calendar"
    when = moments.moment(moment)
    run = found.rows.setdefault(sessions.run_of(when, settings.scrape.cutoff_utc), {})
    head = {"source": YAHOO, "scraped_at": when.isoformat(), "query": ticker}
    for row in rows:
        symbol = row.contract.symbol
        other = run.get(symbol)
        if other is not None:
            found.repeated += 1
            if other.moment >= moment:
                continue
        run[symbol] = Located(moment, orjson.dumps({**head, "data": row.data}))
    return ""
