"""Feeds as their sites serve them: RSS of publishers, the SEC's Atom of filings, and their faults.

All text is invented. A `Feeds` is a site of several paths that honours conditional requests.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from internet import Answer, Request

CNBC = "www.cnbc.com"
DOW_JONES = "feeds.content.dowjones.io"
SEC = "www.sec.gov"
CNBC_PATH = "/id/10000664/device/rss/rss.html"
WSJ_PATH = "/public/rss/RSSMarketsMain"
MARKETWATCH_PATH = "/public/rss/mw_topstories"
SEC_PATH = "/cgi-bin/browse-edgar"

CHALLENGE = (
    b"<!DOCTYPE html><html lang='en'><head><title>Just a moment...</title></head>"
    b"<body><script>var x = '<rss>';</script>Checking your browser</body></html>"
)


def at(text: str) -> datetime:
    """`2026-05-07 15:00` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def item(
    number: int | str | None,
    title: str,
    when: datetime | str | None,
    *,
    link: str | None = None,
    summary: str = "",
    sponsored: bool | None = None,
    categories: tuple[str, ...] = (),
) -> str:
    """One item of RSS. `number` is its guid, None for one without; `when` may be any text."""
    moment = format_datetime(when, usegmt=True) if isinstance(when, datetime) else when
    parts = [
        f"<title>{escape(title)}</title>",
        f"<link>{escape(link)}</link>" if link else "",
        f"<description><![CDATA[{summary}]]></description>" if summary else "",
        f'<guid isPermaLink="false">{number}</guid>' if number is not None else "",
        f"<pubDate>{moment}</pubDate>" if moment else "",
        ""
        if sponsored is None
        else f"<metadata:sponsored>{str(sponsored).lower()}</metadata:sponsored>",
        *(f"<category>{escape(name)}</category>" for name in categories),
    ]
    return f"<item>{''.join(parts)}</item>"


def rss(*items: str, charset: str = "utf-8", head: str = "", declared: str | None = None) -> bytes:
    """An RSS 2.0 document, in `charset`, declared as such unless told otherwise."""
    text = (
        f'<?xml version="1.0" encoding="{declared or charset}"?>\n{head}'
        '<rss version="2.0" xmlns:metadata="http://search.example/metadata"><channel>'
        "<title>A feed</title><link>https://feed.example/</link><description>News</description>"
        f"{''.join(items)}</channel></rss>"
    )
    return text.encode(charset)


def filing(
    company: str, cik: int, accession: str, when: str, form: str = "8-K", role: str = "Filer"
) -> str:
    """One entry of EDGAR's latest filings; `when` is ISO with an offset."""
    folder = accession.replace("-", "")
    return (
        f"<entry><title>{form} - {escape(company)} ({cik:010d}) ({role})</title>"
        f'<link rel="alternate" type="text/html" href="https://www.sec.gov/Archives/edgar/data/'
        f'{cik}/{folder}/{accession}-index.htm"/>'
        f'<summary type="html">\n &lt;b&gt;Filed:&lt;/b&gt; {when[:10]} &lt;b&gt;AccNo:&lt;/b&gt; '
        f"{accession} &lt;b&gt;Size:&lt;/b&gt; 1 MB\n</summary>"
        f"<updated>{when}</updated>"
        f'<category scheme="https://www.sec.gov/" label="form type" term="{form}"/>'
        f"<id>urn:tag:sec.gov,2008:accession-number={accession}</id></entry>"
    )


def edgar(*filings: str, charset: str = "ISO-8859-1") -> bytes:
    """EDGAR's Atom document of its latest filings."""
    text = (
        f'<?xml version="1.0" encoding="{charset}" ?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        "<title>Latest Filings</title><id>https://www.sec.gov/cgi-bin/browse-edgar</id>"
        f"<updated>2026-05-08T07:59:00-04:00</updated>{''.join(filings)}</feed>"
    )
    return text.encode(charset)


def xml(body: bytes, kind: str = "text/xml; charset=utf-8", **headers: str) -> Answer:
    """An answer that holds a feed; header names are written with `_` for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(200, body, {"content-type": kind} | named)


def zipped(body: bytes) -> Answer:
    """A feed compressed for the way."""
    packed = gzip.compress(body)
    return Answer(200, packed, {"content-type": "text/xml", "content-encoding": "gzip"})


Page = bytes | Answer | Callable[[Request], Answer]


class Feeds:
    """A site: a document, an answer, or what answers, by path; anything else is a 404.

    A document given as bytes carries an ETag made from its length and is answered 304 to a
    request that names it.
    """

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self.pages = dict(pages)

    def __call__(self, request: Request) -> Answer:
        page = self.pages.get(request.path)
        if page is None:
            return Answer(404, b"no such feed")
        if isinstance(page, Answer):
            return page
        if not isinstance(page, bytes):
            return page(request)
        tag = f'"v{len(page)}"'
        if request.headers.get("if-none-match") == tag:
            return Answer(304, b"", {"etag": tag})
        return xml(page, etag=tag)


class Edgar:
    """The SEC's latest filings by pages of `count`, for those who say who they are."""

    def __init__(self, *filings: str) -> None:
        self.filings = filings
        self.fails_from: int | None = None
        """The first filing of pages that are answered with 503."""

    def __call__(self, request: Request) -> Answer:
        if "@" not in request.headers.get("user-agent", ""):
            return Answer(403, b"<html><title>SEC.gov | Request Rate Threshold Exceeded</title>")
        start, count = int(request.query.get("start", 0)), int(request.query["count"])
        if self.fails_from is not None and start >= self.fails_from:
            return Answer(503, b"")
        body = edgar(*self.filings[start : start + count])
        return xml(body, "application/atom+xml")
