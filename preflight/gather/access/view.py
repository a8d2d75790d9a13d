"""Find the host: where its root is, which process is the anchor, and whether our network is the host's."""

from __future__ import annotations

import os
import socket
import sys

from preflight.facts import Missing, View
from preflight.gather.access.advice import add
from preflight.gather.access.roots import Roots
from preflight.text.sentences import say

MARKER = "MAILCOW_PREFLIGHT_IMAGE"


def find_roots(environ: dict[str, str], given: str | None = None) -> Roots:
    """Find the host: the root given, `/proc/1/root` in our own container, `/` otherwise."""
    inside = environ.get(MARKER) == "1"
    if given is not None:
        return _given(given, inside)
    if inside:
        return _from_container()
    return Roots("/", View(container=False, root="/", live=True, network=True, privileged=None), anchor="self")


def _given(given: str, inside: bool) -> Roots:
    from pathlib import Path

    root = str(Path(given).absolute())
    live = is_procfs(f"{root}/proc")
    if not live:
        return Roots(root, View(container=inside, root=given, live=False, network=False, privileged=None))
    own = root == "/" and not inside
    network = True if own else shares_network(f"{root}/proc/1/net/tcp")
    view = View(container=inside, root=given, live=True, network=network, privileged=None)
    return Roots(root, view, anchor="self" if own else "1")


def _from_container() -> Roots:
    privileged = _privileged()
    missing = [] if privileged else ["--privileged"]
    # Where the engine does not hold every capability of PID 1 (nested machines), PID 1 is closed to us, but our
    # parent, the engine's shim, stands in the same host.
    for anchor in ("1", str(os.getppid())):
        root = f"/proc/{anchor}/root"
        try:
            there, here = os.stat(root), os.stat("/")
        except OSError:
            continue
        if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
            network = shares_network(f"/proc/{anchor}/net/tcp")
            if network is False:
                missing.append("--network=host")
            view = View(
                container=True, root=root, live=True, network=network, privileged=privileged,
                missing_flags=tuple(missing),
            )  # fmt: skip
            return Roots(root, view, anchor)
    if _own_pid_namespace():
        flag, reason = (
            "--pid=host",
            say("The container has its own process namespace, so it cannot read the host's files."),
        )
    else:
        flag, reason = "--privileged", say("The container cannot read the host's processes and files.")
    help = add(flag)
    if flag not in missing:
        missing.append(flag)
    network = None if flag == "--pid=host" else shares_network("/proc/1/net/tcp")
    if network is False:
        missing.append("--network=host")
    view = View(
        container=True, root=None, live=True, network=network, privileged=privileged, missing_flags=tuple(missing)
    )
    return Roots(None, view, why=Missing("unknown", reason, help.text, cause="container", place=help.place))


def _own_pid_namespace() -> bool:
    """Say whether PID 1 is our own container's: its root is ours."""
    try:
        there, here = os.stat("/proc/1/root"), os.stat("/")
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _privileged() -> bool:
    """Say whether we hold CAP_SYS_ADMIN and CAP_SYS_PTRACE, as `--privileged` gives them."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
            held = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return False
    return bool(held >> 21 & 1 and held >> 19 & 1)


def is_procfs(path: str) -> bool:
    """Say whether a directory is the top of a live procfs, by statfs(2)'s magic number."""
    import ctypes

    buffer = ctypes.create_string_buffer(256)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), buffer) != 0:
        return False
    return int.from_bytes(buffer.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) == 0x9FA0


def shares_network(table: str) -> bool | None:
    """Say whether a process's TCP table shows a socket of ours, that is: whether its network is our own.

    The links below /proc/PID/ns would say it too, but may be closed where the table is not. The socket listens
    on a free loopback port for the time of one read. None: the table cannot be read.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", 0))
            probe.listen(1)
            inode = str(os.fstat(probe.fileno()).st_ino)
            with open(table, encoding="ascii", errors="replace") as lines:
                return any(fields[9:10] == [inode] for fields in (line.split() for line in lines))
        except OSError:
            return None
