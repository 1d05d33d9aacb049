"""The probes of `cashtag doctor --live`: one small question to each source, by its own errand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

from cashtag.errors import SourceRefused
from cashtag.operate.doctor import Finding
from cashtag.ports import Day, SourceHealth, Store
from cashtag.scrape.credentials import AlpacaKeys, XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.held import Held
from cashtag.settings import Settings
from cashtag.settings.base import Section

S = TypeVar("S", bound=Section)

INSTALL = 'pip install -e ".[live]" -c constraints.txt'
_REMEDIES = {
    "x": "log in to x.com with it, copy its cookies again, then `cashtag accounts check`",
    "trending": "nothing, as long as another site answers; scrape.trending.chain is the order",
    "prices/alpaca": "check the keys at alpaca.markets, and live.prices.feed for your plan",
    "prices/yahoo": "wait some minutes: Yahoo limits requests; if it lasts, upgrade yfinance",
    "alpaca": "check the keys at alpaca.markets: those of paper and live accounts differ",
    "news": "try again later, or give another address in live.news.feeds",
    "options": "check the plan at alpaca.markets, or set live.options.enabled = false",
    "discovery": "do as it says, or set scrape.discovery.enabled = false: it is an extra",
    "clock": "let the network set this machine's clock: timedatectl set-ntp true",
    "schedule": "`cashtag schedule install` lets it run every day",
}
CONTACT = 'write [live] contact = "you@example.org" to cashtag.toml, with your address'
_OFFLINE = "connect this machine to the network; a clock that is off makes sources refuse"
_AS_SET, _FAILED = "as set", "failed"  # the words of operate.schedule
_ONE_TOKEN = 1  # enough to know that the model may be asked, and costs next to nothing


@dataclass(frozen=True)
class Visit:
    """What the probes share. `raw` is empty; `until` ends a little before the doctor does."""

    settings: Settings
    until: Deadline
    now: datetime
    raw: Store
    accounts: tuple[XAccount, ...]
    keys: AlpacaKeys | None

    def held(self) -> Held:
        """A run of which raw holds nothing yet."""
        return Held(self.raw, self.now.date(), (), {})

    def day(self, days: int = 0) -> Day:
        """The run of today, or of so many days later, asked for one ticker."""
        return Day(self.now.date() + timedelta(days=days), self.now, (self.symbol,))

    @property
    def symbol(self) -> str:
        """A stock or fund to ask about: the first that every run asks about, but for an index."""
        wanted = (*self.settings.scrape.always_bars, *self.settings.watchlist.stocks, "SPY")
        return next(symbol for symbol in wanted if not symbol.startswith("^"))


Probe = Callable[[], Iterator[Finding]]


def probes(visit: Visit) -> dict[str, Probe]:
    """Every probe that the settings call for, by the name of what it asks, in the order to tell."""
    settings = visit.settings
    found: dict[str, Probe] = {}
    if visit.accounts:
        found["x/accounts"] = partial(_x, visit)
    for site in settings.scrape.trending.chain:
        if site != "yesterday" and (site != "alpaca" or visit.keys):
            found[f"trending/{site}"] = partial(_trending, visit, site)
    for source in settings.live.prices.chain:
        if source != "alpaca" or visit.keys:
            found[f"prices/{source}"] = partial(_prices, visit, source)
    if visit.keys is not None:
        found["alpaca/assets"] = partial(_assets, visit, visit.keys)
        if settings.live.options.enabled:
            found["options"] = partial(_options, visit, visit.keys)
    if settings.live.news.feeds:
        found["news"] = partial(_news, visit)
    if settings.scrape.discovery.enabled:
        found["discovery"] = partial(_discovery, visit)
    found["clock"] = partial(_clock, visit)
    found["schedule"] = partial(_schedule, visit)
    return found


def remedy(name: str) -> str:
    """What to do about a source that does not work."""
    return _REMEDIES.get(name) or _REMEDIES[name.partition("/")[0]]


def _of(name: str, row: SourceHealth, found: str | None = None) -> Finding:
    """A source's health as a finding."""
    good = row.status == "ok"
    told = found if good and found else row.reason or row.status
    advice = CONTACT if "live.contact" in told else remedy(name)
    return Finding(name, "ok" if good else "warn", told, "" if good else advice)


def _with(section: S, path: str, value: Any) -> S:
    """Settings with one value changed."""
    name, _, rest = path.partition(".")
    changed = _with(getattr(section, name), rest, value) if rest else value
    return section.model_copy(update={name: changed})


# ---------------------------------------------------------------- one function a source


def _x(visit: Visit) -> Iterator[Finding]:
    from cashtag.scrape.x import check

    for row in check.check(visit.settings, visit.accounts, visit.until):
        yield _of(row.name, row, f"works, {row.left} searches left in this window")
    rules = visit.settings.scrape
    if (held := len(visit.accounts)) < rules.accounts:
        yield Finding(
            "searches",
            "ok",  # a run works with one account as well
            f"{held} accounts give {held * rules.searches_per_account} searches in "
            f"{rules.search_window_minutes} minutes",
            f"with fewer than {rules.accounts} accounts (scrape.accounts) a run reads fewer pages "
            "a ticker, and the resuming one the rest",
        )


