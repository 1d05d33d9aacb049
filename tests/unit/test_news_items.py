"""A feed's bytes as items: charsets, broken documents, ids, sponsored items, filings."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from feeds_site import CHALLENGE, at, edgar, filing, item, rss
from hypothesis import given, settings
from hypothesis import strategies as st

from cashtag.errors import SourceRefused
from cashtag.scrape.feed_items import Read, read
from cashtag.settings import load

HOST = "https://www.cnbc.com/rss"
NOON = at("2026-05-07 12:00")
SPONSORED = frozenset(load(environ={}).live.news.sponsored)
ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("CASHTAG_SHARED", ROOT.parent / "shared")) / "data" / "rss"


def document(
    body: bytes, kind: str = "text/xml; charset=utf-8", url: str = HOST, feed: str = "cnbc"
) -> Read:
    return read(body, kind, url, feed, SPONSORED)


def only(body: bytes, kind: str = "text/xml; charset=utf-8", **more: str) -> dict[str, Any]:
    (found,) = document(body, kind, **more).items
    return found


# ---------------------------------------------------------------- what an item holds


def test_an_item_holds_what_the_feed_said_of_it() -> None:
    body = rss(
        item(
            7,
            "Nvidia &amp; friends rise",
            NOON,
            link="https://www.cnbc.com/a?mod=rss",
            summary="<p>More</p><script>x()</script>",
            sponsored=False,
            categories=("Tech",),
        )
    )
    found = only(body)
    entry = found.pop("entry")
    assert found == {
        "id": "cnbc.com:7",
        "published": "2026-05-07T12:00:00+00:00",
        # Escaped twice on the way (by the feed's text, by XML): raw undoes the XML only.
        "title": "Nvidia &amp; friends rise",
        "summary": "<p>More</p><script>x()</script>",
        "link": "https://www.cnbc.com/a?mod=rss",
        "feed": "cnbc",
        "categories": ["Tech"],
    }
    assert entry["published"] == "Thu, 07 May 2026 12:00:00 GMT"
    assert entry["metadata_sponsored"] == "false"
    assert entry["id"] == "7"


def test_an_empty_feed_is_no_refusal() -> None:
    assert document(rss()).items == ()
    assert document(edgar()).items == ()


def test_an_atom_entry_without_a_summary_has_its_content() -> None:
    body = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>urn:x:1</id><title>T</title>'
        b'<content type="html">&lt;p&gt;whole&lt;/p&gt;</content>'
        b"<updated>2026-05-07T08:00:00-04:00</updated></entry></feed>"
    )
    found = only(body)
    assert found["summary"] == "<p>whole</p>"
    assert found["published"] == "2026-05-07T12:00:00+00:00"


@pytest.mark.parametrize(
    ("when", "published"),
    [
        ("Thu, 07 May 2026 08:00:00 EDT", "2026-05-07T12:00:00+00:00"),  # four hours behind
        ("Thu, 07 May 2026 08:00:00 -0400", "2026-05-07T12:00:00+00:00"),
        ("2026-05-07T12:00:00Z", "2026-05-07T12:00:00+00:00"),
        ("Fri, 07 May 2027 12:00:00 GMT", "2027-05-07T12:00:00+00:00"),  # the future, as it says
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_date_is_read_as_utc_or_missing(when: str | None, published: str | None) -> None:
    found = document(rss(item(1, "T", when)))
    assert found.items[0]["published"] == published
    assert found.undated == (published is None)


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize(
    ("guid", "link", "expected"),
    [
        # A number is unique only where it comes from.
        ("108300001", "https://www.cnbc.com/a.html", "cnbc.com:108300001"),
        ("WP-WSJ-1", "https://www.wsj.com/a?mod=x", "wsj.com:WP-WSJ-1"),
        ("108300001", None, "cnbc.com:108300001"),  # the feed's own host
        ("https://www.wsj.com/a?utm_source=rss#top", None, "wsj.com/a"),
        ("http://wsj.com/a/", None, "wsj.com/a"),
        ("urn:uuid:1", "https://e.org/a", "urn:uuid:1"),
        (None, "https://www.cnbc.com/b.html?cmpid=1", "cnbc.com/b.html"),
    ],
)
def test_an_id_is_the_same_in_every_feed_and_run(
    guid: str | None, link: str | None, expected: str
) -> None:
    assert only(rss(item(guid, "T", NOON, link=link)))["id"] == expected
    again = only(rss(item(guid, "Another title", at("2026-05-08 12:00"), link=link)))
    assert again["id"] == expected


def test_an_item_with_neither_id_nor_link_is_known_by_its_text() -> None:
    first, again, other = (
        only(rss(item(None, title, NOON)), feed=feed)["id"]
        for title, feed in (("Nvidia", "cnbc"), ("Nvidia", "wsj"), ("Nvidia!", "cnbc"))
    )
    assert first == again != other


def test_an_endless_id_is_shortened_to_a_hash() -> None:
    assert len(only(rss(item("x" * 5000, "T", NOON)))["id"]) == 16


# ---------------------------------------------------------------- sponsored items


def test_sponsored_items_are_left_out_and_counted() -> None:
    found = document(
        rss(
            item(1, "News", NOON, sponsored=False, categories=("Sponsors of the arts",)),
            item(2, "Ad", NOON, sponsored=True),
            item(3, "Ad", NOON, categories=("Markets", " Paid Post ")),
        )
    )
    assert [one["title"] for one in found.items] == ["News"]
    assert found.sponsored == 2


# ---------------------------------------------------------------- filings


def test_a_filing_says_who_files_what() -> None:
    body = edgar(filing("AT&T INC.", 732717, "0000732717-26-000015", "2026-05-07T17:30:45-04:00"))
    found = only(body, "application/atom+xml", url="https://www.sec.gov/x", feed="sec")
    assert found["published"] == "2026-05-07T21:30:45+00:00"  # SEC's feed has `updated` only
    fields = ("form", "company", "cik", "role", "categories")
    assert [found[name] for name in fields] == ["8-K", "AT&T INC.", "0000732717", "Filer", ["8-K"]]


def test_a_filing_of_two_companies_has_an_id_for_each() -> None:
    number = "0001326160-26-000015"
    body = edgar(
        filing("DUKE ENERGY CORP", 1326160, number, "2026-05-07T17:30:45-04:00"),
        filing("DUKE ENERGY CAROLINAS LLC", 30371, number, "2026-05-07T17:30:45-04:00"),
    )
    ids = [one["id"] for one in document(body, url="https://www.sec.gov/x").items]
    assert ids == [
        f"urn:tag:sec.gov,2008:accession-number={number}#0001326160",
        f"urn:tag:sec.gov,2008:accession-number={number}#0000030371",
    ]


def test_a_headline_that_only_looks_like_a_filing_is_none() -> None:
    body = rss(item(1, "8-K - TESLA INC (0001318605) (Filer)", NOON, link="https://e.org/a"))
    assert "company" not in only(body)


# ---------------------------------------------------------------- charsets

ACCENTS = "Nestlé – “Börse”"  # the dash and the quotes are in Windows-1252, not in ISO-8859-1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (rss(item(1, ACCENTS, NOON)), "text/xml"),  # RFC 2376 would have read ASCII
        (rss(item(1, ACCENTS, NOON)), "text/xml; charset=utf-8"),
        # Declared as one byte a character, and UTF-8 all the same: header, declaration, both.
        (rss(item(1, ACCENTS, NOON)), "text/xml; charset=ISO-8859-1"),
        (rss(item(1, ACCENTS, NOON), declared="iso-8859-1"), "application/xml"),
        (rss(item(1, ACCENTS, NOON), declared="us-ascii"), "text/xml; charset=us-ascii"),
        # Declared as UTF-8, and Windows-1252 in truth.
        (rss(item(1, ACCENTS, NOON), charset="cp1252", declared="utf-8"), "text/xml"),
        (rss(item(1, ACCENTS, NOON), charset="cp1252", declared="iso-8859-1"), "text/xml"),
        (rss(item(1, ACCENTS, NOON), charset="cp1252", declared="no-such-charset"), "text/xml"),
        (rss(item(1, ACCENTS, NOON), charset="cp1252", declared="punycode"), "text/xml"),
        (rss(item(1, ACCENTS, NOON), charset="utf-16"), "text/xml"),
        (rss(item(1, ACCENTS, NOON), charset="utf-16-le", declared="utf-16"), "text/xml"),
        (rss(item(1, ACCENTS, NOON), charset="utf-16-be", declared="utf-16"), "text/xml"),
        (rss(item(1, ACCENTS, NOON), charset="utf-32"), "text/xml"),
        (rss(item(1, ACCENTS, NOON), charset="utf-8-sig", declared="utf-8"), "text/xml"),
    ],
)
def test_a_charset_is_found_whatever_is_declared(body: bytes, kind: str) -> None:
    assert only(body, kind)["title"] == ACCENTS


def test_an_atom_document_in_iso_8859_1_is_read_as_such() -> None:
    body = edgar(filing("CRÉDIT AGRICOLE SA", 9, "0000000009-26-000001", "2026-05-07T08:00:00Z"))
    assert b"CR\xc9DIT" in body
    assert only(body, url="https://www.sec.gov/")["company"] == "CRÉDIT AGRICOLE SA"


def test_a_charset_of_several_bytes_is_taken_at_its_word() -> None:
    # In ISO-2022-JP every byte is ASCII, so it would pass for UTF-8.
    body = rss(item(1, "日本", NOON), charset="iso-2022-jp")
    assert only(body, "text/xml")["title"] == "日本"


# ---------------------------------------------------------------- broken documents

TWO = (item(1, "One", NOON), item(2, "Two", NOON))


def test_a_document_that_is_not_well_formed_gives_the_items_it_has() -> None:
    found = document(rss(*TWO).replace(b"<title>Two</title>", b"<title>Two & more</title>"))
    assert [one["title"] for one in found.items] == ["One", "Two & more"]
    assert found.fault == "not well-formed (invalid token)"  # expat's words
    assert document(rss(*TWO)).fault is None


def test_an_item_that_is_cut_off_is_left_out() -> None:
    whole = rss(*TWO)
    found = document(whole[: whole.index(b"</title>", whole.index(b"Two"))])
    assert [one["title"] for one in found.items] == ["One"]
    assert found.cut_off == 1
    # Cut between items nothing is lost but what never came.
    found = document(whole[: whole.index(b"</channel>")])
    assert [one["title"] for one in found.items] == ["One", "Two"]
    assert (found.cut_off, found.fault) == (0, "no element found")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cnbc.com answered nothing at all"),
        (b" \n ", "nothing at all"),
        (CHALLENGE, "with a web page ('Just a moment...'), not a feed"),
        (b"<html><head><title>Consent</title>", "with a web page ('Consent')"),
        (b'<?xml version="1.0"?><!-- x --><urlset/>', "with <urlset>, not a feed"),
        (b'{"error": "rate limit"}', "what begins with"),
        (b"Service unavailable", "what begins with 'Service unavailable'"),
        (rss(*TWO)[:150], "cannot be read: "),  # within the channel, before any item
        (b"<rss", "cannot be read: unclosed token"),
        (b"\x00\x01\x02\xff\xfe", "not a feed"),
    ],
)
def test_what_is_no_feed_is_refused_by_name(body: bytes, why: str) -> None:
    with pytest.raises(SourceRefused) as refused:
        document(body)
    assert why in str(refused.value)
    assert "cnbc.com" in str(refused.value)


def test_characters_that_no_xml_may_hold_cost_one_character_each() -> None:
    for hostile in ("\x0b", "&#0;", "&#xD800;", "&#x110000;", "&#" + "9" * 6000 + ";", "\ufffe"):
        body = rss("<item><title>A" + hostile + "B</title></item>")
        found = document(body)
        assert (found.items[0]["title"], found.fault) == ("A\ufffdB", None)
    assert only(rss("<item><title>&#65;&#x1F680;</title></item>"))["title"] == "A\U0001f680"


def test_a_feed_may_follow_what_does_not_belong_there() -> None:
    whole = rss(*TWO)
    netscape = b'<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://my.example/rss.dtd">'
    for before in (b"\n\n \t", b"PHP Warning: x\n", b"<!-- <html> -->", netscape):
        assert len(document(before + whole).items) == 2, before


LAUGHS = (
    "<!DOCTYPE rss [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    + "]>"
)
QUADRATIC = f'<!DOCTYPE rss [<!ENTITY a "{"x" * 100_000}">]>'
OUTSIDE = '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("head", [LAUGHS, QUADRATIC, OUTSIDE])
def test_a_document_that_declares_entities_is_refused(head: str) -> None:
    body = rss(item(1, "TITLE", NOON), head=head).replace(b"TITLE", b"&a;&a9;" * 1000)
    with pytest.raises(SourceRefused, match="declares entities of its own"):
        document(body)


def test_an_entity_that_nobody_declared_stays_as_it_was_written() -> None:
    found = document(rss("<item><title>A&nbsp;B &a9;</title></item>"))
    assert found.items[0]["title"] == "A\u00a0B &a9;"  # HTML's own are known


def test_numbers_stay_text_as_the_feed_had_them() -> None:
    place = '<point xmlns="http://www.georss.org/georss">45.2 -71.9</point>'
    found = only(rss(f"<item><title>T</title>{place}</item>"))
    # feedparser makes floats of them, longitude first.
    assert found["entry"]["where"] == {"type": "Point", "coordinates": ["-71.9", "45.2"]}


def test_an_address_that_is_none_is_kept_as_it_was_written() -> None:
    found = only(rss(item(5, "T", NOON, link="http://[not-an-address/a")))
    assert found["id"].endswith(":5")
    assert found["title"] == "T"


PIECES = st.sampled_from(
    "<item> </item> <entry> </entry> <title> </title> <link> <guid> </guid> <pubDate> <![CDATA[ ]]> "  # noqa: SIM905
    "<!-- --> <!DOCTYPE <?xml ?> &amp; &#x; &#99999999; &nbsp; <a href=' \" > < & [ ] "
    "http://[ http://sec.gov/ xmlns:a= xml:base='http://[' </channel> </rss> \x00 é".split()
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=25))
def test_no_document_raises_anything_but_a_refusal(pieces: list[str]) -> None:
    body = "<rss><channel><item><title>T" + "".join(pieces)
    for one in (body, "".join(pieces), body.replace("rss", "feed", 1)):
        with suppress(SourceRefused):
            json.dumps(vars(document(one.encode())))


# ---------------------------------------------------------------- documents in the same shape


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="no feeds beside the checkout")
@pytest.mark.parametrize(
    ("name", "url", "titles", "sponsored"),
    [
        (
            "cnbc_shape.xml",
            "https://www.cnbc.com/x",
            ["Example Inc. shares jump after earnings beat"],
            1,
        ),
        (
            "wsj_shape.xml",
            "https://feeds.content.dowjones.io/x",
            ["Example Co. Falls &amp; Rises"],
            0,
        ),
        (
            "sec_getcurrent.atom",
            "https://www.sec.gov/x",
            [
                "10-K - AIM ImmunoTech Inc. (0000946644) (Filer)",
                "8-K - TESLA INC (0001318605) (Filer)",
            ],
            0,
        ),
    ],
)
def test_documents_in_the_shape_of_the_real_ones_are_read(
    name: str, url: str, titles: list[str], sponsored: int
) -> None:
    found = document((SHARED / name).read_bytes(), "text/xml", url=url)
    assert [one["title"] for one in found.items] == titles
    assert (found.sponsored, found.undated, found.fault) == (sponsored, 0, None)
