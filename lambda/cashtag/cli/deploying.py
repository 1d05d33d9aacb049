"""`cashtag deploy`: a stack brought up, or up to date, by one command whose changes are seen first."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cashtag.cli import changing
from cashtag.cli.changing import YesOption
from cashtag.cli.options import EnvOption, Format, FormatOption
from cashtag.cli.options import settings as load

if TYPE_CHECKING:
    from cashtag.operate.bundle import Bundle
    from cashtag.operate.deploying.changes import ChangeSet
    from cashtag.operate.deploying.deployment import Done, Target
    from cashtag.operate.doctor import Finding
    from cashtag.settings import Settings


def deploy(
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show what would change; execute nothing. Needs no account; with one the "
            "template and the zip are put into the bucket of artefacts, to ask CloudFormation.",
        ),
    ] = False,
    quicksight: Annotated[
        bool,
        typer.Option("--quicksight", help="Also the QuickSight dashboard, a stack of its own."),
    ] = False,
    yes: YesOption = False,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="NAME=VALUE", help="Of the template; stays chosen."),
    ] = None,
    replace_data: Annotated[
        bool,
        typer.Option("--replace-data", help="Execute even what takes raw, ledger or key away."),
    ] = False,
    form: FormatOption = Format.table,
    env: EnvOption = None,
) -> None:
    """Bring the stack up, or up to date: build, check, show the changes, execute, follow, smoke test.

    Run it again after any break. Ends with 0 when all is well or nothing was to change, with 1 when
    you said no or the smoke test failed, with 7 when AWS refused.
    """
    from cashtag.errors import InputError
    from cashtag.operate import stack as stacks
    from cashtag.operate.cloud import template as reading
    from cashtag.operate.deploying import deployment, parameters, readiness

    settings = load()
    chosen_env = stacks.environment(settings, env)
    chosen = parameters.given(parameter or [])
    names = [deployment.MAIN, *([deployment.QUICKSIGHT] if quicksight else ())]
    parameters.check([reading.load(name) for name in names], chosen)
    if chosen.setdefault("Environment", chosen_env) != chosen_env:
        raise InputError(
            f"--parameter Environment={chosen['Environment']} is another than the stack's, "
            f"{chosen_env}: choose the stack by --env"
        )
    session = _session(settings, optional=dry_run)
    built = None if "CodeKey" in chosen else _build(settings)
    words = _Words(form, dry_run=dry_run, yes=yes, replace_data=replace_data)
    if session is None:
        words.offline(names, chosen)
        return
    target = deployment.Target(
        settings,
        chosen_env,
        session,
        tell=changing.note,
        following=changing.following,
        agree=changing.agreeing(yes),
    )
    values = readiness.ready(target, built, chosen, words.before)
    if quicksight:  # what is missing for the second stack is told before the first is changed
        beside = deployment.sibling(target)
        deployment.choices(beside, {**deployment.shared(target, None), **values}, beside.look())
    done = deployment.bring_up(target, values["CodeBucket"], values, words.show)
    if done is None:
        words.not_done()
        return
    told = _beside(target, values, done, words) if quicksight else {}
    words.done(settings, session, done, told)


def _session(settings: Settings, *, optional: bool) -> Any:
    """A session of the account; None where there is none and none is needed."""
    from cashtag.errors import CloudError
    from cashtag.operate import account

    try:
        return account.session(settings)
    except CloudError as error:
        if not optional:
            raise
        changing.note(f"without an account: {error}")
        return None


def _build(settings: Settings) -> Bundle:
    from cashtag.cli.progress import progress
    from cashtag.operate import bundle
    from cashtag.operate.wheels import Target as Built

    wanted = settings.aws.functions
    with progress("the functions' zip") as tick:
        built = bundle.build(
            Path("build", "function.zip"),
            Built(wanted.python, wanted.architecture),
            limit_megabytes=wanted.unzipped_megabytes,
            progress=tick,
        )
    changing.note(built.told())
    return built


def _beside(target: Target, values: Mapping[str, str], done: Done, words: _Words) -> dict[str, str]:
    """Deploy the QuickSight stack beside the main one; return what it gives out."""
    from cashtag.operate.deploying import deployment

    beside = deployment.sibling(target)
    mine = deployment.shared(target, done.stack)
    second = deployment.bring_up(beside, values["CodeBucket"], {**mine, **values}, words.show)
    return {} if second is None else dict(second.stack.outputs)


@dataclass
class _Words:
    """What a deployment prints: tables as it goes, or one JSON object at its end."""

    form: Format
    dry_run: bool
    yes: bool
    replace_data: bool
    rows: list[dict[str, Any]] = field(default_factory=list)

    def _table(self, rows: Sequence[Mapping[str, Any]], title: str | None = None) -> None:
        """A table; beside the data where a program reads that."""
        from cashtag.cli import output

        aside = nullcontext() if self.form is Format.table else redirect_stdout(sys.stderr)
        with aside:
            output.show(rows, Format.table, title=title)

    def _data(self, **more: Any) -> None:
        """All that was told, for a program."""
        from cashtag.cli import output

        if self.form is Format.json:
            print(output.as_json({"changes": self.rows, **more}))
        elif self.form is Format.csv:
            output.show(self.rows, Format.csv)

    def before(self, findings: Sequence[Finding]) -> None:
        """What was looked at before."""
        self._table([one.row() for one in findings], "before anything is made")

    def show(self, planned: ChangeSet) -> bool:
        """Show a change set; say whether it is to be executed."""
        from cashtag.errors import InputError

        rows = [{"stack": planned.stack, **change.row()} for change in planned.changes]
        self.rows += rows
        would = "would be" if self.dry_run else "is"
        what = "created" if planned.creates else "changed"
        self._table(
            [change.row() for change in planned.changes],
            f"stack {planned.stack} {would} {what}: {len(rows)} changes",
        )
        if self.dry_run:
            return False
        if planned.protected and not self.replace_data:
            raise InputError(
                f"this takes {', '.join(planned.protected)} from stack {planned.stack}, which nothing "
                "brings back: undo what causes it, or add --replace-data"
            )
        return changing.agreeing(self.yes)(f"Execute these changes of stack {planned.stack}?")

    def not_done(self) -> None:
        """Nothing was executed: on demand, or because a person said no."""
        self._data()
        if not self.dry_run:
            changing.note("nothing was executed")
            raise typer.Exit(1)
        changing.note("nothing was executed (--dry-run); what it costs: cashtag cost --stack")

    def offline(self, names: Sequence[str], chosen: Mapping[str, str]) -> None:
        """What can be said without an account: each template, and what it makes."""
        from collections import Counter

        from cashtag import resources
        from cashtag.errors import InputError
        from cashtag.operate.cloud import template as reading
        from cashtag.operate.deploying import checks, parameters

        for name in names:
            whole = reading.load(name)
            finding = checks.template(whole, resources.path("cloudformation", name).stat().st_size)
            changing.note(f"{name}: {finding.found}")
            if finding.verdict == "fail":
                raise InputError(f"cloudformation/{name} is no template to deploy: {finding.found}")
            made = reading.active(whole, parameters.values(whole, dict(chosen)))
            kinds = Counter(told["Type"].removeprefix("AWS::") for told in made.values())
            self.rows += [
                {"action": "Add", "template": name, "type": kind, "resources": number}
                for kind, number in sorted(kinds.items())
            ]
        if self.form is Format.table:
            self._table(self.rows)
        self._data()
        changing.note("nothing was asked of AWS (--dry-run); what it costs: cashtag cost --stack")

    def done(
        self, settings: Settings, session: Any, done: Done, quicksight: Mapping[str, str]
    ) -> None:
        """The smoke test, the addresses, and what is left to do after a first deployment."""
        from cashtag.cli.progress import progress
        from cashtag.operate.deploying import smoke

        stack = done.stack
        changed = "changed" if done.changed else "as it should be already"
        what = "created" if done.created else changed
        changing.note(f"stack {stack.name} in {stack.region} is {what}")
        with progress("smoke test"):
            findings = smoke.ask(settings, session, stack)
        addresses = smoke.addresses(stack, quicksight)
        rows = [one.row() for one in findings]
        self._table(rows, "smoke test")
        self._table(addresses)
        self._data(stack=stack.name, now=what, smoke=rows, addresses=addresses)
        failed = {one.what for one in findings if one.verdict == "fail"}
        if done.created or failed:
            for step in smoke.left_to_do(stack):
                changing.note(f"left to do: {step}")
        later = done.created and failed <= {*smoke.BROUGHT_LATER}
        if failed and not later:
            changing.note(f"deployed, but the smoke test failed: {', '.join(sorted(failed))}")
            raise typer.Exit(1)
