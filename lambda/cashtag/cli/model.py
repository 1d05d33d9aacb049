"""`cashtag model`: the sentiment models that there are, a packaged one of one's own, its server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cashtag.cli.options import Format, FormatOption, LakeOption, settings

if TYPE_CHECKING:
    import threading

model = typer.Typer(
    help="The sentiment models: list them, use a packaged one, serve it on this machine.",
    no_args_is_help=True,
    epilog="Example: cashtag model list",
)


@model.command("list", epilog="Example: cashtag model list --ask")
def list_models(
    ask: Annotated[
        bool,
        typer.Option("--ask", help="Ask every model one question, over the network too (paid)."),
    ] = False,
    lake: LakeOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Show every model that `enrich.model` may name: its version, where it is, whether it is ready.

    Without --ask only those in process are tried.
    """
    from dataclasses import asdict

    from cashtag.cli import output
    from cashtag.sentiment import registry

    output.show([asdict(state) for state in registry.states(settings(lake), ask=ask)], form)


@model.command("use", epilog="Example: cashtag model use build/roberta/model.tar.gz")
def use(
    path: Annotated[
        Path, typer.Argument(help="A packaged folder, or its model.tar.gz.", show_default=False)
    ],
    lake: LakeOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Check a packaged model and choose it: models.roberta.folder and enrich.model in cashtag.toml.

    Packages are written by sagemaker/package_model.py. A folder stays where it is; an archive is
    unpacked to models/VERSION beside the lake. A package brings code that enrichment runs: use
    only packages that you made or trust.
    """
    from cashtag.cli import output
    from cashtag.operate import packages

    used = packages.use(settings(lake), path, os.environ)
    manifest = used.package.manifest
    row = {
        "version": used.package.version,
        "model": manifest.get("name"),
        "precision": manifest.get("precision"),
        "source": (manifest.get("source") or {}).get("id"),
        "folder": str(used.package.folder),
        "settings": str(used.file),
    }
    if form is not Format.table:
        output.show([row], form)
    else:
        for name, value in row.items():
            print(f"{name.ljust(len('precision'))}  {output.cell(value)}")
        done = "unpacked and chosen" if used.unpacked else "chosen"
        print(f"{done}; `cashtag rebuild` scores with it what was scored by another model")
    if notice := manifest.get("notice"):
        typer.echo(f"note: {output.cell(notice)}", err=True)
    for key in used.overruled:
        typer.echo(f"note: {key} is set in the environment too, which wins", err=True)


@model.command("serve", epilog="Example: cashtag model serve --port 8080")
def serve(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", help="The packaged model (default: models.roberta.folder).", metavar="DIR"
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="0: any free one (default: the settings')."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Endpoint to stand for (default: models.sagemaker.name)."),
    ] = None,
    lake: LakeOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Serve a packaged model on 127.0.0.1 as SageMaker does, until it is stopped (Ctrl-C).

    GET /ping and POST /invocations, as a container has them, and InvokeEndpoint, as boto3 calls it.
    """
    from cashtag.cli import output
    from cashtag.errors import SettingsError
    from cashtag.operate.serving import ModelServer
    from cashtag.sentiment import packaged

    chosen = settings(lake)
    roberta = chosen.models.roberta
    if folder is None and not roberta.folder:
        raise SettingsError(
            "models.roberta.folder is empty; give --folder, or set it by `cashtag model use PATH`"
        )
    loaded = packaged.load(packaged.read(folder or roberta.folder), roberta.threads)
    server = ModelServer(loaded, name or chosen.models.sagemaker.name, chosen.models.serve, port)
    stop = _stopped_by_signals()
    with server:
        row = {"version": loaded.package.version, "url": server.url, "endpoint": server.name}
        if form is not Format.table:
            output.show([row], form)
        else:
            print(f"serving {row['version']} on {server.url} as endpoint {server.name}; to use it:")
            print(f"  export AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME={server.url}")
            print("  export AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=local")
            print("  export AWS_SECRET_ACCESS_KEY=local  # boto3 wants some; nobody looks at them")
            print("  cashtag rebuild --model sagemaker", flush=True)
        stop.wait()
    typer.echo("stopped", err=True)


def _stopped_by_signals() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set, so that requests under way are answered first."""
    import signal
    import threading

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
