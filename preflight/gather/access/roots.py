"""Where the host is: its root, its procfs, and what of it can be read without being fooled or held up.

Links are resolved as the host itself would (an absolute link starts again at the host's root), only regular
files are read, and never more than a bounded number of bytes: below a root may lie FIFOs and links to endless
devices. `/proc/self` and `/proc/net` would be the reader's own, so the host's are read through an anchor
process: one that lives in the host's namespaces.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from functools import cached_property
from typing import Any, Literal

from msgspec import Struct

from preflight.facts import Fact, Missing, View
from preflight.text.sentences import phrase, say

MARKER = "MAILCOW_PREFLIGHT_IMAGE"
LIMIT = 1 << 20
CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")  # where systemd's tree may be mounted
LINKS = 40


Cause = Literal["absent", "denied", "loop", "directory", "odd"]
_CAUSES: dict[int, Cause] = {errno.EACCES: "denied", errno.EPERM: "denied", errno.ELOOP: "loop"}


class Unreadable(Exception):
    """A file of the host could not be read: `reason` in words, and what kind of reason it is.

    `absent`: it is certainly not there. `loop`: links lead in a circle. `odd`: anything else.
    """

    def __init__(self, path: str, reason: str, cause: Cause = "odd") -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.cause = cause

    @classmethod
    def by(cls, path: str, error: OSError) -> Unreadable:
        """Make one of the kernel's refusal."""
        return cls(path, error.strerror or phrase("not readable"), _CAUSES.get(error.errno or 0, "odd"))

    @property
    def absent(self) -> bool:
        """Whether the file is certainly not there."""
        return self.cause == "absent"

    @property
    def sentence(self) -> str:
        """Say it in a sentence, as the reason why something is not known."""
        return say("{path} cannot be read: {reason}.", path=self.path, reason=self.reason)


