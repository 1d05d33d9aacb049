"""Tweets of a run: breadth first over all tickers, then depth while the budget lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cashtag.errors import SourceRefused
from cashtag.ports import Day, Fetched, SourceHealth
from cashtag.scrape.credentials import XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held
from cashtag.scrape.x import bridge, queries, searches
from cashtag.scrape.x.account import SearchAccount
from cashtag.scrape.x.rounds import Rounds
from cashtag.settings import Settings


class X:
    """Searches X for every ticker of a run, by the cookies of several accounts.

    An account that X refused for good is not asked again by this object, whichever day it
    fetches.
    """

    name = "x"

    def __init__(self, settings: Settings, accounts: tuple[XAccount, ...]) -> None:
        self._settings = settings
        self._cookies = accounts
        self._accounts: tuple[SearchAccount, ...] = ()
        self._rounds: Rounds | None = None

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield what is missing of the day's tweets, several parts a ticker.

        It ends a little before `until`, so that everything found is handed over. A ticker that
        was not answered by then is refused, with the reason.

        Raises:
            SourceRefused: no accounts are set up.
        """
        self._rounds = None
        wanted = searches.missing(self._settings, day, held)
        if not wanted:
            return
        self._accounts = self._accounts or prepared(self._settings, self._cookies)
        canary = queries.canary(self._settings, day.cutoff)
        ends = until.before(until.left * self._settings.live.x.handover_share)

        async def work(emit: Callable[[Fetched], None]) -> None:
            self._rounds = Rounds(self._settings, self._accounts, wanted, canary, emit)
            await self._rounds.run(ends)

        yield from bridge.stream(work)

    def health(self) -> tuple[SourceHealth, ...]:
        """X as a whole, then each account; empty when nothing was left to ask."""
        if self._rounds is None:
            return ()
        return (self._rounds.health(), *(account.health() for account in self._accounts))


def prepared(settings: Settings, accounts: tuple[XAccount, ...]) -> tuple[SearchAccount, ...]:
    """Make the accounts ready to be asked.

    Raises:
        SourceRefused: there are none.
    """
    if not accounts:
        raise SourceRefused(
            "no X accounts are set up: write [[x_accounts]] with name, auth_token and ct0 (cookies "
            f"of a browser logged in to x.com) to {settings.live.secrets_file!r} "
            "(live.secrets_file), or name a secret in live.x.accounts_secret"
        )
    from cashtag.scrape.x import client

    client.prepare(settings.live.x.backend)
    return tuple(SearchAccount(account, settings) for account in accounts)
