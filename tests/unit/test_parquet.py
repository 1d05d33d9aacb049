"""Facts about the one Parquet writer and reader: what is refused, and what form the rest takes."""

from __future__ import annotations

import gzip
import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cashtag.errors import ContractError
from cashtag.lake import lines, parquet
from cashtag.lake.contracts import Contract, contracts, parse

BARS_1 = """
name: bars
version: 1
zone: enriched
partition: dt
grain: "One row per (ticker, session)."
key: [ticker, session]
columns:
  - {name: ticker, type: string, nullable: false, text: 'Symbol.'}
  - {name: session, type: date, nullable: false, text: 'Day.'}
  - {name: close, type: double, nullable: false, text: 'Dollars.'}
  - {name: yield, type: double, nullable: true, text: 'Ratio.'}
  - {name: hour, type: integer, nullable: true, text: 'Hour.'}
  - {name: volume, type: bigint, nullable: true, text: 'Shares.'}
  - {name: seen_at, type: timestamp, nullable: true, text: 'UTC.'}
  - {name: halted, type: boolean, nullable: true, text: 'Halted.'}
  - {name: flags, type: array<string>, nullable: false, text: 'Marks.'}
"""
BARS_2 = BARS_1.replace("version: 1", "version: 2") + (
    "  - {name: venue, type: string, nullable: true, since: 2, text: 'Where.'}\n"
)
BARS = parse(BARS_1, "bars")
NEWER = parse(BARS_2, "bars")

ROW: dict[str, Any] = {
    "ticker": "NVDA",
    "session": date(2026, 1, 5),
    "close": 101.5,
    "yield": None,
    "hour": 9,
    "volume": 2**53 + 1,
    "seen_at": datetime(2026, 1, 5, 12, 0, 0, 1000),  # noqa: DTZ001  UTC, as in the file
    "halted": False,
    "flags": ["young-account", "🚀"],
}


def rows(*changes: dict[str, Any], contract: Contract = BARS) -> pa.Table:
    return pa.Table.from_pylist(
        [ROW | change for change in changes], schema=contract.arrow_schema()
    )


def with_column(name: str, array: pa.Array) -> pa.Table:
    table = rows({})
    return table.set_column(table.schema.get_field_index(name), name, array)


# ---------------------------------------------------------------- what is kept


def test_what_was_written_is_read_back() -> None:
    table = rows({}, {"ticker": "ORCL", "volume": None, "flags": [], "seen_at": None})
    assert parquet.read(BARS, parquet.write(BARS, table)).equals(table)
    assert parquet.read(BARS, parquet.write_stage(BARS, table)).equals(table)


def test_a_table_of_no_rows_keeps_its_columns() -> None:
    for contract in contracts().values():
        for write in (parquet.write, parquet.write_stage):
            back = parquet.read(contract, write(contract, contract.empty()))
            assert back.schema.equals(contract.arrow_schema())
            assert back.num_rows == 0


def test_the_extremes_of_every_type_survive() -> None:
    low = {
        "session": date(1, 1, 1),
        "hour": -(2**31),
        "volume": -(2**63),
        "seen_at": datetime(1, 1, 1),  # noqa: DTZ001
        "close": -1.5e-300,
        "flags": [""],
    }
    high = {
        "ticker": "\U0010ffff\r\n\t\"'",
        "session": date(9999, 12, 31),
        "hour": 2**31 - 1,
        "volume": 2**63 - 1,
        "seen_at": datetime(9999, 12, 31, 23, 59, 59, 999000),  # noqa: DTZ001
        "close": 1.5e300,
    }
    table = rows(low, high)
    assert parquet.read(BARS, parquet.write(BARS, table)).to_pylist() == [ROW | low, ROW | high]


def test_rows_are_stored_in_the_order_of_the_key() -> None:
    # 'a' 61, 'z' 7a, 'é' c3a9, '🚀' f09f9a80: by bytes, not by any language
    shuffled = [{"ticker": t, "session": date(2026, 1, d)} for t in "🚀zéa" for d in (6, 5)]
    stored = parquet.read(BARS, parquet.write(BARS, rows(*shuffled)))
    assert [(r["ticker"], r["session"].day) for r in stored.to_pylist()] == [
        ("a", 5),
        ("a", 6),
        ("z", 5),
        ("z", 6),
        ("é", 5),
        ("é", 6),
        ("🚀", 5),
        ("🚀", 6),
    ]


