"""Lambda: scrape a run when its schedule says so, or resume it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cashtag import services
from cashtag.handlers import events, metrics, running
from cashtag.operate import collecting


@running.step
def handler(event: running.Event, context: Any) -> dict[str, Any]:
    """Take `{"action": "scrape"|"resume", "scheduled"|"dt": …}`; return what was obtained.

    Raises InputError for a run before its cutoff, and what should be retried.
    """
    events.action(event, "scrape", "resume")
    env = services.from_environment()
    reserve = env.settings.aws.reserve_seconds
    env = services.from_environment(seconds=running.seconds_left(context, reserve))
    done = collecting.collect(env, events.run_of(event), datetime.now(UTC))
    metrics.emit(env.settings, [(metrics.TWEETS, done.new_tweets)])
    return done.row()
