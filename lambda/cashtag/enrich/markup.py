"""Feeds' HTML as plain text, and addresses without what tracks their readers.

A feed's text is hostile input. Tags go, but an escaped `&lt;b&gt;` is text and comes out as `<b>`:
what comes out is written with `textContent`, never as markup.
"""

from __future__ import annotations

import re
from html import unescape

from cashtag.enrich.clean import clean

# Elements whose content is no text, and those that stand inside a line.
_HIDDEN = frozenset({"script", "style", "template", "noscript", "iframe", "object"})
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "cite", "code", "em", "font", "i", "mark", "q", "s", "small"}
    | {"span", "strong", "sub", "sup", "u"}
)
_NAME = re.compile(r"/?([a-zA-Z][a-zA-Z0-9:-]*)")
# What analytics, newsletters and the feeds of news sites append; no name that pages use themselves.
_TRACKING = re.compile(
    r"(?:utm_\w*|\w*clid|mc_[ce]id|_hs\w*|igshid|cmpid|ocid|ns_\w*|mod|ito|sr_share|guc\w*|ref_src|"
    r"soc_(?:src|trk)|smid|siteid|__source|taid|yptr)\Z",
    re.I,
)


def plain_text(html: str) -> str:
    """Return the text of a fragment of HTML, cleaned: tags out, scripts with their content out.

    `<` that opens no tag ("EPS < 2") stays. A tag that never ends, or a script that never
    closes, swallows the rest, as in a browser. Linear in the length of the fragment.
    """
    if "<" not in html:
        return clean(html)
    parts: list[str] = []
    at = 0
    while (start := html.find("<", at)) >= 0:
        parts.append(html[at:start])
        at, between = _after_tag(html, start)
        parts.append(between)
    parts.append(html[at:])
    return clean("".join(parts))


def _after_tag(html: str, start: int) -> tuple[int, str]:
    """Where the text goes on after `<` at `start`, and what stands in the tag's place."""
    if html.startswith("<!--", start):
        return _past(html, "-->", start + 4), ""
    name = _NAME.match(html, start + 1)
    if name is None and html[start + 1 : start + 2] in {"!", "?", "/"}:
        return _past(html, ">", start + 2), ""  # HTML's "bogus comment"
    if name is None:
        return start + 1, "<"
    element = name[1].lower()
    end = _end_of_tag(html, name.end())
    if element in _HIDDEN and html[start + 1] != "/":
        closing = re.compile(rf"</{element}[\s/>]", re.I).search(html, end)
        return (_past(html, ">", closing.start()) if closing else len(html)), " "
    return end, "" if element in _INLINE else " "


def _end_of_tag(html: str, at: int) -> int:
    """After the `>` that ends a tag: one inside a quoted attribute does not."""
    while at < len(html):
        found = _STOP.search(html, at)
        if found is None:
            return len(html)
        if found[0] == ">":
            return found.end()
        close = html.find(found[0][-1], found.end())
        if close < 0:
            return len(html)
        at = close + 1
    return len(html)


_STOP = re.compile(r""">|=\s*["']""")  # the end, or the quote that opens an attribute's value


def _past(html: str, mark: str, at: int) -> int:
    found = html.find(mark, at)
    return len(html) if found < 0 else found + len(mark)


def plain_link(link: str) -> str | None:
    """Return an http(s) address without tracking parameters and fragment; None for any other.

    What stays of the query stays as it was written, escapes and order included.
    """
    found = _WEB_ADDRESS.fullmatch(unescape(link).strip())
    if found is None:
        return None
    page, query = found["page"], found["query"]
    kept = [
        part for part in (query or "").split("&") if not _TRACKING.match(part.partition("=")[0])
    ]
    return f"{page}?{'&'.join(kept)}" if any(kept) else page


# RFC 3986 with its user information left out: a name before "@" only serves to deceive.
_WEB_ADDRESS = re.compile(
    r"(?P<page>https?://[^\s/?#@\\<>\"]+(?:/[^\s?#<>\"]*)?)(?:\?(?P<query>[^\s#<>\"]*))?(?:\#\S*)?",
    re.I,
)
