"""Create-only objects with a running number: found again, never added twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from cashtag.lake import numbered
from cashtag.lake.disk import FolderStore


def key_of(n: int) -> str:
    return f"bars/source=csv/NVDA-{n}.jsonl.gz"


def keys(store: FolderStore) -> list[str]:
    return [info.key for info in store.list()]


def test_the_first_object_is_number_one_and_the_next_content_number_two(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert numbered.add(store, key_of, b"a") == key_of(1)
    assert numbered.add(store, key_of, b"b") == key_of(2)
    assert (store.get(key_of(1)), store.get(key_of(2))) == (b"a", b"b")


def test_content_that_is_there_is_found_where_it_is(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for content in (b"a", b"b", b"c"):
        numbered.add(store, key_of, content)
    assert numbered.add(store, key_of, b"b") == key_of(2)
    assert numbered.add(store, key_of, b"a") == key_of(1)
    assert len(keys(store)) == 3


def test_empty_content_is_content(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert numbered.add(store, key_of, b"") == key_of(1)
    assert numbered.add(store, key_of, b"") == key_of(1)


def test_who_loses_a_number_to_the_same_content_takes_that_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)

    class Slow(FolderStore):
        """Another writer finishes between our look and our put."""

        def put_if_absent(self, key: str, data: bytes) -> bool:
            store.put_if_absent(key, b"theirs")
            return super().put_if_absent(key, data)

    assert numbered.add(Slow(tmp_path), key_of, b"theirs") == key_of(1)
    assert keys(store) == [key_of(1)]


def test_who_loses_a_number_to_other_content_takes_the_next(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)

    class Slow(FolderStore):
        """Another writer takes number 1 between our look and our put."""

        def put_if_absent(self, key: str, data: bytes) -> bool:
            if key == key_of(1):
                store.put_if_absent(key, b"theirs")
            return super().put_if_absent(key, data)

    assert numbered.add(Slow(tmp_path), key_of, b"ours") == key_of(2)
    assert (store.get(key_of(1)), store.get(key_of(2))) == (b"theirs", b"ours")


def test_ten_writers_of_three_contents_leave_three_objects(tmp_path: Path) -> None:
    contents = [b"abc"[i % 3 : i % 3 + 1] for i in range(10)]
    together = Barrier(len(contents))

    def write(content: bytes) -> str:
        store = FolderStore(tmp_path)
        together.wait()
        return numbered.add(store, key_of, content)

    with ThreadPoolExecutor(len(contents)) as pool:
        where = list(pool.map(write, contents))
    store = FolderStore(tmp_path)
    assert keys(store) == [key_of(1), key_of(2), key_of(3)]
    # Each writer was told the key that holds its content.
    assert [store.get(key) for key in where] == contents
