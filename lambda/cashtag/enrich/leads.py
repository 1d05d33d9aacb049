"""What a model is asked about when tickers are discovered: what the day's raw and tables point to.

Clusters of headlines that share a ticker or a term, stocks whose volume surged, cashtags that
tweets named most, and what is tracked already. The same lake gives the same document. Its texts
are strangers' words, as data.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from cashtag import sessions
from cashtag.enrich.envelopes import RawLines, opened
from cashtag.enrich.markup import plain_text
from cashtag.lake import layout
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import read
from cashtag.ports import Lake, Store
from cashtag.scrape import manifest
from cashtag.settings import Settings
from cashtag.tickers import is_symbol, vocabulary

_WORD = re.compile(r"[^\W\d_]+")
_RATIO_DIGITS = 2
# Words that join headlines which have nothing in common.
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        """
    about after again against ahead also amid among another because been before behind
    being between both could does down during each even every from have here high into
    just last less like look make many more most much near need next only other over said
    says should since some soon still such take than that their them then there these they
    this those through today under until very want week were what when where which while
    will with would year years your
    """
    )
)


@dataclass(frozen=True, slots=True)
class Headline:
    """One item of the day's news: its text as one plain line, tickers it names, terms in it."""

    text: str
    tickers: tuple[str, ...]
    terms: frozenset[str]


def leads(settings: Settings, lake: Lake, dt: date) -> dict[str, Any]:
    """The document for the run of `dt`, as JSON has it; lists are ordered and bounded."""
    rules = settings.scrape.discovery
    tracked = tracked_on(settings, lake.raw, dt)
    return {
        "date": dt.isoformat(),
        "tracked": list(tracked),
        "news_clusters": [
            {"about": about, "headlines": texts}
            for about, texts in clusters(settings, headlines(settings, lake.raw, dt, tracked))
        ],
        "volume_surges": _surges(settings, lake, dt),
        "cashtags_of_tweets": _mentions(settings, lake, dt)[: rules.mentions],
    }


def tracked_on(settings: Settings, raw: Store, dt: date) -> tuple[str, ...]:
    """The watchlist and what the run was asked for, sorted."""
    asked = {row.ticker for row in manifest.tickers(manifest.of_day(raw, dt))}
    return tuple(sorted({*asked, *settings.watchlist.stocks}))


def headlines(
    settings: Settings, raw: Store, dt: date, tracked: Iterable[str]
) -> tuple[Headline, ...]:
    """The run's news, also what names no ticker; sorted, each text once."""
    words, found = vocabulary(settings), {}
    candidates = sorted(tracked)
    for info in raw.list(layout.raw_prefix("news", dt)):
        if layout.parse_raw(info.key) is None:
            continue
        for line in RawLines(raw.get(info.key)):
            envelope = opened(line)
            title = None if isinstance(envelope, str) else envelope[2].get("title")
            text = plain_text(title) if isinstance(title, str) else ""
            if text and text.casefold() not in found:
                tickers = tuple(words.mentioned(text, candidates))
                found[text.casefold()] = Headline(text, tickers, _terms(settings, text))
    return tuple(found[key] for key in sorted(found))


def clusters(settings: Settings, items: tuple[Headline, ...]) -> list[tuple[list[str], list[str]]]:
    """(What they share, headlines) of each cluster, the largest first.

    Items belong together when they name the same ticker or share a term. A term that more than
    `common_term_share` of all headlines share says nothing. What the same items share is one
    cluster.
    """
    rules = settings.scrape.discovery
    members: dict[str, set[int]] = defaultdict(set)
    for number, item in enumerate(items):
        for name in (*(f"${ticker}" for ticker in item.tickers), *item.terms):
            members[name].add(number)
    most = max(rules.cluster_size, int(len(items) * rules.common_term_share))
    shared: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for name in sorted(members):
        size = len(members[name])
        if size >= rules.cluster_size and (name.startswith("$") or size <= most):
            shared[tuple(sorted(members[name]))].append(name)
    ordered = sorted(shared.items(), key=lambda found: (-len(found[0]), found[1]))
    return [
        (about, [_cut(settings, items[n].text) for n in numbers[: rules.headlines]])
        for numbers, about in ordered[: rules.clusters]
    ]


def _terms(settings: Settings, text: str) -> frozenset[str]:
    words = {word.casefold() for word in _WORD.findall(text)}
    least = settings.scrape.discovery.term_letters
    return frozenset(word for word in words if len(word) >= least) - _FUNCTION_WORDS


def _surges(settings: Settings, lake: Lake, dt: date) -> list[dict[str, Any]]:
    session = sessions.session_of_run(dt, settings.scrape.cutoff_utc)
    table = read(lake, contract("daily_features"), session)
    if table is None:
        return []
    rows = table.select(["ticker", "volume_ratio", "change_percent"]).to_pylist()
    surged = [
        {**row, "volume_ratio": round(row["volume_ratio"], _RATIO_DIGITS)}
        for row in rows
        if row["volume_ratio"] is not None
        and row["volume_ratio"] > settings.scrape.discovery.volume_surge
        and row["ticker"] not in settings.scrape.always_bars
    ]
    return sorted(surged, key=lambda row: (-row["volume_ratio"], row["ticker"]))


def _mentions(settings: Settings, lake: Lake, dt: date) -> list[dict[str, Any]]:
    """Cashtags of the day's tweets, those of most authors first, with the most engaged tweet."""
    table = read(lake, contract("tweets"), dt)
    if table is None:
        return []
    columns = ["tweet_id", "author", "text", "engagement", "cashtags"]
    tweets = {row["tweet_id"]: row for row in table.select(columns).to_pylist()}
    named: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for tweet in tweets.values():
        for symbol in set(tweet["cashtags"] or ()):
            if is_symbol(symbol):
                named[symbol].append(tweet)
    found = [
        {
            "ticker": symbol,
            "tweets": len(about),
            "authors": len({tweet["author"] for tweet in about}),
            "example": _cut(settings, min(about, key=_by_engagement)["text"] or ""),
        }
        for symbol, about in named.items()
        if len(about) >= settings.scrape.discovery.cluster_size
    ]
    return sorted(found, key=lambda row: (-row["authors"], -row["tweets"], row["ticker"]))


def _by_engagement(tweet: dict[str, Any]) -> tuple[float, str]:
    return -(tweet["engagement"] or 0), tweet["tweet_id"]


def _cut(settings: Settings, text: str) -> str:
    return text[: settings.scrape.discovery.text_characters]
