"""The composition root: from settings to an Env, importing only what the settings name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cashtag.errors import InputError, SettingsError
from cashtag.later import Later
from cashtag.ports import Day, Env, Fetched, Lake, Notifier, Source, SourceHealth, Warehouse
from cashtag.settings import Settings, Text, load

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


# ---------------------------------------------------------------- the deployed stack


def cloud(settings: Settings, *, source_name: str = "live") -> Env:
    """Everything a function of the stack needs: S3, Athena, the endpoint, SNS, EventBridge.

    Nothing of it is connected, and no source or engine imported, before it is used: a function
    pays for what it does.

    Raises:
        SettingsError: a place of `[aws]` is not set.
    """
    from cashtag import alerts
    from cashtag.sentiment import registry

    lake = s3_lake(settings)
    aws = settings.aws
    notifiers: tuple[Notifier, ...] = ()
    if aws.topic:
        notifiers = (alerts.Once(alerts.SnsNotifier(aws.topic, aws.region), lake.signals),)
    return Env(
        settings=settings,
        lake=lake,
        warehouse=Later(lambda: _athena(settings, lake)),
        source=_Deferred(source_name, settings, lake),
        scorer=Later(lambda: registry.scorer(settings)),
        notifiers=notifiers,
        bus=alerts.EventBus(aws.event_bus, aws.region) if aws.event_bus else None,
    )


def s3_lake(settings: Settings) -> Lake:
    """The five zones where `[aws]` says they are; the dashboard's lies below `results`.

    Raises:
        SettingsError: a place is not set.
    """
    from cashtag.lake import s3

    client = _s3_client(settings.aws.region)

    def zone(name: str, below: str = "") -> s3.S3Store:
        place = getattr(settings.aws, name)
        if not place:
            raise SettingsError(
                f"aws.{name} is not set: deploy the stack (`cashtag deploy`), or set "
                f"CASHTAG_AWS__{name.upper()} to a bucket"
            )
        bucket, _, prefix = place.partition("/")
        return s3.S3Store(bucket, f"{prefix}/{below}".strip("/"), client)

    return Lake(
        zone("raw"), zone("enriched"), zone("signals"), zone("ledger"), zone("results", "report")
    )


def from_environment(*, seconds: float | None = None) -> Env:
    """The Env of a function: defaults < profile < the stack's parameter < environment variables.

    Kept by the process for as long as the parameter, asked again every `aws.settings_seconds`,
    says the same. With `seconds`, a live scrape ends that soon.

    Raises:
        SettingsError: the parameter cannot be read or is no TOML, or a setting does not fit.
    """
    from cashtag.redaction import remember

    remember(os.environ.get("AWS_SECRET_ACCESS_KEY"), os.environ.get("AWS_SESSION_TOKEN"))
    given = tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("CASHTAG_")))
    env = _env_of(given, _parameter(given))
    if seconds is None or seconds >= env.settings.live.step_seconds:
        return env
    live = env.settings.live.model_copy(update={"step_seconds": seconds})
    return cloud(env.settings.model_copy(update={"live": live}))


def forget() -> None:
    """Let the next `from_environment` begin as in a process that has just started."""
    for kept in (_env_of, _without_parameter, _ssm, _s3_client):
        kept.cache_clear()


@cache
def _env_of(environ: tuple[tuple[str, str], ...], text: Text) -> Env:
    return cloud(load(environ=dict(environ), text=text))


def _parameter(environ: tuple[tuple[str, str], ...]) -> Text:
    """What the stack's parameter holds; nothing where there is none.

    Its name, and how long it is kept, come from the environment alone.
    """
    aws = _without_parameter(environ).aws
    if not aws.parameter:
        return Text("", "the stack's parameter")
    from aws_lambda_powertools.utilities.parameters import GetParameterError

    place = f"the parameter {aws.parameter}"
    try:
        found = _ssm(aws.region).get(aws.parameter, max_age=int(aws.settings_seconds), decrypt=True)
    except GetParameterError as error:
        told = error.__cause__ or error.__context__  # what boto3 raised
        answer: Mapping[str, Any] = getattr(told, "response", {})
        code = answer.get("Error", {}).get("Code") or type(told).__name__
        if code == "ParameterNotFound":
            return Text("", place)
        raise SettingsError(
            f"{place} cannot be read ({code}): allow ssm:GetParameter on it, and kms:Decrypt on "
            "its key, to this function"
        ) from None
    return Text(str(found or ""), place)


@cache
def _without_parameter(environ: tuple[tuple[str, str], ...]) -> Settings:
    return load(environ=dict(environ), text=Text("", "the stack's parameter"))


@cache
def _ssm(region: str) -> Any:
    from aws_lambda_powertools.utilities.parameters import SSMProvider
    from botocore.config import Config

    return SSMProvider(boto_config=Config(region_name=region or None, retries={"mode": "standard"}))


@cache
def _s3_client(region: str) -> Any:
    from cashtag.lake import s3

    return s3.client(region)


def _athena(settings: Settings, lake: Lake) -> Warehouse:
    from cashtag.warehouse.athena import AthenaWarehouse  # type: ignore[import-untyped, unused-ignore]

    return AthenaWarehouse(settings, lake)  # type: ignore[no-any-return, unused-ignore]


class _Deferred:
    """A source whose name is known, and which is made when it is asked for more than that.

    What only wants to know whether a run is live must not read the accounts' secret.
    """

    def __init__(self, name: str, settings: Settings, lake: Lake) -> None:
        self.name = name
        self._settings, self._lake = settings, lake

    @cached_property
    def _source(self) -> Source:
        return source(self._settings, self.name, self._lake)

    def dates(self) -> tuple[date, date] | None:
        return self._source.dates()

    def asked(self, dt: date) -> tuple[str, ...]:
        return self._source.asked(dt)

    def fetch(self, day: Day) -> Iterator[Fetched]:
        return self._source.fetch(day)

    def health(self) -> tuple[SourceHealth, ...]:
        return self._source.health()
