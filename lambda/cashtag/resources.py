"""Finds the files that travel with the code: `glue/`, `sample_data/`, `constraints.txt`, the licence.

A wheel carries them inside the package; a checkout, and so an editable install, keeps them at
its top, beside `lambda/`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cashtag.errors import InputError

_MARK = Path("glue", "tables")  # what tells the folder of the resources from any other


def path(*parts: str) -> Path:
    """Return the absolute path of a resource, as in `path("glue", "sql", "ranking.sql")`.

    Raises:
        InputError: the installation does not hold it.
    """
    found = root().joinpath(*parts)
    if not found.exists():
        raise InputError(
            f"resource {'/'.join(parts)!r} is not in {root()}: "
            "install cashtag again, or run it from a complete checkout"
        )
    return found


@cache
def root() -> Path:
    """Return the folder that holds `glue/`: the package itself, else its nearest such parent.

    Raises:
        InputError: neither the package nor a folder above it holds `glue/tables`.
    """
    package = Path(__file__).resolve().parent
    return _nearest(package)


def _nearest(package: Path) -> Path:
    for folder in (package, *package.parents):
        if (folder / _MARK).is_dir():
            return folder
    raise InputError(
        f"no glue/tables in {package} or in a folder above it: "
        "install cashtag again, or run it from a complete checkout"
    )
