"""Which processes run on the host, whose they are, and which unit or container they belong to."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from msgspec import Struct

from preflight.facts import Fact, Parent
from preflight.gather.access.roots import Roots, Unreadable
from preflight.gather.machine import live
from preflight.text.sentences import phrase, say

SOURCE = "/proc/PID"
PROCESSES = 100_000  # that are looked at
COMMAND = 4096  # bytes of a command line

Runtime = Literal["docker", "podman", "kubernetes", "lxc", "nspawn"]


class Process(Struct, frozen=True):
    """A process of the host. `user`: name in the host's passwd, else the number. None = not known, or none.

    `unit`: the system service that `systemctl` (or `rc-service`) stops it with. Login sessions, scopes, services
    of a user's own manager, and what SSH or cron started give None: stopping those would throw their user out.
    `container`: the id (LXC, nspawn: the name) of the container on the host that it runs in.
    `binary`: the program's file; of an interpreter the script, None where that is not named by its whole path.
    """

    pid: int
    name: str
    user: str | None
    unit: str | None
    container: str | None
    command: tuple[str, ...]
    parent: int | None
    binary: str | None = None
    runtime: Runtime | None = None  # whose container it is


class Running(Struct, frozen=True):
    """A process that was found by its name. `command` is one line. `parent` is known of those without a unit."""

    pid: int
    name: str
    command: str
    unit: str | None
    parent: Parent | None = None


def describe(roots: Roots, pid: int) -> Process | None:
    """Say whose a process is; None: it has gone, or cannot be read."""
    try:
        told = live.process(roots, pid)
        member = _membership(roots, pid, told.name)
    except Unreadable:
        return None
    command = _command(roots, pid)
    return Process(
        pid, told.name, _user(roots, told.uid), member.unit, member.container, command, told.parent or None,
        _binary(roots, pid, command),
        runtime(roots.try_text(f"/proc/{pid}/cgroup", 1 << 16)) if member.container else None,
    )  # fmt: skip


def parent_of(roots: Roots, pid: int) -> Parent | None:
    """Return the process that started another one; None: none, or it has gone."""
    try:
        parent = live.process(roots, pid).parent
        return Parent(parent, roots.text(f"/proc/{parent}/comm", 100).removesuffix("\n")) if parent else None
    except Unreadable:
        return None


def running_processes(roots: Roots, wanted: Callable[[str], bool]) -> Fact[tuple[Running, ...]]:
    """Find running processes by name (the kernel's: 15 characters), but for those in containers.

    Reads a process's name alone until it is one that is wanted: a busy host has thousands.
    """
    if not roots.view.live:
        return Fact.unknown(SOURCE, say("The root is a copy, which has no processes."), cause="copy")
    try:
        proc = roots.locate("/proc")
        pids = [int(entry) for entry in roots.entries("/proc", PROCESSES) if entry.isdecimal()]
        roots.text("/proc/1/comm", 100)
    except Unreadable as error:
        return roots.unknown(SOURCE, error) if roots.why else _hidden(roots, error.reason)
    found = []
    for pid in sorted(pids):
        try:
            name = _comm(f"{proc}/{pid}/comm")
            if not wanted(name):
                continue
            command = roots.text(f"/proc/{pid}/cmdline", 4096).replace("\0", " ").strip()
            member = _membership(roots, pid, name)
        except PermissionError as error:
            return _hidden(roots, error.strerror or phrase("not readable"))
        except Unreadable as error:
            if error.cause == "denied":
                return _hidden(roots, error.reason)
            continue  # it has gone
        if command and not member.inside:  # kernel threads and zombies have no command
            found.append(Running(pid, name, command, member.unit, None if member.unit else parent_of(roots, pid)))
    return Fact.of(SOURCE, tuple(found))


def _hidden(roots: Roots, why: str) -> Fact[tuple[Running, ...]]:
    return roots.denied(SOURCE, say("Other users' processes are hidden: {why}.", why=why))


def _comm(path: str) -> str:
    """Read a process's name without the care that other files need: this is a live procfs, and there are many.

    Returns '' where the process has gone; raises PermissionError.
    """
    try:
        with open(path, "rb", buffering=0) as handle:
            return handle.read(100).decode("utf-8", "replace").removesuffix("\n")
    except PermissionError:
        raise
    except OSError:
        return ""


def _command(roots: Roots, pid: int) -> tuple[str, ...]:
    try:
        words = roots.text(f"/proc/{pid}/cmdline", COMMAND).split("\0")
    except Unreadable:
        return ()
    while words and not words[-1]:  # a process that wrote a title over its arguments leaves empty ones
        words.pop()
    return tuple(words)


_INTERPRETERS = r"(python|perl|ruby|node|php|bash|dash|sh|java|mono|lua|tclsh|busybox)[0-9.]*(-\w+)?"


def _binary(roots: Roots, pid: int, command: tuple[str, ...]) -> str | None:
    try:
        path = roots.link(f"/proc/{pid}/exe")
    except Unreadable:
        return None
    return program(path, command) if path else None


def program(path: str, command: tuple[str, ...]) -> str | None:
    """Say which file a process is the program of: its own, or the script that it interprets."""
    path = path.removesuffix(" (deleted)")  # replaced by an update while it runs
    if not path.startswith("/"):
        return None
    if not re.fullmatch(_INTERPRETERS, path.rpartition("/")[2]):
        return path
    return next((word for word in command[1:] if re.fullmatch(r"/[\x21-\x7e]{1,4095}", word)), None)


# Services that start whatever they are told to: a daemon started over SSH without a login session, or by cron,
# must not be stopped by stopping them. Their own process is theirs.
_LAUNCHERS = r"(sshd?|cron|crond|atd|(serial-|console-)?getty|rescue|emergency|debug-shell|rc-local|cloud-final)[@.]"
_OWN = ("sshd", "cron", "crond", "atd", "agetty")


class _Membership(NamedTuple):
    """What a process is a part of; `inside`: of a container at all, be it one that has no name here."""

    unit: str | None
    container: str | None
    inside: bool


def _membership(roots: Roots, pid: int, name: str) -> _Membership:
    """Return a process's unit and container as the host itself sees them."""
    unit, container = place(roots.text(f"/proc/{pid}/cgroup", 1 << 16))
    # A host that is a container itself (LXC, a CI job): what its PID 1 is in too is the host, no container on it.
    if container and container == place(roots.text("/proc/1/cgroup", 1 << 16))[1]:
        container = None
    # Below a process namespace of its own a unit is that of another systemd, whatever the cgroup says.
    inside = container is not None or len(_field(roots.text(f"/proc/{pid}/status", 1 << 14), "NSpid")) > 1
    if inside or (unit and re.match(_LAUNCHERS, unit) and name not in _OWN):
        unit = None
    return _Membership(unit, container, inside)


_CONTAINER = r"""(?x)
      [/:](?!libpod-conmon-|crio-conmon-)(?:[a-z-]+-)?(?P<id>[0-9a-f]{64})(?:\.scope)?(?=/|$)
      | /buildkit/(?P<build>[0-9a-z]{25})(?=/|$)
      | /lxc(?:/|\.payload[./])(?P<lxc>[^/]+)
      | /systemd-nspawn@(?P<nspawn>[^/]+)\.service/payload
    """
_SERVICE = r"/([A-Za-z0-9:_.\\@-]+\.service)(?=/|$)"
_OPENRC = r"(?m)^(?:0::/openrc[./]|[0-9]+:name=openrc:/)([^/]+)"


def place(cgroup: str) -> tuple[str | None, str | None]:
    """Read /proc/PID/cgroup (v1, v2 or both): the service and the innermost container that it names.

    A reader in a cgroup namespace of its own sees paths such as `/../exim4.service`.
    """
    paths = [line.split(":", 2)[2] for line in cgroup.splitlines() if line.count(":") >= 2]
    container = None
    deepest = -1
    for path in paths:
        for match in re.finditer(_CONTAINER, path):
            if match.start() > deepest:
                container, deepest = match[match.lastgroup or 0], match.start()
    unit = None
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if (number == "0" and not controllers) or controllers == "name=systemd":
            services = re.findall(_SERVICE, path)
            if services and not any(service.startswith("user@") for service in services):
                unit = services[-1]
    openrc = re.search(_OPENRC, cgroup)
    return unit or (openrc[1] if openrc else None), container


# The innermost container's kind counts: the marks in the order in which one may stand within another.
_RUNTIMES: tuple[tuple[str, Runtime], ...] = (
    (r"[/-]libpod-", "podman"), (r"/kubepods|cri-containerd-|/crio-", "kubernetes"), (r"/docker[/-]", "docker"),
    (r"/lxc[./]", "lxc"), (r"/systemd-nspawn@|/machine\.slice/", "nspawn"),
)  # fmt: skip


def runtime(cgroup: str) -> Runtime | None:
    """Say whose containers a process's control groups are those of; None: cannot be told."""
    return next((kind for mark, kind in _RUNTIMES if re.search(mark, cgroup)), None)


def _field(status: str, name: str) -> list[str]:
    """Return the words of a field of /proc/PID/status; [] where there is no such field."""
    match = re.search(rf"^{name}:(.*)$", status, re.MULTILINE)
    return match[1].split() if match else []


def _user(roots: Roots, uid: int) -> str:
    """Return a user's name from the host's own passwd, or the number where it has none."""
    try:
        return user(roots.text("/etc/passwd"), uid)
    except Unreadable:
        return str(uid)


def user(passwd: str, uid: int) -> str:
    """Find a user's name by the number in passwd(5)."""
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(uid) and fields[0]:
            return fields[0]
    return str(uid)
