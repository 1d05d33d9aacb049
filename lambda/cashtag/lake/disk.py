"""A zone of the lake as a folder: whole objects or none, whatever happens while they are written.

An object is written to `<root>/.tmp` and then given its name: `os.replace` for `put`, `os.link`
for `put_if_absent`, which fails where the name is taken. A process that dies in between leaves
the old object and a temporary file that nobody lists.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from cashtag.errors import KeyMissing, StoreError
from cashtag.lake.keys import TEMPORARY, check_key, check_prefix, is_key
from cashtag.ports import ObjectInfo

_STALE_AFTER = 24 * 3600  # seconds; no write takes a day, so an older one has died
_LOCK = "lock"
_ATTEMPTS = 20  # how often a folder may be pruned by a delete while we write into it
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_REMEDIES = {
    errno.ENOSPC: "the disk is full: free space, then run again",
    errno.EDQUOT: "the disk quota is used up: free space, then run again",
    errno.EFBIG: "the file is larger than allowed: raise the limit, then run again",
    errno.EACCES: "permission denied: give this user the right, or choose another folder",
    errno.EPERM: "not permitted: give this user the right, or choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EXDEV: "its .tmp lies on another file system: keep a zone on one",
    errno.ENAMETOOLONG: "the path is too long: choose a folder nearer to the root",
    errno.ENOTDIR: "a file is where a folder is needed: choose another folder",
    errno.EMFILE: "too many open files: raise the limit, then run again",
    errno.EIO: "the disk does not answer: check it, then run again",
}


class FolderStore:
    """Objects of one zone as files below `root`, which the first write creates.

    Args:
        root: the zone's folder.
        durable: survive a power cut: every write waits until the disk holds it.
    """

    def __init__(self, root: str | os.PathLike[str], durable: bool = False) -> None:
        self.root = Path(root).expanduser().absolute()
        self.durable = durable
        self._base = os.fspath(self.root)
        self._temporary = os.path.join(self._base, TEMPORARY)  # noqa: PTH118  a hot path
        self._sweep()

    def __repr__(self) -> str:
        return f"FolderStore({self._base!r})"

    def get(self, key: str) -> bytes:
        """Return the object's bytes.

        Raises:
            KeyMissing: no such object.
            StoreError: the key is none, or the file cannot be read.
        """
        try:
            with open(self._path(key), "rb") as file:  # noqa: PTH123  a hot path
                return file.read()
        except _ABSENT:
            raise KeyMissing(f"no object {key!r} in {self._base}") from None
        except OSError as error:
            raise self._refused("read", key, error) from error

    def put(self, key: str, data: bytes) -> None:
        """Create the object, or replace it atomically.

        Raises:
            StoreError: the key is none or lies below another object, or the folder cannot be
                written; the old object is still whole, and nothing else is left.
        """
        path = self._path(key)

        def name(temporary: str) -> bool:
            os.replace(temporary, path)  # noqa: PTH105
            return True

        self._write(key, path, data, name)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the object unless one is there. Of many writers exactly one gets True.

        Raises:
            StoreError: as `put` does.
        """
        path = self._path(key)
        if os.path.isfile(path):  # noqa: PTH113  saves the write, decides nothing
            return False

        def name(temporary: str) -> bool:
            try:
                os.link(temporary, path)
            except FileExistsError:
                if os.path.isdir(path):  # noqa: PTH112
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return self._rename_if_absent(temporary, path)
            return True

        return self._write(key, path, data, name)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield objects whose key starts with `prefix`, in the order of their keys' UTF-8 bytes.

        Reads only the folders that the prefix names: `tweets/dt=2026-01-05/` costs the same
        after ten years. Files that cannot be keys, such as `.tmp`, are passed over.

        Raises:
            StoreError: no key can begin so, or a folder cannot be read.
        """
        folder, _, start = check_prefix(prefix).rpartition("/")
        return self._walk(folder + "/" if folder else "", start)

    def exists(self, key: str) -> bool:
        """Say whether the object is there.

        Raises:
            StoreError: the key is none, or its folder cannot be read.
        """
        try:
            return (os.stat(self._path(key)).st_mode & 0o170000) == 0o100000  # noqa: PTH116
        except _ABSENT:
            return False
        except OSError as error:
            raise self._refused("read", key, error) from error

    def delete(self, key: str) -> None:
        """Remove the object, and the folders that it leaves empty; absence is no error.

        Raises:
            StoreError: the key is none, or the folder cannot be written.
        """
        path = self._path(key)
        try:
            os.unlink(path)  # noqa: PTH108
            if self.durable:
                self._sync_folder(os.path.dirname(path))  # noqa: PTH120
        except _ABSENT:
            return
        except OSError as error:
            if os.path.isdir(path):  # noqa: PTH112  macOS says EPERM for a folder
                return
            raise self._refused("delete", key, error) from error
        # An empty folder would keep its name from ever being an object, unlike in a bucket.
        with suppress(OSError):
            for depth in range(key.count("/"), 0, -1):
                os.rmdir(self._path("/".join(key.split("/")[:depth])))  # noqa: PTH106

    def uri(self, key: str = "") -> str:
        """Return the absolute path of an object, of a prefix, or of the root."""
        return f"{self._base}/{check_prefix(key)}" if key else self._base

    # ------------------------------------------------------------ inside

    def _path(self, key: str) -> str:
        return f"{self._base}/{check_key(key)}"

    def _walk(self, folder: str, start: str) -> Iterator[ObjectInfo]:
        try:
            with os.scandir(f"{self._base}/{folder}") as entries:
                found = sorted(
                    (os.fsencode(e.name + "/" if e.is_dir() else e.name), e)
                    for e in entries
                    if e.name.startswith(start)
                )
        except _ABSENT:
            return
        except OSError as error:
            raise self._refused("list", folder, error) from error
        # A folder sorts with its slash: 'a-b' comes before 'a/b', because '-' is before '/'.
        for name, entry in found:
            key = folder + entry.name
            if not is_key(key):
                continue
            if name.endswith(b"/"):
                yield from self._walk(key + "/", "")
                continue
            with suppress(FileNotFoundError):  # deleted since
                if entry.is_file():
                    yield ObjectInfo(key, entry.stat().st_size)

    def _write(self, key: str, path: str, data: bytes, name: Callable[[str], bool]) -> bool:
        parent = os.path.dirname(path)  # noqa: PTH120
        try:
            temporary = self._write_temporary(data)
            try:
                for attempt in range(_ATTEMPTS):
                    try:
                        done = name(temporary)
                        break
                    except FileNotFoundError:
                        # Most writes find their folder; a delete may prune it at any moment.
                        if attempt == _ATTEMPTS - 1:
                            raise
                        self._make(parent)
                if self.durable:
                    self._sync_folder(parent)
                return done
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)  # noqa: PTH108
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise self._clash(key, path, error) from error
        except OSError as error:
            raise self._refused("write", key, error) from error

    def _write_temporary(self, data: bytes) -> str:
        while True:
            # Not mkstemp: its files are the owner's alone, and a zone is read by others.
            temporary = f"{self._temporary}/{os.getpid()}-{secrets.token_hex(8)}"
            try:
                handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
                break
            except FileNotFoundError:
                self._make(self._temporary)
            except FileExistsError:
                continue
        try:
            with os.fdopen(handle, "wb", buffering=0) as file:
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
                if self.durable:
                    os.fsync(handle)
        except BaseException:
            os.unlink(temporary)  # noqa: PTH108
            raise
        return temporary

    def _rename_if_absent(self, temporary: str, path: str) -> bool:
        """Create-only where the file system has no hard links: one writer at a time looks."""
        import fcntl

        with open(f"{self._temporary}/{_LOCK}", "a") as lock:  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX)  # the system lets go of it when a process dies
            if os.path.isdir(path):  # noqa: PTH112
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if os.path.lexists(path):
                return False
            os.replace(temporary, path)  # noqa: PTH105
            return True

    def _make(self, folder: str) -> None:
        if not self.durable:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
            return
        if not os.path.isdir(folder):  # noqa: PTH112
            above = os.path.dirname(folder)  # noqa: PTH120
            self._make(above)
            with suppress(FileExistsError):
                os.mkdir(folder)  # noqa: PTH102
            self._sync_folder(above)

    def _sync_folder(self, folder: str) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _sweep(self) -> None:
        try:
            with os.scandir(self._temporary) as entries:
                for entry in entries:
                    with suppress(OSError):
                        age = time.time() - entry.stat(follow_symlinks=False).st_mtime
                        if age > _STALE_AFTER and entry.name != _LOCK:
                            os.unlink(entry.path)  # noqa: PTH108
        except OSError:
            return  # not there yet, or not ours to clean: a write will say what is wrong

    def _clash(self, key: str, path: str, error: OSError) -> StoreError:
        for depth in range(1, key.count("/") + 1):
            above = "/".join(key.split("/")[:depth])
            if os.path.isfile(f"{self._base}/{above}"):  # noqa: PTH113
                return StoreError(
                    f"cannot write {key!r} in {self._base}: {above!r} is an object, and a folder "
                    "holds no object below another; choose a key that does not begin with it"
                )
        if os.path.isdir(path):  # noqa: PTH112
            return StoreError(
                f"cannot write {key!r} in {self._base}: objects lie below it, and a folder holds "
                "no object above another; choose another key"
            )
        return self._refused("write", key, error)

    def _refused(self, verb: str, key: str, error: OSError) -> StoreError:
        remedy = _REMEDIES.get(error.errno or 0, f"{error.strerror or error}: check the folder")
        return StoreError(f"cannot {verb} {key!r} in {self._base}: {remedy}")
