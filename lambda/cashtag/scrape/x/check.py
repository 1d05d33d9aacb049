"""Asks each X account for the canary: which accounts work, what is left of their budgets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from cashtag.ports import SourceHealth
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.x import bridge, queries
from cashtag.scrape.x.account import SearchAccount
from cashtag.scrape.x.errand import prepared
from cashtag.scrape.x.refusals import Refusal
from cashtag.settings import Settings


def check(
    settings: Settings, accounts: tuple[XAccount, ...], until: Deadline
) -> tuple[SourceHealth, ...]:
    """Search for the canary by every account at once; one row each, named `x/NAME`.

    It costs each account one search of its budget.

    Raises:
        SourceRefused: no accounts are set up.
    """
    searchers = prepared(settings, accounts)
    canary = queries.canary(settings, datetime.now(UTC))
    seconds = settings.live.request_seconds

    async def one(account: SearchAccount) -> None:
        try:
            await account.start(min(seconds, until.left))
            await account.prove(canary, min(seconds, until.left))
        except Refusal as refusal:
            account.refused(refusal)
        finally:
            await account.close()

    async def everyone() -> None:
        await asyncio.gather(*map(one, searchers))

    bridge.run(everyone())
    return tuple(account.health() for account in searchers)
