"""Validated settings: every number of the system, with its range and where it came from.

`load()` reads, lowest first: `defaults.toml`, the profile (`reference.toml` for the reference
profile), `cashtag.toml`, and `CASHTAG_SECTION__KEY` in the environment. Unknown keys and values
out of range are refused by name. Settings are frozen; `config_hash()` names what derived rows
depend on.
"""

from cashtag.settings.loading import FILE, Loaded, Text, load, load_with_origin, value_of
from cashtag.settings.models import AccountSettings, Settings, Stock

__all__ = [
    "FILE",
    "AccountSettings",
    "Loaded",
    "Settings",
    "Stock",
    "Text",
    "load",
    "load_with_origin",
    "value_of",
]
