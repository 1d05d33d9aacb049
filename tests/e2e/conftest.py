"""The sample lake that the end-to-end tests share: made once, by the command a stranger types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The lake's folder and what the run printed."""
    folder = tmp_path_factory.mktemp("sample") / "lake"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from cashtag.cli import main; main()",
            "run",
            "--source",
            "sample",
            "--lake",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # quiet when piped
    return folder, done.stdout


@pytest.fixture(scope="session")
def sample_lake(sample_run: tuple[Path, str]) -> Path:
    """The lake of the whole sample; read it, do not write it."""
    return sample_run[0]
