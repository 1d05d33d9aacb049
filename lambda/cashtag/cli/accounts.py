"""`cashtag accounts`: the X accounts that live runs search with, by name, never by cookie."""

from __future__ import annotations

import typer

from cashtag.cli.options import Format, FormatOption, LakeOption, settings

accounts = typer.Typer(
    help="The X accounts that live runs search with.",
    no_args_is_help=True,
    epilog="Example: cashtag accounts check",
)


@accounts.command("check", epilog="Example: cashtag accounts check --format json")
def check(lake: LakeOption = None, form: FormatOption = Format.table) -> None:
    """Search once with every account: does it work, how many searches are left, its last error.

    No cookie is shown. Ends with 5 when no account works.
    """
    from cashtag import services
    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.errors import SettingsError, SourceRefused
    from cashtag.operate import accounts as examine
    from cashtag.scrape import credentials

    chosen = settings(lake)
    held = credentials.x_accounts(chosen)
    if not held:
        raise SettingsError(f"no X accounts are set up; {credentials.how_to_set_up(chosen)}")
    services.need_live("accounts check")
    with progress(f"asking X with {len(held)} accounts"):
        states = examine.states(chosen, held, services.folder_lake(chosen.lake))
    output.show([state.row() for state in states], form)
    if not any(state.works for state in states):
        raise SourceRefused(
            f"none of {len(held)} accounts works; log in to x.com with one of them, then copy its "
            f"cookies auth_token and ct0 again into {credentials.place(chosen)}"
        )
