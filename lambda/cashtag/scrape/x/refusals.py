"""What X refuses with: every answer is a page of tweets, truly nothing, or a named refusal.

Most of X's refusals come as HTTP 200 or are swallowed by the client library, which then reports
no tweets. So each response is judged here, from what was on the wire.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from cashtag.errors import SourceRefused
from cashtag.redaction import redacted

Scope = Literal["account", "blind", "budget", "page", "source", "outdated"]
"""Whom a refusal concerns. `account`: this one, for the rest of the day. `blind`: this account
finds nothing, and nor will X's others if they say so too. `budget`: this account, until its window
ends. `page`: this page, another account may have it. `source`: X itself, once several accounts say
so. `outdated`: X itself, at once."""

_WORDS = 120  # characters of X's own words in a reason

# Error codes of X: https://developer.x.com/en/support/x-api/error-troubleshooting, and what
# search answers to accounts in trouble.
_ACCOUNT_CODES = {
    32: "session expired",
    64: "suspended",
    89: "session expired",
    141: "suspended",
    215: "session expired",
    326: "locked, log in by hand and unlock it",
    353: "csrf mismatch, ct0 does not belong to auth_token",
}
_RATE_LIMIT, _FEATURES = 88, 336
_LOAD_SHED = "LoadShed"


class Refusal(SourceRefused):
    """X refused a search; `scope` says whom that concerns."""

    def __init__(self, reason: str, scope: Scope) -> None:
        super().__init__(redacted(reason))
        self.scope = scope

    @property
    def retires(self) -> bool:
        """Whether the account is of no more use today."""
        return self.scope in ("account", "blind")

    @property
    def of_source(self) -> bool:
        """Whether it may be X itself that is broken, for every account."""
        return self.scope in ("source", "outdated", "blind")


class Response(Protocol):
    """What is read of an HTTP response; header names are looked up in any case."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Any: ...
    def json(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: status, what it holds (`body` is None when that is no JSON), rate limit.

    `remaining` counts searches left in X's window, `reset` is its end in epoch seconds.
    """

    status: int
    html: bool
    cloudflare: bool
    body: Any
    remaining: int | None
    reset: int | None


def answer(response: Response) -> Answer:
    """Read a response."""
    headers = response.headers
    html = "text/html" in headers.get("content-type", "")
    try:
        body = None if html else response.json()
    except ValueError:
        body = None
    return Answer(
        response.status_code,
        html,
        "cf-ray" in headers,
        body,
        _number(headers, "x-rate-limit-remaining"),
        _number(headers, "x-rate-limit-reset"),
    )


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name) or ""
    return int(text) if re.fullmatch(r"\d{1,12}", text, re.A) else None


def refusal(said: Answer) -> Refusal | None:
    """Return what X refused with; None for a page of a search, be it empty."""
    if said.status == 404:
        return Refusal("stale query id or transaction id (404); upgrade twscrape", "source")
    if said.html and said.status != 429:
        return _blocked(said)
    errors = _errors(said.body)
    if found := _by_code(said, errors):
        return found
    if said.status == 429:
        return Refusal("rate limit (429)", "budget")
    if said.status == 200 and instructions(said.body) is not None:
        return None  # errors beside data are warnings: a field that one tweet lacks
    if errors:
        return _unknown(errors)
    if said.status in (401, 403):
        return Refusal(f"session expired or banned (bare {said.status})", "account")
    if said.status >= 400:
        return _failed(said)
    if said.body is None:
        return Refusal("X's answer is no JSON", "source")
    return Refusal("X's answer holds no timeline; upgrade twscrape", "source")


def _blocked(said: Answer) -> Refusal:
    if said.status >= 500:
        return _failed(said)
    if said.cloudflare and said.status >= 400:
        return Refusal(
            f'blocked by Cloudflare ({said.status}); try live.x.backend = "curl", or a proxy',
            "source",
        )
    return Refusal(f"X answered with a web page ({said.status})", "source")


def _failed(said: Answer) -> Refusal:
    return Refusal(f"X failed ({said.status})", "page")


def _by_code(said: Answer, errors: list[tuple[int, str]]) -> Refusal | None:
    for code, message in errors:
        if code == _FEATURES:
            return Refusal(
                f"the list of features is outdated ({code}); upgrade twscrape", "outdated"
            )
        if code == _RATE_LIMIT:
            if said.remaining:
                return Refusal(f"banned from searching ({code} with budget left)", "account")
            return Refusal(f"rate limit ({code})", "budget")
        if code in _ACCOUNT_CODES:
            return Refusal(f"{_ACCOUNT_CODES[code]} ({code})", "account")
        if message.startswith(_LOAD_SHED) and instructions(said.body) is None:
            return Refusal(f"X is overloaded ({_LOAD_SHED})", "page")
    return None


def _unknown(errors: list[tuple[int, str]]) -> Refusal:
    code, message = errors[0]
    said = textwrap.shorten(message, _WORDS, placeholder="…")
    return Refusal(f"X's error {code}: {said}", "page")


def _errors(body: Any) -> list[tuple[int, str]]:
    """Codes and messages; -1 where there is no code."""
    listed = body.get("errors") if isinstance(body, dict) else None
    return [
        (code if isinstance(code := error.get("code"), int) else -1, str(error.get("message", "")))
        for error in (listed if isinstance(listed, list) else [])
        if isinstance(error, dict)
    ]


def instructions(body: Any) -> list[dict[str, Any]] | None:
    """The instructions of a search's timeline; None where there is no timeline.

    The operation's own names around the timeline have changed before, so they are not spelled.
    """
    found = body.get("data") if isinstance(body, dict) else None
    while isinstance(found, dict):
        listed = found.get("instructions")
        if isinstance(listed, list):
            return [entry for entry in listed if isinstance(entry, dict)]
        found = next((value for value in found.values() if isinstance(value, dict)), None)
    return None
