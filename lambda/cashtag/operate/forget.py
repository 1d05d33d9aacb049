"""`cashtag forget`: takes a post or an author out of the lake for good, and makes the rest again.

In this order, each step of which may be killed and repeated, and done by two at once: tombstone,
record, rewrite of raw and of recorded answers, stage, manifest that supersedes, tables, page,
`.done`. While it runs, whoever enriches sees the tombstone and leaves the forgotten out.

Which sessions are made again: those that the changed runs belong to, and the `signals.z_sessions`
after each, because a session compares itself with so many before it (`previous_polarity`, `z`).
Their polarity itself does not change, so nothing reaches further. Coverage counts what was scraped
and does not change either. The ledger is a record of what the desk knew then: it holds no post, no
author and no id of either, and is not touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from cashtag import sessions, steps
from cashtag.errors import InputError
from cashtag.exchange import forget_record, forget_rewrite, forget_search
from cashtag.exchange.forget_record import Item, Record
from cashtag.exchange.forget_search import Found, silent
from cashtag.exchange.forget_target import Target
from cashtag.lake import layout, tombstones
from cashtag.operate import takedown
from cashtag.operate.takedown import MADE_AGAIN, REMOVED, REWRITTEN
from cashtag.ports import Env, Progress, Store

_WORD = re.compile(r"[\w-]+")  # an id or a handle, and whatever else is a word


@dataclass(frozen=True)
class Outlook:
    """What there is of a target, and what forgetting it would do."""

    found: Found
    items: tuple[Item, ...]
    runs: tuple[date, ...]
    sessions: tuple[date, ...]

    @property
    def target(self) -> Target:
        """The target, with what the lake knows of it."""
        return self.found.target

    @property
    def posts(self) -> int:
        """Lines of raw that go as a whole: a post counts once for every object that holds it."""
        return sum(hit.gone for hit in self.found.hits.values() if hit.key.startswith("tweets/"))

    @property
    def mentions(self) -> int:
        """Lines of others that lose a quotation, a mention or an id."""
        hits = self.found.hits.values()
        return sum(hit.lines - hit.gone for hit in hits if hit.key.startswith("tweets/"))


@dataclass(frozen=True)
class Forgotten:
    """What a call did: the tombstone's hash, whether it is new, and the records carried out."""

    tombstone: str
    new: bool
    records: tuple[Record, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """Objects of all its records."""
        return tuple(item for record in self.records for item in record.items)


def look(env: Env, target: Target, progress: Progress = silent) -> Outlook:
    """Search the lake and say what would go; nothing is changed.

    Raises:
        StoreError: a zone cannot be read.
    """
    return _outlook(env, forget_search.search(env.lake, target, progress))


def forget(
    env: Env, seen: Outlook, *, reason: str, at: datetime, progress: Progress = silent
) -> Forgotten:
    """Set the tombstone, and remove what `look` saw, and what has come since.

    Args:
        env: its lake is changed; its settings and scorer make tables again.
        seen: what `look` returned.
        reason: why, in a person's words; kept in the tombstone.
        at: the moment of the request, UTC; kept in the tombstone.
        progress: called with steps done, steps there are, and what is done now.

    Raises:
        InputError: `reason` names the target.
        CheckFailed: a session whose tables the checks refuse without the forgotten; everything
            else is done, and those tables are gone.
        StoreError: a zone cannot be read, written or purged; run again to go on.
    """
    raw, target = env.lake.raw, seen.target
    names = {target.name, *target.wanted.tweets, *target.wanted.authors}
    if {name.casefold() for name in names} & set(_WORD.findall(reason.casefold())):
        raise InputError("--reason names whom to forget, and would be kept; write it without")
    digest, new = tombstones.add(raw, target.kind, target.name, at, reason)
    _add_ids(env, target, at, reason)
    # What a scrape kept between the search and the tombstone; from now on nothing more comes.
    later = forget_search.search(env.lake, target, silent, seen.found.read)
    if later.target != target:  # an id that nobody knew: what was read may hold it, too
        later = forget_search.search(env.lake, later.target, progress)
        _add_ids(env, later.target, at, reason)
    found = seen.found.joined(later)
    open_records, done = forget_record.records(raw, target.kind, digest)
    # Another call may have been here since the search.
    found = forget_search.still_there(env.lake, found, _raw_keys(done))
    if found != seen.found:
        seen = _outlook(env, found)
    if not {item.key for item in seen.items if item.zone == "raw"} <= _raw_keys(open_records):
        record = Record(target.kind, digest, seen.items, seen.runs, seen.sessions)
        forget_record.write(raw, record)
        open_records.append(record)
    if open_records:
        takedown.carry_out(env, found, open_records, progress)
        forget_record.finish(raw, open_records)
    return Forgotten(digest, new, tuple(open_records))


def _add_ids(env: Env, target: Target, at: datetime, reason: str) -> None:
    """Tombstones for what else a target is known by: an author's ids, a post's retweets."""
    for author_id in sorted(target.wanted.authors):
        tombstones.add(env.lake.raw, "author", author_id, at, reason)
    for post in sorted(target.wanted.tweets - {target.name}):
        tombstones.add(env.lake.raw, "tweet", post, at, reason)


def _raw_keys(records: Iterable[Record]) -> frozenset[str]:
    return frozenset().union(*(record.raw_keys for record in records))


def _outlook(env: Env, found: Found) -> Outlook:
    tweets = sorted(key for key in found.hits if key.startswith("tweets/"))
    made = forget_search.mirrors(env.lake.enriched, tweets)
    build = steps.build_of(env)
    runs = tuple(sorted({parsed.dt for key in tweets if (parsed := layout.parse_raw(key))}))
    again = _sessions(env, runs)
    items = [
        Item("raw", hit.key, REWRITTEN, hit.lines, hit.versions)
        for hit in sorted(found.hits.values(), key=lambda hit: hit.key)
    ]
    quoting = forget_rewrite.discovered(env.lake.raw, found.target.wanted, found.texts)
    items += [Item("raw", key, REWRITTEN, None, _count(env.lake.raw, key)) for key in quoting]
    for key in tweets:
        for zone_of, what in ((made.scores, REWRITTEN), (made.stage, None), (made.rejected, None)):
            items += [
                Item(
                    "enriched",
                    each,
                    what or (MADE_AGAIN if each.split("/")[1] == build else REMOVED),
                    found.hits[key].lines if what else None,
                    versions,
                )
                for each, versions in sorted(zone_of.get(key, {}).items())
            ]
    for store, zone, keys in takedown.tables(env, runs, again):
        items += [Item(zone, key, MADE_AGAIN, None, n) for key in keys if (n := _count(store, key))]
    told = forget_rewrite.announced(env.lake.report, found.target.wanted, found.texts)
    items += [Item("report", key, REMOVED, None, _count(env.lake.report, key)) for key in told]
    if tweets and (n := sum(one.count for one in env.lake.report.versions(takedown.PAGE_DATA))):
        items.append(Item("report", takedown.PAGE_DATA, MADE_AGAIN, None, n))
    return Outlook(found, tuple(items), runs, again)


def _count(store: Store, key: str) -> int:
    return sum(one.count for one in store.versions(key) if one.key == key)


def _sessions(env: Env, runs: Iterable[date]) -> tuple[date, ...]:
    """Sessions with tables that the runs belong to, or that look back on those."""
    settings = env.settings
    found: set[date] = set()
    for first in {sessions.session_of_run(dt, settings.scrape.cutoff_utc) for dt in runs}:
        found.add(first)
        session = first
        for _ in range(settings.signals.z_sessions):
            session = sessions.next_session(session)
            found.add(session)
    return tuple(
        session
        for session in sorted(found)
        if env.lake.signals.exists(layout.signals("daily_sentiment", session))
    )
