"""`cashtag config` and `cashtag doctor`: what is set, from where, and whether it works here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cashtag.cli.options import Format, FormatOption, LakeOption, Profile, ProfileOption

config = typer.Typer(
    help="Show the settings and where each came from.",
    no_args_is_help=True,
    epilog="Example: cashtag config show signals --origin",
)


@config.command("show", epilog="Example: cashtag config show signals.trend --origin")
def show(
    prefix: Annotated[str, typer.Argument(help="Only keys that start so, e.g. trade.entry.")] = "",
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value is from.")] = False,
    profile: ProfileOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
) -> None:
    """Print every setting as `key = value`, with its origin and allowed range on request."""
    from cashtag.cli import output
    from cashtag.errors import InputError
    from cashtag.settings import load_with_origin
    from cashtag.settings.ranges import allowed

    overrides = {"lake": lake} if lake else None
    loaded = load_with_origin(profile=profile.value if profile else None, overrides=overrides)
    flat = _flat(loaded.settings.model_dump(mode="json"))
    rows: list[dict[str, Any]] = []
    for key, value in flat.items():
        if not key.startswith(prefix):
            continue
        row: dict[str, Any] = {"key": key, "value": value}
        if origin:
            row["origin"] = loaded.origin.get(key, "defaults.toml")
            row["allowed"] = allowed(tuple(key.split(".")))
        rows.append(row)
    if not rows:
        raise InputError(f"no setting starts with {prefix!r}; see `cashtag config show`")
    output.show(rows, form)


def _flat(value: Any, at: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {at: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat |= _flat(item, f"{at}.{key}" if at else key)
    return flat


def doctor(
    lake: LakeOption = None,
    profile: Annotated[Profile | None, typer.Option("--profile")] = None,
    form: FormatOption = Format.table,
    live: Annotated[
        bool, typer.Option("--live", help="Ask every live source too, a little of each.")
    ] = False,
) -> None:
    """Check this machine, the settings and the lake; say what to do about what does not work.

    With --live also every source of a live run, one by one, over the network. Ends with 1 when
    something needed does not work.
    """
    from cashtag.cli import output
    from cashtag.cli.options import settings
    from cashtag.operate import doctor as examine

    chosen = settings(lake, profile)
    findings = examine.examine(chosen)
    if live:
        from cashtag.cli.progress import progress
        from cashtag.operate import live_doctor

        with progress("asking the sources") as tick:
            findings += live_doctor.examine(chosen, tick=tick)
    output.show([finding.row() for finding in findings], form)
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(1)
