"""The sentiment models that settings can name, each loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cashtag.errors import SettingsError

if TYPE_CHECKING:
    from cashtag.ports import Scorer
    from cashtag.settings import Settings


def _lexicon(_settings: Settings) -> Scorer:
    from cashtag.sentiment.lexicon import LexiconScorer

    return LexiconScorer()


_MODELS: dict[str, Callable[[Settings], Scorer]] = {"lexicon": _lexicon}


def known() -> tuple[str, ...]:
    """Return the names that `enrich.model` may have, sorted."""
    return tuple(sorted(_MODELS))


def scorer(settings: Settings) -> Scorer:
    """Load the model that `enrich.model` names.

    Raises:
        SettingsError: there is no model of that name.
    """
    name = settings.enrich.model
    make = _MODELS.get(name)
    if make is None:
        raise SettingsError(
            f"enrich.model = {name!r}: no such model; known are {', '.join(known())}"
        )
    return make(settings)
