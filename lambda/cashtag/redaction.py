"""Secrets that this process holds, and text in which they are blotted out before anyone sees it.

A secret is found in every form in which libraries print one: as it is, percent-encoded, escaped
in JSON or HTML, in base64, and as the beginning of it that a message cut short still shows. From
the first secret on, whatever is logged is blotted too; `guard` does so for tracebacks.
"""

from __future__ import annotations

import re
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging

MARK = "[secret]"
_SHORTEST = 6  # anything shorter would blot out ordinary words
_PIECE = 12  # so much of a secret's beginning gives it away

_SCHEMES = ("http", "https", "socks4", "socks5", "socks5h")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_lock = threading.Lock()
# Replaced as a whole, never changed: who reads needs no lock.
_held: frozenset[str] = frozenset()
_logs_guarded = False


def remember(*values: str | None) -> None:
    """Keep secrets, so that `redacted` finds them; None and very short ones are passed over.

    Of an address, such as a proxy's, user and password are secret; where it leads is not.
    """
    global _held
    parts = {part for value in values if value for part in _parts(value)}
    new = {form for part in parts for form in _forms(part) if len(form) >= _SHORTEST}
    if not new:
        return
    with _lock:
        _held |= new
        _guard_logs()


def redacted(text: str) -> str:
    """Return `text` without any secret that this process has loaded."""
    spans = sorted(span for form in _held for span in _found(form, text))
    if not spans:
        return text
    parts, at = [], 0
    for start, end in spans:
        if start >= at:
            parts += [text[at:start], MARK]
        at = max(at, end)  # secrets that overlap are one blot
    return "".join([*parts, text[at:]])


def _found(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a form, or enough of its beginning, stands in a text."""
    head = form[:_PIECE]
    start = text.find(head)
    while start >= 0:
        end = start + len(head)
        while end - start < len(form) and end < len(text) and text[end] == form[end - start]:
            end += 1
        yield start, end
        start = text.find(head, end)


def _parts(value: str) -> set[str]:
    """What of a value is secret."""
    scheme, _, rest = value.partition("://")
    if scheme.lower() not in _SCHEMES:
        return {value}
    given, at, _ = rest.rpartition("@")
    user, _, password = given.partition(":")
    # The header Proxy-Authorization of RFC 7617 is the decoded pair in base64.
    return {given, f"{_decoded(user)}:{_decoded(password)}", password} if at else set()


def _forms(value: str) -> set[str]:
    """A secret as it is, and as libraries write it into addresses, JSON, HTML and headers."""
    import base64
    import html
    import json

    plain = {value, _decoded(value)}
    encoded = {_encoded(text, keep) for text in plain for keep in ("", "/")}
    encoded |= {text.replace("%20", "+") for text in encoded}  # as a form has it
    return {
        *plain,
        *encoded,
        *(json.dumps(text)[1:-1] for text in plain),
        *(repr(text)[1:-1] for text in plain),
        *(html.escape(text) for text in plain),
        *(base64.b64encode(_bytes(text)).decode().rstrip("=") for text in plain),
        *(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in encoded),
    }


def _encoded(text: str, keep: str) -> str:
    """Percent-encoding of RFC 3986, section 2: all but the unreserved characters and `keep`."""
    return "".join(
        chr(byte) if byte in _UNRESERVED or chr(byte) in keep else f"%{byte:02X}"
        for byte in _bytes(text)
    )


def _decoded(text: str) -> str:
    """A text without its percent-encoding."""
    plain = re.sub(
        b"%([0-9A-Fa-f]{2})", lambda found: bytes.fromhex(found[1].decode()), _bytes(text)
    )
    return plain.decode("utf-8", "replace")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # JSON may hold half a character


# ---------------------------------------------------------------- what Python prints by itself


def guard() -> None:
    """Let what Python says of an error that nobody caught, in any thread, be told blotted."""
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _say("".join(traceback.format_exception(kind, error, trace)))


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_type is SystemExit:
        return  # ends the thread, as Python has it
    name = told.thread.name if told.thread else "?"
    lines = traceback.format_exception(told.exc_type, told.exc_value, told.exc_traceback)
    _say(f"Exception in thread {name}:\n{''.join(lines)}")


def _unraisable(told: Any) -> None:
    lines = traceback.format_exception(told.exc_type, told.exc_value, told.exc_traceback)
    _say(f"{told.err_msg or 'Exception ignored in'}: {told.object!r}\n{''.join(lines)}")


def _say(text: str) -> None:
    if sys.stderr is not None:  # there is none while Python ends
        sys.stderr.write(redacted(text))
        sys.stderr.flush()


# ---------------------------------------------------------------- what libraries log


def _guard_logs() -> None:
    """Blot every log record as it is made.

    A filter would have to be put on every handler, also on those that a library adds later.
    """
    global _logs_guarded
    if _logs_guarded:
        return
    import logging

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(lambda *given, **named: _blotted(before(*given, **named)))
    _logs_guarded = True


def _blotted(record: logging.LogRecord) -> logging.LogRecord:
    try:
        text = record.getMessage()
    except (TypeError, ValueError, LookupError):
        # Its arguments do not fit: logging would print them all, as they are, and say so.
        text = f"{record.msg} {record.args}"
    if (clean := redacted(text)) != text:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[0] is not None:
        text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (clean := redacted(text)) != text:
            # Formatters print the text, and have nothing left to format by themselves.
            record.exc_text, record.exc_info = clean, None
    if record.stack_info:
        record.stack_info = redacted(record.stack_info)
    return record
