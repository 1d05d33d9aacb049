"""Requests to AWS as they arrive: who calls, which service, and the IAM actions that they need.

After the "Service Authorization Reference" of AWS. A request that is not known here is an error:
it would pass unexamined.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from stack_template import ACCOUNT, REGION

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]*)/([^/]+)/aws4_request")


class UnknownRequest(Exception):
    """A request whose permissions are not known here."""


@dataclass(frozen=True)
class Call:
    """One permission that a request needs: an action on a resource, with its condition keys."""

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True)
class Request:
    """One HTTP request. Header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path as sent, percent-encoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """First values by name; those without a value are empty."""
        told = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in told.items()}

    @property
    def signed(self) -> tuple[str, str]:
        """(access key id, service) of the signature."""
        found = _CREDENTIAL.search(self.headers.get("authorization", ""))
        if found is None:
            raise UnknownRequest(f"{self.method} {self.path} is not signed")
        return found[1], found[3]

    @property
    def operation(self) -> str:
        """The operation of a JSON service, such as `GetParameter`; else empty."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body or b"{}")


@dataclass
class Known:
    """What a request's resources depend on beyond the request: queries running, keys in use."""

    workgroup_of: dict[str, str] = field(default_factory=dict)
    """Athena's workgroup by query execution id."""
    results: str = ""
    """Bucket of Athena's results."""
    key_of: Mapping[str, str] = field(default_factory=dict)
    """ARN of the KMS key by ARN of what is encrypted with it: a bucket, topic, queue, secret."""


def calls(request: Request, known: Known) -> list[Call]:
    """The permissions that a request needs, every one of them.

    Raises:
        UnknownRequest: nobody said what such a request needs.
    """
    _, service = request.signed
    if service == "s3":
        found = list(_s3(request))
    elif service == "sagemaker" and request.operation:
        found = list(_sagemaker(request, known))
    elif service in _JSON:
        found = list(_JSON[service](request, known))
    elif service == "sns":
        found = list(_sns(request))
    elif service == "sagemaker" and request.path.startswith("/endpoints/"):
        name = unquote(request.path.split("/")[2])
        found = [Call("sagemaker:InvokeEndpoint", arn("sagemaker", f"endpoint/{name}"))]
    elif service == "lambda":
        found = list(_lambda(request))
    elif service == "scheduler":
        found = list(_scheduler(request))
    elif service == "sts" and b"GetCallerIdentity" in request.body:
        found = []  # nobody needs a permission for it
    else:
        raise UnknownRequest(f"{service}: {request.method} {request.target[:200]}")
    return found + [key for call in found for key in _kms(call, known)]


