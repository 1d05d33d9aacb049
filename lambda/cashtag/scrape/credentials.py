"""Credentials of the live sources: X accounts and Alpaca keys, from a private file or a secret.

The first place that is configured is the one that is read: a secret of AWS Secrets Manager
(`live.x.accounts_secret`, `live.alpaca.credentials_secret`), for Alpaca the environment that its
own tools use, then the TOML file `live.secrets_file`. A relative path is one from the working
directory, as for `cashtag.toml` and the lake. Errors name the place, the entry and the field,
never a value.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cashtag.errors import SettingsError
from cashtag.redaction import remember
from cashtag.scrape import vault
from cashtag.settings import Settings

KEY_ID, SECRET_KEY = "APCA_API_KEY_ID", "APCA_API_SECRET_KEY"  # what Alpaca's own tools read

_ACCOUNT = ("name", "auth_token", "ct0", "proxy")
_KEYS = ("key_id", "secret_key")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,31}")  # becomes x/NAME in manifests and tables
_FIELD = re.compile(r"[A-Za-z_]{1,24}")  # what may be a misspelt field; a cookie has digits
_COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]+")  # cookie-octet of RFC 6265, section 4.1.1
_HEADER = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class XAccount:
    """One X account by its two cookies; only the name may ever be shown."""

    name: str
    auth_token: str = field(repr=False)
    ct0: str = field(repr=False)
    proxy: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AlpacaKeys:
    """An Alpaca API key and its secret; neither may be shown."""

    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)


def x_accounts(settings: Settings, environ: Mapping[str, str] = os.environ) -> tuple[XAccount, ...]:
    """Return the X accounts, sorted by name; empty where none are set up.

    Raises:
        SettingsError: a secret or file that cannot be read, is open to others, or holds an
            account that cannot work. A file that is not there, and a secret that was created
            without a value, hold no accounts.
    """
    if name := settings.live.x.accounts_secret:
        whole = vault.of_secret(settings, environ, "live.x.accounts_secret", name)
        held = "accounts"
        _known(whole, (held, *_KEYS), place(settings))
    else:
        held = "x_accounts"
        whole = _file(settings.live.secrets_file)
    at = place(settings)
    entries = whole.get(held, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise SettingsError(
            f"{at}: `{held}` is no list of accounts; "
            + ("write [[x_accounts]]" if held == "x_accounts" else 'write {"accounts": [{…}]}')
        )
    accounts = tuple(
        _account(settings, entry, f"{at}: account {number}")
        for number, entry in enumerate(entries, 1)
    )
    for what, values in (
        ("name", [account.name.lower() for account in accounts]),
        ("auth_token", [account.auth_token for account in accounts]),
    ):
        for number, value in enumerate(values):
            if (first := values.index(value)) < number:
                raise SettingsError(
                    f"{at}: accounts {first + 1} and {number + 1} have the same `{what}`; "
                    "give every account its own, or remove one of the two"
                )
    return tuple(sorted(accounts, key=lambda account: account.name))


def alpaca_keys(settings: Settings, environ: Mapping[str, str] = os.environ) -> AlpacaKeys | None:
    """Return the keys for Alpaca's data; None where none are set up.

    Raises:
        SettingsError: as for `x_accounts`, or only one of the two keys is given.
    """
    if name := settings.live.alpaca.credentials_secret:
        whole = vault.of_secret(settings, environ, "live.alpaca.credentials_secret", name)
        _known(whole, ("accounts", *_KEYS), f"the secret {name}")
        return _alpaca(whole, f"the secret {name}", _KEYS)
    given = {key: environ.get(key, "").strip() for key in (KEY_ID, SECRET_KEY)}
    if any(given.values()):
        remember(*given.values())
        return _alpaca(given, "the environment", (KEY_ID, SECRET_KEY))
    file = settings.live.secrets_file
    entry = _file(file).get("alpaca", {})
    if not isinstance(entry, dict):
        raise SettingsError(f"{file}: `alpaca` is no table; write [alpaca] above its keys")
    _known(entry, _KEYS, f"{file}: [alpaca]")
    return _alpaca(entry, f"{file}: [alpaca]", _KEYS)


def _file(name: str) -> dict[str, Any]:
    whole = vault.of_file(name)
    _known(whole, ("x_accounts", "alpaca"), name)
    return whole


def place(settings: Settings) -> str:
    """Where the X accounts are kept, in words."""
    secret = settings.live.x.accounts_secret
    return f"the secret {secret}" if secret else settings.live.secrets_file


def how_to_set_up(settings: Settings) -> str:
    """What a person writes, and where, so that there are X accounts: several lines."""
    if name := settings.live.x.accounts_secret:
        return (
            f"put the accounts into the secret {name} as JSON:\n\n"
            '  {"accounts": [{"name": "main", "auth_token": "…", "ct0": "…"}]}\n\n'
            f"  aws secretsmanager put-secret-value --secret-id {shlex.quote(name)} "
            "--secret-string file://accounts.json"
        )
    file = settings.live.secrets_file
    return (
        f"write {file} (in {Path.cwd()}; or name another file in live.secrets_file):\n\n"
        "  [[x_accounts]]          # once for every account\n"
        '  name = "main"           # yours to choose; the only part that is ever shown\n'
        '  auth_token = "…"        # both are cookies of x.com in a browser that is logged in\n'
        '  ct0 = "…"\n'
        '  # proxy = "http://user:password@host:port"\n\n'
        f"  chmod 600 {shlex.quote(file)}"
    )


# ---------------------------------------------------------------- what an entry must be


def _account(settings: Settings, entry: dict[str, Any], at: str) -> XAccount:
    _known(entry, _ACCOUNT, at)
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingsError(
            f"{at}: `name` must be 1 to 32 letters, digits, - or _; it is shown in reports"
        )
    if name in (entry.get("auth_token"), entry.get("ct0")):
        raise SettingsError(f"{at}: `name` is one of the cookies; names are shown, so choose one")
    at = f"{at} ({name})"
    for cookie in ("auth_token", "ct0"):
        value = entry.get(cookie)
        if not isinstance(value, str) or not value:
            raise SettingsError(
                f"{at}: `{cookie}` is missing or no text; copy that cookie from x.com"
            )
        if value.startswith(f"{cookie}=") or not _COOKIE.fullmatch(value):
            raise SettingsError(
                f"{at}: `{cookie}` is no cookie's value; copy only what follows `{cookie}=`, "
                "without `;`, quotes, spaces or line breaks"
            )
    proxy = entry.get("proxy") or None
    if proxy is not None:
        _check_proxy(settings, proxy, at)
    return XAccount(name, entry["auth_token"], entry["ct0"], proxy)


def _check_proxy(settings: Settings, proxy: Any, at: str) -> None:
    parts = _split(proxy)
    if parts is None or not parts.hostname or not _HEADER.fullmatch(proxy):
        raise SettingsError(f"{at}: `proxy` is no address; write http://user:password@host:port")
    schemes = ["http", "https"]
    if settings.live.x.backend == "curl":
        schemes += ["socks5", "socks5h"]
    if parts.scheme not in schemes:
        raise SettingsError(
            f"{at}: `proxy` must begin with one of {', '.join(schemes)}"
            + ("" if "socks5" in schemes else '; for SOCKS set live.x.backend = "curl"')
        )


def _split(proxy: Any) -> SplitResult | None:
    """A proxy's address in parts; None for what is none, or has no port that could be."""
    if not isinstance(proxy, str):
        return None
    try:
        parts = urlsplit(proxy)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _alpaca(entry: Mapping[str, Any], at: str, names: tuple[str, str]) -> AlpacaKeys | None:
    found = [entry.get(name, "") for name in names]
    if found == ["", ""]:
        return None
    for name, value in zip(names, found, strict=True):
        if not value:
            raise SettingsError(f"{at}: `{name}` is missing; Alpaca shows it beside the other")
        if not isinstance(value, str) or not _HEADER.fullmatch(value):
            raise SettingsError(f"{at}: `{name}` holds what no key has; copy it again")
    return AlpacaKeys(*found)


def _known(entry: Mapping[str, Any], fields: tuple[str, ...], at: str) -> None:
    for key in entry:
        if key not in fields:
            named = f"`{key}`" if _FIELD.fullmatch(key) else "a field that is not shown here"
            raise SettingsError(f"{at}: {named} is unknown; fields are {', '.join(fields)}")
