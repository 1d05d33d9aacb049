"""What `cashtag doctor --live` examines: every live source by its own errand, all at once.

Each is asked for very little, on the path that a run takes. Nothing is written to the lake. A
probe that breaks or hangs is a finding of its own and hides no other.
"""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from cashtag.errors import CashtagError, SourceRefused
from cashtag.operate import live_probes
from cashtag.operate.doctor import Finding
from cashtag.operate.live_probes import INSTALL, Visit
from cashtag.ports import Store
from cashtag.redaction import redacted
from cashtag.scrape import credentials, waiting
from cashtag.scrape.credentials import AlpacaKeys, XAccount
from cashtag.scrape.deadline import Deadline
from cashtag.settings import Settings

T = TypeVar("T")
Tick = Callable[[int, int, str], None]
_TOLD = 200  # characters; the rest of a long reason is in the manifest of a run
_SECRETS = 0.2  # of the time, at most, for one look into where credentials are kept
_HANDOVER = 0.1  # of the time: a source that waits to its end can still say for what
_PACKAGES = ("twscrape", "httpx", "beautifulsoup4", "lxml", "yfinance", "alpaca-py", "feedparser")
_WRITE = "`cashtag accounts check` shows what to write"
# Without one good member of each, no run is worth its while.
_NEEDED = {
    "x": "renew an account's cookies; `cashtag accounts check` shows which, and what to write",
    "trending": "add a site that works to scrape.trending.chain, or try again later",
    "prices": "set up Alpaca's keys, or try again later",
}


@dataclass(frozen=True)
class _Held:
    accounts: tuple[XAccount, ...] = ()
    keys: AlpacaKeys | None = None
    findings: tuple[Finding, ...] = ()


def examine(
    settings: Settings, environ: Mapping[str, str] = os.environ, tick: Tick | None = None
) -> list[Finding]:
    """Examine what a live run needs, within `live.check.seconds`.

    What a run cannot do without fails: packages, credentials that cannot be read, and X accounts,
    trending sites or sources of prices of which none works. Anything else is a warning.
    """
    until = Deadline(settings.live.check.seconds)
    inner = until.before(until.left * _HANDOVER)
    first: list[Finding] = [*_packages(settings), *_contact(settings)]
    held = _held(settings, environ, inner)
    with tempfile.TemporaryDirectory(prefix="cashtag-doctor-") as folder:
        visit = Visit(settings, inner, datetime.now(UTC), _store(folder), held.accounts, held.keys)
        probes = live_probes.probes(visit)
        found: dict[str, list[Finding]] = {}
        asked = waiting.answers(
            lambda name: _probed(probes[name]), list(probes), len(probes), until, "doctor"
        )
        for done, (name, outcome) in enumerate(asked, 1):
            if tick is not None:
                tick(done, len(probes), name)
            found[name] = _findings(name, outcome)
    told = [finding for name in probes for finding in found[name]]
    whole = [*first, *held.findings, *_with_needed(told, held)]
    return [
        replace(one, found=textwrap.shorten(one.found, _TOLD, placeholder=" …")) for one in whole
    ]


# ---------------------------------------------------------------- what needs no network


def _packages(settings: Settings) -> Iterator[Finding]:
    names = list(_PACKAGES)
    if settings.live.x.backend == "curl":
        names.append("curl_cffi")
    secrets = settings.live.x.accounts_secret or settings.live.alpaca.credentials_secret
    if secrets or settings.scrape.discovery.enabled:
        names.append("boto3")
    for name in names:
        try:
            yield Finding(name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "fail", "not installed", INSTALL)


def _contact(settings: Settings) -> Iterator[Finding]:
    contact = settings.live.contact.strip()
    yield Finding(
        "live.contact",
        "ok" if contact else "warn",
        contact or "not set: the SEC answers nobody who does not say who asks",
        "" if contact else live_probes.CONTACT,
    )


