"""The AWS account that a deployment talks to, and what its refusals mean."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from deploy_plan import FRAMEWORK, DeployError

T = TypeVar("T")

ABSENT = ("could not find", "does not exist", "not found")
_LIMIT = {"ResourceLimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"}
_FORBIDDEN = {"AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation"}
_STALE = {
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId",
    "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
}  # fmt: skip
_ROLE_WORDS = ("assume", "role", "model data", "model_data")


@dataclass
class Cloud:
    """A session in one region, the SDK's classes, and how often to look while waiting."""

    session: Any
    region: str
    sdk: Any
    poll: float = 10.0
    """Seconds between two looks at something that takes minutes."""

    @property
    def at(self) -> dict[str, Any]:
        """What every call of the SDK's classes is told."""
        return {"session": self.session, "region": self.region}

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of this session."""
        return self.session.client(service, region_name=self.region, **options)

    def image(self, given: str | None, instance_type: str) -> str:
        """Address of the container image in this region.

        Raises:
            DeployError: the SDK knows none there.
        """
        if given:
            return given
        try:
            found = self.sdk.image_uris.retrieve(
                "huggingface", self.region, instance_type=instance_type, **FRAMEWORK
            )
        except ValueError as error:
            raise DeployError(f"--region {self.region}: {error}; or name an --image") from error
        return str(found)

    def wait(self, what: str, look: Callable[[], T | None], seconds: float) -> T:
        """Look until there is something; say now and then how long it has taken.

        Raises:
            DeployError: it takes longer than it may.
        """
        began = time.monotonic()
        while (found := look()) is None:
            took = time.monotonic() - began
            if took > seconds:
                raise DeployError(
                    f"{what} takes more than {seconds:.0f} s; it goes on without us. Look at it in "
                    "the SageMaker console, then run the same command again",
                    4,
                )
            say(f"{what}: {took:.0f} s")
            time.sleep(self.poll)
        return found


def connect(region: str | None, session: Any = None, poll: float = 10.0) -> Cloud:
    """Load the SDK and boto3.

    Raises:
        DeployError: they are not installed, or no region is known.
    """
    logging.getLogger("sagemaker").setLevel(logging.WARNING)
    try:
        import boto3
        from sagemaker.core import image_uris, resources, shapes
    except ImportError as error:
        raise DeployError(f"{error}: this needs `pip install 'cashtag[deploy]'`", 3) from error
    session = session or boto3.Session(region_name=region)
    where = region or session.region_name
    if not where:
        raise DeployError("--region is missing, and AWS_DEFAULT_REGION is not set")
    return Cloud(session, where, _Sdk(image_uris, resources, shapes), poll)


@dataclass(frozen=True)
class _Sdk:
    image_uris: Any
    resources: Any
    shapes: Any


def found(call: Callable[[], T]) -> T | None:
    """What a call returns; None where AWS says that there is no such thing."""
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        told = error.response.get("Error", {})
        text = str(told.get("Message", "")).lower()
        if told.get("Code") == "ResourceNotFound" or any(word in text for word in ABSENT):
            return None
        raise


@contextmanager
def explained() -> Iterator[None]:
    """Turn what boto3 raises into one sentence with a remedy; requests are signed, so no cause."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise DeployError(f"{error}: this needs `pip install 'cashtag[deploy]'`", 3) from error
    try:
        yield
    except ClientError as error:
        raise DeployError(*_meaning(error)) from None
    except BotoCoreError as error:
        kind = type(error).__name__
        remedy = "set credentials (AWS_PROFILE)" if "Credential" in kind else "check the network"
        raise DeployError(f"AWS cannot be asked: {error}; {remedy}", 5) from None


def _meaning(error: Any) -> tuple[str, int]:
    told = error.response.get("Error", {})
    code, text = str(told.get("Code", "unknown")), str(told.get("Message", "")).rstrip(". ")
    what = error.operation_name
    service = "s3" if what in _S3 else "sagemaker"
    if code in _LIMIT:
        remedy = (
            "ask for more under Service Quotas (Amazon SageMaker), or take less: --concurrency, "
            "--instances, another --instance-type"
        )
    elif code in _FORBIDDEN:
        allowed = _S3.get(what, what)
        remedy = f"allow {service}:{allowed} on exactly that resource to these credentials"
    elif code in _STALE:
        remedy = "renew the AWS credentials"
    elif code == "NoSuchBucket":
        remedy = "create the bucket, in the endpoint's region, or correct --bucket"
    elif code == "ValidationException" and any(word in text.lower() for word in _ROLE_WORDS):
        remedy = (
            "the role of --role must exist, trust sagemaker.amazonaws.com, and be allowed "
            "s3:GetObject on the uploaded model.tar.gz"
        )
    else:
        remedy = "see the message; nothing that was in service has changed"
    return f"{what} is refused: {code}: {text}; {remedy}", 5


# Operations of S3 and the action that a policy calls them by.
_S3 = {
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "GetObject": "GetObject",
    "PutObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListObjectsV2": "ListBucket",
    "DeleteObject": "DeleteObject",
}


def check_bucket(cloud: Cloud, bucket: str) -> None:
    """Raise DeployError unless the bucket is there and in the region: SageMaker reads no other."""
    from botocore.exceptions import ClientError

    try:
        answer = cloud.client("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404:
            raise DeployError(
                f"--bucket {bucket}: there is no such bucket; create it in {cloud.region}", 5
            ) from None
        if "x-amz-bucket-region" not in _headers(answer):
            raise
    where = _headers(answer).get("x-amz-bucket-region", cloud.region)
    if where != cloud.region:
        raise DeployError(
            f"--bucket {bucket} is in {where}, the endpoint in {cloud.region}; use a bucket there, "
            f"or --region {where}"
        )


def _headers(answer: Any) -> dict[str, str]:
    headers: dict[str, str] = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def upload(cloud: Cloud, path: Path, bucket: str, key: str) -> None:
    """Upload a file unless an object of its size is there; its key is its content's hash."""
    s3 = cloud.client("s3")
    held = found_object(s3, bucket, key)
    if held == path.stat().st_size:
        say(f"s3://{bucket}/{key} is there already")
        return
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import ClientError

    say(f"uploading to s3://{bucket}/{key}")
    try:
        s3.upload_file(str(path), bucket, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    except S3UploadFailedError as error:
        if isinstance(error.__context__, ClientError):
            raise error.__context__ from None  # with its code, which the other one has only in words
        raise DeployError(f"{path} cannot be uploaded: {error}", 5) from None


def found_object(s3: Any, bucket: str, key: str) -> int | None:
    """Size of an object in bytes; None when there is none."""
    from botocore.exceptions import ClientError

    try:
        return int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            return None
        raise


def say(what: str) -> None:
    """Tell on stderr what is going on; stdout is for results."""
    print(f"deploy_model: {what}", file=sys.stderr, flush=True)
