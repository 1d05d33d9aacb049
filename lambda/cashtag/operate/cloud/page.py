"""The private dashboard of a stack: made from its tables, kept in its bucket, shown from a copy.

The page is many files that refer to each other, and its bucket is closed to everyone; so what a
person opens is a copy on this machine, brought up to date by size and content.
"""

from __future__ import annotations

import os
from pathlib import Path

from cashtag.errors import InputError
from cashtag.operate.stack import Stack
from cashtag.ports import Lake, Progress
from cashtag.report.build import INDEX

ANNOUNCEMENTS = "alerts/"  # of a notifier that keeps files: no part of the page


def folder(stack: Stack) -> Path:
    """Where the copy of a stack's page lies: below the user's cache folder, closed to others."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "cashtag" / f"{stack.name}-{stack.account}-{stack.region}"


def sync(lake: Lake, where: Path, progress: Progress) -> tuple[Path, int]:
    """Make the folder hold the page as the lake has it; return its index and how much was fetched.

    Shards carry their content's fingerprint in their name, so one that is there is left alone.
    What the page no longer has is removed: a forgotten post is gone from the copy, too. The index
    comes last, so a sync that died leaves an older page that works.

    Raises:
        InputError: no page has been made yet.
        StoreError: the bucket or the folder cannot be read or written.
    """
    from cashtag.lake.disk import FolderStore

    there = {
        info.key: info.size for info in lake.report.list() if not info.key.startswith(ANNOUNCEMENTS)
    }
    if INDEX not in there:
        raise InputError(
            f"{lake.report.uri()} holds no dashboard yet; `cashtag report --env …` makes one"
        )
    where.mkdir(parents=True, exist_ok=True, mode=0o700)
    copy = FolderStore(where)
    have = {info.key: info.size for info in copy.list()}
    wanted = [
        key
        for key, size in there.items()
        if key != INDEX and (have.get(key) != size or not _is_named_by_content(key))
    ]
    for n, key in enumerate(wanted):
        progress(n, len(wanted) + 1, key)
        copy.put(key, lake.report.get(key))
    copy.put(INDEX, lake.report.get(INDEX))
    for key in have.keys() - there.keys():
        copy.delete(key)
    progress(len(wanted) + 1, len(wanted) + 1, "")
    return where / INDEX, len(wanted) + 1


def _is_named_by_content(key: str) -> bool:
    return key.startswith("data/")
