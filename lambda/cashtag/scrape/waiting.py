"""Work in threads that nobody waits for longer than a deadline allows, whatever hangs in them.

No setting of an HTTP client bounds a name lookup, or headers that come a byte at a time. The
threads are daemons: what hangs in one keeps neither the run nor the process.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from cashtag.errors import SourceRefused
from cashtag.scrape.deadline import Deadline

K = TypeVar("K")
T = TypeVar("T")


class Outcome:
    """What became of work done in a thread: `with` it, and what the work raises is kept."""

    error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.error = error  # raised in the caller's thread, where somebody sees it
        return True


class _Answer(Outcome, Generic[K, T]):
    """What became of one item: its result, or what it raised."""

    def __init__(self, item: K) -> None:
        self.item = item
        self.result: T | None = None


def start(run: Callable[[], None], name: str) -> None:
    """Begin `run` in a thread that nobody has to wait for."""
    threading.Thread(target=run, name=name, daemon=True).start()


def answers(
    work: Callable[[K], T], items: Sequence[K], threads: int, until: Deadline, name: str
) -> Generator[tuple[K, T | SourceRefused], None, None]:
    """Do the work on each item, so many at once; yield item and answer as they come.

    What a piece of work refuses is yielded as its answer; what is not there at the deadline is
    refused. Whatever else was raised is raised here. When the caller goes away, no further piece
    is begun.
    """
    todo: queue.SimpleQueue[K] = queue.SimpleQueue()
    for item in items:
        todo.put(item)
    done: queue.SimpleQueue[_Answer[K, T]] = queue.SimpleQueue()
    stopped = threading.Event()

    def run() -> None:
        while not stopped.is_set():
            try:
                outcome: _Answer[K, T] = _Answer(todo.get_nowait())
            except queue.Empty:
                return
            with outcome:
                outcome.result = work(outcome.item)
            done.put(outcome)

    for number in range(min(threads, len(items))):
        start(run, f"{name}-{number}")
    waited_for = list(items)
    try:
        while waited_for:
            try:
                outcome = done.get(timeout=until.left)
            except queue.Empty:
                break
            waited_for.remove(outcome.item)
            if outcome.error is None:
                yield outcome.item, outcome.result  # type: ignore[misc]  # work returned a T
            elif isinstance(outcome.error, SourceRefused):
                yield outcome.item, outcome.error
            else:
                raise outcome.error
    finally:
        stopped.set()
    for item in waited_for:
        yield item, SourceRefused("no answer before the deadline (live.step_seconds)")


def answer(work: Callable[[], T], until: Deadline, name: str) -> T:
    """Do one piece of work by the deadline.

    Raises:
        SourceRefused: it was refused, or not done in time.
    """
    for _, found in answers(lambda _: work(), (None,), 1, until, name):
        if isinstance(found, SourceRefused):
            raise found
        return found
    raise AssertionError("every piece of work has an answer")
