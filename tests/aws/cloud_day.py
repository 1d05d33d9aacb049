"""Three days of the stack on loopback, for people to watch: what started what, and what came of it.

    make cloud-day          # python tests/aws/cloud_day.py [--all]

Each line is one delivery: the simulated time, what sent it, the function, its seconds, its outcome.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":  # as pytest has it
    sys.path[:0] = [str(ROOT / part) for part in ("lambda", "tests/doubles", "tests/aws")]

import moody_world  # noqa: E402
from stack_wiring import Delivery  # noqa: E402

from cashtag.lake import layout  # noqa: E402

if TYPE_CHECKING:
    from cloud import Cloud
    from dispatcher import Entry

CHAINS = ("AAPL", "NVDA")


def morning(cloud: Cloud, day: date) -> None:
    """Turn the world to a day, and let the chains of its morning be in raw."""
    cloud.net.sites = dict(cloud.world.turn_to(day))
    cloud.dispatcher.now = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=11)
    for ticker in CHAINS:
        cloud.put("raw", *moody_world.chain(ticker, day))
    cloud.dispatcher.idle()


def run(
    cloud: Cloud,
    days: Sequence[date] = moody_world.DAYS,
    *,
    every: bool = False,
    until: timedelta = timedelta(hours=13, minutes=10),
) -> None:
    """Let the days pass; the last one ends at `until`, before its session opens.

    With `every`, each five minutes of managing are delivered; else the first of each schedule.
    """
    for number, day in enumerate(days, 1):
        morning(cloud, day)
        midnight = datetime.combine(day, datetime.min.time(), UTC)
        end = midnight + (timedelta(hours=22) if number < len(days) else until)
        cloud.dispatcher.run_until(end, _wanted(every))


def afterwards(cloud: Cloud) -> None:
    """What people ask for once the days are over, and what heals.

    The smoke test of a deployment; the plan of a settled session, and a run's signals once more,
    after partitions were registered elsewhere; an object whose lines were rejected and are not.
    """
    settled, last = moody_world.DAYS[1], moody_world.DAYS[2]
    _move(cloud, "decisions", settled)
    _move(cloud, "tweets", last)
    stages = cloud.objects("enriched", "stage/")
    build = next(iter(stages)).split("/")[1]
    tweets, prices = (
        next(key for key in cloud.objects("raw") if key.startswith(f"{kind}/dt={last}/"))
        for kind in ("tweets", "prices")
    )
    s3, enriched = cloud.account.client("s3"), cloud.zone("enriched")
    for key in (tweets, prices):
        s3.put_object(Bucket=enriched, Key=layout.rejected(build, key), Body=b"")
    for function, event in (
        ("HealthFunction", {"action": "smoke"}),
        ("TradeFunction", {"action": "plan", "session": str(settled)}),
        ("EnrichFunction", {"keys": [tweets]}),
        ("SignalsFunction", {"action": "run", "dt": str(last)}),
    ):
        target = cloud.functions[function].definition.arn
        what = event.get("action", "keys")
        cloud.dispatcher.deliver(Delivery(f"asked {what}", "a person", target, event))
        cloud.dispatcher.idle()


def _move(cloud: Cloud, table: str, partition: date) -> None:
    """Register a partition as if it lay in another bucket, as before one was replaced."""
    glue, database = cloud.account.client("glue"), cloud.stack.outputs()["Database"]
    place = {"DatabaseName": database, "TableName": table}
    told = glue.get_partition(**place, PartitionValues=[str(partition)])["Partition"]
    storage = told["StorageDescriptor"]
    storage["Location"] = storage["Location"].replace("s3://", "s3://before-")
    glue.update_partition(
        **place,
        PartitionValueList=[str(partition)],
        PartitionInput={
            "Values": [str(partition)],
            "StorageDescriptor": storage,
            "Parameters": told.get("Parameters", {}),
        },
    )


def _wanted(every: bool) -> Callable[[datetime, str], bool]:
    seen: set[str] = set()

    def wanted(_: datetime, schedule: str) -> bool:
        if every or "Manage" not in schedule or schedule not in seen:
            seen.add(schedule)
            return True
        return False

    return wanted


def line(entry: Entry, began: float) -> str:
    """One attempt as a person reads it."""
    cause = entry.delivery.cause
    cause = cause if len(cause) <= 64 else f"{cause[:63]}…"
    again = f" (attempt {entry.attempt})" if entry.attempt > 1 else ""
    cold = " cold" if entry.outcome.cold else ""
    said = entry.outcome.payload
    told = _short(said) if entry.outcome.ok else f"{entry.outcome.kind}: {_error(said)}"
    return (
        f"{time.perf_counter() - began:6.1f}s  {entry.at:%d %b %H:%M}  {cause:64}  "
        f"{entry.function.removesuffix('Function').lower():8} {entry.outcome.seconds:6.2f}s"
        f"{cold}{again}  {told}"
    )


def _short(said: Any) -> str:
    text = ", ".join(_facts(said)) if isinstance(said, dict) else str(said)
    return text if len(text) <= 110 else f"{text[:109]}…"


def _facts(said: dict[str, Any]) -> Iterable[str]:
    for key, value in said.items():
        if isinstance(value, dict):
            yield from _facts(value)
        elif key == "checks":
            yield f"{sum(check['status'] == 'ok' for check in value)} of {len(value)} checks"
        elif value not in (None, [], "", {}) and key != "note":
            name = key.rpartition("/")[2] if "/" in key else key
            yield f"{name} {value}"


def _error(said: Any) -> str:
    if isinstance(said, dict):
        return str(said.get("errorMessage") or said.get("errorType"))[:110]
    return str(said)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the days, show them, compare with the laptop; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every five minutes of managing")
    given = parser.parse_args(arguments)
    import laptop
    import task_roots
    from cloud import Cloud

    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="cloud-day-") as name:
        folder = Path(name)
        print("laying out zip and layers, creating the stack …", flush=True)
        root = task_roots.lay_out()
        (folder / "run").mkdir()
        with Cloud(folder / "run", root) as cloud:
            cloud.dispatcher.tell = lambda entry: print(line(entry, began), flush=True)
            run(cloud, every=given.all)
            afterwards(cloud)
            print(
                f"\n{len(cloud.dispatcher.journal)} invocations, {cloud.gateway.requests} requests, "
                f"{len(cloud.published)} messages, {len(cloud.dispatcher.bus)} events"
            )
            wrong = [f"refused: {used.role} {used.call}" for used in cloud.gateway.denied()]
            wrong += [f"not delivered: {one}" for one in cloud.dispatcher.wiring.refused]
            wrong += cloud.gateway.unknown
            print("the same days on a laptop …", flush=True)
            (folder / "laptop").mkdir()
            lake = laptop.run(folder / "laptop", cloud)
            for zone in laptop.ZONES:
                theirs = cloud.objects(zone)
                found = laptop.differences(zone, theirs, laptop.of_folder(lake, zone))
                count = len(dict(laptop.tables(zone, theirs)))
                print(f"{zone}: {count} tables, {len(found)} differences")
                wrong += found
    for one in wrong:
        print(one)
    print(f"{time.perf_counter() - began:.0f} s: {'all equal' if not wrong else 'NOT equal'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
