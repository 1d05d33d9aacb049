"""What `cashtag accounts check` says of each X account: whether it works now, and its last error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from cashtag.operate import status
from cashtag.ports import Lake, SourceHealth, Status
from cashtag.redaction import redacted
from cashtag.scrape import manifest
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.settings import Settings

Ask = Callable[[Settings, tuple[XAccount, ...], Deadline], tuple[SourceHealth, ...]]
PREFIX = "x/"


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account: its answer to a search just now, and its newest error in the lake."""

    account: str
    status: Status
    reason: str | None
    searches_left: int | None
    last_error: str | None = None
    last_error_on: date | None = None

    @property
    def works(self) -> bool:
        """Whether X answered it."""
        return self.status != "refused"

    def row(self) -> dict[str, Any]:
        """The state as a row to print."""
        return asdict(self)


def states(
    settings: Settings, accounts: tuple[XAccount, ...], lake: Lake, ask: Ask | None = None
) -> list[AccountState]:
    """Search once with every account (`live.x.canary`); return one state each, by name.

    Raises:
        SourceRefused: X cannot be asked at all.
    """
    if ask is None:
        from cashtag.scrape.x import check

        ask = check.check
    told = {row.name: row for row in ask(settings, accounts, Deadline(settings.live.step_seconds))}
    errors = _last_errors(settings, lake)
    found = []
    for account in accounts:
        row = told.get(PREFIX + account.name)
        if row is None:
            row = SourceHealth(PREFIX + account.name, "refused", "it was not asked in time")
        reason, on = errors.get(row.name, (None, None))
        found.append(
            AccountState(account.name, row.status, _told(row.reason), row.left, _told(reason), on)
        )
    return found


def _told(reason: str | None) -> str | None:
    return None if reason is None else redacted(reason)


def _last_errors(settings: Settings, lake: Lake) -> dict[str, tuple[str | None, date]]:
    """Why each account was refused last, and in which run, in the days before the newest run."""
    runs = status.run_dates(lake)
    since = runs[-1] - timedelta(days=settings.live.check.error_days) if runs else date.min
    errors: dict[str, tuple[str | None, date]] = {}
    for dt in (dt for dt in runs if dt > since):
        scrapes = sorted(manifest.of_day(lake.raw, dt), key=lambda one: (one.number, one.sha()))
        for row in (row for scrape in scrapes for row in scrape.health):
            if row.name.startswith(PREFIX) and row.status == "refused":
                errors[row.name] = (row.reason, dt)
    return errors
