"""The launcher of the self-contained file, with a runtime of a few lines: what it does before and after the program."""

from __future__ import annotations

import importlib
import os
import platform
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.tools import program

SHELLS = pytest.mark.parametrize("shell", ["dash", "busybox"])
# The interpreter's wrapper in its place: called as `python3 -IS DIRECTORY/start.py ARGUMENTS`. As start.py does, it
# removes the directory at its end.
STAND_IN = """\
#!/bin/sh
dir=${2%/start.py}
shift 2
case ${1-} in
echo) shift; printf '%s\\n' "$@" "$(umask)" ;;
cat) cat ;;
wait) trap 'echo heard; rm -rf "$dir"; exit 42' INT TERM HUP; echo ready; while :; do sleep 0.05; done ;;
hang) echo ready; exec sleep 60 9>&9 ;;
esac
rm -rf "$dir"
exit 7
"""
DEADLINE = 10.0


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def packed(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str = "") -> Path:
    """Make a self-contained file whose interpreter is STAND_IN."""
    monkeypatch.syspath_prepend(str(tree / "tools"))
    selfcontained = importlib.import_module("selfcontained")
    root = tmp_path / "root"
    for name in ("etc", "usr/lib64", "usr/bin"):
        (root / name).mkdir(parents=True)
    (root / "etc/ld.so.conf").write_text("/usr/lib64\n")
    (root / "usr/lib64/ld-linux.so.2").write_text("")
    (root / "usr/bin/python3.11").write_text("")
    runtime = selfcontained.Runtime(root, Path("/usr/bin/python3.11"), Path("/usr/lib/packages"))
    monkeypatch.setattr(selfcontained, "PYTHON", STAND_IN.replace("{", "{{").replace("}", "}}"))
    made = tmp_path / "mailcow-preflight"
    selfcontained.pack(runtime, made, machine or platform.machine(), "0.1.0", 315532800)
    return made


@pytest.fixture
def file(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return packed(tree, tmp_path, monkeypatch)


def words(shell: str, file: Path, *arguments: str) -> list[str]:
    return [program(shell), *(["sh"] if shell == "busybox" else []), str(file), *arguments]


def environment(unpacked: Path | str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "TMPDIR": str(unpacked)}


def empty(folder: Path) -> bool:
    """Say whether a directory becomes empty."""
    until = time.monotonic() + DEADLINE
    while any(folder.iterdir()):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@SHELLS
def test_arguments_input_and_exit_code_are_the_programs_own(shell: str, file: Path, unpacked: Path) -> None:
    given = ["echo", "two words", "", "$(id)", "*", "'"]
    ran = subprocess.run(
        words(shell, file, *given), env=environment(unpacked), capture_output=True, text=True, check=False
    )
    umask = os.umask(0)
    os.umask(umask)
    assert ran.stdout.splitlines()[:-1] == given[1:]
    assert int(ran.stdout.splitlines()[-1], 8) == umask
    assert (ran.returncode, ran.stderr) == (7, "")
    assert list(unpacked.iterdir()) == []
    ran = subprocess.run(
        words(shell, file, "cat"),
        env=environment(unpacked),
        input="so it is",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "so it is"


@SHELLS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_the_program(shell: str, number: signal.Signals, file: Path, unpacked: Path) -> None:
    with subprocess.Popen(
        words(shell, file, "wait"), env=environment(unpacked), stdout=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout is not None
        assert ran.stdout.readline() == "ready\n"
        ran.send_signal(number)
        assert ran.stdout.read() == "heard\n"
    assert ran.returncode == 42
    assert list(unpacked.iterdir()) == []


@SHELLS
def test_ctrl_c_on_a_terminal_is_heard_once_and_leaves_nothing(shell: str, file: Path, unpacked: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(program(shell), words(shell, file, "wait"), environment(unpacked))
    until, told = time.monotonic() + DEADLINE, b""
    while b"ready" not in told and time.monotonic() < until:
        told += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
    assert os.read(terminal, 1000).count(b"heard") == 1
    os.close(terminal)
    assert list(unpacked.iterdir()) == []


@SHELLS
def test_a_program_that_is_killed_leaves_nothing_either(shell: str, file: Path, unpacked: Path) -> None:
    with subprocess.Popen(
        words(shell, file, "hang"), env=environment(unpacked), stdout=subprocess.PIPE, text=True
    ) as ran:
        assert ran.stdout is not None
        assert ran.stdout.readline() == "ready\n"
        assert len(list(unpacked.iterdir())) == 1
        assert [path.stat().st_mode & 0o777 for path in unpacked.iterdir()] == [0o700]
        ran.kill()
    assert empty(unpacked)


@SHELLS
def test_a_damaged_file_says_so(shell: str, file: Path, unpacked: Path) -> None:
    for data in (file.read_bytes()[:-20], file.read_bytes()[:-1] + b"x"):
        file.write_bytes(data)
        ran = subprocess.run(words(shell, file), env=environment(unpacked), capture_output=True, text=True, check=False)
        assert ran.returncode == 125
        assert ran.stderr == "preflight: This file is damaged or incomplete. Download it again.\n"
    assert list(unpacked.iterdir()) == []


@SHELLS
def test_another_machine_is_told(
    shell: str, tree: Path, tmp_path: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = packed(tree, tmp_path, monkeypatch, machine="riscv64")
    ran = subprocess.run(words(shell, file), env=environment(unpacked), capture_output=True, text=True, check=False)
    here = f"Linux on {platform.machine()}"
    assert (ran.returncode, ran.stderr) == (125, f"preflight: This file is for Linux on riscv64, and this is {here}.\n")


@SHELLS
def test_where_nothing_can_be_unpacked_the_places_and_the_way_out_are_told(
    shell: str, file: Path, tmp_path: Path, unpacked: Path
) -> None:
    """In front of every place stands a mktemp that makes no directory but below one name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    real = program("mktemp")
    mktemp = folder / "mktemp"
    mktemp.write_text(f'#!/bin/sh\ncase $2 in {unpacked}/*) exec {real} "$@" ;; esac\nexit 1\n')
    mktemp.chmod(0o755)
    variables = {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": "/nowhere"}
    ran = subprocess.run(words(shell, file), env=variables, capture_output=True, text=True, check=False)
    if shell == "busybox" and not ran.stderr:
        pytest.skip("this BusyBox prefers its own mktemp")
    assert ran.returncode == 125
    assert ran.stderr.startswith(
        "preflight: No directory can take 1 MiB of programs (/nowhere: not writable, /tmp: not "
    )
    assert ran.stderr.endswith(f"Name one: TMPDIR=/directory sh {file}\n")
    assert ran.stderr.count("\n") == 1


@SHELLS
def test_a_file_that_is_piped_into_a_shell_says_what_to_do(shell: str, file: Path, unpacked: Path) -> None:
    command = words(shell, file)[:-1]
    ran = subprocess.run(command, input=file.read_bytes(), env=environment(unpacked), capture_output=True, check=False)
    assert ran.returncode == 125
    assert b"preflight: This program reads its own file. Save it, and run it by its path." in ran.stderr
