"""Package a sentiment model: from a hub id or a local folder to a folder and a model.tar.gz.

    python sagemaker/package_model.py SOURCE --out OUT --evaluate labelled.csv

writes OUT/model (what `cashtag model use` takes) and OUT/model.tar.gz (what SageMaker takes): the
same files, the same bytes for the same source and the same versions of the libraries.

Head, label order and preprocessing are read from the model and stated in `manifest.json`, beside
the source's revision, the sha256 of every part, and how well it did. int8 ships only if it loses
at most half a point of macro-recall against fp32 on your labelled texts; else bf16 (stored so,
computed in fp32). The manifest's `probes` are sentences with this model's answers: a deployment
is right when it gives the same.

Needs the extra `model`; --show reads a packaged folder or model.tar.gz without it.

Exit codes: 0 done; 2 something to correct in the call, the source or the labelled texts;
3 libraries are missing; 4 the exported graph does not compute what its source computes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import json
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
CODE = HERE / "code" / "inference.py"
PRECISIONS = ("int8", "bf16", "fp32")
TOLERATED_RECALL = 0.005  # half a point of macro-recall against fp32
TOLERATED_LOGIT = 1e-3  # fp32 graph against its source: rounding of sums in another order
MAX_TOKENS = 128
RUNTIME = ("onnxruntime", "tokenizers", "numpy")

# What models call the three labels.
NAMES = {
    "negative": {"negative", "neg", "bearish"},
    "neutral": {"neutral", "neu"},
    "positive": {"positive", "pos", "bullish"},
}
# What stands for mentions and addresses in the texts a model was trained on.
PREPROCESSING: dict[str, dict[str, str | None]] = {
    "tweeteval": {"mention": "@user", "url": "http"},
    "bertweet": {"mention": "@USER", "url": "HTTPURL"},
    "fintwit": {"mention": "@USER", "url": "[URL]"},
    "none": {"mention": None, "url": None},
}
# The card of a model that wants `tweeteval` shows the code: '@user' if t.startswith('@') ...
CARD = re.compile(r"""['"]@user['"]\s+if\s+\w+\.startswith""")

PROBES = (
    "$NVDA beats estimates and raises guidance, shares jump 8% after hours",
    "$TSLA misses on revenue, cuts its outlook and the stock tumbles",
    "$AAPL reports on Thursday after the close",
    "Terrible quarter. Margins collapsed and the CFO is leaving $META",
    "Loving this rally 🚀🚀 $GOOG to the moon",
    "@trader42 what do you think of $AMD here? https://example.com/chart",
    "🐻📉",
    "The Fed left rates unchanged; markets were little changed. " * 12,
)
EXAMPLES = """examples:
  python sagemaker/package_model.py cardiffnlp/twitter-roberta-base-sentiment-latest \\
      --out build/roberta --evaluate labelled.csv
  python sagemaker/package_model.py ProsusAI/finbert --out build/finbert --evaluate news.csv
  python sagemaker/package_model.py ./my-fintwit-roberta --labels bearish,neutral,bullish \\
      --preprocessing tweeteval --precision int8 --out build/fintwit
  python sagemaker/package_model.py --show build/roberta/model.tar.gz
"""


