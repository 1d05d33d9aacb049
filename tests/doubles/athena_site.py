"""Athena over loopback HTTP (its JSON 1.1 protocol), for boto3 and awswrangler as they are.

    with ThreadedMotoServer(...) as moto, athena_site.serve(moto_url) as url:
        AWS_ENDPOINT_URL=moto_url, AWS_ENDPOINT_URL_ATHENA=url

`Site(moto_url)` is the same with a handle on it: `site.fail(...)` and `site.slow(...)` script the
next queries, `site.executions` tells what was asked. `create_tables(...)` puts the contracts'
tables into moto's Glue where no template does.

What it proves: transport, parameters, types through UNLOAD, partitions and wiring. It reads a
table's objects **only through the partitions registered in moto's Glue**, with the columns that
Glue has, so that a missed registration shows as missing rows and a drifted column as an error.
What it does not prove: Trino. Queries are computed by DuckDB through the project's own dialect.
From Athena's documentation and known reports it takes what would otherwise surprise: UNLOAD into
a prefix that holds objects, unnamed or repeated columns, columns without a type and lists without
items fail; files have no order among themselves; timestamps are INT96; an execution parameter is
a constant of 1,024 characters at most, and stands in a WHERE.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import athena_engine
import boto3
from athena_engine import Refused
from botocore.config import Config

from cashtag.lake.contracts import contracts
from cashtag.warehouse import catalog

FINAL = {"SUCCEEDED", "FAILED", "CANCELLED"}
ENGINE = "Athena engine version 3"


@dataclass
class Fault:
    """What happens to queries whose text holds `match`, `times` times."""

    match: str = ""
    times: int = 1
    seconds: float = 0.0
    reason: str | None = None
    category: int = 1
    retryable: bool = False
    throttle: bool = False
    after_writing: bool = False


@dataclass
class Execution:
    """One query as it goes through its states."""

    id: str
    text: str
    parameters: tuple[str, ...]
    database: str
    workgroup: str
    base: str
    state: str = "QUEUED"
    reason: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    scanned: int = 0
    submitted: float = field(default_factory=time.time)
    ended: float | None = None
    output: str = ""
    manifest: str | None = None
    kind: str = "DML"
    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    partitions: dict[str, list[str]] = field(default_factory=dict)
    """Which partitions of which table were read, as Glue lists them."""
    stop: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)


class Site:
    """A running Athena.

    Args:
        moto_url: where moto's S3 and Glue answer.
        output: `s3://…`, the workgroup's own location of results.
        enforced: whether that location holds whatever a client says, as the template has it.
        files: how many files an UNLOAD writes at most; in no order.
        scan_limit: bytes a query may scan (the workgroup's cutoff); None for any number.
    """

    def __init__(
        self,
        moto_url: str,
        *,
        output: str = "s3://athena-results",
        enforced: bool = True,
        files: int = 2,
        region: str = "us-east-1",
        scan_limit: int | None = None,
    ) -> None:
        def client(service: str) -> Any:
            session: Any = boto3.Session("AKIDEXAMPLE", "no-real-key", region_name=region)
            return session.client(
                service,
                endpoint_url=moto_url,
                config=Config(proxies={}, max_pool_connections=32, s3={"addressing_style": "path"}),
            )

        self.output, self.enforced = output, enforced
        self.files, self.scan_limit = files, scan_limit
        self.executions: list[Execution] = []
        self.calls: list[str] = []
        self._faults: list[Fault] = []
        self._tokens: dict[str, tuple[str, Any]] = {}
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="athena_site_")
        self.engine = athena_engine.Engine(client("s3"), client("glue"), Path(self._folder.name))

    # ---------------------------------------------------------------- what tests do with it

    def fail(self, reason: str, *, match: str = "", times: int = 1, **more: Any) -> None:
        """Let the next queries that hold `match` end FAILED (see Fault for `more`)."""
        self._faults.append(Fault(match, times, reason=reason, **more))

    def slow(self, seconds: float, *, match: str = "", times: int = 1) -> None:
        """Let the next queries that hold `match` take so long; they can be stopped."""
        self._faults.append(Fault(match, times, seconds=seconds))

    def throttle(self, times: int = 1) -> None:
        """Refuse the next starts with TooManyRequestsException."""
        self._faults.append(Fault(times=times, throttle=True))

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        for execution in self.executions:
            execution.stop.set()
            execution.done.wait(10)
        self._folder.cleanup()

    # ---------------------------------------------------------------- Athena's operations

    def answer(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one call. Raises Rejected, which becomes an HTTP 400."""
        self.calls.append(operation)
        found = getattr(self, f"_{operation}", None)
        if found is None:
            raise Rejected("InvalidRequestException", f"{operation} is not played here")
        return found(asked)

    def _StartQueryExecution(self, asked: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        text, given = asked["QueryString"], tuple(asked.get("ExecutionParameters", ()))
        token = asked.get("ClientRequestToken") or uuid.uuid4().hex
        with self._lock:
            if token in self._tokens:
                known, first = self._tokens[token]
                if first != asked:
                    raise Rejected("InvalidRequestException", "Idempotent parameters do not match")
                return {"QueryExecutionId": known}
            fault = self._fault(text, starting=True)
            if fault:
                raise Rejected("TooManyRequestsException", "Rate exceeded")
            if any(len(value) > 1024 for value in given):
                raise Rejected(
                    "InvalidRequestException",
                    "executionParameters: Member must have length less than or equal to 1024",
                )
            said = asked.get("ResultConfiguration", {}).get("OutputLocation")
            place = self.output if self.enforced or not said else said
            number = str(uuid.uuid4())
            execution = Execution(
                id=number,
                text=text,
                parameters=given,
                database=asked.get("QueryExecutionContext", {}).get("Database", "default"),
                workgroup=asked.get("WorkGroup", "primary"),
                base=f"{place.rstrip('/')}/{number}",
            )
            self._tokens[token] = (number, asked)
            self.executions.append(execution)
        threading.Thread(target=self._execute, args=(execution,), daemon=True).start()
        execution.done.wait(0.05)  # most are done by the first look, as in a warm workgroup
        return {"QueryExecutionId": number}

    def _GetQueryExecution(self, asked: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        e = self._known(asked)
        status: dict[str, Any] = {"State": e.state, "SubmissionDateTime": e.submitted}
        if e.state in FINAL and e.ended:
            status["CompletionDateTime"] = e.ended
        if e.reason:
            status["StateChangeReason"] = e.reason
        if e.error:
            status["AthenaError"] = e.error
        statistics: dict[str, Any] = {
            "DataScannedInBytes": e.scanned,
            "EngineExecutionTimeInMillis": int(1000 * ((e.ended or time.time()) - e.submitted)),
        }
        if e.manifest:
            statistics["DataManifestLocation"] = e.manifest
        return {
            "QueryExecution": {
                "QueryExecutionId": e.id,
                "Query": e.text,
                "StatementType": e.kind,
                "ResultConfiguration": {"OutputLocation": e.output or e.base},
                "QueryExecutionContext": {"Database": e.database},
                "Status": status,
                "Statistics": statistics,
                "WorkGroup": e.workgroup,
                "EngineVersion": {"EffectiveEngineVersion": ENGINE},
            }
        }

    def _GetQueryResults(self, asked: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        e = self._known(asked)
        if e.state != "SUCCEEDED":
            raise Rejected(
                "InvalidRequestException",
                f"Query did not finish successfully. Final query state: {e.state}",
            )
        first, most = int(asked.get("NextToken", 0)), int(asked.get("MaxResults", 1000))
        shown = e.rows[first : first + most]
        answer: dict[str, Any] = {
            "UpdateCount": 0,
            "ResultSet": {
                "Rows": [
                    {"Data": [{} if v is None else {"VarCharValue": v} for v in row]}
                    for row in shown
                ],
                "ResultSetMetadata": {
                    "ColumnInfo": [
                        {
                            "CatalogName": "hive",
                            "SchemaName": "",
                            "TableName": "",
                            "Name": name,
                            "Label": name,
                            "Type": kind,
                            "Precision": 0,
                            "Scale": 0,
                            "Nullable": "UNKNOWN",
                            "CaseSensitive": kind == "varchar",
                        }
                        for name, kind in e.columns
                    ]
                },
            },
        }
        if first + most < len(e.rows):
            answer["NextToken"] = str(first + most)
        return answer

    def _StopQueryExecution(self, asked: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        e = self._known(asked)
        with self._lock:
            if e.state not in FINAL:
                e.state, e.reason = "CANCELLED", "Query cancelled by user"
                e.ended = time.time()
        e.stop.set()
        return {}

    def _GetWorkGroup(self, asked: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {
            "WorkGroup": {
                "Name": asked["WorkGroup"],
                "State": "ENABLED",
                "Configuration": {
                    "EnforceWorkGroupConfiguration": self.enforced,
                    "PublishCloudWatchMetricsEnabled": True,
                    "ResultConfiguration": {"OutputLocation": self.output},
                    "EngineVersion": {
                        "SelectedEngineVersion": ENGINE,
                        "EffectiveEngineVersion": ENGINE,
                    },
                },
            }
        }

    # ---------------------------------------------------------------- one execution

    def _execute(self, e: Execution) -> None:
        fault = None
        try:
            with self._lock:
                fault = self._fault(e.text)
                if e.state == "QUEUED":
                    e.state = "RUNNING"
            if fault and fault.seconds and e.stop.wait(fault.seconds):
                return
            if fault and fault.reason and not fault.after_writing:
                raise Refused(fault.reason)
            self.engine.run(e, self.files, self.scan_limit)
            if fault and fault.reason:
                raise Refused(fault.reason)
            self._end(e, "SUCCEEDED")
        except athena_engine.OverLimit as error:
            self._end(e, "CANCELLED", str(error))
        except Refused as error:
            category, again = (fault.category, fault.retryable) if fault else (2, False)
            e.error = {
                "ErrorCategory": category,
                "ErrorType": 1001 if category == 2 else 0,
                "Retryable": again,
                "ErrorMessage": str(error),
            }
            self._end(e, "FAILED", str(error))
        except Exception as error:
            e.error = {"ErrorCategory": 1, "Retryable": False}
            self._end(e, "FAILED", f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}")
        finally:
            e.done.set()

    def _end(self, e: Execution, state: str, reason: str = "") -> None:
        with self._lock:
            if e.state not in FINAL:
                e.state, e.reason, e.ended = state, reason, time.time()

    def _fault(self, text: str, *, starting: bool = False) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and fault.throttle == starting and fault.match in text:
                fault.times -= 1
                return fault
        return None

    def _known(self, asked: Mapping[str, Any]) -> Execution:
        for execution in self.executions:
            if execution.id == asked["QueryExecutionId"]:
                return execution
        raise Rejected(
            "InvalidRequestException", f"QueryExecution {asked['QueryExecutionId']} was not found"
        )


class Rejected(Exception):
    """A call that Athena answers with an error of its own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def serve(moto_url: str, **options: Any) -> Iterator[str]:
    """Run a Site and yield its address; `options` are the Site's."""
    with Site(moto_url, **options) as site:
        yield site.url


def create_tables(glue: Any, database: str, zones: Mapping[str, str]) -> None:
    """Make the database and every contract's table; `zones` maps a zone to its `s3://…`."""
    glue.create_database(DatabaseInput={"Name": database})
    for one in contracts().values():
        glue.create_table(
            DatabaseName=database, TableInput=catalog.table_input(one, zones[one.zone])
        )


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
            operation = re.sub(r"^.*\.", "", self.headers.get("X-Amz-Target", ""))
            status, answer = 200, {}
            try:
                answer = site.answer(operation, asked)
            except Rejected as error:
                status = 400
                answer = {"__type": error.code, "message": str(error), "Message": str(error)}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
