"""Feeds read in a process of their own: no document can hold up the run, nor fill its memory.

feedparser works in Python and in regular expressions that a few kilobytes can keep busy for
hours (an author's name of 80,000 letters takes its search for an e-mail address 40 s, and a
search cannot be interrupted). A process can: it starts in a tenth of a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from cashtag.errors import SourceRefused
from cashtag.scrape.addresses import host_of, plain
from cashtag.scrape.feed_items import Read

if TYPE_CHECKING:
    from cashtag.scrape.deadline import Deadline
    from cashtag.scrape.fetch import Page
    from cashtag.settings import Settings

_PROGRAM = "cashtag.scrape.feed_items"


def read_apart(page: Page, feed: str, settings: Settings, until: Deadline) -> Read:
    """Return the items of a page within `live.news.parse_seconds` and `parse_megabytes`.

    Raises:
        SourceRefused: as `feed_items.read`, or the document takes more than that.
    """
    rules = settings.live.news
    host = host_of(page.url)
    asked = {
        "content_type": page.headers.get("content-type", ""),
        "url": page.url,
        "feed": feed,
        "sponsored": [category.lower() for category in rules.sponsored],
        "megabytes": rules.parse_megabytes,
        "most": settings.live.max_bytes,
    }
    seconds = until.within(rules.parse_seconds)
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter, and a module of ours
            [sys.executable, "-m", _PROGRAM],
            input=json.dumps(asked).encode() + b"\n" + page.body,
            capture_output=True,
            timeout=seconds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceRefused(
            f"{host} sent a feed that takes more than {seconds:.3g} s to read"
        ) from error
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise SourceRefused(
            f"{host} sent a feed that ends its parser with {done.returncode}: {plain(last)}"
        )
    said = json.loads(done.stdout)
    if "refused" in said:
        raise SourceRefused(said["refused"])
    return Read(**said | {"items": tuple(said["items"])})