class PackagingError(Exception):
    """What stops packaging; `exit_code` as the module's docstring lists them."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        """Keep the message and the exit code."""
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Source:
    """Where a model comes from: its files, the name it is known by, and the exact revision."""

    folder: Path
    id: str
    revision: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = _parser().parse_args(arguments)
    try:
        if args.show:
            show(args.show)
        else:
            package(args)
    except PackagingError as error:
        print(f"package_model: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def package(args: argparse.Namespace) -> None:
    """Do what the command line asks: read, export, choose the precision, write."""
    if not args.source or not args.out:
        raise PackagingError("SOURCE and --out are needed; see --help")
    if not args.precision and not args.evaluate:
        raise PackagingError(
            "--evaluate labelled.csv chooses the precision; without labelled texts name it: "
            "--precision int8"
        )
    graphs, transformers = _libraries()
    labelled = _labelled(args.evaluate) if args.evaluate else None
    _say("reading the model")
    source = find(args.source, args.revision, args.id)
    model, tokenizer = _loaded(transformers, source.folder)
    manifest = described(model.config, tokenizer, source, args)
    _say(f"labels in the model's order: {', '.join(manifest['id2label'])}")
    _say(f"preprocessing: {json.dumps(manifest['preprocessing'])}")
    _say("exporting (half a minute for a base model)")
    graph = graphs.exported(model, _longest(model.config))
    make = {"int8": graphs.int8, "bf16": graphs.bf16, "fp32": lambda whole: whole}

    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        folders: dict[str, Path] = {}

        def made(precision: str) -> Path:
            if precision not in folders:
                folder = folders[precision] = Path(scratch) / precision
                _write(folder, {**manifest, "precision": precision}, tokenizer, args.wheels)
                graphs.saved(make[precision](graph), folder / "model.onnx")
                _sealed(folder)
            return folders[precision]

        _say("comparing the graph with its source")
        _verify(model, made("fp32"))
        chosen, evaluation = _choose(args, made, labelled)
        _seal_with(made(chosen), made("fp32"), evaluation)
        target = out / "model"
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(made(chosen), target)
    pack(out / "model", out / "model.tar.gz")
    show(str(out / "model"))


# ---------------------------------------------------------------- reading the source


def find(name: str, revision: str | None, known_as: str | None) -> Source:
    """Return the source's files: a folder as it is, or a hub's model at one revision."""
    folder = Path(name)
    if folder.is_dir():
        weights = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
        if not (folder / "config.json").is_file() or not weights:
            raise PackagingError(f"{folder} holds no config.json with weights (*.safetensors)")
        digest = hashlib.sha256(b"".join(_digest(path) for path in weights)).hexdigest()
        return Source(folder, known_as or folder.resolve().name, f"sha256:{digest}")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise PackagingError(f"{name!r} is neither a folder nor a hub id such as owner/model")
    from huggingface_hub import errors, snapshot_download

    other = ["*.h5", "*.msgpack", "*.onnx", "onnx/*", "openvino/*", "*.ot", "training_args.bin"]
    try:
        path = Path(snapshot_download(name, revision=revision, ignore_patterns=other))
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        raise PackagingError(f"cannot fetch {name} from the hub: {error}") from error
    return Source(path, known_as or name, path.name)  # a snapshot's folder is named by its commit


def described(
    config: Any, tokenizer: Any, source: Source, args: argparse.Namespace
) -> dict[str, Any]:
    """Return the manifest, without what depends on the precision."""
    names = [str(config.id2label[i]) for i in range(config.num_labels)]
    preprocessing = preprocessing_of(args.preprocessing, source, tokenizer.get_vocab())
    return {
        "format": _inference().FORMAT,
        "name": args.name or source.id.split("/")[-1],
        **({"notice": args.notice} if args.notice else {}),
        "source": {"id": source.id, "revision": source.revision},
        "precision": "",
        "id2label": names,
        "labels": labels_of(names, args.labels),
        "preprocessing": preprocessing,
        "max_tokens": min(args.max_tokens, _longest(config)),
        "batch_tokens": _inference().BATCH_TOKENS,
        "tokenizer": {
            "pad_id": config.pad_token_id or 0,
            "unknown": tokenizer.unk_token,
        },
        "made_with": {name: version(name) for name in ("torch", "transformers", "onnx")},
        "evaluation": None,
    }


def labels_of(names: Sequence[str], given: str | None) -> list[str]:
    """Return which of negative, neutral and positive each of the model's outputs is.

    Raises:
        PackagingError: the names say nothing (LABEL_0) and no --labels were given.
    """
    said = [name.strip() for name in given.split(",")] if given else list(names)
    known = [
        next((label for label, words in NAMES.items() if name.lower() in words), None)
        for name in said
    ]
    if len(names) != len(NAMES) or len(said) != len(names):
        raise PackagingError(
            f"the model has {len(names)} labels ({', '.join(names)}); 3 are needed"
        )
    if set(known) != set(NAMES):
        raise PackagingError(
            f"labels {', '.join(said)} do not say which is negative, neutral and positive; give "
            "them in the model's order, such as --labels negative,neutral,positive"
        )
    return [label for label in known if label]


def preprocessing_of(
    given: str, source: Source, vocabulary: dict[str, int]
) -> dict[str, str | None]:
    """Return what replaces mentions and addresses, as named, or as the model itself shows."""
    if given != "auto":
        return PREPROCESSING[given]
    card = source.folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    if CARD.search(text) or source.id.startswith("cardiffnlp/twitter-"):
        return PREPROCESSING["tweeteval"]
    for name in ("bertweet", "fintwit"):
        if set(PREPROCESSING[name].values()) <= vocabulary.keys():
            return PREPROCESSING[name]
    return PREPROCESSING["none"]


def _loaded(transformers: Any, folder: Path) -> tuple[Any, Any]:
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, use_fast=True)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="eager", dtype="float32"
        )
    except (OSError, ValueError, KeyError) as error:
        raise PackagingError(f"{folder} cannot be read: {error}") from error
    if not tokenizer.is_fast:
        raise PackagingError(f"{type(tokenizer).__name__} cannot be converted to tokenizer.json")
    return model.eval(), tokenizer


def _longest(config: Any) -> int:
    # RoBERTa counts positions from the id of the padding token on.
    offset = (config.pad_token_id or 0) + 1 if config.model_type == "roberta" else 0
    return int(config.max_position_embeddings) - offset


# ---------------------------------------------------------------- choosing the precision


def _choose(args: argparse.Namespace, made: Any, labelled: Any) -> tuple[str, Any]:
    """Return the precision to ship, and the figures that say so (None without labelled texts)."""
    if labelled is None:
        return args.precision, None
    names = [args.precision] if args.precision else ["int8"]
    figures = {"fp32": _scores(made("fp32"), labelled)}
    for name in names:
        figures[name] = _scores(made(name), labelled)
    chosen = names[0]
    drop = figures["fp32"]["macro_recall"] - figures[chosen]["macro_recall"]
    if not args.precision and drop > TOLERATED_RECALL:
        chosen = "bf16"
        figures[chosen] = _scores(made(chosen), labelled)
    _say(f"{chosen}: int8 loses {100 * drop:.2f} points of macro-recall" if not args.precision
         else f"{chosen}, as asked: {100 * drop:.2f} points of macro-recall below fp32")  # fmt: skip
    path = Path(args.evaluate)
    return chosen, {"file": path.name, "sha256": _digest(path).hex(), **figures}


def _scores(folder: Path, labelled: tuple[list[str], list[str]]) -> dict[str, float]:
    from cashtag.sentiment.evaluate import evaluate

    _say(f"evaluating {folder.name} on {len(labelled[0])} texts")
    found = evaluate(_Scorer(folder), *labelled)
    return {k: round(v, 6) for k, v in found.items() if v is not None and k != "texts_per_s"}


class _Scorer:
    """A packaged folder as the project's evaluation asks it."""

    name = version = "packaged"

    def __init__(self, folder: Path) -> None:
        self._model = _inference().model_fn(str(folder))

    def score(self, texts: Sequence[str]) -> Any:
        import numpy as np

        rows = _inference().predict_fn({"inputs": list(texts)}, self._model)["probabilities"]
        return np.array([[np.nan] * 3 if row is None else row for row in rows])


