"""Announcements: to a console, into a folder of text files, at a bounded rate.

Texts may quote tweets, which are hostile input: they are written as plain text, never as markup,
and without the control characters that could move a terminal's cursor or reverse a line.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Sequence
from typing import TextIO

from cashtag.ports import Notifier, Store

_HOUR = 3600.0
_KEPT = {"\n", "\t"}
_PREFIXES = ("[SIMULATED]", "[PAPER]", "[REAL]")


class ConsoleNotifier:
    """Prints to a stream: bold subjects on a terminal, plain text into a pipe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def announce(self, subject: str, text: str) -> None:
        """Print subject and text."""
        stream = self._stream if self._stream is not None else sys.stdout
        subject, text = plain(subject), plain(text).rstrip("\n")
        if not stream.isatty():
            stream.write(f"{subject}\n\n{text}\n\n")
            stream.flush()
            return
        from rich.console import Console
        from rich.text import Text

        console = Console(file=stream, markup=False, emoji=False, highlight=False)
        console.print(Text(subject, style="bold"))  # Text is never parsed as markup
        console.print(Text(f"\n{text}\n"))


class FileNotifier:
    """Keeps every announcement as a text object; the same announcement twice is one object."""

    def __init__(self, store: Store, folder: str = "alerts") -> None:
        self._store = store
        self._folder = folder

    def announce(self, subject: str, text: str) -> None:
        """Store subject and text as `alerts/<words of the subject>-<hash>.txt`."""
        data = f"{plain(subject)}\n\n{plain(text)}".encode()
        words = "-".join(re.findall(r"[a-z0-9]+", subject.lower()))[:80]
        name = f"{words or 'alert'}-{hashlib.sha256(data).hexdigest()[:8]}.txt"
        self._store.put_if_absent(f"{self._folder}/{name}", data)


class Alerts:
    """Announces to every notifier: digests always, alerts at most `per_hour`.

    Every subject and text begins with the mode. What the limit held back is counted, and said
    with the next announcement that gets through.

    Args:
        notifiers: where announcements go.
        mode: `[SIMULATED]`, `[PAPER]` or `[REAL]`; see `cashtag.trade.digest.prefix`.
        per_hour: alerts let through in any 60 minutes.
        clock: seconds from any origin.
    """

    def __init__(
        self,
        notifiers: Sequence[Notifier],
        mode: str,
        per_hour: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifiers = tuple(notifiers)
        self._mode = mode
        self._per_hour = per_hour
        self._clock = clock
        self._sent: deque[float] = deque()
        self.held_back = 0

    def digest(self, subject: str, text: str) -> None:
        """Announce a digest, whatever was announced before."""
        self._announce(subject, text)

    def alert(self, subject: str, text: str) -> bool:
        """Announce at once, unless the limit is reached; say whether it went out."""
        now = self._clock()
        while self._sent and now - self._sent[0] >= _HOUR:
            self._sent.popleft()
        if len(self._sent) >= self._per_hour:
            self.held_back += 1
            return False
        self._sent.append(now)
        self._announce(subject, text)
        return True

    def _announce(self, subject: str, text: str) -> None:
        if self.held_back:
            text = (
                f"{text.rstrip()}\n\n{self.held_back} alerts were held back by alerts.per_hour.\n"
            )
            self.held_back = 0
        for notifier in self._notifiers:
            notifier.announce(self._marked(subject), self._marked(text))

    def _marked(self, text: str) -> str:
        return text if text.startswith(_PREFIXES) else f"{self._mode} {text}"


def plain(text: str) -> str:
    """Return `text` without control, format and direction characters, but line breaks and tabs.

    Emoji keep their joiners: U+200D and variation selectors move nothing.
    """
    return "".join(
        c
        for c in text
        if c in _KEPT or c == "\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs")
    )
