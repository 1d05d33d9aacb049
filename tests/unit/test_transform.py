"""A backfill by batch transform ends in the records that scoring by endpoint would have made."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from cashtag.enrich.clean import input_hash
from cashtag.errors import InputError
from cashtag.lake import layout, lines
from cashtag.lake.disk import FolderStore
from cashtag.operate import transform
from cashtag.sentiment import invocation, store
from cashtag.sentiment.answered import Answered
from cashtag.settings import load

VERSION = "fake-int8-0123456789ab"
RUN, NEXT = date(2026, 3, 2), date(2026, 3, 3)
NVDA = layout.raw("tweets", RUN, "x", "NVDA")
TSLA = layout.raw("tweets", RUN, "x", "TSLA")
NEWS = layout.raw("news", RUN, "rss", "news")
TINY = Path(__file__).parents[1] / "tiny_model"
LONG = "too long $NVDA " + "x" * 300


def tweet(number: int, text: str) -> bytes:
    data = {
        "id_str": str(number),
        "rawContent": text,
        "date": "2026-03-01T15:00:00+00:00",
        "user": {"username": "somebody"},
    }
    scraped = "2026-03-02T12:00:00+00:00"
    return json.dumps({"source": "x", "scraped_at": scraped, "query": "q", "data": data}).encode()


def item(title: str) -> bytes:
    data = {"feed": "cnbc", "id": title, "title": title, "published": "2026-03-01T15:00:00+00:00"}
    scraped = "2026-03-02T12:00:00+00:00"
    return json.dumps({"source": "rss", "scraped_at": scraped, "query": "q", "data": data}).encode()


@pytest.fixture
def raw(tmp_path: Path) -> FolderStore:
    found = FolderStore(tmp_path / "raw")
    found.put(
        NVDA,
        lines.pack(
            [
                tweet(1, "$NVDA up &amp; away\nto the moon"),
                b"no json at all",
                tweet(2, LONG),
                tweet(3, "$NVDA down"),
            ]
        ),
    )
    # The same words under another ticker, in quotes and with an emoji: asked about once.
    found.put(TSLA, lines.pack([tweet(4, "$NVDA down"), tweet(5, '$TSLA says "🚀"')]))
    found.put(NEWS, lines.pack([item("NVIDIA beats $NVDA estimates")]))
    return found


class Endpoint:
    """Scores as a model would: by the text alone, one text refused."""

    name, version = "sagemaker", VERSION

    def score(self, texts: Sequence[str]) -> np.ndarray:
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str]) -> Answered:
        found = np.full((len(texts), 3), np.nan)
        refusals = {}
        for i, text in enumerate(texts):
            row = probabilities(text)
            if row is None:
                refusals[i] = "the text has 315 characters; at most 300"
            else:
                found[i] = row
        return Answered(found, refusals=refusals)


def probabilities(text: str) -> list[float] | None:
    if len(text) > 300:
        return None
    good = round(int(input_hash(text)[:4], 16) / 0xFFFF * 0.8, 6)
    return [0.1, round(0.9 - good, 6), good]


def container(body: bytes) -> bytes:
    """What a container's job writes for these lines, as inference.py documents it."""
    out = []
    for number, line in enumerate(body.splitlines()):
        asked = json.loads(line)
        told = {"model": "fake", "version": VERSION, "precision": "int8",
                "labels": ["negative", "neutral", "positive"]}  # fmt: skip
        row = probabilities(asked["inputs"])
        error = {} if row else {"error": f"text {number} has 315 characters; at most 300"}
        out.append(json.dumps({"id": asked["id"], **error, "probabilities": row, **told}))
    return "\n".join(out).encode() + b"\n"


@pytest.fixture
def settings():
    return load()


def by_endpoint(settings, raw: FolderStore, enriched: FolderStore, scorer) -> None:
    from cashtag.enrich import news, tweets

    for key in (NVDA, TSLA, NEWS):
        parsed_key = layout.parse_raw(key)
        assert parsed_key is not None
        parse = news.parse if parsed_key.kind == "news" else tweets.parse
        parsed = parse(settings, parsed_key, raw.get(key))
        store.of_object(enriched, scorer, key, parsed.texts, parsed.input_hashes, batch_size=256)


