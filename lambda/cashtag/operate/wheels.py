"""Wheels for another machine: what a list of packages needs on Lambda's Python, fetched by pip.

The machine that builds may be anything: pip is asked for wheels of the target's platform, and
markers are read as the target would read them. Every version is the one of `constraints.txt`, so
nothing is solved: names are followed from wheel to wheel until no new one turns up.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

from cashtag.errors import InputError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Progress = Callable[[int, int, str], None]

ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}  # Lambda's name: the wheels' name
# Newest glibc of a runtime: Amazon Linux 2023 has 2.34, Amazon Linux 2 has 2.26
# (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html).
_GLIBC_2023, _GLIBC_2, _OLDEST_GLIBC = 34, 26, 17
_FIRST_ON_2023 = 12  # Python 3.12
# Plain Python of which some versions are published as sources only. Others are never built here:
# a compiled library would be this machine's, and take its time.
_PLAIN = frozenset({"feedparser-sgmllib", "multitasking", "peewee", "sgmllib3k", "vadersentiment"})
_NEWEST = 99  # the runtimes' Python is kept at its newest patch; some libraries want a late one
_ANYWHERE = re.compile(r"-none-any\.whl$")


@dataclass(frozen=True)
class Target:
    """Where the functions run: a Python such as 3.12, and Lambda's name of the architecture.

    `glibc` is the minor version of its C library; None: that of the runtime of that Python.
    """

    python: str = "3.12"
    architecture: str = "x86_64"
    glibc: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no target."""
        if not re.fullmatch(r"3\.\d{1,2}", self.python):
            raise InputError(f"--python {self.python!r} is no Python of Lambda; write it as 3.12")
        if self.architecture not in ARCHITECTURES:
            raise InputError(f"--arch {self.architecture!r} is none of: {', '.join(ARCHITECTURES)}")

    @property
    def name(self) -> str:
        """As a folder is called: `cp312-x86_64`."""
        name = f"cp{self.python.replace('.', '')}-{self.architecture}"
        return name if self.glibc is None else f"{name}-glibc{self.glibc}"

    def platforms(self) -> tuple[str, ...]:
        """Platform tags of wheels that run there, the best first."""
        machine = ARCHITECTURES[self.architecture]
        minor = int(self.python.partition(".")[2])
        newest = self.glibc or (_GLIBC_2023 if minor >= _FIRST_ON_2023 else _GLIBC_2)
        tags = [f"manylinux_2_{glibc}_{machine}" for glibc in range(newest, _OLDEST_GLIBC - 1, -1)]
        return (*tags, f"manylinux2014_{machine}")

    def markers(self) -> dict[str, str]:
        """The environment of PEP 508 markers there."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.{_NEWEST}",
            "os_name": "posix",
            "platform_machine": ARCHITECTURES[self.architecture],
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.{_NEWEST}",
            "python_version": self.python,
            "sys_platform": "linux",
        }


def here() -> Target:
    """The Linux machine and interpreter that run this, as a target: to run a bundle right here.

    Raises:
        InputError: this is no Linux with glibc, or of another architecture than Lambda's.
    """
    import platform

    library, version = platform.libc_ver()
    if library != "glibc":
        raise InputError(f"{platform.system()} runs no bundle: it needs a Linux with glibc")
    names = {theirs: ours for ours, theirs in ARCHITECTURES.items()}
    machine = platform.machine()
    return Target(
        f"3.{sys.version_info.minor}", names.get(machine, machine), int(version.split(".")[1])
    )


@dataclass(frozen=True, slots=True)
class Wheel:
    """One fetched wheel; `name` is normalised, `requires` are its Requires-Dist as written."""

    name: str
    version: str
    path: Path
    requires: tuple[str, ...]


def pins(constraints: Path) -> dict[str, str]:
    """Read `constraints.txt`: normalised name to version.

    Raises:
        InputError: a line is no pin.
    """
    found = {}
    for number, line in enumerate(constraints.read_text(encoding="utf-8").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        name, equals, version = text.partition("==")
        if not equals or not version:
            raise InputError(
                f"{constraints}, line {number}: {text!r} pins nothing; write name==1.2"
            )
        found[normalised(name)] = version.strip()
    return found


def normalised(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def closure(
    roots: Sequence[str],
    target: Target,
    known: dict[str, str],
    cache: Path,
    without: Iterable[str] = (),
    progress: Progress = lambda *_: None,
) -> tuple[Wheel, ...]:
    """Fetch `roots` and all they need on `target`; return the wheels, sorted by name.

    Args:
        roots: requirements such as `httpx` or `httpx[http2]`.
        target: what the wheels must run on.
        known: versions, by normalised name.
        cache: folder in which wheels are kept between builds; may be shared by several at once.
        without: names that are there already, and whose own needs are not followed.
        progress: called with (done, of, name).

    Raises:
        InputError: a version is not pinned, a wheel cannot be had, or pip is missing.
    """
    from packaging.requirements import Requirement

    left_out = {normalised(name) for name in without}
    found: dict[str, Wheel] = {}
    followed: set[tuple[str, str]] = set()
    wanted = [Requirement(text) for text in roots]
    while wanted:
        names = sorted({normalised(one.name) for one in wanted} - left_out - found.keys())
        for wheel in _fetched(names, target, known, cache):
            found[wheel.name] = wheel
            progress(len(found), len(found) + len(wanted), wheel.name)
        step, wanted = wanted, []
        for one in step:
            if normalised(one.name) in found:
                wanted += _needs(found[normalised(one.name)], one, target, followed)
        wanted = [one for one in wanted if normalised(one.name) not in left_out]
    return tuple(found[name] for name in sorted(found))


def _needs(
    wheel: Wheel, asked: Requirement, target: Target, followed: set[tuple[str, str]]
) -> list[Requirement]:
    """What a wheel requires with the extras it is asked for, each (wheel, extra) once."""
    from packaging.requirements import Requirement

    needs = []
    for extra in ("", *sorted(asked.extras)):
        if (wheel.name, extra) in followed:
            continue
        followed.add((wheel.name, extra))
        environment = target.markers() | {"extra": extra}
        for text in wheel.requires:
            requirement = Requirement(text)
            if requirement.marker is None:
                fits = not extra
            else:
                # Without the extra it would be needed anyway: then it is counted under "".
                plain = requirement.marker.evaluate(target.markers() | {"extra": ""})
                fits = plain if not extra else requirement.marker.evaluate(environment)
            if fits:
                needs.append(requirement)
    return needs


def _fetched(
    names: Sequence[str], target: Target, known: dict[str, str], cache: Path
) -> list[Wheel]:
    folder = cache / target.name
    for name in names:
        if name not in known:
            raise InputError(
                f"package {name} is needed by the functions and not pinned: add {name}==VERSION to "
                "constraints.txt"
            )
    missing = [name for name in names if _kept(folder, name, known[name]) is None]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as work:
            _download([f"{name}=={known[name]}" for name in missing], target, Path(work))
            for path in Path(work).glob("*.whl"):
                path.replace(folder / path.name)  # whoever else fetched it has the same
    wheels = []
    for name in names:
        kept = _kept(folder, name, known[name])
        if kept is None:
            raise InputError(f"pip brought no wheel of {name}=={known[name]} for {target.name}")
        wheels.append(_read(name, known[name], kept))
    return wheels


def _kept(folder: Path, name: str, version: str) -> Path | None:
    """The wheel of a name and version in the cache; of several the first by name."""
    if not folder.is_dir():
        return None
    for path in sorted(folder.glob("*.whl")):
        parts = path.name.split("-")
        if normalised(parts[0]) == name and parts[1] == version:
            return path
    return None


def _read(name: str, version: str, path: Path) -> Wheel:
    with zipfile.ZipFile(path) as archive:
        inside = next(
            entry
            for entry in archive.namelist()
            if entry.endswith(".dist-info/METADATA") and entry.count("/") == 1
        )
        headers = HeaderParser().parsestr(archive.read(inside).decode("utf-8", "replace"))
    return Wheel(name, version, path, tuple(headers.get_all("Requires-Dist") or ()))


# ---------------------------------------------------------------- pip


def _download(pinned: Sequence[str], target: Target, into: Path) -> None:
    """Bring wheels of the target's platform; one of plain Python without any is built."""
    done = _pip(["download", *_for(target), "--dest", str(into), *pinned])
    if done.returncode == 0:
        return
    for one in pinned:  # one by one, to know which of them it is
        if _pip(["download", *_for(target), "--dest", str(into), one]).returncode == 0:
            continue
        if _built(one, into) is None:
            raise InputError(
                f"{one} has no wheel for Python {target.python} on Linux {target.architecture} that "
                "pip finds: check the package index, or pin another version in constraints.txt. "
                f"pip says: {_last_words(done.stderr)}"
            )


