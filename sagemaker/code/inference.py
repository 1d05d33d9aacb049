"""Sentiment of texts by a packaged model, the same in a SageMaker container and on a laptop.

Needs onnxruntime, tokenizers, numpy and nothing else. A packaged folder holds `manifest.json`,
`model.onnx`, `tokenizer.json` and `code/` with this file. The four functions are those that
SageMaker's containers call, in this order, with exactly these parameters:

    model = model_fn(folder)
    request = input_fn(body, "application/json")
    prediction = predict_fn(request, model)
    body = output_fn(prediction, "application/json")

In process, `predict_fn({"inputs": [...]}, model_fn(folder))` is all there is to call.

**application/json**: `{"inputs": ["...", ...]}`, `{"inputs": "one text"}`, a bare list or a bare
string; at most MAX_TEXTS texts. The answer has `probabilities`, one `[negative, neutral, positive]`
per text in the order of the request; `labels`, these three names; `id2label`, the model's own names
in its own order; `model`, `version`, `precision`; `usage`, counts of what was read.

**application/jsonlines** (batch transform): one output line per input line, in order, without a
limit on their number but that of the payload. A line is a JSON string or an object
`{"inputs": "one text", "id": ...}`, whose `id` comes back. A line that cannot be read gets a line
with `error`, for one bad line must not fail a job of millions. Blank lines at the end are no
lines. Lines of the raw zone are refused so: what a model reads is the *cleaned* text of a tweet,
and whoever starts a batch transform writes that.

What is odd about a text: null, empty and white space have no answer (null), for they say nothing.
Anything else has one. Characters that are no characters (lone surrogates) are read as U+FFFD.
Of a long text the first `max_tokens` tokens are read; one above MAX_CHARACTERS is refused.

Refusals are RequestError, a ValueError whose text is JSON with `error` and `status` (400, 413,
415) and, where one text is at fault, its `index`. The Hugging Face container makes every
exception a 400; others a 500 that carries the text.

Environment: CASHTAG_MODEL_THREADS (default: the processors this process may use),
CASHTAG_MODEL_BATCH_TOKENS, CASHTAG_MODEL_MAX_TEXTS, CASHTAG_MODEL_MAX_CHARACTERS,
CASHTAG_MODEL_MAX_PAYLOAD_BYTES.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

LABELS = ("negative", "neutral", "positive")
FORMAT = 1  # of the manifest and of the code that reads it: part of every model's version
PARTS = ("weights", "tokenizer", "code")  # of a package, each with its sha256 in the manifest
MAX_TEXTS = 512
MAX_CHARACTERS = 100_000
MAX_PAYLOAD_BYTES = 6 * 2**20  # SageMaker's own limit for real-time; 4 MB for serverless
BATCH_TOKENS = 256  # padded tokens in one run of the graph: activations stay in the cache
TOKENIZED_AT_ONCE = 4096  # texts: memory stays flat over any number of them
DIGITS = 6  # decimals of a probability: what fp32 arithmetic holds on any processor

_JSON = "application/json"
_JSON_LINES = "application/jsonlines"
_LINES = {_JSON_LINES, "application/x-jsonlines", "application/jsonl", "application/x-ndjson"}
_ANY = {"", "*/*", "application/*"}


class RequestError(ValueError):
    """A request that its sender can correct. The text is JSON: `error`, `status`, `index`."""

    def __init__(self, error: str, status: int = 400, index: int | None = None) -> None:
        """Name what is wrong, the HTTP status, and the text at fault (from 0) where there is one."""
        told: dict[str, Any] = {"error": error, "status": status}
        if index is not None:
            told["index"] = index
        super().__init__(json.dumps(told))
        self.status_code = status
        self.index = index


class ModelError(RuntimeError):
    """A folder that holds no model this code can run, or one that was damaged."""


class Model(NamedTuple):
    """A loaded model: what it says of itself, its tokenizer and its session (thread-safe)."""

    manifest: dict[str, Any]
    version: str
    tokenizer: Tokenizer
    session: Any
    columns: tuple[int, ...]
    """Which column of the logits is negative, neutral, positive."""
    batch_tokens: int
    threads: int
    """Batches that are computed at once."""
    unknown: int | None
    """Id of the unknown token; None where every text has tokens (byte-level tokenizers)."""


# ---------------------------------------------------------------- the four functions


def model_fn(model_dir: str) -> Model:
    """Load the model of a packaged folder and run it once.

    Raises:
        ModelError: a file is missing, does not fit its sha256, or is of another format.
    """
    folder = Path(model_dir)
    manifest = read_manifest(folder)
    for part in PARTS:
        path = folder / manifest[part]["file"]
        if not path.is_file() or _sha256(path) != manifest[part]["sha256"]:
            raise ModelError(
                f"{path} is missing or is not the file that manifest.json was written for; "
                "package the model again"
            )
    tokenizer = Tokenizer.from_file(str(folder / manifest["tokenizer"]["file"]))
    tokenizer.no_padding()
    tokenizer.enable_truncation(int(manifest["max_tokens"]))
    options = onnxruntime.SessionOptions()
    # Batches run side by side, each on one thread: nobody waits for half a product, and the sums
    # are the same on any number of threads.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # a plan kept per batch shape is memory that grows
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(folder / manifest["weights"]["file"]), options, providers=["CPUExecutionProvider"]
    )
    unknown = manifest["tokenizer"].get("unknown")
    model = Model(
        manifest=manifest,
        version=model_version(manifest),
        tokenizer=tokenizer,
        session=session,
        columns=tuple(manifest["labels"].index(label) for label in LABELS),
        batch_tokens=_setting("BATCH_TOKENS", int(manifest.get("batch_tokens", BATCH_TOKENS))),
        threads=_setting("THREADS", processors()),
        unknown=None if unknown is None else tokenizer.token_to_id(unknown),
    )
    predict_fn({"inputs": ["warm-up: the first run makes room for all that follow"]}, model)
    return model


def input_fn(data: bytes | bytearray | str, content_type: str) -> dict[str, Any]:
    """Return `{"inputs": texts}`; of JSON lines also the `lines` they came on.

    Raises:
        RequestError: the body is too large, of another type, or not what that type says.
    """
    kind = (content_type or _JSON).split(";")[0].strip().lower()
    body = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    limit = _setting("MAX_PAYLOAD_BYTES", MAX_PAYLOAD_BYTES)
    if len(body) > limit:
        raise RequestError(f"{len(body)} bytes in one request; at most {limit}", 413)
    if kind in _LINES:
        return _read_lines(body)
    if kind != _JSON:
        raise RequestError(f"content type {kind!r}; send {_JSON} or {_JSON_LINES}", 415)
    texts = _inputs(_parsed(body))
    limit = _setting("MAX_TEXTS", MAX_TEXTS)
    if len(texts) > limit:
        raise RequestError(f"{len(texts)} texts in one request; at most {limit}", 413)
    return {"inputs": texts}


def predict_fn(data: Any, model: Model) -> dict[str, Any]:
    """Return the probabilities of each text, and who says so; `data` as input_fn returns it.

    Equal texts are read once. A text's answer depends on no other text of the call beyond
    rounding in the seventh decimal.

    Raises:
        RequestError: an item is no text, or is too long.
    """
    texts = _inputs(data)
    rows: list[list[float] | None] = []
    usage = {"texts": len(texts), "tokens": 0, "unknown_tokens": 0, "truncated": 0}
    for start in range(0, len(texts), TOKENIZED_AT_ONCE):
        part = texts[start : start + TOKENIZED_AT_ONCE]
        rows += _answers([_checked(t, start + i) for i, t in enumerate(part)], model, usage)
    prediction = {
        "model": model.manifest["name"],
        "version": model.version,
        "precision": model.manifest["precision"],
        "labels": list(LABELS),
        "id2label": list(model.manifest["id2label"]),
        "probabilities": rows,
        "usage": usage,
    }
    if isinstance(data, dict) and "lines" in data:
        prediction["lines"] = data["lines"]
    return prediction


def output_fn(prediction: dict[str, Any], accept: str) -> str:
    """Return the body: one JSON object, or one line per text where lines were sent or asked for.

    Raises:
        RequestError: `accept` names only other types.
    """
    wanted = {part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")}
    lines = prediction.get("lines")
    if lines is None and wanted & {_JSON, *_ANY}:
        return json.dumps(prediction)
    if lines is None and not wanted & _LINES:
        raise RequestError(f"accept {accept!r}; ask for {_JSON} or {_JSON_LINES}", 415)
    rows = prediction["probabilities"]
    told = {key: prediction[key] for key in ("model", "version", "precision", "labels")}
    out = []
    for line, row in zip(lines or [{}] * len(rows), rows, strict=True):
        out.append(json.dumps({**line, "probabilities": row, **told}) + "\n")
    return "".join(out)


# ---------------------------------------------------------------- what a model says of itself


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a packaged folder.

    Raises:
        ModelError: there is none, or it is of another format, or names not all parts.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read ({error}): not a folder of package_model.py"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{path} is not of format {FORMAT}; package the model again")
    if missing := [part for part in PARTS if part not in manifest]:
        raise ModelError(f"{path} does not state {', '.join(missing)}; package the model again")
    return manifest


def model_version(manifest: dict[str, Any]) -> str:
    """Return the name under which this model's answers are recorded.

    It changes with everything an answer depends on: weights and their precision, tokenizer,
    preprocessing, label order, truncation; not with batch sizes, evaluation or the source's name.
    Nor with this code's bytes: a change here that moves an answer makes another FORMAT.
    """
    facts = {
        "format": FORMAT,
        "weights": manifest["weights"]["sha256"],
        "tokenizer": manifest["tokenizer"]["sha256"],
        "precision": manifest["precision"],
        "preprocessing": manifest["preprocessing"],
        "labels": manifest["labels"],
        "max_tokens": manifest["max_tokens"],
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    name = re.sub(r"[^a-z0-9.]+", "-", manifest["name"].lower()).strip("-.")
    return f"{name}-{manifest['precision']}-{digest[:12]}"


def processors() -> int:
    """Return how many processors this process may use: its affinity, and its container's share."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:  # cgroup v2: "200000 100000" microseconds of each period, or "max 100000"
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        share = math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        share = math.inf
    return max(1, int(min(count or 1, share)))


