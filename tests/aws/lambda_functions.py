"""A function as Lambda keeps it: warm processes, as many at once as its concurrency allows."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambda_sandbox import Outcome, Sandbox, TaskRoot
from runtime_api import Definition


@dataclass
class Function:
    """A function and its warm sandboxes, at most `width` of them at work at once."""

    definition: Definition
    root: TaskRoot
    folder: Path
    network: Mapping[str, str]
    width: int = 1
    started: int = 0
    running: list[Sandbox] = field(default_factory=list)
    """Sandboxes at work at this moment."""
    _idle: list[Sandbox] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _slots: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        reserved = self.definition.concurrency
        self._slots = threading.Semaphore(
            self.width if reserved is None else max(1, min(self.width, reserved))
        )

    def invoke(self, event: Any, timeout: float | None = None) -> Outcome:
        """Run one event in a free sandbox, or in a new one; wait for a place where all are busy."""
        with self._slots:
            sandbox = self._take()
            try:
                return sandbox.invoke(event, timeout)
            finally:
                self._leave(sandbox)

    def kill(self) -> int:
        """Kill what is at work at this moment; return how many processes that were."""
        with self._lock:
            running = list(self.running)
        for sandbox in running:
            sandbox.kill()
        return len(running)

    def chill(self) -> None:
        """End the idle sandboxes, so that the next invocation starts cold."""
        with self._lock:
            idle, self._idle = self._idle, []
        for sandbox in idle:
            sandbox.close()

    def close(self) -> None:
        """End every sandbox."""
        self.kill()
        self.chill()

    def _take(self) -> Sandbox:
        with self._lock:
            sandbox = self._idle.pop() if self._idle else None
            if sandbox is None:
                self.started += 1
                folder = self.folder / f"{self.definition.logical}-{self.started}"
                sandbox = Sandbox(self.definition, self.root, folder, self.network)
            self.running.append(sandbox)
            return sandbox

    def _leave(self, sandbox: Sandbox) -> None:
        with self._lock:
            self.running.remove(sandbox)
            if sandbox.alive:
                self._idle.append(sandbox)
                return
        sandbox.close()
