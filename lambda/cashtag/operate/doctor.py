"""What `cashtag doctor` examines: Python, libraries, settings, lake, calendar, model, sample."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cashtag.errors import CashtagError
from cashtag.settings import Settings

NEEDED = (
    "pyarrow",
    "duckdb",
    "sqlglot",
    "pandas",
    "pydantic",
    "orjson",
    "vaderSentiment",
    "plotly",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox")
PROBE = ".doctor/probe"
_MINIMUM_FREE = 1 << 30  # a year of thirty tickers takes about 60 MB; raw and stage some more


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined: ok, warn (works, but …) or fail (will not work), and the remedy."""

    what: str
    verdict: Literal["ok", "warn", "fail"]
    found: str
    remedy: str = ""

    def row(self) -> dict[str, Any]:
        """The finding as a row to print."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Examine everything that a laptop's day needs; nothing here touches a network."""
    return [finding for probe in _PROBES for finding in probe(settings)]


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Finding("python", "ok" if good else "fail", version, "" if good else "use 3.11 or newer")


def _libraries(_: Settings) -> Iterator[Finding]:
    for name in NEEDED:
        try:
            yield Finding(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "fail", "not installed", "pip install -e . -c constraints.txt")


def _mode(settings: Settings) -> Iterator[Finding]:
    mode = settings.trade.mode
    yield Finding(
        "trade.mode",
        "ok" if mode == "simulated" else "warn",
        mode,
        "" if mode == "simulated" else "orders go to a broker; simulated is the default",
    )
    yield Finding("settings", "ok", f"profile {settings.profile}, hash {settings.config_hash()}")


def _lake(settings: Settings) -> Iterator[Finding]:
    from cashtag.lake.disk import FolderStore

    store = FolderStore(settings.lake)
    try:
        store.put(PROBE, b"probe")
        whole = store.get(PROBE) == b"probe"
        store.delete(PROBE)
        again = store.put_if_absent(PROBE, b"1") and not store.put_if_absent(PROBE, b"2")
        store.delete(PROBE)
    except CashtagError as error:
        yield Finding("lake", "fail", str(error), "choose another folder with --lake")
        return
    good = whole and again
    yield Finding(
        "lake",
        "ok" if good else "fail",
        store.uri(),
        "" if good else "this file system loses writes or create-only puts; use another",
    )
    free = shutil.disk_usage(store.uri()).free
    yield Finding(
        "disk",
        "ok" if free > _MINIMUM_FREE else "warn",
        f"{free / 1e9:.1f} GB free",
        "" if free > _MINIMUM_FREE else "free some space: a full disk stops a run half-way",
    )


def _calendar(_: Settings) -> Iterator[Finding]:
    from cashtag import sessions

    last = sessions.last_session()
    # Asking about this machine's day is what a doctor does; no derived data comes of it.
    near = last - datetime.now(UTC).date() < timedelta(days=366)
    yield Finding(
        "calendar",
        "warn" if near else "ok",
        f"XNYS {sessions.first_session()} to {last}",
        "make a longer table: python -m cashtag.sessions_table" if near else "",
    )


def _model(settings: Settings) -> Iterator[Finding]:
    from cashtag.sentiment import registry

    try:
        scorer = registry.scorer(settings)
        negative, _neutral, positive = scorer.score(["Great quarter, guidance raised"])[0]
    except CashtagError as error:
        yield Finding("model", "fail", str(error), "choose another: enrich.model")
        return
    good = bool(positive > negative)
    yield Finding(
        "model",
        "ok" if good else "fail",
        scorer.version,
        "" if good else "the model calls good news bad; its files may be damaged",
    )


def _resources(_: Settings) -> Iterator[Finding]:
    from cashtag import resources
    from cashtag.lake.contracts import contracts

    for name in ("glue", "sample_data"):
        try:
            yield Finding(name, "ok", str(resources.path(name)))
        except CashtagError as error:
            yield Finding(name, "fail", str(error), "install the package again")
    yield Finding("contracts", "ok", f"{len(contracts())} tables")


def _browser(_: Settings) -> Iterator[Finding]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    yield Finding(
        "browser",
        "ok" if found else "warn",
        found or "none on the PATH",
        "" if found else "open lake/report/index.html in any browser",
    )


_PROBES: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _libraries,
    _resources,
    _mode,
    _lake,
    _calendar,
    _model,
    _browser,
)
