"""The tree of commands, each imported only when it is called for."""

from __future__ import annotations

import typer

from cashtag.cli import (
    accounts,
    ask,
    backfill,
    cloud,
    configure,
    cost,
    data,
    day,
    deploying,
    destroying,
    forgetting,
    model,
    rescoring,
    review,
    running,
    scheduling,
)

app = typer.Typer(
    name="cashtag",
    help="From tweet to lake to signal to order: a daily data lake of stock-market sentiment, "
    "and the desk that trades on it. Educational; not investment advice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Start with: cashtag run --source sample",
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("run", epilog="Example: cashtag run --source sample --from 2026-03-02 --to 2026-03-31")(
    day.run
)
app.command("rebuild", epilog="Example: cashtag rebuild --from 2026-03-02 --to 2026-03-31")(
    day.rebuild
)
app.command(
    "rescore", epilog="Example: cashtag rescore --model roberta --from 2026-03-02 --to 2026-03-31"
)(rescoring.rescore)
app.command("report", epilog="Example: cashtag report --open")(day.report)
app.command(
    "sql", epilog='Example: cashtag sql "SELECT ticker, count(*) AS n FROM tweets GROUP BY ticker"'
)(ask.sql)
app.command("status", epilog="Example: cashtag status --format json")(ask.status)
app.command("explain", epilog="Example: cashtag explain NVDA 2026-04-15")(ask.explain)
app.command("evaluate", epilog="Example: cashtag evaluate labelled.csv --model lexicon")(
    ask.evaluate
)
app.command("cost", epilog="Example: cashtag cost --tweets-per-day 3000")(cost.cost)
app.command("logs", epilog="Example: cashtag logs signals --since 2h --follow")(cloud.logs)
app.command("redrive", epilog="Example: cashtag redrive enrich --dry-run")(cloud.redrive)
app.add_typer(running.services, name="services")
app.command(
    "deploy", epilog="Example: cashtag deploy --env dev --parameter AlertEmail=me@example.com"
)(deploying.deploy)
app.command("destroy", epilog="Example: cashtag destroy --env dev")(destroying.destroy)
app.add_typer(review.review, name="review")
app.add_typer(data.importing, name="import")
app.add_typer(data.exporting, name="export")
app.command("forget", epilog="Example: cashtag forget 2027358381416006828 --dry-run")(
    forgetting.forget
)
app.add_typer(backfill.backfill, name="backfill")
app.add_typer(configure.config, name="config")
app.add_typer(accounts.accounts, name="accounts")
app.add_typer(scheduling.scheduling, name="schedule")
app.add_typer(model.model, name="model")
app.command("doctor", epilog="Example: cashtag doctor --live")(configure.doctor)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    if version:
        import cashtag

        typer.echo(f"cashtag {cashtag.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
