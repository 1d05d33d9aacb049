"""Announcements: to a console, into a folder of text files, to SNS, at a bounded rate; and events.

Texts may quote tweets, which are hostile input: they are written as plain text, never as markup,
and without the control characters that could move a terminal's cursor or reverse a line.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NoReturn, TextIO

from cashtag.errors import CloudError
from cashtag.lake import layout
from cashtag.ports import Notifier, Store
from cashtag.redaction import redacted

_HOUR = 3600.0
_KEPT = {"\n", "\t"}
_PREFIXES = ("[SIMULATED]", "[PAPER]", "[REAL]")
_SUBJECT = 100  # characters of ASCII; "Publish", Amazon SNS API reference
_MESSAGE = 262_144  # bytes of UTF-8, the escapes of JSON included; the same reference
_SMS = 500  # bytes that the rest of a message takes at most
_ENTRIES = 10  # of one request; "PutEvents", Amazon EventBridge API reference
_ROUNDS = 3  # requests for entries that the bus did not take at first
SOURCE = "sentiment.trading"


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


class SnsNotifier:
    """Publishes to a topic: subject and text by mail, the subject alone by SMS.

    Args:
        topic: the topic's ARN.
        region: of the topic; empty for the one that AWS's own tools find.
    """

    def __init__(self, topic: str, region: str = "") -> None:
        self._topic, self._region = topic, region

    @cached_property
    def _client(self) -> Any:
        return _client("sns", self._region)

    def announce(self, subject: str, text: str) -> None:
        """Publish subject and text.

        Raises:
            CloudError: SNS refuses, or does not answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        heading = ascii_subject(subject)
        body = plain(text) or heading
        while (longer := len(_json(body)) + _SMS - _MESSAGE) > 0:
            body = body.encode()[: -max(longer // 2, 4)].decode("utf-8", "ignore")
        try:
            self._client.publish(
                TopicArn=self._topic,
                Subject=heading,
                MessageStructure="json",
                Message=_json({"default": body, "sms": heading}).decode(),
            )
        except (ClientError, BotoCoreError) as error:
            _refused(error, f"announce to {self._topic}", "allow sns:Publish on it")


class Once:
    """Announces each text once, however often a step is run again, and whoever runs it.

    What was announced is marked in the lake afterwards: a step that is killed between the two
    announces again, and nothing is lost.
    """

    def __init__(self, notifier: Notifier, store: Store) -> None:
        self._notifier, self._store = notifier, store

    def announce(self, subject: str, text: str) -> None:
        """Announce, unless the same subject and text were announced before."""
        key = layout.announced(hashlib.sha256(f"{subject}\n{text}".encode()).hexdigest())
        if not self._store.exists(key):
            self._notifier.announce(subject, text)
            self._store.put_if_absent(key, b"")


class EventBus:
    """Events of the desk on an EventBridge bus, all of source `sentiment.trading`."""

    def __init__(self, name: str, region: str = "") -> None:
        self._name, self._region = name, region

    @cached_property
    def _client(self) -> Any:
        return _client("events", self._region)

    def publish(self, detail_type: str, details: Sequence[Mapping[str, Any]]) -> None:
        """Send one event for each of `details`; those that the bus did not take are sent again.

        Raises:
            CloudError: the bus refuses, does not answer, or did not take all of them.
        """
        entries = [
            {
                "Source": SOURCE,
                "DetailType": detail_type,
                "Detail": json.dumps(dict(detail), sort_keys=True),
                "EventBusName": self._name,
            }
            for detail in details
        ]
        for start in range(0, len(entries), _ENTRIES):
            self._put(entries[start : start + _ENTRIES])

    def _put(self, entries: list[dict[str, str]]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        code = ""
        for _ in range(_ROUNDS):
            try:
                answers = self._client.put_events(Entries=entries)["Entries"]
            except (ClientError, BotoCoreError) as error:
                _refused(error, f"send events to the bus {self._name}", "allow events:PutEvents")
            failed = [n for n, answer in enumerate(answers) if "ErrorCode" in answer]
            if not failed:
                return
            code = answers[failed[0]]["ErrorCode"]
            entries = [entries[n] for n in failed]
        raise CloudError(
            f"the bus {self._name} did not take {len(entries)} events ({code}); run the step again"
        )


def _client(service: str, region: str) -> Any:
    import boto3
    from botocore.config import Config

    make: Any = boto3.client  # its types know a service only by its literal name
    return make(
        service,
        region_name=region or None,
        config=Config(retries={"mode": "standard", "max_attempts": 5}),
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _refused(error: Exception, what: str, remedy: str) -> NoReturn:
    """Raise what a person can act on; never its cause, which holds the signed request."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
    raise CloudError(redacted(f"cannot {what} ({code}): {remedy}, or run the step again")) from None


def ascii_subject(text: str) -> str:
    """Return a subject that SNS takes: one line of printable ASCII, at most 100 characters."""
    letters = unicodedata.normalize("NFKD", plain(text).replace("…", "..."))
    spelled = "".join(c for c in letters if not unicodedata.combining(c)).encode("ascii", "replace")
    line = " ".join(spelled.decode().split())
    return line if len(line) <= _SUBJECT else f"{line[: _SUBJECT - 3]}..."


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
        self.failed: list[str] = []
        """Why announcements did not go out. No step is lost for that: whoever announces tells it."""

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
            try:
                notifier.announce(self._marked(subject), self._marked(text))
            except CloudError as error:
                self.failed.append(str(error))

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
