"""Facts about the canonical hash of a table's content."""

from __future__ import annotations

import hashlib
import struct
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest

from cashtag.errors import ContractError
from cashtag.lake import parquet
from cashtag.lake.contracts import parse

YAML = """
name: bars
version: 1
zone: enriched
partition: dt
grain: "One row per ticker."
key: [ticker]
columns:
  - {name: ticker, type: string, nullable: false, text: 'Symbol.'}
  - {name: session, type: date, nullable: true, text: 'Day.'}
  - {name: close, type: double, nullable: true, text: 'Dollars.'}
  - {name: hour, type: integer, nullable: true, text: 'Hour.'}
  - {name: volume, type: bigint, nullable: true, text: 'Shares.'}
  - {name: seen_at, type: timestamp, nullable: true, text: 'UTC.'}
  - {name: halted, type: boolean, nullable: true, text: 'Halted.'}
  - {name: flags, type: array<string>, nullable: true, text: 'Marks.'}
"""
BARS = parse(YAML, "bars")
FULL: dict[str, Any] = {
    "ticker": "é",
    "session": date(1970, 1, 3),
    "close": 1.5,
    "hour": -2,
    "volume": 7,
    "seen_at": datetime(1970, 1, 1, 0, 0, 1),  # noqa: DTZ001
    "halted": True,
    "flags": ["x", "", "yz"],
}
EMPTY: dict[str, Any] = {"ticker": "A", **dict.fromkeys(list(FULL)[1:])}


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=BARS.arrow_schema())


def test_the_hash_is_the_one_worked_out_by_hand() -> None:
    # Rows in the key's order: 'A' (all null) before 'é', whose UTF-8 is c3 a9.
    valid = b"\x00\x01"
    by_hand = b"".join(
        [
            b"bars\n",
            struct.pack("<q", 2),
            b"ticker string\n" + b"\x01\x01" + struct.pack("<2q", 1, 2) + b"A\xc3\xa9",
            b"session date\n" + valid + struct.pack("<2i", 0, 2),  # 3 January is day 2
            b"close double\n" + valid + struct.pack("<2d", 0.0, 1.5),
            b"hour integer\n" + valid + struct.pack("<2i", 0, -2),
            b"volume bigint\n" + valid + struct.pack("<2q", 0, 7),
            b"seen_at timestamp\n" + valid + struct.pack("<2q", 0, 1000),  # milliseconds
            b"halted boolean\n" + valid + b"\x00\x01",
            # list lengths, then the three items as a string column
            b"flags array<string>\n" + valid + struct.pack("<2q", 0, 3),
            struct.pack("<3q", 1, 0, 2) + b"xyz",
        ]
    )
    assert parquet.content_hash(BARS, table(FULL, EMPTY)) == hashlib.sha256(by_hand).hexdigest()


def test_an_empty_table_has_the_hash_of_its_columns() -> None:
    by_hand = b"bars\n" + struct.pack("<q", 0)
    by_hand += b"".join(f"{c.name} {c.type}\n".encode() for c in BARS.columns)
    assert parquet.content_hash(BARS, BARS.empty()) == hashlib.sha256(by_hand).hexdigest()


def test_order_chunks_encodings_and_files_do_not_change_the_hash() -> None:
    rows = [FULL | {"ticker": t, "close": n / 3} for n, t in enumerate("dbca")] + [EMPTY]
    whole = table(*rows)
    expected = parquet.content_hash(BARS, whole)
    encoded = whole.set_column(0, "ticker", whole["ticker"].dictionary_encode())
    wide = whole.set_column(0, "ticker", whole["ticker"].cast(pa.large_string()))
    for same in (
        table(*reversed(rows)),
        pa.concat_tables([whole.slice(n, 1) for n in range(5)]),
        whole.select(whole.column_names[::-1]),
        pa.concat_tables([table(EMPTY), whole]).slice(1),  # buffers with an offset
        encoded,
        wide,
        parquet.read(BARS, parquet.write(BARS, whole)),
        parquet.read(BARS, parquet.write_stage(BARS, whole)),
    ):
        assert parquet.content_hash(BARS, same) == expected


def test_a_difference_beyond_the_tenth_digit_is_none() -> None:
    a, b = table(FULL | {"close": 0.1 + 0.2}), table(FULL | {"close": 0.3})
    assert parquet.content_hash(BARS, a) == parquet.content_hash(BARS, b)
    zero, negative = table(FULL | {"close": 0.0}), table(FULL | {"close": -0.0})
    assert parquet.content_hash(BARS, zero) == parquet.content_hash(BARS, negative)


@pytest.mark.parametrize(
    "change",
    [
        {"ticker": "e"},
        {"session": date(1970, 1, 4)},
        {"close": 1.500000001},  # the tenth digit
        {"close": None},
        {"hour": 0},
        {"hour": None},
        {"volume": 8},
        {"seen_at": datetime(1970, 1, 1, 0, 0, 1, 1000)},  # noqa: DTZ001
        {"halted": False},
        {"halted": None},
        {"flags": ["x", "yz"]},
        {"flags": ["x", "y", "z"]},
        {"flags": ["xyz"]},
        {"flags": []},
        {"flags": None},
    ],
)
def test_any_other_difference_changes_the_hash(change: dict[str, Any]) -> None:
    assert parquet.content_hash(BARS, table(FULL | change)) != parquet.content_hash(
        BARS, table(FULL)
    )


def test_zero_is_not_null_and_empty_text_is_not_null() -> None:
    venue = "  - {name: venue, type: string, nullable: true, text: 'Where.'}\n"
    contract = parse(YAML + venue, "bars")
    hashes = {
        parquet.content_hash(
            contract,
            pa.Table.from_pylist([FULL | change], schema=contract.arrow_schema()),
        )
        for change in (
            {"venue": None, "volume": 0},
            {"venue": "", "volume": 0},
            {"venue": None, "volume": None},
            {"venue": "", "volume": None},
        )
    }
    assert len(hashes) == 4


def test_text_may_not_move_between_columns_or_rows() -> None:
    a = table(EMPTY | {"ticker": "ab"}, EMPTY | {"ticker": "c"})
    b = table(EMPTY | {"ticker": "a"}, EMPTY | {"ticker": "bc"})
    assert parquet.content_hash(BARS, a) != parquet.content_hash(BARS, b)


def test_the_tables_name_and_types_are_part_of_the_hash() -> None:
    other = parse(YAML.replace("name: bars", "name: rods"), "rods")
    wider = parse(YAML.replace("type: integer", "type: bigint"), "bars")
    expected = parquet.content_hash(BARS, table(FULL))
    assert parquet.content_hash(other, table(FULL)) != expected
    assert parquet.content_hash(wider, table(FULL)) != expected


def test_a_newer_column_without_values_keeps_the_hash() -> None:
    newer = parse(
        YAML.replace("version: 1", "version: 2")
        + "  - {name: venue, type: string, nullable: true, since: 2, text: 'Where.'}\n",
        "bars",
    )
    old = table(FULL)
    read = parquet.read(newer, parquet.write(BARS, old))
    assert parquet.content_hash(newer, read) == parquet.content_hash(BARS, old)
    filled = read.set_column(read.num_columns - 1, "venue", pa.array(["XNYS"]))
    assert parquet.content_hash(newer, filled) != parquet.content_hash(BARS, old)


def test_rows_that_do_not_fit_have_no_hash() -> None:
    with pytest.raises(ContractError, match="two rows with ticker='A'"):
        parquet.content_hash(BARS, table(EMPTY, EMPTY))
