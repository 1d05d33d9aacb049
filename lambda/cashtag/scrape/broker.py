"""The broker's lists by alpaca-py's own clients: its assets, and the stocks traded most.

They are asked for once: a list of most actives has others to stand in for it, and the assets are
asked for again when the run is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import host_of
from cashtag.scrape.fetch import Unsuccessful

if TYPE_CHECKING:
    from cashtag.scrape.alpaca_client import Client
    from cashtag.scrape.credentials import AlpacaKeys
    from cashtag.scrape.deadline import Deadline
    from cashtag.settings import Settings

# Rows that the screener gives at most, docs.alpaca.markets/reference/mostactives
MOST_AT_ONCE = 100
_MISSING = 404


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
    from alpaca.data.requests import MostActivesRequest

    client = _client(settings, keys, until)
    wanted = MostActivesRequest(by=MostActivesBy.VOLUME, top=min(top, MOST_AT_ONCE))
    found = client.asked(lambda: client.screener.get_most_actives(wanted))
    return _rows(client.url, found, "most_actives")


def active_assets(settings: Settings, keys: AlpacaKeys, until: Deadline) -> Answer:
    """Return all US stocks and funds that are active at the broker.

    Raises:
        SourceRefused: the broker refused, or answered with something else.
    """
    from alpaca.trading.enums import AssetClass, AssetStatus
    from alpaca.trading.requests import GetAssetsRequest

    client = _client(settings, keys, until)
    wanted = GetAssetsRequest(status=AssetStatus.ACTIVE, asset_class=AssetClass.US_EQUITY)
    found = client.asked(lambda: client.trading.get_all_assets(wanted))
    return _rows(client.url, found)


def one_asset(settings: Settings, keys: AlpacaKeys, symbol: str, until: Deadline) -> Answer:
    """Return one asset, active or not; no row when the broker has never heard of it.

    Raises:
        SourceRefused: the broker refused, or answered with something else.
    """
    client = _client(settings, keys, until)
    try:
        found = client.asked(lambda: client.trading.get_asset(symbol))
    except Unsuccessful as refusal:
        if refusal.status == _MISSING:
            return Answer(client.url, ())
        raise
    return _rows(client.url, [found])


def _client(settings: Settings, keys: AlpacaKeys, until: Deadline) -> Client:
    from cashtag.scrape.alpaca_client import Client

    return Client(settings, keys, until, attempts=1)


def _rows(url: str, found: Any, field: str | None = None) -> Answer:
    rows = found.get(field) if field and isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        what = f"a list `{field}`" if field else "a list of assets"
        raise SourceRefused(f"{host_of(url)} answered without {what}")
    return Answer(url, tuple(rows))
