"""The page that says what is not checked: made of the catalogue, complete, and nowhere contradicted."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from preflight.checks import catalogue

# What a reader would take for a promise that nothing is left open.
PROMISES = re.compile(
    r"\b(?:checks?|covers?|looks? at|judges?|tests?) (?:absolutely |really )?(?:everything|all that mailcow)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def maker(tree: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("not_checked", tree / "tools/not_checked.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["not_checked"] = module  # where msgspec looks for the types
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current_and_names_each_check(tree: Path, maker: ModuleType) -> None:
    text = "\n".join(maker.page(maker.read(tree / "tools/not_checked.toml"), catalogue())) + "\n"
    assert (tree / "docs/not-checked.md").read_text() == text, "run: make docs"
    assert set(re.findall(r"\(checks\.md#([\w.-]+)\)", text)) == {check.id for check in catalogue()}


def test_a_check_that_is_not_there_is_an_error(maker: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"no check ports\.fre$"):
        maker.judging(maker.Demand("Ports", ("ports.free", "ports.fre")), catalogue())


def test_a_table_stays_a_table(tree: Path) -> None:
    rows = [line for line in (tree / "docs/not-checked.md").read_text().splitlines() if line.startswith("|")]
    assert len(rows) > 10
    assert {row.count("|") for row in rows} == {4}


@pytest.mark.parametrize("name", ["README.md", "docs", "preflight"])
def test_nothing_claims_to_check_everything(name: str, tree: Path) -> None:
    paths = [tree / name] if name.endswith(".md") else sorted((tree / name).rglob("*.*"))
    texts = [path for path in paths if path.suffix in (".md", ".py", ".j2", ".toml")]
    assert texts
    found = {str(path): PROMISES.search(" ".join(path.read_text("utf-8").split())) for path in texts}
    assert {path: match[0] for path, match in found.items() if match} == {}


def test_such_a_claim_would_be_found() -> None:
    for claim in ("It checks everything.", "It covers everything that it must", "It looks at all that mailcow needs"):
        assert PROMISES.search(claim)