def test_the_bytes_depend_on_the_rows_only() -> None:
    changes = [{"ticker": t, "close": float(n)} for n, t in enumerate("edcba")]
    table = rows(*changes)
    expected = parquet.write(BARS, table)
    split = pa.concat_tables([table.slice(3), table.slice(0, 2), table.slice(2, 1)])
    encoded = table.set_column(0, "ticker", table["ticker"].dictionary_encode())
    columns_reversed = table.select(table.column_names[::-1])
    with_metadata = table.replace_schema_metadata({"made": "yesterday"})
    for same in (split, encoded, columns_reversed, with_metadata):
        assert parquet.write(BARS, same) == expected
    assert parquet.write(BARS, rows(*changes[:4])) != expected


def test_files_hold_no_schema_but_parquets_own() -> None:
    with pq.ParquetFile(pa.BufferReader(parquet.write(BARS, rows({})))) as file:
        assert file.metadata.metadata is None
        assert file.schema.column(0).max_definition_level == 0  # required, as the contract says
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_where_arrow_has_no_zstd_the_same_rows_are_kept_in_gzip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As in AWS's layer for Lambda, whose Arrow has snappy and zlib only.
    table = rows({}, {"ticker": "TSLA"})
    usual = parquet.write(BARS, table)
    has = pa.Codec.is_available

    class Codec:
        is_available = staticmethod(lambda name: name != "zstd" and has(name))

    monkeypatch.setattr(pa, "Codec", Codec)
    data = parquet.write(BARS, table)
    column = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(0).column(0)
    assert column.compression == "GZIP"
    assert parquet.read(BARS, data).equals(parquet.read(BARS, usual))


def test_no_writer_asks_for_a_compression_that_lambda_lacks() -> None:
    package = Path(parquet.__file__).parents[1]
    asked = {
        f"{path.relative_to(package)}: {found}"
        for path in package.rglob("*.py")
        for found in re.findall(r"""compression=["'](\w+)""", path.read_text(encoding="utf-8"))
    }
    assert {one.rpartition(" ")[2] for one in asked} <= {"snappy", "gzip"}, asked


def test_columns_may_be_chosen_and_keep_the_contracts_order() -> None:
    data = parquet.write(BARS, rows({}))
    assert parquet.read(BARS, data, ["volume", "ticker"]).column_names == ["ticker", "volume"]
    assert parquet.read(BARS, data, []).num_columns == 0
    with pytest.raises(ContractError, match="table bars has no column 'open'"):
        parquet.read(BARS, data, ["open"])


# ---------------------------------------------------------------- what is converted


