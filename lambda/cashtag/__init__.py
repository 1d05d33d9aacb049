"""Cashtag: a daily data lake for stock-market social sentiment, and the desk that trades on it.

For notebooks: `import cashtag; lake = cashtag.open("lake")`, then `lake.table("daily_signals")`
and `lake.sql("SELECT …")`, both pandas data frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cashtag.operate.notebook import NotebookLake

__version__ = "0.1.0"


def open(lake: str = "lake", *, stack: str | None = None) -> NotebookLake:  # noqa: A001, RUF100  the name notebooks expect
    """Open a lake for research: a folder, `s3://BUCKET/PREFIX` with its zones below, or a stack.

    Args:
        lake: where it is; SQL runs on this machine, over copies of what it reads.
        stack: the name of a deployed stack, as in `cashtag-dev`; SQL runs on its Athena.

    Raises:
        InputError: no lake is there.
        CloudError: no such stack is deployed, or AWS refuses.
    """
    from cashtag.operate.notebook import open_lake

    return open_lake(lake, stack)
