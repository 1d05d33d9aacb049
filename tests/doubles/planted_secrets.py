"""A pytest plugin that listens for planted secrets in everything a session of tests lets out.

Every secret that a test makes up (a cookie, a key, a proxy's password) contains the word PLANTED.
The session fails when that word, plain or in base64, shows up in what a test printed, logged or
raised, in what a process it started printed, or in a file that it left in its temporary folder:
also inside gzip and the columns of Parquet. Files named `secrets*.toml` are meant to hold some,
and so is what a test names by the fixture `meant_to_hold_secrets`. Load it by `-p planted_secrets`.
"""

from __future__ import annotations

import base64
import fnmatch
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

MEANT = "secrets*.toml"
_AROUND = 40  # characters shown before and after a find
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_TOLD = "planted_secrets"  # what a worker process tells at its end
_SHOWN = 20  # finds that are told one by one
_STASH = pytest.StashKey["Ear"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("planted_word", "The word that every planted secret contains.", default="PLANTED")


def pytest_configure(config: pytest.Config) -> None:
    ear = Ear(config)
    config.stash[_STASH] = ear
    config.pluginmanager.register(ear, "planted-secrets-ear")
    config.add_cleanup(ear.listen())


@pytest.fixture
def meant_to_hold_secrets(request: pytest.FixtureRequest) -> Callable[[Path], Path]:
    """A function that names a file as one that is meant to hold secrets, and returns it."""
    return request.config.stash[_STASH].meant


class Ear:
    """What has been heard so far: one sentence for each find."""

    def __init__(self, config: pytest.Config) -> None:
        word = config.getini("planted_word").encode()
        self._needles = (word, *_in_base64(word))
        self._config = config
        self._finds: dict[str, None] = {}
        self._meant: set[Path] = set()
        self._files = self._heard = 0
        self._seconds = 0.0
        self._has_workers = False
        self._tables: set[int] = set()
        self._sections: set[tuple[str, str, int]] = set()

    def meant(self, path: Path) -> Path:
        """Take a file for one that is meant to hold secrets."""
        self._meant.add(path)
        return path

    # ------------------------------------------------------------ several processes at once

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over what one of several worker processes heard; see pytest-xdist's hooks."""
        told = getattr(node, "workeroutput", {}).get(_TOLD)
        if told is not None:
            self._has_workers = True
            self._finds |= dict.fromkeys(told["finds"])
            self._heard += told["heard"]
            self._files += told["files"]
            self._seconds += told["seconds"]

    def _tell(self) -> None:
        """Tell the process that started this one, if one did, what was heard here."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_TOLD] = {
                "finds": list(self._finds),
                "heard": self._heard,
                "files": self._files,
                "seconds": self._seconds,
            }

    # ------------------------------------------------------------ what tests and processes say

    def hear(self, said: str | bytes | None, where: str) -> bool:
        """Listen to a text; say whether there was something in it."""
        if not said:
            return False
        self._heard += 1
        data = said if isinstance(said, bytes) else said.encode("utf-8", "surrogateescape")
        for needle in self._needles:
            if (at := data.find(needle)) >= 0:
                shown = data[max(0, at - _AROUND) : at + len(needle) + _AROUND]
                self._finds[f"{where}: {shown.decode('utf-8', 'replace')!r}"] = None
                return True
        return False

    def listen(self) -> Callable[[], None]:
        """Hear also what tests take out of the way: `capsys`, and what their processes print."""
        patch = pytest.MonkeyPatch()
        read, communicate = pytest.CaptureFixture.readouterr, subprocess.Popen.communicate

        def readouterr(fixture: Any) -> Any:
            captured = read(fixture)
            self.hear(captured.out, f"{_test()} printed to stdout")
            self.hear(captured.err, f"{_test()} printed to stderr")
            return captured

        def communicated(process: Any, *args: Any, **named: Any) -> Any:
            out, err = communicate(process, *args, **named)
            if _inside_product():
                return out, err
            self.hear(out, f"a process of {_test()} printed to stdout")
            self.hear(err, f"a process of {_test()} printed to stderr")
            return out, err

        patch.setattr(pytest.CaptureFixture, "readouterr", readouterr)
        patch.setattr(subprocess.Popen, "communicate", communicated)
        return patch.undo

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Listen to what a test let out; a report repeats what those before it told."""
        for name, text in report.sections:
            told = (report.nodeid, name, len(text))
            if told not in self._sections:
                self._sections.add(told)
                self.hear(text, f"{report.nodeid}, {name}")
        if report.longrepr is not None:
            said = _without_source(str(report.longrepr))
            self.hear(said, f"{report.nodeid}, report of its {report.outcome} {report.when}")

    # ------------------------------------------------------------ what tests leave behind

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Look at files before pytest removes them, where it was told to."""
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if not self._kept() and folder is not None:
            self.look(Path(folder))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Look at every file that is left once all fixtures have ended; fail if there are finds."""
        if not self._kept():
            self._look_at_base()
        result = yield
        if self._kept():
            self._look_at_base()
        self._tell()
        if self._finds and session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was found, or that nothing was."""
        looked = f"{self._heard:,} texts and {self._files:,} files, {self._seconds:.1f} s"
        if not self._finds:
            terminalreporter.write_line(f"planted secrets: none came out ({looked})")
            return
        terminalreporter.section("planted secrets came out", red=True)
        for find in list(self._finds)[:_SHOWN]:
            terminalreporter.write_line(find)
        if len(self._finds) > _SHOWN:
            terminalreporter.write_line(f"and {len(self._finds) - _SHOWN} more")
        terminalreporter.write_line(
            f"{len(self._finds)} times in {looked}: no secret may be printed, logged or written"
        )

    def _kept(self) -> bool:
        return str(self._config.getini("tmp_path_retention_policy")) == "all"

    def _look_at_base(self) -> None:
        if self._has_workers:
            return  # each has looked at its own folders, and knows what is meant to be there
        factory = getattr(self._config, "_tmp_path_factory", None)
        base = getattr(factory, "_basetemp", None)  # None: no test asked for a folder
        if base is not None:
            self.look(base)

    def look(self, folder: Path) -> None:
        """Look at every file below a folder; links are not followed."""
        began = time.perf_counter()
        for path in _files(folder):
            if fnmatch.fnmatch(path.name, MEANT) or path in self._meant:
                continue
            try:
                data = path.read_bytes()
            except OSError:
                continue  # a test took it away, or its permissions
            self._files += 1
            any(self.hear(text, f"the file {path}") for text in self._texts(data))
        self._seconds += time.perf_counter() - began

    def _texts(self, data: bytes) -> Iterator[bytes]:
        yield data
        if data.startswith(_GZIP):
            yield _unzipped(data)
        elif data.startswith(_PARQUET) and data.endswith(_PARQUET):
            known = hash(data)
            if known not in self._tables:  # days are made again and again in tests
                self._tables.add(known)
                yield _columns(data)


def _test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "the session").partition(" (")[0]


def _without_source(report: str) -> str:
    """What was raised, in a report of a failure; the test's own lines, which plant, are not."""
    raised = [line for line in report.splitlines() if line.startswith("E ")]
    return "\n".join(raised) or report


def _inside_product() -> bool:
    """Whether the package itself asks: what its own processes tell it goes no further by that."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in (__name__, "subprocess"):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("cashtag.")


def _in_base64(word: bytes) -> Iterator[bytes]:
    """A word inside a longer text in base64: three ways to lie across groups of three bytes."""
    for before in range(3):
        whole = base64.b64encode(b"-" * before + word)
        # Characters that hold bits of a neighbour are cut off: 4 for 3 bytes, 6 bits each.
        first, last = -(-before * 8 // 6), (before + len(word)) * 8 // 6
        yield whole[first:last]


def _files(folder: str | Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
    except OSError:
        return  # taken away, or closed, by a test


def _unzipped(data: bytes) -> bytes:
    """What a gzip file holds, as far as it can be read."""
    whole = bytearray()
    while data:
        stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            whole += stream.decompress(data)
        except zlib.error:
            break  # damaged by a test
        data = stream.unused_data
    return bytes(whole)


def _columns(data: bytes) -> bytes:
    """Texts of a Parquet file's columns; nothing of one that a test damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        table = file.read(columns=texts, use_threads=False)  # there are thousands of small ones
    except (pa.ArrowException, OSError, ValueError):
        return b""
    buffers = [
        buffer
        for column in table.columns
        for chunk in _plain(column).chunks
        for buffer in chunk.buffers()
        if buffer is not None
    ]
    return b"\n".join(buffer.to_pybytes() for buffer in buffers)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    while pa.types.is_list(kind) or pa.types.is_dictionary(kind):
        kind = kind.value_type
    # What is nested otherwise may hold text somewhere.
    return bool(pa.types.is_nested(kind)) or not pa.types.is_primitive(kind)


def _plain(column: Any) -> Any:
    """A column without a dictionary, whose texts would not be among its buffers."""
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
