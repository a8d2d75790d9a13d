"""What axe-core, the rules that accessibility is measured by, has to say: nothing, whatever the report."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser import pages
from tests.browser.conftest import Show

pytestmark = pytest.mark.browser


def complaints(page: Page) -> list[tuple[str, str, list[Any]]]:
    found = Axe().run(page).response["violations"]
    return [(rule["impact"], rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("name", ["ready", "warnings", "not-ready", "undetermined", "nothing", "hostile"])
def test_axe_finds_nothing(name: str, width: int, show: Show) -> None:
    page = show(pages.page(name), width=width)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert complaints(page) == []
    page.emulate_media(color_scheme="dark")
    assert complaints(page) == []


def test_axe_finds_nothing_while_filtered_and_marked(show: Show) -> None:
    page = show(pages.marked())
    page.locator("#all > summary").click()
    page.locator("label[for=status-fail]").click()
    assert complaints(page) == []


def test_axe_would_find_something(show: Show) -> None:
    page = show(pages.page("ready").replace('<html lang="en"', "<html").replace("<h1", "<h4").replace("</h1", "</h4"))
    assert {rule for _, rule, _ in complaints(page)} >= {"html-has-lang", "page-has-heading-one"}
