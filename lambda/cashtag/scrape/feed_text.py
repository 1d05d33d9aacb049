"""A feed's bytes as text: its charset, what no XML may hold, and where its root begins.

Everything before the root is dropped, and a document that declares entities of its own is
refused: no feed needs any, and they are how a few bytes swell to gigabytes.
"""

from __future__ import annotations

import codecs
import re

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import plain

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# "<?" without a mark: XML 1.0, appendix F.1.
_UNMARKED = ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"))
_DECLARATION = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.I)
# Codecs of one byte a character: they read any bytes, so that they fit proves nothing.
_SINGLE = re.compile(r"iso8859-\d+|cp125\d|ascii|koi8-[ru]")
_SEVERAL = re.compile(
    r"utf-(?:8|16|32)(?:-[bl]e)?|cp9(?:32|49|50)|shift_jis|euc_(?:jp|kr)|iso2022_jp|big5|gb(?:2312|k|18030)"
)
# What browsers take these for: the quotes and dashes of Windows are in both (WHATWG, Encoding).
_AS_BROWSERS = {"ascii": "cp1252", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}

_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));")
_CODE_DIGITS = 7  # 1114111, the last code point
# Characters that XML 1.0 forbids (section 2.2), written out or by number.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNKNOWN = "\ufffd"

_NAME = re.compile(r"[A-Za-z_][\w.:-]{0,60}")
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,200})", re.I)
_FEED_ROOTS = frozenset({"rss", "feed", "rdf:rdf", "rdf", "channel"})
_TOLD = 80  # characters of somebody else's words in a reason


def decoded(body: bytes, content_type: str) -> str:
    """Return the text by byte order mark, else by the declared charset, else as UTF-8.

    A charset of one byte a character fits any bytes: where such a one is declared, and the bytes
    are UTF-8 all the same, they are that. What fits nothing is read as Windows-1252.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for start, name in _UNMARKED:
        if body.startswith(start):
            return body.decode(name, "replace")
    # The header first: RFC 7303, section 3.2.
    header = _CHARSET.search(content_type)
    inside = _DECLARATION.match(body)
    declared = [
        codec
        for said in (header and header[1], inside and inside[1].decode("ascii"))
        if said and (codec := _codec(said))
    ]
    if all(_SINGLE.fullmatch(name) for name in declared):
        declared.insert(0, "utf-8")
    for name in declared:
        try:
            return body.decode(_AS_BROWSERS.get(name, name))
        except UnicodeDecodeError:
            continue
    return body.decode("cp1252", "replace")


def _codec(name: str) -> str | None:
    """Python's name of a charset; None for what is none, such as its codec `punycode`."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    return found if _SINGLE.fullmatch(found) or _SEVERAL.fullmatch(found) else None


def mended(text: str) -> str:
    """Return `text` with U+FFFD for every character that XML forbids, written out or by number."""
    return _FORBIDDEN.sub(_UNKNOWN, _REFERENCE.sub(_mended_reference, text))


def _mended_reference(found: re.Match[str]) -> str:
    digits = (found[1] or found[2]).lstrip("0") or "0"
    if len(digits) > _CODE_DIGITS:
        return _UNKNOWN
    code = int(digits, 16 if found[1] else 10)
    if code > 0x10FFFF or _FORBIDDEN.match(chr(code)):
        return _UNKNOWN
    return found[0]


def from_root(text: str, host: str) -> str:
    """Return `text` from its root element on.

    Raises:
        SourceRefused: it is a web page, other XML, no XML at all, or declares entities.
    """
    at = 0
    while (at := text.find("<", at)) >= 0:
        if text.startswith("<!--", at):
            end = text.find("-->", at)
        elif text[at + 1 : at + 9].upper() == "!DOCTYPE":
            end = text.find(">", at)
            if 0 <= text.find("[", at) < end or text[at + 9 : end].strip().lower() == "html":
                break
        elif text.startswith("<?", at):
            end = text.find("?>", at)
        else:
            break
        if end < 0:
            break
        at = end
    name = _NAME.match(text, at + 1) if at >= 0 else None
    if name is not None and name[0].lower() in _FEED_ROOTS:
        return text[at:]
    raise SourceRefused(f"{host} answered {_what(text, at, name and name[0])}, not a feed")


def _what(text: str, at: int, root: str | None) -> str:
    if not text.strip():
        return "nothing at all (0 characters)"
    opening = text[at : at + 9].upper() if at >= 0 else ""
    if opening == "<!DOCTYPE" and "[" in text[at : text.find(">", at)]:
        return "XML that declares entities of its own"
    if opening == "<!DOCTYPE" or (root or "").lower() in ("html", "head", "body"):
        title = _TITLE.search(text)
        return f"with a web page{f' ({plain(title[1])!r})' if title else ''}"
    if root is not None:
        return f"with <{plain(root)}>"
    return f"what begins with {plain(text.strip()[:_TOLD])!r}"
