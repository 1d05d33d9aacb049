"""One feed's bytes to its items, by feedparser; run as a program, within bounds of memory.

An item keeps what the feed said of it (`entry`) beside the few fields that all feeds share. Its
id is the same in every run and every feed that carries it.
"""

from __future__ import annotations

import calendar
import io
import json
import re
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from time import struct_time
from typing import Any

from cashtag.enrich.markup import plain_link
from cashtag.enrich.stories import address_key
from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import host_of, plain
from cashtag.scrape.feed_doors import is_sec
from cashtag.scrape.feed_text import decoded, from_root, mended

_CLOSED = re.compile(r"</(?:\w+:)?(?:item|entry)\s*>", re.I)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S")
_LONGEST_ID = 200  # characters; what enrichment takes for an id
_DIGEST_BYTES = 8
_TRUE = frozenset({"true", "yes", "1"})
# "8-K - TESLA INC (0001318605) (Filer)": EDGAR's title of a filing.
_FILING = re.compile(
    r"(?P<form>\S.{0,40}?) - (?P<company>\S.*) \((?P<cik>\d{10})\) \((?P<role>[^()]+)\)\s*\Z"
)
_MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Read:
    """The items of one document, and what was left out or was wrong with it."""

    items: tuple[dict[str, Any], ...]
    """`id`, `published` (ISO, UTC, or None), `title`, `summary`, `link`, `feed`, `categories`,
    of a filing `form`, `company`, `cik`, `role`; and `entry`, all that the feed said."""
    sponsored: int = 0
    undated: int = 0
    cut_off: int = 0
    fault: str | None = None
    """Why the document is not well-formed, in the parser's words."""


def read(
    body: bytes, content_type: str, url: str, feed: str, sponsored: Collection[str] = ()
) -> Read:
    """Return the items of a feed, in its order. A feed that is sound and empty has none.

    Args:
        body: the document.
        content_type: of the answer, for its charset.
        url: where it came from, for relative addresses.
        feed: the feed's name, which its items carry.
        sponsored: categories, in lower case, of items that somebody paid for.

    Raises:
        SourceRefused: it is no feed, or too broken for a single item.
    """
    host = host_of(url).removeprefix("www.")
    text = mended(from_root(decoded(body, content_type), host))
    whole = _parsed(text, url, host)
    fault = _fault(whole)
    entries = [dict(entry.items()) for entry in whole["entries"]]
    if not entries and fault:
        raise SourceRefused(f"{host} sent a feed that cannot be read: {fault}")
    if not entries and not whole.get("version"):
        raise SourceRefused(f"{host} sent XML of no known kind of feed")
    cut_off = 0
    if fault and len(_CLOSED.findall(text)) < len(entries):
        entries.pop()  # its text ends somewhere in the middle
        cut_off = 1
    free = [entry for entry in entries if not _is_sponsored(entry, sponsored)]
    items = tuple(_item(entry, feed, host) for entry in free)
    undated = sum(item["published"] is None for item in items)
    return Read(items, len(entries) - len(free), undated, cut_off, fault)


