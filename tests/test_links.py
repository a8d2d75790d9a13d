"""Links to documentation lead to pages that exist: each is held against a list of the site's pages, kept as data.

The lists name their sources. A page that is new there is added to its list, with the source's new commit and day.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from preflight.checks import Check, catalogue

TREE = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
SITES = {path.stem: set(path.read_text().splitlines()) for path in DATA.glob("docs.*.txt")}
TEXTS = sorted(
    [
        *(path for path in (TREE / "preflight").rglob("*") if path.suffix in (".py", ".toml", ".json", ".j2", ".js")),
        *(
            TREE / name
            for name in ("README.md", "docs/automation.md", "docs/ci.md", "docs/design.md", "docs/not-checked.md")
        ),
    ]
)
LINK = re.compile(r"https?://[^\s\"'<>()`\\{}]+")


def links(text: str) -> list[str]:
    """Return the links of a text, without the punctuation behind them."""
    return [link.rstrip(".,;:") for link in LINK.findall(text)]


def dead(link: str) -> bool:
    """Say whether a link leads to a page that its site has not; of other sites no list is kept."""
    parts = urlsplit(link)
    return parts.hostname in SITES and (parts.scheme != "https" or parts.path not in SITES[parts.hostname])


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(TREE)))
def test_every_documentation_link_leads_to_a_page(path: Path) -> None:
    assert [link for link in links(path.read_text("utf-8")) if dead(link)] == []


@pytest.mark.parametrize("check", catalogue(), ids=lambda check: check.id)
def test_the_sources_of_a_check_are_whole_links(check: Check) -> None:
    """Some are put together from parts, which no text shows."""
    assert check.links
    for link in check.links:
        assert LINK.fullmatch(link), link
        assert not dead(link), link
        if urlsplit(link).hostname == "github.com":
            assert re.search(r"/(?:issues|pull)/[0-9]+$|/blob/[0-9a-f]{7,40}/|/(?:releases/tag|commit)/", link), link
        # Pages are what a user is to read; an issue is evidence.
        assert (link in check.docs) == (urlsplit(link).hostname in ("docs.mailcow.email", "docs.docker.com")), link


def test_a_page_that_was_moved_is_dead() -> None:
    """As the one that ports.free named was."""
    page = "https://docs.mailcow.email/manual-guides/Postfix/u_e-postfix-bind/"
    assert dead(page)
    assert links(f"See <{page}>, ({page}#x) or {page}.") == [page, f"{page}#x", page]
    for link in (
        "getstarted/install",
        "getstarted/install.html",
        "install/",
        "getstarted//install/",
        "Getstarted/install/",
    ):
        assert dead(f"https://docs.mailcow.email/{link}")
    assert dead("http://docs.mailcow.email/getstarted/install/")
    assert not dead("https://docs.mailcow.email/getstarted/install/#selinux")
    assert not dead("https://docs.mailcow.email/")
    assert not dead("https://docs.docker.com/engine/install/")
    assert dead("https://docs.docker.com/install/")
    assert all(len(pages) > 40 for pages in SITES.values())
    assert len(SITES) == 2
