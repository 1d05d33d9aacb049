"""The functions' zip and what stands beside it, for tests that look inside or run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build" / "wheels"  # from the package index once, and kept


def clean(paths: tuple[Path, ...], code: str) -> str:
    """Run code in an interpreter that sees nothing but `paths` and the standard library."""
    lines = f"import sys\nsys.path[:0] = {[str(path) for path in paths]!r}\n{code}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", lines],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"HOME": "/nonexistent", "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
