"""A second model beside the first: what is asked, what it costs, where it goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cashtag import services, settings
from cashtag.cli import main
from cashtag.errors import InputError
from cashtag.lake import layout, lines
from cashtag.operate.rescore import outlook, rescore
from cashtag.ports import Lake
from cashtag.sentiment import registry
from cashtag.sentiment.answered import Answered
from cashtag.sentiment.comprehend import ComprehendScorer
from cashtag.sentiment.ensemble import make
from cashtag.sentiment.store import ScorerUnavailable
from cashtag.settings import Settings

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def tweet(number: int, text: str) -> bytes:
    data = {
        "id_str": str(number),
        "rawContent": text,
        "date": "2026-03-02T10:00:00+00:00",
        "user": {"username": f"ann{number}", "followersCount": 20_000},
    }
    envelope = {
        "source": "twscrape",
        "scraped_at": "2026-03-02T12:00:00Z",
        "query": "q",
        "data": data,
    }
    return json.dumps(envelope).encode()


def item(title: str) -> bytes:
    data = {"title": title, "published": "2026-03-02T10:00:00+00:00", "feed": "cnbc"}
    envelope = {"source": "cnbc", "scraped_at": "2026-03-02T12:00:00Z", "query": {}, "data": data}
    return json.dumps(envelope).encode()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two runs: three tweets and a headline on Monday, one tweet on Tuesday; a line is no tweet."""
    made = services.folder_lake(tmp_path / "lake")
    texts = ["$NVDA up", "$NVDA down", "off topic"]
    held = [tweet(i, text) for i, text in enumerate(texts, 1)]
    made.raw.put(layout.raw("tweets", MONDAY, "x", "NVDA"), lines.pack([*held, b"{"]))
    made.raw.put(layout.raw("news", MONDAY, "x", "news"), lines.pack([item("$NVDA rises")]))
    made.raw.put(layout.raw("tweets", TUESDAY, "x", "TSLA"), lines.pack([tweet(9, "$TSLA up")]))
    made.raw.put("manifests/dt=2026-03-02/a.json", b"{}")
    return made


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return settings.load(environ={}, overrides={"lake": str(tmp_path / "lake")})


class Model:
    name = "second"
    version = "second-1"

    def __init__(self, lasts: int = 99) -> None:
        self.asked: list[str] = []
        self.lasts = lasts

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str]) -> Answered:
        if self.lasts <= 0:
            raise ScorerUnavailable("second is out of quota")
        self.lasts -= 1
        self.asked += texts
        p = np.tile([0.1, 0.2, 0.7], (len(texts), 1))
        odd = [i for i, text in enumerate(texts) if text == "off topic"]
        p[odd] = np.nan
        return Answered(p, refusals=dict.fromkeys(odd, "not in English"))


def rows(found: Any) -> list[dict[str, Any]]:
    return [one.row() for one in found]


def test_every_text_of_tweets_and_news_is_asked_once(own: Settings, lake: Lake) -> None:
    model = Model()
    monday, tuesday = rows(rescore(own, lake, model))
    assert sorted(model.asked) == ["$NVDA down", "$NVDA rises", "$NVDA up", "$TSLA up", "off topic"]
    assert monday == {
        "dt": MONDAY, "objects": 2, "before": 0, "damaged": 0,
        "texts": 4, "answered": 3, "refused": 1, "absent": None,
    }  # fmt: skip
    assert tuesday["objects"] == 1
    assert [info.key for info in lake.enriched.list("")] == [
        "scores/second-1/dt=2026-03-02/source=x/NVDA-1.parquet",
        "scores/second-1/dt=2026-03-03/source=x/TSLA-1.parquet",
        "scores/second-1/news/dt=2026-03-02/source=x/news-1.parquet",
    ]
    again = Model()
    assert [row["before"] for row in rows(rescore(own, lake, again))] == [2, 1]
    assert again.asked == []


def test_what_a_model_that_went_down_answered_is_kept_and_the_rest_is_asked_later(
    own: Settings, lake: Lake
) -> None:
    going = rescore(own, lake, Model(lasts=2))
    assert next(going).dt == MONDAY
    with pytest.raises(ScorerUnavailable, match="out of quota"):
        next(going)
    later = Model()
    assert [row["before"] for row in rows(rescore(own, lake, later))] == [2, 0]
    assert later.asked == ["$TSLA up"]