def _labelled(path: str) -> tuple[list[str], list[str]]:
    try:
        from cashtag.errors import InputError
        from cashtag.sentiment.evaluate import read_labelled
    except ImportError as error:
        raise PackagingError(f"{error}: --evaluate needs `pip install cashtag`", 3) from error
    try:
        return read_labelled(Path(path))
    except InputError as error:
        raise PackagingError(str(error)) from error


def _verify(model: Any, folder: Path) -> None:
    """Compare the fp32 graph with its source, on padded batches and through the tokenizer's file."""
    import numpy as np
    import onnxruntime
    import torch
    from tokenizers import Tokenizer

    manifest = json.loads((folder / "manifest.json").read_text())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(manifest["max_tokens"])
    tokenizer.enable_padding(pad_id=manifest["tokenizer"]["pad_id"])
    encoded = tokenizer.encode_batch(list(PROBES))
    ids = np.array([e.ids for e in encoded], dtype=np.int64)
    mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    (ours,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
    with torch.inference_mode():
        theirs = model(input_ids=torch.tensor(ids), attention_mask=torch.tensor(mask)).logits
    difference = float(np.abs(ours - theirs.numpy()).max())
    if not difference <= TOLERATED_LOGIT:
        raise PackagingError(
            f"the exported graph differs from its source by {difference:.2g} in a logit, more "
            f"than {TOLERATED_LOGIT}: this architecture cannot be packaged",
            4,
        )


# ---------------------------------------------------------------- writing


def _write(folder: Path, manifest: dict[str, Any], tokenizer: Any, wheels: str | None) -> None:
    """Write everything but the weights; the manifest is sealed when those are there."""
    (folder / "code").mkdir(parents=True)
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(folder / "tokenizer.json"), pretty=False)
    shutil.copyfile(CODE, folder / "code" / "inference.py")
    needs = [f"{name}=={version(name)}" for name in RUNTIME]
    if wheels:
        (folder / "code" / "wheels").mkdir()
        for wheel in sorted(Path(wheels).glob("*.whl")):
            shutil.copyfile(wheel, folder / "code" / "wheels" / wheel.name)
        needs = ["--no-index", "--find-links /opt/ml/model/code/wheels", *needs]
    (folder / "code" / "requirements.txt").write_text("\n".join(needs) + "\n")
    _write_manifest(folder, manifest)


