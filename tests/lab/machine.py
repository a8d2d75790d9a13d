"""One host: a root on a throw-away overlay, systemd as its first process, a network with another end.

Everything of it hangs on processes that end with this one, whatever ends it: mounts and networks are private to them.
What a killed run leaves are plain files and empty control groups; the next run removes those.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from preflight.mailcow.recursion import documented
from tests.gather.root_servers import HOLDERS
from tests.lab.kinds import Kind, root_of

PREFIX = "mailcow-preflight-lab."
HERE = Path(__file__).parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ADDRESS, GATEWAY = "198.51.100.10", "198.51.100.1"
ADDRESS6, GATEWAY6 = "2001:db8::10", "2001:db8::1"
NUMBER = itertools.count()
NOFILE = 1 << 19  # open files, at most: what systemd gives a host of its own, as far as this machine lets it
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class LabError(Exception):
    """Says what of the lab itself did not work, whatever the host's fault."""


def bound(*, group: Path | None = None) -> None:
    """Tie a new process to this one's life, and put it into a control group (between fork and exec)."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    if group is not None:
        (group / "cgroup.procs").write_text("0")


def hierarchy() -> Path:
    """Find the machine's tree of control groups, version 2."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        if tail.split()[0] == "cgroup2":
            return Path(fields.split()[4])
    raise LabError("this machine has no control groups of version 2 mounted")


