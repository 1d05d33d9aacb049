"""One UNLOAD on Athena: sent by awswrangler, watched, stopped in time, and its refusals in words.

`awswrangler.athena.unload` waits for as long as the query takes and says neither its id nor what
it scanned when it fails. Both are noted as the session's calls pass by (`Watch`). Reasons may
quote rows and parameters, which hold what strangers wrote: they are blotted out.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, LifoQueue
from typing import Any

from cashtag.errors import CashtagError, CloudError, InputError, StoreError
from cashtag.ports import SqlValue
from cashtag.settings.cloud import Aws
from cashtag.warehouse import catalog

_BUSY = {"TooManyRequestsException", "ThrottlingException"}
_REMEDIES = {
    "AccessDeniedException": "allow it in the role's policy",
    "ExpiredTokenException": "renew the credentials",
    "UnrecognizedClientException": "set valid credentials",
    "NoCredentialsError": "set credentials, or a role",
    "NoRegionError": "set aws.region, or AWS_DEFAULT_REGION",
    "TooManyRequestsException": "run again later, or lower aws.athena.concurrency",
}
# What Trino calls a fault of the stored objects rather than of the text.
_OBJECTS = ("HIVE_", "S3_")
_FORBIDDEN = re.compile(r"access ?denied|insufficient .*permission|not authorized", re.IGNORECASE)
_EMPTY_LIST = "empty fields are illegal"
_ALONE = re.compile(r"'((?:[^']|'')*)'")
_NAME = re.compile(r"[\w.$()-]{1,64}")


@dataclass(frozen=True, slots=True)
class Unloaded:
    """One execution: its id, its state, bytes and milliseconds, and where its list of files is."""

    query_id: str
    state: str
    scanned: int = 0
    milliseconds: int = 0
    manifest: str | None = None
    reason: str = ""
    retryable: bool = False
    category: int = 0


class Overdue(Exception):
    """A query has run for longer than it may."""


class Watch:
    """A boto3 session for one query at a time, known by id and given up at its deadline.

    awswrangler asks it for a client at every call, which costs more than the call: it gets the
    same one again.
    """

    def __init__(self, region: str) -> None:
        import boto3

        clients: dict[str, Any] = {}

        class Session(boto3.Session):
            def client(self, service_name: str, **options: Any) -> Any:  # type: ignore[override]
                if service_name not in clients:
                    make: Any = super().client
                    clients[service_name] = make(service_name, **options)
                return clients[service_name]

        self.session = Session(region_name=region or None)
        self.query_id: str | None = None
        self._deadline = 0.0
        self.session.events.register("after-call.athena.StartQueryExecution", self._started)
        self.session.events.register("before-call.athena.GetQueryExecution", self._looked_at)

    def begin(self, seconds: float) -> None:
        """Forget the last query; the next one may run for so long."""
        self.query_id, self._deadline = None, time.monotonic() + seconds

    def _started(self, parsed: Mapping[str, Any], **_: Any) -> None:
        self.query_id = parsed.get("QueryExecutionId")

    def _looked_at(self, **_: Any) -> None:
        if time.monotonic() > self._deadline:
            raise Overdue

    def stop(self) -> Unloaded | None:
        """Stop the query, if one was started, and return how it stands."""
        if self.query_id is None:
            return None
        client = self.session.client("athena")
        client.stop_query_execution(QueryExecutionId=self.query_id)
        self._deadline = float("inf")
        return self.look()

    def look(self) -> Unloaded:
        """Return how the query stands."""
        self._deadline = float("inf")
        client = self.session.client("athena")
        return execution(
            client.get_query_execution(QueryExecutionId=self.query_id)["QueryExecution"]
        )


def execution(payload: Mapping[str, Any]) -> Unloaded:
    """Read Athena's QueryExecution."""
    status, statistics = payload["Status"], payload.get("Statistics", {})
    error = status.get("AthenaError", {})
    return Unloaded(
        query_id=payload["QueryExecutionId"],
        state=status["State"],
        scanned=int(statistics.get("DataScannedInBytes", 0)),
        milliseconds=int(statistics.get("EngineExecutionTimeInMillis", 0)),
        manifest=statistics.get("DataManifestLocation"),
        reason=status.get("StateChangeReason", ""),
        retryable=bool(error.get("Retryable", False)),
        category=int(error.get("ErrorCategory", 0)),
    )


