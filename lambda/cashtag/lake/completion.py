"""When a day is complete, without polling: the comparison that every writer makes.

Whoever enriches an object or writes a manifest compares what the day's manifests expect with
what is staged. The one that sees it complete creates a marker whose name is the hash of the
manifests and the build; a create-only put lets exactly one of many succeed. A resumed scrape,
changed settings or a new model give another name, so the day is made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date

from cashtag.lake import layout
from cashtag.ports import Lake

STAGED = ("tweets", "news", "options")


def build(config_hash: str, model_version: str) -> str:
    """Name of a build: 12 hex digits of sha256 over settings and model version."""
    return hashlib.sha256(f"{config_hash}\n{model_version}".encode()).hexdigest()[:12]


def run_id(day: date, config_hash: str, model_version: str) -> str:
    """Name of a run: 12 hex digits of sha256 over date, settings and model version."""
    text = f"{day.isoformat()}\n{config_hash}\n{model_version}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def state(manifest_keys: Iterable[str], build_name: str) -> str:
    """Name of a day's state: sha256 over its manifests' keys, sorted, and the build; hex."""
    text = "\n".join([*sorted(manifest_keys), build_name])
    return hashlib.sha256(text.encode()).hexdigest()


def staged_kinds(keys: Iterable[str]) -> list[str]:
    """Those of the expected raw keys that leave a stage object; bars are cut in compaction."""
    return [key for key in keys if key.split("/", 1)[0] in STAGED]


def missing(lake: Lake, build_name: str, expected_keys: Iterable[str]) -> list[str]:
    """Expected raw keys without a stage object of this build."""
    return [
        key
        for key in staged_kinds(expected_keys)
        if not lake.enriched.exists(layout.stage(build_name, key))
    ]


def mark(lake: Lake, dt: date, state_name: str) -> bool:
    """Create the day's marker; True for the one writer that did."""
    return lake.enriched.put_if_absent(layout.success(dt, state_name), b"")