def arn(service: str, rest: str) -> str:
    """The ARN of something of this account and region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


# ---------------------------------------------------------------- S3


def _s3(request: Request) -> Iterable[Call]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    query, whole = request.query, f"arn:aws:s3:::{bucket}"
    if not bucket:
        yield Call("s3:ListAllMyBuckets", "*")
        return
    if not key:
        yield from _bucket(request, whole)
        return
    item = f"{whole}/{unquote(key)}"
    match request.method:
        case "GET" | "HEAD" if "tagging" in query:
            yield Call("s3:GetObjectTagging", item)
        case "GET" | "HEAD":
            yield Call("s3:GetObjectVersion" if "versionId" in query else "s3:GetObject", item)
        case "PUT" if "tagging" in query:
            yield Call("s3:PutObjectTagging", item)
        case "PUT" | "POST":
            yield Call("s3:PutObject", item)
            if source := request.headers.get("x-amz-copy-source"):
                path = unquote(source).lstrip("/").split("?")[0]
                yield Call("s3:GetObject", f"arn:aws:s3:::{path}")
            if "x-amz-tagging" in request.headers:
                yield Call("s3:PutObjectTagging", item)
            if "if-match" in request.headers:
                yield Call("s3:GetObject", item)
        case "DELETE":
            action = "s3:DeleteObjectVersion" if "versionId" in query else "s3:DeleteObject"
            yield Call("s3:AbortMultipartUpload" if "uploadId" in query else action, item)
        case _:
            raise UnknownRequest(f"s3: {request.method} {request.target[:200]}")


def _bucket(request: Request, whole: str) -> Iterable[Call]:
    query = request.query
    for name, action in (
        ("location", "GetBucketLocation"),
        ("versions", "ListBucketVersions"),
        ("uploads", "ListBucketMultipartUploads"),
        ("versioning", "GetBucketVersioning"),
    ):
        if name in query and request.method == "GET":
            context = (("s3:prefix", query.get("prefix", "")),) if name == "versions" else ()
            yield Call(f"s3:{action}", whole, context)
            return
    if request.method in ("GET", "HEAD"):
        prefix = (("s3:prefix", query["prefix"]),) if "prefix" in query else ()
        yield Call("s3:ListBucket", whole, prefix)
        return
    if request.method == "POST" and "delete" in query:
        for node in ElementTree.fromstring(request.body).iter():  # noqa: S314  our own client's
            if node.tag.endswith("Key"):
                yield Call("s3:DeleteObject", f"{whole}/{node.text}")
        return
    raise UnknownRequest(f"s3: {request.method} {request.target[:200]}")


def _kms(call: Call, known: Known) -> Iterable[Call]:
    """What a call needs of the customer's key with which its resource is encrypted."""
    at = call.resource.split("/", 1)[0] if call.action.startswith("s3:") else call.resource
    key = known.key_of.get(at)
    actions = _OF_KEY.get(call.action, ())
    if key is not None:
        for action in actions:
            service = call.action.split(":")[0]
            yield Call(action, key, (("kms:viaservice", f"{service}.{REGION}.amazonaws.com"),))


_OF_KEY = {
    "s3:GetObject": ("kms:Decrypt",),
    "s3:GetObjectVersion": ("kms:Decrypt",),
    "s3:PutObject": ("kms:GenerateDataKey",),
    "sns:Publish": ("kms:GenerateDataKey", "kms:Decrypt"),
    "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
    "sqs:ReceiveMessage": ("kms:Decrypt",),
    "secretsmanager:GetSecretValue": ("kms:Decrypt",),
}


# ---------------------------------------------------------------- services that speak JSON


def _ssm(request: Request, _: Known) -> Iterable[Call]:
    told = request.json()
    if request.operation == "GetParametersByPath":
        yield Call("ssm:GetParametersByPath", arn("ssm", f"parameter{told['Path']}"))
        return
    for name in [told["Name"]] if "Name" in told else told["Names"]:
        yield Call(f"ssm:{request.operation}", arn("ssm", f"parameter/{name.lstrip('/')}"))


def _secrets(request: Request, _: Known) -> Iterable[Call]:
    name = request.json().get("SecretId", "*")
    there = name if name.startswith("arn:") else arn("secretsmanager", f"secret:{name}-AbCdEf")
    yield Call(f"secretsmanager:{request.operation}", there)


def _events(request: Request, _: Known) -> Iterable[Call]:
    if request.operation != "PutEvents":
        raise UnknownRequest(f"events: {request.operation}")
    for entry in request.json()["Entries"]:
        bus = entry.get("EventBusName", "default")
        there = bus if bus.startswith("arn:") else arn("events", f"event-bus/{bus}")
        context = (("events:source", entry["Source"]), ("events:detail-type", entry["DetailType"]))
        yield Call("events:PutEvents", there, context)


def _sqs(request: Request, _: Known) -> Iterable[Call]:
    told = request.json()
    if request.operation in ("ListQueues", "GetQueueUrl"):
        yield Call(f"sqs:{request.operation}", arn("sqs", told.get("QueueName", "*")))
        return
    single = request.operation.removesuffix("Batch")
    yield Call(f"sqs:{single}", arn("sqs", told["QueueUrl"].rsplit("/", 1)[1]))


