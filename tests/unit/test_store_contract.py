"""What every zone promises, asked of a folder and of S3 (moto's server over HTTP on loopback)."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from cashtag.errors import KeyMissing, StoreError
from cashtag.lake import disk, s3
from cashtag.lake.disk import FolderStore
from cashtag.lake.s3 import S3Store
from cashtag.ports import ObjectInfo, Store, Versions

SECRET = "wJalrXUtnFEMI-not-a-real-key"  # noqa: S105  shown by no error


class Wire:
    """S3 as a client meets it: one request at a time, pages of any size, answers that fail.

    S3 decides conditional writes atomically. The fake looks first and writes afterwards, so
    requests pass one by one.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.lock = threading.Lock()
        self.page_size: int | None = None
        self.answers: list[tuple[str, str]] = []  # (status, code) instead of the next answers
        self.reaches_s3 = False  # whether a request with a failing answer is carried out
        self.requests: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        self.requests.append(environ["REQUEST_METHOD"])
        if self.page_size and "list-type=2" in environ["QUERY_STRING"]:
            environ["QUERY_STRING"] += f"&max-keys={self.page_size}"
        with self.lock:
            if not self.answers:
                return list(self.app(environ, start))
            status, code = self.answers.pop(0)
            if self.reaches_s3:
                list(self.app(environ, lambda *_: None))
            else:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start(status, [("Content-Type", "application/xml"), ("Connection", "close")])
        return [f"<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()]


class Bucket:
    """A running server and clients of it."""

    def __init__(self) -> None:
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.server.start()
        running: Any = self.server._server
        self.wire = running.app = Wire(running.app)
        host, port = self.server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.names = count()

    @cache  # noqa: B019  one server a run; making a client takes longer than most tests
    def client(self, url: str | None = None, attempts: int = 1) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=url or self.url,
            region_name="us-east-1",
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key=SECRET,
            config=Config(
                proxies={},
                max_pool_connections=12,
                connect_timeout=2,
                s3={"addressing_style": "path"},
                retries={"mode": "standard", "total_max_attempts": attempts},
            ),
        )

    def fresh(self) -> str:
        """Make an empty bucket, and forget what the last test did to the wire."""
        self.wire.page_size, self.wire.answers, self.wire.reaches_s3 = None, [], False
        name = f"zone-{next(self.names)}"
        self.client().create_bucket(Bucket=name)
        self.wire.requests.clear()
        return name


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    running = Bucket()
    yield running
    running.server.stop()


