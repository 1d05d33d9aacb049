"""Progress of anything over two seconds: a bar on a terminal, silence in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tick = Callable[[int, int, str], None]  # done, of, what


@contextmanager
def progress(title: str) -> Iterator[Tick]:
    """Yield a function to call with (done, of, what); it draws only on a terminal."""
    from cashtag.cli.output import console

    target = console(stderr=True)
    if not target.is_terminal:
        yield lambda _done, _of, _what: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Remaining(),
        TextColumn("{task.fields[what]}", markup=False),
        console=target,
        transient=True,
    ) as bar:
        task = bar.add_task(title, total=None, what="")

        def tick(done: int, of: int, what: str) -> None:
            bar.update(task, completed=done, total=of, what=what)

        yield tick
