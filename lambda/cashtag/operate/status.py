"""What `cashtag status` says: which days are in the lake, how whole they are, what they led to."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from cashtag import sessions
from cashtag.errors import ContractError
from cashtag.lake import layout, lines
from cashtag.lake.contracts import contract, contracts
from cashtag.lake.partitions import hashes, partitions, read
from cashtag.ports import Lake
from cashtag.scrape import coverage, manifest
from cashtag.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class RunStatus:
    """One run: what was scraped, and how much of its session is known."""

    dt: date
    session: date
    tweets: int
    answered: int
    asked: int
    coverage: float
    newest_hours: float | None
    accounts: str | None
    partial: bool
    reason: str
    rows: int | None
    published: bool
    signals: int | None

    def row(self) -> dict[str, Any]:
        """The run as a row to print."""
        return {
            "dt": self.dt,
            "session": self.session,
            "tweets": self.tweets,
            "tickers": f"{self.answered}/{self.asked}",
            "coverage": round(self.coverage, 3),
            "newest_h": self.newest_hours,
            "accounts": self.accounts,
            "partial": self.partial,
            "rows": self.rows,
            "published": self.published,
            "signals": self.signals,
            "reason": self.reason,
        }


def runs(lake: Lake, settings: Settings, last_days: int | None = None) -> list[RunStatus]:
    """Runs in the lake, ascending; only the newest `last_days` when given."""
    found = run_dates(lake)
    if last_days is not None:
        found = found[-last_days:]
    return [_run(lake, settings, dt) for dt in found]


def sources(lake: Lake, dt: date) -> list[dict[str, Any]]:
    """One row per source and account that the run's manifests tell of."""
    rows = manifest.health(manifest.of_day(lake.raw, dt))
    return [asdict(row) for row in rows]


def tickers(lake: Lake, dt: date) -> list[dict[str, Any]]:
    """One row per ticker asked in a run: its best answer."""
    rows = manifest.tickers(manifest.of_day(lake.raw, dt))
    return [{k: v for k, v in asdict(row).items() if k != "cursor"} for row in rows]


def run_dates(lake: Lake) -> list[date]:
    dates: set[date] = set()
    for info in lake.raw.list("manifests/dt="):
        dates.add(date.fromisoformat(info.key.removeprefix("manifests/dt=")[:10]))
    return sorted(dates)


def _run(lake: Lake, settings: Settings, dt: date) -> RunStatus:
    at = settings.scrape.cutoff_utc
    session = sessions.session_of_run(dt, at)
    run = coverage.of_run(lake.raw, dt, settings)
    reason = run.reason(settings.scrape.coverage.partial_below)
    tweets, damage = _read(lake, "tweets", dt)
    signals, other = _read(lake, "daily_signals", session)
    fired = None
    if signals is not None:
        fired = sum(1 for way in signals.column("direction").to_pylist() if way != "HOLD")
    return RunStatus(
        dt=dt,
        session=session,
        tweets=run.tweets,
        answered=run.answered,
        asked=run.asked,
        coverage=run.share,
        newest_hours=None if run.age is None else round(run.age.total_seconds() / 3600, 1),
        accounts=None if run.accounts is None else "{}/{}".format(*run.accounts),
        partial=reason is not None,
        reason="; ".join(filter(None, (reason, _broken(run), damage, other))),
        rows=None if tweets is None else tweets.num_rows,
        published=any(True for _ in lake.signals.list(layout.published(session, ""))),
        signals=fired,
    )


def _broken(run: coverage.RunCoverage) -> str | None:
    """Sources that refused, with their reasons; trending tickers are a reason of their own."""
    rows = [row for row in run.broken if row.name not in ("x", coverage.TRENDING)]
    return "; ".join(f"{row.name}: {row.reason}" for row in rows) or None


def _read(lake: Lake, table: str, partition: date) -> tuple[pa.Table | None, str | None]:
    """A partition, if it is there and readable; else None and what is wrong, which status tells."""
    try:
        return read(lake, contract(table), partition), None
    except ContractError as error:
        return None, str(error)


def gaps(lake: Lake) -> list[date]:
    """Calendar days without a run between the first and the last run."""
    found = run_dates(lake)
    if not found:
        return []
    days = (found[-1] - found[0]).days
    have = set(found)
    return [d for n in range(days) if (d := found[0] + timedelta(days=n)) not in have]


def table_hashes(lake: Lake) -> Iterator[dict[str, Any]]:
    """One row per table: partitions, rows, and the hash over its partitions' content hashes."""
    for name in sorted(contracts()):
        whole = hashlib.sha256()
        count = rows = 0
        for partition, n, digest in hashes(lake, contracts()[name]):
            whole.update(f"{partition} {digest}\n".encode())
            count += 1
            rows += n
        if count:
            yield {
                "table": name,
                "version": contracts()[name].version,
                "partitions": count,
                "rows": rows,
                "hash": whole.hexdigest(),
            }


def quarantined(lake: Lake) -> list[dict[str, Any]]:
    """One row per (origin, reason): lines kept in quarantine, in raw and in enriched.

    `first_in` is the first raw object that such a line is in, or for an import the object of the
    quarantine. A line that several builds could not read counts once.
    """
    counts: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], str] = {}
    seen: set[tuple[str, int, str]] = set()
    for store in (lake.raw, lake.enriched):
        for info in store.list("quarantine/"):
            origin, key = _origin(info.key)
            for n, text in enumerate(lines.read(store.get(info.key), name=store.uri(info.key))):
                line = json.loads(text)
                # An import keeps lines of many files; a build those of one raw object.
                number = line["line"] if origin.startswith("enrich/") else n
                if (key, number, line["reason"]) not in seen:
                    seen.add((key, number, line["reason"]))
                    counts[origin, line["reason"]] += 1
                    where.setdefault((origin, line["reason"]), key)
    return [
        {"origin": origin, "reason": reason, "lines": n, "first_in": where[origin, reason]}
        for (origin, reason), n in sorted(counts.items())
    ]


def _origin(key: str) -> tuple[str, str]:
    """Where lines come from: (`import/twitter-v1`, the key) or (`enrich/tweets`, the raw key)."""
    parts = key.split("/")
    if parts[1] == "import":
        return "/".join(parts[1:-1]), key
    return f"enrich/{parts[2]}", "/".join(parts[2:])


def summary(lake: Lake, settings: Settings) -> dict[str, Any]:
    """The lake in one row: runs, gaps, sessions, newest session, open positions, equity."""
    found = run_dates(lake)
    published = list(partitions(lake, contract("daily_signals")))
    positions = list(partitions(lake, contract("positions")))
    held: list[dict[str, Any]] = []
    if positions:
        table = read(lake, contract("positions"), positions[-1])
        held = [] if table is None else table.to_pylist()
    return {
        "lake": lake.raw.uri().rsplit("/", 1)[0],
        "profile": settings.profile,
        "config": settings.config_hash(),
        "mode": settings.trade.mode,
        "runs": len(found),
        "first_run": found[0] if found else None,
        "last_run": found[-1] if found else None,
        "missing_runs": len(gaps(lake)),
        "sessions": len(published),
        "last_session": published[-1] if published else None,
        "settled_to": positions[-1] if positions else None,
        "positions": sum(1 for row in held if row["instrument"] != "CASH"),
        "equity": round(sum(row["equity"] for row in held if row["instrument"] == "CASH"), 2),
    }
