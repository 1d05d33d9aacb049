"""`cashtag import`: files of others into the raw zone, every line accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cashtag.errors import InputError
from cashtag.exchange import bars_in, files, options_in, quarantine, tweets_in
from cashtag.exchange.quarantine import Refused
from cashtag.lake import tombstones

if TYPE_CHECKING:
    from cashtag.ports import Lake
    from cashtag.settings import Settings

Progress = Callable[[int, int, str], None]
BARS = "bars"
OPTIONS = "options"
# A disk confirms writes that come together almost as fast as one, and a bucket answers after a
# while. Runs are independent, so the order of their objects does not matter.
_WRITERS = 16
FORMATS = (*tweets_in.FORMATS, BARS, OPTIONS)
_SUFFIXES = {BARS: bars_in.SUFFIXES, OPTIONS: options_in.SUFFIXES}


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: lines = accepted + already + repeated + rejected.

    Blank lines and the header of a CSV are no lines. A file that is refused as a whole, and the
    damaged rest of a gzip, count as one line. `already` were in the lake before; `repeated`
    were in an earlier line of the same import.
    """

    file: str
    ticker: str
    lines: int
    accepted: int
    already: int
    repeated: int
    rejected: int
    reasons: str

    def row(self) -> dict[str, Any]:
        """The report as a row to print."""
        return {
            "file": self.file,
            "ticker": self.ticker,
            "lines": self.lines,
            "accepted": self.accepted,
            "already there": self.already,
            "repeated": self.repeated,
            "rejected": self.rejected,
            "reasons": self.reasons,
        }


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, file by file."""

    files: tuple[FileReport, ...]

    @property
    def accepted(self) -> int:
        """Lines taken, or there already: an import that ran again is no failure."""
        return sum(f.accepted + f.already for f in self.files)

    def rows(self) -> list[dict[str, Any]]:
        """One row a file, and the total of several."""
        rows = [f.row() for f in self.files]
        if len(rows) > 1:
            total = dict.fromkeys(rows[0], "") | {"file": "total"}
            for name in ("lines", "accepted", "already there", "repeated", "rejected"):
                total[name] = sum(row[name] for row in rows)
            rows.append(total)
        return rows


def _silent(_done: int, _of: int, _what: str) -> None:
    """Nobody watches."""


def bring(
    zones: Lake,
    settings: Settings,
    format_name: str,
    paths: Sequence[Path],
    *,
    ticker: str | None = None,
    collected: int | None = None,
    progress: Progress = _silent,
) -> Imported:
    """Import files or folders. May be stopped and run again, or run twice at once.

    Args:
        zones: the lake; only its raw zone is written.
        settings: the cutoff decides which run a post or a chain belongs to.
        format_name: twitter-v1, twscrape, reference, bars or options.
        paths: files, or folders read with all that is below them.
        ticker: the symbol of every file; by default each file's name tells.
        collected: when chains of options were collected, in ms of 1970, UTC; by default what
            the `meta.json` beside a file says.
        progress: called with (done, of, file).

    Raises:
        InputError: an unknown format, a path that is not there or cannot be read, a file
            without a ticker; nothing has been written then.
        StoreError: the raw zone cannot be written; run again once it can.
    """
    if format_name not in FORMATS:
        raise InputError(f"format {format_name!r} is none of: {', '.join(FORMATS)}")
    found = files.inputs(paths, _SUFFIXES.get(format_name, tweets_in.SUFFIXES), ticker)
    # All posts of a ticker at once, so that a run has one object of it however files are cut.
    groups: dict[str, list[files.Input]] = {}
    for each in found:
        groups.setdefault(each.ticker, []).append(each)
    reports: dict[Path, FileReport] = {}
    for symbol, group in groups.items():
        done = len(reports)

        def tick(n: int, name: str, done: int = done) -> None:
            progress(done + n, len(found), name)

        if format_name == BARS:
            made = [_bars(zones, symbol, name, data) for name, data in _contents(group, tick)]
        elif format_name == OPTIONS:
            made = _options(zones, settings, symbol, group, collected, tick)
        else:
            made = _tweets(zones, settings, format_name, symbol, group, tick)
        reports |= {each.path: report for each, report in zip(group, made, strict=True)}
    progress(len(found), len(found), "")
    return Imported(tuple(reports[each.path] for each in found))


def _contents(
    group: Sequence[files.Input], tick: Callable[[int, str], None]
) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file, read when it is its turn."""
    for n, each in enumerate(group):
        tick(n, each.path.name)
        yield each.path.name, each.read()


def _tweets(
    zones: Lake,
    settings: Settings,
    format_name: str,
    ticker: str,
    group: Sequence[files.Input],
    tick: Callable[[int, str], None],
) -> list[FileReport]:
    stones = tombstones.read(zones.raw)
    found = tweets_in.gather(format_name, ticker, _contents(group, tick), settings, stones)
    # The quarantine first: whatever happens then, what could not be taken is kept.
    quarantine.keep(zones.raw, format_name, (refused for _, refused in found.refused))
    added: Counter[int] = Counter()
    already: Counter[int] = Counter()
    with ThreadPoolExecutor(_WRITERS) as pool:
        runs = sorted(found.posts)
        writes = [
            pool.submit(tweets_in.keep, zones.raw, dt, format_name, ticker, found.posts[dt])
            for dt in runs
        ]
        try:
            for write in writes:
                kept = write.result()
                added += kept.added
                already += kept.already
        finally:
            pool.shutdown(cancel_futures=True)  # one that failed ends the import
    return [
        _report(
            each.path.name,
            ticker,
            found.seen[n],
            added[n],
            already[n],
            found.repeated[n],
            [refused for index, refused in found.refused if index == n],
        )
        for n, each in enumerate(group)
    ]


def _options(
    zones: Lake,
    settings: Settings,
    ticker: str,
    group: Sequence[files.Input],
    collected: int | None,
    tick: Callable[[int, str], None],
) -> list[FileReport]:
    """File by file, for an archive of years does not fit into memory."""
    known = [collected or options_in.collected(each.path) for each in group]
    made = []
    for at, (name, data) in zip(known, _contents(group, tick), strict=True):
        found = options_in.gather(ticker, name, data, at, settings)
        quarantine.keep(zones.raw, OPTIONS, found.refused)
        rows = sum(map(len, found.rows.values()))
        added = sum(options_in.keep(zones.raw, dt, ticker, found.rows[dt]) for dt in found.rows)
        made.append(
            _report(name, ticker, found.seen, added, rows - added, found.repeated, found.refused)
        )
    return made


def _bars(zones: Lake, ticker: str, name: str, data: bytes) -> FileReport:
    found = bars_in.gather(ticker, name, data)
    quarantine.keep(zones.raw, BARS, found.refused)
    count = len(found.bars)
    added = count if bars_in.keep(zones.raw, ticker, found.bars) else 0
    return _report(name, ticker, found.seen, added, count - added, found.repeated, found.refused)


def _report(
    name: str,
    ticker: str,
    seen: int,
    added: int,
    already: int,
    repeated: int,
    refused: Sequence[Refused],
) -> FileReport:
    reasons = quarantine.reasons(refused)
    return FileReport(name, ticker, seen, added, already, repeated, len(refused), reasons)
