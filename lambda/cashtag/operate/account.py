"""An AWS account as a command sees it: whose credentials, which region, and refusals in words.

Credentials come from where AWS's own tools have them (environment, profile, role); they are
remembered, so that no message shows them. Requests are signed: an error never carries its cause.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cashtag.errors import CloudError
from cashtag.redaction import redacted, remember
from cashtag.settings import Settings

LOG_IN = "log in (`aws sso login`, `aws configure`, or AWS_PROFILE)"
_RENEW = "renew the AWS credentials, and check this machine's clock"
_REMEDIES = {
    "AccessDenied": "allow it to these credentials",
    "AccessDeniedException": "allow it to these credentials",
    "UnauthorizedOperation": "allow it to these credentials",
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "InvalidClientTokenId": _RENEW,
    "UnrecognizedClientException": _RENEW,
    "SignatureDoesNotMatch": _RENEW,
    "InvalidSignatureException": _RENEW,
    "RequestExpired": _RENEW,
    "OptInRequired": "enable the service, or the region, for this account",
    "Throttling": "run it again in a minute",
    "ThrottlingException": "run it again in a minute",
    "TooManyRequestsException": "run it again in a minute",
    "NoCredentialsError": LOG_IN,
    "CredentialRetrievalError": LOG_IN,
    "PartialCredentialsError": "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "set AWS_PROFILE to a profile of your AWS configuration",
    "TokenRetrievalError": "log in again: `aws sso login`",
    "SSOTokenLoadError": "log in again: `aws sso login`",
    "UnauthorizedSSOTokenError": "log in again: `aws sso login`",
    "NoRegionError": "set aws.region, or AWS_DEFAULT_REGION",
    "InvalidRegionError": "correct aws.region, or AWS_DEFAULT_REGION",
    "EndpointConnectionError": "check the network, and the region's name",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the account's number and the identity's ARN. Neither is a secret."""

    account: str
    arn: str


def session(settings: Settings) -> Any:
    """A boto3 session in `aws.region`, or in the region that AWS's own tools find.

    Raises:
        CloudError: boto3 is not installed, there are no credentials, or no region is known.
    """
    try:
        import boto3
    except ImportError:
        raise CloudError(
            "AWS needs packages that are not installed: pip install 'cashtag[aws]'"
        ) from None
    with explained("AWS's configuration cannot be read"):
        made = boto3.Session(region_name=settings.aws.region or None)
        credentials = made.get_credentials()
        if credentials is None:
            raise CloudError(f"there are no AWS credentials here: {LOG_IN}")
        known = credentials.get_frozen_credentials()
        remember(known.secret_key, known.token)
    if not made.region_name:
        raise CloudError(
            'no AWS region is known: set aws.region in cashtag.toml (as in "eu-west-1"), or '
            "AWS_DEFAULT_REGION"
        )
    return made


def client(session: Any, service: str, **config: Any) -> Any:
    """A boto3 client with standard retries, one for all who ask for the same; `config` is botocore's.

    Raises:
        CloudError: the service is not in that region, or the configuration is broken.
    """
    return _client(session, service, json.dumps(config, sort_keys=True))


@lru_cache(maxsize=64)
def _client(session: Any, service: str, config: str) -> Any:
    # Making one takes up to a tenth of a second; clients may be shared, by threads too.
    from botocore.config import Config

    options: dict[str, Any] = {
        "retries": {"mode": "standard", "max_attempts": 5},
        **json.loads(config),
    }
    with explained(f"AWS's {service} cannot be reached"):
        return session.client(service, config=Config(**options))


def caller(session: Any) -> Caller:
    """Ask STS who these credentials are.

    Raises:
        CloudError: they are not valid, or STS does not answer.
    """
    with explained("the AWS credentials are not accepted"):
        answer = client(session, "sts").get_caller_identity()
    return Caller(answer["Account"], answer["Arn"])


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what boto3 raises into `what: CODE: message; remedy`.

    Raises:
        CloudError: instead of any of boto3's errors.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        code = str(told.get("Code", "unknown"))
        text = redacted(str(told.get("Message", ""))).rstrip(". ")
        remedy = _REMEDIES.get(code)
        raise CloudError(
            f"{what}: {error.operation_name} is answered with {code}"
            + (f": {text}" if text else "")
            + (f"; {remedy}" if remedy else "")
        ) from None
    except BotoCoreError as error:
        kind = type(error).__name__
        remedy = _REMEDIES.get(kind, "check the network, then run it again")
        raise CloudError(f"{what}: {kind}: {redacted(str(error)).rstrip('. ')}; {remedy}") from None


def code(error: Any) -> str:
    """The code of a botocore ClientError."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))
