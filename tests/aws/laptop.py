"""The same days on a laptop: a folder, DuckDB and the command line, from the same raw objects.

What the cloud derived is compared with what the laptop derives: every table of every zone by its
canonical hash, and every other object of enriched, signals and ledger by its bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cashtag import services
from cashtag.lake import layout, parquet
from cashtag.lake.canonical import content_hash
from cashtag.lake.contracts import contracts
from cashtag.ports import Lake

ZONES = ("enriched", "signals", "ledger")
# What only a stack keeps: who was told what, and what was sent.
OF_THE_STACK = ("_ANNOUNCED/", "_SENT/")
# Markers, which start functions there; here nothing is started by them.
MARKERS = ("_SUCCESS/", "_PUBLISHED/")


def environ(cloud: Any) -> dict[str, str]:
    """What sets the laptop to the stack's model, as the stack's functions are set to it."""
    return {
        **cloud.endpoint.environ(),
        "CASHTAG_ENRICH__MODEL": "sagemaker",
        "CASHTAG_MODELS__SAGEMAKER__NAME": cloud.endpoint.name,
    }


def run(folder: Path, cloud: Any) -> Lake:
    """Make every day of a cloud again, on this machine, from its raw objects; return the lake."""
    lake = services.folder_lake(folder / "lake")
    for key, body in cloud.objects("raw").items():
        lake.raw.put(key, body)
    (folder / "cashtag.toml").write_text(cloud.settings)
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from cashtag.cli import main; main()"),
            *("rebuild", "--no-report", "--lake", "lake"),
        ],
        cwd=folder,
        env={**os.environ, **environ(cloud)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return lake


def tables(zone: str, objects: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """(table and partition, canonical hash) of every table's object in a zone."""
    for name, contract in contracts().items():
        if contract.zone != zone:
            continue
        for key, body in objects.items():
            if key.startswith(f"{name}/") and key.endswith(f"/{layout.PART}"):
                rows = parquet.read(contract, body)
                yield key, content_hash(contract, rows)


def of_folder(lake: Lake, zone: str) -> dict[str, bytes]:
    """The objects of a zone on the laptop, by key."""
    store = getattr(lake, zone)
    return {info.key: store.get(info.key) for info in store.list()}


def differences(zone: str, theirs: Mapping[str, bytes], ours: Mapping[str, bytes]) -> list[str]:
    """In words, what differs between a zone in the cloud and the same on the laptop."""
    there, here = dict(tables(zone, theirs)), dict(tables(zone, ours))
    found = [
        f"{key}: {'differs' if key in there and key in here else 'only ' + _where(key, there)}"
        for key in sorted(there.keys() | here.keys())
        if there.get(key) != here.get(key)
    ]
    rest_there = {key: body for key, body in theirs.items() if key not in there}
    rest_here = {key: body for key, body in ours.items() if key not in here}
    for key in sorted(rest_there.keys() | rest_here.keys()):
        if key.startswith(OF_THE_STACK) or key.startswith(MARKERS):
            continue
        if key not in rest_there or key not in rest_here:
            found.append(f"{key}: only {_where(key, rest_there)}")
        elif not key.endswith(".parquet") and rest_there[key] != rest_here[key]:
            found.append(f"{key}: other bytes")
    return found


def _where(key: str, there: Mapping[str, object]) -> str:
    return "in the cloud" if key in there else "on the laptop"