def test_dates_narrow_what_is_asked(own: Settings, lake: Lake) -> None:
    model = Model()
    rows(rescore(own, lake, model, TUESDAY, TUESDAY))
    assert model.asked == ["$TSLA up"]
    with pytest.raises(InputError, match="lies after"):
        rows(rescore(own, lake, model, TUESDAY, MONDAY))
    with pytest.raises(InputError, match="no tweets or news from 2027-01-01"):
        rows(rescore(own, lake, model, date(2027, 1, 1)))


def test_a_damaged_object_is_left_out(own: Settings, lake: Lake) -> None:
    key = layout.raw("tweets", TUESDAY, "x", "TSLA")
    lake.raw.put(key, lake.raw.get(key)[:-12])  # its end is missing
    model = Model()
    assert rows(rescore(own, lake, model))[1]["damaged"] == 1
    assert "scores/second-1/dt=2026-03-03/source=x/TSLA-1.parquet" not in [
        info.key for info in lake.enriched.list("")
    ]


def test_an_ensemble_leaves_its_models_records_and_says_who_was_absent(
    own: Settings, lake: Lake
) -> None:
    ensemble = make(own, {"second": Model(), "third": Model(lasts=0)})
    ensemble.members["third"].version = "third-1"  # type: ignore[misc]
    found = rows(rescore(own, lake, ensemble))
    assert [row["absent"] for row in found] == ["third 2", "third 1"]
    assert len(list(lake.enriched.list("scores/second-1"))) == 3
    assert outlook(own, lake, ensemble).waiting == ()


def test_the_price_of_comprehend_is_of_units_with_three_at_least(own: Settings, lake: Lake) -> None:
    long = "$NVDA " + "x" * 344  # 350 characters are four units of 100
    key = layout.raw("tweets", TUESDAY, "x", "NVDA")
    lake.raw.put(key, lines.pack([tweet(7, long)]))
    ahead = outlook(own, lake, ComprehendScorer(own))
    assert (ahead.objects, len(ahead.waiting), ahead.texts) == (4, 4, 6)
    # Five short texts of three units and one of four, at $0.0001 a unit.
    assert ahead.dollars == pytest.approx((5 * 3 + 4) * 0.0001)
    assert ahead.of == {"comprehend": pytest.approx(0.0019)}


def test_what_is_free_is_not_counted_text_by_text(own: Settings, lake: Lake) -> None:
    ahead = outlook(own, lake, registry.scorer(own, "lexicon"))
    assert (ahead.objects, len(ahead.waiting), ahead.dollars) == (3, 3, 0.0)


# ---------------------------------------------------------------- the command


@pytest.fixture
def run(tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def go(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["cashtag", "rescore", "--lake", "lake", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return go


def test_the_command_records_a_second_model(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "lexicon", "--format", "json") == 0
    assert [row["texts"] for row in json.loads(capsys.readouterr().out)] == [4, 1]
    assert run("--model", "ensemble", "--format", "json") == 0  # of the lexicon: nothing is asked
    assert [row["objects"] for row in json.loads(capsys.readouterr().out)] == [2, 1]


def test_nothing_is_paid_without_leave(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "bedrock") == 2
    told = capsys.readouterr().err
    assert "5 texts of 3 raw objects, about bedrock $0.02" in told
    assert "add --yes to pay it" in told


def test_a_dry_run_tells_the_price_and_asks_nobody(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--model", "comprehend", "--dry-run", "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["version"].startswith("comprehend-en-")
    assert (row["waiting"], row["texts"], row["dollars"]) == (3, 5, 0.0015)


def test_a_person_may_say_no(run: Any, monkeypatch: pytest.MonkeyPatch, lake: Lake) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(SystemExit(1)))
    assert run("--model", "comprehend") == 1
    assert list(lake.enriched.list("")) == []


def test_an_unknown_model_is_refused(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--model", "crystal-ball") == 2
    assert "known are" in capsys.readouterr().err