def records(enriched: FolderStore) -> dict[str, bytes]:
    return {info.key: enriched.get(info.key) for info in enriched.list("scores/")}


def test_texts_are_written_cleaned_and_once(settings, raw, tmp_path) -> None:
    bundle = transform.bundle(settings, raw, FolderStore(tmp_path / "e"), VERSION, RUN)
    asked = [json.loads(line) for line in bundle.data.splitlines()]
    assert [line["inputs"] for line in asked] == [
        "$NVDA up & away to the moon",  # entities and line breaks as enrichment cleans them
        LONG,
        "$NVDA down",
        '$TSLA says "🚀"',
        "NVIDIA beats $NVDA estimates",
    ]
    assert all(line["id"] == input_hash(line["inputs"]) for line in asked)
    assert (bundle.objects, bundle.texts, bundle.name) == (3, 5, "dt=2026-03-02.jsonl")


def test_a_backfill_by_transform_equals_scoring_by_endpoint(settings, raw, tmp_path) -> None:
    asked, transformed = FolderStore(tmp_path / "a"), FolderStore(tmp_path / "b")
    by_endpoint(settings, raw, asked, Endpoint())
    bundle = transform.bundle(settings, raw, transformed, VERSION, RUN)
    done = transform.record(settings, raw, transformed, VERSION, RUN, container(bundle.data))
    assert done == transform.Recorded(RUN, objects=3, waiting=0, texts=6, refused=1)
    assert records(asked) == records(transformed)  # bytes, refusal included
    assert len(records(asked)) == 3


def test_the_packaged_model_answers_a_transform_as_it_answers_in_process(
    settings, raw, tmp_path
) -> None:
    pytest.importorskip("onnxruntime", reason="the packaged model needs the extra roberta")
    from cashtag.sentiment.roberta import RobertaScorer

    model = RobertaScorer(TINY)
    spec = importlib.util.spec_from_file_location("tiny_inference", TINY / "code" / "inference.py")
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    loaded = code.model_fn(str(TINY))
    asked, transformed = FolderStore(tmp_path / "a"), FolderStore(tmp_path / "b")
    by_endpoint(settings, raw, asked, model)
    body = transform.bundle(settings, raw, transformed, model.version, RUN).data
    request = code.input_fn(body, "application/jsonlines")
    output = code.output_fn(code.predict_fn(request, loaded), "application/jsonlines")
    transform.record(settings, raw, transformed, model.version, RUN, output.encode())
    assert records(asked) == records(transformed)


def test_what_is_recorded_is_neither_asked_nor_written_again(settings, raw, tmp_path) -> None:
    enriched = FolderStore(tmp_path / "e")
    output = container(transform.bundle(settings, raw, enriched, VERSION, RUN).data)
    transform.record(settings, raw, enriched, VERSION, RUN, output)
    before = records(enriched)
    assert transform.bundle(settings, raw, enriched, VERSION, RUN).texts == 0
    again = transform.record(settings, raw, enriched, VERSION, RUN, output)
    assert (again.objects, again.waiting) == (0, 0)
    assert records(enriched) == before
    # Another model version has no records yet.
    assert transform.bundle(settings, raw, enriched, "other-int8-0", RUN).texts == 5


def test_an_object_whose_answers_are_not_all_there_waits_whole(settings, raw, tmp_path) -> None:
    enriched = FolderStore(tmp_path / "e")
    output = container(transform.bundle(settings, raw, enriched, VERSION, RUN).data)
    late = layout.raw("tweets", RUN, "x", "TSLA", 2)  # a resumed scrape, after the job began
    raw.put(late, lines.pack([tweet(9, "$TSLA later")]))
    kept = b"".join(output.splitlines(keepends=True)[1:])  # NVDA's first text has no answer
    done = transform.record(settings, raw, enriched, VERSION, RUN, kept)
    assert (done.objects, done.waiting) == (2, 2)
    assert set(records(enriched)) == {layout.scores(VERSION, TSLA), layout.scores(VERSION, NEWS)}
    # The next job is asked for what is left, and no more.
    left = transform.bundle(settings, raw, enriched, VERSION, RUN)
    assert (left.objects, left.texts) == (2, 4)