def _held(settings: Settings, environ: Mapping[str, str], until: Deadline) -> _Held:
    """Accounts and keys, and what is wrong with where they are kept."""
    accounts, no_accounts = _read(lambda: credentials.x_accounts(settings, environ), until)
    keys, no_keys = _read(lambda: credentials.alpaca_keys(settings, environ), until)
    findings = [
        Finding("secrets", "fail", problem, "put it right as it says, then run this again")
        for problem in dict.fromkeys(filter(None, (no_accounts, no_keys)))
    ]
    if not findings:
        findings = [_secrets(settings, len(accounts or ()), keys is not None)]
    if keys is None and no_keys is None:
        findings.append(
            Finding(
                "alpaca",
                "warn",
                "no keys: bars come from Yahoo alone, and there are no option chains",
                "free keys of alpaca.markets do: [alpaca] key_id and secret_key in "
                f"{settings.live.secrets_file}",
            )
        )
    return _Held(accounts or (), keys, tuple(findings))


def _read(call: Callable[[], T], until: Deadline) -> tuple[T | None, str | None]:
    """What is kept, or why it cannot be read; most of the time is left to the sources."""
    try:
        soon = until.before(until.left * (1 - _SECRETS))
        return waiting.answer(call, soon, "doctor-secrets"), None
    except SourceRefused:
        return None, "AWS Secrets Manager did not answer in time (live.check.seconds)"
    except CashtagError as error:
        return None, redacted(str(error))


def _secrets(settings: Settings, accounts: int, keys: bool) -> Finding:
    """What there is, and where; the file could be read, so nobody else can read it."""
    live, file = settings.live, settings.live.secrets_file
    both_in_secrets = live.x.accounts_secret and live.alpaca.credentials_secret
    if not both_in_secrets and not accounts and not Path(file).expanduser().exists():
        return Finding("secrets", "warn", f"{file} is not there, in {Path.cwd()}", _WRITE)
    found = f"{credentials.place(settings)}: {accounts} X accounts, Alpaca keys: "
    return Finding("secrets", "ok", found + ("yes" if keys else "no"))


def _store(folder: str) -> Store:
    """An empty zone for errands that look into raw."""
    from cashtag.lake.disk import FolderStore

    return FolderStore(folder)


# ---------------------------------------------------------------- probes and what becomes of them


class _Probed:
    """One probe's findings, and what it raised, if it did."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.error: BaseException | None = None

    def __enter__(self) -> _Probed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.error = error  # becomes a finding, which everybody sees
        return True


def _probed(probe: Callable[[], Iterator[Finding]]) -> _Probed:
    with _Probed() as probed:
        probed.findings.extend(probe())
    return probed


def _findings(name: str, outcome: _Probed | CashtagError) -> list[Finding]:
    """What a probe found, and why it ended, if it did not end well."""
    if isinstance(outcome, CashtagError):
        why = "no answer in time (live.check.seconds)"
        return [Finding(name, "warn", why, live_probes.remedy(name))]
    error = outcome.error
    if error is None:
        return outcome.findings
    text = redacted(str(error))
    if isinstance(error, CashtagError):
        broken = Finding(name, "warn", text, live_probes.remedy(name))
    elif isinstance(error, ModuleNotFoundError):
        broken = Finding(name, "warn", f"the package {error.name} is not installed", INSTALL)
    else:
        broken = Finding(
            name,
            "warn",
            f"{type(error).__name__}: {text}",
            "this is a defect of Cashtag: report it with this line",
        )
    return [*outcome.findings, broken]


def _with_needed(told: Sequence[Finding], held: _Held) -> list[Finding]:
    """The findings, and after each group of which one member must work whether one does."""
    whole: list[Finding] = []
    for group, advice in _NEEDED.items():
        members = [finding for finding in told if finding.what.startswith(f"{group}/")]
        good = sum(finding.verdict == "ok" for finding in members)
        found, remedy = f"{good} of {len(members)} work", advice
        if group == "x" and not held.accounts:
            unread = any(one.what == "secrets" and one.verdict == "fail" for one in held.findings)
            found = "accounts cannot be read" if unread else "no account is set up"
            remedy = _WRITE
        verdict = Finding(group, "ok" if good else "fail", found, "" if good else remedy)
        whole += [*members, verdict]
    return [*whole, *(one for one in told if one.what.partition("/")[0] not in _NEEDED)]
