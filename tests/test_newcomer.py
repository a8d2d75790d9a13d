"""What `make newcomer` makes of what it sees; that it runs at all, it says itself."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def newcomer(tree: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(tree / "tools"))
    return importlib.import_module("newcomer")


def test_the_commands_are_the_readmes(newcomer: ModuleType) -> None:
    first, second = newcomer.commands()
    assert first.startswith("make preflight ARGS=")
    assert second == "make test"


def test_a_readme_without_its_commands_is_no_success(
    newcomer: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("# x\n\n## From a clone\n\n    make test\n\n## Next\n\n    make other\n")
    monkeypatch.setattr(newcomer, "TREE", tmp_path)
    with pytest.raises(newcomer.Failed, match="make test"):
        newcomer.commands()


def test_the_verdict_is_the_reports(newcomer: ModuleType) -> None:
    lines = ["==> making .venv", "# ❌ Not ready for mailcow", "", "==> preflight ended with exit code 1: not ready"]
    assert newcomer.judge_check(lines) == "❌ Not ready for mailcow (exit code 1)"


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["# ❌ Not ready for mailcow"],
        ["==> preflight ended with exit code 1: not ready"],
        ["# ❌ Not ready for mailcow", "==> preflight ended with exit code 2: usage or input error"],
        ["# ❌ Not ready for mailcow", "==> preflight ended with exit code 130: interrupted"],
    ],
)
def test_no_verdict_is_no_success(newcomer: ModuleType, lines: list[str]) -> None:
    with pytest.raises(newcomer.Failed):
        newcomer.judge_check(lines)


PASSED = [
    "7298 passed, 1 skipped in 142.23s (0:02:22)",
    "=== 2 passed in 1.0s ===",
    "told: 5 failed in 2.0s of it",
    "lab: 99 of 99 scenarios (300 s)",
]


def test_tests_are_counted(newcomer: ModuleType) -> None:
    assert newcomer.judge_tests(PASSED, "0") == "7300 passed, 1 skipped; lab: 99 of 99 scenarios (300 s)"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (PASSED, "2"),
        ([], "0"),
        (["3 skipped in 1.0s"], "0"),
        ([*PASSED, "==> SKIPPED: engine tests (the reason stands above)"], "0"),
        ([*PASSED, "==> some tests will be skipped: OSError"], "0"),
    ],
)
def test_a_kind_of_tests_left_out_is_no_success(newcomer: ModuleType, lines: list[str], code: str) -> None:
    with pytest.raises(newcomer.Failed, match=f"ended with {code}"):
        newcomer.judge_tests(lines, code)


def test_package_sources_are_this_machines_for_another_suite(
    newcomer: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = (
        "Debian|http://mirror.example.org/debian/|bookworm|main\n"
        "Debian|http://mirror.example.org/debian/|bookworm|contrib\n"
        "Debian|http://mirror.example.org/debian/|bookworm-updates|main\n"
        "Debian|http://mirror.example.org/debian/|bookworm-backports|main\n"
        "Debian|http://mirror.example.org/security/|bookworm-security|main\n"
        "|https://other.example.org/|bookworm|main\n"
    )
    monkeypatch.setattr(newcomer, "printed", lambda *_: told)
    monkeypatch.setattr(newcomer, "codename", lambda: "bookworm")
    assert newcomer.sources("trixie") == [
        "deb http://mirror.example.org/debian/ trixie main",
        "deb http://mirror.example.org/debian/ trixie-updates main",
        "deb http://mirror.example.org/security/ trixie-security main",
    ]
    monkeypatch.setattr(newcomer, "codename", lambda: "noble")
    assert newcomer.sources("trixie") == []
