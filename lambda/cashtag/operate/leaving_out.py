"""What of a wheel goes to Lambda: code, data and licences; not tests, stubs or a debugger's parts."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Folders of a package that only its makers need.
_FOLDERS = frozenset({"tests", "test", "testing", "__pycache__", "benchmarks", "docs"})
# Types for checkers, sources of compiled modules, headers, byte code of some other Python.
_SUFFIXES = frozenset({".pyi", ".pyc", ".pyo", ".pyx", ".pxd", ".pxi", ".c", ".cpp", ".h", ".a"})
# Compiled parts of libraries that nothing of ours, nor of theirs that we use, imports.
_UNUSED = ("lxml/objectify.", "lxml/html/diff.", "lxml/html/_difflib.", "lxml/isoschematron/")
_LICENCES = ("license", "licence", "copying", "notice", "authors", "copyright")

_ELF_64_LITTLE = b"\x7fELF\x02\x01"
_PROGRAM_HEADERS, _SECTION_HEADERS = 32, 40  # offsets into the ELF-64 header, elf(5)
_SIZES = 54
_LOADED = 1  # PT_LOAD


def files(wheel: Path, *, whole: bool = False) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of what a wheel installs, by its own order.

    `whole` leaves nothing out but byte code: for laying out a layer.
    """
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            path = _installed(info.filename)
            if path is None:
                continue
            if whole:
                if not path.endswith(".pyc"):
                    yield path, archive.read(info)
                continue
            folder = path.partition("/")[0]
            if folder.endswith(".dist-info"):
                name = path.removeprefix(f"{folder}/")
                if name == "METADATA":
                    yield path, headers_of(archive.read(info))
                elif _is_licence(name):
                    yield path, archive.read(info)
            elif _is_needed(path):
                data = archive.read(info)
                yield path, without_debugging(data) if ".so" in path else data


def _installed(name: str) -> str | None:
    """Where a wheel's entry is installed (PEP 427); None for scripts, headers and manual pages."""
    folder, _, rest = name.partition("/")
    if not folder.endswith(".data"):
        return name
    kind, _, path = rest.partition("/")
    return path if kind in {"purelib", "platlib"} else None


def _is_licence(name: str) -> bool:
    return name.startswith("licenses/") or PurePosixPath(name).name.lower().startswith(_LICENCES)


def _is_needed(path: str) -> bool:
    pure = PurePosixPath(path)
    if pure.name == "py.typed" or pure.suffix in _SUFFIXES or path.startswith(_UNUSED):
        return False
    return not _FOLDERS.intersection(pure.parts[:-1])


def headers_of(metadata: bytes) -> bytes:
    """METADATA without the long description: name, version, licence and needs stay."""
    text = metadata.decode("utf-8", "replace").replace("\r\n", "\n")
    return text.partition("\n\n")[0].rstrip("\n").encode() + b"\n"


def without_debugging(library: bytes) -> bytes:
    """A shared library up to the last byte that the loader maps; anything else as it is.

    What lies behind (symbols and line tables for debuggers; 31 MB of one library's 38) is found by
    the section headers alone, and the loader reads the program headers alone (elf(5)).
    """
    if not library.startswith(_ELF_64_LITTLE):
        return library
    (headers,) = struct.unpack_from("<Q", library, _PROGRAM_HEADERS)
    size, count = struct.unpack_from("<HH", library, _SIZES)
    end = headers + size * count
    for number in range(count):
        at = headers + number * size
        kind, _flags, offset, _virtual, _physical, in_file = struct.unpack_from(
            "<IIQQQQ", library, at
        )
        if kind == _LOADED:
            end = max(end, offset + in_file)
    (sections,) = struct.unpack_from("<Q", library, _SECTION_HEADERS)
    if sections < end:
        return library  # they lie within what is mapped: nothing is certain of this one
    kept = bytearray(library[:end])
    struct.pack_into("<Q", kept, _SECTION_HEADERS, 0)
    struct.pack_into("<HHH", kept, _SIZES + 4, 0, 0, 0)  # size, number and names of sections
    return bytes(kept)
