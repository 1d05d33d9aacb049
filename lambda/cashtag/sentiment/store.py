"""The score store: a model's answers to one raw object, recorded once and read ever after.

One Parquet object per (model version, raw object) with one row per raw line: `line` (int32, from
0), `input_hash` (of the text that was scored; empty for a line that holds none), `p_negative`,
`p_neutral`, `p_positive` (double; null where the model gave no answer). Where a model says more,
there are columns more, null for the lines they do not concern: `stated` (its own confidence),
`named` (its own label), `said` (JSON of anything else), `refused` (why it will never answer). The
object is create-only: of two writers one records and the other reads, so a text has one answer per
model version for good.

A model that is down is not an answer: when `score` raises, nothing is recorded and the object
waits for the next run. A row of NaN from a model that is up is the fact "no answer".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cashtag.errors import CashtagError, StoreError
from cashtag.lake import layout, parquet
from cashtag.ports import Scorer, Store
from cashtag.sentiment.answered import About, Answered, Informed, Speaker, answer

_DIGITS = 10  # decimals of a recorded probability: equal on every platform's exp()
_NAMES = ("p_negative", "p_neutral", "p_positive")
_SCHEMA = pa.schema(
    [
        pa.field("line", pa.int32(), nullable=False),
        pa.field("input_hash", pa.string(), nullable=False),
        *(pa.field(name, pa.float64()) for name in _NAMES),
    ]
)
_MORE = pa.schema(
    [
        pa.field("stated", pa.float64()),
        *(pa.field(name, pa.string()) for name in ("named", "said", "refused")),
    ]
)


class ScorerUnavailable(CashtagError):
    """A model that cannot answer now (down, refused, out of quota); its texts wait, unrecorded."""

    exit_code = 5


class OtherTexts(CashtagError):
    """A record whose texts are not those of the raw object."""


Context = Callable[[], Sequence[About | None]]
"""What is known of each raw line's text; called only for a model that wants to know."""


@runtime_checkable
class Composed(Protocol):
    """A Scorer made of others, each of which has records of its own."""

    def recorded(
        self,
        store: Store,
        raw_key: str,
        texts: Sequence[str | None],
        input_hashes: Sequence[str],
        *,
        batch_size: int,
        context: Context | None = None,
    ) -> Answered:
        """Return what the others' recorded answers come to; arguments and errors of `of_object`."""
        ...


