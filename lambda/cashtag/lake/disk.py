"""A zone of the lake as a folder: whole objects or none, whatever happens while they are written.

An object is written to `<root>/.tmp` and then given its name: `os.replace` for `put`, `os.link`
for `put_if_absent`, which fails where the name is taken. A process that dies in between leaves
the old object and a temporary file that nobody lists.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from cashtag.errors import KeyMissing, StoreError
from cashtag.lake.keys import TEMPORARY, check_key, check_prefix, is_key
from cashtag.ports import ObjectInfo, Versions

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
    errno.EEXIST: "a file is where a folder is needed: choose another folder",
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
        self._temporary = self.root / TEMPORARY
        self._sweep()

    def __repr__(self) -> str:
        return f"FolderStore({str(self.root)!r})"

    def get(self, key: str) -> bytes:
        """Return the object's bytes.

        Raises:
            KeyMissing: no such object.
            StoreError: the key is none, or the file cannot be read.
        """
        try:
            return self._path(key).read_bytes()
        except _ABSENT:
            raise KeyMissing(f"no object {key!r} in {self.root}") from None
        except OSError as error:
            raise self._refused("read", key, error) from error

    def put(self, key: str, data: bytes) -> None:
        """Create the object, or replace it atomically.

        Raises:
            StoreError: the key is none or lies below another object, or the folder cannot be
                written; the old object is still whole, and nothing else is left.
        """
        path = self._path(key)

        def name(temporary: Path) -> bool:
            temporary.replace(path)
            return True

        self._write(key, path, data, name)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the object unless one is there. Of many writers exactly one gets True.

        Raises:
            StoreError: as `put` does.
        """
        path = self._path(key)
        if self.exists(key):  # saves the write, decides nothing
            return False

        def name(temporary: Path) -> bool:
            try:
                os.link(temporary, path)
            except FileExistsError:
                if _is_folder(path):
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
            return stat.S_ISREG(self._path(key).stat().st_mode)
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
            path.unlink()
            if self.durable:
                self._sync_folder(path.parent)
        except _ABSENT:
            return
        except OSError as error:
            if _is_folder(path):  # macOS says EPERM for a folder
                return
            raise self._refused("delete", key, error) from error
        # An empty folder would keep its name from ever being an object, unlike in a bucket.
        with suppress(OSError):
            for folder in self._folders(key):
                folder.rmdir()

    def versions(self, prefix: str = "") -> Iterator[Versions]:
        """Yield the objects whose key starts with `prefix`; a folder has one version of each."""
        return (Versions(info.key, 1, current=True) for info in self.list(prefix))

    def purge(self, key: str, *, keep_current: bool = False) -> int:
        """Remove the object, whose only version it is; return how many were removed.

        Raises:
            StoreError: as `delete` does.
        """
        if keep_current or not self.exists(key):
            return 0
        self.delete(key)
        return 1

    def uri(self, key: str = "") -> str:
        """Return the absolute path of an object, of a prefix, or of the root."""
        return f"{self.root}/{check_prefix(key)}" if key else str(self.root)

    # ------------------------------------------------------------ inside

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _folders(self, key: str) -> tuple[Path, ...]:
        """Return the folders between an object and the root, the nearest first."""
        return tuple((self.root / key).parents)[: key.count("/")]

    def _walk(self, folder: str, start: str) -> Iterator[ObjectInfo]:
        try:
            with os.scandir(self.root / folder) as entries:
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
            elif (size := self._size(key, entry)) is not None:
                yield ObjectInfo(key, size)

    def _size(self, key: str, entry: os.DirEntry[str]) -> int | None:
        try:
            return entry.stat().st_size if entry.is_file() else None
        except FileNotFoundError:
            return None  # deleted since
        except OSError as error:
            raise self._refused("list", key, error) from error

    def _write(self, key: str, path: Path, data: bytes, name: Callable[[Path], bool]) -> bool:
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
                        with suppress(FileNotFoundError, FileExistsError):  # pruned meanwhile
                            self._make(path.parent)
                if self.durable:
                    with suppress(FileNotFoundError):  # deleted since
                        self._sync_folder(path.parent)
                return done
            finally:
                temporary.unlink(missing_ok=True)
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise self._clash(key, path, error) from error
        except OSError as error:
            raise self._refused("write", key, error) from error

    def _write_temporary(self, data: bytes) -> Path:
        while True:
            # Not mkstemp: its files are the owner's alone, and a zone is read by others.
            temporary = self._temporary / f"{os.getpid()}-{secrets.token_hex(8)}"
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
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    def _rename_if_absent(self, temporary: Path, path: Path) -> bool:
        """Create-only where the file system has no hard links: one writer at a time looks."""
        import fcntl

        with (self._temporary / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the system lets go of it when a process dies
            if _is_folder(path):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if path.exists():
                return False
            temporary.replace(path)
            return True

    def _make(self, folder: Path) -> None:
        if not self.durable:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            self._make(folder.parent)
            with suppress(FileExistsError):
                folder.mkdir()
            self._sync_folder(folder.parent)

    def _sync_folder(self, folder: Path) -> None:
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
                            Path(entry.path).unlink()
        except OSError:
            return  # not there yet, or not ours to clean: a write will say what is wrong

    def _clash(self, key: str, path: Path, error: OSError) -> StoreError:
        for folder in self._folders(key):
            if folder.is_file():
                above = folder.relative_to(self.root).as_posix()
                return StoreError(
                    f"cannot write {key!r} in {self.root}: {above!r} is an object, and a folder "
                    "holds no object below another; choose a key that does not begin with it"
                )
        if _is_folder(path):
            return StoreError(
                f"cannot write {key!r} in {self.root}: it is a folder of other objects, and a "
                "folder holds no object above another; choose another key"
            )
        return self._refused("write", key, error)

    def _refused(self, verb: str, key: str, error: OSError) -> StoreError:
        remedy = _REMEDIES.get(error.errno or 0, f"{error.strerror or error}: check the folder")
        return StoreError(f"cannot {verb} {key!r} in {self.root}: {remedy}")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
