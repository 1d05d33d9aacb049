"""yfinance within bounds: its own session, subclassed, and one call for one symbol's history.

yfinance asks Yahoo for a cookie and a crumb with time-outs of its own (thirty seconds, one after
the other, under a lock), and has a cache on disk. Here every request ends by the deadline, a host
beside the chart's that did not answer is not asked again, and the cache lies in a folder of this
process. Imported only where Yahoo is asked.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
import threading
import warnings
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yfinance  # no types published
from curl_cffi import CurlOpt
from curl_cffi import requests as curl
from yfinance import cache
from yfinance.exceptions import YFException, YFRateLimitError

from cashtag.errors import SourceRefused
from cashtag.redaction import redacted
from cashtag.scrape.bars import Unavailable
from cashtag.scrape.deadline import Deadline
from cashtag.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

_CHART = "/v8/finance/chart/"
_ZONE = "America/New_York"  # of every symbol that is asked for; saves a request for each
_TOLD = 160  # characters of somebody else's words in a reason
_SOURCE_LEVEL = (401, 403, 407, 429)
_SERVER_ERRORS = 500


class Session(curl.Session[curl.Response]):
    """The session that yfinance would make, with every request bounded."""

    def __init__(self, settings: Settings, until: Deadline) -> None:
        # As yfinance's own: Yahoo refuses clients whose TLS is not a browser's.
        super().__init__(
            impersonate="chrome",
            curl_options={CurlOpt.MAXFILESIZE_LARGE: settings.live.max_bytes},
        )
        self._settings = settings
        self._until = until
        self._silent: set[str] = set()
        self._status = threading.local()
        self._counting = threading.Lock()
        self.asked = 0

    @property
    def chart_status(self) -> int:
        """Status of this thread's last answer with a chart; 0 where there was none."""
        return getattr(self._status, "chart", 0)

    def forget_status(self) -> None:
        """Begin another symbol."""
        self._status.chart = 0

    def request(self, method: Any, url: str, **options: Any) -> curl.Response:  # type: ignore[override]  # passes all on
        """Send within `live.request_seconds`, less for what is not a chart, and the deadline."""
        parts = urlsplit(url)
        host, chart = parts.hostname or "", parts.path.startswith(_CHART)
        if host in self._silent:
            raise curl.exceptions.ConnectionError(f"{host} did not answer before")
        seconds = self._settings.live.request_seconds
        if not chart:
            seconds *= self._settings.live.prices.cookie_share
        options["timeout"] = self._until.within(seconds)
        with self._counting:
            self.asked += 1
        try:
            answer = super().request(method, url, **options)
        except curl.exceptions.RequestException:
            if not chart:
                self._silent.add(host)
            raise
        if chart:
            self._status.chart = answer.status_code
        return answer


@lru_cache(maxsize=1)
def _prepare() -> None:
    """Set up yfinance once a process: its cache, its logger, its errors as exceptions."""
    folder = tempfile.mkdtemp(prefix="cashtag-yfinance-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    yfinance.set_tz_cache_location(folder)
    logging.getLogger("yfinance").setLevel(logging.CRITICAL + 1)
    # It shows its own deprecated calls of pandas to whoever is looking at the terminal.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="^yfinance")
    yfinance.config.debug.hide_exceptions = False
    yfinance.config.network.retries = 0


def prepare(symbols: list[str]) -> None:
    """Tell yfinance the time zone of symbols, which it would ask Yahoo for."""
    _prepare()
    known = cache.get_tz_cache()
    for symbol in symbols:
        if known.lookup(symbol) is None:
            known.store(symbol, _ZONE)


def history(symbol: str, first: date, session: Session, seconds: float) -> pd.DataFrame:
    """Return daily bars of one symbol from `first` to now, neither of which yfinance has adjusted.

    Raises:
        Unavailable: Yahoo limits the rate, cannot be reached, or answers with no chart at all.
        SourceRefused: Yahoo has no bars of this symbol.
    """
    session.forget_status()
    try:
        frame: pd.DataFrame = yfinance.Ticker(symbol, session=session).history(
            start=first.isoformat(),
            interval="1d",
            auto_adjust=False,
            actions=True,
            timeout=seconds,
        )
        return frame
    except SourceRefused:
        raise
    except YFRateLimitError as error:
        raise Unavailable("Yahoo limits the rate (429)") from error
    except curl.exceptions.Timeout as error:
        raise Unavailable("Yahoo did not answer in time (live.request_seconds)") from error
    except curl.exceptions.RequestException as error:
        raise Unavailable(f"Yahoo cannot be reached: {_short(error)}") from error
    except YFException as error:
        status = session.chart_status
        if status in _SOURCE_LEVEL or status >= _SERVER_ERRORS:
            raise Unavailable(f"Yahoo answered {status}: {_short(error)}") from error
        if "Will be right back" in str(error) or "CURRENTLY DOWN" in str(error):
            raise Unavailable("Yahoo says that it is down") from error
        raise SourceRefused(_short(error).removeprefix(f"${symbol}: ")) from error
    except ValueError as error:
        # A page of HTML, or JSON that is cut off; yfinance's parser raises a kind of ValueError.
        raise Unavailable(
            f"Yahoo answered {session.chart_status} with something that is no chart"
        ) from error
    except Exception as error:
        # A chart of another shape ends in whatever yfinance makes of it.
        raise SourceRefused(
            f"Yahoo's chart cannot be read: {type(error).__name__} {_short(error)}"
        ) from error


def _short(error: BaseException) -> str:
    """Somebody else's words: one line, not long, without secrets."""
    return " ".join(redacted(str(error)).split())[:_TOLD]
