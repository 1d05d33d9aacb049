"""From models and checks to published tables: all of a session, or none of it.

Models run in memory, each seeing those before it; checks run over what they made. Only then are
the tables written, and the marker that starts the plan comes last, create-only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from cashtag import sessions
from cashtag.lake import contracts, layout, parquet, partitions
from cashtag.ports import Env
from cashtag.signals import checks, models
from cashtag.warehouse import sql

if TYPE_CHECKING:
    import pyarrow as pa

HISTORY = "daily_sentiment"  # the table of which checks also see the trailing sessions


@dataclass(frozen=True)
class Published:
    """What a session's tables hold now.

    `tables` are the rows by table, without the partition column; `findings` are what the warning
    checks said; `first` tells whether this call created the marker, of which there is one per
    state.
    """

    session: date
    dt: date
    state: str
    run_id: str
    tables: dict[str, pa.Table]
    findings: tuple[checks.Finding, ...]
    first: bool

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name: table.num_rows for name, table in self.tables.items()}

    @cached_property
    def hashes(self) -> dict[str, str]:
        """The tables' canonical content hashes, by name."""
        return {
            name: parquet.content_hash(contracts.contract(name), table)
            for name, table in self.tables.items()
        }


def publish(
    env: Env,
    session: date,
    dt: date,
    *,
    run: date | None = None,
    coverage: float | None,
    partial: bool,
    state: str,
    reasons: tuple[str, ...] = (),
) -> Published:
    """Make, check and publish the signal tables of one session.

    Args:
        env: lake, warehouse, settings, and the scorer whose version the run is named after.
        session: the session that the tables are for; each of its objects is replaced.
        dt: newest collected run of the session's window.
        run: the run that asked, `dt` when None; an earlier one of the same window when it is made again.
        coverage: smallest coverage of the window's runs; None when unknown.
        partial: a run of the window is missing or incomplete; stored, and traded by no gate.
        state: name of the state of the run's raw data and build; part of the marker's key.
        reasons: why it is partial, in words; kept for the digest beside what warning checks say.

    Raises:
        CheckFailed: a check marked `fail` found rows; the session's objects are untouched.
        InputError: `dt` is no run of the session.
    """
    tables, findings = make(env, session, dt, coverage=coverage, partial=partial)
    checks.refuse(findings, f"session {session}")
    for name, table in tables.items():
        contract = contracts.contract(name)
        env.lake.signals.put(layout.signals(name, session), parquet.write(contract, table))
        env.warehouse.register(name, session)
    told = {"reasons": list(reasons), "warnings": [str(finding) for finding in findings]}
    env.lake.signals.put(layout.findings(session), json.dumps(told, indent=1).encode())
    run_id = models.run_id(env, dt)
    # Nothing in the marker depends on when it was made, only on the run whose state it names.
    asked = run or dt
    marker = {"session": str(session), "dt": str(asked), "run_id": models.run_id(env, asked)}
    first = env.lake.signals.put_if_absent(
        layout.published(session, state), json.dumps(marker, sort_keys=True, indent=1).encode()
    )
    return Published(
        session=session,
        dt=dt,
        state=state,
        run_id=run_id,
        tables=tables,
        findings=findings,
        first=first,
    )


def make(
    env: Env, session: date, dt: date, *, coverage: float | None, partial: bool
) -> tuple[dict[str, pa.Table], tuple[checks.Finding, ...]]:
    """Return the session's tables by name, in the models' order, and what the checks found.

    Nothing is written: `explain` and the tests look at a session this way. Arguments and errors
    are those of `publish`, but failures are returned, not raised.
    """
    warehouse = env.warehouse
    params = models.parameters(env, session, dt, coverage=coverage, partial=partial)
    made: dict[str, pa.Table] = {}
    seen: dict[str, pa.Table] = {}  # the same rows, with their partition column
    with warehouse.shared():
        for name in models.MODELS:
            query = sql.load("sql", name)
            wanted = {key: params[key] for key in query.parameters if key in params}
            made[name] = warehouse.query(query.text, wanted, table=name, tables=seen)
            seen[name] = _with_partition(made[name], session)
        # A session is checked against the ones before it, too: see answers_drift.
        known = _with_history(env, session, seen[HISTORY])
        return made, checks.run(warehouse, params, {**seen, HISTORY: known})


def _with_history(env: Env, session: date, table: pa.Table) -> pa.Table:
    """The session's rows after those of the trailing sessions, read one by one: a bounded cost."""
    import pyarrow as pa

    found = [
        _with_partition(rows, before)
        for before in sessions.sessions_before(session, env.settings.signals.z_sessions)
        if (rows := partitions.read(env.lake, contracts.contract(HISTORY), before)) is not None
    ]
    return pa.concat_tables([*found, table])


def _with_partition(table: pa.Table, session: date) -> pa.Table:
    import pyarrow as pa

    day = pa.array([session], pa.date32()).take(pa.array([0] * table.num_rows, pa.int8()))
    return table.append_column("session", day)
