"""CloudFormation on loopback, as far as deployments use it, with failures and pauses at will.

It speaks the service's own query protocol and keeps its rules: change sets of two types, stacks
that wait for review, rollbacks, one change at a time, events newest first, answers in pages. The
resources themselves are only names. Templates are read from the S3 of the same account; what is
done proceeds by one resource with every look at the stack. Lambda's part of a deployment (limits,
layers, the health function) is answered by the same server.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import yaml

REGION, NUMBER = "eu-west-1", "123456789012"
_PAGE = 3
_SPELLED = re.compile(r"(?<!^)(?=[A-Z])")  # CreateStack to create_stack
_BEGAN = datetime(2026, 5, 8, 12, 0, 0, tzinfo=UTC)
_NOTHING = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)


class Refused(Exception):
    """What the service answers with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Stack:
    """One stack: its state, what it holds, and what is still to be done in it."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.id = f"arn:aws:cloudformation:{REGION}:{NUMBER}:stack/{name}/{number:08d}"
        self.status, self.reason = "REVIEW_IN_PROGRESS", ""
        self.template: dict[str, Any] = {}
        self.parameters: dict[str, str] = {}
        self.resources: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self.sets: dict[str, dict[str, Any]] = {}
        self.steps: list[Callable[[], None]] = []


class Site:
    """The server. `fail` names resources that cannot be made, and why; `held` stops all work.

    `account` is Lambda's answer about limits, `layers` the ARNs that are there, `health` what the
    health function answers (an error, where it has `errorMessage`). `sibling` is done once, just
    before the next change set is executed: what somebody else does in between.
    """

    def __init__(self, s3: Callable[[], Any]) -> None:
        self.s3 = s3
        self.lock = threading.RLock()
        self.numbers = count(1)
        self.stacks: dict[str, Stack] = {}
        self.deleted: dict[str, Stack] = {}
        self.calls: list[str] = []
        self.executed: list[str] = []
        self.fail: dict[str, str] = {}
        self.keep: dict[str, str] = {}
        self.held = False
        self.refuse: dict[str, Refused] = {}
        self.sibling: Callable[[], None] | None = None
        self.account = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
        self.layers: set[str] = set()
        self.health: dict[str, Any] = {
            "status": "ok",
            "checks": [
                {"name": "settings", "status": "ok", "found": "as they should be", "remedy": ""}
            ],
        }
        self.asked: list[tuple[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self._answer(*outer.answer(self.path, body, dict(self.headers)))

            def do_GET(self) -> None:
                self._answer(*outer.answer(self.path, b"", dict(self.headers)))

            def _answer(self, status: int, kind: str, body: bytes, more: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {
                    "Content-Type": kind,
                    "Content-Length": str(len(body)),
                    **more,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End the server."""
        self.server.shutdown()
        self.server.server_close()

    # ------------------------------------------------------------ protocol

    def answer(
        self, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, str, bytes, dict[str, str]]:
        """Answer one request: status, media type, body, more headers."""
        with self.lock:
            if not path.startswith("/20"):
                return self._query({k: v[0] for k, v in parse_qs(body.decode(), True).items()})
            return self._lambda(path, body)

    def _query(self, form: dict[str, str]) -> tuple[int, str, bytes, dict[str, str]]:
        action = form["Action"]
        self.calls.append(action)
        try:
            if action in self.refuse:
                raise self.refuse[action]
            result = getattr(self, f"_{_SPELLED.sub('_', action).lower()}")(form)
            text = f"<{action}Response><{action}Result>{_xml(result)}</{action}Result></{action}Response>"
            return 200, "text/xml", text.encode(), {}
        except Refused as error:
            text = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code>"
                f"<Message>{escape(error.message)}</Message></Error></ErrorResponse>"
            )
            return 400, "text/xml", text.encode(), {}

    def _lambda(self, path: str, body: bytes) -> tuple[int, str, bytes, dict[str, str]]:
        parts = urlsplit(path)
        kind, more = "application/json", {}
        if "account-settings" in parts.path:
            return 200, kind, json.dumps({"AccountLimit": self.account}).encode(), more
        if "layers" in parts.path:
            arn = unquote(parse_qs(parts.query)["Arn"][0])
            if arn in self.layers:
                return 200, kind, json.dumps({"Content": {"CodeSize": 60_000_000}}).encode(), more
            more = {"x-amzn-ErrorType": "ResourceNotFoundException"}
            return 404, kind, b'{"Message": "no such layer"}', more
        name = parts.path.split("/functions/")[1].split("/")[0]
        self.asked.append((name, json.loads(body)))
        if "errorMessage" in self.health:
            more = {"X-Amz-Function-Error": "Unhandled"}
        return 200, kind, json.dumps(self.health).encode(), more

    # ------------------------------------------------------------ change sets

    def _create_change_set(self, form: dict[str, str]) -> dict[str, Any]:
        name, kind = form["StackName"], form["ChangeSetType"]
        found = self.stacks.get(name)
        if kind == "UPDATE" and (found is None or found.status == "REVIEW_IN_PROGRESS"):
            raise Refused("ValidationError", f"Stack [{name}] does not exist")
        if kind == "CREATE" and found is not None and found.status != "REVIEW_IN_PROGRESS":
            raise Refused(
                "ValidationError", f"Stack [{name}] already exists and cannot be created again"
            )
        if found is not None and found.status.endswith("_IN_PROGRESS") and kind == "UPDATE":
            raise Refused(
                "ValidationError",
                f"Stack:{found.id} is in {found.status} state and can not be updated.",
            )
        if found is not None and found.status in {"ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"}:
            raise Refused(
                "ValidationError",
                f"Stack:{found.id} is in {found.status} state and can not be updated.",
            )
        template = self._template(form["TemplateURL"])
        parameters = self._parameters(form, template, found)
        if found is None:
            found = self.stacks[name] = Stack(name, next(self.numbers))
        if form["ChangeSetName"] in found.sets:
            raise Refused(
                "AlreadyExistsException", f"ChangeSet {form['ChangeSetName']} already exists"
            )
        changes = _changes(found, template, parameters)
        number = f"arn:aws:cloudformation:{REGION}:{NUMBER}:changeSet/{form['ChangeSetName']}/{next(self.numbers)}"
        found.sets[form["ChangeSetName"]] = {
            "id": number,
            "name": form["ChangeSetName"],
            "kind": kind,
            "template": template,
            "parameters": parameters,
            "changes": changes,
            "status": "CREATE_COMPLETE" if changes else "FAILED",
            "reason": "" if changes else _NOTHING,
            "execution": "AVAILABLE" if changes else "UNAVAILABLE",
        }
        return {"Id": number, "StackId": found.id}

    def _template(self, address: str) -> dict[str, Any]:
        parts = urlsplit(address)
        bucket = parts.netloc.split(".s3.")[0]
        body = self.s3().get_object(Bucket=bucket, Key=parts.path.lstrip("/"))["Body"].read()
        return _load(body.decode())

    def _parameters(
        self, form: dict[str, str], template: dict[str, Any], found: Stack | None
    ) -> dict[str, str]:
        given: dict[str, str] = {}
        for number in count(1):
            name = form.get(f"Parameters.member.{number}.ParameterKey")
            if name is None:
                break
            if form.get(f"Parameters.member.{number}.UsePreviousValue") == "true":
                if found is None or name not in found.parameters:
                    raise Refused("ValidationError", f"Invalid input for parameter key {name}")
                given[name] = found.parameters[name]
            else:
                given[name] = form[f"Parameters.member.{number}.ParameterValue"]
        declared = template.get("Parameters", {})
        if extra := sorted(set(given) - set(declared)):
            raise Refused("ValidationError", f"Parameters: {extra} do not exist in the template")
        whole = {k: str(v["Default"]) for k, v in declared.items() if "Default" in v} | given
        if missing := sorted(set(declared) - set(whole)):
            raise Refused("ValidationError", f"Parameters: {missing} must have values")
        return whole

    def _set(self, form: dict[str, str]) -> tuple[Stack, dict[str, Any]]:
        found = self._stack(form["StackName"])
        for one in found.sets.values():
            if form["ChangeSetName"] in (one["id"], one["name"]):
                return found, one
        raise Refused("ChangeSetNotFound", f"ChangeSet [{form['ChangeSetName']}] does not exist")

    def _describe_change_set(self, form: dict[str, str]) -> dict[str, Any]:
        found, one = self._set(form)
        start = int(form.get("NextToken", "0"))
        page = one["changes"][start : start + _PAGE]
        more = {"NextToken": str(start + _PAGE)} if start + _PAGE < len(one["changes"]) else {}
        return {
            "ChangeSetId": one["id"],
            "ChangeSetName": one["name"],
            "StackName": found.name,
            "Status": one["status"],
            "StatusReason": one["reason"],
            "ExecutionStatus": one["execution"],
            "Changes": [{"Type": "Resource", "ResourceChange": change} for change in page],
            **more,
        }

    def _delete_change_set(self, form: dict[str, str]) -> dict[str, Any]:
        found, one = self._set(form)
        del found.sets[one["name"]]
        return {}

    def _list_change_sets(self, form: dict[str, str]) -> dict[str, Any]:
        found = self._stack(form["StackName"])
        return {"Summaries": [{"ChangeSetId": one["id"]} for one in found.sets.values()]}

    def _execute_change_set(self, form: dict[str, str]) -> dict[str, Any]:
        if self.sibling is not None:
            between, self.sibling = self.sibling, None
            between()
        found, one = self._set(form)
        if one["execution"] != "AVAILABLE" or found.steps:
            raise Refused(
                "InvalidChangeSetStatus",
                f"ChangeSet [{one['id']}] cannot be executed in its current status",
            )
        self.executed.append(one["id"])
        found.sets = {}
        self._begin(found, one)
        return {}

    def _begin(self, found: Stack, one: dict[str, Any]) -> None:
        creating = one["kind"] == "CREATE"
        word = "CREATE" if creating else "UPDATE"
        before = (dict(found.resources), found.template, found.parameters)
        self._turn(found, f"{word}_IN_PROGRESS", "User Initiated")

        def failed(logical: str, kind: str) -> None:
            self._event(found, logical, kind, f"{word}_FAILED", self.fail[logical])
            self._event(
                found, "Other", "AWS::SNS::Topic", f"{word}_FAILED", "Resource creation cancelled"
            )
            back = "ROLLBACK" if creating else "UPDATE_ROLLBACK"
            self._turn(
                found,
                f"{back}_IN_PROGRESS",
                f"The following resource(s) failed to create: [{logical}]. ",
            )
            if logical in self.keep:  # cannot be taken back either
                found.steps = [lambda: self._turn(found, f"{back}_FAILED", self.keep[logical])]
                return
            found.resources, found.template, found.parameters = before
            found.steps = [lambda: self._turn(found, f"{back}_COMPLETE", "")]

        def made(change: dict[str, Any]) -> None:
            logical, kind = change["LogicalResourceId"], change["ResourceType"]
            if logical in self.fail and change["Action"] != "Remove":
                failed(logical, kind)
                return
            if change["Action"] == "Remove":
                found.resources.pop(logical, None)
                self._event(found, logical, kind, "DELETE_COMPLETE", "")
            else:
                found.resources[logical] = kind
                self._event(found, logical, kind, f"{word}_COMPLETE", "")

        def ended() -> None:
            found.template, found.parameters = one["template"], one["parameters"]
            self._turn(found, f"{word}_COMPLETE", "")

        found.steps = [lambda change=change: made(change) for change in one["changes"]] + [ended]

    # ------------------------------------------------------------ stacks

    def _stack(self, name: str) -> Stack:
        for found in (*self.stacks.values(), *self.deleted.values()):
            if name == found.id or (name == found.name and found.name in self.stacks):
                return found
        raise Refused("ValidationError", f"Stack with id {name} does not exist")

    def _turn(self, found: Stack, status: str, reason: str) -> None:
        found.status, found.reason = status, reason
        self._event(found, found.name, "AWS::CloudFormation::Stack", status, reason)

    def _event(self, found: Stack, logical: str, kind: str, status: str, reason: str) -> None:
        number = next(self.numbers)
        found.events.insert(
            0,
            {
                "EventId": f"event-{number}",
                "StackId": found.id,
                "StackName": found.name,
                "LogicalResourceId": logical,
                "ResourceType": kind,
                "ResourceStatus": status,
                "Timestamp": (_BEGAN + timedelta(seconds=number)).isoformat(),
                **({"ResourceStatusReason": reason} if reason else {}),
            },
        )

    def proceed(self, found: Stack) -> None:
        """Do one step of what is to be done."""
        if found.steps and not self.held:
            found.steps.pop(0)()

    def _describe_stacks(self, form: dict[str, str]) -> dict[str, Any]:
        found = self._stack(form["StackName"])
        self.proceed(found)
        hidden = found.template.get("Parameters", {})
        parameters = [
            {"ParameterKey": k, "ParameterValue": "****" if hidden.get(k, {}).get("NoEcho") else v}
            for k, v in found.parameters.items()
        ]
        return {
            "Stacks": [
                {
                    "StackName": found.name,
                    "StackId": found.id,
                    "StackStatus": found.status,
                    "StackStatusReason": found.reason,
                    "CreationTime": _BEGAN.isoformat(),
                    "Parameters": parameters,
                    "Outputs": [
                        {"OutputKey": k, "OutputValue": _text(v["Value"], found.parameters)}
                        for k, v in found.template.get("Outputs", {}).items()
                    ],
                }
            ]
        }

    def _describe_stack_events(self, form: dict[str, str]) -> dict[str, Any]:
        found = self._stack(form["StackName"])
        start = int(form.get("NextToken", "0"))
        more = {"NextToken": str(start + _PAGE)} if start + _PAGE < len(found.events) else {}
        return {"StackEvents": found.events[start : start + _PAGE], **more}

    def _describe_stack_resource(self, form: dict[str, str]) -> dict[str, Any]:
        found, logical = self._stack(form["StackName"]), form["LogicalResourceId"]
        return {
            "StackResourceDetail": {
                "StackId": found.id,
                "LogicalResourceId": logical,
                "PhysicalResourceId": f"made-{logical}",
            }
        }

    def _get_template_summary(self, form: dict[str, str]) -> dict[str, Any]:
        declared = self._stack(form["StackName"]).template.get("Parameters", {})
        return {
            "Parameters": [
                {
                    "ParameterKey": k,
                    **({"DefaultValue": str(v["Default"])} if "Default" in v else {}),
                }
                for k, v in declared.items()
            ]
        }

    def _continue_update_rollback(self, form: dict[str, str]) -> dict[str, Any]:
        found = self._stack(form["StackName"])
        self._turn(found, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        status = "UPDATE_ROLLBACK_FAILED" if self.keep else "UPDATE_ROLLBACK_COMPLETE"
        found.steps = [lambda: self._turn(found, status, next(iter(self.keep.values()), ""))]
        return {}

    def _delete_stack(self, form: dict[str, str]) -> dict[str, Any]:
        try:
            found = self._stack(form["StackName"])
        except Refused:
            return {}
        if not found.resources:
            self.deleted[found.id] = self.stacks.pop(found.name)
            return {}
        self._turn(found, "DELETE_IN_PROGRESS", "User Initiated")

        def gone() -> None:
            for logical, kind in found.resources.items():
                name = self._full(found, logical)
                if kind != "AWS::S3::Bucket" or name is None:
                    continue
                if str(found.template["Resources"][logical].get("DeletionPolicy", "")).startswith(
                    "Retain"
                ):
                    continue
                if self.s3().list_object_versions(Bucket=name).keys() & {
                    "Versions",
                    "DeleteMarkers",
                }:
                    reason = (
                        "The bucket you tried to delete is not empty. You must delete all versions"
                    )
                    self._event(found, logical, kind, "DELETE_FAILED", reason)
                    self._turn(
                        found,
                        "DELETE_FAILED",
                        f"The following resource(s) failed to delete: [{logical}]. ",
                    )
                    return
                self.s3().delete_bucket(Bucket=name)
            self._turn(found, "DELETE_COMPLETE", "")
            self.deleted[found.id] = self.stacks.pop(found.name)

        found.steps = [gone]
        return {}

    def _full(self, found: Stack, logical: str) -> str | None:
        """The name of a bucket of the stack that is in S3."""
        name = f"{found.name}-{logical.removesuffix('Bucket').lower()}-{NUMBER}-{REGION}"
        held = {one["Name"] for one in self.s3().list_buckets()["Buckets"]}
        return name if name in held else None


# ---------------------------------------------------------------- templates and XML


def _load(text: str) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        """YAML with CloudFormation's short forms, as lists of tag and value."""

    def short(loader: Any, tag: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return {tag: loader.construct_scalar(node)}
        return {tag: loader.construct_sequence(node, deep=True)}

    Loader.add_multi_constructor("!", short)
    whole: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506  a SafeLoader
    return whole


def _filled(of: Any, parameters: dict[str, str], conditions: dict[str, Any] | None = None) -> Any:
    """Properties with parameters put in and conditions decided; other functions as they stand."""
    if isinstance(of, list):
        return [_filled(one, parameters, conditions) for one in of]
    if isinstance(of, dict):
        if set(of) == {"Ref"}:
            return parameters.get(of["Ref"], of)
        if set(of) == {"If"} and conditions:
            name, then, otherwise = of["If"]
            left, right = _filled(conditions[name]["Equals"], parameters)
            return _filled(then if left == right else otherwise, parameters, conditions)
        return {key: _filled(one, parameters, conditions) for key, one in of.items()}
    return of


def _text(value: Any, parameters: dict[str, str]) -> str:
    filled = _filled(value, parameters)
    return filled if isinstance(filled, str) else json.dumps(filled)


def _changes(
    found: Stack, template: dict[str, Any], parameters: dict[str, str]
) -> list[dict[str, Any]]:
    """What differs; a resource is replaced where a property that is a name does."""
    changes = []
    old = found.template.get("Resources", {})
    for logical, told in template["Resources"].items():
        change = {"Action": "Add", "LogicalResourceId": logical, "ResourceType": told["Type"]}
        if logical in old:
            conditions = found.template.get("Conditions")
            before = _filled(old[logical].get("Properties", {}), found.parameters, conditions)
            conditions = template.get("Conditions")
            after = _filled(told.get("Properties", {}), parameters, conditions)
            if before == after:
                continue
            names = [key for key in after if key.endswith("Name") and before.get(key) != after[key]]
            policy = str(old[logical].get("UpdateReplacePolicy", "Delete"))
            change |= {
                "Action": "Modify",
                "Replacement": "True" if names else "False",
                **({"PolicyAction": f"ReplaceAnd{policy}"} if names else {}),
            }
        changes.append(change)
    for logical, told in old.items():
        if logical not in template["Resources"]:
            policy = str(told.get("DeletionPolicy", "Delete"))
            action = "Retain" if policy.startswith("Retain") else "Delete"
            changes.append(
                {
                    "Action": "Remove",
                    "LogicalResourceId": logical,
                    "ResourceType": told["Type"],
                    "PolicyAction": action,
                }
            )
    return changes


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{key}>{_xml(one)}</{key}>" for key, one in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(one)}</member>" for one in value)
    return escape(str(value))