@pytest.fixture(params=["folder", "s3", "s3 below a prefix"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderStore(tmp_path / "zone")
    running: Bucket = request.getfixturevalue("bucket")
    prefix = "lake/raw" if "prefix" in request.param else ""
    return S3Store(running.fresh(), prefix, running.client())


def keys(store: Store, prefix: str = "") -> list[str]:
    return [o.key for o in store.list(prefix)]


# ---------------------------------------------------------------- both stores


def test_what_was_put_is_read_back(store: Store) -> None:
    store.put("tweets/dt=2026-01-05/NVDA-1.jsonl.gz", b"\x00\xff\n")
    assert store.get("tweets/dt=2026-01-05/NVDA-1.jsonl.gz") == b"\x00\xff\n"


def test_an_empty_object_is_an_object(store: Store) -> None:
    store.put("a", b"")
    assert store.get("a") == b""
    assert store.exists("a")
    assert list(store.list()) == [ObjectInfo("a", 0)]


def test_put_replaces(store: Store) -> None:
    store.put("a/b", b"first, and longer")
    store.put("a/b", b"second")
    assert store.get("a/b") == b"second"
    assert list(store.list()) == [ObjectInfo("a/b", 6)]


def test_create_only_keeps_the_first(store: Store) -> None:
    assert store.put_if_absent("a/b", b"first") is True
    assert store.put_if_absent("a/b", b"second") is False
    assert store.get("a/b") == b"first"


def test_create_only_respects_what_was_put(store: Store) -> None:
    store.put("a", b"put")
    assert store.put_if_absent("a", b"created") is False
    assert store.get("a") == b"put"


def test_a_missing_object_is_named(store: Store) -> None:
    with pytest.raises(KeyMissing, match="no object 'dt=2026-01-05/none' in "):
        store.get("dt=2026-01-05/none")
    assert not store.exists("dt=2026-01-05/none")


def test_a_folder_of_objects_is_no_object(store: Store) -> None:
    store.put("a/b/c", b"1")
    with pytest.raises(KeyMissing):
        store.get("a/b")
    assert not store.exists("a/b")
    store.delete("a/b")
    assert keys(store) == ["a/b/c"]


def test_nothing_lies_below_an_object(store: Store) -> None:
    store.put("a", b"1")
    with pytest.raises(KeyMissing):
        store.get("a/b")
    assert not store.exists("a/b")
    store.delete("a/b")
    assert keys(store, "a/") == []
    assert keys(store, "a") == ["a"]


def test_delete_removes_and_may_be_repeated(store: Store) -> None:
    store.put("a/b", b"1")
    store.put("a/c", b"1")
    store.delete("a/b")
    store.delete("a/b")
    assert not store.exists("a/b")
    assert keys(store) == ["a/c"]
    assert store.put_if_absent("a/b", b"again") is True


def test_a_name_is_free_again_when_all_below_it_is_deleted(store: Store) -> None:
    store.put("a/b/c", b"1")
    store.delete("a/b/c")
    store.put("a", b"2")
    assert keys(store) == ["a"]


def test_an_empty_zone_lists_nothing(store: Store) -> None:
    assert keys(store) == []
    assert keys(store, "tweets/") == []


def test_the_list_is_ordered_by_the_bytes_of_the_keys(store: Store) -> None:
    # In bytes: '!' 21, '-' 2d, '.' 2e, '/' 2f, '0' 30, 'B' 42, 'a' 61, 'é' c3a9, '🚀' f09f9a80;
    # U+FF21 is efbca1, below the rocket, though UTF-16 would sort the rocket's d83d first.
    expected = ["B", "a!", "a-b", "a.b", "a/b", "a/b0", "a/é", "a0", "b/x", "é", "Ａ", "🚀"]
    for key in reversed(expected):
        store.put(key, b"1")
    assert keys(store) == expected


def test_a_prefix_need_not_end_at_a_slash(store: Store) -> None:
    for key in ("t/dt=2026-01-05/a", "t/dt=2026-01-06/a", "t/dt=2026-02-01/a", "tx/a", "u"):
        store.put(key, b"1")
    assert keys(store, "t/dt=2026-01-0") == ["t/dt=2026-01-05/a", "t/dt=2026-01-06/a"]
    assert keys(store, "t/dt=2026-01-05/") == ["t/dt=2026-01-05/a"]
    assert keys(store, "t/dt=2026-01-05/a") == ["t/dt=2026-01-05/a"]
    assert keys(store, "t") == [
        "t/dt=2026-01-05/a",
        "t/dt=2026-01-06/a",
        "t/dt=2026-02-01/a",
        "tx/a",
    ]
    assert keys(store, "t/dt=2027") == []
    assert keys(store, "none/at/all/") == []


def test_a_list_may_be_read_while_its_objects_are_deleted(store: Store) -> None:
    for number in range(5):
        store.put(f"a/{number}", b"1")
    for item in store.list("a/"):
        store.delete(item.key)
    assert keys(store) == []


UNUSUAL = [
    "with space/and  two.json",
    "a+b=c&d",
    "100%25%2F.txt",
    "what?who#where",
    'it\'s "quoted"`;$(rm)',
    "12:00:00Z",
    "back\\slash\\..\\x",
    "…/日本語/🚀.parquet",
    "e\u0301 is not \u00e9",
    ".hidden/..two/...",
    "-rf",
    "~/home",
    "*[?]{a,b}",
    "<a>|b",
    "x" * 255,
    "/".join(["y" * 199] * 5),
]


@pytest.mark.parametrize("key", UNUSUAL, ids=range(len(UNUSUAL)))
def test_unusual_keys_are_kept_as_they_are(store: Store, key: str) -> None:
    data = key.encode()
    assert store.put_if_absent(key, data) is True
    assert store.put_if_absent(key, b"") is False
    assert store.get(key) == data
    assert store.exists(key)
    assert list(store.list(key)) == [ObjectInfo(key, len(data))]
    assert list(store.list(key[:3])) == [ObjectInfo(key, len(data))]
    store.delete(key)
    assert keys(store) == []


REFUSED = {
    "": "is empty",
    "/a": "empty segment",
    "a/": "empty segment",
    "a//b": "empty segment",
    ".": "segment '.'",
    "a/./b": "segment '.'",
    "../a": "segment '..'",
    "a/..": "segment '..'",
    "a\x00b": "control character",
    "a\nb": "control character",
    "a\x85b": "control character",
    "a\ud83d": "surrogate",
    "k/" * 600 + "k": "has 1201 bytes",
    "é" * 128: "segment of 256 bytes",
    ".tmp/a": "kept for unfinished writes",
}


@pytest.mark.parametrize("key", REFUSED, ids=range(len(REFUSED)))
def test_a_key_that_a_store_could_not_hold_is_refused(store: Store, key: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.get(key),
        lambda: store.put(key, b""),
        lambda: store.put_if_absent(key, b""),
        lambda: store.exists(key),
        lambda: store.delete(key),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="key ") as caught:
            call()
        assert REFUSED[key] in str(caught.value)
        assert not isinstance(caught.value, KeyMissing)
    assert keys(store) == []


@pytest.mark.parametrize("prefix", ["/", "/a", "a//", "../", "a/../b", "a\n", ".tmp/"])
def test_a_prefix_of_no_key_is_refused(store: Store, prefix: str) -> None:
    with pytest.raises(StoreError, match="prefix "):
        list(store.list(prefix))


def test_a_reader_never_sees_half_an_object(store: Store) -> None:
    size = 2_000_000
    contents = {bytes([65 + n]) * (size + n) for n in range(8)}
    store.put("big", min(contents))
    finished = threading.Event()

    def replace() -> None:
        try:
            for _ in range(3):
                for data in sorted(contents):
                    store.put("big", data)
        finally:
            finished.set()

    writer = threading.Thread(target=replace)
    writer.start()
    reads = 0
    while not finished.is_set() or not reads:
        assert store.get("big") in contents
        assert [o.key for o in store.list()] == ["big"]
        reads += 1
    writer.join()


def test_of_ten_writers_one_wins_and_its_content_is_whole(store: Store, tmp_path: Path) -> None:
    contents = [f"{n}".encode() * 100_000 for n in range(10)]
    for attempt in range(3):
        key = f"events/dt=2026-01-05/{attempt}.json"
        if isinstance(store, FolderStore):
            won = race_of_processes(store.root, key)
        else:
            start = threading.Barrier(10)

            def create(data: bytes, key: str = key, start: threading.Barrier = start) -> bool:
                start.wait()
                return store.put_if_absent(key, data)

            with ThreadPoolExecutor(10) as pool:
                won = list(pool.map(create, contents))
        assert sum(won) == 1, won
        assert store.get(key) == contents[won.index(True)]


# ---------------------------------------------------------------- folders

CREATE = """
import sys
from cashtag.lake.disk import FolderStore
root, key, n = sys.argv[1:]
store = FolderStore(root)
print("ready", flush=True)
sys.stdin.readline()
print(store.put_if_absent(key, n.encode() * 100_000), flush=True)
"""
WITHOUT_LINKS = """
import errno, os
def link(*_): raise OSError(errno.EPERM, "no hard links here")
os.link = link
"""


def python(script: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    source = Path(disk.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source)},
        **options,
    )


def race_of_processes(root: Path, key: str, script: str = CREATE) -> list[bool]:
    """Let ten processes create one key at the same moment; return who was told that it did."""
    racers = [python(script, root, key, n) for n in range(10)]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n", racer.communicate()
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    return [racer.communicate()[0] == "True\n" for racer in racers]


def temporary_files(root: Path) -> list[str]:
    return sorted(p.name for p in (root / ".tmp").glob("*"))


def test_reading_does_not_make_the_folder(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "zone")
    assert keys(store) == []
    assert not store.exists("a")
    with pytest.raises(KeyMissing):
        store.get("a")
    store.delete("a")
    assert list(tmp_path.iterdir()) == []


def test_without_hard_links_one_writer_still_wins(tmp_path: Path) -> None:
    won = race_of_processes(tmp_path, "events/e.json", WITHOUT_LINKS + CREATE)
    assert sum(won) == 1, won
    store = FolderStore(tmp_path)
    assert store.get("events/e.json") == f"{won.index(True)}".encode() * 100_000
    assert keys(store) == ["events/e.json"]
    assert temporary_files(tmp_path) == ["lock"]


def test_writes_leave_no_temporary_file(tmp_path: Path) -> None:
    for durable in (False, True):
        store = FolderStore(tmp_path / f"{durable}" / "deep" / "zone", durable)
        store.put("a/b/c", b"1")
        store.put("a/b/c", b"2")
        store.put_if_absent("a/b/c", b"3")
        store.put_if_absent("a/b/d", b"4")
        store.delete("a/b/d")
        assert [store.get(k) for k in keys(store)] == [b"2"]
        assert temporary_files(store.root) == []


def test_an_object_below_an_object_is_refused_by_name(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b", b"1")
    for write in (store.put, store.put_if_absent):
        with pytest.raises(StoreError, match=r"'a/b/c/d'.*'a/b' is an object"):
            write("a/b/c/d", b"2")
        with pytest.raises(StoreError, match=r"'a' .*it is a folder of other objects"):
            write("a", b"2")
    assert store.get("a/b") == b"1"
    assert temporary_files(tmp_path) == []


def test_listing_a_day_reads_that_day_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    for day in range(1, 29):
        store.put(f"tweets/dt=2026-01-{day:02}/source=x/NVDA-1.jsonl.gz", b"1")
    opened: list[str] = []
    scandir = os.scandir

    def recording(path: Path) -> Any:
        opened.append(Path(path).relative_to(tmp_path).as_posix())
        return scandir(path)

    monkeypatch.setattr(disk.os, "scandir", recording)
    assert len(keys(store, "tweets/dt=2026-01-05/")) == 1
    assert opened == ["tweets/dt=2026-01-05", "tweets/dt=2026-01-05/source=x"]


def test_names_that_are_no_keys_are_passed_over(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"1")
    with open(os.fsencode(tmp_path) + b"/latin-1-\xe9", "wb"):  # noqa: PTH123
        pass
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert keys(store) == ["a"]


def test_objects_are_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    script = """
import os, sys
from cashtag.lake.disk import FolderStore
os.umask(0o027)
FolderStore(sys.argv[1]).put("a", b"1")
"""
    process = python(script, tmp_path)
    assert process.communicate()[1] == ""
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640  # 0666 without group write and others


def test_writers_and_deleters_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    script = """
import sys
from cashtag.lake.disk import FolderStore
store, key = FolderStore(sys.argv[1]), "a/b/" + sys.argv[2]
for _ in range(500):
    store.put(key, b"1")
    list(store.list())
    store.delete(key)
    assert store.put_if_absent(key, b"2")
    store.delete(key)
"""
    for process in [python(script, tmp_path, n) for n in range(3)]:
        assert process.communicate() == ("", "")
    assert [p.name for p in tmp_path.iterdir()] == [".tmp"]
    assert temporary_files(tmp_path) == []


def test_a_process_killed_before_the_rename_leaves_the_old_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b", b"old")
    script = """
import os, signal, sys
from pathlib import Path
from cashtag.lake.disk import FolderStore
def kill(*_): os.kill(os.getpid(), signal.SIGKILL)
Path.replace = os.link = kill
store = FolderStore(sys.argv[1])
getattr(store, sys.argv[2])(sys.argv[3], b"new" * 100_000)
"""
    for call, key in (("put", "a/b"), ("put_if_absent", "a/c")):
        process = python(script, tmp_path, call, key)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert [(k, store.get(k)) for k in keys(store)] == [("a/b", b"old")]
    assert len(temporary_files(tmp_path)) == 2
    store.put("a/b", b"new")
    assert store.put_if_absent("a/c", b"new") is True
    assert [store.get(k) for k in keys(store)] == [b"new", b"new"]


def test_leftovers_older_than_a_day_are_swept(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"1")
    for name, hours in (("1-dead", 25), ("2-alive", 23), ("lock", 99)):
        file = tmp_path / ".tmp" / name
        file.write_bytes(b"half")
        made = file.stat().st_mtime - hours * 3600
        os.utime(file, (made, made))
    assert keys(FolderStore(tmp_path)) == ["a"]
    assert temporary_files(tmp_path) == ["2-alive", "lock"]


WRITE_ALL = """
import json, sys
from cashtag.errors import StoreError
from cashtag.lake.disk import FolderStore
{setup}
store = FolderStore(sys.argv[1])
errors = []
for call, key in (("put", "a/old"), ("put", "a/new"), ("put_if_absent", "a/new")):
    try:
        getattr(store, call)(key, b"new" * 1_000_000)
    except StoreError as error:
        errors.append(str(error))
print(json.dumps(errors + [store.get("a/old").decode()] + [o.key for o in store.list()]))
"""


def refusals(root: Path, setup: str, remedy: str) -> None:
    """Run three writes that must fail in a process of their own, and look at what is left."""
    out, err = python(WRITE_ALL.format(setup=setup), root).communicate()
    assert err == ""
    for key in ("a/old", "a/new"):
        assert f"cannot write '{key}' in {root}: {remedy}" in out
    assert out.count(remedy) == 3
    assert out.endswith(', "old", "a/old"]\n')  # what it still reads and lists


def test_a_file_that_may_not_grow_leaves_the_old_object(tmp_path: Path) -> None:
    FolderStore(tmp_path).put("a/old", b"old")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    refusals(tmp_path, limit, "the file is larger than allowed: raise the limit")
    assert temporary_files(tmp_path) == []


def test_a_full_disk_leaves_the_old_object(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    private = [unshare or "unshare", "--map-root-user", "--mount"]  # the mount dies with it
    mount = f"mount -t tmpfs -o size=256k tmpfs '{tmp_path}'"
    probe = [*private, "sh", "-c", mount]
    if not unshare or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here; the limit on file sizes stands in for it")
    setup = """
from pathlib import Path
FolderStore(sys.argv[1]).put("a/old", b"old")
import atexit
atexit.register(lambda: print(sorted(p.name for p in Path(sys.argv[1], ".tmp").glob("*"))))
"""

    def launch(script: str, root: Path) -> subprocess.Popen[str]:
        command = f'{mount} && exec "$0" -c "$1" \'{root}\''
        return subprocess.Popen(
            [*private, "sh", "-c", command, sys.executable, script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(disk.__file__).parents[2])},
        )

    out, err = launch(WRITE_ALL.format(setup=setup), tmp_path).communicate()
    assert err == ""
    assert out.count("the disk is full: free space, then run again") == 3
    assert out.endswith(', "old", "a/old"]\n[]\n')  # the old object, and no temporary file


def test_a_folder_without_permission_says_so() -> None:
    # Not tmp_path: its parents are root's alone, and root, who may write anywhere, becomes nobody.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        FolderStore(root).put("a/old", b"old")
        root.chmod(0o555)
        (root / ".tmp").chmod(0o555)
        setup = "import os\nif os.getuid() == 0: os.setuid(65534)"
        refusals(root, setup, "permission denied: give this user the right")
        root.chmod(0o755)
        (root / ".tmp").chmod(0o755)


def test_a_file_in_place_of_the_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for root in (tmp_path / "file", tmp_path / "file" / "zone"):
        store = FolderStore(root)
        assert keys(store) == []
        for write in (store.put, store.put_if_absent):
            with pytest.raises(StoreError, match="a file is where a folder is needed") as caught:
                write("a/b", b"1")
            assert f"cannot write 'a/b' in {root}" in str(caught.value)
    assert (tmp_path / "file").read_text() == "not a folder"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.EXDEV, errno.EDQUOT])
