"""Which files an import takes, what their names say, and how their bytes become lines."""

from __future__ import annotations

import errno
import gzip
from pathlib import Path

import pytest

from cashtag.errors import InputError
from cashtag.exchange import files, importing, reading
from cashtag.lake.disk import FolderStore
from cashtag.ports import Lake
from cashtag.settings import load

SUFFIXES = (".jsonl", ".json")
SETTINGS = load(environ={})


def lake(folder: Path) -> Lake:
    zones = ("raw", "enriched", "signals", "ledger", "report")
    return Lake(*(FolderStore(folder / zone) for zone in zones))


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "ticker"),
    [
        ("AAPL.jsonl.gz", "AAPL"),
        ("aapl.jsonl", "AAPL"),
        ("NVDA-2025-08-29.json", "NVDA"),
        ("raw-NVDA-2025-08-29.json", "NVDA"),
        ("enriched-NVDA-2025-08-29.json", "NVDA"),
        ("NVDA_20250829.json", "NVDA"),
        ("AAPL_daily.csv", "AAPL"),
        ("aapl.us.txt", "AAPL"),  # Stooq
        ("prices-AAPL.csv.gz", "AAPL"),
        ("AAPL_tweets_2014-06-01.jsonl", "AAPL"),
        ("BRK.B.csv", "BRK.B"),
        ("BRK-B.csv", "BRK.B"),  # Yahoo
        ("BRK_B_history.csv", "BRK.B"),
        ("^VIX.csv", "^VIX"),
        ("$TSLA.csv", "TSLA"),
        ("C.csv", "C"),
    ],
)
def test_a_files_name_tells_its_ticker(name: str, ticker: str) -> None:
    assert files.ticker_of(Path(name)) == ticker


@pytest.mark.parametrize("name", ["download (1).csv", "2014-06-01.json", "BTC-USD.csv", "42.csv"])
def test_a_name_without_a_ticker_asks_for_the_option(name: str) -> None:
    with pytest.raises(InputError, match=r"does not tell its ticker; .* or give --ticker"):
        files.ticker_of(Path(name))


def test_the_option_names_the_ticker_of_every_file(tmp_path: Path) -> None:
    touch(tmp_path, "part 1.json", "AAPL.json")
    found = files.inputs([tmp_path], SUFFIXES, "brk-b")
    assert [each.ticker for each in found] == ["BRK.B", "BRK.B"]


@pytest.mark.parametrize("ticker", ["", "NOT A SYMBOL", "TOOLONGX", "12"])
def test_an_option_that_is_no_symbol_is_refused_by_name(tmp_path: Path, ticker: str) -> None:
    touch(tmp_path, "AAPL.json")
    with pytest.raises(InputError, match=r"--ticker .* is no symbol"):
        files.inputs([tmp_path], SUFFIXES, ticker)


def test_folders_are_read_with_all_below_in_the_order_of_their_paths(tmp_path: Path) -> None:
    touch(tmp_path, "b/MSFT.json", "a/NVDA.jsonl.gz", "TSLA.JSON", "README.md", "._AAPL.json")
    found = files.inputs([tmp_path], SUFFIXES, None)
    # Not the README; not what macOS leaves beside a file on foreign disks.
    assert [each.path.name for each in found] == ["TSLA.JSON", "NVDA.jsonl.gz", "MSFT.json"]


def test_a_file_that_is_named_twice_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "AAPL.json")
    found = files.inputs([tmp_path, tmp_path / "AAPL.json", tmp_path], SUFFIXES, None)
    assert len(found) == 1


def test_a_file_that_is_named_itself_may_have_any_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "AAPL.dump")
    assert files.inputs([tmp_path / "AAPL.dump"], SUFFIXES, "AAPL")[0].ticker == "AAPL"


