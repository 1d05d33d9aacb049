"""One raw object of tweets -> rows of its own ticker, in two halves with the model between them.

`parse` reads, cleans and weighs; it yields the text of every raw line, because an answer of a
model is recorded line by line. `assemble` puts the answers beside the rows. Facts are row-local:
what needs a whole session is SQL's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cashtag.enrich.answers import answers
from cashtag.enrich.clean import clean
from cashtag.enrich.envelopes import RawLines, opened
from cashtag.enrich.facts import Posts, calendar_ms, columns
from cashtag.enrich.moments import milliseconds
from cashtag.enrich.parsed import Enriched, Parsed, Score, constant, enriched, rejected
from cashtag.enrich.readers import READERS, Data, Post, stated_symbols
from cashtag.lake.completion import run_id
from cashtag.lake.contracts import contract
from cashtag.lake.layout import RawKey
from cashtag.sentiment.answered import Answered
from cashtag.tickers import Vocabulary, vocabulary

if TYPE_CHECKING:
    from cashtag.settings import Settings


def enrich_object(
    settings: Settings,
    key: RawKey,
    data: bytes,
    score: Score,
    model: str,
    model_version: str,
) -> Enriched:
    """Turn one raw object into rows.

    Args:
        settings: reads `tickers`, `watchlist`, `enrich`, `scrape`.
        key: the object's key; its name is the ticker.
        data: the object's bytes, gzip or plain JSON lines.
        score: returns what the model says of the texts of a `Parsed`.
        model: name of the model behind `score`.
        model_version: its version.
    """
    parsed = parse(settings, key, data)
    return enriched(parsed, assemble(settings, parsed, score(parsed), model, model_version))


def parse(settings: Settings, key: RawKey, data: bytes) -> Parsed:
    """Read, clean and weigh one raw object. Never raises for what a line holds.

    A line is rejected as `json`, `encoding`, `not-object`, `no-envelope`, `unknown-source`,
    `no-id`, `no-text`, `no-date` or `outside-calendar`; a damaged object adds `gzip`.
    """
    words = vocabulary(settings)
    ticker = words.canonical(key.name)
    raw = RawLines(data)
    read = _read(raw, f"${key.name}")
    posts, faults = read.posts, read.faults
    cleaned = [clean(post.text) for post in posts]
    created = [milliseconds(post.created_at) for post in posts]
    cashtags = words.cashtags_of(cleaned)
    first, last = calendar_ms(settings)
    texts: list[str | None] = [None] * read.n
    seen: set[str] = set()
    rows: list[int] = []
    off_topic = repeated = 0
    for j, (line, post, text, at) in enumerate(
        zip(read.lines, posts, cleaned, created, strict=True)
    ):
        if not text or at is None or not first <= at < last:
            faults[line] = _fault(text, at)
            continue
        texts[line] = text
        if ticker not in cashtags[j] and not _names(words, ticker, text, read.stated.get(line, [])):
            off_topic += 1
        elif post.tweet_id in seen:
            repeated += 1
        else:
            seen.add(post.tweet_id)
            rows.append(j)
    kept = Posts(*_picked(rows, posts, created, cleaned, cashtags, read.sources, read.scraped_at))
    return Parsed(
        key,
        tuple(texts),
        np.array([read.lines[j] for j in rows], dtype=np.int64),
        columns(settings, words, ticker, kept),
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
    """Return the rows of the `tweets` contract, in the order of the raw lines.

    Args:
        settings: names the run.
        parsed: what `parse` returned.
        answered: what the model says of every line, or probabilities alone, float64 of shape
            (lines, 3); a NaN row leaves the sentiment null.
        model: name of the model.
        model_version: its version.

    Raises:
        ContractError: answers for another number of lines, or outside 0 to 1.
    """
    answer = answers(parsed.require(answered), parsed.rows)
    n = len(parsed.rows)
    filled = {
        **parsed.columns,
        "p_negative": answer.p_negative,
        "p_neutral": answer.p_neutral,
        "p_positive": answer.p_positive,
        "sentiment": answer.sentiment,
        "sentiment_score": answer.sentiment_score,
        "polarity": answer.polarity,
        "agreement": answer.agreement,
        "models": answer.models,
        "model": constant(model, n),
        "model_version": constant(model_version, n),
        "run_id": constant(run_id(parsed.key.dt, settings.config_hash(), model_version), n),
    }
    schema = contract("tweets").arrow_schema()
    return pa.Table.from_arrays([filled[name] for name in schema.names], schema=schema)


@dataclass(slots=True)
class _Read:
    """The posts of an object, with the line, source and `scraped_at` of each."""

    n: int = 0
    lines: list[int] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    scraped_at: list[str | None] = field(default_factory=list)
    stated: dict[int, list[str]] = field(default_factory=dict)
    """Symbols that the source states, by line, where the text may not name the ticker."""
    faults: dict[int, str] = field(default_factory=dict)


def _read(raw: RawLines, cashtag: str) -> _Read:
    found = _Read()
    for i, line in enumerate(raw):
        found.n += 1
        envelope = opened(line)
        if isinstance(envelope, str):
            if line.strip():  # a blank line is nobody's loss
                found.faults[i] = envelope
            continue
        source, scraped_at, data = envelope
        post = READERS.get(source, _unknown)(data)
        if isinstance(post, str):
            found.faults[i] = post
            continue
        if cashtag not in post.text:
            found.stated[i] = stated_symbols(data)
        found.lines.append(i)
        found.posts.append(post)
        found.sources.append(source)
        found.scraped_at.append(scraped_at)
    return found


def _unknown(_data: Data) -> str:
    return "unknown-source"


def _fault(text: str, created: int | None) -> str:
    if not text:
        return "no-text"
    return "no-date" if created is None else "outside-calendar"


def _names(words: Vocabulary, ticker: str, text: str, stated: list[str]) -> bool:
    """Say whether a post without the ticker's cashtag names it, in its text or its entities."""
    return words.names(ticker, text) or ticker in map(words.canonical, stated)


def _picked(rows: list[int], *fields: list[Any]) -> list[list[Any]]:
    if fields and len(rows) == len(fields[0]):
        return list(fields)
    return [[field[j] for j in rows] for field in fields]