def test_each_refusal_of_the_system_has_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = FolderStore(tmp_path)
    store.put("a", b"old")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError, match=r"cannot write 'a' in .*: .*: \w+") as caught:
        store.put("a", b"new")
    assert os.strerror(number) not in str(caught.value)
    assert store.get("a") == b"old"
    assert temporary_files(tmp_path) == []


def test_a_folders_uri_is_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = FolderStore("zone")
    monkeypatch.chdir("/")
    assert store.uri() == f"{tmp_path}/zone"
    assert store.uri("a b/c#1") == f"{tmp_path}/zone/a b/c#1"
    assert store.uri("tweets/dt=") == f"{tmp_path}/zone/tweets/dt="
    store.put("a b/c#1", b"1")
    assert Path(store.uri("a b/c#1")).read_bytes() == b"1"


# ---------------------------------------------------------------- S3


def test_a_list_goes_through_all_pages(bucket: Bucket) -> None:
    store = S3Store(bucket.fresh(), "zone", bucket.client())
    expected = [f"a/{quote(chr(0xE9))}{n} +" for n in range(7)]
    for key in expected:
        store.put(key, b"1")
    bucket.wire.page_size = 2
    bucket.wire.requests.clear()
    assert keys(store, "a/") == expected
    assert bucket.wire.requests == ["GET"] * 4  # seven keys, two a page


