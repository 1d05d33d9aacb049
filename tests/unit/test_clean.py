"""What a cleaned text keeps, and which texts repeat each other."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cashtag.enrich.clean import clean, input_hash, text_key, text_keys
from cashtag.enrich.markup import plain_link, plain_text


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("one\ntwo\r\n three\t four", "one two three four"),
        ("a\u00a0b\u3000c\u2028d", "a b c d"),  # every Unicode space
        ("AT&amp;T &gt; 30 &lt; 40", "AT&T > 30 < 40"),
        ("&amp;amp;", "&amp;"),  # once: the author wrote "&amp;"
        ("&#36;NVDA &#x1F680;", "$NVDA 🚀"),
        ("to the moon 🚀🌕", "to the moon 🚀🌕"),
        ("👩‍💻 ❤️", "👩‍💻 ❤️"),  # joiner and variation selector stay
        ("nul\x00 bell\x07 c1\x9f", "nul bell c1"),
        ("zero\u200bwidth soft\u00adhyphen \ufeffbom", "zerowidth softhyphen bom"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),  # overrides reach beyond the text
        ("\u200fעברית\u200e", "\u200fעברית\u200e"),  # direction marks belong to it
        ("e\u0301", "é"),  # NFC
        (" \u200b \n ", ""),
        ("a \u200b b", "a b"),
        ("x" * 10_000, "x" * 10_000),
        ("</script><b onclick=1>", "</script><b onclick=1>"),  # hostile text stays text
    ],
)
def test_a_text_is_one_visible_line(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(st.text())
@example("\ufb1d \u0344")
def test_a_cleaned_text_is_a_line_and_stays_as_it_is(text: str) -> None:
    once = clean(text)
    assert "\n" not in once
    assert "  " not in once
    assert once == once.strip()
    assert not re.search("[\x00-\x1f\x7f-\x9f]", once)
    if "&" not in once:  # unescaping is done once by rule
        assert clean(once) == once


SAME = [
    "NVDA up 5% today! $NVDA https://t.co/abc",
    "nvda UP 5% today $NVDA",
    "RT @someone: NVDA up 5% today! $NVDA https://t.co/xyz",
    "RT @a: RT @b: NVDA up 5% today! $NVDA",
    "NVDA up 5% today… $NVDA @friend",
    "“NVDA” up 5% — today $NVDA http://x.co/1 http://x.co/2",
]


@pytest.mark.parametrize("text", SAME[1:])
def test_repeats_share_a_key(text: str) -> None:
    assert text_key(text) == text_key(SAME[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$TSLA 🚀", "$TSLA 📉"),  # emoji carry the meaning
        ("$TSLA 180", "$TSLA 181"),
        ("up 5 $TSLA", "up 5 $AAPL"),
        ("$AAPL https://t.co/a", "$AAPL https://t.co/b"),  # charts: nothing but symbols and a link
        ("$AAPL $TSLA http://t.co/a", "$AAPL $TSLA http://t.co/b"),
        ("https://t.co/a", "https://t.co/b"),
        ("@a @b", "@c"),
    ],
)
def test_other_texts_do_not(one: str, other: str) -> None:
    assert text_key(one) != text_key(other)


def test_a_key_is_16_hex_digits_and_known_for_good() -> None:
    # What stays of "Buy $NVDA!" is "buynvda": `printf buynvda | b2sum -l 64`.
    assert text_key("Buy $NVDA!") == input_hash("buynvda") == "fe7a91e066280dfb"
    assert re.fullmatch("[0-9a-f]{16}", text_key(""))


@given(st.lists(st.text().map(clean), max_size=8))
def test_keys_of_many_texts_are_the_keys_of_each(texts: list[str]) -> None:
    assert text_keys([text.casefold() for text in texts]) == [text_key(text) for text in texts]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Shares <b>rose</b>.</p><p>More</p>", "Shares rose. More"),
        ("one<br/>two", "one two"),
        ("AT&amp;T&nbsp;rises", "AT&T rises"),
        ("EPS < 2 and P/E <15", "EPS < 2 and P/E <15"),  # opens no tag
        ('<img alt="a>b" onerror=alert(1)>after', "after"),
        ("<script>alert('<b>')</script >text", "text"),
        ("<style>p{}</STYLE>text", "text"),
        ("<script>never closed", ""),
        ("before <a href='never closed", "before"),
        ("<!-- <p>no</p> -->yes<!doctype html>", "yes"),
        ("&lt;b&gt; is text", "<b> is text"),
        ("don't <i>stop</i>", "don't stop"),
        ("a</>b</ c>d<?xml?>e", "abde"),  # no elements, but no text either
        ("", ""),
    ],
)
def test_markup_becomes_text(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(st.text(st.sampled_from("<>/!-\"'= abscript&;\n")))
def test_no_fragment_of_markup_raises_and_nothing_is_invented(html: str) -> None:
    text = iter(html.replace("&", ""))
    # What comes out stands in the fragment, in its order; spaces part what tags parted.
    assert all(c in text for c in plain_text(html.replace("&", "")) if c != " ")


def test_hostile_markup_is_read_in_linear_time() -> None:
    # 200,000 characters of each would take minutes if read again from every "<".
    for hostile in ("<", "<a ", "<a href='", "<!--", "<script>", '<a "'):
        plain_text(hostile * (200_000 // len(hostile)))


@pytest.mark.parametrize(
    ("link", "plain"),
    [
        ("https://e.org/a?id=7&utm_source=rss&utm_medium=x", "https://e.org/a?id=7"),
        ("https://e.org/a?mod=rss_markets_main", "https://e.org/a"),
        ("https://e.org/a?fbclid=1&amp;q=%20x", "https://e.org/a?q=%20x"),  # kept as written
        ("https://e.org/a?q=1#part", "https://e.org/a?q=1"),
        ("http://e.org", "http://e.org"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("//e.org/a", None),
        ("https://", None),
        ("https://bank.example@evil.example/", None),  # the part before @ deceives
        ("https://e.org/<script>", None),
        ("https://e.org/a b", None),
        ("", None),
    ],
)
def test_links_lose_what_tracks_and_only_web_addresses_stay(link: str, plain: str | None) -> None:
    assert plain_link(link) == plain


@given(st.text())
def test_no_link_raises(link: str) -> None:
    found = plain_link(link)
    assert found is None or found.lower().startswith(("http://", "https://"))
