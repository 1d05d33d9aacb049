"""Make the tiny test model again: `python tests/model/make_tiny_model.py` (extra `model`, a few minutes).

A RoBERTa of two layers and some 140,000 parameters, taught by the project's own lexicon on the
project's own synthetic posts and on the phrases of the lexicon. It is there so that tests, and
whoever tries the commands, have a model with every part of a real one in 300 kB; good news comes
out good and bad news bad, and no more is claimed. **Not for trading.**

Everything it learns from is in this repository; seeds are fixed and training runs on one thread,
so that one pair of library versions makes the same bytes. When only `sagemaker/code/inference.py`
has changed: `python sagemaker/package_model.py --renew tests/tiny_model` (a second).
"""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import RobertaConfig, RobertaForSequenceClassification

from cashtag.sentiment.lexicon import LexiconScorer

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "tests" / "tiny_model"
WORDS = ROOT / "lambda" / "cashtag" / "sentiment" / "words"
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
VOCABULARY, HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 1024, 64, 2, 4, 128, 130
STEPS, BATCH, RATE, LONGEST, PHRASES = 2500, 64, 1.5e-3, 64, 30_000
SEED = 20260520
NOTICE = (
    "TEST MODEL, NOT FOR TRADING: two layers taught by the project's lexicon on synthetic posts; "
    "made by tests/model/make_tiny_model.py"
)
FRAMES = (
    "{t} {p}",
    "{p} {t}",
    "{t}: {p}",
    "{t} {p} today",
    "{t} {p} and {q}",
    "{t} {p}, {q}",
    "just in: {t} {p}",
    "{p}",
    "I think {t} {p}",
    "{t} {p}!",
)
PLAIN = (
    "{t} reports on Thursday after the close",
    "{t} opens at {n} today",
    "anyone watching {t} here?",
    "{t} is listed in New York",
    "the meeting of {t} is next week",
    "{t} trades at {n}, volume {n} million",
    "what do you think of {t}? http",
    "@user when does {t} report",
    "{t} annual meeting on Tuesday",
    "the Fed decides on Wednesday",
)


def posts() -> Iterator[str]:
    """Yield the texts of the synthetic sample's posts, in the order of their files."""
    for file in sorted((ROOT / "sample_data" / "raw" / "tweets").rglob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                try:
                    text = json.loads(line)["data"]["rawContent"]
                except (ValueError, KeyError, TypeError):
                    continue  # the sample holds broken lines on purpose
                if isinstance(text, str):
                    yield " ".join(text.split())


def phrases(rng: random.Random) -> Iterator[str]:
    """Yield sentences made of the lexicon's phrases and words, and plain ones between them."""
    classes: dict[str, list[str]] = {}
    patterns: list[str] = []
    for file in ("finance.tsv", "general.tsv", "phrases.tsv", "emoji.tsv"):
        for line in (WORDS / file).read_text(encoding="utf-8").splitlines():
            first, *rest = line.split("\t")
            if line.startswith("@") and rest:
                classes[first[1:]] = rest[0].split()
            elif rest:
                patterns += first.split(", ")
    tickers = ["$NVDA", "$AAPL", "$TSLA", "$GOOG", "$META", "$AMD", "$GME", "$F", "the stock", "it"]

    def spoken() -> str:
        words = []
        for part in rng.choice(patterns).split():
            word = rng.choice(part.split("|"))
            if word.startswith("<") and word[1:-1] in classes:
                word = rng.choice(classes[word[1:-1]])
            if word in {"~", "..."}:
                word = rng.choice(["", "", "the", "its", "Q3"])
            words.append(re.sub("#", lambda _: str(rng.randint(2, 90)), word))
        return " ".join(filter(None, words))

    for _ in range(PHRASES):
        frame = rng.choice(PLAIN) if rng.random() < 0.15 else rng.choice(FRAMES)
        number = f"{rng.randint(1, 900)}.{rng.randint(0, 99):02d}"
        yield frame.format(t=rng.choice(tickers), p=spoken(), q=spoken(), n=number)


def taught(texts: list[str], targets: np.ndarray, tokenizer: ByteLevelBPETokenizer) -> torch.nn.Module:  # fmt: skip
    """Return a model that answers like `targets`, float64 of shape (n, 3)."""
    names = {0: "negative", 1: "neutral", 2: "positive"}
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=INNER,
        max_position_embeddings=POSITIONS,
        type_vocab_size=1,
        id2label=names,
        label2id={name: i for i, name in names.items()},
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = RobertaForSequenceClassification(config)
    sequences = [[0, *e.ids[: LONGEST - 2], 2] for e in tokenizer.encode_batch(texts)]
    wanted = torch.tensor(targets, dtype=torch.float32)
    best = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    plan = torch.optim.lr_scheduler.OneCycleLR(best, RATE, total_steps=STEPS)
    for step in range(STEPS):
        chosen = torch.randint(len(texts), (BATCH,)).tolist()
        rows = [torch.tensor(sequences[i]) for i in chosen]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=1)
        logits = model(input_ids=ids, attention_mask=(ids != 1).long()).logits
        loss = torch.nn.functional.cross_entropy(logits, wanted[chosen])
        best.zero_grad()
        loss.backward()
        best.step()
        plan.step()
        if step % 500 == 0:
            print(f"step {step}: {loss.item():.3f}", file=sys.stderr, flush=True)
    return model.eval()


def main() -> None:
    """Train, package, and put the packaged folder where the tests find it."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    texts = [*posts(), *phrases(random.Random(SEED))]
    targets = LexiconScorer().score(texts)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=VOCABULARY, special_tokens=SPECIAL)
    model = taught(texts, targets, tokenizer)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "tiny-test"
        model.save_pretrained(source)
        tokenizer.save_model(str(source))
        script = ROOT / "sagemaker" / "package_model.py"
        subprocess.run(
            [
                sys.executable, str(script), str(source), "--out", f"{scratch}/out",
                "--precision", "int8", "--preprocessing", "tweeteval", "--notice", NOTICE,
            ],
            check=True,
        )  # fmt: skip
        shutil.rmtree(TARGET, ignore_errors=True)
        shutil.move(f"{scratch}/out/model", TARGET)


if __name__ == "__main__":
    main()
