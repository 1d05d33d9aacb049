"""The bucket that deployments read from: private, encrypted, versioned; zips and templates by content.

It belongs to no stack, so that a stack can be taken down and brought back. Making it, and putting
something there, may be repeated and done by several at once.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from cashtag.errors import CloudError
from cashtag.operate import account

_ATTEMPTS, _WAIT = 6, 1.0  # S3 refuses two changes of one bucket at once
_BUSY = {"OperationAborted", "ConflictException", "409"}
_OWN = {"BucketAlreadyOwnedByYou"}
_OLD_DAYS = 90  # versions that were replaced
_HALF_DAYS = 2  # uploads that were never finished


def bucket_name(number: str, region: str) -> str:
    """The bucket of an account and region, as the template takes it by default."""
    return f"cashtag-artifacts-{number}-{region}"


def ensure(session: Any, bucket: str, number: str) -> bool:
    """Make the bucket, or put right what is not as it should be; say whether it was made.

    Raises:
        CloudError: it belongs to another account, or S3 refuses.
    """
    from botocore.exceptions import ClientError

    client = account.client(session, "s3")
    made = False
    with account.explained(f"bucket {bucket} cannot be made ready"):
        try:
            client.head_bucket(Bucket=bucket, ExpectedBucketOwner=number)
        except ClientError as error:
            if account.code(error) not in {"404", "NoSuchBucket", "NotFound"}:
                if account.code(error) in {"403", "AccessDenied"}:
                    raise CloudError(
                        f"bucket {bucket} is another account's, or closed to these credentials: "
                        "allow them s3:ListBucket on it, or name one of yours by "
                        "--parameter CodeBucket=…"
                    ) from None
                raise
            made = _made(client, bucket, session.region_name)
        for change in _settled(client, bucket):
            _again(change)
    return made


def _made(client: Any, bucket: str, region: str) -> bool:
    from botocore.exceptions import ClientError

    place = {} if region == "us-east-1" else {"LocationConstraint": region}
    more = {"CreateBucketConfiguration": place} if place else {}
    try:
        client.create_bucket(Bucket=bucket, **more)
    except ClientError as error:
        if account.code(error) not in _OWN | _BUSY:
            raise
        client.get_waiter("bucket_exists").wait(Bucket=bucket)  # somebody else's deployment made it
        return False
    client.get_waiter("bucket_exists").wait(Bucket=bucket)
    return True


def _settled(client: Any, bucket: str) -> list[Any]:
    """Each thing that the bucket must be, as a call that may be repeated."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [
                    f"arn:{_partition(client)}:s3:::{bucket}{rest}" for rest in ("", "/*")
                ],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    closed = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    lifecycle = {
        "Rules": [
            {
                "ID": "replaced",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "NoncurrentVersionExpiration": {"NoncurrentDays": _OLD_DAYS},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _HALF_DAYS},
            }
        ]
    }
    return [
        lambda: client.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=closed
        ),
        lambda: client.put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration=encryption
        ),
        lambda: client.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        ),
        lambda: client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy)),
        lambda: client.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration=lifecycle
        ),
    ]


def _partition(client: Any) -> str:
    region = client.meta.region_name
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if "-gov-" in region else "aws"


def _again(change: Any) -> None:
    from botocore.exceptions import ClientError

    for attempt in range(_ATTEMPTS):
        try:
            change()
            return
        except ClientError as error:
            if account.code(error) not in _BUSY or attempt == _ATTEMPTS - 1:
                raise
        time.sleep(_WAIT)


def put_code(session: Any, bucket: str, zipped: Path, content: str) -> str:
    """Upload the functions' zip unless it is there; return its key, which names its content."""
    key = f"functions/{content[:32]}.zip"
    _put(session, bucket, key, zipped.read_bytes(), "application/zip")
    return key


def put_template(session: Any, bucket: str, template: Path) -> str:
    """Upload a template unless it is there; return the address that CloudFormation takes."""
    data = template.read_bytes()
    key = f"templates/{template.stem}-{hashlib.sha256(data).hexdigest()[:32]}.yaml"
    _put(session, bucket, key, data, "text/yaml")
    client = account.client(session, "s3")
    region = client.meta.region_name
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{bucket}.s3.{region}.{suffix}/{key}"


def has(session: Any, bucket: str, key: str) -> bool:
    """Whether the bucket holds an object.

    Raises:
        CloudError: S3 refuses to say.
    """
    return _size(account.client(session, "s3"), bucket, key) is not None


def _size(client: Any, bucket: str, key: str) -> int | None:
    from botocore.exceptions import ClientError

    with account.explained(f"s3://{bucket}/{key} cannot be looked at"):
        try:
            return int(client.head_object(Bucket=bucket, Key=key)["ContentLength"])
        except ClientError as error:
            if account.code(error) in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise


def _put(session: Any, bucket: str, key: str, data: bytes, kind: str) -> None:
    client = account.client(session, "s3")
    # The key is the content's hash and a put is whole or not at all: what is there is right.
    if _size(client, bucket, key) is not None:
        return
    with account.explained(f"s3://{bucket}/{key} cannot be written"):
        client.put_object(
            Bucket=bucket, Key=key, Body=data, ContentType=kind, ChecksumAlgorithm="SHA256"
        )
