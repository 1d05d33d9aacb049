"""Lambda: plan a session that was published (S3 PUT of its marker), execute it, manage it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cashtag import services, steps
from cashtag.handlers import events, running
from cashtag.operate import concluding


@running.step
def handler(event: running.Event, _context: Any) -> dict[str, Any]:
    """Take the S3 event of `_PUBLISHED/`, or `{"action": "plan"|"execute"|"manage", …}`.

    The session is `session`, or New York's date at `scheduled`. Raises what should be retried.
    """
    env = services.from_environment()
    if events.is_of_objects(event):
        keys = events.objects_put(event, env.settings.aws.signals)
        return {key: _told(concluding.plan_published(env, key)) for key in keys}
    action, session = events.action(event, "plan", "execute", "manage"), events.session_of(event)
    if action == "plan":
        return _told(concluding.plan_again(env, session))
    done = steps.execute(env, session) if action == "execute" else steps.manage(env, session)
    return {name: _plain(value) for name, value in asdict(done).items()}


def _told(planned: concluding.Planned | None) -> dict[str, Any]:
    if planned is None:
        return {"status": "nothing to plan"}
    plan = planned.plan
    return {
        "session": plan.session.isoformat(),
        "status": plan.status,
        "plan": plan.id,
        "orders": len(plan.intents),
        "blocked": len(plan.blocked),
        "partial": plan.partial,
        "note": plan.note,
        "unannounced": list(planned.failed),
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