def _sealed(folder: Path) -> None:
    """Put the sha256 of weights and tokenizer, and the version they make, into the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for part, name in (("weights", "model.onnx"), ("tokenizer", "tokenizer.json")):
        path = folder / name
        facts = {"file": name, "sha256": _digest(path).hex(), "bytes": path.stat().st_size}
        manifest[part] = {**manifest.get(part, {}), **facts}
    manifest["version"] = _inference().model_version(manifest)
    _write_manifest(folder, manifest)


def _seal_with(folder: Path, exact: Path, evaluation: Any) -> None:
    """Add the evaluation, the answers to the probes and their distance from fp32."""
    import numpy as np

    manifest = json.loads((folder / "manifest.json").read_text())
    ours, fp32 = _Scorer(folder).score(PROBES), _Scorer(exact).score(PROBES)
    manifest["evaluation"] = evaluation
    manifest["difference_from_fp32"] = round(float(np.abs(ours - fp32).max()), 6)
    manifest["probes"] = [
        {"text": text, "probabilities": row}
        for text, row in zip(PROBES, ours.tolist(), strict=True)
    ]
    _write_manifest(folder, manifest)


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def pack(folder: Path, target: Path) -> None:
    """Write the folder as a tar that depends on nothing but its files: no times, no owners."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            if "__pycache__" not in path.parts:
                entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as file:
                    tar.addfile(entry, file)


def show(path: str) -> None:
    """Print what a packaged folder or model.tar.gz says of itself; load it and ask its probes.

    Raises:
        PackagingError: it is damaged, or answers otherwise than it did when it was packaged.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(path)
        if folder.is_file():
            with tarfile.open(folder) as tar:
                tar.extractall(scratch, filter="data")
            folder = Path(scratch)
        inference = _inference()
        try:
            manifest = inference.read_manifest(folder)
            scorer = _Scorer(folder)
        except inference.ModelError as error:
            raise PackagingError(str(error)) from error
        brief = {k: v for k, v in manifest.items() if k != "probes"}
        print(json.dumps(brief, indent=1, ensure_ascii=False))
        probes = manifest.get("probes", [])
        found = scorer.score([probe["text"] for probe in probes])
        then = np.array([probe["probabilities"] for probe in probes])
        off = float(np.abs(found - then).max()) if probes else 0.0
        print(f"{manifest['version']}: answers {len(probes)} probes, {off:.6f} from when packaged")
        if off > TOLERATED_PROBE:
            raise PackagingError(
                f"{path} answers its own probes {off:.4f} off; package it again", 4
            )


TOLERATED_PROBE = 0.02


# ---------------------------------------------------------------- small things


def _libraries() -> tuple[ModuleType, Any]:
    try:
        import transformers

        return _by_path(HERE / "model_graph.py"), transformers
    except ImportError as error:
        raise PackagingError(
            f"{error}: packaging needs `pip install 'cashtag[model]'`", 3
        ) from error


def _inference() -> ModuleType:
    try:
        return _by_path(CODE)
    except ImportError as error:
        raise PackagingError(f"{error}: this needs `pip install 'cashtag[roberta]'`", 3) from error


def _by_path(path: Path) -> ModuleType:
    """Load a file beside this one; there is no package here (see sagemaker/README.md)."""
    name = f"cashtag_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is not there")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        try:
            spec.loader.exec_module(module)
        except ImportError:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _say(what: str) -> None:
    print(f"package_model: {what}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("source", nargs="?", help="hub id (owner/model) or folder with config.json and weights")
    add("--out", help="folder to write model/ and model.tar.gz into")
    add("--evaluate", metavar="CSV", help="labelled texts (columns text,label): choose by them")
    add("--precision", choices=PRECISIONS, help="ship this one, whatever the evaluation says")
    add("--labels", help="the three labels in the model's order, where it names them LABEL_0 …")
    add(
        "--preprocessing",
        choices=("auto", *PREPROCESSING),
        default="auto",
        help="what replaces mentions and addresses; auto: as card and vocabulary show",
    )
    add("--revision", help="branch, tag or commit of the hub's model")
    add("--id", help="name of the source in the manifest, for a folder")
    add("--name", help="short name of the model; default: the end of its id")
    add("--max-tokens", type=int, default=MAX_TOKENS, help="longer texts are cut (default 128)")
    add("--wheels", metavar="FOLDER", help="pack these wheels: the container needs no network")
    add("--notice", help="a warning that the manifest carries")
    add(
        "--show", metavar="PATH", help="say what a packaged folder or model.tar.gz is, and check it"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
