"""A model made of models: each answers for itself and is recorded under its own version.

What the ensemble says is worked out from these records (`combining`) and is recorded nowhere else.
Only one fact is its own: which models it had for a raw object. That is the roster, one create-only
JSON object per raw object under the ensemble's version. A model that could not answer then is
absent there for good, so that a rebuild comes to the same, even after somebody has asked it since.

When no model could answer, nothing is recorded and the texts wait.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from cashtag.errors import SettingsError, StoreError
from cashtag.lake import layout
from cashtag.ports import Scorer, Store
from cashtag.redaction import redacted
from cashtag.sentiment import store as recorded
from cashtag.sentiment.answered import About, Answered, answer
from cashtag.sentiment.combining import combine
from cashtag.sentiment.store import Context, ScorerUnavailable

if TYPE_CHECKING:
    from cashtag.settings import Settings
    from cashtag.settings.collecting import Ensemble as Rules

NAME = "ensemble"
FORMULA = "score sum(swc)/sum(wc), confidence modal share x mean(c), 1"  # a change: a new version
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Roster:
    """Which models answered for one raw object, by version, and why the others did not."""

    members: Mapping[str, str | None]
    """Version by name; None for one that was absent."""
    reasons: Mapping[str, str]
    rules: Mapping[str, Any]
    """Weights by name, positive_above, negative_below: all that combining needs."""

    def text(self) -> bytes:
        """The roster as it is recorded."""
        whole = {"members": self.members, "absent": self.reasons, "rules": self.rules}
        return json.dumps(whole, sort_keys=True, indent=1).encode()


class Ensemble:
    """Asks several models and combines what they say.

    Args:
        members: models by name.
        rules: `settings.enrich.ensemble`: weights, thresholds, pinned versions.
    """

    name = NAME

    def __init__(self, members: Mapping[str, Scorer], rules: Rules) -> None:
        """Nothing is asked before a version or an answer is needed."""
        self.members = {name: members[name] for name in sorted(members)}
        self._rules = rules
        self._resting: dict[str, tuple[float, str]] = {}
        self.absences: dict[str, int] = {}
        """How often each model was absent from an object or call of this Ensemble."""

    @cached_property
    def versions(self) -> dict[str, str]:
        """Version of every model by name: the pinned one, else the one that it says it has.

        Raises:
            ScorerUnavailable: an endpoint that is not pinned does not answer.
        """
        return {name: self._version(name) for name in self.members}

    @cached_property
    def version(self) -> str:
        """Hash over the models' versions, their weights and the thresholds; errors of `versions`."""
        facts = json.dumps([FORMULA, self.versions, self.rules], sort_keys=True)
        return f"{NAME}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"

    @property
    def rules(self) -> dict[str, Any]:
        """What combining needs besides answers."""
        return {
            "weights": {
                name: self._rules.weights.get(name, self._rules.other_weight)
                for name in self.members
            },
            "positive_above": self._rules.positive_above,
            "negative_below": self._rules.negative_below,
        }

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3): negative, neutral, positive.

        Raises:
            ScorerUnavailable: no model could answer.
        """
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str]) -> Answered:
        """Return what the models say together, recording nothing; errors as for `score`."""
        return self.combined(self.opinions(texts))

    def answer_about(self, texts: Sequence[str], about: Sequence[About | None]) -> Answered:
        """Return what the models say together of texts and what is known of them."""
        return self.combined(self.opinions(texts, about))

    def opinions(
        self, texts: Sequence[str], about: Sequence[About | None] | None = None
    ) -> dict[str, Answered | None]:
        """Return what each model says; None for one that is absent.

        Raises:
            ScorerUnavailable: all are.
        """
        found: dict[str, Answered | None] = {}
        reasons: dict[str, str] = {}
        for name, member in self.members.items():
            try:
                self._require_awake(name)
                found[name] = answer(member, texts, about)
            except ScorerUnavailable as error:
                found[name], reasons[name] = None, self._absent(name, error)
        self._require_any(found, reasons)
        return found

    def combined(self, opinions: Mapping[str, Answered | None]) -> Answered:
        """Return what the models' answers come to."""
        return combine(opinions, self.versions, **self.rules)

    def recorded(
        self,
        store: Store,
        raw_key: str,
        texts: Sequence[str | None],
        input_hashes: Sequence[str],
        *,
        batch_size: int,
        context: Context | None = None,
    ) -> Answered:
        """Return what the models' recorded answers come to; those not recorded yet are asked.

        Raises:
            ScorerUnavailable: no model could answer, or one of the roster whose record is gone
                cannot; nothing was recorded of the ensemble.
            SettingsError: a model has another version than the one that is pinned.
        """
        key = layout.roster(self.version, raw_key)

        def of(name: str) -> Answered:
            member, version = self.members[name], self.versions[name]
            where = layout.scores(version, raw_key)
            if not store.exists(where):
                self._require_awake(name)
                self._require_version(name, member)
            return recorded.answered(
                store, where, member, texts, input_hashes, batch_size=batch_size, context=context
            )

        if not store.exists(key):
            reasons: dict[str, str] = {}
            found: dict[str, Answered | None] = {}
            for name in self.members:
                try:
                    found[name] = of(name)
                except ScorerUnavailable as error:
                    found[name], reasons[name] = None, self._absent(name, error)
            self._require_any(found, reasons)
            members = {n: None if found[n] is None else self.versions[n] for n in found}
            if store.put_if_absent(key, Roster(members, reasons, self.rules).text()):
                return self.combined(found)
        roster = read_roster(store, key)
        return self.combined(
            {n: None if roster.members.get(n) is None else of(n) for n in self.members}
        )

    def _version(self, name: str) -> str:
        version = self._rules.versions.get(name) or self.members[name].version
        if not _VERSION.fullmatch(version):
            raise SettingsError(
                f"{name} has version {version!r}, which can name no record; letters, digits, "
                "dots and dashes can"
            )
        return version

    def _require_version(self, name: str, member: Scorer) -> None:
        if member.version != self.versions[name]:
            raise SettingsError(
                f"enrich.ensemble.versions.{name} = {self.versions[name]!r}, but the model that "
                f"answers is {member.version}; set it to that one, or remove it"
            )

    def _require_awake(self, name: str) -> None:
        """A model that was just found down is left alone for a while: each try takes minutes."""
        until, reason = self._resting.get(name, (0.0, ""))
        if time.monotonic() < until:
            raise ScorerUnavailable(reason)

    def _absent(self, name: str, error: ScorerUnavailable) -> str:
        reason = redacted(str(error))
        self.absences[name] = self.absences.get(name, 0) + 1
        if time.monotonic() >= self._resting.get(name, (0.0, ""))[0]:
            self._resting[name] = (time.monotonic() + self._rules.rest_seconds, reason)
        return reason

    @staticmethod
    def _require_any(found: Mapping[str, Answered | None], reasons: Mapping[str, str]) -> None:
        if all(given is None for given in found.values()):
            told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            raise ScorerUnavailable(f"no model of the ensemble can answer now; {told}")


