"""What a timer starts, and from where: absolute paths only, for a timer knows no shell of ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cashtag.errors import InputError
from cashtag.operate import scheduled_run
from cashtag.settings.loading import FILE, PREFIX

# Set in a shell, these reach a run by hand and no run by a timer.
_SHELLS_OWN = (PREFIX, "APCA_API_", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION")
_TAKEN_ALONG = frozenset({"CASHTAG_CONFIG", "CASHTAG_SHARED"})


@dataclass(frozen=True, slots=True)
class Job:
    """Interpreter, lake, working folder and settings file (None: there is none) of the timer."""

    python: Path
    lake: Path
    working: Path
    config: Path | None

    @property
    def run(self) -> list[str]:
        """The program of the live day."""
        return self._words("run")

    @property
    def notify(self) -> list[str]:
        """The program that tells of a failed one."""
        return self._words("notify")

    def _words(self, verb: str) -> list[str]:
        module = ["-m", "cashtag.cli", "schedule", verb]
        return [str(self.python), *module, "--lake", str(self.lake)]


def job(lake: str, environ: Mapping[str, str] = os.environ) -> Job:
    """What this command, started here, would have a timer start.

    Raises:
        InputError: the lake is no folder, or a path holds what no timer can be told.
    """
    scheduled_run.folder(lake)
    chosen = environ.get("CASHTAG_CONFIG")
    config = Path(chosen or FILE).absolute()
    made = Job(
        Path(sys.executable).absolute(),
        Path(lake).absolute(),
        Path.cwd(),
        config if chosen or config.is_file() else None,
    )
    for path in (made.python, made.lake, made.working, *([made.config] if made.config else [])):
        text = str(path)
        if not text.isprintable() or text != text.strip() or text.endswith("\\"):
            raise InputError(
                f"{text!r}: a timer cannot be told a path with line breaks, or with spaces at its "
                "end; rename the folder"
            )
    return made


def left_behind(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Names of variables that matter to a run, and that a timer will not have. Never a value."""
    return sorted(
        name for name in environ if name.startswith(_SHELLS_OWN) and name not in _TAKEN_ALONG
    )
