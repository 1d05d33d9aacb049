"""A CloudFormation template as its stack would see it: conditions decided, intrinsics resolved.

Only what the templates of this house use is understood; any other function is an error, so that
nothing is taken for resolved that is not.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

ACCOUNT = "123456789012"  # the one that moto answers for
REGION = "us-east-1"
_ABSENT = object()
_HOLE = re.compile(r"\$\{([^!${}][^${}]*)\}")


class TemplateError(Exception):
    """The template says what cannot be resolved."""


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms: `!Sub x` is `{"Fn::Sub": "x"}`."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)
# `2012-10-17` is a policy's version, not a day.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, rx) for tag, rx in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str) -> dict[str, Any]:
    """Return a template's text as plain data, short forms written out."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader underneath


@dataclass
class Stack:
    """One template with its parameters decided.

    `physical` holds the names that the account gave to resources without a name of their own.
    """

    template: Mapping[str, Any]
    name: str = "cashtag-dev"
    parameters: Mapping[str, str] = field(default_factory=dict)
    physical: Mapping[str, str] = field(default_factory=dict)
    account: str = ACCOUNT
    region: str = REGION

    # ------------------------------------------------------------ what is in it

    def resources(self, kind: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (logical id, resolved properties) of the resources that this stack has."""
        for logical, resource in self.template["Resources"].items():
            if kind is not None and resource["Type"] != kind:
                continue
            if self.has(logical):
                yield logical, self.value(copy.deepcopy(resource.get("Properties", {})))

    def has(self, logical: str) -> bool:
        """Whether the stack has the resource: it is in the template and its condition holds."""
        resource = self.template["Resources"].get(logical)
        if resource is None:
            return False
        return "Condition" not in resource or self.condition(resource["Condition"])

    def kind(self, logical: str) -> str:
        """The type of a resource."""
        return str(self.template["Resources"][logical]["Type"])

    def properties(self, logical: str) -> dict[str, Any]:
        """The resolved properties of one resource."""
        return dict(self.value(self.template["Resources"][logical].get("Properties", {})))

    def outputs(self) -> dict[str, str]:
        """The stack's outputs, by key."""
        return {
            key: str(self.value(output["Value"]))
            for key, output in self.template.get("Outputs", {}).items()
            if "Condition" not in output or self.condition(output["Condition"])
        }

    # ------------------------------------------------------------ resolving

    def value(self, node: Any) -> Any:
        """Return a piece of the template with every intrinsic function in it carried out."""
        if isinstance(node, list):
            kept = (self.value(item) for item in node)
            return [item for item in kept if item is not _ABSENT]
        if not isinstance(node, Mapping):
            return node
        if len(node) == 1:
            (name, argument), *_ = node.items()
            if name == "Ref":
                return self._ref(argument)
            if name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), argument)
        kept = {key: self.value(item) for key, item in node.items()}
        return {key: item for key, item in kept.items() if item is not _ABSENT}

    def condition(self, name: str) -> bool:
        """Decide one of the template's conditions."""
        return self._holds(self.template["Conditions"][name])

    def _holds(self, node: Mapping[str, Any]) -> bool:
        (name, argument), *_ = node.items()
        match name:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                left, right = (self.value(item) for item in argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(self._holds(item) for item in argument)
            case "Fn::Or":
                return any(self._holds(item) for item in argument)
        raise TemplateError(f"{name} is no condition that is understood here")

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Sub":
                return self._sub(argument)
            case "GetAtt":
                logical, attribute = argument
                return self.attribute(logical, attribute)
            case "If":
                condition, then, otherwise = argument
                return self.value(then if self.condition(condition) else otherwise)
            case "Join":
                separator, items = argument
                return str(separator).join(str(item) for item in self.value(items))
            case "Select":
                number, items = argument
                return self.value(items)[int(self.value(number))]
            case "Split":
                separator, text = argument
                return str(self.value(text)).split(separator)
            case "FindInMap":
                table, first, second = (self.value(item) for item in argument)
                try:
                    return self.template["Mappings"][table][first][second]
                except KeyError:
                    raise TemplateError(f"no mapping {table}.{first}.{second}") from None
            case "Base64":
                return self.value(argument)
            case "GetAZs":
                return [f"{self.region}{letter}" for letter in "abc"]
            case "ToJsonString":
                import json

                return json.dumps(self.value(argument), separators=(",", ":"))
            case "Length":
                return len(self.value(argument))
        raise TemplateError(f"Fn::{name} is not understood here")

    def _sub(self, argument: Any) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})

        def filled(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name in names:
                return str(self.value(names[name]))
            logical, dot, attribute = name.partition(".")
            return str(self.attribute(logical, attribute) if dot else self._ref(name))

        return _HOLE.sub(filled, text).replace("${!", "${")

    def _ref(self, name: str) -> Any:
        partition = "aws"
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Region": self.region,
            "AWS::StackName": self.name,
            "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{self.account}:stack/{self.name}/0",
            "AWS::Partition": partition,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": _ABSENT,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.template.get("Parameters", {}):
            return self._parameter(name)
        if name not in self.template["Resources"]:
            raise TemplateError(f"Ref {name}: neither a parameter nor a resource")
        return self.reference(name)

    def _parameter(self, name: str) -> Any:
        declared = self.template["Parameters"][name]
        value = self.parameters.get(name, declared.get("Default", _ABSENT))
        if value is _ABSENT:
            raise TemplateError(f"parameter {name} has no default and was not given")
        if "List" in declared["Type"]:
            return [part.strip() for part in str(value).split(",")]
        return str(value) if declared["Type"] == "String" else value

    # ------------------------------------------------------------ what resources are called

    def reference(self, logical: str) -> str:
        """What `Ref` gives for a resource: its physical id."""
        kind, name = self.kind(logical), self.name_of(logical)
        match kind:
            case "AWS::SQS::Queue":
                return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{name}"
            case "AWS::SNS::Topic":
                return self._arn("sns", name)
            case "AWS::SecretsManager::Secret":
                return self._arn("secretsmanager", f"secret:{name}")
            case "AWS::SageMaker::Endpoint" | "AWS::SageMaker::Model":
                return name
        return name

    def name_of(self, logical: str) -> str:
        """The name of a resource: the one it is given, or the one that the account made up."""
        properties = self.template["Resources"][logical].get("Properties", {})
        given = _NAMES.get(self.kind(logical), ("Name",))
        for key in given:
            if key in properties:
                value = self.value(properties[key])
                if value is not _ABSENT:
                    return str(value)
        nested = properties.get("DatabaseInput") or properties.get("TableInput")
        if nested and "Name" in nested:
            return str(self.value(nested["Name"]))
        return self.physical.get(logical, f"{self.name}-{logical}")

    def arn(self, logical: str) -> str:
        """The Amazon Resource Name of a resource."""
        kind, name = self.kind(logical), self.name_of(logical)
        match kind:
            case "AWS::S3::Bucket":
                return f"arn:aws:s3:::{name}"
            case "AWS::IAM::Role":
                path = self._one(logical, "Path", "/")
                return f"arn:aws:iam::{self.account}:role{path}{name}"
            case "AWS::Lambda::Function":
                return self._arn("lambda", f"function:{name}")
            case "AWS::SQS::Queue":
                return self._arn("sqs", name)
            case "AWS::SNS::Topic":
                return self._arn("sns", name)
            case "AWS::KMS::Key":
                return self._arn("kms", f"key/{name}")
            case "AWS::Events::Rule":
                return self._arn("events", f"rule/{name}")
            case "AWS::Events::EventBus":
                return self._arn("events", f"event-bus/{name}")
            case "AWS::Logs::LogGroup":
                return self._arn("logs", f"log-group:{name}:*")
            case "AWS::Scheduler::Schedule":
                group = self._one(logical, "GroupName", "default")
                return self._arn("scheduler", f"schedule/{group}/{name}")
            case "AWS::Scheduler::ScheduleGroup":
                return self._arn("scheduler", f"schedule-group/{name}")
            case "AWS::CloudWatch::Alarm":
                return self._arn("cloudwatch", f"alarm:{name}")
            case "AWS::SecretsManager::Secret":
                return self._arn("secretsmanager", f"secret:{name}")
            case "AWS::SSM::Parameter":
                return self._arn("ssm", f"parameter/{name.lstrip('/')}")
            case "AWS::SageMaker::Endpoint":
                return self._arn("sagemaker", f"endpoint/{name}")
            case "AWS::Athena::WorkGroup":
                return self._arn("athena", f"workgroup/{name}")
            case "AWS::CloudTrail::Trail":
                return self._arn("cloudtrail", f"trail/{name}")
            case (
                "AWS::QuickSight::DataSource"
                | "AWS::QuickSight::DataSet"
                | "AWS::QuickSight::Theme"
                | "AWS::QuickSight::Dashboard"
            ):
                what = kind.split("::")[-1]
                identifier = self.value(self.properties(logical)[f"{what}Id"])
                return self._arn("quicksight", f"{what.lower()}/{identifier}")
        raise TemplateError(f"{logical}: the ARN of an {kind} is not known here")

    def _one(self, logical: str, name: str, otherwise: str) -> str:
        """One property of a resource, resolved alone."""
        given = self.template["Resources"][logical].get("Properties", {}).get(name, otherwise)
        return str(self.value(given))

    def attribute(self, logical: str, attribute: str) -> str:
        """What `GetAtt` gives for a resource."""
        if logical not in self.template["Resources"]:
            raise TemplateError(f"GetAtt {logical}.{attribute}: no such resource")
        name = self.name_of(logical)
        match attribute:
            case "Arn" | "TopicArn":
                return self.arn(logical)
            case "QueueName" | "TopicName" | "Name" | "EndpointName" | "KeyId":
                return name
            case "QueueUrl" | "Id":
                return self.reference(logical)
            case "DomainName":
                return f"{name}.s3.amazonaws.com"
            case "RegionalDomainName":
                return f"{name}.s3.{self.region}.amazonaws.com"
        raise TemplateError(f"GetAtt {logical}.{attribute} is not known here")

    def _arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


# Which property names a resource; `Name` where nothing is said.
_NAMES = {
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::SageMaker::Endpoint": ("EndpointName",),
    "AWS::CloudTrail::Trail": ("TrailName",),
}