def _trending(visit: Visit, site: str) -> Iterator[Finding]:
    from cashtag.scrape.trending import Trending, tickers_of

    alone = _with(visit.settings, "scrape.trending.chain", [site])
    chain = Trending(alone, visit.raw, visit.keys)
    listed = tickers_of(chain.fetch(visit.now.date(), visit.held(), visit.until))
    row = chain.health()[0]
    first = ", ".join(listed[:3])
    yield _of(f"trending/{site}", row, f"{len(listed)} tickers: {first} …")


def _prices(visit: Visit, source: str) -> Iterator[Finding]:
    from cashtag.scrape.prices import Prices

    alone = _with(visit.settings, "live.prices.chain", [source])
    errand = Prices(alone, visit.keys)
    bars, refused = 0, None
    try:
        for fetched in errand.fetch(visit.day(), visit.held(), visit.until):
            bars += len(fetched.lines)
    except SourceRefused as refusal:
        refused = SourceHealth(source, "refused", str(refusal))
    told = {row.name: row for row in errand.health()}
    row = told.get(source) or refused or SourceHealth(source, "refused", "it was not asked")
    yield _of(f"prices/{source}", row, f"{bars} bars, {row.reason}")


def _assets(visit: Visit, keys: AlpacaKeys) -> Iterator[Finding]:
    from cashtag.scrape import broker

    answer = broker.one_asset(visit.settings, keys, visit.symbol, visit.until)
    known = "known and tradable" if answer.rows and answer.rows[0].get("tradable") else "not known"
    yield Finding(
        "alpaca/assets",
        "ok",
        f"{visit.symbol} is {known} at {visit.settings.live.alpaca.trading_url}",
    )


def _options(visit: Visit, keys: AlpacaKeys) -> Iterator[Finding]:
    from cashtag.scrape.options import Options

    stocks = visit.settings.watchlist.stocks
    if not stocks:
        yield Finding("options", "ok", "the watchlist has no stock whose chain would be kept")
        return
    ticker = next(iter(stocks))
    errand = Options(_with(visit.settings, "watchlist.stocks", {ticker: stocks[ticker]}), keys)
    # Tomorrow's run: the chain of today's is refused once its session has opened.
    lines = sum(
        len(fetched.lines) for fetched in errand.fetch(visit.day(days=1), visit.held(), visit.until)
    )
    for row in errand.health():
        yield _of("options", row, f"{lines} contracts of {ticker}")


def _news(visit: Visit) -> Iterator[Finding]:
    from cashtag.scrape.news import News

    errand = News(visit.settings)
    items: dict[str, int] = {}
    try:
        for fetched in errand.fetch(visit.day(), visit.held(), visit.until):
            name = fetched.source or errand.name
            items[name] = items.get(name, 0) + len(fetched.lines)
    finally:
        rows = [row for row in errand.health() if row.name != errand.name]
    for row in rows:
        yield _of(f"news/{row.name}", row, f"{items.get(row.name, 0)} items")


def _discovery(visit: Visit) -> Iterator[Finding]:
    from cashtag.scrape import bedrock

    told = bedrock.ready(visit.settings)
    asked = bedrock.request(visit.settings, {})
    asked["inferenceConfig"] = {"maxTokens": _ONE_TOKEN}
    bedrock.converse(visit.settings, asked, visit.until)
    yield Finding("discovery", "ok", f"answers; {told}")


def _clock(visit: Visit) -> Iterator[Finding]:
    """Our clock against that of the first site that tells the time."""
    from cashtag.scrape.addresses import host_of
    from cashtag.scrape.fetch import fetch

    live = visit.settings.live
    sites = [live.trending.apewisdom_url, live.trending.stocktwits_url]
    reasons = []
    for url in (*sites, visit.settings.scrape.trending.url):
        try:
            page = fetch(url, visit.settings, visit.until)
        except SourceRefused as refusal:
            reasons.append(str(refusal))
            continue
        theirs = _time_in(page.headers)
        if theirs is None:
            reasons.append(f"{host_of(url)} does not tell the time")
            continue
        ahead = (datetime.now(UTC) - theirs).total_seconds()
        good = abs(ahead) <= live.check.clock_skew_seconds
        way = "ahead of" if ahead > 0 else "behind"
        found = f"{abs(ahead):.0f} s {way} {host_of(url)}"
        yield Finding("clock", "ok" if good else "warn", found, "" if good else remedy("clock"))
        return
    yield Finding("clock", "warn", f"not compared: {'; '.join(reasons)}", _OFFLINE)


def _schedule(visit: Visit) -> Iterator[Finding]:
    """Whether a timer starts the live day, as it would from here, and how its last run ended."""
    from cashtag.operate import schedule

    told = schedule.show(visit.settings, visit.now)
    state, result = str(told["state"]), str(told["last_result"])
    good = state == _AS_SET and not result.startswith(_FAILED)
    found = state if told["installed"] == "no" else f"{told['installed']}, {state}; {result}"
    failed = "see `cashtag schedule show`" if state == _AS_SET else remedy("schedule")
    yield Finding("schedule", "ok" if good else "warn", found, "" if good else failed)


def _time_in(headers: Mapping[str, str]) -> datetime | None:
    """When an answer was made plus how long caches have kept it; None where it does not say."""
    try:
        made = parsedate_to_datetime(headers.get("date", "")).replace(tzinfo=UTC)  # GMT, always
        return made + timedelta(seconds=int(headers.get("age", "0")))
    except ValueError:
        return None
