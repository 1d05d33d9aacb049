"""A packaged model behind a SageMaker endpoint, asked in batches until every text has its answer.

What an endpoint does besides answering is of three kinds:

- *Passing* (throttled, a cold start, 5xx, a connection cut, an answer cut short): asked again
  after a random wait (full jitter, https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/),
  until `enrich.score_deadline_seconds` have gone by without any answer from the endpoint.
- *Refused* (4xx): some text may be at fault, and containers turn any mishap into a 4xx. The batch
  is halved until one text is left. That text is refused for good only if the endpoint answers a
  plain sentence next and then refuses the text again; an endpoint that refuses the sentence too is
  broken, and nobody's text is to blame.
- *Final* (no access, no such endpoint, no credentials, another model's version): raised with the
  remedy. So is whatever has lasted too long. Nothing is recorded then, and the texts wait.

One scorer asks for the model's version once and holds every later answer against it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cashtag.errors import SettingsError
from cashtag.redaction import redacted
from cashtag.sentiment import connecting, invocation
from cashtag.sentiment.answered import Answered
from cashtag.sentiment.asking import Asking, Refused
from cashtag.sentiment.asking import Endpoint as Asked
from cashtag.sentiment.calls import Later, Patience, at_once
from cashtag.sentiment.store import ScorerUnavailable

if TYPE_CHECKING:
    from cashtag.settings import Settings
    from cashtag.settings.scoring import Endpoint

_OK, _BAD, _TIMEOUT, _MANY, _BROKEN = 200, 400, 408, 429, 500  # HTTP, RFC 9110
_JSON = "application/json"
_PASSING = {"ThrottlingException", "Throttling", "ModelNotReadyException", "RequestTimeout"}
_RENEW = "renew the AWS credentials"
_REMEDIES = {
    "AccessDeniedException": "allow these credentials sagemaker:InvokeEndpoint on it",
    "AccessDenied": "allow these credentials sagemaker:InvokeEndpoint on it",
    "UnrecognizedClientException": _RENEW,
    "InvalidClientTokenId": _RENEW,
    "MissingAuthenticationTokenException": _RENEW,
    "ExpiredTokenException": _RENEW,
    "ExpiredToken": _RENEW,
    "InvalidSignatureException": f"{_RENEW}, and check this machine's clock",
    "NoCredentialsError": "set AWS_PROFILE, or choose another model: enrich.model",
    "PartialCredentialsError": "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "set AWS_PROFILE to a profile of your AWS configuration",
    "NoRegionError": "set AWS_DEFAULT_REGION to the endpoint's region",
    "InvalidRegionError": "set AWS_DEFAULT_REGION to the endpoint's region",
}


class EndpointScorer:
    """Scores texts by `InvokeEndpoint`. May be shared by threads; connects when first used.

    Args:
        settings: reads `enrich.batch_size`, `batch_limit`, `score_deadline_seconds`.
        endpoint: `settings.models.sagemaker` or another endpoint's.
        name: the model's name in settings and rows; its settings are below `models.<name>`.
    """

    def __init__(self, settings: Settings, endpoint: Endpoint, name: str = "sagemaker") -> None:
        """Nothing is asked before a version or an answer is needed."""
        self.name = name
        self._endpoint = endpoint
        self._size = min(settings.enrich.batch_size, settings.enrich.batch_limit)
        self._asked = Asked(
            self._invoke,
            self._unavailable,
            f"deploy it (sagemaker/deploy_model.py), or check models.{name}.name and "
            "AWS_DEFAULT_REGION",
            Patience(float(settings.enrich.score_deadline_seconds), *endpoint.backoff_seconds),
        )
        self._first = threading.Lock()
        self._held: str | None = None

    @cached_property
    def version(self) -> str:
        """The version of the model behind the endpoint; asked once, the same from then on.

        Raises:
            ScorerUnavailable: the endpoint does not answer, or is none of a packaged model.
            SettingsError: boto3 is not installed.
        """
        with self._first:
            if self._held is None:
                self._held = Asking(self._asked).version()
            return self._held

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3); NaN where the model gave no answer."""
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str | None]) -> Answered:
        """Return the answers to all texts, and why some have none.

        Empty texts and None have no answer. Batches go out in parallel, as the endpoint allows.

        Raises:
            ScorerUnavailable: not every text could be settled; with the reason and a remedy.
            SettingsError: boto3 is not installed.
        """
        asked = Asking(self._asked, self.version)
        spelt = [invocation.spelled(text) for text in texts]
        found = np.full((len(texts), 3), np.nan)
        refusals: dict[int, str] = {}
        parts = list(invocation.batches(spelt, self._size, self._endpoint.payload_bytes))
        settled = at_once(
            lambda part, stopped: asked.settle(spelt[part.start : part.stop], stopped),
            parts,
            self._endpoint.concurrency,
        )
        for part, (rows, refused) in zip(parts, settled, strict=True):
            found[part.start : part.stop] = rows
            refusals |= {part.start + i: reason for i, reason in refused.items()}
        for i in np.flatnonzero(np.isnan(found).any(axis=1)).tolist():
            refusals.setdefault(i, invocation.NOTHING_SAID)
        return Answered(found, refusals=refusals)

    def _unavailable(self, what: str, remedy: str | None = None) -> ScorerUnavailable:
        remedy = remedy or (
            f"see its logs in CloudWatch, and models.{self.name}; the texts wait for the next run"
        )
        return ScorerUnavailable(f"endpoint {self._endpoint.name!r} {redacted(what)}; {remedy}")

    # ------------------------------------------------------------ one request

    @cached_property
    def _client(self) -> Any:
        """A client by the usual AWS environment; made once, when the version is asked."""
        return connecting.client("sagemaker-runtime", self._endpoint)

    def _invoke(self, body: bytes) -> bytes:
        """Ask once.

        Raises:
            Later, Refused: see the module's first lines.
            ScorerUnavailable: whatever is final.
            SettingsError: boto3 is not installed.
        """
        with self._explained():
            response = self._client.invoke_endpoint(
                EndpointName=self._endpoint.name, ContentType=_JSON, Accept=_JSON, Body=body
            )
            parts, size = [], 0
            while part := response["Body"].read(self._endpoint.payload_bytes):
                parts.append(part)
                size += len(part)
                if size > self._endpoint.payload_bytes:
                    raise self._unavailable("answers more than models.*.payload_bytes")
            return b"".join(parts)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what boto3 raises into the three kinds."""
        try:
            from botocore.exceptions import (
                BotoCoreError,
                ClientError,
                HTTPClientError,
                IncompleteReadError,
            )
            from botocore.exceptions import ConnectionError as NoConnection
            from botocore.parsers import ResponseParserError
        except ImportError as error:
            raise SettingsError(
                f'enrich.model = {self.name!r} needs boto3: pip install "cashtag[aws]"'
            ) from error
        try:
            yield
        except ClientError as error:
            raise self._kind(error.response) from error
        except (
            NoConnection,
            HTTPClientError,
            IncompleteReadError,
            ResponseParserError,
        ) as error:
            raise Later(_words(error)) from error
        except (AttributeError, TypeError) as error:
            # What botocore's parser raises for an error whose JSON has another shape than AWS's.
            raise Later(f"an answer that is none of AWS ({_words(error)})") from error
        except (BotoCoreError, ValueError) as error:
            # No credentials, no region; a ValueError is an address in the environment that is none.
            name = type(error).__name__
            remedy = _REMEDIES.get(name, "check the AWS settings of this environment")
            raise self._unavailable(f"cannot be asked ({_words(error)})", remedy) from error

    def _kind(self, response: Any) -> Exception:
        """What an answer of AWS that is no answer means. A model's own status counts, not AWS's."""
        told = response.get("Error", {})
        code, message = str(told.get("Code", "")), str(told.get("Message", ""))
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", _BROKEN)
        if code == "ModelError":
            reason, own = invocation.told_by(str(response.get("OriginalMessage") or message))
            status = own or response.get("OriginalStatusCode") or _BROKEN
            if _BAD <= status < _BROKEN and status not in (_TIMEOUT, _MANY):
                return Refused(reason or f"{status} without a word")
            return Later(f"the model fails with {status}: {reason}")
        said = invocation.plain(f"{code}: {message}")
        if code in _PASSING or status >= _BROKEN or status in (_TIMEOUT, _MANY):
            return Later(said)
        if code in _REMEDIES:
            return self._unavailable(f"is refused to us ({said})", _REMEDIES[code])
        return Refused(said)


def _words(error: Exception) -> str:
    return invocation.plain(str(error)) or type(error).__name__
