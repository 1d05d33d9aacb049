"""Who may do what in a stack: roles, resource policies and function permissions of its template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_requests import Call
from policies import Decision, Statement, decide, statements
from stack_template import Stack

# AWS's own policies that a role may name; of any other nobody here knows what it says.
MANAGED: dict[str, dict[str, Any]] = {
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole": {
        "Statement": [
            {
                "Sid": "Logs",
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "*",
            }
        ]
    },
    "arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole": {"Statement": []},
}
_OF_RESOURCE = {
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SQS::QueuePolicy": "Queues",
    "AWS::SNS::TopicPolicy": "Topics",
}


@dataclass
class Permissions:
    """The policies of one stack, ready to be asked."""

    stack: Stack
    roles: dict[str, tuple[Statement, ...]] = field(init=False)
    """Statements of each role, by its logical id."""
    of_resource: dict[str, tuple[Statement, ...]] = field(init=False)
    """Statements of each resource that has a policy of its own, by its ARN."""
    trust: dict[str, tuple[Statement, ...]] = field(init=False)
    key_of: dict[str, str] = field(init=False)
    """ARN of the customer's KMS key by ARN of what it encrypts."""

    def __post_init__(self) -> None:
        self.roles, self.trust = _roles(self.stack)
        self.of_resource = _resource_policies(self.stack)
        self.key_of = dict(_encrypted(self.stack))

    # ------------------------------------------------------------ asking

    def decide(self, role: str, call: Call, *, via: str | None = None) -> Decision:
        """Decide a call of a role, in its own name or `via` a service that acts for it."""
        there = self.of_resource.get(_whole(call.resource), ())
        return decide(
            self.roles[role],
            call.action,
            call.resource,
            self.context(role, call, via),
            principal={"AWS": self.stack.arn(role)},
            of_resource=there,
        )

    def context(self, role: str, call: Call, via: str | None = None) -> dict[str, str]:
        """Condition keys of a role's call, lower case."""
        return {
            "aws:securetransport": "true",
            "s3:tlsversion": "1.3",
            "aws:principalarn": self.stack.arn(role),
            "aws:principalaccount": self.stack.account,
            "aws:resourceaccount": self.stack.account,
            "aws:requestedregion": self.stack.region,
            "aws:viaawsservice": "true" if via else "false",
            **({"aws:calledvia": via, "aws:calledviafirst": via} if via else {}),
            **dict(call.context),
        }

    def service_may(
        self, service: str, action: str, resource: str, source: str, account: str | None = None
    ) -> Decision:
        """Decide what a service of AWS does in the name of `source`, an ARN."""
        context = {
            "aws:securetransport": "true",
            "aws:sourcearn": source,
            "aws:sourceaccount": account or self.stack.account,
            "aws:principalservicename": service,
            "aws:principalisawsservice": "true",
        }
        there = self.of_resource.get(resource, ())
        return decide(
            (), action, resource, context, principal={"Service": service}, of_resource=there
        )

    def may_assume(self, role: str, service: str, source: str) -> bool:
        """Whether a service may take on a role in the name of `source`, an ARN."""
        context = {"aws:sourcearn": source, "aws:sourceaccount": self.stack.account}
        rows = [
            row
            for row in self.trust[role]
            if row.names({"Service": service}) and row.speaks_of("sts:AssumeRole", "*", context)
        ]
        return bool(rows) and all(row.effect == "Allow" for row in rows)

    def role_at(self, arn: str) -> str | None:
        """Logical id of the role with that ARN."""
        return next((role for role in self.roles if self.stack.arn(role) == arn), None)


def _whole(resource: str) -> str:
    """The ARN that has the policy: of an object its bucket, else the resource itself."""
    return resource.split("/", 1)[0] if resource.startswith("arn:aws:s3:::") else resource


def _roles(
    stack: Stack,
) -> tuple[dict[str, tuple[Statement, ...]], dict[str, tuple[Statement, ...]]]:
    rows: dict[str, list[Statement]] = {}
    trust = {}
    for logical, role in stack.resources("AWS::IAM::Role"):
        trust[logical] = statements(f"{logical}/trust", role["AssumeRolePolicyDocument"])
        rows[logical] = [
            row
            for policy in role.get("Policies", ())
            for row in statements(f"{logical}/{policy['PolicyName']}", policy["PolicyDocument"])
        ]
        for arn in role.get("ManagedPolicyArns", ()):
            if arn in MANAGED:
                rows[logical] += statements(f"{logical}/{arn.rpartition('/')[2]}", MANAGED[arn])
    names = {stack.name_of(logical): logical for logical in rows}
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        for logical, policy in stack.resources(kind):
            for name in policy.get("Roles", [policy.get("RoleName")]):
                if name in names:
                    rows[names[name]] += statements(logical, policy["PolicyDocument"])
    return {logical: tuple(found) for logical, found in rows.items()}, trust


def _resource_policies(stack: Stack) -> dict[str, tuple[Statement, ...]]:
    found: dict[str, tuple[Statement, ...]] = {}

    def add(arn: str, rows: Iterable[Statement]) -> None:
        found[arn] = (*found.get(arn, ()), *rows)

    for kind, where in _OF_RESOURCE.items():
        for logical, policy in stack.resources(kind):
            rows = statements(logical, policy["PolicyDocument"])
            told = policy[where]
            for name in [told] if isinstance(told, str) else told:
                add(_arn_of(stack, name), rows)
    for logical, key in stack.resources("AWS::KMS::Key"):
        add(stack.arn(logical), statements(logical, key["KeyPolicy"]))
    for logical, permission in stack.resources("AWS::Lambda::Permission"):
        function = permission["FunctionName"]
        arn = (
            function
            if function.startswith("arn:")
            else stack._arn("lambda", f"function:{function}")
        )
        add(arn, statements(logical, {"Statement": [_permission(permission, arn)]}))
    return found


def _permission(told: Mapping[str, Any], arn: str) -> dict[str, Any]:
    condition: dict[str, Any] = {}
    if "SourceArn" in told:
        condition["ArnLike"] = {"aws:SourceArn": told["SourceArn"]}
    if "SourceAccount" in told:
        condition["StringEquals"] = {"aws:SourceAccount": told["SourceAccount"]}
    return {
        "Effect": "Allow",
        "Principal": {"Service": told["Principal"]},
        "Action": told["Action"],
        "Resource": arn,
        "Condition": condition,
    }


def _arn_of(stack: Stack, name: str) -> str:
    """The ARN of a bucket, queue or topic that a policy names by its name, URL or ARN."""
    if name.startswith("arn:"):
        return name
    if name.startswith("https://sqs."):
        return stack._arn("sqs", name.rpartition("/")[2])
    return f"arn:aws:s3:::{name}"


def _encrypted(stack: Stack) -> Iterable[tuple[str, str]]:
    """What a customer's key encrypts: (ARN of the resource, ARN of the key)."""
    for logical, bucket in stack.resources("AWS::S3::Bucket"):
        for rule in bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", ()):
            default = rule.get("ServerSideEncryptionByDefault", {})
            if key := default.get("KMSMasterKeyID"):
                yield stack.arn(logical), key
    for kind, name in (
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
    ):
        for logical, resource in stack.resources(kind):
            if (key := resource.get(name)) and not key.startswith("alias/aws/"):
                yield stack.arn(logical), key
