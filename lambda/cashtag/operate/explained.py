"""Every SQL file as the real engine plans it: EXPLAIN on a workgroup, which scans and costs nothing.

The laptop's engine and the published grammar say that a file parses; only Athena says that it
resolves and types every expression. Parameters get example values of ours: EXPLAIN takes none.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, get_args

from cashtag.errors import CloudError
from cashtag.operate import account
from cashtag.operate.doctor import Finding
from cashtag.ports import Progress, SqlValue
from cashtag.settings import Settings
from cashtag.signals import models
from cashtag.warehouse import clauses, lint, sql

_FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_DAY = date(2026, 1, 5)
_EXAMPLES: dict[str, SqlValue] = {
    "varchar": "NVDA",
    "boolean": True,
    "integer": 5,
    "bigint": 5,
    "double": 0.5,
    "date": _DAY,
    "timestamp": datetime(2026, 1, 5, 12, tzinfo=UTC),
}


@dataclass(frozen=True, slots=True)
class Explained:
    """One file as the engine answered: why it was refused, None where it planned it."""

    kind: sql.Kind
    name: str
    refusal: str | None


def examine(
    settings: Settings, session: Any = None, progress: Progress | None = None
) -> list[Finding]:
    """Explain every file; one finding for those of a kind that are planned, one for each refused.

    Args:
        settings: `[aws]` names database and workgroup.
        session: a boto3 session; by default one of the usual credentials.
        progress: told of every file.

    Raises:
        CloudError: no credentials, or Athena takes no query at all.
    """
    found = list(explain(settings, session or account.session(settings), progress))
    findings = []
    for kind in get_args(sql.Kind):
        files = [one for one in found if one.kind == kind]
        refused = [one for one in files if one.refusal is not None]
        findings.append(
            Finding(
                f"glue/{kind}",
                "fail" if refused else "ok",
                f"{len(files) - len(refused)} of {len(files)} files planned by Athena",
                "correct the files below" if refused else "",
            )
        )
        findings += [
            Finding(f"glue/{kind}/{one.name}.sql", "fail", str(one.refusal), "correct the file")
            for one in refused
        ]
    return findings


def explain(
    settings: Settings, session: Any, progress: Progress | None = None
) -> Iterator[Explained]:
    """Yield what Athena says of each file, some at once, in the order of their names."""
    client = account.client(session, "athena", max_pool_connections=20)
    files = [(kind, name) for kind in get_args(sql.Kind) for name in sql.names(kind)]

    def one(file: tuple[sql.Kind, str]) -> Explained:
        kind, name = file
        text = clauses.statement(sql.load(kind, name).text)
        if kind != "sql":  # a model's rows are sorted by their contract; others carry their order
            text = clauses.ordered(text).text
        bound = sql.bind(text, examples(kind, name, settings))
        return Explained(kind, name, _refusal(client, settings, bound))

    with ThreadPoolExecutor(settings.aws.athena.concurrency) as pool:
        for done, answer in enumerate(pool.map(one, files), start=1):
            if progress is not None:
                progress(done, len(files), f"{answer.kind}/{answer.name}")
            yield answer


def examples(kind: sql.Kind, name: str, settings: Settings) -> dict[str, SqlValue]:
    """A value for each parameter of a file: the settings', or one of the type that its place has."""
    known = models.thresholds(settings)
    text = sql.load(kind, name).text
    types = lint.parameter_types(text)
    return {
        parameter: known.get(parameter, _EXAMPLES[types.get(parameter, "varchar").lower()])
        for parameter in sql.parameters(text)
    }


def _refusal(client: Any, settings: Settings, text: str) -> str | None:
    aws = settings.aws
    with account.explained("a query cannot be explained"):
        number = client.start_query_execution(
            QueryString=f"EXPLAIN {text}",
            QueryExecutionContext={"Database": aws.database},
            WorkGroup=aws.workgroup,
        )["QueryExecutionId"]
        deadline = time.monotonic() + aws.athena.query_seconds
        while (status := _status(client, number))["State"] not in _FINAL:
            if time.monotonic() > deadline:
                client.stop_query_execution(QueryExecutionId=number)
                raise CloudError(
                    f"query {number} was not explained within {aws.athena.query_seconds:g} s "
                    "(aws.athena.query_seconds): run it again"
                )
            time.sleep(aws.athena.poll_seconds)
    if status["State"] == "SUCCEEDED":
        return None
    return f"{status.get('StateChangeReason', status['State'])} (query {number})"


def _status(client: Any, number: str) -> dict[str, Any]:
    answer = client.get_query_execution(QueryExecutionId=number)
    status: dict[str, Any] = answer["QueryExecution"]["Status"]
    return status
