"""One raw line without a forgotten post or author: blank, cleaned, or the very bytes it was.

A line is blank afterwards when the post is forgotten, or repeats a forgotten one as its own
(a retweet). A post of somebody else stays, without what it holds of the forgotten: the post it
quotes, the author as somebody mentioned or replied to, `@handle` in its text (then `@user`, which
is what models read there anyway), ids in fields and addresses (then 0). Whatever does not name
the forgotten is left byte for byte.

Ids are looked for in fields that hold ids, in addresses of posts, and, where they are long enough
to be nothing else, anywhere. A line that cannot be read and names the forgotten is blank: nobody
can tell what it holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import orjson

SOMEBODY = "user"  # as the preprocessing of RoBERTa models for tweets writes any handle
_NO_ID = "0"
_SURE = 15  # digits; ids of posts since 2010 have more, and no count of anything has
_REPOSTED = ("retweetedTweet", "retweeted_status")
_QUOTED = {"quotedTweet": "isQuoteStatus", "quoted_status": "is_quote_status"}
_ANSWERED = ("inReplyToScreenName", "in_reply_to_screen_name")
_ANSWERS = (
    "inReplyToTweetId",
    "inReplyToTweetIdStr",
    "in_reply_to_status_id",
    "in_reply_to_status_id_str",
)
_TEXTS = ("rawContent", "full_text", "text", "content", "extended_tweet")
_HANDLES = ("username", "screen_name")
_ID_FIELD = re.compile(r"(?:^|_)ids?(?:_str)?$|Ids?(?:Str)?$")
_NAME_FIELD = re.compile(r"name$|author$|user$", re.IGNORECASE)
# An ASCII letter, digit or `_` that JSON writes as \u00NN: what a search for bytes does not see.
_ESCAPE = re.compile(r"\\u00([2-7][0-9a-fA-F])")
_ESCAPED = re.compile(rb"\\u00(?:3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """Whom to forget: ids of posts, handles (any case, without `@`), and numeric ids of authors."""

    tweets: frozenset[str] = frozenset()
    handles: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()

    @cached_property
    def names(self) -> tuple[bytes, ...]:
        """What a text must hold to name any of them, in small letters."""
        found = {*self.tweets, *(handle.casefold() for handle in self.handles), *self.authors}
        return tuple(sorted(name.lower().encode() for name in found))

    def may_be_in(self, data: bytes) -> bool:
        """Whether bytes may name any of them: a quick look, which errs on the side of yes."""
        small = data.lower()
        return any(name in small for name in self.names) or bool(_ESCAPED.search(data))

    def is_handle(self, value: object) -> bool:
        """Whether a value is one of the handles."""
        return isinstance(value, str) and value.lstrip("@＠").casefold() in self._handles

    def is_author(self, user: object) -> bool:
        """Whether an object of JSON is one of the authors, by handle or by id."""
        if not isinstance(user, Mapping) or not any(name in user for name in _HANDLES):
            return False
        return any(self.is_handle(user.get(name)) for name in _HANDLES) or any(
            str(user.get(name)) in self.authors for name in ("id_str", "id")
        )

    def is_post(self, value: object) -> bool:
        """Whether an object of JSON is a post to forget."""
        if not isinstance(value, Mapping) or not any(name in value for name in _TEXTS):
            return False
        if any(str(value.get(name)) in self.tweets for name in ("id_str", "id")):
            return True
        return self.is_author(value.get("user")) or (
            "user" not in value and self.is_handle(value.get("username"))
        )

    def cleaned_text(self, text: str) -> str:
        """A text without their handles and ids."""
        for pattern, instead in self._patterns:
            text = pattern.sub(instead, text)
        return text

    def is_named_in(self, text: str) -> bool:
        """Whether a text names any of them, of whatever shape it is."""
        return bool(self._anywhere.search(text)) or any(
            pattern.search(text) for pattern, _ in self._patterns
        )

    @cached_property
    def _anywhere(self) -> re.Pattern[str]:
        """An id by itself, a handle in quotation marks: what a damaged line has left of them."""
        ids = "|".join(map(re.escape, sorted(self.tweets | self.authors)))
        handles = "|".join(map(re.escape, sorted(self._handles)))
        parts = [rf"(?<![\w.-])(?:{ids})(?![\w.-])"] if ids else []
        parts += [rf'"(?:{handles})\\?"'] if handles else []
        return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)

    @cached_property
    def _handles(self) -> frozenset[str]:
        return frozenset(handle.casefold() for handle in self.handles)

    @cached_property
    def _patterns(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        found: list[tuple[re.Pattern[str], str]] = []
        if self.handles:
            any_of = "|".join(re.escape(handle) for handle in sorted(self._handles))
            of_x = r"(?:(?:x|twitter)\.com/)|(?://[^/\s]+/)(?=\w+/status)"
            found += [
                (re.compile(rf"(?<!\w)([@＠])(?:{any_of})(?!\w)", re.IGNORECASE), rf"\1{SOMEBODY}"),
                (
                    re.compile(rf"({of_x})(?:{any_of})(/status(?:es)?/)[\w-]+", re.IGNORECASE),
                    rf"\1{SOMEBODY}\g<2>{_NO_ID}",
                ),
                (re.compile(rf"({of_x})(?:{any_of})(?!\w)", re.IGNORECASE), rf"\1{SOMEBODY}"),
            ]
        if ids := sorted(self.tweets | self.authors):
            any_of = "|".join(map(re.escape, ids))
            found.append(
                (re.compile(rf"(/(?:status(?:es)?|user)/)(?:{any_of})(?![\w-])"), r"\g<1>0")
            )
        if sure := sorted(one for one in ids if one.isdecimal() and len(one) >= _SURE):
            found.append((re.compile(rf"(?<!\d)(?:{'|'.join(sure)})(?!\d)"), _NO_ID))
        return tuple(found)

    @cached_property
    def reposts(self) -> re.Pattern[str] | None:
        """What a text begins with that repeats one of the authors; None where there are none."""
        if not self.handles:
            return None
        any_of = "|".join(re.escape(handle) for handle in sorted(self._handles))
        return re.compile(rf"\s*RT\s+[@＠](?:{any_of})(?!\w)", re.IGNORECASE)


def without(line: bytes, wanted: Wanted) -> bytes:
    """Return the line without `wanted`: b"" for nothing at all, the same bytes where it names none."""
    if not wanted.may_be_in(line):
        return line
    try:
        value, dumps = _loaded(line)
        cleaned = _cleaned_envelope(value, wanted)
    except (ValueError, RecursionError):
        return b"" if wanted.is_named_in(unescaped(line)) else line
    if cleaned is None:
        return b""
    return line if cleaned == value else dumps(cleaned)


def unescaped(text: bytes) -> str:
    """A text of JSON with the escapes of ASCII undone, so that the words in it can be seen."""
    found = text.decode("utf-8", "replace")
    return _ESCAPE.sub(lambda e: chr(int(e[1], 16)), found) if "\\u00" in found else found


def author_ids(line: bytes, wanted: Wanted) -> frozenset[str]:
    """Numeric ids that one line gives to the authors of `wanted`, whatever it says of them."""
    try:
        value, _ = _loaded(line)
        users = [one for one in _objects(value) if wanted.is_author(one)]
    except (ValueError, RecursionError):
        return frozenset()
    found = {str(user.get(name)) for user in users for name in ("id_str", "id")}
    return frozenset(one for one in found if one.isdecimal() and one.isascii() and one != _NO_ID)


def posts(line: bytes, wanted: Wanted) -> Iterator[str]:
    """Texts of the forgotten posts that a line holds, its own or quoted ones."""
    try:
        value, _ = _loaded(line)
        found = [one for one in _objects(value) if wanted.is_post(one)]
    except (ValueError, RecursionError):
        return
    for post in found:
        for name in _TEXTS:
            if isinstance(post.get(name), str):
                yield post[name]


def _loaded(line: bytes) -> tuple[Any, Any]:
    """A line's value, and how to write another such line; ValueError for what is no JSON."""
    try:
        return orjson.loads(line), orjson.dumps
    except orjson.JSONDecodeError:
        # Half surrogates, NaN and numbers beyond 64 bits: written again as they were.
        return json.loads(line.decode("utf-8-sig")), _dumped


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _cleaned_envelope(value: Any, wanted: Wanted) -> Any:
    """The line's value without `wanted`; None when nothing of it is to stay."""
    data = value.get("data") if isinstance(value, dict) else None
    post = data if isinstance(data, dict) else value
    if isinstance(post, dict):
        if wanted.is_post(post) or any(wanted.is_post(post.get(name)) for name in _REPOSTED):
            return None
        texts = (post.get(name) for name in _TEXTS)
        begins = wanted.reposts
        if begins is not None and any(isinstance(t, str) and begins.match(t) for t in texts):
            return None
    return _cleaned(value, "", replace(wanted, tweets=wanted.tweets | set(_ids_of(value, wanted))))


