"""A zone of the lake as an S3 bucket, or as the part of one below a prefix.

S3 makes every put atomic and every read see the last one; create-only is its conditional write
("How to prevent object overwrites with conditional writes", Amazon S3 user guide). Errors carry
the operation, the key and S3's code, never the request, which is signed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NoReturn, TypeVar

from cashtag.errors import KeyMissing, StoreError
from cashtag.lake.keys import LONGEST_KEY, check_key, check_prefix, is_key
from cashtag.ports import ObjectInfo, Versions

T = TypeVar("T")
Found = list[dict[str, Any]]

_CONFLICTS = 8  # conditional writes that met another one; S3 says: try again
_FIRST_WAIT = 0.02  # seconds, doubled every time: 5 seconds in all
_PER_DELETE = 1000  # "DeleteObjects", Amazon S3 API reference
_ABSENT = {"NoSuchKey", "404", "NotFound"}
_TAKEN = {"PreconditionFailed", "412"}
_CONFLICT = {"ConditionalRequestConflict", "409"}
_REMEDIES = {
    "NoSuchBucket": "create the bucket, or correct its name in the settings",
    "AccessDenied": "allow it in the role's policy (s3:ListBucket too: without it S3 calls a missing object forbidden)",
    "403": "allow it in the role's policy (s3:ListBucket too: without it S3 calls a missing object forbidden)",
    "ExpiredToken": "renew the credentials",
    "InvalidAccessKeyId": "set valid credentials",
    "SignatureDoesNotMatch": "set valid credentials, and check the clock",
    "RequestTimeTooSkewed": "set the clock",
    "SlowDown": "run again later",
}


# What a browser must be told; everything else is data that only programs fetch.
_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".gz": "application/gzip",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain; charset=utf-8",
}


def content_type(key: str) -> str:
    """The media type of an object, by the end of its key; the dashboard is served from S3 too."""
    return _CONTENT_TYPES.get(f".{key.rpartition('.')[2]}", "application/octet-stream")


class S3Store:
    """Objects of one zone below `s3://bucket/prefix`.

    Args:
        bucket: a general purpose bucket; directory buckets do not list in order.
        prefix: keys of the zone begin below it; empty for a bucket of the zone's own.
        client: a boto3 S3 client; None makes one from the environment, with standard retries.
    """

    def __init__(self, bucket: str, prefix: str = "", client: Any = None) -> None:
        self.bucket = bucket
        self.prefix = check_key(prefix.rstrip("/")) + "/" if prefix.strip("/") else ""
        self._client = _made(client)

    def __repr__(self) -> str:
        return f"S3Store({self.bucket!r}, {self.prefix!r})"

    def get(self, key: str) -> bytes:
        """Return the object's bytes.

        Raises:
            KeyMissing: no such object.
            StoreError: the key is none, or S3 refuses or does not answer.
        """
        address = self._address(key)

        def read() -> bytes:
            answer = self._client.get_object(Bucket=self.bucket, Key=address)
            return bytes(answer["Body"].read())

        return self._call("read", key, read)

    def put(self, key: str, data: bytes) -> None:
        """Create the object, or replace it atomically.

        Raises:
            StoreError: the key is none, or S3 refuses or does not answer.
        """
        address = self._address(key)
        self._call(
            "write",
            key,
            lambda: self._client.put_object(
                Bucket=self.bucket, Key=address, Body=data, ContentType=content_type(key)
            ),
        )

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the object unless one is there. Of many writers exactly one gets True.

        When S3's answer to a successful write is lost and the client's retry finds the object
        there, its writer gets False as well: at most one writer ever gets True.

        Raises:
            StoreError: the key is none, or S3 refuses or does not answer.
        """
        address = self._address(key)
        for attempt in range(_CONFLICTS):
            if attempt:
                time.sleep(_FIRST_WAIT * 2 ** (attempt - 1))
            code = self._create(key, address, data)
            if code is None:
                return True
            if code in _TAKEN:
                return False
        raise StoreError(
            f"cannot write {key!r} in {self.uri()}: {_CONFLICTS} conditional writes conflicted "
            "with others; run again"
        )

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield objects whose key starts with `prefix`, in the order of their keys' UTF-8 bytes.

        Objects whose names cannot be keys, such as the empty ones that consoles make for
        folders, are passed over.

        Raises:
            StoreError: no key can begin so, or S3 refuses or does not answer.
        """
        return self._walk(self.prefix + check_prefix(prefix))

    def exists(self, key: str) -> bool:
        """Say whether the object is there.

        Raises:
            StoreError: the key is none, or S3 refuses or does not answer.
        """
        address = self._address(key)
        try:
            self._call(
                "read", key, lambda: self._client.head_object(Bucket=self.bucket, Key=address)
            )
        except KeyMissing:
            return False
        return True

    def delete(self, key: str) -> None:
        """Remove the object; absence is no error.

        Raises:
            StoreError: the key is none, or S3 refuses or does not answer.
        """
        address = self._address(key)
        self._call(
            "delete", key, lambda: self._client.delete_object(Bucket=self.bucket, Key=address)
        )

    def versions(self, prefix: str = "") -> Iterator[Versions]:
        """Yield every key that starts with `prefix` and has any version or delete marker, in order.

        Raises:
            StoreError: no key can begin so, or S3 refuses or does not answer.
        """
        for key, found in groupby(
            self._versions(self.prefix + check_prefix(prefix)), key=itemgetter("Key")
        ):
            name = key.removeprefix(self.prefix)
            if is_key(name):
                held = list(found)
                yield Versions(name, len(held), any(one["Current"] for one in held))

    def purge(self, key: str, *, keep_current: bool = False) -> int:
        """Remove every version and delete marker of the object; return how many that were.

        With `keep_current` the newest version stays, unless it is a delete marker.

        Raises:
            StoreError: the key is none, S3 refuses (s3:ListBucketVersions, s3:DeleteObjectVersion)
                or does not answer, or a version is locked.
        """
        address = self._address(key)
        gone: Found = [
            {"Key": address, "VersionId": one["VersionId"]}
            for one in self._versions(address)
            if one["Key"] == address and not (keep_current and one["Current"])
        ]
        for start in range(0, len(gone), _PER_DELETE):
            self._call("delete", key, partial(self._delete_versions, gone[start:][:_PER_DELETE]))
        return len(gone)

    def uri(self, key: str = "") -> str:
        """Return `s3://bucket/…` of an object, of a prefix, or of the zone."""
        path = self.prefix + check_prefix(key) if key else self.prefix.rstrip("/")
        return f"s3://{self.bucket}/{path}" if path else f"s3://{self.bucket}"

    # ------------------------------------------------------------ inside

    def _address(self, key: str) -> str:
        address = self.prefix + check_key(key)
        if len(address.encode()) > LONGEST_KEY:
            raise StoreError(
                f"key {key!r} below {self.uri()} has {len(address.encode())} bytes of UTF-8: "
                f"shorten it, or the prefix, to {LONGEST_KEY} together"
            )
        return address

    def _create(self, key: str, address: str, data: bytes) -> str | None:
        """Try one conditional write; return None when it made the object, else S3's code."""
        from botocore.exceptions import ClientError

        def write() -> str | None:
            try:
                self._client.put_object(
                    Bucket=self.bucket,
                    Key=address,
                    Body=data,
                    ContentType=content_type(key),
                    IfNoneMatch="*",
                )
            except ClientError as error:
                code = _code(error)
                if code in _TAKEN | _CONFLICT:
                    return code
                raise
            return None

        return self._call("write", key, write)

    def _walk(self, prefix: str) -> Iterator[ObjectInfo]:
        pages = iter(
            self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
        )
        while (page := self._call("list", prefix, lambda: next(pages, None))) is not None:
            for item in page.get("Contents", ()):
                key = item["Key"].removeprefix(self.prefix)
                if is_key(key):
                    yield ObjectInfo(key, item["Size"])

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Key, VersionId and Current of every version and delete marker, by key."""
        pages = iter(
            self._client.get_paginator("list_object_versions").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
        )
        waiting: Found = []
        while (page := self._call("list", prefix, lambda: next(pages, None))) is not None:
            found = [
                {**one, "Current": one["IsLatest"] and kind == "Versions"}
                for kind in ("Versions", "DeleteMarkers")
                for one in page.get(kind, ())
            ]
            # A page gives versions and markers apart, each by key; a key may go on in the next.
            waiting = sorted([*waiting, *found], key=lambda one: one["Key"].encode())
            last = waiting[-1]["Key"] if waiting else ""
            yield from (one for one in waiting if one["Key"] != last)
            waiting = [one for one in waiting if one["Key"] == last]
        yield from waiting

    def _delete_versions(self, objects: Found) -> None:
        answer = self._client.delete_objects(
            Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True}
        )
        for error in answer.get("Errors", ()):
            from botocore.exceptions import ClientError

            refused: Any = {**answer, "Error": error}
            raise ClientError(refused, "DeleteObjects")

    def _call(self, verb: str, key: str, request: Callable[[], T]) -> T:
        from botocore.exceptions import BotoCoreError, ClientError

        # `from None`: the cause holds the request, whose signature and token belong in no log.
        try:
            return request()
        except ClientError as error:
            code = _code(error)
            if code in _ABSENT:
                raise KeyMissing(f"no object {key!r} in {self.uri()}") from None
            number = error.response.get("ResponseMetadata", {}).get("RequestId", "unknown")
            remedy = _REMEDIES.get(code, "look the code up in S3's list of error codes")
            raise StoreError(
                f"cannot {verb} {key!r} in {self.uri()}: S3 answers {code}; {remedy} "
                f"(request {number})"
            ) from None
        except BotoCoreError as error:
            self._unanswered(verb, key, error)

    def _unanswered(self, verb: str, key: str, error: Exception) -> NoReturn:
        kind = type(error).__name__
        remedy = (
            "set credentials, or a role" if "Credential" in kind else "check the network, run again"
        )
        raise StoreError(f"cannot {verb} {key!r} in {self.uri()}: {kind}; {remedy}") from None


def _made(given: Any) -> Any:
    return client() if given is None else given


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def client(region: str = "") -> Any:
    """Return a boto3 S3 client for any number of stores, with standard retries.

    Without a region it is the one that AWS's own tools find.
    """
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        region_name=region or None,
        config=Config(retries={"mode": "standard", "max_attempts": 5}),
    )
