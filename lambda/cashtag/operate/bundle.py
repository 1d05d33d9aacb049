"""The functions' zip: this package and what no layer has, the same bytes for the same commit.

    python -m cashtag.operate.bundle --out build/function.zip

One zip serves all functions. Libraries are wheels of Lambda's Python at the pinned versions;
entries are sorted, with one time and one mode; nothing of the machine that builds is in it. What
the two layers and the runtime have, and what no handler imports, stays out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cashtag import resources
from cashtag.errors import InputError
from cashtag.operate import leaving_out, wheels
from cashtag.operate.wheels import Progress, Target, Wheel

# What handlers import and no layer has; of the base install and the extras `aws` and `live`.
ROOTS = (
    "alpaca-py",
    "beautifulsoup4",
    "curl_cffi",
    "feedparser",
    "httpx",
    "loguru",
    "lxml",
    "orjson",
    "pydantic",
    "pyyaml",
    "twscrape",
    "tzdata",  # the runtime promises no time zones, and the schedule's is New York's
    "vaderSentiment",
    "yfinance",
)
# What no handler imports: the laptop's engine, its command line, its page, what builds this zip.
NOT_DEPLOYED = ("duckdb", "sqlglot", "typer", "rich", "tomlkit", "plotly", "packaging")
# https://aws-sdk-pandas.readthedocs.io/en/stable/layers.html and
# https://docs.aws.amazon.com/powertools/python/latest/getting-started/install/
LAYERS = {
    "pandas": ("awswrangler", "pandas", "pyarrow", "numpy"),
    "powertools": ("aws-lambda-powertools[parser,tracer]",),
}
# What the runtime brings itself: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
RUNTIME = ("awslambdaric", "boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six")
_WITHOUT = (
    *NOT_DEPLOYED,
    *RUNTIME,
    "awswrangler",
    "aws-lambda-powertools",
    "numpy",
    "pandas",
    "pyarrow",
)

# Of this package: what only the command line needs stays at home.
_OWN_SUFFIXES = frozenset({".py", ".toml", ".csv", ".tsv", ".json", ".html", ".css", ".js"})
_AT_HOME = frozenset({"cli", "__pycache__", "sample_data"})
_GLUE_SUFFIXES = frozenset({".sql", ".yaml"})

_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
_MODE = 0o100644  # a plain file that every user may read: Lambda's user is not its owner
_UNIX = 3
_LEVEL = 9
_MEGABYTE = 1_000_000
LIMIT_MEGABYTES = 40.0  # unzipped, beside the layers; Lambda takes 250 MB with them


@dataclass(frozen=True)
class Bundle:
    """A built zip. Sizes are in bytes; `content` is a hash of names and contents alone.

    `sha256` is that of the file: it also depends on the compressor of the machine that built it.
    """

    path: Path
    sha256: str
    content: str
    zipped: int
    unzipped: int
    wheels: tuple[str, ...]

    def told(self) -> str:
        """Two lines for a person, the second of which `sha256sum --check` reads."""
        return (
            f"{self.path}: {self.zipped / _MEGABYTE:.1f} MB zipped, "
            f"{self.unzipped / _MEGABYTE:.1f} MB unzipped, {len(self.wheels)} libraries, "
            f"content {self.content[:12]}\n{self.sha256}  {self.path}"
        )


def build(
    out: Path,
    target: Target | None = None,
    *,
    cache: Path = Path("build", "wheels"),
    limit_megabytes: float = LIMIT_MEGABYTES,
    progress: Progress = lambda *_: None,
) -> Bundle:
    """Write the functions' zip to `out`, whole or not at all.

    Args:
        out: path of the zip; its folder is made.
        target: Lambda's Python and architecture; by default 3.12 on x86_64.
        cache: where fetched wheels are kept between builds.
        limit_megabytes: what it may take unzipped.
        progress: called with (done, of, name) as libraries come in.

    Raises:
        InputError: a library cannot be had for the target, two of them hold different files of one
            name, or the whole is above the limit.
    """
    target = target or Target()
    fetched = wheels.closure(ROOTS, target, _pins(), cache, _WITHOUT, progress)
    entries = entries_of(fetched)
    unzipped = sum(len(data) for data in entries.values())
    if unzipped > limit_megabytes * _MEGABYTE:
        raise InputError(
            f"the functions' zip would be {unzipped / _MEGABYTE:.1f} MB unzipped, above the limit of "
            f"{limit_megabytes:g} MB; the largest: {_largest(entries)}"
        )
    _write(out, entries)
    whole = out.read_bytes()
    return Bundle(
        path=out,
        sha256=hashlib.sha256(whole).hexdigest(),
        content=content_of(entries),
        zipped=len(whole),
        unzipped=unzipped,
        wheels=tuple(wheel.path.name for wheel in fetched),
    )


def entries_of(fetched: Iterable[Wheel]) -> dict[str, bytes]:
    """Path and content of all that goes into the zip: our own files, and those of the wheels.

    Raises:
        InputError: two of them hold different files of one name.
    """
    entries = dict(own_files())
    for wheel in fetched:
        for path, data in leaving_out.files(wheel.path):
            if entries.setdefault(path, data) != data:
                raise InputError(f"{path} of {wheel.name} is another library's too, and differs")
    return entries


def content_of(entries: dict[str, bytes]) -> str:
    """Hash of names and contents, whatever compresses them."""
    content = hashlib.sha256()
    for name, data in sorted(entries.items()):
        content.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return content.hexdigest()


def own_files() -> Iterable[tuple[str, bytes]]:
    """Path and content of this package's files that functions need, resources among them."""
    package = Path(__file__).resolve().parents[1]
    for path in sorted(package.rglob("*")):
        parts = path.relative_to(package).parts
        if path.suffix in _OWN_SUFFIXES and path.is_file() and not _AT_HOME.intersection(parts):
            yield "/".join(("cashtag", *parts)), path.read_bytes()
    glue = resources.path("glue")
    for path in sorted(glue.rglob("*")):
        if path.suffix in _GLUE_SUFFIXES and path.is_file():
            yield f"cashtag/glue/{path.relative_to(glue).as_posix()}", path.read_bytes()
    yield "cashtag/LICENSE", resources.path("LICENSE").read_bytes()


