"""alpaca-py's own clients within bounds: time-outs, bytes, pages and attempts, which it has not.

alpaca-py waits without end for an answer, sleeps and retries by itself on 429 and 504, and follows
`next_page_token` as long as there is one. Its clients pass everything through `_one_request`, which
is overridden here; nothing of the library is changed. Imported only where Alpaca is asked.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any

import requests
import urllib3
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from alpaca.data.enums import Adjustment, CorporateActionsType, DataFeed
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import CorporateActionsRequest, StockBarsRequest
from alpaca.data.timeframe import TimeFrame

from cashtag.errors import SourceRefused
from cashtag.redaction import redacted
from cashtag.scrape.bars import Span, Unavailable
from cashtag.scrape.credentials import AlpacaKeys
from cashtag.scrape.deadline import Deadline
from cashtag.settings import Settings

_STEP = 1 << 16
_TOLD = 120  # characters of somebody else's words in a reason
_TOO_MANY = 429
_SERVER_ERRORS = 500
_BAD_REQUEST = (400, 422)
_ACTIONS = [
    CorporateActionsType.CASH_DIVIDEND,
    CorporateActionsType.STOCK_DIVIDEND,
    CorporateActionsType.FORWARD_SPLIT,
    CorporateActionsType.REVERSE_SPLIT,
]


class BadSymbols(SourceRefused):
    """Alpaca refuses the whole request because of symbols that it does not know."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Alpaca does not know a symbol: {message}")
        self.message = message


class _Bounds:
    """What one fetch may take, and what it has taken."""

    def __init__(self, settings: Settings, until: Deadline) -> None:
        self.live = settings.live
        self.until = until
        self.requests = 0
        self.left: int | None = None
        self.paused = threading.Event()  # never set: a wait on it is a sleep

    def body(self, response: requests.Response, **_: Any) -> requests.Response:
        """Read the body within bounds; the response then gives it as if it had just come."""
        remaining = response.headers.get("x-ratelimit-remaining", "")
        self.left = int(remaining) if remaining.isdecimal() else self.left
        ends = time.monotonic() + self.until.within(self.live.request_seconds)
        read = bytearray()
        try:
            while piece := response.raw.read1(_STEP, decode_content=True):
                read += piece
                if len(read) > self.live.max_bytes:
                    raise Unavailable(f"Alpaca sent more than {self.live.max_bytes} bytes")
                if time.monotonic() > ends:
                    raise Unavailable("Alpaca sent its answer too slowly (live.request_seconds)")
        except urllib3.exceptions.TimeoutError as error:
            raise Unavailable("Alpaca did not answer in time (live.request_seconds)") from error
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"Alpaca's answer broke off: {type(error).__name__}") from error
        finally:
            if response.raw.closed is False:
                response.raw.close()
        response.raw = io.BytesIO(bytes(read))
        return response


class _Bounded(RESTClient):
    """A client of alpaca-py whose every request is bounded. `bounds` is set after it is made."""

    bounds: _Bounds
    _seen: set[str]

    def begin(self, bounds: _Bounds) -> None:
        """Start a fetch of several pages."""
        self.bounds, self._seen = bounds, set()

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        rules = self.bounds.live.prices
        token = (opts.get("params") or {}).get("page_token")
        if token is not None:
            if token in self._seen or len(self._seen) >= rules.most_pages:
                raise Unavailable(f"Alpaca's pages do not end (after {len(self._seen) + 1})")
            self._seen.add(token)
        for left in reversed(range(rules.attempts)):
            bounded = {
                **opts,
                "timeout": self.bounds.until.within(self.bounds.live.request_seconds),
                "stream": True,
                "hooks": {"response": self.bounds.body},
            }
            self.bounds.requests += 1
            try:
                answer = super()._one_request(method, url, bounded, 0)
            except APIError as error:
                status = error.status_code or 0
                if left and (status == _TOO_MANY or status >= _SERVER_ERRORS):
                    self.bounds.paused.wait(self.bounds.until.within(rules.pause_seconds))
                    continue
                raise _told(error) from error
            if not isinstance(answer, dict):
                raise Unavailable(f"Alpaca answered with {type(answer).__name__}, not an object")
            if answer.get("bars", answer) is None:
                answer["bars"] = {}  # what the library takes for no answer at all
            return answer
        raise AssertionError("the last attempt returns or raises")


