"""A client of AWS for a model: made by the usual environment, told once what it may not do by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cashtag.redaction import remember
from cashtag.sentiment.calls import told
from cashtag.sentiment.store import ScorerUnavailable

OTHERWISE = "the next run asks again"


class Rules(Protocol):
    """What a model's settings say of its connections."""

    connect_timeout_seconds: float
    read_timeout_seconds: float
    concurrency: int


def client(service: str, rules: Rules) -> Any:
    """Return a client of a service, whose secrets are kept out of every message from now on.

    Credentials and region come by the usual AWS environment. Its own retries are off, for they
    know no deadline.

    Raises:
        ImportError: boto3 is not installed.
        BotoCoreError: no region, or a profile that is none.
        ValueError: an address in the environment that is none.
    """
    import boto3
    from botocore.config import Config

    session: Any = boto3.Session()  # Any: the service is a name, not one of four hundred literals
    if (held := session.get_credentials()) is not None:
        known = held.get_frozen_credentials()
        remember(known.secret_key, known.token)
    return session.client(
        service,
        config=Config(
            connect_timeout=rules.connect_timeout_seconds,
            read_timeout=rules.read_timeout_seconds,
            max_pool_connections=rules.concurrency,
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )


def connected(service: str, model: str, rules: Rules, remedies: Mapping[str, str]) -> Any:
    """Return a client as `client` does, its errors explained.

    Raises:
        ScorerUnavailable: there can be none here; with the remedy of the error's name.
    """
    try:
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise _missing() from error
    try:
        return client(service, rules)
    except ImportError as error:
        raise _missing() from error
    except (BotoCoreError, ValueError) as error:
        name, message, _ = told(error)
        raise ScorerUnavailable(f"{model}: {message}; {remedies.get(name, OTHERWISE)}") from error


def _missing() -> ScorerUnavailable:
    return ScorerUnavailable(
        "boto3 is not installed; install cashtag[aws], or choose another model (enrich.model)"
    )
