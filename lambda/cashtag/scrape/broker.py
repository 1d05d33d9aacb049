"""The broker's lists by alpaca-py's own clients: its assets, and the stocks traded most.

alpaca-py makes the requests; our bounded fetch sends them. By itself it would wait without end
for an answer of any size, and repeat a request that was refused for want of patience (429, 504).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import host_of
from cashtag.scrape.fetch import Unsuccessful, fetch_json

if TYPE_CHECKING:
    from cashtag.scrape.credentials import AlpacaKeys
    from cashtag.scrape.deadline import Deadline
    from cashtag.settings import Settings

MOST_AT_ONCE = (
    100  # rows that the screener gives at most, docs.alpaca.markets/reference/mostactives
)
_MISSING = 404
_NOT_ALLOWED = (401, 403)


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows as the broker returned them, and the address that they came from."""

    url: str
    rows: tuple[Mapping[str, Any], ...]


def most_actives(settings: Settings, keys: AlpacaKeys, top: int, until: Deadline) -> Answer:
    """Return the stocks with most volume, most first: `symbol`, `volume`, `trade_count`.

    Raises:
        SourceRefused: the broker refused, or answered with something else.
    """
    from alpaca.data.enums import MostActivesBy
    from alpaca.data.historical.screener import ScreenerClient
    from alpaca.data.requests import MostActivesRequest

    sent = _Sent(settings, until, settings.live.alpaca.data_url)

    class Client(_Bounded, ScreenerClient):
        sending = sent

    client = Client(keys.key_id, keys.secret_key, raw_data=True, url_override=sent.base)
    wanted = MostActivesRequest(by=MostActivesBy.VOLUME, top=min(top, MOST_AT_ONCE))
    found = client.get_most_actives(wanted)
    return sent.answer(found, "most_actives")


def active_assets(settings: Settings, keys: AlpacaKeys, until: Deadline) -> Answer:
    """Return all US stocks and funds that are active at the broker.

    Raises:
        SourceRefused: the broker refused, or answered with something else.
    """
    from alpaca.trading.enums import AssetClass, AssetStatus
    from alpaca.trading.requests import GetAssetsRequest

    sent = _Sent(settings, until, settings.live.alpaca.trading_url)
    wanted = GetAssetsRequest(status=AssetStatus.ACTIVE, asset_class=AssetClass.US_EQUITY)
    return sent.answer(_trading(sent, keys).get_all_assets(wanted))


def one_asset(settings: Settings, keys: AlpacaKeys, symbol: str, until: Deadline) -> Answer:
    """Return one asset, active or not; no row when the broker has never heard of it.

    Raises:
        SourceRefused: the broker refused, or answered with something else.
    """
    sent = _Sent(settings, until, settings.live.alpaca.trading_url)
    try:
        found = _trading(sent, keys).get_asset(symbol)
    except Unsuccessful as refusal:
        if refusal.status == _MISSING:
            return Answer(sent.url, ())
        raise
    return sent.answer([found])


class _Sent:
    """The one request of a client: where it may go, and where it went."""

    def __init__(self, settings: Settings, until: Deadline, base: str) -> None:
        self.settings, self.until, self.base = settings, until, base.rstrip("/")
        self.url = self.base

    def get(self, url: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        assert url.startswith(f"{self.base}/"), f"{url} is not below {self.base}"
        # Bytes, so that an enumeration is sent by its value.
        fields = {k: v.encode() if isinstance(v, str) else v for k, v in params.items()}
        self.url = f"{url}?{urlencode(fields)}" if fields else url
        try:
            return fetch_json(self.url, self.settings, self.until, headers=headers)
        except Unsuccessful as refusal:
            if refusal.status not in _NOT_ALLOWED:
                raise
            raise Unsuccessful(
                f"{refusal}: the Alpaca keys are not valid there (paper and live keys differ)",
                refusal.status,
            ) from refusal

    def answer(self, found: Any, field: str | None = None) -> Answer:
        rows = found.get(field) if field and isinstance(found, dict) else found
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            what = f"a list `{field}`" if field else "a list of assets"
            raise SourceRefused(f"{host_of(self.url)} answered without {what}")
        return Answer(self.url, tuple(rows))


class _Bounded:
    """What a client of alpaca-py inherits before the client: its requests go through `fetch`."""

    sending: _Sent

    def _one_request(
        self, method: str, url: str, opts: Mapping[str, Any], retry: int
    ) -> dict[str, Any]:
        assert method.upper() == "GET", f"{method} {url}: lists are read, nothing is ordered here"
        found: dict[str, Any] = self.sending.get(url, opts.get("params") or {}, opts["headers"])
        return found


def _trading(sent: _Sent, keys: AlpacaKeys) -> Any:
    from alpaca.trading.client import TradingClient

    class Client(_Bounded, TradingClient):
        sending = sent

    return Client(keys.key_id, keys.secret_key, raw_data=True, url_override=sent.base)
