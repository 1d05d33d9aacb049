"""`cashtag cost`: what each model configuration costs, by list prices and the lake's own volume."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cashtag.cli.options import (
    EnvOption,
    Format,
    FormatOption,
    LakeOption,
    ModelOption,
    ProfileOption,
)
from cashtag.cli.options import settings as load

if TYPE_CHECKING:
    from cashtag.operate.cloud.estimate import Line
    from cashtag.settings import Settings


def cost(
    tweets_per_day: Annotated[
        float | None,
        typer.Option("--tweets-per-day", min=1, help="Instead of the lake's own volume."),
    ] = None,
    characters: Annotated[
        float | None,
        typer.Option("--characters", min=1, help="Of a tweet, instead of the lake's own length."),
    ] = None,
    milliseconds: Annotated[
        float | None,
        typer.Option(
            "--milliseconds", min=0.01, help="A tweet takes a RoBERTa, as measured on your machine."
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option("--memory", min=1, max=6, help="GB of the serverless endpoint."),
    ] = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="A month of the whole stack instead, by its template.")
    ] = False,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
    model: ModelOption = None,
    env: EnvOption = None,
) -> None:
    """Dollars per 1,000 tweets and per month of every way to score them.

    Volume and text lengths are those of the lake's newest runs; without a lake they are assumed.
    With --stack a month of daily runs on AWS, without an account; with --env that of a deployed
    stack, by what its functions did in the last 30 days, and its bill (two cents to ask for).
    """
    if stack or env is not None:
        _stack(load(lake, profile, model), env, tweets_per_day, form)
        return
    from cashtag import services
    from cashtag.cli import output
    from cashtag.operate import cost as counted
    from cashtag.operate.status import run_dates

    chosen = load(lake, profile, model)
    prices = chosen.models.cost
    zones = services.folder_lake(chosen.lake)
    volume = counted.volume_of(zones, prices, tweets_per_day, characters)
    found = counted.prices_of(chosen, volume, milliseconds=milliseconds, memory_gb=memory)
    asked = counted.discovered(zones.raw, run_dates(zones)[-prices.runs :], prices)
    rows = [price.row() for price in (*found, *([asked] if asked else ()))]
    if form is Format.json:
        whole = {"volume": asdict(volume), "prices": rows, "note": counted.NOTE}
        print(output.as_json(whole))
        return
    output.show(rows, form)
    if form is Format.table:
        print(
            f"{volume.tweets_per_day:,.0f} tweets a day of {volume.characters:.0f} characters "
            f"({volume.source}).\n{counted.NOTE}"
        )


def _stack(settings: Settings, env: str | None, tweets: float | None, form: Format) -> None:
    from cashtag.cli import output
    from cashtag.operate.cloud import estimate

    billed: list[dict[str, Any]] | None = None
    if env is None:
        lines = estimate.estimate(settings, tweets_per_day=tweets)
        source = estimate.assumed(settings).source
    else:
        lines, billed, source = _deployed(settings, env, tweets)
    rows = [line.row() for line in (*lines, estimate.total(lines))]
    if form is Format.json:
        whole = {"estimate": rows, "usage": source, "billed": billed, "note": estimate.NOTE}
        print(output.as_json(whole))
        return
    output.show(rows, form)
    if form is not Format.table:
        return
    print(f"Usage {source}. {estimate.NOTE}")
    if billed:
        output.show(billed, form, title="Billed so far")
    elif billed is not None:
        from cashtag.operate.cloud.bill import HOW_TO_ACTIVATE

        print(f"Cost Explorer has nothing under the stack's name yet: {HOW_TO_ACTIVATE}.")


def _deployed(
    settings: Settings, env: str, tweets: float | None
) -> tuple[list[Line], list[dict[str, Any]], str]:
    from datetime import UTC, datetime

    from cashtag.operate import account
    from cashtag.operate import stack as stacks
    from cashtag.operate.cloud import bill, estimate

    session = account.session(settings)
    found = stacks.find(settings, env, session)
    now = datetime.now(UTC)
    calls = bill.calls(found, session, now)
    lines = estimate.estimate(
        found.settings(settings), given=found.parameters, calls=calls, tweets_per_day=tweets
    )
    return lines, [one.row() for one in bill.bill(found, session, now.date())], calls.source
