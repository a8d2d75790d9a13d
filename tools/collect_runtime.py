"""Copy what the running interpreter needs, and the given packages, into an otherwise empty root.

    python3 collect_runtime.py OUT PACKAGES...

Runs in the image's builder stage. Nothing here knows where a distribution puts Python: the interpreter itself is
asked, so the official image (/usr/local) and Debian's own python3 (/usr) give the same result.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import site
import subprocess
import sys
import sysconfig
from fnmatch import fnmatch
from pathlib import Path

# What stays behind, as patterns of paths below the copied folder ("*" crosses folders).
NOT_COPIED = ("__pycache__", "*/__pycache__", "test", "tests", "*/test", "*/tests", "*.pyi")
# Of the standard library: what only developers, other interfaces and installers use, second implementations in Python
# of what is there in C, and character sets of other decades.
UNUSED_STANDARD = (
    *NOT_COPIED, "EXTERNALLY-MANAGED", "LICENSE.txt", "config-*", "dist-packages", "site-packages", "ensurepip", "venv",
    "asyncio", "_pydatetime.py", "_pydecimal.py", "_pyio.py", "_pyrepl", "antigravity.py", "cProfile.py",
    "ctypes/macholib", "curses", "dbm", "distutils", "doctest.py", "idlelib", "imaplib.py", "lib2to3", "mailbox.py",
    "modulefinder.py", "optparse.py", "xml/dom", "xml/sax",
    "multiprocessing", "nntplib.py", "pdb.py", "pickletools.py", "poplib.py", "profile.py", "pstats.py", "pyclbr.py",
    "pydoc.py", "pydoc_data", "tkinter", "trace.py", "turtle.py", "turtledemo", "unittest", "wave.py", "webbrowser.py",
    "wsgiref", "xmlrpc", "zipapp.py", "encodings/big5*", "encodings/cp[!4]*", "encodings/euc_*",
    "encodings/gb*", "encodings/hp_*", "encodings/iso2022*", "encodings/iso8859_[!1]*", "encodings/johab*",
    "encodings/k*", "encodings/mac_*", "encodings/ptcp*", "encodings/shift*", "encodings/tis*",
    *(f"lib-dynload/{name}*" for name in (
        "_codecs_", "_ctypes_test", "_curses", "_dbm", "_gdbm", "_multibytecodec", "_multiprocessing", "_posixshmem",
        "_test", "_tkinter", "_xxtestfuzz", "nis", "readline", "xxlimited", "xxsubtype")),
)  # fmt: skip
# Of the packages: their console scripts name the builder's interpreter; rich highlights no language but Python for us;
# psutil's modules for other systems; charset_normalizer guesses what nobody asks it for here, and can without its C;
# pip's notes name the folder that it installed into.
UNUSED_PACKAGES = (
    *NOT_COPIED,
    "bin",
    "*.c",
    *(f"*.dist-info/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")),
    "charset_normalizer/*.so",
    "psutil/_ps[!lpu]*",
    "pygments/lexers/_*_builtins.py",
    "pygments/lexers/[!_p]*",
    "pygments/lexers/p[!y]*",
)
# Loaded by name at run time, so that no program header mentions it: the C library needs it to end threads.
LOADED_LATE = "libgcc_s.so.1"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Without the module site: all that it does here is to name the folder, and a Ctrl-C meanwhile would show a traceback.
COMMAND = """\
#!/usr/bin/python3 -IS
import sys

sys.path.append({folder!r})
from preflight.__main__ import main

