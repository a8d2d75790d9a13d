"""The daemon among the host's processes: which one it is, and with which arguments it was started."""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator

from preflight.facts import Engine
from preflight.gather.access.roots import CGROUPS, Roots
from preflight.gather.engine.settings import parse_arguments

PROCESSES = 65_536
_UNITS = ("docker.service", "snap.docker.dockerd.service")
_DEFAULT = "/run/docker.sock"


def arguments(roots: Roots, engine: Engine | None, url: str, *, search: bool) -> tuple[str, ...] | None:
    """Return the arguments of the first daemon that fits; None where none of the host's own does.

    `search` False: no look at all processes. Raises `Unreadable`.
    """
    proc = roots.locate("/proc")
    for pid in dict.fromkeys(_likely(roots, url)):
        words = _words(roots, proc, pid)
        if words is not None and fits(words, engine, url):
            return words
    if search:
        for pid in roots.entries("/proc", PROCESSES):
            words = _words(roots, proc, pid) if pid.isdigit() else None
            if words is not None and fits(words, engine, url):
                return words
    return None


def process(roots: Roots) -> str | None:
    """Return the id of the daemon that is first found without a look at all processes; raise `Unreadable`."""
    proc = roots.locate("/proc")
    return next((pid for pid in _likely(roots, "") if _is_daemon(roots, proc, pid)), None)


def is_default(url: str) -> bool:
    """Say whether this is the socket where a daemon answers that was told no other."""
    return _socket(url) == _DEFAULT


def _likely(roots: Roots, url: str) -> Iterator[str]:
    """Give the ids of the processes that may be the daemon, without a look at all processes of a busy host.

    That the daemon's own file names, those of its unit, and who listens at `url` (with a socket of systemd's, that is
    systemd). Each may be somebody else: a file is left behind, and a copy of an id is another process elsewhere.
    """
    for path in ("/run/docker.pid", "/var/run/docker.pid", "/run/snap.docker/docker.pid"):
        yield from _numbers(roots.try_text(path, 20))
    for tree in CGROUPS:
        for unit in _UNITS:
            yield from _numbers(roots.try_text(f"{tree}/system.slice/{unit}/cgroup.procs", 1 << 14))
    yield from _numbers(str(_listener(url) or ""))


def _numbers(text: str) -> list[str]:
    return [word for word in text.split() if word.isascii() and word.isdigit()]


def _listener(url: str) -> int | None:
    """Return who listens at a local socket, as the kernel tells whoever connects; None: nobody, or not told."""
    path = url.removeprefix("unix://")
    if path == url or len(os.fsencode(path)) > 107:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
        try:
            sock.connect(path)
            told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except (OSError, ValueError):
            return None
    return int(struct.unpack("=iII", told)[0])


def _words(roots: Roots, proc: str, pid: str) -> tuple[str, ...] | None:
    """Return the arguments of a process that is a daemon of the host; None: it is none."""
    if not _is_daemon(roots, proc, pid):
        return None
    try:
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            return tuple(os.fsdecode(word) for word in file.read(1 << 16).split(b"\0"))[1:]
    except OSError:
        return None


def _is_daemon(roots: Roots, proc: str, pid: str) -> bool:
    try:
        with open(f"{proc}/{pid}/comm", "rb") as file:
            if file.read(32).strip() != b"dockerd":
                return False
        with open(f"{proc}/{pid}/status", "rb") as file:
            if b"\nUid:\t0\t" not in file.read(4096):  # a user's own (rootless), or one that only bears the name
                return False
        here, there = os.stat(roots.root or "/"), os.stat(f"{proc}/{pid}/root")
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)  # else it is a container's or another host's


def fits(words: tuple[str, ...], engine: Engine | None, url: str) -> bool:
    """Say whether a daemon with these arguments can be the one that answers at `url` with what `engine` says."""
    settings, _ = parse_arguments(words)
    root, hosts = settings.get("data-root"), settings.get("hosts")
    said = engine.root_dir if engine else ""  # with user namespaces a folder below
    if said and isinstance(root, str) and not f"{said}/".startswith(f"{root.rstrip('/')}/"):
        return False
    if not url.startswith("unix://"):
        return True
    sockets = [_socket(host) for host in hosts if "://" in host] if isinstance(hosts, list) and hosts else []
    return _socket(url) in sockets or (is_default(url) and (not sockets or "fd:" in sockets))


def _socket(url: str) -> str:
    """Return a socket's path on the host, in one of its spellings; "fd:" for one that systemd holds."""
    path = re.sub(r"^/proc/[0-9]+/root/", "/", url.removeprefix("unix://"))
    return "fd:" if path.startswith("fd://") else path.replace("/var/run/", "/run/", 1)
