"""Cashtag: a daily data lake for stock-market social sentiment, and the desk that trades on it.

For notebooks: `import cashtag; lake = cashtag.open("lake")`, then `lake.table("daily_signals")`
and `lake.sql("SELECT …")`, both pandas data frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cashtag.operate.notebook import NotebookLake

__version__ = "0.1.0"


def open(lake: str = "lake") -> NotebookLake:  # noqa: A001, RUF100  the name notebooks expect
    """Open a lake folder for research.

    Raises:
        InputError: no lake is there, or the address is no folder.
    """
    from cashtag.operate.notebook import open_lake

    return open_lake(lake)
