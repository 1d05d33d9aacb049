"""Snapshots of option chains with greeks and implied volatility, from Alpaca.

A raw line is one contract: `{"symbol", "snapshot", "contract", "underlying"}`, each part as the
API sent it, null where it sent none. The snapshot holds quote, greeks and volatility, the list of
contracts the open interest, and the underlying's trade is repeated beside each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cashtag import sessions
from cashtag.ports import Day, Fetched, SourceHealth, Status
from cashtag.scrape import waiting
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.envelope import line
from cashtag.scrape.held import Held
from cashtag.settings import Settings
from cashtag.tickers import canonical, is_symbol

if TYPE_CHECKING:
    from cashtag.scrape.alpaca_client import Client
    from cashtag.scrape.alpaca_options import Chain

SOURCE = "alpaca"
HEALTH = "alpaca-options"


class Options:
    """The chains of the optionable stocks of the watchlist."""

    name = "options"

    def __init__(
        self,
        settings: Settings,
        keys: AlpacaKeys,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._asked: tuple[str, ...] = ()
        self._told: dict[str, tuple[Status, str | None]] = {}
        self._clients: list[Client] = []

    def fetch(self, day: Day, held: Held, until: Deadline) -> Iterator[Fetched]:
        """Yield one answer for each stock of the watchlist whose chain raw does not hold yet.

        A chain is never fetched after the opening bell of the session that the run serves: its
        prices would be of that session, which no signal of the run may know.
        """
        stocks = {canonical(self._settings, ticker) for ticker in self._settings.watchlist.stocks}
        missing = stocks - held.names("options")
        self._asked = tuple(sorted(ticker for ticker in missing if is_symbol(ticker)))
        self._told, self._clients = {}, []
        session = sessions.session_of_run(day.dt, self._settings.scrape.cutoff_utc)
        if self._clock() >= sessions.opens(session):
            why = f"the session of {session} has opened: a chain of now is not what the run knew"
            self._told = dict.fromkeys(self._asked, ("refused", why))
            return
        if not self._asked:
            return
        from cashtag.scrape import alpaca_options
        from cashtag.scrape.alpaca_client import Client

        last = day.dt + timedelta(days=self._settings.live.options.days)

        def chain(ticker: str) -> Chain:
            client = Client(self._settings, self._keys, until)
            self._clients.append(client)
            return alpaca_options.chain(client, self._settings, ticker, session, last, self._clock)

        threads = self._settings.live.options.threads
        for ticker, found in waiting.answers(chain, self._asked, threads, until, self.name):
            fetched = (
                Fetched("options", ticker, "refused", str(found), source=SOURCE)
                if isinstance(found, Exception)
                else _fetched(ticker, found)
            )
            self._told[ticker] = fetched.status, fetched.reason
            yield fetched

    def health(self) -> tuple[SourceHealth, ...]:
        """One row, `alpaca-options`: refused if a stock was, and every such stock by name."""
        if not self._asked:
            return ()
        unheard: tuple[Status, str | None] = ("refused", "no answer before the deadline")
        told = {ticker: self._told.get(ticker, unheard) for ticker in self._asked}
        statuses = [status for status, _ in told.values()]
        worst: Status = (
            "refused" if "refused" in statuses else "ok" if "ok" in statuses else "empty"
        )
        by_reason: dict[str, list[str]] = {}
        for ticker, (_, reason) in told.items():
            if reason is not None:
                by_reason.setdefault(reason, []).append(ticker)
        reasons = [f"{', '.join(tickers)}: {reason}" for reason, tickers in by_reason.items()]
        requests = sum(client.requests for client in tuple(self._clients))
        return (SourceHealth(HEALTH, worst, "; ".join(reasons) or None, requests),)


def _fetched(ticker: str, chain: Chain) -> Fetched:
    symbols = sorted({*chain.snapshots, *chain.contracts})
    lines = tuple(
        line(
            SOURCE,
            chain.at.isoformat(),
            chain.query,
            {
                "symbol": symbol,
                "snapshot": chain.snapshots.get(symbol),
                "contract": chain.contracts.get(symbol),
                "underlying": chain.underlying,
            },
        )
        for symbol in symbols
    )
    reason = ", ".join(chain.missing) or None
    return Fetched(
        "options", ticker, "ok" if lines else "empty", reason, lines=lines, source=SOURCE
    )
