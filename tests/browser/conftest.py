"""The page in a real browser: Chromium as the distribution has it, driven by Playwright, a fresh profile for each page.

`make test-browser` sets PREFLIGHT_TEST_BROWSER=required: there a missing browser is a failure. Whoever runs pytest by
hand may have none; the tests are then skipped and say what would help.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

NAMES = ("chromium", "chromium-browser")
HEIGHT = 800

Show = Callable[..., Page]
expect.set_options(timeout=30_000)  # as all else waits: a machine with much to do is no failure


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return the browser, one for each worker."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = "there is no Chromium; try: make test-browser"
        if os.environ.get("PREFLIGHT_TEST_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        yield browser
        browser.close()


class Window:
    """What pages asked for beside themselves, and what the browser had to say against them."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.asked: list[str] = []
        self.said: list[str] = []
        self.contexts: list[Any] = []

    def show(self, html: str, *, width: int = 1280, dark: bool = False, scripts: bool = True, **more: Any) -> Page:
        """Open a page, written to a file as a user's would be."""
        path = self.folder / f"{len(self.contexts)}.html"
        path.write_text(html, "utf-8")
        context = self.browser.new_context(
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            java_script_enabled=scripts,
            **more,
        )
        self.contexts.append(context)

        def only_itself(route: Route) -> None:
            if route.request.url == path.as_uri():
                route.continue_()
            else:
                self.asked.append(route.request.url)
                route.abort()

        context.route("**/*", only_itself)
        page = context.new_page()
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.goto(path.as_uri())
        return page


@pytest.fixture
def window(chromium: Browser, tmp_path: Path) -> Iterator[Window]:
    """Return where pages are shown, for tests that look at what they ask for and what is said of them."""
    opened = Window(chromium, tmp_path)
    yield opened
    for context in opened.contexts:
        context.close()


@pytest.fixture
def show(window: Window) -> Iterator[Show]:
    """Return a function that opens a page. None may ask for anything, nor give the browser reason to complain."""
    yield window.show
    assert window.asked == []
    assert window.said == []