def test_a_prefix_is_a_zone_of_its_own(bucket: Bucket) -> None:
    name = bucket.fresh()
    raw, raw2, whole = (S3Store(name, p, bucket.client()) for p in ("raw/", "raw2", ""))
    raw.put("a", b"1")
    raw2.put("a", b"2")
    assert keys(raw) == ["a"]
    assert keys(whole) == ["raw/a", "raw2/a"]
    assert raw.uri("a") == f"s3://{name}/raw/a"
    assert raw.uri() == f"s3://{name}/raw"
    assert raw.uri("dt=") == f"s3://{name}/raw/dt="
    assert whole.uri() == f"s3://{name}"
    with pytest.raises(StoreError, match="has 1025 bytes"):  # 'raw/' and 1,021
        raw.put("k/" * 510 + "k", b"")


def test_an_object_may_lie_below_another_in_a_bucket(bucket: Bucket) -> None:
    store = S3Store(bucket.fresh(), "", bucket.client())
    store.put("a", b"1")
    store.put("a/b", b"2")
    assert keys(store) == ["a", "a/b"]


def test_the_folder_markers_of_consoles_are_passed_over(bucket: Bucket) -> None:
    name = bucket.fresh()
    bucket.client().put_object(Bucket=name, Key="tweets/", Body=b"")
    store = S3Store(name, "", bucket.client())
    store.put("tweets/a", b"1")
    assert keys(store) == ["tweets/a"]


