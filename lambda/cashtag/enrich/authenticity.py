"""Row-local signs of manipulation, and the flags that say which were found.

What needs a whole session (repeats, one author's share, riding along with liquid names) is SQL's;
nothing is deleted here, only weighed. Stuffing a post with the cashtags of liquid stocks to lift
illiquid ones is described by Cresci et al., "Cashtag piggybacking", ACM TWEB 13(2), 2019.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cashtag.enrich.moments import DAY_MS

if TYPE_CHECKING:
    from cashtag.settings import Settings

STUFFING = "stuffing"
HALF_STUFFING = "half-stuffing"
YOUNG_ACCOUNT = "young-account"
PROMO = "promo"
FEW_LIKES = "few-likes"
"""A mark that costs nothing: fewer likes than `scrape.min_likes_flag`, counted in time."""


def stuffed(settings: Settings, n_cashtags: np.ndarray) -> np.ndarray:
    """Return which of n posts name `stuffing_cashtags` distinct cashtags or more; bool (n,)."""
    return np.asarray(n_cashtags >= settings.enrich.authenticity.stuffing_cashtags)


def half_stuffed(settings: Settings, n_cashtags: np.ndarray) -> np.ndarray:
    """Return which name exactly one cashtag fewer than that; bool (n,)."""
    return np.asarray(n_cashtags == settings.enrich.authenticity.stuffing_cashtags - 1)


def young(settings: Settings, created: np.ndarray, account: np.ndarray) -> np.ndarray:
    """Return whose account was younger than `young_account_days` when it posted; bool (n,).

    Args:
        settings: reads `enrich.authenticity.young_account_days`.
        created: int64 (n,), ms of 1970 of the post.
        account: int64 (n,), ms of 1970 of the account; 0 or below when unknown.
    """
    days = settings.enrich.authenticity.young_account_days
    return np.asarray((account > 0) & (created - account < days * DAY_MS))


def promotional(settings: Settings, folded: Sequence[str]) -> np.ndarray:
    """Return which of n case-folded texts hold a promo phrase as whole words; bool (n,).

    A typographic apostrophe counts as a plain one.
    """
    phrases = _phrases(tuple(settings.enrich.authenticity.promo_phrases))
    found = np.zeros(len(folded), dtype=bool)
    if not phrases.plain:
        return found
    texts = [text if text.isascii() else text.replace(_CURLED, "'") for text in folded]
    if len(texts) >= _MANY:
        mask = pc.match_substring_regex(pa.array(texts), phrases.anywhere)
        rows = np.flatnonzero(mask).tolist()
    else:
        rows = [i for i, text in enumerate(texts) if any(p in text for p in phrases.plain)]
    for i in rows:
        found[i] = phrases.as_words.search(texts[i]) is not None
    return found


_CURLED = "\u2019"
_MANY = 200  # from here on RE2's one pass pays for compiling its pattern


class _Phrases(NamedTuple):
    plain: tuple[str, ...]
    anywhere: str
    """Of RE2: linear, but its word boundaries know ASCII only."""
    as_words: re.Pattern[str]


@lru_cache(maxsize=16)
def _phrases(given: tuple[str, ...]) -> _Phrases:
    plain = tuple(" ".join(p.casefold().replace(_CURLED, "'").split()) for p in given)
    any_of = "|".join(re.escape(p).replace("\\ ", " ") for p in plain)
    return _Phrases(plain, any_of, re.compile(rf"(?<!\w)(?:{any_of})(?!\w)"))


def authenticity(settings: Settings, marks: dict[str, np.ndarray]) -> np.ndarray:
    """Return the product of the factors of the flags found, float64 (n,), 0 to 1.

    Args:
        settings: reads `enrich.authenticity`.
        marks: flag -> bool (n,), as `flags` takes.
    """
    rules = settings.enrich.authenticity
    factors = {
        STUFFING: rules.stuffing_factor,
        HALF_STUFFING: rules.half_stuffing_factor,
        YOUNG_ACCOUNT: rules.young_account_factor,
        PROMO: rules.promo_factor,
        FEW_LIKES: 1.0,
    }
    product = np.ones(len(next(iter(marks.values()))))
    for flag, mark in marks.items():
        product = np.where(mark, product * factors[flag], product)
    return product


def flags(marks: dict[str, np.ndarray]) -> list[Sequence[str]]:
    """Return each post's flags in the order of `marks`; n lists."""
    n = len(next(iter(marks.values())))
    found: list[Sequence[str]] = [()] * n
    for flag, mark in marks.items():
        for i in np.flatnonzero(mark):
            found[i] = (*found[i], flag)
    return found
