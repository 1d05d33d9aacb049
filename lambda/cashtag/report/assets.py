"""The page's own files: `page/` of this package, and plotly's script out of the installed package.

Nothing third-party is kept in the project: `plotly.min.js` is copied when a page is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from cashtag.errors import InputError
from cashtag.report.shards import fingerprint

PAGE = Path(__file__).parent / "page"
PLOTLY = "plotly.min.js"

# Classic scripts, in the order in which they build on each other: `file://` forbids modules.
SCRIPTS = (
    "core.js",
    "store.js",
    "colors.js",
    "table.js",
    "grid.js",
    "cards.js",
    "heatmap.js",
    "leaderboard.js",
    "plots.js",
    "price.js",
    "tweets.js",
    "signals.js",
    "decisions.js",
    "portfolio.js",
    "coverage.js",
    "counted.js",
    "rove.js",
    "tiles.js",
    "stacks.js",
    "ring.js",
    "drill.js",
    "reference.js",
    "views.js",
    "app.js",
)
STYLES = ("page.css", "reference.css")
SCRIPT, STYLE = "assets/page.js", "assets/page.css"  # as the page has them: each one file


def files() -> dict[str, bytes]:
    """Return the page's script, its style and plotly by key in the report zone."""
    return {SCRIPT: _joined(SCRIPTS), STYLE: _joined(STYLES), PLOTLY: plotly()}


def _joined(names: Sequence[str]) -> bytes:
    """Return files as one: a browser asks for each file by itself, before the first view."""
    return b"\n".join((PAGE / name).read_bytes() for name in names)


def plotly() -> bytes:
    """Return plotly's script, 4.8 MB.

    Raises:
        InputError: the plotly package is not installed, or does not carry it.
    """
    spec = find_spec("plotly")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        script = Path(folder) / "package_data" / PLOTLY
        if script.is_file():
            return script.read_bytes()
    raise InputError(f"no {PLOTLY} in an installed plotly package; install cashtag again")


def index(summary: str) -> bytes:
    """Return `index.html` that loads the shard `summary` (a key) and the page's files.

    The `?v=` of each file changes with its content, so that no browser mixes two builds.
    """
    script, style = (
        f"{key}?v={fingerprint(_joined(names))}"
        for key, names in ((SCRIPT, SCRIPTS), (STYLE, STYLES))
    )
    tags = "\n".join(f'  <script defer src="{source}"></script>' for source in (script, summary))
    template = (PAGE / "index.html").read_text(encoding="utf-8")
    return template.replace("  <!-- scripts -->", tags).replace(STYLE, style).encode("utf-8")
