"""The composition root: from settings to an Env, importing only what the settings name."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from cashtag.errors import InputError
from cashtag.ports import Env, Lake, Notifier, Source
from cashtag.settings import Settings

ZONES = ("raw", "enriched", "signals", "ledger", "report")
# What cannot be made again survives a power cut; what can be made again is written faster.
DURABLE = frozenset({"raw", "ledger"})
# Modules of the extra `live`, without which some source would fail in the middle of a run.
LIVE_NEEDS = ("alpaca", "bs4", "feedparser", "httpx", "lxml", "twscrape", "yfinance")


def folder_lake(folder: str | Path) -> Lake:
    """The five zones as subfolders of `folder`; nothing is created before the first write."""
    from cashtag.lake.disk import FolderStore

    root = Path(folder)
    return Lake(*(FolderStore(root / zone, durable=zone in DURABLE) for zone in ZONES))


def source(settings: Settings, name: str, lake: Lake) -> Source:
    """The source called `name`: sample, archive or live.

    Raises:
        InputError: no source has that name.
        SettingsError: the accounts of the live sources are not to be read.
    """
    if name == "sample":
        from cashtag import resources
        from cashtag.scrape.sample import SampleSource

        return SampleSource(resources.path("sample_data", "raw"))
    if name == "archive":
        from cashtag.scrape.archive import ArchiveSource

        return ArchiveSource(lake.raw, tuple(settings.scrape.always_bars))
    if name == "live":
        return _live(settings, lake)
    raise InputError(f"--source {name!r} is none of: sample, archive, live")


def need_live(what: str) -> None:
    """Refuse `what` where a package of the extra `live` is missing.

    Raises:
        InputError: names the packages, and how to install them.
    """
    missing = [name for name in LIVE_NEEDS if find_spec(name) is None]
    if missing:
        raise InputError(
            f"{what} needs packages that are not installed: {', '.join(missing)}; "
            "pip install 'cashtag[live]'"
        )


def _live(settings: Settings, lake: Lake) -> Source:
    need_live("--source live")
    from cashtag.scrape import credentials
    from cashtag.scrape.assets import Assets
    from cashtag.scrape.live import Errand, LiveSource
    from cashtag.scrape.news import News
    from cashtag.scrape.options import Options
    from cashtag.scrape.prices import Prices
    from cashtag.scrape.trending import Trending
    from cashtag.scrape.x.errand import X

    keys = credentials.alpaca_keys(settings)
    errands: list[Errand] = [
        X(settings, credentials.x_accounts(settings)),
        Prices(settings, keys),
        News(settings),
    ]
    if keys is not None:
        errands.append(Assets(settings, keys))
    if settings.live.options.enabled and keys is not None:
        errands.append(Options(settings, keys))
    return LiveSource(settings, lake, errands, Trending(settings, lake.raw, keys))


def embedded(
    settings: Settings,
    *,
    source_name: str = "archive",
    notifiers: tuple[Notifier, ...] = (),
) -> Env:
    """Everything a day needs on one laptop: folder, DuckDB, in-process model, simulated broker."""
    from cashtag.sentiment import registry
    from cashtag.warehouse.duckdb import DuckDBWarehouse

    lake = folder_lake(settings.lake)
    return Env(
        settings=settings,
        lake=lake,
        warehouse=DuckDBWarehouse(lake),
        source=source(settings, source_name, lake),
        scorer=registry.scorer(settings),
        notifiers=notifiers,
    )
