"""Known sentences, asked of an endpoint: does it answer as the packaged model does?"""

from __future__ import annotations

import json
import time
from typing import Any

from deploy_cloud import Cloud, say
from deploy_plan import KNOWN, Plan

SMOKE_SECONDS = 300.0  # a serverless endpoint starts in one or two minutes
READ_SECONDS = 70.0  # an invocation may take 60
LABELS = ["negative", "neutral", "positive"]
TOLERATED_PROBE = 0.02  # as package_model.py tolerates it on another processor
TOLERATED_SUM = 1e-3
BUSY = {
    "ThrottlingException", "ModelNotReadyException", "ServiceUnavailable", "InternalFailure",
    "ServiceUnavailableException", "InternalDependencyException", "InternalServerError",
}  # fmt: skip


class SmokeFailed(Exception):
    """The endpoint answers, but not as the packaged model does; or it does not answer."""


def smoke(cloud: Cloud, plan: Plan) -> None:
    """Ask the endpoint about known sentences.

    It must name the artefact's version and the three labels, answer every sentence with three
    probabilities, and give the manifest's own answers back; of a model that is no test model, good
    news must come out positive and bad news negative.

    Raises:
        SmokeFailed: it does not.
    """
    manifest = plan.artefact.manifest
    probes = [probe["text"] for probe in manifest.get("probes", [])]
    texts = [*probes, *KNOWN]
    say(f"smoke test: {len(texts)} sentences")
    answer = _invoke(cloud, plan.endpoint, texts)
    if answer.get("version") != plan.artefact.version:
        raise SmokeFailed(f"it serves {answer.get('version')!r}, not {plan.artefact.version!r}")
    if answer.get("labels") != LABELS:
        raise SmokeFailed(f"its labels are {answer.get('labels')}, not {LABELS}")
    rows = answer.get("probabilities")
    if not isinstance(rows, list) or len(rows) != len(texts):
        raise SmokeFailed(f"it does not give one row for each of {len(texts)} sentences")
    for text, row in zip(texts, rows, strict=True):
        if not _is_distribution(row):
            raise SmokeFailed(f"{row!r} are no three probabilities ({text!r})")
    for probe, row in zip(manifest.get("probes", []), rows, strict=False):
        off = max(abs(a - b) for a, b in zip(probe["probabilities"], row, strict=True))
        if off > TOLERATED_PROBE:
            raise SmokeFailed(f"{probe['text']!r}: {row}, {off:.3f} off what was packaged")
    if plan.artefact.is_real:
        for (text, label), row in zip(KNOWN.items(), rows[len(probes) :], strict=True):
            if LABELS[row.index(max(row))] != label:
                said = dict(zip(LABELS, row, strict=True))
                raise SmokeFailed(f"{text!r} is {label} news, and it says {said}")


def _is_distribution(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == len(LABELS)
        and all(isinstance(p, int | float) and 0 <= p <= 1 for p in row)
        and abs(sum(row) - 1) <= TOLERATED_SUM
    )


def _invoke(cloud: Cloud, name: str, texts: list[str]) -> dict[str, Any]:
    """Ask until there is an answer; a cold start, throttling and 5xx may pass."""
    from botocore.config import Config
    from botocore.exceptions import ClientError, HTTPClientError

    config = Config(read_timeout=READ_SECONDS, retries={"total_max_attempts": 1})
    runtime = cloud.client("sagemaker-runtime", config=config)
    body = json.dumps({"inputs": texts}).encode()
    until = time.monotonic() + SMOKE_SECONDS
    while True:
        try:
            response = runtime.invoke_endpoint(
                EndpointName=name,
                ContentType="application/json",
                Accept="application/json",
                Body=body,
            )
            answer = json.loads(response["Body"].read())
            if not isinstance(answer, dict):
                raise SmokeFailed(f"it answers a JSON {type(answer).__name__}, not an object")
            return answer
        except ClientError as error:
            code = error.response["Error"]["Code"]
            told: Any = error.response  # ModelError has a status of its own
            broken = int(told.get("OriginalStatusCode", 0)) >= 500
            if not (code in BUSY or (code == "ModelError" and broken)):
                text = error.response["Error"].get("Message", "")
                raise SmokeFailed(f"it refuses the sentences: {code}: {text}") from None
            reason = code
        except HTTPClientError as error:
            reason = type(error).__name__
        except ValueError:
            raise SmokeFailed("its answer is no JSON") from None
        if time.monotonic() > until:
            raise SmokeFailed(f"it has not answered for {SMOKE_SECONDS:.0f} s: {reason}")
        say(f"smoke test: {reason}, asking again")
        time.sleep(cloud.poll)