def layers(folder: Path, target: Target | None = None, cache: Path | None = None) -> Path:
    """Lay out what the two layers hold as below `/opt`; return the folder for the import path.

    Args:
        folder: stands for `/opt`; what is laid out there already, whole, is left as it is.
        target: by default this interpreter.
        cache: where fetched wheels are kept.

    Raises:
        InputError: a library cannot be had.
    """
    wanted = tuple(root for roots in LAYERS.values() for root in roots)
    return _laid_out(wanted, folder / "python", target, cache, without=("boto3", "botocore"))


def runtime(folder: Path, target: Target | None = None, cache: Path | None = None) -> Path:
    """Lay out what Lambda's runtime brings (`/var/runtime`); return the folder.

    Raises:
        InputError: a library cannot be had.
    """
    return _laid_out(RUNTIME, folder, target, cache)


def _laid_out(
    roots: Sequence[str],
    at: Path,
    target: Target | None,
    cache: Path | None,
    without: Sequence[str] = (),
) -> Path:
    target = target or wheels.here()
    kept = cache or Path("build", "wheels")
    fetched = wheels.closure(roots, target, _pins(), kept, without)
    mark = f".{_named(fetched)}"
    if (at / mark).exists():
        return at
    at.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=at.parent, prefix=f".{at.name}-") as work:
        new = Path(work, "new")
        for wheel in fetched:
            for name, data in leaving_out.files(wheel.path, whole=True):
                path = new / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        (new / mark).touch()
        try:
            if at.exists():
                at.rename(Path(work, "old"))  # of other versions
            new.rename(at)
        except OSError:
            if not (at / mark).exists():  # else another process laid out the same meanwhile
                raise
    return at


def _named(fetched: Sequence[Wheel]) -> str:
    names = "\n".join(wheel.path.name for wheel in fetched)
    return f"complete-{hashlib.sha256(names.encode()).hexdigest()[:12]}"


def _pins() -> dict[str, str]:
    return wheels.pins(resources.path("constraints.txt"))


def _largest(entries: dict[str, bytes]) -> str:
    sizes: dict[str, int] = {}
    for path, data in entries.items():
        folder = path.partition("/")[0]
        sizes[folder] = sizes.get(folder, 0) + len(data)
    first = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:5]
    return ", ".join(f"{name} {size / _MEGABYTE:.1f} MB" for name, size in first)


def _write(out: Path, entries: dict[str, bytes]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}-")
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, data in sorted(entries.items()):
                info = zipfile.ZipInfo(name, _TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.create_system = _UNIX
                info.external_attr = _MODE << 16
                archive.writestr(info, data, compresslevel=_LEVEL)
        Path(part).chmod(0o644)
        Path(part).replace(out)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the zip; print where it is, its sizes and its hash."""
    parser = argparse.ArgumentParser(prog="python -m cashtag.operate.bundle", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build", "function.zip"))
    parser.add_argument("--python", default=Target.python, help="Lambda's, as 3.12")
    parser.add_argument("--arch", default=Target.architecture, choices=wheels.ARCHITECTURES)
    parser.add_argument("--cache", type=Path, default=Path("build", "wheels"))
    given = parser.parse_args(arguments)
    try:
        made = build(given.out, Target(given.python, given.arch), cache=given.cache)
    except InputError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(made.told())


if __name__ == "__main__":
    main()