class _Bars(_Bounded, StockHistoricalDataClient):
    """Daily bars."""


class _Actions(_Bounded, CorporateActionsClient):
    """Splits and dividends."""


class Client:
    """Bars and corporate actions of Alpaca, as its JSON has them."""

    def __init__(self, settings: Settings, keys: AlpacaKeys, until: Deadline) -> None:
        self._settings = settings
        self.bounds = _Bounds(settings, until)
        url = settings.live.alpaca.data_url
        self._bars = _Bars(keys.key_id, keys.secret_key, raw_data=True, url_override=url)
        self._actions = _Actions(keys.key_id, keys.secret_key, raw_data=True, url_override=url)

    def bars(
        self, symbols: Sequence[str], span: Span, adjustment: str
    ) -> dict[str, list[dict[str, Any]]]:
        """Return daily bars by symbol; a symbol that Alpaca does not know is not in it.

        Raises:
            BadSymbols: the request was refused because of some symbols.
            SourceRefused: it was refused, or did not come within bounds.
        """
        asked = StockBarsRequest(
            symbol_or_symbols=list(symbols),
            timeframe=TimeFrame.Day,
            start=datetime.combine(span.first, clock(), tzinfo=UTC),
            # Daily bars are stamped midnight New York, which is the same date in UTC.
            end=datetime.combine(span.last + timedelta(days=1), clock(), tzinfo=UTC)
            - timedelta(seconds=1),
            adjustment=Adjustment(adjustment),
            feed=DataFeed(self._settings.live.prices.feed),
        )
        self._bars.begin(self.bounds)
        return dict(self._asked(lambda: self._bars.get_stock_bars(asked)))

    def actions(self, symbols: Sequence[str], first: date, last: date) -> dict[str, Any]:
        """Return corporate actions with an ex-date from `first` to `last`, by their kind.

        Raises:
            SourceRefused: as `bars`.
        """
        asked = CorporateActionsRequest(
            symbols=list(symbols), types=_ACTIONS, start=first, end=last, limit=None
        )
        self._actions.begin(self.bounds)
        return dict(self._asked(lambda: self._actions.get_corporate_actions(asked)))

    def _asked(self, call: Any) -> Any:
        try:
            return call()
        except SourceRefused:
            raise
        except requests.Timeout as error:
            raise Unavailable("Alpaca did not answer in time (live.request_seconds)") from error
        except requests.JSONDecodeError as error:
            raise Unavailable("Alpaca answered with something that is no JSON") from error
        except requests.RequestException as error:
            raise Unavailable(f"Alpaca cannot be reached: {_short(str(error))}") from error
        except Exception as error:
            # Pages of another shape than it documents end in whatever the library makes of them.
            raise Unavailable(
                f"Alpaca's answer is not what it documents: {type(error).__name__} "
                f"{_short(str(error))}"
            ) from error


def _told(error: APIError) -> SourceRefused:
    """What a status means, and what to do about it."""
    status, message = error.status_code or 0, _short(str(error))
    if status in (401, 403):
        return Unavailable(
            f"Alpaca refused the keys or the feed ({status}: {message}); check the keys, and "
            "live.prices.feed"
        )
    if status == _TOO_MANY:
        return Unavailable("Alpaca's rate limit is used up (429)")
    if status >= _SERVER_ERRORS:
        return Unavailable(f"Alpaca is out of order ({status})")
    if status in _BAD_REQUEST and "symbol" in message.lower():
        return BadSymbols(message)
    return Unavailable(f"Alpaca refused the request ({status}: {message})")


def _short(text: str) -> str:
    """Somebody else's words: one line, not long, without secrets."""
    return " ".join(redacted(text).split())[:_TOLD]
