"""The engine's own programs are found where it finds them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from preflight.gather.access.command import Output
from preflight.twin import derive_programs
from preflight.twin.derive_programs import Programs
from preflight.twin.derive_state import Underivable


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(derive_programs, "PATH", (str(tmp_path / "first"), str(tmp_path / "second")))
    return tmp_path


def test_the_first_of_the_path_that_can_be_run(folder: Path) -> None:
    program(folder / "second/nft", 'cat; echo "$*"; echo said >&2; exit 3')
    (folder / "first/nft").mkdir(parents=True)
    assert Programs("/", 5.0).run("nft", "-f", "-", stdin=b"text\n") == Output(3, "text\n-f -\n", "said\n")
    (folder / "first/nft").rmdir()
    program(folder / "first/other", "echo other")
    (folder / "first/nft").symlink_to("other")
    assert Programs("/", 5.0).run("nft").out == "other\n"


def test_a_program_that_is_not_there_or_does_not_end(folder: Path) -> None:
    with pytest.raises(Underivable, match="nft: not found"):
        Programs("/", 5.0).run("nft")
    program(folder / "first/nft", "sleep 60")
    with pytest.raises(Underivable, match="nft: it did not finish in time"):
        Programs("/", 0.2).run("nft")
    (folder / "first/nft").write_text("not a program")
    with pytest.raises(Underivable, match="nft: Exec format error"):
        Programs("/", 5.0).run("nft")


@pytest.mark.parametrize(
    ("name", "said", "native"),
    [
        ("xtables-nft-multi", "never asked", True),
        ("xtables-legacy-multi", "(nf_tables)", False),
        ("xtables-multi", "(nf_tables)", False),
        ("wrapper", "iptables v1.8.4 (nf_tables)", True),
        ("wrapper", "iptables v1.8.9 (legacy)", False),
        ("wrapper", "iptables v1.6.1", False),
    ],
)
def test_which_iptables_it_is(folder: Path, name: str, said: str, native: bool) -> None:
    program(folder / "second" / name, f'test "$*" = --version && echo "{said}"')
    (folder / "first").mkdir()
    (folder / "first/iptables").symlink_to(folder / "second" / name)
    assert Programs("/", 5.0).native("iptables") is native


@pytest.mark.parametrize(
    ("ran", "expected"),
    [
        (Output(1, "", "iptables v1.8.9 (nf_tables):\n  no\n"), "iptables v1.8.9 (nf_tables): no"),
        (Output(1, "only this\n", ""), "only this"),
        (Output(4, "", ""), "exit 4"),
        (Output(1, "", "x" * 9000), "x" * 500),
    ],
)
def test_what_a_program_says(ran: Output, expected: str) -> None:
    assert derive_programs.words(ran) == expected


def test_the_folders_of_the_engines_own_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pid = os.spawnve(
        os.P_NOWAIT, "/bin/sleep", ["sleep", "60"], {"PATH": "/nix/store/x/bin:relative:/usr/bin", "A": "b"}
    )
    try:
        found: tuple[str, ...] = ()
        while not found:  # until it is the program, and no copy of us
            found = derive_programs._path_of(f"/proc/{pid}/root") if b"nix" in environ(pid) else ()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert found == ("/nix/store/x/bin", "/usr/bin")
    assert derive_programs._path_of(f"/proc/{pid}/root") == derive_programs._path_of("/") == ()


def environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()
