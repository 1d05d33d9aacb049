"""A reader of the dashboard: which Chromium, on which screen, and what is asked of an open page."""

from __future__ import annotations

import csv
import importlib.util
import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"viewport": {"width": 1440, "height": 1000}, "color_scheme": "light"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}

# Reading 4.8 MB of plotly is most of a visit: where no chart is looked at, this stands in for it.
NO_CHARTS = """window.Plotly = { react: async (node) => { node.data ??= []; node.on = () => {}; }, purge: () => {} };"""

# WCAG 2.2's relative luminance and contrast ratio.
LUMINANCE = """
(arg) => { const part = (v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const lum = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number); return .2126 * part(r) + .7152 * part(g) + .0722 * part(b); };
const ratio = (a, b) => { const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
return ("""
LUMINANCE_END = ")(arg); }"


# Texts of the page whose contrast with what lies behind them is below the asked ratio.
FAINT = """(least) => {
  const solid = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const c = getComputedStyle(n).backgroundColor;
      if (!/rgba\\(.*, 0\\)$/.test(c)) return c;
    }
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    if (node.closest('svg, .plot, [hidden], :disabled') || !node.checkVisibility()) continue;
    const own = [...node.childNodes].some(c => c.nodeType === 3 && c.data.trim());
    if (!own) continue;
    const r = ratio(getComputedStyle(node).color, solid(node));
    if (r < least) found.push([node.className, node.textContent.slice(0, 30), r.toFixed(2)]);
  }
  return found;
}"""


def load_fixture() -> ModuleType:
    path = Path(__file__).parents[1] / "e2e" / "dashboard_fixture.py"
    spec = importlib.util.spec_from_file_location("dashboard_fixture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dashboard_fixture"] = module
    spec.loader.exec_module(module)
    return module


fixture = load_fixture()


def text(page: Any, selector: str) -> str:
    """What a reader sees of an element."""
    found = page.inner_text(selector)
    assert isinstance(found, str)
    return found


def unreadable(page: Any) -> dict[tuple[str, str], Any]:
    """Texts whose contrast is below 4.5 (WCAG 2.2, 1.4.3), by theme and palette; none is well."""
    found = {}
    for theme in ("light", "dark"):
        page.select_option("#theme", theme)
        for palette in ("blue-orange", "green-purple", "green-red"):
            page.select_option("#palette", palette)
            page.wait_for_timeout(200)  # colours of buttons glide
            if faint := page.evaluate(LUMINANCE + FAINT + LUMINANCE_END, 4.5):
                found[theme, palette] = faint
    return found


def wait_shown(page: Any, ticker: str) -> None:
    """Wait until the overview shows a ticker's tweets."""
    page.wait_for_function(
        "t => document.querySelector('#tweets-card').dataset.shown?.startsWith(t + ' ')", arg=ticker
    )


def download(page: Any, press: Callable[[], None]) -> list[list[str]]:
    """Press what saves a CSV file; return its rows."""
    with page.expect_download() as waiting:
        press()
    content = Path(waiting.value.path()).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")  # so that a spreadsheet reads UTF-8
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def contrast(page: Any, one: str, other: str) -> float:
    found = page.evaluate(LUMINANCE + "([a, b]) => ratio(a, b)" + LUMINANCE_END, [one, other])
    assert isinstance(found, float | int)
    return float(found)