def _glue(request: Request, _: Known) -> Iterable[Call]:
    """Glue asks for the permission on the catalog, the database and the table, all three."""
    told, action = request.json(), f"glue:{request.operation}"
    if "DatabaseName" not in told and "Name" not in told:
        raise UnknownRequest(f"glue: {request.operation}")
    database = told.get("DatabaseName", told.get("Name"))
    yield Call(action, arn("glue", "catalog"))
    yield Call(action, arn("glue", f"database/{database}"))
    table = told.get("TableName") or told.get("TableInput", {}).get("Name")
    if table is None and "DatabaseName" in told:
        table = told.get("Name", "*")
    if table is not None:
        yield Call(action, arn("glue", f"table/{database}/{table}"))


def _athena(request: Request, known: Known) -> Iterable[Call]:
    told, action = request.json(), f"athena:{request.operation}"
    if request.operation == "GetWorkGroup":
        workgroup = told["WorkGroup"]
    elif request.operation == "StartQueryExecution":
        workgroup = told.get("WorkGroup", "primary")
    elif "QueryExecutionId" in told:
        workgroup = known.workgroup_of.get(told["QueryExecutionId"], "primary")
    elif "QueryExecutionIds" in told:
        workgroup = known.workgroup_of.get(told["QueryExecutionIds"][0], "primary")
    else:
        raise UnknownRequest(f"athena: {request.operation}")
    yield Call(action, arn("athena", f"workgroup/{workgroup}"))
    if request.operation == "StartQueryExecution" and known.results:
        # Athena looks where the bucket of the results is, with the caller's rights.
        yield Call("s3:GetBucketLocation", f"arn:aws:s3:::{known.results}")


def _logs(request: Request, _: Known) -> Iterable[Call]:
    group = request.json().get("logGroupName", "*")
    yield Call(f"logs:{request.operation}", arn("logs", f"log-group:{group}:*"))


def _sagemaker(request: Request, _: Known) -> Iterable[Call]:
    told = request.json()
    name = told.get("EndpointName") or told.get("EndpointConfigName")
    kind = "endpoint" if "EndpointName" in told else "endpoint-config"
    yield Call(f"sagemaker:{request.operation}", arn("sagemaker", f"{kind}/{name}"))


def _kms_itself(request: Request, _: Known) -> Iterable[Call]:
    key = request.json().get("KeyId", "*")
    there = key if key.startswith("arn:") else arn("kms", f"key/{key}")
    yield Call(f"kms:{request.operation}", there)


_JSON = {
    "ssm": _ssm,
    "secretsmanager": _secrets,
    "events": _events,
    "sqs": _sqs,
    "glue": _glue,
    "athena": _athena,
    "logs": _logs,
    "kms": _kms_itself,
}


# ---------------------------------------------------------------- other protocols


def _sns(request: Request) -> Iterable[Call]:
    told = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    if told.get("Action") != "Publish":
        raise UnknownRequest(f"sns: {told.get('Action')}")
    yield Call("sns:Publish", told.get("TopicArn", "*"))  # a message to a phone has no topic


def _lambda(request: Request) -> Iterable[Call]:
    found = re.fullmatch(r"/2015-03-31/functions/([^/]+)/invocations", request.path)
    if found is None:
        raise UnknownRequest(f"lambda: {request.method} {request.path}")
    name = unquote(found[1])
    there = name if name.startswith("arn:") else arn("lambda", f"function:{name}")
    yield Call("lambda:InvokeFunction", there)


def _scheduler(request: Request) -> Iterable[Call]:
    found = re.fullmatch(r"/schedules/([^/]+)", request.path)
    if found is None:
        yield Call("scheduler:ListSchedules", "*")
        return
    group = request.query.get("groupName", "default")
    verb = {"GET": "Get", "PUT": "Update", "POST": "Create", "DELETE": "Delete"}[request.method]
    yield Call(f"scheduler:{verb}Schedule", arn("scheduler", f"schedule/{group}/{found[1]}"))