def test_a_conflict_of_conditional_writes_is_tried_again(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(s3.time, "sleep", waits.append)
    store = S3Store(bucket.fresh(), "", bucket.client())
    bucket.wire.answers = [("409 Conflict", "ConditionalRequestConflict")] * 3
    assert store.put_if_absent("a", b"1") is True
    assert store.get("a") == b"1"
    assert waits == [0.02, 0.04, 0.08]  # seconds; each twice the one before
    bucket.wire.answers = [("409 Conflict", "ConditionalRequestConflict")] * 100
    with pytest.raises(StoreError, match=r"cannot write 'b'.*8 conditional writes conflicted"):
        store.put_if_absent("b", b"1")


def test_a_lost_answer_makes_no_second_winner(bucket: Bucket) -> None:
    store = S3Store(bucket.fresh(), "", bucket.client(attempts=2))
    bucket.wire.reaches_s3 = True
    bucket.wire.answers = [("500 Internal Server Error", "InternalError")]
    assert store.put_if_absent("a", b"1") is False  # ours, but S3 said so to nobody
    assert store.get("a") == b"1"
    assert store.put_if_absent("a", b"2") is False


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        ("403 Forbidden", "AccessDenied", "role's policy"),
        ("400 Bad Request", "ExpiredToken", "renew the credentials"),
        ("503 Slow Down", "SlowDown", "run again later"),
        ("400 Bad Request", "SomethingNew", "look the code up"),
    ],
)
def test_a_refusal_of_s3_names_its_code_and_shows_no_secret(
    bucket: Bucket, status: str, code: str, remedy: str
) -> None:
    store = S3Store(bucket.fresh(), "", bucket.client())
    calls: dict[str, Callable[[], object]] = {
        "cannot read 'a'": lambda: store.get("a"),
        "cannot write 'a'": lambda: store.put("a", b"1"),
        "cannot write 'b'": lambda: store.put_if_absent("b", b"1"),
        "cannot delete 'a'": lambda: store.delete("a"),
        "cannot list 'a/'": lambda: list(store.list("a/")),
    }
    for start, call in calls.items():
        bucket.wire.answers = [(status, code)]
        with pytest.raises(StoreError) as caught:
            call()
        text = str(caught.value)
        assert text.startswith(f"{start} in s3://zone-")
        assert code in text
        assert remedy in text
        shown = "".join(traceback.format_exception(caught.value))
        assert SECRET not in shown
        assert not isinstance(caught.value, KeyMissing)


