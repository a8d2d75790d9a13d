"""Compose is found where docker finds it, and asked for its version in the host's root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.facts import Compose, Fact, View
from preflight.gather.access import command
from preflight.gather.access.command import Output
from preflight.gather.access.roots import Roots
from preflight.gather.engine.compose import PLUGINS, STANDALONE, compose, parse_version
from preflight.text.versions import at_least
from tests.gather.trees import copy, out_of_reach, write

USR, LOCAL = f"{PLUGINS[4]}/docker-compose", f"{PLUGINS[1]}/docker-compose"
OLD, OPT = STANDALONE[1:]
HOME = "/home/anna/.docker/cli-plugins/docker-compose"
Asked = list[tuple[tuple[str, ...], str | None]]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Fact[Compose], Asked]]:
    """Return a function that finds Compose on a host with these programs, each ending as given."""

    def ask(programs: dict[str, Output]) -> tuple[Fact[Compose], Asked]:
        asked: Asked = []

        def run(argv: tuple[str, ...], timeout: float, root: str | None = None) -> Output:
            assert 0 < timeout <= 10
            asked.append((argv, root))
            return programs[argv[0]]

        monkeypatch.setattr(command, "run", run)
        for path in programs:
            write(tmp_path, path, "")
            (tmp_path / path.lstrip("/")).chmod(0o755)
        view = View(container=True, root=str(tmp_path), live=True, network=True, privileged=True)
        return compose(Roots(str(tmp_path), view)), asked

    return ask


def said(out: str) -> Output:
    return Output(0, out, "")


BROKEN = Output(127, "", "\n error while loading shared libraries\nmore\n")


@pytest.mark.parametrize(
    ("programs", "found"),
    [
        ({}, Compose(None, None, "")),
        ({HOME: said("2.40.3\n")}, Compose(None, None, "", of_user=HOME)),
        ({HOME: said("2.40.3\n"), USR: said("2.40.3\n")}, Compose("plugin", USR, "2.40.3")),
        ({OPT: said("2.40.3\n")}, Compose("standalone", OPT, "2.40.3")),
        ({USR: said("2.40.3\n")}, Compose("plugin", USR, "2.40.3")),
        ({OLD: said("1.29.2\n")}, Compose("standalone", OLD, "1.29.2")),
        ({USR: said("5.0.1\n"), OLD: said("1.29.2\n")}, Compose("plugin", USR, "5.0.1")),
        ({USR: said("2.1.0\n"), LOCAL: said("2.40.3\n")}, Compose("plugin", LOCAL, "2.40.3")),
        ({USR: BROKEN, OLD: said("2.24.0\n")}, Compose("standalone", OLD, "2.24.0")),
        ({USR: BROKEN}, Compose("plugin", USR, "", "error while loading shared libraries")),
        ({USR: BROKEN, OLD: Output(1, "", "")}, Compose("plugin", USR, "", "error while loading shared libraries")),
        ({USR: Output(2, "2.40.3\n", "")}, Compose("plugin", USR, "", "2.40.3")),
        ({USR: said("dev\n")}, Compose("plugin", USR, "", "dev")),
        ({USR: said("")}, Compose("plugin", USR, "", "exit code 0")),
        (
            {USR: Output(None, "", "", "it did not finish in time")},
            Compose("plugin", USR, "", "it did not finish in time"),
        ),
    ],
)  # fmt: skip
def test_which_compose_mailcow_would_use(
    ask: Callable[..., tuple[Fact[Compose], Asked]], programs: dict[str, Output], found: Compose
) -> None:
    assert ask(programs)[0].get() == found


def test_it_is_asked_by_its_path_in_the_hosts_root(
    tmp_path: Path, ask: Callable[..., tuple[Fact[Compose], Asked]]
) -> None:
    fact, asked = ask({USR: said("2.40.3\n")})
    assert asked == [((USR, "version", "--short"), str(tmp_path))]
    assert fact.source == USR


def test_a_folder_and_a_link_to_nowhere_are_no_program(
    tmp_path: Path, ask: Callable[..., tuple[Fact[Compose], Asked]]
) -> None:
    (tmp_path / LOCAL.lstrip("/")).mkdir(parents=True)
    (tmp_path / "root/.docker/cli-plugins").mkdir(parents=True)
    (tmp_path / "root/.docker/cli-plugins/docker-compose").symlink_to("/Applications/Docker.app/docker-compose")
    assert ask({USR: said("2.40.3\n")})[0].get() == Compose("plugin", USR, "2.40.3")


def test_a_copy_of_a_host_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("a program was run"))
    host = copy(tmp_path, **{USR: "#!/bin/sh\necho 2.40.3\n"})
    (tmp_path / USR.lstrip("/")).chmod(0o755)
    found = compose(host).get()
    assert (found.kind, found.path, found.version) == ("plugin", USR, "")
    assert "a copy of a host cannot run" in found.detail


def test_out_of_reach_is_unknown(tmp_path: Path) -> None:
    assert compose(out_of_reach()).missing == out_of_reach().why
    (tmp_path / "usr").symlink_to("usr")  # a link to itself: nothing below it can be told
    fact = compose(copy(tmp_path))
    assert fact.missing is not None
    assert (fact.missing.kind, "too many links" in fact.missing.reason) == ("unknown", True)


# --- what it prints ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "version", "enough"),
    [
        ("2.40.3\n", "2.40.3", True),
        ("v2.39.1-desktop.1\n", "v2.39.1-desktop.1", True),
        ("2.26.1-4\n", "2.26.1-4", True),
        ("2.24.6+ds1-0ubuntu1~22.04.1\n", "2.24.6+ds1-0ubuntu1~22.04.1", True),
        ("5.0.0-rc.1", "5.0.0-rc.1", True),
        ("10.0\n", "10.0", True),
        ("v2.39.1-12-gabc1234\r\n", "v2.39.1-12-gabc1234", True),
        ("time=\"…\" level=warning msg=\"version is obsolete\"\n  2.40.3  \n", "2.40.3", True),
        ("1.29.2\n", "1.29.2", False),
        ("1.25.0-rc2\n", "1.25.0-rc2", False),
    ],
)  # fmt: skip
def test_versions(out: str, version: str, enough: bool) -> None:
    assert parse_version(out) == version
    assert at_least(version, "2.0.0") is enough


@pytest.mark.parametrize(
    "out",
    [
        "", "\n\n", "dev", "(devel)", "2", "v", "v2", ".2.0", "Docker Compose version v2.40.3", "2.x y", "two.40",
        "2." + "9" * 200, "9" * 30 + ".1", "2.0\x1b[31m", "\x002.0", "٢.٤٠", "2.0;reboot", "<html>2.0</html>",
        "noise\n" * 30 + "2.40.3",
    ],
)  # fmt: skip
def test_what_is_no_version(out: str) -> None:
    assert parse_version(out) == ""


@given(st.text())
def test_a_version_is_short_and_plain(out: str) -> None:
    version = parse_version(out)
    assert len(version) <= 100
    assert version.isascii()
    assert version.isprintable()


def test_a_copy_without_programs_does_not_tell(tmp_path: Path) -> None:
    left_out = compose(copy(tmp_path, **{"/etc/hostname": "mail\n"}))
    assert (left_out.known, left_out.missing and left_out.missing.help) == (False, "Copy /usr too.")
    assert compose(copy(tmp_path, **{"/usr/bin/docker": ""})).get() == Compose(None, None, "")


def test_a_plugin_that_nobody_may_execute_is_none(tmp_path: Path) -> None:
    plugin = tmp_path / "usr/local/lib/docker/cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("#!/bin/sh\n")
    plugin.chmod(0o644)
    found = compose(copy(tmp_path)).get()
    assert (found.kind, found.inert) == (None, "/usr/local/lib/docker/cli-plugins/docker-compose")
    plugin.chmod(0o755)
    assert compose(copy(tmp_path)).get().kind == "plugin"