def unload(
    watch: Watch, aws: Aws, statement: str, literals: list[str], path: str
) -> tuple[Unloaded | None, CashtagError | None]:
    """Run one UNLOAD; return how it went, and the refusal if it was one.

    Args:
        watch: a session that no other query has.
        aws: database, workgroup, how often to look and how long to wait.
        statement: a SELECT with `?` for its parameters.
        literals: SQL text of their values.
        path: `s3://…` of an empty prefix.
    """
    import awswrangler as wr

    watch.begin(aws.athena.query_seconds)
    try:
        done = wr.athena.unload(
            sql=f"{statement}\n",  # a comment may end it
            path=path,
            database=aws.database,
            file_format="PARQUET",
            compression="snappy",
            workgroup=aws.workgroup,
            boto3_session=watch.session,
            params=literals or None,
            paramstyle="qmark",
            athena_query_wait_polling_delay=aws.athena.poll_seconds,
        )
        return execution(done.raw_payload), None
    except Overdue:
        return watch.stop(), CloudError(
            f"it was stopped after {aws.athena.query_seconds:g} s (aws.athena.query_seconds): narrow "
            "its dates, or raise the setting"
        )
    except wr.exceptions.InvalidArgumentValue as error:
        if watch.query_id is None:
            # What Athena does not even start: the message is its own, after botocore's preface.
            said = str(error).rpartition("operation: ")[2]
            return None, InputError(f"Athena refuses it: {said}")
        return _failed(watch, aws)
    except (wr.exceptions.QueryFailed, wr.exceptions.QueryCancelled):
        return _failed(watch, aws)
    except catalog.failures() as error:
        return None, _refused(error)
    except KeyboardInterrupt:
        watch.stop()
        raise


def busy(error: CashtagError | None) -> bool:
    """Say whether Athena had no room for the query, or could not be reached."""
    return isinstance(error, Busy)


class Busy(CloudError):
    """Athena took no query just now."""


def _refused(error: Exception) -> CloudError:
    code = type(error).__name__
    answer = getattr(error, "response", None)
    if isinstance(answer, Mapping):
        code = str(answer.get("Error", {}).get("Code", code))
    kind = Busy if code in _BUSY else CloudError
    remedy = _REMEDIES.get(code, "check the network and the region, then run again")
    return kind(f"Athena answers {code}; {remedy}")


def _failed(watch: Watch, aws: Aws) -> tuple[Unloaded, CashtagError]:
    found = watch.look()
    return found, refusal(found, aws)


def refusal(found: Unloaded, aws: Aws) -> CashtagError:
    """Return what a query's failure means."""
    reason = found.reason or "it gives no reason"
    if found.state == "CANCELLED":
        if "limit" in reason.lower():
            return CloudError(
                f"Athena stopped it: {reason}; narrow its dates, or raise "
                f"aws.athena.scan_megabytes_per_query (now {aws.athena.scan_megabytes_per_query:,}) "
                "and deploy"
            )
        return CloudError(f"it was stopped: {reason}; run it again")
    if _EMPTY_LIST in reason:
        return InputError(
            "a list without items cannot be unloaded to Parquet; write it as text, as in "
            "array_join(flags, ',')"
        )
    if "Column name not specified" in reason:
        return InputError(f"{reason}; name every column, as in count(*) AS n")
    if "specified more than once" in reason:
        return InputError(f"{reason}; give each column a name of its own")
    if "type is unknown" in reason:
        return InputError(f"{reason}; cast it, as in CAST(NULL AS double)")
    if _FORBIDDEN.search(reason):
        return CloudError(f"Athena may not read or write there: {reason}; allow it in the role")
    if reason.startswith(_OBJECTS):
        return StoreError(f"an object of the lake cannot be read: {reason}; build it again")
    if found.category == 2 or (found.category == 0 and re.match(r"[A-Z_]+: ", reason)):
        return InputError(f"Athena refuses it: {reason}")
    return CloudError(f"Athena failed at it: {reason}; run it again")


def blotted(text: str, given: Mapping[str, SqlValue]) -> str:
    """Return Athena's words without values of parameters and of rows.

    A quoted text stays when it can only be a name: of a column, a type, a function.
    """
    for name, value in given.items():
        if isinstance(value, str) and len(value) > 2:
            for form in (value, value.replace("'", "''")):
                text = text.replace(form, f":{name}")
    return _ALONE.sub(lambda m: m[0] if _NAME.fullmatch(m[1]) else "'…'", text)


class Watches:
    """Sessions kept for the next query: each serves one at a time, whatever its thread."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._idle: LifoQueue[Watch] = LifoQueue()

    @contextmanager
    def one(self) -> Iterator[Watch]:
        """Lend an idle session, or a new one."""
        try:
            watch = self._idle.get_nowait()
        except Empty:
            watch = Watch(self._region)
        try:
            yield watch
        finally:
            self._idle.put(watch)
