"""Package a sentiment model: from a hub id or a local folder to a folder and a model.tar.gz.

    python sagemaker/package_model.py SOURCE --out OUT --evaluate labelled.csv

writes OUT/model (what `cashtag model use` takes) and OUT/model.tar.gz (what SageMaker takes): the
same files, the same bytes for the same source and the same versions of the libraries.

Head, label order and preprocessing are read from the model and stated in `manifest.json`, beside
the source's revision, the sha256 of every part, and how well it did. int8 ships only if it loses
at most half a point of macro-recall against fp32 on your labelled texts; else bf16 (stored so,
computed in fp32). The manifest's `probes` are sentences with this model's answers: a deployment
is right when it gives the same.

Needs the extra `model`; without it, --show reads a packaged folder or model.tar.gz, and --renew
puts the inference.py of a newer Cashtag into a packaged folder, whose model and version stay.

Exit codes: 0 done; 2 something to correct in the call, the source or the labelled texts;
3 libraries are missing; 4 the exported graph does not compute what its source computes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

# Run as a file or loaded by path, never as a package: the files beside it are found this way.
sys.path.append(str(Path(__file__).resolve().parent))

from model_folder import PROBES, Scorer, inference, pack, renew, seal, seal_with, show, write
from model_source import (
    PREPROCESSING,
    PackagingError,
    Source,
    digest,
    find,
    labels_of,
    loaded,
    longest,
    preprocessing_of,
)

PRECISIONS = ("int8", "bf16", "fp32")
TOLERATED_RECALL = 0.005  # half a point of macro-recall against fp32
TOLERATED_LOGIT = 1e-3  # fp32 graph against its source: rounding of sums in another order
MAX_TOKENS = 128

EXAMPLES = """examples:
  python sagemaker/package_model.py cardiffnlp/twitter-roberta-base-sentiment-latest \\
      --out build/roberta --evaluate labelled.csv
  python sagemaker/package_model.py ProsusAI/finbert --out build/finbert --evaluate news.csv
  python sagemaker/package_model.py ./my-fintwit-roberta --labels bearish,neutral,bullish \\
      --preprocessing tweeteval --precision int8 --out build/fintwit
  python sagemaker/package_model.py --show build/roberta/model.tar.gz
  python sagemaker/package_model.py --renew build/roberta/model
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = _parser().parse_args(arguments)
    try:
        if args.show:
            show(args.show)
        elif args.renew:
            renew(Path(args.renew))
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
    model, tokenizer = loaded(transformers, source.folder)
    manifest = described(model.config, tokenizer, source, args)
    _say(f"labels in the model's order: {', '.join(manifest['id2label'])}")
    _say(f"preprocessing: {json.dumps(manifest['preprocessing'])}")
    _say("exporting (half a minute for a base model)")
    graph = graphs.exported(model, longest(model.config))
    make = {"int8": graphs.int8, "bf16": graphs.bf16, "fp32": lambda whole: whole}

    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        folders: dict[str, Path] = {}

        def made(precision: str) -> Path:
            if precision not in folders:
                folder = folders[precision] = Path(scratch) / precision
                write(folder, {**manifest, "precision": precision}, tokenizer, args.wheels)
                graphs.saved(make[precision](graph), folder / "model.onnx")
                seal(folder)
            return folders[precision]

        _say("comparing the graph with its source")
        _verify(model, made("fp32"))
        chosen, evaluation = _choose(args, made, labelled)
        seal_with(made(chosen), made("fp32"), evaluation)
        target = out / "model"
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(made(chosen), target)
    pack(out / "model", out / "model.tar.gz")
    show(str(out / "model"))


def described(
    config: Any, tokenizer: Any, source: Source, args: argparse.Namespace
) -> dict[str, Any]:
    """Return the manifest, without what depends on the precision."""
    names = [str(config.id2label[i]) for i in range(config.num_labels)]
    preprocessing = preprocessing_of(args.preprocessing, source, tokenizer.get_vocab())
    return {
        "format": inference().FORMAT,
        "name": args.name or source.id.split("/")[-1],
        **({"notice": args.notice} if args.notice else {}),
        "source": {"id": source.id, "revision": source.revision},
        "precision": "",
        "id2label": names,
        "labels": labels_of(names, args.labels),
        "preprocessing": preprocessing,
        "max_tokens": min(args.max_tokens, longest(config)),
        "batch_tokens": inference().BATCH_TOKENS,
        "tokenizer": {
            "pad_id": config.pad_token_id or 0,
            "unknown": tokenizer.unk_token,
        },
        "made_with": {name: version(name) for name in ("torch", "transformers", "onnx")},
        "evaluation": None,
    }


# ---------------------------------------------------------------- choosing the precision


def _choose(
    args: argparse.Namespace, made: Callable[[str], Path], labelled: Any
) -> tuple[str, dict[str, Any] | None]:
    """Return the precision to ship, and the figures that say so (None without labelled texts)."""
    if labelled is None:
        return args.precision, None
    chosen = args.precision or "int8"
    figures = {name: _scores(made(name), labelled) for name in dict.fromkeys(("fp32", chosen))}
    drop = figures["fp32"]["macro_recall"] - figures[chosen]["macro_recall"]
    _say(f"{chosen} is {100 * drop:.2f} points of macro-recall below fp32")
    if not args.precision and drop > TOLERATED_RECALL:
        chosen = "bf16"
        figures[chosen] = _scores(made(chosen), labelled)
    _say(f"packaging {chosen}{', as asked' if args.precision else ''}")
    path = Path(args.evaluate)
    return chosen, {"file": path.name, "sha256": digest(path).hex(), **figures}


def _scores(folder: Path, labelled: tuple[list[str], list[str]]) -> dict[str, float]:
    from cashtag.sentiment.evaluate import evaluate

    _say(f"evaluating {folder.name} on {len(labelled[0])} texts")
    found = evaluate(Scorer(folder), *labelled)
    return {k: round(v, 6) for k, v in found.items() if v is not None and k != "texts_per_s"}


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

    manifest = json.loads((folder / "manifest.json").read_bytes())
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


# ---------------------------------------------------------------- small things


def _libraries() -> tuple[ModuleType, Any]:
    try:
        import model_graph
        import transformers
    except ImportError as error:
        raise PackagingError(
            f"{error}: packaging needs `pip install 'cashtag[model]'`", 3
        ) from error
    return model_graph, transformers


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
    add("--renew", metavar="FOLDER", help="give a packaged folder today's code/inference.py")
    return parser


if __name__ == "__main__":
    sys.exit(main())
