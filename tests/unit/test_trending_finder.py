"""Finder's page: the column of symbols wherever it stands, hostile cells, and what is no such page."""

from __future__ import annotations

from typing import Any

import pytest
from trending_site import TWELVE, finder_page

from cashtag.errors import SourceRefused
from cashtag.scrape import finder, listing

HTML = "text/html; charset=utf-8"


def read(page: bytes | str, content_type: str = HTML, enough: int = 30) -> tuple[Any, str]:
    body = page.encode() if isinstance(page, str) else page
    return finder.rows(body, content_type, enough=enough, most_tags=200_000)


def symbols(page: bytes | str, content_type: str = HTML) -> list[str | None]:
    rows, _ = read(page, content_type)
    return [listing.symbol_of(row) for row in rows]


def cells(*codes: str) -> list[str | None]:
    return symbols(finder_page(codes))


# ---------------------------------------------------------------- one cell


@pytest.mark.parametrize(
    ("cell", "symbol"),
    [
        ("TSLA", "TSLA"),
        ("<strong>TSLA</strong> Tesla, Inc.", "TSLA"),
        ("<strong>$TSLA</strong>", "TSLA"),
        ("<strong></strong>NVDA", "NVDA"),
        ("<strong> </strong><strong>AMD</strong>", "AMD"),
        ("<a href='/x'><strong>GME</strong></a>", "GME"),
        ("  aapl\n", "AAPL"),
        ("BRK.B", "BRK.B"),
        ("BRK-B", "BRK.B"),
        ("BRK_B", "BRK.B"),
        ("\u200fTSLA\u200e", "TSLA"),  # marks that steer the direction of writing
        ("\u202eTSLA\u202c", "TSLA"),
        ("TS\u00adLA", "TSLA"),  # a soft hyphen
        ("\ufeffTSLA", "TSLA"),
        ("&#36;F", "F"),
        ("SHOP.TO", "SHOP.TO"),
        ("", None),
        ("&nbsp;", None),
        ("-", None),
        ("N/A", None),
        ("$", None),
        ("TSLA NVDA", None),
        ("NASDAQ: TSLA", None),
        ("TOOLONGER", None),
        ("ＴＳＬＡ", None),  # full-width letters are not Latin ones
        ("ТSLА", None),  # nor are Cyrillic ones that look like them
        ("^VIX", None),
        ("1234", None),
        ("'; DROP TABLE tweets; --", None),
        ("../../etc/passwd", None),
        ("<script>alert('TSLA')</script>", None),
        ("<style>TSLA</style>", None),
        ("<!-- TSLA -->", None),
        ("<script>steal()</script>TSLA", "TSLA"),
    ],
)
def test_a_cell_holds_a_symbol_or_none(cell: str, symbol: str | None) -> None:
    assert cells(cell) == [symbol]


def test_a_strong_text_that_is_no_symbol_is_not_replaced_by_guessing() -> None:
    assert cells("<strong>New!</strong> TSLA") == [None]


# ---------------------------------------------------------------- the column


@pytest.mark.parametrize("label", ["data-th", "data-title", None])
@pytest.mark.parametrize("head", ["Code", "Ticker", "Symbol"])
def test_the_column_is_found_by_attribute_or_by_header(label: str | None, head: str) -> None:
    assert symbols(finder_page(TWELVE, label=label, head=head)) == list(TWELVE)


@pytest.mark.parametrize(
    "head", ["code", " CODE ", "Stock symbol", "Ticker\u00a0symbol", "<b>Code</b> ▾"]
)
def test_a_header_may_be_written_in_many_ways(head: str) -> None:
    page = finder_page(TWELVE, label=None).decode().replace("<th>Code</th>", f"<th>{head}</th>")
    assert symbols(page) == list(TWELVE)


def test_the_header_may_be_the_first_row_of_a_table_without_a_head() -> None:
    page = (
        "<table><tr><td>#</td><td>Name</td><td>Symbol</td></tr>"
        "<tr><td>1</td><td>Tesla</td><td>TSLA</td></tr>"
        "<tr><td>2</td><td>Ford</td><td>F</td></tr></table>"
    )
    rows, _ = read(page)
    assert rows == (
        {"#": "1", "Name": "Tesla", "Symbol": "TSLA"},
        {"#": "2", "Name": "Ford", "Symbol": "F"},
    )


def test_a_header_cell_over_two_columns_shifts_those_after_it() -> None:
    page = (
        "<table><thead><tr><th colspan='2'>Company</th><th>Code</th></tr></thead>"
        "<tr><td>logo</td><td>META</td><td>TSLA</td></tr></table>"
    )
    assert symbols(page) == ["TSLA"]


def test_a_head_of_two_rows_is_searched_for_the_one_that_names_symbols() -> None:
    page = (
        "<table><thead><tr><th colspan='3'>Trending today</th></tr>"
        "<tr><th>#</th><th>Code</th><th>Price</th></tr></thead>"
        "<tbody><tr><td>1</td><td>TSLA</td><td>300</td></tr></tbody></table>"
    )
    assert symbols(page) == ["TSLA"]


