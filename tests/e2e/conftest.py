"""What the end-to-end tests share: the sample lake, made by the command a stranger types, and a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_reader import ARGUMENTS, BROWSER, DESKTOP, NO_CHARTS, fixture

from cashtag.report.build import build


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


@pytest.fixture(scope="module")  # while it is open, no other test of the session may run a loop
def browser() -> Iterator[Any]:
    """A Chromium; without one the tests that need it are skipped."""
    if BROWSER is None:
        pytest.skip("no Chromium found: the dashboard was not clicked")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=BROWSER, headless=False, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Give the address of a page by the name of its lake, built once."""
    shapes = {
        "market": fixture.Shape(tickers=8, sessions=60, tweets=(4, 9)),
        "hostile": fixture.Shape(tickers=2, sessions=3, tweets=(7, 9), hostile=True),
        "one": fixture.Shape(tickers=1, sessions=1, tweets=(3, 3), desk=False),
        "uncounted": fixture.Shape(tickers=2, sessions=3, counted=False),
        "real": fixture.Shape(tickers=2, sessions=3, source="twitter-v1"),
        "empty": None,
    }
    built: dict[str, str] = {}

    def address(name: str) -> str:
        if name not in built:
            root = tmp_path_factory.mktemp(name)
            if shapes[name]:
                fixture.make(root, shapes[name])
            built[name] = Path(build(fixture.environment(root))).as_uri()
        return built[name]

    return address


@pytest.fixture
def visit(browser: Any, pages: Callable[[str], str]) -> Iterator[Callable[..., Any]]:
    """Open a page; afterwards nothing may have been logged, thrown, or asked of a network."""
    contexts, complaints = [], []

    def note(request: Any) -> None:
        if not request.url.startswith(("file:", "blob:file:", "data:")):
            complaints.append(f"request {request.url}")

    def opened(name: str = "market", hash: str = "", charts: bool = False, **options: Any) -> Any:
        context = browser.new_context(**{**DESKTOP, **options}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        if not charts:
            page.route("**/plotly.min.js", lambda route: route.fulfill(body=NO_CHARTS))
        page.on("console", lambda message: complaints.append(f"{message.type} {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"thrown {error}"))
        page.on("request", note)
        page.goto(pages(name) + hash)
        if name != "empty":
            page.wait_for_selector("html[data-ready=yes]")
            shown = "#view-reference" if hash.startswith("#reference") else "#tweets-card"
            page.wait_for_selector(f"{shown}[data-shown]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
