"""Takes each part of the template away and shows by what the cloud day would have noticed.

    make cloud-mutations        # python tests/aws/cloud_mutations.py [--replay]

Runs the days once, asks every mutant about them by replay, and then puts the mutants of
`stack_mutations.RUN` through a day of their own. Exits 1 when one survives.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":  # as pytest has it
    sys.path[:0] = [str(ROOT / part) for part in ("lambda", "tests/doubles", "tests/aws")]

import cloud_day  # noqa: E402
import moody_world  # noqa: E402
import stack_mutations  # noqa: E402
import task_roots  # noqa: E402
from cloud import Cloud  # noqa: E402
from lambda_sandbox import TaskRoot  # noqa: E402
from stack_mutations import Judge, Mutant  # noqa: E402

EVERY_DAY = ["ScrapeDaily", "ScrapeResume", "SignalsDeadline", "HealthCheck"]
MARKERS = ("_SUCCESS/", "_PUBLISHED/")


def noticed(mutant: Mutant, root: TaskRoot, folder: Path) -> str | None:
    """Put a mutant through one day; return what went wrong, None when nothing did."""
    day = moody_world.DAYS[0]
    try:
        with Cloud(folder, root, template=json.dumps(mutant.template)) as cloud:
            cloud_day.run(cloud, (day,))
            return _wrong(cloud, str(day))
    except (RuntimeError, stack_mutations.WiringError) as error:
        return str(error)


def _wrong(cloud: Cloud, day: str) -> str | None:
    """What a day lacks that a whole one has."""
    for refused in cloud.dispatcher.wiring.refused:
        return f"{refused.by}: {refused.reason}"
    for used in cloud.gateway.denied():
        return f"{used.role} may not {used.call}"
    for entry in cloud.dispatcher.journal:
        if not entry.outcome.ok:
            return f"{entry.delivery.cause}: {entry.outcome.kind}"
    due = [schedule for _, schedule in cloud.dispatcher.due]
    if due != EVERY_DAY:
        return f"schedules that came: {', '.join(due)}"
    for entry in cloud.dispatcher.journal:
        if entry.delivery.cause.startswith(("EnrichedBucket ", "SignalsBucket ")) and (
            not entry.delivery.cause.partition(" ")[2].startswith(MARKERS)
        ):
            return f"{entry.function} was started by {entry.delivery.cause}"
    for what, zone, prefix in (
        ("nothing was scraped", "raw", f"manifests/dt={day}/"),
        ("the day was never complete", "enriched", f"_SUCCESS/dt={day}/"),
        ("nothing was published", "signals", f"_PUBLISHED/session={day}/"),
        ("nothing was planned", "ledger", f"events/dt={day}/plan-"),
    ):
        if not cloud.objects(zone, prefix):
            return what
    if not any("_SUCCESS/" in entry.delivery.cause for entry in cloud.dispatcher.journal):
        return "the marker of the whole day started nothing"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a mutant survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replay", action="store_true", help="run no mutant")
    given = parser.parse_args(arguments)
    began = time.perf_counter()
    root = task_roots.lay_out()
    survivors, counts = [], {"caught": 0, "not examined": 0}
    with tempfile.TemporaryDirectory(prefix="cloud-mutations-") as name:
        folder = Path(name)
        (folder / "whole").mkdir()
        print("recording three days …", flush=True)
        with Cloud(folder / "whole", root) as cloud:
            cloud_day.run(cloud)
            cloud_day.afterwards(cloud)
            stack, recording = cloud.stack, cloud.recording()
        judge = Judge(stack, recording)
        mutants = list(stack_mutations.mutants(stack))
        for mutant in mutants:
            by, excuse = judge.caught(mutant), stack_mutations.excuse(mutant.name)
            if by is not None:
                counts["caught"] += 1
                _row(mutant.name, "caught", by)
            elif excuse is not None:
                counts["not examined"] += 1
                _row(mutant.name, "not examined", excuse)
            else:
                survivors.append(mutant.name)
                _row(mutant.name, "SURVIVES", "")
        ran = [mutant for mutant in mutants if mutant.name in stack_mutations.RUN]
        for number, mutant in enumerate(() if given.replay else ran):
            (folder / f"run-{number}").mkdir()
            by = noticed(mutant, root, folder / f"run-{number}")
            if by is None:
                survivors.append(f"{mutant.name} (run)")
            _row(mutant.name, "SURVIVES a run" if by is None else "caught in a run", by or "")
    print(
        f"\n{len(mutants)} mutants: {counts['caught']} caught by replay, {len(survivors)} survive, "
        f"{counts['not examined']} not examined; {time.perf_counter() - began:.0f} s"
    )
    return 1 if survivors else 0


def _row(name: str, verdict: str, by: str) -> None:
    print(f"{name:64.64}  {verdict:15}  {by[:120]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
