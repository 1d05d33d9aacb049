"""What is looked at before anything is made: who deploys, where, and whether the account has room.

A look that is not allowed is a warning, not a stop: CloudFormation will tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cashtag.errors import CloudError
from cashtag.operate import account
from cashtag.operate.cloud import template as reading
from cashtag.operate.doctor import Finding
from cashtag.settings import Settings

_LARGEST, _MOST = 1_000_000, 500  # bytes and resources of a template that comes from S3
RESERVE = "ReserveConcurrency"  # the template's parameter
_FORBIDDEN = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


def who(session: Any) -> tuple[account.Caller, Finding]:
    """Ask who these credentials are.

    Raises:
        CloudError: they are not accepted.
    """
    caller = account.caller(session)
    return caller, Finding(
        "credentials", "ok", f"{caller.arn} in account {caller.account}, {session.region_name}"
    )


def concurrency(
    settings: Settings,
    session: Any,
    whole: Mapping[str, Any],
    values: Mapping[str, str],
    deployed: Mapping[str, str] | None,
) -> tuple[bool, Finding]:
    """Whether the account has room to reserve what the functions want; and that in words.

    Lambda keeps `aws.deploy.unreserved_concurrency` of the account's executions for functions
    that reserve none; a new account may have ten in all.
    """
    wanted = reserved(whole, {**values, RESERVE: "true"})
    held = reserved(whole, deployed) if deployed is not None else 0
    client = account.client(session, "lambda")
    try:
        with account.explained("the account's limits cannot be looked at"):
            limit = client.get_account_settings()["AccountLimit"]
    except CloudError as error:
        return False, Finding(
            "concurrency", "warn", str(error), "none is reserved; steps run twice leave the same"
        )
    free = limit["UnreservedConcurrentExecutions"] + held
    least = settings.aws.deploy.unreserved_concurrency
    fits = free - wanted >= least
    total = limit["ConcurrentExecutions"]
    if fits:
        return True, Finding(
            "concurrency", "ok", f"{wanted} of {free} free executions can be reserved"
        )
    return False, Finding(
        "concurrency",
        "warn",
        f"the account has {total} executions at once, {free} free: {wanted} cannot be reserved "
        f"beside the {least} that Lambda keeps",
        "nothing is lost; ask for more under Service Quotas (Lambda, Concurrent executions)",
    )


def reserved(whole: Mapping[str, Any], values: Mapping[str, str]) -> int:
    """Executions that the template reserves under these parameters."""
    total = 0
    for told in reading.active(whole, values).values():
        if told["Type"] == "AWS::Lambda::Function":
            number = reading.resolved(
                whole, told["Properties"].get("ReservedConcurrentExecutions"), values
            )
            total += int(number) if number is not None else 0
    return total


def layers(
    session: Any, whole: Mapping[str, Any], values: Mapping[str, str], partition: str = "aws"
) -> Iterator[Finding]:
    """Look at every layer that the functions name.

    Yields a failure for one that is not there, and for a region in which none is known.
    """
    from botocore.exceptions import ClientError

    client = account.client(session, "lambda")
    region = session.region_name
    for arn in layer_arns(whole, values, region, partition):
        if arn is None or arn.endswith(":0"):
            yield Finding(
                "layer",
                "fail",
                f"no AWSSDKPandas layer is known in {region}",
                "give --parameter PandasLayerArn=…, or take another region (aws.region)",
            )
            continue
        name = ":".join(arn.split(":")[6:])
        try:
            with account.explained(f"layer {arn} cannot be looked at"):
                try:
                    size = client.get_layer_version_by_arn(Arn=arn)["Content"]["CodeSize"]
                except ClientError as error:
                    if account.code(error) == "ResourceNotFoundException":
                        size = None
                    elif account.code(error) in _FORBIDDEN:
                        yield Finding("layer", "warn", f"{name} may not be looked at", "it is used")
                        continue
                    else:
                        raise
        except CloudError as error:
            yield Finding("layer", "warn", str(error))
            continue
        if size is None:
            kind = "PandasLayerArn" if "Pandas" in name else "PowertoolsLayerArn"
            yield Finding(
                "layer", "fail", f"{arn} is not there", f"give --parameter {kind}=… of one that is"
            )
        else:
            yield Finding("layer", "ok", f"{name}, {size / 1e6:.0f} MB zipped")


def layer_arns(
    whole: Mapping[str, Any], values: Mapping[str, str], region: str, partition: str = "aws"
) -> list[str | None]:
    """ARNs of the layers that functions of the template take, sorted; None where none is known."""
    found: set[str | None] = set()
    for told in reading.active(whole, values).values():
        if told["Type"] != "AWS::Lambda::Function":
            continue
        for layer in reading.resolved(whole, told["Properties"].get("Layers", []), values):
            found.add(_arn(whole, layer, {"AWS::Region": region, "AWS::Partition": partition}))
    return sorted(found, key=lambda arn: arn or "")


def _arn(whole: Mapping[str, Any], layer: Any, pseudo: Mapping[str, str]) -> str | None:
    """A layer's ARN with `Fn::Sub` and `Fn::FindInMap` worked out."""
    if not isinstance(layer, dict):
        return str(layer)
    ((kind, of),) = layer.items()
    if kind == "Ref":
        return pseudo.get(of)
    if kind == "Fn::FindInMap":
        name, first, second = (
            _arn(whole, part, pseudo) if isinstance(part, dict) else part for part in of
        )
        value = whole["Mappings"][name].get(first, {}).get(second)
        return None if value is None else str(value)
    text, names = (of, {}) if isinstance(of, str) else of
    for name, value in {**pseudo, **names}.items():
        known = _arn(whole, value, pseudo) if isinstance(value, dict) else value
        if f"${{{name}}}" in text:
            if known is None:
                return None
            text = text.replace(f"${{{name}}}", known)
    return str(text)


def template(whole: Mapping[str, Any], size: int) -> Finding:
    """Look at a template as far as that needs no account: its size, and that names lead somewhere."""
    known = {*whole["Resources"], *whole.get("Parameters", {})}
    dangling = sorted({name for name in _names(whole) if name not in known and "::" not in name})
    if dangling:
        return Finding("template", "fail", f"nothing is called {', '.join(dangling)}", "correct it")
    if size > _LARGEST:
        return Finding("template", "fail", f"{size:,} bytes; CloudFormation takes {_LARGEST:,}")
    resources = len(whole["Resources"])
    if resources > _MOST:
        return Finding("template", "fail", f"{resources} resources; CloudFormation takes {_MOST}")
    return Finding("template", "ok", f"{resources} resources, {size:,} bytes")


def _names(of: Any) -> Iterator[str]:
    """What `Ref`, `Fn::GetAtt` and `Fn::Sub` name."""
    if isinstance(of, list):
        for item in of:
            yield from _names(item)
        return
    if not isinstance(of, dict):
        return
    for key, value in of.items():
        if key == "Ref" and isinstance(value, str):
            yield value
        elif key == "Fn::GetAtt":
            yield value[0] if isinstance(value, list) else value.partition(".")[0]
        elif key == "Fn::Sub":
            text, own = (value, {}) if isinstance(value, str) else value
            for name in re.findall(r"\$\{([^!}][^}]*)\}", text):
                if name not in own:
                    yield name.partition(".")[0]
            yield from _names(own)
        else:
            yield from _names(value)
