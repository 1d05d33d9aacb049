"""One raw object of news -> a row for each ticker that an item names, by the same two halves.

A ticker is named by cashtag, by its company's name, by a keyword of the watchlist or by its bare
symbol; a filing only by its cashtag or the whole name of the company that files. Title and
content are the feed's own, as plain text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from cashtag.enrich.answers import answers
from cashtag.enrich.envelopes import RawLines, opened
from cashtag.enrich.facts import calendar_ms, runs, sessions_of
from cashtag.enrich.filers import company_key, filers
from cashtag.enrich.markup import plain_link, plain_text
from cashtag.enrich.moments import milliseconds
from cashtag.enrich.parsed import Enriched, Parsed, Score, constant, enriched, rejected
from cashtag.lake.completion import run_id
from cashtag.lake.contracts import contract
from cashtag.lake.layout import RawKey
from cashtag.sentiment.answered import Answered
from cashtag.tickers import vocabulary

if TYPE_CHECKING:
    from cashtag.settings import Settings

SYNTHETIC = "synthetic"  # invented news is labelled so, not by the feed it imitates
_ID_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a feed: plain text, moments in ms of 1970, UTC."""

    news_id: str
    published_at: int
    scraped_at: int | None
    source: str
    title: str
    content: str | None
    url: str | None
    company: str | None = None
    """Of a filing: the company that files."""

    @property
    def text(self) -> str:
        """What a model is asked: the title, and the content unless it says no more."""
        if self.content is None or self.content == self.title:
            return self.title
        if not self.title or self.content.startswith(self.title):
            return self.content
        stop = "" if self.title[-1] in ".!?…" else "."
        return f"{self.title}{stop} {self.content}"


def enrich_object(
    settings: Settings,
    key: RawKey,
    data: bytes,
    asked: Sequence[str],
    score: Score,
    model: str,
    model_version: str,
) -> Enriched:
    """Turn one raw object of news into rows.

    Args:
        settings: reads `tickers`, `watchlist`, `scrape.cutoff_utc`.
        key: the object's key.
        data: the object's bytes.
        asked: tickers to look for beside the watchlist's, where the object does not say for which
            ones it was fetched; any cashtag counts anyway.
        score: returns what the model says of the texts of a `Parsed`.
        model: name of the model behind `score`.
        model_version: its version.
    """
    parsed = parse(settings, key, data, asked)
    return enriched(parsed, assemble(settings, parsed, score(parsed), model, model_version))


def parse(settings: Settings, key: RawKey, data: bytes, asked: Sequence[str] = ()) -> Parsed:
    """Read one raw object of news. Never raises for what a line holds.

    A line is rejected as `json`, `encoding`, `not-object`, `no-envelope`, `no-text`, `no-date`
    or `outside-calendar`. An item that names no ticker is off topic.
    """
    words = vocabulary(settings)
    by_company = filers(settings)

    @lru_cache(maxsize=8)
    def candidates(of_run: tuple[str, ...]) -> list[str]:
        return sorted({*words.watched, *map(words.canonical, of_run)})

    raw = RawLines(data)
    texts: list[str | None] = []
    faults: dict[int, str] = {}
    seen: set[str] = set()
    rows: list[tuple[int, str, Item]] = []
    off_topic = repeated = 0
    for i, line in enumerate(raw):
        texts.append(None)
        item = _item(settings, line)
        if isinstance(item, str):
            if line.strip():
                faults[i] = item
            continue
        texts[i] = item.text
        if item.news_id in seen:
            repeated += 1
            continue
        seen.add(item.news_id)
        if item.company is None:
            of_run = _tickers_of_run(line)
            tickers = words.mentioned(
                item.text, candidates(tuple(asked) if of_run is None else of_run)
            )
        else:
            tickers = _of_filing(words.mentioned(item.text, ()), item.company, by_company)
        off_topic += not tickers
        rows += [(i, ticker, item) for ticker in tickers]
    return Parsed(
        key,
        tuple(texts),
        np.array([i for i, _, _ in rows], dtype=np.int64),
        _columns(settings, [(ticker, item) for _, ticker, item in rows]),
        rejected(data, faults, raw),
        off_topic,
        repeated,
    )


