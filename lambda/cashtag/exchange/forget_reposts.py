"""Retweets that name what they repeat by nothing but its text: the `tweets` tables tell them.

Twitter's and twscrape's formats hold the whole post inside its retweet, and `redact` sees it. The
reference format has only `RT @somebody: …`, sometimes cut off. A text that somebody wrote anew,
without those letters, is their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from cashtag.enrich.clean import clean
from cashtag.errors import ContractError, KeyMissing
from cashtag.lake import layout, parquet, partitions
from cashtag.lake.contracts import contract
from cashtag.ports import Lake

_CUT = "…"
_LEAST = 20  # characters of a text that was cut off, before it tells whose it was


def reposts(lake: Lake, texts: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of retweets of these texts, and the prefixes of the runs' raw keys that hold them."""
    wanted = [clean(text).casefold() for text in texts]
    ids, prefixes = set[str](), set[str]()
    if not wanted:
        return frozenset(), frozenset()
    table = contract("tweets")
    for dt in partitions.partitions(lake, table):
        try:
            data = lake.enriched.get(layout.enriched("tweets", dt))
            rows = parquet.read(table, data, ["tweet_id", "text"])
        except (KeyMissing, ContractError):  # such a table is made again from raw
            continue
        found = {
            rows.column("tweet_id")[number].as_py()
            for number, text in enumerate(rows.column("text").to_pylist())
            if text.startswith("RT @") and _repeats(text.casefold(), wanted)
        }
        if found:
            ids |= found
            prefixes.add(layout.raw_prefix("tweets", dt))
    return frozenset(ids), frozenset(prefixes)


def _repeats(text: str, wanted: Iterable[str]) -> bool:
    _, _, body = text.partition(" ")[2].partition(" ")
    if body.endswith(_CUT):
        start = body.removesuffix(_CUT).rstrip()
        return len(start) >= _LEAST and any(each.startswith(start) for each in wanted)
    return body in wanted
