"""`cashtag model use`: a packaged model is checked, kept beside the lake, and named in the settings.

An archive is somebody else's: of it only plain files are taken, below a folder of their own, up to
`models.roberta.unpacked_bytes`. What is named in `cashtag.toml` has been checked before.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cashtag.errors import InputError, SettingsError
from cashtag.sentiment import packaged
from cashtag.settings import Settings, load_with_origin
from cashtag.settings.loading import FILE

MODELS = "models"
_CHOICE = {"models.roberta.folder": "", "enrich.model": "roberta"}
_STEP = 1 << 20  # bytes copied at a time


@dataclass(frozen=True)
class Used:
    """What was done: the model, where it lies, which file names it, and what stands against it."""

    package: packaged.Package
    file: Path
    unpacked: bool
    overruled: tuple[str, ...]
    """Settings that the environment sets otherwise, so that the file's do not count."""


def use(settings: Settings, path: Path, environ: Mapping[str, str]) -> Used:
    """Make a packaged folder, or a model.tar.gz, the model of this working directory.

    A folder stays where it is; an archive is unpacked to `models/VERSION` beside the lake.

    Raises:
        InputError: there is nothing at `path`, or the archive holds what no package does.
        SettingsError: the package is damaged, or the settings' file cannot be written.
    """
    path = path.expanduser().absolute()
    if path.is_dir():
        package, unpacked = packaged.read(path), False
    elif path.is_file():
        beside = Path(settings.lake).expanduser().absolute().parent / MODELS
        package = unpack(path, beside, settings.models.roberta.unpacked_bytes)
        unpacked = True
    else:
        raise InputError(f"{path} is not there; give a packaged folder or its model.tar.gz")
    file = Path(environ.get("CASHTAG_CONFIG") or FILE).absolute()
    wanted = {**_CHOICE, "models.roberta.folder": str(package.folder)}
    write_settings(file, wanted, environ)
    loaded = load_with_origin(file, environ)
    overruled = tuple(key for key in wanted if loaded.origin.get(key) == "environment")
    return Used(package, file, unpacked, overruled)


def unpack(archive: Path, models: Path, most_bytes: int) -> packaged.Package:
    """Unpack and check a model.tar.gz; return the package at `models/VERSION`.

    Raises:
        InputError: no tar, or one with links, devices, paths that lead out, or too many bytes.
        SettingsError: what it holds is no package, or a damaged one.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=models))
    except OSError as error:
        raise InputError(f"{models} cannot be written: {error.strerror}") from error
    try:
        _extract(archive, scratch, most_bytes)
        package = packaged.read(scratch)
        target = models / package.version
        if not _is_there(target, package):
            if target.exists():
                shutil.rmtree(target)
            scratch.chmod(0o755)
            scratch.rename(target)
        return packaged.read(target)
    except OSError as error:
        raise InputError(f"{archive} cannot be unpacked to {models}: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_there(folder: Path, package: packaged.Package) -> bool:
    """Whether a folder holds this package: other code may go by the same version."""
    if not folder.exists():
        return False
    try:
        return packaged.read(folder).manifest == package.manifest
    except SettingsError:
        return False  # an earlier one, damaged since: it is unpacked again


def _extract(archive: Path, folder: Path, most_bytes: int) -> None:
    left = most_bytes
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                if member.isdir():
                    continue
                target = folder / _inside(archive, member)
                target.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None  # a regular file
                with source, target.open("xb") as file:
                    while data := source.read(_STEP):
                        left -= len(data)
                        if left < 0:
                            raise InputError(
                                f"{archive} unpacks to more than {most_bytes} bytes "
                                "(models.roberta.unpacked_bytes)"
                            )
                        file.write(data)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise InputError(
            f"{archive} is no whole tar archive ({error}); give the model.tar.gz of "
            "sagemaker/package_model.py"
        ) from error


def _inside(archive: Path, member: tarfile.TarInfo) -> PurePosixPath:
    """The place of a member below the folder."""
    name = PurePosixPath(member.name)
    good = (
        member.isreg()
        and name.parts
        and not name.is_absolute()
        and ".." not in name.parts
        and not any(c in member.name for c in "\\\0:")
    )
    if not good:
        raise InputError(
            f"{archive} holds {member.name[:80]!r}, which is no plain file within it; a packaged "
            "model holds nothing else, so this archive is not used"
        )
    return name


def with_settings(before: str, wanted: Mapping[str, Any], place: str) -> str:
    """Return the TOML text with these dotted keys set, and all else kept: keys, comments, order.

    Raises:
        SettingsError: the text, which is kept at `place`, is no TOML to add to.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(before)
        for dotted, value in wanted.items():
            *parents, last = dotted.split(".")
            level = document
            for part in parents:
                if part not in level:
                    level[part] = tomlkit.table(is_super_table=part != parents[-1])
                level = level[part]
            level[last] = value
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, AttributeError) as error:
        raise SettingsError(f"{place} is no TOML to add to: {error}") from error


def write_settings(file: Path, wanted: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Set dotted keys in a TOML file and keep all else: other keys, comments, order.

    Raises:
        SettingsError: the file is no TOML, cannot be written, or would not load with them.
    """
    try:
        before = file.read_bytes().decode() if file.exists() else ""
    except UnicodeDecodeError as error:
        raise SettingsError(f"settings file {file} is no TOML to add to: {error}") from error
    except OSError as error:
        raise SettingsError(f"settings file {file} cannot be read: {error.strerror}") from error
    text = with_settings(before, wanted, f"settings file {file}")
    if text == before:
        return
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        scratch = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(text.encode())
            load_with_origin(scratch, environ)  # a file that would not load is never put in place
            scratch.chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
            scratch.replace(file)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"settings file {file} cannot be written: {error.strerror}") from error
