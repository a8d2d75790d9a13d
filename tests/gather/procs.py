"""Processes as files of a tree."""

from __future__ import annotations

from pathlib import Path

import msgspec

from preflight.gather.access.roots import Roots
from tests.build import VIEW
from tests.gather.trees import write

ID = "0123456789abcdef" * 4

# A name, a parent and a start (field 22).
STAT = " S 1" + " 0" * 17 + " 12345" + " 0" * 30 + "\n"
STATUS = "Name:\t{name}\nState:\tS (sleeping)\nPPid:\t1\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nNSpid:\t{ns}\n"


def live(root: Path) -> Roots:
    write(root, "/proc/1/comm", "systemd\n")
    write(root, "/proc/1/cgroup", "0::/init.scope\n")
    return Roots(str(root), msgspec.structs.replace(VIEW, root=str(root)))


def start(
    root: Path, pid: int, name: str | bytes, *command: str, cgroup: str = "0::/", ns: str = "", uid: int = 104
) -> None:
    """Make a process of a procfs."""
    raw = name if isinstance(name, bytes) else name.encode()
    text = raw.decode("utf-8", "replace").replace("\n", "\\n")
    write(root, f"/proc/{pid}/comm", raw + b"\n")
    write(root, f"/proc/{pid}/cmdline", "".join(f"{word}\0" for word in command))
    write(root, f"/proc/{pid}/cgroup", cgroup + "\n")
    write(root, f"/proc/{pid}/stat", b"%d (%s)" % (pid, raw) + STAT.encode())
    write(root, f"/proc/{pid}/status", STATUS.format(name=text, uid=uid, ns=ns or pid))
