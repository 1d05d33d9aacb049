"""Tombstones: hashes under a salt of the lake's own, create-only, and nothing without them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cashtag.errors import InputError, StoreError
from cashtag.exchange.forget_target import target
from cashtag.lake import layout, tombstones
from cashtag.lake.disk import FolderStore

AT = datetime(2026, 7, 1, 9, tzinfo=UTC)


def test_a_lake_without_tombstones_has_none_and_needs_no_salt(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    assert not tombstones.read(raw)
    assert list(tmp_path.iterdir()) == []


def test_a_tombstone_names_nobody(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    digest, new = tombstones.add(raw, "author", "Alice_B", AT, "request 17")
    assert new
    found = b"".join(raw.get(info.key) + info.key.encode() for info in raw.list())
    assert b"alice" not in found.lower()
    assert len(digest) == 64
    # The first word stands; a handle has no case.
    assert tombstones.add(raw, "author", "aLICE_b", AT, "another") == (digest, False)
    assert b"request 17" in raw.get(layout.tombstone("author", digest))


def test_words_are_told_apart_by_what_they_name(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    tombstones.add(raw, "author", "alice", AT, "")
    tombstones.add(raw, "tweet", "20", AT, "")
    stones = tombstones.read(raw)
    assert stones.hits(["ALICE", "20", "bob", "21"]) == ({"20"}, {"ALICE"})
    assert stones.hits(["ALICE", "20", "bob", "21"]) == ({"20"}, {"ALICE"})  # from memory, too


def test_two_lakes_have_different_hashes(tmp_path: Path) -> None:
    a, b = (tombstones.add(FolderStore(tmp_path / name), "tweet", "20", AT, "")[0] for name in "ab")
    assert a != b


def test_the_hash_is_hmac_sha256() -> None:
    # RFC 4231, test case 2: key "Jefe", data "what do ya want for nothing?".
    assert tombstones.digest(b"Jefe", "what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_tombstones_without_their_salt_stop_everything(tmp_path: Path) -> None:
    raw = FolderStore(tmp_path)
    tombstones.add(raw, "tweet", "20", AT, "")
    raw.delete(layout.salt())
    with pytest.raises(StoreError, match=r"tombstones/salt is gone.*bring it back from a copy"):
        tombstones.read(raw)
    raw.put(layout.salt(), b"short")
    with pytest.raises(StoreError, match=r"tombstones/salt is damaged"):
        tombstones.read(raw)


@pytest.mark.parametrize("text", ["20", "2061234567890123456", " 20 "])
def test_digits_are_a_posts_id(text: str) -> None:
    assert target(text).kind == "tweet"
    assert target(text).name == text.strip()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("https://x.com/a_b/status/123", "123"),
        ("http://www.twitter.com/a_b/statuses/123?s=20", "123"),
        ("x.com/i/web/status/123/photo/1", "123"),
        ("https://mobile.twitter.com/i/status/123#m", "123"),
    ],
)
def test_an_address_is_its_posts(text: str, name: str) -> None:
    assert (target(text).kind, target(text).name) == ("tweet", name)


@pytest.mark.parametrize(
    ("text", "name"), [("@Alice_B", "Alice_B"), ("alice", "alice"), ("@12", "12")]
)
def test_a_handle_is_an_authors(text: str, name: str) -> None:
    assert (target(text).kind, target(text).name) == ("author", name)


def test_ids_that_are_no_numbers_are_said_to_be_ids() -> None:
    assert target("syn-7_a", is_id=True).kind == "tweet"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "a b",
        "../../etc",
        "1;drop",
        "@alice-b",
        "٢٠",
        "💥",
        "@a\nb",
        "x" * 65,
        "https://x.com/alice",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"TARGET .* is neither the id of a post"):
        target(text)
    with pytest.raises(InputError, match="TARGET"):
        target(text + "!", is_id=True)
