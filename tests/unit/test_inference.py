"""The four functions of the container, on the tiny model, called as the serving stack calls them."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("onnxruntime", reason="the extra `roberta` is not installed")
pytest.importorskip("tokenizers", reason="the extra `roberta` is not installed")

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "tiny_model"
GOOD, BAD = "$NVDA beats estimates", "$NVDA misses estimates and falls"
# What one answer may differ by when its neighbours change: the sums of fp32 attention in another
# order, and, rarely, an activation that this pushes over a step of its int8 scale.
BOUND = 0.0005


def loaded(folder: Path) -> ModuleType:
    """Import `folder`/code/inference.py by path, without registering it anywhere."""
    spec = importlib.util.spec_from_file_location("inference", folder / "code" / "inference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


inference = loaded(TINY)


@pytest.fixture(scope="module")
def model() -> Any:
    return inference.model_fn(str(TINY))


def answers(model: Any, texts: list[Any]) -> list[Any]:
    rows: list[Any] = inference.predict_fn({"inputs": texts}, model)["probabilities"]
    return rows


def distance(a: list[list[float]], b: list[list[float]]) -> float:
    return max(abs(x - y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


# ---------------------------------------------------------------- the container's contract


def test_an_unpacked_tar_serves_json_through_the_four_functions(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(TINY, ".")
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        tar.extractall(tmp_path / "opt", filter="data")
    module = loaded(tmp_path / "opt")
    ready = module.model_fn(str(tmp_path / "opt"))
    request = module.input_fn(json.dumps({"inputs": [GOOD, BAD]}).encode(), "application/json")
    body = module.output_fn(module.predict_fn(request, ready), "application/json")
    told = json.loads(body)
    assert told["labels"] == ["negative", "neutral", "positive"]
    good, bad = told["probabilities"]
    assert max(good) == good[2]
    assert max(bad) == bad[0]
    assert told["model"] == "tiny-test"
    assert told["precision"] == "int8"
    assert told["version"] == ready.version
    assert told["id2label"] == ["negative", "neutral", "positive"]


def test_the_functions_have_exactly_the_parameters_that_containers_count() -> None:
    names = {
        "model_fn": ("model_dir",),
        "input_fn": ("data", "content_type"),
        "predict_fn": ("data", "model"),
        "output_fn": ("prediction", "accept"),
    }
    for name, wanted in names.items():
        code = getattr(inference, name).__code__
        assert code.co_varnames[: code.co_argcount] == wanted
        assert code.co_kwonlyargcount == 0


def test_it_imports_only_what_the_container_has() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import inference\n"
        "known = {*sys.stdlib_module_names, 'numpy', 'onnxruntime', 'tokenizers', 'inference'}\n"
        "import ast; tree = ast.parse(open(inference.__file__).read())\n"
        "names = {a.name.split('.')[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}\n"
        "names |= {n.module.split('.')[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}\n"
        "print(sorted(names - known), 'torch' in sys.modules, 'cashtag' in sys.modules)"
    )
    call = [sys.executable, "-c", code, str(TINY / "code")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False", "False"]


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ({"inputs": ["a", "b"]}, ["a", "b"]),
        ({"inputs": "one"}, ["one"]),  # what other callers send
        ("one", ["one"]),
        (["a", None], ["a", None]),
        ({"inputs": [], "parameters": {"top_k": None}}, []),
    ],
)
def test_json_is_read_in_every_form_that_callers_send(body: Any, texts: list[Any]) -> None:
    assert inference.input_fn(json.dumps(body), "application/json")["inputs"] == texts
    encoded = bytearray(json.dumps(body).encode())
    assert inference.input_fn(encoded, "application/json; charset=utf-8")["inputs"] == texts


def test_a_batch_transform_gets_one_line_per_line_in_order(model: Any) -> None:
    body = "\n".join(
        [
            json.dumps({"inputs": GOOD, "id": "t1"}),
            json.dumps(BAD),
            "",  # a blank line between others keeps its place
            "{broken",
            json.dumps({"source": "x", "data": {"rawContent": GOOD}}),  # a line of the raw zone
            json.dumps({"inputs": 7, "id": 6}),
            json.dumps({"inputs": None}),
            "",
            "  \r\n",
        ]
    ).encode()
    request = inference.input_fn(body, "application/jsonlines")
    out = inference.output_fn(inference.predict_fn(request, model), "*/*")
    assert out.endswith("\n")
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 7  # the blank lines at the end are none
    assert lines[0]["id"] == "t1"
    assert [lines[0]["probabilities"], lines[1]["probabilities"]] == answers(model, [GOOD, BAD])
    assert [line["probabilities"] for line in lines[2:]] == [None] * 5
    assert [("error" in line) for line in lines] == [False, False, True, True, True, True, False]
    assert lines[5]["id"] == 6
    assert {line["version"] for line in lines} == {model.version}


def test_json_lines_have_no_limit_on_their_number(model: Any) -> None:
    body = b'"up"\n' * 1500
    request = inference.input_fn(body, "application/jsonlines")
    out = inference.output_fn(inference.predict_fn(request, model), "application/json")
    assert out.count("\n") == 1500  # lines that were sent are answered in lines


def test_an_empty_body_of_lines_has_no_lines(model: Any) -> None:
    request = inference.input_fn(b"\n\n", "application/jsonlines")
    assert inference.output_fn(inference.predict_fn(request, model), "application/jsonlines") == ""


@pytest.mark.parametrize("accept", ["application/json", "*/*", None, "text/html, */*;q=0.1"])
def test_json_is_what_anything_means(model: Any, accept: Any) -> None:
    prediction = inference.predict_fn(GOOD, model)
    assert len(json.loads(inference.output_fn(prediction, accept))["probabilities"]) == 1


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        (b'{"inputs": ["a"', "application/json", 400, "not JSON"),
        (b"\xff\xfe", "application/json", 400, "not JSON in UTF-8"),
        (b'{"texts": ["a"]}', "application/json", 400, "no \\\"inputs\\\""),
        (b'{"inputs": 7}', "application/json", 400, "int"),
        (b"[" * 100_000, "application/json", 400, "not JSON"),
        (b"a,b", "text/csv", 415, "text/csv"),
        (json.dumps(["a"] * 513).encode(), "application/json", 413, "513 texts"),
        (b'"' + b"a" * (6 * 2**20) + b'"', "application/json", 413, "at most 6291456"),
    ],
)  # fmt: skip
def test_a_bad_request_is_refused_with_a_status_and_a_reason(
    body: bytes, kind: str, status: int, says: str
) -> None:
    with pytest.raises(ValueError, match=r"\{") as caught:
        inference.input_fn(body, kind)
    told = json.loads(str(caught.value))
    assert told["status"] == status == caught.value.status_code  # type: ignore[attr-defined]
    assert says in str(caught.value)


def test_a_bad_text_is_named_by_its_place(model: Any) -> None:
    with pytest.raises(inference.RequestError) as caught:
        answers(model, ["a", {"text": "b"}])
    assert json.loads(str(caught.value))["index"] == caught.value.index == 1
    with pytest.raises(inference.RequestError) as caught:
        answers(model, ["a", "b", "c" * 100_001])
    assert (caught.value.status_code, caught.value.index) == (413, 2)


def test_another_accept_is_refused(model: Any) -> None:
    with pytest.raises(inference.RequestError, match="text/csv"):
        inference.output_fn(inference.predict_fn(GOOD, model), "text/csv")


def test_limits_are_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASHTAG_MODEL_MAX_TEXTS", "2")
    with pytest.raises(inference.RequestError, match="at most 2"):
        inference.input_fn('["a", "b", "c"]', "application/json")
    monkeypatch.setenv("CASHTAG_MODEL_MAX_TEXTS", "many")
    with pytest.raises(inference.ModelError, match="CASHTAG_MODEL_MAX_TEXTS='many'"):
        inference.input_fn('["a"]', "application/json")


# ---------------------------------------------------------------- texts


def test_null_and_empty_texts_have_no_answer_and_keep_their_place(model: Any) -> None:
    rows = answers(model, [GOOD, None, "", " \n\t", BAD])
    assert rows[1:4] == [None, None, None]
    assert distance([rows[0], rows[4]], answers(model, [GOOD, BAD])) <= BOUND


def test_emoji_alone_have_an_answer(model: Any) -> None:
    # The lexicon that taught it counts a rocket as good and a bear with a falling chart as bad.
    up, down = answers(model, ["🚀🚀", "🐻📉"])
    assert max(up) == up[2]
    assert max(down) == down[0]


def test_a_text_of_ten_thousand_characters_is_read_to_its_128th_token(model: Any) -> None:
    long = (GOOD + " ") * 455
    assert len(long) > 10_000
    told = inference.predict_fn({"inputs": [long, long + BAD * 20]}, model)
    assert told["usage"] == {"texts": 2, "tokens": 256, "unknown_tokens": 0, "truncated": 2}
    assert told["probabilities"][0] == told["probabilities"][1]


def test_five_megabytes_in_512_texts_are_answered(model: Any) -> None:
    texts = [f"{i} " + "strong " * 1400 for i in range(512)]  # 9,800 characters each
    body = json.dumps({"inputs": texts}).encode()
    assert len(body) > 5_000_000
    rows = answers(model, inference.input_fn(body, "application/json")["inputs"])
    assert len(rows) == 512
    assert None not in rows


def test_a_lone_surrogate_is_read_as_no_character(model: Any) -> None:
    request = inference.input_fn(b'["up \\ud83d today", "up \\ufffd today"]', "application/json")
    broken, replaced = answers(model, request["inputs"])
    assert broken == replaced


def test_probabilities_are_numbers_that_sum_to_one(model: Any) -> None:
    rng = random.Random(1)
    texts = ["".join(chr(rng.randint(32, 0x2FFF)) for _ in range(rng.randint(1, 300))) for _ in range(64)]  # fmt: skip
    for row in answers(model, [text for text in texts if text.strip()]):
        assert math.isclose(sum(row), 1, abs_tol=2e-6)
        assert all(0 <= p <= 1 for p in row)


# The example of the model card, and words that only look like mentions.
@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("@bob look https://t.co/x", "@user look http"),
        ("see http://a.b and httpd", "see http and http"),  # as published: any word that starts so
        ("a @ b", "a @ b"),  # a single @ is no mention
        ("mail bob@x.com\n@bob", "mail bob@x.com\n@bob"),  # split at single spaces only
        ("  two  spaces @x ", "  two  spaces @user "),
    ],
)
def test_mentions_and_addresses_are_replaced_as_published(text: str, read: str) -> None:
    rules = {"mention": "@user", "url": "http"}
    assert inference.preprocess(text, rules) == read
    assert inference.preprocess(text, {"mention": None, "url": None}) == text


def test_the_model_applies_the_preprocessing_of_its_manifest(model: Any) -> None:
    raw, read = answers(model, ["@bob $NVDA soars https://t.co/x", "@user $NVDA soars http"])
    assert raw == read


# ---------------------------------------------------------------- one answer per text


def test_an_answer_does_not_depend_on_order_or_neighbours(model: Any) -> None:
    rng = random.Random(2)
    words = [
        "beats",
        "misses",
        "rally",
        "falls",
        "the",
        "stock",
        "$NVDA",
        "🚀",
        "guidance",
        "weak",
        "strong",
        "quarter",
        "flat",
    ]
    texts = [" ".join(rng.choices(words, k=rng.randint(1, 70))) for _ in range(150)]
    alone = [answers(model, [text])[0] for text in texts]
    together = answers(model, texts)
    assert distance(alone, together) <= BOUND
    assert answers(model, texts[::-1])[::-1] == together  # a set of texts makes the same batches
    assert distance(alone[:40], answers(model, texts[:40])) <= BOUND


def test_padding_weighs_nothing(model: Any) -> None:
    # A short text beside one of 128 tokens is padded to 128.
    assert distance(answers(model, [GOOD]), answers(model, [GOOD, "strong " * 300])[:1]) <= BOUND


def test_batch_size_changes_nothing(model: Any) -> None:
    texts = [f"{GOOD} {i} times" for i in range(40)]
    small = model._replace(batch_tokens=8)  # less than one text: one text a batch
    assert distance(answers(model, texts), answers(small, texts)) <= BOUND


def test_answers_are_the_same_on_any_number_of_threads(model: Any) -> None:
    texts = [f"{GOOD} {i} times, {BAD if i % 3 else 'flat'}" for i in range(100)]
    alone = answers(model._replace(threads=1), texts)
    assert answers(model._replace(threads=7), texts) == alone


def test_a_batch_that_fails_beside_others_fails_the_call(model: Any) -> None:
    class Broken:
        def run(self, names: list[str], feed: dict[str, Any]) -> Any:
            if feed["input_ids"].shape[1] < 20:
                raise RuntimeError("no memory")
            return model.session.run(names, feed)

    with pytest.raises(RuntimeError, match="no memory"):
        answers(model._replace(session=Broken(), threads=2), ["long " * 40, GOOD, "long " * 90])


def test_equal_texts_are_read_once(model: Any) -> None:
    seen: list[int] = []

    class Counting:
        def run(self, names: list[str], feed: dict[str, Any]) -> Any:
            seen.append(len(feed["input_ids"]))
            return model.session.run(names, feed)

    rows = answers(model._replace(session=Counting()), [GOOD] * 30 + ["@a up", "@b up"])
    assert seen == [1, 1] or seen == [2]  # two distinct texts, in one batch or two
    assert rows[:30] == [rows[0]] * 30
    assert rows[30] == rows[31]


def test_no_batch_is_larger_than_its_tokens(model: Any) -> None:
    sizes: list[int] = []

    class Watching:
        def run(self, names: list[str], feed: dict[str, Any]) -> Any:
            sizes.append(feed["input_ids"].size)
            return model.session.run(names, feed)

    answers(model._replace(session=Watching()), [f"{i} " * (i % 100 + 1) for i in range(300)])
    assert max(sizes) <= model.batch_tokens == 256


def test_memory_is_flat_over_many_texts(model: Any) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc: resident memory is unknown")

    def resident() -> int:
        return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])

    rng = random.Random(3)

    def read(calls: int) -> None:
        for _ in range(calls):
            answers(model, [f"{rng.random()} strong " * rng.randint(1, 9) for _ in range(256)])

    read(6)
    before = resident()
    read(18)
    assert resident() - before < 20_000  # kB over 4,608 texts, most of them new


# ---------------------------------------------------------------- what a model says of itself


def test_the_version_changes_with_everything_an_answer_depends_on() -> None:
    manifest = inference.read_manifest(TINY)
    version = inference.model_version(manifest)
    assert version.startswith("tiny-test-int8-")
    changes: list[dict[str, Any]] = [
        {"weights": {**manifest["weights"], "sha256": "0" * 64}},
        {"tokenizer": {**manifest["tokenizer"], "sha256": "0" * 64}},
        {"precision": "fp32"},
        {"preprocessing": {"mention": None, "url": None}},
        {"labels": ["positive", "negative", "neutral"]},
        {"max_tokens": 64},
    ]
    versions = {inference.model_version({**manifest, **change}) for change in changes}
    assert len(versions | {version}) == 7
    same = {**manifest, "evaluation": {"n": 1}, "batch_tokens": 4, "probes": [], "notice": ""}
    assert inference.model_version(same) == version


def test_the_order_of_the_models_own_labels_does_not_change_the_answer(tmp_path: Path) -> None:
    # FinBERT's order: were the tiny model's outputs positive, negative, neutral, then its first
    # number would be that of positive.
    shutil.copytree(TINY, tmp_path / "m")
    manifest = json.loads((TINY / "manifest.json").read_text())
    manifest["labels"] = manifest["id2label"] = ["positive", "negative", "neutral"]
    (tmp_path / "m" / "manifest.json").write_text(json.dumps(manifest))
    first = answers(inference.model_fn(str(TINY)), [GOOD])[0]
    told = inference.predict_fn(GOOD, inference.model_fn(str(tmp_path / "m")))
    assert told["labels"] == ["negative", "neutral", "positive"]
    assert told["id2label"] == ["positive", "negative", "neutral"]
    assert told["probabilities"] == [[first[1], first[2], first[0]]]


@pytest.mark.parametrize(
    "damage", ["weights", "tokenizer", "code", "unstated", "manifest", "format", "absent"]
)
def test_a_damaged_folder_is_no_model(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "m"
    shutil.copytree(TINY, folder)
    if damage == "weights":
        data = bytearray((folder / "model.onnx").read_bytes())
        data[len(data) // 2] ^= 1  # one bit of one weight
        (folder / "model.onnx").write_bytes(data)
    elif damage == "tokenizer":
        (folder / "tokenizer.json").write_text("{}")
    elif damage == "code":
        (folder / "code" / "inference.py").write_text("# somebody else's")
    elif damage == "unstated":
        manifest = json.loads((TINY / "manifest.json").read_text())
        del manifest["code"]
        (folder / "manifest.json").write_text(json.dumps(manifest))
    elif damage == "manifest":
        (folder / "manifest.json").write_text("{")
    elif damage == "format":
        (folder / "manifest.json").write_text('{"format": 99}')
    else:
        (folder / "model.onnx").unlink()
    with pytest.raises(inference.ModelError, match="package"):
        inference.model_fn(str(folder))


def test_threads_follow_the_processors_this_process_may_use() -> None:
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "import inference; print(inference.processors())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no affinity")
    call = [sys.executable, "-c", code, str(TINY / "code")]
    assert subprocess.run(call, capture_output=True, check=True).stdout.strip() == b"1"
