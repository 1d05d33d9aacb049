"""`cashtag import` and `cashtag export`: raw data of others into the lake, rows out of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from cashtag.exchange.importing import Imported

importing = typer.Typer(
    help="Bring raw data of others into the lake; what cannot be read is kept in quarantine.",
    no_args_is_help=True,
    epilog="Example: cashtag import twitter-v1 tweets/",
)
exporting = typer.Typer(
    help="Write rows of the lake in formats that others read.",
    no_args_is_help=True,
    epilog="Example: cashtag export reference out/ --ticker NVDA",
)

PathsArgument = Annotated[
    list[Path], typer.Argument(metavar="PATH…", help="Files or folders, plain or .gz.")
]
TickerOption = Annotated[
    str | None, typer.Option("--ticker", help="Symbol, where the file name does not say it.")
]


def _bring(
    format_name: str,
    paths: list[Path],
    ticker: str | None,
    lake: str | None,
    form: Format,
    collected: int | None = None,
) -> None:
    from cashtag import services
    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.exchange import importing as bring

    chosen = settings(lake)
    zones = services.folder_lake(chosen.lake)
    with progress(f"importing {format_name}") as tick:
        imported: Imported = bring.bring(
            zones,
            chosen,
            format_name,
            paths,
            ticker=ticker,
            collected=collected,
            progress=tick,
        )
    output.show(imported.rows(), form, title=f"Imported into {zones.raw.uri()}")
    if imported.accepted == 0:
        raise typer.Exit(2)


@importing.command("twitter-v1", epilog="Example: cashtag import twitter-v1 tweets/AAPL.jsonl.gz")
def twitter_v1(
    paths: PathsArgument,
    ticker: TickerOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
) -> None:
    """Twitter API v1.1 objects, one JSON a line; the ticker is in the file name."""
    _bring("twitter-v1", paths, ticker, lake, form)


@importing.command("twscrape", epilog="Example: cashtag import twscrape NVDA.jsonl")
def twscrape(
    paths: PathsArgument,
    ticker: TickerOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
) -> None:
    """Tweets as twscrape prints them, one JSON a line."""
    _bring("twscrape", paths, ticker, lake, form)


@importing.command("reference", epilog="Example: cashtag import reference NVDA-2025-08-29.json")
def reference(
    paths: PathsArgument,
    ticker: TickerOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
) -> None:
    """JSON arrays of earlier pipelines, named {TICKER}-{YYYY-MM-DD}.json."""
    _bring("reference", paths, ticker, lake, form)


@importing.command("bars", epilog="Example: cashtag import bars prices/")
def bars(
    paths: PathsArgument,
    ticker: TickerOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
) -> None:
    """Daily bars as CSV: any column order, one or two header rows; the ticker is in the name."""
    _bring("bars", paths, ticker, lake, form)


@importing.command("options", epilog="Example: cashtag import options chains/")
def options(
    paths: PathsArgument,
    ticker: TickerOption = None,
    collected: Annotated[
        str | None,
        typer.Option(
            "--collected", metavar="MOMENT", help="When (ISO, UTC), where no meta.json says it."
        ),
    ] = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
) -> None:
    """Option chains as CSV in yfinance's shape; each goes to the first run that could know it."""
    _bring("options", paths, ticker, lake, form, _moment(collected))


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    from cashtag.enrich.moments import milliseconds
    from cashtag.errors import InputError

    found = milliseconds(text)
    if found is None:
        raise InputError(f"--collected {text!r} is no moment; write it as 2026-08-17T14:05Z")
    return found


@exporting.command("reference", epilog="Example: cashtag export reference out/ --ticker NVDA")
def export_reference(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    ticker: TickerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
) -> None:
    """Enriched tweets as {TICKER}-{YYYY-MM-DD}.json, one file a ticker and run."""
    from cashtag import services
    from cashtag.cli import output
    from cashtag.exchange import exporting as write

    zones = services.folder_lake(settings(lake).lake)
    files = write.reference(
        zones, folder, ticker=ticker, first=day(first, "--from"), last=day(last, "--to")
    )
    output.show([{"file": str(path), "tweets": n} for path, n in files], form)