main()
"""


def libraries(files: list[Path]) -> set[Path]:
    """Name every shared library that these programs and extension modules load, directly or not."""
    told = subprocess.run(["ldd", *map(str, files)], stdout=subprocess.PIPE, text=True, check=False).stdout
    return {Path(name) for name in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE)}


def late_libraries() -> set[Path]:
    """Find the libraries of LOADED_LATE through the loader's own cache."""
    told = subprocess.run(["/sbin/ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {Path(path) for path in re.findall(rf"{re.escape(LOADED_LATE)} .*=> (\S+)", told)}


class Root:
    """The directory that becomes the image's root."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def inside(self, path: Path) -> Path:
        """Say where a path of this system lies below the root, without going through merged directories (/lib)."""
        return self.out / (path.parent.resolve() / path.name).relative_to("/")

    def file(self, path: Path) -> None:
        """Copy one file's content under its own name, whatever links lead to it."""
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy2(path, target)

    def tree(self, source: Path, target: Path, unused: tuple[str, ...]) -> None:
        """Copy a folder without what matches the unused patterns."""

        def left_out(folder: str, names: list[str]) -> list[str]:
            paths = {name: str(Path(folder, name).relative_to(source)) for name in names}
            return [name for name, path in paths.items() if any(fnmatch(path, pattern) for pattern in unused)]

        shutil.copytree(source, self.inside(target), ignore=left_out, dirs_exist_ok=True)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.inside(Path(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def interpreter(self) -> None:
        """Copy the interpreter, its standard library and the few files of a system that both expect."""
        for name in ("bin", "lib", "lib64", "sbin"):  # the loader's path is fixed inside every program
            if (merged := Path("/", name)).is_symlink():
                (self.out / name).symlink_to(os.readlink(merged))
        program = Path(sys.executable).resolve()
        self.file(program)
        fixed = self.out / "usr/bin/python3"
        if not fixed.exists():
            fixed.parent.mkdir(parents=True, exist_ok=True)
            fixed.symlink_to(program)
        standard = Path(sysconfig.get_path("stdlib"))
        self.tree(standard, standard, UNUSED_STANDARD)
        needed = libraries([program, *self.inside(standard).glob("lib-dynload/*.so")]) | late_libraries()
        for library in needed:
            self.file(library)
        self.write("/etc/ld.so.conf", "".join(f"{folder}\n" for folder in sorted({p.parent.resolve() for p in needed})))
        self.file(CERTIFICATES)
        self.write("/etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n")
        self.write("/etc/group", "root:x:0:\n")
        self.write("/etc/nsswitch.conf", "hosts: files dns\n")
        self.write("/usr/bin/preflight", COMMAND.format(folder=site.getsitepackages()[0]), 0o755)
        (self.out / "tmp").mkdir()
        (self.out / "tmp").chmod(0o1777)
        self.compiled(self.inside(standard))

    def packages(self, source: Path) -> None:
        """Add installed packages to the interpreter's own site directory."""
        target = Path(site.getsitepackages()[0])
        self.tree(source, target, UNUSED_PACKAGES)
        copies = [self.inside(target) / entry.name for entry in source.iterdir()]
        for copy in filter(Path.exists, copies):
            self.compiled(copy)
        if modules := list(source.rglob("*.so")):
            for library in libraries(modules):
                if source not in library.parents:
                    self.file(library)

    def compiled(self, path: Path) -> None:
        """Write the .pyc files of a module or folder, never to be held against their sources.

        Nothing changes in the image, and the comparison costs time at every start.
        """
        compiler = compileall.compile_dir if path.is_dir() else compileall.compile_file
        options = {"workers": 0} if path.is_dir() else {}
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        done = compiler(path, quiet=1, stripdir=str(self.out), invalidation_mode=mode, **options)
        if not done:
            sys.exit(f"collect_runtime: {path} does not compile")

    def dated(self, epoch: float) -> None:
        """Give everything one time, so that the same sources make the same image whenever that is."""
        for path in [self.out, *self.out.rglob("*")]:
            os.utime(path, (epoch, epoch), follow_symlinks=False)

    def index_libraries(self) -> None:
        subprocess.run(["/sbin/ldconfig", "-X", "-r", str(self.out)], check=True)
        shutil.rmtree(self.out / "var", ignore_errors=True)  # ldconfig's own cache


def main() -> None:
    out, *packages = map(Path, sys.argv[1:])
    if sys.prefix != sys.base_prefix:
        sys.exit("collect_runtime: run me with the interpreter itself, not with a virtual environment's")
    root = Root(out)
    if not out.exists():
        out.mkdir(parents=True)
        root.interpreter()
    for source in packages:
        root.packages(source)
    root.index_libraries()
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        root.dated(int(given))
    size = sum(path.lstat().st_size for path in out.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"collect_runtime: {size / 1e6:.1f} MB in {out}")


if __name__ == "__main__":
    main()
