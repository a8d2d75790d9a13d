"""What two files say about the same thing, and what no file of the tree may say."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def test_image_and_package_have_one_version(tree: Path) -> None:
    version = tomllib.loads((tree / "pyproject.toml").read_text())["project"]["version"]
    assert f"ARG VERSION={version}\n" in (tree / "Dockerfile").read_text()


def test_every_dependency_is_locked_with_hashes_and_says_why(tree: Path) -> None:
    text = (tree / "pyproject.toml").read_text()
    lock = (tree / "requirements.lock").read_text()
    dependencies = tomllib.loads(text)["project"]["dependencies"]
    for dependency in dependencies:
        name = re.split(r"[<>=~!]", dependency)[0]
        assert re.search(rf"^{name}==\S+ \\\n +--hash=sha256:", lock, re.MULTILINE), name
        assert re.search(rf'#[^\n]*\n +"{re.escape(dependency)}"', text), f"{name}: no reason given"


def test_locks_share_versions_and_name_no_index(tree: Path) -> None:
    locks = {path.name: path.read_text() for path in tree.glob("requirements*.lock")}
    assert len(locks) == 3
    versions: dict[str, str] = {}
    for text in locks.values():
        assert not re.search(r"://|--index-url|--extra-index-url|--find-links", text)
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE):
            assert versions.setdefault(name, version) == version


def test_build_context_is_what_the_dockerfile_copies(tree: Path) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (tree / "Dockerfile").read_text(), re.MULTILINE)
    allowed = re.findall(r"^!(\S+)", (tree / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(allowed)


def test_the_script_is_one_that_installers_take(tree: Path) -> None:
    """They put their interpreter into its first line, and copy its mode."""
    script = tree / "preflight/script"
    assert script.read_text().startswith("#!python\n")
    assert script.stat().st_mode & 0o111 == 0o111
    wheel = tomllib.loads((tree / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-scripts"] == {"preflight/script": "preflight"}