@pytest.mark.parametrize(
    ("column", "array", "value"),
    [
        ("ticker", pa.array(["NVDA"], pa.large_string()), "NVDA"),
        ("ticker", pa.array(["NVDA"], pa.string_view()), "NVDA"),
        ("ticker", pa.array(["NVDA"]).dictionary_encode(), "NVDA"),
        ("hour", pa.array([9], pa.int64()), 9),
        ("volume", pa.array([9], pa.uint8()), 9),
        ("close", pa.array([0.5], pa.float32()), 0.5),
        ("close", pa.array([2**33], pa.int64()), 8589934592.0),  # ten digits: none is lost
        ("session", pa.array([date(2026, 1, 5)], pa.date64()), date(2026, 1, 5)),
        (
            "seen_at",
            pa.array([datetime(2026, 1, 5, 12, tzinfo=UTC)], pa.timestamp("ns", "UTC")),
            datetime(2026, 1, 5, 12),  # noqa: DTZ001
        ),
        ("volume", pa.nulls(1), None),
        ("flags", pa.array([[]]), []),
        ("flags", pa.array([["a"]], pa.large_list(pa.large_string())), ["a"]),
    ],
)
def test_a_type_that_loses_nothing_is_converted(column: str, array: pa.Array, value: Any) -> None:
    table = parquet.read(BARS, parquet.write(BARS, with_column(column, array)))
    assert table[column].to_pylist() == [value]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("column", "array", "message"),
    [
        ("ticker", pa.array([7]), r"ticker: type int64 where the contract says string"),
        ("ticker", pa.array([b"NVDA"]), "ticker: type binary where the contract says string"),
        ("hour", pa.array(["9"]), r"hour: type string where the contract says integer \(int32\)"),
        ("hour", pa.array([9.0]), "hour: type double where the contract says integer"),
        ("hour", pa.array([2**31]), "hour: values of type int64 do not fit integer"),
        ("volume", pa.array([2**63], pa.uint64()), "volume: values of type uint64 do not fit"),
        ("volume", pa.array([Decimal(1)]), "volume: type decimal128.* says bigint"),
        ("close", pa.array([2**53 + 1]), "close: values of type int64 do not fit double"),
        ("close", pa.array(["1.5"]), "close: type string where the contract says double"),
        ("close", pa.array([True]), "close: type bool where the contract says double"),
        ("halted", pa.array([1]), "halted: type int64 where the contract says boolean"),
        (
            "session",
            pa.array([datetime(2026, 1, 5)]),  # noqa: DTZ001
            r"session: type timestamp\[us\] where the contract says date",
        ),
        (
            "seen_at",
            pa.array([datetime(2026, 1, 5, 1, 1, 1, 1)]),  # noqa: DTZ001  one microsecond
            r"seen_at: values of type timestamp\[us\] do not fit timestamp",
        ),
        (
            "seen_at",
            pa.array([0], pa.timestamp("ms", "America/New_York")),
            r"seen_at: type timestamp\[ms, tz=America/New_York\]",
        ),
        ("seen_at", pa.array([date(2026, 1, 5)]), "seen_at: type date32"),
        ("flags", pa.array(["a"]), "flags: type string where the contract says array<string>"),
        ("flags", pa.array([[1]]), "flags: type list<.*int64"),
        ("flags", pa.array([["a", None]]), "flags: a null inside an array<string>"),
    ],
)
def test_a_type_that_does_not_fit_is_refused(column: str, array: pa.Array, message: str) -> None:
    with pytest.raises(ContractError, match=f"table bars, column {message}"):
        parquet.write(BARS, with_column(column, array))


def test_missing_unknown_and_repeated_columns_are_named() -> None:
    table = rows({})
    with pytest.raises(ContractError, match="table bars, columns: it lacks close, flags; glue/"):
        parquet.write(BARS, table.drop_columns(["close", "flags"]))
    with pytest.raises(ContractError, match="it has unknown klose"):
        parquet.write(BARS, table.append_column("klose", pa.array([1.0])))
    with pytest.raises(ContractError, match="it repeats close"):
        parquet.write(BARS, table.append_column("close", pa.array([1.0])))
    with pytest.raises(ContractError, match=r"it lacks close and has unknown Close;.*ticker, ses"):
        parquet.write(BARS, table.rename_columns({"close": "Close"}))


def test_a_null_where_none_may_be_is_refused_with_its_row() -> None:
    table = rows({}, {"ticker": "ORCL", "flags": None}, {"ticker": "TSLA", "flags": None})
    message = (
        r"column flags: null in 2 of 3 rows, first at "
        r"ticker='ORCL', session=datetime.date\(2026, 1, 5\)"
    )
    with pytest.raises(ContractError, match=message):
        parquet.write(BARS, table)
    with pytest.raises(ContractError, match="column ticker: null in 1 of 1 rows"):
        parquet.write(BARS, rows({"ticker": None}))


def test_nan_is_null_where_null_may_be_and_refused_elsewhere() -> None:
    table = parquet.read(BARS, parquet.write(BARS, rows({"yield": math.nan})))
    assert table["yield"].to_pylist() == [None]
    with pytest.raises(ContractError, match="column close: null or NaN in 1 of 1 rows"):
        parquet.write(BARS, rows({"close": math.nan}))


def test_infinity_is_refused_with_its_row() -> None:
    for value in (math.inf, -math.inf, 1.7976931348623157e308):  # the last rounds beyond range
        with pytest.raises(ContractError, match="column yield: infinite at ticker='ORCL'"):
            parquet.write(BARS, rows({}, {"ticker": "ORCL", "yield": value}))


def test_two_rows_with_one_key_are_refused_with_the_key() -> None:
    table = rows({}, {"ticker": "ORCL"}, {"close": 1.0})
    message = r"table bars: two rows with ticker='NVDA', session=.*\(ticker, session\) is unique"
    with pytest.raises(ContractError, match=message):
        parquet.write(BARS, table)
    with pytest.raises(ContractError, match="two rows with ticker='NVDA'"):
        parquet.write(BARS, rows({}, {}))


