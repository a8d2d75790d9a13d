"""Where the host is: its root, its procfs, and what of it can be read without being fooled or held up.

Links are resolved as the host itself would (an absolute link starts again at the host's root), only regular
files are read, and never more than a bounded number of bytes: below a root may lie FIFOs and links to endless
devices. `/proc/self` and `/proc/net` would be the reader's own, so the host's are read through an anchor
process: one that lives in the host's namespaces (`view` finds both).
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any, Literal

from msgspec import Struct, field

from preflight.facts import Fact, Missing, View, base
from preflight.gather.access import advice
from preflight.gather.access.advice import Advice
from preflight.text.sentences import phrase, say

FILE_BYTES = 1 << 20
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


class Roots(Struct, frozen=True, eq=False):
    """Paths inside one host. Give host paths ("/etc/os-release"), never paths of this process.

    `root` None: the host's files are out of reach, and `why` says so; a few files of a live procfs are the same
    for every process of the machine and are still read (`shared`). `folders`: resolved folders
    by path. A run asks for thousands of paths in a hundred folders.
    """

    root: str | None
    view: View
    anchor: str = "1"  # the process whose /proc/PID/net is the host's; "self" natively
    why: Missing | None = None
    # A field: a struct with a `__dict__` that several threads fill is where msgspec once crashed on Python 3.13.
    folders: dict[str, list[str]] = field(default_factory=dict)

    def unknown(self, source: str, error: Unreadable | None = None, otherwise: Advice = advice.NONE) -> Fact[Any]:
        """Make the fact that could not be read, with what would make it known: more rights where they are lacking.

        `error` None: nothing was tried, as the root is out of reach. `otherwise`: what helps against other reasons.
        """
        if self.root is None and self.why is not None:
            return Fact(source, None, self.why)
        error = error or Unreadable(source, phrase("the host's root is out of reach"))
        if error.cause == "denied":
            return self.denied(source, error.sentence)
        cause: base.Cause = "absent" if error.absent else ""
        return Fact.unknown(source, error.sentence, otherwise.text, cause=cause, place=otherwise.place)

    def denied(self, source: str, reason: str, *commands: str, detail: str = "") -> Fact[Any]:
        """Make the fact that takes more rights than the program has."""
        more = advice.more_rights(self.view)
        return Fact.unknown(source, reason, more.text, *commands, detail=detail, cause="denied", place=more.place)

    def locate(self, path: str) -> str:
        """Resolve a host path to one of this process; raise `Unreadable`. The last part need not exist."""
        if self.root is None:
            raise Unreadable(path, phrase("the host's root is out of reach"))
        folder, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            done, _ = self._resolve([], path, path)
        else:
            start = self.folders.get(folder)
            if start is None:
                start, there = self._resolve([], folder, path)
                if there:
                    self.folders[folder] = start
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

    def read(self, path: str, limit: int = FILE_BYTES) -> bytes:
        """Return a regular file's first `limit` bytes; raise `Unreadable`."""
        if self.root is None and self.view.live and path in _SHARED:
            return _read(path, path, limit)
        return _read(self.locate(path), path, limit)

    def open(self, path: str) -> int:
        """Open a regular file for reading, for one that is too large to be read whole; raise `Unreadable`."""
        return _open(self.locate(path), path)

    def text(self, path: str, limit: int = FILE_BYTES) -> str:
        """Return a regular file's text; bytes that are no UTF-8 come as replacement characters."""
        return self.read(path, limit).decode("utf-8", "replace")

    def try_text(self, path: str, limit: int = FILE_BYTES) -> str:
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
        raise Unreadable(path, phrase("not found"), "absent") from None
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
