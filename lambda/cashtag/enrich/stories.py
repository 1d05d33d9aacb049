"""One story told once: what several feeds carry about a ticker counts for its session one time.

Two rows of one ticker and one session tell the same story when they have one id, when they link
to one page, or when two feeds give them the same headline. The one that was published first
stays; of two at the same moment, the one whose feed's name comes first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cashtag.enrich.clean import text_key

if TYPE_CHECKING:
    import pyarrow as pa

_ORIGIN = re.compile(r"https?://(?:www\.)?([^/?#]+)", re.I)
# A filing lies below every company that it names; its own number is in the file's name.
_EDGAR = re.compile(r"^(sec\.gov/archives/edgar/)data/\d+/", re.I)


def address_key(link: str) -> str:
    """Return what two spellings of a web address share.

    Scheme, `www.`, a last slash and the case of the host are left out, and the company that a
    filing at the SEC is listed under. `link` has no tracking parameters any more.
    """
    found = _ORIGIN.match(link)
    if found is None:
        return link
    page, mark, query = link[found.end() :].partition("?")
    key = f"{found[1].lower()}{page.rstrip('/')}{mark}{query}"
    return _EDGAR.sub(r"\1", key)


def told_once(table: pa.Table) -> pa.Table:
    """Return rows of `news` without those whose story an earlier row tells; the order stays.

    The result does not depend on the order of the rows: two filings of one company on one day
    share a headline and a feed, so both stay.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    by_time = pc.sort_indices(
        table,
        sort_keys=[
            ("published_at", "ascending"),
            ("source", "ascending"),
            ("news_id", "ascending"),
            ("scraped_at", "ascending"),
        ],
    ).to_pylist()
    rows = table.select(["ticker", "news_id", "session", "source", "title", "url"]).to_pylist()
    seen: set[tuple[object, ...]] = set()
    first_teller: dict[tuple[object, ...], str] = {}
    kept: list[int] = []
    for i in by_time:
        row = rows[i]
        identity = (row["ticker"], row["news_id"])
        if identity in seen:
            continue
        seen.add(identity)
        story = (row["ticker"], row["session"])
        page = (*story, "page", address_key(row["url"])) if row["url"] else None
        headline = (*story, text_key(row["title"])) if row["title"] else None
        told = page in seen or (
            headline is not None
            and first_teller.setdefault(headline, row["source"]) != row["source"]
        )
        if page is not None:
            seen.add(page)
        if not told:
            kept.append(i)
    return table.take(pa.array(sorted(kept), pa.int64())).combine_chunks()
