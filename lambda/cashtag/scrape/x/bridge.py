"""From coroutines to an iterator: a loop of its own, in the thread of whoever iterates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    with _loop() as loop:
        return loop.run_until_complete(work)


def stream(work: Callable[[Callable[[T], None]], Awaitable[None]]) -> Iterator[T]:
    """Yield whatever `work(emit)` emits, as soon as it does; raise what it raises, after that.

    `work` goes on only while somebody asks for the next one.
    """
    with _loop() as loop:
        parts: asyncio.Queue[T | None] = asyncio.Queue()

        async def worker() -> None:
            try:
                await work(parts.put_nowait)
            finally:
                parts.put_nowait(None)

        task = loop.create_task(worker())
        while (part := loop.run_until_complete(parts.get())) is not None:
            yield part
        loop.run_until_complete(task)


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A new loop; what still runs in it at the end is cancelled.

    Unlike `asyncio.run` it does not wait for the loop's threads: one that looks up a host's
    address can hang for longer than any deadline.
    """
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.run_until_complete(_cancelled(asyncio.all_tasks(loop)))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
