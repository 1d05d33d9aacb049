"""One request after the other until every text is settled: retries, and the halving of batches.

Knows nothing of a network: `Endpoint.invoke` asks once, and raises `Later` for what may be
otherwise in a moment, `Refused` for a 4xx, ScorerUnavailable for what is final. Batches share one
patience: as long as the endpoint answers any of them, the others go on asking.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cashtag.sentiment import invocation
from cashtag.sentiment.calls import Later, Patience
from cashtag.sentiment.store import ScorerUnavailable

PROBE = "The company reports its results on Thursday after the close."


class Refused(Exception):
    """A 4xx; its text is the reason."""


@dataclass(frozen=True)
class Endpoint:
    """How an endpoint is asked, and for how long."""

    invoke: Callable[[bytes], bytes]
    unavailable: Callable[[str, str | None], ScorerUnavailable]
    """Makes the error of what was found and its remedy (None: the usual one)."""
    check: str
    """What to look at when it refuses everything."""
    patience: Patience
    """How long it may go without any answer, to whichever batch."""


class Asking:
    """What the threads of one call share. Without a `version`, any is taken."""

    def __init__(self, endpoint: Endpoint, version: str | None = None) -> None:
        """The endpoint's patience begins now."""
        self._endpoint = endpoint
        self._version = version
        self._heard = time.monotonic()

    def version(self) -> str:
        """Ask for the model's version, by a plain sentence. Raises ScorerUnavailable."""
        try:
            return self._reply([invocation.spelled(PROBE)], threading.Event()).version
        except Refused as refused:
            raise self._endpoint.unavailable(
                f"refuses a plain sentence ({refused})", self._endpoint.check
            ) from refused

    def settle(
        self, spelt: Sequence[bytes], stopped: threading.Event
    ) -> tuple[np.ndarray, dict[int, str]]:
        """Return a row for every text, and the reasons of those that are refused for good.

        Raises:
            ScorerUnavailable: final, lasting too long, or `stopped` because another batch failed.
        """
        try:
            return self._reply(spelt, stopped).rows, {}
        except Refused as refused:
            if len(spelt) == 1:
                return self._doubted(spelt, refused, stopped)
        half = len(spelt) // 2
        first, faults = self.settle(spelt[:half], stopped)
        second, more = self.settle(spelt[half:], stopped)
        return np.vstack([first, second]), faults | {half + i: why for i, why in more.items()}

    def _doubted(
        self, spelt: Sequence[bytes], refused: Refused, stopped: threading.Event
    ) -> tuple[np.ndarray, dict[int, str]]:
        """A text that was refused: is it the text, or the endpoint?"""
        try:
            self._reply([invocation.spelled(PROBE)], stopped)
        except Refused as also:
            raise self._endpoint.unavailable(
                f"refuses every text ({also})", self._endpoint.check
            ) from refused
        try:
            return self._reply(spelt, stopped).rows, {}
        except Refused as again:
            return np.full((1, 3), np.nan), {0: str(again)}

    def _reply(self, spelt: Sequence[bytes], stopped: threading.Event) -> invocation.Answer:
        """Ask until there is a whole answer of the model that was there before.

        Raises:
            Refused: a 4xx.
            ScorerUnavailable: final, or lasting too long.
        """
        body = invocation.payload(spelt)
        attempt = 0
        while True:
            try:
                answer = invocation.read(self._endpoint.invoke(body), len(spelt))
            except Refused:
                self._heard = time.monotonic()
                raise
            except (Later, invocation.BrokenAnswer) as fault:
                self._wait(attempt, fault, stopped)
                attempt += 1
                continue
            except invocation.ForeignAnswer as foreign:
                raise self._endpoint.unavailable(
                    f"serves no packaged model: {foreign}",
                    "deploy a folder of sagemaker/package_model.py there",
                ) from foreign
            self._heard = time.monotonic()
            if self._version not in (None, answer.version):
                raise self._endpoint.unavailable(
                    f"serves {answer.version} now, and served {self._version} before",
                    "run again: the new version's answers are recorded beside the old",
                )
            return answer

    def _wait(self, attempt: int, fault: Exception, stopped: threading.Event) -> None:
        """Sleep before another attempt. Raises ScorerUnavailable when there will be none."""
        patience = self._endpoint.patience
        pause = patience.pause(attempt)
        if time.monotonic() + pause > self._heard + patience.seconds:
            raise self._endpoint.unavailable(
                f"has not answered for {patience.seconds:g} s (enrich.score_deadline_seconds): "
                f"{fault}",
                None,
            ) from fault
        if stopped.wait(pause):
            raise self._endpoint.unavailable(
                "is asked no more, for another batch failed", None
            ) from fault
