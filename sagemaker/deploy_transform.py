"""A batch transform over months of raw data, from the cleaned texts to the recorded answers."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from deploy_cloud import Cloud, check_bucket, found, say, upload
from deploy_endpoint import create_model, told
from deploy_plan import DIGITS, DeployError, Plan

# A payload comes back larger than it went: a line of a short tweet has 110 bytes, its answer 200.
# The model server gives at most 6.5 MB back, and a megabyte of tweets takes it a minute or two.
PAYLOAD_MB = 1
INVOCATION_SECONDS = 3600  # the longest that a transform grants one payload
RETRIES = 3  # of a payload; the most that a transform allows
WAIT_SECONDS = 5 * 24 * 3600.0
JSON_LINES = "application/jsonlines"
ENDED = {"Completed", "Failed", "Stopped"}


def backfill(
    cloud: Cloud,
    plan: Plan,
    raw_at: str,
    out: str,
    enriched_at: str,
    first: date | None,
    last: date | None,
) -> Iterator[Any]:
    """Write the texts, run the job, record its answers; yield what became of each run.

    The job's name is a hash of its texts and its model: the same call waits for the job that is
    going on, or takes the answers of the one that is done.

    Raises:
        DeployError: the job was refused or failed.
        CashtagError: a zone cannot be read or written, or a line of the answers is none.
    """
    from cashtag.operate import transform
    from cashtag.settings import load

    settings = load()
    bucket, prefix = address(out, "OUT")
    check_bucket(cloud, bucket)
    version = plan.artefact.version
    with tempfile.TemporaryDirectory() as scratch:
        texts: dict[date, Path] = {}
        count = 0
        for bundle in texts_of(cloud, settings, raw_at, enriched_at, version, first, last):
            texts[bundle.dt] = Path(scratch) / bundle.name
            texts[bundle.dt].write_bytes(bundle.data)  # memory stays that of one run
            count += bundle.texts
        say(f"{count} texts of {len(texts)} runs have no answer of {version}")
        if not texts:
            say(f"every text of these runs has an answer of {version}")
            return
        job = _job_name(plan, texts)
        below = f"{prefix}{job.rpartition('-')[2]}/"
        for dt, path in texts.items():
            upload(cloud, path, bucket, f"{below}input/{transform.bundle_name(dt)}")
    _run(cloud, plan, job, f"s3://{bucket}/{below}")
    s3 = cloud.client("s3")
    raw, enriched = _zone(cloud, raw_at), _zone(cloud, enriched_at)
    for dt in texts:
        key = f"{below}output/{transform.bundle_name(dt)}.out"
        output = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        yield transform.record(settings, raw, enriched, version, dt, output)


def address(uri: str, what: str) -> tuple[str, str]:
    """Bucket and prefix (empty, or ending in `/`) of an s3:// address.

    Raises:
        DeployError: it is none.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise DeployError(f"{what} {uri!r} is no s3://bucket/prefix")
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""


def enriched_of(raw_at: str, given: str | None) -> str:
    """Where answers are recorded: as given, else the zone beside a lake's `raw`.

    Raises:
        DeployError: neither says.
    """
    if given:
        return given
    zone = raw_at.rstrip("/")
    head, _, name = zone.rpartition("/")
    if name != "raw" or head == "s3:/":  # a bucket of that name has no neighbour
        raise DeployError("--record is missing: the enriched zone, a folder or s3://bucket/prefix")
    return zone.removesuffix("raw") + "enriched"


def _zone(cloud: Cloud | None, at: str) -> Any:
    if cloud is not None and at.startswith("s3://"):
        from cashtag.lake.s3 import S3Store

        bucket, prefix = address(at, "zone")
        return S3Store(bucket, prefix, cloud.client("s3"))
    from cashtag.lake.disk import FolderStore

    return FolderStore(Path(at))


def texts_of(
    cloud: Cloud | None,
    settings: Any,
    raw_at: str,
    enriched_at: str,
    version: str,
    first: date | None,
    last: date | None,
) -> Iterator[Any]:
    """Yield the texts that have no answer of this model version, a run at a time."""
    from cashtag.operate import transform

    raw, enriched = _zone(cloud, raw_at), _zone(cloud, enriched_at)
    for dt in transform.runs(raw, first, last):
        bundle = transform.bundle(settings, raw, enriched, version, dt)
        if bundle.texts:
            yield bundle


def _job_name(plan: Plan, texts: dict[date, Path]) -> str:
    digest = hashlib.sha256(plan.transform_model.encode())
    for dt, path in texts.items():
        digest.update(f"{dt}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{plan.endpoint}-{digest.hexdigest()[:DIGITS]}"


def _run(cloud: Cloud, plan: Plan, name: str, at: str) -> None:
    """Start the job, or find it, and wait for its end; the model is deleted when it is done."""
    job = _started(cloud, plan, name, at)

    def look() -> bool | None:
        job.refresh()
        return True if job.transform_job_status in ENDED else None

    cloud.wait(f"batch transform {job.transform_job_name}", look, WAIT_SECONDS)
    if job.transform_job_status != "Completed":
        raise DeployError(
            f"batch transform {job.transform_job_name} {job.transform_job_status.lower()}: "
            f"{told(job, 'failure_reason')}; its logs are in CloudWatch under "
            "/aws/sagemaker/TransformJobs. The same command starts another",
            4,
        )
    model = found(lambda: cloud.sdk.resources.Model.get(plan.transform_model, **cloud.at))
    if model is not None:
        model.delete()


def _started(cloud: Cloud, plan: Plan, name: str, at: str) -> Any:
    """The job of this name that goes on or is done; else a new one, numbered after failed ones."""
    resource = cloud.sdk.resources.TransformJob
    number, wanted = 1, name
    while True:
        known = found(lambda: resource.get(wanted, **cloud.at))  # noqa: B023  called at once
        if known is None or known.transform_job_status not in {"Failed", "Stopped"}:
            break
        number += 1  # the name of a job is taken for good
        wanted = f"{name}-{number}"
    if known is not None:
        say(f"batch transform {known.transform_job_name} is {known.transform_job_status}")
        return known
    upload(cloud, plan.artefact.path, plan.bucket, plan.key)
    create_model(cloud, plan, plan.transform_model)
    say(f"starting batch transform {wanted}")
    shapes = cloud.sdk.shapes
    return resource.create(
        transform_job_name=wanted,
        model_name=plan.transform_model,
        batch_strategy="MultiRecord",
        max_payload_in_mb=PAYLOAD_MB,
        max_concurrent_transforms=1,  # one payload uses all processors
        model_client_config=shapes.ModelClientConfig(
            invocations_timeout_in_seconds=INVOCATION_SECONDS, invocations_max_retries=RETRIES
        ),
        transform_input=shapes.TransformInput(
            data_source=shapes.TransformDataSource(
                s3_data_source=shapes.TransformS3DataSource(
                    s3_data_type="S3Prefix", s3_uri=f"{at}input/"
                )
            ),
            content_type=JSON_LINES,
            split_type="Line",
        ),
        transform_output=shapes.TransformOutput(
            s3_output_path=f"{at}output", accept=JSON_LINES, assemble_with="Line"
        ),
        transform_resources=shapes.TransformResources(
            instance_type=plan.hosting.instance_type, instance_count=plan.hosting.instances
        ),
        **cloud.at,
    )
