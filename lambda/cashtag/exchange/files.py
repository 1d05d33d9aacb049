"""Files to import: found in folders, read whether gzipped or not, named after their ticker."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cashtag.errors import InputError
from cashtag.tickers import is_symbol

_SUFFIX = re.compile(r"\.(jsonl|json|ndjson|csv|tsv|txt)(\.gz)?$|\.gz$", re.IGNORECASE)
_DATE = re.compile(r"[-_.]?\d{4}[-_.]?\d\d[-_.]?\d\d$")
_PREFIX = re.compile(r"^(raw|enriched|tweets|prices|bars|ohlcv|stock)[-_.]", re.IGNORECASE)
_WORDS = re.compile(
    r"[-_.](tweets?|prices?|bars?|daily|1d|ohlcv|history|historical|data|raw|enriched|us)$",
    re.IGNORECASE,
)
_SHARE_CLASS = re.compile(r"^([A-Z]{1,6})[-_ /.]([A-Z]{1,2})$")


@dataclass(frozen=True, slots=True)
class Input:
    """One file to import and the ticker its rows belong to."""

    path: Path
    ticker: str

    def read(self) -> bytes:
        """The file's bytes as they are. Raises InputError when it cannot be read."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise InputError(_unreadable(self.path, error)) from None


def inputs(paths: Sequence[Path], suffixes: tuple[str, ...], ticker: str | None) -> list[Input]:
    """Files below `paths` with a fitting suffix, sorted by path within each.

    A file that is named itself is taken whatever its suffix; hidden files of a folder are not.

    Args:
        paths: files and folders; one that is named twice is taken once.
        suffixes: endings in lower case, also taken with `.gz`.
        ticker: the symbol of all files; by default each file's name tells.

    Raises:
        InputError: a path does not exist or cannot be read, nothing fits, or a file does not
            tell its ticker.
    """
    if not paths:
        raise InputError("PATH is missing; give files or folders")
    symbol = _given(ticker) if ticker is not None else None
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _files(path, suffixes):
            found.setdefault(file.resolve(), file)
    return [Input(path, symbol or ticker_of(path)) for path in found.values()]


def _files(path: Path, suffixes: tuple[str, ...]) -> Iterable[Path]:
    try:
        if path.is_dir():
            inside = sorted(p for p in _below(path) if p.is_file() and _fits(p, suffixes))
            if not inside:
                raise InputError(
                    f"PATH {path} holds no file ending in {', '.join(suffixes)} "
                    "(or those with .gz); name another folder, or the file itself"
                )
        elif path.exists():
            inside = [path]
        else:
            raise InputError(f"PATH {path} does not exist; give a file or a folder")
        for file in inside:
            # Before anything is written; but opening a pipe here would end it for its writer.
            if file.is_file():
                file.open("rb").close()
    except OSError as error:
        raise InputError(_unreadable(Path(error.filename or path), error)) from None
    return inside


def _below(folder: Path) -> Iterator[Path]:
    def stop(error: OSError) -> None:
        raise error

    for root, _, names in os.walk(folder, onerror=stop):
        yield from (Path(root) / name for name in names)


def _unreadable(path: Path, error: OSError) -> str:
    return f"PATH {path} cannot be read: {error.strerror or error}; correct that, then run again"


def _fits(path: Path, suffixes: tuple[str, ...]) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(suffixes) and not name.startswith(".")


def _given(ticker: str) -> str:
    symbol = normalised(ticker)
    if symbol is None:
        raise InputError(f"--ticker {ticker!r} is no symbol; write it like NVDA, BRK.B or ^VIX")
    return symbol


def ticker_of(path: Path) -> str:
    """The symbol in a file's name: `AAPL.jsonl.gz`, `raw-NVDA-2025-08-29.json`, `aapl_daily.csv`.

    Raises:
        InputError: the name holds none; the remedy is --ticker.
    """
    stem = _SUFFIX.sub("", path.name)
    stem = _DATE.sub("", _PREFIX.sub("", stem))
    while (shorter := _WORDS.sub("", stem)) != stem:
        stem = shorter
    symbol = normalised(stem)
    if symbol is None:
        raise InputError(
            f"the name of {path} does not tell its ticker; rename it like "
            f"NVDA{''.join(path.suffixes[-2:]) or '.json'} or give --ticker"
        )
    return symbol


def normalised(text: str) -> str | None:
    """`$brk-b` to `BRK.B`, `^vix` to `^VIX`; None for what is no symbol."""
    symbol = text.strip().removeprefix("$").upper()
    index = symbol.startswith("^")
    symbol = _SHARE_CLASS.sub(r"\1.\2", symbol.removeprefix("^"))
    if not is_symbol(symbol):
        return None
    return f"^{symbol}" if index else symbol
