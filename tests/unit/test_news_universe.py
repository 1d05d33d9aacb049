"""News that is enriched before its day's tickers are known ends in the same rows, in any order."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from cashtag import services, sessions, steps
from cashtag.lake import layout, lines, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.partitions import read
from cashtag.operate import arrivals
from cashtag.ports import Env
from cashtag.scrape import manifest
from cashtag.settings import load

MONDAY = datetime(2026, 5, 11, tzinfo=UTC).date()
NEWS = layout.raw("news", MONDAY, "feed", "news")
TWEETS = layout.raw("tweets", MONDAY, "x", "PLTR")
TITLE = "PLTR and SNAP win a contract"  # neither is on the watchlist


def line(data: dict[str, object], query: object = "") -> bytes:
    moment = sessions.cutoff(MONDAY).isoformat()
    return json.dumps({"source": "x", "scraped_at": moment, "query": query, "data": data}).encode()


def news(query: object = "") -> bytes:
    moment = (sessions.cutoff(MONDAY) - timedelta(hours=3)).isoformat()
    return lines.pack([line({"title": TITLE, "published": moment, "id": "n1"}, query)])


def tweets() -> bytes:
    moment = (sessions.cutoff(MONDAY) - timedelta(hours=2)).isoformat()
    data = {"id_str": "1", "date": moment, "rawContent": "$PLTR up", "user": {"username": "a"}}
    return lines.pack([line(data)])


def told(number: int, *tickers: str) -> manifest.Manifest:
    """The manifest of a scrape that was asked for these tickers; the second one adds some."""
    bodies = {NEWS: news(), TWEETS: tweets()}
    return manifest.Manifest(
        MONDAY,
        sessions.cutoff(MONDAY),
        "x",
        tuple(manifest.TickerEntry(t, "ok" if t == "PLTR" else "empty", None, 1) for t in tickers),
        tuple(manifest.entry(key, body) for key, body in sorted(bodies.items())),
        number=number,
    )


@pytest.fixture
def env(tmp_path: Path) -> Env:
    return environment(tmp_path)


def environment(folder: Path) -> Env:
    settings = load(environ={}, overrides={"lake": str(folder)})
    made = services.embedded(settings)
    # The only thing asked of a source here is its name.
    return dataclasses.replace(made)


ARRIVALS = ("news", "tweets", "first manifest", "second manifest")


def arrive(env: Env, what: str) -> None:
    """One object comes, and S3 tells of it."""
    raw = env.lake.raw
    if what == "news":
        raw.put_if_absent(NEWS, news())
        arrivals.enrich(env, [NEWS])
    elif what == "tweets":
        raw.put_if_absent(TWEETS, tweets())
        arrivals.enrich(env, [TWEETS])
    else:
        one = told(1, "PLTR") if what == "first manifest" else told(2, "PLTR", "SNAP")
        arrivals.enrich(env, [manifest.write(raw, one)])


def rows(env: Env) -> list[tuple[str, str]]:
    found = read(env.lake, contract("news"), MONDAY)
    assert found is not None
    return sorted((row["ticker"], row["title"]) for row in found.to_pylist())


def test_in_any_order_of_events_news_is_searched_for_the_tickers_of_all_manifests(
    tmp_path: Path,
) -> None:
    seen = set()
    for number, order in enumerate(permutations(ARRIVALS)):
        env = environment(tmp_path / str(number))
        for what in order:
            arrive(env, what)
        complete = [info.key for info in env.lake.enriched.list("_SUCCESS/")]
        assert complete, order  # whoever came last saw the day complete
        steps.signals(env, MONDAY)
        assert rows(env) == [("PLTR", TITLE), ("SNAP", TITLE)], order
        found = read(env.lake, contract("news"), MONDAY)
        seen.add(parquet.content_hash(contract("news"), found))
    assert len(seen) == 1


def test_a_manifest_that_comes_after_the_signals_makes_them_again(env: Env) -> None:
    for what in ARRIVALS[:3]:
        arrive(env, what)
    steps.signals(env, MONDAY)
    assert rows(env) == [("PLTR", TITLE)]
    arrive(env, "second manifest")
    assert len(list(env.lake.enriched.list("_SUCCESS/"))) == 2  # a new state, a new marker
    steps.signals(env, MONDAY)
    assert rows(env) == [("PLTR", TITLE), ("SNAP", TITLE)]


def test_the_model_is_not_asked_again(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    arrive(env, "news")
    asked: list[object] = []
    monkeypatch.setattr(type(env.scorer), "score", lambda _, texts: asked.append(texts))
    arrive(env, "second manifest")
    steps.signals(env, MONDAY)
    assert rows(env) == [("PLTR", TITLE), ("SNAP", TITLE)]
    assert asked == []


def test_news_that_tells_its_tickers_itself_is_staged_once(env: Env) -> None:
    # As the live source writes it: the object's own tickers count, whatever a manifest says.
    env.lake.raw.put_if_absent(NEWS, news({"tickers": ["PLTR"]}))
    arrivals.enrich(env, [NEWS])
    key = layout.stage(steps.build_of(env), NEWS)
    assert parquet.metadata(env.lake.enriched.get(key)) == {}
    before = env.lake.enriched.get(key)
    arrive(env, "second manifest")
    steps.signals(env, MONDAY)
    assert rows(env) == [("PLTR", TITLE)]
    assert env.lake.enriched.get(key) == before
