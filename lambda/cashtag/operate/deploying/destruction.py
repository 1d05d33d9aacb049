"""Taking a stack down: what goes, what stays, and how the rest is removed by hand.

CloudFormation deletes no bucket that holds anything, and these hold versions. Buckets that the
template gives up are emptied first; those it keeps (raw, ledger) are touched only on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cashtag.errors import CloudError
from cashtag.operate import account
from cashtag.operate.cloud import schedules
from cashtag.operate.cloud import template as reading
from cashtag.operate.deploying import artifacts, watching
from cashtag.operate.deploying.deployment import Target, follow, sibling
from cashtag.operate.stack import Stack

ZONES = ("raw", "enriched", "signals", "ledger", "results", "trail")
_BATCH = 1000  # versions that one request deletes
_ROUNDS = 3  # a function at work may write once more into a bucket that was empty
_ABSENT = {"404", "NoSuchBucket", "NotFound"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of the stack, and whether the stack's deletion leaves it."""

    name: str
    kept: bool

    def row(self, all_data: bool) -> dict[str, str]:
        """As a row to print."""
        goes = all_data or not self.kept
        return {"bucket": self.name, "what": "is emptied and deleted" if goes else "STAYS"}


def buckets(target: Target, number: str) -> list[Bucket]:
    """Buckets that a stack's name leads to and that are there; also of a stack that is gone.

    Raises:
        CloudError: AWS refuses or does not answer.
    """
    client = account.client(target.session, "s3")
    kept = {
        logical.removesuffix("Bucket").lower()
        for logical, told in reading.load(target.template)["Resources"].items()
        if told["Type"] == "AWS::S3::Bucket"
        and str(told.get("DeletionPolicy", "Delete")).startswith("Retain")
    }
    found = []
    for zone in ZONES:
        name = f"{target.name}-{zone}-{number}-{target.session.region_name}"
        if _exists(client, name, number):
            found.append(Bucket(name, zone in kept))
    return found


def _exists(client: Any, name: str, number: str) -> bool:
    from botocore.exceptions import ClientError

    with account.explained(f"bucket {name} cannot be looked at"):
        try:
            client.head_bucket(Bucket=name, ExpectedBucketOwner=number)
        except ClientError as error:
            if account.code(error) in _ABSENT:
                return False
            raise
    return True


def take_down(target: Target, number: str, *, all_data: bool) -> Iterator[str]:
    """Delete the stack and its sibling, then what is to go of its buckets; yield what was done.

    May be killed and run again at any point: what is gone is passed over.

    Args:
        target: the main stack.
        number: the account's 12 digits.
        all_data: also raw data and the ledger.

    Raises:
        CloudError: something cannot be deleted, with its reason.
    """
    beside = sibling(target)
    if beside.look() is not None:
        _delete(beside, lambda: None)
        yield f"deleted stack {beside.name}"
    found = target.look()
    if found is not None:
        _quiet(target, found)

        def empty() -> None:
            for bucket in buckets(target, number):  # of an earlier attempt some may be gone
                if not bucket.kept:
                    emptied(target, bucket.name, number)

        _delete(target, empty)
        yield f"deleted stack {target.name}"
    for bucket in buckets(target, number):
        if bucket.kept and not all_data:
            continue
        count = emptied(target, bucket.name, number)
        _remove(target, bucket.name)
        yield f"deleted bucket {bucket.name}, with {count:,} versions of objects"


def _quiet(target: Target, found: Stack) -> None:
    """Let no schedule start anything more, so that nothing is written while buckets are emptied."""
    if found.status.endswith("COMPLETE"):
        services = [service.name for service in schedules.found(found, target.session)]
        if services:
            schedules.switch(found, target.session, services, on=False)


