"""What starts a function: objects put into a zone, and schedules or people who name an action.

S3 tells at least once, in any order, several objects at a time, their keys encoded as in an
address. Only objects of the zone that a function serves count; what nobody recognises is refused,
so that it lies in the dead letters rather than nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote_plus

from cashtag import sessions
from cashtag.errors import InputError

_DATED = re.compile(r"^[^/]+/(?:dt|session)=(\d{4}-\d\d-\d\d)/")
_CREATED = "ObjectCreated"
_SHOWN = 80  # characters of a foreign value in an error


def is_of_objects(event: Mapping[str, Any]) -> bool:
    """Whether an event tells of objects, or is the test that S3 sends when it is wired up."""
    return (
        "Records" in event
        or event.get("Event") == "s3:TestEvent"
        or event.get("source") == "aws.s3"
    )


def objects_put(event: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """Keys within the zone at `place` (a bucket, or bucket/prefix), each once, in their order.

    Other buckets, other prefixes, deletions and S3's test event give none.

    Raises:
        InputError: a record is none of S3.
    """
    bucket, _, prefix = place.partition("/")
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    keys = [
        key.removeprefix(prefix)
        for name, key in _objects(event)
        if name == bucket and key.startswith(prefix) and key != prefix
    ]
    return tuple(dict.fromkeys(keys))


def _objects(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Bucket and decoded key of every object that was created."""
    if event.get("Event") == "s3:TestEvent":
        return
    from aws_lambda_powertools.utilities.data_classes.s3_event import (
        S3Event,
        S3EventBridgeNotificationEvent,
    )

    try:
        if event.get("source") == "aws.s3":
            told = S3EventBridgeNotificationEvent(dict(event))
            if told.detail_type == "Object Created":
                # Unlike notifications, these hold the key as it is.
                yield told.detail.bucket.name, told.detail["object"]["key"]
            return
        for record in S3Event(dict(event)).records:
            if record.event_source != "aws:s3":
                raise InputError(
                    f"a record of {str(record.event_source)[:_SHOWN]!r}, which is not S3: only "
                    "S3's notifications start this function"
                )
            if record.event_name.startswith(_CREATED):
                yield record.s3.bucket.name, unquote_plus(record.s3.get_object.key)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"an event of S3 without {str(error)[:_SHOWN]}: it is no notification of version 2"
        ) from None


def action(event: Mapping[str, Any], *known: str) -> str:
    """The event's `action`.

    Raises:
        InputError: there is none, or it is unknown.
    """
    found = event.get("action")
    if found not in known:
        raise InputError(
            f"action = {str(found)[:_SHOWN]!r} is none of: {', '.join(known)}; "
            f'send {{"action": "{known[0]}", "scheduled": "<time>"}}'
        )
    return str(found)


def run_of(event: Mapping[str, Any]) -> date:
    """The run: `dt`, or the UTC date of `scheduled`.

    Raises:
        InputError: neither is there, or it is no date or moment.
    """
    if "dt" in event:
        return _date(event, "dt")
    return _moment(event, "dt").date()


def session_of(event: Mapping[str, Any]) -> date:
    """The session: `session`, or the date in New York at `scheduled`.

    Raises:
        InputError: neither is there, or it is no date or moment.
    """
    if "session" in event:
        return _date(event, "session")
    return sessions.date_ny(_moment(event, "session"))


def scheduled(event: Mapping[str, Any]) -> datetime | None:
    """When the schedule meant to start the function, UTC; None where nobody says."""
    return _moment(event, "scheduled") if "scheduled" in event else None


def date_of(key: str) -> date | None:
    """The date of the partition that a key lies in; None for a key without one."""
    found = _DATED.match(key)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _date(event: Mapping[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(event[name])
    except (ValueError, TypeError):
        raise InputError(
            f"{name} = {str(event[name])[:_SHOWN]!r} is no date; write it as YYYY-MM-DD"
        ) from None


def _moment(event: Mapping[str, Any], instead: str) -> datetime:
    text = event.get("scheduled")
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise InputError(
            f"scheduled = {str(text)[:_SHOWN]!r} is no moment; give {instead}, or a time as in "
            "2026-05-11T12:00:00Z"
        ) from None
    # EventBridge Scheduler writes UTC, with a Z.
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
