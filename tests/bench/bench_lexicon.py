"""Time of the lexicon model against bare vaderSentiment on the same texts, in the same run.

Prints the median of the ratios of alternating rounds (target: at most 1.2), texts per second, and
the time to load the model. Texts: the bundled sample, and labelled sets where they are found.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from cashtag.sentiment.lexicon import LexiconScorer

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("CASHTAG_SHARED", ROOT.parent / "shared"))
ROUNDS, TEXTS = 7, 2000


def sets() -> Iterator[tuple[str, list[str]]]:
    """Yield a name and texts of each set that is there."""
    sample = []
    for file in sorted((ROOT / "sample_data/raw/tweets").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            sample += [json.loads(line)["data"].get("rawContent", "") for line in lines]
    if sample:
        yield "bundled sample", sample
    for file in sorted((SHARED / "data/labelled").glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as rows:
            yield file.stem, [row["text"] for row in csv.DictReader(rows)]


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    start = process_time()
    work()
    return process_time() - start


def main() -> None:
    """Print one line a set."""
    vader, model = SentimentIntensityAnalyzer(), LexiconScorer()
    load = min(seconds(LexiconScorer) for _ in range(ROUNDS))
    print(f"load {load * 1e3:.0f} ms (best of {ROUNDS}), of which VADER's own data "
          f"{min(seconds(SentimentIntensityAnalyzer) for _ in range(ROUNDS)) * 1e3:.0f} ms")  # fmt: skip
    for name, texts in sets():
        texts = texts[:: max(1, len(texts) // TEXTS)][:TEXTS]
        model.score(texts)
        ratios, ours = [], []
        for _ in range(ROUNDS):
            bare = seconds(lambda: [vader.polarity_scores(t) for t in texts])  # noqa: B023
            ours.append(seconds(lambda: model.score(texts)))  # noqa: B023
            ratios.append(ours[-1] / bare)
        print(
            f"{name:32s} {statistics.median(ratios):.2f} of VADER's time "
            f"({min(ratios):.2f} to {max(ratios):.2f}), {len(texts) / min(ours):,.0f} texts/s"
        )


if __name__ == "__main__":
    main()
