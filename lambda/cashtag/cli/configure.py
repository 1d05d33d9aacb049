"""`cashtag config` and `cashtag doctor`: what is set, from where, and whether it works here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cashtag.cli.options import (
    EnvOption,
    Format,
    FormatOption,
    LakeOption,
    Profile,
    ProfileOption,
)

if TYPE_CHECKING:
    from cashtag.operate.doctor import Finding

config = typer.Typer(
    help="Show the settings and where each came from, and set them.",
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


@config.command("get", epilog="Example: cashtag config get trade.kill_switch --env prod")
def get(
    key: Annotated[str, typer.Argument(help="A key, or the beginning of several.")] = "",
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    env: EnvOption = None,
) -> None:
    """Print settings as they hold: here, or with --env in the functions of the deployed stack."""
    from cashtag.cli import output
    from cashtag.cli.options import deployed, settings
    from cashtag.errors import InputError

    whole = settings(lake) if env is None else deployed(env)[0]
    flat = _flat(whole.model_dump(mode="json"))
    found = {
        name: value for name, value in flat.items() if name == key or name.startswith(f"{key}.")
    } or {name: value for name, value in flat.items() if name.startswith(key)}
    if not found:
        raise InputError(f"no setting starts with {key!r}; see `cashtag config show`")
    output.show([{"key": name, "value": value} for name, value in found.items()], form)


@config.command("set", epilog="Example: cashtag config set trade.kill_switch true --env prod")
def put(
    key: Annotated[str, typer.Argument(help="A dotted key, e.g. signals.min_tweets.prod.")],
    value: Annotated[str, typer.Argument(help="A TOML value, or text as it stands.")],
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    env: EnvOption = None,
) -> None:
    """Set one key: in cashtag.toml here, or with --env in the deployed stack's parameter.

    What would not load is refused, and nothing is written. A function sees it within minutes.
    """
    import os
    from pathlib import Path

    from cashtag.cli import output
    from cashtag.cli.options import deployed, settings
    from cashtag.operate import packages
    from cashtag.settings import FILE, value_of

    wanted = {key: value_of(value)}
    if env is None:
        file = Path(os.environ.get("CASHTAG_CONFIG") or FILE)
        packages.write_settings(file, wanted, os.environ)
        whole, where = settings(lake), str(file)
    else:
        from cashtag.operate.cloud import parameter

        _, stack, session = deployed(env)
        where = parameter.write(stack, session, wanted).name
        whole = parameter.of_functions(stack, session)
    now = _flat(whole.model_dump(mode="json")).get(key)
    output.show([{"key": key, "value": now, "in": where}], form)
    if now != wanted[key]:
        typer.echo(f"note: {key} is set in the environment too, which wins", err=True)


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
    aws: Annotated[
        bool, typer.Option("--aws", help="Look at the deployed stack instead, part by part.")
    ] = False,
    env: EnvOption = None,
) -> None:
    """Check this machine, the settings and the lake; say what to do about what does not work.

    With --live also every source of a live run, one by one, over the network. With --aws (or
    --env) the deployed stack, where each SQL file is explained by the real engine. Ends with 1
    when something needed does not work.
    """
    from cashtag.cli.options import settings

    if aws or env is not None:
        _examine_stack(env, form)
        return
    from cashtag.operate import doctor as examine

    chosen = settings(lake, profile)
    findings = examine.examine(chosen)
    if live:
        from cashtag.cli.progress import progress
        from cashtag.operate import live_doctor

        with progress("asking the sources") as tick:
            findings += live_doctor.examine(chosen, tick=tick)
    _show(findings, form)


def _examine_stack(env: str | None, form: Format) -> None:
    from cashtag.cli.options import deployed
    from cashtag.cli.progress import progress
    from cashtag.operate.cloud import doctor as examine

    chosen, stack, session = deployed(env)
    with progress(stack.name) as tick:
        findings = examine.examine(chosen, stack, session, tick)
    _show(findings, form)


def _show(findings: Sequence[Finding], form: Format) -> None:
    from cashtag.cli import output

    output.show([finding.row() for finding in findings], form)
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(1)
