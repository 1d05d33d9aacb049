"""`cashtag deploy` and `cashtag destroy`: a stack up or down by one command, each seen beforehand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cashtag.cli.options import EnvOption, Format, FormatOption
from cashtag.cli.options import settings as load

if TYPE_CHECKING:
    from cashtag.operate.bundle import Bundle
    from cashtag.operate.deploying.changes import ChangeSet
    from cashtag.operate.deploying.deployment import Done, Target
    from cashtag.operate.deploying.watching import Say
    from cashtag.operate.doctor import Finding
    from cashtag.ports import Progress
    from cashtag.settings import Settings

YesOption = Annotated[bool, typer.Option("--yes", help="Ask nothing; for scripts.")]


def deploy(
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would change; execute nothing. Needs no account."
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
    from cashtag.operate import stack as stacks
    from cashtag.operate.cloud import template as reading
    from cashtag.operate.deploying import checks, deployment, parameters

    settings = load()
    chosen_env = stacks.environment(settings, env)
    chosen = parameters.given(parameter or [])
    names = [deployment.MAIN, *([deployment.QUICKSIGHT] if quicksight else ())]
    templates = [reading.load(name) for name in names]
    parameters.check(templates, chosen)
    session = _session(settings, optional=dry_run)
    built = None if "CodeKey" in chosen else _build(settings)
    if session is None:
        _offline(settings, names, chosen, form)
        return
    target = deployment.Target(
        settings, chosen_env, session, tell=_note, following=_following, agree=_agree(yes)
    )
    caller, finding = checks.who(session)
    values = {"Environment": chosen_env, **chosen}
    values |= _ready(target, caller.account, built, values, [finding], form)
    if quicksight:  # what is missing for the second stack is told before the first is changed
        beside = deployment.sibling(target)
        deployment.choices(beside, {**deployment.shared(target, None), **values}, beside.look())
    show = _show(form, dry_run=dry_run, yes=yes, replace_data=replace_data)
    done = deployment.bring_up(target, values["CodeBucket"], values, show)
    if done is None:
        if dry_run:
            _note("nothing was executed (--dry-run); what it costs: cashtag cost --stack")
            return
        _note("nothing was executed")
        raise typer.Exit(1)
    told = _beside(target, values, done, show) if quicksight else {}
    _end(settings, session, done, told, form)


def _session(settings: Settings, *, optional: bool) -> Any:
    """A session of the account; None where there is none and none is needed."""
    from cashtag.errors import CloudError
    from cashtag.operate import account

    try:
        return account.session(settings)
    except CloudError as error:
        if not optional:
            raise
        _note(f"without an account: {error}")
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
    _note(built.told())
    return built


def _offline(settings: Settings, names: list[str], chosen: dict[str, str], form: Format) -> None:
    """What can be said without an account: the template, and what it makes."""
    from collections import Counter

    from cashtag import resources
    from cashtag.cli import output
    from cashtag.errors import InputError
    from cashtag.operate.cloud import template as reading
    from cashtag.operate.deploying import checks, parameters

    rows: list[dict[str, Any]] = []
    for name in names:
        whole = reading.load(name)
        finding = checks.template(whole, resources.path("cloudformation", name).stat().st_size)
        _note(f"{name}: {finding.found}")
        if finding.verdict == "fail":
            raise InputError(f"cloudformation/{name} is no template to deploy: {finding.found}")
        values = parameters.values(whole, dict(chosen))
        kinds = Counter(told["Type"] for told in reading.active(whole, values).values())
        rows += [
            {"action": "Add", "template": name, "type": kind.removeprefix("AWS::"), "resources": n}
            for kind, n in sorted(kinds.items())
        ]
    output.show(rows, form)
    _note("nothing was asked of AWS (--dry-run); what it costs: cashtag cost --stack")


def _ready(
    target: Target,
    number: str,
    built: Bundle | None,
    values: dict[str, str],
    findings: list[Finding],
    form: Format,
) -> dict[str, str]:
    """Check what there is to check, upload the zip; return parameters that follow from it."""
    from cashtag.cli import output
    from cashtag.errors import CloudError, InputError
    from cashtag.operate.deploying import artifacts, checks, deployment, parameters

    bucket = values.get("CodeBucket") or artifacts.bucket_name(number, target.session.region_name)
    found = deployment.settled(target)
    whole, key = target.whole(), values.get("CodeKey", "functions/zip")
    told = deployment.choices(target, {**values, "CodeBucket": bucket, "CodeKey": key}, found)
    deployed = (
        found.parameters if found is not None and found.status != "REVIEW_IN_PROGRESS" else None
    )
    will = parameters.values(whole, told, deployed)
    findings.append(checks.template(whole, target.path.stat().st_size))
    findings += checks.layers(target.session, whole, will)
    room, finding = checks.concurrency(target.settings, target.session, whole, will, deployed)
    findings.append(finding)
    if form is Format.table:
        output.show([one.row() for one in findings], form, title=f"before {target.name}")
    broken = [one for one in findings if one.verdict == "fail"]
    if broken:
        raise CloudError("; ".join(f"{one.what}: {one.found}; {one.remedy}" for one in broken))
    more = {"CodeBucket": bucket}
    if "ReserveConcurrency" not in values:
        more["ReserveConcurrency"] = "true" if room else "false"
    elif values["ReserveConcurrency"] == "true" and not room:
        raise InputError(f"--parameter ReserveConcurrency=true is refused: {finding.found}")
    if artifacts.ensure(target.session, bucket, number):
        _note(f"made bucket {bucket}")
    if built is not None:
        more["CodeKey"] = artifacts.put_code(target.session, bucket, built.path, built.content)
    elif not artifacts.has(target.session, bucket, values["CodeKey"]):
        raise InputError(f"--parameter CodeKey={values['CodeKey']} is no object of s3://{bucket}")
    return more


def _show(
    form: Format, *, dry_run: bool, yes: bool, replace_data: bool
) -> Callable[[ChangeSet], bool]:
    """What is done with a change set before it is executed: it is shown, and leave is asked for."""
    from cashtag.cli import output
    from cashtag.errors import InputError

    def show(planned: ChangeSet) -> bool:
        output.show(
            [change.row() for change in planned.changes],
            form,
            title=f"stack {planned.stack} {'would be' if dry_run else 'is'} "
            f"{'created' if planned.creates else 'changed'}: {len(planned.changes)} changes",
            columns=("action", "resource", "type", "replacement", "mind"),
        )
        if dry_run:
            return False
        if planned.protected and not replace_data:
            raise InputError(
                f"this takes {', '.join(planned.protected)} from stack {planned.stack}, which nothing "
                "brings back: undo what causes it, or add --replace-data"
            )
        return _agree(yes)(f"Execute these changes of stack {planned.stack}?")

    return show


def _beside(
    target: Target, values: dict[str, str], done: Done, show: Callable[[ChangeSet], bool]
) -> dict[str, str]:
    """Deploy the QuickSight stack beside the main one; return what it gives out."""
    from cashtag.operate.deploying import deployment

    beside = deployment.sibling(target)
    mine = deployment.shared(target, done.stack)
    second = deployment.bring_up(beside, values["CodeBucket"], {**mine, **values}, show)
    return {} if second is None else dict(second.stack.outputs)


def _end(
    settings: Settings, session: Any, done: Done, quicksight: dict[str, str], form: Format
) -> None:
    """The smoke test, the addresses, and what is left to do after a first deployment."""
    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.operate.deploying import smoke

    stack = done.stack
    what = "created" if done.created else "changed" if done.changed else "as it should be already"
    _note(f"stack {stack.name} in {stack.region} is {what}")
    with progress("smoke test"):
        findings = smoke.ask(settings, session, stack)
    addresses = smoke.addresses(stack, quicksight)
    if form is Format.json:
        print(output.as_json({"smoke": [one.row() for one in findings], "addresses": addresses}))
    else:
        output.show([one.row() for one in findings], form, title="smoke test")
        output.show(addresses, form)
    failed = {one.what for one in findings if one.verdict == "fail"}
    if done.created or failed:
        for step in smoke.left_to_do(stack):
            _note(f"left to do: {step}")
    later = done.created and failed <= {*smoke.BROUGHT_LATER}
    if failed and not later:
        _note(f"deployed, but the smoke test failed: {', '.join(sorted(failed))}")
        raise typer.Exit(1)


def destroy(
    all_data: Annotated[
        bool,
        typer.Option("--all-data", help="Also raw data and the ledger. Nothing brings them back."),
    ] = False,
    yes: YesOption = False,
    form: FormatOption = Format.table,
    env: EnvOption = None,
) -> None:
    """Take the stack down. Raw data and the ledger stay, unless told; asks for the stack's name.

    Run it again after any break. Without a stack, --all-data removes what an earlier one left.
    """
    from cashtag.cli import output
    from cashtag.operate import account
    from cashtag.operate import stack as stacks
    from cashtag.operate.deploying import deployment, destruction

    settings = load()
    session = _session(settings, optional=False)
    number = account.caller(session).account
    chosen_env = stacks.environment(settings, env)
    target = deployment.Target(settings, chosen_env, session, tell=_note, following=_following)
    found = target.look()
    rows = [one.row(all_data) for one in destruction.buckets(target, number)]
    nothing = found is None and all(row["what"] == "STAYS" for row in rows)
    what = "is not deployed" if nothing else "is taken down"
    title = f"stack {target.name} {what} in {session.region_name}"
    output.show(rows, form, title=title, columns=("bucket", "what"))
    if nothing:
        return
    if not yes:
        _typed(target.name)
    stays = destruction.what_stays(target, number, found, all_data=all_data)
    for line in destruction.take_down(target, number, all_data=all_data):
        _note(line)
    for line in stays:
        _note(line)


def _typed(name: str) -> None:
    """Have the stack's name typed."""
    from cashtag.errors import InputError

    if not sys.stdin.isatty():
        raise InputError(f"taking {name} down needs its name typed on a terminal; or add --yes")
    answer = typer.prompt("Type the stack's name to take it down", err=True)
    if answer.strip() != name:
        raise InputError(f"{answer.strip()!r} is not {name}: nothing was taken down")


def _agree(yes: bool) -> Callable[[str], bool]:
    """A function that asks a person, unless leave was given beforehand."""
    from cashtag.errors import InputError

    def ask(question: str) -> bool:
        if yes:
            return True
        if not sys.stdin.isatty():
            raise InputError(f"{question} Nobody is there to answer; add --yes to go on")
        return typer.confirm(question, err=True)

    return ask


@contextmanager
def _following(title: str) -> Iterator[tuple[Say, Progress]]:
    """While a stack changes: a bar on a terminal, a line for each event elsewhere."""
    from cashtag.cli import output
    from cashtag.cli.progress import progress

    with progress(title) as tick:
        if sys.stderr.isatty():
            yield lambda _: None, tick
        else:
            yield lambda event: _note(output.cell(event.line())), tick


def _note(text: str) -> None:
    """A line for a person, beside what the command prints."""
    from cashtag.redaction import redacted

    print(redacted(text), file=sys.stderr)
