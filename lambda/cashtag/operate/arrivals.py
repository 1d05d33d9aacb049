"""Raw objects that have come: each enriched, then every day among them looked at for completeness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from cashtag import steps
from cashtag.errors import CashtagError, InputError
from cashtag.lake import completion, layout
from cashtag.ports import Env
from cashtag.scrape import manifest
from cashtag.scrape.deadline import Deadline


@dataclass(frozen=True)
class Arrived:
    """What became of the objects: lines by fate, mean polarity by key, days found complete.

    `left` were not taken up, because the time was over: to be asked for again.
    """

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    polarity: dict[str, float] = field(default_factory=dict)
    complete: tuple[date, ...] = ()
    left: tuple[str, ...] = ()


def enrich(env: Env, keys: Sequence[str], until: Deadline | None = None) -> Arrived:
    """Enrich raw objects and look at their days; manifests only make their days looked at.

    One object that fails does not keep the others from being enriched.

    Args:
        env: where the lake and the model are.
        keys: keys of the raw zone; what leaves no rows is passed over.
        until: take up no further object after that; without one all are.

    Raises:
        CashtagError: the first error of an object, after all others were tried.
    """
    counts: dict[str, dict[str, int]] = {}
    polarity: dict[str, float] = {}
    left: list[str] = []
    failed: list[CashtagError] = []
    dates = {dt for key in keys if (dt := _date(key)) is not None}
    for key in keys:
        if until is not None and until.passed:
            left.append(key)
            continue
        try:
            done = steps.enrich(env, key)
        except CashtagError as error:
            failed.append(error)
            continue
        if done is not None:
            counts[key] = done.counts
            if done.polarity is not None:
                polarity[key] = done.polarity
    complete = tuple(dt for dt in sorted(dates) if steps.complete(env, dt))
    if failed:
        raise failed[0]
    return Arrived(counts, polarity, complete, tuple(left))


def again(env: Env, dt: date, until: Deadline | None = None) -> Arrived:
    """Enrich every object that the day's manifests expect, as far as the time allows.

    Raises:
        InputError: the day has no manifest.
        CashtagError: as `enrich`.
    """
    manifests = manifest.of_day(env.lake.raw, dt)
    if not manifests:
        raise InputError(
            f"dt = {dt}: {env.lake.raw.uri(layout.manifests(dt))} holds no manifest; scrape the "
            "day first"
        )
    keys = completion.staged_kinds(obj.key for obj in manifest.expected(manifests))
    return enrich(env, keys, until)


def _date(key: str) -> date | None:
    """The run that a raw object or a manifest belongs to; None for anything else."""
    parsed = layout.parse_raw(key)
    if parsed is not None:
        return parsed.dt
    return layout.parse_manifest(key)
