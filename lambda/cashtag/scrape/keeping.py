"""What a scrape keeps: each answer as a raw object, each ticker's best answer for the manifest."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from cashtag.lake import layout, lines, numbered
from cashtag.ports import Fetched, Status, Store
from cashtag.scrape import manifest

_ORDER: dict[Status, int] = {"refused": 0, "empty": 1, "ok": 2}


def told(manifests: tuple[manifest.Manifest, ...], new: manifest.Manifest) -> bool:
    """Whether the manifests tell everything that a new one would, but for the sources' health."""
    known = {row.ticker: row for row in manifest.tickers(manifests)}
    return (
        bool(manifests)
        and set(new.objects) <= set(manifest.expected(manifests))
        and all(
            (row.ticker in known and row.status == known[row.ticker].status == "refused")
            or known.get(row.ticker) == row
            for row in new.tickers
        )
    )


def note(tickers: dict[str, manifest.TickerEntry], fetched: Fetched, tweets: int) -> None:
    """Enter one answer for a ticker's tweets; of several the best one counts."""
    assert fetched.ticker is not None
    newest = None if fetched.newest is None else fetched.newest.isoformat()
    row = manifest.TickerEntry(
        fetched.ticker,
        fetched.status,
        fetched.reason,
        tweets,
        newest,
        fetched.more,
        fetched.cursor,
    )
    known = tickers.get(fetched.ticker)
    if known is not None:
        better = known if _ORDER[known.status] > _ORDER[row.status] else row
        row = replace(
            better,
            tweets=known.tweets + tweets,
            newest=max(filter(None, (known.newest, newest)), default=None),
        )
    tickers[fetched.ticker] = row


def keep(raw: Store, source_name: str, dt: date, fetched: Fetched) -> manifest.ObjectEntry | None:
    """Store one answer's lines (create-only) and describe the object; None without lines.

    An answer that does not say which of several sources it is from is of `source_name`.
    """
    if fetched.key is not None:
        data = raw.get(fetched.key)
        return manifest.entry(fetched.key, data)
    data = fetched.packed or (lines.pack(fetched.lines) if fetched.lines else b"")
    if not data:
        return None
    name, source = fetched.ticker or fetched.kind, fetched.source or source_name

    def key_of(number: int) -> str:
        if fetched.document is not None:
            return layout.document(fetched.kind, dt, fetched.document, number)
        if fetched.kind == "bars":
            return layout.bars(source, name, number)
        return layout.raw(fetched.kind, dt, source, name, number)

    return manifest.entry(numbered.add(raw, key_of, data), data)
