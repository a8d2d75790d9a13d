"""Pack a collected runtime into the self-contained file: a shell script with an archive behind it.

The tree is the image's own (tools/collect_runtime.py). Its interpreter is started by its own loader with its own
libraries, so the C library of the host does not matter, nor that there is one: it runs on Debian and on Alpine.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What the image needs and an unpacked tree does not: its users, its way to libraries, its command.
IMAGE_ONLY = ("etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/ld.so.conf", "etc/ld.so.cache", "usr/bin/preflight")
PYTHON = """\
#!/bin/sh
here=${{0%/{name}}}
exec "$here/{loader}" --inhibit-cache --library-path "{path}" --argv0 "$0" "$here/{real}" "$@"
"""


class Runtime:
    """A collected tree: where in it the interpreter is, its loader, its libraries and the packages."""

    def __init__(self, tree: Path, program: Path, packages: Path) -> None:
        self.tree = tree
        self.real = str(program.relative_to("/"))
        self.python = str(program.with_name("python3").relative_to("/"))
        self.packages = str(packages.relative_to("/"))
        self.folders = [line.lstrip("/") for line in (tree / "etc/ld.so.conf").read_text().split()]
        [self.loader] = (
            str(path.relative_to(tree)) for folder in self.folders for path in (tree / folder).glob("ld-*")
        )
        if self.real == self.python:
            raise ValueError(f"{program} has no other name than python3")

    def added(self) -> dict[str, tuple[int, str]]:
        """Return the files that are not in the tree: name, mode and text."""
        path = ":".join(f"$here/{folder}" for folder in self.folders)
        wrapper = PYTHON.format(name=self.python, loader=self.loader, path=path, real=self.real)
        start = (HERE / "start.py").read_text().replace("@PACKAGES@", self.packages)
        return {self.python: (0o755, wrapper), "start.py": (0o644, start)}

    def members(self) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
        """Yield what goes into the archive, in the order of its names, with nothing of this machine in it."""
        added = self.added()
        paths = {str(path.relative_to(self.tree)): path for path in self.tree.rglob("*")}
        for name in sorted({*paths, *added}):
            info = tarfile.TarInfo(name)
            data = b""
            if name in added:
                info.mode, text = added[name]
                data = text.encode()
            elif name in IMAGE_ONLY:
                continue
            elif (path := paths[name]).is_symlink():
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
            elif path.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                data = path.read_bytes()
                info.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            info.size = len(data)
            yield info, data


def pack(runtime: Runtime, out: Path, machine: str, version: str, epoch: int) -> None:
    """Write the file: the launcher, which knows the archive's checksum and first line, and the archive."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in runtime.members():
            info.mtime = epoch
            archive.addfile(info, io.BytesIO(data))
    packed = gzip.compress(raw.getvalue(), 6, mtime=0)  # 9 takes three times as long for 1 %
    launcher = (HERE / "launcher.sh").read_text()
    values = {
        "MACHINE": machine,
        "VERSION": version,
        "FIRST": str(launcher.count("\n") + 1),
        "SUM": hashlib.sha256(packed).hexdigest(),
        "MIB": str(len(raw.getvalue()) // (1 << 20) + 1),
        "PYTHON": runtime.python,
    }
    for name, value in values.items():
        launcher = launcher.replace(f"@{name}@", value)
    out.write_bytes(launcher.encode() + packed)
    out.chmod(0o755)
