"""`cashtag review`: thresholds that fire or not, signals that look ahead or not, models side by side."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from cashtag.cli.options import (
    Format,
    FormatOption,
    FromOption,
    LakeOption,
    Profile,
    ProfileOption,
    ToOption,
    day,
    settings,
)

if TYPE_CHECKING:
    from cashtag.ports import Env
    from cashtag.research.models import Comparison

review = typer.Typer(
    help="Judge the lake: thresholds that fire, signals that look ahead, models side by side.",
    no_args_is_help=True,
    epilog="Example: cashtag review thresholds",
)


def _reviewed(
    lake: str | None, profile: Profile | None, first: str | None, last: str | None
) -> tuple[Env, date, date]:
    """The lake to judge, and the first and last of its sessions that were asked for."""
    from cashtag import services
    from cashtag.operate import questions

    env = services.embedded(settings(lake, profile))
    return env, *questions.sessions_of(env.lake, day(first, "--from"), day(last, "--to"))


@review.command("thresholds", epilog="Example: cashtag review thresholds --from 2026-03-02")
def thresholds(
    first: FromOption = None,
    last: ToOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
) -> None:
    """Print how often each threshold and each gate fires on this lake."""
    from cashtag.cli import output
    from cashtag.signals import thresholds as counted

    env, start, end = _reviewed(lake, profile, first, last)
    output.show([asdict(rate) for rate in counted.review(env, start, end)], form)


@review.command("lookahead", epilog="Example: cashtag review lookahead --from 2014-06-02")
def lookahead(
    first: FromOption = None,
    last: ToOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
) -> None:
    """Print daily rank correlations of sentiment with returns before and after the decision."""
    from cashtag.cli import output
    from cashtag.research import lookahead as figures

    env, start, end = _reviewed(lake, profile, first, last)
    output.show([asdict(figure) for figure in figures.figures(env, start, end)], form)
    if form is Format.table:
        print(
            "A correct pipeline describes the past and does not know the future. Over about a\n"
            "hundred variants |t| near 2 is noise."
        )


@review.command("models", epilog="Example: cashtag review models --model lexicon --model roberta")
def models(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="VERSION",
            help="A recorded version, or how it begins; twice (default: every pair).",
        ),
    ] = None,
    first: FromOption = None,
    last: ToOption = None,
    form: FormatOption = Format.table,
    lake: LakeOption = None,
    profile: ProfileOption = None,
) -> None:
    """Compare sentiment models on the tweets that the lake has recorded answers of.

    Agreement, confusion, spread of polarity, and what the other model would change in the daily
    polarity and the sentiment signals of each ticker. Record a second one by `cashtag rescore`.
    """
    from itertools import combinations

    from cashtag import sessions
    from cashtag.cli import output
    from cashtag.cli.progress import progress
    from cashtag.errors import InputError
    from cashtag.research import models as pairs

    env, start, end = _reviewed(lake, profile, first, last)
    begin = sessions.window(start, env.settings.scrape.cutoff_utc)[0]
    held = sorted(pairs.recorded(env.lake, begin, end))
    chosen = [pairs.version_named(held, text, "--model") for text in model or held]
    if len(set(chosen)) < 2:
        raise InputError(
            f"{len(set(chosen))} model version recorded or chosen ({', '.join(chosen) or 'none'}); "
            "two are compared: record another with `cashtag rescore --model NAME`"
        )
    found = []
    for a, b in combinations(dict.fromkeys(chosen), 2):
        with progress(f"{a} and {b}") as tick:
            found.append(pairs.compare(env, a, b, start, end, tick))
    if form is Format.json:
        output.show([asdict(one) for one in found], form)
        return
    if form is Format.csv:
        rows = [{"a": one.a, "b": one.b, **asdict(row)} for one in found for row in one.figures]
        output.show(rows, form)
        return
    for one in found:
        _compared(one)


def _compared(one: Comparison) -> None:
    from cashtag.cli import output

    title = f"{one.a} (rows, a) and {one.b} (columns, b), {one.first} to {one.last}"
    output.show([asdict(row) for row in one.figures], Format.table, title=title)
    counts = [{"a": label, **row} for label, row in one.confusion.items()]
    output.show(counts, Format.table, title="Labels of the same texts")
    spread = [{"version": version, **row} for version, row in one.distributions.items()]
    output.show(spread, Format.table, title="Polarity of the texts")
    output.show([one.signals], Format.table, title="Sentiment signals by either")
