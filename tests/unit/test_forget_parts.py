"""The parts of a takedown: recorded answers, what comes in afterwards, quarantine, quotations, the command."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from cashtag import services, sessions, steps
from cashtag.cli import main
from cashtag.errors import CheckFailed
from cashtag.exchange import forget_rewrite, importing
from cashtag.exchange.forget_target import target
from cashtag.lake import layout, lines, tombstones
from cashtag.lake.contracts import contract
from cashtag.lake.disk import FolderStore
from cashtag.lake.partitions import read
from cashtag.operate import explain
from cashtag.operate import forget as work
from cashtag.ports import Day, Env, Fetched, SourceHealth
from cashtag.scrape import manifest
from cashtag.sentiment import store as recorded
from cashtag.sentiment.answered import Answered
from cashtag.settings import load

DT = date(2026, 5, 8)  # a Friday
AT = datetime(2026, 7, 1, 9, tzinfo=UTC)
ID, OTHER = "2052000000000000001", "2052000000000000002"


def post(identity: str, text: str, handle: str = "alice", **more: Any) -> bytes:
    moment = sessions.cutoff(DT) - timedelta(hours=2)
    data = {
        "id": int(identity),
        "id_str": identity,
        "date": moment.isoformat(),
        "rawContent": text,
        "user": {"id_str": str(len(handle)) * 12, "username": handle},
    }
    head = {"source": "x", "scraped_at": sessions.cutoff(DT).isoformat(), "query": "$NVDA"}
    return json.dumps(head | {"data": data | more}).encode()


ALICE, BOB = post(ID, "$NVDA great, strong buy"), post(OTHER, "$NVDA awful, says @alice", "bob")


@dataclasses.dataclass
class Told:
    """A source that answers what it was told to."""

    answers: list[Fetched]
    name: str = "x"

    def dates(self) -> None:
        return None

    def asked(self, dt: date) -> tuple[str, ...]:
        return ("NVDA",)

    def fetch(self, day: Day) -> Iterator[Fetched]:
        yield from self.answers

    def health(self) -> tuple[SourceHealth, ...]:
        return ()


@pytest.fixture
def env(tmp_path: Path) -> Env:
    return environment(tmp_path / "lake", ALICE, BOB)


def environment(folder: Path, *said: bytes) -> Env:
    settings = load(environ={}, overrides={"lake": str(folder)})
    source = Told([Fetched("tweets", "NVDA", "ok", lines=said)])
    return dataclasses.replace(services.embedded(settings), source=source)


def lived(env: Env) -> Env:
    steps.scrape(env, DT)
    for obj in manifest.expected(manifest.of_day(env.lake.raw, DT)):
        steps.enrich(env, obj.key)
    steps.signals(env, DT)
    return env


def forget(env: Env, whom: str) -> work.Forgotten:
    return work.forget(env, work.look(env, target(whom)), reason="", at=AT)


def ids(env: Env) -> list[str]:
    table = read(env.lake, contract("tweets"), DT)
    assert table is not None
    return table.column("tweet_id").to_pylist()  # type: ignore[no-any-return]


KEY = layout.raw("tweets", DT, "x", "NVDA")

# ---------------------------------------------------------------- what comes afterwards


def test_a_scrape_keeps_nothing_of_the_forgotten(env: Env) -> None:
    tombstones.add(env.lake.raw, "author", "Alice", AT, "")
    whole = steps.scrape(env, DT)
    left = json.loads(BOB)
    left["data"]["rawContent"] = "$NVDA awful, says @user"
    assert lines.read(env.lake.raw.get(KEY), "") == [orjson.dumps(left)]
    assert whole.objects[0].lines == 1
    assert whole.tickers == (manifest.TickerEntry("NVDA", "ok", None, 1),)


def test_an_answer_of_nothing_but_the_forgotten_leaves_no_object(tmp_path: Path) -> None:
    env = environment(tmp_path, ALICE)
    tombstones.add(env.lake.raw, "tweet", ID, AT, "")
    whole = steps.scrape(env, DT)
    assert whole.objects == ()
    assert whole.tickers == (manifest.TickerEntry("NVDA", "ok", None, 0),)


def test_only_tweets_are_asked_about(tmp_path: Path) -> None:
    env = environment(tmp_path)
    story = b'{"source":"cnbc","data":{"title":"@alice said","id":"' + ID.encode() + b'"}}'
    env.source.answers.append(Fetched("news", None, "ok", lines=(story,)))  # type: ignore[attr-defined]
    tombstones.add(env.lake.raw, "tweet", ID, AT, "")
    whole = steps.scrape(env, DT)
    assert lines.read(env.lake.raw.get(whole.objects[0].key), "") == [story]


def test_enrichment_leaves_out_what_raw_still_holds(env: Env) -> None:
    steps.scrape(env, DT)
    tombstones.add(env.lake.raw, "tweet", ID, AT, "")
    done = steps.enrich(env, KEY)
    assert done is not None
    assert done.counts["rows"] == 1
    # And the model was not asked about it.
    hashes = recorded._table(env.lake.enriched, layout.scores(env.scorer.version, KEY))
    assert hashes["input_hash"].to_pylist()[0] == ""


def test_enrichment_between_the_tombstone_and_the_rewrite_reads_the_old_answers(env: Env) -> None:
    lived(env)
    before = env.lake.enriched.get(layout.scores(env.scorer.version, KEY))
    tombstones.add(env.lake.raw, "author", "alice", AT, "")
    done = steps.enrich(env, KEY)
    assert done is not None
    assert done.counts["rows"] == 1
    assert env.lake.enriched.get(layout.scores(env.scorer.version, KEY)) == before
    steps.signals(env, DT)
    assert ids(env) == [OTHER]


def test_an_import_refuses_the_forgotten_and_keeps_no_copy(env: Env, tmp_path: Path) -> None:
    lived(env)
    forget(env, "@alice")
    file = tmp_path / "NVDA.jsonl"
    broken = b'{"id_str":"' + ID.encode() + b'","user":{"username":"alice"},"rawContent":"cut'
    innocent = b'{"id_str":"7","rawContent":"cut'
    rows = [orjson.dumps(json.loads(each)["data"]) for each in (ALICE, BOB)]
    file.write_bytes(b"\n".join([*rows, broken, innocent]))
    (report,) = importing.bring(env.lake, env.settings, "twscrape", [file]).files
    assert (report.lines, report.accepted, report.rejected) == (4, 1, 3)
    assert report.reasons == "forgotten 2, json 1"
    held = b"".join(
        b"".join(line for _, line in lines.unpack(env.lake.raw.get(info.key)).lines)
        for prefix in ("tweets/", "quarantine/")
        for info in env.lake.raw.list(prefix)
    )
    assert ID.encode() not in held
    assert b"alice" not in held
    assert held.count(b"cut") == 1
    again = importing.bring(env.lake, env.settings, "twscrape", [file])
    assert again.files[0].already == 1


def test_an_object_from_a_backup_is_cleaned_when_it_is_forgotten_again(env: Env) -> None:
    lived(env)
    copy = env.lake.raw.get(KEY)
    first = forget(env, ID)
    once = env.lake.raw.get(KEY)
    env.lake.raw.put(KEY, copy)
    steps.enrich(env, KEY)  # leaves it out, whatever raw holds
    steps.signals(env, DT)
    assert ids(env) == [OTHER]
    again = forget(env, ID)
    assert env.lake.raw.get(KEY) == once
    assert (again.new, len(again.records)) == (False, 1)
    assert again.tombstone == first.tombstone


def test_a_retweet_that_is_nothing_but_the_text_goes_too(env: Env, tmp_path: Path) -> None:
    text = "$NVDA great, strong buy, as I always said it would be one day"
    told = sessions.cutoff(DT) - timedelta(hours=1)
    rows = [
        {"id": number, "username": "bob", "content": content, "created_at": told.isoformat()}
        for number, content in (
            (int(ID), text),
            (31, f"RT @Carol: {text}"),
            (32, f"RT @carol: {text[:40]}…"),
            (33, f"RT @carol: {text[:10]}…"),  # too little of it to tell
            (34, f"{text} indeed"),  # his own words
        )
    ]
    file = tmp_path / "NVDA-2026-05-08.json"
    file.write_bytes(orjson.dumps(rows))
    importing.bring(env.lake, env.settings, "reference", [file])
    archive = dataclasses.replace(env, source=services.source(env.settings, "archive", env.lake))
    lived(archive)
    assert sorted(ids(archive)) == [ID, "31", "32", "33", "34"]
    forget(archive, ID)
    assert sorted(ids(archive)) == ["33", "34"]
    # Nor do they come back.
    importing.bring(env.lake, env.settings, "reference", [file])
    lived(archive)
    assert sorted(ids(archive)) == ["33", "34"]


# ---------------------------------------------------------------- recorded answers


def test_a_record_loses_the_answer_of_a_line_that_is_gone(tmp_path: Path) -> None:
    store, key = FolderStore(tmp_path), "scores/m/dt=2026-05-08/source=x/NVDA-1.parquet"
    given = Answered(
        np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [np.nan] * 3]),
        np.array([0.9, 0.8, np.nan]),
        ["positive", "negative", None],
        ['{"reasoning":"alice is sure"}', '{"reasoning":"bob answers alice"}', None],
        {2: "too long"},
    )
    store.put(key, recorded._encoded(given, ["a", "b", "c"]))
    assert recorded.forget(store, key, ["", "b2", "c"])
    left = recorded.read(store, key, ["", "b2", "c"])
    assert np.isnan(left.probabilities[0]).all()
    # What was said of a text that lost a name stays as an answer, and not as words.
    np.testing.assert_allclose(left.probabilities[1], [0.6, 0.3, 0.1])
    assert left.stated is not None
    assert np.isnan(left.stated[0])
    assert left.stated[1] == 0.8
    assert list(left.named) == [None, "negative", None]
    assert list(left.said) == [None, None, None]
    assert left.refusals == {2: "too long"}
    assert b"alice" not in store.get(key)
    assert not recorded.forget(store, key, ["", "b2", "c"])


def test_a_record_that_does_not_fit_at_all_goes(tmp_path: Path) -> None:
    store, key = FolderStore(tmp_path), "scores/m/dt=2026-05-08/source=x/NVDA-1.parquet"
    store.put(key, recorded._encoded(Answered(np.full((2, 3), np.nan)), ["a", "b"]))
    assert recorded.forget(store, key, ["a"])
    assert not store.exists(key)


def test_every_models_record_and_every_builds_stage_lose_it(env: Env) -> None:
    lived(env)
    store, version = env.lake.enriched, env.scorer.version
    other = layout.scores("other-1", KEY)
    store.put(other, store.get(layout.scores(version, KEY)))
    old_stage = layout.stage("0123456789ab", KEY)
    store.put(old_stage, store.get(layout.stage(steps.build_of(env), KEY)))
    old_rejects = layout.rejected("0123456789ab", KEY)
    store.put(old_rejects, b"x")
    done = forget(env, ID)
    assert store.get(other) == store.get(layout.scores(version, KEY))
    assert not store.exists(old_stage)
    assert not store.exists(old_rejects)
    told = {(item.key, item.what) for item in done.items}
    assert {(other, "rewritten"), (old_stage, "removed"), (old_rejects, "removed")} <= told


# ---------------------------------------------------------------- beside the tweets


def test_an_imports_quarantine_loses_the_line(env: Env, tmp_path: Path) -> None:
    file = tmp_path / "NVDA.jsonl"
    file.write_bytes(b'{"id_str":"' + ID.encode() + b'","rawContent":"cut\n{"other":"line"\n')
    importing.bring(env.lake, env.settings, "twscrape", [file])
    lived(env)
    (was,) = (info.key for info in env.lake.raw.list("quarantine/"))
    done = forget(env, ID)
    (now,) = (info.key for info in env.lake.raw.list("quarantine/"))
    assert was != now
    assert was in {item.key for item in done.items}
    kept = b"".join(lines.read(env.lake.raw.get(now), ""))
    assert ID.encode() not in kept
    assert b"other" in kept
    # The same file again makes the same object.
    importing.bring(env.lake, env.settings, "twscrape", [file])
    assert [info.key for info in env.lake.raw.list("quarantine/")] == [now]


def test_what_a_model_said_of_the_day_loses_the_quotation(env: Env) -> None:
    lived(env)
    said = {
        "model": "m", "refused": None, "listed": ["NVDA", "TSLA"], "input_tokens": 1,
        "output_tokens": 1, "dollars": 0.1, "said": "I saw @Alice",
        "answer": {"tickers": [
            {"ticker": "NVDA", "confidence": 0.9, "sector": "Chips",
             "catalyst": 'somebody writes "One two THREE four  five six seven"'},
            {"ticker": "TSLA", "confidence": 0.8, "sector": "Cars", "catalyst": "five six seven"},
        ]},
    }  # fmt: skip
    line = orjson.dumps({"source": "bedrock", "scraped_at": AT.isoformat(), "data": said})
    key = layout.raw("discovery", DT, "bedrock", "discovery")
    env.lake.raw.put(key, lines.pack([line]))
    steps.discover(env, DT)
    texts = ["$NVDA one two three four five six seven eight"]
    left = forget_rewrite.discovered(env.lake.raw, target("@alice").wanted, texts)
    (found,) = (orjson.loads(each)["data"] for each in lines.read(left[key], ""))
    first, second = found["answer"]["tickers"]
    assert (found["said"], first["catalyst"], first["ticker"]) == (None, None, "NVDA")
    assert second["catalyst"] == "five six seven"
    # And in a whole takedown, with the table that is made of it.
    forget(env, "@alice")
    assert b"Alice" not in b"".join(lines.read(env.lake.raw.get(key), ""))
    table = read(env.lake, contract("ticker_universe"), DT)
    assert table is not None
    assert table.column("ticker").to_pylist() == ["NVDA", "TSLA"]


def test_an_announcement_that_quotes_it_goes(env: Env) -> None:
    lived(env)
    env.lake.report.put("alerts/one.txt", b"see https://x.com/alice/status/" + ID.encode())
    env.lake.report.put("alerts/two.txt", b"Trade Alert: BUY NVDA")
    done = forget(env, ID)
    assert [info.key for info in env.lake.report.list("alerts/")] == ["alerts/two.txt"]
    assert ("report", "removed") in {(item.zone, item.what) for item in done.items}


def test_a_day_of_nothing_else_is_left_empty_and_can_be_explained(tmp_path: Path) -> None:
    env = lived(environment(tmp_path, ALICE, post("2052000000000000009", "$NVDA good too")))
    forget(env, "alice")
    assert ids(env) == []
    assert lines.read(env.lake.raw.get(KEY), "") == []
    once = {info.key: env.lake.raw.get(info.key) for info in env.lake.raw.list()}
    steps.scrape(env, DT)
    assert {info.key: env.lake.raw.get(info.key) for info in env.lake.raw.list()} == once


def test_explain_tells_a_session_without_the_forgotten(tmp_path: Path) -> None:
    from cashtag.operate import days

    settings = load(environ={}, overrides={"lake": str(tmp_path)})
    env = services.embedded(settings, source_name="sample")
    list(days.days(env, date(2026, 5, 19), date(2026, 5, 20)))
    story = explain.explain(env, "NVDA", date(2026, 5, 20))
    forget(env, story.tweets[0]["tweet_id"])
    after = explain.explain(env, "NVDA", date(2026, 5, 20))
    assert [t["tweet_id"] for t in after.tweets] == [t["tweet_id"] for t in story.tweets[1:]]
    assert after.decisions == story.decisions


def test_a_session_that_fails_a_check_without_it_has_no_tables_rather_than_old_ones(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(env)
    key = layout.signals("daily_sentiment", DT)
    assert env.lake.signals.exists(key)

    def refuse(_findings: Any, about: str) -> None:
        raise CheckFailed(f"{about}: too little is left")

    with monkeypatch.context() as patch:
        patch.setattr("cashtag.signals.checks.refuse", refuse)
        with pytest.raises(CheckFailed, match=r"forgotten, but .* no tables now.*too little"):
            forget(env, ID)
    assert not env.lake.signals.exists(key)
    assert ids(env) == [OTHER]
    # Once the check passes, the same command finishes it.
    forget(env, ID)
    assert env.lake.signals.exists(key)


# ---------------------------------------------------------------- the command


def command(env: Env, *words: str) -> list[str]:
    return [sys.executable, "-m", "cashtag.cli", "forget", *words, "--lake", env.settings.lake]


def ended(monkeypatch: pytest.MonkeyPatch, env: Env, *words: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["cashtag", *command(env, *words)[3:]])
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: PTH123, SIM115
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


def test_a_dry_run_tells_and_changes_nothing(
    env: Env, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lived(env)
    before = {info.key for info in env.lake.raw.list()}
    assert ended(monkeypatch, env, ID, "--dry-run", "--format", "json") == 0
    out, err = capsys.readouterr()
    rows = json.loads(out)
    assert {"zone": "raw", "key": KEY, "what": "rewritten", "lines": 1, "versions": 1} in rows
    assert "1 lines of raw go" in err
    assert {info.key for info in env.lake.raw.list()} == before


def test_without_a_terminal_it_wants_yes(
    env: Env, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lived(env)
    assert ended(monkeypatch, env, ID) == 2
    assert "add --yes" in capsys.readouterr().err
    assert ids(env) == [ID, OTHER]
    assert ended(monkeypatch, env, ID, "--yes") == 0
    out, err = capsys.readouterr()
    assert "rewritten" in out
    assert "is set" in err
    assert ids(env) == [OTHER]
    assert ended(monkeypatch, env, "31415", "--yes") == 0
    out, err = capsys.readouterr()
    assert "holds nothing of post 31415" in err
    assert len(list(env.lake.raw.list("tombstones/tweet/"))) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("a b", "--yes"), "neither the id of a post"),
        ((ID, "--yes", "--reason", f"about {ID}"), "--reason names whom to forget"),
        ((ID, "--yes", "--env", "dev"), "give it without --lake"),
    ],
)
def test_a_wrong_word_ends_with_2(
    env: Env,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    told: str,
) -> None:
    lived(env)
    assert ended(monkeypatch, env, *words) == 2
    assert told in capsys.readouterr().err
    assert not tombstones.read(env.lake.raw)


@pytest.mark.parametrize(("typed", "gone"), [("@ALICE", True), ("yes", False)])
def test_on_a_terminal_it_is_typed_once_more(env: Env, typed: str, gone: bool) -> None:
    lived(env)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(env, "alice"), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.write(ours, f"{typed}\n".encode())
    _, err = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert b"Type @alice to go on" in err
    assert process.returncode == (0 if gone else 2)
    assert bool(tombstones.read(env.lake.raw)) == gone
    assert ids(env) == ([OTHER] if gone else [ID, OTHER])
