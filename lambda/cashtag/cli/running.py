"""`cashtag services`: what runs by itself in the cloud, and how to stop and start it."""

from __future__ import annotations

from typing import Annotated

import typer

from cashtag.cli.options import EnvOption, Format, FormatOption

services = typer.Typer(
    help="The schedules of the deployed stack: list them, stop them, start them again.",
    no_args_is_help=True,
    epilog="Example: cashtag services stop execute",
)

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE]...", help="As listed; default all.")
]


@services.command("list", epilog="Example: cashtag services list --env prod")
def listing(form: FormatOption = Format.table, env: EnvOption = None) -> None:
    """List the schedules: whether each is on, when it runs and what it calls."""
    from cashtag.cli import output
    from cashtag.cli.options import deployed
    from cashtag.operate.cloud import schedules

    _, stack, session = deployed(env)
    output.show([one.row() for one in schedules.found(stack, session)], form)


@services.command("stop", epilog="Example: cashtag services stop --env dev")
def stop(
    names: NamesArgument = None, form: FormatOption = Format.table, env: EnvOption = None
) -> None:
    """Stop schedules; what is under way ends. Deploying a changed schedule starts it again."""
    _switch(names, form, env, on=False)


@services.command("start", epilog="Example: cashtag services start --env dev")
def start(
    names: NamesArgument = None, form: FormatOption = Format.table, env: EnvOption = None
) -> None:
    """Start schedules again; times that have passed are not made up for."""
    _switch(names, form, env, on=True)


def _switch(names: list[str] | None, form: Format, env: str | None, *, on: bool) -> None:
    from cashtag.cli import output
    from cashtag.cli.options import deployed
    from cashtag.operate.cloud import schedules

    _, stack, session = deployed(env)
    found = schedules.switch(stack, session, names or (), on=on)
    output.show([one.row() for one in found], form)
