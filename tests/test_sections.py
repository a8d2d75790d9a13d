"""The sections of checks: every module is listed in report order, and what can be read has one place."""

from __future__ import annotations

import re
from pathlib import Path

from preflight.checks import SECTIONS, catalogue, sources

CHECKS = Path(sources.__file__).parent
FILES = sorted(CHECKS.rglob("*.py"))
LINK = re.compile(r"https://(?:docs\.\w+\.\w+/[a-z]|github\.com/[\w.-]+/[\w.-]+/issues/)")


def test_every_module_with_a_check_is_listed() -> None:
    """One that is not listed would never be loaded, and its checks would be missing without a word."""
    found = {
        (path.parent.name, path.stem)
        for path in FILES
        if path.parent != CHECKS and re.search(r"^@check\(", path.read_text("utf-8"), re.MULTILINE)
    }
    assert found == {(section, module) for section, modules in SECTIONS.items() for module in modules}


def test_the_report_goes_by_section_and_module() -> None:
    listed = [f"preflight.checks.{section}.{module}" for section, modules in SECTIONS.items() for module in modules]
    places = [listed.index(check.run.__module__) for check in catalogue()]
    assert places == sorted(places)
    assert len({check.id for check in catalogue()}) == len(places)


def test_pages_and_issues_have_one_place() -> None:
    wrong = [
        f"{path.relative_to(CHECKS)}: {line.strip()}"
        for path in FILES
        if path.name != "sources.py"
        for line in path.read_text("utf-8").splitlines()
        if LINK.search(line)
    ]
    assert wrong == []


def test_an_issue_is_mailcows_own_where_no_other_repository_is_named() -> None:
    assert sources.issue(63) == "https://github.com/mailcow/mailcow-dockerized/issues/63"
    assert sources.issue(30402, "moby/moby") == "https://github.com/moby/moby/issues/30402"
