"""Lambda: look whether the stack can work and the day's work is done, and report figures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cashtag import services
from cashtag.errors import SettingsError
from cashtag.handlers import events, metrics, running
from cashtag.operate import health

_FIGURES = {
    "drift": metrics.SCHEMA_DRIFT,
    "missing": metrics.DAY_MISSING,
    "mismatch": metrics.LEDGER_MISMATCH,
    "loss": metrics.DAILY_LOSS,
}


@running.step
def handler(event: running.Event, _context: Any) -> dict[str, Any]:
    """Take `{"action": "check"|"smoke", "scheduled"?}`; return the findings, and never raise for one."""
    action = events.action(event, "check", "smoke")
    now = events.scheduled(event) or datetime.now(UTC)
    try:
        env = services.from_environment()
    except SettingsError as error:
        return health.unsettled(error).row()
    report = health.examine(env, now) if action == "check" else health.smoke(env, now)
    values = [(_FIGURES[name], value) for name, value in report.figures.items()]
    metrics.emit(env.settings, values)
    return report.row()
