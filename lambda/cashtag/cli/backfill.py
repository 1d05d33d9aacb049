"""`cashtag backfill`: data of the past from live sources into raw."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cashtag.cli.options import (
    Format,
    FormatOption,
    FromOption,
    LakeOption,
    ToOption,
    day,
    settings,
)

backfill = typer.Typer(
    help="Fetch data of the past into the lake, for archive runs and research.",
    no_args_is_help=True,
    epilog="Example: cashtag backfill prices --from 2024-01-02",
)


class BarSourceName(StrEnum):
    """A source of daily bars."""

    alpaca = "alpaca"
    yahoo = "yahoo"


@backfill.command(
    "prices", epilog="Example: cashtag backfill prices --from 2024-01-02 --ticker SPY"
)
def prices(
    first: FromOption = None,
    last: ToOption = None,
    ticker: Annotated[
        list[str] | None,
        typer.Option(
            "--ticker", metavar="SYMBOL", help="Only this one; may be given several times."
        ),
    ] = None,
    source: Annotated[
        BarSourceName | None,
        typer.Option("--source", help="Ask only this one (default: live.prices.chain)."),
    ] = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
) -> None:
    """Daily bars of the lake's tickers: raw and adjusted closes, splits and dividends.

    Without --ticker: the watchlist, every ticker with tweets, SPY and ^VIX. Bars that the lake
    holds already add nothing. A stock that trades no more is refused as stale: give its last
    session as --to. Ends with 5 when every ticker was refused.
    """
    from cashtag import services
    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.errors import InputError, SourceRefused
    from cashtag.operate import backfill as filling
    from cashtag.scrape import credentials

    start, end = day(first, "--from"), day(last, "--to")
    if start is not None and end is not None and start > end:
        raise InputError(f"--from {start} lies after --to {end}")
    own = settings(lake)
    raw = services.folder_lake(own.lake).raw
    asked = filling.chosen(own, ticker) if ticker else filling.of_lake(raw, own)
    keys = credentials.alpaca_keys(own)
    if source is BarSourceName.alpaca and keys is None:
        raise InputError(
            f"--source alpaca needs keys; put [alpaca] key_id and secret_key into "
            f"{own.live.secrets_file}, or use --source yahoo"
        )
    services.need_live("backfill")
    with progress("fetching bars") as tick:
        found = [
            one.row()
            for one in filling.prices(
                raw,
                own,
                keys,
                asked,
                start,
                end,
                source=source.value if source else None,
                progress=tick,
            )
        ]
    output.show(sorted(found, key=lambda row: row["ticker"]), form)
    if not any(row["bars"] for row in found):
        raise SourceRefused(
            f"no source gave bars of any of {len(found)} tickers; the column `refused` says why"
        )