def preprocess(text: str, rules: dict[str, str | None]) -> str:
    """Return the text as the model was trained to read it.

    The published preprocessing of cardiffnlp's models: of the words between single spaces, those
    that start with "@" (and are longer) become `rules["mention"]`, those that start with "http"
    become `rules["url"]`. A rule of None leaves such words alone.
    https://huggingface.co/cardiffnlp/twitter-roberta-base-sentiment-latest
    """
    mention, url = rules["mention"], rules["url"]
    if mention is None and url is None:
        return text
    words = text.split(" ")
    for i, word in enumerate(words):
        if mention is not None and word.startswith("@") and len(word) > 1:
            words[i] = mention
        elif url is not None and word.startswith("http"):
            words[i] = url
    return " ".join(words)


# ---------------------------------------------------------------- texts to answers


def _answers(
    texts: list[str | None], model: Model, usage: dict[str, int]
) -> list[list[float] | None]:
    """Encode once, read equal texts once, longest first in batches, and restore the order."""
    rules = model.manifest["preprocessing"]
    where = [i for i, text in enumerate(texts) if text is not None]
    encoded = model.tokenizer.encode_batch_fast([preprocess(texts[i] or "", rules) for i in where])
    tokens = [tuple(e.ids) for e in encoded]
    usage["tokens"] += sum(map(len, tokens))
    usage["truncated"] += sum(bool(e.overflowing) for e in encoded)
    if model.unknown is not None:
        usage["unknown_tokens"] += sum(ids.count(model.unknown) for ids in tokens)
    # Sorted by content too: a set of texts makes the same batches in whatever order they came.
    distinct = sorted(set(tokens), key=lambda ids: (-len(ids), ids))
    batches = []
    start = 0
    while start < len(distinct):
        size = max(1, model.batch_tokens // len(distinct[start]))
        batches.append(distinct[start : start + size])
        start += size
    found: dict[tuple[int, ...], list[float]] = {}
    with ThreadPoolExecutor(max(1, min(model.threads, len(batches)))) as pool:
        answers = pool.map(lambda batch: _probabilities(batch, model), batches)
        for batch, probabilities in zip(batches, answers, strict=True):
            found.update(zip(batch, probabilities.tolist(), strict=True))
    rows: list[list[float] | None] = [None] * len(texts)
    for i, ids in zip(where, tokens, strict=True):
        rows[i] = list(found[ids])
    return rows


def _probabilities(batch: list[tuple[int, ...]], model: Model) -> np.ndarray:
    """Run one padded batch, longest first; float64 of shape (n, 3)."""
    shape = (len(batch), len(batch[0]))
    ids = np.full(shape, model.manifest["tokenizer"]["pad_id"], dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for row, sequence in enumerate(batch):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    (logits,) = model.session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
    logits = logits.astype(np.float64)[:, model.columns]
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.round(odds / odds.sum(axis=1, keepdims=True), DIGITS)


def _checked(text: Any, index: int) -> str | None:
    """Return the text, or None where there is nothing to read."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise RequestError(f"text {index} is a {type(text).__name__}, not a string", 400, index)
    limit = _setting("MAX_CHARACTERS", MAX_CHARACTERS)
    if len(text) > limit:
        raise RequestError(f"text {index} has {len(text)} characters; at most {limit}", 413, index)
    if not text.strip():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _inputs(data: Any) -> list[Any]:
    if isinstance(data, dict):
        if "inputs" not in data:
            raise RequestError('the object has no "inputs": send {"inputs": ["text", ...]}')
        data = data["inputs"]
    if isinstance(data, str):
        return [data]
    if not isinstance(data, list | tuple):
        raise RequestError(f"inputs are a {type(data).__name__}: send a text or a list of texts")
    return list(data)


def _read_lines(body: bytes) -> dict[str, Any]:
    """Return one text per line, and beside it the `id` and the `error` of that line."""
    texts: list[str | None] = []
    lines: list[dict[str, Any]] = []
    for raw in body.rstrip().split(b"\n") if body.strip() else ():
        line: dict[str, Any] = {}
        text = None
        try:
            item = _parsed(raw)
            if isinstance(item, dict) and "id" in item:
                line["id"] = item["id"]
            if not isinstance(item, str) and not (isinstance(item, dict) and "inputs" in item):
                raise RequestError('a line is a string, or an object with the text in "inputs"')
            text = _checked(item["inputs"] if isinstance(item, dict) else item, len(lines))
        except RequestError as error:
            line["error"] = json.loads(str(error))["error"]
        texts.append(text)
        lines.append(line)
    return {"inputs": texts, "lines": lines}


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise RequestError(f"not JSON in UTF-8: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _setting(name: str, otherwise: int) -> int:
    given = os.environ.get(f"CASHTAG_MODEL_{name}", "")
    if not given:
        return otherwise
    if not given.isdecimal() or int(given) < 1:
        raise ModelError(f"CASHTAG_MODEL_{name}={given!r} is not a whole number above 0")
    return int(given)
