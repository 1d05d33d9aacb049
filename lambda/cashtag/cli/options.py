"""Options that many commands share, and what they mean."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cashtag.errors import InputError

if TYPE_CHECKING:
    from cashtag.operate.stack import Stack
    from cashtag.settings import Settings


class Format(StrEnum):
    """How a command prints data."""

    table = "table"
    json = "json"
    csv = "csv"


class SourceName(StrEnum):
    """Where a day's raw data comes from."""

    sample = "sample"
    archive = "archive"
    live = "live"


class Profile(StrEnum):
    """Which set of numbers holds."""

    sound = "sound"
    reference = "reference"


LakeOption = Annotated[
    str | None,
    typer.Option("--lake", metavar="DIR", help="Folder of the lake (default: the settings')."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="table, json or csv.")]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="First date, YYYY-MM-DD.")
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="Last date, YYYY-MM-DD, included.")
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Sentiment model, e.g. lexicon.")
]
ProfileOption = Annotated[
    Profile | None, typer.Option("--profile", help="sound (default) or reference.")
]

EnvOption = Annotated[
    str | None,
    typer.Option(
        "--env",
        metavar="ENV",
        help="The deployed stack: dev, staging or prod (default: settings').",
    ),
]


def day(text: str | None, name: str) -> date | None:
    """Read a date option. Raises InputError naming the option and the form it wants."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{name} {text!r} is no date; write it as YYYY-MM-DD") from None


def settings(
    lake: str | None = None, profile: Profile | None = None, model: str | None = None
) -> Settings:
    """Load settings with what the command line overrides."""
    from cashtag.settings import load

    overrides = {
        key: value for key, value in (("lake", lake), ("enrich.model", model)) if value is not None
    }
    return load(profile=profile.value if profile else None, overrides=overrides)


def deployed(env: str | None) -> tuple[Settings, Stack, Any]:
    """Settings as an environment's functions have them, the stack, and a session to reach it.

    Raises:
        CloudError: nothing is deployed there, or AWS refuses.
        SettingsError: the functions would refuse their settings.
    """
    from cashtag.operate import account
    from cashtag.operate import stack as stacks
    from cashtag.operate.cloud import parameter

    own = settings()
    session = account.session(own)
    found = stacks.find(own, env, session)
    return parameter.of_functions(found, session), found, session
