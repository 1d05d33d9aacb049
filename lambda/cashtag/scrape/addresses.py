"""Hosts and other people's words: what an address leads to, and what of an answer may be told."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from cashtag.redaction import redacted

_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".onion")
_TOLD = 120  # characters of somebody else's words in a reason


def host_of(url: str) -> str:
    """The host of an address, for a reason; the start of the text where it has none."""
    try:
        return urlsplit(url).hostname or plain(url)
    except ValueError:
        return plain(url)


def is_private(host: str) -> bool:
    """Say whether a host is not on the public internet, by its name or literal address alone.

    `127.1` and `2130706433` are addresses to the resolver, so they are here.
    """
    bare = host.strip("[]").partition("%")[0].rstrip(".").lower()
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(bare))
        except (OSError, UnicodeError):
            return "." not in bare or bare.endswith(_LOCAL_ENDINGS)
    return not address.is_global or address.is_multicast


def plain(text: str) -> str:
    """Somebody else's words, fit for a reason: no secret, one short line, printable."""
    line = " ".join(redacted(text).split())
    return "".join(c for c in line if c.isprintable())[:_TOLD]