# ---------------------------------------------------------------- evolution and damage


def test_a_column_of_a_later_version_reads_as_null() -> None:
    table = parquet.read(NEWER, parquet.write(BARS, rows({})))
    assert table.schema.equals(NEWER.arrow_schema())
    assert table["venue"].to_pylist() == [None]
    assert table["ticker"].to_pylist() == ["NVDA"]
    assert parquet.read(NEWER, parquet.write(BARS, rows({})), ["venue"]).num_rows == 1


def test_a_column_of_the_first_version_may_not_miss() -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(rows({}).drop_columns(["close"]), sink)
    with pytest.raises(ContractError, match="table bars, columns: it lacks close"):
        parquet.read(NEWER, sink.getvalue().to_pybytes())


def test_an_object_of_a_newer_contract_is_refused_by_an_older_one() -> None:
    data = parquet.write(NEWER, rows({"venue": "XNYS"}, contract=NEWER))
    with pytest.raises(
        ContractError, match=r"has unknown venue; glue/tables/bars.yaml \(version 1"
    ):
        parquet.read(BARS, data)


def test_an_object_with_another_type_is_refused() -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(with_column("hour", pa.array([9], pa.int64())), sink)
    with pytest.raises(ContractError, match="column hour: type int64 where the contract says inte"):
        parquet.read(BARS, sink.getvalue().to_pybytes())


def test_damaged_bytes_are_no_object() -> None:
    data = parquet.write(BARS, rows({}))
    for damaged in (b"", b"PAR1", data[:-9], data[: len(data) // 2], b"\0" * len(data)):
        with pytest.raises(ContractError, match=r"table bars: .* no readable Parquet object"):
            parquet.read(BARS, damaged)


# ---------------------------------------------------------------- ten significant digits


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1 + 0.2, 0.3),  # 0.30000000000000004
        (1 / 3, 0.3333333333),
        (2 / 3, 0.6666666667),
        (123456789012.0, 123456789000.0),
        (99999999995.0, 1e11),  # the eleventh digit carries all the way
        (-12345678.905, -12345678.9),  # the double lies below the half: …8.90499999932
        (12345678.125, 12345678.12),  # exactly a half: to the even digit
        (12345678.375, 12345678.38),
        (1e-5, 1e-5),
        (1.23456789012e-200, 1.23456789e-200),
        (9.876543210987e250, 9.876543211e250),
        (5e-324, 5e-324),  # the smallest double: 4.940656458e-324 reads back as itself
        (0.0, 0.0),
    ],
)
def test_doubles_are_rounded_to_ten_significant_digits(value: float, expected: float) -> None:
    assert parquet.round_significant(np.array([value])).tolist() == [expected]


def test_zero_loses_its_sign_and_nan_and_infinity_stay() -> None:
    rounded = parquet.round_significant(np.array([-0.0, np.nan, np.inf, -np.inf]))
    assert math.copysign(1.0, rounded[0]) == 1.0
    assert math.isnan(rounded[1])
    assert rounded[2:].tolist() == [math.inf, -math.inf]
    assert parquet.round_significant(np.zeros((2, 0))).shape == (2, 0)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
@example([1.00000000005, 1.00000000015, 0.12345678905, 12345678905e-30, 2.5e-5, 1e22, 1e23])
@example([999.9999999999999, 1000.0000000000001, 9.9999999995, 9.99999999949999, 1e-13, 1e-14])
def test_rounding_is_what_printing_ten_digits_and_reading_them_gives(values: list[float]) -> None:
    rounded = parquet.round_significant(np.array(values))
    assert rounded.tolist() == [float(f"{v:.9e}") + 0.0 for v in values]
    again = parquet.round_significant(rounded)
    assert again.tolist() == rounded.tolist()


@given(st.integers(10**10, 10**11 - 1), st.integers(-40, 20))
def test_rounding_beside_a_half_is_exact(digits: int, exponent: int) -> None:
    value = float(f"{digits // 10}5e{exponent}")  # eleven digits, the last a five
    assert parquet.round_significant(np.array([value]))[0] == float(f"{value:.9e}")


def test_stored_doubles_are_rounded() -> None:
    table = parquet.read(BARS, parquet.write(BARS, rows({"close": 0.1 + 0.2, "yield": -0.0})))
    assert table["close"].to_pylist() == [0.3]
    assert str(table["yield"].to_pylist()[0]) == "0.0"


