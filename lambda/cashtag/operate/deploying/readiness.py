"""Everything made ready for a change set: looked at, the zip uploaded, parameters that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cashtag.errors import CloudError, InputError
from cashtag.operate.bundle import Bundle
from cashtag.operate.deploying import artifacts, checks, deployment, parameters
from cashtag.operate.deploying.deployment import Target
from cashtag.operate.doctor import Finding

_ANY_KEY = "functions/zip"  # stands in for the zip's, where only other parameters matter


def ready(
    target: Target,
    built: Bundle | None,
    chosen: dict[str, str],
    show: Callable[[Sequence[Finding]], None],
) -> dict[str, str]:
    """Check what there is to check, make the artefacts' bucket, upload the zip.

    Args:
        target: the main stack.
        built: the zip; None where `CodeKey` of `chosen` names one that is uploaded.
        chosen: parameters that a person gave, and Environment.
        show: gets all findings, before any of them ends the deployment.

    Returns:
        `chosen` with CodeBucket, CodeKey and ReserveConcurrency.

    Raises:
        InputError: a parameter asks for what the account or the bucket does not have.
        CloudError: a layer is missing, or AWS refuses.
    """
    caller, who = checks.who(target.session)
    region = target.session.region_name
    bucket = chosen.get("CodeBucket") or artifacts.bucket_name(caller.account, region)
    found = deployment.settled(target)
    whole = target.whole()
    values = {"CodeKey": _ANY_KEY, **chosen, "CodeBucket": bucket}
    told = deployment.choices(target, values, found)
    there = found is not None and found.status != "REVIEW_IN_PROGRESS"
    deployed = found.parameters if found is not None and there else None
    will = parameters.values(whole, told, deployed)
    partition = caller.arn.split(":")[1]
    room, limits = checks.concurrency(target.settings, target.session, whole, will, deployed)
    findings = [
        who,
        checks.template(whole, target.path.stat().st_size),
        *checks.layers(target.session, whole, will, partition),
        limits,
    ]
    show(findings)
    broken = [one for one in findings if one.verdict == "fail"]
    if broken:
        raise CloudError("; ".join(f"{one.what}: {one.found}; {one.remedy}" for one in broken))
    if values.get(checks.RESERVE) == "true" and not room:
        raise InputError(f"--parameter {checks.RESERVE}=true is refused: {limits.found}")
    values.setdefault(checks.RESERVE, "true" if room else "false")
    if artifacts.ensure(target.session, bucket, caller.account):
        target.tell(f"made bucket {bucket}")
    if built is not None:
        values["CodeKey"] = artifacts.put_code(target.session, bucket, built.path, built.content)
    elif not artifacts.has(target.session, bucket, values["CodeKey"]):
        raise InputError(f"--parameter CodeKey={values['CodeKey']} is no object of s3://{bucket}")
    return values