def test_a_missing_bucket_is_no_missing_object(bucket: Bucket) -> None:
    store = S3Store("nobody-made-this-one", "", bucket.client())
    for call in (lambda: store.get("a"), lambda: store.put("a", b""), lambda: keys(store)):
        with pytest.raises(StoreError, match="NoSuchBucket; create the bucket") as caught:
            call()
        assert not isinstance(caught.value, KeyMissing)


def test_an_s3_that_does_not_answer_says_so(bucket: Bucket) -> None:
    store = S3Store("zone", "", bucket.client("http://127.0.0.1:9"))  # port 9 discards nothing here
    for call in (lambda: store.get("a"), lambda: store.put("a", b""), lambda: keys(store)):
        with pytest.raises(StoreError, match=r"EndpointConnectionError; check the network"):
            call()


# ---------------------------------------------------------------- takedowns


def test_purge_removes_the_object_and_may_be_repeated(store: Store) -> None:
    store.put("a/b", b"1")
    store.put("a/bc", b"1")
    assert store.purge("a/b", keep_current=True) == 0
    assert store.get("a/b") == b"1"
    assert store.purge("a/b") == 1
    assert store.purge("a/b") == 0
    assert keys(store) == ["a/bc"]
    assert [one.key for one in store.versions("a/")] == ["a/bc"]


