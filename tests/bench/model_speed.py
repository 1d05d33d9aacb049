"""The model's speed against the usual pipeline and the processor's limit: `make bench-model`.

A RoBERTa of base size with random weights, packaged as a real one is, reads synthetic tweets of
31 tokens on average. In each of several interleaved rounds: a transformers pipeline that is called
with one tweet at a time, the same pipeline with batches of 32, our predict_fn with 256 texts a
call, and the fastest int8 matrix product that ONNX Runtime does here (uint8 by int8, 1024 x 768 x
3072, three forms, the best one counts). Printed are medians, wall and processor time, because the
machine may be shared; then where our time goes by ONNX Runtime's own profile, and what bounds it;
load time and memory of a process of its own, and sizes on disk.

The peak is that of one product whose weights stay in the cache. Where a processor multiplies int8
in tiles (amx_int8; ONNX Runtime has no switch for it) it lies so high that moving weights and
activations, and the work between two products, which is fp32 of one token after the other, take
most of the time whatever the products do: then the share of the peak says little, and the line
below it says what is left to win.

    python tests/bench/model_speed.py [--keep FOLDER] [--rounds N] [--threads N] [--flat N]

`--keep` makes the model once and keeps it there; `--threads 1` gives processor times that others
on the machine disturb least, for no thread waits for another; `--flat N` reads N texts with the tiny model and
prints the memory on the way. Needs the extra `model`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "tiny_model"
HIDDEN, LAYERS, INNER, VOCABULARY = 768, 12, 3072, 50_265
MEAN_TOKENS, SPREAD, FEWEST, MOST = 31, 0.45, 6, 128
NAIVE, BATCHED, OURS, CALL = 32, 64, 512, 256
GEMM = (1024, HIDDEN, INNER)
GEMM_RUNS = 8
SEED = 5
OURS_NAME = "ours: int8, sorted, packaged batches"
PRODUCT = "MatMulIntegerToFloat"  # the operation of every int8 product in our graph
SHOWN = 8  # operations of the profile
INT8_DOT = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp")

FRESH = """
import importlib.util, json, sys, time
spec = importlib.util.spec_from_file_location("inference", sys.argv[1] + "/code/inference.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
before, busy = time.perf_counter(), time.process_time()
model = module.model_fn(sys.argv[1])
load, busy = time.perf_counter() - before, time.process_time() - busy
texts = json.load(sys.stdin)
for start in range(0, len(texts), 256):
    module.predict_fn({"inputs": texts[start:start + 256]}, model)
# Not ru_maxrss: that one counts what the parent held when it forked.
print(load, busy, int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024)
"""


def main() -> None:
    """Make or find the model, run the rounds, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--keep", metavar="FOLDER", help="make the model there once, and use it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="default: all that this process may use")
    parser.add_argument("--flat", type=int, metavar="N", help="memory over N texts, tiny model")
    args = parser.parse_args()
    if args.flat:
        flat(args.flat)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.keep or scratch)
        if not (folder / "packed" / "model").is_dir():
            make(folder)
        measure(folder, args.rounds, args.threads)


def make(folder: Path) -> None:
    """Write a random RoBERTa of base size into `folder`/source, packaged into `folder`/packed."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaForSequenceClassification

    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)
    letters = "etaoinshrdlucmwfgypbvk"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(6000)]
    lines = [" ".join(rng.choices(words, k=20)) for _ in range(4000)]
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(lines, vocab_size=VOCABULARY, special_tokens=special)
    tokenizer.save_model(str(source))
    torch.manual_seed(SEED)
    labels = {0: "negative", 1: "neutral", 2: "positive"}
    config = RobertaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=LAYERS,
        intermediate_size=INNER, max_position_embeddings=514, type_vocab_size=1,
        id2label=labels, label2id={v: k for k, v in labels.items()},
    )  # fmt: skip
    RobertaForSequenceClassification(config).save_pretrained(source)
    script = str(ROOT / "sagemaker" / "package_model.py")
    call = [sys.executable, script, str(source), "--out", str(folder / "packed")]
    print("packaging a random model of base size (a minute) ...", flush=True)
    subprocess.run([*call, "--precision", "int8"], check=True, capture_output=True)


def tweets(folder: Path, count: int) -> list[str]:
    """Return texts whose tokens are 31 on average, log-normal, between 6 and 128."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "packed/model/tokenizer.json"))
    whole = [w[1:] for w in sorted(tokenizer.get_vocab()) if w.startswith("Ġ") and w[1:].isalpha()]
    rng = random.Random(SEED)
    shift = MEAN_TOKENS / np.exp(SPREAD**2 / 2)
    lengths = [
        min(MOST, max(FEWEST, round(shift * rng.lognormvariate(0, SPREAD)))) for _ in range(count)
    ]
    # A space in front makes each of these words one token; two more open and close the text.
    return [" " + " ".join(rng.choices(whole, k=n - 2)) for n in lengths]


