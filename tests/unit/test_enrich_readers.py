"""Raw objects, envelopes, moments and the readers of three formats, down to hostile fields."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cashtag.enrich import readers, values
from cashtag.enrich.envelopes import RawLines, opened
from cashtag.enrich.moments import milliseconds, milliseconds_of, moment
from cashtag.lake import lines

# ---------------------------------------------------------------- lines


def read(data: bytes) -> tuple[list[bytes], bool, bytes]:
    raw = RawLines(data)
    return list(raw), raw.damage is not None, raw.remainder


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (lines.pack([b"a", b"b"]), [b"a", b"b"]),
        (gzip.compress(b"a\nb"), [b"a", b"b"]),  # no line feed at the end
        (gzip.compress(b"a\n\nb\n"), [b"a", b"", b"b"]),  # positions are the file's
        (gzip.compress(b"a\n") + gzip.compress(b"b\n"), [b"a", b"b"]),  # two members
        (gzip.compress(b""), []),
        (b"a\nb\n", [b"a", b"b"]),  # plain
        (b"", []),
    ],
)
def test_lines_keep_their_places(data: bytes, found: list[bytes]) -> None:
    assert read(data) == (found, False, b"")


def test_a_long_object_is_unpacked_piece_by_piece() -> None:
    # Digests do not compress, so 40,000 lines of 64 take some dozen blocks.
    import hashlib

    wanted = [hashlib.sha256(str(i).encode()).hexdigest().encode() for i in range(40_000)]
    assert read(lines.pack(wanted)) == (wanted, False, b"")


def test_of_a_cut_object_the_whole_lines_stay_and_the_piece_is_handed_over() -> None:
    # Stored without compression, so that the cut falls where we put it: 10 bytes of header,
    # 5 of the block, then the text; ten characters into it the second line has begun.
    whole = gzip.compress(b"line-1\nline-2\n", compresslevel=0)
    found, damaged, remainder = read(whole[: 10 + 5 + 10])
    assert damaged
    assert found == [b"line-1"]
    assert remainder == b"lin"


def test_a_corrupt_object_keeps_what_can_be_read() -> None:
    packed = bytearray(gzip.compress(b"line-1\nline-2\n", compresslevel=0))
    packed[-6] ^= 0xFF  # in the checksum: every line is there, and one of them may be wrong
    found, damaged, _ = read(bytes(packed))
    assert damaged
    assert found[:2] == [b"line-1", b"line-2"]


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_make_reading_lines_raise(data: bytes, cut: int) -> None:
    read(data)
    read(gzip.compress(data)[:cut] + data)


# ---------------------------------------------------------------- envelopes


def test_an_envelope_is_source_moment_and_data() -> None:
    line = b'{"source":"x","scraped_at":"2026-03-02T12:00:00Z","query":"q","data":{"id":1}}'
    assert opened(line) == ("x", "2026-03-02T12:00:00Z", {"id": 1})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"source":"x","data":{"id":1', "json"),
        (b"<html>", "json"),
        (b'{"source":"x","data":{"t":"caf\xe9"}}', "encoding"),  # Latin-1
        (b"[1,2]", "not-object"),
        (b'"json"', "not-object"),
        (b"null", "not-object"),
        (b"{}", "no-envelope"),
        (b'{"source":"x","data":[1]}', "no-envelope"),
        (b'{"source":1,"data":{}}', "no-envelope"),
        (b"[" * 100_000, "json"),  # nested beyond every parser's depth
    ],
)
def test_a_line_that_is_no_envelope_says_why(line: bytes, reason: str) -> None:
    assert opened(line) == reason


def test_what_others_write_is_read() -> None:
    # Half of an emoji's pair, not-a-number and a byte order mark: Python's json writes the first
    # two, Windows the third.
    line = b'\xef\xbb\xbf{"source":"x","data":{"t":"cut \\ud83d","n":NaN}}'
    assert opened(line) == ("x", None, {"t": "cut \ufffd", "n": None})


# ---------------------------------------------------------------- moments

# `date -u -d "2014-06-01 10:50:06" +%s` gives 1401619806.
MS = 1_401_619_806_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("Sun Jun 01 10:50:06 +0000 2014", MS),
        ("Sun Jun 01 12:50:06 +0200 2014", MS),  # another offset
        ("2014-06-01 10:50:06+00:00", MS),
        ("2014-06-01T10:50:06Z", MS),
        ("2014-06-01T10:50:06.000Z", MS),
        ("2014-06-01T10:50:06", MS),  # without an offset: UTC
        ("2014-06-01T06:50:06-04:00", MS),
        ("2014-06-01T10:50:06.789999Z", MS + 789),  # rounded down
        ("2014-06-01", 1_401_580_800_000),
        (" 2014-06-01T10:50:06Z ", MS),  # white space around a moment is nobody's fault
        ("Sun Jun 01 10:50:06 +0000 2014 ", MS),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_moments_are_milliseconds_of_1970(text: str, ms: int) -> None:
    assert milliseconds(text) == ms


@pytest.mark.parametrize(
    "value",
    [
        None,
        1401619806,
        True,
        "",
        "yesterday",
        "Sun Jun 31 10:50:06 +0000 2014",  # June has 30 days
        "Sun Jun 01 24:50:06 +0000 2014",
        "Sun Jux 01 10:50:06 +0000 2014",
        "Sun Jun 1_ 10:50:06 +0000 2014",
        "2014-02-29T10:50:06Z",  # no leap year
        "2014-06-01T10:50:06ZZ",
        "2014-06-01T10:5o:06Z",
        "0001-01-01T00:00:00+14:00x",
        {"year": 2014},
    ],
)
def test_what_is_no_moment_is_none(value: object) -> None:
    assert milliseconds(value) is None


# Drawn without a zone; the test gives each its own. A day is kept from either end for that.
ANY_MOMENT = st.datetimes().filter(lambda at: 1 < at.toordinal() < date.max.toordinal() - 1)


@given(ANY_MOMENT, st.integers(-14 * 60, 14 * 60))
def test_every_shape_reads_as_the_standard_library_does(naive: datetime, minutes: int) -> None:
    at = naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    whole = milliseconds_of(at)
    assert milliseconds(at.isoformat()) == whole
    assert milliseconds(str(at)) == whole
    twitter = at.strftime("%a %b %d %H:%M:%S %z ") + f"{at.year:04d}"
    assert milliseconds(twitter) == whole
    assert moment(whole) == at.astimezone(UTC)


@given(st.text())
def test_no_text_makes_reading_a_moment_raise(text: str) -> None:
    milliseconds(text)
    milliseconds("Sun Jun 01 10:50:06" + text)
    milliseconds("2014-06-01T10:50:06" + text)


# ---------------------------------------------------------------- posts


def tweet(**fields: Any) -> dict[str, Any]:
    """A tweet as twscrape writes it, the fields that are read."""
    return {
        "id": 1961045723190907181,
        "id_str": "1961045723190907181",
        "url": "https://x.com/amit/status/1961045723190907181",
        "date": "2025-08-28 12:38:29+00:00",
        "user": {
            "username": "amit",
            "displayname": "Amit",
            "created": "2016-01-30 00:33:23+00:00",
            "followersCount": 120_000,
            "verified": False,
            "blue": True,
        },
        "lang": "en",
        "rawContent": "$NVDA up",
        "likeCount": 7,
        "retweetCount": 2,
        "replyCount": 1,
        "quoteCount": 0,
        "viewCount": 900,
        "retweetedTweet": None,
        "quotedTweet": None,
        "inReplyToTweetId": None,
        **fields,
    }


def test_twscrape_json_is_read() -> None:
    post = readers.twscrape(tweet())
    assert post == readers.Post(
        tweet_id="1961045723190907181",  # beyond 2^53: text
        created_at="2025-08-28 12:38:29+00:00",
        text="$NVDA up",
        author="amit",
        author_name="Amit",
        author_followers=120_000,
        author_created_at="2016-01-30 00:33:23+00:00",
        author_verified=True,  # paying counts
        lang="en",
        url="https://x.com/amit/status/1961045723190907181",
        likes=7,
        retweets=2,
        replies=1,
        quotes=0,
        views=900,
        is_retweet=False,
        is_reply=False,
        is_quote=False,
    )


def status(**fields: Any) -> dict[str, Any]:
    """A status of API v1.1, the fields that are read."""
    return {
        "created_at": "Sun Jun 01 10:50:06 +0000 2014",
        "id": 473053872009654272,
        "id_str": "473053872009654272",
        "text": "$AAPL up",
        "in_reply_to_status_id": None,
        "user": {
            "name": "Mark",
            "screen_name": "mark",
            "verified": False,
            "followers_count": 263,
            "created_at": "Mon Sep 07 10:59:39 +0000 2009",
        },
        "retweet_count": 3,
        "favorite_count": 4,
        "lang": "en",
        **fields,
    }


def post_of(data: dict[str, Any], reader: Any = readers.twitter_v1) -> readers.Post:
    post = reader(data)
    assert isinstance(post, readers.Post)
    return post


def test_api_v1_json_is_read() -> None:
    post = post_of(status())
    assert (post.tweet_id, post.author, post.author_name) == ("473053872009654272", "mark", "Mark")
    assert (post.likes, post.retweets, post.replies) == (4, 3, None)  # v1.1 counts no replies
    assert (post.author_followers, post.author_verified, post.lang) == (263, False, "en")
    assert (post.is_retweet, post.is_reply, post.is_quote) == (False, False, False)


def test_the_longest_text_of_api_v1_is_read() -> None:
    assert post_of(status(full_text="$AAPL whole")).text == "$AAPL whole"
    extended = status(full_text="full", extended_tweet={"full_text": "$AAPL extended"})
    assert post_of(extended).text == "$AAPL extended"
    assert post_of(status(extended_tweet=None)).text == "$AAPL up"


def test_a_retweet_that_was_cut_is_whole_again() -> None:
    original = {"text": "the whole $AAPL story", "user": {"screen_name": "jon"}}
    cut = status(text="RT @jon: the who…", retweeted_status=original)
    assert post_of(cut).text == "RT @jon: the whole $AAPL story"
    assert post_of(cut).is_retweet
    # What is not cut stays, and what has no original stays as well.
    assert (
        post_of(status(text="RT @jon: short", retweeted_status=original)).text == "RT @jon: short"
    )
    assert post_of(status(text="RT @jon: the…", retweeted_status={})).text == "RT @jon: the…"

    live = tweet(
        rawContent="RT @jon: the…",
        retweetedTweet={"rawContent": "the whole", "user": {"username": "jon"}},
    )
    assert post_of(live, readers.twscrape).text == "RT @jon: the whole"


def test_replies_and_quotes_are_told_apart() -> None:
    assert post_of(status(in_reply_to_status_id=5)).is_reply
    assert not post_of(status(in_reply_to_user_id=5)).is_reply  # names a person, answers no post
    assert post_of(status(is_quote_status=True)).is_quote
    assert post_of(status(quoted_status={})).is_quote
    assert post_of(tweet(quotedTweet={}), readers.twscrape).is_quote
    assert post_of(tweet(inReplyToTweetId=7), readers.twscrape).is_reply
    assert post_of(status(text="RT @old style")).is_retweet


def test_an_element_of_the_reference_arrays_is_read() -> None:
    element = {
        "id": 1961045723190907181,
        "ticker": "$NVDA",
        "username": "amit",
        "display_name": "Amit",
        "content": "NVDA is in talks",
        "created_at": "2025-08-28 12:38:29+00:00",
        "likes": 1750,
        "retweets": 180,
        "replies": 155,
        "hashtags": [],
        "url": "https://x.com/amit/status/1961045723190907181",
        "sentiment": "neutral",
        "sentiment_score": 0.7,
    }
    post = post_of(element, readers.reference)
    assert (post.tweet_id, post.likes, post.quotes) == ("1961045723190907181", 1750, None)
    assert post.author_followers is None
    assert readers.stated_symbols(element) == ["NVDA"]


@pytest.mark.parametrize(
    ("ids", "tweet_id"),
    [
        ({"id_str": "5", "id": 6}, "5"),  # text wins: numbers lose digits on the way
        ({"id_str": None, "id": 2**63 + 1}, str(2**63 + 1)),
        ({"id_str": None, "id": "77"}, "77"),
        ({"id_str": "", "id": 6}, "6"),
        ({"id_str": "syn-1_a", "id": None}, "syn-1_a"),
        ({"id_str": 5, "id": 6}, "6"),
    ],
)
def test_an_id_is_text(ids: dict[str, Any], tweet_id: str) -> None:
    for data, reader in ((tweet(**ids), readers.twscrape), (status(**ids), readers.twitter_v1)):
        assert post_of(data, reader).tweet_id == tweet_id


@pytest.mark.parametrize("number", [None, 0, -1, 1.96e18, True, "a b", "<b>", [], "x" * 65])
def test_what_is_no_id_rejects_the_post(number: object) -> None:
    bad = {"id": number, "id_str": None}
    assert readers.twscrape(tweet(**bad)) == "no-id"
    assert readers.twitter_v1(status(**bad)) == "no-id"
    assert readers.reference({"id": number, "content": "x"}) == "no-id"


@pytest.mark.parametrize("text", [None, 5, ["x"], {}])
def test_what_is_no_text_rejects_the_post(text: object) -> None:
    assert readers.twscrape(tweet(rawContent=text)) == "no-text"
    assert readers.twitter_v1(status(text=text)) == "no-text"
    assert readers.reference({"id": 1, "content": text}) == "no-text"


def test_stated_symbols_come_from_each_format_as_written() -> None:
    assert readers.stated_symbols({"entities": {"symbols": [{"text": "aapl"}, {}, 5]}}) == ["aapl"]
    assert readers.stated_symbols({"cashtags": ["NVDA", None]}) == ["NVDA"]
    assert readers.stated_symbols({"entities": [], "cashtags": "NVDA"}) == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(st.data())
def test_no_field_makes_a_reader_raise(data: st.DataObject) -> None:
    for whole, reader in ((tweet(), readers.twscrape), (status(), readers.twitter_v1)):
        names = data.draw(st.lists(st.sampled_from(sorted(whole)), max_size=4))
        broken = whole | {name: data.draw(ANYTHING) for name in names}
        assert isinstance(reader(broken), (readers.Post, str))
        readers.stated_symbols(broken)


# ---------------------------------------------------------------- columns


def test_columns_keep_what_fits_whatever_stands_beside_it() -> None:
    assert values.counts([1, None, 2**53]).to_pylist() == [1, None, 2**53]
    mixed = [1, "1750", 2.0, 2.9, -1, True, 2**64, 2**53 + 1, "x", float("inf"), [], None]
    assert values.counts(mixed).to_pylist() == [1, 1750, 2, 2] + [None] * 8
    for value in mixed:  # alone or not, a value reads the same
        assert values.counts([value]).to_pylist() == [values.counts([value, "x"])[0].as_py()]
    assert values.booleans([True, None, 1, "yes"]).to_pylist() == [True, None, None, None]
    assert values.texts(["a", None, 5]).to_pylist() == ["a", None, None]


def test_json_of_python_and_of_orjson_reads_alike() -> None:
    # The slow path (here for the NaN) must not change what the fast one reads.
    data = tweet()
    fast = json.dumps({"source": "x", "data": data}).encode()
    slow = fast.replace(b'"viewCount": 900', b'"viewCount": NaN')
    assert opened(fast) == ("x", None, data)
    assert opened(slow) == ("x", None, data | {"viewCount": None})