def make(settings: Settings, members: Mapping[str, Scorer]) -> Ensemble:
    """Return the ensemble of these models.

    Raises:
        SettingsError: no model of it counts.
    """
    rules = settings.enrich.ensemble
    made = Ensemble(members, rules)
    if not any(made.rules["weights"].values()):
        raise SettingsError("enrich.ensemble.weights are 0 for every model; let one count")
    return made


def read_record(
    store: Store, version: str, raw_key: str, input_hashes: Sequence[str]
) -> Answered | None:
    """Return what is recorded of a raw object under a version, a model's or an ensemble's.

    Nobody is asked: None where there is no record, or where one of an ensemble's models is gone.

    Raises:
        CashtagError: a record is of other texts.
        StoreError: a record or a roster cannot be read.
    """
    key = layout.scores(version, raw_key)
    if store.exists(key):
        return recorded.read(store, key, input_hashes)
    key = layout.roster(version, raw_key)
    if not store.exists(key):
        return None
    roster = read_roster(store, key)
    found: dict[str, Answered | None] = dict.fromkeys(roster.members)
    versions = {name: held for name, held in roster.members.items() if held is not None}
    for name, held in versions.items():
        where = layout.scores(held, raw_key)
        if not store.exists(where):
            return None
        found[name] = recorded.read(store, where, input_hashes)
    return combine(found, versions, **roster.rules)


def read_roster(store: Store, key: str) -> Roster:
    """Read a recorded roster.

    Raises:
        StoreError: it is gone, or damaged.
    """
    try:
        whole = json.loads(store.get(key))
        return Roster(whole["members"], whole["absent"], whole["rules"])
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"roster {store.uri(key)} cannot be read ({error}); delete it, and the next run asks "
            "the ensemble's models again"
        ) from error
