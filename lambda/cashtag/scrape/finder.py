"""Finder's page of trending stocks: the rows of its table, wherever the column of symbols stands.

The column is found by the attributes that its cells have carried (`data-th`, `data-title`), else
by the text of its header. What is not a table of symbols - a consent page, a challenge, a page
without scripts - is named by its title.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import plain
from cashtag.scrape.listing import names_symbols, symbol_of

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_CODE = 'td[data-th="Code"], td[data-title="Code"]'
_LABELS = ("data-th", "data-title")
_WIDEST = 1000  # columns that one cell may span, by the HTML standard
_META = re.compile(rb"<meta[^>]+charset=[\"']?\s*([\w-]+)", re.I)
_META_WITHIN = 4096  # bytes from the start; the standard wants it within 1,024
_CHARSET = re.compile(r"charset=[\"']?([\w-]+)", re.I)
_CHALLENGE = re.compile(r"just a moment|attention required|checking your browser|cloudflare", re.I)
_CONSENT = re.compile(r"consent|cookie|before you continue|privacy", re.I)

Row = dict[str, str]


def rows(
    body: bytes, content_type: str, *, enough: int, most_tags: int
) -> tuple[tuple[Row, ...], str]:
    """Return the rows that hold a symbol's cell, in the page's order, and the page in words.

    A row is the text of its cells by their labels; the symbol stands under `Code` or what the
    header calls it. Rows after those with `enough` different symbols are not read. The words are
    for the reason of a refusal.

    Raises:
        SourceRefused: the page has more than `most_tags` tags, which no page of a table has.
    """
    tags = body.count(b"<")
    if tags > most_tags:  # a tree takes a kilobyte a tag
        raise SourceRefused(
            f"Finder's page has {tags:,} tags, at most {most_tags:,} are read (live.trending.max_tags)"
        )
    from bs4 import BeautifulSoup

    page = BeautifulSoup(_text(body, content_type), "lxml")
    found = _until(enough, _by_attribute(page)) or _by_header(page, enough)
    return found, _in_words(page, bool(found))


def _by_attribute(page: BeautifulSoup) -> Iterator[Row]:
    for cell in page.select(_CODE):
        row = cell.find_parent("tr")
        yield {**(_labelled(row, []) if row else {}), "Code": _symbol_text(cell)}


def _by_header(page: BeautifulSoup, enough: int) -> tuple[Row, ...]:
    """Rows of the table that has most symbols under a header that promises them."""
    tables = []
    for table in page.find_all("table"):
        lines = [tr for tr in table.find_all("tr") if tr.find_parent("table") is table]
        if (column := _column(labels := _header(lines))) is not None:
            tables.append(_until(enough, _below(lines, labels, column)))
    return max(tables, key=lambda table: len(_symbols(table)), default=())


def _until(enough: int, table: Iterable[Row]) -> tuple[Row, ...]:
    """Rows up to the one with which they name `enough` different symbols; all, if they do not."""
    found: list[Row] = []
    different: set[str] = set()
    for row in table:
        found.append(row)
        different |= _symbols([row])
        if len(different) == enough:
            break
    return tuple(found)


def _symbols(table: Iterable[Row]) -> set[str]:
    return {written for row in table if (written := symbol_of(row)) is not None}


def _header(lines: list[Tag]) -> list[str]:
    """Labels by column: of the first row of the head, or of the table, that names symbols."""
    head = [line for line in lines if line.find_parent("thead") is not None]
    for line in head or lines[:1]:
        labels = [text for text, _ in _spread(line)]
        if _column(labels) is not None:
            return labels
    return []


def _column(labels: list[str]) -> int | None:
    """Where the label stands that is most like that of a column of symbols."""
    best = max(range(len(labels)), key=lambda at: names_symbols(labels[at]), default=None)
    return best if best is not None and names_symbols(labels[best]) else None


def _below(lines: list[Tag], labels: list[str], column: int) -> Iterator[Row]:
    for line in lines:
        cells = _spread(line)
        if line.find_parent("thead") is None and column < len(cells):
            text = _symbol_text(cells[column][1])
            if names_symbols(text) < 2:  # else it is the header, in a table without a head
                yield {**_labelled(line, labels), labels[column]: text}


def _spread(line: Tag) -> list[tuple[str, Tag]]:
    """Cells of a row by column: one that spans several columns stands in each of them."""
    found = []
    for cell in line.find_all(["td", "th"], recursive=False):
        width = str(cell.get("colspan", "1")).strip()
        span = min(int(width), _WIDEST) if width.isdecimal() else 1
        found += [(cell.get_text(" ", strip=True), cell)] * max(1, span)
        if len(found) >= _WIDEST:
            break
    return found


def _labelled(line: Tag, labels: list[str]) -> Row:
    """Texts of a row's cells by their own label, by their column's, else by the column's number."""
    found: Row = {}
    for at, (text, cell) in enumerate(_spread(line)):
        own = next((str(cell[name]) for name in _LABELS if cell.get(name)), "")
        label = own or (labels[at] if at < len(labels) else "") or f"{at + 1}"
        found.setdefault(label, text)
    return found


def _symbol_text(cell: Tag) -> str:
    """Text of the first <strong> that is not empty, else of the cell."""
    for strong in cell.find_all("strong"):
        if text := strong.get_text(" ", strip=True):
            return text
    return cell.get_text(" ", strip=True)


def _in_words(page: BeautifulSoup, found: bool) -> str:
    title = plain(page.title.get_text(" ", strip=True)) if page.title else ""
    what = f'the page is called "{title}"' if title else "the page has no title"
    if _CHALLENGE.search(title):
        what += ", a challenge to prove that one is human"
    elif _CONSENT.search(title):
        what += ", a question for consent"
    return what if found else f"no column Code, Ticker or Symbol; {what}"


def _text(body: bytes, content_type: str) -> str:
    """The page's text by the charset of its header, else of its <meta>, else as UTF-8."""
    declared = _CHARSET.search(content_type)
    meta = _META.search(body[:_META_WITHIN])
    for name in (declared and declared[1], meta and meta[1].decode("ascii")):
        if name:
            try:
                return body.decode(codecs.lookup(name).name, "replace")
            except LookupError:
                continue
    return body.decode("utf-8-sig", "replace")
