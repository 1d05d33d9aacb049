"""A packaged RoBERTa in this process: the same code, batches and version as behind an endpoint."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cashtag.errors import SettingsError
from cashtag.sentiment import invocation, packaged
from cashtag.sentiment.answered import Answered

if TYPE_CHECKING:
    from cashtag.settings import Settings


class RobertaScorer:
    """Scores texts with the packaged model of a folder. May be shared by threads.

    The folder is checked when the version is first needed, and loaded with the first text: a run
    whose answers are all recorded needs neither onnxruntime nor memory for a model.

    Args:
        folder: a folder of `sagemaker/package_model.py`.
        threads: processors to use; 0: as many as this process may.
        batch_size: texts read at once, as an endpoint is asked: memory stays flat over any number.
    """

    name = "roberta"

    def __init__(
        self, folder: str | os.PathLike[str], threads: int = 0, *, batch_size: int = 256
    ) -> None:
        """Raises SettingsError when no folder is set."""
        if not str(folder):
            raise SettingsError(
                "models.roberta.folder is empty: `cashtag model use PATH` sets it to a packaged "
                "model (a folder, or model.tar.gz, of sagemaker/package_model.py)"
            )
        self._folder = Path(folder)
        self._threads = threads
        self._size = batch_size
        self._lock = threading.Lock()
        self._loaded: packaged.Loaded | None = None

    @cached_property
    def package(self) -> packaged.Package:
        """The folder, checked. Raises SettingsError naming the file that does not fit."""
        return packaged.read(self._folder)

    @cached_property
    def version(self) -> str:
        """The version of the model; equal to that of an endpoint which serves the same package."""
        return self.package.version

    def score(self, texts: Sequence[str]) -> np.ndarray:
        """Return probabilities, float64 of shape (n, 3); NaN where the model gave no answer.

        Raises:
            SettingsError: the folder holds no model to use here.
        """
        return self.answer(texts).probabilities

    def answer(self, texts: Sequence[str | None]) -> Answered:
        """Return the answers to all texts, and why some have none. Errors as for `score`."""
        found = np.full((len(texts), 3), np.nan)
        refusals: dict[int, str] = {}
        for start in range(0, len(texts), self._size):
            batch = list(texts[start : start + self._size])
            found[start : start + len(batch)] = self._rows(batch, start, refusals)
        for i in np.flatnonzero(np.isnan(found).any(axis=1)).tolist():
            refusals.setdefault(i, invocation.NOTHING_SAID)
        return Answered(found, refusals=refusals)

    def _rows(self, batch: list[str | None], start: int, refusals: dict[int, str]) -> np.ndarray:
        """Read a batch; a text that the model refuses is left out, and the rest read again."""
        loaded = self._model()
        while True:
            try:
                told = loaded.predict_fn({"inputs": batch}, loaded.model)
                return self._checked(told, len(batch))
            except loaded.refusal as refused:
                at = json.loads(str(refused)).get("index")
                if at is None or batch[at] is None:
                    raise SettingsError(
                        f"{self._folder} refuses every text ({refused}); package the model again"
                    ) from refused
                refusals[start + at] = invocation.told_by(str(refused))[0]
                batch[at] = None

    def _checked(self, told: object, n: int) -> np.ndarray:
        try:
            answer = invocation.checked(told, n)
        except (invocation.BrokenAnswer, invocation.ForeignAnswer) as wrong:
            raise SettingsError(
                f"{self._folder} is no packaged model: {wrong}; package the model again"
            ) from wrong
        if answer.version != self.version:
            raise SettingsError(
                f"{self._folder} answers as {answer.version}, its manifest says {self.version}; "
                "package the model again"
            )
        return answer.rows

    def _model(self) -> packaged.Loaded:
        with self._lock:
            if self._loaded is None:
                self._loaded = packaged.load(self.package, self._threads)
            return self._loaded


def of(settings: Settings) -> RobertaScorer:
    """The scorer of `models.roberta.folder`."""
    chosen = settings.models.roberta
    size = min(settings.enrich.batch_size, settings.enrich.batch_limit)
    return RobertaScorer(chosen.folder, chosen.threads, batch_size=size)
