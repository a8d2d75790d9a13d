"""The script is run for real: with programs that write down how they were called, under each shell that there is."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from preflight.render import render
from preflight.render.context import Context
from preflight.report.model import Remedy, Report, Result, Severity
from tests.render import reports
from tests.render.hostile import ANY, VALUES

SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]
FAKES = ("apt-get", "curl", "docker", "reboot", "systemctl", "evil")
DO = "systemctl disable --now {}"


def step(check: str, *commands: str, status: str = "fail", message: str = "It is so.", **remedy: Any) -> Result:
    given = {"severity": remedy.pop("severity", Severity.REQUIRED), "subject": remedy.pop("subject", None)}
    return reports.result(check, status, message, remedy=Remedy("Do it.", commands, **remedy), **given)


def sh(*results: Result, **context: Any) -> str:
    return render(reports.report(*results), "sh", Context(**context))


class Host:
    """A directory of programs that note their arguments, one call a line; `broken` ones fail."""

    def __init__(self, path: Path) -> None:
        self.path, self.log, self.out = path, path / "calls", ""
        self.bin = path / "bin"
        self.bin.mkdir()
        self.fake("id", "echo 0")
        for name in FAKES:
            self.fake(name)
        grep = shutil.which("grep")
        assert grep
        (self.bin / "grep").symlink_to(grep)

    def fake(self, name: str, more: str = "") -> None:
        note = f"{{ printf '%s' {name}; [ $# = 0 ] || printf ' <%s>' \"$@\"; echo; }} >> {shlex.quote(str(self.log))}\n"
        (self.bin / name).write_text(f"#!/bin/sh\n{'' if more.startswith('echo') else note}{more}\n")
        (self.bin / name).chmod(0o755)

    def run(self, text: str, shell: str = "sh") -> int:
        """Run a script as a file, with a standard input that nobody may read; return its exit code."""
        file = self.path / "plan.sh"
        file.write_bytes(text.encode("utf-8", "backslashreplace"))
        program = shutil.which(shell)
        assert program
        words = [program, *(["sh"] if shell == "busybox" else []), str(file)]
        done = subprocess.run(
            words,
            cwd=self.path,
            env={"PATH": str(self.bin)},
            input=b"y\n",
            capture_output=True,
            check=False,
            timeout=30,
        )
        self.out = (done.stdout + done.stderr).decode("utf-8", "replace")
        return done.returncode

    @property
    def calls(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines() if self.log.exists() else []


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def reads(text: str, shell: str = "sh") -> bool:
    """Say whether a shell reads the whole script."""
    words = [shell, *(["sh"] if shell == "busybox" else []), "-n"]
    return subprocess.run(words, input=text.encode("utf-8", "backslashreplace"), check=False).returncode == 0


@pytest.mark.parametrize("name", reports.SAMPLES)
def test_the_scripts_of_usual_hosts(name: str, golden: Callable[[str, str], None]) -> None:
    text = render(reports.SAMPLES[name](), "sh")
    golden(f"{name}.sh", text)
    assert all(reads(text, shell) for shell in SHELLS)
    assert text.startswith("#!/bin/sh\n")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="there is no shellcheck")
@pytest.mark.parametrize("name", reports.SAMPLES)
def test_shellcheck_finds_nothing(name: str) -> None:
    text = render(reports.SAMPLES[name](), "sh")
    done = subprocess.run(
        ["shellcheck", "-s", "sh", "-S", "warning", "-"], input=text.encode(), capture_output=True, check=False
    )
    assert done.stdout.decode() == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_steps_are_run_in_their_order_and_nothing_else_is(shell: str, host: Host) -> None:
    text = sh(
        step("resources.swap", "docker restart x", status="warn"),
        step("services.mail", "systemctl stop postfix", when="last"),
        step("network.mtu", "docker network create x", status="warn", when="cloned"),
        step("resources.memory", "evil now", place="mailcow.conf"),
        step("clock.offset", "evil unknown", status="unknown"),
        step("system.limits", "evil info", status="warn", severity=Severity.INFO),
        step("system.commands", "apt-get update && apt-get install -y jq"),
        step("resources.disk", "df -h /"),
        step("ports.free", DO.format("exim4.service"), "apt-get purge exim4"),
        step("docker.leftovers", "docker rm old", status="warn"),
        step("services.mail", DO.format("nginx"), choice=True),
    )
    assert host.run(text, shell) == 0, host.out
    assert host.calls == [
        "apt-get <update>", "apt-get <install> <-y> <jq>", "systemctl <disable> <--now> <exim4.service>",
        "docker <restart> <x>",
    ]  # fmt: skip
    left = ("apt-get purge exim4", "docker rm old", DO.format("nginx"), "df -h /", "evil info")
    assert all(f"\n#     {command}\n" in text for command in left)
    assert not any(command in text for command in ("stop postfix", "network create", "evil now"))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("command", ["apt-get update && systemctl x", "systemctl x", "echo a >> no/such/file"])
def test_it_stops_at_the_first_error(command: str, shell: str, host: Host) -> None:
    host.fake("apt-get", "exit 7")
    host.fake("systemctl", "exit 7")
    text = sh(step("a.first", "docker one"), step("a.second", command, "docker two"), step("a.third", "docker three"))
    assert host.run(text, shell) != 0
    assert [call for call in host.calls if call.startswith("docker")] == ["docker <one>"]
    assert "Step 2 of 3" in host.out
    assert "Done" not in host.out


def test_it_asks_nothing_and_no_step_changes_another(host: Host) -> None:
    host.fake("docker", f"read -r answer && exit 9; pwd >> {shlex.quote(str(host.log))}; exit 0")
    (host.path / "deep").mkdir()
    assert host.run(sh(step("a.a", "cd deep", "docker one"), step("a.b", "docker two"))) == 0, host.out
    assert host.calls == ["docker <one>", str(host.path / "deep"), "docker <two>", str(host.path)]


def test_it_wants_to_be_run_as_root(host: Host) -> None:
    host.fake("id", "echo 1000")
    assert host.run(sh(step("a.a", "docker one"))) == 1
    assert (host.calls, host.out) == ([], "Run this script as root.\n")


def test_a_line_is_added_to_a_file_once(host: Host) -> None:
    file = host.path / "fs tab"
    file.write_text("/dev/vda / ext4\n")
    line = "/swapfile none swap defaults 0 0"
    text = sh(step("resources.swap", f"echo {shlex.quote(line)} >> {shlex.quote(str(file))}", status="warn"))
    assert [host.run(text), host.run(text)] == [0, 0]
    assert file.read_text() == f"/dev/vda / ext4\n{line}\n"


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ((), "Nothing was judged"),
        ((reports.result("a.a"),), "There is nothing to do on this server"),
        ((step("dns.mx", place="dns"),), "There is nothing to do on this server"),
        ((step("resources.disk", "df -h /"),), "The steps below need a person"),
    ],
)
def test_where_nothing_is_to_be_run_it_says_so_and_does_nothing(
    results: Sequence[Result], said: str, host: Host
) -> None:
    text = sh(*results)
    assert said in text
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == ["set -eu"]
    assert (host.run(text), host.calls, host.out) == (0, [], "")


def test_placeholders_are_no_commands(host: Host) -> None:
    text = sh(step("ports.free", DO.format("exim4")), redacted=True)
    assert (host.run(text), host.calls) == (0, [])
    assert f"#     {DO.format('exim4')}" in text


def named(value: str) -> Report:
    """A host whose every word wants to be a command, but for the commands, which the checks quote."""
    return reports.report(
        step("ports.free", DO.format(shlex.quote(value)), message=f"25/tcp is held by {value}.", subject=value),
        step("docker.engine", "docker two", message=value),
        reports.result("services.mail", "warn", value, subject=value, remedy=Remedy(value, choice=True)),
        reports.result("clock.offset", "unknown", reason=value, remedy=Remedy(value, (value,))),
        name=value,
    )


@pytest.mark.parametrize("value", [*VALUES, "$(evil)", "`evil`", "; evil", "\nevil\n", "'; evil; '", "x\\", "&& evil"])
def test_no_name_becomes_a_command(value: str, host: Host) -> None:
    text = render(named(value), "sh")
    for shell in SHELLS:
        host.log.unlink(missing_ok=True)
        assert host.run(text, shell) == 0, host.out
        wanted = [f"systemctl <disable> <--now> <{value}>"] if DO.format(shlex.quote(value)) in text else []
        assert host.calls == [*wanted, "docker <two>"]


@given(value=ANY)
def test_whatever_a_host_calls_itself_stays_in_comments(value: str) -> None:
    wanted = [line for line in render(named("exim"), "sh").splitlines() if not line.startswith("#")]
    lines = [line for line in render(named(value), "sh").splitlines() if not line.startswith("#")]
    quoted = DO.format(shlex.quote(value))
    # A name that no script should hold takes its step out of it.
    assert lines == [line.replace("exim", shlex.quote(value)) for line in wanted] or quoted not in lines
    known = {*wanted, quoted, f"{quoted} || exit"}  # what may be a list of commands ends the step where it fails
    assert all(line in known or line.startswith("echo 'Step ") for line in lines if line)
