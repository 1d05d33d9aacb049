"""`cashtag destroy`: a stack taken down, after what goes and what stays was seen."""

from __future__ import annotations

from itertools import chain
from typing import Annotated

import typer

from cashtag.cli.changing import YesOption
from cashtag.cli.options import EnvOption, Format, FormatOption
from cashtag.cli.options import settings as load


def destroy(
    all_data: Annotated[
        bool,
        typer.Option("--all-data", help="Also raw data and the ledger. Nothing brings them back."),
    ] = False,
    yes: YesOption = False,
    form: FormatOption = Format.table,
    env: EnvOption = None,
) -> None:
    """Take the stack down. Raw data and the ledger stay, unless told; asks for the stack's name.

    Run it again after any break. Without a stack, --all-data removes what an earlier one left.
    """
    from cashtag.cli import changing, output
    from cashtag.operate import account
    from cashtag.operate import stack as stacks
    from cashtag.operate.deploying import deployment, destruction

    settings = load()
    chosen = stacks.environment(settings, env)
    session = account.session(settings)
    number = account.caller(session).account
    target = deployment.Target(
        settings, chosen, session, tell=changing.note, following=changing.following
    )
    found = target.look()
    rows = [one.row(all_data) for one in destruction.buckets(target, number)]
    nothing = found is None and all(row["what"] == "STAYS" for row in rows)
    what = "is not deployed" if nothing else "is taken down"
    title = f"stack {target.name} {what} in {session.region_name}"
    output.show(rows, form, title=title, columns=("bucket", "what"))
    if nothing:
        return
    if not yes:
        changing.typed(target.name)
    stays = destruction.what_stays(target, number, found, all_data=all_data)
    for line in chain(destruction.take_down(target, number, all_data=all_data), stays):
        changing.note(line)
