"""Weighing what was read: negation, boosters, costs, bears, "if", "but", emphasis and questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cashtag.sentiment.reading import Hit, Post


class Scale:
    """Turns the words found in a post into one signed sum, by VADER's rules and ours."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        """Prepare the weights and word sets of the lexicon's rules."""
        from vaderSentiment.vaderSentiment import BOOSTER_DICT

        words = rules["words"]
        self._weights: Mapping[str, float] = rules["weights"]
        self._windows: Mapping[str, int] = rules["windows"]
        self._breaks = frozenset(words["breaks"])
        self._suppose = frozenset(words["suppose"])
        self._after_verb = frozenset(words["between"])
        self._before_verb = self._after_verb | frozenset(words["between_back"])
        # How a word in front changes a valence: None negates, a number strengthens or weakens.
        self._modifiers: dict[str, float | None] = {
            **{w: s for w, s in BOOSTER_DICT.items() if w.isalpha()},
            **rules["boosters"],
            **dict.fromkeys(words["negators"]),
        }
        w = self._weights
        self._distance = (0.0, w["one_back"], w["two_back"], w["three_back"])

    def weighed(self, post: Post, hits: Sequence[Hit]) -> list[Hit]:
        """Apply negation, boosters, capitals, costs, bears, "if", "but" and repetition."""
        names, w = post.names, self._weights
        quiet = {i for h in hits if "q" in h.marks for i in range(h.start, h.end)}
        turners = (
            {i: h for h in hits if "c" in h.marks or "p" in h.marks for i in range(h.start, h.end)}
            if post.market
            else {}
        )
        mixed_case = not post.text.isupper()
        but = names.index("but") if "but" in names else None
        supposed = self._supposed(names) if post.market else ()
        seen: dict[str, int] = {}
        weighed = []
        silenced = set()
        for h in hits:
            v = h.valence
            if not v:
                weighed.append(h)
                continue
            if "e" in h.marks:
                seen[names[h.start]] = count = seen.get(names[h.start], 0) + 1
                if count > 1:
                    v = v * w["repeated"] if count <= self._windows["repeats"] else 0.0
            elif h.marks != "f":
                if turners:
                    turner = self._turner(names, h, turners)
                    if turner:
                        v *= w["turned"]
                        silenced.add(turner)
                if mixed_case and h.end - h.start == 1 and post.raw[h.start].isupper():
                    v += w["capitals"] if v > 0 else -w["capitals"]
                v = self._modified(names, h.start, v, quiet, post.market)
            if but is not None:
                v *= w["before_but"] if h.start < but else w["after_but"]
            if h.start in supposed:
                v *= w["supposed"]
            weighed.append(h._replace(valence=v))
        if silenced:
            weighed = [
                r._replace(valence=0.0) if h in silenced else r
                for h, r in zip(hits, weighed, strict=True)
            ]
        return weighed

    def _modified(
        self, names: Sequence[str], start: int, valence: float, quiet: set[int], market: bool
    ) -> float:
        window = self._windows["market_negation" if market else "everyday_negation"]
        for back in range(1, window + 1):
            i = start - back
            if i < 0 or names[i] in self._breaks:
                break
            if i in quiet:
                continue
            word = names[i]
            change = self._modifiers.get(word, 0.0)
            if change is None or word.endswith("n't"):
                valence *= self._weights["negation"]
            elif change and back < len(self._distance):
                change *= self._distance[back]
                valence += change if valence > 0 else -change
        return valence

    def _turner(self, names: Sequence[str], hit: Hit, turners: Mapping[int, Hit]) -> Hit | None:
        """Return the cost or party that turns this hit, if one stands close enough."""
        before = range(hit.start - 1, hit.start - 2 - self._windows["turn_before"], -1)
        after = range(hit.end, hit.end + self._windows["turn_after"])
        for way, allowed in ((before, self._before_verb), (after, self._after_verb)):
            plain = True
            for i in way:
                if not 0 <= i < len(names) or names[i] in self._breaks:
                    break
                turner = turners.get(i)
                if turner is None:
                    plain = plain and names[i] in allowed
                elif "p" in turner.marks or (plain and "d" in hit.marks):
                    return turner
        return None

    def _supposed(self, names: Sequence[str]) -> set[int]:
        positions: set[int] = set()
        if self._suppose.isdisjoint(names):
            return positions
        reach = -1
        for i, word in enumerate(names):
            if word in self._breaks:
                reach = -1
            elif word in self._suppose:
                reach = i + 2 * self._windows["gap"]
            elif i <= reach:
                positions.add(i)
        return positions

    def total(self, post: Post, hits: Sequence[Hit]) -> float:
        """Sum the valences; exclamation marks strengthen the sum, a question weakens it."""
        w = self._weights
        total = sum(h.valence for h in hits)
        if not total:
            return 0.0
        emphasis = min(post.text.count("!"), 4) * w["exclamation"]
        asked = post.text.count("?")
        if asked > 1 and not post.market:
            emphasis += asked * w["question"] if asked < 4 else w["questions"]
        total += emphasis if total > 0 else -emphasis
        return total * w["asked"] if asked and post.market else total