def _ids_of(value: Any, wanted: Wanted) -> Iterator[str]:
    """Ids of the forgotten posts that a line quotes or answers: they stand in other fields, too."""
    for one in _objects(value):
        if wanted.is_post(one):
            yield from (str(one[name]) for name in ("id_str", "id") if one.get(name))
        if wanted.is_author(one.get("inReplyToUser")) or any(
            wanted.is_handle(one.get(name)) for name in _ANSWERED
        ):
            yield from (str(one[name]) for name in _ANSWERS if one.get(name))


_GONE = object()


def _cleaned(value: Any, name: str, wanted: Wanted) -> Any:
    if isinstance(value, dict):
        if wanted.is_post(value) or wanted.is_author(value):
            return _GONE
        return _cleaned_object(value, wanted)
    if isinstance(value, list):
        found = [_cleaned(item, name, wanted) for item in value]
        return [item for item in found if item is not _GONE]
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return 0 if _is_id(str(value), name, wanted) else value
    if isinstance(value, str):
        if _is_id(value, name, wanted):
            return _NO_ID
        if wanted.is_handle(value) and _NAME_FIELD.search(name):
            return SOMEBODY
        return wanted.cleaned_text(value)
    return value


def _cleaned_object(value: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    found: dict[str, Any] = {}
    quoted = []
    for key, item in value.items():
        cleaned = _cleaned(item, key, wanted)
        if cleaned is _GONE:
            cleaned = None
            quoted += [_QUOTED[key]] if key in _QUOTED else []
        found[wanted.cleaned_text(key)] = cleaned
    # A post that quoted stays one that quotes.
    return found | dict.fromkeys(quoted, True)


def _is_id(text: str, name: str, wanted: Wanted) -> bool:
    known = text in wanted.tweets or text in wanted.authors
    return known and (len(text) >= _SURE or bool(_ID_FIELD.search(name)))