def _parsed(text: str, url: str, host: str) -> Mapping[str, Any]:
    import feedparser

    # A stream: bytes themselves would be tried as the name of a file first. Markup stays as it
    # was sent, for raw holds what the feed said; enrichment makes plain text of it.
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": url}
    try:
        found: Mapping[str, Any] = feedparser.parse(
            io.BytesIO(text.encode()),
            response_headers=headers,
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # its loose parser raises whatever a broken document leads to
        raise SourceRefused(
            f"{host} sent a feed that breaks its parser ({type(error).__name__})"
        ) from error
    return found


def _fault(whole: Mapping[str, Any]) -> str | None:
    """What the XML parser had against the document; None when it was well-formed."""
    if not whole.get("bozo"):
        return None
    error = whole["bozo_exception"]
    return plain(error.getMessage() if hasattr(error, "getMessage") else str(error))


def _as_json(value: Any) -> Any:
    """What the feed said, without what feedparser made of it: parsed times, details, addresses."""
    if isinstance(value, Mapping):
        of_text = "value" in value
        return {
            str(name): _as_json(inner)
            for name, inner in value.items()
            if not (
                isinstance(inner, struct_time)
                or (isinstance(inner, Mapping) and "value" in inner)
                or (of_text and name in ("base", "language"))
            )
            and not str(name).endswith("_parsed")
        }
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    # Numbers as text, as the feed had them: JSON's end at 2^53, a feed's anywhere.
    return value if value is None or isinstance(value, str | bool) else str(value)


def _iso(moment: struct_time | None) -> str | None:
    """feedparser's UTC time as ISO text; None for none, and for what no calendar holds."""
    if moment is None:
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(moment), tz=UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _is_sponsored(entry: dict[str, Any], categories: Collection[str]) -> bool:
    """Whether an element such as `metadata:sponsored` says so, or a category."""
    for name, value in entry.items():
        if name.endswith("sponsored") and str(value).strip().lower() in _TRUE:
            return True
    return any(term.strip().lower() in categories for term in _categories(entry))


def _categories(entry: dict[str, Any]) -> list[str]:
    return [tag["term"] for tag in entry.get("tags") or () if isinstance(tag.get("term"), str)]


def _item(entry: dict[str, Any], feed: str, host: str) -> dict[str, Any]:
    title, link = _text(entry, "title"), _text(entry, "link")
    published = _iso(entry.get("published_parsed")) or _iso(entry.get("updated_parsed"))
    summary = _text(entry, "summary")
    contents = entry.get("content")
    if not summary and isinstance(contents, list) and contents:
        summary = _text(contents[0], "value")
    filing = _FILING.match(title) if _is_edgar(entry, link) else None
    of_filing = filing.groupdict() if filing else {}
    return {
        "id": _identity(entry, title, link, published, host, of_filing.get("cik")),
        "published": published,
        "title": title,
        "summary": summary,
        "link": link,
        "feed": feed,
        "categories": _categories(entry),
        **of_filing,
        "entry": _as_json(entry),
    }


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def _is_edgar(entry: dict[str, Any], link: str) -> bool:
    address = plain_link(link)
    if address is not None and is_sec(address):
        return True
    return _text(entry, "id").startswith("urn:tag:sec.gov,")


def _identity(
    entry: dict[str, Any], title: str, link: str, published: str | None, host: str, cik: str | None
) -> str:
    """The feed's own id, made unique among publishers; else the address; else a hash of the text.

    A number such as 108300001 is unique only where it comes from. A filing of several companies
    has one id for all of them, so theirs is told by the company's number at the SEC.
    """
    address = plain_link(link)
    given = " ".join(_text(entry, "id").split())
    if given:
        page = plain_link(given)
        if page is not None:
            given = address_key(page)
        elif not _SCHEME.match(given):
            publisher = host if address is None else host_of(address).removeprefix("www.")
            given = f"{publisher}:{given}"
        if cik is not None:
            given = f"{given}#{cik}"
    elif address is not None:
        given = address_key(address)
    else:
        given = "\n".join([title, published or ""])
    if len(given) <= _LONGEST_ID and given.isprintable():
        return given
    return blake2b(given.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def main() -> None:
    """Read a line of JSON and a document from standard input; write `Read` as JSON, or a refusal."""
    import feedparser  # noqa: F401  before the bound, which is for what the document takes

    asked = json.loads(sys.stdin.buffer.readline())
    _bound(asked["megabytes"] * _MEBIBYTE)
    try:
        found = read(
            sys.stdin.buffer.read(),
            asked["content_type"],
            asked["url"],
            asked["feed"],
            frozenset(asked["sponsored"]),
        )
        text = json.dumps(vars(found)).encode()
        if len(text) > asked["most"]:
            raise SourceRefused(f"its {len(found.items)} items swell to {len(text):,} bytes")
    except SourceRefused as refusal:
        text = json.dumps({"refused": str(refusal)}).encode()
    except MemoryError:
        why = f"it takes more than {asked['megabytes']} MiB to read"
        text = json.dumps({"refused": why}).encode()
    sys.stdout.buffer.write(text)


def _bound(most: int) -> None:
    """Take no more than so many bytes of address space, where the system can say so."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with suppress(ValueError, OSError):  # macOS refuses it
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


if __name__ == "__main__":
    main()
