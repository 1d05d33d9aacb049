"""What a model's own files say of it: weights and revision, label order, preprocessing, length."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def find(name: str, revision: str | None, known_as: str | None) -> Source:
    """Return the source's files: a folder as it is, or a hub's model at one revision."""
    folder = Path(name)
    if folder.is_dir():
        weights = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
        if not (folder / "config.json").is_file() or not weights:
            raise PackagingError(f"{folder} holds no config.json with weights (*.safetensors)")
        sha256 = hashlib.sha256(b"".join(digest(path) for path in weights)).hexdigest()
        return Source(folder, known_as or folder.resolve().name, f"sha256:{sha256}")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise PackagingError(f"{name!r} is neither a folder nor a hub id such as owner/model")
    from huggingface_hub import errors, snapshot_download

    other = ["*.h5", "*.msgpack", "*.onnx", "onnx/*", "openvino/*", "*.ot", "training_args.bin"]
    try:
        path = Path(snapshot_download(name, revision=revision, ignore_patterns=other))
    except (OSError, ValueError, errors.HfHubHTTPError) as error:
        raise PackagingError(f"cannot fetch {name} from the hub: {error}") from error
    return Source(path, known_as or name, path.name)  # a snapshot's folder is named by its commit


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
    if len(names) != len(NAMES):
        raise PackagingError(
            f"the model has {len(names)} labels ({', '.join(names)}); it needs negative, neutral "
            "and positive"
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


def loaded(transformers: Any, folder: Path) -> tuple[Any, Any]:
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


def longest(config: Any) -> int:
    # RoBERTa counts positions from the id of the padding token on.
    offset = (config.pad_token_id or 0) + 1 if config.model_type == "roberta" else 0
    return int(config.max_position_embeddings) - offset


def digest(path: Path) -> bytes:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