def _delete(target: Target, first: Callable[[], None]) -> None:
    """Delete a stack, again where a bucket was written to meanwhile.

    Raises:
        CloudError: it cannot be deleted.
    """
    client = account.client(target.session, "cloudformation")
    for last in range(1, _ROUNDS + 1):
        found = target.look()
        if found is None:
            return
        before = watching.newest_start(target.session, target.name)
        if found.status.endswith("_IN_PROGRESS") and found.status != "REVIEW_IN_PROGRESS":
            target.tell(f"stack {target.name} is in state {found.status}: waiting for its end")
            follow(target)
            continue
        first()
        with account.explained(f"stack {target.name} cannot be deleted"):
            client.delete_stack(StackName=target.name)
        outcome = follow(target, before)
        if outcome.status == "DELETE_COMPLETE":
            return
        if last == _ROUNDS:
            raise CloudError(
                f"stack {target.name} ends in state {outcome.status}: {outcome.failure}; put that "
                f"right, then `cashtag destroy --env {target.environment}` goes on"
            )


# ---------------------------------------------------------------- buckets


def emptied(target: Target, bucket: str, number: str) -> int:
    """Delete every version of every object, and unfinished uploads; return how many versions.

    Raises:
        CloudError: some may not be deleted (Object Lock, permissions).
    """
    client = account.client(target.session, "s3")
    count = 0
    emptying = target.following(f"emptying {bucket}")
    with emptying as (_, progress), account.explained(f"bucket {bucket} cannot be emptied"):
        uploads = client.get_paginator("list_multipart_uploads")
        for page in uploads.paginate(Bucket=bucket, ExpectedBucketOwner=number):
            for upload in page.get("Uploads", ()):
                client.abort_multipart_upload(
                    Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
        pages = client.get_paginator("list_object_versions")
        for page in pages.paginate(
            Bucket=bucket, ExpectedBucketOwner=number, PaginationConfig={"PageSize": _BATCH}
        ):
            versions = [
                {"Key": one["Key"], "VersionId": one["VersionId"]}
                for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            ]
            if not versions:
                continue
            answer = client.delete_objects(
                Bucket=bucket,
                Delete={"Objects": versions, "Quiet": True},
                ExpectedBucketOwner=number,
            )
            _refused(bucket, answer.get("Errors", ()))
            count += len(versions)
            progress(count, count, "versions")
    return count


def _refused(bucket: str, errors: Any) -> None:
    for error in errors:
        raise CloudError(
            f"{error.get('Key')!r} in {bucket} may not be deleted: {error.get('Code')}; an Object Lock "
            "(LedgerLockDays) ends by itself, or is passed by whoever may "
            "s3:BypassGovernanceRetention: aws s3api delete-object --bypass-governance-retention"
        )


def _remove(target: Target, bucket: str) -> None:
    from botocore.exceptions import ClientError

    client = account.client(target.session, "s3")
    with account.explained(f"bucket {bucket} cannot be deleted"):
        try:
            client.delete_bucket(Bucket=bucket)
        except ClientError as error:
            if account.code(error) not in _ABSENT:
                raise


def what_stays(target: Target, number: str, found: Stack | None, *, all_data: bool) -> list[str]:
    """What is still there afterwards, and how it is removed by hand: sentences."""
    name, region, env = target.name, target.session.region_name, target.environment
    kept = [] if all_data else [one.name for one in buckets(target, number) if one.kept]
    lines = [f"s3://{bucket} stays, with all versions" for bucket in kept]
    if kept:
        lines.append(
            f"the next `cashtag deploy --env {env}` takes them over; to delete them for good: "
            f"`cashtag destroy --env {env} --all-data`"
        )
    if found is not None and found.parameters.get("KmsKey") == "create":
        lines.append(
            "the key of the stack stays ($1 a month), without which kept buckets cannot be read: "
            "aws kms schedule-key-deletion --key-id KEY, when they are gone"
        )
    lines.append(
        f"s3://{artifacts.bucket_name(number, region)} stays: zips and templates of all stacks here"
    )
    lines.append(
        f"an endpoint is no part of the stack: python sagemaker/deploy_model.py --delete --name "
        f"{name}-sentiment"
    )
    return lines
