"""Facts about table contracts and about where the package finds its files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cashtag import resources
from cashtag.errors import ContractError, InputError
from cashtag.lake.contracts import Contract, contract, contracts, parse

BARS = """
name: bars
version: 2
zone: enriched
partition: dt
grain: "One row per (ticker, session)."
key: [ticker, session]
columns:
  - {name: ticker, type: string, nullable: false, text: 'Symbol.'}
  - {name: session, type: date, nullable: false, text: 'Day.'}
  - {name: close, type: double, nullable: true, text: 'Dollars.'}
  - {name: hour, type: integer, nullable: true, text: 'Hour.'}
  - {name: volume, type: bigint, nullable: true, text: 'Shares.'}
  - {name: seen_at, type: timestamp, nullable: true, text: 'UTC.'}
  - {name: halted, type: boolean, nullable: true, text: 'Halted.'}
  - {name: flags, type: array<string>, nullable: true, since: 2, text: 'Marks.'}
"""


def bars(old: str = "", new: str = "") -> Contract:
    assert old in BARS
    return parse(BARS.replace(old, new, 1), "bars")


def test_every_table_of_the_product_has_a_valid_contract() -> None:
    names = {f.stem for f in resources.path("glue", "tables").glob("*.yaml")}
    assert set(contracts()) == names
    assert {"tweets", "daily_signals", "trades"} <= names
    assert list(contracts()) == sorted(names)


def test_a_contract_gives_the_schema_of_its_files() -> None:
    schema = bars().arrow_schema()
    assert schema.names == [
        "ticker",
        "session",
        "close",
        "hour",
        "volume",
        "seen_at",
        "halted",
        "flags",
    ]
    assert schema.types == [
        pa.string(),
        pa.date32(),
        pa.float64(),
        pa.int32(),
        pa.int64(),
        pa.timestamp("ms"),
        pa.bool_(),
        pa.list_(pa.string()),
    ]
    assert [f.nullable for f in schema] == [False, False, True, True, True, True, True, True]
    assert bars().empty().schema == schema
    assert bars().empty().num_rows == 0


def test_the_partition_is_in_sql_but_not_in_the_file() -> None:
    assert "dt" not in bars().names
    assert "dt" not in bars().glue_types()
    assert bars().sql_types()["dt"] == "date"


def test_types_are_spelled_as_glue_and_as_athena_sql_spell_them() -> None:
    assert list(bars().glue_types().values()) == [
        "string",
        "date",
        "double",
        "int",  # Hive's name; Trino's is integer
        "bigint",
        "timestamp",
        "boolean",
        "array<string>",
    ]
    assert bars().sql_types()["hour"] == "integer"
    assert bars().sql_types()["ticker"] == "varchar"
    assert bars().sql_types()["flags"] == "array(varchar)"


def test_a_table_documents_itself() -> None:
    text = bars().documentation()
    assert text.startswith("## bars\n\nOne row per (ticker, session).\n")
    assert "| `close` | double | yes | Dollars. |" in text
    assert "| `flags` | array<string> | yes | Marks. Since version 2. |" in text


def test_an_unknown_table_is_refused_with_the_tables_there_are() -> None:
    for name in ("tweet", "../tables/tweets", ""):
        with pytest.raises(ContractError, match=r"no table .*daily_signals.*tweets"):
            contract(name)


def test_an_unknown_column_is_refused_with_the_columns_there_are() -> None:
    assert bars().column("close").type == "double"
    with pytest.raises(ContractError, match=r"bars has no column 'klose'.*ticker, session"):
        bars().column("klose")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("grain:", "grian:", "unknown field grian; allowed are columns, grain"),
        ('grain: "One row per (ticker, session)."', "", "field grain is missing"),
        ("name: bars", "name: bar", "name 'bar' must be the file's stem"),
        ("version: 2", "version: two", "version 'two' must be a whole number from 1"),
        ("version: 2", "version: true", "version True must be a whole number"),
        ("version: 2", "version: 0", "version 0 must be a whole number from 1"),
        ("zone: enriched", "zone: raw", "zone 'raw' must be one of enriched, signals, ledger"),
        ("partition: dt", "partition: day", "partition 'day' must be one of dt, session"),
        ("partition: dt", "partition: session", "partition 'session' is in the path"),
        ("key: [ticker, session]", "key: []", "key must be a list of at least one column"),
        ("key: [ticker, session]", "key: [tikker]", "key 'tikker' is no column; they are ticker"),
        ("key: [ticker, session]", "key: [ticker, ticker]", "repeats a column"),
        ("key: [ticker, session]", "key: [volume]", "key column 'volume' must be nullable: false"),
        ("key: [ticker, session]", "key: [[ticker]]", "is no column"),
        ("type: double", "type: float", r"column 3 \(close\): type 'float' must be one of string"),
        ("type: double", "type: [double]", "must be one of"),
        ("nullable: true", "nullable: 1", "nullable 1 must be true or false"),
        ("'Dollars.'", "''", "text '' must be a text"),
        ("name: close", "name: Close", "name 'Close' must be snake_case"),
        ("name: close", "name: ticker", "columns ticker appear twice"),
        ("name: close,", "name: close, unit: USD,", r"column 3: unknown field unit"),
        ("since: 2", "since: 3", "since 3 is after the table's version 2"),
        ("nullable: true, since: 2", "nullable: false, since: 2", "must be nullable, because"),
        ("version: 2", "version: [2", "is no YAML"),
    ],
)
def test_a_contract_that_breaks_the_rules_says_which(old: str, new: str, message: str) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        bars(old, new)
    assert "glue/tables/bars.yaml" in str(caught.value)


def test_a_contract_must_be_a_mapping_with_columns() -> None:
    for text in ("", "- a", "tweets"):
        with pytest.raises(ContractError, match="expected fields columns, grain"):
            parse(text, "bars")
    with pytest.raises(ContractError, match="at least one column"):
        parse(BARS[: BARS.index("columns:")] + "columns: []\n", "bars")


# ---------------------------------------------------------------- where files are found


def test_a_resource_is_found_by_its_parts() -> None:
    assert resources.path("glue", "tables", "tweets.yaml").is_file()
    assert resources.path("glue").is_absolute()


def test_a_missing_resource_is_named() -> None:
    with pytest.raises(InputError, match=r"'glue/tables/none.yaml' is not in .*install"):
        resources.path("glue", "tables", "none.yaml")


def test_the_package_comes_before_the_checkout_and_the_nearest_checkout_first(
    tmp_path: Path,
) -> None:
    package = tmp_path / "outer" / "inner" / "lambda" / "cashtag"
    package.mkdir(parents=True)
    with pytest.raises(InputError, match="no glue/tables in"):
        resources._nearest(package)
    for folder in (tmp_path / "outer", tmp_path / "outer" / "inner", package):
        (folder / "glue" / "tables").mkdir(parents=True)
        assert resources._nearest(package) == folder
