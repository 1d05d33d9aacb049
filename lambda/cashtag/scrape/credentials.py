"""Credentials of the live sources: X accounts and Alpaca keys, from a private file or a secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cashtag.settings import Settings


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
    """Return the X accounts, sorted by name; empty where none are set up."""
    return ()


def alpaca_keys(settings: Settings, environ: Mapping[str, str] = os.environ) -> AlpacaKeys | None:
    """Return the keys for Alpaca's data; None where none are set up."""
    return None