def of_object(
    store: Store,
    scorer: Scorer,
    raw_key: str,
    texts: Sequence[str | None],
    input_hashes: Sequence[str],
    *,
    batch_size: int,
    context: Context | None = None,
) -> Answered:
    """Return all that a model says of a raw object's lines, as it is recorded, or recorded now.

    Arguments and errors are those of `answered`; `context` tells an Informed model of the texts.
    """
    if isinstance(scorer, Composed):
        return scorer.recorded(
            store, raw_key, texts, input_hashes, batch_size=batch_size, context=context
        )
    key = layout.scores(scorer.version, raw_key)
    return answered(store, key, scorer, texts, input_hashes, batch_size=batch_size, context=context)


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

    As `answered`, for whoever needs no more than these.
    """
    found = answered(store, key, scorer, texts, input_hashes, batch_size=batch_size)
    return found.probabilities


def answered(
    store: Store,
    key: str,
    scorer: Scorer,
    texts: Sequence[str | None],
    input_hashes: Sequence[str],
    *,
    batch_size: int,
    context: Context | None = None,
) -> Answered:
    """Return all that the model says of every line; NaN where there is no answer.

    Reads the object at `key` (`layout.scores(scorer.version, raw_key)`) when it exists; otherwise
    scores the lines with a hash and records them: `batch_size` at a time, or all at once where
    the scorer has its own batches (a Speaker). `texts` and `input_hashes` hold one item per raw
    line; a line without text has None and "".

    Raises:
        OtherTexts: the recorded hashes differ from `input_hashes`.
        ScorerUnavailable: the model could not answer; nothing was recorded.
        StoreError: the recorded object cannot be read.
    """
    if len(texts) != len(input_hashes):
        raise CashtagError(
            f"{len(texts)} texts but {len(input_hashes)} input hashes for {key}: one each per line"
        )
    if store.exists(key):
        return read(store, key, input_hashes)
    lines = [i for i, digest in enumerate(input_hashes) if digest]
    found = ask(scorer, texts, lines, batch_size, context)
    if store.put_if_absent(key, _encoded(found, input_hashes)):
        return found
    return read(store, key, input_hashes)


def ask(
    scorer: Scorer,
    texts: Sequence[str | None],
    lines: Sequence[int],
    batch_size: int,
    context: Context | None = None,
) -> Answered:
    """Ask about some of the lines, and record nothing; the others have no answer."""
    about = context() if context is not None and isinstance(scorer, Informed) else None
    found, stated = np.full((len(texts), 3), np.nan), np.full(len(texts), np.nan)
    named: list[str | None] = [None] * len(texts)
    said: list[str | None] = [None] * len(texts)
    refusals: dict[int, str] = {}
    own = isinstance(scorer, Speaker | Informed)
    size = max(1, len(lines)) if own else batch_size
    for start in range(0, len(lines), size):
        batch = lines[start : start + size]
        given = answer(
            scorer,
            [texts[i] or "" for i in batch],
            None if about is None else [about[i] for i in batch],
        )
        if given.probabilities.shape != (len(batch), 3):
            raise CashtagError(
                f"scorer {scorer.version} returned shape {given.probabilities.shape} for "
                f"{len(batch)} texts; its score() must return (n, 3)"
            )
        found[batch] = np.round(given.probabilities, _DIGITS)
        if given.stated is not None:
            stated[batch] = np.round(given.stated, _DIGITS)
        for place, name in enumerate(given.named):
            named[batch[place]] = name
        for place, words in enumerate(given.said):
            said[batch[place]] = words
        refusals |= {batch[place]: reason for place, reason in given.refusals.items()}
    found += 0.0  # no negative zeros in the record
    return Answered(found, stated, named, said, refusals)


def _encoded(found: Answered, input_hashes: Sequence[str]) -> bytes:
    columns = {
        "line": pa.array(np.arange(len(input_hashes), dtype=np.int32)),
        "input_hash": pa.array(list(input_hashes), pa.string()),
        **{
            name: pa.array(found.probabilities[:, i], pa.float64(), mask=~found.answered)
            for i, name in enumerate(_NAMES)
        },
    }
    columns |= {name: column for name, column in _more(found) if column.null_count < len(column)}
    fields = [field for field in (*_SCHEMA, *_MORE) if field.name in columns]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays([columns[field.name] for field in fields], schema=pa.schema(fields)),
        sink,
        compression=parquet.codec(),
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
        write_page_checksum=True,  # recorded once, read ever after: a flipped bit must be seen
    )
    return bytes(sink.getvalue())


def _more(found: Answered) -> list[tuple[str, pa.Array]]:
    """What there is beside probabilities, by column."""
    n = len(found.probabilities)
    stated = np.full(n, np.nan) if found.stated is None else found.stated
    refused = [found.refusals.get(i) for i in range(n)]
    return [
        ("stated", pa.array(stated, pa.float64(), mask=np.isnan(stated))),
        ("named", pa.array(list(found.named) or [None] * n, pa.string())),
        ("said", pa.array(list(found.said) or [None] * n, pa.string())),
        ("refused", pa.array(refused, pa.string())),
    ]


def read(store: Store, key: str, input_hashes: Sequence[str]) -> Answered:
    """Return a record, after checking that it is of these texts.

    Raises:
        OtherTexts: the recorded hashes differ from `input_hashes`.
        StoreError: the recorded object cannot be read.
    """
    table = _table(store, key)
    hashes = table["input_hash"].to_pylist()
    if hashes != list(input_hashes):
        raise OtherTexts(_difference(store.uri(key), hashes, input_hashes))
    return _answered(table)


def _table(store: Store, key: str) -> pa.Table:
    data = store.get(key)
    schema = pa.unify_schemas([_SCHEMA, _MORE])
    try:
        # Not read_table: a process that ends over a damaged record would leave threads of Arrow's
        # with a buffer of Python's, and be aborted.
        with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
            held = file.read(use_threads=False)
        columns = [
            held[field.name].cast(field.type)
            if field.name in held.column_names
            else pa.nulls(held.num_rows, field.type)  # what a record has not is null
            for field in schema
        ]
        return pa.Table.from_arrays(columns, schema=schema)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(
            f"recorded scores {store.uri(key)} cannot be read ({error}); delete the object, and "
            "the next run scores its texts again"
        ) from error


def _answered(table: pa.Table) -> Answered:
    columns = [table[name].to_numpy(zero_copy_only=False) for name in _NAMES]
    refused: Mapping[int, Any] = dict(enumerate(table["refused"].to_pylist()))
    return Answered(
        np.column_stack(columns).astype(np.float64, copy=False),
        np.array(table["stated"].to_numpy(zero_copy_only=False), dtype=np.float64),
        table["named"].to_pylist(),
        table["said"].to_pylist(),
        {line: reason for line, reason in refused.items() if reason is not None},
    )


def forget(store: Store, key: str, input_hashes: Sequence[str]) -> bool:
    """Fit a record to a raw object that a takedown changed; False where it fits already.

    A line that is gone loses its hash and its answer. A line whose text lost a name keeps the
    answer, which was given for what else it says, under the hash of what is left; words about
    it go, for they may hold the name. A record of another number of lines goes as a whole.

    Raises:
        StoreError: the record cannot be read, replaced or removed.
    """
    table = _table(store, key)
    recorded = table["input_hash"].to_pylist()
    if recorded == list(input_hashes):
        return False
    if len(recorded) != len(input_hashes):
        store.delete(key)
        return True
    held = _answered(table)
    changed = [i for i, (a, b) in enumerate(zip(recorded, input_hashes, strict=True)) if a != b]
    gone = [i for i in changed if not input_hashes[i]]
    assert held.stated is not None
    held.probabilities[gone], held.stated[gone] = np.nan, np.nan
    named, said = list(held.named), list(held.said)
    for i in changed:
        said[i] = None
    for i in gone:
        named[i] = None
    refusals = {i: why for i, why in held.refusals.items() if i not in set(changed)}
    left = Answered(held.probabilities, held.stated, named, said, refusals)
    store.put(key, _encoded(left, input_hashes))
    return True


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
