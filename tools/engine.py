"""Run a command with a Docker engine: the one that answers, else a private one that is gone afterwards.

    python3 tools/engine.py run -- COMMAND...    exit code: the command's, or 77 where no engine can be had
    python3 tools/engine.py alone -- COMMAND...  the same with one more engine, in an empty network of its own
    python3 tools/engine.py ping                 exit code 0 where an engine answers

The private engine keeps everything in a directory of its own and works in this machine's network, as a real one would.
Afterwards its processes, mounts, bridges, firewall rules, control groups and files are removed, and forwarding is set
back. What stays: packages that had to be installed, and kernel modules that it loaded. Where this process is killed
outright, the kernel stops the engine and the next run removes its directory; its bridge and rules then stay.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import oci_runtime
from engine_traces import Traces
from system import can_install, install, say

DEFAULT = "unix:///var/run/docker.sock"
START_SECONDS = 30
STOP_SECONDS = 20
NO_ENGINE = 77  # as test programs say "skipped"
# Paths of sockets may have 107 characters: a short name below /tmp, whatever TMPDIR says.
PREFIX = "/tmp/mailcow-preflight-engine."
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1
MNT_DETACH = 2
CLONE_NEWNET = 0x40000000


class UnixConnection(HTTPConnection):
    """HTTP over the engine's socket, without the client library, which is not installed yet."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(host: str, path: str, method: str = "GET") -> bytes | None:
    """Return the engine's answer to one request, None where there is none or a refusal."""
    url = urlsplit(host)
    if url.scheme not in {"unix", "tcp"} or os.environ.get("DOCKER_TLS_VERIFY"):  # ssh:// and the like
        done = subprocess.run(["docker", "version"], capture_output=True, check=False)
        return b"" if done.returncode == 0 else None
    connection = UnixConnection(url.path) if url.scheme == "unix" else HTTPConnection(url.netloc, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.read() if answer.status < 300 else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def found() -> str | None:
    """Return the address of the engine that answers at DOCKER_HOST or the default socket."""
    host = os.environ.get("DOCKER_HOST") or DEFAULT
    return host if ask(host, "/_ping") is not None else None


class PrivateEngine:
    """One dockerd, from start to the last trace of it."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}."))
        self.host = f"unix://{self.home}/docker.sock"
        self.log = self.home / "log"
        self.traces = Traces()
        self.daemon: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        (self.home / "daemon.json").write_text("{}")  # not the machine's own settings
        # containerd takes no two separators in a row in a namespace, and none at its end
        name = self.home.name.replace(".", "-").replace("_", "0")
        command = ["dockerd", "--config-file", f"{self.home}/daemon.json", "-H", self.host]
        command += [
            "--data-root",
            f"{self.home}/data",
            "--exec-root",
            f"{self.home}/exec",
            "--pidfile",
            f"{self.home}/pid",
        ]
        # Where the machine's own containerd runs, dockerd uses that one: names of our own keep its containers apart.
        command += ["--containerd-namespace", name, "--containerd-plugins-namespace", f"{name}-plugins"]
        command += ["--exec-opt", "native.cgroupdriver=cgroupfs"]  # works with and without systemd
        if lacking := oci_runtime.missing():
            say(f"this machine lacks {', '.join(sorted(lacking))}: so do the engine's containers")
            runtime = self.home / "runtime"
            # The interpreter itself, not a launcher in PATH; and only where runc is about to start a process.
            edit = shlex.join([os.path.realpath(sys.executable), "-I", "-S", oci_runtime.__file__])
            runtime.write_text(
                f'#!/bin/sh\ncase " $* " in *" create "*|*" exec "*) {edit} "$@" ;; esac\nexec runc "$@"\n'
            )
            runtime.chmod(0o755)
            command += ["--add-runtime", f"lacking={runtime}", "--default-runtime", "lacking"]
        return command

    def start(self) -> None:
        """Start the engine and wait until it answers; raise RuntimeError with the end of its log where it does not."""
        libc = ctypes.CDLL(None)
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C is for the command, the engine stops after it. Should this process be
            # killed outright, the kernel tells the engine to stop.
            self.daemon = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not ask(self.host, "/_ping"):
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("dockerd did not start:\n" + self.log.read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the engine and remove every trace of it."""
        for container in json.loads(ask(self.host, "/containers/json") or b"[]"):
            ask(self.host, f"/containers/{container['Id']}/kill", "POST")  # dockerd itself would wait 10 s for each
        networks = json.loads(ask(self.host, "/networks") or b"[]")
        self.traces.bridges |= {
            network["Options"].get("com.docker.network.bridge.name") or f"br-{network['Id'][:12]}"
            for network in networks
            if network["Driver"] == "bridge"
        }
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            try:
                self.daemon.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        erase(self.home)
        self.traces.remove()


def erase(home: Path) -> None:
    """Remove an engine's directory, with what still runs or is mounted in it (containerd and its shims)."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            engine_part = Path(os.fsdecode(words.split(b"\0")[0])).name.startswith(("containerd", "docker"))
            if engine_part and f"{home}/".encode() in words:
                os.kill(int(folder.name), signal.SIGKILL)
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((point for point in points if point.startswith(f"{home}/")), reverse=True):
        ctypes.CDLL(None).umount2(mount.encode(), MNT_DETACH)
    shutil.rmtree(home, ignore_errors=True)
    if home.exists():
        say(f"could not remove {home}")


def erase_forgotten() -> None:
    """Remove the directories of engines whose starter was killed outright; its number stands in their names."""
    for home in Path(PREFIX).parent.glob(f"{Path(PREFIX).name}*.*"):
        if not Path("/proc", home.name.split(".")[1]).exists():
            say(f"removing {home}, forgotten by a killed run")
            erase(home)


def part() -> None:
    """Leave this machine's network for an empty one; raise RuntimeError where that is not allowed."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise RuntimeError(f"no network of its own: {os.strerror(ctypes.get_errno())}")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def obtain(*, alone: bool = False) -> PrivateEngine | str:
    """Return the engine that answers or a private one, not started yet; raise RuntimeError where neither can be."""
    if alone:
        part()
    elif host := found():
        return host
    if os.geteuid() != 0:
        raise RuntimeError("no engine answers, and only root can start one")
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where Debian keeps dockerd
    if not shutil.which("dockerd"):
        if not can_install():
            raise RuntimeError("no engine answers, and there is no dockerd to start")
        # Newer releases have the client, and what it needs for BuildKit, in packages of their own.
        install(["docker.io", "iptables"], optional=["docker-cli", "docker-buildx"])
    erase_forgotten()
    return PrivateEngine()


def supervise(command: list[str], host: str) -> int:
    """Run the command with DOCKER_HOST set, hand signals on to it, and return its exit code as a shell would."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def hand_on(number: int, _frame: object) -> None:
        if child is None:
            early.append(number)
            return
        if not (number == signal.SIGINT and in_foreground()):
            child.send_signal(number)
        signal.alarm(STOP_SECONDS)

    def lose_patience(_number: int, _frame: object) -> None:
        if child is not None:
            child.kill()

    for number in SIGNALS:
        signal.signal(number, hand_on)
    signal.signal(signal.SIGALRM, lose_patience)
    child = subprocess.Popen(command, env={**os.environ, "DOCKER_HOST": host})
    for number in early:
        child.send_signal(number)
    code = child.wait()
    return code if code >= 0 else 128 - code


def in_foreground() -> bool:
    """Say whether the terminal sends its Ctrl-C to this process, and so to the command too."""
    with contextlib.suppress(OSError), open("/dev/tty", "rb") as terminal:
        return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    return False


def run(command: list[str], *, alone: bool = False) -> int:
    try:
        engine = obtain(alone=alone)
    except RuntimeError as reason:
        say(str(reason))
        return NO_ENGINE
    if isinstance(engine, str):
        say(f"using the engine at {engine}")
        return supervise(command, engine)

    # From here on a signal must not leave the engine behind: until the command runs, it becomes an exit.
    for number in SIGNALS:
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        say("starting a private engine")
        started = time.monotonic()
        engine.start()
        say(f"it answers after {time.monotonic() - started:.1f} s")
        return supervise(command, engine.host)
    except RuntimeError as reason:
        say(str(reason))
        return NO_ENGINE
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        say("stopping the private engine")
        engine.stop()


def main() -> int:
    match sys.argv[1:]:
        case ["ping"]:
            return 0 if found() else 1
        case ["run", "--", *command] if command:
            return run(command)
        case ["alone", "--", *command] if command:
            return run(command, alone=True)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
