"""The score store: a model's answers to one raw object, recorded once and read ever after.

One Parquet object per (model version, raw object) with one row per raw line: `line` (int32, from
0), `input_hash` (of the text that was scored; empty for a line that holds none), `p_negative`,
`p_neutral`, `p_positive` (double; null where the model gave no answer). It is create-only: of two
writers one records and the other reads, so a text has one answer per model version for good.

A model that is down is not an answer: when `score` raises, nothing is recorded and the object
waits for the next run. A row of NaN from a model that is up is the fact "no answer".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cashtag.errors import CashtagError, StoreError
from cashtag.ports import Scorer, Store

_DIGITS = 10  # decimals of a recorded probability: equal on every platform's exp()
_NAMES = ("p_negative", "p_neutral", "p_positive")
_SCHEMA = pa.schema(
    [
        pa.field("line", pa.int32(), nullable=False),
        pa.field("input_hash", pa.string(), nullable=False),
        *(pa.field(name, pa.float64()) for name in _NAMES),
    ]
)


class ScorerUnavailable(CashtagError):
    """A model that cannot answer now (down, refused, out of quota); its texts wait, unrecorded."""

    exit_code = 5


def answers(
    store: Store,
    key: str,
    scorer: Scorer,
    texts: Sequence[str | None],
    input_hashes: Sequence[str],
    *,
    batch_size: int,
) -> np.ndarray:
    """Return the probabilities of every line, float64 of shape (n, 3); NaN where there is none.

    Reads the object at `key` (`layout.scores(scorer.version, raw_key)`) when it exists; otherwise
    scores the lines with a hash, `batch_size` at a time, and records them. `texts` and
    `input_hashes` hold one item per raw line; a line without text has None and "".

    Raises:
        CashtagError: the recorded hashes differ from `input_hashes`.
        ScorerUnavailable: the model could not answer; nothing was recorded.
        StoreError: the recorded object cannot be read.
    """
    if len(texts) != len(input_hashes):
        raise CashtagError(
            f"{len(texts)} texts but {len(input_hashes)} input hashes for {key}: one each per line"
        )
    if store.exists(key):
        return _recorded(store, key, input_hashes)
    found = _scored(scorer, texts, input_hashes, batch_size)
    if store.put_if_absent(key, _encoded(found, input_hashes)):
        return found
    return _recorded(store, key, input_hashes)


def _scored(
    scorer: Scorer, texts: Sequence[str | None], input_hashes: Sequence[str], batch_size: int
) -> np.ndarray:
    found = np.full((len(texts), 3), np.nan)
    lines = [i for i, digest in enumerate(input_hashes) if digest]
    for start in range(0, len(lines), batch_size):
        batch = lines[start : start + batch_size]
        probabilities = scorer.score([texts[i] or "" for i in batch])
        if probabilities.shape != (len(batch), 3):
            raise CashtagError(
                f"scorer {scorer.version} returned shape {probabilities.shape} for {len(batch)} "
                "texts; its score() must return (n, 3)"
            )
        found[batch] = np.round(probabilities, _DIGITS)
    return found + 0.0  # no negative zeros in the record


def _encoded(found: np.ndarray, input_hashes: Sequence[str]) -> bytes:
    missing = np.isnan(found).any(axis=1)
    columns = [
        pa.array(np.arange(len(found), dtype=np.int32)),
        pa.array(list(input_hashes), pa.string()),
        *(pa.array(found[:, i], pa.float64(), mask=missing) for i in range(3)),
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(columns, schema=_SCHEMA),
        sink,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
        write_page_checksum=True,  # recorded once, read ever after: a flipped bit must be seen
    )
    return bytes(sink.getvalue())


def _recorded(store: Store, key: str, input_hashes: Sequence[str]) -> np.ndarray:
    data = store.get(key)
    try:
        table = pq.read_table(
            pa.BufferReader(data), schema=_SCHEMA, page_checksum_verification=True
        )
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            f"recorded scores {store.uri(key)} cannot be read ({error}); delete the object, and "
            "the next run scores its texts again"
        ) from error
    hashes = table["input_hash"].to_pylist()
    if hashes != list(input_hashes):
        raise CashtagError(_difference(store.uri(key), hashes, input_hashes))
    columns = [table[name].to_numpy(zero_copy_only=False) for name in _NAMES]
    return np.column_stack(columns).astype(np.float64, copy=False)


def _difference(uri: str, recorded: Sequence[str], given: Sequence[str]) -> str:
    if len(recorded) != len(given):
        what = f"{len(recorded)} lines were scored, the raw object now has {len(given)}"
    else:
        lines = [i for i, (a, b) in enumerate(zip(recorded, given, strict=True)) if a != b]
        what = f"{len(lines)} of {len(given)} lines had other texts, the first is line {lines[0]}"
    return (
        f"recorded scores {uri} do not fit their texts: {what}. The cleaning of texts changed but "
        "the model version did not. Give the model a new version, or delete the object so that the "
        "next run scores it again"
    )