class Machine:
    """A running host; `with` ends it. `network`: `ipv4`, or `dual` for both families."""

    def __init__(self, kind: Kind, network: str = "ipv4", template: Path | None = None, *, nofile: int = 0) -> None:
        self.kind, self.network, self.template = kind, network, template
        self.nofile = nofile or max(NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        self.home = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}."))
        self.group = hierarchy() / f"{PREFIX}{os.getpid()}.{next(NUMBER)}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.pid = 0

    @property
    def known(self) -> dict[str, str]:
        """Return the findings that are true of every host of this kind."""
        return dict(self.kind.known)

    def __enter__(self) -> Self:
        try:
            for name in ("root", "upper", "work", "data/docker", "data/containerd", "data/containers"):
                (self.home / name).mkdir(parents=True)
            if self.template is not None:
                furnish(self.template, self.home / "data")
            self.wire()
            self.boot()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, _t: type[BaseException] | None, _v: BaseException | None, _b: TracebackType | None) -> None:
        self.stop()

    def wire(self) -> None:
        """Make the host's network and the other end of it, joined by one cable."""
        self.inside, self.outside = self.keep(), self.keep()
        self.sysctl(self.inside, "net/ipv6/conf/all/disable_ipv6", "0" if self.network == "dual" else "1")
        self.sysctl(self.inside, "net/ipv6/conf/default/disable_ipv6", "0" if self.network == "dual" else "1")
        self.ip(self.inside, "link", "set", "lo", "up")
        self.ip(self.outside, "link", "set", "lo", "up")
        self.ip(self.inside, "link", "add", "eth0", "type", "veth", "peer", "name", "up0", "netns", str(self.outside))
        self.ip(self.inside, "address", "add", f"{ADDRESS}/24", "dev", "eth0")
        self.ip(self.outside, "address", "add", f"{GATEWAY}/24", "dev", "up0")
        if self.network == "dual":
            self.ip(self.inside, "address", "add", f"{ADDRESS6}/64", "dev", "eth0", "nodad")
            self.ip(self.outside, "address", "add", f"{GATEWAY6}/64", "dev", "up0", "nodad")
        for address in (*HOLDERS, *documented().pings.addresses):  # name servers of the Internet, and who answers pings
            self.ip(self.outside, "address", "add", f"{address}/32", "dev", "lo")
        self.ip(self.inside, "link", "set", "eth0", "up")
        self.ip(self.outside, "link", "set", "up0", "up")
        self.ip(self.inside, "route", "add", "default", "via", GATEWAY)
        if self.network == "dual":
            self.ip(self.inside, "-6", "route", "add", "default", "via", GATEWAY6)
        self.spawn(
            [
                "nsenter",
                f"--net=/proc/{self.outside}/ns/net",
                sys.executable,
                "-m",
                "tests.lab.internet",
                GATEWAY,
                self.network,
            ],
            cwd=HERE.parent.parent,
        )

    def keep(self) -> int:
        """Make an empty network namespace and return the process that keeps it."""
        process = self.spawn(["unshare", "--net", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        await_(lambda: network_of(process.pid) not in (own, None), 5, "a network namespace")
        return process.pid

    def boot(self) -> None:
        """Start the host and wait until systemd has started what is enabled."""
        with contextlib.suppress(OSError):
            self.group.mkdir()
        script = ["sh", str(HERE / "boot.sh"), str(root_of(self.kind)), str(self.home), "mail.example.org"]
        script.append(str(self.nofile))
        namespaces = ["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]
        command = ["nsenter", f"--net=/proc/{self.inside}/ns/net", "unshare", *namespaces, "--propagation", "private"]
        process = self.spawn([*command, *script], group=self.group, log=self.home / "console")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

        def first() -> bool:
            if process.poll() is not None:
                raise LabError("the host did not start:\n" + (self.home / "console").read_text(errors="replace"))
            words = children.read_text().split()
            self.pid = int(words[0]) if words else 0
            with contextlib.suppress(OSError):
                return bool(self.pid) and Path(f"/proc/{self.pid}/comm").read_text().strip() == "systemd"
            return False

        await_(first, 10, "the first process")
        await_(lambda: Path(f"/proc/{self.pid}/root/run/systemd/private").exists(), 20, "systemd")
        self.run("systemctl is-system-running --wait >/dev/null", check=False, seconds=60)

    def reboot(self) -> None:
        """Start the host again, with all that it has on its disk."""
        self.end(self.processes.pop())
        self.boot()

    def spawn(
        self, command: Sequence[str], *, group: Path | None = None, log: Path | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        with open(log or os.devnull, "ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd,
                preexec_fn=lambda: bound(group=group),
            )  # fmt: skip
        self.processes.append(process)
        return process

    def run(
        self, script: str, *, check: bool = True, seconds: float = 120, input: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script on the host as root; raise `LabError` where it fails (`check`) or never ends."""
        command = ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C", "env", "-i", f"PATH={PATH}"]
        command += ["HOME=/root", "LANG=C.UTF-8", "sh", "-euc", script]
        return self._run(command, script, check=check, seconds=seconds, input=input)

    def outside_run(self, script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shell script at the other end of the cable."""
        command = ["nsenter", f"--net=/proc/{self.outside}/ns/net", "sh", "-euc", script]
        return self._run(command, script, check=check, seconds=60)

    def _run(
        self, command: list[str], script: str, *, check: bool, seconds: float, input: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        try:
            done = subprocess.run(command, input=input or b"", capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise LabError(f"no end after {seconds:g} s: {script}") from None
        told = subprocess.CompletedProcess(
            script, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )
        if check and told.returncode:
            raise LabError(f"ended with {told.returncode}: {script}\n{told.stdout[-2000:]}{told.stderr[-2000:]}")
        return told

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on the host."""
        self.run(f"mkdir -p {Path(path).parent}; cat > {path}; chmod {mode:o} {path}", input=text.encode())

    def ip(self, keeper: int, *words: str) -> None:
        subprocess.run(["nsenter", f"--net=/proc/{keeper}/ns/net", "ip", *words], check=True)

    def sysctl(self, keeper: int, name: str, value: str) -> None:
        subprocess.run(
            ["nsenter", f"--net=/proc/{keeper}/ns/net", "sh", "-c", f"echo {value} > /proc/sys/{name}"], check=True
        )

    def stop(self) -> None:
        """End the host and all that belongs to it, and remove what is left on the disk."""
        for process in reversed(self.processes):
            self.end(process)
        self.processes.clear()
        remove_groups(self.group)
        shutil.rmtree(self.home, ignore_errors=True)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        # Killed, not asked: with a host's first process the kernel ends all others in it.
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
        process.kill()
        process.wait()
        if self.pid:
            await_(lambda: not Path(f"/proc/{self.pid}").exists(), 10, "the end of the host")


def furnish(template: Path, data: Path) -> None:
    """Give a host the data of an engine: layers of images, which nobody writes to, as links, all else as its own."""
    subprocess.run(["cp", "-al", f"{template}/.", str(data)], check=True)
    for folder, below, names in os.walk(data):
        below[:] = [name for name in below if name != "diff"]
        for path in (os.path.join(folder, name) for name in names):
            if stat.S_ISREG(os.lstat(path).st_mode):
                shutil.copy2(path, f"{path}.own")
                os.rename(f"{path}.own", path)


def network_of(pid: int) -> str | None:
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
            return os.readlink(f"/proc/{pid}/ns/net")
    return None


def await_(done: object, seconds: float, what: str) -> None:
    """Wait until `done()` is true; raise `LabError` where it is not in time."""
    assert callable(done)
    limit = time.monotonic() + seconds
    while not done():
        if time.monotonic() > limit:
            raise LabError(f"no {what} after {seconds:g} s")
        time.sleep(0.02)


def remove_groups(top: Path) -> None:
    """Remove a tree of control groups, as far as it is empty."""
    for folder, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def remove_forgotten() -> None:
    """Remove the files and control groups of runs that were killed; their number stands in the names."""
    for left in (*Path(tempfile.gettempdir()).glob(f"{PREFIX}*"), *hierarchy().glob(f"{PREFIX}*")):
        if not Path("/proc", left.name.removeprefix(PREFIX).split(".")[0]).exists():
            remove_groups(left) if left.is_relative_to(hierarchy()) else shutil.rmtree(left, ignore_errors=True)


def template_of(kind: Kind, image: Path, key: str) -> Path:
    """Return the data of an engine of this kind that holds the image, made where the cache has none."""
    from tests.lab.kinds import CACHE, locked

    made = CACHE / f"data-{kind.name}-{kind.digest}-{key}"
    with locked(f"data-{kind.name}"):
        if made.is_dir():
            return made
        for old in CACHE.glob(f"data-{kind.name}-{'?' * 12}-*"):
            shutil.rmtree(old)
        with Machine(kind) as machine:
            machine.run(f"{engine_client(kind)} load -q", input=image.read_bytes(), seconds=60)
            machine.run("systemctl stop docker.socket docker.service containerd.service", check=not kind.podman)
            partial = Path(f"{made}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            subprocess.run(["cp", "-a", f"{machine.home}/data", str(partial)], check=True)
            partial.rename(made)
    return made


def engine_client(kind: Kind) -> str:
    return "podman" if kind.podman else "docker"


def told(machine: Machine, command: str) -> object:
    """Return what a command on the host prints as JSON."""
    return json.loads(machine.run(command).stdout)