@pytest.mark.parametrize("span", ["1000000000", "-1", "x", "0", "²", ""])
def test_a_senseless_span_breaks_nothing(span: str) -> None:
    page = (
        f"<table><tr><th>Code</th><th colspan='{span}'>Rest</th></tr>"
        f"<tr><td>TSLA</td><td colspan='{span}'>x</td></tr></table>"
    )
    assert symbols(page) == ["TSLA"]


def test_of_two_tables_the_one_with_most_symbols_counts() -> None:
    adverts = (
        "<table><tr><th>Broker</th><th>Promo code</th></tr><tr><td>A</td><td>SAVE</td></tr></table>"
    )
    page = adverts.encode() + finder_page(TWELVE, label=None)
    assert symbols(page) == list(TWELVE)


def test_with_attributes_the_cells_of_all_tables_count_in_the_order_of_the_page() -> None:
    page = finder_page(TWELVE[:6]) + finder_page(TWELVE[6:], label="data-title")
    assert symbols(page) == list(TWELVE)


def test_a_table_inside_a_cell_is_not_taken_for_rows_of_the_outer_one() -> None:
    inner = "<table><tr><td>AAAA</td></tr></table>"
    page = (
        f"<table><tr><th>Code</th><th>More</th></tr><tr><td>TSLA</td><td>{inner}</td></tr></table>"
    )
    assert symbols(page) == ["TSLA"]


def test_cells_without_a_label_are_named_by_the_number_of_their_column() -> None:
    page = '<table><tr><td>1</td><td data-th="Code">TSLA</td><td>x</td></tr></table>'
    assert read(page)[0] == ({"1": "1", "Code": "TSLA", "3": "x"},)


def test_a_cell_outside_any_row_is_still_a_cell() -> None:
    assert symbols('<div><td data-th="Code">TSLA</td></div>') == ["TSLA"]


# ---------------------------------------------------------------- size and text


def test_ten_thousand_rows_are_read_no_further_than_needed() -> None:
    many = [f"A{chr(65 + n // 26 % 26)}{chr(65 + n % 26)}" for n in range(10_000)]
    assert len(read(finder_page(many, label=None))[0]) == 30
    assert len(read(finder_page(many[:1000], label="data-th"))[0]) == 30


def test_a_page_of_too_many_tags_is_refused_before_it_becomes_a_tree() -> None:
    with pytest.raises(
        SourceRefused, match=r"1,001 tags, at most 1,000 .*live\.trending\.max_tags"
    ):
        finder.rows(b"<i>" * 1001, HTML, enough=30, most_tags=1000)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<title>é</title>".encode("latin-1"), "text/html; charset=ISO-8859-1"),
        ('<meta charset="latin-1"><title>é</title>'.encode("latin-1"), "text/html"),
        ("<title>é</title>".encode("latin-1"), 'text/html; charset="latin-1"'),
        ("<title>é</title>".encode(), "text/html"),
        (b"\xef\xbb\xbf" + "<title>é</title>".encode(), ""),
        ('<meta charset="no-such"><title>é</title>'.encode(), "text/html; charset=nonsense"),
        ("<title>é</title>".encode(), "text/html; charset=base64"),  # a codec, but of bytes
    ],
)
def test_text_is_read_by_the_charset_that_is_declared(body: bytes, content_type: str) -> None:
    assert 'called "é"' in read(body, content_type)[1]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"<table><tr><th>Code", b"{}", b"<" * 50])
def test_what_is_no_page_holds_no_rows(body: bytes) -> None:
    rows, words = read(body)
    assert rows == ()
    assert words == "no column Code, Ticker or Symbol; the page has no title"


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Just a moment...", "a challenge to prove that one is human"),
        ("Attention Required! | Cloudflare", "a challenge to prove that one is human"),
        ("Before you continue to finder", "a question for consent"),
        ("We value your privacy", "a question for consent"),
    ],
)
def test_a_page_in_place_of_the_list_is_named(title: str, words: str) -> None:
    rows, told = read(f"<html><title>{title}</title><p>TSLA</p></html>")
    assert rows == ()
    assert told == f'no column Code, Ticker or Symbol; the page is called "{title}", {words}'


def test_a_title_is_cut_short_and_printable() -> None:
    _, words = read(f"<title>{'long ' * 100}\x1b[31m\n</title>")
    assert "\x1b" not in words
    assert len(words) < 250


# ---------------------------------------------------------------- fields of other sites


def test_the_field_that_is_named_most_like_a_symbol_holds_it() -> None:
    assert listing.symbol_of({"name": "Ford", "symbol_id": "X", "symbol": "F"}) == "F"
    assert listing.symbol_of({"Ticker": "F"}) == "F"
    assert listing.symbol_of({"Stock code": "F"}) == "F"
    assert listing.symbol_of({"name": "F"}) is None
    assert listing.symbol_of({"symbol": 7}) is None
    assert listing.symbol_of({}) is None
