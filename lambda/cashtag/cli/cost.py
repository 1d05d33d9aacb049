"""`cashtag cost`: what each model configuration costs, by list prices and the lake's own volume."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cashtag.cli.options import Format, FormatOption, LakeOption, ModelOption, ProfileOption
from cashtag.cli.options import settings as load


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
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
    model: ModelOption = None,
) -> None:
    """Dollars per 1,000 tweets and per month of every way to score them.

    Volume and text lengths are those of the lake's newest runs; without a lake they are assumed.
    """
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
