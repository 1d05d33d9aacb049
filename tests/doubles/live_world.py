"""Everything that a live run asks, in one small internet: X, Finder, Alpaca, Yahoo, news feeds.

Thirty tickers trend; all have a year of bars. Every word in it is made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import alpaca_bars_site
import alpaca_options_site
import share_history
import trending_site
from alpaca_keys import KEY_ID, SECRET_KEY
from feeds_site import Edgar, filing, item, rss
from internet import Answer, Internet, Request, Site
from x_site import XSite
from yahoo_site import YahooSite

from cashtag import sessions

# The first five are the watchlist of the default settings.
THIRTY = (
    "AAPL", "GOOG", "META", "NVDA", "TSLA", "AMD", "AMZN", "MSFT", "NFLX", "PLTR",
    "COIN", "SOFI", "GME", "AMC", "INTC", "MU", "AVGO", "CRM", "ORCL", "QCOM",
    "JPM", "GS", "BAC", "WFC", "XOM", "CVX", "PFE", "LLY", "BA", "DIS",
)  # fmt: skip
ACCOUNTS = ("anna", "bert", "cleo", "dora", "emil")


def token(account: str) -> str:
    """The auth_token of an account."""
    return f"PLANTED-token-{account}"


@dataclass
class World:
    """Sites for the run of one date; change their fields to break them."""

    dt: date
    tickers: tuple[str, ...] = THIRTY
    x: XSite = field(default_factory=lambda: XSite(default=70))
    down: set[str] = field(default_factory=set)
    """Hosts that answer 503 to everything."""

    def __post_init__(self) -> None:
        last = sessions.previous_session(sessions.session_of_run(self.dt))
        window = tuple(sessions.sessions_before(sessions.next_session(last), 320))
        history = {
            ticker: share_history.steady(window, 50.0 + n)
            for n, ticker in enumerate((*self.tickers, "SPY"))
        }
        self.bars = alpaca_bars_site.AlpacaSite(history)
        self.yahoo = YahooSite({"^VIX": share_history.steady(window, 20.0), **history})
        self.chains = alpaca_options_site.Alpaca()
        expiry = self.dt + timedelta(days=14)
        for ticker in ("AAPL", "NVDA"):
            self.chains.add(ticker, 100.0, [expiry], [95.0, 100.0, 105.0])
        self.broker = trending_site.Broker(
            active=list(self.tickers),
            assets=[trending_site.asset(ticker) for ticker in self.tickers],
        )
        eight = datetime.combine(self.dt, time(8), UTC)
        self._story = rss(
            item("n-1", "NVIDIA raises its forecast", eight, link="https://news.example/n-1")
        )
        self._filing = filing("NVIDIA CORP", 1045810, "0001045810-26-000001", eight.isoformat())

    def sites(self) -> Mapping[str, Site]:
        """Every host by name."""
        hosts: dict[str, Site] = {
            **self.x.sites(),
            **self.yahoo.hosts(),
            "www.finder.com": self._finder,
            "apewisdom.io": trending_site.always(Answer(404)),
            "api.stocktwits.com": trending_site.always(Answer(404)),
            "data.alpaca.markets": self._alpaca_data,
            "paper-api.alpaca.markets": self._alpaca_trading,
            "www.cnbc.com": self._news,
            "feeds.content.dowjones.io": self._news,
            "www.sec.gov": Edgar(self._filing),
        }
        return {host: self._unless_down(host, site) for host, site in hosts.items()}

    def _unless_down(self, host: str, site: Site) -> Site:
        def answer(request: Request) -> Answer:
            return Answer(503, b"over capacity") if host in self.down else site(request)

        return answer

    def _finder(self, _: Request) -> Answer:
        return trending_site.html(trending_site.finder_page(self.tickers))

    def _news(self, _: Request) -> Answer:
        return Answer(200, self._story, {"content-type": "text/xml; charset=utf-8"})

    def _alpaca_data(self, request: Request) -> Answer:
        if request.path.startswith("/v1beta1/options") or "trades/latest" in request.path:
            return self.chains.sites()[request.host](request)
        return self.broker.site(request) if "screener" in request.path else self.bars(request)

    def _alpaca_trading(self, request: Request) -> Answer:
        chains = "options" in request.path
        return self.chains.sites()[request.host](request) if chains else self.broker.site(request)


def write_secrets(
    folder: Path, accounts: tuple[str, ...] = ACCOUNTS, *, alpaca: bool = True
) -> Path:
    """`secrets.toml` as a user writes it, readable by its owner only."""
    text = "".join(
        f'[[x_accounts]]\nname = "{name}"\nauth_token = "{token(name)}"\n'
        f'ct0 = "PLANTED-ct0-{name}"\n\n'
        for name in accounts
    )
    if alpaca:
        text += f'[alpaca]\nkey_id = "{KEY_ID}"\nsecret_key = "{SECRET_KEY}"\n'
    path = folder / "secrets.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def environ(net: Internet, folder: Path) -> dict[str, str]:
    """What a process needs to live in this world: the way to it, and its files."""
    return net.environ() | {
        "CASHTAG_LIVE__SECRETS_FILE": str(folder / "secrets.toml"),
        "CASHTAG_LIVE__CONTACT": "desk@example.org",
        "CASHTAG_LAKE": str(folder / "lake"),
    }