def test_a_folder_without_fitting_files_says_what_would_fit(tmp_path: Path) -> None:
    touch(tmp_path, "LICENSE")
    with pytest.raises(InputError, match=r"holds no file ending in \.jsonl, \.json"):
        files.inputs([tmp_path], SUFFIXES, None)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json does not exist"):
        files.inputs([tmp_path / "nowhere.json"], SUFFIXES, None)


def test_no_path_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="PATH is missing"):
        files.inputs([], SUFFIXES, None)


def test_an_unreadable_file_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "AAPL.json", "MSFT.json")
    opened = Path.open

    def refuse(path: Path, *args: object, **kwargs: object) -> object:
        if path.name == "MSFT.json":  # a mode of 0 would not stop the superuser
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"MSFT\.json cannot be read: Permission denied; correct"):
        importing.bring(lake(tmp_path / "lake"), SETTINGS, "reference", [tmp_path])
    assert not (tmp_path / "lake").exists()


def test_a_file_that_vanishes_meanwhile_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "AAPL.json")
    found = files.inputs([tmp_path], SUFFIXES, None)
    (tmp_path / "AAPL.json").unlink()
    with pytest.raises(InputError, match=r"AAPL\.json cannot be read: No such file"):
        found[0].read()


def test_a_file_without_a_ticker_stops_the_import_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text("Date,Open,High,Low,Close\n2014-06-02,1,1,1,1\n")
    touch(tmp_path, "my prices.csv")
    with pytest.raises(InputError, match=r"my prices\.csv does not tell its ticker"):
        importing.bring(lake(tmp_path / "lake"), SETTINGS, "bars", [tmp_path])
    assert not (tmp_path / "lake").exists()


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'rss' is none of: twitter-v1, twscrape, reference, bars"):
        importing.bring(lake(tmp_path), SETTINGS, "rss", [tmp_path])


def test_progress_tells_every_file_and_the_end(tmp_path: Path) -> None:
    touch(tmp_path, "AAPL.json", "AAPL-2014-06-01.json", "MSFT.json")
    told: list[tuple[int, int, str]] = []
    importing.bring(
        lake(tmp_path / "lake"),
        SETTINGS,
        "reference",
        [tmp_path],
        progress=lambda *step: told.append(step),
    )
    assert told == [
        (0, 3, "AAPL-2014-06-01.json"),
        (1, 3, "AAPL.json"),
        (2, 3, "MSFT.json"),
        (3, 3, ""),
    ]


TEXT = '{"a":"é"}\n{"b":"漢"}\n'
LINES = ['{"a":"é"}'.encode(), '{"b":"漢"}'.encode()]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"],
    # Without a mark UTF-16 is known by the zero byte of its first character.
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_utf8_and_utf16_are_read_packed_or_not(encoding: str, pack) -> None:  # type: ignore[no-untyped-def]
    found = reading.unpacked(pack(TEXT.encode(encoding)))
    assert [line.strip() for _, line in found.lines] == LINES
    assert found.damage is None


def test_a_zero_byte_alone_makes_no_utf16() -> None:
    assert [line for _, line in reading.unpacked(b"\0\n{}\n").lines] == [b"\0", b"{}"]


def test_what_is_no_utf16_stays_visible(tmp_path: Path) -> None:
    # The last character of the file was cut in half: its one byte is 0x7d, `}`.
    found = reading.unpacked('﻿{"a":1}'.encode("utf-16-le")[:-1])
    assert found.lines == ((1, b'{"a":1\\x7d'),)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems_part_lines(end: str) -> None:
    found = reading.unpacked(TEXT.replace("\n", end).encode())
    assert [line for _, line in found.lines] == LINES


def test_nothing_and_blank_lines_are_no_lines() -> None:
    assert reading.unpacked(b"").lines == ()
    assert reading.unpacked(b"\n \n\r\n").lines == ()


def test_a_damaged_gzip_of_utf16_is_left_as_bytes() -> None:
    damaged = gzip.compress(TEXT.encode("utf-16"), mtime=0)[:-9]
    assert reading.unpacked(damaged).damage is not None