def versioned(bucket: Bucket, prefix: str = "zone") -> S3Store:
    name = bucket.fresh()
    bucket.client().put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Enabled"}
    )
    bucket.wire.requests.clear()
    return S3Store(name, prefix, bucket.client())


def test_purge_leaves_no_version_of_a_bucket(bucket: Bucket) -> None:
    store = versioned(bucket)
    for text in (b"1", b"2", b"3"):
        store.put("a", text)
        store.put("a-", text)
    store.delete("a-")
    assert list(store.versions()) == [Versions("a", 3, True), Versions("a-", 4, False)]
    assert store.purge("a", keep_current=True) == 2
    assert store.get("a") == b"3"
    assert list(store.versions("a")) == [Versions("a", 1, True), Versions("a-", 4, False)]
    assert store.purge("a-", keep_current=True) == 4  # three versions, and the mark of a deletion
    assert store.purge("a") == 1
    assert list(store.versions()) == []
    found = bucket.client().list_object_versions(Bucket=store.bucket)
    assert "Versions" not in found
    assert "DeleteMarkers" not in found


def test_versions_go_on_over_pages(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    store = versioned(bucket)
    for n in range(3):
        for key in ("a", "b"):
            store.put(key, b"%d" % n)
    store.delete("a")
    paginate = bucket.client().get_paginator("list_object_versions").paginate
    pages = list(paginate(Bucket=store.bucket, PaginationConfig={"PageSize": 2}))
    monkeypatch.setattr(
        store._client,
        "get_paginator",
        lambda _name: type("P", (), {"paginate": staticmethod(lambda **_: iter(pages))}),
    )
    assert list(store.versions()) == [Versions("a", 4, False), Versions("b", 3, True)]


def test_a_version_that_may_not_be_deleted_says_so(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = versioned(bucket)
    store.put("a", b"1")
    refusal = {"Errors": [{"Key": "zone/a", "Code": "AccessDenied", "Message": SECRET}]}
    monkeypatch.setattr(store._client, "delete_objects", lambda **_: refusal)
    with pytest.raises(
        StoreError, match=r"cannot delete 'a' in .*AccessDenied; allow it"
    ) as caught:
        store.purge("a")
    assert SECRET not in str(caught.value)
