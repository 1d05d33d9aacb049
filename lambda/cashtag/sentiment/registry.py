"""The sentiment models that settings can name, each loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cashtag.errors import CashtagError, SettingsError

if TYPE_CHECKING:
    from cashtag.ports import Scorer
    from cashtag.settings import Settings

_QUESTION = "The company reports its results on Thursday after the close."
_NOT_ASKED = "not asked; see --ask"


def _lexicon(_settings: Settings) -> Scorer:
    from cashtag.sentiment.lexicon import LexiconScorer

    return LexiconScorer()


def _roberta(settings: Settings) -> Scorer:
    from cashtag.sentiment import roberta

    return roberta.of(settings)


def _sagemaker(settings: Settings) -> Scorer:
    from cashtag.sentiment.sagemaker import EndpointScorer

    return EndpointScorer(settings, settings.models.sagemaker, "sagemaker")


def _finbert(settings: Settings) -> Scorer:
    from cashtag.sentiment.sagemaker import EndpointScorer

    return EndpointScorer(settings, settings.models.finbert, "finbert")


def _comprehend(settings: Settings) -> Scorer:
    from cashtag.sentiment.comprehend import ComprehendScorer

    return ComprehendScorer(settings)


def _bedrock(settings: Settings) -> Scorer:
    from cashtag.sentiment.bedrock import BedrockScorer

    return BedrockScorer(settings)


def _ensemble(settings: Settings) -> Scorer:
    from cashtag.sentiment import ensemble

    names = settings.enrich.ensemble.models
    if unknown := sorted({*names} - {*_MODELS} | {*names} & {ensemble.NAME}):
        raise SettingsError(
            f"enrich.ensemble.models names {', '.join(unknown)}; known are "
            f"{', '.join(name for name in known() if name != ensemble.NAME)}"
        )
    return ensemble.make(settings, {name: scorer(settings, name) for name in names})


@dataclass(frozen=True)
class _Model:
    make: Callable[[Settings], Scorer]
    where: Callable[[Settings], str]
    remote: bool = False
    """Reached over a network: to know that it is ready is to ask it."""


_MODELS: dict[str, _Model] = {
    "lexicon": _Model(_lexicon, lambda _: "in process"),
    "roberta": _Model(_roberta, lambda s: f"in process, {s.models.roberta.folder or 'no folder'}"),
    "sagemaker": _Model(_sagemaker, lambda s: f"endpoint {s.models.sagemaker.name}", remote=True),
    "finbert": _Model(_finbert, lambda s: f"endpoint {s.models.finbert.name}", remote=True),
    "comprehend": _Model(_comprehend, lambda _: "Amazon Comprehend", remote=True),
    "bedrock": _Model(_bedrock, lambda s: f"Bedrock, {s.models.bedrock.model_id}", remote=True),
    "ensemble": _Model(_ensemble, lambda s: " + ".join(s.enrich.ensemble.models), remote=True),
}


@dataclass(frozen=True)
class State:
    """A model that settings can name: where it is, and whether it could answer now."""

    name: str
    chosen: bool
    version: str | None
    """None where only the model itself knows, and was not asked."""
    where: str
    ready: str
    """`yes`, or why not."""


def known() -> tuple[str, ...]:
    """Return the names that `enrich.model` may have, sorted."""
    return tuple(sorted(_MODELS))


def scorer(settings: Settings, name: str | None = None) -> Scorer:
    """Load the model of that name; without one, the model that `enrich.model` names.

    Raises:
        SettingsError: there is no model of that name, or its settings do not let it load.
    """
    name = settings.enrich.model if name is None else name
    model = _MODELS.get(name)
    if model is None:
        raise SettingsError(
            f"enrich.model = {name!r}: no such model; known are {', '.join(known())}"
        )
    return model.make(settings)


def states(settings: Settings, *, ask: bool = False) -> list[State]:
    """Return every known model; with `ask`, those elsewhere are asked one question each."""
    return [_state(settings, name, ask) for name in known()]


def _state(settings: Settings, name: str, ask: bool) -> State:
    model = _MODELS[name]
    chosen, where = settings.enrich.model == name, model.where(settings)
    if model.remote and not ask:
        return State(name, chosen, None, where, _NOT_ASKED)
    version = None
    try:
        made = model.make(settings)
        version = made.version
        made.score([_QUESTION])
    except CashtagError as error:
        return State(name, chosen, version, where, str(error))
    return State(name, chosen, version, where, "yes")