# ---------------------------------------------------------------- raw lines


def test_lines_are_packed_to_the_same_bytes_and_read_back() -> None:
    raw = [b'{"a": 1}', '{"b": "🚀"}'.encode(), b"{}"]
    data = lines.pack(raw)
    assert data == lines.pack(iter(raw))
    # RFC 1952: no name (flags 0), no time (four zeros), unknown system (255)
    assert data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert gzip.decompress(data) == b"".join(line + b"\n" for line in raw)
    assert lines.unpack(data) == lines.Unpacked(tuple(enumerate(raw, start=1)))
    assert lines.unpack(lines.pack([])) == lines.Unpacked(())


def test_a_line_that_would_read_as_two_is_refused() -> None:
    with pytest.raises(Exception, match="line 2 holds a line break"):
        lines.pack([b"{}", b"{\n}"])


def test_plain_lines_are_read_like_packed_ones() -> None:
    text = b"\xef\xbb\xbf{1}\r\n\n  \n{2}\r\n{3}"  # a mark, blank lines, no last line feed
    expected = lines.Unpacked(((1, b"{1}"), (4, b"{2}"), (5, b"{3}")))
    assert lines.unpack(text) == expected
    assert lines.unpack(gzip.compress(text)) == expected
    assert lines.unpack(b"") == lines.Unpacked(())


def test_members_of_a_gzip_are_read_in_a_row() -> None:
    data = lines.pack([b"{1}"]) + lines.pack([b"{2}"]) + b"\0" * 512
    assert lines.unpack(data) == lines.Unpacked(((1, b"{1}"), (2, b"{2}")))


def noise(number: int) -> bytes:
    """A line that does not compress away: 200 digits of a multiplicative generator."""
    state, digits = number + 1, []
    for _ in range(20):
        state = state * 6364136223846793005 % 2**64
        digits.append(f"{state >> 31:010}"[:10])
    return "".join(digits).encode()


def test_a_truncated_object_gives_its_whole_lines() -> None:
    raw = [noise(n) for n in range(500)]
    data = lines.pack(raw)
    for cut in (12, len(data) // 2, len(data) - 9, len(data) - 1):
        found = lines.unpack(data[:cut])
        assert found.damage == f"the gzip data ends at byte {cut}, before it is complete"
        texts = [text for _, text in found.lines]
        assert texts == raw[: len(texts)]
        if len(texts) < len(raw):
            assert raw[len(texts)].startswith(found.remainder)
    # 9 bytes from the end only the trailer of 8 and the end mark miss: all lines are there.
    assert len(lines.unpack(data[:-9]).lines) >= 499
    assert len(lines.unpack(data[: len(data) // 2]).lines) > 200  # about half of 500


def test_a_corrupt_object_gives_the_lines_before_the_damage() -> None:
    raw = [noise(n) for n in range(20_000)]  # 4 MB of text: more than one step of reading
    data = lines.pack(raw)
    assert len(data) > 1 << 20
    half = len(data) // 2
    found = lines.unpack(data[:half] + b"\xff" * 4000 + data[half + 4000 :])
    assert found.damage
    assert "corrupt at byte" in found.damage
    good = sum(a == b for (_, a), b in zip(found.lines, raw, strict=False))
    assert good > 9_900  # of the 10,000 before the half; what follows may be wrong


def test_a_wrong_checksum_is_named_and_the_lines_are_given() -> None:
    data = bytearray(lines.pack([b"{1}", b"{2}"]))
    data[-8] ^= 1  # the CRC-32 of RFC 1952, eight bytes before the end
    found = lines.unpack(bytes(data))
    assert found.lines == ((1, b"{1}"), (2, b"{2}"))
    assert found.damage
    assert "incorrect data check" in found.damage


def test_foreign_bytes_after_a_gzip_are_named() -> None:
    data = lines.pack([b"{1}"])
    found = lines.unpack(data + b"<html>")
    assert found.lines == ((1, b"{1}"),)
    assert found.damage == f"6 bytes at byte {len(data)}, after the gzip data, are no gzip"


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_no_bytes_make_reading_fail(data: bytes, tail: bytes) -> None:
    for damaged in (data, b"\x1f\x8b" + data, lines.pack([b"{}"] * 9)[: len(data)] + tail):
        lines.unpack(damaged)
