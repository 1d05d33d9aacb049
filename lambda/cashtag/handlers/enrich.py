"""Lambda: enrich raw objects as they come (S3 PUT), and see whether their day is complete."""

from __future__ import annotations

from typing import Any

from cashtag import services
from cashtag.errors import InputError
from cashtag.handlers import events, metrics, running
from cashtag.operate import arrivals
from cashtag.scrape.deadline import Deadline


@running.step
def handler(event: running.Event, context: Any) -> dict[str, Any]:
    """Take an S3 event, `{"keys": […]}` or `{"action": "rebuild", "dt": …}`; return rows by key.

    What a person asks for stops before the function's time is over and names what is `left`.
    Raises what should be retried.
    """
    env = services.from_environment()
    if events.is_of_objects(event):
        done = arrivals.enrich(env, events.objects_put(event, env.settings.aws.raw))
    else:
        seconds = running.seconds_left(context, env.settings.aws.reserve_seconds)
        until = None if seconds is None else Deadline(seconds)
        if "keys" in event:
            done = arrivals.enrich(env, _keys(event), until)
        else:
            events.action(event, "rebuild")
            done = arrivals.again(env, events.run_of(event), until)
    metrics.emit(env.settings, [(metrics.SENTIMENT, mean) for mean in done.polarity.values()])
    return {
        "rows": {key: counts.get("rows", 0) for key, counts in done.counts.items()},
        "complete": [dt.isoformat() for dt in done.complete],
        "left": list(done.left),
    }


def _keys(event: running.Event) -> list[str]:
    keys = event["keys"]
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise InputError('keys is no list of texts; send {"keys": ["tweets/dt=…/….jsonl.gz"]}')
    return keys