class Roots(Struct, frozen=True, dict=True):
    """Paths inside one host. Give host paths ("/etc/os-release"), never paths of this process.

    `root` None: the host's files are out of reach, and `why` says so; a few files of a live procfs are the same
    for every process of the machine and are still read (`shared`).
    """

    root: str | None
    view: View
    anchor: str = "1"  # the process whose /proc/PID/net is the host's; "self" natively
    why: Missing | None = None

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        """Folders that are resolved already: a run asks for thousands of paths in a hundred folders."""
        return {}

    def unknown(self, source: str, error: Unreadable) -> Fact[Any]:
        """Make the fact that could not be read, with what would make it known."""
        if self.root is None and self.why is not None:
            return Fact(source, None, self.why)
        advice = say("Run the check as root.") if error.cause == "denied" else ""
        return Fact.unknown(
            source, error.sentence, advice, cause=error.cause if error.cause in ("denied", "absent") else ""
        )

    def locate(self, path: str) -> str:
        """Resolve a host path to one of this process; raise `Unreadable`. The last part need not exist."""
        if self.root is None:
            raise Unreadable(path, phrase("the host's root is out of reach"))
        folder, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            done, _ = self._resolve([], path, path)
        else:
            start = self._folders.get(folder)
            if start is None:
                start, there = self._resolve([], folder, path)
                if there:
                    self._folders[folder] = start
            done, _ = self._resolve(start, name, path)
        return "/".join([self.root.rstrip("/"), *done]) or "/"

    def _resolve(self, done: list[str], rest: str, path: str) -> tuple[list[str], bool]:
        """Go on from resolved parts through the rest of a path; return the parts, and whether all of them are there.

        Raises `Unreadable`, which names the whole path.
        """
        base = (self.root or "").rstrip("/")
        todo = [part for part in reversed(rest.split("/")) if part not in ("", ".")]
        done = list(done)
        links = 0
        there = True
        while todo:
            part = todo.pop()
            if part == "..":
                done = done[:-1]
                continue
            here = "/".join([base, *done, part])
            try:
                target = os.readlink(here)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
                    raise Unreadable.by(path, error) from None
                there = there and error.errno == errno.EINVAL
                done.append(part)
                continue
            links += 1
            if links > LINKS:
                raise Unreadable(path, phrase("too many links"), "loop")
            if target.startswith("/"):
                done = []
            todo.extend(p for p in reversed(target.split("/")) if p not in ("", "."))
        return done, there

    def read(self, path: str, limit: int = LIMIT) -> bytes:
        """Return a regular file's first `limit` bytes; raise `Unreadable`."""
        if self.root is None and self.view.live and path in _SHARED:
            return _read(path, path, limit)
        return _read(self.locate(path), path, limit)

    def open(self, path: str) -> int:
        """Open a regular file for reading, for one that is too large to be read whole; raise `Unreadable`."""
        return _open(self.locate(path), path)

    def text(self, path: str, limit: int = LIMIT) -> str:
        """Return a regular file's text; bytes that are no UTF-8 come as replacement characters."""
        return self.read(path, limit).decode("utf-8", "replace")

    def try_text(self, path: str, limit: int = LIMIT) -> str:
        """Return a regular file's text, '' where it is not there or cannot be read: for files that decide nothing."""
        try:
            return self.text(path, limit)
        except Unreadable:
            return ""

    def process_file(self, name: str) -> str:
        """Return the host path of a file of the anchor process: "net/tcp" -> "/proc/1/net/tcp"."""
        return f"/proc/{self.anchor}/{name}"

    def exists(self, path: str) -> bool:
        """Say whether something is there; raise `Unreadable` where that cannot be told."""
        return self.lstat(path) is not None

    def lstat(self, path: str) -> os.stat_result | None:
        """Stat what the path leads to on the host; None: not there; raise `Unreadable` where it cannot be told."""
        here = self.locate(path)
        try:
            return os.lstat(here)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unreadable.by(path, error) from None

    def entries(self, path: str, limit: int = 20_000) -> list[str]:
        """List a directory's names, sorted; [] where it is not there; raise `Unreadable` where it cannot be told."""
        return sorted(self.listing(path, limit))

    def listing(self, path: str, limit: int = 20_000) -> dict[str, bool]:
        """List a directory as `entries` does, in no order: names, and whether each is a link, which costs no more."""
        here = self.locate(path)
        try:
            with os.scandir(here) as found:
                return {entry.name: entry.is_symlink() for entry, _ in zip(found, range(limit), strict=False)}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise Unreadable.by(path, error) from None

    def link(self, path: str) -> str | None:
        """Return where a link points to, as written in it; None where it is no link or not there."""
        folder, _, name = path.rpartition("/")
        try:
            return os.readlink(self.locate(folder) + "/" + name)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
                return None
            raise Unreadable.by(path, error) from None


# The same for every process of the machine, whatever its namespaces.
_SHARED = frozenset({"/proc/sys/kernel/osrelease", "/proc/meminfo", "/proc/cpuinfo", "/proc/cmdline", "/proc/modules"})


def _open(here: str, path: str) -> int:
    try:
        handle = os.open(here, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        raise Unreadable(path, phrase("not there"), "absent") from None
    except OSError as error:
        raise Unreadable.by(path, error) from None
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    folder = stat.S_ISDIR(os.fstat(handle).st_mode)
    os.close(handle)
    raise Unreadable(path, phrase("not a regular file"), "directory" if folder else "odd")


def _read(here: str, path: str, limit: int) -> bytes:
    handle = _open(here, path)
    try:
        parts: list[bytes] = []
        size = 0
        while size < limit and (part := os.read(handle, min(limit - size, 1 << 18))):
            parts.append(part)
            size += len(part)
        return b"".join(parts)
    except OSError as error:
        raise Unreadable.by(path, error) from None
    finally:
        os.close(handle)


def find(environ: dict[str, str], given: str | None = None) -> Roots:
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
            say("The container has a process namespace of its own, so the host's files are out of reach."),
        )
    else:
        flag, reason = "--privileged", say("The container may not look into the host's processes and files.")
    if flag not in missing:
        missing.append(flag)
    network = None if flag == "--pid=host" else shares_network("/proc/1/net/tcp")
    if network is False:
        missing.append("--network=host")
    view = View(
        container=True, root=None, live=True, network=network, privileged=privileged, missing_flags=tuple(missing)
    )
    return Roots(
        None, view, why=Missing("unknown", reason, say("Add {flag} to docker run.", flag=flag), cause="container")
    )


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
