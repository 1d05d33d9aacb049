"""A line without somebody: whole posts go, what others made of them stays without the name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cashtag.enrich import forgotten, redact
from cashtag.enrich.readers import READERS, Post
from cashtag.enrich.redact import Wanted
from cashtag.lake import lines, tombstones
from cashtag.lake.tombstones import Tombstones

ID, AUTHOR_ID = "2061234567890123456", "1777000111222333444"
POST = Wanted(tweets=frozenset({ID}))
AUTHOR = Wanted(handles=frozenset({"Alice_B"}), authors=frozenset({AUTHOR_ID}))
SALT = bytes(range(32))


def line(source: str, data: dict[str, Any]) -> bytes:
    head = {"source": source, "scraped_at": "2026-06-01T12:00:00+00:00", "query": "$TSLA"}
    return json.dumps(head | {"data": data}).encode()


def twscrape(
    identity: str = "77", text: str = "$TSLA up", handle: str = "bob", **more: Any
) -> bytes:
    by = {"id": 5, "id_str": "5", "username": handle}
    return line(
        "x", {"id": int(identity), "id_str": identity, "rawContent": text, "user": by} | more
    )


def v1(identity: str = "77", text: str = "$TSLA up", handle: str = "bob", **more: Any) -> bytes:
    by = {"id": 5, "id_str": "5", "screen_name": handle}
    return line(
        "twitter-v1", {"id": int(identity), "id_str": identity, "text": text, "user": by} | more
    )


def reference(identity: int = 77, text: str = "$TSLA up", handle: str = "bob") -> bytes:
    return line("reference", {"id": identity, "username": handle, "content": text, "url": None})


def data_of(cleaned: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cleaned)["data"]
    return found


def read(cleaned: bytes) -> Post:
    """The cleaned line as enrichment reads it."""
    envelope = json.loads(cleaned)
    post = READERS[envelope["source"]](envelope["data"])
    assert isinstance(post, Post)
    return post


@pytest.mark.parametrize(
    "whole",
    [
        twscrape(ID),
        v1(ID),
        reference(int(ID)),
        # A retweet is the post once more.
        twscrape(retweetedTweet={"id": int(ID), "rawContent": "$TSLA down"}),
        v1(retweeted_status={"id_str": ID, "full_text": "$TSLA down"}),
        # A line that nobody can read, and that names it.
        b'{"source":"x","data":{"id_str":"2061234567890123456","rawContent":"cut off her',
    ],
)
def test_a_forgotten_post_leaves_nothing(whole: bytes) -> None:
    assert redact.without(whole, POST) == b""


@pytest.mark.parametrize(
    "whole",
    [
        twscrape(handle="alice_b"),
        twscrape(user={"id": int(AUTHOR_ID), "username": "another_name"}),
        v1(handle="ALICE_B"),
        reference(handle="Alice_B"),
        reference(text="RT @alice_b: $TSLA up"),
        v1(text="RT @Alice_B: $TSLA up, and so on…"),
        twscrape(retweetedTweet={"id": 9, "rawContent": "x", "user": {"username": "Alice_B"}}),
    ],
)
def test_a_forgotten_authors_posts_leave_nothing(whole: bytes) -> None:
    assert redact.without(whole, AUTHOR) == b""


@pytest.mark.parametrize(
    "whole",
    [
        twscrape("78"),
        twscrape(text="alice_b without a sign is a word"),
        twscrape(text="@alice_bc and @xalice_b are others"),
        twscrape(text="mail me at somebody@alice_b.example"),
        twscrape(viewCount=int(ID[:10]), url="https://news.example/2061234567"),
        b"",
        b"not json",
        b'{"source":"x","data":{"rawContent":"half a pair \\ud83d","id":1}}',
    ],
)
def test_what_names_nobody_stays_byte_for_byte(whole: bytes) -> None:
    assert redact.without(whole, POST) is whole
    assert redact.without(whole, AUTHOR) == whole


def test_a_quotation_goes_and_the_post_that_quoted_stays_one() -> None:
    quoted = {
        "id": int(ID),
        "id_str": ID,
        "rawContent": "secret words",
        "user": {"username": "Alice_B"},
    }
    before = twscrape(quotedTweet=quoted, links=[{"url": f"https://x.com/alice_b/status/{ID}"}])
    for wanted in (POST, AUTHOR):
        cleaned = redact.without(before, wanted)
        assert b"secret words" not in cleaned
        assert ID.encode() not in cleaned
        assert read(cleaned).is_quote
        assert read(cleaned).text == "$TSLA up"
    before = v1(quoted_status={"id_str": ID, "text": "secret words"}, quoted_status_id_str=ID)
    cleaned = redact.without(before, POST)
    assert data_of(cleaned)["quoted_status"] is None
    assert data_of(cleaned)["quoted_status_id_str"] == "0"
    assert read(cleaned).is_quote


def test_an_answer_stays_one_without_whom_it_answers() -> None:
    before = twscrape(
        text="@Alice_B no, ＠ALICE_B! $TSLA down",
        inReplyToTweetId=int(ID),
        inReplyToTweetIdStr=ID,
        inReplyToUser={"id": int(AUTHOR_ID), "username": "Alice_B"},
        conversationId=int(ID),
        mentionedUsers=[{"username": "Alice_B"}, {"username": "carol"}],
    )
    data = data_of(redact.without(before, AUTHOR))
    assert data["rawContent"] == "@user no, ＠user! $TSLA down"
    assert (data["inReplyToTweetId"], data["inReplyToTweetIdStr"], data["conversationId"]) == (
        0,
        "0",
        0,
    )
    assert data["inReplyToUser"] is None
    assert data["mentionedUsers"] == [{"username": "carol"}]
    assert read(redact.without(before, POST)).is_reply


def test_a_short_id_is_an_id_only_where_ids_stand() -> None:
    wanted = Wanted(tweets=frozenset({"20"}))
    before = twscrape(
        text="20 reasons, see https://x.com/jack/status/20 and /status/201",
        viewCount=20,
        inReplyToTweetId=20,
        pinnedIds=[20, 21],
    )
    data = data_of(redact.without(before, wanted))
    assert data["rawContent"] == "20 reasons, see https://x.com/jack/status/0 and /status/201"
    assert (data["viewCount"], data["inReplyToTweetId"]) == (20, 0)
    assert data["pinnedIds"] == [0, 21]


def test_ids_of_other_shapes_and_escapes_are_seen() -> None:
    wanted = Wanted(tweets=frozenset({"syn-7_a"}))
    assert redact.without(line("reference", {"id": "syn-7_a", "content": "x"}), wanted) == b""
    hidden = b"\\u0032" + ID[1:].encode()  # 2, as JSON may also write it
    escaped = twscrape(id=0, id_str="?").replace(b"?", hidden)
    assert json.loads(escaped)["data"]["id_str"] == ID
    assert redact.without(escaped, POST) == b""
    assert redact.without(escaped[:-3], POST) == b""  # cut off, too


def test_a_line_too_deep_to_take_apart_goes_when_it_names_them() -> None:
    deep = b'{"data":' + b"[" * 5000 + f'"{ID}"'.encode() + b"]" * 5000 + b"}"
    assert redact.without(deep, POST) == b""
    assert redact.without(deep, AUTHOR) == deep


# ---------------------------------------------------------------- by tombstones


def stones(*, tweets: tuple[str, ...] = (), authors: tuple[str, ...] = ()) -> Tombstones:
    def hashed(names: tuple[str, ...]) -> frozenset[str]:
        return frozenset(tombstones.digest(SALT, name) for name in names)

    return Tombstones(SALT, hashed(tweets), hashed(authors))


@pytest.mark.parametrize(
    "whole",
    [
        twscrape(ID),
        twscrape(handle="ALICE_b"),
        twscrape(user={"id": int(AUTHOR_ID), "username": "another_name"}),
        twscrape(quotedTweet={"id": int(ID), "rawContent": "secret"}),
        twscrape(text="@alice_b you see https://x.com/Alice_B/status/12"),
        twscrape(text="about @bob"),
        twscrape(ID).replace(b"2061", b"\\u0032061"),
        reference(handle="alice_b"),
    ],
)
def test_tombstones_find_what_names_find(whole: bytes) -> None:
    wanted = Wanted(POST.tweets, AUTHOR.handles, AUTHOR.authors)
    found = stones(tweets=(ID,), authors=("alice_b", AUTHOR_ID))
    assert forgotten.without(whole, found) == redact.without(whole, wanted)
    data = lines.pack([twscrape("78"), whole])
    assert forgotten.of_object(data, found) == lines.pack(
        [twscrape("78"), redact.without(whole, wanted)]
    )


def test_without_tombstones_nothing_is_even_looked_at() -> None:
    data = b"no gzip, no lines"
    assert forgotten.of_object(data, Tombstones()) is data
    assert forgotten.without(data, Tombstones()) is data


def test_an_object_that_names_nobody_stays_the_same_bytes() -> None:
    data = lines.pack([twscrape("78"), b"", twscrape("79")])
    assert forgotten.of_object(data, stones(tweets=(ID,))) is data


def test_what_a_model_may_have_been_asked_is_not_asked_again() -> None:
    # The blank line stays where the post was: answers are recorded by line.
    data = lines.pack([twscrape("78"), twscrape(ID), twscrape("79")])
    left = forgotten.of_object(data, stones(tweets=(ID,)))
    assert left == lines.pack([twscrape("78"), b"", twscrape("79")])
    assert forgotten.of_object(left, stones(tweets=("79",))) == lines.pack(
        [twscrape("78"), b"", b""]
    )
    again = forgotten.of_object(lines.pack([twscrape("78"), b"", b""]), stones(tweets=("78",)))
    assert again == lines.pack([b"", b"", b""])
