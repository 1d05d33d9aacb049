"""The deployed stack at work, as an operator sees it: logs, schedules, failures, settings, cost."""

from __future__ import annotations

from cashtag.errors import InputError

STEPS = ("scrape", "enrich", "signals", "trade", "health")


def steps(chosen: str | None) -> tuple[str, ...]:
    """The steps that are meant: the one that is named, all without a name.

    Raises:
        InputError: there is no such step.
    """
    if chosen is None:
        return STEPS
    if chosen not in STEPS:
        raise InputError(f"STEP {chosen!r} is none of: {', '.join(STEPS)}")
    return (chosen,)
