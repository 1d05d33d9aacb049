"""alpaca-py's own clients within bounds: what they ask for is sent by our `fetch`.

By itself the library waits without end for an answer of any size, sleeps and tries again on 429
and 504, and follows `next_page_token` as long as there is one. All of its clients send through
`RESTClient._one_request`, which is overridden here; nothing of the library is changed. Imported
only where Alpaca is asked, for it brings pandas.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from alpaca.common.rest import RESTClient
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.screener import ScreenerClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.trading.client import TradingClient

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import host_of, plain
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.scrape.fetch import Unsuccessful, fetch, json_of
from cashtag.settings import Settings

_TOO_MANY = 429
_SERVER_ERRORS = 500
_NOT_ALLOWED = (401, 403)
# What the library takes for no answer at all where Alpaca has nothing.
_EMPTY = ("bars", "snapshots", "trades")

T = TypeVar("T")
Send = Callable[[str, Mapping[str, Any], Mapping[str, str]], Any]


class _Bounded(RESTClient):
    """A client of alpaca-py whose requests go through `send`: address, parameters, headers."""

    send: Send

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        assert method.upper() == "GET", f"{method} {url}: nothing is ordered here"
        return self.send(url, opts.get("params") or {}, opts["headers"])


class _Stocks(_Bounded, StockHistoricalDataClient):
    """Bars and trades."""


class _Actions(_Bounded, CorporateActionsClient):
    """Splits and dividends."""


class _Options(_Bounded, OptionHistoricalDataClient):
    """Snapshots of chains."""


class _Screener(_Bounded, ScreenerClient):
    """Most actives."""


class _Trading(_Bounded, TradingClient):
    """Assets and contracts: lists that are read."""


B = TypeVar("B", _Stocks, _Actions, _Options, _Screener, _Trading)


class Client:
    """The library's clients for one piece of work: a batch of symbols, a chain, a list.

    `requests` counts what was sent, `left` is what Alpaca said last of its rate limit, `url` is
    the last address. Not for several threads at once.
    """

    def __init__(
        self, settings: Settings, keys: AlpacaKeys, until: Deadline, attempts: int | None = None
    ) -> None:
        self._settings, self._keys, self._until = settings, keys, until
        self._attempts = attempts or settings.live.alpaca.attempts
        self._answered: set[str] = set()
        self._pages = 0
        self._never = threading.Event()  # a wait on it is a sleep
        self.requests, self.url = 0, ""
        self.left: int | None = None
        data, trading = settings.live.alpaca.data_url, settings.live.alpaca.trading_url
        self.stocks = self._made(_Stocks, data)
        self.actions = self._made(_Actions, data)
        self.options = self._made(_Options, data)
        self.screener = self._made(_Screener, data)
        self.trading = self._made(_Trading, trading)

    def asked(self, call: Callable[[], T]) -> T:
        """What a call of one of the clients returns.

        Raises:
            Unsuccessful: Alpaca refused; the reason says what it says, `status` and `body` are its.
            SourceRefused: no answer within bounds, or another than it documents.
        """
        try:
            return call()
        except SourceRefused:
            raise
        except Exception as error:
            # Answers of another shape than it documents end in whatever the library makes of them.
            raise SourceRefused(
                f"Alpaca's answer is not what it documents: {type(error).__name__} "
                f"{plain(str(error))}"
            ) from error

    def _made(self, kind: type[B], base: str) -> B:
        made = kind(
            self._keys.key_id,
            self._keys.secret_key,
            raw_data=True,
            url_override=base.rstrip("/"),
        )
        made.send = self._send
        return made

    def _send(self, url: str, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        """Answer one request of the library; pages without end are refused."""
        # Bytes, so that an enumeration is sent by its value.
        given = {
            name: value.encode() if isinstance(value, str) else value
            for name, value in fields.items()
            if value is not None
        }
        self.url = f"{url}?{urlencode(given)}" if given else url
        if self.url in self._answered:
            raise SourceRefused(f"{host_of(url)} leads in a circle from page to page")
        self._pages += "page_token" in given
        most = self._settings.live.alpaca.most_pages
        if self._pages > most:
            raise SourceRefused(
                f"{host_of(url)} has more than {most} pages (live.alpaca.most_pages)"
            )
        found = self._attempted(headers)
        self._answered.add(self.url)
        if not isinstance(found, dict):
            return found
        return found | {name: {} for name in _EMPTY if found.get(name, {}) is None}

    def _attempted(self, headers: Mapping[str, str]) -> Any:
        pause = self._settings.live.alpaca.pause_seconds
        for left in reversed(range(self._attempts)):
            self.requests += 1
            try:
                page = fetch(self.url, self._settings, self._until, headers=headers)
            except Unsuccessful as refusal:
                self._count(refusal.headers)
                busy = refusal.status == _TOO_MANY or refusal.status >= _SERVER_ERRORS
                if busy and left and self._until.left > pause:
                    self._never.wait(pause)
                    continue
                raise _told(refusal) from refusal
            self._count(page.headers)
            return json_of(page)
        raise AssertionError("the last attempt returns or raises")

    def _count(self, headers: Mapping[str, str]) -> None:
        remaining = headers.get("x-ratelimit-remaining", "")
        self.left = int(remaining) if remaining.isdecimal() else self.left


def _told(refusal: Unsuccessful) -> Unsuccessful:
    """The refusal with what its status means at Alpaca, and what Alpaca says of it."""
    told = []
    if refusal.status == _TOO_MANY:
        told.append("the rate limit is used up")
    if refusal.status in _NOT_ALLOWED:
        told.append(
            "the Alpaca keys are not valid there (paper and live keys differ), or their plan "
            "lacks what was asked for"
        )
    if words := plain(refusal.body.decode("utf-8", "replace")):
        told.append(f"it says {words}")
    reason = f"{refusal}: {'; '.join(told)}" if told else str(refusal)
    return Unsuccessful(reason, refusal.status, refusal.headers, refusal.body)