def _for(target: Target) -> list[str]:
    platforms = [word for tag in target.platforms() for word in ("--platform", tag)]
    return [
        "--only-binary=:all:",
        *platforms,
        "--python-version",
        f"{target.python}.{_NEWEST}",
        "--implementation",
        "cp",
    ]


def _built(pinned: str, into: Path) -> Path | None:
    """Make a wheel of a package of plain Python that publishes only its source."""
    name = pinned.partition("==")[0]
    if name not in _PLAIN:
        return None
    with tempfile.TemporaryDirectory(dir=into) as work:
        _pip(["wheel", "--no-binary", name, "--wheel-dir", work, pinned])
        for path in Path(work).glob("*.whl"):
            if _ANYWHERE.search(path.name):
                return path.replace(into / path.name)
    return None


def _pip(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", arguments[0], "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check", *arguments[1:]]
    # Stamps inside a wheel that is built here: the oldest that a zip can hold.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "315532800"}
    done = subprocess.run(  # noqa: S603  our own interpreter's pip
        command, capture_output=True, text=True, check=False, env=environment
    )
    if "No module named pip" in done.stderr:
        raise InputError(
            f"the Python of this environment ({sys.executable}) has no pip, which brings the "
            "functions' libraries: python -m ensurepip"
        )
    return done


def _last_words(text: str) -> str:
    from cashtag.redaction import redacted

    lines = [line.strip() for line in text.splitlines() if line.startswith("ERROR")]
    # An index may be addressed with a password in it.
    return redacted(re.sub(r"//[^/@\s]+@", "//", lines[-1] if lines else "nothing"))
