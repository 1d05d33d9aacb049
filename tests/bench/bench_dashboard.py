"""How long the dashboard of a year takes: to build, to build again, and to open in a browser.

Prints figures and gates nothing. `--tickers`, `--sessions` and `--tweets` (a ticker-session) size
the generated lake; the page carries at most `report.tweets_per_cell` of them, in one shard a
session, so that opening it does not depend on how many there are.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cashtag.report.build import build

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "doubles")]

from page_reader import fixture  # noqa: E402

OPENED = 5  # times; the median is printed
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Make the lake, build the page twice, open it, and print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=30)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--tweets", type=int, default=50)
    size = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shape = fixture.Shape(
            tickers=size.tickers, sessions=size.sessions, tweets=(size.tweets, size.tweets)
        )
        fixture.make(root, shape)
        page = Path(show("build", lambda: build(fixture.environment(root))))
        show("build again, nothing changed", lambda: build(fixture.environment(root)))
        report = page.parent
        total = sum(p.stat().st_size for p in report.rglob("*") if p.is_file())
        (summary,) = (report / "data").glob("summary.*.js")
        print(f"{'page':44}{total / 1e6:8.1f} MB, summary {summary.stat().st_size / 1e6:.2f} MB")
        open_page(page)


def show(name: str, work: object) -> str:
    """Time one piece of work, print it, and return what it gave."""
    assert callable(work)
    began = time.perf_counter()
    found = work()
    print(f"{name:44}{time.perf_counter() - began:8.2f} s")
    return str(found)


def open_page(page: Path) -> None:
    """Open the page in a fresh browser context each time; print when it could be read and used."""
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        print("no Chromium found: opening was not measured")
        return
    from playwright.sync_api import sync_playwright

    figures: dict[str, list[float]] = {}
    with sync_playwright() as tools:
        browser = tools.chromium.launch(
            executable_path=browser_path,
            headless=False,
            args=["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"],
        )
        for address in (page.as_uri(), page.as_uri() + "#range=all"):
            what = "all sessions" if "#" in address else "the usual range"
            for _ in range(OPENED):
                context = browser.new_context(viewport={"width": 1440, "height": 1000})
                tab = context.new_page()
                tab.goto(address)
                tab.wait_for_selector("html[data-ready=yes]")
                ready = tab.evaluate("performance.getEntriesByName('cashtag-ready')[0].startTime")
                tab.wait_for_selector("#price[data-drawn=yes]")
                drawn = tab.evaluate("performance.now()")
                began = tab.evaluate("performance.now()")
                tab.locator("#heat [role=gridcell]").nth(7).click()
                tab.wait_for_function(
                    "document.querySelector('#tweets-card').dataset.shown"
                    " === document.querySelector('#tweets-card').dataset.wanted"
                )
                figures.setdefault(f"open, {what}: usable", []).append(ready)
                figures.setdefault(f"open, {what}: chart drawn", []).append(drawn)
                figures.setdefault(f"{what}: a cell's tweets", []).append(
                    tab.evaluate("performance.now()") - began
                )
                context.close()
        browser.close()
    for name, values in figures.items():
        print(f"{name:44}{statistics.median(values) / 1000:8.2f} s")


if __name__ == "__main__":
    main()