def test_a_damaged_object_is_left_out_as_enrichment_leaves_it_unrecorded(
    settings, raw, tmp_path
) -> None:
    raw.put(NVDA, raw.get(NVDA)[:-12])
    bundle = transform.bundle(settings, raw, FolderStore(tmp_path / "e"), VERSION, RUN)
    assert (bundle.objects, bundle.texts) == (2, 3)


def test_a_null_answer_is_recorded_as_none_with_the_endpoints_words(
    settings, raw, tmp_path
) -> None:
    enriched = FolderStore(tmp_path / "e")
    told = [
        json.loads(line)
        for line in container(
            transform.bundle(settings, raw, enriched, VERSION, RUN).data
        ).splitlines()
    ]
    for line in told:
        line["probabilities"] = None
        line.pop("error", None)
    output = "\n".join(map(json.dumps, told)).encode()  # no line break at the end
    done = transform.record(settings, raw, enriched, VERSION, RUN, output)
    assert (done.objects, done.refused) == (3, 6)
    scorer = transform.Transformed(VERSION, {})  # asked for nothing: all of it is recorded
    key = layout.parse_raw(TSLA)
    assert key is not None
    from cashtag.enrich import tweets

    parsed = tweets.parse(settings, key, raw.get(TSLA))
    found = store.of_object(
        enriched, scorer, TSLA, parsed.texts, parsed.input_hashes, batch_size=256
    )
    assert np.isnan(found.probabilities).all()
    assert found.refusals == {0: invocation.NOTHING_SAID, 1: invocation.NOTHING_SAID}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": "other-int8-0123456789ab"}, "an answer of other-int8-0123456789ab, not of"),
        ({"labels": ["positive", "neutral", "negative"]}, "its labels are not"),
        ({"probabilities": [0.5, 0.5]}, "has not three numbers"),
        ({"probabilities": [0.5, 0.1, 0.1]}, "add up to 0.700"),
        ({"probabilities": [float("inf"), 0.0, 0.0]}, "line 2"),
        ({"id": None}, "no answer to a text of ours"),
    ],
)
def test_a_line_that_is_no_answer_of_this_model_stops_the_run_before_anything_is_recorded(
    settings, raw, tmp_path, change, why
) -> None:
    enriched = FolderStore(tmp_path / "e")
    told = container(transform.bundle(settings, raw, enriched, VERSION, RUN).data).splitlines()
    told[1] = json.dumps({**json.loads(told[1]), "error": None} | change).encode()
    if "probabilities" in change:
        told[1] = told[1].replace(b'"error": null, ', b"")
    with pytest.raises(InputError, match=r"answers to 2026-03-02, line 2: ") as caught:
        transform.record(settings, raw, enriched, VERSION, RUN, b"\n".join(told))
    assert re.search(re.escape(why), str(caught.value))
    assert records(enriched) == {}


def test_a_file_cut_short_is_told_by_its_last_line(settings, raw, tmp_path) -> None:
    enriched = FolderStore(tmp_path / "e")
    output = container(transform.bundle(settings, raw, enriched, VERSION, RUN).data)
    with pytest.raises(InputError, match=r"line 5: .*delete the job's output and run it again"):
        transform.record(settings, raw, enriched, VERSION, RUN, output[:-30])
    assert records(enriched) == {}


def test_runs_are_those_with_texts_within_the_dates(raw) -> None:
    raw.put(layout.raw("options", NEXT, "alpaca", "NVDA"), b"")  # no texts in chains
    raw.put(layout.raw("tweets", date(2026, 3, 5), "x", "NVDA"), b"")
    assert transform.runs(raw) == [RUN, date(2026, 3, 5)]
    assert transform.runs(raw, first=NEXT) == [date(2026, 3, 5)]
    assert transform.runs(raw, last=NEXT) == [RUN]