def inference(folder: Path) -> Any:
    """Load a packaged folder's code as the container does."""
    spec = importlib.util.spec_from_file_location("inference", folder / "code" / "inference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def products(threads: int, pool: ThreadPoolExecutor) -> dict[str, Callable[[], object]]:
    """Return a call per form of the matrix product, fp32 first; it makes `threads` of them."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(SEED)
    m, k, n = GEMM
    real = rng.standard_normal((m, k)).astype(np.float32)
    bytes_ = rng.integers(0, 256, (m, k)).astype(np.uint8)
    weight = rng.integers(-63, 64, (k, n)).astype(np.int8)
    constants = {
        "w": weight, "wf": weight.astype(np.float32), "z": np.array(128, np.uint8),
        "o": np.array(0, np.int8), "a": np.array(0.1, np.float32), "s": np.full(n, 0.1, np.float32),
    }  # fmt: skip
    ms = "com.microsoft"
    forms: dict[str, tuple[Any, Any, int]] = {
        "fp32 MatMul": (helper.make_node("MatMul", ["x", "wf"], ["y"]), real, 1),
        "MatMulInteger": (
            helper.make_node("MatMulInteger", ["x", "w", "z", "o"], ["y"]), bytes_, 6),
        "MatMulIntegerToFloat": (
            helper.make_node("MatMulIntegerToFloat", ["x", "w", "a", "s", "z", "o"], ["y"], domain=ms),
            bytes_, 1),
        "DynamicQuantizeMatMul": (
            helper.make_node("DynamicQuantizeMatMul", ["x", "w", "s"], ["y"], domain=ms), real, 1),
    }  # fmt: skip
    calls: dict[str, Callable[[], object]] = {}
    for name, (node, x, kind) in forms.items():
        of = TensorProto.UINT8 if x.dtype == np.uint8 else TensorProto.FLOAT
        graph = helper.make_graph(
            [node], name,
            [helper.make_tensor_value_info("x", of, [m, k])],
            [helper.make_tensor_value_info("y", kind, [m, n])],
            [numpy_helper.from_array(v, key) for key, v in constants.items() if key in node.input],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(ms, 1)]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        # Side by side, as our batches are: a product that is shared by threads is not faster.
        calls[name] = lambda session=session, x=x: list(
            pool.map(lambda _: session.run(None, {"x": x}), range(threads))
        )
    return calls


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and processor seconds of one call."""
    wall, busy = perf_counter(), process_time()
    work()
    return perf_counter() - wall, process_time() - busy


def measure(folder: Path, rounds: int, threads: int | None) -> None:
    """Run the rounds and print what they gave."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    packed = folder / "packed" / "model"
    ours = inference(packed)
    threads = threads or ours.processors()
    os.environ["CASHTAG_MODEL_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    texts = tweets(folder, OURS)
    tokenizer = AutoTokenizer.from_pretrained(folder / "source")
    network = AutoModelForSequenceClassification.from_pretrained(folder / "source").eval()
    pipe = pipeline("text-classification", model=network, tokenizer=tokenizer, top_k=None)
    model = ours.model_fn(str(packed))
    counts = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    per_token = 2 * (LAYERS * (4 * HIDDEN**2 + 2 * HIDDEN * INNER))
    operations = statistics.mean(per_token * n + LAYERS * 4 * n * n * HIDDEN for n in counts)

    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    dot = [flag for flag in INT8_DOT if f" {flag}" in cpu]
    print(f"{threads} threads, load {os.getloadavg()[0]:.1f}, "
          f"{statistics.mean(counts):.1f} tokens a tweet, {operations / 1e9:.2f} GOP a tweet; "
          f"int8 dot products: {', '.join(dot) or 'none (AVX2: int8 is twice fp32, not four times)'}")  # fmt: skip

    def one_at_a_time() -> None:
        for text in texts[:NAIVE]:
            pipe(text)

    def ours_batched() -> None:
        for start in range(0, OURS, CALL):
            ours.predict_fn({"inputs": texts[start : start + CALL]}, model)

    work = {
        "naive: pipeline, one tweet a call": (one_at_a_time, NAIVE),
        "pipeline, batch 32": (lambda: pipe(texts[:BATCHED], batch_size=32), BATCHED),
        OURS_NAME: (ours_batched, OURS),
    }
    gemms = products(threads, ThreadPoolExecutor(threads))
    speed: dict[str, list[tuple[float, float]]] = {name: [] for name in (*work, *gemms)}
    for call in (*gemms.values(), lambda: pipe(texts[0])):
        call()
    for round_ in range(rounds):
        for name, (run, count) in work.items():
            wall, busy = timed(run)
            speed[name].append((count / wall, count / busy))
        for name, run in gemms.items():
            best = [timed(run) for _ in range(GEMM_RUNS)]
            whole = threads * 2 * np.prod(GEMM) / 1e9
            speed[name].append((whole / min(w for w, _ in best), whole / min(b for _, b in best)))
        print(f"round {round_ + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", flush=True)

    naive = "naive: pipeline, one tweet a call"
    print(f"\n{'':36s} {'per s wall':>10s} {'x naive':>8s} {'per CPU s':>10s} {'x naive':>8s}")
    for name in work:
        row = np.median(np.array(speed[name]), axis=0)
        times = np.median(np.array(speed[name]) / np.array(speed[naive]), axis=0)
        print(f"{name:36s} {row[0]:10.1f} {times[0]:8.2f} {row[1]:10.1f} {times[1]:8.2f}")
    for name in gemms:
        row = np.median(np.array(speed[name]), axis=0)
        print(f"{name + ' GOP':36s} {row[0]:10.0f} {'':8s} {row[1]:10.0f}")
    int8 = [name for name in gemms if not name.startswith("fp32")]
    peaks = np.max([speed[name] for name in int8], axis=0)
    mine = np.array(speed[OURS_NAME])
    share = np.median(mine * operations / 1e9 / peaks, axis=0)
    ceiling = np.median(peaks / (operations / 1e9) / np.array(speed[naive]), axis=0)
    ratio = np.median(mine / np.array(speed[naive]), axis=0)
    print(f"\nours {ratio[0]:.2f} x naive by wall, {ratio[1]:.2f} by processor time (target 6, stretch 7.5); "
          f"an int8 product alone would be {ceiling[0]:.2f} and {ceiling[1]:.2f} here")  # fmt: skip
    print(f"ours {share[0]:.0%} of the int8 peak by wall, {share[1]:.0%} by processor time (target 55 %, stretch 65 %)")  # fmt: skip
    shares = profiled(ours, model, packed, texts)
    product, at_peak = shares[PRODUCT], share[1]
    print("where our time goes: " + ", ".join(f"{op} {part:.0%}" for op, part in shares.most_common(SHOWN)))  # fmt: skip
    print(f"int8 products take {product:.0%} of it, at {at_peak / product:.0%} of the peak; at the whole peak "
          f"we would be {1 / (1 - product + at_peak):.2f} times as fast, without the rest {1 / product:.2f} times")  # fmt: skip
    fresh = [in_a_process_of_its_own(packed, texts[:CALL]) for _ in range(3)]
    print(f"load {min(f[0] for f in fresh):.2f} s, {min(f[1] for f in fresh):.2f} CPU s (target 1), "
          f"peak memory {max(f[2] for f in fresh):.0f} MB (target 500), "
          f"on disk {sum(p.stat().st_size for p in packed.rglob('*') if p.is_file()) / 1e6:.1f} MB, "
          f"model.tar.gz {(folder / 'packed/model.tar.gz').stat().st_size / 1e6:.1f} MB (target 130)")  # fmt: skip


def profiled(ours: Any, model: Any, packed: Path, texts: list[str]) -> Counter[str]:
    """Return the share of each operation in the time of ours, by ONNX Runtime's profile."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.enable_mem_pattern = 1, False
        options.enable_profiling, options.profile_file_prefix = True, f"{scratch}/profile"
        session = onnxruntime.InferenceSession(str(packed / "model.onnx"), options)
        ours.predict_fn({"inputs": texts[:CALL]}, model._replace(session=session))
        events = json.loads(Path(session.end_profiling()).read_text())
    spent: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    whole = spent.total()
    return Counter({op: part / whole for op, part in spent.items()})


def in_a_process_of_its_own(packed: Path, texts: list[str]) -> tuple[float, float, float]:
    """Return wall and processor seconds to load, and peak resident MB, of a process that does nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(packed)],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    load, busy, memory = map(float, done.stdout.split())
    return load, busy, memory


def flat(count: int) -> None:
    """Read `count` different texts with the tiny model; print resident memory on the way."""
    ours = inference(TINY)
    model = ours.model_fn(str(TINY))
    rng = random.Random(SEED)
    words = ["$NVDA", "beats", "misses", "estimates", "rally", "falls", "the", "stock", "🚀", "Q3"]
    start, step = perf_counter(), max(CALL, count // 10)
    for done in range(0, count, CALL):
        texts = [" ".join(rng.choices(words, k=rng.randint(1, 60))) for _ in range(CALL)]
        ours.predict_fn({"inputs": texts}, model)
        if done % step < CALL:
            status = Path("/proc/self/status").read_text()
            resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
            print(f"{done:9,d} texts, {resident:6.1f} MB, {perf_counter() - start:6.0f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
