"""How commands that change a stack talk: notes beside the data, a bar, and a question before."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cashtag.operate.deploying.watching import Say
    from cashtag.ports import Progress

YesOption = Annotated[bool, typer.Option("--yes", help="Ask nothing; for scripts.")]


def note(text: str) -> None:
    """Print a line for a person, beside what the command prints."""
    from cashtag.redaction import redacted

    print(redacted(text), file=sys.stderr, flush=True)


@contextmanager
def following(title: str) -> Iterator[tuple[Say, Progress]]:
    """While a stack changes: a bar on a terminal, a line for each event elsewhere."""
    from cashtag.cli import output
    from cashtag.cli.progress import progress

    with progress(title) as tick:
        if sys.stderr.isatty():
            yield lambda _: None, tick
        else:
            yield lambda event: note(output.cell(event.line())), tick


def agreeing(yes: bool) -> Callable[[str], bool]:
    """A function that asks a person, unless leave was given beforehand.

    Raises (the function):
        InputError: nobody is there to answer.
    """
    from cashtag.errors import InputError

    def ask(question: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            raise InputError(f"{question} Nobody is there to answer; add --yes to go on")
        return typer.confirm(question, err=True)

    return ask


def typed(name: str) -> None:
    """Have the stack's name typed.

    Raises:
        InputError: it was another one, or nobody is there.
    """
    from cashtag.errors import InputError

    if not sys.stdin.isatty():
        raise InputError(f"taking {name} down needs its name typed on a terminal; or add --yes")
    answer = typer.prompt("Type the stack's name to take it down", err=True)
    if answer.strip() != name:
        raise InputError(f"{answer.strip()!r} is not {name}: nothing was taken down")