def assemble(
    settings: Settings,
    parsed: Parsed,
    answered: np.ndarray | Answered,
    model: str,
    model_version: str,
) -> pa.Table:
    """Return the rows of the `news` contract; arguments and errors as for tweets."""
    answer = answers(parsed.require(answered), parsed.rows)
    n = len(parsed.rows)
    columns = {
        **parsed.columns,
        "p_negative": answer.p_negative,
        "p_neutral": answer.p_neutral,
        "p_positive": answer.p_positive,
        "sentiment": answer.sentiment,
        "sentiment_score": answer.sentiment_score,
        "polarity": answer.polarity,
        "model": constant(model, n),
        "model_version": constant(model_version, n),
        "run_id": constant(run_id(parsed.key.dt, settings.config_hash(), model_version), n),
    }
    schema = contract("news").arrow_schema()
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _item(settings: Settings, line: bytes) -> Item | str:
    envelope = opened(line)
    if isinstance(envelope, str):
        return envelope
    source, scraped_at, data = envelope
    title, content = plain_text(_text(data, "title")), plain_text(_text(data, "summary"))
    if not title and not content:
        return "no-text"
    published = milliseconds(data.get("published"))
    if published is None:
        return "no-date"
    first, last = calendar_ms(settings)
    if not first <= published < last:
        return "outside-calendar"
    feed = " ".join(_text(data, "feed").split())
    return Item(
        _identity(data, title, published),
        published,
        milliseconds(scraped_at),
        source if source == SYNTHETIC or not feed else feed,
        title,
        content or None,
        plain_link(_text(data, "link")),
        _text(data, "company") or None,
    )


def _of_filing(cashtags: list[str], company: str, by_company: Mapping[str, str]) -> list[str]:
    filer = by_company.get(company_key(company))
    return sorted({*cashtags, *([filer] if filer else [])})


def self_contained(data: bytes) -> bool:
    """Whether every line says for which tickers it was fetched: no manifest can add to that."""
    return all(_tickers_of_run(line) is not None for line in RawLines(data) if line.strip())


def _tickers_of_run(line: bytes) -> tuple[str, ...] | None:
    """The tickers that the run looked for, as its query tells; None where it does not.

    They lie in the object itself, so that its rows are the same whether or not a manifest of the
    run, or another one, is there yet.
    """
    try:
        envelope = orjson.loads(line)
    except orjson.JSONDecodeError:  # read by the slow way, which only others' lines need
        return None
    query = envelope.get("query") if isinstance(envelope, dict) else None
    found = query.get("tickers") if isinstance(query, dict) else None
    if not isinstance(found, list):
        return None
    return tuple(ticker for ticker in found if isinstance(ticker, str))


def _identity(data: dict[str, Any], title: str, published: int) -> str:
    """The feed's own id; without a usable one, 16 hex digits of link, title and moment."""
    given = _text(data, "id").strip()
    if given and len(given) <= _ID_LENGTH and given.isprintable():
        return given
    said = "\n".join([given, _text(data, "link"), title, str(published)])
    return blake2b(said.encode(), digest_size=8).hexdigest()


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _columns(settings: Settings, rows: list[tuple[str, Item]]) -> dict[str, pa.Array]:
    items = [item for _, item in rows]
    published = np.array([item.published_at for item in items], dtype=np.int64)
    scraped = pa.array([item.scraped_at for item in items], pa.int64())
    return {
        "news_id": pa.array([item.news_id for item in items], pa.string()),
        "ticker": pa.array([ticker for ticker, _ in rows], pa.string()),
        "published_at": pa.array(published).view(pa.timestamp("ms")),
        "scraped_at": scraped.view(pa.timestamp("ms")),
        "session": sessions_of(settings, runs(settings, published)),
        "source": pa.array([item.source for item in items], pa.string()),
        "title": pa.array([item.title for item in items], pa.string()),
        "content": pa.array([item.content for item in items], pa.string()),
        "url": pa.array([item.url for item in items], pa.string()),
    }
